/**
 * What a bench prints of its figures, and leaves for `report.ts`, which runs all of them.
 *
 * Nothing that is left depends on how fast the machine is: ratios, and multiples of one another.
 *
 * @module
 */

import { appendFileSync } from "node:fs";
import process from "node:process";

/** A figure with what it must reach, in a sentence. */
export interface Figure extends Bound {
  readonly kind: "figure";
  readonly bench: string;
  /** `Deno 2.9.6`. */
  readonly runtime: string;
  readonly value: number;
  /** What the value is. */
  readonly what: string;
  /** Whether it is what it must be; not there where it only shows something. */
  readonly reached?: boolean;
}

/** One bar or point of a plot. */
export interface Cell {
  readonly kind: "cell";
  readonly bench: string;
  /** `Deno 2.9.6`. */
  readonly runtime: string;
  /** What the values of the plot are. */
  readonly plot: string;
  /** With what it is compared: what they have in common. */
  readonly group: string;
  /** What it is. */
  readonly name: string;
  readonly value: number;
}

/** What a figure must be. */
export interface Bound {
  readonly most?: number;
  readonly least?: number;
  /** What each of the values must be at least, of which the figure is the mean. */
  readonly each?: number;
}

/** The environment variable that names the file in which figures are left, as lines of JSON. */
export const RESULTS_FILE = "BENCH_RESULTS";

/** A runtime that benches know. */
export interface Runtime {
  readonly name: "Deno" | "Node" | "Bun";
  readonly version: string;
}

/** The runtime of this process. */
export function runtime(): Runtime {
  const { deno, bun, node } = process.versions as Record<string, string | undefined>;
  if (deno !== undefined) return { name: "Deno", version: deno };
  if (bun !== undefined) return { name: "Bun", version: bun };
  return { name: "Node", version: node ?? "" };
}

/** Whether a figure is what it must be; `undefined` where it only shows something. */
function isReached(
  value: number,
  { most, least, each }: Bound,
  lowest: number,
): boolean | undefined {
  if (most === undefined && least === undefined) return undefined;
  return value <= (most ?? Infinity) && value >= (least ?? -Infinity) &&
    lowest >= (each ?? -Infinity);
}

/** The bound in words: `at least 1.4`; empty if there is none. */
export function describeBound({ most, least, each }: Bound): string {
  const parts = [
    ...(most === undefined ? [] : [`at most ${most}`]),
    ...(least === undefined ? [] : [`at least ${least}`]),
    ...(each === undefined ? [] : [`each ${each}`]),
  ];
  return parts.join(", ");
}

/** The figures of a bench. */
export class Results {
  readonly #bench: string;
  readonly #runtime: string;

  /**
   * Makes it.
   *
   * @param bench The name of the bench.
   * @param where What it ran in. Default: this runtime.
   */
  constructor(bench: string, where: Runtime = runtime()) {
    this.#bench = bench;
    this.#runtime = `${where.name} ${where.version}`;
  }

  /** Prints a figure, with its verdict, and leaves it. */
  figure(value: number, what: string, bound: Bound = {}, lowest = value): void {
    const reached = isReached(value, bound, lowest);
    const verdict = reached === undefined ? "" : reached ? "reached" : "MISSED";
    const words = describeBound(bound);
    console.log(
      `${verdict.padEnd(7)} ${value.toFixed(2).padStart(6)} ${words && `(${words}) `}${what}`,
    );
    this.#leave({ kind: "figure", value, what, ...bound, reached });
  }

  /** Leaves values that belong together, by their names. */
  cells(plot: string, group: string, values: Readonly<Record<string, number>>): void {
    for (const [name, value] of Object.entries(values)) {
      this.#leave({ kind: "cell", plot, group, name, value });
    }
  }

  #leave(result: Omit<Figure, "bench" | "runtime"> | Omit<Cell, "bench" | "runtime">): void {
    const file = process.env[RESULTS_FILE];
    if (file === undefined) return;
    const line = { bench: this.#bench, runtime: this.#runtime, ...result };
    appendFileSync(file, `${JSON.stringify(line)}\n`);
  }
}
