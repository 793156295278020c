/**
 * Events to bytes: what is sent, and what is refused.
 *
 * @module
 */

import type { ErrorShape, Harness, Library, Suite } from "../harness.ts";

const suite: Suite = { name: "encode", needs: [], register };
export default suite;

type Init = Parameters<Library["stringifyEvent"]>[0];

const WRITTEN: [string, Init, string][] = [
  ["data", { data: "a" }, "data: a\n\n"],
  [
    "one data line for each line (W2)",
    { data: "a\r\nb\rc\n" },
    "data: a\ndata: b\ndata: c\ndata: \n\n",
  ],
  ["empty data", { data: "" }, "data: \n\n"],
  ["a space that data begins with (W5)", { data: " a" }, "data:  a\n\n"],
  [
    "all fields",
    { comment: "c", event: "e", id: "1", retry: 5, data: "d" },
    ": c\nevent: e\nid: 1\nretry: 5\ndata: d\n\n",
  ],
  ["no type that is the default", { event: "message", data: "a" }, "data: a\n\n"],
  ["an empty id, which resets it", { id: "", data: "a" }, "id: \ndata: a\n\n"],
];

const REFUSED: [string, Init, ErrorShape][] = [
  ["LF in event (W1)", { event: "a\ndata: forged" }, { name: "TypeError", message: /"event"/ }],
  ["CR in event (W1)", { event: "a\rb" }, { name: "TypeError", message: /"event"/ }],
  ["LF in id (W1)", { id: "7\n8" }, { name: "TypeError", message: /"id".*"7\\n8"/ }],
  ["CR in id (W1)", { id: "7\r" }, { name: "TypeError", message: /"id"/ }],
  ["NUL in id (W1)", { id: "7\0" }, { name: "TypeError", message: /NUL/ }],
  ["a negative retry (W4)", { retry: -1 }, { name: "RangeError", message: /"retry"/ }],
  ["a retry that is no integer (W4)", { retry: 1.5 }, { name: "RangeError", message: /"retry"/ }],
  ["a retry that is not finite (W4)", { retry: Infinity }, { name: "RangeError" }],
];

function register(library: Library, { test, assert }: Harness): void {
  const { encodeComment, encodeEvent, readEvents, ServerSentEventEncoderStream, stringifyEvent } =
    library;
  const text = (bytes: Uint8Array) => new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);

  for (const [title, event, expected] of WRITTEN) {
    test(`encodeEvent writes ${title}`, () => {
      assert.equal(stringifyEvent(event), expected);
      assert.equal(text(encodeEvent(event)), expected);
    });
  }

  for (const [title, event, shape] of REFUSED) {
    test(`encodeEvent refuses ${title}`, () => {
      assert.throws(() => encodeEvent(event), shape);
      assert.throws(() => stringifyEvent(event), shape);
    });
  }

  test("encodeComment writes each line as a comment (W3)", () => {
    assert.equal(text(encodeComment("a\r\nb")), ": a\n: b\n\n");
  });

  test("encodeEvent gives bytes that stay as they are when more are encoded", () => {
    const events = Array.from({ length: 500 }, (_, i) => ({ data: `é${i}` }));
    const encoded = events.map(encodeEvent);
    assert.deepEqual(encoded.map(text), events.map(stringifyEvent));
  });

  test("encodeEvent writes a lone surrogate as U+FFFD", () => {
    assert.equal(text(encodeEvent({ data: "a\uD800b" })), "data: a\uFFFDb\n\n");
  });

  test("encodeEvent writes what the parser reads back", async () => {
    const events = [
      { event: "message", data: "\uFEFF \0\u2028😀\n", id: "" },
      { event: " é:x", data: "", id: "ж 1", retry: 0 },
      { event: "message", data: "data: forged\n\nid: 9", id: "ж 1" },
      { event: "end", data: "x".repeat(70_000), id: "" },
    ];
    const read = readEvents(events.map(stringifyEvent).join(""));
    for (const event of events) assert.deepEqual((await read.next()).value, event);
  });

  test("ServerSentEventEncoderStream gives one chunk for an event and for an array", async () => {
    const encoder = new ServerSentEventEncoderStream();
    const writer = encoder.writable.getWriter();
    const reader = encoder.readable.getReader();
    writer.write({ data: "a" }).catch(() => {});
    assert.equal(text((await reader.read()).value ?? new Uint8Array()), "data: a\n\n");
    writer.write([{ data: "b" }, { data: "é" }]).catch(() => {});
    assert.equal(text((await reader.read()).value ?? new Uint8Array()), "data: b\n\ndata: é\n\n");
    await writer.close();
    assert.ok((await reader.read()).done);
  });

  test("ServerSentEventEncoderStream makes a body that a Response takes", async () => {
    const encoder = new ServerSentEventEncoderStream();
    const response = new Response(encoder.readable);
    const writer = encoder.writable.getWriter();
    const written = writer.write([{ data: "a" }, { data: "b" }]).then(() => writer.close());
    assert.equal(await response.text(), "data: a\n\ndata: b\n\n");
    await written;
  });

  test("ServerSentEventEncoderStream errors at what cannot be encoded", async () => {
    const encoder = new ServerSentEventEncoderStream();
    const writer = encoder.writable.getWriter();
    writer.closed.catch(() => {});
    const read = encoder.readable.getReader().read();
    const written = writer.write({ id: "1\n2" });
    await assert.rejects(read, { name: "TypeError", message: /"id"/ });
    await assert.rejects(written, { name: "TypeError", message: /"id"/ });
  });
}
