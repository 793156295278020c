/** {@linkcode SqliteEventLog}: the contract, what outlives a restart and a kill, what it lets go. */

import FakeTimers from "@sinonjs/fake-timers";
import {
  assert,
  assertEquals,
  AssertionError,
  assertMatch,
  assertNotEquals,
  assertRejects,
  assertThrows,
} from "@std/assert";
import fc from "fast-check";
import { DatabaseSync } from "node:sqlite";
import { type LogGap, LogGapError, LogUnavailableError } from "../../errors.ts";
import { SqliteEventLog, type SqliteEventLogOptions } from "../../log/sqlite.ts";
import { readEvents } from "../../parse.ts";
import { Hub } from "../../server.ts";
import { type EventId, formatEventId, type LoggedEvent, parseEventId } from "../../server/log.ts";
import { eventLogContract } from "../../testing.ts";
import { mulberry32 } from "../chunkings.ts";
import { delay, now, within } from "../fault/real_time.ts";
import { property, requestAfter, SEED, settle, uncaught, unhandled } from "../helpers.ts";

/** How often a writer is killed, how many files it has in all, and how many are written at a time. */
const [KILLS, FILES, LANES] = [200, 10, 2];

/** A file of its own, with whatever SQLite puts beside it. */
class File implements AsyncDisposable {
  readonly folder: string;
  readonly path: string;

  constructor() {
    this.folder = Deno.makeTempDirSync({ prefix: "sse-sqlite-" });
    this.path = `${this.folder}/log.db`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.folder, { recursive: true });
  }
}

/** What is held after an id. */
async function read(log: SqliteEventLog, topic = "a", after = ""): Promise<LoggedEvent[]> {
  return await Array.fromAsync(log.read(topic, { after }));
}

/** The gap that a reading tells of at its first event. */
async function gap(log: SqliteEventLog, topic = "a", after = ""): Promise<LogGap> {
  return (await assertRejects(() => read(log, topic, after), LogGapError)).gap;
}

/** All that is held, whatever is gone before. */
async function held(log: SqliteEventLog, topic = "a"): Promise<LoggedEvent[]> {
  try {
    return await read(log, topic);
  } catch (error) {
    if (!(error instanceof LogGapError)) throw error;
    const { epoch, seq } = place(error.gap.first);
    return await read(log, topic, formatEventId({ epoch, seq: seq - 1 }));
  }
}

async function heldData(log: SqliteEventLog, topic = "a"): Promise<string> {
  return (await held(log, topic)).map(({ data }) => data).join(" ");
}

function place(id: string): EventId {
  const place = parseEventId(id);
  if (place === undefined) throw new AssertionError(`${id} is no id`);
  return place;
}

/** Appends events with these data, all in one turn. */
function fill(log: SqliteEventLog, topic: string, ...data: string[]): Promise<string[]> {
  return Promise.all(data.map((data) => log.append(topic, { data })));
}

/** Numbers from one to another, as data. */
function numbers(from: number, to: number): string[] {
  return Array.from({ length: to - from + 1 }, (_, i) => `${from + i}`);
}

/** Somebody who follows a topic. */
class Follower {
  readonly events: LoggedEvent[] = [];
  readonly gaps: LogGap[] = [];
  readonly #abort = new AbortController();
  start = "";

  get ids(): string[] {
    return this.events.map(({ id }) => id);
  }

  async follow(log: SqliteEventLog, topic: string): Promise<this> {
    this.start = await log.follow(topic, {
      signal: this.#abort.signal,
      onEvent: (event) => void this.events.push(event),
      onGap: (gap) => void this.gaps.push(gap),
    });
    return this;
  }

  stop(): void {
    this.#abort.abort();
  }
}

/** Waits for a fact. */
async function until(fact: () => boolean, sentence: string): Promise<void> {
  const end = now() + 10_000;
  while (!fact()) {
    if (now() > end) throw new AssertionError(sentence);
    await delay(2);
  }
}

function rejectedOf(result: PromiseSettledResult<unknown>): PromiseRejectedResult {
  if (result.status === "rejected") return result;
  throw new AssertionError(`It resolved with ${result.value}`);
}

/** What tells of rows, whatever the log says. */
function count(path: string, sql: string): number {
  using database = new DatabaseSync(path);
  const [value] = Object.values(database.prepare(sql).get() ?? {});
  return Number(value);
}

for (const kind of ["a file", "memory", "a database that it is handed"]) {
  const file = `${Deno.makeTempDirSync({ prefix: "sse-sqlite-" })}/log.db`;
  const database = new DatabaseSync(":memory:");
  const target = kind === "a file" ? file : kind === "memory" ? ":memory:" : database;
  for (const { name, run } of eventLogContract((options) => new SqliteEventLog(target, options))) {
    Deno.test(`SqliteEventLog in ${kind}: ${name}`, run);
  }
  Deno.test(`SqliteEventLog in ${kind} leaves nothing open`, async () => {
    database.exec("BEGIN IMMEDIATE; ROLLBACK");
    database.close();
    await Deno.remove(file.slice(0, -"/log.db".length), { recursive: true });
  });
}

Deno.test("SqliteEventLog goes on where it was when its file is opened again", async () => {
  await using file = new File();
  const first = new SqliteEventLog(file.path);
  const [a, b] = await fill(first, "a", "1", "2");
  await first.append("a", { data: "3", event: "tick" }, { idempotencyKey: "k", sender: "s" });
  await first.close();
  await using log = new SqliteEventLog(file.path);
  const { epoch } = place(a);
  assertEquals(b, `${epoch}.2`);
  assertEquals(await read(log, "a", b), [
    { id: `${epoch}.3`, data: "3", event: "tick", sender: "s" },
  ]);
  assertEquals(
    await log.append("a", { data: "4" }, { idempotencyKey: "k" }),
    `${epoch}.3`,
    "a key is known over a restart",
  );
  assertEquals(await fill(log, "a", "5"), [`${epoch}.4`]);
  assertEquals(await fill(log, "b", "1"), [`${epoch}.1`]);
});

