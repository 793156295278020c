/** The TransformStreams: that they compose, fail late and hold back. */

import { assert, assertEquals, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { type EventTooLargeError, ParseError } from "../../errors.ts";
import {
  EventAssemblerStream,
  LineDecoderStream,
  type ParserOptions,
  ServerSentEventDecoderStream,
} from "../../parse.ts";
import { chunkings, cutEvery } from "../chunkings.ts";
import { eventStream } from "../generators.ts";
import {
  assertSame,
  concat,
  countedStream,
  message,
  property,
  raw,
  SEED,
  settle,
  utf8,
} from "../helpers.ts";
import { oracle } from "../oracle.ts";

/** All that comes out, and how it ends. */
async function collect<T>(stream: ReadableStream<T>): Promise<{ items: T[]; error?: unknown }> {
  const items: T[] = [];
  try {
    for await (const item of stream) items.push(item);
  } catch (error) {
    return { items, error };
  }
  return { items };
}

function decode(chunks: Uint8Array[], options?: ParserOptions) {
  return collect(
    ReadableStream.from(chunks).pipeThrough(new ServerSentEventDecoderStream(options)),
  );
}

function compose(chunks: Uint8Array[], options?: ParserOptions) {
  return collect(
    ReadableStream.from(chunks)
      .pipeThrough(new LineDecoderStream(options))
      .pipeThrough(new EventAssemblerStream(options)),
  );
}

function linesOf(chunks: Uint8Array[], options?: ParserOptions) {
  return collect(ReadableStream.from(chunks).pipeThrough(new LineDecoderStream(options)));
}

/** What a rejected or errored thing gave, as its class. */
function kind(error: unknown): string {
  return error instanceof Error ? error.name : `${error}`;
}

// Composition

for (const name of ["mixed.sse", "tokens.sse"]) {
  Deno.test(`LineDecoderStream and EventAssemblerStream equal ServerSentEventDecoderStream: ${name}`, async () => {
    const bytes = await Deno.readFile(new URL(`../fixtures/${name}`, import.meta.url));
    const { events } = oracle(bytes);
    assert(events.length > 4);
    for (const length of [1, 7, 64, 1_400, bytes.length]) {
      const chunks = cutEvery(bytes, length);
      assertSame(await decode(chunks), { items: events }, `decoder, ${length}`);
      assertSame(await compose(chunks), { items: events }, `composition, ${length}`);
    }
  });
}

Deno.test("LineDecoderStream and EventAssemblerStream equal ServerSentEventDecoderStream for any stream", async () => {
  await fc.assert(
    fc.asyncProperty(eventStream, fc.integer(), async (bytes, seed) => {
      const { events } = oracle(bytes);
      const some = [...chunkings(bytes, seed)];
      const { name, chunks } = some[Math.abs(seed) % some.length];
      assertSame(await decode(chunks), { items: events }, `decoder, ${name}`);
      assertSame(await compose(chunks), { items: events }, `composition, ${name}`);
    }),
    property(0.5),
  );
});

Deno.test("EventAssemblerStream and ServerSentEventDecoderStream take the options of the parser", async () => {
  for (const run of [decode, compose]) {
    const calls: unknown[] = [];
    const { items } = await run([
      utf8(":c\nid: 8\nretry: 1\n\ndata: a\n\n"),
      utf8("id\ndata: b\n\n"),
    ], {
      lastEventId: "7",
      onComment: (comment) => calls.push(comment),
      onId: (id) => calls.push(id),
      onRetry: (ms) => calls.push(ms),
    });
    assertEquals(items, [message("a", { id: "8" }), message("b")]);
    assertEquals(calls, ["c", 1, "8", ""]);
    assertEquals((await run([utf8("data: a\n\n")], { lastEventId: "7" })).items[0].id, "7");
    assertEquals(kind((await run([utf8("dat\n")], { strict: true })).error), "ParseError");
    const large = await run([utf8("data: a\ndata: b\n")], { maxEventSize: 8 });
    assertEquals(kind(large.error), "EventTooLargeError");
  }
});

Deno.test("The streams refuse what the parser refuses", () => {
  for (const maxEventSize of [-1, NaN]) {
    assertThrows(() => new LineDecoderStream({ maxEventSize }), RangeError);
    assertThrows(() => new EventAssemblerStream({ maxEventSize }), RangeError);
    assertThrows(() => new ServerSentEventDecoderStream({ maxEventSize }), RangeError);
  }
  assertThrows(() => new EventAssemblerStream({ lastEventId: "\0" }), TypeError);
  assertThrows(() => new ServerSentEventDecoderStream({ lastEventId: "\0" }), TypeError);
});

// LineDecoderStream

const LINES: [string, string | Uint8Array, string[]][] = [
  ["every line end", "a\nb\rc\r\nd\n\re\r\r\n\n", ["a", "b", "c", "d", "", "e", "", ""]],
  ["a BOM and a second", "\ufeff\ufeffa\n\ufeffb\n", ["\ufeffa", "\ufeffb"]],
  ["a BOM alone on a line", "\ufeff\r\na\n", ["", "a"]],
  ["comments and unknown fields", ": a\nx: y\n:\n", [": a", "x: y", ":"]],
  ["characters of every length, and a bad one", raw("\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\xff\n"), [
    "é€😀\ufffd",
  ]],
  ["a last line that does not end", "a\nb", ["a"]],
  ["an LF first", "\na\n", ["", "a"]],
  ["lines of one letter after blank ones", "\rx\n\r\ny\n\nz\r", ["", "x", "", "y", "", "z"]],
  ["nothing", "", []],
];

for (const [title, stream, lines] of LINES) {
  Deno.test(`LineDecoderStream gives the lines of ${title}, in every chunking`, async () => {
    const bytes = typeof stream === "string" ? utf8(stream) : stream;
    for (const { name, chunks } of chunkings(bytes, SEED)) {
      assertSame(await linesOf(chunks), { items: lines }, name);
    }
  });
}

Deno.test("LineDecoderStream cuts large chunks nowhere that shows", async () => {
  for (const piece of ["x", "é", "€", "😀", "\r\n", "€\r\n", `${"y".repeat(600)}\r`]) {
    const text = `ab${piece.repeat(Math.ceil(40_000 / piece.length))}\n`;
    const lines = text.split(/\r\n|\r|\n/).slice(0, -1);
    assertSame(await linesOf([utf8(text)]), { items: lines }, JSON.stringify(piece.slice(0, 9)));
  }
});

Deno.test("LineDecoderStream bounds each line, in every chunking", async () => {
  const bytes = utf8("12345\n\n1é😀\r\n: 345\n");
  for (const { name, chunks } of chunkings(bytes, SEED)) {
    assertSame(await linesOf(chunks, { maxEventSize: 5 }), {
      items: ["12345", "", "1é😀", ": 345"],
    }, name);
    const { items, error } = await linesOf(chunks, { maxEventSize: 4 });
    assertEquals([items, kind(error)], [[], "EventTooLargeError"], name);
    assertEquals((error as EventTooLargeError).limit, 4);
  }
  const unfinished = await linesOf([utf8("a\n12"), utf8("345")], { maxEventSize: 4 });
  assertEquals([unfinished.items, kind(unfinished.error)], [["a"], "EventTooLargeError"]);
});

// EventAssemblerStream

for (const line of ["a\n", "\r", "data: a\rdata: b", "data: a\r\n", "\n"]) {
  Deno.test(`EventAssemblerStream refuses the line ${JSON.stringify(line)}`, async () => {
    const { items, error } = await collect(
      ReadableStream.from(["data: a", "", line]).pipeThrough(new EventAssemblerStream()),
    );
    assertEquals(items, [message("a")]);
    assertEquals(
      `${error}`,
      'TypeError: Cannot assemble event: a line must be a string without a line break, pipe bytes through "LineDecoderStream" first',
    );
  });
}

Deno.test("EventAssemblerStream refuses bytes", async () => {
  // deno-lint-ignore no-explicit-any
  const bytes: ReadableStream<any> = ReadableStream.from([utf8("data: a")]);
  const { error } = await collect(bytes.pipeThrough(new EventAssemblerStream()));
  assertEquals(`${error}`.slice(0, 51), "TypeError: Cannot assemble event: a line must be a ");
});

Deno.test("EventAssemblerStream takes a U+FEFF as text, for LineDecoderStream has removed the BOM", async () => {
  const lines = ReadableStream.from(["\ufeffdata: a", "data: \ufeffb", ""]);
  const { items } = await collect(lines.pipeThrough(new EventAssemblerStream()));
  assertEquals(items, [message("\ufeffb")]);
});

Deno.test("EventAssemblerStream drops an unfinished event at the end", async () => {
  const lines = ReadableStream.from(["data: a", "", "data: b", "id: 1"]);
  const { items } = await collect(lines.pipeThrough(new EventAssemblerStream()));
  assertEquals(items, [message("a")]);
});

// Faults

Deno.test("The streams deliver what was complete before a fault, then error", async () => {
  const faulty = utf8("data: a\n\nid: 1\ndata: b\n\nx\ndata: c\n\n");
  for (const { name, chunks } of chunkings(faulty, SEED)) {
    for (const run of [decode, compose]) {
      const { items, error } = await run(chunks, { strict: true });
      assertSame(items, [message("a"), message("b", { id: "1" })], name);
      assert(error instanceof ParseError, name);
    }
  }
  const lines = await linesOf([utf8("a\nb\nccc\nd\n"), utf8("e\n")], { maxEventSize: 2 });
  assertEquals([lines.items, kind(lines.error)], [["a", "b"], "EventTooLargeError"]);
});

Deno.test("ServerSentEventDecoderStream errors with what a callback throws, also undefined", async () => {
  for (const thrown of [new Error("mine"), undefined]) {
    const stream = ReadableStream.from([utf8("data: a\n\n:\n"), utf8("data: b\n\n")])
      .pipeThrough(
        new ServerSentEventDecoderStream({
          onComment: () => {
            throw thrown;
          },
        }),
      );
    const reader = stream.getReader();
    assertEquals(await reader.read(), { done: false, value: message("a") });
    const outcome = await reader.read().then(() => "read", (error) => ({ error }));
    assertEquals(outcome, { error: thrown });
  }
});

Deno.test("ServerSentEventDecoderStream errors when the source ends, if a fault waits until then", async () => {
  const { items, error } = await decode([utf8("data: a\n\ndata: b\n\nx\n")], { strict: true });
  assertEquals([items.length, kind(error)], [2, "ParseError"]);
});

Deno.test("ServerSentEventDecoderStream errors at once if no event is to be delivered", async () => {
  const stream = new ServerSentEventDecoderStream({ strict: true });
  const writer = stream.writable.getWriter();
  const read = assertRejects(() => stream.readable.getReader().read(), ParseError);
  await assertRejects(() => writer.write(utf8("x\n")), ParseError);
  await read;
  await assertRejects(() => writer.closed, ParseError);
});

Deno.test("ServerSentEventDecoderStream errors on a chunk that is neither bytes nor text", async () => {
  // deno-lint-ignore no-explicit-any
  const chunks: any[] = [utf8("data: a\n\n"), 1];
  const { items, error } = await decode(chunks);
  assertEquals([items.length, kind(error)], [1, "TypeError"]);
});

Deno.test("ServerSentEventDecoderStream passes an error and a cancel of its neighbours on", async () => {
  const broken = new Error("connection reset");
  const source = new ReadableStream<Uint8Array>({
    pull: (controller) => controller.error(broken),
  }, { highWaterMark: 0 });
  const { error } = await collect(source.pipeThrough(new ServerSentEventDecoderStream()));
  assertStrictEquals(error, broken);

  const { stream, log } = countedStream([utf8("data: a\n\n")], "stay open");
  const reader = stream.pipeThrough(new ServerSentEventDecoderStream()).getReader();
  await reader.read();
  await reader.cancel("enough");
  assertEquals(log.cancelled, ["enough"]);
});

// The end

Deno.test("ServerSentEventDecoderStream.incomplete tells a cut stream from a finished one", async () => {
  for (
    const [stream, incomplete] of [
      ["data: a\n\n", false],
      ["data: a\n\ndata: b", true],
      ["data: a\n\ndata: b\n", true],
      [": a", true],
    ] as const
  ) {
    const decoder = new ServerSentEventDecoderStream();
    assertEquals(decoder.incomplete, false);
    await collect(ReadableStream.from([utf8(stream)]).pipeThrough(decoder));
    assertEquals(decoder.incomplete, incomplete, stream);
  }
});

// Back-pressure

Deno.test("The streams pull no more of their source while their consumer reads nothing", async () => {
  const event = utf8("data: a\n\n");
  for (
    const [name, through] of [
      [
        "decoder",
        (s: ReadableStream<Uint8Array>) => s.pipeThrough(new ServerSentEventDecoderStream()),
      ],
      [
        "composition",
        (s: ReadableStream<Uint8Array>) =>
          s.pipeThrough(new LineDecoderStream()).pipeThrough(new EventAssemblerStream()),
      ],
      ["lines", (s: ReadableStream<Uint8Array>) => s.pipeThrough(new LineDecoderStream())],
    ] as const
  ) {
    const { stream, log } = countedStream(Array.from({ length: 1_000 }, () => event));
    const reader = through(stream).getReader();
    for (let i = 0; i < 10; i++) await reader.read();
    await settle();
    const pulls = log.pulls;
    assert(pulls <= 10 + 4, `${name} pulled ${pulls} chunks for 10 reads`);
    await settle();
    assertEquals(log.pulls, pulls, `${name} pulls on`);
    await reader.cancel();
    await settle();
    assertEquals(log.cancelled.length, 1);
  }
});

Deno.test("ServerSentEventDecoderStream gives an event before the next chunk is there", async () => {
  const { stream } = countedStream([concat(utf8("data: a\r\r"))], "stay open");
  const reader = stream.pipeThrough(new ServerSentEventDecoderStream()).getReader();
  assertEquals(await reader.read(), { done: false, value: message("a") });
  await reader.cancel();
});
