/**
 * Events into an array, and then an end.
 *
 * @module
 */

import { MAX_TIMER } from "../client/retry.ts";
import type { ServerSentEvent } from "../parse/events.ts";
import { CollectError, told } from "./collect_error.ts";
import { type EventSourceLike, openCollected, type OpenSource } from "./source.ts";

// Of before a test puts a fake clock in their place: they bound a failure, and time that only a test
// moves must not do that.
const { setTimeout: startTimer, clearTimeout: stopTimer } = globalThis;

/** Of `timeout`. */
const TIMEOUT = 4_000;

/** How long the end of a source is waited for after a failure, in ms: it may never answer. */
const GRACE = 100;

/**
 * When {@linkcode collect} has enough, and what it leaves behind. It takes all until the end if neither
 * `count` nor `until` is given.
 *
 * @typeParam T What the source gives.
 */
export interface CollectOptions<T = ServerSentEvent> {
  /** How many events to wait for, an integer from 0 up. Default: no number. */
  count?: number;
  /**
   * Whether this event is the last one to wait for. It is in the result. Default: none is.
   *
   * @param event The event.
   * @returns Whether it is.
   */
  until?(event: T): boolean;
  /**
   * The types of event to take, others are passed over. An `EventSource` tells only of those that it is
   * asked for. Default: all types, of an `EventSource` `["message"]`.
   */
  types?: readonly string[];
  /**
   * How many ms to wait for all of it, from 0 up, or `false` for ever. It is time of the real clock,
   * also where a test has a fake one. The default is under the 5 s that many test runners give a test:
   * they would not tell what came.
   *
   * @default {4000}
   */
  timeout?: number | false;
  /** Gives up, with {@linkcode CollectError}, when it is aborted. Default: none. */
  signal?: AbortSignal;
  /**
   * How many events there may be, those that are passed over too, before it gives up; an integer from 0
   * up. A source without an end is to fail a test, and not to fill the memory. Default: 100,000, or
   * `count` if that is more.
   */
  maxEvents?: number;
  /**
   * Whether to close the source: the connection, the stream, the `EventSource`. With `false` it can be
   * read on, by another `collect` for example, where nothing is lost; only a `Response` and a stream
   * cannot. Of an `EventSource` it misses what comes in between.
   *
   * @default {true}
   */
  close?: boolean;
  /**
   * An array to put the events into, at once as they come: to look at what came before an error, or
   * while more is waited for. Default: a new one.
   */
  into?: T[];
}

/**
 * Collects the events of a stream, an `EventSource` or a response, whose body is read.
 *
 * @param source A `Response`, which must be an event stream, or its body; or an `EventSource`, of
 * whichever make.
 * @param options When it has enough.
 * @returns The events.
 * @throws {CollectError} If the source ends before, the time is over or the signal is aborted: it tells
 * which events came.
 * @throws {unknown} If the source fails, what it fails of, {@linkcode ResponseError} for example.
 * @throws {TypeError} If the source is none, or is read already.
 * @throws {RangeError} If a number is out of its range.
 *
 * @example All events of a response
 * ```ts
 * import { eventStreamResponse } from "@webstreams/sse/server";
 * import { collect } from "@webstreams/sse/testing";
 * import { assertEquals } from "@std/assert";
 *
 * const response = eventStreamResponse([{ data: "a" }, { event: "end", data: "b" }]);
 * const events = await collect(response);
 * assertEquals(events.map(({ event, data }) => [event, data]), [["message", "a"], ["end", "b"]]);
 * ```
 */
export function collect(
  source: Response | ReadableStream<Uint8Array> | EventSourceLike,
  options?: CollectOptions,
): Promise<ServerSentEvent[]>;
/**
 * Collects what a connection, a reader or any other async iterable gives.
 *
 * When it is done the source is closed, so that a test leaves nothing open. The last event is in hand
 * then: it is taken, and `lastEventId` moves to it, when a next one is asked for.
 *
 * @param source A connection, a reader, what their `json()` gives, a stream of events, or a generator
 * of your own.
 * @param options When it has enough.
 * @returns What came.
 * @throws {CollectError} If the source ends before, the time is over or the signal is aborted: it tells
 * what came.
 * @throws {unknown} If the source fails, what it fails of.
 * @throws {TypeError} If the source is none, or is read already.
 * @throws {RangeError} If a number is out of its range.
 *
 * @example Until an event, then on
 * ```ts
 * import { readEvents } from "@webstreams/sse/parse";
 * import { collect } from "@webstreams/sse/testing";
 * import { assertEquals } from "@std/assert";
 *
 * const reader = readEvents("data: a\n\nevent: ready\ndata:\n\ndata: b\n\n");
 * const until = ({ event }: { event: string }) => event === "ready";
 * assertEquals((await collect(reader, { until, close: false })).length, 2);
 * assertEquals((await collect(reader)).map(({ data }) => data), ["b"]);
 * ```
 */
