/** encode.ts: exact bytes, buffers, refusals, and that what is encoded reads back. */

import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import fc from "fast-check";
import {
  encodeComment,
  encodeEvent,
  ServerSentEventEncoderStream,
  type ServerSentEventInit,
  stringifyEvent,
} from "../encode.ts";
import { ServerSentEventDecoderStream, ServerSentEventParser } from "../parse.ts";
import { chunkings } from "./chunkings.ts";
import { eventStream, legalEvent } from "./generators.ts";
import { assertSame, message, parse, property, SEED, text, utf8 } from "./helpers.ts";
import { oracle } from "./oracle.ts";

// Exact text

const WIRE: [ServerSentEventInit, string][] = [
  [{}, "\n"],
  [
    { data: undefined, event: undefined, id: undefined, retry: undefined, comment: undefined },
    "\n",
  ],
  [{ data: "a" }, "data: a\n\n"],
  [{ data: "" }, "data: \n\n"],
  [{ event: "e" }, "event: e\n\n"],
  [{ event: "e", data: "a" }, "event: e\ndata: a\n\n"],
  [{ event: "", data: "a" }, "data: a\n\n"],
  [{ event: "message", data: "a" }, "data: a\n\n"],
  [{ event: "Message", data: "a" }, "event: Message\ndata: a\n\n"],
  [{ event: " message", data: "a" }, "event:  message\ndata: a\n\n"],
  [{ event: "a\0b:c", data: "\0" }, "event: a\0b:c\ndata: \0\n\n"],
  [{ id: "1" }, "id: 1\n\n"],
  [{ id: "" }, "id: \n\n"],
  [{ id: "1", data: "a" }, "id: 1\ndata: a\n\n"],
  [{ retry: 0 }, "retry: 0\n\n"],
  [{ retry: 3000, data: "a" }, "retry: 3000\ndata: a\n\n"],
  [{ comment: "c" }, ": c\n\n"],
  [{ comment: "" }, ": \n\n"],
  [
    { data: "a\nb", retry: 1, id: "7", event: "e", comment: "c\nd" },
    ": c\n: d\nevent: e\nid: 7\nretry: 1\ndata: a\ndata: b\n\n",
  ],
  [{ data: ":", event: ":", id: ":" }, "event: :\nid: :\ndata: :\n\n"],
  [{ data: "\ufeffé€😀", id: "\ufeff" }, "id: \ufeff\ndata: \ufeffé€😀\n\n"],
];

for (const [event, wire] of WIRE) {
  Deno.test(`encodeEvent and stringifyEvent encode ${JSON.stringify(event)}`, () => {
    assertEquals(stringifyEvent(event), wire);
    assertEquals(encodeEvent(event), utf8(wire));
  });
}

Deno.test("encodeEvent sends lone surrogates as U+FFFD, in events of any length", () => {
  for (const data of ["\ud800", "a\udc00b", "\ude00\ud83d", "x".repeat(70_000) + "\ud83d"]) {
    const event = parse([encodeEvent({ data, event: "\ud800", id: "\udfff" })]).events[0];
    assertEquals(event, { event: "\ufffd", data: data.toWellFormed(), id: "\ufffd" });
  }
});

Deno.test("encodeEvent reads only its five members", () => {
  const event = { data: "a", type: "x", lastEventId: "1", toString: () => "no" };
  assertEquals(stringifyEvent(event), "data: a\n\n");
});

Deno.test("encodeComment puts a blank line behind its lines", () => {
  assertEquals(encodeComment("a\r\nb"), utf8(": a\n: b\n\n"));
  assertEquals(encodeComment("é"), utf8(": é\n\n"));
});

