/**
 * An event log on Redis: readers resume on any machine, and each event goes to those of all
 * machines.
 *
 * @module
 */

import type { ServerSentEventInit } from "../encode.ts";
import { Endings } from "../server/endings.ts";
import {
  type AppendOptions,
  checkAppend,
  checkBound,
  type EventLog,
  type FollowOptions,
  type LoggedEvent,
  type ReadLogOptions,
  type TopicsOptions,
} from "../server/log.ts";
import { Channels } from "./redis_channels.ts";
import { linkOf } from "./redis_client.ts";
import { Commands } from "./redis_commands.ts";
import { Followers } from "./redis_followers.ts";
import type { Place } from "./redis_places.ts";
import type { IORedisClient, RedisClient, RedisClusterClient } from "./redis_shapes.ts";
import { Store } from "./redis_store.ts";
import { Topics } from "./redis_topics.ts";

export type {
  IORedisClient,
  IORedisSubscriberClient,
  RedisClient,
  RedisClusterClient,
  RedisSubscriberClient,
} from "./redis_shapes.ts";

/** The bounds of a {@linkcode RedisEventLog}, and how it uses the server. */
export interface RedisEventLogOptions {
  /**
   * What the names of all keys and channels begin with: logs with another one know nothing of each
   * other. It must not contain braces.
   *
   * @default {"sse"}
   */
  prefix?: string;
  /**
   * How many events of a topic are held, from 1 up; `Infinity` lifts the bound. It may be up to
   * about a hundred more, for Redis removes them by blocks.
   *
   * @default {1000}
   */
  maxEvents?: number;
  /**
   * How long an event is held, in milliseconds, from 1 up, by the clock of the server. What is
   * older is not given, and is removed when somebody reads or appends, or soon after.
   *
   * @default {Infinity}
   */
  maxAge?: number;
  /**
   * How long a topic is held that nobody appends to or follows, in milliseconds, from 1 up;
   * `Infinity` for ever. A topic that comes back after that begins anew, with another epoch. Where
   * nobody has appended yet, it is an hour at most.
   *
   * @default {604800000}
   */
  topicExpiry?: number;
  /**
   * How long an answer of the server may take, in milliseconds, from 1 up.
   *
   * @default {5000}
   */
  timeout?: number;
  /**
   * How often it is looked whether something was published that did not come, in milliseconds, from
   * 1 up. It is also done after each reconnect.
   *
   * @default {5000}
   */
  checkInterval?: number;
  /**
   * Publishes by shard, as Redis 7 can: in a cluster a message goes to the nodes of its shard only.
   * All that use the log must agree. The `Cluster` of `ioredis` must know `shardedSubscribers`.
   *
   * @default {false}
   */
  sharded?: boolean;
}

const DAY = 86_400_000;

/** No timer waits longer, in ms. */
const MAX_TIMER = 2_147_483_647;

/** What is above it Redis takes for no number, or for none of its times: it is no bound. */
const MAX_BOUND = 1e14;

/**
 * An {@linkcode EventLog} on Redis, from version 6.2 on, or what speaks as it does: for a service
 * of many processes on many machines.
 *
 * It takes the client that you have, of `redis` (or `@redis/client`) or `ioredis`, also that of a
 * cluster, and never closes it. A process that only publishes uses nothing else; a second
 * connection is made with `duplicate()` when somebody follows.
 *
 * A topic is a hash, a stream and, with idempotency keys, a sorted set, all in the slot of
 * `{prefix}:{topic}`, which is also the channel. A script appends and publishes at once. One more
 * sorted set has the names of the topics. All of them expire.
 *
 * An engine that is out of reach, or too slow, is told of with `LogUnavailableError`. Whoever
 * follows is kept meanwhile, and gets what it missed, or is told of a gap. What an append is
 * rejected for without a connection is not sent later. If the engine has lost its last events (a
 * failover, a snapshot that is old), that is found by the processes that saw them: the topic begins
 * anew, with another epoch. A process that has not cannot know. Have Redis write its file
 * (`appendonly`) and wait for replicas (`min-replicas-to-write`), to lose less.
 *
 * There is no bound in bytes, for it would have to look at the size of each event that goes: use
 * `maxmemory` of Redis with the policy `noeviction`, so that it refuses what is too much.
 *
 * @example Let all processes of a service serve the same topics
 * ```ts
 * import { createClient } from "redis";
 * import { RedisEventLog } from "@webstreams/sse/log/redis";
 * import { Hub } from "@webstreams/sse/server";
 *
 * const client = createClient({ url: "redis://127.0.0.1:6379" });
 * client.on("error", console.error); // Then: await client.connect();
 * await using log = new RedisEventLog(client, { maxEvents: 100 });
 * await using hub = new Hub({ log });
 * ```
 */
