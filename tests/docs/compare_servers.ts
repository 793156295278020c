/**
 * What `docs/compare.md` says of servers, shown with the libraries themselves.
 *
 * @module
 */

import { ServerSentEventStream } from "@std/http/server-sent-event-stream";
import { createChannel, createResponse } from "better-sse";
import { Hono } from "hono";
import { streamSSE } from "hono/streaming";
import { type ServerSentEvent, ServerSentEventParser } from "../../parse.ts";
import { Channel, eventStreamResponse } from "../../server.ts";
import { delay } from "../fault/real_time.ts";
import { unhandled } from "../helpers.ts";
import { names, type Word, word } from "./compare_table.ts";

/** What is sent. */
interface Sent {
  data: string;
  event?: string;
  id?: string;
  retry?: number;
}

/** Sends one event; the promise is what the library gives to wait for. */
type Send = (event: Sent) => unknown;

/** A library that makes a response of events. */
export interface ServerPeer {
  readonly name: string;
  /** The response in which `work` sends; `leave` is what its reader does besides. */
  respond(work: (send: Send) => Promise<void>): Responded;
}

interface Responded {
  response: Response | Promise<Response>;
  leave(): void;
}

const FEED = "https://feed.example/";

/** Only of what it was asked to send, and no keep-alive to wait for. */
const QUIET = { keepAlive: null, retry: null };

export const SERVERS: readonly ServerPeer[] = [
  {
    name: "@webstreams/sse",
    respond: (work) => ({
      response: eventStreamResponse((session) => work((event) => session.send(event))),
      leave() {},
    }),
  },
  {
    name: "better-sse",
    respond(work) {
      const reader = new AbortController();
      const request = new Request(FEED, { signal: reader.signal });
      const response = createResponse(request, QUIET, (session) => {
        const send: Send = ({ data, event, id, retry }) => {
          if (retry === undefined) return void session.push(data, event, id);
          return session.batch((buffer) => void buffer.retry(retry).data(data).dispatch());
        };
        work(send).catch(() => {}).finally(() => reader.abort());
      });
      return { response, leave: () => reader.abort() };
    },
  },
  {
    name: "hono streamSSE",
    respond(work) {
      const app = new Hono().get("/", (c) =>
        streamSSE(c, async (stream) => {
          await work((event) => stream.writeSSE(event)).catch(() => {});
        }));
      return { response: app.request("/"), leave() {} };
    },
  },
  {
    name: "@std/http",
    respond(work) {
      const { readable, writable } = new TransformStream<Sent, Sent>();
      const writer = writable.getWriter();
      work((event) => writer.write(event)).finally(() => writer.close()).catch(() => {});
      const body: ReadableStream<Uint8Array<ArrayBuffer>> = readable
        .pipeThrough(new ServerSentEventStream());
      return { response: new Response(body), leave() {} };
    },
  },
];

/** What readers make of an event that is sent, or `"refused"`. */
async function arrives(
  { respond }: ServerPeer,
  event: Sent,
): Promise<ServerSentEvent[] | "refused"> {
  let refused = false;
  const { response } = respond(async (send) => {
    try {
      await send(event);
    } catch {
      refused = true;
    }
  });
  // A stream that refuses is one that breaks off.
  const text = await (await response).text().catch(() => {
    refused = true;
    return "";
  });
  return refused ? "refused" : new ServerSentEventParser().feed(text);
}

/** Whether what would break the stream does no harm: it is refused. */
async function refuses(peer: ServerPeer, ...events: Sent[]): Promise<Word> {
  for (const event of events) if (await arrives(peer, event) !== "refused") return "no";
  return "yes";
}

/** Whether a value reads back as it was sent, JSON or not. */
async function readsBack(peer: ServerPeer, event: Sent): Promise<boolean> {
  const events = await arrives(peer, event);
  if (events === "refused" || events.length !== 1) return false;
  const [{ event: type, data, id }] = events;
  const { event: sentType = "message", id: sentId } = event;
  return type === sentType && (sentId === undefined || id === sentId) &&
    [event.data, JSON.stringify(event.data)].includes(data);
}

const BLOCK = "x".repeat(1_000);
const MANY = 6_000;

/** How many events are sent to a reader that does not read, when each is waited for. */
async function waits({ respond }: ServerPeer): Promise<Word> {
  let sent = 0;
  let stopped = false;
  const { response, leave } = respond(async (send) => {
    for (; sent < MANY && !stopped; sent++) await send({ data: BLOCK });
  });
  const { body } = await response;
  for (let turn = 0; turn < 20; turn++) await delay(0);
  const found = word(sent < MANY);
  stopped = true;
  leave();
  await new Response(body).text();
  return found;
}

/** Whether what is not waited for has an end. */
async function bounds({ respond }: ServerPeer): Promise<Word> {
  const { response, leave } = respond((send) => {
    const all = Array.from({ length: 5_000 }, () => send({ data: BLOCK }));
    return Promise.allSettled(all).then(() => {});
  });
  const answer = await response;
  for (let turn = 0; turn < 20; turn++) await delay(0);
  leave();
  const length = await answer.text().then((text) => text.length, () => 0);
  return word(length < 5_000 * BLOCK.length);
}

/** Whether a reader that goes away, with the library still sending, does no harm. */
async function survives({ respond }: ServerPeer): Promise<Word> {
  const reasons = await unhandled(async () => {
    const left = Promise.withResolvers<void>();
    const { response, leave } = respond(async (send) => {
      await Promise.resolve(send({ data: "a" })).catch(() => {});
      await left.promise;
      await Promise.resolve(send({ data: "late" })).catch(() => {});
    });
    const { body } = await response;
    await delay(0);
    await body?.cancel();
    left.resolve();
    leave();
    await delay(0);
  });
  return word(reasons.length === 0);
}

