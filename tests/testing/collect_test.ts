/** {@linkcode collect}: events into an array, and nothing left open. */

import FakeTimers from "@sinonjs/fake-timers";
import { assert, assertEquals, assertRejects } from "@std/assert";
import { EventSource as PeerEventSource } from "eventsource";
import { connect } from "../../client.ts";
import { ResponseError, TruncatedError } from "../../errors.ts";
import { EventSource } from "../../event_source.ts";
import { readEvents, type ServerSentEvent, ServerSentEventDecoderStream } from "../../parse.ts";
import {
  collect,
  CollectError,
  type CollectOptions,
  createTransport,
  type EventSourceLike,
} from "../../testing.ts";
import { delay } from "../fault/real_time.ts";
import { countedStream, message, settle, unhandled, utf8 } from "../helpers.ts";
import { listenersOf } from "./listeners.ts";
import { dataOf, held, numbers, URL as url } from "./numbers.ts";

const STREAM = "data: 1\n\nevent: tick\ndata: 2\n\ndata: 3\n\n";
const EVENTS = [message("1"), message("2", { event: "tick" }), message("3")];

function response(body: BodyInit = STREAM): Response {
  return new Response(body, { headers: { "content-type": "text/event-stream" } });
}

// What it reads

Deno.test("collect takes all events of whatever gives them", async (t) => {
  const bytes = () => response().body!;
  const sources: Record<string, () => Response | AsyncIterable<ServerSentEvent>> = {
    "a Response": () => response(),
    "a reader": () => readEvents(STREAM),
    "a stream of events": () => bytes().pipeThrough(new ServerSentEventDecoderStream()),
    "a connection": () =>
      connect(url, { fetch: () => Promise.resolve(response()), retry: { onEnd: "close" } }),
    "the readable of a connection": () =>
      connect(url, { fetch: () => Promise.resolve(response()), retry: { onEnd: "close" } })
        .readable,
    "a generator": async function* () {
      yield* EVENTS;
    },
  };
  for (const [name, make] of Object.entries(sources)) {
    await t.step(name, async () => {
      const source = make();
      const events = source instanceof Response ? await collect(source) : await collect(source);
      assertEquals(events, EVENTS);
    });
  }
  await t.step("a stream of bytes", async () => assertEquals(await collect(bytes()), EVENTS));
  await t.step("an EventSource of a stream", async () => {
    const source = EventSource.fromReadableStream(bytes());
    assertEquals(await collect(source, { types: ["message", "tick"] }), EVENTS);
  });
});

Deno.test("collect takes what json() gives, with its types", async () => {
  const reader = readEvents("data: [1]\n\ndata: [2]\n\n");
  const values: number[][] = (await collect(reader.json<number[]>())).map(({ data }) => data);
  assertEquals(values, [[1], [2]]);
});

Deno.test("collect takes what is no event, too", async () => {
  async function* words() {
    yield "data: a\n\n";
    yield "b";
  }
  assertEquals(await collect(words(), { until: (word) => word === "b" }), ["data: a\n\n", "b"]);
});

Deno.test("collect listens to an EventSource of any make", async () => {
  await using transport = createTransport(held(3));
  const { fetch } = transport;
  const makes: (() => EventSourceLike)[] = [
    () => new EventSource(url, { fetch }),
    () => new PeerEventSource(url, { fetch }),
  ];
  for (const make of makes) {
    const source = make();
    const events = await collect(source, { count: 3 });
    assertEquals(events, [1, 2, 3].map((n) => message(`${n}`, { id: `${n}` })));
    assertEquals([source.readyState, transport.connections.length], [2, 0]);
  }
});

// When it has enough

Deno.test("collect ends with the count, or with the event of until, which is in it", async () => {
  const until = ({ event }: ServerSentEvent) => event === "tick";
  assertEquals(await collect(response(), { count: 1 }), EVENTS.slice(0, 1));
  assertEquals(await collect(response(), { count: 0 }), []);
  assertEquals(await collect(response(), { until }), EVENTS.slice(0, 2));
  assertEquals(await collect(response(), { until, count: 1 }), EVENTS.slice(0, 1));
  assertEquals(await collect(response(), { until, count: 3 }), EVENTS.slice(0, 2));
});

Deno.test("collect passes over the types that it is not asked for", async () => {
  assertEquals(await collect(response(), { types: ["tick"] }), [EVENTS[1]]);
  assertEquals(await collect(response(), { types: ["tick"], count: 1 }), [EVENTS[1]]);
  assertEquals(await collect(response(), { types: [] }), []);
});

