/** {@linkcode faultServer}: that each misbehaviour really occurs, and that nothing stays behind. */

import FakeTimers from "@sinonjs/fake-timers";
import { assert, assertEquals, assertRejects } from "@std/assert";
import { ClientLeft } from "./connection.ts";
import { concat, raw, text, utf8 } from "../helpers.ts";
import { endless } from "./hostile.ts";
import { faultServer } from "./server.ts";

const EVENT = "id: 1\ndata: é\n\n";

/** What the reader of a body gets, and how it ends. */
async function drain(response: Response): Promise<{ text: string; error?: string }> {
  const parts: Uint8Array[] = [];
  try {
    for await (const part of response.body ?? []) parts.push(part);
  } catch (error) {
    return { text: text(concat(...parts)), error: String(error) };
  }
  return { text: text(concat(...parts)) };
}

/** A client without HTTP: sends bytes, and reads until it may not. */
async function dial(server: { origin: string }, bytes: string): Promise<Deno.Conn> {
  const conn = await Deno.connect({
    hostname: "127.0.0.1",
    port: Number(new URL(server.origin).port),
  });
  await conn.write(raw(bytes));
  return conn;
}

async function readAll(conn: Deno.Conn): Promise<{ text: string; error?: string }> {
  return await drain(new Response(conn.readable));
}

// What was received

Deno.test("faultServer keeps what it received, byte for byte", async () => {
  await using server = await faultServer([{ status: 204 }]);
  const conn = await dial(
    server,
    "POST /a/b?x=1&y=%C3%A9 HTTP/1.1\r\nHost: h\r\nLast-Event-ID:  \xc3\xa9\x01 \r\n" +
      "X: 1\r\nx: 2\r\nContent-Length: 3\r\n\r\na\xff\n",
  );
  const request = await server.request(0);
  assertEquals(request.method, "POST");
  assertEquals(request.path, "/a/b");
  assertEquals([...request.query], [["x", "1"], ["y", "é"]]);
  assertEquals(request.header("last-event-id"), " \xc3\xa9\x01 ");
  assertEquals(request.headers[1].bytes, raw(" \xc3\xa9\x01 "));
  assertEquals(request.lastEventId, " é\x01 ");
  assertEquals(request.header("x"), "1, 2");
  assertEquals(request.header("y"), undefined);
  assertEquals(request.body, raw("a\xff\n"));
  assertEquals(request.connection.index, 0);
  assert(request.at <= performance.now());
  conn.close();
});

Deno.test("faultServer reads the body that fetch sends, whole or streamed", async () => {
  await using server = await faultServer(() => ({ status: 204 }));
  await fetch(server.url, { method: "POST", body: "é".repeat(50_000) });
  const body = ReadableStream.from([utf8("a"), utf8("bc")]);
  await fetch(`${server.origin}/?q`, { method: "PUT", body });
  assertEquals(server.requests.map(({ body }) => body.length), [100_000, 3]);
  assertEquals(server.requests.map(({ target }) => target), ["/events", "/?q"]);
});

Deno.test("FaultServer.close throws that a client sent no HTTP", async () => {
  const server = await faultServer([]);
  const conn = await dial(server, "hello\r\n\r\n");
  await readAll(conn);
  await assertRejects(
    () => server.close(),
    Error,
    'Cannot read request: its first line is "hello"',
  );
});

// Heads

Deno.test("faultServer answers with an event stream by default", async () => {
  await using server = await faultServer([{ body: EVENT }, {}]);
  const response = await fetch(server.url);
  assertEquals(response.status, 200);
  assertEquals(response.headers.get("content-type"), "text/event-stream");
  assertEquals(await drain(response), { text: EVENT });
  assertEquals(await drain(await fetch(server.url)), { text: "" });
});

Deno.test("faultServer sends any status and headers, several of one name and Latin-1 too", async () => {
  await using server = await faultServer([
    { status: 503, headers: { "retry-after": "2", "x": ["a", "\xe9"] } },
    { status: 204, headers: {} },
    { status: 599, body: "no", headers: { "content-type": "text/html" }, framing: "close" },
  ]);
  const response = await fetch(server.url);
  assertEquals([response.status, response.headers.get("retry-after")], [503, "2"]);
  assertEquals(response.headers.get("x"), "a, \xe9");
  assertEquals(response.headers.get("content-type"), null);
  assertEquals(await drain(response), { text: "" });
  assertEquals((await fetch(server.url)).status, 204);
  const last = await fetch(server.url);
  assertEquals([last.status, last.headers.get("content-type")], [599, "text/html"]);
  assertEquals(await drain(last), { text: "no" });
});

