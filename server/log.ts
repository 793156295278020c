/**
 * What an event log owes: the contract between a channel and whatever keeps its events.
 *
 * @module
 */

import type { ServerSentEventInit } from "../encode.ts";
import { show } from "../encode/show.ts";
import { type LogGap, LogGapError, type LogGapReason } from "../errors.ts";

/** An event as a log keeps it, with the id that the log has given it. It is never changed. */
export interface LoggedEvent extends Readonly<ServerSentEventInit> {
  /** The id, `epoch.seq` (see {@linkcode EventLog}). */
  readonly id: string;
  /** Who must not get it live: the {@linkcode AppendOptions.sender} it was appended with. */
  readonly sender?: string;
}

/** What {@linkcode EventLog.append} can be told. */
export interface AppendOptions {
  /**
   * A second append to the same topic with the same key appends nothing and gives the id of the
   * first, as long as the log holds that event: a publisher that saw no answer may ask again.
   * Default: none.
   */
  idempotencyKey?: string;
  /** Kept with the event, for followers to tell who published it. Default: none. */
  sender?: string;
}

/** What {@linkcode EventLog.read} is asked for. */
export interface ReadLogOptions {
  /** The id after which to begin; `""` for the very first event of the topic. */
  after: string;
  /** The id of the last event to give. Default: the last there is when the reading begins. */
  until?: string;
  /** Ends the reading: it rejects with `signal.reason`. Default: none. */
  signal?: AbortSignal;
}

/** What {@linkcode EventLog.follow} is told. */
export interface FollowOptions {
  /** Ends the following: nothing is called from then on, and what it held is freed. */
  signal: AbortSignal;
  /**
   * Called with each event, in order, each once. What it throws is a fault of the caller.
   *
   * @param event The event, which is not to be changed.
   */
  onEvent(event: LoggedEvent): void;
  /**
   * Called where events are gone that were not given to `onEvent`, for retention has removed them
   * while the engine was out of reach. `onEvent` goes on with the event `first`. A log in the same
   * process never calls it. Default: nobody is told.
   *
   * @param gap What is gone: `asked` is the id of the last event that `onEvent` was given.
   */
  onGap?(gap: LogGap): void;
}

/** What {@linkcode EventLog.topics} is told. */
export interface TopicsOptions {
  /** Ends the watching. */
  signal: AbortSignal;
  /**
   * Called with the name of each topic that is new, before or with its first event.
   *
   * @param topic The name.
   */
  onTopic(topic: string): void;
}

/**
 * Keeps the events of topics, for readers to resume from, and carries them to all that follow.
 *
 * Whoever implements it owes this, and `eventLogContract` of `@webstreams/sse/testing` tests it:
 *
 * - **The log gives the ids.** An id is `epoch.seq`. `seq` counts the events of a topic from 1 up,
 *   without a hole, in the order in which they were appended. `epoch` is 1 to 32 letters, digits, `-`
 *   and `_`; it changes whenever the log may have lost its memory, so that no id is given twice. An
 *   id where `seq` is 0 stands before the first event.
 *   A topic is any text of 1 to 256 UTF-16 code units without control characters.
 * - **An append is atomic.** When it has resolved, the event can be read and goes to all that follow,
 *   on every machine. When it has rejected, nobody ever sees the event; if that cannot be told, it
 *   rejects too, and `idempotencyKey` makes it safe to try again. All see the events of a topic in
 *   the same order.
 * - **Reading tells of a gap.** If the event after `after` is no longer held, or `after` is of another
 *   epoch, or was never given, `read` rejects with `LogGapError` at its first event, and never leaves
 *   a hole. It waits for its consumer: it reads no more than a bounded number of events ahead. Where
 *   nothing is asked for, `until` being at or before `after`, there is no gap; an `until` that is no id
 *   of the epoch of now is a caller's mistake.
 * - **Following and reading join.** What `follow` resolves with is an id of the epoch of now: each
 *   event after it goes to `onEvent`, none up to it does, and what `onEvent` was given can be read.
 * - **Retention is bounded**, in events, bytes and time, by the log's own options.
 * - **`close` frees all**: timers, sockets and subscriptions that the log has opened itself, but not a
 *   client that it was handed. Calls after it reject with `TypeError`, and so does a reading that it
 *   cuts, for an end would say that it was all; a second close does nothing.
 *
 * An event is kept as it is sent: line breaks of its data may become LF. A channel has checked that it
 * can be encoded. `onEvent` and the like are called as functions, without `this`.
 *
 * @example A log is read from where a reader was
 * ```ts
 * import { MemoryEventLog } from "@webstreams/sse/server";
 * import { assertEquals } from "@std/assert";
 *
 * await using log = new MemoryEventLog();
 * const first = await log.append("news", { data: "a" });
 * await log.append("news", { data: "b" });
 * const missed = await Array.fromAsync(log.read("news", { after: first }));
 * assertEquals(missed.map(({ data }) => data), ["b"]);
 * ```
 */
