/**
 * `NatsEventLog` while its server is killed, silent, refused, or restored, and while the network is cut.
 *
 * @module
 */

import { jetstream } from "@nats-io/jetstream";
import { connect as dial } from "@nats-io/transport-node";
import { assert, assertEquals, assertNotEquals, assertRejects } from "@std/assert";
import { type LogGap, LogUnavailableError } from "../../errors.ts";
import { NatsEventLog, type NatsEventLogOptions } from "../../log/nats.ts";
import { type EventLog, parseEventId } from "../../server/log.ts";
import { type Engine, hasNats, startNats } from "../engines.ts";
import { delay, now, within } from "../fault/real_time.ts";
import { Proxy } from "./proxy.ts";

const ignore = !(await hasNats);

/** Logs on connections of their own, that end with the block that holds them. */
class Logs implements AsyncDisposable {
  readonly #stack = new AsyncDisposableStack();

  async on(port: number, options: Partial<NatsEventLogOptions> = {}): Promise<NatsEventLog> {
    const connection = await dial({
      port,
      maxReconnectAttempts: -1,
      reconnectTimeWait: 20,
      reconnectJitter: 0,
    });
    this.#stack.defer(() => connection.close());
    const log = new NatsEventLog(connection, { jetstream: jetstream(connection), ...options });
    return this.#stack.use(log);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#stack.disposeAsync();
  }
}

function test(name: string, run: (engine: Engine, logs: Logs) => Promise<void>): void {
  Deno.test({
    name: `NatsEventLog ${name}`,
    ignore,
    async fn() {
      await using engine = await startNats();
      await using logs = new Logs();
      await run(engine, logs);
    },
  });
}

async function until(fact: () => boolean | Promise<boolean>, says: () => string): Promise<void> {
  const end = now() + 10_000;
  while (!await fact()) {
    if (now() > end) throw new Error(`Not within 10 seconds: ${says()}`);
    await delay(10);
  }
}

function gather(
  log: EventLog,
  topic: string,
  after = "",
): Promise<{ id: string; data?: string }[]> {
  return within(Array.fromAsync(log.read(topic, { after })), 10_000, () => "read does not end");
}

async function follow(log: EventLog, topic: string) {
  const events: { id: string; data?: string }[] = [];
  const gaps: LogGap[] = [];
  const id = await log.follow(topic, {
    signal: new AbortController().signal,
    onEvent: (event) => void events.push(event),
    onGap: (gap) => void gaps.push(gap),
  });
  return { id, events, gaps };
}

/** Appends until it is told that it is there. */
async function insist(log: EventLog, topic: string, data: string, key: string): Promise<string> {
  for (;;) {
    try {
      return await log.append(topic, { data }, { idempotencyKey: key });
    } catch (error) {
      assert(error instanceof LogUnavailableError, String(error));
    }
  }
}

/** Stops the server, and waits until it is: it may still answer for a moment. */
async function silence(engine: Engine, log: EventLog): Promise<void> {
  engine.signal("SIGSTOP");
  for (let isSilent = false; !isSilent;) {
    await log.append("silence", { data: "?" }).catch(() => isSilent = true);
  }
}

/** Each event once, in the order of reading, and each append has the id of its event. */
async function assertExact(
  log: EventLog,
  topic: string,
  ids: Map<string, string>,
  followers: { events: { id: string; data?: string }[]; gaps: LogGap[] }[],
): Promise<void> {
  const read = await gather(log, topic);
  assertEquals(read.map(({ id }) => parseEventId(id)?.seq), read.map((_, n) => n + 1));
  assertEquals(read.map(({ data }) => data).toSorted(), [...ids.keys()].toSorted());
  for (const { id, data = "" } of read) assertEquals(ids.get(data), id);
  for (const { events, gaps } of followers) {
    await until(
      () => events.length >= read.length,
      () => `${events.length} of ${read.length} events are followed`,
    );
    assertEquals(events.map(({ id }) => id), read.map(({ id }) => id));
    assertEquals(gaps, []);
  }
}

test(
  "loses and repeats no event with a key while its server is killed again and again",
  async (engine, logs) => {
    const options = { maxEvents: 100_000, timeout: 1_000, checkInterval: 200 };
    const pair = [await logs.on(engine.port, options), await logs.on(engine.port, options)];
    const followers = await Promise.all(pair.map((log) => follow(log, "t")));
    const ids = new Map<string, string>();
    let over = false;
    const publish = async (log: EventLog, name: string) => {
      for (let n = 0; !over; n++) {
        const data = `${name}${n}`;
        ids.set(data, await insist(log, "t", data, data));
      }
    };
    const publishers = pair.flatMap((log, n) => [0, 1, 2].map((m) => publish(log, `${n}-${m}-`)));
    for (let kill = 0; kill < 3; kill++) {
      const before = ids.size;
      await until(() => ids.size > before + 50, () => `${ids.size} events are appended`);
      await engine.end("SIGKILL");
      await engine.start();
    }
    const before = ids.size;
    await until(() => ids.size > before + 50, () => `${ids.size} events are appended`);
    over = true;
    await Promise.all(publishers);
    await assertExact(pair[0], "t", ids, followers);
  },
);

