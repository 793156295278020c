/**
 * What `sse check` measures and waits with; a test brings its own.
 *
 * @module
 */

/** A clock. */
export interface Clock {
  /** The time, in ms of any origin. */
  now(): number;
  /** Calls back after so many ms, unless the returned function is called before. */
  after(ms: number, callback: () => void): () => void;
}

/** Timers of more ms fire at once. */
const MAX_TIMER = 2_147_483_647;

/** The clock of this machine. */
export const CLOCK: Clock = {
  now: () => performance.now(),
  after(ms, callback) {
    const timer = setTimeout(callback, Math.min(ms, MAX_TIMER));
    return () => clearTimeout(timer);
  },
};