for (const status of [301, 302, 303, 307, 308]) {
  Deno.test(`faultServer redirects by ${status}, to itself and to another origin`, async () => {
    await using other = await faultServer([{ body: EVENT }]);
    await using server = await faultServer([
      { status, headers: { location: "/b" } },
      { status, headers: { location: other.url } },
    ]);
    const response = await fetch(server.url, { method: "POST", body: "a" });
    assertEquals(await drain(response), { text: EVENT });
    assertEquals(response.url, other.url);
    const method = status < 304 ? "GET" : "POST";
    assertEquals(server.requests.map(({ path }) => path), ["/events", "/b"]);
    assertEquals([...server.requests, ...other.requests].map(({ method }) => method), [
      "POST",
      method,
      method,
    ]);
  });
}

Deno.test("faultServer takes steps of code, which may see the request", async () => {
  await using server = await faultServer([
    ({ path }) => ({ status: 401, headers: { "www-authenticate": path } }),
    async (_request, reply) => {
      await reply.write("data: a\n\n");
      await reply.finish();
    },
  ]);
  const denied = await fetch(server.url);
  assertEquals([denied.status, denied.headers.get("www-authenticate")], [401, "/events"]);
  assertEquals(await drain(denied), { text: "" });
  assertEquals(await drain(await fetch(server.url)), { text: "data: a\n\n" });
});

// Bodies and their ends

const ENDS = [
  // framing, end, what fetch must see of "data: aé\n\n" cut inside the é
  ["chunked", "finish", false],
  ["chunked", "cut", true],
  ["chunked", "reset", true],
  ["length", "finish", false],
  ["length", "cut", true],
  ["length", "reset", true],
  ["close", "finish", false],
  ["close", "cut", false],
  ["close", "reset", true],
] as const;

for (const [framing, end, fails] of ENDS) {
  for (const whole of [true, false]) {
    const where = whole ? "after the body" : "inside a character";
    Deno.test(`faultServer ends a body of framing "${framing}" by "${end}" ${where}`, async () => {
      await using server = await faultServer([{
        body: "data: aé\n\n",
        framing,
        end,
        cutAt: whole ? undefined : 8,
      }]);
      const conn = await dial(server, "GET / HTTP/1.1\r\n\r\n");
      const { text, error } = await readAll(conn);
      assertEquals(error?.match(/\w+/)?.[0], end === "reset" ? "ConnectionReset" : undefined);
      const body = text.slice(text.indexOf("\r\n\r\n") + 4);
      const chunked = framing === "chunked";
      const tail = chunked && end === "finish" ? "0\r\n\r\n" : "";
      if (whole) assertEquals(body, (chunked ? "b\r\ndata: aé\n\n\r\n" : "data: aé\n\n") + tail);
      else if (!chunked) assertEquals(body, "data: a\ufffd");
      else if (end === "finish") assertEquals(body, "8\r\ndata: a\ufffd\r\n" + tail);
      else assertEquals(body, "b\r\ndata: a\ufffd");
      assertEquals(await server.closed(0), "server");
      // A body of known length is whole where all of it came, however the connection ends after.
      if (whole && framing === "length") return;

      await using again = await faultServer([{
        body: "data: aé\n\n",
        framing,
        end,
        cutAt: whole ? undefined : 8,
      }]);
      const seen = await drain(await fetch(again.url));
      assertEquals(seen.error !== undefined, fails, seen.error);
      assertEquals(seen.text, whole ? "data: aé\n\n" : "data: a\ufffd");
    });
  }
}

Deno.test("faultServer compresses a body, and cuts what it compressed", async () => {
  await using server = await faultServer([
    { body: EVENT.repeat(100), gzip: true },
    { body: EVENT.repeat(100), gzip: true, cutAt: 20 },
  ]);
  const response = await fetch(server.url);
  assertEquals(await drain(response), { text: EVENT.repeat(100) });
  assert(server.requests[0].written < 200);
  const { error } = await drain(await fetch(server.url));
  assert(error !== undefined);
  assertEquals(server.requests[1].written, 20);
});

