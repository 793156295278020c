/** {@linkcode writeRecord}, {@linkcode readRecord}: an event as the text that an engine keeps. */

import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { type ServerSentEventInit, stringifyEvent } from "../../encode.ts";
import { SseError } from "../../errors.ts";
import { readRecord, writeRecord } from "../../log/record.ts";
import { EVENTS } from "../../server/log_trial.ts";
import { property } from "../helpers.ts";

Deno.test("readRecord gives every event as it was written, with its id and its sender", () => {
  for (const event of EVENTS) {
    for (const sender of [undefined, "", "é\n😀"]) {
      const read = readRecord(writeRecord(event, sender), "e.1");
      const expected = sender === undefined ? event : { ...event, sender };
      assertEquals(read, { ...expected, id: "e.1" });
      assertEquals(stringifyEvent(read), stringifyEvent({ ...event, id: "e.1" }));
    }
  }
});

Deno.test("readRecord gives whatever can be encoded as it was written", () => {
  const line = fc.string({ unit: "binary" }).map((text) => text.replace(/[\r\n]/g, " "));
  const event = fc.record({
    data: fc.string({ unit: "binary" }),
    event: line,
    retry: fc.maxSafeNat(),
    comment: fc.string({ unit: "binary" }),
  }, { requiredKeys: [] });
  fc.assert(
    fc.property(event, (event) => {
      assertEquals(readRecord(writeRecord(event, undefined), "e.1"), { ...event, id: "e.1" });
    }),
    property(),
  );
});

Deno.test("writeRecord keeps lone surrogates", () => {
  assertEquals(readRecord(writeRecord({ data: "\ud800" }, undefined), "e.1").data, "\ud800");
});

Deno.test("readRecord gives what cannot be changed", () => {
  assert(Object.isFrozen(readRecord(writeRecord({ data: "a" }, "eve"), "e.1")));
});

const WRONG: Record<string, unknown> = {
  data: 1,
  event: "a\nid: 9",
  comment: {},
  retry: -1,
};

for (const [name, value] of Object.entries(WRONG)) {
  Deno.test(`writeRecord refuses "${name}" that could not be read back`, () => {
    const event: ServerSentEventInit = { [name]: value };
    const error = assertThrows(() => writeRecord(event, undefined), TypeError);
    const says = `Cannot append event: its "${name}" cannot be sent: received `;
    assert(error.message.startsWith(says), error.message);
  });
}

Deno.test("writeRecord quotes no more than a bounded part of what it refuses", () => {
  const event = { event: "\n".repeat(10_000) };
  const error = assertThrows(() => writeRecord(event, undefined), TypeError);
  assert(error.message.length < 200);
});

const FOREIGN = [
  "",
  "hello",
  '{"data":"a"',
  '{"data":"a"} ,',
  "1",
  "null",
  "true",
  '"a"',
  "[]",
  '["data","a"]',
  '[{"data":"a"}]',
  '{"data":1}',
  '{"data":null}',
  '{"data":["a"]}',
  '{"data":{"toString":1}}',
  '{"event":1}',
  '{"event":"a\\nid: 9"}',
  '{"event":"a\\rid: 9"}',
  '{"retry":"1"}',
  '{"retry":-1}',
  '{"retry":1.5}',
  '{"retry":1e99}',
  '{"retry":9007199254740993}',
  '{"comment":0}',
  '{"sender":{}}',
  '{"data":"a","id":"e.1"}',
  '{"data":"a","id":"9"}',
  '{"data":"a","__proto__":{"event":"b"}}',
  '{"data":"a","constructor":"b"}',
  '{"specversion":"1.0","type":"order"}',
];

for (const text of FOREIGN) {
  Deno.test(`readRecord refuses what somebody else has written: ${text}`, () => {
    const error = assertThrows(() => readRecord(text, "e.1"), SseError);
    assertEquals(error.code, "ERR_SSE_LOG_RECORD");
    const says = 'Cannot read event "e.1": what the log holds is no record of an event';
    assertEquals(error.message, says);
  });
}

Deno.test("readRecord keeps why a text is no JSON as the cause", () => {
  const error = assertThrows(() => readRecord("{", "e.1"), SseError);
  assert(error.cause instanceof SyntaxError);
});

Deno.test("readRecord gives an event that can be encoded, or SseError, of any JSON", () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.json(),
        fc.dictionary(
          fc.constantFrom("data", "event", "retry", "comment", "sender", "id", "__proto__"),
          fc.oneof(fc.string(), fc.integer(), fc.double(), fc.jsonValue()),
        ).map((value) => JSON.stringify(value)),
      ),
      (text) => {
        try {
          const event = readRecord(text, "e.1");
          stringifyEvent(event);
          assertEquals([event.id, Object.getPrototypeOf(event)], ["e.1", Object.prototype]);
        } catch (error) {
          assert(error instanceof SseError, String(error));
        }
      },
    ),
    property(),
  );
});
