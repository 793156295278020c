/** The vector cursor: its text, what is refused, and what it costs to move on. */

import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { connect } from "../../client.ts";
import { encodeEvent } from "../../encode.ts";
import { formatCursor, MAX_CURSOR_LENGTH, parseCursor, VectorCursor } from "../../server/cursor.ts";
import { parseEventId } from "../../server/log.ts";
import { checkTopic } from "../../server/patterns.ts";
import { property } from "../helpers.ts";

const MAX_SEQ = Number.MAX_SAFE_INTEGER;

type Positions = [topic: string, id: string][];

const TEXTS: [string, Positions, string][] = [
  ["no topic", [], "-"],
  ["one topic", [["news", "k3f9.12"]], "news=k3f9.12"],
  ["an epoch once", [["a", "e.1"], ["b", "e.2"], ["c", "e.0"]], "a=e.1&b=2&c=0"],
  ["another epoch", [["a", "e.1"], ["b", "f.2"], ["c", "f.3"]], "a=e.1&b=f.2&c=3"],
  ["an epoch again", [["a", "e.1"], ["b", "f.2"], ["c", "e.3"]], "a=e.1&b=f.2&c=e.3"],
  ["an epoch of digits", [["a", "1.1"], ["b", "1.2"], ["c", "2.2"]], "a=1.1&b=2&c=2.2"],
  ["the order it is given", [["b", "e.1"], ["a", "e.1"]], "b=e.1&a=1"],
  ["the longest id", [["a", `${"x".repeat(32)}.${MAX_SEQ}`]], `a=${"x".repeat(32)}.${MAX_SEQ}`],
  ["names that look like URLs", [["https://a.test/b?c#d;e", "e.1"]], "https://a.test/b?c#d;e=e.1"],
  ["names that look like ids", [["e.1", "e.1"], ["1", "e.1"], ["0x1", "e.2"]], "e.1=e.1&1=1&0x1=2"],
  ["what is its own syntax", [["a=1&b=2", "e.1"], ["%41", "e.1"]], "a%3D1%26b%3D2=e.1&%2541=1"],
  ["a comma and blanks", [[" a, b ", "e.1"]], "%20a%2C%20b%20=e.1"],
  ["what is no ASCII", [["é", "e.1"], ["😀", "e.1"]], "%C3%A9=e.1&%F0%9F%98%80=1"],
  [
    "names of objects",
    [["__proto__", "e.1"], ["constructor", "e.2"]],
    "__proto__=e.1&constructor=2",
  ],
];

for (const [what, positions, text] of TEXTS) {
  Deno.test(`formatCursor writes ${what}, and parseCursor reads it`, () => {
    assertEquals(formatCursor(new Map(positions)), text);
    assertEquals([...parseCursor(text) ?? []], positions);
  });
}

// What no hub can have written.
const FORGED: [string, string][] = [
  ["an id of one topic", "e.1"],
  ["a word", "news"],
  ["JSON", '{"news":"e.1"}'],
  ["a name without a place", "news="],
  ["no epoch", "news=1"],
  ["no seq", "news=e."],
  ["an empty epoch", "news=.1"],
  ["an epoch too long", `news=${"e".repeat(33)}.1`],
  ["an epoch with another character", "news=e:1.1"],
  ["a seq with a leading zero", "news=e.01"],
  ["a seq below 0", "news=e.-1"],
  ["a seq that is no integer", "news=e.1.5"],
  ["a seq over the greatest", "news=e.9007199254740992"],
  ["a seq of many digits", `news=e.${"1".repeat(400)}`],
  ["a bad seq later", "a=e.1&b=x"],
  ["a place without a name", "=e.1"],
  ["an empty part", "a=e.1&&b=2"],
  ["an empty part first", "&a=e.1"],
  ["an empty part last", "a=e.1&"],
  ["a second =", "a=e.1=2"],
  ["a topic twice", "a=e.1&a=2"],
  ["a topic twice with the same id", "a=e.1&a=1"],
  ["an epoch that goes without saying", "a=e.1&b=e.2"],
  ["a needless escape", "%61=e.1"],
  ["an escape in lower case", "%c3%a9=e.1"],
  ["an escape in a place", "a=e%2E1"],
  ["a bad escape", "%=e.1"],
  ["a bad escape of two", "%zz=e.1"],
  ["an escape that is no UTF-8", "%FF=e.1"],
  ["an escaped surrogate", "%ED%A0%80=e.1"],
  ["a control", "%00=e.1"],
  ["a pattern", "news/*=e.1"],
  ["a group", ":id=e.1"],
  ["a name over the bound", `${"a".repeat(257)}=e.1`],
  ["a blank", "a b=e.1"],
  ["a blank before", " a=e.1"],
  ["a blank behind", "a=e.1 "],
  ["a comma", "a,b=e.1"],
  ["two headers in one", "a=e.1, a=e.1"],
  ["what is no ASCII", "é=e.1"],
];

