/**
 * Bytes to events: the traps of the standard, where engines may differ.
 *
 * @module
 */

import type { ServerSentEvent } from "@webstreams/sse";
import type { Harness, Library, Suite } from "../harness.ts";

const suite: Suite = { name: "parse", needs: [], register };
export default suite;

const utf8 = (text: string) => new TextEncoder().encode(text);

/** A stream of chunks that notes its cancel. */
function source<T>(chunks: Iterable<T>, cancelled: unknown[] = []): ReadableStream<T> {
  const iterator = chunks[Symbol.iterator]();
  return new ReadableStream<T>({
    pull(controller) {
      const { done, value } = iterator.next();
      if (done) controller.close();
      else controller.enqueue(value);
    },
    cancel: (reason) => void cancelled.push(reason),
  }, { highWaterMark: 0 });
}

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
}

/** A message with data, and the last event ID if there is one. */
const message = (data: string, id = ""): ServerSentEvent => ({ event: "message", data, id });

/** Streams, and the events of each, in every chunking the same. */
const STREAMS: [string, string | Uint8Array, ServerSentEvent[]][] = [
  ["dispatches data at a blank line", "data: a\n\n", [message("a")]],
  ["joins data lines with LF (T10)", "data: a\ndata\ndata:b\n\n", [message("a\n\nb")]],
  ["removes one BOM, at the start (T2)", "\uFEFFdata: a\n\n", [message("a")]],
  ["removes no second BOM (T2)", "\uFEFF\uFEFFdata: a\n\ndata: b\n\n", [message("b")]],
  ["keeps U+FEFF inside of data (T3)", "data: \uFEFFa\uFEFF\n\n", [message("\uFEFFa\uFEFF")]],
  [
    "ends lines at CR, LF and CRLF (T4)",
    "data: a\rdata: b\ndata: c\r\n\r\n",
    [message("a\nb\nc")],
  ],
  [
    "takes CRLF for one line end (T5)",
    "data: a\r\n\r\ndata: b\r\n\r\n",
    [message("a"), message("b")],
  ],
  [
    "ends no line at U+2028, U+0085 and VT (T4)",
    "data: \u2028\u0085\v\n\n",
    [message("\u2028\u0085\v")],
  ],
  ["removes one space after the colon (T7)", "data:  a\n\n", [message(" a")]],
  [
    "ignores comments and unknown fields (T9)",
    ": hi\nDATA: x\n data: y\ndata: a\n\n",
    [message("a")],
  ],
  ["drops a block without data, and its type (T11)", "event: x\n\ndata: a\n\n", [message("a")]],
  [
    "gives the type of the last event line (T12)",
    "event: x\nevent: y\ndata: a\n\n",
    [{ event: "y", data: "a", id: "" }],
  ],
  [
    "ignores an id with NUL (T13)",
    "id: 1\ndata: a\n\nid: 2\0\ndata: b\n\n",
    [message("a", "1"), message("b", "1")],
  ],
  [
    "lets an id stick until it is reset (T15)",
    "id: 1\ndata: a\n\ndata: b\n\nid\ndata: c\n\n",
    [message("a", "1"), message("b", "1"), message("c")],
  ],
  ["commits the id of a block without data (T14)", "id: é1\n\ndata: a\n\n", [message("a", "é1")]],
  ["drops an unfinished block (T18)", "data: a\n\ndata: b\n", [message("a")]],
  ["keeps NUL in data", "data: a\0b\n\n", [message("a\0b")]],
  [
    "decodes characters outside of the BMP",
    "data: 😀é\u{10FFFF}\n\n",
    [message("😀é\u{10FFFF}")],
  ],
  [
    "decodes bad UTF-8 as U+FFFD, one for each part (T1)",
    Uint8Array.of(...utf8("data: "), 0xf0, 0x9f, 0x41, 0xff, 0xed, 0xa0, 0x80, 0x0a, 0x0a),
    [message("\uFFFDA\uFFFD\uFFFD\uFFFD\uFFFD")],
  ],
];