Deno.test("SqliteEventLog commits the appends of one turn together", async () => {
  await using file = new File();
  await using log = new SqliteEventLog(file.path);
  await log.append("a", { data: "0" });
  const watching = new DatabaseSync(file.path);
  const counted = watching.prepare("SELECT count(*) AS n FROM sse_events");
  const version = watching.prepare("PRAGMA data_version");
  const before = version.get();
  const appended = numbers(1, 50).map((data) => log.append("a", { data }));
  assertEquals({ ...counted.get() }, { n: 1 }, "nothing before the turn ends");
  await appended[0];
  assertEquals({ ...counted.get() }, { n: 51 }, "all when the first has resolved");
  assertEquals(Number(version.get()?.data_version), Number(before?.data_version) + 1);
  watching.close();
});

Deno.test("SqliteEventLog holds what its bounds let it, as a simple model of it", async () => {
  const TOPICS = ["a", "b"];
  const topic = fc.constantFrom(...TOPICS);
  const key = fc.option(fc.constantFrom("k", "l", "k\0"), { nil: undefined });
  const data = fc.constantFrom("", "x", "é€😀", "y".repeat(100), "z\nz");
  const step = fc.oneof(
    {
      weight: 6,
      arbitrary: fc.array(fc.record({ topic, key, data }), { minLength: 1, maxLength: 9 }),
    },
    { weight: 1, arbitrary: fc.constant("reopen" as const) },
    { weight: 2, arbitrary: fc.integer({ min: 0, max: 120 }) },
  );
  const bound = (min: number, max: number) =>
    fc.oneof(fc.constant(Infinity), fc.integer({ min, max }));
  const options = fc.record({
    maxEvents: bound(1, 12),
    maxBytes: bound(1, 400),
    maxAge: bound(1, 100),
  });
  interface Row {
    seq: number;
    data: string;
    bytes: number;
    time: number;
    key: string | undefined;
  }
  const size = (text: string) => new TextEncoder().encode(text).length;

  await fc.assert(
    fc.asyncProperty(options, fc.array(step, { maxLength: 25 }), async (options, steps) => {
      await using file = new File();
      using clock = FakeTimersDate.install();
      let log = new SqliteEventLog(file.path, options);
      const topics = new Map<string, Row[]>(TOPICS.map((name) => [name, []]));
      let epoch = "";
      const rowsOf = (name: string): Row[] => {
        const all = topics.get(name) ?? [];
        const oldest = clock.now() - options.maxAge;
        const isHeld = (_: Row, index: number) => {
          const rest = all.slice(index);
          const bytes = rest.reduce((sum, row) => sum + row.bytes, 0);
          const fits = rest.length <= options.maxEvents && bytes <= options.maxBytes;
          return (fits || rest.length === 1) && rest[0].time >= oldest;
        };
        return all.filter(isHeld);
      };
      for (const step of steps) {
        if (step === "reopen") {
          await log.close();
          log = new SqliteEventLog(file.path, options);
        } else if (typeof step === "number") {
          clock.move(step);
        } else {
          const expected: number[] = [];
          for (const { topic, key, data } of step) {
            const all = topics.get(topic) ?? [];
            const known = rowsOf(topic).find((row) => key !== undefined && row.key === key);
            if (known !== undefined) {
              expected.push(known.seq);
              continue;
            }
            const seq = all.length + 1;
            const time = Math.max(clock.now(), all.at(-1)?.time ?? 0);
            const bytes = size(JSON.stringify({ data })) + size(key ?? "");
            all.push({ seq, data, bytes, time, key });
            expected.push(seq);
          }
          const ids = await Promise.all(step.map(({ topic, key, data }) => {
            const options = key === undefined ? {} : { idempotencyKey: key };
            return log.append(topic, { data }, options);
          }));
          epoch ||= place(ids[0]).epoch;
          assertEquals(ids, expected.map((seq) => `${epoch}.${seq}`));
        }
        for (const [name, all] of topics) {
          const rows = rowsOf(name).map(({ seq, data }) => ({ id: `${epoch}.${seq}`, data }));
          assertEquals(await held(log, name), rows, name);
          if (rows.length === all.length) continue;
          const first = rows[0]?.id ?? `${epoch}.${all.length + 1}`;
          assertEquals(await gap(log, name), { asked: "", first, reason: "trimmed" });
        }
      }
      await log.close();
    }),
    property(0.5),
  );
});

/** A clock of the date alone, that may be set back. */
const FakeTimersDate = {
  install(): { now(): number; move(ms: number): void } & Disposable {
    const clock = FakeTimers.install({ toFake: ["Date"], now: 1_000_000 });
    return {
      now: () => Date.now(),
      move: (ms) => clock.setSystemTime(Date.now() + ms),
      [Symbol.dispose]: () => clock.uninstall(),
    };
  },
};

Deno.test("SqliteEventLog deletes what it no longer gives, a part of it later", async () => {
  await using file = new File();
  await using log = new SqliteEventLog(file.path, { maxEvents: 100 });
  for (let n = 0; n < 30; n++) {
    await fill(log, "a", ...numbers(n * 20 + 1, n * 20 + 20));
    const rows = count(file.path, "SELECT count(*) FROM sse_events");
    assert(rows <= 136, `a tenth more, and one turn: ${rows}`);
    assertEquals((await held(log)).length, Math.min(100, 20 * n + 20), "what is given is exact");
  }
});

