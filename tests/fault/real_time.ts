/**
 * Real time for tests that install a fake clock.
 *
 * The functions are taken when this module loads, so a clock that is installed later cannot stop
 * them. A wait here is a bound on a failure, never a pause that a test needs.
 *
 * @module
 */

import process from "node:process";

const start = globalThis.setTimeout.bind(globalThis);
const stop = globalThis.clearTimeout.bind(globalThis);
const { nextTick } = process;

/** Milliseconds of the real clock, as `performance.now()` gives them. */
export const now: () => number = globalThis.performance.now.bind(globalThis.performance);

/** Resolves after so many real milliseconds. */
export function delay(ms: number): Promise<void> {
  return new Promise((resolve) => void start(resolve, ms));
}

/**
 * Waits for a fact, but not forever.
 *
 * @param fact What is waited for.
 * @param ms The bound, in real milliseconds.
 * @param sentence What to say when the bound is reached, asked only then.
 * @throws {Error} If the bound is reached first.
 */
export async function within<T>(fact: Promise<T>, ms: number, sentence: () => string): Promise<T> {
  let timer: ReturnType<typeof start> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = start(() => reject(new Error(sentence())), ms);
  });
  try {
    return await Promise.race([fact, late]);
  } finally {
    stop(timer);
  }
}

/**
 * Refuses a clock under which the sockets of `node:net` stand still: their callbacks run in
 * `process.nextTick`, looked up at each call. No other fake of `@sinonjs/fake-timers` touches them.
 *
 * @throws {TypeError} If `process.nextTick` is faked.
 */
export function assertSocketsRun(): void {
  if (process.nextTick !== nextTick) {
    throw new TypeError(
      'Cannot use sockets: process.nextTick is faked: install the clock with toNotFake: ["nextTick"]',
    );
  }
}