test(
  "stores no event twice while its connection is cut, also without a key",
  async (engine, logs) => {
    await using proxy = new Proxy(engine.port);
    proxy.delay = 2;
    const cut = await logs.on(proxy.port, {
      maxEvents: 100_000,
      timeout: 4_000,
      checkInterval: 200,
    });
    const steady = await logs.on(engine.port, { maxEvents: 100_000 });
    const followers = [await follow(cut, "t"), await follow(steady, "t")];
    const ids = new Map<string, string>();
    const unsure = new Set<string>();
    let over = false;
    const publish = async (log: EventLog, name: string) => {
      for (let n = 0; !over; n++) {
        const data = `${name}${n}`;
        try {
          ids.set(data, await log.append("t", { data }));
        } catch (error) {
          assert(error instanceof LogUnavailableError, String(error));
          unsure.add(data);
        }
      }
    };
    const publishers = [...["a", "b", "c"].map((name) => publish(cut, name)), publish(steady, "d")];
    for (const publisher of publishers) publisher.catch(() => {});
    for (let round = 0; round < 6; round++) {
      const before = followers[0].events.length;
      await until(
        () => followers[0].events.length > before + 20,
        () => `${followers[0].events.length} events are followed`,
      );
      // In the midst of what is under way: questions are lost, and answers.
      proxy.cut();
    }
    over = true;
    await Promise.all(publishers);
    // Whether an event is there whose append has rejected cannot be told, but it is not there twice.
    for (const { id, data = "" } of await gather(steady, "t")) {
      if (unsure.has(data)) {
        ids.set(data, id);
      }
    }
    await assertExact(steady, "t", ids, followers);
  },
);

test(
  "gives the id of an event whose answer was lost, with others or with a key",
  async (engine, logs) => {
    await using proxy = new Proxy(engine.port);
    const cut = await logs.on(proxy.port, { timeout: 4_000 });
    const steady = await logs.on(engine.port);
    const { events } = await follow(steady, "t");
    const ids = [await cut.append("t", { data: "0" })];
    for (const options of [{}, { idempotencyKey: "key" }]) {
      proxy.delay = 200;
      const appended = cut.append("t", { data: "lost" }, options);
      await until(() => events.length > ids.length, () => "it is stored");
      // The answer is still on its way.
      proxy.cut();
      proxy.delay = 0;
      ids.push(await appended, await steady.append("t", { data: "next" }));
      await until(() => events.length === ids.length, () => `${events.length} are followed`);
    }
    assertEquals(events.map(({ id }) => id), ids);
    assertEquals((await gather(steady, "t")).map(({ id }) => id), ids);
  },
);

test(
  "rejects in time while its server is silent, and goes on with all that follow",
  async (engine, logs) => {
    const log = await logs.on(engine.port, { timeout: 500, checkInterval: 100 });
    const follower = await follow(log, "t");
    const told: string[] = [];
    const { signal } = new AbortController();
    await log.topics({ signal, onTopic: (name) => void told.push(name) });
    const first = await log.append("t", { data: "1" });
    await log.append("t", { data: "2" }, { idempotencyKey: "2" });
    await until(() => follower.events.length === 2, () => "it is followed");
    const calls = [
      () => log.append("t", { data: "3" }, { idempotencyKey: "3" }),
      () => log.append("other", { data: "1" }, { idempotencyKey: "1" }),
      () => gather(log, "t", first),
      () => log.follow("t", { signal, onEvent() {} }),
      () => log.topics({ signal, onTopic() {} }),
    ];
    try {
      await silence(engine, log);
      for (const call of calls) {
        const start = now();
        const error = await assertRejects(call, LogUnavailableError);
        assert(/^Cannot [a-z ]+: /.test(error.message), error.message);
        const time = now() - start;
        assert(time > 400 && time < 1_500, `${time} ms`);
      }
    } finally {
      engine.signal("SIGCONT");
    }
    await insist(log, "t", "3", "3");
    await insist(log, "other", "1", "1");
    await log.append("t", { data: "4" });
    await until(() => follower.events.length >= 4, () => "it is followed again");
    assertEquals(follower.events.map(({ data }) => data), ["1", "2", "3", "4"]);
    assertEquals(follower.gaps, []);
    assert(told.includes("other"), "topics are told of again");
  },
);

