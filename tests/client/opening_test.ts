/** How {@linkcode connect} opens: what it takes for an event stream, and what becomes of all else. */

import FakeTimers from "@sinonjs/fake-timers";
import {
  assert,
  assertEquals,
  AssertionError,
  assertRejects,
  assertStrictEquals,
} from "@std/assert";
import { connect, type ConnectOptions } from "../../client.ts";
import { ResponseError, RetriesExhaustedError, SseError } from "../../errors.ts";
import { message, settle, unhandled } from "../helpers.ts";
import type { Answer } from "../fault/answer.ts";
import { endless } from "../fault/hostile.ts";
import { delay, within } from "../fault/real_time.ts";
import { faultServer } from "../fault/server.ts";

/** Connects again at once, but not for ever. */
const AT_ONCE: ConnectOptions = { retry: { initialDelay: 0, maxAttempts: 50 } };

const EVENT_STREAM = { "content-type": "text/event-stream" };

/** The error of a connection to a server that has only this answer. */
async function refusal(answer: Answer): Promise<ResponseError> {
  await using server = await faultServer([answer]);
  const connection = connect(server.url, AT_ONCE);
  const error = await assertRejects(() => connection.next(), ResponseError);
  assertStrictEquals(await assertRejects(() => connection.opened), error);
  assertEquals(await connection.closed, { reason: "failed", cause: error });
  assertEquals(await connection.next(), { done: true, value: undefined });
  await server.closed(0);
  return error;
}

function assertIsNetworkError(cause: unknown): SseError {
  if (!(cause instanceof SseError)) throw new AssertionError(`${cause}`);
  assertEquals([cause.code, cause.name], ["ERR_SSE_NETWORK", "SseError"]);
  return cause;
}

// What opens

Deno.test("EventStreamConnection.opened resolves with status, headers and URL of the response", async () => {
  await using server = await faultServer([
    { headers: { ...EVENT_STREAM, "x-a": "é" }, body: "data: a\n\n", end: "stall" },
    { headers: { ...EVENT_STREAM, "x-a": "b" }, end: "stall" },
  ]);
  await using connection = connect(server.url);
  assertEquals(connection.readyState, "connecting");
  const response = await connection.opened;
  assertEquals(connection.readyState, "open");
  assertEquals([response.status, response.url], [200, server.url]);
  assertEquals(response.headers.get("x-a"), "\xe9");
  assertEquals((await connection.next()).value, message("a"));
  // It is the first one, also later.
  connection.reconnect();
  await server.request(1);
  assertStrictEquals(await connection.opened, response);
});

Deno.test("connect opens before anybody asks for an event, and reads nothing then", async () => {
  await using server = await faultServer([{ body: "data: a\n\n", end: "stall" }]);
  await using connection = connect(server.url);
  await connection.opened;
  assertEquals(connection.stats, { bytes: 0, events: 0, attempts: 1, lastByteAt: undefined });
});

Deno.test("EventStreamConnection.opened waits for an attempt that opens", async () => {
  await using server = await faultServer([
    { raw: "", end: "reset" },
    { raw: "", end: "cut" },
    { headers: { ...EVENT_STREAM, "x-attempt": "3" }, end: "stall" },
  ]);
  await using connection = connect(server.url, AT_ONCE);
  assertEquals((await connection.opened).headers.get("x-attempt"), "3");
});

