/** The event log on a single Redis, with each of the clients that people have. */

import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { once } from "node:events";
import { Redis } from "ioredis";
import { createClient } from "redis";
import { connect } from "../../client.ts";
import { LogGapError, LogUnavailableError } from "../../errors.ts";
import { RedisEventLog } from "../../log/redis.ts";
import { Hub } from "../../server.ts";
import { eventLogContract } from "../../testing.ts";
import { type Engine, hasRedis, startRedis } from "../engines.ts";
import { delay, within } from "../fault/real_time.ts";
import { ioredisLog, type MakeLog, redisLog } from "./redis_clients.ts";

const ignore = !(await hasRedis);
const MAKERS: Record<string, MakeLog> = { redis: redisLog, ioredis: ioredisLog };

let engine: Engine;
if (!ignore) {
  Deno.test.beforeAll(async () => {
    engine = await startRedis();
  });
  Deno.test.afterAll(async () => {
    await engine[Symbol.asyncDispose]();
  });
}

for (const [name, make] of Object.entries(MAKERS)) {
  for (const sharded of [false, true]) {
    const title = sharded ? `${name}, sharded` : name;
    for (const { name, run } of eventLogContract((o) => make(engine.port, { ...o, sharded }))) {
      Deno.test(`RedisEventLog on ${title}: ${name}`, { ignore }, run);
    }
  }
}

const test = (title: string, run: () => Promise<void>) => Deno.test(title, { ignore }, run);
const topicOf = () => crypto.randomUUID();

test("RedisEventLog keeps topics of any name apart", async () => {
  await using log = await redisLog(engine.port);
  const id = topicOf();
  const names = [
    "",
    "}",
    "{}",
    "}{",
    "{a}",
    "{a",
    "%",
    "%007d",
    "\ud800",
    "\udc00",
    "\ufffd",
    "😀",
  ];
  for (const name of names) await log.append(`${name}${id}`, { data: name });
  for (const name of names) {
    const events = await Array.fromAsync(log.read(`${name}${id}`, { after: "" }));
    assertEquals(events.map(({ data }) => data), [name]);
  }
  const held = await log.topics({ signal: new AbortController().signal, onTopic() {} });
  const own = held.filter((name) => name.endsWith(id)).map((name) => name.slice(0, -id.length));
  assertEquals(own.sort(), [...names].sort());
});

test("RedisEventLog with another prefix knows nothing of the first", async () => {
  await using log = await redisLog(engine.port, { prefix: "one" });
  await using other = await redisLog(engine.port, { prefix: "other" });
  await log.append("t", { data: "1" });
  assertEquals(await Array.fromAsync(other.read("t", { after: "" })), []);
  const { signal } = new AbortController();
  assertEquals(await other.topics({ signal, onTopic() {} }), []);
});

test("RedisEventLog.read gives nothing that is older than maxAge, and removes it", async () => {
  await using log = await redisLog(engine.port, { maxAge: 300 });
  const topic = topicOf();
  const old = await log.append(topic, { data: "old" }, { idempotencyKey: "old" });
  await until(async () => await gapReason(log, topic, "") === "trimmed");
  const events = await Array.fromAsync(log.read(topic, { after: old }));
  assertEquals(events, []);
  const again = await log.append(topic, { data: "new" }, { idempotencyKey: "old" });
  assert(again !== old, "its key went with it");
  assertEquals((await Array.fromAsync(log.read(topic, { after: old }))).length, 1);
});

test("RedisEventLog removes what is older than maxAge from a topic that is used", async () => {
  const admin = createClient({ url: `redis://127.0.0.1:${engine.port}` });
  await admin.connect();
  await using log = await redisLog(engine.port, { maxAge: 200, maxEvents: Infinity });
  const topic = topicOf();
  let count = 0;
  // By appends alone.
  await until(async () => {
    for (let n = 0; n < 150; n++) await log.append(topic, { data: `${++count}` });
    return await admin.xLen(`sse:{${topic}}:events`) < count;
  });
  const id = await log.append(topic, { data: "last" });
  // By reading: none is older then.
  await until(async () => {
    await log.append(topic, { data: `${++count}` });
    return await gapReason(log, topic, id) === "trimmed";
  });
  const [first] = await admin.xRange(`sse:{${topic}}:events`, "-", "+", { COUNT: 1 }) ?? [];
  const [seconds, micros] = await admin.sendCommand<string[]>(["TIME"]);
  const age = Number(seconds) * 1e3 + Number(micros) / 1e3 - Number(first.id.split("-")[1]);
  assert(age < 300, `${age} ms`);
  admin.destroy();
});