test("ends all that waits when it is closed, though its server is silent", async (engine, logs) => {
  const log = await logs.on(engine.port, { timeout: 1_000 });
  const first = await log.append("t", { data: "1" });
  await log.append("t", { data: "2" });
  const { signal } = new AbortController();
  try {
    await silence(engine, log);
    const start = now();
    const waiting = [
      log.append("t", { data: "under way" }),
      log.append("t", { data: "with a key" }, { idempotencyKey: "key" }),
      gather(log, "t", first),
      log.follow("t", { signal, onEvent() {} }),
      log.topics({ signal, onTopic() {} }),
    ];
    const ends = waiting.map((each) => assertRejects(() => each, TypeError));
    await log.close();
    await Promise.all(ends);
    assert(now() - start < 1_000, `${now() - start} ms`);
  } finally {
    engine.signal("SIGCONT");
  }
});

test(
  "rejects in time while its server is not there, and goes on when it is back",
  async (engine, logs) => {
    const log = await logs.on(engine.port, { timeout: 500, checkInterval: 100 });
    const fresh = await logs.on(engine.port, { timeout: 500, checkInterval: 100 });
    const follower = await follow(log, "t");
    const first = await log.append("t", { data: "1" });
    await engine.end();
    for (const each of [log, fresh]) {
      const calls = [
        () => each.append("t", { data: "2" }, { idempotencyKey: "2" }),
        () => gather(each, "t", first),
        () => each.follow("t", { signal: new AbortController().signal, onEvent() {} }),
      ];
      const start = now();
      for (const call of calls) await assertRejects(call, LogUnavailableError);
      assert(now() - start < 3_000, `${now() - start} ms`);
    }
    await engine.start();
    const second = await insist(fresh, "t", "2", "2");
    assertEquals(epochOf(second), epochOf(first));
    await until(() => follower.events.length === 2, () => "it is followed again");
    assertEquals(follower.events.map(({ id }) => id), [first, second]);
    assertEquals(follower.gaps, []);
  },
);

test(
  "gives followers what came while they were cut off, and tells of what is gone",
  async (engine, logs) => {
    await using proxy = new Proxy(engine.port);
    const cut = await logs.on(proxy.port, { maxEvents: 100, checkInterval: 60_000 });
    const steady = await logs.on(engine.port, { maxEvents: 100 });
    const [few, many] = [await follow(cut, "few"), await follow(cut, "many")];
    const first = await steady.append("many", { data: "0" });
    await until(() => many.events.length === 1, () => "it is followed");
    proxy.refuse(true);
    proxy.cut();
    await steady.append("few", { data: "1" });
    const ids = await Promise.all(
      Array.from({ length: 300 }, (_, n) => steady.append("many", { data: `${n}` })),
    );
    proxy.refuse(false);
    await until(() => many.events.length === 101, () => `${many.events.length} are followed`);
    await until(() => few.events.length === 1, () => "what was missed is followed");
    assertEquals(few.gaps, []);
    assertEquals(many.gaps, [{ asked: first, first: ids[200], reason: "trimmed" }]);
    assertEquals(many.events.slice(1).map(({ id }) => id), ids.slice(200));
  },
);

test(
  "begins an epoch when its server was restored from what it was before",
  async (engine, logs) => {
    const log = await logs.on(engine.port, { checkInterval: 100 });
    const follower = await follow(log, "t");
    const ids = [await log.append("t", { data: "1" }), await log.append("t", { data: "2" })];
    await engine.end();
    const copy = await Deno.makeTempDir({ prefix: "sse-copy-" });
    try {
      await run("cp", "-r", `${engine.folder}/jetstream`, copy);
      await engine.start();
      ids.push(await insist(log, "t", "3", "3"));
      await engine.end();
      await Deno.remove(`${engine.folder}/jetstream`, { recursive: true });
      await run("cp", "-r", `${copy}/jetstream`, engine.folder);
    } finally {
      await Deno.remove(copy, { recursive: true });
    }
    await engine.start();
    const next = [await insist(log, "t", "4", "4"), await log.append("t", { data: "5" })];
    assertNotEquals(epochOf(next[0]), epochOf(ids[0]));
    assertEquals(next.map((id) => parseEventId(id)?.seq), [1, 2]);
    assertEquals((await gather(log, "t")).map(({ id }) => id), next);
    await until(() => follower.events.length === 5, () => "the follower goes on");
    assertEquals(follower.gaps, [{ asked: ids[2], first: next[0], reason: "epoch" }]);
  },
);

function epochOf(id: string): string | undefined {
  return parseEventId(id)?.epoch;
}

async function run(command: string, ...args: string[]): Promise<void> {
  const { success } = await new Deno.Command(command, { args }).output();
  assert(success, command);
}
