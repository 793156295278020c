/** {@linkcode ServerSentEventParser}: how it is fed, what it calls, and how it fails. */

import { runInNewContext } from "node:vm";
import { assert, assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { EventTooLargeError, ParseError, SseError } from "../../errors.ts";
import { type ParserOptions, type ServerSentEvent, ServerSentEventParser } from "../../parse.ts";
import { chunkings } from "../chunkings.ts";
import { assertSame, concat, message, parse, raw, SEED, utf8 } from "../helpers.ts";
import { oracle } from "../oracle.ts";

// Chunks

Deno.test("ServerSentEventParser takes strings cut anywhere, inside a surrogate pair too", () => {
  const stream =
    "\ufeff: hé\r\nid: 😀\r\nretry: 10\nevent: ü\rdata: 😀😀\rdata: é\r\n\r\ndata: b\r\r";
  const truth = oracle(utf8(stream));
  for (let i = 0; i <= stream.length; i++) {
    for (let j = i; j <= stream.length; j++) {
      const chunks = [stream.slice(0, i), stream.slice(i, j), stream.slice(j)];
      assertSame(parse(chunks), truth, `cut at ${i} and ${j}`);
    }
  }
  assertSame(parse(stream.split("")), truth, "unit by unit");
});

Deno.test("ServerSentEventParser takes strings and bytes mixed", () => {
  const stream = utf8(
    ": hi\r\nid: 1\r\nretry: 10\revent: e\rdata: abc\rdata: d\r\n\r\ndata: b\r\r",
  );
  const truth = oracle(stream);
  for (const { name, chunks } of chunkings(stream, SEED)) {
    for (const parity of [0, 1]) {
      const mixed = chunks.map((chunk, i) =>
        i % 2 === parity ? new TextDecoder().decode(chunk) : chunk
      );
      assertSame(parse(mixed), truth, name);
    }
  }
});

Deno.test("ServerSentEventParser ends a cut character where a string follows", () => {
  assertEquals(parse([raw("data: a\xe2\x82"), "b\n\n"]).events, [message("a\ufffdb")]);
  assertEquals(parse([raw("data: a\xe2\x82"), "", raw("\xac\n\n")]).events, [
    message("a\ufffd\ufffd"),
  ]);
});

Deno.test("ServerSentEventParser takes a Uint8Array of another realm and a subclass", () => {
  const foreign = runInNewContext("Uint8Array.from([100, 97, 116, 97, 58, 97, 10, 10])");
  assert(!(foreign instanceof Uint8Array));
  assertEquals(parse([foreign]).events, [message("a")]);
  assertEquals(parse([new class extends Uint8Array {}(utf8("data:b\n\n"))]).events, [message("b")]);
});

Deno.test("ServerSentEventParser reads only the view of a larger buffer", () => {
  const bytes = utf8("data: x\n\ndata: a\n\ndata: y\n\n");
  assertEquals(parse([bytes.subarray(9, 18)]).events, [message("a")]);
});

Deno.test("ServerSentEventParser keeps nothing of a chunk that its owner writes over", () => {
  const parser = new ServerSentEventParser();
  const chunk = utf8("data: é");
  const events: ServerSentEvent[] = [];
  parser.feed(chunk.subarray(0, 7), events);
  chunk.fill(0);
  parser.feed(raw("\xa9\n\n"), events);
  assertEquals(events, [message("é")]);
});

for (
  const [what, chunk] of [
    ["undefined", undefined],
    ["number", 1],
    ["object", null],
    ["object", {}],
    ["object", new ArrayBuffer(1)],
    ["object", new Uint16Array(1)],
    ["object", new Uint8ClampedArray(1)],
    ["object", new DataView(new ArrayBuffer(1))],
    ["object", [100]],
  ]
) {
  const kind = Object.prototype.toString.call(chunk);
  Deno.test(`ServerSentEventParser.feed refuses ${kind}`, () => {
    assertThrows(
      // @ts-expect-error These are no chunks.
      () => new ServerSentEventParser().feed(chunk),
      TypeError,
      `Cannot parse chunk: it must be a Uint8Array or a string: received ${what}`,
    );
  });
}

// Events

Deno.test("ServerSentEventParser.feed gives a new array, or appends to the one it is given", () => {
  const parser = new ServerSentEventParser();
  const first = parser.feed("data: a\n\n");
  assertEquals(parser.feed(""), []);
  assertEquals(parser.feed("data: b\n\n"), [message("b")]);
  assertEquals(first, [message("a")]);
  assertStrictEquals(parser.feed("data: c\n\ndata: d\n\n", first), first);
  assertEquals(first, ["a", "c", "d"].map((data) => message(data)));
});

Deno.test("ServerSentEventParser events are plain, with their members in one order", () => {
  const events = parse(["data: a\n\nretry: 1\nid: 1\ndata: b\ndata: c\nevent: e\n\n"]).events;
  assertEquals(events.map((event) => JSON.stringify(event)), [
    '{"event":"message","data":"a","id":""}',
    '{"event":"e","data":"b\\nc","id":"1","retry":1}',
  ]);
  assertStrictEquals(Object.getPrototypeOf(events[0]), Object.prototype);
});

// Callbacks

Deno.test("ServerSentEventParser calls back in the order of the stream, before the event", () => {
  const calls: unknown[] = [];
  const parser = new ServerSentEventParser({
    onComment: (...args) => calls.push(["comment", ...args, events.length]),
    onId: (...args) => calls.push(["id", ...args, events.length, parser.lastEventId]),
    onRetry: (...args) => calls.push(["retry", ...args, events.length, parser.retry]),
  });
  const events: ServerSentEvent[] = [];
  parser.feed(
    "id: 1\n: a\nretry: 5\nretry: x\ndata: a\n:b\n\nid: 2\n\ndata: c\n\nid: 2\n\n:",
    events,
  );
  parser.feed("\n", events);
  assertEquals(calls, [
    ["comment", "a", 0],
    ["retry", 5, 0, 5],
    ["comment", "b", 0],
    ["id", "1", 0, "1"],
    ["id", "2", 1, "2"],
    ["id", "2", 2, "2"],
    ["comment", "", 2],
  ]);
});

Deno.test("ServerSentEventParser calls the callbacks of its options as methods", () => {
  const options = {
    seen: [] as string[],
    onComment(comment: string) {
      this.seen.push(comment);
    },
    onId(id: string) {
      this.seen.push(id);
    },
    onRetry(ms: number) {
      this.seen.push(`${ms}`);
    },
  };
  new ServerSentEventParser(options).feed(":a\nid:b\nretry:1\n\n");
  assertEquals(options.seen, ["a", "1", "b"]);
});

// Failures

for (
  const [callback, line] of [
    ["onComment", ": x\n"],
    ["onId", "id: x\n\n"],
    ["onRetry", "retry: 1\n"],
  ]
) {
  Deno.test(`ServerSentEventParser throws what ${callback} throws, until it is reset`, () => {
    const error = new Error("mine");
    let broken = true;
    const parser = new ServerSentEventParser({
      [callback]: () => {
        if (broken) throw error;
      },
    });
    const events: ServerSentEvent[] = [];
    const stream = `data: a\n\n${line}data: b\n\n`;
    assertStrictEquals(assertThrows(() => parser.feed(stream, events)), error);
    assertEquals(events, [message("a")]);
    broken = false;
    assertStrictEquals(assertThrows(() => parser.feed("data: c\n\n", events)), error);
    assertStrictEquals(assertThrows(() => parser.feed("", events)), error);
    assertEquals(events, [message("a")]);
    parser.reset();
    assertEquals(parser.feed("data: d\n\n").map(({ data }) => data), ["d"]);
  });
}

Deno.test("ServerSentEventParser throws undefined again if a callback threw that", () => {
  const nothing: unknown = undefined;
  const parser = new ServerSentEventParser({
    onComment: () => {
      throw nothing;
    },
  });
  for (const chunk of [":\n", "data: a\n\n"]) {
    let thrown: unknown = "nothing";
    try {
      parser.feed(chunk);
    } catch (error) {
      thrown = error;
    }
    assertEquals(thrown, undefined);
  }
});

Deno.test("ServerSentEventParser gives the events before a fault in the array it was passed", () => {
  const parser = new ServerSentEventParser({ strict: true });
  const events: ServerSentEvent[] = [];
  assertThrows(
    () => parser.feed("id: 1\ndata: a\n\ndata: b\n\nx\ndata: c\n\n", events),
    ParseError,
  );
  assertEquals(events, [message("a", { id: "1" }), message("b", { id: "1" })]);
  assertEquals(parser.lastEventId, "1");
});

Deno.test("ServerSentEventParser stays failed after a chunk of the wrong type", () => {
  const parser = new ServerSentEventParser();
  // @ts-expect-error No chunk.
  const error = assertThrows(() => parser.feed(null), TypeError);
  assertStrictEquals(assertThrows(() => parser.feed("data: a\n\n")), error);
});

// Reset

for (
  const [what, unfinished] of [
    ["a line", utf8("data: cut")],
    ["a line that nobody needs", utf8(": cut")],
    ["a long line", utf8(`data: ${"x".repeat(9_000)}`)],
    ["a block", utf8("data: cut\nevent: cut\nid: 2\nretry: 6\n")],
    ["a block without data", utf8("event: cut\n")],
    ["an id", utf8("id: 2\n")],
    ["a character", raw("data: \xe2\x82")],
    ["CRLF", utf8("data: b\n\r")],
  ] as const
) {
  Deno.test(`ServerSentEventParser.reset drops ${what}, keeps id and retry, removes a BOM again`, () => {
    const ids: string[] = [];
    const parser = new ServerSentEventParser({ onId: (id) => ids.push(id) });
    parser.feed("id: 1\nretry: 5\ndata: a\n\n");
    parser.feed(unfinished);
    parser.reset();
    assertEquals([parser.incomplete, parser.lastEventId, ids], [false, "1", ["1"]]);
    assertEquals(parser.retry, what === "a block" ? 6 : 5);
    assertEquals(parser.feed("\n"), []);
    parser.reset();
    assertEquals(parser.feed(utf8("\ufeffdata: a\n\n")), [message("a", { id: "1" })]);
  });
}

Deno.test("ServerSentEventParser.reset gives an unfinished event's room back", () => {
  const parser = new ServerSentEventParser({ maxEventSize: 12 });
  parser.feed("data: 12345\n");
  parser.reset();
  parser.feed("data: 123456");
  parser.reset();
  assertEquals(parser.feed("data: 123456\n\n"), [message("123456")]);
});

// Incomplete

for (
  const [what, chunks, expected] of [
    ["at the start", [], false],
    ["after an empty chunk", [""], false],
    ["inside a line", ["d"], true],
    ["inside a skipped line", [":"], true],
    ["inside a skipped line of several chunks", [":", "a", utf8("b")], true],
    ["after a skipped line", [":", "a\n"], false],
    ["inside a character", [raw("\xc3")], true],
    ["after data", ["data: a\n"], true],
    ["after empty data", ["data\n"], true],
    ["after a type", ["event: e\n"], true],
    ["after an empty type", ["event\n"], true],
    ["after an id", ["id: 1\n"], true],
    ["after an empty id", ["id\n"], true],
    ["after a retry", ["retry: 1\n"], true],
    ["after an unknown field", ["x: 1\n"], false],
    ["after a dispatch", ["data: a\n\n"], false],
    ["after a dispatch by CR", ["data: a\r\r"], false],
    ["after data of several lines", ["data: a\ndata: b\nevent: e\n\n"], false],
    ["after a block without data", ["id: 1\n\n"], false],
  ] as const
) {
  Deno.test(`ServerSentEventParser.incomplete is ${expected} ${what}`, () => {
    const parser = new ServerSentEventParser();
    for (const chunk of chunks) parser.feed(chunk);
    assertEquals(parser.incomplete, expected);
  });
}

// Strict

for (
  const [line, fault] of [
    ["dat: 1", 'unknown field "dat", the fields are data, event, id and retry'],
    ["Data: 1", 'unknown field "Data", the fields are data, event, id and retry'],
    [" data: 1", 'unknown field " data", the fields are data, event, id and retry'],
    ["hello", 'unknown field "hello", the fields are data, event, id and retry'],
    [
      "x".repeat(41),
      `unknown field "${"x".repeat(40)}…", the fields are data, event, id and retry`,
    ],
    [
      `${"x".repeat(40)}: y`,
      `unknown field "${"x".repeat(40)}", the fields are data, event, id and retry`,
    ],
    ["retry", '"retry" must be ASCII digits: received ""'],
    ["retry: -1", '"retry" must be ASCII digits: received "-1"'],
    ["retry: 1s", '"retry" must be ASCII digits: received "1s"'],
    ["id: a\0b", '"id" with NUL'],
  ]
) {
  Deno.test(`ServerSentEventParser with strict refuses ${JSON.stringify(line)}`, () => {
    const stream = utf8(`data: a\n\n${line}\ndata: b\n\n`);
    for (const { name, chunks } of chunkings(stream, SEED)) {
      const parser = new ServerSentEventParser({ strict: true });
      const events: ServerSentEvent[] = [];
      const error = assertThrows(() => chunks.forEach((chunk) => parser.feed(chunk, events)));
      assert(error instanceof ParseError && error instanceof SseError, name);
      assertEquals([error.code, error.name, error.line], ["ERR_SSE_PARSE", "ParseError", line]);
      assertEquals(error.message, `Cannot parse event stream: ${fault}`);
      assertEquals(events, [message("a")], name);
    }
    // And without `strict` it is ignored.
    assertEquals(parse([stream], { strict: false }).events, [message("a"), message("b")]);
  });
}

Deno.test("ServerSentEventParser with strict takes all that the standard does not ignore", () => {
  const stream = utf8(
    "\ufeff: c\n:\nevent: e\nid: 1\nretry: 10\ndata: a\ndata\n\nevent\nid\ndata:\r\n\r\n\n",
  );
  const truth = oracle(stream);
  for (const { name, chunks } of chunkings(stream, SEED)) {
    assertSame(parse(chunks, { strict: true }), truth, name);
    const quiet = parse(chunks, { strict: true, onComment: undefined });
    assertSame(quiet, { ...truth, comments: [] }, name);
  }
});

// Options

for (const maxEventSize of [-1, -0.5, NaN, -Infinity, "1", null, {}, true]) {
  Deno.test(`ServerSentEventParser refuses maxEventSize ${JSON.stringify(maxEventSize)}`, () => {
    assertThrows(
      // @ts-expect-error Some of these are no numbers.
      () => new ServerSentEventParser({ maxEventSize }),
      RangeError,
      `Cannot bound events: "maxEventSize" must be a number from 0 up: received ${maxEventSize}`,
    );
  });
}

for (const lastEventId of ["\0", "a\0b", 1, null, {}]) {
  Deno.test(`ServerSentEventParser refuses lastEventId ${JSON.stringify(lastEventId)}`, () => {
    assertThrows(
      // @ts-expect-error Some of these are no strings.
      () => new ServerSentEventParser({ lastEventId }),
      TypeError,
      `Cannot start from event: "lastEventId" must be a string without NUL: received ${
        JSON.stringify(lastEventId)
      }`,
    );
  });
}

Deno.test("ServerSentEventParser takes options that are undefined as the defaults", () => {
  const parser = new ServerSentEventParser({
    maxEventSize: undefined,
    lastEventId: undefined,
    strict: undefined,
    onComment: undefined,
    onId: undefined,
    onRetry: undefined,
  });
  assertEquals([parser.lastEventId, parser.retry, parser.incomplete], ["", undefined, false]);
  assertEquals(parser.feed(":\nid: 1\nretry: 5\nx\ndata: a\n\n"), [
    message("a", { id: "1", retry: 5 }),
  ]);
});

// Bounds

/** What a stream holds at most: its data with an LF a line, type and id so far, and its line. */
const SIZES: [title: string, stream: string, size: number, options?: ParserOptions][] = [
  ["one data line", "data: 12345\n\n", 11],
  ["one data line that never ends", "data: 12345", 11],
  ["a line of multi-byte characters", "data: é€😀\n\n", 10],
  ["a line that ends in half a limit", "data: 😀", 8],
  ["data without a colon", "data\n\n", 4],
  ["data lines", "data: ab\ndata: cd\ndata: e\n\n", 13],
  ["data lines with CRLF", "data: ab\r\ndata: cd\r\ndata: e\r\n\r\n", 13],
  ["empty data lines", "data:\ndata:\ndata:\n\n", 7],
  ["a data line after which none comes", "data: ab\ndata: cd\n\ndata: ab\n\n", 11],
  ["a type", "event: 123\ndata: 1\n\n", 10],
  ["a type and data", "event: 123\ndata: 12345\n\n", 14],
  ["data and a type", "data: 12345\nevent: 123\n\n", 16],
  ["a type that replaces another", "event: 12345\nevent: 1\ndata: 1\n\n", 13],
  ["an empty type after another", "event: 12345\nevent\ndata: 1234567\n\n", 13],
  ["an id", "id: 12345\n\n", 9],
  ["an id and data", "id: 12345\ndata: 1\n\n", 12],
  ["an id that replaces another", "id: 12345\nid: 12\ndata: 1\n\n", 11],
  ["an id that no colon resets", "id: 12345\nid\ndata: 123456\n\n", 12],
  ["data and an id", "data: 1\nid: 1\n\n", 7],
  ["a retry", "retry: 1000\n\n", 11],
  ["data and a retry", "data: 1\nretry: 1000\n\n", 13],
  ["an invalid retry", "retry: x000\n\n", 11],
  ["an id with NUL", "id: \0\0\0\0\0\n\n", 9],
  ["comments between data lines", ": 123456789012\ndata: a\n:12345678901\ndata: b\n\n", 9],
  ["unknown lines between data lines", "x: 123456789012\ndata: a\n12345678901\ndata: b\n\n", 9],
  ["an event after a larger id-only block", "id: 123456\n\ndata: 1\n\n", 10],
  ["a comment that is asked for", ": 1234567890\n", 12, { onComment() {} }],
  ["a comment that is asked for, after data", "data: 1\n: 12345\n", 9, { onComment() {} }],
  ["a comment that is asked for and never ends", ": 1234567890", 12, { onComment() {} }],
];

for (const [title, stream, size, options] of SIZES) {
  Deno.test(`maxEventSize of ${size} holds ${title}, one less does not`, () => {
    const bytes = utf8(`data:\n\n${stream}`);
    const whole = new ServerSentEventParser(options).feed(bytes);
    for (const { name, chunks } of chunkings(bytes, SEED)) {
      const events: ServerSentEvent[] = [];
      const fits = new ServerSentEventParser({ ...options, maxEventSize: Math.max(size, 5) });
      for (const chunk of chunks) fits.feed(chunk, events);
      assertSame(events, whole, name);
    }
    for (const { name, chunks } of chunkings(utf8(stream), SEED)) {
      const small = new ServerSentEventParser({ ...options, maxEventSize: size - 1 });
      const error = assertThrows(
        () => chunks.forEach((chunk) => small.feed(chunk)),
        EventTooLargeError,
        `Cannot hold event: it is larger than ${size - 1} UTF-16 code units`,
        name,
      );
      assertEquals([error.code, error.limit], ["ERR_SSE_EVENT_TOO_LARGE", size - 1]);
    }
  });
}

for (const line of ["x", "x: 12345", "hello", "z".repeat(300)]) {
  Deno.test(`maxEventSize with strict refuses what does not fit before what is wrong: ${line}`, () => {
    for (const { name, chunks } of chunkings(utf8(`${line}\n`), SEED)) {
      for (
        const [maxEventSize, fault] of [[line.length, ParseError], [
          line.length - 1,
          EventTooLargeError,
        ]] as const
      ) {
        const parser = new ServerSentEventParser({ strict: true, maxEventSize });
        assertThrows(() => chunks.forEach((chunk) => parser.feed(chunk)), fault, undefined, name);
      }
    }
  });
}

Deno.test("maxEventSize holds for strings too", () => {
  for (const chunks of [["data: 123456"], ["data: 123", "456"], ["data: 123456\n\n"]]) {
    assertEquals(parse(chunks, { maxEventSize: 12 }).incomplete, !chunks[0].endsWith("\n"));
    assertThrows(() => parse(chunks, { maxEventSize: 11 }), EventTooLargeError);
  }
});

Deno.test("maxEventSize of Infinity holds anything, of 0 nothing", () => {
  const long = "x".repeat(100_000);
  assertEquals(parse([utf8(`data:${long}\n\n`)], { maxEventSize: Infinity }).events[0].data, long);
  for (const line of ["data", "data:", "event", "id", "retry", "retry: 1"]) {
    for (const { name, chunks } of chunkings(utf8(`${line}\n\n`), SEED)) {
      assertThrows(() => parse(chunks, { maxEventSize: 0 }), EventTooLargeError, undefined, name);
    }
  }
});

Deno.test("maxEventSize is 64 Mi code units unless it is set", () => {
  const { limit } = assertThrows(() => {
    const parser = new ServerSentEventParser();
    const part = "x".repeat(1_048_576);
    parser.feed("data:");
    for (let i = 0; i < 63; i++) parser.feed(part);
    parser.feed(part.slice(5));
    assert(parser.incomplete);
    parser.feed("x");
  }, EventTooLargeError);
  assertEquals(limit, 67_108_864);
});

for (
  const line of [
    ":",
    ": comment",
    ":data: x",
    "x",
    "unknown: x",
    " data: x",
    "d",
    "da: x",
    "dat",
    "data1",
    "data1: x",
    "database: x",
    "e",
    "event1: x",
    "events",
    "i: x",
    "ids: x",
    "r",
    "retry1: x",
    "retrying",
    "é: x",
    "dé: x",
  ]
) {
  for (const long of ["", "x".repeat(600), "é".repeat(5_000)]) {
    Deno.test(`maxEventSize does not bound ${JSON.stringify(line)} and ${long.length} more`, () => {
      const stream = utf8(`${line}${long}\n\n`);
      const some = long.length < 1_000
        ? chunkings(stream, SEED)
        : [...chunkings(stream, SEED)].filter(({ name }) => !name.startsWith("split"));
      for (const { name, chunks } of some) {
        const parser = new ServerSentEventParser({ maxEventSize: 0 });
        for (const chunk of chunks) parser.feed(chunk);
        assertEquals(parser.incomplete, false, name);
      }
    });
  }
}

Deno.test("maxEventSize passes events out before the one that is too large, in every chunking", () => {
  const stream = utf8("data: a\n\nid: 1\ndata: b\n\ndata: 123\ndata: 4567890\n\ndata: c\n\n");
  for (const { name, chunks } of chunkings(stream, SEED)) {
    const parser = new ServerSentEventParser({ maxEventSize: 13 });
    const events: ServerSentEvent[] = [];
    assertThrows(
      () => chunks.forEach((chunk) => parser.feed(chunk, events)),
      EventTooLargeError,
      undefined,
      name,
    );
    assertSame(events, [message("a"), message("b", { id: "1" })], name);
    assertEquals(parser.lastEventId, "1");
  }
});

// Long lines and large chunks: the same events, wherever pieces are cut

const LONG: [string, string][] = [
  ["one line of ASCII", `data: ${"abcdefghi ".repeat(20_000)}\n\n`],
  ["an event of many lines", "data: line\ndata:\ndata\n".repeat(12_000) + "\n"],
  ["lines short and long", `data: short\ndata: ${"l".repeat(5_000)}\n`.repeat(30) + "data\n\n"],
  ["one line of 3-byte characters", `data: ${"€".repeat(20_000)}\n\n`],
  ["one line of 4-byte characters", `data: a${"😀".repeat(15_000)}\r\n\r\n`],
  ["lines of 700 bytes", `data: ${"z".repeat(694)}\n`.repeat(70) + "\n"],
  ["events with CRLF", `id: 12\r\ndata: ${"é".repeat(90)}\r\n\r\n`.repeat(300)],
  ["events with CR", `event: e\rdata: ${"x".repeat(61)}\r\r`.repeat(900)],
  ["line ends alone", "\r\n".repeat(30_000) + "data: a\n\n"],
  ["a long comment", `: ${"c".repeat(40_000)}\ndata: a\n\n`],
];

for (const [title, stream] of LONG) {
  Deno.test(`ServerSentEventParser gives the same events of large chunks: ${title}`, () => {
    const bytes = utf8(stream);
    const truth = oracle(bytes);
    for (const length of [64, 255, 256, 257, 1_400, 4_096, 16_383, 16_384, 16_385, 32_768, 1e9]) {
      const chunks = [];
      for (let i = 0; i < bytes.length; i += length) chunks.push(bytes.subarray(i, i + length));
      assertSame(parse(chunks), truth, `chunks of ${length}`);
    }
    for (let skip = 1; skip < 6; skip++) {
      assertSame(parse([bytes.subarray(0, skip), bytes.subarray(skip)]), truth, `after ${skip}`);
    }
  });
}

Deno.test("ServerSentEventParser cuts pieces of 16 KiB in no character and in no CRLF", () => {
  // The line end, and each character, once at every place around the end of the first piece.
  for (const tail of ["é", "€", "😀", "\ufeff", "\r\n", "\r", "\r\r", "\n\n", "\r\n\r\n"]) {
    for (let fill = 16_384 - 8; fill <= 16_384 + 2; fill++) {
      const head = `data: ${"x".repeat(fill - 6)}`;
      const bytes = utf8(`${head}${tail}y: 1\n\ndata: ${"z".repeat(300)}\n\n`);
      assertSame(parse([bytes]), oracle(bytes), `${JSON.stringify(tail)} at ${fill}`);
      // Bad bytes: a start whose rest never comes.
      const bad = concat(utf8(head), raw("\xf0\x9f\x98"), utf8(`${tail}\n\n`));
      assertSame(parse([bad]), oracle(bad), `bad ${JSON.stringify(tail)} at ${fill}`);
    }
  }
});

Deno.test("ServerSentEventParser keeps bytes in order where a large chunk follows a cut character", () => {
  for (const start of ["\xc3", "\xe2", "\xe2\x82", "\xf0", "\xf0\x9f\x98"]) {
    for (let fill = 250; fill <= 257; fill++) {
      for (const rest of ["\xf0\xf0", "\xe2\xf0", "\xf0\xe2\x82", "\xc3\xa9", "\xf0\x9f\x98\x80"]) {
        const first = raw(`data: ${start}`);
        const second = raw(`${"x".repeat(fill)}${rest}${"y".repeat(300)}\n\ndata: b\n\n`);
        assertSame(
          parse([first, second]),
          oracle(concat(first, second)),
          `${fill} and ${[...rest]}`,
        );
      }
    }
  }
});

Deno.test("ServerSentEventParser takes invalid bytes alone in any amount", () => {
  for (const byte of [0x80, 0xbf, 0xc3, 0xe2, 0xf0, 0xff]) {
    for (const length of [1, 2, 3, 4, 255, 256, 257, 16_384, 16_385, 40_000]) {
      const bytes = concat(utf8("data: "), new Uint8Array(length).fill(byte), utf8("\n\n"));
      const middle = 6 + (length >> 1);
      const truth = oracle(bytes);
      assertSame(parse([bytes]), truth, `${length} of ${byte}`);
      assertSame(
        parse([bytes.subarray(0, middle), bytes.subarray(middle)]),
        truth,
        `${length}, cut`,
      );
    }
  }
});

Deno.test("ServerSentEventParser knows a field by all of its letters, in bytes and in text", () => {
  for (const name of ["data:", "event:", "id:", "retry:"]) {
    for (let i = 0; i < name.length; i++) {
      for (const letter of ["x", name[i].toUpperCase(), name[(i + 1) % name.length]]) {
        const other = `${name.slice(0, i)}${letter}${name.slice(i + 1)}`;
        if (other === name) continue;
        const stream = `data: a\n\n${other} 5\ndata: b\n\n`;
        const [bytes, text] = [new ServerSentEventParser(), new ServerSentEventParser()];
        const events = [message("a"), message("b")];
        assertSame(bytes.feed(utf8(stream)), events, other);
        assertSame(text.feed(stream), events, other);
        assertEquals([bytes.lastEventId, bytes.retry], ["", undefined], other);
      }
    }
  }
});

Deno.test("ServerSentEventParser.reset ends the skipping of an ignored line", () => {
  const parser = new ServerSentEventParser();
  parser.feed(": a comment that is not over");
  parser.reset();
  assertEquals(parser.incomplete, false);
  assertEquals(parser.feed("data: b\n\n"), [message("b")]);
});

Deno.test("maxEventSize is passed as soon as the line is known to be needed", () => {
  for (const [start, size] of [["retry:", 5], ["data: ", 5], ["event:", 5]] as const) {
    assertThrows(
      () => new ServerSentEventParser({ maxEventSize: size }).feed(start),
      EventTooLargeError,
    );
  }
});

Deno.test("ServerSentEventParser takes a lone bad byte between texts for U+FFFD", () => {
  for (const byte of [0x80, 0xbf, 0xc3, 0xff]) {
    const parser = new ServerSentEventParser();
    const events = ["data: a", Uint8Array.of(byte), "b\n\n"].flatMap((chunk) => parser.feed(chunk));
    assertSame(events, [message("a\ufffdb")], `${byte}`);
  }
});

Deno.test("T9: a name that differs from that of a field in one letter is ignored", () => {
  for (const field of ["data", "event", "id", "retry"]) {
    for (let i = 0; i < field.length; i++) {
      for (const step of [-1, 1]) {
        const letter = String.fromCharCode(field.charCodeAt(i) + step);
        const name = `${field.slice(0, i)}${letter}${field.slice(i + 1)}`;
        const bytes = new TextEncoder().encode(`${name}: 7\ndata: a\n\n`);
        assertEquals(
          new ServerSentEventParser().feed(bytes),
          [{ event: "message", data: "a", id: "" }],
          name,
        );
      }
    }
  }
});
