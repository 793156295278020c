/** {@linkcode connect} as its users have it: answers of language models, and a Mercure hub. */

import { assertEquals, assertRejects } from "@std/assert";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import { connect, type ConnectOptions } from "../../client.ts";
import { ResponseError, SseError, TruncatedError } from "../../errors.ts";
import { readRecording } from "../../examples/recording.ts";
import { within } from "../fault/real_time.ts";
import { type FaultServer, faultServer } from "../fault/server.ts";
import { message, text } from "../helpers.ts";

// A chat completion: one POST, chunks of JSON, and "[DONE]"

const CHUNKS = ["Grüße", ", ", "日本 ", "👋"].map((content) =>
  `data: {"object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":"${content}"}}]}\n\n`
);
const DONE = "data: [DONE]\n\n";

const Chunk = z.object({
  choices: z.array(z.object({ delta: z.object({ content: z.string().optional() }) })),
});

const QUESTION = { model: "m", stream: true, messages: [{ role: "user", content: "Grüße?" }] };

/** Asks as a user of a chat API does. */
function ask({ url }: FaultServer, options: ConnectOptions = {}) {
  return connect(url, {
    headers: () => Promise.resolve({ authorization: "Bearer key" }),
    json: QUESTION,
    until: ({ data }) => data === "[DONE]",
    retry: { onEnd: "close" },
    ...options,
  });
}

/** The text of an answer; what came before an error is in `parts`. */
async function answer(connection: ReturnType<typeof ask>, parts: string[] = []): Promise<string> {
  for await (const { data } of connection.json(Chunk)) {
    for (const { delta } of data.choices) parts.push(delta.content ?? "");
  }
  return parts.join("");
}

Deno.test("connect posts a question as JSON and reads the answer, checked by its schema", async () => {
  await using server = await faultServer([{ body: [...CHUNKS, DONE] }]);
  assertEquals(await answer(ask(server)), "Grüße, 日本 👋");
  const request = await server.request(0);
  assertEquals(
    ["content-type", "authorization", "accept", "last-event-id"].map((name) =>
      request.header(name)
    ),
    ["application/json", "Bearer key", "text/event-stream", undefined],
  );
  assertEquals([request.method, JSON.parse(text(request.body))], ["POST", QUESTION]);
});

Deno.test("connect leaves at [DONE], also when the server goes on after it", async () => {
  await using server = await faultServer([{ body: [...CHUNKS, DONE, CHUNKS[0]], end: "stall" }]);
  const connection = ask(server);
  const all = within(answer(connection), 5_000, () => "Cannot end: it waits for the server to");
  assertEquals(await all, "Grüße, 日本 👋");
  assertEquals(await server.closed(0), "client");
  assertEquals(await connection.closed, { reason: "ended" });
});

for (
  const { where, body } of [
    { where: "between two chunks", body: CHUNKS.slice(0, 2).join("") },
    { where: "inside of a chunk", body: CHUNKS.slice(0, 3).join("").slice(0, -30) },
    { where: "before the blank line of [DONE]", body: CHUNKS.slice(0, 2).join("") + DONE.trim() },
    { where: "before the first chunk", body: "" },
  ]
) {
  Deno.test(`connect tells an answer that ends ${where} from a whole one`, async () => {
    await using server = await faultServer([{ body }]);
    const connection = ask(server);
    const parts: string[] = [];
    const error = await assertRejects(() => answer(connection, parts), TruncatedError);
    // What did come was given out first.
    assertEquals(parts, body === "" ? [] : ["Grüße", ", "]);
    assertEquals(await connection.closed, { reason: "failed", cause: error });
    assertEquals(server.requests.length, 1);
  });
}

Deno.test("connect does not ask again behind half an answer, with retry false", async () => {
  await using server = await faultServer([{ body: CHUNKS.slice(0, 2), end: "reset" }]);
  const parts: string[] = [];
  const error = await assertRejects(() => answer(ask(server, { retry: false }), parts), SseError);
  assertEquals([parts.join(""), error.code], ["Grüße, ", "ERR_SSE_NETWORK"]);
});

Deno.test("connect tells why a chat API refused, and asks again when it says so", async () => {
  const headers = { "content-type": "application/json", "retry-after": "0" };
  const body = '{"error":{"message":"Rate limit reached","code":"rate_limit_exceeded"}}';
  await using server = await faultServer([
    { status: 429, headers, body },
    { body: [...CHUNKS, DONE] },
    { status: 400, headers, body },
  ]);
  const retry = { onEnd: "close", statuses: [429], initialDelay: 0 } as const;
  assertEquals(await answer(ask(server, { retry })), "Grüße, 日本 👋");
  assertEquals(server.requests[0].body, server.requests[1].body);
  const error = await assertRejects(() => answer(ask(server, { retry })), ResponseError);
  assertEquals([error.status, JSON.parse(error.body).error.code], [400, "rate_limit_exceeded"]);
});

// A messages stream: named events, pings among them, and an event for an error

