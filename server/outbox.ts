/**
 * What one reader is sent: the body of its response, a bounded queue before it, kept alive while
 * nothing happens, and ended once.
 *
 * @module
 */

import { encodeComment, type EncodedBytes } from "../encode.ts";
import { SlowConsumerError } from "../errors.ts";
import { askedFor, closedError, type CloseReason } from "./close_reason.ts";
import { unwatch, type Wait, watch, type Watched } from "./deadlines.ts";
import { type QueueItem, SessionQueue, type SlowConsumerPolicy } from "./queue.ts";

/** How an {@linkcode Outbox} treats its reader. */
export interface OutboxSettings {
  /** How many bytes may wait. */
  maxQueueBytes: number;
  /** What to do beyond. */
  slowConsumer: SlowConsumerPolicy;
  /** After how many idle ms a comment is sent; `false` for never. */
  keepAlive: number | false;
  /** After how many ms it ends, at most; `undefined` for never. */
  maxAge: number | undefined;
}

/** More than that is not sent as one chunk, for it is a copy that no bound counts. */
const MAX_CHUNK = 65_536;

/** For {@linkcode Outbox.room}: so much may wait and its giver goes on. */
const HIGH_WATER = 65_536;

/** Made at the first use: an import does no work. */
let keepAliveComment: EncodedBytes | undefined;

/** Nothing is held by the stream, so that the queue knows of all that waits. */
const NOTHING_AHEAD = { highWaterMark: 0 };

/** Who has an {@linkcode Outbox}. */
export interface OutboxOwner {
  /** Told of the end, once, before anybody else. */
  onEnd(reason: CloseReason): void;
}

/** What became of a push. */
export interface Pushed {
  /** How many items were dropped for it. */
  readonly dropped: number;
  /** It has ended as slow. */
  readonly slow?: SlowConsumerError;
}

const SENT: Pushed = { dropped: 0 };

/** See the module. */
export class Outbox implements Watched {
  /** The body of the response. */
  readonly body: ReadableStream<EncodedBytes>;
  /** Told how many events a push has dropped, whoever pushed. */
  onDrop: ((dropped: number) => void) | undefined;
  /** What is sent when it is idle, in place of a comment; `undefined` for the comment. */
  onIdle: (() => QueueItem | undefined) | undefined;

  readonly #settings: OutboxSettings;
  readonly #owner: OutboxOwner;
  /** Made when something waits: most sessions are idle, or quick. */
  #queue: SessionQueue | undefined;
  #controller!: ReadableStreamDefaultController<EncodedBytes>;
  /** The body is read, and there was nothing to give. */
  #wanted = false;
  #reason: CloseReason | undefined;
  #room: PromiseWithResolvers<void> | undefined;
  /** The body is closed, broken off or cancelled. */
  #over = false;
  #finished: PromiseWithResolvers<void> | undefined;
  #lastSent: number = performance.now();
  readonly #endsAt: number;
  readonly #wait: Wait;

  /**
   * @param settings Shared by all that are treated alike.
   * @param owner Told of the end.
   */
  constructor(settings: OutboxSettings, owner: OutboxOwner) {
    this.#settings = settings;
    this.#owner = owner;
    // Those that came together do not all come back together.
    this.#endsAt = this.#lastSent + (settings.maxAge ?? Infinity) * (0.8 + 0.2 * Math.random());
    // Itself as its source: an object with functions of its own for each reader is felt in memory.
    this.body = new ReadableStream<EncodedBytes>(this, NOTHING_AHEAD);
    this.#wait = watch(this);
  }

  /** Why it has ended; `undefined` before. */
  get reason(): CloseReason | undefined {
    return this.#reason;
  }

  /** How many bytes wait. */
  get queuedBytes(): number {
    return this.#queue?.bytes ?? 0;
  }

  /** Nothing waits and the body is being read: bytes that are pushed go out at once. */
  get ready(): boolean {
    return this.#wanted;
  }

