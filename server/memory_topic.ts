/**
 * One topic of the event log in memory.
 *
 * @module
 */

import type { FollowOptions, LoggedEvent } from "./log.ts";

/** An event that is held, and what it takes to let it go. */
export interface Held {
  readonly event: LoggedEvent;
  readonly bytes: number;
  /** When it was appended. */
  readonly time: number;
  readonly key: string | undefined;
}

/** A topic: who follows it, and a ring of its events, each in the place that its number gives. */
export class Topic {
  readonly name: string;
  readonly epoch: string;
  /** How many events were appended: the number of the last one. */
  head = 0;
  /** How many of them are held. */
  length = 0;
  /** What these take. */
  bytes = 0;
  /** Each with the number of the event after which its own begin. */
  readonly followers = new Set<{ options: FollowOptions; after: number }>();
  /** The number of the last event that went to the followers, or is on its way. */
  delivered = 0;
  delivering = false;
  readonly undelivered: LoggedEvent[] = [];
  #slots: (Held | undefined)[] = [];
  /** The ids of events that were appended with a key, by their keys. */
  readonly #ids = new Map<string, string>();

  constructor(name: string, epoch: string) {
    this.name = name;
    this.epoch = epoch;
  }

  /** The number of the first event that is held; of the next one if none is. */
  get first(): number {
    return this.head - this.length + 1;
  }

  /** When the first event was appended; never, if none is held. */
  get time(): number {
    return this.#at(this.first)?.time ?? Infinity;
  }

  get(seq: number): LoggedEvent | undefined {
    return this.#at(seq)?.event;
  }

  idOf(key: string): string | undefined {
    return this.#ids.get(key);
  }

  push(held: Held): void {
    if (this.length === this.#slots.length) this.#grow();
    this.head++;
    this.length++;
    this.bytes += held.bytes;
    this.#slots[this.head % this.#slots.length] = held;
    if (held.key !== undefined) this.#ids.set(held.key, held.event.id);
  }

  /** Lets go of the first event. */
  shift(): void {
    const held = this.#at(this.first);
    if (held === undefined) return;
    this.#slots[this.first % this.#slots.length] = undefined;
    this.length--;
    this.bytes -= held.bytes;
    if (held.key !== undefined) this.#ids.delete(held.key);
  }

  clear(): void {
    while (this.length > 0) this.shift();
  }

  #at(seq: number): Held | undefined {
    return seq < this.first || seq > this.head ? undefined : this.#slots[seq % this.#slots.length];
  }

  #grow(): void {
    const slots = new Array<Held | undefined>(Math.max(4, 2 * this.length)).fill(undefined);
    for (let seq = this.first; seq <= this.head; seq++) slots[seq % slots.length] = this.#at(seq);
    this.#slots = slots;
  }
}