const TOKENS = fileURLToPath(new URL("../fixtures/tokens.sse", import.meta.url));

const Delta = z.object({ index: z.number(), delta: z.object({ text: z.string() }) });
const SCHEMAS = {
  message_start: z.object({ message: z.object({ id: z.string() }) }),
  content_block_delta: Delta,
  error: z.object({ error: z.object({ type: z.string(), message: z.string() }) }),
};
const named = (event: string, rest: object = {}) =>
  `event: ${event}\ndata: ${JSON.stringify({ type: event, ...rest })}\n\n`;
const START = named("message_start", { message: { id: "msg_1" } }) + named("ping");
const STOP = named("message_delta", { delta: { stop_reason: "end_turn" } }) + named("message_stop");

const MESSAGE: ConnectOptions = {
  headers: { "x-api-key": "key" },
  json: { stream: true },
  until: ({ event }) => event === "message_stop",
  retry: { onEnd: "close" },
};

Deno.test("connect reads a messages stream as a union of its events, to message_stop", async () => {
  const recording = await readRecording(TOKENS);
  async function* body() {
    yield START;
    yield* recording.stream();
    yield named("ping");
    yield STOP;
  }
  await using server = await faultServer([{ body: body() }]);
  let id = "";
  let all = "";
  for await (const { event, data } of connect(server.url, MESSAGE).json(SCHEMAS)) {
    if (event === "message_start") id = data.message.id;
    else if (event === "content_block_delta") all += data.delta.text;
    else throw new Error(data.error.message);
  }
  const sent = recording.events.filter(({ event }) => event === "content_block_delta")
    .map(({ data }) => Delta.parse(JSON.parse(data)).delta.text);
  assertEquals([id, all], ["msg_1", sent.join("")]);
  assertEquals((await server.request(0)).header("x-api-key"), "key");
});

Deno.test("connect gives out the error event of a messages stream, which then ends too early", async () => {
  const overloaded = named("error", { error: { type: "overloaded_error", message: "Overloaded" } });
  await using server = await faultServer([{ body: START + overloaded }]);
  const seen: string[] = [];
  await assertRejects(async () => {
    for await (const { event, data } of connect(server.url, MESSAGE).json(SCHEMAS)) {
      seen.push(event === "error" ? data.error.type : event);
    }
  }, TruncatedError);
  assertEquals(seen, ["message_start", "overloaded_error"]);
});

// A Mercure hub: topics in the query, IDs that are URNs, and the last one in the query too

const HUB_PATH = "/.well-known/mercure";
const IDS = [1, 2, 3].map((n) => `urn:uuid:0b3dc5f8-6ab8-4f6e-9c1a-00000000000${n}`);
const update = (n: number) =>
  `event: book\nid: ${IDS[n]}\ndata: {"@id":"https://example.com/books/${n}",\ndata: "n":${n}}\n\n`;
const received = (n: number) =>
  message(`{"@id":"https://example.com/books/${n}",\n"n":${n}}`, { event: "book", id: IDS[n] });

/** Subscribes to two topics, one of which is a URI template. */
function subscribe({ origin }: FaultServer, options: ConnectOptions = {}) {
  const hub = new URL(HUB_PATH, origin);
  hub.searchParams.append("topic", "https://example.com/books/{id}");
  hub.searchParams.append("topic", "https://example.com/é?a=b&c");
  return connect(hub, {
    headers: { authorization: "Bearer jwt" },
    lastEventIdParam: "lastEventID",
    retry: { initialDelay: 0 },
    ...options,
  });
}

Deno.test("connect resumes from a Mercure hub by query and header, with its topics kept", async () => {
  await using server = await faultServer([
    // As a hub opens: a comment, so that the headers go out.
    { body: [":\n", update(0), update(1).slice(0, 60)], end: "cut" },
    { body: ":\n" + update(1) },
    { body: [":\n", update(2)], end: "stall" },
  ]);
  const connection = subscribe(server);
  for (const n of [0, 1, 2]) assertEquals((await connection.next()).value, received(n));
  await connection.return();
  assertEquals(await server.closed(2), "client");
  const topics = ["https://example.com/books/{id}", "https://example.com/é?a=b&c"];
  for (const [i, id] of [undefined, IDS[0], IDS[1]].entries()) {
    const request = await server.request(i);
    assertEquals([request.path, request.query.getAll("topic")], [HUB_PATH, topics]);
    assertEquals(request.query.getAll("lastEventID"), id === undefined ? [] : [id]);
    assertEquals([request.lastEventId, request.header("authorization")], [id, "Bearer jwt"]);
  }
});

Deno.test("connect asks a Mercure hub for its whole history, then from what it had of it", async () => {
  await using server = await faultServer([{ body: update(0) }, { body: update(1), end: "stall" }]);
  await using connection = subscribe(server, { lastEventId: "earliest" });
  for (const n of [0, 1]) assertEquals((await connection.next()).value, received(n));
  assertEquals(server.requests.map(({ query }) => query.get("lastEventID")), ["earliest", IDS[0]]);
});
