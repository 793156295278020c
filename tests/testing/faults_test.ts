/** What each fault of a transport does to {@linkcode connect}, `EventSource` and {@linkcode readEvents}. */

import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { connect, type ConnectOptions } from "../../client.ts";
import { ResponseError, TimeoutError } from "../../errors.ts";
import { EventSource } from "../../event_source.ts";
import { readEvents, type ServerSentEvent } from "../../parse.ts";
import { collect, createTransport, type Fault, type Transport } from "../../testing.ts";
import { text, utf8 } from "../helpers.ts";
import { underFakeClock } from "./clock.ts";
import { dataOf, held, numbers, URL } from "./numbers.ts";

/** What a client makes of it: the data of the events, and the error that ended it. */
type Outcome = [data: string, error?: string];

async function outcome(
  read: (into: ServerSentEvent[]) => Promise<unknown>,
): Promise<Outcome> {
  const events: ServerSentEvent[] = [];
  try {
    await read(events);
    return [dataOf(events)];
  } catch (error) {
    const named = error instanceof ResponseError ? error.code : (error as Error).name;
    return [dataOf(events), named];
  }
}

/** Reads one response. */
function once({ fetch }: Transport): Promise<Outcome> {
  return outcome(async (into) => await collect(readEvents(await fetch(URL)), { into }));
}

/** Reads until the server has no more, whatever happens. */
function resuming({ fetch }: Transport, options: ConnectOptions = {}): Promise<Outcome> {
  return outcome((into) => collect(connect(URL, { fetch, retry: () => 0, ...options }), { into }));
}

/** The same by the class of the standard, to which a 204 is an error. */
async function standard({ fetch }: Transport): Promise<Outcome> {
  return await underFakeClock(() =>
    outcome((into) => collect(new EventSource(URL, { fetch }), { into }))
  );
}

interface Case {
  title: string;
  /** Of the requests, in their order. */
  faults: Fault[];
  /** What one response gives. */
  once: Outcome;
  /** What `connect` gives. */
  resumed?: Outcome;
  /** What `EventSource` gives before its end. */
  standard?: Outcome;
  /** The last event IDs that are asked for on the way. */
  asked?: string[];
}

const ALL = "1 2 3";
const END = "ERR_SSE_STATUS";

const CASES: Case[] = [
  { title: "nothing lets all pass", faults: [], once: [ALL], asked: ["", "3"] },
  {
    title: "refuse fails a request as a network does",
    faults: [{ refuse: true }],
    once: ["", "TypeError"],
    asked: ["", "", "3"],
  },
  { title: "delay makes an answer late", faults: [{ delay: 20 }], once: [ALL], asked: ["", "3"] },
  {
    title: "cut breaks a body off after so many events",
    faults: [{ cut: { events: 2 } }],
    once: ["1 2", "TypeError"],
    asked: ["", "2", "3"],
  },
  {
    title: "cut breaks a body off after so many bytes",
    faults: [{ cut: { bytes: ": \n\nid: 1\ndata: 1\n\nid: 2\nda".length } }],
    once: ["1", "TypeError"],
    asked: ["", "1", "3"],
  },
  {
    title: "cut after 0 bytes leaves the headers alone",
    faults: [{ cut: { bytes: 0 } }],
    once: ["", "TypeError"],
    asked: ["", "", "3"],
  },
  {
    title: "end ends a body cleanly, in time for what comes first of bytes and events",
    faults: [{ end: { events: 2, bytes: 10_000 } }],
    once: ["1 2"],
    asked: ["", "2", "3"],
  },
  {
    title: "chunks leaves every byte alone",
    faults: [{ chunks: 1 }, { chunks: 1 }],
    once: [ALL],
    asked: ["", "3"],
  },
  { title: "chunks cuts at lengths", faults: [{ chunks: [3, 7] }], once: [ALL], asked: ["", "3"] },
  {
    title: "chunks cuts at random, and together with another fault",
    faults: [{ chunks: { seed: 7, most: 9 }, cut: { events: 1 } }],
    once: ["1", "TypeError"],
    asked: ["", "1", "3"],
  },
  {
    title: "status answers in place of the handler",
    faults: [{ status: 503, headers: { "retry-after": "1" } }],
    once: ["", END],
    standard: ["", END],
    asked: ["", "", "3"],
  },
  {
    title: "headers takes the place of those of an answer",
    faults: [{ headers: { "content-type": "text/html" } }],
    once: ["", "ERR_SSE_CONTENT_TYPE"],
    standard: ["", "ERR_SSE_CONTENT_TYPE"],
    asked: ["", "", "3"],
  },
  {
    title: "body answers in place of the handler",
    faults: [{
      body: "id: 2\ndata: two\n\n",
      headers: { "content-type": "text/event-stream" },
    }],
    once: ["two"],
    resumed: ["two 3"],
    standard: ["two 3", END],
    asked: ["", "2", "3"],
  },
  {
    title: "duplicate sends each event twice",
    faults: [{ duplicate: true }],
    once: ["1 1 2 2 3 3"],
    resumed: ["1 1 2 2 3 3"],
    standard: ["1 1 2 2 3 3", END],
    asked: ["", "3"],
  },
  {
    title: "lastEventId makes a server send again what its client has",
    faults: [{ cut: { events: 2 } }, { lastEventId: "" }, { lastEventId: "2" }],
    once: ["1 2", "TypeError"],
    resumed: ["1 2 3"],
    standard: ["1 2 1 2 3 3", END],
    asked: ["", "2", "3", "3"],
  },
];

