/**
 * From a source of events to a session: no faster than the reader takes them, and left when the
 * session has ended.
 *
 * @module
 */

import type { ServerSentEventInit } from "../encode.ts";
import { outboxOf, type Session } from "./session.ts";

/** What gives events. It is asked for the next one when there is room for it. */
export type EventStreamSource =
  | Iterable<ServerSentEventInit>
  | AsyncIterable<ServerSentEventInit>
  | ReadableStream<ServerSentEventInit>;

type Result = { done?: false; value: ServerSentEventInit } | { done: true; value?: unknown };

/** A source that is being read. */
interface Opened {
  next(): Promise<Result> | Result;
  /** Lets go of it. What a source does that is parked on an await is its own affair. */
  leave(): unknown;
}

/** Opens a source; what is none throws `TypeError`. */
export function openEvents(source: EventStreamSource): Opened {
  if (typeof source === "object" && source !== null) {
    if ("getReader" in source) return openStream(source);
    if (Symbol.asyncIterator in source) return openIterator(source[Symbol.asyncIterator]());
    if (Symbol.iterator in source) return openIterator(source[Symbol.iterator]());
  }
  throw new TypeError(
    `Cannot respond: the source must be an (async) iterable or a ReadableStream of events, or a function: received ${
      source === null ? "null" : typeof source
    }`,
  );
}

function openIterator(
  iterator: AsyncIterator<ServerSentEventInit> | Iterator<ServerSentEventInit>,
): Opened {
  return { next: () => iterator.next(), leave: () => iterator.return?.() };
}

function openStream(stream: ReadableStream<ServerSentEventInit>): Opened {
  if (stream.locked) {
    throw new TypeError(
      "Cannot respond: the stream is locked by another reader, pass one that nobody reads",
    );
  }
  // Not by its iterator, which lets a read that is pending come to its end first.
  const reader = stream.getReader();
  return { next: () => reader.read(), leave: () => reader.cancel() };
}

/** Lets go of a source without waiting for it, nor for what it throws. */
export function leave(source: Opened): void {
  (async () => await source.leave())().catch(() => {});
}

/** Sends all that a source gives, then ends the session; the session may end before. */
export async function pump<State>(session: Session<State>, source: Opened): Promise<void> {
  const outbox = outboxOf(session);
  const { signal } = session;
  // Not at once: a generator that closes its own session is running, and cannot be left.
  const stop = () => queueMicrotask(() => leave(source));
  if (signal.aborted) return stop();
  signal.addEventListener("abort", stop);
  let reading = true;
  try {
    for (;;) {
      const { done, value } = await source.next();
      if (done) break;
      reading = false;
      await session.send(value);
      reading = true;
    }
    signal.removeEventListener("abort", stop);
    outbox.end({ reason: "ended" });
  } catch (cause) {
    // A source that throws is at its end, and is not left.
    if (reading) signal.removeEventListener("abort", stop);
    outbox.end({ reason: "error", cause });
  }
}