Deno.test("encodeEvent encodes texts of every length around its buffer", () => {
  for (const unit of ["x", "é", "€", "😀"]) {
    for (
      const units of [1, 1_350, 1_356, 1_357, 1_358, 1_365, 1_366, 4_096, 16_384, 65_536, 200_000]
    ) {
      const data = unit.repeat(units);
      const bytes = encodeEvent({ data });
      assertEquals(bytes.length, utf8(unit).length * units + 8);
      assert(text(bytes) === `data: ${data}\n\n`, `${units} of ${unit}`);
    }
  }
});

Deno.test("encodeEvent gives no byte of its pool twice, however full it is", () => {
  const data = Array.from({ length: 400 }, (_, i) => "é".repeat(i % 300));
  const encoded = data.map((data) => encodeEvent({ data }));
  assertEquals(encoded.map(text), data.map((data) => `data: ${data}\n\n`));
  assert(new Set(encoded.map(({ buffer }) => buffer)).size < 20, "small events share buffers");
});

Deno.test("ServerSentEventEncoderStream gives each chunk a buffer of its own", async () => {
  const chunks = await Array.fromAsync(encodeAll([{ data: "a" }, [{ data: "b" }, { data: "c" }]]));
  for (const { buffer, length } of chunks) assertEquals(buffer.byteLength, length);
});

Deno.test("encodeEvent and encodeComment give bytes that no later call touches", () => {
  for (
    const encode of [
      (data: string) => encodeEvent({ data }),
      (data: string) => encodeComment(data),
    ]
  ) {
    const [a, b] = [encode("aaaa"), encode("bb")];
    const before = text(b);
    a.fill(0);
    assertEquals(text(b), before);
    assertEquals(text(encode("bb")), before);
    assertEquals(a, new Uint8Array(a.length));
    // Whoever transfers the pool takes its bytes away, but the next event has a pool again.
    structuredClone(b, { transfer: [b.buffer] });
    assertEquals(text(encode("bb")), before);
  }
});

// Refusals

const NO_STRINGS = [null, 1, true, {}, ["a"], 1n, new String("a")];

for (const value of NO_STRINGS) {
  const shown = typeof value === "bigint" ? "1n" : JSON.stringify(value);
  Deno.test(`encodeEvent refuses members that are ${typeof value} ${shown}`, () => {
    for (const field of ["data", "event", "id", "comment"]) {
      assertThrows(
        () => encodeEvent({ [field]: value }),
        TypeError,
        `Cannot encode event: "${field}" must be a string: received ${value}`,
      );
    }
    // @ts-expect-error No string.
    assertThrows(() => encodeComment(value), TypeError, `must be a string: received ${value}`);
  });
}

for (const event of [undefined, null, "data: a", "", 1, true, () => ({ data: "a" })]) {
  Deno.test(`encodeEvent refuses ${typeof event} ${JSON.stringify(event)}`, () => {
    const received = typeof event === "string" ? JSON.stringify(event) : `${event}`;
    for (const encode of [encodeEvent, stringifyEvent]) {
      assertThrows(
        // @ts-expect-error No event.
        () => encode(event),
        TypeError,
        `Cannot encode event: it must be an object: received ${received}`,
      );
    }
  });
}

Deno.test("encodeEvent refuses an array, which would be a lost event", () => {
  // @ts-ignore An array has none of the members, but the compiler does not see it everywhere.
  assertThrows(() => encodeEvent([{ data: "a" }]), TypeError, "Cannot encode event: it must be");
});

Deno.test("encodeEvent refuses what cannot be shown with a sentence, too", () => {
  for (const value of [Symbol("s"), Object.create(null)]) {
    for (const field of ["data", "event", "id", "comment"]) {
      assertThrows(() => encodeEvent({ [field]: value }), TypeError, "Cannot encode event");
    }
    assertThrows(() => encodeEvent({ retry: value }), RangeError, "Cannot encode event");
  }
});

