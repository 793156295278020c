/**
 * {@linkcode EventSource}: what the standard says, over real sockets. The interface itself and what
 * browsers test of it is in web-platform-tests too, see tools/wpt.ts.
 */

import FakeTimers from "@sinonjs/fake-timers";
import { assert, assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { EventTooLargeError, ResponseError, SseError, TruncatedError } from "../errors.ts";
import { EventSource, EventSourceErrorEvent, type EventSourceInit } from "../event_source.ts";
import { delay, within } from "./fault/real_time.ts";
import { HOSTILE_RETRIES } from "./fault/hostile.ts";
import { faultServer, type Step } from "./fault/server.ts";
import { settle, utf8 } from "./helpers.ts";

const { CONNECTING, OPEN, CLOSED } = EventSource;

/** What a source dispatched, in words, with `readyState` at that time. */
interface Log {
  lines: string[];
  errors: EventSourceErrorEvent[];
  /** Resolves when there are so many lines. */
  line(count: number): Promise<void>;
}

function follow(source: EventSource, ...types: string[]): Log {
  const lines: string[] = [];
  const errors: EventSourceErrorEvent[] = [];
  let changed = Promise.withResolvers<void>();
  const note = (event: Event) => {
    const what = event instanceof MessageEvent
      ? `${event.type} ${event.data} #${event.lastEventId}`
      : event.type;
    lines.push(`${what} ${source.readyState}`);
    if (event instanceof EventSourceErrorEvent) errors.push(event);
    changed.resolve();
    changed = Promise.withResolvers();
  };
  for (const type of ["open", "message", "error", ...types]) source.addEventListener(type, note);
  async function line(count: number): Promise<void> {
    while (lines.length < count) {
      await within(changed.promise, 5_000, () => `Only ${lines.length} events: ${lines}`);
    }
  }
  return { lines, errors, line };
}

function fakeClock() {
  const clock = FakeTimers.install({ toNotFake: ["nextTick", "queueMicrotask"] });
  return Object.assign(clock, { [Symbol.dispose]: () => clock.uninstall() });
}

/** A stream to write to. */
function pipe() {
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
  const writer = writable.getWriter();
  return { readable, writer, write: (text: string) => writer.write(utf8(text)) };
}

/** Never asked for. */
function idle(init?: EventSourceInit): EventSource {
  const source = new EventSource("http://localhost/", init);
  source.close();
  return source;
}

Deno.test("EventSource has the constants and members of the interface", () => {
  const constant = (value: number) => ({
    value,
    enumerable: true,
    writable: false,
    configurable: false,
  });
  for (const target of [EventSource, EventSource.prototype]) {
    for (const [name, value] of Object.entries({ CONNECTING: 0, OPEN: 1, CLOSED: 2 })) {
      assertEquals(Object.getOwnPropertyDescriptor(target, name), constant(value));
    }
  }
  assertEquals(EventSource.length, 1);
  assertEquals(EventSource.prototype.close.length, 0);
  assertEquals(Object.keys(EventSource.prototype).sort(), [
    ...["CLOSED", "CONNECTING", "OPEN", "close", "lastEventId", "onerror", "onmessage", "onopen"],
    ...["readyState", "reconnectionTime", "reset", "url", "withCredentials"],
  ]);
  assertEquals(
    Object.keys(EventSource).sort(),
    ["CLOSED", "CONNECTING", "OPEN", "fromReadableStream"],
  );
  assertEquals(Object.prototype.toString.call(idle()), "[object EventSource]");
  assertEquals(Object.keys(idle()), []);
});

Deno.test("EventSource has its attributes at once", () => {
  const source = new EventSource("HTTP://LocalHost:80/a/../b?c#d", { withCredentials: true });
  assertEquals(source.url, "http://localhost/b?c#d");
  assertEquals([source.withCredentials, source.readyState], [true, CONNECTING]);
  assertEquals([source.onopen, source.onmessage, source.onerror], [null, null, null]);
  assertEquals([source.lastEventId, source.reconnectionTime], ["", 3000]);
  source.close();
  assertEquals(source.readyState, CLOSED);
  assertEquals(idle().withCredentials, false);
  // Web IDL: a dictionary may be null, and a boolean is whatever is true.
  assertEquals(idle(null as unknown as EventSourceInit).withCredentials, false);
  assertEquals(idle({ withCredentials: 1 as unknown as boolean }).withCredentials, true);
});

Deno.test("EventSource throws a SyntaxError at a URL that cannot be parsed", () => {
  for (const url of ["", "/relative", "http://this is invalid/", "//x:70000/"]) {
    const error = assertThrows(() => new EventSource(url), DOMException);
    assertEquals([error.name, error.code], ["SyntaxError", DOMException.SYNTAX_ERR]);
  }
});

Deno.test("EventSource resolves its URL against location, where there is one", () => {
  const before = Object.getOwnPropertyDescriptor(globalThis, "location");
  const value = { href: "http://localhost:1/a/b" };
  Object.defineProperty(globalThis, "location", { value, configurable: true });
  try {
    const source = new EventSource("../c");
    source.close();
    assertEquals(source.url, "http://localhost:1/c");
  } finally {
    if (before === undefined) Reflect.deleteProperty(globalThis, "location");
    else Object.defineProperty(globalThis, "location", before);
  }
});

Deno.test("EventSource throws a TypeError at what is no argument", () => {
  const Untyped = EventSource as unknown as {
    new (...args: unknown[]): EventSource;
    (...args: unknown[]): void;
  };
  assertThrows(() => new Untyped(), TypeError, "a URL is needed");
  assertThrows(() => Untyped("http://localhost/"), TypeError);
  assertThrows(() => new Untyped(Symbol("url")), TypeError);
  assertThrows(() => new Untyped("http://localhost/", 5), TypeError, '"init" must be an object');
  assertThrows(() => new Untyped("http://localhost/", { fetch: 5 }), TypeError, '"fetch"');
  assertThrows(() => new EventSource("http://localhost/", { headers: { "a b": "c" } }), TypeError);
  assertThrows(() => new EventSource("http://me:secret@localhost/"), TypeError, "user name");
});

Deno.test("EventSource.prototype knows an EventSource from other objects", () => {
  const { prototype } = EventSource;
  for (const name of ["url", "readyState", "onopen", "lastEventId"] as const) {
    assertThrows(() => prototype[name], TypeError);
  }
  assertThrows(() => prototype.close.call({} as EventSource), TypeError);
  assertThrows(() => prototype.onopen = null, TypeError);
});

Deno.test("EventSource.onmessage is one listener, which keeps its place until it is null", () => {
  const source = idle();
  const calls: string[] = [];
  const dispatch = () => {
    calls.length = 0;
    source.dispatchEvent(new MessageEvent("message", { data: "" }));
    return calls.join();
  };
  const first = () => calls.push("first");
  source.onmessage = first;
  assertStrictEquals(source.onmessage, first);
  source.addEventListener("message", () => calls.push("listener"));
  assertEquals(dispatch(), "first,listener");
  source.onmessage = function (event) {
    assertStrictEquals(this, source);
    assertStrictEquals(event.target, source);
    calls.push("second");
  };
  assertEquals(dispatch(), "second,listener");
  source.onmessage = null;
  assertEquals([dispatch(), source.onmessage], ["listener", null]);
  source.onmessage = first;
  assertEquals(dispatch(), "listener,first");
  for (const value of [5, "first", true, undefined]) {
    source.onmessage = first;
    source.onmessage = value as unknown as null;
    assertEquals([dispatch(), source.onmessage], ["listener", null], String(value));
  }
  // Web IDL, LegacyTreatNonObjectAsNull: an object is kept.
  const object = {} as unknown as () => void;
  source.onmessage = object;
  assertStrictEquals(source.onmessage, object);
  assertEquals(dispatch(), "listener");
});

Deno.test("EventSource asks as the standard has it, and with headers of its own", async () => {
  await using server = await faultServer([
    { body: "retry: 1\nid: é\ndata: a\n\n" },
    { status: 204 },
  ]);
  let attempts = 0;
  const headers = () => ({ "x-attempt": String(++attempts) });
  const source = new EventSource(`${server.url}?q#hash`, { headers });
  await follow(source).line(4);
  const [first, second] = server.requests;
  assertEquals([first.method, first.query.has("q")], ["GET", true]);
  assertEquals(first.header("accept"), "text/event-stream");
  assertEquals(first.header("cache-control"), "no-cache");
  assertEquals([first.lastEventId, second.lastEventId], [undefined, "é"]);
  assertEquals([first.header("x-attempt"), second.header("x-attempt")], ["1", "2"]);
});

Deno.test("EventSource asks its own fetch, for the credentials that it is told", async () => {
  for (const withCredentials of [true, false]) {
    const asked = Promise.withResolvers<RequestInit | undefined>();
    const fetch = (url: RequestInfo | URL, init?: RequestInit) => {
      assertEquals(String(url), "http://feed.test/");
      asked.resolve(init);
      return Promise.resolve(new Response(null, { status: 204 }));
    };
    const source = new EventSource("http://feed.test/", { fetch, withCredentials });
    await follow(source).line(1);
    assertEquals((await asked.promise)?.credentials, withCredentials ? "include" : "same-origin");
  }
});

Deno.test("EventSource goes from state to state and keeps the last event ID", async () => {
  await using server = await faultServer([
    { body: "retry: 100\nid: 1\ndata: a\n\ndata: b\n\nevent: price\ndata: c\n\nid: 2\n\n" },
    { body: "data: d\n\nid\n\nid: cut", end: "cut" },
    { body: "data: e\n\n", end: "stall" },
  ]);
  const source = new EventSource(server.url);
  const { lines, errors, line } = follow(source, "price");
  await line(10);
  assertEquals(lines, [
    "open 1",
    "message a #1 1",
    "message b #1 1",
    "price c #1 1",
    "error 0",
    "open 1",
    // T14: a block without data moves it; T16: it stays over the reconnect.
    "message d #2 1",
    "error 0",
    "open 1",
    "message e # 1",
  ]);
  assertEquals(server.requests.map((request) => request.lastEventId), [undefined, "2", undefined]);
  assertEquals(errors.map(({ code }) => code), [undefined, "ERR_SSE_NETWORK"]);
  source.close();
  assertEquals(await server.closed(2), "client");
});

Deno.test("EventSource waits as long after each loss, and 3 seconds unless it is told", async () => {
  using clock = fakeClock();
  await using server = await faultServer([], {
    rest: { body: "data: a\n\n" },
  });
  const source = new EventSource(server.url);
  const { line, lines } = follow(source);
  for (let loss = 1; loss <= 6; loss++) {
    await line(3 * loss);
    assertEquals(lines.at(-1), "error 0");
    clock.tick(2_999);
    await delay(2);
    assertEquals(server.requests.length, loss);
    clock.tick(1);
    await server.request(loss);
  }
  source.close();
});

Deno.test("EventSource waits as long as the server says, without an event too", async () => {
  using clock = fakeClock();
  await using server = await faultServer([{ body: "retry: 7000\n\n" }, {}, "hold"]);
  const source = new EventSource(server.url);
  const { line } = follow(source);
  for (const loss of [1, 2]) {
    await line(2 * loss);
    assertEquals(source.reconnectionTime, 7_000);
    clock.tick(6_999);
    await delay(2);
    assertEquals(server.requests.length, loss);
    clock.tick(1);
    await server.request(loss);
  }
  source.close();
});

for (const retry of HOSTILE_RETRIES) {
  Deno.test(`EventSource makes no storm of retry: ${JSON.stringify(retry)}`, async () => {
    using clock = fakeClock();
    await using server = await faultServer([{ body: `retry:${retry}\ndata: a\n\n` }], {
      rest: {},
    });
    const source = new EventSource(server.url);
    const { line, lines } = follow(source);
    await line(3);
    for (let elapsed = 0; elapsed < 1_000; elapsed += 50) {
      clock.tick(50);
      await delay(2);
    }
    source.close();
    assert(server.requests.length <= 11, `${server.requests.length} requests: ${lines}`);
  });
}

const refusals: [string, Step, string][] = [
  ...[201, 204, 205, 206, 304, 400, 401, 404, 410, 429, 500, 503, 599].map((
    status,
  ): [string, Step, string] => [`status ${status}`, { status }, "ERR_SSE_STATUS"]),
  ["a redirect to nowhere", { status: 302 }, "ERR_SSE_STATUS"],
  ["another type", { headers: { "content-type": "text/x-bogus" } }, "ERR_SSE_CONTENT_TYPE"],
  ["no type", { headers: {} }, "ERR_SSE_CONTENT_TYPE"],
];

for (const [what, refusal, code] of refusals) {
  Deno.test(`EventSource is closed by ${what}, also after it was open (T19)`, async () => {
    for (const before of [[], [{ body: "retry: 1\ndata: a\n\n" }]]) {
      using clock = fakeClock();
      await using server = await faultServer([...before, refusal]);
      const source = new EventSource(server.url);
      const { lines, errors, line } = follow(source);
      await line(before.length * 3);
      clock.tick(100 * before.length);
      await line(before.length * 3 + 1);
      assertEquals(lines.slice(before.length * 3), ["error 2"]);
      // Nothing is left that could ask again.
      assertEquals(clock.countTimers(), 0);
      const { error, code: actual, message } = errors.at(-1)!;
      const status = error instanceof ResponseError ? error.status : undefined;
      assertEquals([actual, message], [code, (error as ResponseError).message]);
      if (what.startsWith("status")) assertEquals(what, `status ${status}`);
    }
  });
}

Deno.test("EventSource tries again after a network error, whatever the phase", async () => {
  await using server = await faultServer([
    { raw: "", end: "reset" },
    { raw: "HTTP/1.1 200 OK\r\ncontent-ty", end: "cut" },
    { body: "retry: 1\ndata: a\n\ndata: b", framing: "close", end: "finish" },
    { body: "data: b\n\n", cutAt: 3, end: "reset" },
    { body: "data: b\n\n", end: "stall" },
  ]);
  using clock = fakeClock();
  const source = new EventSource(server.url);
  const { lines, errors, line } = follow(source);
  for (const [count, ms] of [[1, 3_000], [2, 3_000], [5, 100], [7, 100]]) {
    await line(count);
    clock.tick(ms);
  }
  await line(9);
  assertEquals(
    lines.join(),
    "error 0,error 0,open 1,message a # 1,error 0,open 1,error 0,open 1,message b # 1",
  );
  assertEquals(
    errors.map(({ code }) => code),
    ["ERR_SSE_NETWORK", "ERR_SSE_NETWORK", "ERR_SSE_TRUNCATED", "ERR_SSE_NETWORK"],
  );
  assert(errors[0].error instanceof SseError && errors[0].error.cause instanceof Error);
  assert(errors[2].error instanceof TruncatedError);
  source.close();
});

Deno.test("EventSource dispatches again what the server sends again", async () => {
  await using server = await faultServer([
    { body: "retry: 1\nid: 1\ndata: a\n\n" },
    { body: "id: 1\ndata: a\n\n", end: "stall" },
  ]);
  const source = new EventSource(server.url);
  const { lines, line } = follow(source);
  await line(5);
  assertEquals([lines[1], lines[4]], ["message a #1 1", "message a #1 1"]);
  source.close();
});

Deno.test("EventSource says of a clean end that it is one", async () => {
  await using server = await faultServer([{ body: "data: a\n\n" }]);
  const source = new EventSource(server.url);
  const { errors, line } = follow(source);
  await line(3);
  const [{ error, code, message, isTrusted, bubbles, cancelable }] = errors;
  assertEquals([error, code, message], [undefined, undefined, "The event stream ended"]);
  assertEquals([isTrusted, bubbles, cancelable], [true, false, false]);
  source.close();
});

Deno.test("EventSource is closed by an abort that is not its own, and by what headers throw", async () => {
  const aborted = () => Promise.reject(new DOMException("stop", "AbortError"));
  const thrown = new Error("no token");
  const inits: EventSourceInit[] = [
    { fetch: aborted },
    {
      headers() {
        throw thrown;
      },
    },
  ];
  for (const init of inits) {
    const source = new EventSource("http://feed.test/", init);
    const { lines, errors, line } = follow(source);
    await line(1);
    assertEquals(lines, ["error 2"]);
    if (init.headers === undefined) assertEquals(errors[0].code, "ERR_SSE_NETWORK");
    else assertEquals([errors[0].error, errors[0].message], [thrown, "no token"]);
  }
});

Deno.test("EventSource follows redirects, and asks the first URL again", async () => {
  await using other = await faultServer([{ body: "retry: 1\ndata: b\n\n" }, { status: 204 }]);
  const there = { location: other.url };
  await using server = await faultServer([
    ...[301, 302, 303, 307].map((status) => ({ status, headers: { location: "/next" } })),
    { status: 308, headers: there },
    { status: 302, headers: there },
  ]);
  const source = new EventSource(server.url, { headers: { "x-api-key": "secret" } });
  const origins: string[] = [];
  source.onmessage = ({ origin }) => origins.push(origin);
  await follow(source).line(4);
  assertEquals(source.url, server.url);
  // T21: the origin is that of the final URL.
  assertEquals(origins, [other.origin]);
  assertEquals(
    server.requests.map(({ path }) => path).filter((path) => path === "/next").length,
    4,
  );
  assertEquals(server.requests[5].path, server.requests[0].path);
  assert(server.requests.every((request) => request.header("x-api-key") === "secret"));
  assert(other.requests.every((request) => request.header("x-api-key") === undefined));
});

Deno.test("EventSource takes a redirect that leads nowhere for a network error", async () => {
  await using server = await faultServer([
    { status: 302, headers: { location: "ftp://localhost/" } },
  ]);
  const source = new EventSource(server.url);
  const { errors, line, lines } = follow(source);
  await line(1);
  assertEquals([lines[0], errors[0].code], ["error 0", "ERR_SSE_REDIRECT"]);
  source.close();
});

for (const url of ["ftp://localhost/", "about:blank", "mailto:a@b", "data:text/event-stream,x"]) {
  Deno.test(`EventSource is closed at once by ${url}`, async () => {
    const source = new EventSource(url, {
      fetch: () => {
        throw new Error("asked");
      },
    });
    assertEquals([source.url, source.readyState], [url, CONNECTING]);
    // In a task: whoever listens by then hears it.
    await settle();
    const { lines, errors, line } = follow(source);
    await line(1);
    await delay(5);
    assertEquals(lines, ["error 2"]);
    assertEquals(errors[0].code, "ERR_SSE_NETWORK");
    const closed = new EventSource(url);
    const log = follow(closed);
    closed.close();
    await delay(5);
    assertEquals(log.lines, []);
  });
}

Deno.test("EventSource.close drops the events of the same chunk (T23)", async () => {
  const closers: Record<string, (source: EventSource) => unknown> = {
    "at once": (source) => source.close(),
    "in a microtask": async (source) => {
      await settle();
      source.close();
    },
  };
  for (const [when, close] of Object.entries(closers)) {
    await using server = await faultServer([{
      body: ["id: 1\ndata: a\n\nid: 2\ndata: b\n\nid: 3\ndata: c\n\n"],
      end: "stall",
    }]);
    const source = new EventSource(server.url);
    const { lines, line } = follow(source);
    source.onmessage = ({ data }) => data === "b" && close(source);
    await line(3);
    assertEquals(await server.closed(0), "client");
    await delay(5);
    assertEquals(lines, ["open 1", "message a #1 1", "message b #2 1"], when);
    assertEquals([source.readyState, source.lastEventId], [CLOSED, "2"]);
  }
});

Deno.test("EventSource.close works from every listener, and a second time", async () => {
  for (const type of ["open", "message", "error"]) {
    using clock = fakeClock();
    await using server = await faultServer([{ body: "data: a\n\n" }]);
    const source = new EventSource(server.url);
    const { lines } = follow(source);
    const closed = Promise.withResolvers<void>();
    source.addEventListener(type, () => {
      source.close();
      source.close();
      closed.resolve();
    });
    await closed.promise;
    await delay(5);
    assertEquals(lines.at(-1)?.split(" ")[0], type);
    assertEquals([source.readyState, clock.countTimers()], [CLOSED, 0]);
  }
});

Deno.test("EventSource.close before the first request asks for nothing", async () => {
  let asked = 0;
  const fetch = () => {
    asked++;
    return Promise.reject(new Error("asked"));
  };
  const source = new EventSource("http://feed.test/", { fetch });
  const { lines } = follow(source);
  source.close();
  await delay(5);
  assertEquals([lines, asked], [[], 0]);
});

Deno.test("EventSource.close ends a request and a wait", async () => {
  await using server = await faultServer(["hold"]);
  const source = new EventSource(server.url);
  const { lines } = follow(source);
  await server.request(0);
  source.close();
  assertEquals(await server.closed(0), "client");
  assertEquals(lines, []);

  using clock = fakeClock();
  const waiting = new EventSource("http://feed.test/", { fetch: () => Promise.reject("down") });
  const log = follow(waiting);
  await log.line(1);
  waiting.close();
  assertEquals(clock.countTimers(), 0);
  await settle();
  assertEquals(log.lines, ["error 0"]);
});

Deno.test("EventSource goes on after a listener that throws", async () => {
  await using server = await faultServer([{ body: "data: a\n\ndata: b\n\n", end: "stall" }]);
  const reported: unknown[] = [];
  const onError = (event: ErrorEvent) => {
    event.preventDefault();
    reported.push(event.error.message);
  };
  addEventListener("error", onError);
  try {
    const source = new EventSource(server.url);
    const boom = () => {
      throw new Error("boom");
    };
    source.onopen = boom;
    source.onmessage = boom;
    const { lines, line } = follow(source);
    await line(3);
    assertEquals(lines, ["open 1", "message a # 1", "message b # 1"]);
    assertEquals(reported, ["boom", "boom", "boom"]);
    source.close();
  } finally {
    removeEventListener("error", onError);
  }
});

Deno.test("EventSource dispatches MessageEvents of all that the server names (T12)", async () => {
  await using server = await faultServer([{
    body: "event: error\ndata: a\n\nevent: open\ndata: b\n\nevent: constructor\ndata: c\n\n",
    end: "stall",
  }]);
  const source = new EventSource(server.url);
  const { lines, line } = follow(source, "constructor");
  const events: MessageEvent[] = [];
  source.addEventListener("constructor", (event) => events.push(event));
  await line(4);
  assertEquals(lines, ["open 1", "error a # 1", "open b # 1", "constructor c # 1"]);
  const [{ constructor, isTrusted, origin, ports, source: from, bubbles, cancelable }] = events;
  assertEquals([constructor, isTrusted, origin], [MessageEvent, true, server.origin]);
  assertEquals([ports, from, bubbles, cancelable], [[], null, false, false]);
  source.close();
});

Deno.test("EventSource leaves an event to what its listeners await before the next one", async () => {
  using _clock = fakeClock();
  await using server = await faultServer([{ body: ["data: a\n\ndata: b\n\ndata: c\n\n"] }]);
  const source = new EventSource(server.url);
  const seen: string[] = [];
  for (let i = 0; i < 3; i++) {
    const { data } = await new Promise<MessageEvent>((resolve) =>
      source.addEventListener("message", resolve, { once: true })
    );
    seen.push(data);
    await settle();
  }
  assertEquals(seen, ["a", "b", "c"]);
  source.close();
});

Deno.test("EventSource moves lastEventId event by event", async () => {
  await using server = await faultServer([{
    body: ["id: 1\ndata: a\n\nid: 2\ndata: b\n\nid: 3\n\n"],
    end: "stall",
  }]);
  const source = new EventSource(server.url);
  const ids: string[] = [];
  source.onmessage = () => ids.push(source.lastEventId);
  await follow(source).line(3);
  await delay(5);
  assertEquals([...ids, source.lastEventId], ["1", "2", "3"]);
  source.close();
  assertEquals(source.lastEventId, "3");
});

Deno.test("EventSource keeps no process alive while it waits", async () => {
  const { href } = new URL("../event_source.ts", import.meta.url);
  const code = `
    import { EventSource } from ${JSON.stringify(href)};
    const fetch = () => Promise.reject(new Error("down"));
    const source = new EventSource("http://feed.test/", { fetch });
    source.onerror = () => console.log("waits", source.readyState);
  `;
  const args = ["run", "--no-lock", `data:application/typescript,${encodeURIComponent(code)}`];
  const started = performance.now();
  const { stdout } = await new Deno.Command(Deno.execPath(), { args, stderr: "inherit" }).output();
  assertEquals(new TextDecoder().decode(stdout), "waits 0\n");
  assert(performance.now() - started < 2_900, "it waited");
});

Deno.test("EventSource.fromReadableStream dispatches the events of a stream", async () => {
  const { readable, writer, write } = pipe();
  const source = EventSource.fromReadableStream(readable);
  assertEquals([source.url, source.readyState], ["about:event-stream", OPEN]);
  assertEquals(source.withCredentials, false);
  assert(source instanceof EventSource && readable.locked);
  await settle();
  const { lines, errors, line } = follow(source, "price");
  const origins: string[] = [];
  source.onmessage = ({ origin }) => origins.push(origin);
  await line(1);
  await write("retry: 5000\nid: 1\nda");
  await write("ta: a\n\nevent: price\ndata: b\n\nid: 2\n\n");
  await line(3);
  await settle();
  assertEquals([source.lastEventId, source.reconnectionTime], ["2", 5000]);
  await writer.close();
  await line(4);
  assertEquals(lines, ["open 1", "message a #1 1", "price b #1 1", "error 2"]);
  assertEquals(origins, ["null"]);
  assertEquals([errors[0].error, errors[0].message], [undefined, "The event stream ended"]);
});

Deno.test("EventSource.fromReadableStream goes on from an ID and a reconnection time", async () => {
  const { readable, writer, write } = pipe();
  const init = { lastEventId: "7", reconnectionTime: 50 };
  const source = EventSource.fromReadableStream(readable, init);
  assertEquals([source.lastEventId, source.reconnectionTime], ["7", 50]);
  const { lines, line } = follow(source);
  await write("data: a\n\n");
  await line(2);
  assertEquals(lines, ["open 1", "message a #7 1"]);
  source.close();
  await writer.closed.catch(() => {});
});

Deno.test("EventSource.fromReadableStream tells how the stream broke, after what came before", async () => {
  const broken = new Error("disk");
  const TOO_LARGE = "x".repeat(67_108_864);
  const chunks: [unknown, unknown, string | undefined][] = [
    ["cut", TruncatedError, "ERR_SSE_TRUNCATED"],
    [5, TypeError, undefined],
    [TOO_LARGE, EventTooLargeError, "ERR_SSE_EVENT_TOO_LARGE"],
    [broken, broken, undefined],
  ];
  for (const [chunk, expected, code] of chunks) {
    const readable = new ReadableStream({
      pull(controller) {
        controller.enqueue(utf8(`data: a\n\ndata: ${chunk === TOO_LARGE ? TOO_LARGE : "cut"}`));
        if (typeof chunk === "number") controller.enqueue(chunk);
        if (chunk === broken) return Promise.resolve().then(() => controller.error(broken));
        controller.close();
      },
    }, { highWaterMark: 0 });
    const source = EventSource.fromReadableStream(readable);
    const { lines, errors, line } = follow(source);
    await line(3);
    assertEquals(lines, ["open 1", "message a # 1", "error 2"]);
    const [{ error }] = errors;
    if (typeof expected === "function") assertStrictEquals((error as Error).constructor, expected);
    else assertStrictEquals(error, expected);
    assertEquals(errors[0].code, code);
  }
});

Deno.test("EventSource.fromReadableStream throws at once at what it cannot read", () => {
  const { readable } = pipe();
  readable.getReader();
  assertThrows(() => EventSource.fromReadableStream(readable), TypeError, "locked");
  assertThrows(() => EventSource.fromReadableStream({} as ReadableStream), TypeError);
  for (const reconnectionTime of [-1, NaN, "5" as unknown as number]) {
    const stream = pipe().readable;
    const init = { reconnectionTime };
    assertThrows(
      () => EventSource.fromReadableStream(stream, init),
      RangeError,
      "reconnectionTime",
    );
    assert(!stream.locked);
  }
  const lastEventId = "\0";
  assertThrows(() => EventSource.fromReadableStream(pipe().readable, { lastEventId }), TypeError);
});

Deno.test("EventSource.close cancels a stream, and nothing is dispatched", async () => {
  for (const wait of [false, true]) {
    const cancelled = Promise.withResolvers<void>();
    const readable = new ReadableStream({
      start: (controller) => controller.enqueue(utf8("data: a\n\n")),
      cancel: () => cancelled.resolve(),
    });
    const source = EventSource.fromReadableStream(readable);
    const { lines, line } = follow(source);
    if (wait) await line(2);
    source.close();
    await cancelled.promise;
    await delay(5);
    assertEquals(lines, wait ? ["open 1", "message a # 1"] : []);
    assertEquals(source.readyState, CLOSED);
  }
});

Deno.test("EventSource.reset drops the unfinished event, for the bytes of another connection", async () => {
  const { readable, write } = pipe();
  const source = EventSource.fromReadableStream(readable);
  const { lines, line } = follow(source);
  await write("id: 1\ndata: a\n\nid: 9\ndata: half");
  await line(2);
  source.reset();
  await write("\uFEFFdata: b\n\n");
  await line(3);
  assertEquals(lines, ["open 1", "message a #1 1", "message b #1 1"]);
  source.close();
  idle().reset();
});
