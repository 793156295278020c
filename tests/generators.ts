/**
 * Event streams and events at random, for fast-check: made of what breaks parsers.
 *
 * @module
 */

import fc from "fast-check";
import { concat, raw, utf8 } from "./helpers.ts";

const LINE_ENDS = ["\n", "\r", "\r\n", "\n\n", "\r\r", "\r\n\r\n", "\n\r", "\r\r\n"];

const NAMES = ["data", "event", "id", "retry"];

const NEAR_NAMES = [
  "",
  "d",
  "dat",
  "datas",
  "Data",
  "DATA",
  " data",
  "data ",
  "even",
  "events",
  "Event",
  "i",
  "ids",
  "ID",
  "retr",
  "retry1",
  "Retry",
  "x",
  "unknown",
];

const VALUES = [
  "",
  " ",
  "  ",
  "a",
  " a",
  "a ",
  ":",
  ": ",
  "a: b",
  "data: x",
  "0",
  "10",
  "007",
  "9007199254740993",
  "1x",
  "-1",
  "\0",
  "a\0b",
  "\ufeff",
  "\ufeffa",
  "é",
  "€",
  "😀",
  "\u2028",
  "\u0085",
  "\t",
];

/** Bytes that are no UTF-8, or the start of some. */
const BAD = [
  "\x80",
  "\xbf\xbf",
  "\xc3",
  "\xe2",
  "\xe2\x82",
  "\xf0\x9f",
  "\xf0\x9f\x98",
  "\xff",
  "\xef\xbb",
  "\xed\xa0\x80",
  "\xc0\x8a",
  "\xf8",
];

const some = (texts: string[]) => fc.constantFrom(...texts.map(utf8));

const run = fc.record({
  piece: some(["x", "é", "€", "😀", "a:", " ", "0"]),
  times: fc.constantFrom(3, 60, 130, 300, 1_500),
}).map(({ piece, times }) => concat(...Array.from({ length: times }, () => piece)));

const value = fc.oneof(
  { weight: 8, arbitrary: some(VALUES) },
  { weight: 2, arbitrary: fc.constantFrom(...BAD.map(raw)) },
  { weight: 1, arbitrary: run },
  { weight: 2, arbitrary: fc.string({ unit: "binary", maxLength: 6 }).map(utf8) },
);

const field = fc.tuple(
  fc.oneof({ weight: 6, arbitrary: some(NAMES) }, { weight: 1, arbitrary: some(NEAR_NAMES) }),
  some([":", ": ", ":  ", "", ":\t"]),
  value,
  fc.oneof({ weight: 3, arbitrary: fc.constant(raw("")) }, { weight: 1, arbitrary: value }),
  some(LINE_ENDS),
).map((parts) => concat(...parts));

const fragment = fc.oneof(
  { weight: 12, arbitrary: field },
  { weight: 3, arbitrary: some(LINE_ENDS) },
  { weight: 1, arbitrary: value },
  { weight: 1, arbitrary: some(NAMES) },
  { weight: 1, arbitrary: some(["\ufeff", ":", "data: a\n\n", "data: b\r\n\r\n", "id: 1\n\n"]) },
);

/** An event stream, most of it legal. */
export const eventStream: fc.Arbitrary<Uint8Array> = fc.tuple(
  some(["", "", "", "\ufeff", "\ufeff\ufeff"]),
  fc.array(fragment, { maxLength: 24 }),
).map(([start, fragments]) => concat(start, ...fragments));

/** An event stream that is text. */
export const textStream: fc.Arbitrary<string> = eventStream.map((bytes) =>
  new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes)
);

const wellFormed = fc.oneof(
  fc.constantFrom(...VALUES),
  fc.string({ unit: "binary", maxLength: 20 }),
  fc.string({ unit: fc.constantFrom(" ", ":", "\n", "\0", "\ufeff", "a", "😀"), maxLength: 8 }),
);

const oneLine = wellFormed.map((text) => text.replace(/[\r\n]/g, ""));

/** An event to send that a parser gives back as it is, but for the id that sticks. */
export const legalEvent: fc.Arbitrary<
  { data: string; event?: string; id?: string; retry?: number; comment?: string }
> = fc.record({
  data: wellFormed.map((text) => text.replaceAll("\r", "")),
  event: oneLine,
  id: oneLine.map((text) => text.replaceAll("\0", "")),
  retry: fc.oneof(fc.nat(), fc.maxSafeNat()),
  comment: wellFormed,
}, { requiredKeys: ["data"] });
