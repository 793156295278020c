/**
 * `NatsEventLog` on a real server: the contract, what several processes share, what is bounded.
 *
 * @module
 */

import { jetstream, jetstreamManager } from "@nats-io/jetstream";
import { connect as dial, type NatsConnection as Connection } from "@nats-io/transport-node";
import { assert, assertEquals, assertNotEquals, assertRejects, assertThrows } from "@std/assert";
import { connect } from "../../client.ts";
import { type LogGap, LogGapError, LogUnavailableError, SseError } from "../../errors.ts";
import {
  type NatsConnection,
  NatsEventLog,
  type NatsEventLogOptions,
  type NatsMessage,
} from "../../log/nats.ts";
import { Hub, MemoryEventLog } from "../../server.ts";
import { type EventLog, parseEventId } from "../../server/log.ts";
import { eventLogContract } from "../../server/log_contract.ts";
import { NAMES } from "../../server/log_trial.ts";
import { type Engine, hasNats, startNats } from "../engines.ts";
import { delay, now, within } from "../fault/real_time.ts";

const ignore = !(await hasNats);

/** What a test has: a server, connections to it and logs on them, all of which end with it. */
class Bench implements AsyncDisposable {
  readonly engine: Engine;
  readonly #stack = new AsyncDisposableStack();

  constructor(engine: Engine) {
    this.engine = this.#stack.use(engine);
  }

  static async start(): Promise<Bench> {
    return new Bench(await startNats());
  }

  async dial(): Promise<Connection> {
    const connection = await dial({ port: this.engine.port, maxReconnectAttempts: -1 });
    this.#stack.defer(() => connection.close());
    return connection;
  }

  async log(options: Partial<NatsEventLogOptions> = {}): Promise<NatsEventLog> {
    const connection = await this.dial();
    return this.on(connection, { jetstream: jetstream(connection), ...options });
  }

  on(connection: NatsConnection, options: NatsEventLogOptions): NatsEventLog {
    return this.#stack.use(new NatsEventLog(connection, options));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#stack.disposeAsync();
  }
}

/** Registers a test that has a server. */
function test(name: string, run: (bench: Bench) => Promise<void>): void {
  Deno.test({
    name: `NatsEventLog ${name}`,
    ignore,
    async fn() {
      await using bench = await Bench.start();
      await run(bench);
    },
  });
}

/** Waits for a fact. */
async function until(fact: () => boolean | Promise<boolean>, says: string): Promise<void> {
  const end = now() + 8_000;
  while (!await fact()) {
    if (now() > end) throw new Error(`Not within 8 seconds: ${says}`);
    await delay(10);
  }
}

function gather(
  log: EventLog,
  topic: string,
  after = "",
): Promise<{ id: string; data?: string }[]> {
  return within(Array.fromAsync(log.read(topic, { after })), 8_000, () => "read does not end");
}

async function gapOf(log: EventLog, topic: string, after: string): Promise<LogGap> {
  return (await assertRejects(() => gather(log, topic, after), LogGapError)).gap;
}

/** Somebody who follows, until the test is over. */
async function follow(log: EventLog, topic: string) {
  const abort = new AbortController();
  const events: { id: string; data?: string }[] = [];
  const gaps: LogGap[] = [];
  const id = await log.follow(topic, {
    signal: abort.signal,
    onEvent: (event) => void events.push(event),
    onGap: (gap) => void gaps.push(gap),
  });
  return { id, events, gaps, abort };
}

async function topicsOf(log: NatsEventLog): Promise<string[]> {
  const abort = new AbortController();
  try {
    return await log.topics({ signal: abort.signal, onTopic() {} });
  } finally {
    abort.abort();
  }
}

function epochOf(id: string): string | undefined {
  return parseEventId(id)?.epoch;
}

/** The same connection, with the questions counted that a log asks. */
function counted(connection: Connection): { connection: NatsConnection; asked: string[] } {
  const asked: string[] = [];
  return {
    asked,
    connection: {
      get info() {
        return connection.info;
      },
      request(subject, payload, options) {
        asked.push(subject);
        return connection.request(subject, payload, options);
      },
      requestMany(subject, payload, options) {
        asked.push(subject);
        return connection.requestMany(subject, payload, options);
      },
      subscribe: (subject, options) => connection.subscribe(subject, options),
      status: () => connection.status(),
    },
  };
}

for (const [index, { name }] of eventLogContract(() => new MemoryEventLog()).entries()) {
  test(`keeps the contract: ${name}`, async (bench) => {
    const cases = eventLogContract((options) => bench.log(options));
    await cases[index].run();
  });
}