Deno.test("collect passes over what has no type at all", async () => {
  const items = [null, 7, "tick", {}, { event: "tick" }];
  assertEquals(await collect(ReadableStream.from<unknown>(items), { types: ["tick"] }), [items[4]]);
});

Deno.test("collect waits for ever if it is told to", async () => {
  const stop = new AbortController();
  const silent = new ReadableStream<Uint8Array>();
  const waiting = collect(silent, { timeout: false, signal: stop.signal });
  await delay(0);
  stop.abort();
  assertEquals((await assertRejects(() => waiting, CollectError)).reason, "aborted");
});

Deno.test("collect puts events into an array that it is given, behind what is there", async () => {
  const into = [message("0")];
  const faults = [{ cut: { events: 2 } }];
  await using transport = createTransport(() => response(), { faults });
  const answer = connect(url, {
    fetch: transport.fetch,
    until: ({ data }) => data === "[DONE]",
    retry: { onEnd: "close" },
  });
  await assertRejects(() => collect(answer, { into, count: 3 }), TruncatedError);
  assertEquals(into, [message("0"), ...EVENTS.slice(0, 2)]);
  assertEquals(await collect(response(), { into, count: 2 }), into);
  assertEquals(into.length, 5);
});

// When it does not get enough

const told = ': message "1", tick "2" (id "7"), message "3" (id "7")';

for (
  const { title, options, message, reason } of [
    {
      title: "the source ends before the count",
      options: { count: 4 },
      reason: "ended",
      message: `Cannot collect 4 events: 3 came before the source ended${told}`,
    },
    {
      title: "the source ends before the event of until",
      options: { until: () => false },
      reason: "ended",
      message: `Cannot collect events to the one of "until": 3 came before the source ended${told}`,
    },
    {
      title: "there are more than maxEvents",
      options: { maxEvents: 2 },
      reason: "too-many",
      message:
        'Cannot collect events to the end: 2 came and more are there: message "1", tick "2" (id "7"), name a "count" or raise "maxEvents"',
    },
    {
      title: "those that are passed over are more than maxEvents",
      options: { maxEvents: 2, types: ["none"], count: 1 },
      reason: "too-many",
      message:
        'Cannot collect 1 event: 0 came and more are there, name a "count" or raise "maxEvents"',
    },
  ] satisfies { title: string; options: CollectOptions; message: string; reason: string }[]
) {
  Deno.test(`collect rejects when ${title}, and tells what came`, async () => {
    const { stream, log } = countedStream([utf8(STREAM.replace("event", "id: 7\nevent"))]);
    const error = await assertRejects(() => collect(response(stream), options), CollectError);
    assertEquals([error.message, error.reason], [message, reason]);
    assertEquals(log.cancelled.length, reason === "ended" ? 0 : 1);
  });
}

Deno.test("collect rejects when the time is over, and closes the source", async () => {
  await using transport = createTransport(held(1));
  const { fetch } = transport;
  for (
    const open of [
      () => connect(url, { fetch }),
      async () => readEvents(await fetch(url)),
      async () => (await fetch(url)).body!.pipeThrough(new ServerSentEventDecoderStream()),
    ]
  ) {
    const source: AsyncIterable<ServerSentEvent> = await open();
    const error = await assertRejects(() => collect(source, { timeout: 10 }), CollectError);
    assertEquals(error.reason, "timeout");
    assertEquals(error.events, [message("1", { id: "1" })]);
    assertEquals(
      error.message,
      'Cannot collect events to the end: 1 came within 10 ms: message "1" (id "1"), send what is missing or raise "timeout"',
    );
    assertEquals(transport.connections, []);
  }
  const source = new EventSource(url, { fetch });
  await assertRejects(() => collect(source, { timeout: 10 }), CollectError, "within 10 ms");
  assertEquals([source.readyState, transport.connections.length], [2, 0]);
});

Deno.test("collect rejects when its signal is aborted, before or while it waits", async () => {
  await using transport = createTransport(held(1));
  const { fetch } = transport;
  const early = collect(connect(url, { fetch }), { signal: AbortSignal.abort("enough") });
  const error = await assertRejects(() => early, CollectError, "0 came before the signal");
  assertEquals([error.reason, error.cause, error.events], ["aborted", "enough", []]);
  const stop = new AbortController();
  const into: ServerSentEvent[] = [];
  const late = collect(connect(url, { fetch }), {
    signal: stop.signal,
    into,
    until: () => {
      queueMicrotask(() => stop.abort());
      return false;
    },
  });
  assertEquals((await assertRejects(() => late, CollectError)).events, into);
  assertEquals([into.length, transport.connections.length], [1, 0]);
});

