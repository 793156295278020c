/**
 * The event log of one process: it holds the newest events of each topic, and forgets them with it.
 *
 * @module
 */

import { type ServerSentEventInit, stringifyEvent } from "../encode.ts";
import { LogGapError } from "../errors.ts";
import { Endings } from "./endings.ts";
import {
  type AppendOptions,
  checkAppend,
  checkBound,
  type EventLog,
  type FollowOptions,
  formatEventId,
  gapAfter,
  type LoggedEvent,
  type ReadLogOptions,
  readRange,
  type TopicsOptions,
} from "./log.ts";
import { Topic } from "./memory_topic.ts";
import { callHook } from "./report.ts";

/**
 * The bounds of a {@linkcode MemoryEventLog}: numbers from 1 up, where `Infinity` lifts a bound. The
 * newest event of a topic is held however large it is.
 */
export interface MemoryEventLogOptions {
  /**
   * How many events of a topic are held.
   *
   * @default {1000}
   */
  maxEvents?: number;
  /**
   * How many bytes the events of a topic may take. Each UTF-16 code unit of an event as it is sent,
   * of its sender and of its idempotency key counts as two: no engine takes more for its text.
   *
   * @default {4194304}
   */
  maxBytes?: number;
  /**
   * How long an event is held, in milliseconds. There is no timer: what is older goes when somebody
   * appends to its topic or reads from it, and is not given before either.
   *
   * @default {Infinity}
   */
  maxAge?: number;
  /**
   * How many topics are held that nobody follows. Above it the one is dropped whose last event or
   * follower is the longest ago. Who asks for its events is told of a gap, also when the topic is
   * there again: its ids are of another epoch then.
   *
   * @default {10000}
   */
  maxTopics?: number;
}

/**
 * An {@linkcode EventLog} in memory: bounded by count, bytes and age, for a service of one process.
 *
 * An append calls the followers before it returns. A follower that throws is reported as an uncaught
 * error, and the others are called all the same. A reading that is cut by `close` rejects with
 * `TypeError`, for an end would say that it was all.
 *
 * @example Hold the last hundred events of each topic, for an hour
 * ```ts
 * import { MemoryEventLog } from "@webstreams/sse/server";
 * import { assertEquals } from "@std/assert";
 *
 * await using log = new MemoryEventLog({ maxEvents: 100, maxAge: 3_600_000 });
 * await log.append("news", { data: "a" });
 * const events = await Array.fromAsync(log.read("news", { after: "" }));
 * assertEquals(events.map(({ data }) => data), ["a"]);
 * ```
 */
export class MemoryEventLog implements EventLog, AsyncDisposable {
  readonly #maxEvents: number;
  readonly #maxBytes: number;
  readonly #maxAge: number;
  readonly #maxTopics: number;
  /** The topics that hold events, held some, or are followed. */
  readonly #topics = new Map<string, Topic>();
  /** Those that nobody follows, from the one on whose last use is the longest ago. */
  readonly #idle = new Set<Topic>();
  // One for all drops: a new one would walk over what was deleted from the set before. It never ends,
  // for what it has passed is dropped, and the newest topic never is.
  readonly #longestIdle = this.#idle.values();
  readonly #watchers = new Set<{ options: TopicsOptions }>();
  /** Ends each following and watching. */
  readonly #ends = new Endings();
  #random: string | undefined;
  #epochs = 0;
  #closed = false;

  /**
   * Makes an empty log.
   *
   * @param options What it holds at most.
   * @throws {RangeError} If an option is not a number from 1 up.
   */
  constructor(options: MemoryEventLogOptions = {}) {
    this.#maxEvents = checkBound("maxEvents", options.maxEvents, 1_000);
    this.#maxBytes = checkBound("maxBytes", options.maxBytes, 4_194_304);
    this.#maxAge = checkBound("maxAge", options.maxAge, Infinity);
    this.#maxTopics = checkBound("maxTopics", options.maxTopics, 10_000);
  }

