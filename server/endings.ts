/**
 * What runs until its signal is aborted, or until all is closed: whichever is first frees it, and
 * nothing of it is held from then on.
 *
 * @module
 */

/** See the module. */
export class Endings {
  readonly #ends = new Set<() => void>();
  readonly #onIdle: () => void;

  /** @param onIdle Called when the last one has ended. */
  constructor(onIdle: () => void = () => {}) {
    this.#onIdle = onIdle;
  }

  /** Nothing runs. */
  get idle(): boolean {
    return this.#ends.size === 0;
  }

  /** Calls `free` once, when the signal or `endAll` says so; returns what does so, too. */
  add(signal: AbortSignal, free: () => void): () => void {
    const end = () => {
      if (!this.#ends.delete(end)) return;
      signal.removeEventListener("abort", end);
      free();
      if (this.idle) this.#onIdle();
    };
    signal.addEventListener("abort", end);
    this.#ends.add(end);
    return end;
  }

  /** Ends all. */
  endAll(): void {
    for (const end of this.#ends) end();
  }
}