  /**
   * Sends bytes, or lets them wait. If there is no room it ends as slow.
   *
   * @param item What to send. After the end it is ignored.
   * @param now The time, by `performance.now`: whoever sends to many asks once.
   */
  push(item: QueueItem, now: number = performance.now()): Pushed {
    if (this.#reason !== undefined) return SENT;
    this.#lastSent = now;
    if (this.#wanted) {
      this.#wanted = false;
      this.#controller.enqueue(item.bytes);
      return SENT;
    }
    const { maxQueueBytes, slowConsumer } = this.#settings;
    const queue = this.#queue ??= new SessionQueue(maxQueueBytes, slowConsumer);
    const dropped = queue.push(item);
    if (dropped === 0) return SENT;
    if (dropped !== undefined) {
      this.onDrop?.(dropped);
      return { dropped };
    }
    const { bytes, size } = queue;
    const slow = new SlowConsumerError(bytes, maxQueueBytes);
    this.break({ reason: "slow", cause: slow });
    return { dropped: size, slow };
  }

  /** Waits until few bytes wait, or the end: for givers that can wait. */
  room(): Promise<void> {
    if (this.#reason !== undefined || this.queuedBytes <= this.#highWater) {
      return Promise.resolve();
    }
    this.#room ??= Promise.withResolvers<void>();
    return this.#room.promise;
  }

  /** Ends it after what waits. Only the first end counts. */
  end(reason: CloseReason): void {
    if (this.#end(reason) && this.#wanted) this.#close();
  }

  /** Ends it at once: what waits is dropped, and the connection breaks off. */
  break(reason: CloseReason): void {
    if (this.#end(reason)) this.abandon();
  }

  /** Resolves when it has ended and nothing is left to be read. */
  get finished(): Promise<void> {
    this.#finished ??= Promise.withResolvers<void>();
    if (this.#over) this.#finished.resolve();
    return this.#finished.promise;
  }

  /** Drops what a reader has left after the end. */
  abandon(): void {
    if (this.#reason === undefined || this.#over) return;
    this.#queue = undefined;
    this.#finish();
    const { cause } = this.#reason;
    // The transport reports it, as an error of its own server.
    this.#controller.error(cause instanceof Error ? cause : closedError(this.#reason));
  }

  get #highWater(): number {
    return Math.min(HIGH_WATER, this.#settings.maxQueueBytes);
  }

  /** Called by the stream. */
  start(controller: ReadableStreamDefaultController<EncodedBytes>): void {
    this.#controller = controller;
  }

  /** Called by the stream: it is read, and holds nothing. */
  pull(): void {
    const chunk = this.#queue?.take(MAX_CHUNK);
    if (this.#queue?.size === 0) this.#queue = undefined;
    if (chunk === undefined) {
      if (this.#reason === undefined) this.#wanted = true;
      else this.#close();
      return;
    }
    this.#controller.enqueue(chunk);
    if (this.queuedBytes <= this.#highWater) this.#leaveRoom();
  }

  /** Called by the stream: the peer has left. */
  cancel(cause: unknown): void {
    this.#queue = undefined;
    this.#finish();
    this.#end(askedFor("peer-left", cause));
  }

  #close(): void {
    this.#finish();
    this.#controller.close();
  }

  #finish(): void {
    this.#over = true;
    this.#finished?.resolve();
  }

  #leaveRoom(): void {
    this.#room?.resolve();
    this.#room = undefined;
  }

  /** Whether it was the first end. */
  #end(reason: CloseReason): boolean {
    if (this.#reason !== undefined) return false;
    this.#reason = reason;
    unwatch(this.#wait);
    this.#owner.onEnd(reason);
    this.#leaveRoom();
    return true;
  }

  deadline(): number {
    const { keepAlive } = this.#settings;
    return Math.min(keepAlive === false ? Infinity : this.#lastSent + keepAlive, this.#endsAt);
  }

  look(now: number): void {
    if (now >= this.#endsAt) return this.end({ reason: "max-age" });
    // Whom something waits for is not idle, and would not be told any sooner.
    if (this.#queue === undefined) this.push(this.onIdle?.() ?? comment(), now);
    else this.#lastSent = now;
  }
}

function comment(): QueueItem {
  // Kept: no event is lost with it.
  return { bytes: keepAliveComment ??= encodeComment(""), kept: true };
}
