/** {@linkcode createTransport}: a network in memory that can be told from another by its speed only. */

import FakeTimers from "@sinonjs/fake-timers";
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { connect } from "../../client.ts";
import { readEvents } from "../../parse.ts";
import { Channel, eventStreamResponse, Hub, type Session } from "../../server.ts";
import { collect, createTransport, type Transport, type TransportHandler } from "../../testing.ts";
import { countedStream, settle, unhandled, utf8 } from "../helpers.ts";
import { listenersOf } from "./listeners.ts";
import { dataOf, held, numbers, URL as url } from "./numbers.ts";

// What passes

Deno.test("transport.fetch brings a request as it is to the handler", async () => {
  const seen: unknown[] = [];
  await using transport = createTransport(async (request) => {
    seen.push(request.method, request.url, request.headers.get("x-key"), await request.text());
    return new Response();
  });
  const { fetch } = transport;
  await fetch(`${url}?a=1#part`, { method: "POST", headers: { "x-key": "7" }, body: "é" });
  assertEquals(seen.splice(0), ["POST", `${url}?a=1#part`, "7", "é"]);
  await fetch(new Request(url, { method: "PUT", body: "b" }), { headers: { "x-key": "8" } });
  assertEquals(seen.splice(0), ["PUT", url, "8", "b"]);
  await fetch(new URL(url));
  assertEquals(seen.splice(0), ["GET", url, null, ""]);
  const body = ReadableStream.from([utf8("one "), utf8("by one")]);
  const init = { method: "POST", body, duplex: "half" };
  await fetch(url, init);
  assertEquals(seen.pop(), "one by one");
});

Deno.test("transport.fetch gives the response of the handler, with the URL of the request", async () => {
  await using transport = createTransport(() =>
    new Response("made", { status: 201, statusText: "Made", headers: { "x-key": "7" } })
  );
  const response = await transport.fetch(`${url}#part`);
  const { status, statusText, headers } = response;
  assertEquals([status, statusText, headers.get("x-key")], [201, "Made", "7"]);
  assertEquals([response.url, await response.text()], [url, "made"]);
});

Deno.test("transport.fetch gives an answer without a body, which is no open connection", async () => {
  await using transport = createTransport(() => new Response(null, { status: 204 }));
  const { status, body } = await transport.fetch(url);
  assertEquals([status, body, transport.connections.length], [204, null, 0]);
});

Deno.test("transport.fetch rejects what is no request, as fetch does", async () => {
  await using transport = createTransport(() => new Response());
  await assertRejects(() => transport.fetch("/relative"), TypeError);
  await assertRejects(() => transport.fetch(url, { body: "a GET has none" }), TypeError);
  assertEquals(transport.requests.length, 0);
});

Deno.test("transport.fetch copies what it sends: its client may write to it", async () => {
  const bytes = utf8("data: a\n\n");
  const body = () => ReadableStream.from([bytes]);
  await using transport = createTransport(() => new Response(body()));
  const { value } = await (await transport.fetch(url)).body!.getReader().read();
  value!.fill(0);
  assertEquals(bytes, utf8("data: a\n\n"));
});

Deno.test("a handler is not asked within the call of fetch, nor while a delayed one is stalled", async () => {
  let asked = 0;
  const handler = () => {
    asked++;
    return new Response();
  };
  const clock = FakeTimers.install({ toNotFake: ["nextTick", "queueMicrotask"] });
  try {
    await using transport = createTransport(handler, { faults: [{}, { delay: 10 }] });
    const first = transport.fetch(url);
    assertEquals([asked, transport.connections.length], [0, 1]);
    await first;
    assertEquals(asked, 1);
    const second = transport.fetch(url);
    transport.stall();
    await clock.tickAsync(10);
    assertEquals([asked, clock.countTimers()], [1, 0]);
    transport.resume();
    await second;
    assertEquals(asked, 2);
  } finally {
    clock.uninstall();
  }
});

Deno.test("a body is read no faster than its client reads", async () => {
  const { stream, log } = countedStream([utf8("a"), utf8("b"), utf8("c")]);
  await using transport = createTransport(() => new Response(stream));
  const reader = (await transport.fetch(url)).body!.getReader();
  await settle();
  assertEquals(log.pulls, 0);
  await reader.read();
  await settle();
  assertEquals([log.pulls, transport.connections[0].bytes], [1, 1]);
  await reader.cancel();
  assertEquals(log.cancelled.length, 1);
});

