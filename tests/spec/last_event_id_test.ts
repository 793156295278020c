/** T13 to T16: the last event ID. */

import { assertEquals } from "@std/assert";
import { ServerSentEventParser } from "../../parse.ts";
import { message, testStreams } from "../helpers.ts";

testStreams([
  ["T13: an id with NUL is ignored and the older stays", "id: 1\nid: a\0b\ndata: a\n\n", {
    events: [message("a", { id: "1" })],
    ids: ["1"],
  }],
  ["T13: an id of NUL alone opens no block", "id: \0\n", { incomplete: false, ids: [] }],
  ["T13: NUL first and last is found too", "id: \0a\nid: a\0\nid:\0\ndata: a\n\n", {
    events: [message("a")],
    ids: [],
  }],
  ["T14: an id without data counts at the blank line", "id: 1\n\ndata: a\n\n", {
    events: [message("a", { id: "1" })],
    ids: ["1"],
  }],
  ["T14: an unfinished block commits no id", "id: 1\ndata: a\n\nid: 2\ndata: b\n", {
    events: [message("a", { id: "1" })],
    lastEventId: "1",
    ids: ["1"],
    incomplete: true,
  }],
  ["T14: the last id of a block counts", "id: 1\nid: 2\ndata: a\nid: 3\n\n", {
    events: [message("a", { id: "3" })],
    ids: ["3"],
  }],
  ["T15: the id sticks until it changes", "id: 1\ndata: a\n\ndata: b\n\nid: 2\ndata: c\n\n", {
    events: [message("a", { id: "1" }), message("b", { id: "1" }), message("c", { id: "2" })],
    ids: ["1", "2"],
  }],
  ["T15: an empty id resets it", "id: 1\ndata: a\n\nid:\ndata: b\n\nid: \ndata: c\n\n", {
    events: [message("a", { id: "1" }), message("b"), message("c")],
    ids: ["1", "", ""],
  }],
  ["T15: an id is any text", "id:  a:b é😀 \ndata: a\n\n", {
    events: [message("a", { id: " a:b é😀 " })],
  }],
  [
    "T16: the id of the connection before holds until the stream names one",
    "data: a\n\nid: 8\ndata: b\n\n",
    { events: [message("a", { id: "7" }), message("b", { id: "8" })], lastEventId: "8" },
    { lastEventId: "7" },
  ],
  [
    "T16: an empty id resets the id of the connection before",
    "id\n\ndata: a\n\n",
    { events: [message("a")], lastEventId: "" },
    { lastEventId: "7" },
  ],
]);

Deno.test("T14: the id is committed by the blank line and not before", () => {
  const parser = new ServerSentEventParser();
  parser.feed("id: 1\ndata: a\n");
  assertEquals(parser.lastEventId, "");
  parser.feed("\n");
  assertEquals(parser.lastEventId, "1");
});

Deno.test("T16: the id survives a reset, an id of an unfinished block does not", () => {
  const parser = new ServerSentEventParser();
  parser.feed("id: 1\n\nid: 2\ndata: cut");
  parser.reset();
  assertEquals(parser.lastEventId, "1");
  assertEquals(parser.feed("data: a\n\n"), [message("a", { id: "1" })]);
});