Deno.test("faultServer sends each piece of an array in a chunk of its own", async () => {
  await using server = await faultServer([{ body: ["data", "", utf8(": a\n"), "\n"] }]);
  const { text } = await readAll(await dial(server, "GET / HTTP/1.1\r\n\r\n"));
  assert(text.endsWith("\r\n\r\n4\r\ndata\r\n4\r\n: a\n\r\n1\r\n\n\r\n0\r\n\r\n"), text);
});

Deno.test("FaultServer.close throws that an answer needs a length it cannot have", async () => {
  const server = await faultServer([{ body: endless(), framing: "length" }]);
  await assertRejects(() => fetch(server.url));
  await assertRejects(() => server.close(), TypeError, "the length of its body is unknown");
});

Deno.test("faultServer sends garbage instead of HTTP, or nothing at all", async () => {
  await using server = await faultServer([
    { raw: "garbage\r\n\r\n" },
    { raw: "" },
    { raw: "", end: "reset" },
  ]);
  await assertRejects(() => fetch(server.url), TypeError);
  await assertRejects(() => fetch(server.url), TypeError);
  await assertRejects(() => fetch(server.url), TypeError);
  assertEquals(server.requests.length, 3);
});

// The test as the one who writes

Deno.test('faultServer withholds the headers of "hold" until the test sends them', async () => {
  await using server = await faultServer(["hold"]);
  let opened = false;
  const response = fetch(server.url).finally(() => opened = true);
  const { reply } = await server.request(0);
  await reply.raw("HTTP/1.1 200 OK\r\n");
  assertEquals(opened, false);
  await reply.raw("transfer-encoding: chunked\r\n\r\n");
  assertEquals((await response).status, 200);
  await reply.raw("3\r\nabc\r\n0\r\n\r\n");
  assertEquals(await drain(await response), { text: "abc" });
  reply.cut();
});

Deno.test("Reply drips bytes as the test says, after a stall", async () => {
  await using server = await faultServer([{ body: "da", end: "stall" }]);
  const response = await fetch(server.url);
  const reader = response.body!.getReader();
  assertEquals((await reader.read()).value, utf8("da"));
  const { reply, answered } = await server.request(0);
  await answered;
  for (const byte of utf8("ta: é\n\n")) {
    await reply.write(Uint8Array.of(byte));
    assertEquals((await reader.read()).value, Uint8Array.of(byte));
  }
  assertEquals(reply.written, 10);
  await reply.finish();
  assertEquals((await reader.read()).done, true);
});

Deno.test("Reply.reset and Reply.cut end what the client already reads", async () => {
  await using server = await faultServer(() => ({ body: EVENT, end: "stall" }));
  for (const [n, end] of (["reset", "cut"] as const).entries()) {
    const reader = (await fetch(server.url)).body!.getReader();
    assertEquals((await reader.read()).value, utf8(EVENT));
    server.requests[n].reply[end]();
    await assertRejects(() => reader.read(), TypeError);
    assertEquals(await server.closed(n), "server");
  }
});

Deno.test("Reply.written stops where the client does not read, and goes on where it does", async () => {
  await using server = await faultServer([{ body: endless() }]);
  const controller = new AbortController();
  const response = await fetch(server.url, { signal: controller.signal });
  const { reply } = await server.request(0);
  const taken = await reply.blocked();
  assert(taken > 0 && taken < 32_000_000, `${taken}`);
  assertEquals(await reply.blocked(), taken);
  let read = 0;
  for await (const part of response.body!) {
    read += part.length;
    if (read > taken + 1_000_000) break;
  }
  assert(reply.written > taken);
  assertEquals(await server.closed(0), "client");
});

Deno.test("Reply.blocked says that nothing waits", async () => {
  await using server = await faultServer(["hold"]);
  const response = fetch(server.url);
  const { reply } = await server.request(0);
  await reply.head({}, 0);
  await assertRejects(() => reply.blocked(10, 20), Error, "after 20 ms no write waits");
  await reply.finish();
  assertEquals(await drain(await response), { text: "" });
});

// Facts to wait for

