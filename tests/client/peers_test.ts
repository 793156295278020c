/**
 * {@linkcode connect} against servers that nobody here wrote: what they send of every kind of event
 * arrives, and where they can resume, nothing is lost or repeated behind a cut.
 */

// The SDK's package.json leads from a name with ".js" to no types, and from one without to no code.
// @ts-types="@modelcontextprotocol/sdk/server/mcp"
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
// @ts-types="@modelcontextprotocol/sdk/server/streamableHttp"
import { StreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/streamableHttp.js";
import type { EventStore } from "@modelcontextprotocol/sdk/server/streamableHttp";
import type { JSONRPCMessage } from "@modelcontextprotocol/sdk/types";
import { assert, assertEquals, assertMatch } from "@std/assert";
import { createEventBuffer, createSession } from "better-sse";
import { Hono } from "hono";
import { streamSSE } from "hono/streaming";
import { Buffer } from "node:buffer";
import { connect, type ConnectOptions } from "../../client.ts";
import type { ServerSentEvent } from "../../parse.ts";
import { cuttingProxy } from "../cutting_proxy.ts";
import { within } from "../fault/real_time.ts";
import { message } from "../helpers.ts";
import { listenNode, type Running } from "../listen.ts";

/** What a peer is to send: an event, or a comment. */
type Sent = { comment: string } | { event?: string; id?: string; data: string; retry?: number };

/** What a feed sends to a client with this last event ID, `""` for one without. */
type Feed = (lastEventId: string) => Sent[];

/** A server library: sends what the feed says, and then nothing, until the client leaves. */
interface Peer {
  name: string;
  serve(feed: Feed): Promise<Running>;
}

const HEADERS = { "content-type": "text/event-stream" };

/** Both `node:http` and `Headers` give one character a byte, where the ID is UTF-8 (T22). */
function decodeId(header: string | null | undefined): string {
  return Buffer.from(header ?? "", "latin1").toString();
}

const PEERS: Peer[] = [
  {
    name: "node:http",
    serve: (feed) =>
      listenNode((request, response) => {
        response.writeHead(200, HEADERS);
        for (const sent of feed(decodeId(request.headers["last-event-id"]?.toString()))) {
          if ("comment" in sent) {
            response.write(`: ${sent.comment}\r\n\r\n`);
            continue;
          }
          const { event, id, data, retry } = sent;
          if (event !== undefined) response.write(`event: ${event}\r\n`);
          if (retry !== undefined) response.write(`retry: ${retry}\r\n`);
          if (id !== undefined) response.write(`id: ${id}\r\n`);
          response.write(`${data.replace(/^/gm, "data: ")}\r\n\r\n`);
        }
      }),
  },
  {
    name: "better-sse",
    serve: (feed) =>
      listenNode(async (request, response) => {
        const session = await createSession(request, response, { retry: null });
        for (const sent of feed(decodeId(session.lastId))) {
          const buffer = createEventBuffer({ serializer: String });
          if ("comment" in sent) {
            await session.batch(buffer.comment(sent.comment).dispatch());
            continue;
          }
          const { event, id, data, retry } = sent;
          if (event !== undefined) buffer.event(event);
          if (retry !== undefined) buffer.retry(retry);
          if (id !== undefined) buffer.id(id);
          // It neither splits data into lines nor puts a space behind the colon, so that raw data with
          // a line break or a space in front would be lost.
          for (const line of data.split("\n")) buffer.data(` ${line}`);
          await session.batch(buffer.dispatch());
        }
      }),
  },
  {
    name: "hono",
    serve: (feed) => {
      const app = new Hono().get("/", (context) =>
        streamSSE(context, async (stream) => {
          const left = new Promise<void>((resolve) => stream.onAbort(resolve));
          for (const sent of feed(decodeId(context.req.header("last-event-id")))) {
            if ("comment" in sent) await stream.write(`: ${sent.comment}\n\n`);
            else await stream.writeSSE(sent);
          }
          await left;
        }));
      const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, app.fetch);
      return Promise.resolve({
        port: server.addr.port,
        [Symbol.asyncDispose]: () => server.shutdown(),
      });
    },
  },
];

