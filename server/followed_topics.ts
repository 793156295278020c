/**
 * Topics that are followed, each for as long as sessions have asked for it.
 *
 * @module
 */

import { Feed } from "./feed.ts";
import type { EventLog } from "./log.ts";
import type { Session } from "./session.ts";

/** A topic, and those who have asked for it. */
interface Followed<State> {
  readonly feed: Feed;
  readonly sessions: Set<Session<State>>;
}

/** See the module. */
export class FollowedTopics<State> {
  readonly #log: EventLog;
  readonly #onFlush: () => void;
  readonly #followed = new Map<string, Followed<State>>();
  /** Those that events have come to in this turn. */
  #dirty: Feed[] = [];

  /** @param onFlush Called when the events of a turn were handed out. */
  constructor(log: EventLog, onFlush: () => void) {
    this.#log = log;
    this.#onFlush = onFlush;
  }

  /** The sessions of a topic. */
  sessions(topic: string): ReadonlySet<Session<State>> {
    return this.#followed.get(topic)?.sessions ?? new Set<Session<State>>();
  }

  /** How many sessions a topic has. */
  count(topic: string): number {
    return this.#followed.get(topic)?.sessions.size ?? 0;
  }

  /** How many sessions each topic has. */
  *counts(): Generator<[topic: string, sessions: number]> {
    for (const [topic, { sessions }] of this.#followed) yield [topic, sessions.size];
  }

  /** A session asks for a topic: what the topic is followed by. */
  join(topic: string, session: Session<State>): Feed {
    let followed = this.#followed.get(topic);
    if (followed === undefined) {
      followed = { feed: new Feed(this.#log, topic, this.#schedule), sessions: new Set() };
      this.#followed.set(topic, followed);
    }
    followed.sessions.add(session);
    return followed.feed;
  }

  /** A session asks for a topic no longer. */
  leave(topic: string, session: Session<State>): void {
    const followed = this.#followed.get(topic);
    if (!followed?.sessions.delete(session) || followed.sessions.size > 0) return;
    this.#followed.delete(topic);
    followed.feed.close();
  }

  readonly #schedule = (feed: Feed): void => {
    if (this.#dirty.push(feed) === 1) queueMicrotask(this.#flush);
  };

  readonly #flush = (): void => {
    const dirty = this.#dirty;
    this.#dirty = [];
    const now = performance.now();
    for (const feed of dirty) feed.flush(now);
    this.#onFlush();
  };
}