Deno.test("collect takes time of the real clock, though a test has a fake one", async () => {
  const clock = FakeTimers.install({ toNotFake: ["nextTick", "queueMicrotask"] });
  try {
    const silent = new ReadableStream<Uint8Array>();
    const late = assertRejects(() => collect(silent, { timeout: 1 }), CollectError);
    const wait = collect(readEvents(slowly(clock)), { count: 1 });
    await clock.tickAsync(60_000);
    assertEquals(dataOf(await wait), "late");
    await late;
    assertEquals(clock.countTimers(), 0);
  } finally {
    clock.uninstall();
  }
});

async function* slowly(clock: FakeTimers.Clock): AsyncGenerator<string> {
  await new Promise((resolve) => clock.setTimeout(resolve, 30_000));
  yield "data: late\n\n";
}

Deno.test("collect rejects although a generator that is parked does not end", async () => {
  async function* parked() {
    yield 1;
    await new Promise(() => {});
  }
  const error = await assertRejects(() => collect(parked(), { timeout: 1 }), CollectError);
  assertEquals(error.events, [1]);
});

Deno.test("collect passes on what a source fails of, as it is", async () => {
  await using transport = createTransport(numbers(1), {
    faults: () => ({ status: 401, body: "who are you?" }),
  });
  const { fetch } = transport;
  const sources = [
    async () => await collect(await fetch(url)),
    () => collect(connect(url, { fetch })),
    () => collect(new EventSource(url, { fetch })),
  ];
  for (const read of sources) {
    const error = await assertRejects(read, ResponseError);
    assertEquals(error.status, 401);
  }
  const peer = new PeerEventSource(url, { fetch });
  await assertRejects(() => collect(peer), Error, "the EventSource was refused for good");
  assertEquals(transport.connections, []);
});

Deno.test("collect passes on what until and a source's end throw, and closes it", async () => {
  const { stream, log } = countedStream([utf8(STREAM)], "stay open");
  const until = () => {
    throw new RangeError("a bug");
  };
  await assertRejects(() => collect(response(stream), { until }), RangeError, "a bug");
  assertEquals(log.cancelled.length, 1);
  async function* failing() {
    try {
      yield 1;
    } finally {
      // deno-lint-ignore no-unsafe-finally -- It is what is tested.
      throw new RangeError("an end");
    }
  }
  await assertRejects(() => collect(failing(), { count: 1 }), RangeError, "an end");
});

Deno.test("collect gives a failure once, to those that read on, too", async () => {
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
  const reader = readEvents(readable);
  const failing = collect(reader, { close: false });
  writable.abort(new RangeError("broken"));
  await assertRejects(() => failing, RangeError, "broken");
  assertEquals(await collect(reader), []);
});

// What it leaves behind

Deno.test("collect rejects when the source is closed, and not before", async () => {
  let closed = false;
  async function* slow() {
    try {
      yield 1;
    } finally {
      await settle();
      closed = true;
    }
  }
  await assertRejects(() => collect(slow(), { maxEvents: 0 }), CollectError);
  assertEquals(closed, true);
});

Deno.test("collect leaves no listener at a signal", async () => {
  const { signal } = new AbortController();
  const listeners = listenersOf(signal);
  async function* one() {
    assertEquals(listeners.length, 1);
    yield 1;
  }
  assertEquals(await collect(one(), { signal }), [1]);
  await assertRejects(() => collect(one(), { signal, count: 2 }), CollectError);
  assertEquals(listeners, []);
});

Deno.test("collect closes what it has read, in whatever way it is done", async () => {
  await using transport = createTransport(held(3));
  const { fetch } = transport;
  const connection = connect(url, { fetch });
  await collect(connection, { count: 2 });
  // The second one is in hand: nobody has asked for a third.
  assertEquals([connection.readyState, connection.lastEventId], ["closed", "1"]);
  await collect(await fetch(url), { count: 1 });
  await collect((await fetch(url)).body!, { count: 1 });
  const source = new EventSource(url, { fetch });
  await collect(source, { count: 1 });
  assertEquals([source.readyState, transport.connections.length], [2, 0]);
});

Deno.test("collect can leave a source open, to be read on where it was", async () => {
  await using transport = createTransport(held(3));
  const connection = connect(url, { fetch: transport.fetch });
  const one = { count: 1, close: false };
  assertEquals(dataOf(await collect(connection, one)), "1");
  assertEquals(dataOf(await collect(connection, one)), "2");
  assertEquals([connection.readyState, transport.connections.length], ["open", 1]);
  assertEquals(dataOf(await collect(connection, { count: 1 })), "3");
  assertEquals(transport.connections, []);
});

