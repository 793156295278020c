/**
 * Shows how the time to parse grows with the length of one event, ours beside those of peers: what it
 * costs for each byte, which is flat for a parser whose time is linear.
 *
 * ```sh
 * deno task bench:growth
 * ```
 *
 * A number as argument scales the longest event; a small one shows that all runs.
 *
 * @module
 */

import { PARSERS, read } from "../tests/docs/compare_parsers.ts";
import { cpuTime, median } from "./measure.ts";
import { Results } from "./results.ts";

const KB = 1_024;
const SHORTEST = 64 * KB;
const LONGEST = 1_024 * KB;
/** As they come from a socket. */
const CHUNK = 1_400;
const ROUNDS = 5;
/** Rounds before any counts, until the engine has compiled. */
const WARM_UP = 3;

/** Events of the same length: of one line, and of many. */
const SHAPES: Record<string, (length: number) => string> = {
  "one line": (length) => "x".repeat(length),
  "lines of 64 characters": (length) => Array(length / KB * 16).fill("x".repeat(63)).join("\n"),
};

function chunksOf(data: string): Uint8Array<ArrayBuffer>[] {
  const lines = data.split("\n").map((line) => `data: ${line}\n`).join("");
  const bytes = new TextEncoder().encode(`${lines}\n`);
  return Array.from(
    { length: Math.ceil(bytes.length / CHUNK) },
    (_, i) => bytes.slice(i * CHUNK, (i + 1) * CHUNK),
  );
}

/** The median CPU time of each for a byte of the event, in µs; all take their turns. */
async function measure(data: string): Promise<Record<string, number>> {
  const chunks = chunksOf(data);
  const times: Record<string, number[]> = {};
  for (let round = -WARM_UP; round < ROUNDS; round++) {
    for (const peer of PARSERS) {
      // Long enough for the clock of CPU time.
      const runs = Math.max(1, Math.round(LONGEST / 2 / data.length));
      const before = cpuTime();
      for (let i = 0; i < runs; i++) {
        const events = await read(peer, chunks);
        const right = events.length === 1 && events[0].data === data;
        if (!right) throw new Error(`Cannot time ${peer.name}: its events are wrong`);
      }
      if (round >= 0) (times[peer.name] ??= []).push((cpuTime() - before) / runs / data.length);
    }
  }
  return Object.fromEntries(Object.entries(times).map(([name, all]) => [name, median(all)]));
}

const OURS = "@webstreams/sse";
const scale = Number(Deno.args[0] ?? 1);
if (!(scale > 0)) throw new RangeError(`The scale must be a number above 0: received ${scale}`);
const results = new Results("growth");
const figures: (() => void)[] = [];
for (const [shape, make] of Object.entries(SHAPES)) {
  const names = PARSERS.map(({ name }) => name);
  console.log(
    `\nCPU time for each byte of an event of ${shape}, as a multiple of ours for the shortest`,
  );
  console.log(`${"".padEnd(12)}${names.map((name) => name.padStart(20)).join("")}`);
  let unit = NaN;
  let last: Record<string, number> = {};
  for (let length = SHORTEST; length <= Math.max(SHORTEST * 2, LONGEST * scale); length *= 4) {
    const times = await measure(make(length));
    if (Number.isNaN(unit)) unit = times[OURS];
    last = Object.fromEntries(names.map((name) => [name, times[name] / unit]));
    const cells = names.map((name) => last[name].toFixed(2).padStart(20));
    console.log(`${`${length / KB} KB`.padEnd(12)}${cells.join("")}`);
    results.cells(`time per byte, ${shape}`, `${length / KB}`, last);
  }
  figures.push(() => {
    for (const [name, value] of Object.entries(last)) {
      results.figure(
        value,
        `x our time for a byte of the shortest event, for one of the longest, ${shape}, by ${name}`,
        name === OURS ? { most: 1.5 } : {},
      );
    }
  });
}
console.log("");
for (const print of figures) print();
