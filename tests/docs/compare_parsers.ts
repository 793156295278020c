/**
 * What `docs/compare.md` says of parsing, shown with the libraries themselves.
 *
 * @module
 */

import { fetchEventSource } from "@microsoft/fetch-event-source";
import { ServerSentEventParseStream } from "@std/http/server-sent-event-parse-stream";
import { EventSource } from "eventsource";
import { createEventSource } from "eventsource-client";
import { createParser } from "eventsource-parser";
import { EventSourceParserStream } from "eventsource-parser/stream";
import { readEvents, ServerSentEventDecoderStream } from "../../parse.ts";
import { delay } from "../fault/real_time.ts";
import { utf8 } from "../helpers.ts";
import { names, type Word, word } from "./compare_table.ts";

/** An event, as far as each tells it. */
interface Event {
  event?: string;
  data?: string;
  id?: string;
}

/** A library that makes events of bytes. */
export interface ParserPeer {
  readonly name: string;
  /** Gives each event out; resolves when the body has ended and the library has done with it. */
  read(body: Body, onEvent: (event: Event) => void, maxSize?: number): Promise<void>;
  /** Its TransformStream, if it has one. */
  readonly transform?: () => TransformStream;
}

type Body = ReadableStream<Uint8Array<ArrayBuffer>>;

const FEED = "https://feed.example/";

function respond(body: Body): Promise<Response> {
  return Promise.resolve(new Response(body, { headers: { "content-type": "text/event-stream" } }));
}

export const PARSERS: readonly ParserPeer[] = [
  {
    name: "@webstreams/sse",
    async read(body, onEvent, maxEventSize) {
      for await (const event of readEvents(body, { maxEventSize })) onEvent(event);
    },
    transform: () => new ServerSentEventDecoderStream(),
  },
  {
    name: "eventsource-parser",
    async read(body, onEvent, maxBufferSize) {
      const parser = createParser({ onEvent, maxBufferSize });
      const decoder = new TextDecoder();
      for await (const chunk of body) parser.feed(decoder.decode(chunk, { stream: true }));
      decoder.decode();
    },
    transform: () => new EventSourceParserStream(),
  },
  {
    name: "eventsource-client",
    read: (body, onEvent) =>
      new Promise((resolve) => {
        const client = createEventSource({
          url: FEED,
          fetch: () => respond(body),
          onMessage: onEvent,
          onScheduleReconnect() {
            client.close();
            resolve();
          },
        });
      }),
  },
  {
    name: "eventsource",
    read: (body, onEvent, maxBufferSize) =>
      new Promise((resolve) => {
        const source = new EventSource(FEED, { fetch: () => respond(body), maxBufferSize });
        for (const type of ["message", "tick"]) {
          source.addEventListener(type, ({ data, lastEventId }) => {
            onEvent({ event: type, data, id: lastEventId });
          });
        }
        source.onerror = () =>
          // It starts its timer after the event, and would leave it running.
          queueMicrotask(() => {
            source.close();
            resolve();
          });
      }),
  },
  {
    name: "fetch-event-source",
    read: (body, onEvent) =>
      onPage(() =>
        fetchEventSource(FEED, {
          fetch: () => respond(body),
          openWhenHidden: true,
          onmessage: onEvent,
          onerror(error) {
            throw error;
          },
        })
      ),
  },
  {
    name: "@std/http",
    async read(body, onEvent) {
      const stream: ReadableStream<Event> = body.pipeThrough(new ServerSentEventParseStream());
      for await (const event of stream) onEvent(event);
    },
    transform: () => new ServerSentEventParseStream(),
  },
];

/** `fetch-event-source` wants a page, and is given what it takes of one. */
export async function onPage<T>(work: () => Promise<T>): Promise<T> {
  const page = { window: globalThis, document: { hidden: false, removeEventListener() {} } };
  Object.assign(globalThis, page);
  try {
    return await work();
  } finally {
    for (const name of Object.keys(page)) Reflect.deleteProperty(globalThis, name);
  }
}

/** The events of a stream; with `"look"`, those that are there before it ends. */
export async function read(
  peer: ParserPeer,
  chunks: readonly Uint8Array<ArrayBuffer>[],
  { look = false, maxSize }: { look?: boolean; maxSize?: number } = {},
): Promise<Event[]> {
  const end = Promise.withResolvers<void>();
  const waiting = Promise.withResolvers<void>();
  let next = 0;
  const body: Body = new ReadableStream({
    async pull(controller) {
      if (next < chunks.length) return controller.enqueue(chunks[next++]);
      waiting.resolve();
      if (look) await end.promise;
      controller.close();
    },
  }, { highWaterMark: 0 });
  const events: Event[] = [];
  const add = ({ event, data, id }: Event) => {
    events.push({ event: event || "message", data: data ?? "", id: id ?? "" });
  };
  // One that was told of too much need not read on.
  const ended = peer.read(body, add, maxSize).catch(() => {});
  if (!look) {
    await ended;
    return events;
  }
  await waiting.promise;
  await delay(0);
  const seen = events.slice();
  end.resolve();
  await ended;
  return seen;
}