// What is kept

Deno.test("transport.requests keeps what was asked, with the body", async () => {
  await using transport = createTransport((request) => {
    assertEquals(request.bodyUsed, false);
    return new Response();
  });
  await transport.fetch(`${url}?lastEventId=5`, { headers: { accept: "text/event-stream" } });
  await transport.fetch(url, { method: "post", body: '{"a":1}' });
  const [first, second] = transport.requests;
  assertEquals([first.attempt, first.method, first.url], [1, "GET", `${url}?lastEventId=5`]);
  assertEquals([first.lastEventId, first.headers.get("accept")], ["5", "text/event-stream"]);
  assertEquals([await first.text(), await second.text(), await second.text()], [
    "",
    '{"a":1}',
    '{"a":1}',
  ]);
  assertEquals([second.attempt, second.method, await second.json()], [2, "POST", { a: 1 }]);
  await assertRejects(() => first.json(), SyntaxError);
});

Deno.test("transport.requests tells the last event ID as text, as it is no Latin-1", async () => {
  await using transport = createTransport(numbers(1));
  const connection = connect(url, { fetch: transport.fetch, lastEventId: "é✓" });
  await connection.opened;
  await connection.return();
  assertEquals(transport.requests[0].lastEventId, "é✓");
});

Deno.test("transport.requests keeps the newest 10,000", async () => {
  await using transport = createTransport(() => new Response(), {
    faults: () => ({ refuse: true }),
  });
  for (let i = 0; i < 10_001; i++) await transport.fetch(url).catch(() => {});
  assertEquals([transport.requests.length, transport.requests[0].attempt], [10_000, 2]);
  await assertRejects(() => transport.request(1), RangeError, "must be an integer from 2 up");
  assertEquals((await transport.request(10_001)).attempt, 10_001);
});

Deno.test("transport.request waits until a request has come", async () => {
  await using transport = createTransport(numbers(2));
  const third = transport.request(3);
  const connection = connect(url, { fetch: transport.fetch, retry: () => 0 });
  const collected = collect(connection);
  assertEquals((await transport.request(1)).lastEventId, "");
  transport.cut();
  assertEquals(dataOf(await collected), "1 2");
  assertEquals([(await third).attempt, (await transport.request(2)).lastEventId], [3, ""]);
  for (const attempt of [0, -1, 1.5, NaN]) {
    await assertRejects(() => transport.request(attempt), RangeError, "integer from 1 up");
  }
});

Deno.test("transport.connection waits until a request has its answer, or never gets one", async () => {
  await using channel = new Channel({ keepAlive: false });
  const faults = [{}, { refuse: true }, { delay: Infinity }, { status: 404 }];
  await using transport = createTransport((request) => channel.subscribe(request), { faults });
  const asked = transport.fetch(url);
  const connection = await transport.connection(1);
  assertEquals([connection.request.attempt, channel.size], [1, 1]);
  await (await asked).body?.cancel();
  assertEquals(await (await transport.connection(1)).closed, "client");
  await assertRejects(() => transport.fetch(url), TypeError, "refused");
  await assertRejects(() => transport.connection(2), TypeError, "refused");
  const stop = new AbortController();
  const late = transport.fetch(url, { signal: stop.signal }).catch(() => {});
  const third = transport.connection(3);
  stop.abort(new RangeError("enough"));
  await assertRejects(() => third, RangeError, "enough");
  await late;
  await transport.fetch(url);
  assertEquals(await (await transport.connection(4)).closed, "server");
  const fifth = transport.connection(5);
  transport.close();
  await assertRejects(() => fifth, TypeError, "the transport was closed after 4");
});

Deno.test("transport.connections tells what each client has got, while it is open", async () => {
  await using transport = createTransport(held(3));
  const reader = readEvents(await transport.fetch(url));
  await collect(reader, { count: 3, close: false });
  const [connection] = transport.connections;
  assertEquals([connection.request.attempt, connection.events], [1, 3]);
  assertEquals(connection.bytes, ": \n\n".length + 3 * "id: 1\ndata: 1\n\n".length);
  await reader.return();
  assertEquals([transport.connections.length, await connection.closed], [0, "client"]);
});