for (
  const [type, opens] of [
    ["text/event-stream", true],
    ["TEXT/Event-STREAM", true],
    ["text/event-stream;charset=utf-8", true],
    ["text/event-stream; charset=iso-8859-1", true],
    ["text/event-stream ; x=y; z", true],
    ["text/event-stream;", true],
    ["text/event-streams", false],
    ["text/event-stream-x", false],
    ["text/plain; type=text/event-stream", false],
    ["text/html", false],
    ["application/json", false],
    ["", false],
    [undefined, false],
  ] as const
) {
  Deno.test(`connect ${opens ? "opens" : "refuses"} the content type ${type} (T19)`, async () => {
    const headers: Record<string, string> = type === undefined ? {} : { "content-type": type };
    const answer = { headers, body: "data: é\n\n" };
    if (!opens) {
      const error = await refusal(answer);
      assertEquals([error.code, error.status], ["ERR_SSE_CONTENT_TYPE", 200]);
      assertEquals(error.body, "data: é\n\n");
      assert(error.message.includes(`received ${JSON.stringify(type ?? "")}`), error.message);
      return;
    }
    await using server = await faultServer([answer, { status: 204 }]);
    // T1: UTF-8, whatever the type says.
    assertEquals(await Array.fromAsync(connect(server.url, AT_ONCE)), [message("é")]);
  });
}

Deno.test("connect takes a 200 without a body for a stream that ended (T20)", async () => {
  for (const framing of ["length", "chunked", "close"] as const) {
    await using server = await faultServer([{ framing }, { status: 204 }]);
    const connection = connect(server.url, AT_ONCE);
    assertEquals(await Array.fromAsync(connection), []);
    assertEquals((await connection.opened).status, 200);
    assertEquals([server.requests.length, (await connection.closed).reason], [2, "no-content"]);
  }
});

Deno.test("connect takes a response of a fetch of the caller that has no body", async () => {
  const answers = [
    new Response(null, { headers: EVENT_STREAM }),
    new Response(null, { status: 204 }),
  ];
  const fetch = () => Promise.resolve(answers.shift()!);
  const connection = connect("https://feed.example/", { ...AT_ONCE, fetch });
  assertEquals(await connection.next(), { done: true, value: undefined });
  assertEquals(answers.length, 0);
});

Deno.test("connect ends the iteration at a 204 without an error, and asks no more", async () => {
  await using server = await faultServer([{ status: 204, headers: { "x-a": "b" } }]);
  const connection = connect(server.url, AT_ONCE);
  assertEquals(await Array.fromAsync(connection), []);
  assertEquals(await connection.closed, { reason: "no-content" });
  const response = await connection.opened;
  assertEquals([response.status, response.headers.get("x-a")], [204, "b"]);
  assertEquals(connection.readyState, "closed");
});

Deno.test("connect ends at a 204 also after it was open, however little it likes the end", async () => {
  await using server = await faultServer([{ body: "data: a\n\n" }, { status: 204 }]);
  const connection = connect(server.url, { ...AT_ONCE, until: () => false });
  assertEquals((await Array.fromAsync(connection)).length, 1);
  assertEquals(await connection.closed, { reason: "no-content" });
  assertEquals((await connection.opened).status, 200);
});

// What is refused

for (const status of [201, 202, 203, 205, 206, 300, 304, 400, 401, 403, 404, 429, 500, 503, 599]) {
  Deno.test(`connect fails at a ${status} with a ResponseError, and asks no more (T19)`, async () => {
    const empty = status === 304;
    const error = await refusal({
      status,
      headers: { ...EVENT_STREAM, "x-why": "w", "retry-after": "0" },
      body: empty ? "" : "because é",
      // Deno refuses a 205 that says to have a body.
      ...(status === 205 && { body: "", framing: "close" as const }),
    });
    assertEquals([error.code, error.name, error.status], [
      "ERR_SSE_STATUS",
      "ResponseError",
      status,
    ]);
    assertEquals(error.headers.get("x-why"), "w");
    assertEquals(error.body, empty || status === 205 ? "" : "because é");
    assert(error.message.includes(`received ${status}`), error.message);
  });
}

Deno.test("connect fails at a refusal after it was open, with what it had given", async () => {
  await using server = await faultServer([
    { body: "id: 1\ndata: a\n\n" },
    { status: 404, body: "gone" },
  ]);
  const connection = connect(server.url, AT_ONCE);
  assertEquals((await connection.next()).value?.data, "a");
  const error = await assertRejects(() => connection.next(), ResponseError);
  assertEquals([error.status, error.body], [404, "gone"]);
  assertEquals((await connection.opened).status, 200);
  assertEquals(connection.lastEventId, "1");
});

