/** The event log on a Redis that is killed, stopped, emptied, out of reach, slow or forgetful. */

import { assert, assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import { createClient } from "redis";
import { LogGapError, LogUnavailableError } from "../../errors.ts";
import type { LogGap } from "../../errors.ts";
import { RedisEventLog } from "../../log/redis.ts";
import type { LoggedEvent } from "../../server.ts";
import { hasRedis, startRedis } from "../engines.ts";
import { delay, now, within } from "../fault/real_time.ts";
import { unhandled } from "../helpers.ts";
import { Proxy } from "./proxy.ts";
import { ioredisLog, type MakeLog, redisLog } from "./redis_clients.ts";

const ignore = !(await hasRedis);
const MAKERS: Record<string, MakeLog> = { redis: redisLog, ioredis: ioredisLog };

/** What somebody who follows has been told. */
class Told implements Disposable {
  readonly events: LoggedEvent[] = [];
  readonly gaps: LogGap[] = [];
  readonly #abort = new AbortController();

  async follow(log: RedisEventLog, topic = "t"): Promise<string> {
    return await log.follow(topic, {
      signal: this.#abort.signal,
      onEvent: (event) => this.events.push(event),
      onGap: (gap) => this.gaps.push(gap),
    });
  }

  get data(): (string | undefined)[] {
    return this.events.map(({ data }) => data);
  }

  [Symbol.dispose](): void {
    this.#abort.abort();
  }
}

/** Waits until something is so. */
async function until(fact: () => unknown, says: () => unknown = () => fact): Promise<void> {
  let over = false;
  const watch = async () => {
    while (!over && !(await fact())) await delay(5);
  };
  try {
    await within(watch(), 8_000, () => `It does not come to it: ${says()}`);
  } finally {
    over = true;
  }
}

/** A client that looks into the engine. */
async function adminOf(port: number): Promise<
  ((...args: string[]) => Promise<unknown>) & Disposable
> {
  const client = createClient({ socket: { port, host: "127.0.0.1", reconnectStrategy: 20 } });
  client.on("error", () => {});
  await client.connect();
  const send = (...args: string[]) => client.sendCommand(args);
  return Object.assign(send, { [Symbol.dispose]: () => client.destroy() });
}

/** Appends until it works. */
async function insist(log: RedisEventLog, data: string): Promise<string> {
  for (;;) {
    try {
      return await log.append("t", { data }, { idempotencyKey: data });
    } catch (error) {
      assertInstanceOf(error, LogUnavailableError);
      await delay(5);
    }
  }
}

const texts = (count: number) => Array.from({ length: count }, (_, n) => `${n}`);

for (const [name, make] of Object.entries(MAKERS)) {
  const test = (title: string, run: () => Promise<void>) =>
    Deno.test(`RedisEventLog on ${name} ${title}`, { ignore }, async () => {
      assertEquals(await unhandled(run), [], "nothing rejects that nobody handles");
    });

  test("gives those of two processes the same events while both append", async () => {
    await using engine = await startRedis();
    await using one = await make(engine.port);
    await using other = await make(engine.port);
    using told = new Told();
    using toldOther = new Told();
    await told.follow(one);
    await toldOther.follow(other);
    const append = (log: RedisEventLog, data: string) => log.append("t", { data });
    const ids = await Promise.all(
      texts(500).map((data, n) => append(n % 2 === 0 ? one : other, data)),
    );
    await until(() => told.events.length === 500 && toldOther.events.length === 500);
    assertEquals(told.events, toldOther.events);
    assertEquals(new Set(ids).size, 500);
    assertEquals(told.events.map(({ id }) => id.split(".")[1]), texts(501).slice(1));
    assertEquals(await Array.fromAsync(one.read("t", { after: "" })), told.events);
    assertEquals([...told.gaps, ...toldOther.gaps], []);
  });

  test("loses nothing and repeats nothing when connections are killed", async () => {
    await using engine = await startRedis();
    using admin = await adminOf(engine.port);
    await using log = await make(engine.port, { timeout: 1_000, checkInterval: 200 });
    using told = new Told();
    await told.follow(log);
    const ids: string[] = [];
    for (const data of texts(300)) {
      const appended = insist(log, data);
      if (Number(data) % 50 === 20) await admin("CLIENT", "KILL", "TYPE", "pubsub");
      if (Number(data) % 50 === 40) {
        await admin("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes");
      }
      ids.push(await appended);
    }
    await until(() => told.events.length >= 300, () => told.data);
    assertEquals(told.data, texts(300));
    assertEquals(told.events.map(({ id }) => id), ids);
  });

  test("loses nothing and repeats nothing when the engine is killed and started again", async () => {
    // By default Redis answers before it has written, while the disk is busy.
    await using engine = await startRedis({ args: ["--appendfsync", "always"] });
    await using log = await make(engine.port, { timeout: 500, checkInterval: 100 });
    await using other = await make(engine.port, { timeout: 500, checkInterval: 100 });
    using told = new Told();
    using toldOther = new Told();
    await told.follow(log);
    await toldOther.follow(other);
    let next = 0;
    const publish = async () => {
      for (let data = next++; data < 600; data = next++) await insist(log, `${data}`);
    };
    const published = Promise.all([publish(), publish(), publish(), publish()]);
    for (const at of [100, 350]) {
      await until(() => next > at);
      await engine.end("SIGKILL");
      await engine.start();
    }
    await published;
    await until(() => told.events.length >= 600 && toldOther.events.length >= 600);
    assertEquals(new Set(told.data).size, 600);
    assertEquals(told.events.map(({ id }) => id.split(".")[1]), texts(601).slice(1));
    assertEquals(toldOther.events, told.events);
    assertEquals(told.gaps, []);
  });

  test("does not append twice what its client sends twice", async () => {
    await using engine = await startRedis();
    await using proxy = new Proxy(engine.port);
    await using direct = await make(engine.port);
    await using log = await make(proxy.port, { timeout: 2_000 });
    await log.append("t", { data: "first" });
    // The command arrives, its answer does not.
    proxy.delay = 50;
    const appends = texts(20).map((data) => log.append("t", { data }));
    const settled = Promise.allSettled(appends);
    await until(async () => (await Array.fromAsync(direct.read("t", { after: "" }))).length > 1);
    proxy.cut();
    proxy.delay = 0;
    for (const result of await settled) {
      if (result.status === "rejected") assertInstanceOf(result.reason, LogUnavailableError);
    }
    await log.append("t", { data: "last" });
    const events = await Array.fromAsync(direct.read("t", { after: "" }));
    const data = events.map(({ data }) => data);
    assertEquals(data.length, new Set(data).size);
    assertEquals(data.at(-1), "last");
  });

  test("tells of a gap when the engine was emptied", async () => {
    await using engine = await startRedis();
    using admin = await adminOf(engine.port);
    await using log = await make(engine.port, { checkInterval: 50 });
    using told = new Told();
    await told.follow(log);
    const old = await log.append("t", { data: "1" });
    await until(() => told.events.length === 1);
    await admin("FLUSHALL");
    const error = await assertRejects(
      () => Array.fromAsync(log.read("t", { after: old })),
      LogGapError,
    );
    assertEquals(error.gap.reason, "epoch");
    await until(() => told.gaps.length === 1);
    const id = await log.append("t", { data: "2" });
    assert(id.split(".")[0] !== old.split(".")[0]);
    await until(() => told.events.length === 2);
    assertEquals(told.gaps.map(({ asked, reason }) => [asked, reason]), [[old, "epoch"]]);
    assertEquals(told.events[1].id, id);
    const { signal } = new AbortController();
    assertEquals(await log.topics({ signal, onTopic() {} }), ["t"]);
  });

  for (const how of ["append", "read", "check"]) {
    test(`gives no id twice when the engine knows less than before: ${how}`, async () => {
      await using engine = await startRedis();
      using admin = await adminOf(engine.port);
      await using log = await make(engine.port, { checkInterval: how === "check" ? 50 : 1e6 });
      using told = new Told();
      await told.follow(log);
      const ids: string[] = [];
      for (const data of texts(3)) ids.push(await log.append("t", { data }));
      await admin("COPY", "sse:{t}", "old");
      await admin("COPY", "sse:{t}:events", "old:events");
      for (const data of texts(3)) ids.push(await log.append("t", { data }));
      await until(() => told.events.length === 6);
      // As a replica that is behind, or a snapshot, would have it.
      await admin("RENAME", "old", "sse:{t}");
      await admin("RENAME", "old:events", "sse:{t}:events");
      if (how === "read") {
        const error = await assertRejects(
          () => Array.fromAsync(log.read("t", { after: ids[5] })),
          LogGapError,
        );
        assertEquals(error.gap.reason, "epoch");
      }
      if (how === "check") await until(() => told.gaps.length === 1);
      const id = await log.append("t", { data: "new" });
      assert(!ids.includes(id));
      assert(id.endsWith(".1"));
      await until(() => told.events.length === 7);
      assertEquals(told.gaps.map(({ asked, reason }) => [asked, reason]), [[ids[5], "epoch"]]);
      assertEquals(await admin("HGET", "sse:{t}", ids[5].split(".")[0]), null);
    });
  }

  test("tells of a gap behind an event that is trimmed", async () => {
    await using engine = await startRedis();
    await using log = await make(engine.port, { maxEvents: 10 });
    const ids = await Promise.all(texts(500).map((data) => log.append("t", { data })));
    const error = await assertRejects(
      () => Array.fromAsync(log.read("t", { after: ids[0] })),
      LogGapError,
    );
    assertEquals(error.gap.reason, "trimmed");
    const held = await Array.fromAsync(log.read("t", { after: ids.at(-11) ?? "" }));
    assertEquals(held.length, 10);
  });

  test("is told within its timeout when the engine stands still, and goes on with it", async () => {
    await using engine = await startRedis();
    await using log = await make(engine.port, { timeout: 300, checkInterval: 100 });
    using told = new Told();
    using late = new Told();
    await told.follow(log);
    await log.append("t", { data: "before" });
    engine.signal("SIGSTOP");
    const start = now();
    const append = () => log.append("t", { data: "lost?" });
    const error = await assertRejects(append, LogUnavailableError);
    assertEquals(
      error.message,
      "Cannot append event: Redis: no answer within 300 ms, try again later",
    );
    await assertRejects(() => Array.fromAsync(log.read("t", { after: "" })), LogUnavailableError);
    await assertRejects(() => late.follow(log, "late"), LogUnavailableError);
    assert(now() - start < 3_000, `${now() - start} ms`);
    engine.signal("SIGCONT");
    await log.append("t", { data: "after" });
    await until(() => told.data.at(-1) === "after");
    await late.follow(log, "late");
    await log.append("late", { data: "late" });
    await until(() => late.data.length === 1);
  });

  test("sends nothing later that it has rejected without a connection", async () => {
    await using engine = await startRedis();
    await using proxy = new Proxy(engine.port);
    await using log = await make(proxy.port, { timeout: 300, checkInterval: 100 });
    using told = new Told();
    await told.follow(log);
    await log.append("t", { data: "before" });
    proxy.refuse(true);
    proxy.cut();
    const results = [];
    for (const data of ["a", "b", "c"]) {
      results.push(await log.append("t", { data }).then(() => data, (error) => error));
    }
    for (const result of results) assertInstanceOf(result, LogUnavailableError);
    proxy.refuse(false);
    await insist(log, "after");
    await until(() => told.data.at(-1) === "after");
    // The first may have been on its way when the connection broke; later ones cannot.
    assertEquals(told.data.filter((data) => data === "b" || data === "c"), []);
    assertEquals(told.gaps, []);
  });

  test("works over a slow network, and gives up over one that is too slow", async () => {
    await using engine = await startRedis();
    await using proxy = new Proxy(engine.port);
    await using log = await make(proxy.port, { timeout: 400, checkInterval: 100 });
    using told = new Told();
    await told.follow(log);
    proxy.delay = 50;
    const ids = await Promise.all(texts(20).map((data) => log.append("t", { data })));
    await until(() => told.events.length === 20);
    assertEquals(told.events.map(({ id }) => id), ids);
    proxy.delay = 600;
    await assertRejects(() => log.append("t", { data: "late" }), LogUnavailableError);
    proxy.delay = 0;
    await insist(log, "after");
    await until(() => told.data.at(-1) === "after", () => told.data);
    assertEquals(told.gaps, []);
  });

  test("finds what was published last and did not come", async () => {
    await using engine = await startRedis();
    using admin = await adminOf(engine.port);
    await using log = await make(engine.port, { checkInterval: 50 });
    using told = new Told();
    await told.follow(log);
    const id = await log.append("t", { data: "1" });
    await until(() => told.events.length === 1);
    // As the script does it, but for the message.
    await admin("XADD", "sse:{t}:events", "2-0", "r", '{"data":"2"}');
    await admin("HSET", "sse:{t}", id.split(".")[0], "2");
    await until(() => told.events.length === 2);
    assertEquals(told.data, ["1", "2"]);
  });

  test("finds what did not come as soon as it is connected again", async () => {
    await using engine = await startRedis();
    await using proxy = new Proxy(engine.port);
    await using direct = await make(engine.port);
    await using log = await make(proxy.port, { checkInterval: 1e9 });
    using told = new Told();
    await told.follow(log);
    await direct.append("t", { data: "1" });
    await until(() => told.events.length === 1);
    proxy.refuse(true);
    proxy.cut();
    await direct.append("t", { data: "2" });
    proxy.refuse(false);
    await until(() => told.events.length === 2);
    assertEquals(told.data, ["1", "2"]);
  });

  test("tells of a gap where somebody has taken an event out", async () => {
    await using engine = await startRedis();
    using admin = await adminOf(engine.port);
    await using log = await make(engine.port);
    const ids = await Promise.all(texts(5).map((data) => log.append("t", { data })));
    await admin("XDEL", "sse:{t}:events", "3-0");
    const given: string[] = [];
    const error = await assertRejects(async () => {
      for await (const { id } of log.read("t", { after: "" })) given.push(id);
    }, LogGapError);
    assertEquals(given, ids.slice(0, 2));
    assertEquals(error.gap, { asked: ids[1], first: ids[3], reason: "trimmed" });
  });

  test("finds a topic whose message did not come", async () => {
    await using engine = await startRedis();
    using admin = await adminOf(engine.port);
    await using log = await make(engine.port, { checkInterval: 50 });
    const abort = new AbortController();
    const names: string[] = [];
    const onTopic = (topic: string) => void names.push(topic);
    assertEquals(await log.topics({ signal: abort.signal, onTopic }), []);
    await admin("ZADD", "sse:topics", `${Date.now()}`, "quiet");
    await until(() => names.length === 1);
    await delay(0);
    assertEquals(names, ["quiet"]);
    abort.abort();
  });

  test("tells why the engine refuses", async () => {
    await using engine = await startRedis();
    using admin = await adminOf(engine.port);
    await using log = await make(engine.port);
    await admin("SET", "sse:{wrong}:events", "x");
    const failure = async (action: () => Promise<unknown>, code: RegExp) => {
      const error = await assertRejects(action, LogUnavailableError);
      assertInstanceOf(error.cause, Error);
      assert(code.test(error.cause.message), error.cause.message);
    };
    await log.append("wrong", { data: "" }); // A topic that is new removes what is in its way.
    await admin("SET", "sse:{wrong}", "x");
    await failure(() => log.append("wrong", { data: "" }), /^WRONGTYPE/);
    await log.append("t", { data: "0" });
    await admin("CONFIG", "SET", "maxmemory", "1");
    await failure(() => log.append("new", { data: "" }), /OOM/);
    await failure(() => log.append("t", { data: "" }), /OOM/);
    await admin("CONFIG", "SET", "maxmemory", "0");
    await admin("SCRIPT", "FLUSH");
    const ids = await Promise.all(texts(5).map((data) => log.append("t", { data })));
    assertEquals(ids.map((id) => id.split(".")[1]), ["2", "3", "4", "5", "6"]);
  });

  test("leaves no connection and no key without an expiry", async () => {
    await using engine = await startRedis();
    using admin = await adminOf(engine.port);
    const clients = async () => `${await admin("CLIENT", "LIST")}`.trim().split("\n").length;
    const before = await clients();
    const log = await make(engine.port, { maxAge: 60_000 });
    using told = new Told();
    await log.append("t", { data: "1" }, { idempotencyKey: "k" });
    assertEquals(await clients(), before + 1);
    await told.follow(log);
    await told.follow(log, "empty");
    await log.topics({ signal: new AbortController().signal, onTopic() {} });
    assertEquals(await clients(), before + 2);
    const found = await admin("KEYS", "*");
    const keys: unknown[] = Array.isArray(found) ? found : [];
    const expected = ["sse:topics", "sse:{empty}", "sse:{t}", "sse:{t}:events", "sse:{t}:keys"];
    assertEquals(keys.map(String).sort(), expected);
    for (const key of expected) assert(Number(await admin("PTTL", key)) > 0, key);
    await log.close();
    await log.close();
    await until(async () => await clients() === before);
  });
}

Deno.test(
  "RedisEventLog opens its second connection again if that gives up",
  { ignore },
  async () => {
    await using engine = await startRedis();
    using admin = await adminOf(engine.port);
    const socket = { port: engine.port, host: "127.0.0.1", reconnectStrategy: false } as const;
    const client = createClient({ socket });
    client.on("error", () => {});
    await client.connect();
    await using log = new RedisEventLog(client, { checkInterval: 50 });
    using told = new Told();
    await told.follow(log);
    await told.follow(log, "other");
    for (const data of texts(5)) {
      await log.append("t", { data });
      assertEquals(await admin("CLIENT", "KILL", "TYPE", "pubsub"), 1);
      await until(() => told.events.length === Number(data) + 1, () => told.data);
      await until(async () => {
        const channels = await admin("PUBSUB", "CHANNELS");
        return Array.isArray(channels) && channels.length === 2;
      });
    }
    assertEquals(told.data, texts(5));
    client.destroy();
  },
);

Deno.test(
  "RedisEventLog holds a bounded number of appends for a silent engine",
  { ignore },
  async () => {
    await using engine = await startRedis();
    await using log = await redisLog(engine.port, { timeout: 200 });
    await log.append("t", { data: "first" });
    engine.signal("SIGSTOP");
    const burst = texts(1_200).map((data) => log.append("t", { data }, { idempotencyKey: data }));
    const errors = (await Promise.allSettled(burst)).map((result) => result.status);
    assertEquals(new Set(errors), new Set(["rejected"]));
    const start = now();
    const error = await assertRejects(() => log.append("t", { data: "" }), LogUnavailableError);
    assert(now() - start < 100, "nothing more is waited for");
    assertEquals(
      error.message,
      "Cannot append event: Redis: 1200 answers are late, try again later",
    );
    engine.signal("SIGCONT");
    await insist(log, "last");
  },
);

Deno.test(
  "RedisEventLog holds a bounded number of appends without a connection",
  { ignore },
  async () => {
    await using engine = await startRedis();
    await using proxy = new Proxy(engine.port);
    await using log = await redisLog(proxy.port, { timeout: 1_000 });
    await log.append("t", { data: "first" });
    proxy.refuse(true);
    proxy.cut();
    await assertRejects(() => log.append("t", { data: "" }), LogUnavailableError);
    const burst = texts(10_100).map((data) => log.append("t", { data }, { idempotencyKey: data }));
    const results = await Promise.allSettled(burst);
    const messages = results.map((result) =>
      result.status === "rejected" ? result.reason.message : ""
    );
    const refused = messages.filter((message) => /too many wait/.test(message));
    assertEquals(refused.length, 100);
    proxy.refuse(false);
    await insist(log, "last");
    assertEquals((await Array.fromAsync(log.read("t", { after: "" }))).length, 2);
  },
);

Deno.test(
  "RedisEventLog holds appends of a bounded size without a connection",
  { ignore },
  async () => {
    await using engine = await startRedis();
    await using proxy = new Proxy(engine.port);
    await using log = await redisLog(proxy.port, { timeout: 1_000 });
    await log.append("t", { data: "first" });
    proxy.refuse(true);
    proxy.cut();
    await assertRejects(() => log.append("t", { data: "" }), LogUnavailableError);
    const data = "x".repeat(5_000_000);
    const results = await Promise.allSettled(texts(8).map(() => log.append("t", { data })));
    const refused = results.filter((result) =>
      result.status === "rejected" && /too many wait/.test(result.reason.message)
    );
    assertEquals(refused.length, 2);
    proxy.refuse(false);
    await insist(log, "last");
  },
);

Deno.test(
  "RedisEventLog sends the appends of a turn as few, in their order",
  { ignore },
  async () => {
    await using engine = await startRedis();
    using admin = await adminOf(engine.port);
    await using log = await redisLog(engine.port);
    using told = new Told();
    await told.follow(log, "t");
    await log.append("t", { data: "first" });
    await admin("CONFIG", "RESETSTAT");
    const long = "x".repeat(200_000);
    const data = [...texts(300), long, long, "keyed", ...texts(10)];
    const ids = await Promise.all(data.map((data) => {
      return log.append("t", { data }, data === "keyed" ? { idempotencyKey: "key" } : {});
    }));
    const calls = /cmdstat_evalsha:calls=(\d+)/.exec(String(await admin("INFO", "commandstats")))
      ?.[1];
    // 128, 128, 44 and a long one, a long one, the one with a key, and the rest. A hash that was not
    // known yet would make it more.
    assert(Number(calls) <= 7, calls);
    const read = await Array.fromAsync(log.read("t", { after: "" }));
    assertEquals(read.map(({ data }) => data), ["first", ...data]);
    assertEquals(read.slice(1).map(({ id }) => id), ids);
    await until(() => told.events.length === data.length + 1);
    assertEquals(told.events.map(({ data }) => data), ["first", ...data]);
  },
);

Deno.test("RedisEventLog looks at many topics in few round trips", { ignore }, async () => {
  await using engine = await startRedis();
  using admin = await adminOf(engine.port);
  await using log = await redisLog(engine.port, { checkInterval: 20 });
  using told = new Told();
  const topics = texts(1_200);
  await Promise.all(topics.map((topic) => told.follow(log, topic)));
  const ids = await Promise.all(topics.map((topic) => log.append(topic, { data: topic })));
  await until(() => told.events.length === 1_200);
  // The next event of each, but for the message.
  for (const [index, topic] of topics.entries()) {
    void admin("XADD", `sse:{${topic}}:events`, "2-0", "r", `{"data":"${topic}"}`);
    void admin("HSET", `sse:{${topic}}`, ids[index].split(".")[0], "2");
  }
  await until(() => told.events.length === 2_400, () => told.events.length);
  assertEquals(told.gaps, []);
});
