/**
 * What `connect` returns.
 *
 * @module
 */

import type { ServerSentEvent } from "../parse/events.ts";
import type { JsonReadable } from "../parse/typed.ts";
import type { CloseInfo, ConnectionStats } from "./options.ts";

/**
 * A connection to an event stream, which holds: what is lost is asked for again, after the last
 * event that its consumer has taken. Made by `connect`.
 *
 * It connects at once, but reads only what is asked for: a consumer that stops stops the server. A
 * loop that is left by `break`, `return` or a throw closes it.
 */
export interface EventStreamConnection
  extends AsyncIterableIterator<ServerSentEvent>, AsyncDisposable, JsonReadable {
  /**
   * The first response that is an event stream (or a 204): its status, headers and final URL. Its
   * body is ours. Rejects if there never is one, for example with {@linkcode ResponseError}.
   */
  readonly opened: Promise<Response>;
  /** Why nothing more will come, once it is so; it never rejects. */
  readonly closed: Promise<CloseInfo>;
  /** `"connecting"` also while it waits for the next attempt. */
  readonly readyState: "connecting" | "open" | "closed";
  /** The URL that is asked for, before any redirect; `""` while a function has yet to tell it. */
  readonly url: string;
  /**
   * The last event ID of what was taken: what the next request asks for. An event is taken when its
   * consumer asks for the next one.
   */
  readonly lastEventId: string;
  /** Counts, which move on. */
  readonly stats: Readonly<ConnectionStats>;
  /** The events as a stream, in place of the iterator; cancelling it closes the connection. */
  readonly readable: ReadableStream<ServerSentEvent>;
  /**
   * The next event. Asking for it takes the event before.
   *
   * @returns The event, or `done` when the stream is complete or the connection was closed.
   * @throws {SseError} If the connection failed and is not tried again, see `retry`.
   */
  next(): Promise<IteratorResult<ServerSentEvent, undefined>>;
  /**
   * Closes the connection, also while a read, a request or a wait is pending.
   *
   * @returns `done`.
   */
  return(): Promise<IteratorResult<ServerSentEvent, undefined>>;
  /**
   * Closes the connection.
   *
   * @param error What the promise rejects with.
   * @returns Never anything.
   */
  throw(error: unknown): Promise<IteratorResult<ServerSentEvent, undefined>>;
  /**
   * All events of a chunk at once, which costs less than one by one when many come together.
   *
   * @returns An iterator of this connection's events in arrays.
   */
  batches(): AsyncIterableIterator<ServerSentEvent[]>;
  /**
   * For `for await`.
   *
   * @returns This connection itself.
   */
  [Symbol.asyncIterator](): EventStreamConnection;
  /**
   * Drops the response, or the wait, and connects at once: after the network has changed, for
   * example. What was not taken is asked for again.
   */
  reconnect(): void;
  /**
   * Closes the connection: who waits for an event is told that there is none.
   *
   * @param reason For {@linkcode EventStreamConnection.closed}.
   */
  close(reason?: unknown): void;
}