/** Whether who sends learns that nobody reads any more. */
async function tells({ respond }: ServerPeer): Promise<Word> {
  const told = Promise.withResolvers<Word>();
  const left = Promise.withResolvers<void>();
  await unhandled(async () => {
    const { response, leave } = respond(async (send) => {
      await left.promise;
      const sending = async () => await send({ data: "late" });
      told.resolve(await sending().then(() => "no", () => "yes"));
    });
    const { body } = await response;
    await delay(0);
    await body?.cancel();
    leave();
    left.resolve();
    await told.promise;
    await delay(0);
  });
  return await told.promise;
}

async function header(peer: ServerPeer, name: string): Promise<string | null> {
  const { response, leave } = peer.respond((send) => Promise.resolve(void send({ data: "a" })));
  const answer = await response;
  await delay(0);
  leave();
  await answer.text();
  return answer.headers.get(name);
}

/** Whether one event for two readers is made of its value once. */
async function encodesOnce({ name }: ServerPeer): Promise<Word> {
  if (name === "better-sse") return word(await serializedOnce());
  return word(name === "@webstreams/sse" && await bytesShared());
}

async function serializedOnce(): Promise<boolean> {
  const reader = new AbortController();
  const request = new Request(FEED, { signal: reader.signal });
  const channel = createChannel();
  let times = 0;
  const serializer = (value: unknown) => {
    times++;
    return JSON.stringify(value);
  };
  const joined: Promise<void>[] = [];
  const responses = [1, 2].map(() => {
    const { promise, resolve } = Promise.withResolvers<void>();
    joined.push(promise);
    return createResponse(request, { ...QUIET, serializer }, (session) => {
      channel.register(session);
      resolve();
    });
  });
  await Promise.all(joined);
  channel.broadcast("a");
  reader.abort();
  await Promise.all(responses.map((response) => response.text()));
  return times === 1;
}

async function bytesShared(): Promise<boolean> {
  await using channel = new Channel();
  const readers = [1, 2].map(() => channel.subscribe(new Request(FEED)).body?.getReader());
  const read = () => Promise.all(readers.map(async (reader) => (await reader?.read())?.value));
  await read(); // What a stream begins with.
  await channel.publish({ data: "a" });
  await read(); // With the id that each of them has begun at.
  await channel.publish({ data: "b" });
  const chunks = await read();
  await Promise.all(readers.map((reader) => reader?.cancel()));
  return chunks[0] !== undefined && chunks[0].buffer === chunks[1]?.buffer;
}

/** What shows a row: the word for one library, which is told what the page says of it. */
export type ServingRow = (peer: ServerPeer, said: Word) => Word | Promise<Word>;

/** A row that is about a name in the types; of ours the page names it itself. */
function named(pattern: RegExp): ServingRow {
  return ({ name }, said) => name === "@webstreams/sse" ? said : word(names(name, pattern));
}

/** As {@linkcode named}, where what has the name is less than the whole. */
function partlyNamed(pattern: RegExp): ServingRow {
  return ({ name }, said) => {
    if (name === "@webstreams/sse") return said;
    return names(name, pattern) ? "partly" : "no";
  };
}

export const SERVING: Record<string, ServingRow> = {
  "a type or an id with a line break is refused": (peer) =>
    refuses(peer, { data: "a", event: "x\ndata: y" }, { data: "a", id: "1\rdata: y" }),
  "an id with NUL is refused": (peer) => refuses(peer, { data: "a", id: "1\0" }),
  "a `retry` that readers ignore is refused": (peer) => refuses(peer, { data: "a", retry: -1 }),
  "data with any line end reads back": async (peer) => {
    const { name } = peer;
    const events = await arrives(peer, { data: "a\rb\nc\r\nd" });
    if (events === "refused" || events.length !== 1) return "no";
    // As JSON it is one line; as text its line ends are all LF.
    const expected = name === "better-sse" ? JSON.stringify("a\rb\nc\r\nd") : "a\nb\nc\nd";
    return word(events[0].data === expected);
  },
  "spaces at the start of a value read back": async (peer) =>
    word(await readsBack(peer, { data: " a", event: " t", id: " 1" })),
  "waiting for a send waits for the reader": waits,
  "a bound for a reader that is slow, and what happens then": bounds,
  "a reader that leaves does no harm": survives,
  "a send tells that the reader has left": tells,
  "headers without which proxies hold events back": async (peer) =>
    word(await header(peer, "x-accel-buffering") === "no"),
  "keep-alives by itself": named(/^keepAlive$/),
  "one event to many readers": named(/^(Channel|Hub)$/),
  "encoded once for all of them": encodesOnce,
  "several topics on one connection": partlyNamed(/^(Channel|topics)$/),
  "who comes back is given what it missed": named(/replay|history|EventLog/i),
  "who missed what is gone is told": named(/(^g|G)ap/),
  "many machines, by a log that they share": named(/redis|nats|sqlite|EventLog/i),
  "who may read is asked, and can be sent away": named(/authori[sz]e|revoke/i),
  "who is there": partlyNamed(/presence|activeSessions/),
  "a close that lets readers finish": named(/drain/i),
  "metrics": named(/metrics/i),
  "values go through `JSON.stringify`": named(/^serializer$/),
  "ids of your own in a channel": named(/^eventId$/),
  "raw bytes beside events": named(/^writeln$/),
};