for (
  const [what, body, start] of [
    ["nothing", "", ""],
    ["4,096 bytes", "x".repeat(4_096), "x".repeat(4_096)],
    ["4,097 bytes", "x".repeat(4_097), "x".repeat(4_096)],
    ["many pieces", Array(5_000).fill("x"), "x".repeat(4_096)],
    ["a character at the cut", "x".repeat(4_095) + "é", "x".repeat(4_095)],
    ["bytes that are no UTF-8", Uint8Array.of(0x61, 0xff), "a\ufffd"],
  ] as [string, Answer["body"], string][]
) {
  Deno.test(`ResponseError.body holds the first 4,096 bytes of ${what}`, async () => {
    for (const status of [500, 200]) {
      const error = await refusal({ status, headers: { "content-type": "a/b" }, body });
      assertEquals(error.body, start);
    }
  });
}

for (
  const answer of [
    { status: 500, body: endless() },
    { headers: { "content-type": "text/html" }, body: endless() },
    { status: 429, body: "x".repeat(4_096), end: "stall" },
  ] as Answer[]
) {
  const { status = 200, end = "no end" } = answer;
  Deno.test(`connect cancels the body of a refused ${status} with ${end}, and frees its socket`, async () => {
    await using server = await faultServer([answer]);
    const connection = connect(server.url);
    const error = await assertRejects(() => connection.next(), ResponseError);
    assertEquals(error.body.length, 4_096);
    assertEquals(await server.closed(0), "client");
    assertEquals(server.open, 0);
  });
}

Deno.test("connect frees the socket of each refusal that is tried again", async () => {
  const body = endless();
  await using server = await faultServer([
    { status: 503, body },
    { status: 503, body: "x".repeat(5_000), end: "stall" },
    { status: 204 },
  ]);
  const connection = connect(server.url, { retry: { initialDelay: 0, statuses: [503] } });
  assertEquals(await connection.next(), { done: true, value: undefined });
  assertEquals([await server.closed(0), await server.closed(1)], ["client", "client"]);
});

Deno.test("connect cancels the body of a refusal and aborts its request, for not every fetch does both", async () => {
  for (const length of [1, 4_096]) {
    let cancelled = 0;
    const aborted: unknown[] = [];
    let signal: AbortSignal | null | undefined;
    const connection = connect("https://feed.example/", {
      retry: { initialDelay: 0, maxAttempts: 2, statuses: [500] },
      fetch: (_url, init) => {
        aborted.push(signal?.aborted);
        signal = init?.signal;
        const body = new ReadableStream({
          pull: (controller) => controller.enqueue(new Uint8Array(length)),
          cancel: () => void cancelled++,
        });
        return Promise.resolve(new Response(body, { status: 500 }));
      },
    });
    await assertRejects(() => connection.next(), RetriesExhaustedError);
    aborted.push(signal?.aborted);
    assertEquals([cancelled, aborted], [2, [undefined, true, true]], `${length}`);
  }
});

Deno.test("connect tells a refusal although its body breaks", async () => {
  for (const end of ["reset", "cut"] as const) {
    await using server = await faultServer([{ status: 500, body: "abcdef", cutAt: 3, end }]);
    const error = await assertRejects(() => connect(server.url).next(), ResponseError);
    // A reset may overtake what came before it.
    assert("abc".startsWith(error.body), error.body);
  }
});