export interface EventLog {
  /**
   * Appends an event to a topic, and carries it to all that follow the topic.
   *
   * @param topic The topic, which exists from its first event on.
   * @param event The event, without `id`.
   * @param options An idempotency key, the sender.
   * @returns The id of the event.
   * @throws {TypeError} If the event has an `id`, or the log is closed.
   */
  append(topic: string, event: ServerSentEventInit, options?: AppendOptions): Promise<string>;
  /**
   * Reads the events of a topic that are held, in order.
   *
   * @param topic The topic.
   * @param options From where on, until where, a signal.
   * @returns The events, read as they are asked for. Leaving the loop ends the reading.
   * @throws {LogGapError} If there is a hole between `after` and what is held.
   */
  read(topic: string, options: ReadLogOptions): AsyncIterable<LoggedEvent>;
  /**
   * Follows a topic live, also one that does not exist yet.
   *
   * @param topic The topic.
   * @param options The signal that ends it, what to call.
   * @returns The id after which the events come.
   */
  follow(topic: string, options: FollowOptions): Promise<string>;
  /**
   * Watches which topics there are: what patterns need. Without it a hub knows of the topics that its
   * own process has published to or subscribed.
   *
   * @param options The signal that ends it, what to call.
   * @returns The topics that hold events.
   */
  topics?(options: TopicsOptions): Promise<string[]>;
  /** Frees what the log has opened. */
  close(): Promise<void>;
}

/** A place in a topic: an id, taken apart. */
export interface EventId {
  /** Changes when the log may have lost its memory. */
  epoch: string;
  /** The number of the event in its topic, from 1 up; 0 is before the first. */
  seq: number;
}

const EVENT_ID = /^([\w-]{1,32})\.(0|[1-9]\d{0,15})$/;

/** Takes an id apart; `undefined` if no log can have given it. */
export function parseEventId(id: string): EventId | undefined {
  const match = EVENT_ID.exec(id);
  if (match === null) return undefined;
  const seq = Number(match[2]);
  return Number.isSafeInteger(seq) ? { epoch: match[1], seq } : undefined;
}

/** Puts an id together. */
export function formatEventId({ epoch, seq }: EventId): string {
  return `${epoch}.${seq}`;
}

/** Where a topic stands. */
export interface TopicPlace {
  /** The epoch of now. */
  readonly epoch: string;
  /** The number of the first event that is held; of the next one if none is. */
  readonly first: number;
  /** The number of the last event that was given, 0 if none was. */
  readonly head: number;
}

/** What is missing after an id; `undefined` if every event after it is held. */
export function gapAfter(asked: string, { epoch, first, head }: TopicPlace): LogGap | undefined {
  const reason = reasonOf(asked === "" ? { epoch, seq: 0 } : parseEventId(asked));
  return reason && { asked, first: formatEventId({ epoch, seq: first }), reason };

  function reasonOf(from: EventId | undefined): LogGapReason | undefined {
    if (from === undefined) return "unknown";
    if (from.epoch !== epoch) return "epoch";
    if (from.seq > head) return "unknown";
    return from.seq + 1 < first ? "trimmed" : undefined;
  }
}

/**
 * The numbers of the events that a reading is to give, as its topic stands when it begins: none if
 * `last` is before `next`.
 *
 * @throws {LogGapError} If the first of them is not held.
 * @throws {TypeError} If `until` is no id of the epoch.
 */
export function readRange(
  { after, until }: ReadLogOptions,
  place: TopicPlace,
): { next: number; last: number } {
  const { epoch, head } = place;
  const gap = gapAfter(after, place);
  // If nothing is asked for, nothing is missing.
  if (gap !== undefined && gap.reason !== "trimmed") throw new LogGapError(gap);
  const to = until === undefined ? { epoch, seq: head } : parseEventId(until);
  if (to?.epoch !== epoch) {
    throw new TypeError(
      `Cannot read events: "until" must be an id of the epoch "${epoch}": received ${show(until)}`,
    );
  }
  const next = after === "" ? 1 : (parseEventId(after)?.seq ?? 0) + 1;
  const last = Math.min(to.seq, head);
  if (gap !== undefined && next <= last) throw new LogGapError(gap);
  return { next, last };
}

/** Refuses what no log takes, whatever its engine. */
export function checkAppend(event: ServerSentEventInit, options: AppendOptions): void {
  if (event.id !== undefined) {
    throw new TypeError(
      `Cannot append event: the log gives the id, leave it out: received ${show(event.id)}`,
    );
  }
  for (const name of ["sender", "idempotencyKey"] as const) {
    const text = options[name];
    if (text === undefined || typeof text === "string") continue;
    throw new TypeError(`Cannot append event: "${name}" must be a string: received ${show(text)}`);
  }
}

/**
 * A bound of a log: a number from 1 up, `Infinity` for none.
 *
 * @throws {RangeError} If it is none.
 */
export function checkBound(name: string, value: unknown, byDefault: number): number {
  if (value === undefined) return byDefault;
  if (typeof value === "number" && value >= 1) return value;
  throw new RangeError(
    `Cannot make event log: "${name}" must be a number from 1 up: received ${show(value)}`,
  );
}