for (const { title, faults, once: first, ...expected } of CASES) {
  Deno.test(`a fault: ${title}`, async (t) => {
    const { resumed = [ALL], standard: listened = [ALL, END] } = expected;
    for (
      const [name, read, outcome] of [
        ["readEvents", once, first],
        ["connect", resuming, resumed],
        ["EventSource", standard, listened],
      ] as const
    ) {
      await t.step(name, async () => {
        await using transport = createTransport(numbers(3), { faults });
        assertEquals(await read(transport), outcome);
        assertEquals(transport.connections, []);
        // One response is one request, and for `EventSource` a refusal is final.
        const asked = transport.requests.map(({ lastEventId }) => lastEventId);
        const all = expected.asked ?? [];
        const final = name === "EventSource" && expected.standard?.[0] === "";
        assertEquals(asked, name === "readEvents" || final ? all.slice(0, 1) : all);
      });
    }
  });
}

// Those that stop

Deno.test("stall stops the bytes until connect finds that nothing comes", async () => {
  await underFakeClock(async () => {
    const faults = [{ stall: { events: 1 } }, { stall: { bytes: 0 } }, { delay: Infinity }];
    await using transport = createTransport(numbers(3), { faults });
    const causes: unknown[] = [];
    const result = await resuming(transport, {
      idleTimeout: 30_000,
      connectTimeout: 10_000,
      retry: ({ cause }) => {
        causes.push(cause instanceof TimeoutError ? cause.phase : cause);
        return 0;
      },
    });
    assertEquals(result, [ALL]);
    assertEquals(causes, ["idle", "idle", "connect", undefined]);
    assertEquals(transport.connections, []);
  });
});

Deno.test("stall stops the bytes of a response until resume lets them go on", async () => {
  await using transport = createTransport(numbers(3), { faults: [{ stall: { events: 1 } }] });
  const reader = readEvents(await transport.fetch(URL));
  assertEquals(dataOf(await collect(reader, { count: 1, close: false })), "1");
  await assertRejects(() => collect(reader, { count: 1, close: false, timeout: 0 }));
  assertEquals(transport.resume(), 1);
  // Once: what follows flows.
  assertEquals(dataOf(await collect(reader)), "2 3");
});

Deno.test("stall stops the bytes of an EventSource until resume lets them go on", async () => {
  await using transport = createTransport(held(3), { faults: [{ stall: { events: 1 } }] });
  const source = new EventSource(URL, { fetch: transport.fetch });
  assertEquals(dataOf(await collect(source, { count: 1, close: false })), "1");
  assertEquals(transport.connections.map(({ events }) => events), [1]);
  const rest = collect(source, { count: 2 });
  transport.resume();
  assertEquals(dataOf(await rest), "2 3");
  assertEquals(transport.connections, []);
});

Deno.test("delay keeps an answer back for so many ms of the clock", async () => {
  await underFakeClock(async () => {
    await using transport = createTransport(numbers(3), { faults: [{ delay: 60_000 }] });
    const start = performance.now();
    const response = await transport.fetch(URL);
    assertEquals(performance.now() - start, 60_000);
    await response.body?.cancel();
  });
});

