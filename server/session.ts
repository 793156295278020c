/**
 * One connected reader, as its server sees it.
 *
 * @module
 */

import {
  encodeComment,
  type EncodedBytes,
  encodeEvent,
  type ServerSentEventInit,
} from "../encode.ts";
import { askedFor, closedError, type CloseReason } from "./close_reason.ts";
import { Outbox, type OutboxOwner, type OutboxSettings } from "./outbox.ts";

/** What a session is made of. */
export interface SessionInit<State> {
  /** How its reader is treated. Shared by all that are treated alike. */
  settings: OutboxSettings;
  /** What asked for it. */
  request: Request | undefined;
  /** The last event ID that it asked for. */
  lastEventId: string;
  /** What its owner keeps with it. */
  state: State;
  /** Whether an event may name an id: in a channel the event log does. */
  ids: boolean;
  /** Told of the end, once: before `signal`, `closed` and those who wait. */
  onEnd(session: Session<State>, reason: CloseReason): void;
}

/** Makes a session. None of the public names: a session comes with its response. */
export let openSession: <State>(init: SessionInit<State>) => Session<State>;

/** What is behind a session. */
export let outboxOf: (session: Session<unknown>) => Outbox;

let endSession: <State>(session: Session<State>, reason: CloseReason) => void;

/** Tells a session of its end: no function for each, which would be felt in memory. */
class Ending<State> implements OutboxOwner {
  readonly #session: Session<State>;

  constructor(session: Session<State>) {
    this.#session = session;
  }

  onEnd(reason: CloseReason): void {
    endSession(this.#session, reason);
  }
}

/**
 * One connected reader. Given to the handler of {@linkcode eventStreamResponse}, and by a channel.
 *
 * It ends once, by whatever comes first, and then `signal` is aborted and `closed` resolves.
 *
 * @example Send until the reader leaves
 * ```ts
 * import { eventStreamResponse } from "@webstreams/sse/server";
 * import { assertEquals } from "@std/assert";
 *
 * const response = eventStreamResponse(async (session) => {
 *   for (let i = 0; i < 3; i++) await session.send({ data: `${i}` });
 * });
 * assertEquals(await response.text(), ": \n\ndata: 0\n\ndata: 1\n\ndata: 2\n\n");
 * ```
 */
export class Session<State = unknown> {
  static {
    openSession = (init) => new Session(init);
    outboxOf = (session) => session.#outbox;
    endSession = (session, reason) => {
      session.#onEnd(session, reason);
      session.#controller?.abort(closedError(reason));
      session.#closed?.resolve(reason);
    };
  }

  /** What its owner keeps with it: `state` of the options, to be changed at will. */
  state: State;
  /** The request that opened it, if it was given. */
  readonly request: Request | undefined;
  /** The last event ID that the reader came with; `""` if it had none. */
  readonly lastEventId: string;

  readonly #outbox: Outbox;
  readonly #onEnd: SessionInit<State>["onEnd"];
  readonly #ids: boolean;
  // Made when somebody asks for them: thousands of sessions are idle, and nobody looks at them.
  #controller: AbortController | undefined;
  #closed: PromiseWithResolvers<CloseReason> | undefined;

  private constructor({ request, lastEventId, state, ids, onEnd, settings }: SessionInit<State>) {
    this.state = state;
    this.request = request;
    this.lastEventId = lastEventId;
    this.#ids = ids;
    this.#onEnd = onEnd;
    this.#outbox = new Outbox(settings, new Ending(this));
  }

  /** Resolves with why it has ended. Never rejects. */
  get closed(): Promise<CloseReason> {
    if (this.#closed === undefined) {
      this.#closed = Promise.withResolvers();
      if (this.#outbox.reason !== undefined) this.#closed.resolve(this.#outbox.reason);
    }
    return this.#closed.promise;
  }

  /**
   * Aborted when it has ended, with a {@linkcode SessionClosedError} as the reason: for what works for
   * this reader, such as a generator that waits.
   */
  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      const { reason } = this.#outbox;
      if (reason !== undefined) this.#controller.abort(closedError(reason));
    }
    return this.#controller.signal;
  }