Deno.test("SqliteEventLog bounds the bytes of a topic, but holds the newest event", async () => {
  await using file = new File();
  await using log = new SqliteEventLog(file.path, { maxBytes: 10_000 });
  const data = "x".repeat(1_000);
  for (let n = 0; n < 40; n++) await log.append("a", { data });
  assertEquals((await held(log)).length, 9);
  assert(count(file.path, "SELECT sum(length(record)) FROM sse_events") <= 12_100);
  await log.append("a", { data: data.repeat(20) });
  assertEquals((await held(log)).length, 1);
  assertEquals(count(file.path, "SELECT count(*) FROM sse_events"), 1);
});

Deno.test("SqliteEventLog lets go by age also where nobody appends, and gives no id twice", async () => {
  await using file = new File();
  using clock = FakeTimersDate.install();
  await using log = new SqliteEventLog(file.path, { maxAge: 1_000 });
  const ids = await fill(log, "a", "secret 1", "secret 2");
  const reader = log.read("a", { after: "" });
  assertEquals((await reader.next()).value?.data, "secret 1");
  clock.move(1_001);
  const { reason, asked } = (await assertRejects(() => reader.next(), LogGapError)).gap;
  assertEquals([reason, asked], ["trimmed", ids[0]], "also of what was read ahead");
  assertEquals(await held(log), []);
  assertEquals(await log.topics({ signal: AbortSignal.timeout(1_000), onTopic() {} }), []);
  clock.move(1_000);
  for (let n = 0; n < 4; n++) await log.append("b", { data: `${n}` });
  const left = "SELECT count(*) FROM sse_events WHERE record LIKE '%secret%'";
  assertEquals(count(file.path, left), 0, "the text is off the disk");
  const { epoch } = place(ids[0]);
  assertEquals(await fill(log, "a", "3"), [`${epoch}.3`]);
  assertEquals(await heldData(log), "3");
  await log.close();
  await using forEver = new SqliteEventLog(file.path);
  assertEquals(await heldData(forEver), "3", "what was emptied does not come back");
  assertEquals((await gap(forEver)).first, `${epoch}.3`);
});

Deno.test("SqliteEventLog keeps its order, and what it holds, when the clock is set back", async () => {
  await using file = new File();
  using clock = FakeTimersDate.install();
  await using log = new SqliteEventLog(file.path, { maxAge: 1_000 });
  await log.append("a", { data: "1" });
  clock.move(-900);
  await log.append("a", { data: "2" });
  clock.move(1_500);
  assertEquals(await heldData(log), "1 2", "neither is older than the other");
  clock.move(401);
  assertEquals(await heldData(log), "");
  await log.append("a", { data: "3" });
  assertEquals(await heldData(log), "3");
});

Deno.test("SqliteEventLog that is reopened with tighter bounds has them at once", async () => {
  await using file = new File();
  const first = new SqliteEventLog(file.path);
  await fill(first, "a", ...numbers(1, 100));
  await first.close();
  await using log = new SqliteEventLog(file.path, { maxEvents: 3 });
  assertEquals(await heldData(log), "98 99 100");
  await log.append("a", { data: "101" });
  assertEquals(count(file.path, "SELECT count(*) FROM sse_events"), 3);
});

Deno.test("SqliteEventLog drops the topic that was appended to the longest ago, and says so", async () => {
  await using file = new File();
  await using log = new SqliteEventLog(file.path, { maxTopics: 3 });
  const follower = await new Follower().follow(log, "followed");
  for (const topic of ["followed", "a", "b", "a", "c"]) await log.append(topic, { data: topic });
  assertEquals(await heldData(log, "b"), "", "b was the longest ago that nobody follows");
  assertEquals(await heldData(log, "a"), "a a");
  assertEquals(await heldData(log, "followed"), "followed");
  const [first] = await held(log);
  const again = await log.append("b", { data: "again" });
  assertNotEquals(place(again).epoch, place(first.id).epoch, "its ids are others");
  assertEquals(await gap(log, "b", formatEventId({ ...place(first.id), seq: 1 })), {
    asked: formatEventId({ ...place(first.id), seq: 1 }),
    first: again,
    reason: "epoch",
  });
  assertEquals(count(file.path, "SELECT count(*) FROM sse_topics"), 3);
  await log.append("d", { data: "d" });
  await log.append("e", { data: "e" });
  assertEquals(follower.gaps, []);
  assertEquals(follower.events.map(({ data }) => data), ["followed"]);
  await log.close();
  await using reopened = new SqliteEventLog(file.path, { maxTopics: 3 });
  const ids = await fill(reopened, "x", "1");
  assertNotEquals(place(ids[0]).epoch, place(first.id).epoch, "the epoch of now is kept");
});

Deno.test("SqliteEventLog tells who follows a topic that another process drops", async () => {
  await using file = new File();
  await using here = new SqliteEventLog(file.path, { pollInterval: 2 });
  await using there = new SqliteEventLog(file.path, { maxTopics: 1 });
  const [last] = await fill(here, "a", "1");
  const follower = await new Follower().follow(here, "a");
  await there.append("b", { data: "b" });
  const again = await there.append("a", { data: "2" });
  await until(() => follower.events.length > 0, "what comes again is followed");
  assertEquals(follower.gaps, [{ asked: last, first: again, reason: "epoch" }]);
  assertEquals(follower.ids, [again]);
});

