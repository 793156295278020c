/** The life of a connection: its states, its ends, and what each of them frees. */

import { assert, assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import {
  type CloseInfo,
  connect,
  type ConnectionState,
  type EventStreamConnection,
} from "../../client.ts";
import { EventTooLargeError, InvalidDataError, SseError, TruncatedError } from "../../errors.ts";
import { endless } from "../fault/hostile.ts";
import { delay } from "../fault/real_time.ts";
import { faultServer, type Step } from "../fault/server.ts";
import { message } from "../helpers.ts";

/** For ever: a wait that no test sits out. */
const LONG = { initialDelay: 3_600_000, maxDelay: 3_600_000, jitter: 0 };

/** Where a connection may be when it is ended: what the server does, and when the test goes on. */
const places: Record<
  string,
  { steps(): Step[]; ready(c: EventStreamConnection): Promise<unknown> }
> = {
  "while it reads": {
    steps: () => [{ body: "data: a\n\n", end: "stall" }],
    ready: (connection) => connection.next(),
  },
  "while it connects": { steps: () => ["hold"], ready: () => delay(20) },
  "while it waits to connect again": {
    steps: () => [{ body: "data: a\n\n", end: "cut" }],
    ready: (connection) => connection.next(),
  },
  "while nobody reads": {
    steps: () => [{ body: endless(64_000_000) }],
    ready: (connection) => connection.opened,
  },
};

const ends: Record<
  string,
  { end(c: EventStreamConnection, abort: AbortController): unknown; reason: CloseInfo["reason"] }
> = {
  "close()": { end: (connection) => connection.close("enough"), reason: "closed" },
  "return()": { end: (connection) => connection.return(), reason: "closed" },
  "throw()": {
    end: (connection) => connection.throw(new Error("mine")).catch(() => {}),
    reason: "closed",
  },
  "return() of batches": {
    end: (connection) => connection.batches().return!(),
    reason: "closed",
  },
  "cancel() of readable": { end: (connection) => connection.readable.cancel(), reason: "closed" },
  "asyncDispose": { end: (connection) => connection[Symbol.asyncDispose](), reason: "closed" },
  "abort": { end: (_, abort) => abort.abort("gone"), reason: "aborted" },
};

for (const [place, { steps, ready }] of Object.entries(places)) {
  for (const [name, { end, reason }] of Object.entries(ends)) {
    Deno.test(`Connection is ended by ${name} ${place}, and its socket is freed`, async () => {
      await using server = await faultServer(steps());
      const abort = new AbortController();
      const connection = connect(server.url, { retry: LONG, signal: abort.signal });
      await server.request(0);
      await ready(connection);
      const pending = name === "cancel() of readable" || place === "while nobody reads"
        ? undefined
        : connection.next().then((result) => result.done, (error) => error);
      await delay(5);
      await end(connection, abort);
      assertEquals(connection.readyState, "closed");
      if (place !== "while it waits to connect again") {
        assertEquals(await server.closed(0), "client");
      }
      assertEquals(await pending, pending && (reason === "aborted" ? "gone" : true));
      assertEquals((await connection.closed).reason, reason);
      assertEquals(server.requests.length, 1);
    });
  }
}

Deno.test("Connection is closed by a break, by a throw in its loop and by `await using`", async () => {
  const leave: ((c: EventStreamConnection) => Promise<void>)[] = [
    async (connection) => {
      for await (const _ of connection) break;
    },
    async (connection) => {
      await assertRejects(async () => {
        for await (const _ of connection) throw new Error("mine");
      }, "mine");
    },
    async (connection) => {
      await using own = connection;
      await own.next();
    },
    async (connection) => {
      for await (const _ of connection.json()) break;
    },
  ];
  for (const how of leave) {
    await using server = await faultServer([{ body: "data: 1\n\n", end: "stall" }]);
    const connection = connect(server.url);
    await how(connection);
    assertEquals(await server.closed(0), "client");
    assertEquals((await connection.closed).reason, "closed");
  }
});

Deno.test("Connection tells each state in its order, and its counts", async () => {
  await using server = await faultServer([
    { body: ": hi\nid: é\ndata: a\n\ndata: cut", end: "finish" },
    { body: "data: b\n\n" },
    { status: 204, headers: {} },
  ]);
  const states: ConnectionState[] = [];
  const connection = connect(server.url, { onState: (s) => states.push(s), retry: () => 1 });
  assertEquals(connection.readyState, "connecting");
  assertEquals(await Array.fromAsync(connection), [
    message("a", { id: "é" }),
    message("b", { id: "é" }),
  ]);
  assertEquals(
    states.map((state) => state.state).join(" "),
    "connecting open comment retry connecting open retry connecting closed",
  );
  assertEquals(states[0], {
    state: "connecting",
    attempt: 1,
    lastEventId: "",
    lastEventIdSent: true,
  });
  assertEquals(states[2], { state: "comment", text: "hi" });
  const lost = states[3];
  const cause = lost.state === "retry" ? lost.cause : undefined;
  assert(cause instanceof TruncatedError);
  assertEquals(lost, { state: "retry", delay: 1, cause, attempt: 1 });
  assertEquals(states[6], { state: "retry", delay: 1, cause: undefined, attempt: 2 });
  assertEquals(states[8], { state: "closed", reason: "no-content" });
  assertEquals(await connection.closed, { reason: "no-content" });
  const { bytes, events, attempts, lastByteAt } = connection.stats;
  assertEquals([bytes, events, attempts], [39, 2, 3]);
  assert(Math.abs(lastByteAt! - Date.now()) < 60_000);
  assertEquals(connection.url, server.url);
});

Deno.test("Connection.close() drops what was read already, and what is in hand was not taken", async () => {
  await using server = await faultServer([
    { body: "id: 1\ndata: a\n\nid: 2\ndata: b\n\nid: 3\ndata: c\n\n", end: "stall" },
  ]);
  const connection = connect(server.url);
  await connection.next();
  await connection.next();
  connection.close("enough");
  connection.close("twice");
  assertEquals(connection.lastEventId, "1");
  assertEquals(await connection.next(), { done: true, value: undefined });
  assertEquals(await connection.closed, { reason: "closed", cause: "enough" });
});

Deno.test("Connection rejects once with the reason of its signal, then it is at its end", async () => {
  const reason = { any: "value" };
  const connection = connect("http://127.0.0.1:9/", { signal: AbortSignal.abort(reason) });
  assertStrictEquals(await connection.next().catch((error) => error), reason);
  assertEquals(await connection.next(), { done: true, value: undefined });
  assertStrictEquals(await connection.opened.catch((error) => error), reason);
  assertEquals(await connection.closed, { reason: "aborted", cause: reason });
  assertEquals(connection.stats.attempts, 0);
});

Deno.test("Connection takes the signal of a Request", async () => {
  await using server = await faultServer(["hold"]);
  const abort = new AbortController();
  const connection = connect(new Request(server.url, { signal: abort.signal }));
  await server.request(0);
  abort.abort("gone");
  assertEquals(await connection.next().catch((error) => error), "gone");
});

Deno.test("Connection stops the server when its consumer stops", async () => {
  await using server = await faultServer([{ body: endless(64_000_000) }]);
  await using connection = connect(server.url, { maxEventSize: Infinity });
  await connection.opened;
  const { reply } = await server.request(0);
  const written = await reply.blocked();
  // What the kernel and the runtime hold, far from all.
  assert(written < 16_000_000, `${written} bytes are on their way`);
  assertEquals(connection.stats.bytes, 0);
});

Deno.test("Connection.reconnect() asks at once for what was not taken", async () => {
  await using server = await faultServer([
    { body: "id: 1\ndata: a\n\nid: 2\ndata: b\n\nid: 3\ndata: c\n\n", end: "stall" },
    { body: "id: 2\ndata: b\n\nid: 3\ndata: c\n\n", end: "stall" },
  ]);
  await using connection = connect(server.url, { retry: LONG });
  const seen = [(await connection.next()).value!.data, (await connection.next()).value!.data];
  connection.reconnect();
  assertEquals((await server.request(1)).lastEventId, "1");
  assertEquals(await server.closed(0), "client");
  // "b" was in hand, and is taken by now: it does not come again.
  seen.push((await connection.next()).value!.data);
  assertEquals(seen, ["a", "b", "c"]);
});

Deno.test("Connection.reconnect() ends a wait, and a request that hangs", async () => {
  await using server = await faultServer([
    { body: "data: a\n\n", end: "cut" },
    "hold",
    { body: "data: b\n\n", end: "stall" },
  ]);
  await using connection = connect(server.url, { retry: LONG });
  await connection.next();
  const next = connection.next();
  await delay(20);
  assertEquals(server.requests.length, 1);
  connection.reconnect();
  await server.request(1);
  connection.reconnect();
  assertEquals((await next).value?.data, "b");
  assertEquals(await server.closed(1), "client");
});

Deno.test("Connection.reconnect() does nothing before the first request and after the end", async () => {
  await using server = await faultServer([{ body: "data: a\n\n", end: "stall" }]);
  const connection = connect(server.url);
  connection.reconnect();
  assertEquals((await connection.next()).value?.data, "a");
  connection.close();
  connection.reconnect();
  await delay(5);
  assertEquals([server.requests.length, connection.readyState], [1, "closed"]);
});

Deno.test("Connection ends before the event of `until`, and frees its socket", async () => {
  await using server = await faultServer([
    { body: "data: a\n\ndata: [DONE]\n\ndata: after\n\n", end: "stall" },
  ]);
  const connection = connect(server.url, { until: ({ data }) => data === "[DONE]" });
  assertEquals(await Array.fromAsync(connection), [message("a")]);
  assertEquals(await server.closed(0), "client");
  assertEquals(await connection.closed, { reason: "ended" });
  assertEquals(connection.stats.events, 1);
});

Deno.test("Connection is truncated without the event of `until`, or inside an event", async () => {
  const bodies = ["data: a\n\n", "data: a\n\ndata: [DO"];
  for (const body of bodies) {
    await using server = await faultServer([{ body }]);
    const connection = connect(server.url, {
      until: ({ data }) => data === "[DONE]",
      retry: { onEnd: "close" },
    });
    assertEquals((await connection.next()).value, message("a"));
    const error = await assertRejects(() => connection.next(), TruncatedError);
    assertEquals(await connection.closed, { reason: "failed", cause: error });
  }
});

Deno.test("Connection ends with a body that is whole, where `onEnd` is close", async () => {
  await using server = await faultServer([{ body: "data: a\n\n" }]);
  const connection = connect(server.url, { retry: { onEnd: "close" } });
  assertEquals(await Array.fromAsync(connection), [message("a")]);
  assertEquals(await connection.closed, { reason: "ended" });
});

Deno.test("Connection without retry ends with its body, and fails with what broke it", async () => {
  await using server = await faultServer([{ body: "data: a\n\n" }, {
    body: "data: a\n\n",
    end: "cut",
  }]);
  assertEquals(await Array.fromAsync(connect(server.url, { retry: false })), [message("a")]);
  const connection = connect(server.url, { retry: false });
  assertEquals((await connection.next()).value, message("a"));
  const error = await assertRejects(() => connection.next(), SseError);
  assertEquals(error.code, "ERR_SSE_NETWORK");
});

Deno.test("Connection gives what came before an event that is too large, and does not retry", async () => {
  await using server = await faultServer([
    { body: `data: a\n\ndata: ${"x".repeat(100)}\n\n`, end: "stall" },
  ]);
  const connection = connect(server.url, { maxEventSize: 50 });
  assertEquals((await connection.next()).value, message("a"));
  await assertRejects(() => connection.next(), EventTooLargeError);
  assertEquals(await server.closed(0), "client");
  assertEquals((await connection.closed).reason, "failed");
});

Deno.test("Connection fails with what a callback throws", async () => {
  const mine = new Error("mine");
  const fail = () => {
    throw mine;
  };
  for (const name of ["onState", "onComment", "until", "retry"] as const) {
    await using server = await faultServer([{ body: ": hi\ndata: a\n\n" }], {
      rest: { body: "data: b\n\n" },
    });
    const connection = connect(server.url, { [name]: fail });
    const error = await Array.fromAsync(connection).catch((error) => error);
    assertStrictEquals(error, mine, name);
    assertEquals((await connection.closed).reason, "failed", name);
  }
});

Deno.test("Connection.json() parses data, and an event that is no JSON closes it", async () => {
  await using server = await faultServer([
    { body: 'id: 7\ndata: {"n":1}\n\nid: 8\ndata: {\n\n', end: "stall" },
  ]);
  const connection = connect(server.url);
  const values = connection.json<{ n: number }>();
  assertEquals((await values.next()).value?.data.n, 1);
  const error = await assertRejects(() => values.next(), InvalidDataError);
  assertEquals(error.event.id, "8");
  assertEquals(await server.closed(0), "client");
});

Deno.test("Connection.readable takes an event when the next one is asked for", async () => {
  await using server = await faultServer([
    { body: "id: 1\ndata: a\n\nid: 2\ndata: b\n\n", end: "stall" },
  ]);
  const connection = connect(server.url);
  assertStrictEquals(connection.readable, connection.readable);
  const reader = connection.readable.getReader();
  assertEquals((await reader.read()).value?.data, "a");
  await delay(5);
  assertEquals(connection.lastEventId, "");
  assertEquals((await reader.read()).value?.data, "b");
  assertEquals(connection.lastEventId, "1");
  await reader.cancel();
  assertEquals(await server.closed(0), "client");
});

Deno.test("Connection keeps the reconnection time and the last event ID over responses", async () => {
  await using server = await faultServer([
    { body: "retry: 250\nid: 1\ndata: a\n\n" },
    { body: "data: b\n\n" },
    { status: 204, headers: {} },
  ]);
  const asked: (number | undefined)[] = [];
  const events = await Array.fromAsync(connect(server.url, {
    retry: ({ retry }) => {
      asked.push(retry);
      return 0;
    },
  }));
  assertEquals(events[1], message("b", { id: "1" }));
  assertEquals(asked, [250, 250]);
  assertEquals((await server.request(2)).lastEventId, "1");
});

Deno.test("Connection does not ask anew behind the half of an answer, where `onEnd` is close", async () => {
  await using server = await faultServer([
    { body: "data: Hel\n\n", end: "stall" },
  ]);
  const connection = connect(server.url, {
    json: { prompt: "Hello" },
    retry: { onEnd: "close", initialDelay: 0, maxAttempts: 3 },
  });
  assertEquals((await connection.next()).value?.data, "Hel");
  (await server.request(0)).reply.reset();
  const error = await assertRejects(() => connection.next(), TruncatedError);
  assert((error as TruncatedError).cause instanceof SseError);
  assertEquals(server.requests.length, 1);
});

Deno.test("Connection asks again where `onEnd` is close and the answer has ids, or no event yet", async () => {
  for (const body of ["id: 1\ndata: a\n\n", ": nothing yet\n"]) {
    await using server = await faultServer([
      { body, end: "stall" },
      { body: "id: 2\ndata: b\n\n" },
    ]);
    const connection = connect(server.url, { retry: { onEnd: "close", initialDelay: 0 } });
    const { reply } = await server.request(0);
    const events = Array.fromAsync(connection);
    while (connection.stats.bytes < body.length) await delay(1);
    reply.reset();
    assertEquals((await events).at(-1)?.data, "b");
  }
});

Deno.test("Connection is closed whenever close() comes between a response and its first read", async () => {
  for (let turns = 0; turns < 24; turns++) {
    let cancelled = false;
    const body = new ReadableStream({
      cancel: () => {
        cancelled = true;
      },
    });
    const connection = connect("http://127.0.0.1:9/", {
      fetch: async () => {
        (async () => {
          for (let i = 0; i < turns; i++) await undefined;
          connection.close();
        })();
        await undefined;
        return new Response(body, { headers: { "content-type": "text/event-stream" } });
      },
    });
    assertEquals(await connection.next(), { done: true, value: undefined });
    await delay(0);
    assertEquals([cancelled, connection.readyState], [true, "closed"], `after ${turns} turns`);
  }
});

Deno.test("Connection that is closed at once does not look at its signal", async () => {
  const connection = connect("http://127.0.0.1:9/", { signal: AbortSignal.abort("gone") });
  connection.close("enough");
  assertEquals(await connection.closed, { reason: "closed", cause: "enough" });
  assertEquals(await connection.next(), { done: true, value: undefined });
});

Deno.test("Connection reports what `onState` throws when there is nothing left to fail", async () => {
  const reported = Promise.withResolvers<unknown>();
  const listener = (event: ErrorEvent) => {
    event.preventDefault();
    reported.resolve(event.error);
  };
  addEventListener("error", listener);
  try {
    const mine = new Error("mine");
    const connection = connect("http://127.0.0.1:9/", {
      onState: ({ state }) => {
        if (state === "closed") throw mine;
      },
    });
    connection.close();
    assertStrictEquals(await reported.promise, mine);
  } finally {
    removeEventListener("error", listener);
  }
});

Deno.test("Connection is closed once, also by a `close` inside `until` or `retry`", async () => {
  const headers = { "content-type": "text/event-stream" };
  const fetch = () => Promise.resolve(new Response("data: a\n\n", { headers }));
  for (const name of ["until", "retry"] as const) {
    const states: string[] = [];
    const connection: EventStreamConnection = connect("http://feed.example/", {
      fetch,
      [name]: () => {
        connection.close("mine");
        return name === "until";
      },
      onState: ({ state }) => states.push(state),
    });
    for await (const { data } of connection) assertEquals(data, "a");
    assertEquals(states, ["connecting", "open", "closed"], name);
    assertEquals(await connection.closed, { reason: "closed", cause: "mine" });
  }
});