  /** How many bytes wait for the reader here. The system may hold some megabytes more. */
  get queuedBytes(): number {
    return this.#outbox.queuedBytes;
  }

  /**
   * Sends an event. Wait for it: it resolves when the next one has room, so that a slow reader slows
   * its giver. Who does not wait ends the session when `maxQueueBytes` are passed.
   *
   * @param event The event. In a channel it has no `id`: those of its log say where a reader is.
   * @returns When there is room for more.
   * @throws {TypeError} If the event cannot be encoded, or has an `id` where it must not.
   * @throws {RangeError} If `retry` cannot be encoded.
   * @throws {SessionClosedError} If the session has ended; `cause` is its reason.
   * @throws {SlowConsumerError} If more than `maxQueueBytes` would wait.
   *
   * @example Nothing illegal is sent
   * ```ts
   * import { eventStreamResponse } from "@webstreams/sse/server";
   * import { assertEquals, assertRejects } from "@std/assert";
   *
   * const response = eventStreamResponse(async (session) => {
   *   await assertRejects(() => session.send({ event: "a\ndata: forged" }), TypeError);
   *   await session.send({ event: "a", data: "right" });
   * });
   * assertEquals(await response.text(), ": \n\nevent: a\ndata: right\n\n");
   * ```
   */
  send(event: ServerSentEventInit): Promise<void> {
    return this.#push(() => {
      if (!this.#ids && event?.id !== undefined) {
        throw new TypeError(
          `Cannot send event: "id" is given by the event log: received ${JSON.stringify(event.id)}`,
        );
      }
      return encodeEvent(event);
    });
  }

  /**
   * Sends a comment, which readers ignore.
   *
   * @param text The comment; each of its lines becomes one.
   * @returns When there is room for more, as with {@linkcode Session.send}.
   * @throws {TypeError} If `text` is not a string.
   * @throws {SessionClosedError} If the session has ended.
   * @throws {SlowConsumerError} If more than `maxQueueBytes` would wait.
   *
   * @example Say something to whoever debugs
   * ```ts
   * import { eventStreamResponse } from "@webstreams/sse/server";
   * import { assertEquals } from "@std/assert";
   *
   * const response = eventStreamResponse(async (session) => {
   *   await session.comment("served by a");
   * });
   * assertEquals(await response.text(), ": \n\n: served by a\n\n");
   * ```
   */
  comment(text: string): Promise<void> {
    return this.#push(() => encodeComment(text));
  }

  /**
   * Ends the session, after what waits for the reader. A second end changes nothing.
   *
   * @param reason The `cause` of the {@linkcode CloseReason}. A `TimeoutError`, such as the reason of
   * `AbortSignal.timeout`, makes it `"timeout"`. Default: none.
   *
   * @example End it from outside
   * ```ts
   * import { eventStreamResponse, type Session } from "@webstreams/sse/server";
   * import { assertEquals } from "@std/assert";
   *
   * const sessions: Session[] = [];
   * const response = eventStreamResponse((session) => void sessions.push(session));
   * sessions[0].close("bye");
   * assertEquals(await sessions[0].closed, { reason: "closed", cause: "bye" });
   * assertEquals(await response.text(), ": \n\n");
   * ```
   */
  close(reason?: unknown): void {
    this.#outbox.end(askedFor("closed", reason));
  }

  #push(encode: () => EncodedBytes): Promise<void> {
    const sent = this.#deliver(encode);
    // Who does not wait does not have to be told: neither that a reader has left, as they do when they
    // like, nor of an event of somebody's making that cannot be encoded. It would end the process.
    sent.catch(() => {});
    return sent;
  }

  async #deliver(encode: () => EncodedBytes): Promise<void> {
    // What its own giver sends is not dropped: the giver waits. After the end it goes nowhere.
    const { slow } = this.#outbox.push({ bytes: encode(), kept: true });
    if (slow !== undefined) throw slow;
    await this.#outbox.room();
    const { reason } = this.#outbox;
    if (reason !== undefined) throw closedError(reason);
  }
}