test("counts what two processes append at the same time, in one order for all", async (bench) => {
  const logs = [await bench.log(), await bench.log()];
  const followers = await Promise.all(logs.map((log) => follow(log, "t")));
  const appends = Array.from({ length: 600 }, async (_, n) => {
    // Some at once, some while others are under way.
    await delay(n % 40);
    const data = `${n}`;
    return [
      await logs[n % 2].append("t", { data }, n % 7 === 0 ? { idempotencyKey: data } : {}),
      data,
    ];
  });
  const ids = new Map((await Promise.all(appends)).map(([id, data]) => [id, data]));
  assertEquals(ids.size, 600);
  const read = await gather(logs[0], "t");
  assertEquals(read.map(({ id }) => parseEventId(id)?.seq), read.map((_, n) => n + 1));
  assertEquals(read.map(({ id, data }) => ids.get(id) === data).includes(false), false);
  assertEquals(read.length, 600);
  for (const { events } of followers) {
    await until(() => events.length === 600, "all are followed");
    assertEquals(events.map(({ id }) => id), read.map(({ id }) => id));
  }
});

test("stores what is appended at the same time in few messages", async (bench) => {
  const log = await bench.log();
  const data = "x".repeat(100);
  const ids = await Promise.all(Array.from({ length: 1_000 }, () => log.append("t", { data })));
  assertEquals(ids.map((id) => parseEventId(id)?.seq), ids.map((_, n) => n + 1));
  const manager = await jetstreamManager(await bench.dial());
  const { state } = await manager.streams.info("sse");
  // 64 in a message.
  assertEquals(state.messages, 16);
});

test("stores large events that are appended at the same time in messages of their own", async (bench) => {
  const log = await bench.log();
  const data = "€".repeat(300_000);
  await Promise.all(Array.from({ length: 6 }, () => log.append("t", { data })));
  const read = await gather(log, "t");
  assertEquals(read.map((event) => event.data === data), Array(6).fill(true));
  const manager = await jetstreamManager(await bench.dial());
  assertEquals((await manager.streams.info("sse")).state.messages, 6);
});

test("refuses an event that no message can hold, and goes on", async (bench) => {
  const log = await bench.log();
  await log.append("t", { data: "1" });
  for (const data of ["x".repeat(1_048_576), "€".repeat(350_000)]) {
    await assertRejects(() => log.append("t", { data }), RangeError, "max_payload");
  }
  await log.append("t", { data: "x".repeat(1_000_000) });
  assertEquals((await gather(log, "t")).length, 2);
});

test("gives the id of a key that another process has appended", async (bench) => {
  const [one, other] = [await bench.log(), await bench.log()];
  const key = { idempotencyKey: "a\r\nkey: é" };
  const ids = await Promise.all([
    one.append("t", { data: "1" }, key),
    other.append("t", { data: "2" }, key),
    one.append("t", { data: "3" }),
    other.append("t", { data: "4" }, key),
  ]);
  assertEquals(new Set([ids[0], ids[1], ids[3]]).size, 1);
  assertEquals((await gather(one, "t")).length, 2);
});

test("appends again what has a key whose event is no longer held", async (bench) => {
  const logs = [await bench.log({ maxEvents: 3 }), await bench.log({ maxEvents: 3 })];
  const key = { idempotencyKey: "key" };
  const first = await logs[0].append("t", { data: "1" }, key);
  for (let n = 0; n < 4; n++) await logs[0].append("t", { data: "more" });
  const ids = await Promise.all(logs.map((log) => log.append("t", { data: "2" }, key)));
  assertEquals(ids[0], ids[1]);
  assertNotEquals(ids[0], first);
  assertEquals((await gather(logs[0], "t", ids[0])).length, 0);
});

test("holds so many events, however many are in a message", async (bench) => {
  const log = await bench.log({ maxEvents: 10 });
  const ids = await Promise.all(
    Array.from({ length: 200 }, (_, n) => log.append("t", { data: `${n}` })),
  );
  assertEquals(await gapOf(log, "t", ids[188]), {
    asked: ids[188],
    first: ids[190],
    reason: "trimmed",
  });
  assertEquals((await gather(log, "t", ids[189])).map(({ id }) => id), ids.slice(190));
});

test("drops the oldest events beyond maxBytes", async (bench) => {
  const log = await bench.log({ maxBytes: 100_000 });
  const ids: string[] = [];
  for (let n = 0; n < 20; n++) ids.push(await log.append("t", { data: "x".repeat(10_000) }));
  const { reason, first } = await gapOf(log, "t", "");
  assertEquals(reason, "trimmed");
  assert(ids.indexOf(first) >= 10, first);
  const rest = await gather(log, "t", ids[ids.indexOf(first) - 1]);
  assertEquals(rest.map(({ id }) => id), ids.slice(ids.indexOf(first)));
});

