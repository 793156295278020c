/**
 * Whatever gives events, opened for `collect`: one at a time, and closed.
 *
 * @module
 */

import type { ServerSentEvent } from "../parse/events.ts";
import { ServerSentEventParser } from "../parse/parser.ts";
import { isResponse } from "../parse/response.ts";
import { readEvents } from "../parse/read.ts";

/** The part of an `EventSource` that is used: that of this package, of a browser or of another one. */
export interface EventSourceLike {
  /** 2 when it is closed. */
  readonly readyState: number;
  /**
   * Adds a listener.
   *
   * @param type The type of event.
   * @param listener What is called with it.
   */
  addEventListener(type: string, listener: (event: Event) => void): void;
  /**
   * Removes a listener.
   *
   * @param type The type of event.
   * @param listener What was called with it.
   */
  removeEventListener(type: string, listener: (event: Event) => void): void;
  /** Closes it. */
  close(): void;
}

/** A source that is read. */
export interface OpenSource {
  /** The next item, or the end; the same one until it is taken. */
  next(): Promise<IteratorResult<unknown, unknown>>;
  /** What `next` gave is with its consumer. */
  taken?(): void;
  /** Ends it. */
  close(): unknown;
  /** Leaves it as it is, in place of `close`: for the next one to read on. */
  release?(): void;
}

/**
 * Opens a source.
 *
 * @param types The types of event to listen to, of an `EventSource`.
 * @param toRelease Whether somebody is to read on.
 * @throws {TypeError} If it gives no events, is read already, or nobody can read on.
 */
export function openCollected(
  source: unknown,
  types: readonly string[],
  toRelease: boolean,
): OpenSource {
  if (typeof source === "object" && source !== null) {
    if (isEventSource(source)) return new ListenedSource(source, types);
    const whole = isResponse(source) || source instanceof ReadableStream;
    if (whole && toRelease) {
      throw new TypeError(
        'Cannot collect: a Response or stream cannot be read on: pass readEvents(it), or leave "close" out',
      );
    }
    if (isResponse(source)) return openIterator(readEvents(source));
    // Not by its iterator, which lets a pending read come to its end first.
    if (source instanceof ReadableStream) return new StreamSource(source);
    if (isAsyncIterable(source)) return openIterator(source);
  }
  throw new TypeError(
    `Cannot collect: the source must be a connection, a reader, a Response, an EventSource, a ReadableStream or an async iterable: received ${
      source instanceof Promise ? "a promise, await it" : source === null ? "null" : typeof source
    }`,
  );
}

function isEventSource(source: object): source is EventSourceLike {
  return "addEventListener" in source && "readyState" in source && "close" in source;
}

function isAsyncIterable(source: object): source is AsyncIterable<unknown> {
  return Symbol.asyncIterator in source;
}

/** Reads that were begun and not taken: what they give belongs to who reads on. */
const untaken = new WeakMap<object, Promise<IteratorResult<unknown, unknown>>>();

function openIterator(source: AsyncIterable<unknown>): OpenSource {
  const iterator = source[Symbol.asyncIterator]();
  let reading = untaken.get(iterator);
  untaken.delete(iterator);
  return {
    next: () => reading ??= iterator.next(),
    taken() {
      reading = undefined;
    },
    close: () => iterator.return?.(),
    release() {
      if (reading !== undefined) untaken.set(iterator, reading);
    },
  };
}

/** A stream of bytes, which are parsed, or of whatever it gives. */
class StreamSource implements OpenSource {
  readonly #reader: ReadableStreamDefaultReader<unknown>;
  readonly #events: ServerSentEvent[] = [];
  #parser: ServerSentEventParser | undefined = undefined;

  constructor(stream: ReadableStream<unknown>) {
    if (stream.locked) {
      throw new TypeError(
        "Cannot collect: the stream is locked by another reader, pass one that nobody reads",
      );
    }
    this.#reader = stream.getReader();
  }

  async next(): Promise<IteratorResult<unknown, unknown>> {
    for (;;) {
      const event = this.#events.shift();
      if (event !== undefined) return { done: false, value: event };
      const { done, value } = await this.#reader.read();
      if (done) return { done, value };
      if (!(value instanceof Uint8Array)) return { done: false, value };
      this.#parser ??= new ServerSentEventParser();
      this.#parser.feed(value, this.#events);
    }
  }

  close(): Promise<void> {
    return this.#reader.cancel();
  }
}

/** What the listeners of an `EventSource` are told. */
class ListenedSource implements OpenSource {
  readonly #source: EventSourceLike;
  readonly #types: ReadonlySet<string>;
  readonly #events: ServerSentEvent[] = [];
  #failure: { error: unknown } | undefined = undefined;
  #news = Promise.withResolvers<void>();

  constructor(source: EventSourceLike, types: readonly string[]) {
    this.#source = source;
    this.#types = new Set(types);
    for (const type of this.#types) source.addEventListener(type, this.#onEvent);
    source.addEventListener("error", this.#onError);
  }

  async next(): Promise<IteratorResult<unknown, unknown>> {
    for (;;) {
      const value = this.#events.shift();
      if (value !== undefined) return { done: false, value };
      if (this.#failure !== undefined) throw this.#failure.error;
      if (this.#source.readyState === CLOSED) return { done: true, value: undefined };
      await this.#news.promise;
      this.#news = Promise.withResolvers();
    }
  }

  close(): void {
    this.release();
    this.#source.close();
  }

  release(): void {
    for (const type of this.#types) this.#source.removeEventListener(type, this.#onEvent);
    this.#source.removeEventListener("error", this.#onError);
  }

  readonly #onEvent = (event: Event): void => {
    if (!("data" in event && "lastEventId" in event)) return;
    const { type, data, lastEventId } = event;
    this.#events.push({ event: type, data: String(data), id: String(lastEventId) });
    this.#news.resolve();
  };

  readonly #onError = (event: Event): void => {
    if (this.#source.readyState !== CLOSED) return;
    // That of this package tells what happened, and nothing if its stream has ended.
    if (!("error" in event)) {
      this.#failure = { error: new Error("Cannot collect: the EventSource was refused for good") };
    } else if (event.error !== undefined) {
      this.#failure = { error: event.error };
    }
    this.#news.resolve();
  };
}

const CLOSED = 2;