Deno.test("encodeEvent shows at most 40 code units of what it refuses", () => {
  const message = (id: string) => assertThrows(() => encodeEvent({ id }), TypeError).message;
  const prefix = 'Cannot encode event: "id" must not contain a line break: received ';
  assertEquals(message(`${"x".repeat(39)}\n`), `${prefix}"${"x".repeat(39)}\\n"`);
  assertEquals(message(`${"x".repeat(40)}\n`), `${prefix}"${"x".repeat(40)}…"`);
});

// The stream

type Chunk = ServerSentEventInit | ServerSentEventInit[];

function encodeAll(chunks: Iterable<Chunk>): ReadableStream<Uint8Array> {
  return ReadableStream.from(chunks).pipeThrough(new ServerSentEventEncoderStream());
}

Deno.test("ServerSentEventEncoderStream gives a chunk for each event and for each array", async () => {
  const chunks = await Array.fromAsync(
    encodeAll([
      { data: "a" },
      [{ data: "b" }, { id: "1" }, { data: "c", event: "e" }],
      [],
      [{ data: "d" }],
      {},
    ]),
  );
  assertEquals(chunks.map(text), [
    "data: a\n\n",
    "data: b\n\nid: 1\n\nevent: e\ndata: c\n\n",
    "data: d\n\n",
    "\n",
  ]);
  for (const chunk of chunks) assertEquals(chunk.buffer.byteLength, chunk.length);
});

Deno.test("ServerSentEventEncoderStream encodes arrays of more than its buffer", async () => {
  const events = Array.from({ length: 3_000 }, (_, i) => message(`${i} €`));
  const [chunk, ...more] = await Array.fromAsync(encodeAll([events]));
  assertEquals([parse([chunk]).events, more], [events, []]);
});

Deno.test("ServerSentEventEncoderStream errors at an illegal event and sends nothing of its chunk", async () => {
  for (
    const illegal of [
      { id: "\0" },
      [{ data: "b" }, { event: "\n" }],
      [{ data: "b" }, { retry: -1 }, { data: "c" }],
      [{ data: "b" }, null],
      [undefined],
      [{ data: "b" }, [{ data: "nested" }]],
      null,
      "data: a",
    ]
  ) {
    const out: string[] = [];
    const failed = await assertRejects(
      async () => {
        const chunks = [{ data: "a" }, illegal, { data: "d" }];
        // @ts-expect-error Not all of them are events.
        for await (const chunk of encodeAll(chunks)) out.push(text(chunk));
      },
      Error,
      "Cannot encode event",
    );
    assert(failed instanceof TypeError || failed instanceof RangeError);
    assert(out.length === 0 || out.length === 1 && out[0] === "data: a\n\n", `${out}`);
  }
});

Deno.test("ServerSentEventEncoderStream and ServerSentEventDecoderStream are inverse", async () => {
  const events = [message("a"), message("b\nc", { event: "e", id: "1" }), message("", { id: "1" })];
  const decoded = encodeAll([events[0], events.slice(1)])
    .pipeThrough(new ServerSentEventDecoderStream());
  assertEquals(await Array.fromAsync(decoded), events);
});

// Properties

Deno.test("What is encoded reads back: any legal events, ids that stick, in any chunking", () => {
  fc.assert(
    fc.property(fc.array(legalEvent, { maxLength: 6 }), fc.integer(), (events, seed) => {
      let id = "";
      const expected = events.map((event) => {
        id = event.id ?? id;
        const { data, retry } = event;
        return {
          event: event.event || "message",
          data,
          id,
          ...(retry === undefined ? {} : { retry }),
        };
      });
      const bytes = utf8(events.map(stringifyEvent).join(""));
      const some = [...chunkings(bytes, seed)];
      for (const { name, chunks } of [some[0], some[1], some[Math.abs(seed) % some.length]]) {
        assertSame(parse(chunks).events, expected, name);
      }
      const comments = events.flatMap(({ comment }) =>
        comment === undefined ? [] : comment.split(/\r\n|\r|\n/)
      );
      assertEquals(oracle(bytes).comments, comments);
      assertEquals(events.map(encodeEvent).map(text).join(""), text(bytes));
    }),
    property(),
  );
});