test("drops events that are older than maxAge, and gives no id again", async (bench) => {
  const log = await bench.log({ maxAge: 200 });
  const follower = await follow(log, "t");
  const ids = [await log.append("t", { data: "1" }), await log.append("t", { data: "2" })];
  await until(async () => (await topicsOf(log)).length === 0, "all are too old");
  assertEquals((await gapOf(log, "t", ids[0])).reason, "epoch");
  const next = await log.append("t", { data: "3" });
  assertNotEquals(epochOf(next), epochOf(ids[0]));
  assertEquals(parseEventId(next)?.seq, 1);
  await until(() => follower.events.length === 3, "the follower goes on");
  assertEquals(follower.gaps, [{ asked: ids[1], first: next, reason: "epoch" }]);
});

test("tells of a gap when its stream was purged, and gives no id again", async (bench) => {
  const log = await bench.log();
  const follower = await follow(log, "t");
  const old = [await log.append("t", { data: "1" }), await log.append("t", { data: "2" })];
  const manager = await jetstreamManager(await bench.dial());
  await manager.streams.purge("sse");
  assertEquals((await gapOf(log, "t", old[0])).reason, "epoch");
  const id = await log.append("t", { data: "3" });
  assertEquals(await gapOf(log, "t", old[0]), { asked: old[0], first: id, reason: "epoch" });
  assertEquals((await gather(log, "t")).map((event) => event.id), [id]);
  await until(() => follower.events.length === 3, "the follower goes on");
  assertEquals(follower.gaps, [{ asked: old[1], first: id, reason: "epoch" }]);
});

test("makes its streams anew when they were deleted, and gives no id again", async (bench) => {
  const log = await bench.log();
  const follower = await follow(log, "t");
  const old = await log.append("t", { data: "1" });
  const manager = await jetstreamManager(await bench.dial());
  await manager.streams.delete("sse");
  await manager.streams.delete("sse_epochs");
  assertEquals((await gapOf(log, "t", old)).reason, "epoch");
  await manager.streams.delete("sse");
  const id = await log.append("t", { data: "2" });
  assertNotEquals(epochOf(id), epochOf(old));
  await until(() => follower.events.length === 2, "the follower goes on");
  assertEquals(follower.gaps, [{ asked: old, first: id, reason: "epoch" }]);
});

test("speaks of one epoch to all that follow and append to a topic that is new", async (bench) => {
  const logs = [await bench.log(), await bench.log()];
  for (let n = 0; n < 20; n++) {
    const topic = `t${n}`;
    const [one, id, other] = await Promise.all([
      follow(logs[0], topic),
      logs[n % 2].append(topic, { data: "1" }),
      follow(logs[1], topic),
      logs[(n + 1) % 2].append(topic, { data: "1" }),
    ]);
    await logs[0].append(topic, { data: "2" });
    for (const { id: after, events, gaps } of [one, other]) {
      assertEquals(epochOf(after), epochOf(id));
      await until(() => events.at(-1)?.data === "2", "all are followed");
      assertEquals(gaps, []);
    }
  }
});

test("asks one question for a reader who is one behind, however many events there are", async (bench) => {
  const writer = await bench.log({ maxEvents: 5_000 });
  const ids: string[] = [];
  for (let n = 0; n < 30; n++) {
    // Others come between.
    const topics = Array.from({ length: 60 }, (_, t) => writer.append(`other${t}`, { data: "x" }));
    ids.push(
      await writer.append("t", { data: `${n}` }),
      ...await Promise.all(topics).then(() => []),
    );
    for (let k = 0; k < 9; k++) ids.push(await writer.append("t", { data: `${n}` }));
  }
  const inner = await bench.dial();
  const { connection, asked } = counted(inner);
  const log = bench.on(connection, { jetstream: jetstream(inner), maxEvents: 5_000 });
  assertEquals((await gather(log, "t", ids[298])).length, 1);
  asked.length = 0;
  assertEquals((await gather(log, "t", ids[298])).map(({ id }) => id), [ids[299]]);
  assertEquals(asked, ["$JS.API.STREAM.MSG.GET.sse"]);
  // Who is far behind is searched for, in few steps, and read in pages.
  for (const at of [290, 250, 150, 3]) {
    asked.length = 0;
    assertEquals((await gather(log, "t", ids[at])).map(({ id }) => id), ids.slice(at + 1));
    const pages = asked.filter((subject) => subject.includes(".MSG.NEXT.")).length;
    const gets = asked.filter((subject) => subject.includes(".MSG.GET.")).length;
    assert(pages <= 2 + (299 - at) / 32, `${pages} pages from ${at}`);
    assert(gets <= 16, `${gets} questions from ${at}`);
  }
  // Who follows has what is new at hand, within a bound.
  const { events } = await follow(log, "t");
  for (let n = 0; n < 100; n++) ids.push(await writer.append("t", { data: "new" }));
  await until(() => events.length === 100, "all are followed");
  for (const [at, isAtHand] of [[350, true], [302, false]] as const) {
    asked.length = 0;
    assertEquals((await gather(log, "t", ids[at])).map(({ id }) => id), ids.slice(at + 1));
    assertEquals(asked.length === 2, isAtHand, `${asked.length} questions from ${at}`);
  }
});