Deno.test("SqliteEventLog keeps names and keys apart that SQLite would mix up", async () => {
  await using log = new SqliteEventLog(":memory:");
  const names = [
    "\ud800",
    "\udc00",
    "\ufffd",
    '"',
    "\\",
    '\\"',
    "a",
    "A",
    "a ",
    "%",
    "é",
    "e\u0301",
  ];
  const told: string[] = [];
  const controller = new AbortController();
  const onTopic = (topic: string) => void told.push(topic);
  await log.topics({ signal: controller.signal, onTopic });
  for (const name of names) {
    const id = await log.append(name, { data: name });
    assertEquals(place(id).seq, 1, name);
  }
  assertEquals(told, names);
  for (const name of names) assertEquals(await heldData(log, name), name);
  const keys = ["", "k", "k\0", "k\0a", "\ud800", "\udc00", "K"];
  const ids = await Promise.all(
    keys.map((key) => log.append("a", { data: key }, { idempotencyKey: key })),
  );
  assertEquals(new Set(ids).size, keys.length);
});

Deno.test("SqliteEventLog refuses what is no log, in a sentence", async () => {
  await using file = new File();
  const { folder, path } = file;
  const cases: [string, () => void, RegExp][] = [
    ["no folder", () => {}, /^Cannot open event log: unable to open database file/],
    [
      "text",
      () => Deno.writeTextFileSync(`${folder}/text`, "Dear diary, ".repeat(1_000)),
      /not a database/,
    ],
    ["newer", () => {
      new SqliteEventLog(`${folder}/newer`).close();
      using database = new DatabaseSync(`${folder}/newer`);
      database.exec("UPDATE sse_log SET version = 2");
    }, /its tables are of version 2, and this knows 1: update @webstreams\/sse$/],
    ["other", () => {
      using database = new DatabaseSync(`${folder}/other`);
      database.exec("CREATE TABLE sse_log (line TEXT)");
    }, /^Cannot open event log: .*version/],
    ["empty", () => {
      using database = new DatabaseSync(`${folder}/empty`);
      database.exec("CREATE TABLE sse_log (version INTEGER)");
    }, /its table sse_log is none of ours: use another file$/],
  ];
  for (const [name, prepare, message] of cases) {
    prepare();
    const target = name === "no folder" ? `${folder}/none/log.db` : `${folder}/${name}`;
    const error = assertThrows(() => new SqliteEventLog(target), LogUnavailableError);
    assertMatch(error.message, message, name);
  }
  for (const name of ["maxEvents", "maxBytes", "maxAge", "maxTopics", "timeout", "pollInterval"]) {
    for (const value of [0, -1, NaN, "1"]) {
      const options: SqliteEventLogOptions = Object.fromEntries([[name, value]]);
      assertThrows(() => new SqliteEventLog(path, options), RangeError, name);
    }
  }
});

Deno.test("SqliteEventLog on a database that is damaged while it is open says so", async () => {
  await using file = new File();
  await using log = new SqliteEventLog(file.path);
  await log.append("a", { data: "1" });
  {
    using other = new DatabaseSync(file.path);
    other.exec("UPDATE sse_events SET record = 'no record'");
  }
  const follower = await new Follower().follow(log, "a");
  await assertRejects(() => read(log), Error, "no record of an event");
  {
    using other = new DatabaseSync(file.path);
    other.exec("DROP TABLE sse_events");
  }
  const error = await assertRejects(() => log.append("a", { data: "2" }), LogUnavailableError);
  assertMatch(error.message, /^Cannot append event: no such table/);
  assert(error.cause instanceof Error);
  await assertRejects(() => read(log), LogUnavailableError, "Cannot read events: no such table");
  await assertRejects(() => new Follower().follow(log, "a"), LogUnavailableError, "follow topic");
  follower.stop();
});

Deno.test("SqliteEventLog reads from a database that is open for reading only", async () => {
  await using file = new File();
  await using log = new SqliteEventLog(file.path);
  await fill(log, "a", "1", "2");
  using database = new DatabaseSync(file.path, { readOnly: true });
  await using readOnly = new SqliteEventLog(database);
  assertEquals(await heldData(readOnly), "1 2");
  const error = await assertRejects(() => fill(readOnly, "a", "3"), LogUnavailableError);
  assertMatch(error.message, /^Cannot append event: attempt to write a readonly database$/);
  assertEquals(await heldData(log), "1 2");
});

Deno.test("SqliteEventLog rejects what a full disk does not take, and goes on when there is room", async () => {
  await using file = new File();
  using database = new DatabaseSync(file.path);
  await using log = new SqliteEventLog(database, { maxBytes: Infinity });
  await log.append("a", { data: "1" });
  const follower = await new Follower().follow(log, "a");
  const pages = count(file.path, "PRAGMA page_count");
  database.exec(`PRAGMA max_page_count = ${pages}`);
  const large = "x".repeat(100_000);
  const results = await Promise.allSettled(["2", large].map((data) => log.append("a", { data })));
  for (const result of results) {
    const { reason } = rejectedOf(result);
    assert(reason instanceof LogUnavailableError);
    assertMatch(reason.message, /^Cannot append event: database or disk is full$/);
  }
  assertEquals(await heldData(log), "1", "nothing of the turn is there");
  assertEquals(follower.events, []);
  database.exec("PRAGMA max_page_count = 1000000");
  assertEquals(place(await log.append("a", { data: "2" })).seq, 2);
  assertEquals(follower.events.map(({ data }) => data), ["2"]);
});

