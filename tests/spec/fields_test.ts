/** T7 to T12: fields, their names and values, and the dispatch. */

import { assertEquals } from "@std/assert";
import { ServerSentEventParser } from "../../parse.ts";
import { message, testStreams } from "../helpers.ts";

testStreams([
  [
    "T7: one space after the colon is removed and nothing else",
    "data:a\ndata: a\ndata:  a\ndata:\ta\ndata: \ta\ndata:a \ndata: a  \n\n",
    { events: [message("a\na\n a\n\ta\n\ta\na \na  ")] },
  ],
  ["T7: a value of one space is empty, of two is one", "data: \ndata:  \n\n", {
    events: [message("\n ")],
  }],
  ["T7: a no-break space stays", "data:\u00a0a\nevent:\u3000e\n\n", {
    events: [message("\u00a0a", { event: "\u3000e" })],
  }],
  [
    "T7: one space is removed from event, id and retry too",
    "event:e\nid:1\nretry:1\ndata:\n\nevent: e\nid: 1\nretry: 2\ndata:\n\nevent:  e\nid:  1\nretry:  3\ndata:\n\n",
    {
      events: [
        { event: "e", data: "", id: "1", retry: 1 },
        { event: "e", data: "", id: "1", retry: 2 },
        { event: " e", data: "", id: " 1" },
      ],
    },
  ],
  ["T7: a value may hold colons and field names", "data: a:b: data: c\ndata::\ndata: :\n\n", {
    events: [message("a:b: data: c\n:\n:")],
  }],
  ["T8: data without a colon has an empty value", "data\n\ndata\ndata\n\n", {
    events: [message(""), message("\n")],
  }],
  ["T8: event without a colon resets the type", "event: e\nevent\ndata: a\n\n", {
    events: [message("a")],
  }],
  ["T8: id without a colon resets the last event ID", "id: 1\ndata: a\n\nid\ndata: b\n\n", {
    events: [message("a", { id: "1" }), message("b")],
    lastEventId: "",
    ids: ["1", ""],
  }],
  ["T8: retry without a colon is ignored", "retry\ndata: a\n\n", {
    events: [message("a")],
    retry: undefined,
  }],
  [
    "T9: names are exact",
    " data: a\ndata : b\nDATA: c\nData: d\ndat: e\ndata1: f\ndatadata: g\ndata\u00a0: h\ndatá: i\n\n",
    { events: [], incomplete: false },
  ],
  [
    "T9: near-names of event, id and retry are unknown",
    "Event: x\nevent : x\nevents: x\neven: x\nID: 1\nid : 1\nids: 1\ni: 1\nRetry: 1\nretry : 1\nretries: 1\nretr: 1\nEVENT\nI\nidd\ndata: a\n\n",
    { events: [message("a")], lastEventId: "", retry: undefined, ids: [] },
  ],
  [
    "T9: names that share each first part of a field name are unknown",
    "e:1\nev:1\neve:1\neven:1\nevenu:1\nd:1\nda:1\ndat:1\ndatb:1\nr:1\nre:1\nret:1\nretr:1\nretrz:1\ni:1\nie:1\n\nd\nda\ndat\ne\nev\neve\neven\ndata: a\n\n",
    { events: [message("a")] },
  ],
  [
    "T9: names that differ in one letter are unknown",
    "xata:1\ndxta:1\ndaxa:1\ndatx:1\ndatax1\nxvent:1\nexent:1\nevxnt:1\nevext:1\nevenx:1\neventx1\n\ndata: a\n\n",
    { events: [message("a")] },
  ],
  ["T9: names of objects are no fields", "__proto__: a\nconstructor: b\ntoString\ndata: c\n\n", {
    events: [message("c")],
  }],
  [
    "T9: a leading colon is a comment",
    ": a\n:b\n:\n: \n:  c\n::d\n:data: x\n: data: y\ndata: z\n\n",
    { events: [message("z")], comments: ["a", "b", "", "", " c", ":d", "data: x", "data: y"] },
  ],
  ["T9: a comment between data lines changes nothing", "data: a\n: c\ndata: b\n:\n\n", {
    events: [message("a\nb")],
  }],
  ["T9: comments alone open no block", ": a\n", { events: [], incomplete: false }],
  [
    "T9: unknown fields of every length are skipped",
    `${"x".repeat(300)}\ndata: a\n${"y: ".repeat(300)}\r\nz\n\n`,
    { events: [message("a")] },
  ],
  ["T10: data lines are joined with LF", "data: a\ndata: b\ndata: c\n\n", {
    events: [message("a\nb\nc")],
  }],
  ["T10: one empty data line dispatches the empty string", "data:\n\ndata\n\ndata: \n\n", {
    events: [message(""), message(""), message("")],
  }],
  ["T10: two empty data lines dispatch one LF", "data:\ndata:\n\n", { events: [message("\n")] }],
  [
    "T10: only one LF at the end goes",
    "data: a\ndata:\ndata:\n\ndata:\ndata: b\n\n",
    { events: [message("a\n\n"), message("\nb")] },
  ],
  [
    "T10: data lines with every line end are joined with LF",
    "data: a\r\ndata: b\rdata: c\ndata: d\r\r\ndata: e\r\n\r\n",
    { events: [message("a\nb\nc\nd"), message("e")] },
  ],
  ["T11: a block without data dispatches nothing", "event: e\n\nid: 1\n\nretry: 5\n\n\n", {
    events: [],
    lastEventId: "1",
    retry: 5,
    incomplete: false,
  }],
  ["T11: a blank line without data clears the type", "event: e\n\ndata: a\n\n", {
    events: [message("a")],
  }],
  ["T11: a blank line without data clears the retry of the event", "retry: 5\n\ndata: a\n\n", {
    events: [message("a")],
    retry: 5,
  }],
  ["T11: a dispatch clears type and data", "event: e\nretry: 1\ndata: a\n\ndata: b\n\n", {
    events: [message("a", { event: "e", retry: 1 }), message("b")],
  }],
  ["T12: an event names its type", "event: e\ndata: a\n\ndata: b\nevent: f\n\n", {
    events: [message("a", { event: "e" }), message("b", { event: "f" })],
  }],
  ["T12: the last event wins", "event: e\nevent: f\ndata: a\n\n", {
    events: [message("a", { event: "f" })],
  }],
  ["T12: an empty event resets the type", "event: e\nevent:\ndata: a\n\nevent: \ndata: b\n\n", {
    events: [message("a"), message("b")],
  }],
  [
    "T12: a type is not trimmed and may be any name",
    "event:  e \ndata: a\n\nevent: error\ndata: b\n\nevent: message\ndata: c\n\nevent: a\0b\ndata: d\n\n",
    {
      events: [
        message("a", { event: " e " }),
        message("b", { event: "error" }),
        message("c"),
        message("d", { event: "a\0b" }),
      ],
    },
  ],
  ["T12: fields count in any order", "data: a\nretry: 3\nid: 1\nevent: e\ndata: b\n\n", {
    events: [{ event: "e", data: "a\nb", id: "1", retry: 3 }],
  }],
]);

Deno.test("T10: data of 2,000 lines comes whole", () => {
  const lines = Array.from({ length: 2_000 }, (_, i) => i % 3 === 0 ? "" : `${i}`);
  const parser = new ServerSentEventParser();
  const [event] = parser.feed(`${lines.map((line) => `data:${line}\n`).join("")}\n`);
  assertEquals(event, message(lines.join("\n")));
});