/**
 * Stands between client and server. The first response that holds one of `markers` is cut off
 * behind it, with a FIN where the HTTP message goes on; once for each marker.
 */
function cutBehind(port: number, markers: string[]): Running {
  const proxy = cuttingProxy(port, markers);
  return {
    port: proxy.port,
    async [Symbol.asyncDispose]() {
      await proxy[Symbol.asyncDispose]();
      assertEquals(proxy.left, [], "no response held these markers");
    },
  };
}

/** What each peer sends, in this order. */
const FEED: Sent[] = [
  { data: "no id yet" },
  { event: "greeting", id: "1", data: "two\n lines, Grüße 👋", retry: 150 },
  { comment: "still here" },
  { id: "2/é", data: "" },
  { data: "the id sticks" },
  { id: "3", data: "third" },
  { event: "end", id: "4", data: "last" },
];

/** What a client is to have of it. */
const EVENTS: ServerSentEvent[] = [
  message("no id yet"),
  message("two\n lines, Grüße 👋", { event: "greeting", id: "1", retry: 150 }),
  message("", { id: "2/é" }),
  message("the id sticks", { id: "2/é" }),
  message("third", { id: "3" }),
  message("last", { event: "end", id: "4" }),
];

/** A feed that goes on behind the last event ID, and keeps the IDs that it was asked with. */
function resumingFeed() {
  const asked: string[] = [];
  const feed: Feed = (lastEventId) => {
    asked.push(lastEventId);
    return FEED.slice(FEED.findIndex((sent) => "id" in sent && sent.id === lastEventId) + 1);
  };
  return { asked, feed };
}

/** Reads up to the event `end`, then leaves. */
async function readToEnd(port: number, options: ConnectOptions = {}) {
  const events: ServerSentEvent[] = [];
  const comments: string[] = [];
  const retries: (number | undefined)[] = [];
  const connection = connect(`http://127.0.0.1:${port}/`, {
    retry: ({ retry }) => {
      retries.push(retry);
      return 0;
    },
    onComment: (text) => void comments.push(text),
    ...options,
  });
  for await (const event of connection) {
    events.push(event);
    if (event.event === "end") break;
  }
  return { events, comments, retries };
}

for (const { name, serve } of PEERS) {
  Deno.test(`connect takes every kind of event, and comments, from ${name}`, async () => {
    const { asked, feed } = resumingFeed();
    await using server = await serve(feed);
    const read = await readToEnd(server.port);
    assertEquals(read, { events: EVENTS, comments: ["still here"], retries: [] });
    assertEquals(asked, [""]);
  });

  Deno.test(`connect resumes from ${name} behind its last whole event, wherever it is cut`, async () => {
    const { asked, feed } = resumingFeed();
    await using server = await serve(feed);
    // In front of any id, in a comment, in an event that has the id of the one before, and in one
    // with its own.
    await using proxy = cutBehind(server.port, ["no id", "still", "sticks", "las"]);
    const { events, retries } = await readToEnd(proxy.port);
    assertEquals(events, EVENTS);
    assertEquals(retries, [undefined, 150, 150, 150]);
    assertEquals(asked, ["", "", "1", "2/é", "3"]);
  });
}