Deno.test("SqliteEventLog counts on from where it was before a transaction that failed", async () => {
  await using file = new File();
  await using log = new SqliteEventLog(file.path);
  await fill(log, "a", "1");
  {
    using other = new DatabaseSync(file.path);
    other.exec(`CREATE TRIGGER refuse BEFORE INSERT ON sse_events WHEN new.record LIKE '%poison%'
      BEGIN SELECT RAISE(ABORT, 'refused by a trigger'); END`);
  }
  const error = await assertRejects(() => fill(log, "a", "2", "poison"), LogUnavailableError);
  assertEquals(error.message, "Cannot append event: refused by a trigger");
  await fill(log, "a", "3");
  assertEquals((await read(log)).map(({ id, data }) => [place(id).seq, data]), [[1, "1"], [
    2,
    "3",
  ]]);
});

Deno.test("SqliteEventLog fails an event alone that is too large for SQLite", async () => {
  using database = new DatabaseSync(":memory:");
  if (!("limits" in database)) return;
  Object.assign(Object(database.limits), { length: 10_000 });
  await using log = new SqliteEventLog(database);
  const data = ["1", "x".repeat(20_000), "2"];
  const results = await Promise.allSettled(data.map((data) => log.append("a", { data })));
  assertEquals(results.map(({ status }) => status), ["fulfilled", "rejected", "fulfilled"]);
  assert(rejectedOf(results[1]).reason instanceof RangeError);
  await assertRejects(() => log.append("b", { data: data[1] }), RangeError, "larger than");
  assertEquals((await held(log)).map(({ id, data }) => [place(id).seq, data]), [[1, "1"], [
    2,
    "2",
  ]]);
  assertEquals(await heldData(log, "b"), "");
});

Deno.test("SqliteEventLog waits for another process that writes, for as long as it is told", async () => {
  await using file = new File();
  await using log = new SqliteEventLog(file.path, { timeout: 50 });
  await using patient = new SqliteEventLog(file.path);
  using other = new DatabaseSync(file.path);
  other.exec("BEGIN IMMEDIATE");
  const waiting = patient.append("a", { data: "patient" });
  const reasons = await unhandled(async () => {
    const error = await assertRejects(() => log.append("a", { data: "1" }), LogUnavailableError);
    assertMatch(
      error.message,
      /another connection has held the database for 50 ms, try again later$/,
    );
    assert(error.cause instanceof Error);
  });
  assertEquals(reasons, []);
  assertEquals(await heldData(log), "", "who reads is not held up");
  const errors: unknown[] = [];
  const first = assertRejects(() => log.append("a", { data: "2" }), LogUnavailableError);
  await delay(0);
  await delay(0);
  log.append("a", { data: "behind" }).catch((error) => errors.push(error));
  await first;
  await settle();
  assertEquals(errors.length, 1, "who has waited behind it waits no longer");
  other.exec("COMMIT");
  await waiting;
  assertEquals(await heldData(log), "patient", "what was rejected is not there");
  await log.append("a", { data: "2" });
  assertEquals(await heldData(log), "patient 2");
});

Deno.test("SqliteEventLog lets only so many appends wait for another process", async () => {
  await using file = new File();
  await using log = new SqliteEventLog(file.path, { timeout: 60_000, maxEvents: Infinity });
  using other = new DatabaseSync(file.path);
  other.exec("BEGIN IMMEDIATE");
  const first = log.append("a", { data: "first" });
  // The turn ends, and the first waits.
  await delay(0);
  await delay(0);
  const many = Array.from({ length: 10_001 }, () => log.append("a", { data: "x" }));
  const error = await assertRejects(() => many[10_000], LogUnavailableError);
  assertMatch(error.message, /10000 appends wait/);
  other.exec("ROLLBACK");
  const ids = await Promise.all([first, ...many.slice(0, 10_000)]);
  assertEquals(place(ids[10_000]).seq, 10_001);
  // Who appends many in a turn does not wait for anybody.
  const more = await fill(log, "b", ...numbers(1, 20_000));
  assertEquals(place(more[19_999]).seq, 20_000);
});

Deno.test("SqliteEventLog closes with all that was appended, or rejects it", async () => {
  await using file = new File();
  const log = new SqliteEventLog(file.path, { timeout: 30 });
  const follower = await new Follower().follow(log, "a");
  const appended = fill(log, "a", "1", "2");
  const closing = log.close();
  assertEquals(await appended, follower.ids);
  await closing;
  await log.close();
  const stuck = new SqliteEventLog(file.path, { timeout: 30 });
  {
    using other = new DatabaseSync(file.path);
    other.exec("BEGIN IMMEDIATE");
    const late = stuck.append("a", { data: "3" });
    const error = assertRejects(() => late, LogUnavailableError);
    await stuck.close();
    await error;
  }
  const waiting = new SqliteEventLog(file.path);
  {
    using other = new DatabaseSync(file.path);
    other.exec("BEGIN IMMEDIATE");
    const late = waiting.append("a", { data: "4" });
    const closing = waiting.close();
    await assertRejects(() => waiting.append("a", { data: "5" }), TypeError, "the log is closed");
    other.exec("ROLLBACK");
    await closing;
    assertEquals(place(await late).seq, 3);
  }
  await using again = new SqliteEventLog(file.path);
  assertEquals(await heldData(again), "1 2 4");
});