Deno.test("FaultServer.closed tells that the client has left, before headers and in a body", async () => {
  await using server = await faultServer(["hold", { body: EVENT, end: "stall" }]);
  for (const n of [0, 1]) {
    const controller = new AbortController();
    const response = fetch(server.url, { signal: controller.signal });
    const failed = assertRejects(() => response.then((response) => response.text()));
    await server.request(n);
    if (n === 1) await response;
    assertEquals(server.open, 1);
    controller.abort();
    assertEquals(await server.closed(n), "client");
    assertEquals(server.open, 0);
    await failed;
    await assertRejects(() => server.requests[n].reply.write("a"), ClientLeft);
  }
});

Deno.test("FaultServer.request and closed throw what they waited for in vain", async () => {
  await using server = await faultServer(["hold"], { patience: 20 });
  await assertRejects(
    () => server.request(0),
    Error,
    "Cannot give request 0: after 20 ms there were none",
  );
  const response = fetch(server.url);
  response.catch(() => {});
  await server.request(0);
  await assertRejects(
    () => server.request(1),
    Error,
    "Cannot give request 1: after 20 ms there were 0: GET /events",
  );
  await assertRejects(
    () => server.closed(0),
    Error,
    "Cannot see request 0 closed: after 20 ms the client still holds it",
  );
});

Deno.test("FaultServer.close throws that the script was too short, or failed", async () => {
  const server = await faultServer([() => {
    throw new RangeError("thrown");
  }]);
  await assertRejects(() => fetch(server.url), TypeError);
  await assertRejects(() => fetch(server.url), TypeError);
  const error = await assertRejects(() => server.close(), AggregateError);
  assertEquals(error.errors.map(String), [
    "RangeError: thrown",
    "Error: Cannot answer GET /events: the script has no step past 1",
  ]);
  await server.close();
});

Deno.test("faultServer answers what is past the script with `rest`", async () => {
  await using server = await faultServer([{ status: 500 }], { rest: { body: EVENT } });
  assertEquals(await drain(await fetch(server.url)), { text: "" });
  for (const _ of [1, 2]) assertEquals(await drain(await fetch(server.url)), { text: EVENT });
});

// Connections

Deno.test("faultServer closes each connection, or keeps it for the next request", async () => {
  await using single = await faultServer(() => ({ body: EVENT }));
  await using kept = await faultServer(() => ({ body: EVENT }), { keepAlive: true });
  for (const server of [single, kept]) {
    for (const _ of [1, 2]) assertEquals(await drain(await fetch(server.url)), { text: EVENT });
  }
  assertEquals(single.requests.map(({ connection }) => connection.index), [0, 1]);
  assertEquals(kept.requests.map(({ connection }) => connection.index), [0, 0]);
  assertEquals([await single.closed(0), await single.closed(1)], ["server", "server"]);
  assertEquals(single.open, 0);
  // A client may open one more while the first is on its way back.
  assert(kept.open > 0);
});

Deno.test("FaultServer.close frees what clients still hold", async () => {
  const server = await faultServer(["hold", { body: EVENT, end: "stall" }, { body: endless() }]);
  const held = assertRejects(() => fetch(server.url), TypeError);
  await server.request(0);
  const stalled = await fetch(server.url);
  const reading = await fetch(server.url);
  const idle = await dial(server, "");
  await server.requests[2].reply.blocked();
  await server.close();
  await held;
  assert((await drain(stalled)).error !== undefined);
  assert((await drain(reading)).error !== undefined);
  assertEquals(await readAll(idle), { text: "" });
  await assertRejects(() => fetch(server.url), TypeError);
});

// The clock

Deno.test("faultServer works under a fake clock", async () => {
  const clock = FakeTimers.install({ toNotFake: ["nextTick"] });
  try {
    await using server = await faultServer([{ body: EVENT, end: "stall" }], { patience: 50 });
    const controller = new AbortController();
    const response = await fetch(server.url, { signal: controller.signal });
    await assertRejects(() => server.request(1), Error, "after 50 ms");
    controller.abort();
    assertEquals(await server.closed(0), "client");
    await drain(response);
    assert(server.requests[0].at > 0);
    assertEquals(clock.countTimers(), 0);
  } finally {
    clock.uninstall();
  }
});

Deno.test("faultServer refuses a clock that stops its sockets", async () => {
  const clock = FakeTimers.install({ toFake: ["nextTick"] });
  try {
    await assertRejects(() => faultServer([]), TypeError, 'toNotFake: ["nextTick"]');
  } finally {
    clock.uninstall();
  }
});