/** The data of the events of a text. */
async function dataOf(peer: ParserPeer, text: string): Promise<unknown[]> {
  return (await read(peer, [bytes(text)])).map(({ data }) => data);
}

function bytes(text: string): Uint8Array<ArrayBuffer> {
  return new Uint8Array(utf8(text));
}

function same(actual: unknown, expected: unknown): Word {
  return word(JSON.stringify(actual) === JSON.stringify(expected));
}

/** Every line end, a BOM, characters of two and four bytes, an id, a comment. */
const STREAM = bytes(
  "\ufeff: hi\r\nevent: tick\r\ndata: é\r\n\r\nid: 7\ndata: a\ndata: 👋\n\nretry: 5\rdata: c\r\rdata: d\r\n\r\ndata: e\n\n",
);

async function anyChunking(peer: ParserPeer): Promise<Word> {
  const whole = JSON.stringify(await read(peer, [STREAM]));
  const cuts = [Array.from(STREAM, (byte) => Uint8Array.of(byte))];
  for (let at = 1; at < STREAM.length; at++) cuts.push([STREAM.slice(0, at), STREAM.slice(at)]);
  for (const chunks of cuts) {
    if (JSON.stringify(await read(peer, chunks)) !== whole) return "no";
  }
  return "yes";
}

async function transforms({ transform }: ParserPeer): Promise<Word> {
  if (transform === undefined) return "no";
  const body = () => new Blob(["data: a\n\n"]).stream();
  const count = async (stream: ReadableStream) => (await Array.fromAsync(stream)).length;
  if (await count(body().pipeThrough(transform())).catch(() => 0) === 1) return "yes";
  const text = body().pipeThrough(new TextDecoderStream());
  return await count(text.pipeThrough(transform())) === 1 ? "partly" : "no";
}

/** What shows a row: the word for one library, which is told what the page says of it. */
export type ParsingRow = (peer: ParserPeer, said: Word) => Word | Promise<Word>;

/** A row that is about a name in the types; of ours the page names it itself. */
function named(pattern: RegExp): ParsingRow {
  return ({ name }, said) => name === "@webstreams/sse" ? said : word(names(name, pattern));
}

export const PARSING: Record<string, ParsingRow> = {
  "the same events, however the bytes are cut": anyChunking,
  "LF, CRLF and CR end a line": async (peer) =>
    same(await dataOf(peer, "data: a\r\rdata: b\r\n\r\ndata: c\n\n"), ["a", "b", "c"]),
  "an event that ends with CR comes at once": async (peer) =>
    word((await read(peer, [bytes("data: a\r\r")], { look: true })).length === 1),
  "one BOM is removed, at the start of the stream": async (peer) =>
    same(await dataOf(peer, "\ufeffdata: a\n\ndata: \ufeffb\n\n"), ["a", "\ufeffb"]),
  "data is exact: leading spaces, empty lines, NUL": async (peer) =>
    same(await dataOf(peer, "data:  a\n\ndata:\ndata: b\n\ndata: c\0\n\n"), [" a", "\nb", "c\0"]),
  "an id with NUL is ignored": async (peer) =>
    word((await read(peer, [bytes("id: 1\0\ndata: a\n\n")]))[0].id === ""),
  "an event without an id has the last one": async (peer) =>
    word((await read(peer, [bytes("id: 1\ndata: a\n\ndata: b\n\n")]))[1].id === "1"),
  "no event without data: of keep-alives, of an id": async (peer) =>
    same(await dataOf(peer, "data: a\n\n: ping\n\nid: 1\n\ndata: b\n\n"), ["a", "b"]),
  "what is unfinished at the end is no event": async (peer) =>
    same(await dataOf(peer, "data: a\n\ndata: cut"), ["a"]),
  // `deno task bench:growth` shows it: a test has no clock.
  "linear time on one long line": (_, said) => said,
  "a bound on what an event may hold": async (peer) => {
    const stream = [bytes(`data: ${"x".repeat(5_000)}`), bytes("x\n\n")];
    return word((await read(peer, stream, { maxSize: 1_000 })).length === 0);
  },
  "JSON, checked by a schema and typed": named(/json|schema/i),
  "comments are told": named(/comment/i),
  "malformed lines are told": named(/^(onError|strict)$/),
  "a `TransformStream` of bytes": transforms,
};