Deno.test("connection.closed tells who has ended it", async () => {
  const reason = async (end: (transport: ReturnType<typeof createTransport>) => unknown) => {
    await using transport = createTransport(held(1));
    const response = await transport.fetch(url);
    const [{ closed }] = transport.connections;
    const read = response.text().catch(() => {});
    await end(transport);
    await read;
    return await closed;
  };
  assertEquals(await reason((transport) => transport.cut()), "fault");
  assertEquals(await reason((transport) => transport.connections[0].end()), "fault");
  await using transport = createTransport(numbers(1));
  const response = await transport.fetch(url);
  const [{ closed }] = transport.connections;
  await response.text();
  assertEquals(await closed, "server");
});

Deno.test("a connection that has ended is not ended again", async () => {
  const { ask, signals } = watched(numbers(1));
  await using transport = createTransport(ask);
  const [read, cut] = [await transport.fetch(url), await transport.fetch(url)];
  const [first, second] = transport.connections;
  await read.text();
  second.end();
  for (const connection of [first, second]) {
    connection.stall();
    connection.end();
    connection.cut();
    connection.resume();
  }
  assertEquals([await first.closed, await second.closed], ["server", "fault"]);
  assertEquals([signals[0].aborted, signals[1].aborted, await cut.text()], [false, true, ""]);
});

// What a server sees of its clients

/** A handler, and the session and the signal of each of its requests. */
function watched(handler: TransportHandler = held(1)) {
  const signals: AbortSignal[] = [];
  const ask: TransportHandler = (request) => {
    signals.push(request.signal);
    return handler(request);
  };
  return { ask, signals };
}

Deno.test("a client that cancels the body aborts the signal of the request", async () => {
  const sessions: Session[] = [];
  const { ask, signals } = watched(() =>
    eventStreamResponse((session) => void sessions.push(session))
  );
  await using transport = createTransport(ask);
  const { body } = await transport.fetch(url);
  assertEquals(signals[0].aborted, false);
  await body!.cancel("enough");
  assertEquals([signals[0].aborted, signals[0].reason.name], [true, "AbortError"]);
  assertEquals((await sessions[0].closed).reason, "peer-left");
});

Deno.test("a client that aborts gets its reason, and the handler's side is cancelled", async () => {
  const { ask, signals } = watched();
  await using transport = createTransport(ask);
  const stop = new AbortController();
  const response = await transport.fetch(new Request(url, { signal: stop.signal }));
  const reader = response.body!.getReader();
  await reader.read();
  const rest = (async () => {
    while (!(await reader.read()).done);
  })();
  stop.abort(new RangeError("enough"));
  await assertRejects(() => rest, RangeError, "enough");
  assertEquals([signals[0].aborted, transport.connections.length], [true, 0]);
});

Deno.test("a client that aborts before there is an answer gets its reason, and the answer is let go", async () => {
  const answer = Promise.withResolvers<Response>();
  const { ask, signals } = watched(() => answer.promise);
  await using transport = createTransport(ask);
  const stop = new AbortController();
  const asked = transport.fetch(url, { signal: stop.signal });
  await settle();
  assertEquals(transport.connections.length, 1);
  stop.abort(new RangeError("enough"));
  await assertRejects(() => asked, RangeError, "enough");
  assertEquals(signals[0].aborted, true);
  const { stream, log } = countedStream([utf8("late")]);
  answer.resolve(new Response(stream));
  await settle();
  assertEquals(log.cancelled.length, 1);
});

Deno.test("transport.fetch with a signal that is aborted asks nobody", async () => {
  await using transport = createTransport(() => new Response());
  const signal = AbortSignal.abort(new RangeError("enough"));
  await assertRejects(() => transport.fetch(url, { signal }), RangeError, "enough");
  await assertRejects(() => transport.fetch(new Request(url, { signal })), RangeError, "enough");
  assertEquals(transport.requests.length, 0);
  // As of `fetch`: `null` is none, also in place of that of a Request.
  await transport.fetch(new Request(url, { signal }), { signal: null });
  assertEquals(transport.requests.length, 1);
});

Deno.test("a response that was read to its end aborts nothing, and leaves no listener", async () => {
  const { ask, signals } = watched(numbers(2));
  await using transport = createTransport(ask);
  const stop = new AbortController();
  const { signal } = stop;
  const listeners = listenersOf(signal);
  const response = await transport.fetch(url, { signal });
  assertEquals(listeners.length, 1);
  await response.text();
  assertEquals(listeners, []);
  stop.abort();
  await settle();
  assertEquals(signals[0].aborted, false);
});

