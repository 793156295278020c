/**
 * Which of numbered events a reader has had, in little memory.
 *
 * @module
 */

/** How far numbers may come out of order: more than are published at once. */
export const WINDOW = 4_096;

/** The numbers that one reader has had: those of a window that moves on. */
export class Sequence {
  /** How many were had, each counted once. */
  received = 0;
  /** How many came more than once. */
  duplicated = 0;
  readonly #had = new Uint8Array(WINDOW / 8);
  readonly #isFailed: (number: number) => boolean;
  /** The first number of the window. */
  #base: number;
  #lost = 0;

  /**
   * @param first The first number that counts.
   * @param isFailed Whether a number was never published.
   */
  constructor(first: number, isFailed: (number: number) => boolean) {
    this.#base = first;
    this.#isFailed = isFailed;
  }

  /** Takes a number; whether it is one that counts and comes for the first time. */
  take(number: number): boolean {
    while (number >= this.#base + WINDOW) this.#advance();
    if (number < this.#base || this.#has(number)) {
      this.duplicated++;
      return false;
    }
    this.#had[number % WINDOW >> 3] |= 1 << (number & 7);
    this.received++;
    return true;
  }

  /** How many up to `end`, which does not count, never came. */
  lost(end: number): number {
    let lost = this.#lost;
    for (let number = this.#base; number < end; number++) {
      // What was not within a window of it has not come either.
      if (number < this.#base + WINDOW && this.#has(number)) continue;
      if (!this.#isFailed(number)) lost++;
    }
    return lost;
  }

  #has(number: number): boolean {
    return (this.#had[number % WINDOW >> 3] & 1 << (number & 7)) !== 0;
  }

  #advance(): void {
    if (!this.#has(this.#base) && !this.#isFailed(this.#base)) this.#lost++;
    this.#had[this.#base % WINDOW >> 3] &= ~(1 << (this.#base & 7));
    this.#base++;
  }
}
