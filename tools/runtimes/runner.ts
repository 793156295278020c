/**
 * What runs the suites of `tests/runtime` on a runtime, and what it is told.
 *
 * @module
 */

import type { Report } from "../../tests/runtime/harness.ts";

/** What all runners share. */
export interface RunContext {
  /** The repository, with a slash at the end. */
  readonly root: string;
  /**
   * A folder of this run's own, which is removed after it. `node_modules/@webstreams/sse` in it is the
   * packed package, installed by npm; a runner makes folders beside it.
   */
  readonly folder: string;
  /** The base URL of `tests/runtime/server.ts`. */
  readonly origin: string;
  /** The same server as another origin. */
  readonly otherOrigin: string;
  /** Ends the programs that a runner has started. */
  readonly signal: AbortSignal;
}

/** What came of a run. */
export interface RunResult {
  /** The version of the runtime, as it says it itself. */
  readonly version: string;
  /** What the program told. */
  readonly reports: readonly Report[];
  /** Why the run as a whole is a failure, whatever its tests say: it crashed, or hung. */
  readonly problem?: string;
}

/** The runtime cannot be had on this machine. */
export interface Unavailable {
  /** Why, and how to get it. */
  readonly unavailable: string;
}

/** A row of the table. `tools/runtimes/NAME.ts` exports its runners as an array `runners`. */
export interface Runner {
  /** The name of the runtime. */
  readonly name: string;
  /** Runs all suites that can be. It throws only where this program itself is wrong. */
  run(context: RunContext): Promise<RunResult | Unavailable>;
}
