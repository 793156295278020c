/**
 * Events by `for await`, from whatever holds an event stream.
 *
 * @module
 */

import type { ParserOptions, ServerSentEvent } from "./events.ts";
import { ServerSentEventParser } from "./parser.ts";
import { isResponse, openResponse } from "./response.ts";
import { type ChunkInput, type ChunkResult, type ChunkSource, openSource } from "./source.ts";

/** What {@linkcode readEvents} can be told. */
export interface ReadOptions extends ParserOptions {
  /**
   * Ends the reading: the source is cancelled and a pending read rejects with `signal.reason` (T24).
   * Default: none.
   */
  signal?: AbortSignal;
  /**
   * Whether a `Response` must have status 200 and content type `text/event-stream` (T19). Set it to
   * `false` for servers that mislabel their streams.
   *
   * @default {true}
   */
  checkResponse?: boolean;
}

/**
 * Reads events one by one, or batch by batch. Made by {@linkcode readEvents}.
 *
 * A loop that is left by `break`, `return` or a throw cancels the source.
 */
export interface EventReader extends AsyncIterableIterator<ServerSentEvent>, AsyncDisposable {
  /**
   * The next event. Asking for it takes the event before: {@linkcode EventReader.lastEventId} moves.
   *
   * @returns The event, or `done` at the end of the stream.
   * @throws {ResponseError} If the source is a `Response` that is no event stream.
   * @throws {EventTooLargeError} If the unfinished event holds more than `maxEventSize`.
   * @throws {ParseError} If `strict` is set and a line is one that the standard ignores.
   */
  next(): Promise<IteratorResult<ServerSentEvent, undefined>>;
  /**
   * Ends the reading and cancels the source, also while a read is pending.
   *
   * @returns `done`.
   */
  return(): Promise<IteratorResult<ServerSentEvent, undefined>>;
  /**
   * Ends the reading and cancels the source with `error` as the reason.
   *
   * @param error What the promise rejects with.
   * @returns Never anything.
   */
  throw(error: unknown): Promise<IteratorResult<ServerSentEvent, undefined>>;
  /**
   * All events of a chunk at once, which costs far less than one by one when many come together.
   * A batch is never empty; batches and single events may be mixed.
   *
   * @returns An iterator of this reader's events in arrays.
   */
  batches(): AsyncIterableIterator<ServerSentEvent[]>;
  /**
   * For `for await`.
   *
   * @returns This reader itself.
   */
  [Symbol.asyncIterator](): EventReader;
  /**
   * The last event ID of what was taken. An event is taken when its consumer asks for the next one,
   * so that what was handed out but not finished is asked for again after a reconnect. The id of the
   * event in hand is its `id`.
   */
  readonly lastEventId: string;
  /** The source ended inside a line or a block: the stream was cut (T18). */
  readonly incomplete: boolean;
}

/**
 * Reads the events of a source.
 *
 * The source is read when an event is asked for and not before: a consumer that stops stops it.
 *
 * @param source A `Response`, a stream or an (async) iterable of bytes or text, or all of it as one
 * string or `Uint8Array`.
 * @param options Those of the parser, a signal, and whether a `Response` is checked.
 * @returns A reader, to be used in one `for await` loop.
 * @throws {TypeError} If the source is none of these, or its body is locked or was read already.
 * @throws {RangeError} If `maxEventSize` is not a number from 0 up.
 *
 * @example Read a response
 * ```ts
 * import { readEvents } from "@webstreams/sse/parse";
 * import { assertEquals } from "@std/assert";
 *
 * const headers = { "content-type": "text/event-stream" };
 * const response = new Response("data: a\n\ndata: b\n\n", { headers });
 * const seen: string[] = [];
 * for await (const { data } of readEvents(response)) seen.push(data);
 * assertEquals(seen, ["a", "b"]);
 * ```
 *
 * @example All events of a chunk at once
 * ```ts
 * import { readEvents } from "@webstreams/sse/parse";
 * import { assertEquals } from "@std/assert";
 *
 * for await (const events of readEvents("data: a\n\ndata: b\n\n").batches()) {
 *   assertEquals(events.map((event) => event.data), ["a", "b"]);
 * }
 * ```
 */
export function readEvents(source: Response | ChunkInput, options: ReadOptions = {}): EventReader {
  return new SourceReader(source, options);
}

/**
 * A queue of one chunk's events before a source. Events that are there are given without waiting:
 * an async generator would wait for each.
 */
class SourceReader implements EventReader {
  readonly #parser: ServerSentEventParser;
  readonly #source: ChunkSource;
  readonly #signal: AbortSignal | undefined;
  // The events of one chunk, of which `#index` were handed out. The last of those is not taken yet,
  // the ones before are; `#taken` is the last event ID before all of them.
  #events: ServerSentEvent[] = [];
  #index = 0;
  #taken: string;
  // Calls that are not answered yet, and the last of them.
  #waiting = 0;
  #answer: Promise<unknown> = Promise.resolve();
  #ended = false;
  #failure: { error: unknown } | undefined = undefined;