Deno.test("connect waits 2 s for the body of a refusal, no longer, and frees its socket", async () => {
  const clock = FakeTimers.install({ toNotFake: ["nextTick"] });
  try {
    await using server = await faultServer([{ status: 500, body: "abc", end: "stall" }]);
    const connection = connect(server.url);
    let settled = false;
    const failed = assertRejects(() => connection.next(), ResponseError);
    failed.finally(() => settled = true);
    while (clock.countTimers() === 0) await delay(1);
    // For the body to come, which is there already.
    await delay(20);
    await clock.tickAsync(1_999);
    await delay(20);
    assertEquals([settled, server.open], [false, 1]);
    await clock.tickAsync(1);
    await within(failed, 5_000, () => "The body is still waited for");
    const error = await failed;
    assertEquals([error.status, error.body], [500, "abc"]);
    assertEquals(await server.closed(0), "client");
    assertEquals(clock.countTimers(), 0);
  } finally {
    clock.uninstall();
  }
});

Deno.test("connect leaves no timer behind a refusal that came in time", async () => {
  const clock = FakeTimers.install({ toNotFake: ["nextTick"] });
  try {
    await using server = await faultServer([{ status: 500, body: "abc" }]);
    await assertRejects(() => connect(server.url).next(), ResponseError);
    assertEquals(clock.countTimers(), 0);
  } finally {
    clock.uninstall();
  }
});

Deno.test("EventStreamConnection.close does not wait for the body of a refusal", async () => {
  await using server = await faultServer([{ status: 500, body: "abc", end: "stall" }]);
  const answered = Promise.withResolvers<void>();
  const connection = connect(server.url, {
    fetch: async (...args) => {
      const response = await fetch(...args);
      answered.resolve();
      return response;
    },
  });
  const next = connection.next();
  await answered.promise;
  await settle();
  connection.close();
  assertEquals(await next, { done: true, value: undefined });
  assertEquals((await connection.closed).reason, "closed");
  assertEquals(await server.closed(0), "client");
});

// What never answers as it should

for (
  const [what, answer] of [
    ["garbage", { raw: "hello\r\n\r\n" }],
    ["garbage for a status", { raw: "HTTP/1.1 abc\r\n\r\n" }],
    ["nothing", { raw: "" }],
    ["a reset", { raw: "", end: "reset" }],
    ["half a head", { raw: "HTTP/1.1 200 OK\r\ncontent-type: text/ev", end: "cut" }],
    ["half a head and a reset", { raw: "HTTP/1.1 200 OK\r\n", end: "reset" }],
  ] as [string, Answer][]
) {
  Deno.test(`connect takes ${what} for a network error, and tries again`, async () => {
    await using server = await faultServer([answer, { body: "data: a\n\n" }, { status: 204 }]);
    const causes: unknown[] = [];
    const connection = connect(server.url, {
      ...AT_ONCE,
      onState: (state) => state.state === "retry" && causes.push(state.cause),
    });
    assertEquals(await Array.fromAsync(connection), [message("a")]);
    const [cause, end] = causes;
    const error = assertIsNetworkError(cause);
    assert(error.message.startsWith("Cannot read event stream: the request failed: "));
    assert(error.cause instanceof Error, `${error.cause}`);
    assertEquals(end, undefined);
  });
}

Deno.test("connect takes a refused connection for a network error, and tries again", async () => {
  const server = await faultServer([]);
  await server.close();
  const connection = connect(server.url, { retry: { initialDelay: 0, maxAttempts: 3 } });
  const error = await assertRejects(() => connection.next(), RetriesExhaustedError);
  assertEquals([error.attempts, connection.stats.attempts], [3, 3]);
  assertIsNetworkError(error.cause);
  assertStrictEquals(await assertRejects(() => connection.opened), error);
});

Deno.test("connect with retry false fails with the network error itself", async () => {
  await using server = await faultServer([{ raw: "", end: "reset" }]);
  const connection = connect(server.url, { retry: false });
  const error = await assertRejects(() => connection.next(), SseError);
  assertEquals(error.code, "ERR_SSE_NETWORK");
  assertEquals(await connection.closed, { reason: "failed", cause: error });
});

