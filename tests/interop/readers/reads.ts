/**
 * Our readers, on whatever runs this: Deno, Node and Bun.
 *
 * @module
 */

import { connect } from "../../../client.ts";
import { EventSource } from "../../../event_source.ts";
import {
  EventAssemblerStream,
  LineDecoderStream,
  readEvents,
  type ServerSentEvent,
  ServerSentEventDecoderStream,
} from "../../../parse.ts";
import { isEnd } from "../feeds.ts";
import { readEventSource } from "./event_source_like.ts";

/** Reads up to the end of a feed. */
export type Read = (url: string, seen: ServerSentEvent[], signal: AbortSignal) => Promise<void>;

async function take(
  events: AsyncIterable<ServerSentEvent>,
  seen: ServerSentEvent[],
): Promise<void> {
  for await (const event of events) {
    if (isEnd(event)) return;
    seen.push(event);
  }
}

/** Leaves it to the caller to see that the end is missing. */
async function untilAborted(work: Promise<void>, signal: AbortSignal): Promise<void> {
  try {
    await work;
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

function get(url: string, signal: AbortSignal): Promise<Response> {
  return fetch(url, { signal, headers: { accept: "text/event-stream" } });
}

async function bodyOf(url: string, signal: AbortSignal): Promise<ReadableStream<Uint8Array>> {
  const { body } = await get(url, signal);
  if (body === null) throw new Error(`Cannot read ${url}: the response has no body`);
  return body;
}

/** By their names. The first two come back after a cut; the others read one response. */
export const READS: Readonly<Record<string, Read>> = {
  "connect": (url, seen, signal) =>
    untilAborted(take(connect(url, { signal, retry: { initialDelay: 10 } }), seen), signal),

  "EventSource": (url, seen, signal) => readEventSource(new EventSource(url), seen, signal),

  "readEvents": (url, seen, signal) =>
    untilAborted(get(url, signal).then((response) => take(readEvents(response), seen)), signal),

  "decoder stream": (url, seen, signal) =>
    untilAborted(
      bodyOf(url, signal).then((body) =>
        take(body.pipeThrough(new ServerSentEventDecoderStream()), seen)
      ),
      signal,
    ),

  "line streams": (url, seen, signal) =>
    untilAborted(
      bodyOf(url, signal).then((body) =>
        take(
          body.pipeThrough(new LineDecoderStream()).pipeThrough(new EventAssemblerStream()),
          seen,
        )
      ),
      signal,
    ),
};