test("leaves no consumer and no subscription when it is closed, and the connection open", async (bench) => {
  const connection = await bench.dial();
  const log = bench.on(connection, { jetstream: jetstream(connection) });
  const writer = await bench.log();
  for (let n = 0; n < 70; n++) await writer.append("t", { data: `${n}` });
  await follow(log, "t");
  await log.topics({ signal: new AbortController().signal, onTopic() {} });
  const reader = log.read("t", { after: "" })[Symbol.asyncIterator]();
  await reader.next();
  await log.close();
  await assertRejects(async () => await reader.next(), TypeError);
  const manager = await jetstreamManager(connection);
  const consumers = async () => (await manager.consumers.list("sse").next()).length;
  const start = now();
  await until(async () => await consumers() === 0, "no consumer is left");
  // Before the server would have dropped it by itself.
  assert(now() - start < 3_000, `${now() - start} ms`);
  await connection.flush();
  const { inMsgs } = connection.stats();
  for (let n = 0; n < 5; n++) await writer.append("t", { data: `${n}` });
  await connection.flush();
  assertEquals(connection.stats().inMsgs, inMsgs);
});

test("takes any text as a topic, and tells them apart", async (bench) => {
  const log = await bench.log();
  const names = [
    ...NAMES,
    " ",
    "a b",
    "*",
    ">",
    "a.>",
    "_",
    "_0020",
    "é",
    "e\u0301",
    "😀",
    "\ud83d",
    "\ude00",
    "💥".repeat(128),
    "x".repeat(256),
  ];
  for (const name of names) await log.append(name, { data: name });
  const held = await topicsOf(log);
  assertEquals(held.toSorted(), names.toSorted());
  for (const name of names) assertEquals((await gather(log, name)).length, 1);
});

test("finds what a follower has missed, when nothing comes after it", async (bench) => {
  const inner = await bench.dial();
  const { connection } = counted(inner);
  let dropping = false;
  const subscribe: NatsConnection["subscribe"] = (subject, { callback }) =>
    inner.subscribe(subject, {
      callback(error: Error | null, message: NatsMessage) {
        if (!dropping) callback(error, message);
      },
    });
  const options = { jetstream: jetstream(inner), checkInterval: 30 };
  const log = bench.on({ ...connection, subscribe }, options);
  const follower = await follow(log, "t");
  const told: string[] = [];
  await log.topics({ signal: follower.abort.signal, onTopic: (name) => void told.push(name) });
  await log.append("t", { data: "1" });
  await until(() => follower.events.length === 1, "it is followed");
  dropping = true;
  for (const data of ["2", "3"]) await log.append("t", { data });
  await log.append("new", { data: "1" });
  await until(() => follower.events.length === 3, "what was missed is found");
  await until(() => told.includes("new"), "a topic that was missed is found");
  assertEquals(told, ["t", "new"]);
});

test("changes the limits of a stream that is there to those that it is given", async (bench) => {
  const manager = await jetstreamManager(await bench.dial());
  await (await bench.log({ maxAge: 3_600_000, maxBytes: 1_000_000 })).append("t", { data: "1" });
  const limits = async () => {
    const { config } = await manager.streams.info("sse");
    const { max_age, max_bytes, max_msgs_per_subject, duplicate_window } = config;
    return [max_age / 1e6, max_bytes, max_msgs_per_subject, duplicate_window / 1e6];
  };
  assertEquals(await limits(), [3_600_000, 1_000_000, 1_000, 120_000]);
  await (await bench.log({ maxEvents: 7, maxAge: 60_000 })).append("t", { data: "2" });
  assertEquals(await limits(), [60_000, 1_000_000, 7, 60_000]);
  const options = { maxAge: Infinity, maxBytes: Infinity, duplicateWindow: 5_000 };
  await (await bench.log(options)).append("t", { data: "3" });
  assertEquals(await limits(), [0, -1, 1_000, 5_000]);
});