Deno.test("SqliteEventLog works with whatever the database it is handed was opened with", async () => {
  const options = { readBigInts: true, returnArrays: true, enableForeignKeyConstraints: true };
  using database = new DatabaseSync(":memory:", options);
  assertEquals(database.prepare("SELECT 1").get(), [1n]);
  database.exec("CREATE TABLE mine (n INTEGER)");
  const log = new SqliteEventLog(database);
  await using other = new SqliteEventLog(database, { pollInterval: 2 });
  const follower = await new Follower().follow(other, "a");
  for (let n = 1; n <= 20; n++) {
    database.exec("INSERT INTO mine VALUES (1)");
    await (n % 3 === 0 ? other : log).append("a", { data: `${n}` });
  }
  await until(() => follower.events.length === 20, "a log on the same connection is followed");
  assertEquals(follower.events, await read(log));
  await log.close();
  assertEquals(database.prepare("SELECT count(*) FROM mine").get(), [20n], "it is open");
});

Deno.test("SqliteEventLog waits for the owner of its database to end a transaction", async () => {
  using database = new DatabaseSync(":memory:");
  await using log = new SqliteEventLog(database);
  database.exec("CREATE TABLE mine (n INTEGER); BEGIN; INSERT INTO mine VALUES (1)");
  const appended = log.append("a", { data: "1" });
  await delay(0);
  await delay(0);
  database.exec("ROLLBACK");
  assertEquals(place(await appended).seq, 1);
  assertEquals({ ...database.prepare("SELECT count(*) AS n FROM mine").get() }, { n: 0 });
  assertEquals(await heldData(log), "1", "the owner's rollback is not ours");
});

Deno.test("SqliteEventLog on a database that its owner closes rejects, and closes all the same", async () => {
  const database = new DatabaseSync(":memory:");
  const log = new SqliteEventLog(database, { pollInterval: 1 });
  const follower = await new Follower().follow(log, "a");
  database.close();
  await assertRejects(() => log.append("a", { data: "1" }), Error);
  await assertRejects(() => read(log), Error);
  assertEquals(follower.events, []);
  await log.close();
});

Deno.test("SqliteEventLog follows several logs on one file in the order of their commits", async () => {
  await using file = new File();
  await using one = new SqliteEventLog(file.path, { pollInterval: 5 });
  await using two = new SqliteEventLog(file.path, { pollInterval: 5 });
  const random = mulberry32(SEED);
  console.log(`SSE_TEST_SEED=${SEED}`);
  const topics = ["a", "b"];
  const followers = await Promise.all(
    [one, two].flatMap((log) => topics.map((topic) => new Follower().follow(log, topic))),
  );
  const appended: Promise<string>[] = [];
  for (let n = 0; n < 300; n++) {
    const log = random() < 0.5 ? one : two;
    appended.push(log.append(topics[n % 2], { data: `${n}` }));
    if (random() < 0.5) await appended.at(-1);
    if (random() < 0.1) await delay(random() * 10);
  }
  await Promise.all(appended);
  await until(() => followers.every(({ events }) => events.length === 150), "all get all");
  for (const [index, { events, gaps }] of followers.entries()) {
    assertEquals(events, await read(one, topics[index % 2]));
    assertEquals(gaps, []);
  }
});

Deno.test("SqliteEventLog delivers its own events when they are committed, without a poll", async () => {
  await using file = new File();
  await using log = new SqliteEventLog(file.path, { pollInterval: Infinity });
  await using other = new SqliteEventLog(file.path, { pollInterval: Infinity });
  const follower = await new Follower().follow(log, "a");
  const id = await log.append("a", { data: "1" });
  assertEquals(follower.ids, [id]);
  const missed = await other.append("a", { data: "2" });
  assertEquals(follower.ids, [id], "what another one appends comes with a poll");
  // That somebody else begins to follow must not make the log forget what is to be delivered.
  await new Follower().follow(log, "b");
  const own = await log.append("a", { data: "3" });
  await until(() => follower.events.length === 3, "or before an own one");
  assertEquals(follower.ids, [id, missed, own]);
});

Deno.test("SqliteEventLog catches up with many and large events of another log", async () => {
  await using file = new File();
  await using log = new SqliteEventLog(file.path, { pollInterval: 2, maxBytes: Infinity });
  await using other = new SqliteEventLog(file.path, { maxBytes: Infinity });
  const followers = await Promise.all(["a", "b"].map((topic) => new Follower().follow(log, topic)));
  const large = "x".repeat(100_000);
  await Promise.all([
    fill(other, "a", ...numbers(1, 600)),
    fill(other, "b", ...Array.from({ length: 20 }, () => large)),
    fill(other, "c", ...numbers(1, 300)),
    fill(other, "a", ...numbers(601, 700)),
  ]);
  await until(() => followers[0].events.length === 700, "all come");
  assertEquals(followers[0].events, await read(log, "a"));
  assertEquals(followers[1].events, await read(log, "b"));
  assertEquals(followers.flatMap(({ gaps }) => gaps), []);
});

Deno.test("SqliteEventLog tells a follower of what was deleted before it could look", async () => {
  await using file = new File();
  await using slow = new SqliteEventLog(file.path, { pollInterval: Infinity });
  await using fast = new SqliteEventLog(file.path, { maxEvents: 10 });
  const [before] = await fill(fast, "a", "0");
  const follower = await new Follower().follow(slow, "a");
  for (let n = 0; n < 20; n++) await fill(fast, "a", ...numbers(1, 5));
  const own = await slow.append("a", { data: "own" });
  await until(() => follower.ids.includes(own), "it goes on");
  const { seq } = place(follower.ids[0]);
  assert(seq > 2);
  assertEquals(follower.gaps, [{ asked: before, first: follower.ids[0], reason: "trimmed" }]);
  assertEquals(follower.ids.map((id) => place(id).seq - seq), [...follower.ids.keys()]);
});

