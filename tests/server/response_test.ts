/** {@linkcode eventStreamResponse}: what it sends of which source, whom it refuses, and how it ends. */

import {
  assert,
  assertEquals,
  AssertionError,
  assertRejects,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import FakeTimers from "@sinonjs/fake-timers";
import { connect } from "../../client.ts";
import { encodeComment, encodeEvent, type ServerSentEventInit } from "../../encode.ts";
import { SessionClosedError, SlowConsumerError } from "../../errors.ts";
import { readEvents } from "../../parse.ts";
import type { CloseReason } from "../../server/close_reason.ts";
import type { EventStreamSource } from "../../server/pump.ts";
import { type EventStreamOptions, eventStreamResponse } from "../../server/response.ts";
import type { Session } from "../../server/session.ts";
import { within } from "../fault/real_time.ts";
import { RawPeer, standstill } from "../fixtures/node/peer.ts";
import { countedStream, message, settle, text, uncaught, unhandled } from "../helpers.ts";

/** How long anything may take that should be there at once. */
const LIMIT = 5_000;

function soon<T>(fact: Promise<T>, what: string): Promise<T> {
  return within(fact, LIMIT, () => `Nothing came of: ${what}`);
}

const URL = "http://sse.example/";

function get(headers: HeadersInit = {}, method = "GET"): Request {
  return new Request(URL, { method, headers });
}

/** What is made of what a caller of JavaScript may pass. */
function anything<T>(value: unknown): T {
  return value as T;
}

/** What `onClose` was told. */
class Closed {
  readonly reasons: CloseReason[] = [];
  readonly sessions: Session<unknown>[] = [];
  readonly #first = Promise.withResolvers<CloseReason>();

  readonly onClose = (reason: CloseReason, session: Session<unknown>): void => {
    this.reasons.push(reason);
    this.sessions.push(session);
    this.#first.resolve(reason);
  };

  get first(): Promise<CloseReason> {
    return soon(this.#first.promise, "onClose");
  }
}

/** A source that says what is done with it; each event is given when the test gives it. */
class Source implements AsyncIterableIterator<ServerSentEventInit> {
  readonly log: string[] = [];
  readonly #results: Promise<IteratorResult<ServerSentEventInit>>[];

  constructor(...results: (ServerSentEventInit | Error | "done" | "never")[]) {
    this.#results = results.map((result) => {
      if (result === "never") return new Promise(() => {});
      if (result === "done") return Promise.resolve({ done: true, value: undefined });
      if (!(result instanceof Error)) return Promise.resolve({ done: false, value: result });
      const failed = Promise.reject(result);
      failed.catch(() => {});
      return failed;
    });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<IteratorResult<ServerSentEventInit>> {
    this.log.push("next");
    return this.#results.shift() ?? new Promise(() => {});
  }

  return(): Promise<IteratorResult<ServerSentEventInit>> {
    this.log.push("return");
    return Promise.resolve({ done: true, value: undefined });
  }
}

const NO_TIMER = { keepAlive: false } as const;

/** What a source makes of a response that is read to its end. */
async function sent(
  source: Parameters<typeof eventStreamResponse>[0],
  options: EventStreamOptions<undefined> = {},
): Promise<{ body: string; reason: CloseReason }> {
  const closed = new Closed();
  const response = eventStreamResponse(source, {
    ...NO_TIMER,
    onClose: closed.onClose,
    ...options,
  });
  const body = await soon(response.text(), "the end of the body");
  const reason = await closed.first;
  assertEquals(closed.reasons, [reason]);
  return { body, reason };
}

// What it begins with

for (
  const [what, options, first] of [
    ["a comment", {}, ": \n\n"],
    ["the reconnection time", { retry: 500 }, ": \nretry: 500\n\n"],
    ["a reconnection time of 0", { retry: 0 }, ": \nretry: 0\n\n"],
    ["padding", { padding: 5 }, ":      \n\n"],
    ["both", { padding: 2_048, retry: 1 }, `: ${" ".repeat(2_048)}\nretry: 1\n\n`],
  ] as const
) {
  Deno.test(`eventStreamResponse sends ${what} at once`, async () => {
    const source = new Source("never");
    const { body } = eventStreamResponse(source, { ...NO_TIMER, ...options });
    const reader = body!.getReader();
    assertEquals(text((await reader.read()).value!), first);
    await reader.cancel();
  });
}

Deno.test("eventStreamResponse begins with a comment that readers ignore", async () => {
  const response = eventStreamResponse([{ data: "a" }], { padding: 2_048, retry: 7 });
  assertEquals(await Array.fromAsync(readEvents(response)), [message("a")]);
});

Deno.test("eventStreamResponse has the headers of an event stream, and status 200", () => {
  const response = eventStreamResponse([]);
  assertEquals([response.status, Object.fromEntries(response.headers)], [200, {
    "content-type": "text/event-stream",
    "cache-control": "no-cache, no-transform",
    "x-accel-buffering": "no",
  }]);
});

Deno.test("eventStreamResponse has the caller's headers, in place of its own", () => {
  const headers = {
    "Cache-Control": "no-store",
    "X-A": "b",
    "content-type": "text/event-stream;a=b",
  };
  const response = eventStreamResponse([], { headers, status: 201 });
  assertEquals([response.status, Object.fromEntries(response.headers)], [201, {
    "cache-control": "no-store",
    "content-type": "text/event-stream;a=b",
    "x-accel-buffering": "no",
    "x-a": "b",
  }]);
});

// Sources

const EVENTS: ServerSentEventInit[] = [{ data: "a\r\nb", id: "1" }, { event: "e", data: "" }, {
  comment: "c",
}];
const ENCODED = `: \n\n${EVENTS.map((event) => text(encodeEvent(event))).join("")}`;

for (
  const [what, make] of [
    ["an array", () => EVENTS],
    ["a Set", () => new Set(EVENTS)],
    ["an iterator without return", () => ({
      [Symbol.iterator]: () => {
        const iterator = EVENTS.values();
        return { next: () => iterator.next() };
      },
    })],
    ["a generator", () => EVENTS.values()],
    ["an async generator", async function* () {
      yield* EVENTS;
    }],
    ["a ReadableStream", () => countedStream(EVENTS).stream],
    ["what only has the shape of a ReadableStream", () => {
      const stream = countedStream(EVENTS).stream;
      return anything<EventStreamSource>({ getReader: () => stream.getReader(), locked: false });
    }],
  ] as [string, () => EventStreamSource][]
) {
  Deno.test(`eventStreamResponse sends the events of ${what}`, async () => {
    const { body, reason } = await sent(make());
    assertEquals([body, reason], [ENCODED, { reason: "ended" }]);
  });

  Deno.test(`eventStreamResponse sends the events of ${what} that a function returns`, async () => {
    const { body, reason } = await sent(make);
    assertEquals([body, reason], [ENCODED, { reason: "ended" }]);
  });
}

Deno.test("eventStreamResponse calls a function at once, with the session", () => {
  const sessions: Session<string>[] = [];
  const request = get({ "last-event-id": "7" });
  eventStreamResponse<string>((session) => {
    sessions.push(session);
    session.close();
  }, { request, state: "mine" });
  const [{ lastEventId, state }] = sessions;
  assertStrictEquals(sessions[0].request, request);
  assertEquals([sessions.length, lastEventId, state], [1, "7", "mine"]);
});

Deno.test("eventStreamResponse ends when the promise of a function is fulfilled", async () => {
  const { body, reason } = await sent(async (session) => {
    for (const event of EVENTS) await session.send(event);
  });
  assertEquals([body, reason], [ENCODED, { reason: "ended" }]);
});

Deno.test("eventStreamResponse of a function that returns nothing ends when somebody closes it", async () => {
  const sessions: Session<unknown>[] = [];
  const closed = new Closed();
  const response = eventStreamResponse<unknown>((session) => void sessions.push(session), {
    ...NO_TIMER,
    onClose: closed.onClose,
  });
  await settle();
  assertEquals(closed.reasons, []);
  sessions[0].send({ data: "a" });
  sessions[0].close("bye");
  assertEquals(await response.text(), ": \n\ndata: a\n\n");
  assertEquals(closed.reasons, [{ reason: "closed", cause: "bye" }]);
});

for (
  const [what, source] of [
    ["null", null],
    ["undefined", undefined],
    ["a string", "abc"],
    ["a number", 1],
    ["an object that gives nothing", {}],
  ] as const
) {
  Deno.test(`eventStreamResponse throws for ${what} as the source`, () => {
    const error = assertThrows(
      () => eventStreamResponse(anything<EventStreamSource>(source)),
      TypeError,
    );
    const type = source === null ? "null" : typeof source;
    assert(error.message.endsWith(`received ${type}`), error.message);
  });
}

for (const value of [null, 1, "abc", {}, true]) {
  Deno.test(`eventStreamResponse ends if a function returns ${JSON.stringify(value)}`, async () => {
    const { body, reason } = await sent(() => anything<undefined>(value));
    assertEquals([body, reason.reason], [": \n\n", "error"]);
    assert(reason.cause instanceof TypeError);
    assert(`${reason.cause}`.startsWith("TypeError: Cannot respond: the source must be"));
  });
}

Deno.test("eventStreamResponse throws for a stream that somebody else reads", () => {
  const { stream } = countedStream(EVENTS);
  stream.getReader();
  assertThrows(() => eventStreamResponse(stream), TypeError, "locked");
});

for (
  const [options, error] of [
    [{ status: 199 }, RangeError],
    [{ status: 300 }, RangeError],
    [{ status: 200.5 }, RangeError],
    [{ status: NaN }, RangeError],
    [{ status: anything<number>("200") }, RangeError],
    [{ keepAlive: 0 }, RangeError],
    [{ keepAlive: 0.5 }, RangeError],
    [{ keepAlive: NaN }, RangeError],
    [{ keepAlive: anything<false>(true) }, RangeError],
    [{ keepAlive: anything<false>(null) }, RangeError],
    [{ maxAge: 0 }, RangeError],
    [{ maxAge: NaN }, RangeError],
    [{ maxAge: anything<number>(false) }, RangeError],
    [{ maxQueueBytes: 0 }, RangeError],
    [{ maxQueueBytes: NaN }, RangeError],
    [{ padding: -1 }, RangeError],
    [{ padding: anything<number>("1") }, RangeError],
    [{ retry: -1 }, RangeError],
    [{ retry: 1.5 }, RangeError],
    [{ headers: { "connection": "close" } }, TypeError],
    [{ headers: { "Transfer-Encoding": "chunked" } }, TypeError],
    [{ headers: { "content-length": "1" } }, TypeError],
    [{ headers: { "a b": "c" } }, TypeError],
  ] as [EventStreamOptions<undefined>, typeof TypeError][]
) {
  const shown = Object.entries(options).map(([name, value]) =>
    `${name}: ${typeof value === "number" ? value : JSON.stringify(value)}`
  );
  Deno.test(`eventStreamResponse throws for ${shown}, and leaves the source alone`, async () => {
    const clock = FakeTimers.install({ toNotFake: ["nextTick", "queueMicrotask"] });
    try {
      const { stream, log } = countedStream(EVENTS);
      assertThrows(() => eventStreamResponse(stream, options), error);
      await settle();
      assertEquals([stream.locked, log.pulls, log.cancelled], [false, 0, []]);
      assertThrows(() => eventStreamResponse(() => assert(false, "called"), options), error);
      assertEquals(clock.countTimers(), 0);
    } finally {
      clock.uninstall();
    }
  });
}

Deno.test("eventStreamResponse takes each option at the edge of its range", async () => {
  const options = { keepAlive: 1, maxAge: 1, maxQueueBytes: 1, padding: 0, retry: 0, status: 299 };
  const { body } = await sent([{ data: "a" }], options);
  assert(body.startsWith(": \nretry: 0\n\n"), body);
});

// Who is refused, or gets no body

for (
  const [what, request, options, status] of [
    ["Accept excludes event streams", get({ accept: "text/html" }), {}, 406],
    ["the last event ID is garbage", get({ "last-event-id": "\xff" }), {}, 400],
    ["the method is HEAD", get({}, "HEAD"), {}, 200],
    ["the method is HEAD, with its status", get({}, "HEAD"), { status: 201 }, 201],
    ["the status is 204", get(), { status: 204 }, 204],
    ["the status is 204 and there is no request", undefined, { status: 204 }, 204],
    ["the status is 205", undefined, { status: 205 }, 205],
    ["Accept excludes event streams of status 204", get({ accept: "a/b" }), { status: 204 }, 406],
  ] as const
) {
  Deno.test(`eventStreamResponse reads no source where ${what}, and lets go of it`, async () => {
    const closed = new Closed();
    const all = { request, ...options, onClose: closed.onClose };
    const source = new Source(...EVENTS);
    const response = eventStreamResponse(source, all);
    assertEquals([response.status, source.log], [status, ["return"]]);
    assertEquals(response.headers.get("content-type")?.startsWith("text/plain"), status >= 400);
    const { stream, log } = countedStream(EVENTS);
    await eventStreamResponse(stream, all).body?.cancel();
    assertEquals([log.pulls, log.cancelled], [0, [undefined]]);
    eventStreamResponse(() => assert(false, "called"), all);
    assertEquals(status >= 400 || response.body === null, true);
    assertEquals(closed.reasons, []);
    await response.body?.cancel();
  });
}

Deno.test("eventStreamResponse has the caller's headers where there is no body", () => {
  // Without those for other origins a browser would take a 204 for a failure, and ask again.
  const headers = { "access-control-allow-origin": "*", "cache-control": "no-store" };
  for (const options of [{ status: 204 }, { request: get({}, "HEAD") }]) {
    const response = eventStreamResponse([], { headers, ...options });
    assertEquals(response.headers.get("access-control-allow-origin"), "*");
    assertEquals(response.headers.get("cache-control"), "no-store");
    assertEquals(response.headers.get("content-type"), "text/event-stream");
  }
});

Deno.test("eventStreamResponse lets go of a source that fails to be left, and tells nobody", async () => {
  const failures = [
    () => Promise.reject(new Error("late")),
    () => {
      throw new Error("at once");
    },
  ];
  for (const fail of failures) {
    const source = new Source("never");
    source.return = fail;
    const reasons = await unhandled(async () => {
      assertEquals(eventStreamResponse(source, { status: 204 }).status, 204);
      const { body } = eventStreamResponse(source, NO_TIMER);
      await body!.cancel();
    });
    assertEquals(reasons, []);
  }
});

// A source that fails

for (
  const [what, make] of [
    ["an async generator", (error) =>
      (async function* () {
        yield { data: "a" };
        throw error;
      })()],
    ["a generator", (error) =>
      (function* () {
        yield { data: "a" };
        throw error;
      })()],
    ["a stream", (error) => {
      let pulls = 0;
      return new ReadableStream({
        pull(controller) {
          if (pulls++ === 0) controller.enqueue({ data: "a" });
          else controller.error(error);
        },
      }, { highWaterMark: 0 });
    }],
    ["a function", (error) => (session) => {
      session.send({ data: "a" });
      throw error;
    }],
    ["a function that is asynchronous", (error) => async (session) => {
      await session.send({ data: "a" });
      throw error;
    }],
  ] as [string, (error: unknown) => Parameters<typeof eventStreamResponse>[0]][]
) {
  Deno.test(`eventStreamResponse ends after what was sent when ${what} throws`, async () => {
    for (const error of [new Error("secret"), undefined]) {
      const reasons = await unhandled(async () => {
        const { body, reason } = await sent(make(error));
        // The error is told to nobody else.
        assertEquals([body, reason], [": \n\ndata: a\n\n", { reason: "error", cause: error }]);
        assertStrictEquals(reason.cause, error);
      });
      assertEquals(reasons, []);
    }
  });
}

for (
  const [what, event, error] of [
    ["a line break in event", { event: "a\n\ndata: forged" }, TypeError],
    ["a line break in id", { id: "a\rid: forged" }, TypeError],
    ["NUL in id", { id: "a\0" }, TypeError],
    ["data that is no string", { data: 1 }, TypeError],
    ["nothing", undefined, TypeError],
    ["a reconnection time that is none", { retry: 0.5 }, RangeError],
  ] as const
) {
  Deno.test(`eventStreamResponse ends at an event that is ${what}, and leaves the source`, async () => {
    const events = [{ data: "a" }, anything<ServerSentEventInit>(event), { data: "b" }];
    const source = new Source(...events);
    const { body, reason } = await sent(source);
    assertEquals([body, reason.reason], [": \n\ndata: a\n\n", "error"]);
    assert(reason.cause instanceof error);
    await settle();
    assertEquals(source.log, ["next", "next", "return"]);
    const { stream, log } = countedStream(events);
    assertEquals((await sent(stream)).reason.reason, "error");
    await settle();
    assertEquals([log.pulls, log.cancelled.length], [2, 1]);
  });
}

Deno.test("eventStreamResponse ends when a source gives no result", async () => {
  const source = new Source();
  source.next = () => Promise.resolve(anything(undefined));
  const { reason } = await sent(source);
  assertEquals([reason.reason, reason.cause instanceof TypeError], ["error", true]);
});

// How fast a source is read

for (
  const [what, open] of [
    ["an async generator", (next) =>
      (async function* () {
        for (;;) yield next();
      })()],
    ["a generator", (next) =>
      (function* () {
        for (;;) yield next();
      })()],
    [
      "a stream",
      (next) =>
        new ReadableStream({ pull: (controller) => controller.enqueue(next()) }, {
          highWaterMark: 0,
        }),
    ],
    ["a function that waits", (next) => async (session) => {
      for (;;) await session.send(next());
    }],
  ] as [string, (next: () => ServerSentEventInit) => Parameters<typeof eventStreamResponse>[0]][]
) {
  Deno.test(`eventStreamResponse reads ${what} no faster than its reader reads`, async () => {
    let [pulled, read] = [0, 0];
    const source = open(() => {
      pulled++;
      return { data: "x".repeat(992) };
    });
    const closed = new Closed();
    const { body } = eventStreamResponse(source, { ...NO_TIMER, onClose: closed.onClose });
    const reader = body!.getReader();
    const most = 65_536 / 1_000 + 3;
    for (let i = 0; i < 10; i++) {
      await settle();
      await settle();
      assert(pulled - read <= most, `${pulled} were pulled and ${read} read`);
      const { value } = await reader.read();
      read += Math.floor((value?.length ?? 0) / 1_000);
    }
    assert(pulled > most, `only ${pulled} were pulled`);
    await reader.cancel();
    await settle();
    const end = pulled;
    await settle();
    assertEquals([pulled, closed.reasons.length], [end, 1]);
  });
}

Deno.test("eventStreamResponse loses no reader of a source for the size of its events", async () => {
  // The first bytes wait still.
  const closed = new Closed();
  const events = [2_000_000, 10, 1_048_576, 1_000_000, 3_000_000].map((length) => ({
    data: "x".repeat(length),
  }));
  const response = eventStreamResponse(events, { ...NO_TIMER, onClose: closed.onClose });
  await settle();
  assertEquals(closed.reasons, []);
  const received = await Array.fromAsync(readEvents(response, { maxEventSize: 4_000_000 }));
  assertEquals(received.map(({ data }) => data.length), events.map(({ data }) => data.length));
  assertEquals(closed.reasons, [{ reason: "ended" }]);
});

// How a source is left

Deno.test("eventStreamResponse leaves an iterator when its reader leaves, once", async () => {
  for (const pending of [[], ["never"]] as "never"[][]) {
    const source = new Source({ data: "a" }, ...pending);
    const closed = new Closed();
    const { body } = eventStreamResponse(source, { ...NO_TIMER, onClose: closed.onClose });
    await settle();
    await body!.cancel("left");
    await settle();
    assertEquals(source.log, ["next", "next", "return"]);
    assertEquals(closed.reasons, [{ reason: "peer-left", cause: "left" }]);
  }
});

Deno.test("eventStreamResponse cancels a stream when its reader leaves, once, also while it pulls", async () => {
  const { stream, log } = countedStream([{ data: "a" }], "stay open");
  const { body } = eventStreamResponse(stream, NO_TIMER);
  await settle();
  await body!.cancel();
  await settle();
  assertEquals([log.pulls, log.cancelled.length], [2, 1]);
});

Deno.test("eventStreamResponse does not leave a source that has come to its end, or has thrown", async () => {
  for (const end of ["done", new Error("failed")] as const) {
    for (const events of [[], [{ data: "a" }]]) {
      const source = new Source(...events, end);
      await sent(source);
      await settle();
      assertEquals(source.log, [...events.map(() => "next"), "next"]);
    }
  }
});

Deno.test("eventStreamResponse does not take what a source gives after the end", async () => {
  const source = new Source();
  const late = Promise.withResolvers<IteratorResult<ServerSentEventInit>>();
  source.next = () => {
    source.log.push("next");
    return late.promise;
  };
  const sessions: Session<undefined>[] = [];
  const response = eventStreamResponse((session) => {
    sessions.push(session);
    return source;
  }, NO_TIMER);
  await settle();
  sessions[0].close();
  late.resolve({ done: false, value: { data: "late" } });
  assertEquals(await response.text(), ": \n\n");
  await settle();
  assertEquals(source.log, ["next", "return"]);
});

Deno.test("eventStreamResponse takes no failure of a source after the end", async () => {
  const source = new Source();
  const late = Promise.withResolvers<IteratorResult<ServerSentEventInit>>();
  source.next = () => late.promise;
  const closed = new Closed();
  const reasons = await unhandled(async () => {
    const { body } = eventStreamResponse(source, { ...NO_TIMER, onClose: closed.onClose });
    await settle();
    await body!.cancel();
    late.reject(new Error("late"));
    await settle();
  });
  assertEquals([reasons, closed.reasons], [[], [{ reason: "peer-left", cause: undefined }]]);
});

Deno.test("eventStreamResponse leaves a source that a function returns after it has closed", async () => {
  const source = new Source({ data: "a" });
  const { body } = await sent((session) => {
    session.close();
    return source;
  });
  await settle();
  assertEquals([body, source.log], [": \n\n", ["return"]]);
});

Deno.test("eventStreamResponse leaves generators that close their own session", async () => {
  const left: string[] = [];
  const { body } = await sent(function* (session) {
    try {
      session.close();
      yield { data: "late" };
    } finally {
      left.push("generator");
    }
  });
  await sent(async function* (session) {
    try {
      session.close();
      yield { data: "late" };
    } finally {
      left.push("async generator");
    }
  });
  await settle();
  assertEquals([body, left], [": \n\n", ["generator", "async generator"]]);
});

Deno.test("Session.signal releases a generator that is parked on an await", async () => {
  const released = Promise.withResolvers<string>();
  const { body } = eventStreamResponse(async function* ({ signal }) {
    try {
      yield { data: "a" };
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
      yield { data: "late" };
    } finally {
      released.resolve("released");
    }
  }, NO_TIMER);
  const reader = body!.getReader();
  await settle();
  await reader.read();
  await reader.cancel();
  assertEquals(await soon(released.promise, "the release"), "released");
});

Deno.test("A generator that is parked at its yield is released without a signal", async () => {
  const released = Promise.withResolvers<string>();
  const { body } = eventStreamResponse(async function* () {
    try {
      for (;;) yield { data: "x".repeat(100_000) };
    } finally {
      released.resolve("released");
    }
  }, NO_TIMER);
  await settle();
  await body!.cancel();
  assertEquals(await soon(released.promise, "the release"), "released");
});

// Hooks

Deno.test("eventStreamResponse tells onClose before it aborts the signal, with the session", async () => {
  const order: unknown[] = [];
  const sessions: Session<undefined>[] = [];
  const response = eventStreamResponse((session) => {
    sessions.push(session);
    session.signal.addEventListener("abort", () => order.push("signal"));
    session.closed.then(() => order.push("closed"));
  }, {
    ...NO_TIMER,
    onClose(reason, session) {
      order.push(reason.reason, session === sessions[0], session.signal.aborted);
    },
  });
  await response.body!.cancel();
  await settle();
  assertEquals(order, ["peer-left", true, false, "signal", "closed"]);
});

Deno.test("An onClose that throws breaks nothing else, and is reported as uncaught", async () => {
  const failure = new Error("hook");
  const source = new Source("never");
  const sessions: Session<undefined>[] = [];
  const errors = await uncaught(async () => {
    const response = eventStreamResponse((session) => {
      sessions.push(session);
      return source;
    }, {
      ...NO_TIMER,
      onClose() {
        throw failure;
      },
    });
    const [session] = sessions;
    const { signal } = session;
    await settle();
    session.close();
    assertEquals(signal.aborted, true);
    assertEquals((await session.closed).reason, "closed");
    assertEquals(await response.text(), ": \n\n");
    assertEquals(source.log, ["next", "return"]);
  });
  assertEquals(errors, [failure]);
});

// Time

Deno.test("eventStreamResponse sends a comment after 9 s without an event, and has no timer after the end", async () => {
  const clock = FakeTimers.install({ toNotFake: ["nextTick", "queueMicrotask"] });
  try {
    const { body } = eventStreamResponse(new Source("never"));
    const reader = body!.getReader();
    assertEquals(text((await reader.read()).value!), ": \n\n");
    const next = reader.read();
    let came = false;
    next.then(() => came = true);
    clock.tick(8_999);
    await settle();
    assertEquals(came, false);
    clock.tick(1);
    assertEquals((await next).value, encodeComment(""));
    assertEquals(clock.countTimers(), 1);
    await reader.cancel();
    assertEquals(clock.countTimers(), 0);
  } finally {
    clock.uninstall();
  }
});

Deno.test("eventStreamResponse leaves its source when maxAge is over", async () => {
  const clock = FakeTimers.install({ toNotFake: ["nextTick", "queueMicrotask"] });
  try {
    const source = new Source({ data: "a" }, "never");
    const closed = new Closed();
    const response = eventStreamResponse(source, { maxAge: 1_000, onClose: closed.onClose });
    await settle();
    clock.tick(799);
    assertEquals(closed.reasons, []);
    clock.tick(201);
    assertEquals(closed.reasons, [{ reason: "max-age" }]);
    assertEquals(await response.text(), ": \n\ndata: a\n\n");
    assertEquals(source.log, ["next", "next", "return"]);
    assertEquals(clock.countTimers(), 0);
  } finally {
    clock.uninstall();
  }
});

// Over sockets

/** A server, and what it was told of errors of responses. */
async function serving(
  handler: (request: Request) => Response | Promise<Response>,
  use: (port: number, errors: unknown[]) => Promise<void>,
): Promise<void> {
  const errors: unknown[] = [];
  const server = Deno.serve({
    port: 0,
    hostname: "127.0.0.1",
    onListen() {},
    onError(error) {
      errors.push(error);
      return new Response(null, { status: 500 });
    },
  }, handler);
  try {
    assertEquals(await unhandled(() => use(server.addr.port, errors)), []);
  } finally {
    await soon(server.shutdown(), "the shutdown");
  }
}

/** A peer that has asked. */
function ask(port: number, method = "GET"): RawPeer {
  const peer = new RawPeer(port);
  peer.send(`${method} / HTTP/1.1\r\nhost: sse.example\r\n\r\n`);
  return peer;
}

/** The ways to leave. */
const WAYS: Record<string, (peer: RawPeer) => void> = {
  FIN: ({ socket }) => void socket.destroy(),
  RST: ({ socket }) => void socket.resetAndDestroy(),
};

Deno.test("Over a socket headers and the first bytes are there before any event", async () => {
  await serving(
    () => eventStreamResponse(new Source("never"), { retry: 5 }),
    async (port, errors) => {
      const peer = ask(port);
      await peer.until((text) => text.includes("\r\n\r\n") && text.includes(": \nretry: 5\n\n"));
      assert(peer.text.includes("content-type: text/event-stream\r\n"), peer.text);
      assert(!/content-encoding|content-length/i.test(peer.text), peer.text);
      peer.socket.destroy();
      assertEquals(errors, []);
    },
  );
});

Deno.test("Over a socket an event is there before the next, and the end is a clean one", async () => {
  const sessions: Session<undefined>[] = [];
  const handler = () => eventStreamResponse((session) => void sessions.push(session));
  await serving(handler, async (port, errors) => {
    const peer = ask(port);
    await peer.until((text) => text.includes(": \n\n"));
    for (const data of ["a", "b"]) {
      await sessions[0].send({ data });
      await peer.until((text) => text.includes(`data: ${data}\n\n`));
    }
    sessions[0].close();
    await peer.until((text) => text.endsWith("\r\n0\r\n\r\n"));
    assertEquals(errors, []);
    peer.socket.destroy();
  });
});

for (const [way, leave] of Object.entries(WAYS)) {
  for (
    const [place, events] of [
      ["while nothing is sent", ["never"]],
      ["in the middle of an event", [{ data: "x".repeat(20_000_000) }, "never"]],
    ] as [string, (ServerSentEventInit | "never")[]][]
  ) {
    Deno.test(`Over a socket a reader that leaves by ${way} ${place} releases the source`, async () => {
      const closed = new Closed();
      const sources: Source[] = [];
      const handler = (request: Request) => {
        const source = new Source(...events);
        sources.push(source);
        return eventStreamResponse(source, { request, ...NO_TIMER, onClose: closed.onClose });
      };
      await serving(handler, async (port, errors) => {
        const peer = ask(port);
        await peer.until((text) => text.includes(place.startsWith("while") ? ": \n\n" : "xxx"));
        leave(peer);
        const { reason } = await closed.first;
        const [{ closed: told, signal, queuedBytes }] = closed.sessions;
        assertEquals([reason, (await told).reason, signal.aborted], [
          "peer-left",
          "peer-left",
          true,
        ]);
        assertEquals(queuedBytes, 0);
        await settle();
        assertEquals(sources[0].log.at(-1), "return");
        assertEquals(errors, []);
      });
    });
  }
}

Deno.test("Over a socket a reader that has left before it is answered is noticed", async () => {
  const closed = new Closed();
  const asked = Promise.withResolvers<void>();
  const gone = Promise.withResolvers<void>();
  const source = new Source("never");
  const handler = async () => {
    asked.resolve();
    await gone.promise;
    return eventStreamResponse(source, { ...NO_TIMER, onClose: closed.onClose });
  };
  await serving(handler, async (port) => {
    const peer = ask(port);
    await soon(asked.promise, "the request");
    peer.socket.resetAndDestroy();
    await soon(peer.closed, "the close");
    gone.resolve();
    assertEquals((await closed.first).reason, "peer-left");
    await settle();
    assertEquals(source.log, ["next", "return"]);
  });
});

Deno.test("Over a socket a reader that reads nothing stops the source", async () => {
  const closed = new Closed();
  const released = Promise.withResolvers<void>();
  let pulled = 0;
  async function* events() {
    try {
      for (;;) {
        pulled += 16_384;
        yield { data: "x".repeat(16_384) };
      }
    } finally {
      released.resolve();
    }
  }
  const handler = () => eventStreamResponse(events(), { ...NO_TIMER, onClose: closed.onClose });
  await serving(handler, async (port) => {
    const peer = ask(port);
    peer.socket.pause();
    const stalled = await standstill(() => pulled);
    // The system holds some megabytes; what is pulled without end is far more by then.
    assert(stalled > 0 && stalled < 32_000_000, `${stalled}`);
    assertEquals(closed.reasons, []);
    peer.socket.resume();
    await peer.until(({ length }) => length > stalled + 1_000_000);
    peer.socket.resetAndDestroy();
    assertEquals((await closed.first).reason, "peer-left");
    await soon(released.promise, "the release");
  });
});

Deno.test("Over a socket a slow reader is cut off, and the server is told once, typed", async () => {
  const closed = new Closed();
  const handler = () =>
    eventStreamResponse((session) => {
      const event = { data: "x".repeat(100_000) };
      // Nobody waits, as in a callback.
      const flood = () => {
        if (session.signal.aborted) return;
        for (let i = 0; i < 5; i++) session.send(event);
        setTimeout(flood, 0);
      };
      flood();
    }, { ...NO_TIMER, onClose: closed.onClose });
  await serving(handler, async (port, errors) => {
    const peer = ask(port);
    peer.socket.pause();
    const { reason, cause } = await closed.first;
    assertEquals([reason, cause instanceof SlowConsumerError], ["slow", true]);
    peer.socket.resume();
    // The socket is closed, and the body has no end.
    await soon(peer.closed, "the close");
    assert(peer.text.includes("xxx") && !peer.text.endsWith("0\r\n\r\n"));
    // What a server does of itself with it is to print it.
    assertEquals(errors, [cause]);
    assertStrictEquals(errors[0], cause);
    assertEquals(closed.sessions[0].queuedBytes, 0);
  });
});

Deno.test("Over a socket a source that throws ends the stream cleanly, and its text stays here", async () => {
  const closed = new Closed();
  const failure = new Error("secret");
  const handler = () =>
    eventStreamResponse(new Source({ data: "a" }, failure), { onClose: closed.onClose });
  await serving(handler, async (port, errors) => {
    const peer = ask(port);
    await peer.until((text) => text.endsWith("\r\n0\r\n\r\n"));
    assert(peer.text.includes("data: a\n\n") && !peer.text.includes("secret"), peer.text);
    peer.socket.destroy();
    assertEquals([await closed.first, errors], [{ reason: "error", cause: failure }, []]);
  });
});

Deno.test("Over a socket HEAD has the headers and no body, and the connection goes on", async () => {
  const source = new Source(...EVENTS, "done");
  const handler = (request: Request) => eventStreamResponse(source, { request });
  await serving(handler, async (port) => {
    const peer = ask(port, "HEAD");
    await peer.until((text) => text.endsWith("\r\n\r\n"));
    assert(peer.text.includes("content-type: text/event-stream\r\n"), peer.text);
    assert(!peer.text.includes("data:"), peer.text);
    assertEquals(source.log, ["return"]);
    peer.send("GET / HTTP/1.1\r\nhost: sse.example\r\n\r\n");
    await peer.until((text) => text.endsWith("\r\n0\r\n\r\n"));
    assert(peer.text.includes("data: a\ndata: b\n\n"), peer.text);
    peer.socket.destroy();
  });
});

Deno.test("Over a socket a client comes back with its last event ID, until a 204 stops it", async () => {
  const asked: string[] = [];
  const handler = (request: Request) => {
    const from = Number(request.headers.get("last-event-id") ?? 0);
    asked.push(request.headers.get("last-event-id") ?? "none");
    if (from >= 4) return eventStreamResponse([], { request, status: 204 });
    return eventStreamResponse(async function* ({ lastEventId }) {
      assertEquals(lastEventId, from === 0 ? "" : `${from}`);
      for (const id of [from + 1, from + 2]) yield { data: `${id}`, id: `${id}` };
    }, { request, retry: 0 });
  };
  await serving(handler, async (port) => {
    const connection = connect(`http://127.0.0.1:${port}/`, {
      retry: { initialDelay: 0, maxAttempts: 10 },
    });
    const received = await soon(Array.fromAsync(connection), "all events");
    assertEquals(received.map(({ data }) => data), ["1", "2", "3", "4"]);
    assertEquals(asked, ["none", "2", "4"]);
  });
});

Deno.test("Session.send rejects soon after a reader has left its socket", async () => {
  const closed = new Closed();
  const failed = Promise.withResolvers<unknown>();
  const handler = () =>
    eventStreamResponse(async (session) => {
      try {
        for (;;) await session.send({ data: "x".repeat(10_000) });
      } catch (error) {
        failed.resolve(error);
        throw error;
      }
    }, { onClose: closed.onClose });
  await serving(handler, async (port) => {
    const peer = ask(port);
    await peer.until(({ length }) => length > 100_000);
    peer.socket.resetAndDestroy();
    const error = await soon(failed.promise, "the rejection");
    if (!(error instanceof SessionClosedError)) throw new AssertionError(`${error}`);
    assertEquals(error.cause, await closed.first);
    assertEquals(closed.reasons.length, 1);
    await assertRejects(() => closed.sessions[0].send({ data: "late" }), SessionClosedError);
  });
});
