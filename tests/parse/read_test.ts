/** {@linkcode readEvents}: sources, responses, the ways to leave, and what it reads when. */

import { assert, assertEquals, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import { EventTooLargeError, ParseError, ResponseError } from "../../errors.ts";
import {
  type ChunkInput,
  type EventReader,
  readEvents,
  type ReadOptions,
  type ServerSentEvent,
} from "../../parse.ts";
import { countedStream, message, settle, type SourceLog, text, utf8 } from "../helpers.ts";

const AB = [message("a"), message("b")];
const STREAM = "data: a\n\ndata: b\n\n";
const EVENT_STREAM = { "content-type": "text/event-stream" };

function respond(body: BodyInit | null, init: ResponseInit = {}): Response {
  return new Response(body, { headers: EVENT_STREAM, ...init });
}

/** What a promise comes to, so that several can be compared. */
function outcome(promise: Promise<unknown>): Promise<unknown> {
  return promise.then((value) => value, (error) => ({ error }));
}

/** A generator parked forever once its chunks are out; notes how it is left. */
function parked(chunks: string[]) {
  const log = { pulls: 0, returned: 0 };
  const iterator: AsyncIterableIterator<string> = {
    next: () => {
      const value = chunks[log.pulls++];
      return value === undefined ? new Promise(() => {}) : Promise.resolve({ done: false, value });
    },
    return: () => {
      log.returned++;
      return new Promise(() => {});
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
  return { iterator, log };
}

/** Counts the listeners of a signal. */
function countedSignal(): {
  signal: AbortSignal;
  controller: AbortController;
  listeners(): number;
} {
  const controller = new AbortController();
  const { signal } = controller;
  const active = new Set<unknown>();
  const { addEventListener, removeEventListener } = signal;
  signal.addEventListener = function (...args: unknown[]) {
    active.add(args[1]);
    return Reflect.apply(addEventListener, signal, args);
  };
  signal.removeEventListener = function (...args: unknown[]) {
    active.delete(args[1]);
    return Reflect.apply(removeEventListener, signal, args);
  };
  return { signal, controller, listeners: () => active.size };
}

// Sources

async function* asyncGenerator(...chunks: (string | Uint8Array)[]) {
  yield* chunks;
}

const SOURCES: [string, () => Response | ChunkInput][] = [
  ["a Response", () => respond(STREAM)],
  ["a ReadableStream of bytes", () => ReadableStream.from([utf8(STREAM)])],
  ["a byte stream", () => new Blob([STREAM]).stream()],
  ["a ReadableStream of strings", () => ReadableStream.from([STREAM.slice(0, 9), STREAM.slice(9)])],
  ["an async generator of strings", () => asyncGenerator("data: a\n", "\ndata: b\n\n")],
  ["an async generator of both", () => asyncGenerator(utf8("data: a\n"), "\ndata: b\n\n")],
  ["a sync generator", () => ["data: a\n\nda", utf8("ta: b\n\n")].values()],
  ["an array", () => [utf8("data: a\n\n"), utf8(""), utf8("data: b\n\n")]],
  ["a Set", () => new Set(["data: a\n\n", "data: b\n\n"])],
  ["a string", () => STREAM],
  ["a Uint8Array", () => utf8(STREAM)],
  ["something of the shape of a Response", () => {
    const { status, headers, body } = respond(STREAM);
    // deno-lint-ignore no-explicit-any
    return { status, headers, body, bodyUsed: false } as any;
  }],
  ["something of the shape of a ReadableStream", () => {
    const stream = ReadableStream.from([STREAM]);
    // deno-lint-ignore no-explicit-any
    return { getReader: () => stream.getReader(), locked: false } as any;
  }],
];

for (const [what, source] of SOURCES) {
  Deno.test(`readEvents reads ${what}`, async () => {
    const reader = readEvents(source());
    const events = [];
    for await (const event of reader) events.push(event);
    assertEquals(events, AB);
    assertEquals(reader.incomplete, false);
    assertEquals(await reader.next(), { done: true, value: undefined });
    assertEquals(
      await Array.fromAsync(readEvents(source()).batches()).then((all) => all.flat()),
      AB,
    );
  });
}

Deno.test("readEvents takes for a response only what has status, headers and body", async () => {
  for (
    const some of [
      { status: 500, headers: new Headers() },
      { status: 500, body: null },
      { headers: new Headers(), body: null },
    ]
  ) {
    assertEquals(await Array.fromAsync(readEvents(Object.assign([STREAM], some))), AB);
  }
});

for (const source of ["", [], new Uint8Array(0), [""], respond(null)]) {
  Deno.test(`readEvents gives nothing of an empty ${Object.prototype.toString.call(source)}`, async () => {
    const reader = readEvents(source);
    assertEquals(await reader.next(), { done: true, value: undefined });
    assertEquals(reader.incomplete, false);
  });
}

for (
  const [received, source] of [
    ["undefined", undefined],
    ["null", null],
    ["number", 1],
    ["object", {}],
    ["object", new ArrayBuffer(1)],
    ["object", { status: 200, headers: new Headers() }],
    ["function", () => STREAM],
  ] as const
) {
  Deno.test(`readEvents refuses ${Object.prototype.toString.call(source)} at once`, () => {
    assertThrows(
      // @ts-expect-error These are no sources.
      () => readEvents(source),
      TypeError,
      `Cannot read events: the source must be a Response, a ReadableStream, an iterable, a string or a Uint8Array: received ${received}`,
    );
  });
}

Deno.test("readEvents refuses a stream that is locked, at once", () => {
  const stream = ReadableStream.from([STREAM]);
  stream.getReader();
  for (const source of [stream, respond(null)]) {
    if (source instanceof Response) Object.defineProperty(source, "body", { value: stream });
    assertThrows(
      () => readEvents(source),
      TypeError,
      "Cannot read events: the stream is locked by another reader, pass one that nobody reads",
    );
  }
});

Deno.test("readEvents refuses a response whose body was read, at once", async () => {
  const response = respond(STREAM);
  await response.text();
  for (const options of [{}, { checkResponse: false }]) {
    assertThrows(
      () => readEvents(response, options),
      TypeError,
      "Cannot read events: the body was read already, pass a fresh response",
    );
  }
});

Deno.test("readEvents refuses options that the parser refuses, and leaves the source unlocked", () => {
  const stream = ReadableStream.from([STREAM]);
  assertThrows(() => readEvents(stream, { maxEventSize: -1 }), RangeError);
  assertThrows(() => readEvents(stream, { lastEventId: "\0" }), TypeError);
  assertEquals(stream.locked, false);
});

Deno.test("readEvents passes the options of the parser on", async () => {
  const calls: unknown[] = [];
  const events = await Array.fromAsync(
    readEvents(":c\nretry: 1\ndata: a\n\nid: 8\n\n", {
      lastEventId: "7",
      onComment: (comment) => calls.push(comment),
      onRetry: (ms) => calls.push(ms),
      onId: (id) => calls.push(id),
    }),
  );
  assertEquals([events, calls], [[message("a", { id: "7", retry: 1 })], ["c", 1, "8"]]);
  await assertRejects(() => readEvents("x\n", { strict: true }).next(), ParseError);
  await assertRejects(() => readEvents("data: 1", { maxEventSize: 6 }).next(), EventTooLargeError);
});

Deno.test("readEvents rejects with a TypeError where a chunk is neither bytes nor text", async () => {
  for (const chunk of [1, null, undefined, new DataView(new ArrayBuffer(1))]) {
    // deno-lint-ignore no-explicit-any
    const reader = readEvents(["data: a\n\n", chunk] as any);
    assertEquals(await reader.next(), { done: false, value: AB[0] });
    await assertRejects(() => reader.next(), TypeError, "Cannot parse chunk");
  }
});

// The check of a response

for (
  const [type, accepted] of [
    ["text/event-stream", true],
    ["TEXT/Event-Stream", true],
    ["text/event-stream;charset=utf-8", true],
    ["text/event-stream; charset=iso-8859-1", true],
    ["text/event-stream ; a=b; c=d", true],
    ["text/event-stream;", true],
    ["text/event-stream, text/event-stream", true],
    ["text/html, text/event-stream", true],
    ["text/html,text/event-stream;charset=utf-8", true],
    ["text/event-stream, text/html", false],
    ["text/event-stream, text/html; text/event-stream", false],
    ["text/event-streams", false],
    ["text/event-stream-x", false],
    ["text/event-stream x", false],
    ["text/event", false],
    ["xtext/event-stream", false],
    ["application/text/event-stream", false],
    ["text/plain; type=text/event-stream", false],
    ["text / event-stream", false],
    ["text/plain", false],
    ["application/json", false],
    ["", false],
    [undefined, false],
  ] as const
) {
  Deno.test(`readEvents ${accepted ? "takes" : "refuses"} the content type ${type}`, async () => {
    const response = new Response(new Blob([STREAM]).stream(), {
      headers: type === undefined ? {} : { "content-type": type },
    });
    if (accepted) {
      assertEquals(await Array.fromAsync(readEvents(response)), AB);
      return;
    }
    const error = await assertRejects(
      () => readEvents(response).next(),
      ResponseError,
      `Cannot read events: the content type must be "text/event-stream": received ${
        JSON.stringify(type ?? "")
      }, set "checkResponse" to false if the body is one all the same`,
    );
    assertEquals([error.code, error.name, error.status, error.body], [
      "ERR_SSE_CONTENT_TYPE",
      "ResponseError",
      200,
      STREAM,
    ]);
    assertStrictEquals(error.headers, response.headers);
  });
}

for (const status of [201, 202, 204, 206, 301, 304, 400, 401, 404, 429, 500, 503, 599]) {
  Deno.test(`readEvents refuses the status ${status}`, async () => {
    const response = respond([204, 304].includes(status) ? null : "why", { status });
    const error = await assertRejects(
      () => readEvents(response).next(),
      ResponseError,
      `Cannot read events: the status must be 200: received ${status}`,
    );
    assertEquals([error.code, error.status, error.body], [
      "ERR_SSE_STATUS",
      status,
      response.body === null ? "" : "why",
    ]);
    assertStrictEquals(error.headers, response.headers);
  });
}

Deno.test("readEvents with checkResponse false takes any response", async () => {
  const response = () => new Response(STREAM, { status: 500, headers: { "content-type": "a/b" } });
  assertEquals(await Array.fromAsync(readEvents(response(), { checkResponse: false })), AB);
  for (const checkResponse of [true, undefined]) {
    await assertRejects(() => readEvents(response(), { checkResponse }).next(), ResponseError);
  }
});

Deno.test("readEvents refuses a response once, then is done, and stays complete", async () => {
  const reader = readEvents(new Response("no", { status: 404 }));
  await assertRejects(() => reader.next(), ResponseError);
  assertEquals(await reader.next(), { done: true, value: undefined });
  assertEquals([reader.incomplete, reader.lastEventId], [false, ""]);
});

for (
  const [what, chunks, start, pulls, cancelled] of [
    ["a body of one byte less", ["x".repeat(4_095)], "x".repeat(4_095), 2, 0],
    ["a body of 4,096 bytes", ["x".repeat(4_096)], "x".repeat(4_096), 1, 1],
    ["a body of one byte more", ["x".repeat(4_097)], "x".repeat(4_096), 1, 1],
    ["a body without end", Array(100).fill("y".repeat(1_000)), "y".repeat(4_096), 5, 1],
    ["a character that is cut by the end", [`${"x".repeat(4_094)}€`], "x".repeat(4_094), 1, 1],
    ["characters cut by chunks", ["é", "€"], "é€", 3, 0],
    ["no body", [], "", 1, 0],
  ] as const
) {
  Deno.test(`readEvents puts the start of a refused body in the error: ${what}`, async () => {
    const { stream, log } = countedStream(chunks.map(utf8));
    const { body } = await assertRejects(
      () => readEvents(respond(stream, { status: 500 })).next(),
      ResponseError,
    );
    assertEquals([body, log.pulls, log.cancelled.length], [start, pulls, cancelled]);
  });
}

Deno.test("readEvents puts characters that are cut by the chunks of a refused body together", async () => {
  const bytes = utf8("a€😀");
  const chunks = Array.from(bytes, (byte) => Uint8Array.of(byte));
  const { stream } = countedStream(chunks);
  const error = await assertRejects(
    () => readEvents(respond(stream, { status: 500 })).next(),
    ResponseError,
  );
  assertEquals(error.body, "a€😀");
});

Deno.test("readEvents takes strings in the refused body of something of the shape of a Response", async () => {
  const { stream: body, log } = countedStream(["é".repeat(2_047), "€", "x"]);
  // deno-lint-ignore no-explicit-any
  const response: any = { status: 500, headers: new Headers(), body, bodyUsed: false };
  const error = await assertRejects(() => readEvents(response).next(), ResponseError);
  assertEquals(error.body, "é".repeat(2_047));
  assertEquals(log.cancelled, [undefined]);
});

Deno.test("readEvents refuses a response though its body breaks or cannot be cancelled", async () => {
  const broken = new ReadableStream<Uint8Array>({
    start: (controller) => controller.enqueue(utf8("abc")),
    pull: (controller) => controller.error(new Error("connection reset")),
  }, { highWaterMark: 0 });
  const stuck = new ReadableStream<Uint8Array>({
    pull: (controller) => controller.enqueue(new Uint8Array(5_000).fill(97)),
    cancel: () => Promise.reject(new Error("no")),
  }, { highWaterMark: 0 });
  for (const [stream, start] of [[broken, "abc"], [stuck, "a".repeat(4_096)]] as const) {
    const error = await assertRejects(
      () => readEvents(respond(stream, { status: 502 })).next(),
      ResponseError,
    );
    assertEquals(error.body, start);
  }
});

Deno.test("readEvents leaves a refused response, also while its body is read", async () => {
  const { stream, log } = countedStream<Uint8Array>([utf8("abc")], "stay open");
  const reader = readEvents(respond(stream, { status: 500 }));
  const next = reader.next();
  await settle();
  await reader.return();
  assertEquals(await next, { done: true, value: undefined });
  assertEquals(log.cancelled, [undefined]);
  await settle();
  assertEquals(await reader.next(), { done: true, value: undefined });
});

// The ways to leave

const REASON = new Error("mine");

/** Each leaves a reader that has given one event; what the source is to be cancelled with. */
const WAYS: [string, unknown, (reader: EventReader) => Promise<unknown>][] = [
  ["break", undefined, async (reader) => {
    for await (const _ of reader) break;
  }],
  ["break of a loop over batches", undefined, async (reader) => {
    for await (const _ of reader.batches()) break;
  }],
  ["return of a loop's function", undefined, async (reader) => {
    for await (const event of reader) return event;
  }],
  ["throw in the loop", undefined, async (reader) => {
    await assertRejects(
      async () => {
        for await (const _ of reader) throw REASON;
      },
      Error,
      "mine",
    );
  }],
  ["await using", undefined, async (reader) => {
    await using disposed = reader;
    await disposed.next();
  }],
  ["return()", undefined, async (reader) => {
    await reader.next();
    assertEquals(await reader.return(), { done: true, value: undefined });
  }],
  ["throw()", REASON, async (reader) => {
    await reader.next();
    assertStrictEquals(await assertRejects(() => reader.throw(REASON)), REASON);
  }],
];

for (const [way, reason, leave] of WAYS) {
  Deno.test(`EventReader is left by ${way}: a stream is cancelled, with events at hand or not`, async () => {
    for (const chunk of ["data: a\n\n", STREAM]) {
      const { stream, log } = countedStream([chunk, chunk], "stay open");
      const reader = readEvents(stream);
      await leave(reader);
      assertEquals([log.pulls, log.cancelled.length], [1, 1]);
      assertStrictEquals(log.cancelled[0], reason);
      assertEquals(await reader.next(), { done: true, value: undefined });
      assertEquals(await reader.batches().next(), { done: true, value: undefined });
      await reader.return();
      await reader[Symbol.asyncDispose]();
      assertEquals([log.pulls, log.cancelled.length], [1, 1]);
    }
  });

  Deno.test(`EventReader is left by ${way}: a generator runs its finally`, async () => {
    const steps: string[] = [];
    async function* source() {
      try {
        yield STREAM;
        steps.push("read on");
      } finally {
        await settle();
        steps.push("finally");
      }
    }
    await leave(readEvents(source()));
    assertEquals(steps, ["finally"]);
  });

  Deno.test(`EventReader is left by ${way}: no listener stays on the signal`, async () => {
    const { signal, controller, listeners } = countedSignal();
    const reader = readEvents([STREAM, STREAM], { signal });
    assertEquals(listeners(), 1);
    await leave(reader);
    assertEquals(listeners(), 0);
    controller.abort();
    assertEquals(await reader.next(), { done: true, value: undefined });
  });
}

/** Each ends a reader whose read is pending; what that read is to come to. */
const ENDS: [
  string,
  unknown,
  (reader: EventReader, controller: AbortController) => PromiseLike<unknown> | void,
  unknown,
][] = [
  ["return()", undefined, (reader) => reader.return(), { done: true, value: undefined }],
  ["throw()", REASON, (reader) => assertRejects(() => reader.throw(REASON), Error, "mine"), {
    done: true,
    value: undefined,
  }],
  ["asyncDispose", undefined, (reader) => reader[Symbol.asyncDispose](), {
    done: true,
    value: undefined,
  }],
  ["return() of batches", undefined, (reader) => reader.batches().return!(), {
    done: true,
    value: undefined,
  }],
  ["abort", REASON, (_, controller) => controller.abort(REASON), { error: REASON }],
  ["abort with a string", "stop", (_, controller) => controller.abort("stop"), { error: "stop" }],
];

for (const [way, reason, end, result] of ENDS) {
  Deno.test(`EventReader is ended by ${way} while a stream is read`, async () => {
    const { signal, controller, listeners } = countedSignal();
    const { stream, log } = countedStream(["data: a\n\n"], "stay open");
    const reader = readEvents(stream, { signal });
    await reader.next();
    const next = outcome(reader.next());
    const batch = outcome(reader.batches().next());
    await settle();
    await end(reader, controller);
    assertEquals(await next, result);
    assertEquals(await batch, { done: true, value: undefined });
    assertEquals(log.cancelled, [reason]);
    assertEquals([await reader.next(), listeners()], [{ done: true, value: undefined }, 0]);
  });

  Deno.test(`EventReader is ended by ${way} while a source is parked forever`, async () => {
    const { signal, controller, listeners } = countedSignal();
    const { iterator, log } = parked(["data: a\n\n"]);
    const reader = readEvents(iterator, { signal });
    await reader.next();
    const next = outcome(reader.next());
    await settle();
    assertEquals(log, { pulls: 2, returned: 0 });
    await end(reader, controller);
    assertEquals(await next, result);
    assertEquals([log.returned, listeners()], [1, 0]);
    assertEquals(await reader.next(), { done: true, value: undefined });
    assertEquals(log.pulls, 2);
  });
}

Deno.test("EventReader is ended while an async generator is parked forever", async () => {
  async function* source() {
    yield "data: a\n\n";
    await new Promise(() => {});
  }
  for (const end of ["return", "abort"]) {
    const controller = new AbortController();
    const reader = readEvents(source(), { signal: controller.signal });
    await reader.next();
    const next = outcome(reader.next());
    await settle();
    if (end === "return") await reader.return();
    else controller.abort(REASON);
    assertEquals(
      await next,
      end === "return" ? { done: true, value: undefined } : { error: REASON },
    );
  }
});

Deno.test("EventReader ignores what a read gives that was pending when it was left", async () => {
  for (const late of ["chunk", "error", "end"]) {
    const { promise, resolve, reject } = Promise.withResolvers<IteratorResult<string>>();
    const reader = readEvents({ [Symbol.asyncIterator]: () => ({ next: () => promise }) });
    const next = reader.next();
    await reader.return();
    if (late === "chunk") resolve({ done: false, value: "id: 1\ndata: a\n\n" });
    else if (late === "error") reject(new Error("late"));
    else resolve({ done: true, value: undefined });
    await settle();
    assertEquals(await next, { done: true, value: undefined });
    assertEquals(await reader.next(), { done: true, value: undefined });
    assertEquals(reader.lastEventId, "");
  }
});

Deno.test("EventReader takes a source whose iterator has no return", async () => {
  const reader = readEvents({
    [Symbol.asyncIterator]: () => ({
      next: () => Promise.resolve({ done: false, value: "data: a\n\n" }),
    }),
  });
  await reader.next();
  assertEquals(await reader.return(), { done: true, value: undefined });
});

Deno.test("EventReader rejects where the source cannot be cancelled, and is done after", async () => {
  const failing = () => Promise.reject(REASON);
  const sources: (() => ChunkInput)[] = [
    () => new ReadableStream({ pull: (c) => c.enqueue(STREAM), cancel: failing }),
    () => ({
      [Symbol.asyncIterator]: () => ({
        next: () => Promise.resolve({ done: false, value: STREAM }),
        return: failing,
      }),
    }),
    () => ({
      [Symbol.asyncIterator]: () => ({
        next: () => Promise.resolve({ done: false, value: STREAM }),
        return: () => {
          throw REASON;
        },
      }),
    }),
  ];
  for (const source of sources) {
    for (const leave of ["return", "throw", "dispose", "batches"]) {
      const reader = readEvents(source());
      await reader.next();
      const left = leave === "return"
        ? reader.return()
        : leave === "throw"
        ? reader.throw(REASON)
        : leave === "dispose"
        ? reader[Symbol.asyncDispose]()
        : reader.batches().return!();
      assertStrictEquals(await assertRejects(() => left), REASON);
      assertEquals(await reader.next(), { done: true, value: undefined });
    }
    const unread = readEvents(source());
    assertStrictEquals(await assertRejects(() => unread.return()), REASON);
    // An abort and a fault have another reason to tell.
    const controller = new AbortController();
    const aborted = readEvents(source(), { signal: controller.signal });
    await aborted.next();
    controller.abort("stop");
    assertEquals(await outcome(aborted.next()), { error: "stop" });
    const faulty = readEvents(source(), { maxEventSize: 1 });
    await assertRejects(() => faulty.next(), EventTooLargeError);
  }
});

Deno.test("EventReader ignores that a parked source rejects when it is left", async () => {
  const { promise, reject } = Promise.withResolvers<IteratorResult<string>>();
  const reader = readEvents({
    [Symbol.asyncIterator]: () => ({
      next: () => promise,
      return: () => Promise.reject(new Error("later")),
    }),
  });
  const next = reader.next();
  await reader.return();
  reject(new Error("late"));
  assertEquals(await next, { done: true, value: undefined });
});

// Signals

Deno.test("readEvents with an aborted signal rejects with its reason and cancels the source", async () => {
  for (const reason of [REASON, "stop", 0, null]) {
    const { stream, log } = countedStream([STREAM]);
    const reader = readEvents(stream, { signal: AbortSignal.abort(reason) });
    assertEquals(await outcome(reader.next()), { error: reason });
    assertEquals(await reader.next(), { done: true, value: undefined });
    assertEquals(log, { pulls: 0, cancelled: [reason] } satisfies SourceLog);
  }
});

Deno.test("readEvents adds no listener to an aborted signal", () => {
  const { signal, controller, listeners } = countedSignal();
  controller.abort();
  readEvents(STREAM, { signal });
  assertEquals(listeners(), 0);
});

Deno.test("An abort drops the events at hand and rejects the next read once", async () => {
  const controller = new AbortController();
  const { stream, log } = countedStream([STREAM]);
  const reader = readEvents(stream, { signal: controller.signal });
  assertEquals((await reader.next()).value, AB[0]);
  controller.abort();
  const error = await assertRejects(() => reader.next(), DOMException);
  assertEquals(error.name, "AbortError");
  assertStrictEquals(error, controller.signal.reason);
  assertEquals(await reader.next(), { done: true, value: undefined });
  assertEquals(log.cancelled, [error]);
});

Deno.test("An abort inside the loop ends the loop with the reason", async () => {
  const controller = new AbortController();
  const seen: string[] = [];
  const loop = async () => {
    for await (const { data } of readEvents(STREAM, { signal: controller.signal })) {
      seen.push(data);
      controller.abort(REASON);
    }
  };
  assertStrictEquals(await assertRejects(loop), REASON);
  assertEquals(seen, ["a"]);
});

for (
  const [how, source, options] of [
    ["at the end", STREAM, {}],
    ["after a fault", "data: a\n\nx\n", { strict: true }],
    ["after an error of the source", new ReadableStream({ pull: (c) => c.error(REASON) }), {}],
    ["after a refused response", new Response("", { status: 500 }), {}],
  ] as [string, ChunkInput | Response, ReadOptions][]
) {
  Deno.test(`EventReader leaves no listener on the signal ${how}`, async () => {
    const { signal, listeners } = countedSignal();
    const reader = readEvents(source, { ...options, signal });
    assertEquals(listeners(), 1);
    await outcome(Array.fromAsync(reader));
    assertEquals(listeners(), 0);
  });
}

// Errors

Deno.test("EventReader gives the events before a fault, then the fault, then is done", async () => {
  const { stream, log } = countedStream([`${STREAM}x\ndata: c\n\n`, STREAM]);
  const reader = readEvents(stream, { strict: true });
  assertEquals((await reader.next()).value, AB[0]);
  assertEquals((await reader.next()).value, AB[1]);
  const error = await assertRejects(() => reader.next(), ParseError);
  assertEquals(await reader.next(), { done: true, value: undefined });
  assertEquals([log.pulls, log.cancelled], [1, [error]]);
});

Deno.test("EventReader.return drops a fault that waits", async () => {
  const reader = readEvents(`${STREAM}x\n`, { strict: true });
  await reader.next();
  await reader.return();
  assertEquals(await reader.next(), { done: true, value: undefined });
});

Deno.test("EventReader passes an error of the source on, after the events before it", async () => {
  for (const error of [new Error("connection reset"), undefined]) {
    const generator = async function* () {
      yield STREAM;
      throw error;
    };
    let pulls = 0;
    const stream = new ReadableStream({
      pull: (controller) => pulls++ === 0 ? controller.enqueue(STREAM) : controller.error(error),
    });
    for (const source of [generator(), stream]) {
      const reader = readEvents(source);
      assertEquals(await reader.batches().next(), { done: false, value: AB });
      assertEquals(await outcome(reader.next()), { error });
      assertEquals(await reader.next(), { done: true, value: undefined });
    }
  }
});

Deno.test("EventReader passes on what an iterator throws instead of returning a promise", async () => {
  const reader = readEvents({
    [Symbol.asyncIterator]: () => ({
      next: () => {
        throw REASON;
      },
    }),
  });
  assertEquals(await outcome(reader.next()), { error: REASON });
});

// Order, batches, back-pressure

Deno.test("EventReader answers concurrent next() calls in order, and done past the end", async () => {
  for (
    const chunks of [[STREAM], ["data: a\n", "\n", ":\n", "data: b\n\n"], [STREAM, "data: cut"]]
  ) {
    const reader = readEvents(ReadableStream.from(chunks));
    const results = await Promise.all([1, 2, 3, 4].map(() => reader.next()));
    assertEquals(results.map(({ done, value }) => [done, value]), [
      [false, AB[0]],
      [false, AB[1]],
      [true, undefined],
      [true, undefined],
    ]);
  }
});

Deno.test("EventReader rejects the first of concurrent reads with an error, the others are done", async () => {
  const reader = readEvents(["data: a\n\nx\n"], { strict: true });
  const [a, error, ...rest] = await Promise.all([1, 2, 3, 4].map(() => outcome(reader.next())));
  assertEquals(a, { done: false, value: AB[0] });
  assert((error as { error: unknown }).error instanceof ParseError);
  assertEquals(rest, Array(2).fill({ done: true, value: undefined }));
});

Deno.test("EventReader reads one chunk at a time, whoever asks", async () => {
  let reading = 0;
  const reader = readEvents({
    [Symbol.asyncIterator]: () => ({
      next: async () => {
        assertEquals(++reading, 1);
        await settle();
        reading--;
        return { done: false, value: "data: a\n\n" };
      },
    }),
  });
  const results = await Promise.all([1, 2, 3].map(() => reader.next()));
  assertEquals(results.map(({ value }) => value), Array(3).fill(AB[0]));
});

Deno.test("EventReader.batches gives all events of a chunk, and never none", async () => {
  const chunks = ["data: a\n\ndata: b\n\ndata: c", ":", "\n", "\n: x\n", "id: 1\n\n", STREAM];
  const batches = await Array.fromAsync(readEvents(chunks).batches());
  const data = batches.map((batch) => batch.map((event) => event.data));
  assertEquals(data, [["a", "b"], ["c:"], ["a", "b"]]);
});

Deno.test("EventReader.batches gives arrays that the reader keeps nothing of", async () => {
  const batches = readEvents([STREAM, STREAM]).batches();
  const { value: first } = await batches.next();
  first.length = 0;
  assertEquals((await batches.next()).value, AB);
  assertStrictEquals(batches[Symbol.asyncIterator](), batches);
});

Deno.test("EventReader mixes batches and single events", async () => {
  const reader = readEvents([`${STREAM}data: c\n\n`, STREAM]);
  const batches = reader.batches();
  assertEquals((await reader.next()).value, AB[0]);
  assertEquals((await batches.next()).value, [AB[1], message("c")]);
  assertEquals((await reader.next()).value, AB[0]);
  assertEquals((await reader.next()).value, AB[1]);
  assertEquals(await batches.next(), { done: true, value: undefined });
});

Deno.test("EventReader is done where a batch took the last events, and its batches end as it does", async () => {
  const reader = readEvents(STREAM);
  await reader.next();
  const batches = reader.batches();
  assertEquals((await batches.next()).value, [AB[1]]);
  assertEquals(await reader.next(), { done: true, value: undefined });
  assertEquals(await batches.return?.(), { done: true, value: undefined });
});

Deno.test("EventReader is its own iterator", () => {
  const reader = readEvents("");
  assertStrictEquals(reader[Symbol.asyncIterator](), reader);
});

Deno.test("EventReader reads a chunk when an event is asked for and none before", async () => {
  const { stream, log } = countedStream([STREAM, STREAM, STREAM]);
  const reader = readEvents(stream);
  const pulls = async () => {
    await settle();
    return log.pulls;
  };
  assertEquals(await pulls(), 0);
  await reader.next();
  assertEquals(await pulls(), 1);
  await reader.next();
  assertEquals(await pulls(), 1);
  await reader.next();
  assertEquals(await pulls(), 2);
  await reader.batches().next();
  assertEquals(await pulls(), 2);
  await reader.batches().next();
  assertEquals(await pulls(), 3);
  await reader.return();
  assertEquals(log.cancelled, [undefined]);
});

Deno.test("EventReader reads nothing of a response, or of a refused one, before it is asked", async () => {
  for (const status of [200, 500]) {
    const { stream, log } = countedStream([utf8(STREAM)]);
    const reader = readEvents(respond(stream, { status }));
    await settle();
    assertEquals(log.pulls, 0);
    await reader.return();
    assertEquals(log.cancelled, [undefined]);
  }
});

Deno.test("EventReader asks a source that has ended no more", async () => {
  let asked = 0;
  const reader = readEvents({
    [Symbol.asyncIterator]: () => ({
      next: () =>
        Promise.resolve(asked++ === 0 ? { value: STREAM } : { done: true, value: STREAM }),
    }),
  });
  assertEquals(await Array.fromAsync(reader), AB);
  await reader.next();
  assertEquals(asked, 2);
});

// What was taken

Deno.test("EventReader.lastEventId moves past an event when the next is asked for", async () => {
  const reader = readEvents(
    ["id: 1\ndata: a\n\nid: 2\ndata: b\n\n", "data: c\n\n", "id: 3\ndata: d\n\n"],
    { lastEventId: "0" },
  );
  const seen = [reader.lastEventId];
  for await (const _ of reader) seen.push(reader.lastEventId);
  assertEquals([...seen, reader.lastEventId], ["0", "0", "1", "2", "2", "3"]);
});

Deno.test("EventReader.lastEventId moves when the next event is asked for, before it is there", async () => {
  const { stream } = countedStream(["id: 1\ndata: a\n\n"], "stay open");
  const reader = readEvents(stream);
  await reader.next();
  assertEquals(reader.lastEventId, "");
  reader.next();
  assertEquals(reader.lastEventId, "1");
  await reader.return();
  assertEquals(reader.lastEventId, "1");
  assertEquals(await reader.next(), { done: true, value: undefined });
});

Deno.test("EventReader.lastEventId moves past a batch when the next is asked for", async () => {
  const reader = readEvents(["id: 1\ndata: a\n\nid: 2\ndata: b\n\n", "id: 3\ndata: c\n\n"]);
  const seen = [];
  for await (const _ of reader.batches()) seen.push(reader.lastEventId);
  assertEquals([...seen, reader.lastEventId], ["", "2", "3"]);
});

Deno.test("EventReader.lastEventId stands before the events of a batch that follows an event", async () => {
  const reader = readEvents("id: 1\ndata: a\n\nid: 2\ndata: b\n\nid: 3\ndata: c\n\n");
  await reader.next();
  assertEquals((await reader.batches().next()).value.length, 2);
  assertEquals(reader.lastEventId, "1");
});

Deno.test("EventReader.lastEventId counts an id-only block after the last event", async () => {
  const reader = readEvents(["id: 1\ndata: a\n\nid: 2\n\n", "id: 3\n\n"]);
  await reader.next();
  assertEquals(reader.lastEventId, "");
  await reader.next();
  assertEquals(reader.lastEventId, "3");
});

Deno.test("EventReader.lastEventId counts an id-only block while the next event is waited for", async () => {
  const { stream } = countedStream(["id: 1\ndata: a\n\n", "id: 2\n\n"], "stay open");
  const reader = readEvents(stream);
  await reader.next();
  const next = reader.next();
  await settle();
  assertEquals(reader.lastEventId, "2");
  await reader.return();
  assertEquals([(await next).done, reader.lastEventId], [true, "2"]);
});

Deno.test("EventReader.lastEventId counts no id of an unfinished block", async () => {
  const reader = readEvents("id: 1\ndata: a\n\nid: 2\ndata: b");
  for await (const _ of reader);
  assertEquals([reader.lastEventId, reader.incomplete], ["1", true]);
});

// Nothing buffered is lost by a reconnect: what was dropped was not taken.
for (
  const [how, end] of [
    ["an abort", (_: EventReader, controller: AbortController) => controller.abort()],
    ["return()", (reader: EventReader) => reader.return()],
    ["throw()", (reader: EventReader) => outcome(reader.throw(REASON))],
  ] as const
) {
  Deno.test(`EventReader.lastEventId never moves past events that ${how} dropped`, async () => {
    for (const batches of [false, true]) {
      const controller = new AbortController();
      const reader = readEvents("id: 1\ndata: a\n\nid: 2\ndata: b\n\nid: 3\n\n", {
        signal: controller.signal,
      });
      assertEquals((await reader.next()).value?.data, "a");
      await end(reader, controller);
      await outcome(batches ? reader.batches().next() : reader.next());
      assertEquals(reader.lastEventId, "1");
      await outcome(reader.next());
      assertEquals(reader.lastEventId, "1");
    }
  });
}

Deno.test("EventReader.incomplete is false after a clean end and true after a cut one", async () => {
  for (const [chunk, incomplete] of [[STREAM, false], [STREAM + "data", true]] as const) {
    const reader = readEvents(ReadableStream.from([chunk]));
    assertEquals(reader.incomplete, false);
    assertEquals(await Array.fromAsync(reader), AB);
    assertEquals(reader.incomplete, incomplete);
  }
});

Deno.test("EventReader reads bytes in chunks of any size as one stream", async () => {
  const bytes = await Deno.readFile(new URL("../fixtures/mixed.sse", import.meta.url));
  const whole = await Array.fromAsync(readEvents(bytes));
  assertEquals(whole.map(({ event, data, id }) => [event, data, id]), [
    ["grüße", "café € 😀\n\n two spaces", "first"],
    ["message", "by CR", "first"],
    ["message", "", "first"],
    ["message", "reset", ""],
    ["message", "\ufeffyes\ufffd\ufffd", ""],
  ]);
  const single = Array.from(bytes, (byte) => Uint8Array.of(byte));
  assertEquals(await Array.fromAsync(readEvents(single)), whole);
  assert(text(bytes).endsWith("cut"));
});

Deno.test("EventReader answers calls in their order, also one made while others wait", async () => {
  const reader = readEvents("data: a\n\ndata: b\n\ndata: c\n\n");
  const order: string[] = [];
  const tell = (who: string) => ({ value }: IteratorResult<ServerSentEvent, undefined>) =>
    order.push(`${who} has ${value!.data}`);
  let late: Promise<unknown> | undefined;
  const first = reader.next().then((result) => {
    tell("first")(result);
    late = reader.next().then(tell("late"));
  });
  const second = reader.next().then(tell("second"));
  await first;
  await second;
  await late;
  assertEquals(order, ["first has a", "second has b", "late has c"]);
});

Deno.test("EventReader.lastEventId moves with calls that overlap, and while the next is waited for", async () => {
  const silent = new ReadableStream<string>({
    start: (controller) => controller.enqueue("id: 1\ndata: a\n\nid: 2\ndata: b\n\n"),
  });
  const reader = readEvents(silent);
  await Promise.all([reader.next(), reader.next()]);
  assertEquals(reader.lastEventId, "1");
  const next = reader.next();
  assertEquals(reader.lastEventId, "2");
  await reader.return();
  assertEquals(await next, { done: true, value: undefined });
  assertEquals(reader.lastEventId, "2");
});

Deno.test("EventReader.lastEventId stays before the event in hand when the loop is left", async () => {
  const reader = readEvents("id: 1\ndata: a\n\nid: 2\ndata: b\n\nid: 3\ndata: c\n\n");
  await reader.next();
  await reader.next();
  await reader.return();
  assertEquals(reader.lastEventId, "1");
});

Deno.test("EventReader.lastEventId is not moved by what a consumer does to its batch", async () => {
  const reader = readEvents("id: 1\ndata: a\n\nid: 2\ndata: b\n\n");
  for await (const batch of reader.batches()) batch.length = 0;
  assertEquals(reader.lastEventId, "2");
});

// Byte streams: read into a buffer of the reader

/** A byte stream; `close` ends it, and answers a read that waits only if it is told to. */
function byteStream(chunks: Uint8Array[], answers: boolean) {
  let controller!: ReadableByteStreamController;
  const stream = new ReadableStream({
    type: "bytes",
    start: (given) => void (controller = given),
    pull(given) {
      const chunk = chunks.shift();
      if (chunk !== undefined) given.enqueue(chunk);
    },
  });
  return {
    stream,
    close() {
      controller.close();
      if (answers) controller.byobRequest?.respond(0);
    },
    fail: (error: unknown) => controller.error(error),
  };
}

for (const [what, answers] of [["answers", true], ["does not answer", false]] as const) {
  Deno.test(`readEvents ends with a byte stream that ${what} the read that waits as it closes`, async () => {
    const { stream, close } = byteStream([utf8("data: a\n\ndata: b")], answers);
    const reader = readEvents(stream);
    assertEquals(await reader.next(), { done: false, value: message("a") });
    const next = reader.next();
    await settle();
    close();
    assertEquals(await next, { done: true, value: undefined });
    assertEquals([reader.incomplete, stream.locked], [true, true]);
  });
}

Deno.test("readEvents reads a byte stream whose chunks are larger and smaller than its buffer", async () => {
  const events = Array.from({ length: 40_000 }, (_, i) => message(`${i} é ${"x".repeat(i % 50)}`));
  const bytes = utf8(events.map(({ data }) => `data: ${data}\n\n`).join(""));
  const chunks: Uint8Array[] = [];
  for (let at = 0, size = 1; at < bytes.length; at += size, size = size * 3 % 200_003) {
    chunks.push(bytes.slice(at, at + size));
  }
  assert(chunks.some(({ length }) => length > 65_536) && chunks.some(({ length }) => length < 100));
  const { stream, close } = byteStream(chunks, true);
  const seen: ServerSentEvent[] = [];
  for await (const event of readEvents(stream)) {
    seen.push(event);
    if (seen.length === events.length) setTimeout(close);
  }
  assertEquals(seen.length, events.length);
  assertEquals(JSON.stringify(seen), JSON.stringify(events));
});

Deno.test("readEvents reads into one buffer that grows to 64 KB", async () => {
  const sizes: number[] = [];
  const buffers = new Set<number>();
  let left = 12;
  const stream = new ReadableStream({
    type: "bytes",
    pull(controller) {
      const { view } = controller.byobRequest!;
      sizes.push(view!.byteLength);
      buffers.add(view!.buffer.byteLength);
      if (left-- === 0) {
        controller.close();
        return controller.byobRequest!.respond(0);
      }
      new Uint8Array(view!.buffer).fill(10);
      controller.byobRequest!.respond(left < 4 ? 10 : view!.byteLength);
    },
  });
  for await (const _ of readEvents(stream));
  const full = 65_536;
  assertEquals(sizes, [8_192, 16_384, 32_768, ...new Array(10).fill(full)]);
  assertEquals(buffers, new Set([8_192, 16_384, 32_768, full]));
});

Deno.test("readEvents passes on what a byte stream fails of, also while a read waits", async () => {
  const { stream, fail } = byteStream([utf8("data: a\n\n")], false);
  const reader = readEvents(stream);
  await reader.next();
  const next = outcome(reader.next());
  await settle();
  fail("broken");
  assertEquals(await next, { error: "broken" });
});

Deno.test("readEvents is left while a byte stream is read, and the stream is cancelled", async () => {
  const cancelled: unknown[] = [];
  const stream = new ReadableStream({
    type: "bytes",
    cancel: (reason) => void cancelled.push(reason),
  });
  const controller = new AbortController();
  const reader = readEvents(stream, { signal: controller.signal });
  const next = outcome(reader.next());
  await settle();
  controller.abort("enough");
  assertEquals(await next, { error: "enough" });
  assertEquals(cancelled, ["enough"]);
});

Deno.test("readEvents keeps its hands off the bytes of a stream that ignores its buffer", async () => {
  const bytes = utf8(STREAM);
  const plain = [bytes][Symbol.iterator]();
  const stream = {
    locked: false,
    getReader: () => ({
      read: () => Promise.resolve(plain.next()),
      cancel: () => Promise.resolve(),
      closed: new Promise(() => {}),
    }),
  } as unknown as ReadableStream<Uint8Array>;
  assertEquals(await Array.fromAsync(readEvents(stream)), AB);
  assertEquals(text(bytes), STREAM);
});