Deno.test("SqliteEventLog goes on to deliver when a file that could not be read can be again", async () => {
  await using file = new File();
  using database = new DatabaseSync(file.path);
  await using log = new SqliteEventLog(database, { pollInterval: 2 });
  await using other = new SqliteEventLog(file.path);
  const follower = await new Follower().follow(log, "a");
  {
    using owner = new DatabaseSync(file.path);
    owner.exec("ALTER TABLE sse_topics RENAME TO away");
    await assertRejects(() => other.append("a", { data: "0" }), LogUnavailableError);
    await delay(20);
    owner.exec("ALTER TABLE away RENAME TO sse_topics");
  }
  const id = await other.append("a", { data: "1" });
  await until(() => follower.events.length === 1, "it is delivered");
  assertEquals(follower.ids, [id]);
});

Deno.test("SqliteEventLog reports what a follower throws, and calls the others", async () => {
  await using log = new SqliteEventLog(":memory:");
  const { signal } = new AbortController();
  const onEvent = () => {
    throw new Error("mine");
  };
  await log.follow("a", { signal, onEvent });
  const follower = await new Follower().follow(log, "a");
  const errors = await uncaught(() => fill(log, "a", "1", "2"));
  assertEquals(errors.map(String), ["Error: mine", "Error: mine"]);
  assertEquals(follower.events.length, 2);
});

Deno.test("SqliteEventLog takes appends and following from within what it calls", async () => {
  await using log = new SqliteEventLog(":memory:");
  const { signal } = new AbortController();
  const inner = new Follower();
  const data: (string | undefined)[] = [];
  await log.follow("a", {
    signal,
    onEvent(event) {
      data.push(event.data);
      if (event.data === "1") {
        log.append("a", { data: "3" });
        inner.follow(log, "a");
      }
    },
  });
  await fill(log, "a", "1", "2");
  await until(() => data.length === 3, "all come");
  assertEquals(data, ["1", "2", "3"]);
  assertEquals(place(inner.start).seq, 2);
  assertEquals(inner.events.map(({ data }) => data), ["3"]);
});

Deno.test("SqliteEventLog reads in pages, and not all at once", async () => {
  await using log = new SqliteEventLog(":memory:", { maxEvents: 10_000, maxBytes: Infinity });
  await fill(log, "a", ...numbers(1, 1_000));
  assertEquals((await read(log)).map(({ data }) => data), numbers(1, 1_000));
  const large = "x".repeat(100_000);
  await fill(log, "b", ...Array.from({ length: 20 }, () => large), "last");
  assertEquals((await read(log, "b")).map(({ data }) => data?.length), [
    ...Array.from({ length: 20 }, () => 100_000),
    4,
  ]);
});

Deno.test("SqliteEventLog tells a reading of a gap whose next page is held no longer", async () => {
  await using log = new SqliteEventLog(":memory:", { maxEvents: 3_000 });
  const ids = await fill(log, "a", ...numbers(1, 3_000));
  const taken: string[] = [];
  const { gap } = await assertRejects(async () => {
    for await (const { id } of log.read("a", { after: "" })) {
      taken.push(id);
      // They are still in the file, for so few are not worth a deletion.
      if (taken.length === 1) await fill(log, "a", ...numbers(1, 290));
    }
  }, LogGapError);
  assertEquals(taken, ids.slice(0, 256));
  assertEquals(gap, { asked: ids[255], first: ids[290], reason: "trimmed" });
});

Deno.test("Hub on two logs of one file gives each reader all that either publishes", async () => {
  await using file = new File();
  await using logs = new AsyncDisposableStack();
  const [one, two] = [1, 2].map(() => {
    const log = logs.use(new SqliteEventLog(file.path, { pollInterval: 5 }));
    return logs.use(new Hub({ log }));
  });
  await one.publish("a", { data: "0" });
  const readers = [one, two].map((hub) => {
    const after = "";
    return readEvents(hub.subscribe(requestAfter(after), { topics: ["a"] }));
  });
  const taken = readers.map(async (reader) => {
    const data: string[] = [];
    for await (const event of reader) {
      data.push(event.data);
      if (event.data === "end") break;
    }
    return data;
  });
  const published: Promise<string>[] = [];
  for (let n = 1; n <= 100; n++) {
    published.push([one, two][n % 2].publish("a", { data: `${n}` }));
    if (n % 7 === 0) await Promise.all(published);
  }
  await Promise.all(published);
  await one.publish("a", { data: "end" });
  const [first, second] = await within(Promise.all(taken), 10_000, () => "A reader got no end");
  assertEquals(first.filter((data) => data !== "0"), second.filter((data) => data !== "0"));
  const sorted = second.filter((data) => data !== "0").toSorted((a, b) => Number(a) - Number(b));
  assertEquals(new Set(sorted), new Set([...numbers(1, 100), "end"]));
  assertEquals(sorted.length, 101);
});

/** An event that a child has said is appended. */
interface Acknowledged {
  topic: string;
  id: string;
  data: string;
}

/** Starts a child that appends. */
function startChild(path: string, name: string, turns: number): Deno.ChildProcess {
  const script = new URL("_sqlite_child.ts", import.meta.url);
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", "--quiet", script.href, path, name, String(turns)],
    stdin: "null",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
}

/** Takes all that a child has said, which is called with each line as it comes. */
async function heard(child: Deno.ChildProcess, onLine?: () => void): Promise<Acknowledged[]> {
  const lines: string[] = [];
  let rest = "";
  for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
    const parts = (rest + text).split("\n");
    rest = parts.pop() ?? "";
    lines.push(...parts);
    if (parts.length > 0) onLine?.();
  }
  return lines.map((line) => {
    const [topic, id, data] = line.split(" ");
    return { topic, id, data };
  });
}

