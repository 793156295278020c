/**
 * Events on demand: the queue behind whatever is read by `for await`.
 *
 * @module
 */

import type { ServerSentEvent } from "./events.ts";
import { type JsonOptions, type JsonReadable, readJson } from "./typed.ts";

/**
 * Reads events one by one, or batch by batch. Made by `readEvents`.
 *
 * A loop that is left by `break`, `return` or a throw cancels the source.
 */
export interface EventReader
  extends AsyncIterableIterator<ServerSentEvent>, AsyncDisposable, JsonReadable {
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
 * A queue of events before something to read them from. Events that are there are given without
 * waiting: an async generator would wait for each.
 */
export abstract class EventQueue
  implements AsyncIterableIterator<ServerSentEvent>, AsyncDisposable, JsonReadable {
  // The events of one chunk, of which `#index` were handed out and `#held` of these are taken.
  // `#taken` is the last event ID before all of them.
  #events: ServerSentEvent[] = [];
  #index = 0;
  #held = 0;
  #taken: string;
  // Calls that are not answered yet, and the last of them.
  #waiting = 0;
  #answer: Promise<unknown> = Promise.resolve();
  #ended = false;
  #failure: { error: unknown } | undefined;

  /** Of each use the interface knows the types, a function cannot have them all. */
  readonly json =
    ((schema?: unknown, options?: JsonOptions) => readJson(this, schema, options)) as JsonReadable[
      "json"
    ];

  /** @param lastEventId What `lastEventId` is before any event. */
  constructor(lastEventId: string) {
    this.#taken = lastEventId;
  }

  /**
   * Appends the next events, if there are some yet, or calls `end`. Called when the consumer has
   * taken all that there was, and not again before it has settled. What it throws ends the queue.
   */
  protected abstract read(events: ServerSentEvent[]): Promise<void>;

  /** Closes what is read from. A pending `read` settles then; what it still appends is not seen. */
  protected abstract stop(reason: unknown): Promise<void>;

  /** Told that the first `count` of `events` are taken. */
  protected onTaken?(events: readonly ServerSentEvent[], count: number): void;

  /** Waited for before the end, or the failure, is told. */
  protected beforeEnd?(): Promise<void>;

  get lastEventId(): string {
    return this.#held === 0 ? this.#taken : this.#events[this.#held - 1].id;
  }

  next(): Promise<IteratorResult<ServerSentEvent, undefined>> {
    if (this.#waiting === 0 && this.#index < this.#events.length) {
      // Not by `#handOutEvent`, whose call can be felt here ("readEvents" in `bench:compare`).
      this.#held = this.#index;
      return Promise.resolve({ done: false, value: this.#events[this.#index++] });
    }
    return this.#inTurn(this.#handOutEvent);
  }

  batches(): AsyncIterableIterator<ServerSentEvent[]> {
    return {
      next: () => this.#inTurn(this.#handOutBatch),
      return: () => this.return(),
      [Symbol.asyncIterator]() {
        return this;
      },
    };
  }

  async return(): Promise<IteratorReturnResult<undefined>> {
    await this.#leave();
    return { done: true, value: undefined };
  }

  async throw(error: unknown): Promise<never> {
    await this.#leave(error);
    throw error;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#leave();
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** Moves the last event ID, while the queue is empty: a block without data moves it too (T14). */
  protected set taken(id: string) {
    this.#taken = id;
  }

  /** Nothing more is read: after what there is comes the end, or `failure`. */
  protected end(failure?: { error: unknown }): void {
    this.#ended = true;
    this.#failure = failure;
  }

  /** Nothing more is read, see {@linkcode EventQueue.end}. */
  protected get ended(): boolean {
    return this.#ended;
  }

  /** Drops the events that were not handed out. Those that are not taken yet still are not. */
  protected drop(): void {
    const taken = this.lastEventId;
    this.onTaken?.(this.#events, this.#held);
    this.#taken = taken;
    this.#events = this.#events.slice(this.#held, this.#index);
    this.#index = this.#events.length;
    this.#held = 0;
  }

  readonly #handOutEvent = (): IteratorResult<ServerSentEvent, undefined> => {
    if (this.#index === this.#events.length) return { done: true, value: undefined };
    this.#held = this.#index;
    return { done: false, value: this.#events[this.#index++] };
  };

  readonly #handOutBatch = (): IteratorResult<ServerSentEvent[], undefined> => {
    if (this.#index === this.#events.length) return { done: true, value: undefined };
    const batch = this.#index === 0 ? this.#events : this.#events.slice(this.#index);
    this.#take();
    // A copy, for the batch is its consumer's; of its last event where nobody is told of the others.
    this.#events = batch.slice(this.onTaken === undefined ? -1 : 0);
    this.#index = this.#events.length;
    return { done: false, value: batch };
  };

  /** Answers with what `handOut` gives, after all that was asked for before. */
  #inTurn<T>(handOut: () => T): Promise<T> {
    const pull = () => this.#pull(handOut);
    const answer = this.#waiting++ === 0 ? pull() : this.#answer.then(pull, pull);
    this.#answer = answer;
    return answer;
  }

  /** Reads until there are events, or none will come. */
  async #pull<T>(handOut: () => T): Promise<T> {
    try {
      while (this.#index === this.#events.length) {
        this.#take();
        if (this.#ended) await this.beforeEnd?.();
        if (this.#failure !== undefined) {
          const { error } = this.#failure;
          this.#failure = undefined;
          throw error;
        }
        if (this.#ended) break;
        try {
          await this.read(this.#events);
        } catch (error) {
          if (!this.#ended) this.end({ error });
        }
      }
      return handOut();
    } finally {
      this.#waiting--;
    }
  }

  /** The consumer asks for more: all that it was given is taken. */
  #take(): void {
    if (this.#index === 0) return;
    this.onTaken?.(this.#events, this.#index);
    this.#taken = this.#events[this.#index - 1].id;
    this.#events = [];
    this.#index = 0;
    this.#held = 0;
  }

  async #leave(reason?: unknown): Promise<void> {
    this.drop();
    this.#failure = undefined;
    if (this.#ended) return;
    this.end();
    await this.stop(reason);
  }
}