Deno.test("What is parsed, encoded and parsed again is the same, for any stream", () => {
  fc.assert(
    fc.property(eventStream, (bytes) => {
      const { events } = oracle(bytes);
      const again = new ServerSentEventParser().feed(utf8(events.map(stringifyEvent).join("")));
      assertSame(again, events, "again");
    }),
    property(0.5),
  );
});

Deno.test("Data with any line ends reads back with LF", () => {
  const unit = fc.constantFrom("\r", "\n", "\r\n", "a", " ", ":", "é");
  fc.assert(
    fc.property(fc.string({ unit, maxLength: 12 }), (data) => {
      const expected = data.replaceAll("\r\n", "\n").replaceAll("\r", "\n");
      assertEquals(parse([encodeEvent({ data })]).events, [message(expected)]);
      assertEquals(parse([encodeComment(data)]).comments, expected.split("\n"));
    }),
    property(),
  );
});

Deno.test("Everything illegal throws, whatever is legal beside it", () => {
  const around = fc.tuple(fc.string({ unit: "binary" }), fc.string({ unit: "binary" }));
  const within = (...breaks: string[]) =>
    fc.tuple(around, fc.constantFrom(...breaks)).map(([[before, after], at]) =>
      before + at + after
    );
  const noString = fc.anything().filter((value) =>
    typeof value !== "string" && value !== undefined
  );
  const fault = fc.oneof(
    within("\r", "\n", "\r\n").map((event) => ({ event })),
    within("\r", "\n", "\0").map((id) => ({ id })),
    fc.oneof(
      fc.double().filter((ms) => !Number.isSafeInteger(ms) || ms < 0),
      fc.integer({ max: -1 }),
      fc.anything().filter((ms) => typeof ms !== "number" && ms !== undefined),
    ).map((retry) => ({ retry })),
    fc.tuple(fc.constantFrom("data", "event", "id", "comment"), noString).map(([field, value]) => ({
      [field]: value,
    })),
  );
  fc.assert(
    fc.property(legalEvent, fault, (event, wrong) => {
      const illegal = { ...event, ...wrong } as ServerSentEventInit;
      const wanted = "retry" in wrong ? RangeError : TypeError;
      assertThrows(() => stringifyEvent(illegal), wanted, "Cannot encode event");
      assertThrows(() => encodeEvent(illegal), wanted, "Cannot encode event");
    }),
    property(),
  );
});

Deno.test("What is encoded is the same in every chunking, at its earliest byte", () => {
  const bytes = encodeEvent({ comment: "c", event: "e", id: "é", retry: 5, data: " a\n\n😀" });
  const truth = oracle(bytes);
  assertEquals(truth.events, [{ event: "e", data: " a\n\n😀", id: "é", retry: 5 }]);
  for (const { name, chunks } of chunkings(bytes, SEED)) assertSame(parse(chunks), truth, name);
});

Deno.test("ServerSentEventEncoderStream sends text of any length whole, in a buffer of its own", async () => {
  for (const unit of ["x", "é", "語", "😀"]) {
    for (const length of [500, 505, 506, 600, 87_370, 87_380, 87_381, 87_400, 300_000]) {
      const data = unit.repeat(length / unit.length);
      for (const chunk of [{ data }, [{ data }, { data: "after" }]]) {
        const stream = ReadableStream.from([chunk, { data: "next" }])
          .pipeThrough(new ServerSentEventEncoderStream());
        const [first, second] = await Array.fromAsync(stream);
        const expected = [chunk].flat().map(stringifyEvent).join("");
        assertEquals(new TextDecoder().decode(first) === expected, true, `${unit}, ${length}`);
        assertEquals(new TextDecoder().decode(second), "data: next\n\n");
        assertEquals([first.byteOffset, first.buffer.byteLength], [0, first.byteLength]);
      }
    }
  }
});
