/**
 * Shows that time and memory are linear in the input, and what a kept event keeps alive.
 *
 * ```sh
 * deno task bench:memory
 * ```
 *
 * @module
 */

import process from "node:process";
import { ServerSentEventParser } from "../parse.ts";
import { cpuTime, median } from "./measure.ts";
import { Results } from "./results.ts";

const MB = 1_048_576;
const KB = 1_000;

/** Parses one line of `megabytes` in 1.4 KB chunks. */
function parseLine(megabytes: number): void {
  const parser = new ServerSentEventParser();
  const chunk = new TextEncoder().encode("x".repeat(1_400));
  parser.feed("data: ");
  for (let length = 0; length < megabytes * MB; length += chunk.length) parser.feed(chunk);
  const [event] = parser.feed("\n\n");
  if (event.data.length < megabytes * MB) throw new Error("The line came out short");
}

/** CPU time for one line of 16 MB against one of 4 MB. */
function lineTimes(): number {
  const time = (megabytes: number) => {
    const before = cpuTime();
    parseLine(megabytes);
    return cpuTime() - before;
  };
  const times = { small: [] as number[], large: [] as number[] };
  for (let i = 0; i < 15; i++) {
    times.small.push(time(4));
    times.large.push(time(16));
  }
  return median(times.large) / median(times.small);
}

/** What one line of 16 MB adds to the peak memory of a process of its own, as a multiple of it. */
function linePeak(): number {
  // Not `resourceUsage().maxRSS`, which on Linux starts at what the parent had.
  const peak = () => Number(/VmHWM:\s*(\d+)/.exec(Deno.readTextFileSync("/proc/self/status"))?.[1]);
  parseLine(1);
  const before = peak();
  parseLine(16);
  return (peak() - before) / 1024 / 16;
}

/** Bytes that each kept event holds, one short event of each 64 KB chunk, after a full collection. */
function keptBytes(collect: () => void): number {
  const parser = new ServerSentEventParser();
  const block = `data: {"a short event":true}\n\n`;
  const kept: string[] = [];
  const chunks = 400;
  const heap = () => {
    collect();
    const { heapUsed, external } = process.memoryUsage();
    return heapUsed + external;
  };
  const bytes = new TextEncoder().encode(block.repeat(65_536 / block.length));
  parser.feed(bytes);
  const before = heap();
  for (let i = 0; i < chunks; i++) kept.push(parser.feed(bytes)[i * 5].data);
  const held = (heap() - before) / chunks;
  if (kept.length !== chunks) throw new Error("Not all were kept");
  return held;
}

if (process.argv.includes("--kept")) {
  const { gc } = globalThis as { gc?: () => void };
  if (gc === undefined) throw new Error("Run with --expose-gc");
  console.log(keptBytes(gc));
} else if (process.argv.includes("--peak")) {
  console.log(linePeak());
} else {
  const run = async (...args: string[]): Promise<number> => {
    const { success, stdout } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--v8-flags=--expose-gc", new URL(import.meta.url).pathname, ...args],
      stderr: "inherit",
    }).output();
    const figure = success ? parseFloat(new TextDecoder().decode(stdout)) : NaN;
    // Nothing measured is not 0 measured.
    if (!(figure > 0)) throw new Error(`Cannot measure ${args}: the process printed no figure`);
    return figure;
  };
  const results = new Results("memory");
  results.figure(lineTimes(), "x the time of a 4 MB line for one of 16 MB in 1.4 KB chunks", {
    most: 4.5,
  });
  const peak = await run("--peak");
  results.figure(peak, "x its size in peak memory for a line of 16 MB", { most: 4 });
  const kept = await run("--kept");
  results.figure(
    kept / KB,
    "KB kept alive by one short event kept of each 64 KB chunk: the piece that it was cut from",
    { most: 17_000 / KB },
  );
}