  /**
   * Appends an event to a topic, and calls those that follow the topic.
   *
   * @param topic The topic, which exists from its first event on.
   * @param event The event, without `id`. It is copied.
   * @param options An idempotency key, the sender.
   * @returns The id of the event.
   * @throws {TypeError} If the event has an `id` or cannot be encoded, or the log is closed.
   * @throws {RangeError} If `retry` is not an integer from 0 to `Number.MAX_SAFE_INTEGER`.
   */
  append(topic: string, event: ServerSentEventInit, options: AppendOptions = {}): Promise<string> {
    return new Promise((resolve) => resolve(this.#append(topic, event, options)));
  }

  /**
   * Reads the events of a topic that are held, in order.
   *
   * @param topic The topic.
   * @param options From where on, until where, a signal.
   * @returns The events. Each is looked up when it is asked for.
   * @throws {LogGapError} If there is a hole between `after` and what is held.
   * @throws {TypeError} If `until` is not an id of the epoch, or the log is closed.
   */
  read(topic: string, options: ReadLogOptions): AsyncIterable<LoggedEvent> {
    return { [Symbol.asyncIterator]: () => this.#iterate(topic, options) };
  }

  /**
   * Follows a topic live, from when it is called, also one that does not exist yet.
   *
   * @param topic The topic.
   * @param options The signal that ends it, what to call.
   * @returns The id after which the events come.
   * @throws {TypeError} If the log is closed.
   */
  follow(topic: string, options: FollowOptions): Promise<string> {
    return new Promise((resolve) => resolve(this.#follow(topic, options)));
  }

  /**
   * Watches which topics there are, from when it is called.
   *
   * @param options The signal that ends it, what to call.
   * @returns The topics that hold events.
   * @throws {TypeError} If the log is closed.
   */
  topics(options: TopicsOptions): Promise<string[]> {
    return new Promise((resolve) => resolve(this.#watch(options)));
  }

  /** Forgets all events, and ends all that follow, watch and read. */
  close(): Promise<void> {
    this.#closed = true;
    this.#ends.endAll();
    this.#topics.clear();
    this.#idle.clear();
    return Promise.resolve();
  }

  /** Closes the log, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #append(name: string, event: ServerSentEventInit, options: AppendOptions): string {
    this.#assertOpen("append event");
    const { idempotencyKey: key, sender } = options;
    const text = stringifyEvent(event);
    checkAppend(event, options);
    const units = text.length + (sender?.length ?? 0) + (key?.length ?? 0);
    const topic = this.#open(name);
    this.#expire(topic);
    const known = key === undefined ? undefined : topic.idOf(key);
    if (known !== undefined) return known;
    const isNew = topic.length === 0;
    const id = formatEventId({ epoch: topic.epoch, seq: topic.head + 1 });
    const logged = copyOf(event, id, sender);
    topic.push({ event: logged, bytes: 2 * units, time: this.#now(), key });
    while (topic.length > this.#maxEvents || topic.bytes > this.#maxBytes) {
      if (topic.length === 1) break;
      topic.shift();
    }
    if (topic.followers.size === 0) this.#rest(topic);
    this.#deliver(topic, logged, isNew);
    return id;
  }

  #deliver(topic: Topic, event: LoggedEvent, isNew: boolean): void {
    // Nobody is there, as in most of many topics: a list for that would be felt (`bench:fanout`,
    // publish).
    if (topic.followers.size === 0 && !topic.delivering && !(isNew && this.#watchers.size > 0)) {
      topic.delivered++;
      return;
    }
    topic.undelivered.push(event);
    // Before the event is delivered, so that who follows the topic now is given it.
    if (isNew) {
      for (const { options } of this.#watchers) {
        if (!options.signal.aborted) callHook(() => options.onTopic(topic.name));
      }
    }
    // A follower has appended: its event comes after this one has gone to all.
    if (topic.delivering) return;
    topic.delivering = true;
    for (const next of topic.undelivered) {
      topic.delivered++;
      for (const { after, options } of topic.followers) {
        // Who began to follow just now was told that this event is before.
        if (after === topic.delivered || options.signal.aborted) continue;
        callHook(() => options.onEvent(next));
      }
    }
    topic.undelivered.length = 0;
    topic.delivering = false;
  }

  #iterate(name: string, options: ReadLogOptions): AsyncIterator<LoggedEvent, undefined> {
    const { signal } = options;
    let asked = options.after;
    let range: Range | undefined;
    let over = false;
    const step = (): IteratorResult<LoggedEvent, undefined> => {
      if (over) return { done: true, value: undefined };
      this.#assertOpen("read events");
      signal?.throwIfAborted();
      range ??= this.#range(name, options);
      const { topic } = range;
      if (range.next > range.last) {
        over = true;
        return { done: true, value: undefined };
      }
      this.#expire(topic);
      const event = topic.get(range.next);
      if (event === undefined) throw this.#gap(name, asked);
      range.next++;
      asked = event.id;
      return { done: false, value: event };
    };
    return {
      next() {
        try {
          return Promise.resolve(step());
        } catch (error) {
          over = true;
          return Promise.reject(error);
        }
      },
      return() {
        over = true;
        return Promise.resolve({ done: true, value: undefined });
      },
    };
  }

  /** What a reading is to give, as it looks when it begins. */
  #range(name: string, options: ReadLogOptions): Range {
    const topic = this.#look(name);
    return { topic, ...readRange(options, topic) };
  }

  /** What who asked for the events after `asked` is told, when the next one is not there. */
  #gap(name: string, asked: string): LogGapError {
    const topic = this.#look(name);
    const first = formatEventId({ epoch: topic.epoch, seq: topic.first });
    return new LogGapError(gapAfter(asked, topic) ?? { asked, first, reason: "trimmed" });
  }

  #follow(name: string, options: FollowOptions): string {
    this.#assertOpen("follow topic");
    options.signal.throwIfAborted();
    const topic = this.#open(name);
    this.#idle.delete(topic);
    const follower = { options, after: topic.delivered };
    topic.followers.add(follower);
    this.#ends.add(options.signal, () => {
      topic.followers.delete(follower);
      if (topic.followers.size > 0) return;
      // A topic without events has nothing that could come twice or be lost.
      if (topic.head === 0) this.#topics.delete(name);
      else this.#rest(topic);
    });
    return formatEventId({ epoch: topic.epoch, seq: follower.after });
  }

  #watch(options: TopicsOptions): string[] {
    this.#assertOpen("watch topics");
    options.signal.throwIfAborted();
    const watcher = { options };
    this.#watchers.add(watcher);
    this.#ends.add(options.signal, () => this.#watchers.delete(watcher));
    const names: string[] = [];
    for (const topic of this.#topics.values()) {
      this.#expire(topic);
      if (topic.length > 0) names.push(topic.name);
    }
    return names;
  }

  /** A topic as it is by now, to be read; one that is not there stays so. */
  #look(name: string): Topic {
    const topic = this.#topics.get(name) ?? new Topic(name, this.#epoch());
    this.#expire(topic);
    return topic;
  }

