/**
 * Ours and the peers', each behind the same few functions, so that they do the same work.
 *
 * @module
 */

import { createEventSource } from "eventsource-client";
import { encode } from "eventsource-encoder";
import { createParser } from "eventsource-parser";
import { EventSourceParserStream } from "eventsource-parser/stream";
import { ServerSentEventStream } from "@std/http/server-sent-event-stream";
import { encodeEvent, ServerSentEventEncoderStream, type ServerSentEventInit } from "../encode.ts";
import { readEvents, ServerSentEventDecoderStream, ServerSentEventParser } from "../parse.ts";
import type { Corpus } from "./corpora.ts";
import { makeEncoderLimit, makeLimit } from "./limit.ts";

/** What is told of each event. A peer says `undefined` where the type is the default. */
export interface Seen {
  event?: string | undefined;
  data: string;
}

/** Takes an event: keeps it for a moment, so that no compiler leaves it out. */
export type Sink = (event: Seen) => void;

/** Parses the chunks of one stream. */
export type Parse = (chunks: Uint8Array[], sink: Sink, corpus: Corpus) => void;

/** Push parsers. */
export const parsers: Record<"ours" | "eventsource-parser" | "limit", Parse> = {
  "ours": (chunks, sink) => {
    const parser = new ServerSentEventParser();
    for (const chunk of chunks) {
      for (const event of parser.feed(chunk)) sink(event);
    }
  },
  "eventsource-parser": (chunks, sink) => {
    const decoder = new TextDecoder();
    const parser = createParser({ onEvent: (event) => sink(event) });
    for (const chunk of chunks) parser.feed(decoder.decode(chunk, { stream: true }));
  },
  "limit": (chunks, sink, corpus) => {
    const feed = makeLimit(corpus);
    for (const chunk of chunks) {
      for (const event of feed(chunk)) sink(event);
    }
  },
};

/** Reads a stream of chunks to its end. */
export type Read = (
  source: ReadableStream<Uint8Array<ArrayBuffer>>,
  sink: Sink,
  total: number,
) => Promise<void>;

/** Stream readers. */
export const readers: Record<
  "readEvents" | "batches" | "decoder stream" | "eventsource-parser" | "eventsource-client",
  Read
> = {
  "readEvents": async (source, sink) => {
    for await (const event of readEvents(source)) sink(event);
  },
  "batches": async (source, sink) => {
    for await (const events of readEvents(source).batches()) {
      for (const event of events) sink(event);
    }
  },
  "decoder stream": async (source, sink) => {
    for await (const event of source.pipeThrough(new ServerSentEventDecoderStream())) sink(event);
  },
  "eventsource-parser": async (source, sink) => {
    const events = source.pipeThrough(new TextDecoderStream())
      .pipeThrough(new EventSourceParserStream());
    for await (const event of events) sink(event);
  },
  "eventsource-client": async (source, sink, total) => {
    const client = createEventSource({
      url: "http://localhost/",
      fetch: () =>
        Promise.resolve({ body: source, status: 200, url: "http://localhost/", redirected: false }),
    });
    // It never ends by itself: it would connect again.
    let count = 0;
    for await (const event of client) {
      sink(event);
      if (++count === total) break;
    }
    client.close();
  },
};

/** Gives chunks as a socket does: one for each pull. */
export function streamOf(chunks: Uint8Array[]): ReadableStream<Uint8Array<ArrayBuffer>> {
  let index = 0;
  return new ReadableStream({
    pull(controller) {
      if (index === chunks.length) controller.close();
      else controller.enqueue(chunks[index++] as Uint8Array<ArrayBuffer>);
    },
  }, { highWaterMark: 0 });
}

const encoder = new TextEncoder();

/** Encoders of one event. */
export const encoders: Record<
  "ours" | "eventsource-encoder",
  (event: ServerSentEventInit) => Uint8Array
> = {
  "ours": encodeEvent,
  "eventsource-encoder": (event) => encoder.encode(encode({ data: "", ...event })),
};

/** Encoder streams: `write` is what is written at once. */
export const encoderStreams = {
  "ours": (writes: (ServerSentEventInit | ServerSentEventInit[])[]) =>
    drain(writes, new ServerSentEventEncoderStream()),
  "std": (writes: ServerSentEventInit[]) => drain(writes, new ServerSentEventStream()),
  "limit": (writes: ServerSentEventInit[][]) => drain(writes, makeEncoderLimit()),
};

/** Writes all, reads all: the number of bytes. */
async function drain<T>(writes: T[], stream: TransformStream<T, Uint8Array>): Promise<number> {
  const writer = stream.writable.getWriter();
  const reader = stream.readable.getReader();
  const written = (async () => {
    for (const chunk of writes) {
      await writer.ready;
      writer.write(chunk);
    }
    await writer.close();
  })();
  let bytes = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    bytes += value.length;
  }
  await written;
  return bytes;
}
