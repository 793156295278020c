/**
 * What a suite is given and what it tells: the contract between the suites, which every runtime
 * runs, and the programs that run them.
 *
 * A suite takes nothing from its surroundings but Web APIs. Everything else is handed in, so that
 * the same file runs on sources, on the packed package and in a page.
 *
 * @module
 */

/** The public names of the package. */
export type Library = typeof import("@webstreams/sse");

/** The names for tests of users. */
export type TestingLibrary = typeof import("@webstreams/sse/testing");

/** What only a runtime with `node:http` has. */
export interface NodeModules {
  /** The bridge of the package. */
  readonly bridge: typeof import("@webstreams/sse/node");
  /** `node:http`. */
  readonly http: typeof import("node:http");
}

/** What only a runtime with `node:sqlite` has. */
export interface SqliteModules {
  /** The event log of the package. */
  readonly log: typeof import("@webstreams/sse/log/sqlite");
  /** Makes a folder, hands on the path of a file in it that is not there yet, and removes it. */
  withFile(body: (path: string) => Promise<void>): Promise<void>;
}

/** What an error is to be: each member that is there must hold. */
export interface ErrorShape {
  /** Its `name`. */
  name?: string;
  /** Its `code`. */
  code?: string;
  /** A pattern for its `message`. */
  message?: RegExp;
}

/** The part of `node:assert/strict` that the suites use. `equal` is `Object.is`. */
export interface Assert {
  /** Fails unless both are the same value. */
  equal(actual: unknown, expected: unknown, message?: string): void;
  /** Fails unless both have the same structure, by plain objects, arrays and primitive values. */
  deepEqual(actual: unknown, expected: unknown, message?: string): void;
  /** Fails unless it is truthy. */
  ok(value: unknown, message?: string): void;
  /** Fails unless the text has a match. */
  match(text: string, pattern: RegExp, message?: string): void;
  /** Fails unless it throws such an error. */
  throws(body: () => unknown, shape: ErrorShape): void;
  /** Fails unless it rejects with such an error. */
  rejects(work: Promise<unknown> | (() => Promise<unknown>), shape: ErrorShape): Promise<void>;
}

/** Registers a test. Tests run one after the other, in the order of their registration. */
export type Test = (title: string, body: () => void | Promise<void>) => void;

/** A fetch handler, as every server of the web platform has it. */
export type Handler = (request: Request) => Response | Promise<Response>;

/** A server that listens on loopback. */
export interface Served {
  /** Its URL, with no slash at the end. */
  readonly origin: string;
  /** Ends it, and the connections that it has. */
  close(): Promise<void>;
}

/** What a suite is given besides the library. */
export interface Harness {
  /** `test` of `node:test`, or a queue that does the same. */
  readonly test: Test;
  /** `node:assert/strict`, or what does the same. */
  readonly assert: Assert;
  /** The base URL of `server.ts`, with no slash at the end; a page is of this origin. */
  readonly origin: string;
  /** The same server as another origin. */
  readonly otherOrigin: string;
  /** The names for tests of users. */
  readonly testing: TestingLibrary;
  /** Starts a server of the runtime's own: for suites that need `"socket"`. */
  readonly serve?: (handler: Handler) => Promise<Served>;
  /** For suites that need `"node:http"`. */
  readonly node?: NodeModules;
  /** For suites that need `"node:sqlite"`. */
  readonly sqlite?: SqliteModules;
  /** Whether it is a page: a browser rules redirects, cookies and some headers by itself. */
  readonly page?: boolean;
}

/**
 * What a suite needs of its runtime: `fetch` that reaches `server.ts`, a server of its own, or a module
 * of Node. What is missing makes the suite "not available", with the reason of the runtime.
 */
export type Need = "fetch" | "socket" | "node:http" | "node:sqlite";

/** A set of tests of one part of the package. */
export interface Suite {
  /** Its name, a column of the table. */
  readonly name: string;
  /** What it cannot run without. */
  readonly needs: readonly Need[];
  /** Registers its tests. */
  register(library: Library, harness: Harness): void;
}

/** What a program that runs suites tells, one after the other. */
export type Report =
  /** A suite has so many tests, and they will be run. */
  | { readonly kind: "planned"; readonly suite: string; readonly tests: number }
  /** A suite cannot be run here. */
  | { readonly kind: "absent"; readonly suite: string; readonly reason: string }
  /** A test was run; without `error` it has passed. */
  | {
    readonly kind: "ran";
    readonly suite: string;
    readonly title: string;
    readonly error?: string;
  };