for (
  const [what, fetch] of [
    ["throws", () => {
      throw new Error("no network here");
    }],
    ["rejects", () => Promise.reject(new Error("no network here"))],
    ["rejects with no error", () => Promise.reject("no network here")],
    ["gives no response", () => Promise.resolve(undefined)],
  ] as unknown as [string, typeof globalThis.fetch][]
) {
  Deno.test(`connect takes a fetch that ${what} for a network error, and tries again`, async () => {
    let calls = 0;
    const connection = connect("https://feed.example/", {
      retry: { initialDelay: 0, maxAttempts: 2 },
      fetch: (...args) => {
        calls++;
        return fetch(...args);
      },
    });
    const { cause } = await assertRejects(() => connection.next(), RetriesExhaustedError);
    const { message } = assertIsNetworkError(cause);
    if (what !== "gives no response") assert(message.endsWith(": no network here"), message);
    assertEquals(calls, 2);
  });
}

// Left before it is open

for (
  const [how, leave] of [
    ["close", (connection) => connection.close("reason")],
    ["return", (connection) => connection.return()],
    ["the end of its scope", (connection) => connection[Symbol.asyncDispose]()],
  ] as [string, (connection: ReturnType<typeof connect>) => unknown][]
) {
  Deno.test(`EventStreamConnection.opened rejects where ${how} comes first`, async () => {
    await using server = await faultServer(["hold"]);
    const connection = connect(server.url);
    await server.request(0);
    await leave(connection);
    const error = await assertRejects(
      () => connection.opened,
      SseError,
      "Cannot open: the connection was closed before",
    );
    assertEquals(error.code, "ERR_SSE_CLOSED");
    assertEquals((await connection.closed).reason, "closed");
    assertEquals(await server.closed(0), "client");
  });
}

Deno.test("EventStreamConnection.opened rejects with ERR_SSE_CLOSED where nothing was sent yet", async () => {
  await using server = await faultServer([]);
  const connection = connect(server.url);
  connection.close();
  const error = await assertRejects(() => connection.opened, SseError);
  assertEquals(error.code, "ERR_SSE_CLOSED");
  assertEquals(await connection.next(), { done: true, value: undefined });
  await delay(5);
  assertEquals(server.connections.length, 0);
});

Deno.test("EventStreamConnection.opened rejects with the reason of the signal", async () => {
  await using server = await faultServer(["hold"]);
  for (const reason of [new Error("enough"), "enough", undefined]) {
    const controller = new AbortController();
    controller.abort(reason);
    const connection = connect(server.url, { signal: controller.signal });
    const rejected = await connection.opened.catch((error) => error);
    assertStrictEquals(rejected, controller.signal.reason);
    assertEquals(await connection.closed, { reason: "aborted", cause: rejected });
  }
  assertEquals(server.connections.length, 0);
});

Deno.test("connect leaves no rejection unhandled where nobody looks at opened or reads", async () => {
  const refuse = { status: 500 };
  await using server = await faultServer([refuse, refuse, "hold", "hold"]);
  const reasons = await unhandled(async () => {
    await connect(server.url).closed;
    await assertRejects(() => connect(server.url).next(), ResponseError);
    const connection = connect(server.url);
    await server.request(2);
    connection.close();
    await connection.closed;
    const controller = new AbortController();
    const aborted = connect(server.url, { signal: controller.signal });
    await server.request(3);
    controller.abort();
    await aborted.closed;
    await connect(server.url, { headers: () => Promise.reject(new Error("no token")) }).closed;
    await connect(server.url, { fetch: () => Promise.reject(new Error("x")), retry: false }).closed;
  });
  assertEquals(reasons, []);
  // That the count would have seen one.
  assertEquals((await unhandled(() => Promise.resolve(void Promise.reject(1)))).length, 1);
});

Deno.test("connect reads what comes in the same packet as the head, and gzip", async () => {
  await using server = await faultServer([
    { raw: "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\ndata: é\n\n" },
    { body: "data: b\n\n", gzip: true },
    { status: 204 },
  ]);
  const events = await Array.fromAsync(connect(server.url, AT_ONCE));
  assertEquals(events.map(({ data }) => data), ["é", "b"]);
});
