/**
 * How fast events are published: a bucket of tokens.
 *
 * @module
 */

import { sleep } from "../../log/patience.ts";

/** What a {@linkcode Pace} knows of time. */
export interface Clock {
  /** The time by now, in ms. */
  now(): number;
  /** Waits for so many ms, or until the signal is aborted. */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
}

/** For how long tokens are saved, in ms: timers are late, and what was late is made up for. */
const SAVED = 100;

const REAL: Clock = { now: () => performance.now(), sleep };

/** Gives so many tokens a second. */
export class Pace {
  readonly #rate: number;
  readonly #clock: Clock;
  #tokens = 1;
  #since: number | undefined = undefined;

  /**
   * @param rate How many a second, above 0.
   * @param clock The time.
   */
  constructor(rate: number, clock: Clock = REAL) {
    this.#rate = rate / 1_000;
    this.#clock = clock;
  }

  /** Takes a token: waits for it, unless the signal is aborted. */
  async take(signal: AbortSignal): Promise<void> {
    for (;;) {
      const now = this.#clock.now();
      const gained = (now - (this.#since ?? now)) * this.#rate;
      this.#since = now;
      this.#tokens = Math.min(this.#tokens + gained, Math.max(1, SAVED * this.#rate));
      if (this.#tokens >= 1 || signal.aborted) break;
      await this.#clock.sleep((1 - this.#tokens) / this.#rate, signal);
    }
    this.#tokens--;
  }
}