for (const [what, text] of FORGED) {
  Deno.test(`parseCursor refuses ${what}`, () => assertEquals(parseCursor(text), undefined));
}

const topic = fc.oneof(
  fc.string({ unit: "binary", minLength: 1, maxLength: 12 }),
  fc.string({ unit: fc.constantFrom(..."%&,=.:/ 0aé😀"), minLength: 1, maxLength: 12 }),
).filter((text) => {
  try {
    checkTopic(text);
    return true;
  } catch {
    return false;
  }
});
const seq = fc.oneof(fc.nat({ max: 9 }), fc.maxSafeNat());
const epoch = fc.oneof(fc.constantFrom("e", "f", "0", "-_"), fc.stringMatching(/^[\w-]{1,32}$/));
const id = fc.tuple(epoch, seq).map(([epoch, seq]) => `${epoch}.${seq}`);
const positions = fc.uniqueArray(fc.tuple(topic, id), {
  selector: ([topic]) => topic,
  maxLength: 12,
});

Deno.test("parseCursor gives what formatCursor was given, in its order", () => {
  fc.assert(
    fc.property(positions, (positions) => {
      const text = formatCursor(new Map(positions));
      assertEquals([...parseCursor(text) ?? []], positions);
      // As a header it is visible ASCII, and no list.
      assert(/^[!-+\--~]*$/.test(text), text);
      assertEquals(new Headers({ "last-event-id": text }).get("last-event-id"), text);
      assertEquals(parseEventId(text), undefined);
    }),
    property(),
  );
});

Deno.test("parseCursor refuses every id of one topic", () => {
  fc.assert(fc.property(id, (id) => assertEquals(parseCursor(id), undefined)), property());
});

Deno.test("parseCursor never throws, and reads nothing that formatCursor does not write", () => {
  const part = fc.oneof(
    fc.constantFrom("&", "=", "%", ".", ",", "e.1", "a", "%41", "%C3%A9", "é", " ", "0", "\ud800"),
    fc.string({ unit: "binary", maxLength: 4 }),
  );
  fc.assert(
    fc.property(fc.array(part, { maxLength: 12 }), (parts) => {
      const text = parts.join("");
      const read = parseCursor(text);
      if (read !== undefined) assertEquals(formatCursor(read), text);
    }),
    property(),
  );
});

Deno.test("VectorCursor writes after any moves what formatCursor writes of where they led", () => {
  const few = fc.tuple(fc.constantFrom("a", "b", "c=d", "é"), id);
  fc.assert(
    fc.property(positions, fc.array(few, { maxLength: 20 }), (start, moves) => {
      const cursor = new VectorCursor(start);
      const truth = new Map(start);
      for (const [topic, id] of moves) {
        cursor.set(topic, id);
        truth.set(topic, id);
        assertEquals(cursor.toString(), formatCursor(truth));
        assertEquals(cursor.get(topic), id);
      }
      assertEquals(cursor.get("elsewhere"), undefined);
    }),
    property(),
  );
});

Deno.test("VectorCursor.toString encodes no name again when topics move on", () => {
  const cursor = new VectorCursor();
  for (let i = 0; i < 50; i++) cursor.set(`é ${i}`, "e.1");
  const encode = globalThis.encodeURIComponent;
  const replace = String.prototype.replace;
  let calls = 0;
  const count = <T>(result: T): T => {
    calls++;
    return result;
  };
  globalThis.encodeURIComponent = (part) => count(encode(part));
  String.prototype.replace = function (...args: unknown[]): string {
    return count(Reflect.apply(replace, this, args));
  };
  let moved: string;
  try {
    for (let seq = 2; seq < 100; seq++) {
      cursor.set("é 7", `e.${seq}`);
      cursor.toString();
    }
    // An epoch that changes keeps the name too.
    cursor.set("é 8", "f.1");
    moved = cursor.toString();
    assertEquals(calls, 0);
    cursor.set("é 50", "f.1");
    assert(calls > 0);
  } finally {
    globalThis.encodeURIComponent = encode;
    String.prototype.replace = replace;
  }
  assertEquals(parseCursor(moved)?.get("é 7"), "e.99");
  assertEquals(parseCursor(moved)?.get("é 8"), "f.1");
});

Deno.test("VectorCursor.set refuses what is no id of a log, and stays where it is", () => {
  const cursor = new VectorCursor([["a", "e.1"]]);
  for (const id of ["", "7", "e", "e.", ".1", "e.01", "e.-1", "e 1", `e.${MAX_SEQ}0`]) {
    assertThrows(() => cursor.set("a", id), TypeError, "Cannot move cursor: an id must be");
    assertThrows(() => formatCursor(new Map([["a", id]])), TypeError, JSON.stringify(id));
  }
  assertEquals(cursor.toString(), "a=e.1");
});

