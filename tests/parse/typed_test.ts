/** {@linkcode EventReader.json}: what it gives, what it refuses, how it is left, and in which order. */

import { assert, assertEquals, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import { type } from "arktype";
import * as v from "valibot";
import { z } from "zod";
import { InvalidDataError, type InvalidDataIssue, SseError } from "../../errors.ts";
import { readEvents } from "../../parse.ts";
import type { ServerSentEvent } from "../../parse/events.ts";
import {
  type JsonOptions,
  readJson,
  type StandardSchemaResult,
  type StandardSchemaV1,
  type TypedEvent,
} from "../../parse/typed.ts";
import { countedStream, message, settle, utf8 } from "../helpers.ts";

const PRICE = { amount: 12 };
const STREAM = 'id: 7\nevent: price\ndata: {"amount":12}\n\n';

/** A schema that is a function and nothing else. */
function schemaOf<T>(
  validate: (value: unknown) => StandardSchemaResult<T> | Promise<StandardSchemaResult<T>>,
): StandardSchemaV1<unknown, T> {
  return { "~standard": { version: 1, vendor: "tests", validate } };
}

const number = schemaOf<number>((value) =>
  typeof value === "number" ? { value } : { issues: [{ message: "Expected number" }] }
);

/** A stream of one event for each text, a chunk each. */
function events(...data: string[]) {
  return countedStream(data.map((text) => utf8(`data: ${text}\n\n`)));
}

async function dataOf<T>(typed: AsyncIterable<TypedEvent<T>>): Promise<T[]> {
  const all = await Array.fromAsync(typed);
  return all.map(({ data }) => data);
}

/** What the first event of a stream is refused with. */
function refusal(source: string, schema?: StandardSchemaV1): Promise<InvalidDataError> {
  return assertRejects(() => readEvents(source).json(schema).next(), InvalidDataError);
}

// JSON

Deno.test("EventReader.json parses the data of each event and keeps the rest of it", async () => {
  const stream = `retry: 5\n${STREAM}data: [1,\ndata: null]\n\ndata: ""\n\n`;
  assertEquals(await Array.fromAsync(readEvents(stream).json()), [
    { event: "price", data: PRICE, id: "7", retry: 5 },
    { event: "message", data: [1, null], id: "7" },
    { event: "message", data: "", id: "7" },
  ]);
});

Deno.test("EventReader.json leaves the events themselves as they are", async () => {
  const event = message("1");
  const source = [event].values();
  const typed = readJson({ next: () => Promise.resolve(source.next()) }, undefined);
  assertEquals(await Array.fromAsync(typed), [{ event: "message", data: 1, id: "" }]);
  assertEquals(event, message("1"));
});

Deno.test("EventReader.json goes on from where the reader is", async () => {
  const reader = readEvents("data: one\n\nid: 2\ndata: 2\n\ndata: 3\n\n");
  await reader.next();
  assertEquals(await dataOf(reader.json()), [2, 3]);
  assertEquals(reader.lastEventId, "2");
});

Deno.test("EventReader.json takes an event when the next one is asked for", async () => {
  const reader = readEvents("id: 1\ndata: 1\n\nid: 2\ndata: 2\n\n");
  const typed = reader.json();
  assertEquals((await typed.next()).value?.id, "1");
  assertEquals(reader.lastEventId, "");
  await typed.next();
  assertEquals(reader.lastEventId, "1");
});

Deno.test("EventReader.json does not take an event that it refuses", async () => {
  const reader = readEvents("id: 1\ndata: 1\n\nid: 2\ndata: {\n\nid: 3\ndata: 3\n\n");
  await assertRejects(() => Array.fromAsync(reader.json()), InvalidDataError);
  assertEquals(reader.lastEventId, "1");
});

// Schemas

const LIBRARIES: [string, StandardSchemaV1<unknown, { amount: number }>, string][] = [
  ["Zod", z.object({ amount: z.number() }), "Invalid input: expected number, received string"],
  [
    "Valibot",
    v.object({ amount: v.number() }),
    'Invalid type: Expected number but received "12"',
  ],
  ["ArkType", type({ amount: "number" }), "amount must be a number (was a string)"],
];

for (const [library, schema, reason] of LIBRARIES) {
  Deno.test(`EventReader.json checks with a schema of ${library}`, async () => {
    assertEquals(await Array.fromAsync(readEvents(STREAM).json(schema)), [
      { event: "price", data: PRICE, id: "7" },
    ]);
    const error = await refusal(STREAM.replace("12", '"12"'), schema);
    assertEquals(error.issues.map(({ message }) => message), [reason]);
    assertEquals(
      error.message,
      `Cannot accept data: event "price" with id "7": "amount" ${reason}`,
    );
  });

  Deno.test(`EventReader.json chooses by event among schemas of ${library}`, async () => {
    const stream = `event: ping\ndata: no JSON\n\n${STREAM}event: constructor\ndata: 1\n\n`;
    assertEquals(await dataOf(readEvents(stream).json({ price: schema })), [PRICE]);
  });
}

Deno.test("EventReader.json gives what a schema has made of the value", async () => {
  const stream = 'data: {"day":"1970-01-02"}\n\n';
  const Day = z.object({ day: z.string().transform((day) => Date.parse(day)) });
  assertEquals(await dataOf(readEvents(stream).json(Day)), [{ day: 86_400_000 }]);
  const Text = v.pipe(v.object({ day: v.string() }), v.transform(({ day }) => day));
  assertEquals(await dataOf(readEvents(stream).json(Text)), ["1970-01-02"]);
});

Deno.test("EventReader.json waits for schemas that take time", async () => {
  const Even = z.number().refine((value) => Promise.resolve(value % 2 === 0), "Expected even");
  const typed = readEvents("data: 2\n\ndata: 3\n\n").json(Even);
  assertEquals((await typed.next()).value?.data, 2);
  await assertRejects(() => typed.next(), InvalidDataError, '"message": Expected even');
  const Later = v.pipeAsync(v.number(), v.checkAsync((value) => Promise.resolve(value > 1)));
  const large = readEvents("data: 1\n\ndata: 2\n\n").json(Later, { onInvalid: "skip" });
  assertEquals(await dataOf(large), [2]);
});

Deno.test("EventReader.json waits for a promise of any make", async () => {
  // deno-lint-ignore no-explicit-any
  const thenable: any = { then: (done: (result: unknown) => void) => done({ value: 1 }) };
  assertEquals(await dataOf(readEvents("data: 0\n\n").json(schemaOf(() => thenable))), [1]);
});

Deno.test("EventReader.json takes any falsy issues for none", async () => {
  // deno-lint-ignore no-explicit-any
  const untyped: any = { value: 1, issues: null };
  assertEquals(await dataOf(readEvents("data: 0\n\n").json(schemaOf(() => untyped))), [1]);
});

Deno.test("EventReader.json gives the types of a map, each by its schema, and passes over the others", async () => {
  const stream = "event: a\ndata: 1\n\nevent: b\ndata: no JSON\n\ndata: 2\n\n" +
    "event: __proto__\ndata: 3\n\nevent: toString\ndata: 4\n\nevent: c\ndata: 5\n\n";
  const seen: unknown[] = [];
  const schema = (name: string) => schemaOf((value) => ({ value: [name, value] }));
  const schemas = { a: schema("a"), message: schema("message"), c: schema("c") };
  for await (const { event, data } of readEvents(stream).json(schemas)) seen.push([event, data]);
  assertEquals(seen, [["a", ["a", 1]], ["message", ["message", 2]], ["c", ["c", 5]]]);
});

Deno.test("EventReader.json keeps to the map it was given", async () => {
  const schemas: Record<string, StandardSchemaV1<unknown, number>> = { message: number };
  const typed = readEvents("data: 1\n\n").json(schemas);
  delete schemas.message;
  assertEquals(await dataOf(typed), [1]);
});

Deno.test("EventReader.json ends with what a schema throws", async () => {
  for (const fail of [() => Promise.reject(new RangeError("bug")), () => raise("bug")]) {
    const { stream, log } = events("1", "2");
    const typed = readEvents(stream).json(schemaOf(fail), { onInvalid: "skip" });
    await assertRejects(() => typed.next(), RangeError, "bug");
    assertEquals(await typed.next(), { done: true, value: undefined });
    assertEquals(log, { pulls: 1, cancelled: [undefined] });
  }
});

function raise(reason: string): never {
  throw new RangeError(reason);
}

// Invalid data

Deno.test("EventReader.json rejects what is no JSON, cancels the source and is over", async () => {
  const { stream, log } = events("1", "{", "3");
  const typed = readEvents(stream).json();
  assertEquals((await typed.next()).value?.data, 1);
  const error = await assertRejects(() => typed.next(), InvalidDataError);
  assert(error instanceof SseError);
  assert(error.cause instanceof SyntaxError);
  const { code, name, event, issues } = error;
  assertEquals({ code, name, event, issues }, {
    code: "ERR_SSE_INVALID_DATA",
    name: "InvalidDataError",
    event: message("{"),
    issues: [],
  });
  assertEquals(log, { pulls: 2, cancelled: [undefined] });
  assertEquals(await typed.next(), { done: true, value: undefined });
});

Deno.test("EventReader.json rejects what a schema refuses, cancels the source and is over", async () => {
  const { stream, log } = events("1", '"two"', "3");
  const typed = readEvents(stream).json(number);
  assertEquals((await typed.next()).value?.data, 1);
  const error = await assertRejects(() => typed.next(), InvalidDataError);
  assertEquals(error.issues, [{ message: "Expected number" }]);
  assertEquals(error.cause, undefined);
  assertEquals(log, { pulls: 2, cancelled: [undefined] });
  assertEquals(await typed.next(), { done: true, value: undefined });
});

Deno.test("EventReader.json asks no more of a source that has ended or failed, whatever it has", async () => {
  const ends: Promise<IteratorResult<ServerSentEvent, undefined>>[] = [
    Promise.resolve({ done: true, value: undefined }),
    Promise.resolve({ done: false, value: message("{") }),
  ];
  for (const end of ends) {
    const results = [end];
    const next = () => results.pop() ?? Promise.resolve({ done: false, value: message("1") });
    const typed = readJson({ next }, undefined);
    await typed.next().catch(() => {});
    assertEquals(await typed.next(), { done: true, value: undefined });
  }
});

Deno.test("EventReader.json does not let a source that is slow to cancel hold back the error", async () => {
  for (const end of [() => new Promise<never>(() => {}), () => Promise.reject("late")]) {
    const source: AsyncIterator<ServerSentEvent> = {
      next: () => Promise.resolve({ done: false, value: message("{") }),
      return: end,
    };
    await assertRejects(() => readJson(source, undefined).next(), InvalidDataError);
  }
});

Deno.test("EventReader.json ends with the error of a source that cannot be returned", async () => {
  const source = { next: () => Promise.reject(new RangeError("gone")) };
  await assertRejects(() => readJson(source, undefined).next(), RangeError, "gone");
});

Deno.test("EventReader.json drops what is invalid with onInvalid: skip", async () => {
  const { stream, log } = events("1", "[DONE]", '"two"', "3");
  assertEquals(await dataOf(readEvents(stream).json(number, { onInvalid: "skip" })), [1, 3]);
  assertEquals(log.cancelled, []);
});

Deno.test("EventReader.json tells a function of what is invalid, waits for it and goes on", async () => {
  const told: string[] = [];
  const onInvalid: JsonOptions["onInvalid"] = async ({ event, issues, cause }) => {
    told.push(`${event.data} ${issues.length} ${cause instanceof SyntaxError}`);
    await settle();
    told.push("over");
  };
  const seen: unknown[] = [];
  const typed = readEvents(events("1", "{", '"two"', "3").stream).json(number, { onInvalid });
  for await (const { data } of typed) seen.push([data, ...told.splice(0)]);
  assertEquals(seen, [[1], [3, "{ 0 true", "over", '"two" 1 false', "over"]]);
});

Deno.test("EventReader.json ends with what the function throws", async () => {
  for (const onInvalid of [() => Promise.reject(new RangeError("bug")), () => raise("bug")]) {
    const { stream, log } = events("{", "2");
    const typed = readEvents(stream).json(undefined, { onInvalid });
    await assertRejects(() => typed.next(), RangeError, "bug");
    assertEquals(await typed.next(), { done: true, value: undefined });
    assertEquals(log, { pulls: 1, cancelled: [undefined] });
  }
});

// Messages

const NO_JSON: [string, string, string][] = [
  [
    "type, id and data",
    'id: 7\nevent: price\ndata: {"a"\n\n',
    'event "price" with id "7" has data "{\\"a\\""',
  ],
  ["no id where there is none", "data:\n\n", 'event "message" has data ""'],
  ["the data on one line", "data: a\ndata: b\n\n", 'event "message" has data "a\\nb"'],
  [
    "40 units of data",
    `data: ${"x".repeat(40)}\n\n`,
    `event "message" has data "${"x".repeat(40)}"`,
  ],
  ["no more of it", `data: ${"x".repeat(41)}\n\n`, `event "message" has data "${"x".repeat(40)}…"`],
  [
    "no more of type and id",
    `id: ${"i".repeat(41)}\nevent: ${"e".repeat(41)}\ndata:\n\n`,
    `event "${"e".repeat(40)}…" with id "${"i".repeat(40)}…" has data ""`,
  ],
];

for (const [what, source, expected] of NO_JSON) {
  Deno.test(`InvalidDataError of data that is no JSON says ${what}`, async () => {
    const { message, cause } = await refusal(source);
    const reason = `${cause}`.replace("SyntaxError: ", "").replaceAll("\n", " ");
    assertEquals(message, `Cannot parse data as JSON: ${expected}: ${reason}`);
  });
}

const REFUSED: [string, InvalidDataIssue[], string][] = [
  ["the issue", [{ message: "Expected a" }], "Expected a"],
  ["no path where it is empty", [{ message: "Expected a", path: [] }], "Expected a"],
  ["the path", [{ message: "Expected a", path: ["b", 0, { key: "c" }] }], '"b.0.c" Expected a'],
  ["symbols", [{ message: "a", path: [Symbol("s"), { key: Symbol() }] }], '"Symbol(s).Symbol()" a'],
  ["40 units of the path", [{ message: "a", path: ["k".repeat(41)] }], `"${"k".repeat(40)}…" a`],
  ["200 units of the issue", [{ message: "x".repeat(200) }], "x".repeat(200)],
  ["no more of it", [{ message: "x".repeat(201) }], `${"x".repeat(200)}…`],
  ["it on one line", [{ message: "one\r\n\u2028\u2029\u001b[2Jline" }], "one [2Jline"],
  ["how many others there are", [{ message: "a" }, { message: "b" }], "a (and 1 more)"],
  ["that there is none", [], "the schema gave no reason"],
];

for (const [what, issues, expected] of REFUSED) {
  Deno.test(`InvalidDataError of data that a schema refused says ${what}`, async () => {
    const error = await refusal(STREAM, schemaOf(() => ({ issues })));
    assertEquals(error.message, `Cannot accept data: event "price" with id "7": ${expected}`);
    assertStrictEquals(error.issues, issues);
  });
}

// The ways to leave

Deno.test("EventReader.json cancels the source of a loop that is left", async () => {
  for (const leave of ["break", "throw"]) {
    const { stream, log } = events("1", "2", "3");
    const typed = readEvents(stream).json();
    try {
      for await (const _ of typed) {
        if (leave === "break") break;
        throw new RangeError("left");
      }
    } catch (error) {
      assert(error instanceof RangeError);
    }
    assertEquals(log, { pulls: 1, cancelled: [undefined] }, leave);
    assertEquals(await typed.next(), { done: true, value: undefined });
  }
});

Deno.test("EventReader.json cancels a source whose read is pending", async () => {
  const { stream, log } = countedStream([utf8("data: 1\n\n")], "stay open");
  const typed = readEvents(stream).json();
  await typed.next();
  const pending = typed.next();
  await settle();
  assertEquals(log.cancelled, []);
  assertEquals(await typed.return?.(), { done: true, value: undefined });
  assertEquals(log.cancelled, [undefined]);
  assertEquals(await pending, { done: true, value: undefined });
});

Deno.test("EventReader.json cancels a source that was not read yet, and reads nothing before it is asked", async () => {
  const { stream, log } = events("1");
  const typed = readEvents(stream).json();
  await settle();
  assertEquals(log.pulls, 0);
  await typed.return?.();
  assertEquals(log, { pulls: 0, cancelled: [undefined] });
});

Deno.test("EventReader.json can be left where the source cannot be returned", async () => {
  const typed = readJson({ next: () => Promise.resolve({ done: false, value: message("1") }) }, {
    message: number,
  });
  assertEquals((await typed.next()).value.data, 1);
  assertEquals(await typed.return?.(), { done: true, value: undefined });
  assertEquals(await typed.next(), { done: true, value: undefined });
});

Deno.test("EventReader.json gives nothing more once it is left while a schema works", async () => {
  for (const result of [{ value: 1 }, { issues: [{ message: "late" }] }]) {
    const { promise, resolve } = Promise.withResolvers<StandardSchemaResult<number>>();
    const told: unknown[] = [];
    const typed = readEvents(events("1", "2").stream).json(schemaOf(() => promise), {
      onInvalid: (error) => void told.push(error),
    });
    const pending = typed.next();
    await settle();
    await typed.return?.();
    resolve(result);
    assertEquals(await pending, { done: true, value: undefined });
    assertEquals(told, []);
  }
});

Deno.test("EventReader.json ends with the error of its source", async () => {
  const reason = new RangeError("enough");
  const signal = AbortSignal.abort(reason);
  const typed = readEvents(events("1").stream, { signal }).json();
  assertStrictEquals(await assertRejects(() => typed.next(), RangeError), reason);
  assertEquals(await typed.next(), { done: true, value: undefined });
});

// Order and cost

Deno.test("EventReader.json answers calls in the order they were made, whatever is dropped", async () => {
  const slowest = schemaOf<number>(async (value) => {
    if (value === 1) await settle();
    return typeof value === "number" ? { value } : { issues: [] };
  });
  const typed = readEvents('data: ""\n\ndata: 1\n\ndata: ""\n\ndata: 2\n\ndata: 3\n\n')
    .json(slowest, { onInvalid: "skip" });
  const results = await Promise.all([typed.next(), typed.next(), typed.next(), typed.next()]);
  assertEquals(results.map(({ value }) => value?.data), [1, 2, 3, undefined]);
  assertEquals(results.map(({ done }) => done ?? false), [false, false, false, true]);
});

Deno.test("EventReader.json asks for one event for each call", async () => {
  let asked = 0;
  const typed = readJson({
    next: () => Promise.resolve({ done: false, value: message(`${asked++}`) }),
  }, undefined);
  const results = await Promise.all([typed.next(), typed.next()]);
  assertEquals(results.map(({ value }) => value.data), [0, 1]);
  assertEquals(asked, 2);
});

Deno.test("EventReader.json gives an event that is there within three turns", async () => {
  const typed = readEvents("data: 1\n\ndata: 2\n\ndata: 3\n\n").json(number);
  await typed.next();
  let answered = false;
  typed.next().then(() => answered = true);
  for (let turn = 0; turn < 3; turn++) await Promise.resolve();
  assert(answered);
});

// A promise for each of them, waiting for the next, would all be held until the last has settled.
Deno.test("EventReader.json passes over a thousand events without a promise that waits for each", async () => {
  let left = 1_000;
  const source = {
    next: (): Promise<IteratorResult<ServerSentEvent>> =>
      Promise.resolve(
        left-- > 0 ? { done: false, value: message("1") } : { done: true, value: undefined },
      ),
  };
  let answered = false;
  readJson(source, { other: number }).next().then(() => answered = true);
  while (left >= 0) await Promise.resolve();
  for (let turn = 0; turn < 3; turn++) await Promise.resolve();
  assert(answered);
});

// A caller's mistakes

for (
  const [what, schema, found] of [
    ["null", null, "null"],
    ["a string", "price", "string"],
    ["a map of nothing", {}, "object"],
    ["an array", [number], "object"],
    ["a Map", new Map([["price", number]]), "object"],
    ["a function", () => true, "function"],
  ] as [string, unknown, string][]
) {
  Deno.test(`EventReader.json refuses ${what} for a schema at once`, () => {
    const error = assertThrows(() => readJson(readEvents(STREAM), schema), TypeError);
    assertEquals(
      error.message,
      `Cannot read events as JSON: "schema" must be a Standard Schema or an object of at least one by event type: received ${found}`,
    );
  });
}

Deno.test("EventReader.json refuses a map with what is no schema at once", () => {
  const halves = [null, undefined, "zod", {}, { version: 1 }, { validate: true }]
    .map((half) => ({ "~standard": half }));
  for (const each of [undefined, null, "skip", {}, () => true, ...halves]) {
    assertThrows(
      () => readJson(readEvents(STREAM), { price: number, trade: each }),
      TypeError,
      `Cannot read events as JSON: the schema of "trade" must be a Standard Schema: received ${
        each === null ? "null" : typeof each
      }`,
    );
  }
});

Deno.test("EventReader.json refuses an unknown onInvalid at once", () => {
  for (const onInvalid of ["ignore", null, 1]) {
    assertThrows(
      // deno-lint-ignore no-explicit-any
      () => readEvents(STREAM).json(undefined, { onInvalid } as any),
      TypeError,
      `Cannot read events as JSON: "onInvalid" must be "throw", "skip" or a function: received ${
        JSON.stringify(onInvalid)
      }`,
    );
  }
});
