/**
 * Waiting: for a time, and not longer than a time.
 *
 * @module
 */

import { MAX_TIMER } from "./retry.ts";

/**
 * Calls back once. Clear it with what is returned. Timers are clamped, for they would fire at once.
 *
 * @param unref It does not keep a process alive, where the platform has that.
 */
export function startTimer(callback: () => void, ms: number, unref = false): () => void {
  const timer = setTimeout(callback, Math.min(ms, MAX_TIMER));
  // A number in browsers, an object elsewhere.
  if (unref) (timer as { unref?(): void }).unref?.();
  return () => clearTimeout(timer);
}

/**
 * Watches how long somebody waits. It costs a look at the clock for each wait and no timer: one
 * timer looks, when it goes off, how long the wait has been.
 */
export class Watch {
  readonly #limit: number;
  readonly #onLate: () => void;
  #since: number | undefined;
  #spent = 0;
  #over = false;
  #clear: (() => void) | undefined;

  /**
   * @param limit How long, in ms.
   * @param onLate Called once, when it was longer.
   */
  constructor(limit: number, onLate: () => void) {
    this.#limit = limit;
    this.#onLate = onLate;
  }

  /** The waiting begins. */
  start(): void {
    if (this.#over) return;
    this.#since = performance.now();
    this.#clear ??= startTimer(this.#look, this.#limit - this.#spent);
  }

  /** It is over for now. With `reset` the next one begins at nothing, else it goes on. */
  pause(reset: boolean): void {
    if (this.#since !== undefined && !reset) this.#spent += performance.now() - this.#since;
    this.#since = undefined;
  }

  /** It is over for good. */
  stop(): void {
    this.#over = true;
    this.#clear?.();
    this.#clear = undefined;
    this.#since = undefined;
  }

  readonly #look = (): void => {
    this.#clear = undefined;
    if (this.#since === undefined) return;
    const left = this.#limit - this.#spent - (performance.now() - this.#since);
    if (left > 0) this.#clear = startTimer(this.#look, left);
    else this.#onLate();
  };
}
