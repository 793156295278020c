/**
 * Where a stream goes on after a reconnect: the last event ID on the wire, and what comes twice.
 *
 * @module
 */

import type { ServerSentEvent } from "../parse/events.ts";

/**
 * What no header can carry as it is: C0 controls and DEL are refused or cut the header, white space
 * at an edge is stripped, which would ask for another id (T22). A lone surrogate is no UTF-8.
 */
// deno-lint-ignore no-control-regex
const UNSENDABLE = /^[\t ]|[\t ]$|[\x00-\x08\x0a-\x1f\x7f]/;

/** The value of `Last-Event-ID`, one character a byte of UTF-8; `undefined` if it cannot be sent. */
export function lastEventIdHeader(id: string): string | undefined {
  if (UNSENDABLE.test(id) || !id.isWellFormed()) return undefined;
  if (headersTakeText()) return id;
  return Array.from(new TextEncoder().encode(id), (byte) => String.fromCharCode(byte)).join("");
}

let takeText: boolean | undefined;

/** Whether `Headers` take any text and send it as UTF-8 by themselves, as those of workerd do. */
function headersTakeText(): boolean {
  try {
    return takeText ??= new Headers([["probe", "\u0100"]]) !== undefined;
  } catch {
    return takeText = false;
  }
}

/** How many of the last events are remembered. */
const REMEMBERED = 1_024;

/**
 * Knows the ids of the events that were taken last, to drop them when a server sends them again.
 *
 * Only ids are compared, never data, and only until the first id that is new: servers replay from
 * an id, or from some point before it. Several events may share an id, for it sticks (T15), so they
 * are counted: as many are dropped as were taken.
 */
export class ReplayFilter {
  readonly #taken: string[] = [];
  #next = 0;
  #active = false;
  // How many events of each id are still to be dropped: made with the first event of a connection,
  // for what was in hand when it began is taken by then.
  #left: Map<string, number> | undefined;

  /** Remembers the first `count` of `events` as taken. */
  take(events: readonly ServerSentEvent[], count: number): void {
    for (let i = Math.max(0, count - REMEMBERED); i < count; i++) {
      this.#taken[this.#next] = events[i].id;
      this.#next = (this.#next + 1) % REMEMBERED;
    }
  }

  /** A new connection: what it sends first may have been taken before. */
  start(): void {
    this.#active = true;
    this.#left = undefined;
  }

  /** A replay may go on. */
  get active(): boolean {
    return this.#active;
  }

  /**
   * Whether this event was taken before.
   *
   * @param named Whether this connection has named an id yet. Until then an event has the id that
   * was asked for, which says nothing about it: it is kept.
   */
  repeats({ id }: ServerSentEvent, named: boolean): boolean {
    if (!this.#active || !named || id === "") return false;
    this.#left ??= this.#count();
    const left = this.#left.get(id);
    if (left === undefined) {
      this.#active = false;
      return false;
    }
    this.#left.set(id, left - 1);
    return left > 0;
  }

  /** Whether an id without an event may be one of a replay. */
  repeatsId(id: string): boolean {
    return this.#active && this.#taken.includes(id);
  }

  #count(): Map<string, number> {
    const counts = new Map<string, number>();
    for (const id of this.#taken) counts.set(id, (counts.get(id) ?? 0) + 1);
    return counts;
  }
}
