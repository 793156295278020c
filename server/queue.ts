/**
 * What waits for one reader: bounded in bytes, with a policy for what is beyond.
 *
 * @module
 */

import type { EncodedBytes } from "../encode.ts";

/**
 * What to do with a reader for which more than `maxQueueBytes` would wait:
 *
 * - `"disconnect"` ends its session. A client that resumes loses nothing.
 * - `"drop-oldest"` drops the events that have waited longest. It loses them.
 * - `"latest-by-key"` drops the events that a later one with the same `key` has replaced, in the order
 *   in which they were. For states, where only the last one counts.
 *
 * The last two drop live events only, and end the session if that is not enough.
 */
export type SlowConsumerPolicy = "disconnect" | "drop-oldest" | "latest-by-key";

/** Bytes that wait: one or more whole events. */
export interface QueueItem {
  /** What is sent. Shared by all readers, and never written to. */
  readonly bytes: EncodedBytes;
  /** For `"latest-by-key"`: what it says something about. Default: nothing that another one does. */
  readonly key?: string;
  /**
   * No policy drops it, and it may pass the limit: whoever gives it waits for room before the next one.
   * Default: it may be dropped.
   */
  readonly kept?: boolean;
}

/** A queue for one reader. */
export class SessionQueue {
  readonly #limit: number;
  readonly #policy: SlowConsumerPolicy;
  // In the order in which they came; any of them can be taken out at once.
  readonly #items = new Set<QueueItem>();
  #latest: Map<string, QueueItem> | undefined;
  /** Replaced by a later one of the same key, in the order in which they were. */
  #replaced: Set<QueueItem> | undefined;
  #bytes = 0;

  /**
   * @param limit How many bytes may wait. One item alone may be larger, and a kept one may pass it.
   * @param policy What to do beyond.
   */
  constructor(limit: number, policy: SlowConsumerPolicy) {
    this.#limit = limit;
    this.#policy = policy;
  }

  /** How many bytes wait. */
  get bytes(): number {
    return this.#bytes;
  }

  /** How many items wait. */
  get size(): number {
    return this.#items.size;
  }

  /**
   * Appends an item, and drops as many as the policy has to.
   *
   * @returns How many were dropped; `undefined` if that is not enough.
   */
  push(item: QueueItem): number | undefined {
    this.#items.add(item);
    this.#bytes += item.bytes.length;
    if (item.key !== undefined && this.#policy === "latest-by-key") {
      this.#latest ??= new Map();
      const before = this.#latest.get(item.key);
      if (before !== undefined) (this.#replaced ??= new Set()).add(before);
      this.#latest.set(item.key, item);
    }
    let dropped = 0;
    while (this.#bytes > this.#limit && this.#items.size > 1) {
      const victim = this.#victim(item);
      if (victim === undefined) {
        const before = this.#bytes - item.bytes.length;
        return item.kept && before <= this.#limit ? dropped : undefined;
      }
      this.#remove(victim);
      dropped++;
    }
    return dropped;
  }

  /**
   * Takes items from the front, as one chunk.
   *
   * @param most How many bytes at most, but one item at least.
   * @returns The bytes; of one item alone its own. `undefined` if nothing waits.
   */
  take(most: number): EncodedBytes | undefined {
    const taken: EncodedBytes[] = [];
    let length = 0;
    for (const item of this.#items) {
      if (taken.length > 0 && length + item.bytes.length > most) break;
      taken.push(item.bytes);
      length += item.bytes.length;
      this.#remove(item);
    }
    return taken.length < 2 ? taken[0] : concat(taken);
  }

  /** The one to drop next, never `last`. */
  #victim(last: QueueItem): QueueItem | undefined {
    if (this.#policy === "disconnect") return undefined;
    for (const item of this.#policy === "drop-oldest" ? this.#items : this.#replaced ?? []) {
      if (item !== last && !item.kept) return item;
    }
  }

  #remove(item: QueueItem): void {
    this.#items.delete(item);
    this.#replaced?.delete(item);
    this.#bytes -= item.bytes.length;
    if (item.key !== undefined && this.#latest?.get(item.key) === item) {
      this.#latest.delete(item.key);
    }
  }
}

/** Chunks one behind the other. */
export function concat(chunks: readonly EncodedBytes[]): EncodedBytes {
  const all = new Uint8Array(chunks.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const chunk of chunks) {
    all.set(chunk, at);
    at += chunk.length;
  }
  return all;
}
