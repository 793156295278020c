/**
 * Those who follow topics or watch for new ones in this process, and what each was given.
 *
 * @module
 */

import { Endings } from "../server/endings.ts";
import {
  type EventId,
  type FollowOptions,
  formatEventId,
  type LoggedEvent,
  type TopicsOptions,
} from "../server/log.ts";
import { callHook } from "../server/report.ts";
import { readRecord } from "./record.ts";
import type { KeptEvent } from "./sqlite_tables.ts";

interface Follower {
  readonly options: FollowOptions;
  /** The last event that it was given, or that was there before. */
  last: EventId;
}

interface Watcher {
  readonly options: TopicsOptions;
  /** The topics that it knows, with their epochs: one that was dropped may come again. */
  readonly known: Map<string, string>;
}

/** See the module. */
export class SqliteLive {
  readonly #followers = new Map<string, Set<Follower>>();
  readonly #watchers = new Set<Watcher>();
  /** Ends each following and watching. */
  readonly #ends: Endings;

  /** @param onIdle Called when nobody is there any more. */
  constructor(onIdle: () => void) {
    this.#ends = new Endings(onIdle);
  }

  /** Nobody is there. */
  get idle(): boolean {
    return this.#ends.idle;
  }

  /** Whether somebody follows a topic. */
  readonly isFollowed = (topic: string): boolean => this.#followers.has(topic);

  /** Gives a follower the events of a topic that come after a place. */
  follow(topic: string, after: EventId, options: FollowOptions): void {
    const follower = { options, last: after };
    let followers = this.#followers.get(topic);
    if (followers === undefined) {
      followers = new Set();
      this.#followers.set(topic, followers);
    }
    followers.add(follower);
    this.#ends.add(options.signal, () => {
      const left = this.#followers.get(topic);
      left?.delete(follower);
      if (left?.size === 0) this.#followers.delete(topic);
    });
  }

  /** Tells of topics that are not known, given those that are with their epochs. */
  watch(known: Map<string, string>, options: TopicsOptions): void {
    const watcher = { options, known };
    this.#watchers.add(watcher);
    this.#ends.add(options.signal, () => this.#watchers.delete(watcher));
  }

  /** Takes an event that was committed. All have to come, in the order of their commits. */
  deliver(event: KeptEvent): void {
    const { topic, epoch } = event;
    for (const { options, known } of this.#watchers) {
      if (known.get(topic) === epoch) continue;
      known.set(topic, epoch);
      if (!options.signal.aborted) callHook(() => options.onTopic(topic));
    }
    const followers = this.#followers.get(topic);
    if (followers === undefined) return;
    const logged = loggedOf(event);
    for (const follower of followers) {
      const { options, last } = follower;
      if (options.signal.aborted || (epoch === last.epoch && event.seq <= last.seq)) continue;
      tellGap(follower, event, logged === undefined);
      if (logged !== undefined) callHook(() => options.onEvent(logged));
    }
  }

  /** Calls nobody any more. */
  end(): void {
    this.#ends.endAll();
  }
}

/** An event to give; `undefined` if it was emptied, or is no record of an event. */
function loggedOf(event: KeptEvent): LoggedEvent | undefined {
  try {
    return readRecord(event.record, formatEventId(event));
  } catch {
    return undefined;
  }
}

/** Moves a follower to an event that has come, and tells it what is missing. */
function tellGap(follower: Follower, { epoch, seq }: KeptEvent, isGone: boolean): void {
  const { options, last } = follower;
  follower.last = { epoch, seq };
  const first = isGone ? seq + 1 : seq;
  const same = epoch === last.epoch;
  // The first event of a topic that had none, in whatever epoch it came, misses nothing.
  if (first === (same || last.seq === 0 ? last.seq + 1 : 0)) return;
  const gap = {
    asked: formatEventId(last),
    first: formatEventId({ epoch, seq: first }),
    reason: same ? "trimmed" : "epoch",
  } as const;
  callHook(() => options.onGap?.(gap));
}