  constructor(source: Response | ChunkInput, options: ReadOptions) {
    this.#parser = new ServerSentEventParser(options);
    this.#taken = this.#parser.lastEventId;
    this.#source = typeof source === "object" && source !== null && isResponse(source)
      ? openResponse(source, options.checkResponse !== false)
      : openSource(source);
    this.#signal = options.signal;
    if (this.#signal?.aborted) this.#onAbort();
    else this.#signal?.addEventListener("abort", this.#onAbort);
  }

  get lastEventId(): string {
    return this.#index < 2 ? this.#taken : this.#events[this.#index - 2].id;
  }

  get incomplete(): boolean {
    return this.#parser.incomplete;
  }

  next(): Promise<IteratorResult<ServerSentEvent, undefined>> {
    if (this.#waiting === 0 && this.#index < this.#events.length) {
      return Promise.resolve({ done: false, value: this.#events[this.#index++] });
    }
    return this.#inTurn(this.#takeEvent);
  }

  batches(): AsyncIterableIterator<ServerSentEvent[]> {
    return {
      next: () => this.#inTurn(this.#takeBatch),
      return: () => this.#cancel().then(() => ({ done: true, value: undefined })),
      [Symbol.asyncIterator]() {
        return this;
      },
    };
  }

  async return(): Promise<IteratorResult<ServerSentEvent, undefined>> {
    await this.#cancel();
    return { done: true, value: undefined };
  }

  async throw(error: unknown): Promise<never> {
    await this.#cancel(error);
    throw error;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#cancel();
  }

  [Symbol.asyncIterator](): EventReader {
    return this;
  }

  readonly #takeEvent = (): IteratorResult<ServerSentEvent, undefined> => {
    if (this.#index === this.#events.length) return { done: true, value: undefined };
    return { done: false, value: this.#events[this.#index++] };
  };

  readonly #takeBatch = (): IteratorResult<ServerSentEvent[], undefined> => {
    if (this.#index === this.#events.length) return { done: true, value: undefined };
    const batch = this.#index === 0 ? this.#events : this.#events.slice(this.#index);
    this.#takeHandedOut();
    // All of it is handed out and none is taken: as one event with the last id.
    this.#events = batch.slice(-1);
    this.#index = 1;
    return { done: false, value: batch };
  };

  /** Answers with what `take` gives, after all that was asked for before. */
  #inTurn<T>(take: () => T): Promise<T> {
    const pull = () => this.#pull(take);
    const answer = this.#waiting++ === 0 ? this.#pull(take) : this.#answer.then(pull, pull);
    this.#answer = answer;
    return answer;
  }

  /** Reads until there are events, or none will come. */
  async #pull<T>(take: () => T): Promise<T> {
    try {
      while (this.#index === this.#events.length) {
        this.#takeHandedOut();
        if (this.#failure !== undefined) {
          const { error } = this.#failure;
          this.#failure = undefined;
          throw error;
        }
        if (this.#ended) break;
        this.#taken = this.#parser.lastEventId;
        try {
          const result = await this.#source.read();
          if (!this.#ended) this.#onChunk(result);
        } catch (error) {
          if (!this.#ended) this.#fail(error);
        }
      }
      return take();
    } finally {
      this.#waiting--;
    }
  }

  /** The consumer asks for more: what it has is taken. */
  #takeHandedOut(): void {
    if (this.#index > 0) this.#taken = this.#events[this.#index - 1].id;
    this.#events = [];
    this.#index = 0;
  }

  /** The events that were not handed out are dropped; the last that was is still not taken. */
  #drop(): void {
    this.#taken = this.lastEventId;
    this.#events = this.#events.slice(Math.max(0, this.#index - 1), this.#index);
    this.#index = this.#events.length;
  }

  #onChunk(result: ChunkResult): void {
    if (result.done) {
      // With it an id that came after the last event.
      this.#taken = this.#parser.lastEventId;
      this.#end();
      return;
    }
    // Ours, for it holds what came before a fault.
    this.#events = [];
    try {
      this.#parser.feed(result.value, this.#events);
    } catch (error) {
      this.#fail(error);
      this.#source.cancel(error).catch(ignore);
    }
  }

  readonly #onAbort = (): void => {
    this.#drop();
    this.#fail(this.#signal?.reason);
    this.#source.cancel(this.#signal?.reason).catch(ignore);
  };

  async #cancel(reason?: unknown): Promise<void> {
    this.#drop();
    this.#failure = undefined;
    if (this.#ended) return;
    this.#end();
    await this.#source.cancel(reason);
  }

  #fail(error: unknown): void {
    this.#failure = { error };
    this.#end();
  }

  #end(): void {
    this.#ended = true;
    this.#signal?.removeEventListener("abort", this.#onAbort);
  }
}

function ignore(): void {}