Deno.test("delay ends when the client gives up, with no timer left", async () => {
  const stop = new AbortController();
  await using transport = createTransport(numbers(3), { faults: [{ delay: 60_000 }] });
  const response = transport.fetch(URL, { signal: stop.signal });
  const { attempt } = await transport.request(1);
  stop.abort(new RangeError("enough"));
  await assertRejects(() => response, RangeError, "enough");
  assertEquals([attempt, transport.connections.length], [1, 0]);
});

Deno.test("a 503 with Retry-After is waited for as long as it says", async () => {
  await underFakeClock(async () => {
    const faults = [{ status: 503, headers: { "retry-after": "120" }, body: "busy" }];
    await using transport = createTransport(numbers(1), { faults });
    const delays: number[] = [];
    const result = await resuming(transport, {
      retry: { statuses: [503], jitter: false },
      onState: (state) => void (state.state === "retry" && delays.push(state.delay)),
    });
    assertEquals([result, delays[0]], [["1"], 120_000]);
  });
});

Deno.test("a 401 is the one time at which a token is renewed", async () => {
  let token = "old";
  await using transport = createTransport(numbers(1), { faults: [{ status: 401 }] });
  const result = await resuming(transport, {
    headers: () => ({ authorization: token }),
    onUnauthorized: () => void (token = "new"),
  });
  assertEquals(result, ["1"]);
  const sent = transport.requests.map(({ headers }) => headers.get("authorization"));
  assertEquals(sent, ["old", "new", "new"]);
});

Deno.test("connect is left without an error after its network has broken off", async () => {
  const body = new TransformStream<Uint8Array, Uint8Array>();
  const headers = { "content-type": "text/event-stream" };
  await using transport = createTransport(() => new Response(body.readable, { headers }));
  const connection = connect(URL, { fetch: transport.fetch });
  await connection.opened;
  body.writable.getWriter().write(utf8("data: 1\n\ndata: 2\n\n")).catch(() => {});
  const seen: string[] = [];
  for await (const { data } of connection) {
    seen.push(data);
    // Both came in one chunk.
    if (data === "1") transport.cut();
    else break;
  }
  assertEquals([seen, (await connection.closed).reason], [["1", "2"], "closed"]);
});

// How they are told

Deno.test("chunks never joins, and cuts into the lengths that it names", async () => {
  const lengthsOf = async (chunks: Fault["chunks"]) => {
    const body = () => ReadableStream.from([new Uint8Array(10), new Uint8Array(5)]);
    await using transport = createTransport(() => new Response(body()), { faults: [{ chunks }] });
    const { body: received } = await transport.fetch(URL);
    return await Array.fromAsync(received ?? [], ({ length }) => length);
  };
  assertEquals(await lengthsOf(undefined), [10, 5]);
  assertEquals(await lengthsOf(4), [4, 4, 2, 4, 1]);
  assertEquals(await lengthsOf([1, 8]), [1, 8, 1, 5]);
  const random = await lengthsOf({ seed: 3, most: 4 });
  assertEquals(random, await lengthsOf({ seed: 3, most: 4 }));
  assert(random.every((length) => length <= 4), `${random}`);
  assert(`${random}` !== `${await lengthsOf({ seed: 4, most: 4 })}`);
});

Deno.test("an end by events falls at the byte that completes one, with every line end", async () => {
  for (const end of ["\n", "\r\n", "\r"]) {
    for (const comment of [": a", ": bc"]) {
      const block = `${comment}${end}${end}id: 1${end}data: a${end}${end}`;
      const faults = [{ end: { events: 1 } }];
      const handler = () => new Response(`${block}data: b${end}${end}`);
      await using transport = createTransport(handler, { faults });
      const received = await (await transport.fetch(URL)).text();
      // A CR may end a line alone: an LF behind it is not waited for.
      assertEquals(received, end === "\r\n" ? block.slice(0, -1) : block);
      const { bytes, events } = await transport.connection(1);
      assertEquals([bytes, events], [received.length, 1]);
    }
  }
});

