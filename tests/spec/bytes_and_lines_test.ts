/** T1 to T6: bytes to text, text to lines. */

import { assertEquals } from "@std/assert";
import { ServerSentEventParser } from "../../parse.ts";
import { concat, message, parse, raw, testStreams, utf8 } from "../helpers.ts";

const BOM = raw("\xef\xbb\xbf");

testStreams([
  [
    "T1: text is UTF-8 from one byte to four bytes a character",
    "data: $ £ € 😀\n\n",
    { events: [message("$ £ € 😀")] },
  ],
  [
    "T1: the last and the first code points of each length survive",
    "data: \u007f\u0080\u07ff\u0800\uffff\u{10000}\u{10ffff}\n\n",
    { events: [message("\u007f\u0080\u07ff\u0800\uffff\u{10000}\u{10ffff}")] },
  ],
  [
    "T1: a byte that never is UTF-8 becomes U+FFFD",
    raw("data: a\xffb\xc0c\n\n"),
    { events: [message("a\ufffdb\ufffdc")] },
  ],
  [
    "T1: a character that a line end cuts becomes U+FFFD and the line end stays",
    raw("data: \xe2\x82\ndata: \xf0\x9f\x98\r\ndata: \xc3\r\r"),
    { events: [message("\ufffd\n\ufffd\n\ufffd")] },
  ],
  [
    "T1: a continuation byte without a start becomes U+FFFD",
    raw("data: \x80\xbf\x80\x80\x80\n\n"),
    { events: [message("\ufffd\ufffd\ufffd\ufffd\ufffd")] },
  ],
  [
    "T1: overlong forms, surrogates and what is past U+10FFFF become U+FFFD, byte by byte",
    raw("data: \xe0\x80\x80|\xed\xa0\x80|\xf4\x90\x80\x80|\xf8\x88\x80\x80\x80\n\n"),
    {
      events: [
        message(
          "\ufffd\ufffd\ufffd|\ufffd\ufffd\ufffd|\ufffd\ufffd\ufffd\ufffd|\ufffd\ufffd\ufffd\ufffd\ufffd",
        ),
      ],
    },
  ],
  [
    "T1: a bad byte inside a field name makes the field unknown",
    raw("da\xffta: x\nda\xc3ta: x\ndata: y\n\n"),
    { events: [message("y")] },
  ],
  [
    "T1: bytes that end in C1, as CR and LF do in Latin-1 tables, are no line ends",
    raw("data: \xc2\x85\xc2\x8a\xc2\x8d\n\n"),
    { events: [message("\u0085\u008a\u008d")] },
  ],
  ["T2: one BOM at the start is removed", concat(BOM, utf8("data: a\n\n")), {
    events: [message("a")],
  }],
  [
    "T2: of two BOMs at the start the second stays, in the field name",
    concat(BOM, BOM, utf8("data: a\n\ndata: b\n\n")),
    { events: [message("b")] },
  ],
  [
    "T2: a BOM before a later line stays",
    "data: a\n\n\ufeffdata: b\n\ndata: c\n\n",
    { events: [message("a"), message("c")] },
  ],
  [
    "T2: a BOM after a blank first line stays",
    "\n\ufeffdata: a\n\ndata: b\n\n",
    { events: [message("b")] },
  ],
  ["T2: a BOM before a comment is removed", "\ufeff: hi\ndata: a\n\n", {
    events: [message("a")],
    comments: ["hi"],
  }],
  ["T2: a BOM before a blank line is removed", "\ufeff\n\r\ndata: a\n\n", {
    events: [message("a")],
  }],
  [
    "T2: two thirds of a BOM are a bad sequence and belong to the name",
    raw("\xef\xbbdata: a\n\ndata: b\n\n"),
    { events: [message("b")] },
  ],
  ["T2: a stream of UTF-16 gives nothing", raw("\xff\xfed\0a\0t\0a\0:\0a\0\n\0\n\0"), {
    events: [],
  }],
  [
    "T3: a U+FEFF that opens the first chunk with other than ASCII stays",
    "data: ascii\n\ndata: \ufeffx\ufeff\n\n",
    { events: [message("ascii"), message("\ufeffx\ufeff")] },
  ],
  ["T3: a value of one U+FEFF stays", "data:\ufeff\nid:\ufeff\nevent:\ufeff\n\n", {
    events: [{ event: "\ufeff", data: "\ufeff", id: "\ufeff" }],
  }],
  ["T4: LF ends a line", "data: a\ndata: b\n\n", { events: [message("a\nb")] }],
  ["T4: CR ends a line", "data: a\rdata: b\r\r", { events: [message("a\nb")] }],
  ["T4: CRLF ends a line", "data: a\r\ndata: b\r\n\r\n", { events: [message("a\nb")] }],
  [
    "T4: line ends are freely mixed",
    "data: a\ndata: b\rdata: c\r\ndata: d\r\n\ndata: e\n\rdata: f\r\r\ndata: g\n\r\ndata: h\r\n\r",
    { events: ["a\nb\nc\nd", "e", "f", "g", "h"].map((data) => message(data)) },
  ],
  [
    "T4: the other line breaks of Unicode are text",
    "data: \u2028\u2029\u0085\v\f\x1c\x1d\x1e.\n\n",
    { events: [message("\u2028\u2029\u0085\v\f\x1c\x1d\x1e.")] },
  ],
  [
    "T4: blank lines of all kinds in a row dispatch nothing more",
    "\n\r\r\n\n\rdata: a\n\n\r\r\n\n\rdata: b\r\r\r\n\n",
    { events: [message("a"), message("b")] },
  ],
  [
    "T4: an LF or CR that follows the end of the line of another field is a blank line",
    "id: 1\n\nevent: x\r\rdata: a\n\r: c\r\rdata: b\r\n\n",
    { events: [message("a", { id: "1" }), message("b", { id: "1" })] },
  ],
  [
    "T5: CRLF is one line end wherever it is cut",
    "data: a\r\nid: 1\r\n: comment\r\nunknown\r\nevent: e\r\n\r\ndata: b\r\n\r\n",
    { events: [{ event: "e", data: "a", id: "1" }, message("b", { id: "1" })] },
  ],
  [
    "T5: LF CR is two line ends, wherever it is cut",
    "data: a\n\rdata: b\n\r",
    { events: [message("a"), message("b")] },
  ],
  [
    "T6: the CR of a blank line dispatches",
    "data: a\r\rdata: b\r\r",
    { events: [message("a"), message("b")], incomplete: false },
  ],
]);