Deno.test("connect reads what better-sse does by itself: JSON, ids, retry and keep-alives", async () => {
  const alive = Promise.withResolvers<void>();
  const retries: (number | undefined)[] = [];
  await using server = await listenNode(async (request, response) => {
    const session = await createSession(request, response, { keepAlive: 1 });
    session.push({ text: "two\nlines" }, "greeting");
    await alive.promise;
    session.push(["after it"]);
    response.end();
  });
  const connection = connect(`http://127.0.0.1:${server.port}/`, {
    onComment: () => alive.resolve(),
    retry: ({ retry }) => {
      retries.push(retry);
      return false;
    },
  });
  const events = await Array.fromAsync(connection.json());
  assertEquals(events.map(({ event, data }) => [event, data]), [
    ["greeting", { text: "two\nlines" }],
    ["message", ["after it"]],
  ]);
  const ids = events.map(({ id }) => id);
  for (const id of ids) assertMatch(id, /^[0-9a-f-]{36}$/);
  assertEquals([connection.lastEventId, retries], [ids[1], [2_000]]);
});

// The SDK's own `InMemoryEventStore` orders what came within one millisecond at random, and cannot
// resume the stream of a GET at all.
class OrderedEventStore implements EventStore {
  readonly #events: { stream: string; message: JSONRPCMessage }[] = [];

  storeEvent(stream: string, message: JSONRPCMessage): Promise<string> {
    return Promise.resolve(`${this.#events.push({ stream, message })}`);
  }

