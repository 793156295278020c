/**
 * What the server of the client tests remembers, by the key of a test.
 *
 * @module
 */

/** Who has come how often, and who has left. */
export class Memory {
  /** How often something was counted. */
  readonly counts: Map<string, number> = new Map();
  readonly #held = new Map<string, () => void>();
  readonly #left = new Map<string, PromiseWithResolvers<boolean>>();

  /** Counts, from 1 up. */
  count(key: string): number {
    const count = (this.counts.get(key) ?? 0) + 1;
    this.counts.set(key, count);
    return count;
  }

  /** A response is held open until its reader leaves, or all ends. */
  hold(key: string, end: () => void): void {
    this.#held.set(key, end);
  }

  /** Its reader has left. */
  leave(key: string): void {
    this.#held.delete(key);
    this.#departure(key).resolve(true);
  }

  /** Whether its reader leaves within so many ms. */
  async left(key: string, ms: number): Promise<boolean> {
    const timer = setTimeout(() => this.#departure(key).resolve(false), ms);
    try {
      return await this.#departure(key).promise;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Ends what is held. */
  end(): void {
    for (const end of this.#held.values()) end();
    this.#held.clear();
  }

  #departure(key: string): PromiseWithResolvers<boolean> {
    const departure = this.#left.get(key) ?? Promise.withResolvers<boolean>();
    this.#left.set(key, departure);
    return departure;
  }
}