Deno.test("a Channel loses its reader when the network does, and has it back", async () => {
  await using channel = new Channel({ keepAlive: false });
  await using transport = createTransport((request) => channel.subscribe(request));
  const connection = connect(url, { fetch: transport.fetch, retry: () => 0 });
  await connection.opened;
  await channel.publish({ data: "a" });
  assertEquals(dataOf(await collect(connection, { count: 1, close: false })), "a");
  assertEquals([channel.size, transport.cut(), channel.size], [1, 1, 0]);
  await channel.publish({ data: "b" });
  assertEquals(dataOf(await collect(connection, { count: 1 })), "b");
  assertEquals([channel.size, transport.connections.length], [0, 0]);
});

// What happens now

Deno.test("transport.cut breaks off a request that has no answer yet", async () => {
  const { ask, signals } = watched(() => new Promise<Response>(() => {}));
  await using transport = createTransport(ask);
  const asked = transport.fetch(url);
  await settle();
  assertEquals(transport.end(), 1);
  await assertRejects(() => asked, TypeError, "the connection was cut by its transport");
  assertEquals([signals[0].aborted, transport.cut()], [true, 0]);
});

Deno.test("a connection that ends at whatever turn leaves nothing open", async () => {
  const ways = {
    cut: (transport: Transport) => transport.cut(),
    abort: (_: Transport, stop: AbortController) => stop.abort(),
  };
  for (const [name, end] of Object.entries(ways)) {
    for (let turns = 0; turns < 20; turns++) {
      const { stream, log } = countedStream([utf8("a")], "stay open");
      let answers = 0;
      const transport = createTransport(async () => {
        answers++;
        await undefined;
        return new Response(stream);
      });
      const stop = new AbortController();
      const read = transport.fetch(url, { signal: stop.signal })
        .then((response) => response.text()).catch(() => {});
      for (let turn = 0; turn < turns; turn++) await undefined;
      end(transport, stop);
      await read;
      await settle();
      const where = `${name} after ${turns} turns`;
      assertEquals([log.cancelled.length, transport.connections.length], [answers, 0], where);
      await transport.close();
    }
  }
});

Deno.test("transport.end ends a body cleanly, transport.cut does not", async () => {
  await using transport = createTransport(held(1));
  const [ended, cut] = [await transport.fetch(url), await transport.fetch(url)];
  transport.connections[0].end();
  assertEquals(await ended.text(), "");
  assertEquals(transport.cut(), 1);
  await assertRejects(() => cut.text(), TypeError);
});

Deno.test("transport.stall holds back an answer and bytes that are on their way", async () => {
  const answer = Promise.withResolvers<Response>();
  const bytes = new TransformStream<Uint8Array, Uint8Array>();
  await using transport = createTransport(() => answer.promise);
  let came = "";
  const asked = transport.fetch(url).then(async (response) => {
    came += "headers";
    const read = response.body!.getReader().read();
    came += `, ${(await read).value?.length} bytes`;
  });
  await settle();
  assertEquals(transport.stall(), 1);
  answer.resolve(new Response(bytes.readable));
  await settle();
  assertEquals(came, "");
  assertEquals(transport.resume(), 1);
  await settle();
  transport.stall();
  await bytes.writable.getWriter().write(utf8("abc"));
  await settle();
  assertEquals(came, "headers");
  transport.resume();
  transport.stall();
  await settle();
  assertEquals(came, "headers");
  transport.resume();
  await asked;
  assertEquals(came, "headers, 3 bytes");
});

Deno.test("transport.close ends a stall, and all that waits", async () => {
  const transport = createTransport(held(1));
  const response = await transport.fetch(url);
  const asked = transport.fetch(url);
  transport.stall();
  const body = assertRejects(() => response.text(), TypeError);
  const answer = assertRejects(() => asked, TypeError);
  const third = assertRejects(
    () => transport.request(3),
    TypeError,
    "Cannot give request 3: the transport was closed after 2",
  );
  await transport.close();
  await Promise.all([body, answer, third]);
  await assertRejects(() => transport.fetch(url), TypeError, "the transport is closed");
  await assertRejects(() => transport.request(3), TypeError);
  assertEquals((await transport.request(1)).attempt, 1);
  await transport.close();
});

// What a handler does wrong

