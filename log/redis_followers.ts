/**
 * Who follows topics of Redis: one subscription a topic however many do, and a look at where the
 * topics stand, from time to time and after each reconnect, for what was published and did not
 * come.
 *
 * @module
 */

import {
  type FollowOptions,
  formatEventId,
  type LoggedEvent,
  parseEventId,
} from "../server/log.ts";
import { readRecord } from "./record.ts";
import type { Channels } from "./redis_channels.ts";
import type { Place } from "./redis_places.ts";
import type { Store } from "./redis_store.ts";
import { Tail } from "./tail.ts";

/** How many topics are looked at at a time. */
const BATCH = 500;

/** A topic that is followed. */
interface Followed {
  readonly place: Place;
  readonly tails: Set<Tail>;
  readonly ready: Promise<void>;
}

/** See the module. */
export class Followers {
  readonly #store: Store;
  readonly #channels: Channels;
  readonly #topics = new Map<string, Followed>();

  /** @param channels Where the topics are published. */
  constructor(store: Store, channels: Channels) {
    this.#store = store;
    this.#channels = channels;
  }

  /** Whether somebody follows. */
  get some(): boolean {
    return this.#topics.size > 0;
  }

  /**
   * Follows a topic.
   *
   * @param onEnd Called with what ends it, before anything can fail.
   */
  async follow(
    topic: string,
    options: FollowOptions,
    onEnd: (end: () => void) => void,
  ): Promise<string> {
    const tail = new Tail((options) => this.#store.read(topic, options), options);
    const followed = this.#topics.get(topic) ?? this.#open(topic);
    followed.tails.add(tail);
    onEnd(() => this.#leave(followed, tail));
    await followed.ready;
    const head = await this.#store.head(topic);
    tail.start(head);
    return head;
  }

  /**
   * Looks where the topics stand.
   *
   * @param sure Whether messages were lost, and not only late.
   */
  async check(sure: boolean): Promise<void> {
    const topics = [...this.#topics.values()];
    for (let at = 0; at < topics.length; at += BATCH) {
      await Promise.all(
        topics.slice(at, at + BATCH).map(async ({ place, tails }) => {
          const head = await this.#store.check(place);
          for (const tail of tails) tail.check(head, sure);
        }),
      );
    }
  }

  #open(topic: string): Followed {
    const place = this.#store.places.get(topic);
    const tails = new Set<Tail>();
    const onMessage = (message: string) => {
      for (const event of eventsOf(message)) {
        place.seeId(event.id);
        for (const tail of tails) tail.offer(event);
      }
    };
    const ready = this.#channels.listen(place.channel, onMessage);
    const followed = { place, tails, ready };
    this.#topics.set(topic, followed);
    return followed;
  }

  #leave(followed: Followed, tail: Tail): void {
    const { place, tails } = followed;
    tail.end();
    if (!tails.delete(tail) || tails.size > 0) return;
    this.#topics.delete(place.topic);
    this.#channels.leave(place.channel);
  }
}

/** What a script has published: an id, and from it on a record a line; none if somebody else has. */
function* eventsOf(message: string): Generator<LoggedEvent> {
  const space = message.indexOf(" ");
  const first = parseEventId(message.slice(0, space));
  if (first === undefined) return;
  let { seq } = first;
  try {
    for (const record of message.slice(space + 1).split("\n")) {
      yield readRecord(record, formatEventId({ epoch: first.epoch, seq: seq++ }));
    }
  } catch {
    // It is none of ours.
  }
}