Deno.test("T2: a BOM is removed after empty chunks and cut anywhere", () => {
  const empty = new Uint8Array(0);
  const cut = [...BOM].flatMap((byte) => [empty, Uint8Array.of(byte), empty, ""]);
  // A string breaks a character off, so only bytes stand between the three.
  for (const chunks of [cut.filter((chunk) => chunk !== ""), ["", empty, BOM]]) {
    assertEquals(parse([...chunks, utf8("data: a\n\n")]).events, [message("a")]);
  }
});

Deno.test("T2: a BOM is removed from a stream of strings, once", () => {
  assertEquals(parse(["", "\ufeff", "data: a\n\n"]).events, [message("a")]);
  assertEquals(parse(["\ufeff\ufeffdata: a\n\n"]).events, []);
  assertEquals(parse(["data: a\n\n", "\ufeffdata: b\n\n"]).events, [message("a")]);
});

Deno.test("T3: a U+FEFF survives at the start of each chunk but the first", () => {
  const chunks = ["data: ascii\n\ndata: ", "\ufeffx", "\ufeff", "\n\n"].map(utf8);
  assertEquals(parse(chunks).events, [message("ascii"), message("\ufeffx\ufeff")]);
});

Deno.test("T6: a CR as the last byte of a chunk dispatches at once", () => {
  const parser = new ServerSentEventParser();
  assertEquals(parser.feed(utf8("data: a\r\r")), [message("a")]);
  assertEquals(parser.incomplete, false);
  assertEquals(parser.feed(utf8("data: b\r\n\r")), [message("b")]);
  assertEquals(parser.feed(utf8("\n")), []);
  assertEquals(parser.feed(utf8("data: c\n")), []);
  assertEquals(parser.feed(utf8("\r")), [message("c")]);
});

Deno.test("T6: after a CR at the end of a chunk one LF is swallowed and no second", () => {
  const parser = new ServerSentEventParser();
  assertEquals(parser.feed(utf8("data: a\r")), []);
  assertEquals(parser.feed(utf8("\n\n")), [message("a")]);
  assertEquals(parser.feed("data: b\r"), []);
  assertEquals(parser.feed(""), []);
  assertEquals(parser.feed("\n"), []);
  assertEquals(parser.feed("\n"), [message("b")]);
});