export function collect<T>(
  source: AsyncIterable<T> | ReadableStream<T>,
  options?: CollectOptions<T>,
): Promise<T[]>;
export async function collect(
  source: unknown,
  options: CollectOptions<unknown> = {},
): Promise<unknown[]> {
  checkOptions(options);
  const { types, timeout = TIMEOUT, signal, close = true, into = [] } = options;
  const opened = openCollected(source, types ?? ["message"], !close);
  const collection = new Collection(opened, options, into);
  const timer = timeout === false
    ? undefined
    : startTimer(() => collection.giveUp("timeout"), Math.min(timeout, MAX_TIMER));
  const onAbort = () => collection.giveUp("aborted", { cause: signal?.reason });
  if (signal?.aborted) onAbort();
  else signal?.addEventListener("abort", onAbort);
  try {
    await collection.orGivenUp(collection.take());
    if (close) await collection.orGivenUp(closed(opened));
    return into;
  } catch (error) {
    if (close) await within(closed(opened), GRACE);
    throw error;
  } finally {
    if (!close) opened.release?.();
    stopTimer(timer);
    signal?.removeEventListener("abort", onAbort);
  }
}

/** One run of {@linkcode collect}. */
class Collection {
  readonly #source: OpenSource;
  readonly #options: CollectOptions<unknown>;
  readonly #events: unknown[];
  /** How many `into` held before. */
  readonly #before: number;
  readonly #givenUp = Promise.withResolvers<never>();
  #over = false;

  constructor(source: OpenSource, options: CollectOptions<unknown>, events: unknown[]) {
    this.#source = source;
    this.#options = options;
    this.#events = events;
    this.#before = events.length;
  }

  /** Takes all that is wanted. */
  async take(): Promise<void> {
    const { count, until, types, maxEvents = Math.max(100_000, count ?? 0) } = this.#options;
    for (let seen = 0; this.#events.length - this.#before !== count; seen++) {
      const { done, value } = await this.#next();
      // Who is given up gets no more: it is there for the next one, as is one that is too many.
      if (this.#over) return;
      if (done && count === undefined && until === undefined) return;
      if (done) throw this.#error("ended");
      if (seen === maxEvents) throw this.#error("too-many");
      this.#source.taken?.();
      if (types !== undefined && !types.includes(typeOf(value))) continue;
      this.#events.push(value);
      if (until?.(value)) return;
    }
  }

  async #next(): Promise<IteratorResult<unknown, unknown>> {
    try {
      return await this.#source.next();
    } catch (error) {
      if (!this.#over) this.#source.taken?.();
      throw error;
    }
  }

  giveUp(reason: "timeout" | "aborted", options?: ErrorOptions): void {
    this.#over = true;
    this.#givenUp.reject(this.#error(reason, options));
  }

  /** What `work` gives, unless it is given up before. */
  orGivenUp<T>(work: Promise<T>): Promise<T> {
    return Promise.race([this.#givenUp.promise, work]);
  }

  #error(reason: CollectError["reason"], options?: ErrorOptions): CollectError {
    const { count, until, timeout = TIMEOUT } = this.#options;
    const events = this.#events.slice(this.#before);
    const what = count !== undefined
      ? `${count} event${count === 1 ? "" : "s"}`
      : until !== undefined
      ? 'events to the one of "until"'
      : "events to the end";
    const [why, remedy] = {
      "timeout": [`within ${timeout} ms`, ', send what is missing or raise "timeout"'],
      "aborted": ["before the signal was aborted", ""],
      "ended": ["before the source ended", ""],
      "too-many": ["and more are there", ', name a "count" or raise "maxEvents"'],
    }[reason];
    const message = `Cannot collect ${what}: ${events.length} came ${why}${told(events)}${remedy}`;
    return new CollectError(message, reason, events, options);
  }
}

/** The type of an event; what is none has none. */
function typeOf(item: unknown): string {
  return typeof item === "object" && item !== null && "event" in item ? String(item.event) : "";
}

async function closed(source: OpenSource): Promise<void> {
  await source.close();
}

/** Waits for work, whatever comes of it, but not longer. */
async function within(work: Promise<void>, ms: number): Promise<void> {
  const late = Promise.withResolvers<void>();
  const timer = startTimer(late.resolve, ms);
  await Promise.race([late.promise, work.catch(() => {})]);
  stopTimer(timer);
}

function checkOptions(options: CollectOptions<unknown>): void {
  const { count, until, timeout, maxEvents } = options;
  for (const [name, value] of Object.entries({ count, maxEvents })) {
    if (value === undefined || (Number.isInteger(value) && value >= 0)) continue;
    throw new RangeError(
      `Cannot collect: "${name}" must be an integer from 0 up: received ${String(value)}`,
    );
  }
  if (timeout !== undefined && timeout !== false && !(timeout >= 0)) {
    throw new RangeError(
      `Cannot collect: "timeout" must be a number from 0 up, or false: received ${String(timeout)}`,
    );
  }
  if (until !== undefined && typeof until !== "function") {
    throw new TypeError(`Cannot collect: "until" must be a function: received ${typeof until}`);
  }
}
