/**
 * How the benches time: process CPU time, since machines are shared; all that is compared runs
 * interleaved in one process; the median counts, and what is told is a ratio of medians.
 *
 * @module
 */

import process from "node:process";

/** What is compared, by name. Each does the same work on the same input. */
export type Contestants = Record<string, () => unknown>;

/** CPU time of this process in µs, its garbage collector and compiler included. */
export function cpuTime(): number {
  const { user, system } = process.cpuUsage();
  return user + system;
}

/** A sample runs its contestant this long at least, in µs. */
const SAMPLE_TIME = 4_000;

/**
 * Times all contestants, in turns.
 *
 * @param contestants What to run. One may be async.
 * @param samples How many samples of each.
 * @returns The median CPU time of one run of each, in µs.
 */
export async function measure<const C extends Contestants>(
  contestants: C,
  samples = 15,
): Promise<Record<keyof C, number>> {
  const names = Object.keys(contestants) as (keyof C)[];
  const runs = {} as Record<keyof C, number>;
  const times = {} as Record<keyof C, number[]>;
  for (const name of names) {
    // Warm up until a run is short for the last time, to know how many make a sample.
    let once = Infinity;
    const start = cpuTime();
    for (let i = 0; i < 3 || (cpuTime() - start < 30 * SAMPLE_TIME && i < 2_000); i++) {
      const before = cpuTime();
      await contestants[name]();
      once = Math.min(once, cpuTime() - before);
    }
    runs[name] = Math.max(1, Math.round(SAMPLE_TIME / Math.max(once, 1)));
    times[name] = [];
  }
  for (let sample = 0; sample < samples; sample++) {
    // Not always after the same one: what one leaves behind, another would pay for.
    const turn = sample % names.length;
    for (const name of [...names.slice(turn), ...names.slice(0, turn)]) {
      await new Promise((resolve) => setTimeout(resolve));
      const before = cpuTime();
      for (let i = 0; i < runs[name]; i++) await contestants[name]();
      times[name].push((cpuTime() - before) / runs[name]);
    }
  }
  return Object.fromEntries(names.map((name) => [name, median(times[name])])) as Record<
    keyof C,
    number
  >;
}

/** The middle value. */
export function median(values: number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1];
}

/** The mean of ratios. */
export function geometricMean(values: number[]): number {
  return Math.exp(values.reduce((sum, value) => sum + Math.log(value), 0) / values.length);
}