test("RedisEventLog forgets the stream of a topic that is silent for longer than maxAge", async () => {
  await using log = await redisLog(engine.port, { maxAge: 50, topicExpiry: 200 });
  const admin = createClient({ url: `redis://127.0.0.1:${engine.port}` });
  await admin.connect();
  const topic = topicOf();
  const old = await log.append(topic, { data: "1" });
  await until(async () => await admin.exists(`sse:{${topic}}:events`) === 0);
  await until(async () => await admin.exists(`sse:{${topic}}`) === 0);
  const id = await log.append(topic, { data: "2" });
  assert(id.split(".")[0] !== old.split(".")[0], "it begins anew, with another epoch");
  admin.destroy();
});

test("RedisEventLog holds a topic that is used, however long", async () => {
  await using log = await redisLog(engine.port, { topicExpiry: 400, checkInterval: 20 });
  const abort = new AbortController();
  const topic = topicOf();
  let last = 0;
  const onEvent = () => void last++;
  await log.follow(topic, { signal: abort.signal, onEvent });
  const start = performance.now();
  const first = await log.append(topic, { data: "" }, { idempotencyKey: "first" });
  await until(async () => {
    await log.append(topic, { data: "" });
    return performance.now() - start > 1_000;
  });
  assertEquals(await log.append(topic, { data: "" }, { idempotencyKey: "first" }), first);
  assertEquals((await Array.fromAsync(log.read(topic, { after: "" }))).length, last);
  abort.abort();
});

test("RedisEventLog holds a topic that is followed, however silent", async () => {
  await using log = await redisLog(engine.port, { topicExpiry: 200, checkInterval: 20 });
  const abort = new AbortController();
  const topic = topicOf();
  await log.follow(topic, { signal: abort.signal, onEvent() {} });
  const first = await log.append(topic, { data: "" });
  const start = performance.now();
  await until(() => Promise.resolve(performance.now() - start > 600));
  assertEquals((await Array.fromAsync(log.read(topic, { after: "" })))[0].id, first);
  abort.abort();
});

test("RedisEventLog without bounds asks for none", async () => {
  const none = { maxEvents: Infinity, maxAge: 1e300, topicExpiry: Infinity };
  await using log = await redisLog(engine.port, {
    ...none,
    timeout: Infinity,
    checkInterval: 1e99,
  });
  const abort = new AbortController();
  const topic = topicOf();
  await log.follow(topic, { signal: abort.signal, onEvent() {} });
  const id = await log.append(topic, { data: "1" }, { idempotencyKey: "k" });
  assertEquals((await log.topics({ signal: abort.signal, onTopic() {} })).includes(topic), true);
  assertEquals((await Array.fromAsync(log.read(topic, { after: "" })))[0].id, id);
  abort.abort();
});

for (const name of ["redis", "ioredis"]) {
  for (const sharded of [false, true]) {
    const title = `${name} that has a key prefix${sharded ? ", sharded" : ""}`;
    test(`RedisEventLog on ${title} is followed`, async () => {
      const own = new Redis(engine.port, "127.0.0.1", { keyPrefix: "own:" });
      const url = `redis://127.0.0.1:${engine.port}`;
      const other = createClient({ url, keyPrefix: "own:" });
      await other.connect();
      await using log = new RedisEventLog(name === "redis" ? other : own, { sharded });
      const abort = new AbortController();
      const { signal } = abort;
      const topic = topicOf();
      const [event, told] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
      await log.follow(topic, { signal, onEvent: () => event.resolve() });
      await log.topics({ signal, onTopic: () => told.resolve() });
      await log.append(topic, { data: "1" });
      await within(event.promise, 2_000, () => "the event does not come");
      await within(told.promise, 2_000, () => "the topic is not told of");
      abort.abort();
      await log.close();
      other.destroy();
      const end = once(own, "end");
      own.disconnect();
      await end;
    });
  }
}