  async replayEventsAfter(
    lastEventId: string,
    { send }: { send(id: string, message: JSONRPCMessage): Promise<void> },
  ): Promise<string> {
    const { stream } = this.#events[Number(lastEventId) - 1];
    for (let i = Number(lastEventId); i < this.#events.length; i++) {
      if (this.#events[i].stream === stream) await send(`${i + 1}`, this.#events[i].message);
    }
    return stream;
  }
}

/** What an MCP server sends. */
interface Rpc {
  id?: number;
  method?: string;
  params?: { progress?: number; data?: unknown };
  result?: { serverInfo?: { name: string }; content?: unknown[] };
}

/** An MCP server with one tool that counts to 3, and the requests that it had. */
async function serveMcp() {
  const requests: [method: string | undefined, lastEventId: string | undefined][] = [];
  const mcp = new McpServer({ name: "peer", version: "1.0.0" }, { capabilities: { logging: {} } });
  const tool = { description: "Counts to 3" };
  mcp.registerTool("count", tool, async ({ requestId, sendNotification }) => {
    for (let progress = 1; progress <= 3; progress++) {
      await sendNotification({
        method: "notifications/progress",
        params: { progressToken: requestId, progress },
      });
    }
    return { content: [{ type: "text", text: "counted" }] };
  });
  const transport = new StreamableHTTPServerTransport({
    sessionIdGenerator: () => crypto.randomUUID(),
    eventStore: new OrderedEventStore(),
    retryInterval: 250,
    keepAliveMs: 5,
  });
  await mcp.connect(transport);
  const server = await listenNode((request, response) => {
    requests.push([request.method, request.headers["last-event-id"]?.toString()]);
    transport.handleRequest(request, response);
  });
  return {
    mcp,
    requests,
    port: server.port,
    async [Symbol.asyncDispose]() {
      await mcp.close();
      await server[Symbol.asyncDispose]();
    },
  };
}

const PROTOCOL = "2025-11-25";

/** Opens a session as an MCP client does; gives the headers of all that follows. */
async function initialize(url: string): Promise<Record<string, string>> {
  const accept = "application/json, text/event-stream";
  const connection = connect(url, {
    headers: { accept },
    json: {
      jsonrpc: "2.0",
      id: 0,
      method: "initialize",
      params: {
        protocolVersion: PROTOCOL,
        capabilities: {},
        clientInfo: { name: "test", version: "1.0.0" },
      },
    },
    retry: { onEnd: "close" },
  });
  // First comes an event without data, to resume from; it has the reconnection time.
  const { value: first } = await connection.next();
  assertEquals(first, message("", { id: "1", retry: 250 }));
  const [{ id, data }] = await Array.fromAsync(connection.json<Rpc>());
  assertEquals([id, data.id, data.result?.serverInfo?.name], ["2", 0, "peer"]);
  const { headers } = await connection.opened;
  const session = { accept, "mcp-session-id": headers.get("mcp-session-id") ?? "none" };
  const response = await fetch(url, {
    method: "POST",
    headers: { ...session, "content-type": "application/json" },
    body: JSON.stringify({ jsonrpc: "2.0", method: "notifications/initialized" }),
  });
  await response.body?.cancel();
  assertEquals(response.status, 202);
  return { ...session, "mcp-protocol-version": PROTOCOL };
}

/** The next message; a server that does not know where to go on sends nothing, for ever. */
async function next<T>(messages: AsyncIterator<T>): Promise<T> {
  const result = messages.next();
  const { done, value } = await within(result, 5_000, () => "Cannot read: no message in 5 s");
  assert(!done, "a message");
  return value;
}

const CALL = {
  jsonrpc: "2.0",
  id: 1,
  method: "tools/call",
  params: { name: "count", arguments: {} },
};

Deno.test("connect speaks to an MCP server by POST, which ends the stream with its answer", async () => {
  await using server = await serveMcp();
  const url = `http://127.0.0.1:${server.port}/mcp`;
  const headers = await initialize(url);
  const connection = connect(url, { headers, json: CALL, retry: { onEnd: "close" } });
  assertEquals((await connection.next()).value?.data, "");
  const answers = await Array.fromAsync(connection.json<Rpc>());
  assertEquals(answers.map(({ data }) => data.params?.progress ?? data.result?.content), [
    1,
    2,
    3,
    [{ type: "text", text: "counted" }],
  ]);
  assertEquals((await connection.closed).reason, "ended");
});

Deno.test("connect resumes the answer of an MCP server by GET, when its POST was cut", async () => {
  await using server = await serveMcp();
  await using proxy = cutBehind(server.port, ['"progress":2', '"progress":3']);
  const url = `http://127.0.0.1:${proxy.port}/mcp`;
  const headers = await initialize(url);
  // A stream is resumed by GET: the call itself is sent until there is an ID, and then no more.
  await using connection = connect(url, {
    headers: { ...headers, "content-type": "application/json" },
    body: ({ lastEventId }) => lastEventId === "" ? JSON.stringify(CALL) : undefined,
    retry: () => 0,
  });
  const answers = connection.json<Rpc>(undefined, { onInvalid: "skip" });
  const seen: unknown[] = [];
  // Not to its end: a resumed stream stays open behind the answer.
  while (seen.length < 4) {
    const { id, data } = await next(answers);
    seen.push([id, data.params?.progress ?? data.result?.content]);
  }
  assertEquals(seen, [
    ["4", 1],
    ["5", 2],
    ["6", 3],
    ["7", [{ type: "text", text: "counted" }]],
  ]);
  assertEquals(server.requests.slice(2), [["POST", undefined], ["GET", "4"], ["GET", "5"]]);
});

Deno.test("connect resumes the GET of an MCP server: what was sent meanwhile arrives, in order", async () => {
  await using server = await serveMcp();
  await using proxy = cutBehind(server.port, ["second"]);
  const url = `http://127.0.0.1:${proxy.port}/mcp`;
  const headers = await initialize(url);
  const alive = Promise.withResolvers<string>();
  await using connection = connect(url, { headers, retry: () => 0, onComment: alive.resolve });
  const log = (data: string) => server.mcp.server.sendLoggingMessage({ level: "info", data });
  await connection.opened;
  await log("first");
  const messages = connection.json<Rpc>();
  assertEquals((await next(messages)).data.params?.data, "first");
  await log("second, and so long that it is cut");
  await log("third");
  for (const data of ["second, and so long that it is cut", "third"]) {
    assertEquals((await next(messages)).data.params?.data, data);
  }
  const live = next(messages);
  assertEquals(await alive.promise, "keepalive");
  await log("live again");
  const { event, data } = await live;
  assertEquals([event, data.params?.data], ["message", "live again"]);
  assertEquals(server.requests.slice(2), [["GET", undefined], ["GET", "3"]]);
});