Deno.test("a handler that throws is a 500 to its client, and close tells of it", async () => {
  const transport = createTransport(() => {
    throw new RangeError("a bug");
  });
  const { status } = await transport.fetch(url);
  assertEquals(status, 500);
  await assertRejects(() => transport.close(), RangeError, "a bug");
  await transport.close(); // Told once.
  const twice = createTransport(() => Promise.reject(new RangeError("a bug")));
  await twice.fetch(url);
  await twice.fetch(url);
  const error = await assertRejects(() => twice.close(), AggregateError, "thrown 2 times");
  assertEquals((error as AggregateError).errors.length, 2);
});

Deno.test("a handler that fails of its client's leaving has done nothing wrong", async () => {
  await using transport = createTransport(async ({ signal }) => {
    await new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
    return new Response();
  });
  const stop = new AbortController();
  const asked = transport.fetch(url, { signal: stop.signal });
  await settle();
  stop.abort();
  await assertRejects(() => asked, DOMException);
  await settle();
});

Deno.test("faults that throw, or give none that can happen, are told of by close", async () => {
  const transport = createTransport(() => new Response(), {
    faults: () => ({ status: 7 }),
  });
  assertEquals((await transport.fetch(url)).status, 500);
  await assertRejects(() => transport.close(), RangeError, '"status" must be an integer');
});

Deno.test("a handler that gives no response, or a used one, is told of by close", async () => {
  const used = new Response("once");
  await used.text();
  for (
    const [answer, message] of [
      [undefined, "the handler must return a Response: received undefined"],
      [used, "make a response for each request"],
    ] as const
  ) {
    const transport = createTransport(() => answer as Response);
    assertEquals((await transport.fetch(url)).status, 500);
    await assertRejects(() => transport.close(), TypeError, message);
  }
});

Deno.test("a body that is not of bytes breaks off, and close tells of it", async () => {
  const { stream, log } = countedStream<unknown>(["text"], "stay open");
  const transport = createTransport(() => new Response(stream as ReadableStream<Uint8Array>));
  const response = await transport.fetch(url);
  await assertRejects(() => response.text(), TypeError);
  assertEquals([log.cancelled.length, transport.connections.length], [1, 0]);
  await assertRejects(() => transport.close(), TypeError, "must be of bytes: received string");
});

Deno.test("a body that breaks off, and Response.error(), are network errors with their cause", async () => {
  const broken = new ReadableStream({ pull: (controller) => controller.error("why") });
  await using transport = createTransport(({ method }) =>
    method === "GET" ? new Response(broken) : Response.error()
  );
  const response = await transport.fetch(url);
  const error = await assertRejects(() => response.text(), TypeError, "the server broke off");
  assertEquals((error as Error).cause, "why");
  await assertRejects(() => transport.fetch(url, { method: "POST" }), TypeError);
});

Deno.test("createTransport refuses what is no handler", () => {
  const make = () => createTransport({} as TransportHandler);
  assertThrows(make, TypeError, "the handler must be a function from a Request to a Response");
});

Deno.test("a transport leaves no rejection that nobody handles", async () => {
  const reasons = await unhandled(async () => {
    const answer = Promise.withResolvers<Response>();
    const transport = createTransport(({ method }) =>
      method === "GET" ? held(1)(new Request(url)) : answer.promise
    );
    const stop = new AbortController();
    const { signal } = stop;
    const { body } = await transport.fetch(url, { signal });
    await transport.fetch(url);
    const asked = transport.fetch(url, { method: "POST" }).catch(() => {});
    await settle();
    stop.abort();
    transport.cut();
    answer.reject(new Error("late"));
    await asked;
    await body!.cancel().catch(() => {});
    await transport.close().catch(() => {});
  });
  assertEquals(reasons, []);
});

Deno.test("a hub behind a transport is asked and published to by fetch alone", async () => {
  await using hub = new Hub({ keepAlive: false });
  await using transport = createTransport((request) => hub.fetch(request));
  const connection = connect("http://sse.test/topics/news", { fetch: transport.fetch });
  await connection.opened;
  const body = JSON.stringify({ data: "a" });
  const headers = { "content-type": "application/json" };
  const posted = await transport.fetch("http://sse.test/topics/news", {
    method: "POST",
    headers,
    body,
  });
  assert(posted.ok);
  const { id } = await posted.json();
  assertEquals(await collect(connection, { count: 1 }), [{ event: "message", data: "a", id }]);
  assertEquals(transport.connections, []);
});