test("RedisEventLog forgets the keys of events that are trimmed", async () => {
  await using log = await redisLog(engine.port, { maxEvents: 10 });
  const admin = createClient({ url: `redis://127.0.0.1:${engine.port}` });
  await admin.connect();
  const topic = topicOf();
  const append = (n: number) => log.append(topic, { data: "" }, { idempotencyKey: `${n}` });
  const ids = await Promise.all(Array.from({ length: 1_000 }, (_, n) => append(n)));
  assert(await admin.zCard(`sse:{${topic}}:keys`) <= 140);
  assert(await admin.xLen(`sse:{${topic}}:events`) <= 140);
  assertEquals(await append(999), ids[999]);
  admin.destroy();
});

test("RedisEventLog.read reads many and large events in pages", async () => {
  await using log = await redisLog(engine.port, { maxEvents: 5_000 });
  const topic = topicOf();
  const sizes = Array.from({ length: 1_000 }, (_, n) => (n % 100 === 50 ? 100_000 : n));
  await Promise.all(sizes.map((size) => log.append(topic, { data: "x".repeat(size) })));
  const events = await Array.fromAsync(log.read(topic, { after: "" }));
  assertEquals(events.map(({ data }) => data?.length), sizes);
});

test("RedisEventLog refuses what it cannot be made with", () => {
  const client = createClient();
  assertThrows(() => new RedisEventLog(client, { prefix: "{a}" }), TypeError, '"prefix"');
  for (const name of ["maxEvents", "maxAge", "topicExpiry", "timeout", "checkInterval"]) {
    assertThrows(() => new RedisEventLog(client, { [name]: 0 }), RangeError, name);
  }
  for (const no of [{}, null, "redis://", { sendCommand() {}, duplicate() {} }]) {
    // @ts-expect-error: None of these is a client.
    assertThrows(() => new RedisEventLog(no), TypeError, "the client must be one of");
  }
  return Promise.resolve();
});

test("RedisEventLog on a client that is not connected says so", async () => {
  await using log = new RedisEventLog(createClient());
  await assertRejects(() => log.append("t", { data: "" }), LogUnavailableError, "closed");
});

test("A Hub over two logs on Redis serves readers that change the machine", async () => {
  await using logs = new AsyncDisposableStack();
  const hubs = [];
  for (const make of [redisLog, ioredisLog]) {
    const log = logs.use(await make(engine.port, { prefix: "hub" }));
    const hub = logs.use(new Hub({ log, keepAlive: false }));
    hubs.push(hub);
  }
  const [one, other] = hubs;
  let machine = one;
  const topic = topicOf();
  const first = await one.publish(topic, { data: "first" });
  await using reader = connect("http://sse.example/", {
    lastEventId: first,
    retry: { initialDelay: 1, maxDelay: 1 },
    fetch: (input, init) => {
      const request = new Request(input, init);
      return Promise.resolve(machine.subscribe(request, { topics: [topic] }));
    },
  });
  await reader.opened;
  const data: string[] = [];
  const read = (async () => {
    for await (const event of reader) {
      data.push(event.data);
      if (event.data === "10") machine = other;
      if (event.data === "10") reader.reconnect();
      if (event.data === "29") break;
    }
  })();
  for (let n = 0; n < 30; n++) await (n % 2 === 0 ? one : other).publish(topic, { data: `${n}` });
  await within(read, 5_000, () => `not all has come: ${data}`);
  assertEquals(data, Array.from({ length: 30 }, (_, n) => `${n}`));
});

async function gapReason(log: RedisEventLog, topic: string, after: string): Promise<string> {
  try {
    await Array.fromAsync(log.read(topic, { after }));
    return "";
  } catch (error) {
    return error instanceof LogGapError ? error.gap.reason : `${error}`;
  }
}

/** Waits until something is so. */
async function until(fact: () => Promise<boolean>): Promise<void> {
  let over = false;
  const watch = async () => {
    while (!over && !(await fact())) await delay(10);
  };
  try {
    await within(watch(), 5_000, () => "It does not come to it");
  } finally {
    over = true;
  }
}