export class RedisEventLog implements EventLog, AsyncDisposable {
  readonly #commands: Commands;
  readonly #channels: Channels;
  readonly #store: Store;
  readonly #followers: Followers;
  readonly #topics: Topics;
  readonly #checkInterval: number;
  /** Ends each following and watching. */
  readonly #ends = new Endings();
  #timer: ReturnType<typeof setTimeout> | undefined = undefined;
  #checking = false;
  /** Messages were lost. */
  #missed = false;
  #closed = false;

  /**
   * Makes a log. Nothing is sent yet.
   *
   * @param client The client: of a server or of a cluster, of `redis` or of `ioredis`. One of
   * `redis` is to be connected, and to have a listener of `error`.
   * @param options What it holds at most, and how long it waits.
   * @throws {TypeError} If the client is none that is known, or `prefix` contains a brace.
   * @throws {RangeError} If a bound is not a number from 1 up.
   */
  constructor(
    client: RedisClient | RedisClusterClient | IORedisClient,
    options: RedisEventLogOptions = {},
  ) {
    const { prefix = "sse", sharded = false } = options;
    const timeout = Math.min(checkBound("timeout", options.timeout, 5_000), MAX_TIMER);
    const link = linkOf(client, sharded);
    const scripts = {
      maxEvents: Math.floor(sane(checkBound("maxEvents", options.maxEvents, 1_000))),
      maxAge: sane(checkBound("maxAge", options.maxAge, Infinity)),
      topicExpiry: sane(checkBound("topicExpiry", options.topicExpiry, 7 * DAY)),
      sharded,
      keyPrefix: link.keyPrefix,
      repeats: link.repeats,
    };
    if (/[{}]/.test(prefix)) {
      throw new TypeError(
        `Cannot make event log: "prefix" must not contain braces: received ${
          JSON.stringify(prefix)
        }`,
      );
    }
    this.#checkInterval = Math.min(
      checkBound("checkInterval", options.checkInterval, 5_000),
      MAX_TIMER,
    );
    this.#commands = new Commands(link, timeout);
    this.#channels = new Channels(link, timeout, () => this.#onMissed());
    this.#store = new Store(this.#commands, prefix, scripts);
    this.#followers = new Followers(this.#store, this.#channels);
    this.#topics = new Topics(this.#commands, this.#channels, prefix, scripts);
  }

  /**
   * Appends an event to a topic, and publishes it to all processes that follow the topic.
   *
   * @param topic The topic, which exists from its first event on.
   * @param event The event, without `id`.
   * @param options An idempotency key, the sender.
   * @returns The id of the event.
   * @throws {TypeError} If the event has an `id`, or the log is closed.
   * @throws {LogUnavailableError} If Redis gives no answer in time, or refuses: the event may have
   * been appended all the same, and with an idempotency key it is safe to try again.
   */
  async append(
    topic: string,
    event: ServerSentEventInit,
    options: AppendOptions = {},
  ): Promise<string> {
    this.#assertOpen("append event");
    checkAppend(event, options);
    const place = this.#store.places.get(topic);
    // Before it and together: whoever watches is told of the topic first, and nobody waits for it.
    const now = performance.now();
    const due = this.#topics.isDue(place, now) ? this.#register(place) : undefined;
    const id = await this.#store.append(place, event, options, now);
    if (due !== undefined) await due;
    // The engine had lost the topic, and so the list of all.
    else if (id.endsWith(".1")) await this.#register(place);
    return id;
  }

  /**
   * Reads the events of a topic that are held, by pages.
   *
   * @param topic The topic.
   * @param options From where on, until where, a signal.
   * @returns The events. Leaving the loop ends the reading.
   * @throws {LogGapError} If there is a hole between `after` and what is held.
   * @throws {LogUnavailableError} If Redis gives no answer in time, or refuses.
   * @throws {TypeError} If `until` is no id of the epoch of now, or the log is closed.
   */
  read(topic: string, options: ReadLogOptions): AsyncIterable<LoggedEvent> {
    return { [Symbol.asyncIterator]: () => this.#read(topic, options) };
  }

  /**
   * Follows a topic live, also one that does not exist yet.
   *
   * @param topic The topic.
   * @param options The signal that ends it, what to call.
   * @returns The id after which the events come.
   * @throws {LogUnavailableError} If Redis gives no answer in time, or refuses. When it has
   * resolved, no outage ends it.
   * @throws {TypeError} If the log is closed.
   */
  async follow(topic: string, options: FollowOptions): Promise<string> {
    this.#assertOpen("follow topic");
    const { signal } = options;
    signal.throwIfAborted();
    let end = () => {};
    try {
      const followed = this.#followers.follow(topic, options, (free) => {
        end = this.#ends.add(signal, free);
      });
      this.#schedule();
      return await followed;
    } catch (error) {
      end();
      this.#assertOpen("follow topic");
      throw error;
    }
  }

  /**
   * Watches which topics there are.
   *
   * @param options The signal that ends it, what to call.
   * @returns The topics that were appended to within `topicExpiry`, or a little longer ago.
   * @throws {LogUnavailableError} If Redis gives no answer in time, or refuses.
   * @throws {TypeError} If the log is closed.
   */
  async topics(options: TopicsOptions): Promise<string[]> {
    this.#assertOpen("watch topics");
    const { signal } = options;
    signal.throwIfAborted();
    const end = this.#ends.add(signal, () => this.#topics.unwatch(options));
    try {
      const watched = this.#topics.watch(options);
      this.#schedule();
      return await watched;
    } catch (error) {
      end();
      this.#assertOpen("watch topics");
      throw error;
    }
  }

  /**
   * Ends all that reads, follows and watches, and closes the second connection. What is not
   * answered is rejected with `TypeError`; an append that was sent may be appended.
   *
   * @returns When it is done.
   */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#ends.endAll();
    await Promise.all([this.#commands.close(), this.#channels.close()]);
  }

  /**
   * Calls `close`, for `await using`.
   *
   * @returns When it is done.
   */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async *#read(topic: string, options: ReadLogOptions): AsyncGenerator<LoggedEvent, void> {
    this.#assertOpen("read events");
    for await (const event of this.#store.read(topic, options)) {
      yield event;
      this.#assertOpen("read events");
    }
  }

  /** The event is there, also where this fails: the next append tries it again. */
  async #register(place: Place): Promise<void> {
    try {
      await this.#topics.register(place);
    } catch {
      // See above.
    }
  }

  #onMissed(): void {
    this.#missed = true;
    if (!this.#checking && !this.#closed) this.#check();
  }

  #schedule(): void {
    if (this.#closed || this.#checking || this.#timer !== undefined) return;
    if (!this.#followers.some && !this.#topics.watched) return;
    this.#timer = setTimeout(() => this.#check(), this.#checkInterval);
  }

  /** Looks what did not come. */
  async #check(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#checking = true;
    const missed = this.#missed;
    this.#missed = false;
    try {
      this.#channels.revive();
      await this.#followers.check(missed);
      await this.#topics.check();
    } catch {
      // The engine is away. It is looked again, and is as sure then.
      this.#missed ||= missed;
    }
    this.#checking = false;
    this.#schedule();
  }

  #assertOpen(action: string): void {
    if (this.#closed) throw new TypeError(`Cannot ${action}: the log is closed`);
  }
}

function sane(bound: number): number {
  return bound > MAX_BOUND ? Infinity : bound;
}
