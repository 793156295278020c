/** T17: the reconnection time. */

import { assertEquals } from "@std/assert";
import { ServerSentEventParser } from "../../parse.ts";
import { message, type StreamCase, testStreams } from "../helpers.ts";

const VALID: [value: string, ms: number][] = [
  ["0", 0],
  ["1", 1],
  ["9", 9],
  ["3000", 3000],
  ["0010", 10],
  ["00", 0],
  ["2147483648", 2_147_483_648],
  ["9007199254740991", Number.MAX_SAFE_INTEGER],
  ["9007199254740992", Number.MAX_SAFE_INTEGER],
  ["9".repeat(400), Number.MAX_SAFE_INTEGER],
];

const INVALID = [
  "",
  " 1",
  "1 ",
  "  ",
  "+1",
  "-1",
  "1.0",
  "1e3",
  "0x10",
  "1000ms",
  "a",
  "1,000",
  "1_000",
  "1\0",
  "\t1",
  "١٢",
  "１",
  "/",
  ":",
  "Infinity",
  "NaN",
];

testStreams([
  ...VALID.map(([value, ms]): StreamCase => [
    `T17: retry of ${value.length > 20 ? "400 digits" : value} is ${ms} ms`,
    `retry: ${value}\ndata: a\n\n`,
    { events: [message("a", { retry: ms })], retry: ms, retries: [ms] },
  ]),
  ...INVALID.map((value): StreamCase => [
    `T17: retry of ${JSON.stringify(value)} is ignored`,
    `retry: 7\n\nretry: ${value}\ndata: a\n\n`,
    { events: [message("a")], retry: 7, retries: [7] },
  ]),
  ["T17: an invalid retry opens no block", "retry: x\n", { incomplete: false }],
  [
    "T17: the last valid retry of a block is the event's",
    "retry: 1\nretry: 2\nretry: x\ndata\n\n",
    {
      events: [message("", { retry: 2 })],
      retries: [1, 2],
    },
  ],
  ["T17: retry counts in a block without data and in an unfinished one", "retry: 1\n\nretry: 2\n", {
    events: [],
    retry: 2,
    incomplete: true,
  }],
]);

Deno.test("T17: retry takes effect at once, at the end of its line", () => {
  const parser = new ServerSentEventParser();
  parser.feed("retry: 5");
  assertEquals(parser.retry, undefined);
  parser.feed("\r");
  assertEquals(parser.retry, 5);
});

Deno.test("T17: an event has the member retry only where its block had a valid one", () => {
  const parser = new ServerSentEventParser();
  const events = parser.feed(
    "data: a\n\nretry: x\ndata: b\n\nevent: e\nid: 1\ndata: c\n\nretry: 1\ndata: d\n\ndata: e\ndata: f\n\n",
  );
  assertEquals(events.map((event) => "retry" in event), [false, false, false, true, false]);
});