const UNBOUNDED: SqliteEventLogOptions = { maxEvents: Infinity, maxBytes: Infinity };

Deno.test("SqliteEventLog keeps what was acknowledged when its process is killed, at any moment", async () => {
  console.log(`SSE_TEST_SEED=${SEED}`);
  const started = now();
  let events = 0;

  async function killed(path: string, name: string, random: () => number): Promise<Acknowledged[]> {
    const child = startChild(path, name, 0);
    // From before it has opened the file to long after its first commits.
    const timer = Promise.withResolvers<void>();
    const late = 25 * random();
    let first = random() < 0.9 ? () => void delay(late).then(timer.resolve) : undefined;
    if (first === undefined) delay(10 + 60 * random()).then(timer.resolve);
    const said = heard(child, () => {
      first?.();
      first = undefined;
    });
    await within(timer.promise, 20_000, () => "A child has appended nothing");
    child.kill("SIGKILL");
    await child.status;
    return await said;
  }

  async function lane(number: number): Promise<void> {
    const random = mulberry32(SEED + number);
    for (let n = 0; n < FILES / LANES; n++) {
      await using file = new File();
      const known = new Map<string, Acknowledged>();
      let before = new Map<string, LoggedEvent[]>();
      for (let round = 0; round < KILLS / FILES; round++) {
        for (const said of await killed(file.path, `r${round}`, random)) {
          const place = `${said.topic} ${said.id}`;
          assert(!known.has(place), `${place} was given twice`);
          known.set(place, said);
          events++;
        }
        await using log = new SqliteEventLog(file.path, UNBOUNDED);
        const there = new Map<string, LoggedEvent[]>();
        for (const topic of ["a", "b", "c"]) there.set(topic, await read(log, topic));
        for (const [topic, list] of there) {
          assertEquals(list.map(({ id }) => place(id).seq), list.map((_, i) => i + 1), "no hole");
          const old = before.get(topic) ?? [];
          assertEquals(list.slice(0, old.length), old, "what was there stays there");
          assertInOrder(list);
        }
        for (const { topic, id, data } of known.values()) {
          const event = there.get(topic)?.[place(id).seq - 1];
          assertEquals([event?.id, event?.data], [id, data], "what was acknowledged is there");
        }
        before = there;
      }
    }
  }

  await Promise.all(Array.from({ length: LANES }, (_, n) => lane(n)));
  const seconds = ((now() - started) / 1_000).toFixed(1);
  console.log(`${KILLS} kills, ${events} events acknowledged, ${seconds} s`);
  assert(events > KILLS);
});

/** The numbers that each writer has given its events must go up. */
function assertInOrder(events: LoggedEvent[]): void {
  const last = new Map<string, number>();
  for (const { data = "" } of events) {
    const [writer, n] = data.split("-");
    assert(Number(n) > (last.get(writer) ?? -1), `${data} comes after ${last.get(writer)}`);
    last.set(writer, Number(n));
  }
}

Deno.test("SqliteEventLog lets several processes make the same file at once", async () => {
  await using file = new File();
  const children = numbers(1, 6).map((name) => startChild(file.path, name, 3));
  const said = (await Promise.all(children.map((child) => heard(child)))).flat();
  for (const child of children) assert((await child.status).success);
  await using log = new SqliteEventLog(file.path);
  const events = (await Promise.all(["a", "b", "c"].map((topic) => read(log, topic)))).flat();
  assertEquals(new Set(said.map(({ data }) => data)), new Set(events.map(({ data }) => data)));
  assertEquals(events.length, 6 * 9);
});

Deno.test("SqliteEventLog gives exactly what several processes append to its file at once", async () => {
  await using file = new File();
  await using log = new SqliteEventLog(file.path, { ...UNBOUNDED, pollInterval: 5 });
  const topics = ["a", "b", "c"];
  const told: string[] = [];
  const { signal } = new AbortController();
  await log.topics({ signal, onTopic: (topic) => void told.push(topic) });
  const followers = await Promise.all(topics.map((topic) => new Follower().follow(log, topic)));
  const children = ["x", "y", "z"].map((name) => startChild(file.path, name, 120));
  // One more is killed while the others write.
  const victim = startChild(file.path, "v", 0);
  let lines = 0;
  const victimSaid = heard(victim, () => {
    if (++lines === 5) victim.kill("SIGKILL");
  });
  const said = (await Promise.all([...children.map((child) => heard(child)), victimSaid])).flat();
  for (const child of children) assert((await child.status).success);
  await victim.status;
  const there = new Map<string, LoggedEvent[]>();
  for (const topic of topics) there.set(topic, await read(log, topic));
  const reached = () => {
    return followers.every(({ events }, i) => events.length >= (there.get(topics[i])?.length ?? 0));
  };
  await until(reached, "who follows gets all");
  for (const [index, { events, gaps }] of followers.entries()) {
    const all = there.get(topics[index]) ?? [];
    assertEquals(events, all, "what is followed is what is read");
    assertEquals(gaps, []);
    assertEquals(all.map(({ id }) => place(id).seq), all.map((_, i) => i + 1));
    assertInOrder(all);
  }
  for (const { topic, id, data } of said) {
    assertEquals(there.get(topic)?.[place(id).seq - 1]?.data, data);
  }
  assertEquals(new Set(said.map(({ topic, id }) => `${topic} ${id}`)).size, said.length);
  assertEquals(told.toSorted(), topics);
});
