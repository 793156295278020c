/** {@linkcode MemoryEventLog}: what it holds, what it lets go, and whom it calls when. */

import FakeTimers from "@sinonjs/fake-timers";
import {
  assert,
  assertEquals,
  AssertionError,
  assertMatch,
  assertNotEquals,
  assertRejects,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import fc from "fast-check";
import type { ServerSentEventInit } from "../../encode.ts";
import { type LogGap, LogGapError, type LogGapReason } from "../../errors.ts";
import { type EventId, formatEventId, type LoggedEvent, parseEventId } from "../../server/log.ts";
import { MemoryEventLog, type MemoryEventLogOptions } from "../../server/memory_log.ts";
import { property, uncaught } from "../helpers.ts";

/** The data of what is held after an id. */
async function read(log: MemoryEventLog, topic: string, after = ""): Promise<string[]> {
  const events = await Array.fromAsync(log.read(topic, { after }));
  return events.map(({ data }) => data ?? "");
}

/** The gap that a reading tells of at its first event. */
async function gap(log: MemoryEventLog, topic: string, after = ""): Promise<LogGap> {
  return (await assertRejects(() => read(log, topic, after), LogGapError)).gap;
}

/** The data of what is held, whatever is gone. */
async function held(log: MemoryEventLog, topic: string): Promise<string[]> {
  try {
    return await read(log, topic);
  } catch (error) {
    if (!(error instanceof LogGapError)) throw error;
    const { epoch, seq } = place(error.gap.first);
    return await read(log, topic, formatEventId({ epoch, seq: seq - 1 }));
  }
}

function place(id: string): EventId {
  const place = parseEventId(id);
  if (place === undefined) throw new AssertionError(`${id} is no id`);
  return place;
}

/** Appends events with these data, one after the other. */
async function fill(log: MemoryEventLog, topic: string, ...data: string[]): Promise<string[]> {
  const ids: string[] = [];
  for (const each of data) ids.push(await log.append(topic, { data: each }));
  return ids;
}

/** Somebody who follows a topic. */
interface Follower {
  id: string;
  data: string[];
  stop(): void;
}

async function follow(
  log: MemoryEventLog,
  topic: string,
  onEvent: (event: LoggedEvent) => void = () => {},
): Promise<Follower> {
  const abort = new AbortController();
  const data: string[] = [];
  const id = await log.follow(topic, {
    signal: abort.signal,
    onEvent(event) {
      data.push(event.data ?? "");
      onEvent(event);
    },
  });
  return { id, data, stop: () => abort.abort() };
}

/** Runs under a clock that the test sets. */
async function withClock(run: (clock: FakeTimers.Clock) => Promise<void>): Promise<void> {
  const clock = FakeTimers.install({ toFake: ["performance"] });
  try {
    await run(clock);
  } finally {
    clock.uninstall();
  }
}

// Options

for (const name of ["maxEvents", "maxBytes", "maxAge", "maxTopics"] as const) {
  Deno.test(`MemoryEventLogOptions.${name} is a number from 1 up`, () => {
    for (const value of [0, 0.5, -1, NaN, -Infinity, "10", null, false, 10n, {}]) {
      const options = { [name]: value } as MemoryEventLogOptions;
      const error = assertThrows(() => new MemoryEventLog(options), RangeError);
      const shown = typeof value === "string" ? `"${value}"` : `${value}`;
      assertEquals(
        error.message,
        `Cannot make event log: "${name}" must be a number from 1 up: received ${shown}`,
      );
    }
    for (const value of [1, 1.5, Infinity, undefined]) new MemoryEventLog({ [name]: value });
  });
}

Deno.test("MemoryEventLog asks for no random number before it is used", async () => {
  let asked = 0;
  Object.assign(crypto, {
    getRandomValues(array: Uint8Array) {
      asked++;
      return array;
    },
  });
  try {
    await using log = new MemoryEventLog();
    assertEquals(asked, 0);
    await log.append("a", { data: "1" });
    await log.append("b", { data: "1" });
    assertEquals(asked, 1);
  } finally {
    Reflect.deleteProperty(crypto, "getRandomValues");
  }
});

// Retention

Deno.test("MemoryEventLogOptions.maxEvents bounds the events of each topic", async () => {
  await using log = new MemoryEventLog({ maxEvents: 3 });
  const ids = await fill(log, "a", "1", "2", "3", "4", "5");
  await fill(log, "b", "1");
  assertEquals(await held(log, "a"), ["3", "4", "5"]);
  assertEquals(await gap(log, "a", ids[0]), { asked: ids[0], first: ids[2], reason: "trimmed" });
  assertEquals(await read(log, "a", ids[1]), ["3", "4", "5"]);
  assertEquals(await held(log, "b"), ["1"]);
});

Deno.test("MemoryEventLogOptions.maxEvents is 1,000 by default", async () => {
  await using log = new MemoryEventLog();
  const ids = await fill(log, "a", ...Array.from({ length: 1_001 }, (_, n) => `${n + 1}`));
  assertEquals((await read(log, "a", ids[0])).length, 1_000);
  assertEquals((await gap(log, "a")).reason, "trimmed");
});

Deno.test("MemoryEventLogOptions.maxBytes bounds what the events of each topic take", async () => {
  // "data: 1234\n\n" has 12 code units.
  await using log = new MemoryEventLog({ maxBytes: 3 * 24 });
  await fill(log, "a", "1234", "2234", "3234");
  assertEquals(await held(log, "a"), ["1234", "2234", "3234"]);
  await fill(log, "a", "4234");
  assertEquals(await held(log, "a"), ["2234", "3234", "4234"]);
  // One more code unit than fits beside two others.
  await fill(log, "a", "52345");
  assertEquals(await held(log, "a"), ["4234", "52345"]);
  await fill(log, "a", "6", "7");
  assertEquals(await held(log, "a"), ["52345", "6", "7"]);
});

Deno.test("MemoryEventLogOptions.maxBytes counts senders and keys", async () => {
  for (const name of ["sender", "idempotencyKey"]) {
    await using log = new MemoryEventLog({ maxBytes: 2 * (12 + 20) });
    await log.append("a", { data: "1234" });
    await log.append("a", { data: "2234" }, { [name]: "12345678" });
    assertEquals(await held(log, "a"), ["1234", "2234"]);
    await log.append("a", { data: "3234" }, { [name]: "87654321" });
    assertEquals(await held(log, "a"), ["3234"]);
  }
});

Deno.test("MemoryEventLogOptions.maxBytes counts two for each UTF-16 code unit that is sent", async () => {
  const event: ServerSentEventInit = { event: "é", data: "😀\n", retry: 1, comment: "c" };
  // ": c\n" + "event: é\n" + "retry: 1\n" + "data: 😀\n" + "data: \n" + "\n"
  const units = 4 + 9 + 9 + 9 + 7 + 1;
  for (const [maxBytes, count] of [[4 * units, 2], [4 * units - 1, 1]]) {
    await using log = new MemoryEventLog({ maxBytes });
    await log.append("a", event);
    await log.append("a", event);
    assertEquals((await held(log, "a")).length, count);
  }
});

Deno.test("MemoryEventLog holds the newest event however large it is", async () => {
  await using log = new MemoryEventLog({ maxBytes: 100 });
  const ids = await fill(log, "a", "1", "x".repeat(1_000));
  assertEquals((await read(log, "a", ids[0])).map(({ length }) => length), [1_000]);
  await fill(log, "a", "3");
  assertEquals(await held(log, "a"), ["3"]);
});

Deno.test("MemoryEventLogOptions.maxAge bounds how long an event is held", async () => {
  await withClock(async (clock) => {
    await using log = new MemoryEventLog({ maxAge: 1_000 });
    const ids = await fill(log, "a", "1");
    clock.tick(600);
    ids.push(...await fill(log, "a", "2"));
    clock.tick(400);
    assertEquals(await read(log, "a"), ["1", "2"]);
    clock.tick(1);
    assertEquals(await held(log, "a"), ["2"]);
    assertEquals(await gap(log, "a"), { asked: "", first: ids[1], reason: "trimmed" });
    clock.tick(600);
    // None is held: the first is the one that comes next.
    const first = formatEventId({ epoch: place(ids[0]).epoch, seq: 3 });
    assertEquals(await gap(log, "a", ids[0]), { asked: ids[0], first, reason: "trimmed" });
    assertEquals(await read(log, "a", ids[1]), []);
    assertEquals(await fill(log, "a", "3"), [first]);
    assertEquals(await held(log, "a"), ["3"]);
  });
});

Deno.test("MemoryEventLogOptions.maxAge is looked at with each event that is read", async () => {
  await withClock(async (clock) => {
    await using log = new MemoryEventLog({ maxAge: 1_000 });
    const [first] = await fill(log, "a", "1", "2");
    clock.tick(500);
    const [third] = await fill(log, "a", "3");
    const reader = log.read("a", { after: "" })[Symbol.asyncIterator]();
    assertEquals((await reader.next()).value?.data, "1");
    clock.tick(501);
    const error = await assertRejects(() => reader.next(), LogGapError);
    assertEquals(error.gap, { asked: first, first: third, reason: "trimmed" });
    assertEquals(await reader.next(), { done: true, value: undefined });
  });
});

Deno.test("MemoryEventLogOptions.maxAge goes by a clock that nobody sets", async () => {
  const clock = FakeTimers.install({ toFake: ["Date"] });
  try {
    await using log = new MemoryEventLog({ maxAge: 60_000 });
    await fill(log, "a", "1");
    clock.setSystemTime(Date.now() + 1_000_000);
    assertEquals(await read(log, "a"), ["1"]);
  } finally {
    clock.uninstall();
  }
});

Deno.test("MemoryEventLog finds any event of thousands, after any number of them was trimmed", async () => {
  await using log = new MemoryEventLog({ maxEvents: 1_000 });
  const ids: string[] = [];
  for (let n = 1; n <= 3_500; n++) {
    ids.push(await log.append("a", { data: `${n}` }));
    if (n % 350 !== 0) continue;
    for (const seq of [Math.max(1, n - 999), Math.max(1, n - 500), n]) {
      const after = formatEventId({ epoch: place(ids[0]).epoch, seq: seq - 1 });
      const [event] = await Array.fromAsync(log.read("a", { after, until: ids[seq - 1] }));
      assertEquals([event.id, event.data], [ids[seq - 1], `${seq}`]);
    }
  }
});

// Topics

Deno.test("MemoryEventLogOptions.maxTopics drops the topic whose last event is the longest ago", async () => {
  await using log = new MemoryEventLog({ maxTopics: 3 });
  for (const topic of ["a", "b", "c", "a", "d"]) await fill(log, topic, topic);
  const { signal } = new AbortController();
  assertEquals(await log.topics({ signal, onTopic: () => {} }), ["a", "c", "d"]);
  for (const topic of ["e", "f", "g", "h"]) await fill(log, topic, topic);
  assertEquals(await log.topics({ signal, onTopic: () => {} }), ["f", "g", "h"]);
});

Deno.test("MemoryEventLogOptions.maxTopics is 10,000 by default", async () => {
  await using log = new MemoryEventLog();
  for (let n = 0; n <= 10_000; n++) await log.append(`${n}`, { data: "1" });
  const { signal } = new AbortController();
  const topics = await log.topics({ signal, onTopic: () => {} });
  assertEquals([topics.length, topics[0], topics.at(-1)], [10_000, "1", "10000"]);
});

Deno.test("MemoryEventLog gives a topic that was dropped another epoch, and tells of the gap", async () => {
  await using log = new MemoryEventLog({ maxTopics: 1 });
  const seen = new Set<string>();
  for (let n = 0; n < 50; n++) {
    const ids = await fill(log, "a", "1", "2");
    for (const id of ids) assert(!seen.has(id), "no id is given twice");
    for (const id of ids) seen.add(id);
    assertEquals(ids.map((id) => place(id).seq), [1, 2]);
    await fill(log, "b", "1");
    // Gone for now: its next event is the first of another epoch.
    const { first, ...rest } = await gap(log, "a", ids[0]);
    assertEquals(rest, { asked: ids[0], reason: "epoch" });
    assertEquals(place(first).seq, 1);
    assertNotEquals(place(first).epoch, place(ids[0]).epoch);
    assertEquals(await gap(log, "a", ids[1]), { asked: ids[1], first, reason: "epoch" });
    assertEquals(await read(log, "a"), []);
  }
  const [first] = await fill(log, "a", "1");
  for (const asked of seen) {
    assertEquals(await gap(log, "a", asked), { asked, first, reason: "epoch" });
  }
});

Deno.test("MemoryEventLog keeps the epoch of topics that are not dropped", async () => {
  await using log = new MemoryEventLog({ maxTopics: 2 });
  const [id] = await fill(log, "a", "1");
  for (const topic of ["b", "a", "c", "a", "d", "a"]) await fill(log, topic, "2");
  assertEquals(await read(log, "a", id), ["2", "2", "2"]);
});

Deno.test("MemoryEventLog tells a reader that is in a topic that was dropped of the gap", async () => {
  for (const again of [false, true]) {
    await using log = new MemoryEventLog({ maxTopics: 1 });
    const [id] = await fill(log, "a", "1", "2");
    const reader = log.read("a", { after: "" })[Symbol.asyncIterator]();
    assertEquals((await reader.next()).value?.id, id);
    await fill(log, "b", "1");
    if (again) await fill(log, "a", "3");
    const error = await assertRejects(() => reader.next(), LogGapError);
    assertEquals([error.gap.asked, error.gap.reason], [id, "epoch"]);
    assertEquals(await fill(log, "a", "4"), [again ? next(error.gap.first) : error.gap.first]);
  }
});

function next(id: string): string {
  const { epoch, seq } = place(id);
  return formatEventId({ epoch, seq: seq + 1 });
}

Deno.test("MemoryEventLog drops no topic that is followed", async () => {
  await using log = new MemoryEventLog({ maxTopics: 2 });
  const followers: Follower[] = [];
  for (const topic of ["a", "b", "c", "d"]) {
    await fill(log, topic, "1");
    followers.push(await follow(log, topic), await follow(log, topic));
  }
  for (const topic of ["x", "y", "z"]) await fill(log, topic, "1");
  for (const topic of ["a", "b", "c", "d"]) assertEquals(await read(log, topic), ["1"]);
  // One of two has left.
  for (const { stop } of followers.splice(0, 1)) stop();
  for (const topic of ["x", "y", "z"]) await fill(log, topic, "1");
  assertEquals(await read(log, "a"), ["1"]);
  // Who has left may come back soon: its topic was used just now.
  for (const { stop } of followers.splice(0, 1)) stop();
  const { signal } = new AbortController();
  const topics = () => log.topics({ signal, onTopic: () => {} });
  assertEquals((await topics()).sort(), ["a", "b", "c", "d", "z"]);
  await fill(log, "x", "1");
  assertEquals((await topics()).sort(), ["a", "b", "c", "d", "x"]);
  await fill(log, "y", "1");
  assertEquals((await topics()).sort(), ["b", "c", "d", "x", "y"]);
});

Deno.test("MemoryEventLog holds nothing of a topic without events that nobody follows", async () => {
  await using log = new MemoryEventLog({ maxTopics: 1 });
  const { id, stop } = await follow(log, "a");
  const other = await follow(log, "b");
  for (const topic of ["c", "d"]) await fill(log, topic, "1");
  stop();
  assertNotEquals((await follow(log, "a")).id, id);
  // It had no events, so that there was nothing to drop.
  assertEquals(await read(log, "d"), ["1"]);
  // What is followed stays.
  assertEquals((await follow(log, "b")).id, other.id);
});

Deno.test("MemoryEventLog.topics tells of a topic once, and again when it was empty", async () => {
  await withClock(async (clock) => {
    await using log = new MemoryEventLog({ maxAge: 1_000 });
    await fill(log, "a", "1");
    const told: string[] = [];
    const { signal } = new AbortController();
    const onTopic = (topic: string) => void told.push(topic);
    assertEquals(await log.topics({ signal, onTopic }), ["a"]);
    for (const topic of ["a", "b", "b"]) await fill(log, topic, "2");
    assertEquals(told, ["b"]);
    clock.tick(1_001);
    assertEquals(await log.topics({ signal, onTopic: () => {} }), []);
    for (const topic of ["b", "b"]) await fill(log, topic, "3");
    assertEquals(told, ["b", "b"]);
  });
});

Deno.test("MemoryEventLog.topics tells before the first event is followed, and in time to follow it", async () => {
  await using log = new MemoryEventLog();
  const order: string[] = [];
  const { signal } = new AbortController();
  const followed: Promise<string>[] = [];
  await follow(log, "a", ({ data }) => order.push(`event ${data}`));
  await log.topics({
    signal,
    onTopic(topic) {
      order.push(`topic ${topic}`);
      const onEvent = ({ data }: LoggedEvent) => void order.push(`late ${data}`);
      followed.push(log.follow(topic, { signal, onEvent }));
    },
  });
  const ids = await fill(log, "a", "1", "2");
  assertEquals(order, ["topic a", "event 1", "late 1", "event 2", "late 2"]);
  assertEquals(await Promise.all(followed), [`${place(ids[0]).epoch}.0`]);
});

// Append

Deno.test("MemoryEventLog.append takes a frozen copy of what an event may have", async () => {
  await using log = new MemoryEventLog();
  const event = { data: "1", event: undefined, more: "2", toJSON: () => "3" };
  const id = await log.append("a", event);
  event.data = "changed";
  const [read] = await Array.fromAsync(log.read("a", { after: "" }));
  assertEquals(Object.entries(read), [["id", id], ["data", "1"]]);
  assert(Object.isFrozen(read));
  const all = { comment: "c", event: "e", retry: 0, data: "" };
  await log.append("a", all, { sender: "s" });
  const [, whole] = await Array.fromAsync(log.read("a", { after: "" }));
  assertEquals({ ...whole, id: "" }, { ...all, sender: "s", id: "" });
});

Deno.test("MemoryEventLog.append refuses what is no event, and what it would have to hold", async () => {
  await using log = new MemoryEventLog();
  const cases: [unknown, unknown, ErrorConstructor, string][] = [
    [{ data: "1", id: "7" }, {}, TypeError, 'the log gives the id, leave it out: received "7"'],
    [{ data: 1 }, {}, TypeError, '"data" must be a string: received 1'],
    [{ event: "a\nb" }, {}, TypeError, '"event" must not contain a line break'],
    [{ retry: -1 }, {}, RangeError, '"retry" must be an integer'],
    ["1", {}, TypeError, "it must be an object"],
    [{ data: "1" }, { sender: 1 }, TypeError, '"sender" must be a string: received 1'],
    [{}, { idempotencyKey: {} }, TypeError, '"idempotencyKey" must be a string'],
  ];
  const follower = await follow(log, "a");
  for (const [event, options, type, message] of cases) {
    const append = () => log.append("a", event as ServerSentEventInit, options as never);
    await assertRejects(append, type, message);
  }
  assertEquals(await read(log, "a"), []);
  assertEquals(place((await fill(log, "a", "1"))[0]).seq, 1);
  assertEquals(follower.data, ["1"]);
});

Deno.test("MemoryEventLog.append forgets a key with its event", async () => {
  await withClock(async (clock) => {
    await using log = new MemoryEventLog({ maxEvents: 3, maxAge: 1_000 });
    const append = (data: string, idempotencyKey: string) =>
      log.append("a", { data }, { idempotencyKey });
    const first = await append("1", "k");
    assertEquals(await append("2", "k"), first);
    await append("3", "l");
    await append("4", "");
    assertEquals(await append("5", "k"), first);
    assertEquals(await held(log, "a"), ["1", "3", "4"]);
    await append("6", "m");
    assertEquals(place(await append("7", "k")).seq, 5);
    assertEquals(await held(log, "a"), ["4", "6", "7"]);
    clock.tick(1_001);
    assertEquals(place(await append("8", "k")).seq, 6);
  });
});

Deno.test("MemoryEventLog.append calls followers before it returns", async () => {
  await using log = new MemoryEventLog();
  const events: LoggedEvent[] = [];
  const [a, b] = [await follow(log, "a", (event) => events.push(event)), await follow(log, "a")];
  const appended = log.append("a", { data: "1" });
  assertEquals([a.data, b.data], [["1"], ["1"]]);
  assertEquals(events[0].id, await appended);
  const [read] = await Array.fromAsync(log.read("a", { after: "" }));
  assertStrictEquals(read, events[0]);
});

Deno.test("MemoryEventLog.append calls all followers, also when one throws", async () => {
  await using log = new MemoryEventLog();
  const { signal } = new AbortController();
  const fail = () => {
    throw new Error("Mine");
  };
  await log.topics({ signal, onTopic: fail });
  await follow(log, "a", fail);
  const other = await follow(log, "a");
  const errors = await uncaught(() => fill(log, "a", "1", "2"));
  assertEquals(other.data, ["1", "2"]);
  assertEquals(errors.map((error) => `${error}`), ["Error: Mine", "Error: Mine", "Error: Mine"]);
});

Deno.test("MemoryEventLog.append in a follower keeps the order of events for all", async () => {
  await using log = new MemoryEventLog({ maxEvents: 1 });
  const before = await follow(log, "a");
  const appended: Promise<string>[] = [];
  await follow(log, "a", ({ data }) => {
    if (data === "1") { for (const data of ["2", "3"]) appended.push(log.append("a", { data })); }
    if (data === "3") appended.push(log.append("a", { data: "4" }));
  });
  const after = await follow(log, "a");
  const first = await log.append("a", { data: "1" });
  assertEquals(before.data, ["1", "2", "3", "4"]);
  assertEquals(after.data, ["1", "2", "3", "4"]);
  const ids = [first, ...await Promise.all(appended)];
  assertEquals(ids.map((id) => place(id).seq), [1, 2, 3, 4]);
});

// Follow

Deno.test("MemoryEventLog.follow gives what is appended before it has resolved", async () => {
  await using log = new MemoryEventLog();
  await fill(log, "a", "1");
  const data: (string | undefined)[] = [];
  const { signal } = new AbortController();
  const followed = log.follow("a", { signal, onEvent: (event) => void data.push(event.data) });
  log.append("a", { data: "2" });
  assertEquals(place(await followed).seq, 1);
  assertEquals(data, ["2"]);
});

Deno.test("MemoryEventLog.follow in a follower begins after the event at hand", async () => {
  await using log = new MemoryEventLog();
  const late: Promise<Follower>[] = [];
  await follow(log, "a", ({ data }) => {
    if (data !== "1") return;
    late.push(follow(log, "a"));
    log.append("a", { data: "2" });
    // The one that was appended just now has not gone to all.
    late.push(follow(log, "a"));
  });
  const [first] = await fill(log, "a", "1");
  for (const { id, data } of await Promise.all(late)) assertEquals([id, data], [first, ["2"]]);
});

Deno.test("MemoryEventLog.follow calls nobody whose signal was aborted in a call before", async () => {
  await using log = new MemoryEventLog();
  const [first, second]: Follower[] = [
    await follow(log, "a", () => [first, second].forEach(({ stop }) => stop())),
    await follow(log, "a"),
  ];
  const third = await follow(log, "a");
  await fill(log, "a", "1", "2");
  assertEquals([first.data, second.data, third.data], [["1"], [], ["1", "2"]]);
});

Deno.test("MemoryEventLog calls nobody whose signal was aborted, also before it was told", async () => {
  await using log = new MemoryEventLog();
  const abort = new AbortController();
  const { signal } = abort;
  const called: unknown[] = [];
  // Its listener runs before those of the log.
  signal.addEventListener("abort", () => void log.append("a", { data: "1" }));
  await log.follow("a", { signal, onEvent: (event) => void called.push(event) });
  await log.topics({ signal, onTopic: (topic) => void called.push(topic) });
  abort.abort();
  assertEquals(await read(log, "a"), ["1"]);
  assertEquals(called, []);
});

Deno.test("MemoryEventLog.follow and topics reject with the reason of a signal that was aborted", async () => {
  await using log = new MemoryEventLog({ maxTopics: 1 });
  const reason = new Error("Gone");
  const signal = AbortSignal.abort(reason);
  const called: unknown[] = [];
  const calls = [
    log.follow("a", { signal, onEvent: (event) => void called.push(event) }),
    log.topics({ signal, onTopic: (topic) => void called.push(topic) }),
  ];
  for (const call of calls) assertStrictEquals(await assertRejects(() => call), reason);
  await fill(log, "a", "1");
  assertEquals(called, []);
});

/** A signal whose listeners are counted. */
function countedSignal(): { signal: AbortSignal; abort: AbortController; listeners: () => number } {
  const abort = new AbortController();
  const { signal } = abort;
  let count = 0;
  const { addEventListener, removeEventListener } = signal;
  Object.assign(signal, {
    addEventListener(...args: Parameters<typeof addEventListener>) {
      count++;
      addEventListener.apply(signal, args);
    },
    removeEventListener(...args: Parameters<typeof removeEventListener>) {
      count--;
      removeEventListener.apply(signal, args);
    },
  });
  return { signal, abort, listeners: () => count };
}

Deno.test("MemoryEventLog listens to a signal no longer than it follows or watches", async () => {
  for (const end of ["abort", "close"]) {
    await using log = new MemoryEventLog();
    const { signal, abort, listeners } = countedSignal();
    await log.follow("a", { signal, onEvent: () => {} });
    await log.follow("b", { signal, onEvent: () => {} });
    await log.topics({ signal, onTopic: () => {} });
    await Array.fromAsync(log.read("a", { after: "", signal }));
    assertEquals(listeners(), 3);
    if (end === "abort") abort.abort();
    else await log.close();
    assertEquals(listeners(), 0);
    // What has ended is not ended again.
    await log.close();
    abort.abort();
    assertEquals(listeners(), 0);
  }
});

// Read

Deno.test("MemoryEventLog.read begins when its first event is asked for", async () => {
  await using log = new MemoryEventLog();
  const events = log.read("a", { after: "" });
  await fill(log, "a", "1");
  const reader = events[Symbol.asyncIterator]();
  await fill(log, "a", "2");
  const results = [reader.next(), reader.next(), reader.next()];
  await fill(log, "a", "3");
  const values = (await Promise.all(results)).map(({ value }) => value?.data);
  assertEquals(values, ["1", "2", undefined]);
  // What can be read can be read again, from its start.
  assertEquals((await Array.fromAsync(events)).length, 3);
});

Deno.test("MemoryEventLog.read refuses an end that is no id of the epoch", async () => {
  await using log = new MemoryEventLog();
  const [id] = await fill(log, "a", "1");
  for (const until of ["", "1", "other.1"]) {
    const reader = log.read("a", { after: "", until })[Symbol.asyncIterator]();
    const { epoch } = place(id);
    const message = `"until" must be an id of the epoch "${epoch}": received "${until}"`;
    await assertRejects(() => reader.next(), TypeError, message);
    assertEquals(await reader.next(), { done: true, value: undefined });
  }
});

Deno.test("MemoryEventLog.read tells of no gap where nothing is asked for", async () => {
  await using log = new MemoryEventLog({ maxEvents: 1 });
  const ids = await fill(log, "a", "1", "2", "3", "4");
  for (const [after, until] of [[1, 1], [1, 0], [3, 3]]) {
    const options = { after: ids[after], until: ids[until] };
    assertEquals(await Array.fromAsync(log.read("a", options)), []);
  }
  const until = formatEventId({ epoch: place(ids[0]).epoch, seq: 100 });
  assertEquals((await Array.fromAsync(log.read("a", { after: ids[2], until }))).length, 1);
});

// Close

Deno.test("MemoryEventLog.close cuts readings with an error, and may be called again", async () => {
  const log = new MemoryEventLog();
  await fill(log, "a", "1", "2");
  const reader = log.read("a", { after: "" })[Symbol.asyncIterator]();
  await reader.next();
  await log.close();
  await assertRejects(() => reader.next(), TypeError, "Cannot read events: the log is closed");
  assertEquals(await reader.next(), { done: true, value: undefined });
  await log.close();
  await log[Symbol.asyncDispose]();
});

Deno.test("MemoryEventLog.close in a follower ends all of them", async () => {
  await using log = new MemoryEventLog();
  const first = await follow(log, "a", () => void log.close());
  const second = await follow(log, "a");
  const appended = log.append("a", { data: "1" });
  assertEquals([first.data, second.data], [["1"], []]);
  assertMatch(await appended, /\.1$/);
  await assertRejects(() => log.append("a", { data: "2" }), TypeError, "Cannot append event");
  const { signal } = new AbortController();
  await assertRejects(() => follow(log, "a"), TypeError, "Cannot follow topic");
  await assertRejects(
    () => log.topics({ signal, onTopic: () => {} }),
    TypeError,
    "Cannot watch topics",
  );
});

// Against a model

/** What a log does, plainly and slowly: lists of all that there ever was. Epochs are numbers. */
class Model {
  readonly #options: Required<MemoryEventLogOptions>;
  /** In the order in which they were used. */
  #topics: ModelTopic[] = [];
  #epoch = 0;
  #time = 0;

  constructor(options: Required<MemoryEventLogOptions>) {
    this.#options = options;
  }

  /** The topics that hold events. */
  get topics(): string[] {
    return this.#topics.filter((topic) => this.#held(topic).length > 0).map(({ name }) => name);
  }

  topic(name: string): ModelTopic {
    const found = this.#topics.find((topic) => topic.name === name);
    return found ?? { name, epoch: this.#epoch, all: [], trimmed: 0, followed: undefined };
  }

  append(name: string, data: string, key: string | undefined): ModelPlace {
    const topic = this.topic(name);
    const known = this.#held(topic).find((event) => key !== undefined && event.key === key);
    if (known !== undefined) return { epoch: topic.epoch, seq: known.seq };
    const seq = topic.all.length + 1;
    topic.all.push({ seq, data, key, time: this.#time });
    topic.followed?.push(data);
    this.#held(topic);
    this.#use(topic);
    return { epoch: topic.epoch, seq };
  }

  read(name: string, after: ModelPlace | undefined): ModelGap | string[] {
    const topic = this.topic(name);
    const held = this.#held(topic);
    const first = { epoch: topic.epoch, seq: topic.trimmed + 1 };
    const { epoch, seq } = after ?? { epoch: topic.epoch, seq: 0 };
    if (epoch !== topic.epoch) return { first, reason: "epoch" };
    if (seq > topic.all.length) return { first, reason: "unknown" };
    if (seq < topic.trimmed) return { first, reason: "trimmed" };
    return held.filter((event) => event.seq > seq).map(({ data }) => data);
  }

  follow(name: string): ModelPlace {
    const topic = this.topic(name);
    topic.followed = [];
    this.#use(topic);
    return { epoch: topic.epoch, seq: topic.all.length };
  }

  leave(name: string): void {
    const topic = this.topic(name);
    topic.followed = undefined;
    if (topic.all.length > 0) this.#use(topic);
    else this.#topics = this.#topics.filter((each) => each !== topic);
  }

  wait(ms: number): void {
    this.#time += ms;
  }

  #held(topic: ModelTopic): ModelEvent[] {
    const { maxEvents, maxBytes, maxAge } = this.#options;
    for (;;) {
      const held = topic.all.slice(topic.trimmed);
      if (held.length === 0) return held;
      const text = held.map(({ data, key = "" }) => `data: ${data}\n\n${key}`).join("");
      const isOver = held.length > maxEvents || 2 * text.length > maxBytes;
      const isOld = this.#time - held[0].time > maxAge;
      if (!isOld && !(isOver && held.length > 1)) return held;
      topic.trimmed++;
    }
  }

  #use(topic: ModelTopic): void {
    this.#topics = [...this.#topics.filter((each) => each !== topic), topic];
    const idle = this.#topics.filter(({ followed }) => followed === undefined);
    if (idle.length <= this.#options.maxTopics) return;
    this.#topics = this.#topics.filter((each) => each !== idle[0]);
    if (idle[0].epoch === this.#epoch) this.#epoch++;
  }
}

interface ModelEvent {
  seq: number;
  data: string;
  key: string | undefined;
  time: number;
}

interface ModelTopic {
  name: string;
  epoch: number;
  all: ModelEvent[];
  /** How many of them are gone. */
  trimmed: number;
  /** What its follower was given; `undefined` if there is none. */
  followed: string[] | undefined;
}

interface ModelPlace {
  epoch: number;
  seq: number;
}

interface ModelGap {
  first: ModelPlace;
  reason: LogGapReason;
}

type Step =
  | { do: "append"; topic: string; size: number; key: string | undefined }
  | { do: "read"; topic: string; which: number; ahead: number }
  | { do: "wait"; ms: number }
  | { do: "follow" | "leave"; topic: string };

const topic = fc.constantFrom("a", "b", "c", "d", "e");

const append: fc.Arbitrary<Step> = fc.record({
  do: fc.constant("append"),
  topic,
  size: fc.nat(40),
  key: fc.constantFrom(undefined, undefined, "", "k", "lm"),
});

const reading: fc.Arbitrary<Step> = fc.record({
  do: fc.constant("read"),
  topic,
  which: fc.nat(),
  ahead: fc.constantFrom(0, 0, 1),
});

const waiting: fc.Arbitrary<Step> = fc.record({ do: fc.constant("wait"), ms: fc.nat(700) });

const following: fc.Arbitrary<Step> = fc.record({
  do: fc.constantFrom("follow", "leave"),
  topic,
});

const steps = fc.array(
  fc.oneof({ arbitrary: append, weight: 5 }, { arbitrary: reading, weight: 3 }, waiting, following),
  { maxLength: 150, size: "max" },
);

const bounds: fc.Arbitrary<Required<MemoryEventLogOptions>> = fc.record({
  maxEvents: fc.integer({ min: 1, max: 8 }),
  maxBytes: fc.integer({ min: 1, max: 400 }),
  maxAge: fc.constantFrom(1_000, Infinity),
  maxTopics: fc.integer({ min: 1, max: 5 }),
});

Deno.test("MemoryEventLog is the model, whatever is done with it", async () => {
  await fc.assert(
    fc.asyncProperty(
      bounds,
      steps,
      (bounds, steps) => withClock((clock) => compare(bounds, steps, clock)),
    ),
    property(),
  );
});

async function compare(
  bounds: Required<MemoryEventLogOptions>,
  steps: Step[],
  clock: FakeTimers.Clock,
): Promise<void> {
  const model = new Model(bounds);
  await using log = new MemoryEventLog(bounds);
  const epochs: string[] = [];
  const given: ModelPlace[] = [];
  const followers = new Map<string, Follower>();

  function assertPlace(id: string, expected: ModelPlace): void {
    const { epoch, seq } = place(id);
    epochs[expected.epoch] ??= epoch;
    assertEquals([epochs.indexOf(epoch), seq], [expected.epoch, expected.seq], id);
  }

  for (const [n, step] of steps.entries()) {
    if (step.do === "append") {
      const data = `${n}${"x".repeat(step.size)}`;
      const expected = model.append(step.topic, data, step.key);
      assertPlace(await log.append(step.topic, { data }, { idempotencyKey: step.key }), expected);
      given.push(expected);
    } else if (step.do === "read") {
      const known = given[step.which % (given.length + 1)];
      const after = known && { epoch: known.epoch, seq: known.seq + step.ahead };
      const expected = model.read(step.topic, after);
      const asked = after ? formatEventId({ epoch: epochs[after.epoch], seq: after.seq }) : "";
      if (Array.isArray(expected)) {
        assertEquals(await read(log, step.topic, asked), expected);
      } else {
        const { first, ...rest } = await gap(log, step.topic, asked);
        assertPlace(first, expected.first);
        assertEquals(rest, { asked, reason: expected.reason });
      }
    } else if (step.do === "wait") {
      clock.tick(step.ms);
      model.wait(step.ms);
    } else {
      const follower = followers.get(step.topic);
      if (step.do === "follow" && follower === undefined) {
        const follower = await follow(log, step.topic);
        assertPlace(follower.id, model.follow(step.topic));
        followers.set(step.topic, follower);
      } else if (step.do === "leave" && follower !== undefined) {
        assertEquals(follower.data, model.topic(step.topic).followed);
        follower.stop();
        model.leave(step.topic);
        followers.delete(step.topic);
      }
    }
  }
  for (const [topic, { data }] of followers) assertEquals(data, model.topic(topic).followed);
  const { signal } = new AbortController();
  const topics = await log.topics({ signal, onTopic: () => {} });
  assertEquals(topics.sort(), model.topics.sort());
}
