/**
 * How the processes of `fanout.ts` are told what to do: a line with a name and numbers comes in, a
 * line of numbers goes out.
 *
 * @module
 */

import process from "node:process";
import { createInterface } from "node:readline";

/** What can be asked, by name. */
export type Questions = Record<string, (...args: number[]) => number[] | Promise<number[]>>;

/** Answers on standard output what standard input asks, and ends with it, however the parent ends. */
export function answer(questions: Questions): void {
  const lines = createInterface({ input: process.stdin });
  lines.on("line", async (line) => {
    const [name, ...args] = line.split(" ");
    const numbers = await questions[name](...args.map(Number));
    console.log(numbers.join(" "));
  });
  lines.on("close", () => process.exit());
}