Deno.test("collect that gives up loses no event for those that read on", async () => {
  for (const giveUp of ["timeout", "signal"]) {
    const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
    const writer = writable.getWriter();
    const reader = readEvents(readable);
    for (let n = 1; n <= 3; n++) {
      const stop = new AbortController();
      const options = giveUp === "timeout" ? { timeout: 0 } : { signal: stop.signal };
      const late = assertRejects(() => collect(reader, { ...options, close: false }), CollectError);
      if (giveUp === "signal") {
        // In one turn with the event.
        writer.write(utf8(`data: ${n}\n\n`));
        stop.abort();
        await late;
      } else {
        await late;
        writer.write(utf8(`data: ${n}\n\n`));
      }
      assertEquals(dataOf(await collect(reader, { count: 1, close: false })), `${n}`);
    }
    await reader.return();
  }
  const reader = readEvents(STREAM);
  const tooMany = () => collect(reader, { maxEvents: 1, close: false });
  await assertRejects(tooMany, CollectError, "1 came and more are there");
  assertEquals(await collect(reader), EVENTS.slice(1));
  assertEquals(await collect(reader), []);
});

Deno.test("collect leaves the listeners of an EventSource as they were", async () => {
  await using transport = createTransport(held(1));
  const source = new EventSource(url, { fetch: transport.fetch });
  const calls: string[] = [];
  const target = {
    get readyState() {
      return source.readyState;
    },
    addEventListener(type: string, listener: (event: Event) => void) {
      calls.push(`+${type}`);
      source.addEventListener(type, listener);
    },
    removeEventListener(type: string, listener: (event: Event) => void) {
      calls.push(`-${type}`);
      source.removeEventListener(type, listener);
    },
    close: () => source.close(),
  };
  await collect(target, { count: 1, close: false });
  assertEquals(calls, ["+message", "+error", "-message", "-error"]);
  assertEquals(source.readyState, EventSource.OPEN);
  await collect(target, { count: 0 });
  assertEquals(calls.slice(4), ["+message", "+error", "-message", "-error"]);
  assertEquals(source.readyState, EventSource.CLOSED);
  // One that is closed has no more.
  assertEquals(await collect(source), []);
});

Deno.test("collect leaves no rejection that nobody handles", async () => {
  const reasons = await unhandled(async () => {
    const silent = () => new ReadableStream<Uint8Array>();
    await collect(silent(), { timeout: 0 }).catch(() => {});
    const reader = readEvents(silent());
    await collect(reader, { timeout: 0, close: false }).catch(() => {});
    await reader.return();
    await collect(silent(), { signal: AbortSignal.abort() }).catch(() => {});
  });
  assertEquals(reasons, []);
});

// What it refuses

Deno.test("collect refuses options that make no sense, and what gives no events", async () => {
  const wrong: [unknown, CollectOptions | undefined, string][] = [
    [response(), { count: -1 }, '"count" must be an integer from 0 up: received -1'],
    [response(), { maxEvents: 0.5 }, '"maxEvents" must be an integer from 0 up: received 0.5'],
    [response(), { timeout: NaN }, '"timeout" must be a number from 0 up, or false: received NaN'],
    [response(), { close: false }, "a Response or stream cannot be read on: pass readEvents(it)"],
    [response().body, { close: false }, "cannot be read on"],
    [undefined, undefined, "the source must be a connection, a reader, a Response, an EventSource"],
    [null, undefined, "received null"],
    [Promise.resolve(response()), undefined, "received a promise, await it"],
    [{}, undefined, "received object"],
  ];
  for (const [source, options, message] of wrong) {
    const error = await assertRejects(
      () => collect(source as Response, options),
      Error,
      `Cannot collect: `,
    );
    assert(error instanceof TypeError || error instanceof RangeError);
    assert(error.message.includes(message), error.message);
  }
  const until = true as unknown as () => boolean;
  await assertRejects(
    () => collect(response(), { until }),
    TypeError,
    '"until" must be a function',
  );
  const locked = response().body!;
  locked.getReader();
  await assertRejects(() => collect(locked), TypeError, "locked by another reader");
});

Deno.test("collect tells of the last events only, and of the start of their data", async () => {
  const data = "x".repeat(1_000);
  const events = Array.from({ length: 7 }, (_, n) => message(n < 6 ? `${n}` : data));
  const stream = ReadableStream.from([...events, { event: "n", data: 1n, id: "" }]);
  const error = await assertRejects(() => collect(stream, { count: 9 }), CollectError);
  assertEquals(
    error.message,
    `Cannot collect 9 events: 8 came before the source ended: …, message "3", message "4", message "5", message "${
      "x".repeat(39)
    }…, n 1`,
  );
});
