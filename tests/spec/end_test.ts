/** T18: the end of the stream. */

import { assertEquals } from "@std/assert";
import { readEvents } from "../../parse.ts";
import { message, raw, type StreamCase, testStreams, utf8 } from "../helpers.ts";

const A = [message("a")];

const FINISHED: [string, string | Uint8Array][] = [
  ["nothing", ""],
  ["a BOM alone", "\ufeff"],
  ["a blank line after a BOM", "\ufeff\n"],
  ["an event", "data: a\n\n"],
  ["an event, CR", "data: a\r\r"],
  ["an event, CRLF cut", "data: a\r\n\r"],
  ["a comment after an event", "data: a\n\n: bye\n"],
  ["an ignored line after an event", "data: a\n\nunknown: x\n"],
  ["an ignored retry after an event", "data: a\n\nretry: x\n"],
];

const CUT: [string, string | Uint8Array][] = [
  ["a data line without its line end", "data: a\n\ndata: b"],
  ["a data line without the blank line", "data: a\n\ndata: b\n"],
  ["a data line without the blank line, CR", "data: a\n\ndata: b\r"],
  ["a data line without the blank line, CRLF", "data: a\n\ndata: b\r\n"],
  ["a comment line", "data: a\n\n: b"],
  ["an unknown line", "data: a\n\nunknown"],
  ["one letter", "data: a\n\nx"],
  ["one colon", "data: a\n\n:"],
  ["a type", "data: a\n\nevent: e\n"],
  ["an id", "data: a\n\nid: 1\n"],
  ["a retry", "data: a\n\nretry: 1\n"],
  ["a character in a data line", raw("data: a\n\ndata: \xe2\x82")],
  ["a character at the start of a line", raw("data: a\n\n\xf0\x9f")],
];

testStreams([
  ...FINISHED.map(([what, stream]): StreamCase => [
    `T18: a stream that ends with ${what} is complete`,
    stream,
    { incomplete: false },
  ]),
  ...CUT.map(([what, stream]): StreamCase => [
    `T18: a stream that ends within ${what} drops the block and is incomplete`,
    stream,
    { events: A, lastEventId: "", incomplete: true },
  ]),
]);

Deno.test("T18: a reader learns at the end whether the stream was cut", async () => {
  for (const [streams, incomplete] of [[FINISHED, false], [CUT, true]] as const) {
    for (const [what, stream] of streams) {
      const reader = readEvents(typeof stream === "string" ? utf8(stream) : stream);
      for await (const event of reader) assertEquals(event, A[0]);
      assertEquals(reader.incomplete, incomplete, what);
    }
  }
});