Deno.test("a fault leaves the chunks as they are but where it happens, and loses no byte", async () => {
  const body = "data: a\n\ndata: b\n\ndata: c\n\n";
  const lengthsOf = async (fault: Fault) => {
    const chunk = utf8(body);
    const handler = () => new Response(ReadableStream.from([chunk, chunk]));
    await using transport = createTransport(handler, { faults: [fault] });
    const { body: received } = await transport.fetch(URL);
    const lengths: number[] = [];
    for await (const { length } of received ?? []) {
      lengths.push(length);
      transport.resume();
    }
    return lengths;
  };
  assertEquals(await lengthsOf({ stall: { events: 1 } }), [9, 18, 27]);
  assertEquals(await lengthsOf({ stall: { bytes: 26 } }), [26, 1, 27]);
  assertEquals(await lengthsOf({ stall: { bytes: 5 }, end: { events: 5 } }), [5, 22, 18]);
  assertEquals(await lengthsOf({ end: { bytes: 27 } }), [27]);
});

Deno.test("duplicate sends what is between two events twice, too", async () => {
  const body = "retry: 5\n\ndata: a\n\n: c\ndata: b\r\n\r\nda";
  await using transport = createTransport(() => new Response(body), {
    faults: [{ duplicate: true }],
  });
  const received = await (await transport.fetch(URL)).bytes();
  assertEquals(
    text(received),
    "retry: 5\n\ndata: a\n\nretry: 5\n\ndata: a\n\n: c\ndata: b\r\n\r: c\ndata: b\r\n\r\nda",
  );
});

Deno.test("inject is for the next requests, whatever faults says for them", async () => {
  const faults = [{ status: 500 }, { status: 501 }, undefined, { status: 503 }];
  await using transport = createTransport(() => new Response(), { faults });
  const status = async () => (await transport.fetch(URL)).status;
  assertEquals(await status(), 500);
  transport.inject({ status: 401 }, {});
  assertEquals([await status(), await status(), await status()], [401, 200, 503]);
  assertEquals(await status(), 200);
});

Deno.test("faults may be a function of the request", async () => {
  await using transport = createTransport(() => new Response(), {
    faults: ({ attempt, url }) => url.endsWith("/slow") ? { status: 504 + attempt } : undefined,
  });
  const { status } = await transport.fetch("http://sse.test/slow");
  const other = await transport.fetch("http://sse.test/fast");
  assertEquals([status, other.status], [505, 200]);
});

Deno.test("a fault that cannot happen is refused at once, in a sentence", () => {
  const wrong: [unknown, string][] = [
    [null, "Cannot inject fault: it must be an object: received null"],
    [{ cutt: { bytes: 1 } }, 'Cannot inject fault: "cutt" is none of refuse, delay, '],
    [
      { cut: {} },
      'Cannot inject fault: "cut" must name a number of "bytes" or "events": received {}',
    ],
    [
      { stall: { bytes: -1 } },
      'Cannot inject fault: "stall.bytes" must be an integer from 0 up: received -1',
    ],
    [
      { end: { events: 1.5 } },
      'Cannot inject fault: "end.events" must be an integer from 0 up: received 1.5',
    ],
    [{ delay: NaN }, 'Cannot inject fault: "delay" must be a number from 0 up: received NaN'],
    [
      { status: 101 },
      'Cannot inject fault: "status" must be an integer from 200 to 599: received 101',
    ],
    [{ headers: { "a b": "" } }, ""],
    [{ body: 7 }, 'Cannot inject fault: "body" must be a text: received 7'],
    [{ lastEventId: 7 }, 'Cannot inject fault: "lastEventId" must be a text: received 7'],
    [{ chunks: 0 }, 'Cannot inject fault: "chunks" must be an integer from 1 up: received 0'],
    [
      { chunks: [] },
      'Cannot inject fault: "chunks" must be a length, an array of lengths or { seed }',
    ],
    [{ chunks: "1" }, 'Cannot inject fault: "chunks" must be a length'],
    [{ chunks: { seed: 0.5 } }, 'Cannot inject fault: "chunks.seed" must be an integer: '],
    [
      { chunks: { seed: 1, most: 0 } },
      'Cannot inject fault: "chunks.most" must be an integer from 1 up: received 0',
    ],
  ];
  const transport = createTransport(() => new Response());
  for (const [fault, message] of wrong) {
    const inject = () => transport.inject(fault as Fault);
    const error = assertThrows(inject, Error, message);
    assert(error instanceof TypeError || error instanceof RangeError);
    assertThrows(() => createTransport(() => new Response(), { faults: [fault as Fault] }));
  }
});