test("refuses a stream of somebody else", async (bench) => {
  const manager = await jetstreamManager(await bench.dial());
  await manager.streams.add({ name: "sse", subjects: ["orders.*"] });
  const log = await bench.log();
  const error = await assertRejects(() => log.append("t", { data: "1" }), TypeError);
  assertEquals(
    error.message,
    'Cannot use stream "sse": its "subjects" must be ["sse.log.*"]: received ["orders.*"], name another one',
  );
  await (await bench.log({ name: "other" })).append("t", { data: "1" });
});

test("says where somebody else has written into a topic", async (bench) => {
  const log = await bench.log();
  await log.append("t", { data: "1" });
  const client = jetstream(await bench.dial());
  for (const payload of ["", "{}", '["e",1]', '["e",1,0]\nno event']) {
    await client.publish("sse.log.t", payload);
    const error = await assertRejects(() => gather(log, "t"), SseError);
    assertEquals(error.code, "ERR_SSE_LOG_RECORD");
    await assertRejects(() => log.append("t", { data: "2" }), SseError);
  }
  await log.append("other", { data: "1" });
});

test("says what JetStream has refused", async (bench) => {
  const manager = await jetstreamManager(await bench.dial());
  const log = await bench.log({ maxBytes: 100_000 });
  await log.append("t", { data: "1" });
  await manager.streams.update("sse", { max_msg_size: 1_000 });
  const error = await assertRejects(
    () => log.append("t", { data: "x".repeat(2_000) }),
    LogUnavailableError,
  );
  assert(error.message.startsWith("Cannot append event: JetStream says "), error.message);
  assert(error.cause instanceof Error);
  await log.append("t", { data: "2" });
});

test("joins two hubs: a reader of one resumes at the other", async (bench) => {
  await using one = new Hub({ log: await bench.log() });
  await using other = new Hub({ log: await bench.log() });
  const at = (hub: Hub) => ({
    fetch: (request: Request | URL | string, init?: RequestInit) =>
      Promise.resolve(hub.subscribe(new Request(request, init), { topics: ["news"] })),
  });
  const got: string[] = [];
  const take = async (hub: Hub, lastEventId: string, count: number): Promise<string> => {
    await using events = connect("http://sse.example/", { ...at(hub), lastEventId });
    await events.opened;
    const published = other.publish("news", { data: `live at ${got.length}` });
    for await (const { data, id } of events) {
      if (got.push(data) < count) continue;
      await published;
      return id;
    }
    throw new Error("The stream has ended");
  };
  const first = await take(one, await one.publish("news", { data: "before" }), 1);
  for (const data of ["missed 1", "missed 2"]) await one.publish("news", { data });
  const last = await within(take(other, first, 4), 8_000, () => `only ${got} came`);
  assertEquals(got, ["live at 0", "missed 1", "missed 2", "live at 1"]);
  assertEquals(parseEventId(last)?.seq, 5);
});

Deno.test("NatsEventLog refuses options and clients that are none", () => {
  const connection: NatsConnection = {
    request: () => Promise.reject(),
    requestMany: () => Promise.reject(),
    subscribe: () => ({ unsubscribe() {} }),
    status: () => new ReadableStream(),
  };
  const client = { apiPrefix: "$JS.API", publish: () => Promise.reject() };
  const make = (options: object) => new NatsEventLog(connection, { jetstream: client, ...options });
  make({});
  for (const name of ["", "a.b", "a b", "*", "x".repeat(65), 7]) {
    assertThrows(() => make({ name }), TypeError, '"name"');
  }
  assertThrows(() => make({ storage: "disk" }), TypeError, '"storage"');
  const bounds = ["maxEvents", "maxBytes", "maxAge", "duplicateWindow", "replicas", "timeout"];
  for (const name of [...bounds, "checkInterval"]) {
    for (const value of [0, -1, NaN, "1"]) {
      assertThrows(() => make({ [name]: value }), RangeError, `"${name}"`);
    }
  }
  for (const [name, value] of [["maxAge", 99], ["duplicateWindow", Infinity], ["replicas", 6]]) {
    assertThrows(() => make({ [name]: value }), RangeError, `"${name}"`);
  }
  assertThrows(() => make({ jetstream: undefined }), TypeError, '"jetstream"');
  const none: NatsConnection = JSON.parse("{}");
  assertThrows(() => new NatsEventLog(none, { jetstream: client }), TypeError, "connection");
});
