/**
 * The 40 hard events: what a sender is told to send, and what a reader must have of it by the
 * standard.
 *
 * @module
 */

import type { ServerSentEventInit } from "../../encode.ts";
import type { ServerSentEvent } from "../../parse.ts";

/** One of the hard events, which may take more than one to show. */
export interface HardEvent {
  /** By this `known.ts` calls it. */
  readonly name: string;
  /** What a sender is told to send. */
  readonly sent: readonly ServerSentEventInit[];
  /** What is dispatched. Nothing at all where a sender must refuse. */
  readonly expected: readonly ServerSentEvent[];
}

/** Data, and what is read back if it is something else: only line breaks may change (W2). */
const DATA: [name: string, data: string, readBack?: string][] = [
  ["data that is empty", ""],
  ["one line break", "\n"],
  ["LF in data", "a\nb"],
  ["CRLF in data", "a\r\nb", "a\nb"],
  ["CR in data", "a\rb", "a\nb"],
  ["all line ends in data", "a\r\n\rb\n\r\nc\r", "a\n\nb\n\nc\n"],
  ["line breaks at both ends", "\na\n\n"],
  ["a blank line in data", "a\n\nb"],
  ["leading spaces", "  a\n b"],
  ["trailing spaces", "a  \nb "],
  ["a space alone", " "],
  ["tabs", "\ta\tb\t"],
  ["data that begins with a colon", ": a\n:b"],
  ["data that looks like fields", "data: a\nevent: injected\nid: injected\nretry: 1\nend"],
  ["NUL in data", "a\0b\0"],
  ["control characters", "\x01\x02\x08\x1b\x7f"],
  ["VT, FF, FS and NEL, which end no line", "a\x0bb\x0cc\x1cd\x85e"],
  ["U+2028 and U+2029, which end no line", "a\u2028b\u2029c"],
  ["a BOM first in data", "\ufeffa"],
  ["a BOM inside data", "a\ufeffb\n\ufeffc\ufeff"],
  ["emoji, combining and right-to-left", "👋🏽 e\u0301 👩‍👩‍👧 שלום 日本"],
  ["a lone surrogate", "a\ud800b", "a\ufffdb"],
  ["JSON", JSON.stringify({ text: 'two\nlines, "quoted"\u2028', list: [1, null] })],
  ["emoji over chunk edges", "x" + "😀日é".repeat(25_000)],
  ["10,000 lines", Array.from({ length: 10_000 }, (_, i) => `line ${i}`).join("\n")],
  ["1 MB", "0123456789abcdef".repeat(65_536)],
];

/** What is more than data. Without an id of their own they are given one. */
const FIELDS: HardEvent[] = [
  {
    name: "a type, for one event",
    sent: [{ event: "tick", data: "a" }, { data: "b" }],
    expected: [{ event: "tick", data: "a", id: "" }, { event: "message", data: "b", id: "" }],
  },
  same("a type with a colon", { event: "a:b", data: "a" }),
  same("a type with spaces at both ends", { event: " a b ", data: "a" }),
  same("a type in UTF-8", { event: "größe 👋", data: "a" }),
  {
    name: "types that sources have, too",
    sent: [{ event: "error", data: "a" }, { event: "open", data: "b" }],
    expected: [{ event: "error", data: "a", id: "" }, { event: "open", data: "b", id: "" }],
  },
  {
    name: "an id in UTF-8, which sticks",
    sent: [{ id: "é/日本 👋", data: "a" }, { data: "b" }],
    expected: [
      { event: "message", data: "a", id: "é/日本 👋" },
      { event: "message", data: "b", id: "é/日本 👋" },
    ],
  },
  same("an id with spaces at both ends", { id: "  7 ", data: "a" }),
  {
    name: "an empty id, which resets it",
    sent: [{ id: "7", data: "a" }, { id: "", data: "b" }, { data: "c" }],
    expected: [
      { event: "message", data: "a", id: "7" },
      { event: "message", data: "b", id: "" },
      { event: "message", data: "c", id: "" },
    ],
  },
  {
    name: "an id without data",
    sent: [{ id: "quiet" }, { data: "a" }],
    expected: [{ event: "message", data: "a", id: "quiet" }],
  },
  same("a reconnection time", { retry: 1_500, data: "a" }),
  {
    name: "a reconnection time without data",
    sent: [{ retry: 1_000 }],
    expected: [],
  },
  {
    name: "comments",
    sent: [
      { comment: "a" },
      { comment: "" },
      { comment: "b\ndata: injected\r\n\r\ndata: injected\rdata: injected\n\n" },
      { data: "a" },
    ],
    expected: [{ event: "message", data: "a", id: "" }],
  },
  {
    name: "a line break in a type or an id, to refuse",
    sent: [
      { event: "tick\ndata: injected", data: "a" },
      { event: "tick\rdata: injected", data: "b" },
      { id: "7\r\ndata: injected", data: "c" },
    ],
    expected: [],
  },
  { name: "NUL in an id, to refuse", sent: [{ id: "7\0", data: "a" }], expected: [] },
];

function same(name: string, sent: ServerSentEventInit): HardEvent {
  return { name, sent: [sent], expected: [{ event: "message", data: "", id: "", ...sent }] };
}

/** All of them. */
export const HARD_EVENTS: readonly HardEvent[] = [
  ...DATA.map(([name, data, readBack = data]) => ({
    name,
    sent: [{ data }],
    expected: [{ event: "message", data: readBack, id: "" }],
  })),
  ...FIELDS,
];

/** Texts for those that put them into JSON: all data that JSON gives back as it was. */
export const TEXTS: readonly { name: string; text: string }[] = DATA.map(([name, text]) => ({
  name,
  text,
}));