Deno.test("VectorCursor.set refuses what is no topic, and stays where it is", () => {
  const cursor = new VectorCursor([["a", "e.1"]]);
  for (const topic of ["", "a\n", "news/*", ":id", "\ud800", "a".repeat(257)]) {
    assertThrows(() => cursor.set(topic, "e.1"), TypeError, "Cannot use topic: ");
  }
  assertEquals(cursor.toString(), "a=e.1");
});

/** Adds topics until no more fit. */
function filled(nameLength: number): { cursor: VectorCursor; topics: string[]; error: RangeError } {
  const cursor = new VectorCursor();
  const topics: string[] = [];
  while (true) {
    const topic = String(topics.length).padStart(nameLength, "t");
    try {
      cursor.set(topic, "e.1");
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      return { cursor, topics, error };
    }
    topics.push(topic);
  }
}

Deno.test("VectorCursor.set refuses a topic over MAX_CURSOR_LENGTH, and stays as it was", () => {
  const { cursor, topics, error } = filled(20);
  assertEquals(topics.length, 157);
  assert(error.message.startsWith("Cannot move cursor: its 158 topics would take up to 6005 "));
  assertEquals(cursor.get(String(topics.length).padStart(20, "t")), undefined);
  assertEquals([...parseCursor(cursor.toString()) ?? []], topics.map((topic) => [topic, "e.1"]));
  // A shorter one may still fit.
  cursor.set("x", "e.1");
  assertEquals(parseCursor(cursor.toString())?.size, topics.length + 1);
});

Deno.test("VectorCursor.set lets each topic of a full vector move on to the greatest seq", () => {
  const { cursor, topics } = filled(20);
  assertThrows(() => cursor.set("t".repeat(16), "e.1"), RangeError, "take up to 6001 ");
  topics.push("t".repeat(15));
  for (const topic of topics) cursor.set(topic, `e.${MAX_SEQ}`);
  const text = cursor.toString();
  assertEquals(text.length, MAX_CURSOR_LENGTH);
  assertEquals(parseCursor(text)?.size, topics.length);
});

Deno.test("VectorCursor.set refuses an epoch over MAX_CURSOR_LENGTH, and stays where it was", () => {
  const { cursor, topics } = filled(10);
  const text = cursor.toString();
  const error = assertThrows(() => cursor.set(topics[7], `${"f".repeat(32)}.1`), RangeError);
  assert(error.message.includes(`its ${topics.length} topics`), error.message);
  assertEquals([cursor.get(topics[7]), cursor.toString()], ["e.1", text]);
  cursor.set(topics[7], "e.2");
  assertEquals([...parseCursor(cursor.toString())?.keys() ?? []], topics);
});

Deno.test("formatCursor refuses what is over MAX_CURSOR_LENGTH", () => {
  const long = new Map(Array.from({ length: 30 }, (_, i) => [`é`.repeat(40) + i, "e.1"]));
  assertThrows(() => formatCursor(long), RangeError, "carry fewer topics");
});

Deno.test("parseCursor refuses what is over MAX_CURSOR_LENGTH before it reads it", () => {
  const text = Array.from({ length: 2_000_000 }, (_, i) => `t${i}=e.1`).join("&");
  let asked = 0;
  const split = String.prototype.split;
  String.prototype.split = function (...args: unknown[]): string[] {
    asked++;
    return Reflect.apply(split, this, args);
  };
  try {
    assertEquals(parseCursor(text), undefined);
    assertEquals(asked, 0);
  } finally {
    String.prototype.split = split;
  }
  // Within the bound no hub would have let so many topics in: there is no room for them to move on.
  const many = ["a=e.1", ...Array.from({ length: 900 }, (_, i) => `${i}=1`)].join("&");
  assert(many.length <= MAX_CURSOR_LENGTH);
  assertEquals(parseCursor(many), undefined);
});

Deno.test("connect sends the longest vector back as it was received", async () => {
  const { cursor, topics } = filled(10);
  for (const topic of topics) cursor.set(topic, `e.${MAX_SEQ}`);
  const received: (string | null)[] = [];
  await using server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, (request) => {
    received.push(request.headers.get("last-event-id"));
    if (received.length > 1) return new Response(null, { status: 204 });
    return new Response(encodeEvent({ data: "a", id: cursor.toString() }), {
      headers: { "content-type": "text/event-stream" },
    });
  });
  const url = `http://127.0.0.1:${server.addr.port}/`;
  const events = await Array.fromAsync(connect(url, { retry: { initialDelay: 0 } }));
  assertEquals(events.map(({ id }) => id), [cursor.toString()]);
  assertEquals(received, [null, cursor.toString()]);
});