  #open(name: string): Topic {
    let topic = this.#topics.get(name);
    if (topic === undefined) {
      topic = new Topic(name, this.#epoch());
      this.#topics.set(name, topic);
    }
    return topic;
  }

  /** A topic that nobody follows was used: the one that was not for the longest may have to go. */
  #rest(topic: Topic): void {
    this.#idle.delete(topic);
    this.#idle.add(topic);
    if (this.#idle.size <= this.#maxTopics) return;
    const { value: oldest } = this.#longestIdle.next();
    if (oldest === undefined) return;
    this.#idle.delete(oldest);
    this.#topics.delete(oldest.name);
    // Readers that are in it find nothing there.
    oldest.clear();
    // A topic of the same name must not give its ids again.
    if (oldest.epoch === this.#epoch()) this.#epochs++;
  }

  /** The epoch of topics that are new: another one after each drop of a topic that had it. */
  #epoch(): string {
    // At the first use, for some platforms refuse random numbers while modules load.
    this.#random ??= Array.from(
      crypto.getRandomValues(new Uint8Array(10)),
      (byte) => (byte % 32).toString(32),
    ).join("");
    return this.#epochs === 0 ? this.#random : `${this.#random}-${this.#epochs.toString(36)}`;
  }

  /** By a clock that nobody sets, and that is not read where nothing ages. */
  #now(): number {
    return this.#maxAge === Infinity ? 0 : performance.now();
  }

  #expire(topic: Topic): void {
    const oldest = this.#now() - this.#maxAge;
    while (topic.time < oldest) topic.shift();
  }

  #assertOpen(action: string): void {
    if (this.#closed) throw new TypeError(`Cannot ${action}: the log is closed`);
  }
}

/** What a reading gives: the events of a topic from `next` to `last`. */
interface Range {
  readonly topic: Topic;
  next: number;
  readonly last: number;
}

/** An event that nobody can change. */
function copyOf(event: ServerSentEventInit, id: string, sender: string | undefined): LoggedEvent {
  const copy: ServerSentEventInit & { id: string; sender?: string } = { id };
  if (event.event !== undefined) copy.event = event.event;
  if (event.data !== undefined) copy.data = event.data;
  if (event.retry !== undefined) copy.retry = event.retry;
  if (event.comment !== undefined) copy.comment = event.comment;
  if (sender !== undefined) copy.sender = sender;
  return Object.freeze(copy);
}