function register(library: Library, { test, assert }: Harness): void {
  const { ServerSentEventParser, ServerSentEventDecoderStream, readEvents } = library;

  for (const [title, stream, expected] of STREAMS) {
    test(`ServerSentEventParser ${title}`, () => {
      const bytes = typeof stream === "string" ? utf8(stream) : stream;
      // Cut at each place, and byte by byte.
      for (let at = 0; at <= bytes.length; at++) {
        const parser = new ServerSentEventParser();
        const events = [...parser.feed(bytes.slice(0, at)), ...parser.feed(bytes.slice(at))];
        assert.deepEqual(events, expected, `cut at byte ${at}`);
      }
      const parser = new ServerSentEventParser();
      const events = [...bytes].flatMap((byte) => parser.feed(Uint8Array.of(byte)));
      assert.deepEqual(events, expected, "byte by byte");
    });
  }

  test("ServerSentEventParser gives an event at the CR that ends it, and swallows the LF (T6)", () => {
    const parser = new ServerSentEventParser();
    assert.equal(parser.feed(utf8("data: a\r\n\r")).length, 1);
    assert.equal(parser.feed(utf8("\n")).length, 0);
    assert.equal(parser.feed(utf8("data: b\n\n")).length, 1);
  });

  test("ServerSentEventParser takes text with surrogates cut in two", () => {
    const parser = new ServerSentEventParser();
    const [high, low] = "😀".split("");
    parser.feed(`data: ${high}`);
    assert.deepEqual(parser.feed(`${low}\n\n`).map(({ data }) => data), ["😀"]);
  });

  test("ServerSentEventParser counts a retry of digits alone, at once (T17)", () => {
    const heard: number[] = [];
    const parser = new ServerSentEventParser({ onRetry: (ms) => heard.push(ms) });
    parser.feed("retry: 1500\nretry: 1e3\nretry: -1\nretry: ٣\nretry\n");
    assert.deepEqual([heard, parser.retry], [[1500], 1500]);
    assert.deepEqual(parser.feed("data: a\n\n")[0], {
      event: "message",
      data: "a",
      id: "",
      retry: 1500,
    });
  });

  test("ServerSentEventParser tells of comments and ids", () => {
    const heard: string[] = [];
    const parser = new ServerSentEventParser({
      onComment: (text) => heard.push(`comment ${text}`),
      onId: (id) => heard.push(`id ${id}`),
    });
    parser.feed(": ping\n:\nid: 7\n\n");
    assert.deepEqual(heard, ["comment ping", "comment ", "id 7"]);
  });

  test("ServerSentEventParser tells whether something is unfinished, and drops it at reset", () => {
    const parser = new ServerSentEventParser();
    parser.feed("id: 1\ndata: a\n\nid: 2\ndata: b");
    assert.ok(parser.incomplete);
    parser.reset();
    assert.ok(!parser.incomplete);
    assert.deepEqual(parser.feed("data: c\n\n"), [{ event: "message", data: "c", id: "1" }]);
  });

  test("ServerSentEventParser throws at an event over maxEventSize", () => {
    const parser = new ServerSentEventParser({ maxEventSize: 100 });
    const shape = { name: "EventTooLargeError", code: "ERR_SSE_EVENT_TOO_LARGE" };
    assert.throws(() => parser.feed(`data: ${"x".repeat(101)}`), shape);
  });

  test("ServerSentEventParser throws at an unknown field where it is strict", () => {
    const parser = new ServerSentEventParser({ strict: true });
    assert.throws(() => parser.feed("dat: 1\n\n"), { name: "ParseError", code: "ERR_SSE_PARSE" });
  });

  test("ServerSentEventParser reads a megabyte in one event", () => {
    const data = "é".repeat(524_288);
    const parser = new ServerSentEventParser();
    const bytes = utf8(`data: ${data}\n\n`);
    const events = [
      ...parser.feed(bytes.subarray(0, 77_777)),
      ...parser.feed(bytes.subarray(77_777)),
    ];
    assert.ok(events.length === 1 && events[0].data === data);
  });

  test("ServerSentEventDecoderStream reads a body through pipeThrough", async () => {
    const { body } = new Response("\uFEFFid: 1\r\ndata: a\r\n\r\ndata: b\n\n");
    const reader = (body ?? source([])).pipeThrough(new ServerSentEventDecoderStream()).getReader();
    assert.deepEqual((await reader.read()).value, { event: "message", data: "a", id: "1" });
    assert.deepEqual((await reader.read()).value, { event: "message", data: "b", id: "1" });
    assert.ok((await reader.read()).done);
  });

  test("LineDecoderStream and EventAssemblerStream are ServerSentEventDecoderStream in two", async () => {
    const reader = source([utf8("data: 1\r"), utf8("\ndata: 2\n"), utf8("\n")])
      .pipeThrough(new library.LineDecoderStream())
      .pipeThrough(new library.EventAssemblerStream()).getReader();
    assert.deepEqual((await reader.read()).value, { event: "message", data: "1\n2", id: "" });
    assert.ok((await reader.read()).done);
  });

  test("readEvents reads a Response, a stream, text, bytes and an async iterable", async () => {
    const headers = { "content-type": "text/event-stream; charset=utf-8" };
    const text = "data: a\n\ndata: b\n\n";
    async function* parts() {
      yield "data: a\n";
      await Promise.resolve();
      yield utf8("\ndata: b\n\n");
    }
    const sources = [
      new Response(text, { headers }),
      source([utf8(text)]),
      text,
      utf8(text),
      parts(),
    ];
    for (const from of sources) {
      assert.deepEqual((await all(readEvents(from))).map(({ data }) => data), ["a", "b"]);
    }
  });

  test("readEvents refuses a Response that is no event stream (T19)", async () => {
    const html = new Response("<p>", { headers: { "content-type": "text/html" } });
    const shape = { name: "ResponseError", code: "ERR_SSE_CONTENT_TYPE" };
    await assert.rejects(() => readEvents(html).next(), shape);
    const refused = new Response("no", { status: 500 });
    await assert.rejects(() => readEvents(refused).next(), {
      name: "ResponseError",
      code: "ERR_SSE_STATUS",
    });
  });

  test("readEvents cancels its source when the loop is left", async () => {
    const cancelled: unknown[] = [];
    const stream = source([utf8("data: a\n\n"), utf8("data: b\n\n")], cancelled);
    for await (const { data } of readEvents(stream)) {
      assert.equal(data, "a");
      break;
    }
    assert.equal(cancelled.length, 1);
  });

  test("readEvents reads nothing before it is asked, nor more than it is asked for", async () => {
    let pulls = 0;
    function* endless() {
      for (;;) {
        pulls++;
        yield utf8("data: a\n\n");
      }
    }
    const reader = readEvents(source(endless()));
    assert.equal(pulls, 0);
    await reader.next();
    await reader.next();
    // Engines may read one chunk ahead.
    assert.ok(pulls <= 3, `${pulls} chunks were read for 2 events`);
    await reader.return();
  });

  test("readEvents rejects with the reason of its signal (T24)", async () => {
    const stop = new AbortController();
    const reader = readEvents(new ReadableStream<Uint8Array>(), { signal: stop.signal });
    const next = reader.next();
    stop.abort(new RangeError("enough"));
    await assert.rejects(next, { name: "RangeError", message: /^enough$/ });
  });

  test("readEvents gives the events of a chunk as a batch", async () => {
    const batches = readEvents(source([utf8("data: 1\n\ndata: 2\n\n"), utf8("data: 3\n\n")]))
      .batches();
    const sizes = (await all(batches)).map(({ length }) => length);
    assert.deepEqual(sizes, [2, 1]);
  });

  test("readEvents parses JSON, and says which event has none", async () => {
    const values = readEvents('data: {"a": 1}\n\nid: 7\ndata: {1}\n\n').json();
    const { value } = await values.next();
    assert.deepEqual(value?.data, { a: 1 });
    await assert.rejects(() => values.next(), {
      name: "InvalidDataError",
      code: "ERR_SSE_INVALID_DATA",
      message: /id "7"/,
    });
  });
}
