/** Which topics a hub follows: those that somebody reads, by name or by pattern, for as long as that. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import fc from "fast-check";
import { ServerSentEventParser } from "../../parse.ts";
import {
  type CloseReason,
  type EventLog,
  Hub,
  MemoryEventLog,
  type Session,
  type TopicsOptions,
} from "../../server.ts";
import { isPattern, matches } from "../../server/patterns.ts";
import { TopicWatch } from "../../server/topic_watch.ts";
import { property, requestAfter as request, settle, unhandled } from "../helpers.ts";
import { quiet } from "./scheduler.ts";

/** What a log was asked for, and has not been told to end. */
class Probe {
  readonly log: EventLog;
  /** The topics that are followed, each as often as it is. */
  readonly followed: string[] = [];
  /** How often the topics were asked for. */
  listings = 0;
  /** How many watch them. */
  watching = 0;

  constructor(inner: EventLog, topics: EventLog["topics"] | false = undefined) {
    this.log = {
      append: (topic, event, options) => inner.append(topic, event, options),
      read: (topic, options) => inner.read(topic, options),
      follow: (topic, options) => {
        this.followed.push(topic);
        options.signal.addEventListener("abort", () => {
          this.followed.splice(this.followed.indexOf(topic), 1);
        });
        return inner.follow(topic, options);
      },
      close: () => inner.close(),
    };
    if (topics === false) return;
    this.log.topics = (options) => {
      this.listings++;
      this.watching++;
      options.signal.addEventListener("abort", () => this.watching--);
      return topics?.(options) ?? inner.topics?.(options) ?? Promise.resolve([]);
    };
  }
}

/** A session: what it is sent, where that leaves it, and why it has ended. */
class Reading {
  ended: CloseReason | undefined = undefined;
  readonly #parser: ServerSentEventParser;
  readonly #body: ReadableStreamDefaultReader<Uint8Array> | undefined;
  #data: string[] = [];

  constructor(hub: Hub, topics: readonly string[], lastEventId = "") {
    this.#parser = new ServerSentEventParser({ lastEventId });
    const { body } = hub.subscribe(request(lastEventId), {
      topics,
      onClose: (reason) => this.ended = reason,
    });
    this.#body = body?.getReader();
    this.#read();
  }

  get lastEventId(): string {
    return this.#parser.lastEventId;
  }

  /** The data of what has come since the last time. */
  async data(): Promise<string> {
    await quiet();
    return this.#data.splice(0).join(" ");
  }

  leave(): void {
    // What was broken off has no more to be cancelled.
    this.#body?.cancel().catch(() => {});
  }

  async #read(): Promise<void> {
    for (;;) {
      const { value } = await this.#body?.read().catch(() => undefined) ?? {};
      if (value === undefined) return;
      this.#data.push(...this.#parser.feed(value).map(({ data }) => data));
    }
  }
}

function read(hub: Hub, topics: readonly string[], lastEventId?: string): Reading {
  return new Reading(hub, topics, lastEventId);
}

// What is followed

Deno.test("Hub follows a topic once for all its readers, until the last of them leaves", async () => {
  const probe = new Probe(new MemoryEventLog());
  await using hub = new Hub({ log: probe.log });
  await hub.publish("a", { data: "nobody follows it for that" });
  assertEquals(probe.followed, []);
  const readings = [["a"], ["a", "b"], ["a", "*"]].map((topics) => read(hub, topics));
  await quiet();
  assertEquals(probe.followed.toSorted(), ["a", "b"]);
  readings[0].leave();
  readings[2].leave();
  assertEquals(probe.followed.toSorted(), ["a", "b"]);
  readings[1].leave();
  assertEquals(probe.followed, []);
  // A dropped topic comes again with its next reader, and still has its events.
  const again = read(hub, ["a", "b"], readings[1].lastEventId);
  await hub.publish("b", { data: "b1" });
  assertEquals([await again.data(), probe.followed], ["b1", ["a", "b"]]);
  await hub.close();
  assertEquals([probe.followed, probe.watching], [[], 0]);
  await probe.log.close();
});

for (
  const [how, end] of [
    ["leaves", (_, __, reading) => reading.leave()],
    ["is closed", (_, [session]) => session.close()],
    ["is revoked", (hub) => hub.revoke(() => true)],
    ["is ended by its topic", (hub) => hub.channel("a").close()],
    ["is ended by the hub", (hub) => hub.close()],
  ] as [string, (hub: Hub, sessions: Session[], reading: Reading) => unknown][]
) {
  for (const steps of [0, 1, 2, 3, 5, 8, 100]) {
    Deno.test(`Hub follows and watches nothing when a reader ${how} ${steps} steps after it came`, async () => {
      const probe = new Probe(new MemoryEventLog());
      const sessions: Session[] = [];
      const hub = new Hub({
        log: probe.log,
        onSession: (session, change) => void (change === "join" && sessions.push(session)),
      });
      await hub.publish("n/1", { data: "1" });
      const reading = read(hub, ["a", "b", "n/*"], "a=e.1&n/1=1");
      for (let step = 0; step < steps; step++) await Promise.resolve();
      hub.publish("n/2", { data: "2" });
      await end(hub, sessions, reading);
      await quiet();
      hub.publish("n/3", { data: "3" }).catch(() => {});
      await quiet();
      assertEquals([probe.followed, probe.watching, hub.size], [[], 0, 0]);
      assert(reading.ended !== undefined);
      await hub.close();
      await probe.log.close();
    });
  }
}

Deno.test("Hub follows nothing for a session that a hook has closed as it came", async () => {
  const probe = new Probe(new MemoryEventLog());
  await using hub = new Hub({
    log: probe.log,
    onSession: (session, change) => void (change === "join" && session.close()),
  });
  const reading = read(hub, ["a", "n/*"]);
  await quiet();
  assertEquals([reading.ended?.reason, hub.size], ["closed", 0]);
  assertEquals([probe.followed, probe.listings], [[], 0]);
  await probe.log.close();
});

Deno.test("Hub watches the topics once for all patterns, and for no name", async () => {
  const probe = new Probe(new MemoryEventLog());
  await using hub = new Hub({ log: probe.log });
  const name = read(hub, ["a", "b"]);
  await quiet();
  assertEquals(probe.listings, 0);
  const patterns = [["n/*"], ["*"], ["n/:id", "m/*"]].map((topics) => read(hub, topics));
  await quiet();
  assertEquals([probe.listings, probe.watching], [1, 1]);
  for (const reading of patterns) reading.leave();
  assertEquals(probe.watching, 0);
  read(hub, ["n/*"]);
  await quiet();
  assertEquals([probe.listings, probe.watching], [2, 1]);
  name.leave();
  await hub.close();
  assertEquals(probe.watching, 0);
  await probe.log.close();
});

Deno.test("Hub follows of 10,000 topics those that somebody reads", async () => {
  const probe = new Probe(new MemoryEventLog());
  await using hub = new Hub({ log: probe.log });
  const names = Array.from({ length: 10_000 }, (_, n) => `user/${n}/inbox`);
  for (const name of names) await hub.publish(name, { data: "before" });
  const readings = [["user/7/*"], ["user/:id/outbox"], ["user/9/inbox", "user/8/:box"]]
    .map((topics) => read(hub, topics));
  await quiet();
  assertEquals(probe.followed.toSorted(), ["user/7/inbox", "user/8/inbox", "user/9/inbox"]);
  for (const name of names) await hub.publish(name, { data: name.split("/")[1] });
  await hub.publish("user/5000/outbox", { data: "out" });
  const data = await Promise.all(readings.map((reading) => reading.data()));
  assertEquals(data, ["7", "out", "8 9"]);
  assertEquals(probe.followed.length, 4);
  assertEquals(hub.metrics, { ...hub.metrics, published: 20_001, delivered: 4, sessions: 3 });
  await probe.log.close();
});

Deno.test("Hub has 10,000 readers of a topic each, by names and by patterns", async () => {
  const probe = new Probe(new MemoryEventLog());
  const hub = new Hub({ log: probe.log, keepAlive: false });
  const topics = Array.from({ length: 5_000 }, (_, n) => [[`a/${n}`], [`b/${n}/*`]]).flat();
  const readings = topics.map((topics) => read(hub, topics));
  await quiet();
  for (let n = 0; n < 5_000; n++) {
    hub.publish(`a/${n}`, { data: `${n}` });
    hub.publish(`b/${n}/x`, { data: `${n}` });
  }
  await quiet();
  assertEquals([hub.metrics.delivered, probe.followed.length], [10_000, 10_000]);
  assertEquals([await readings[0].data(), await readings[9_999].data()], ["0", "4999"]);
  for (const reading of readings) reading.leave();
  assertEquals([hub.size, probe.followed.length, probe.watching], [0, 0, 0]);
  await hub.close();
  await probe.log.close();
});

// What the log says of its topics

Deno.test("Hub tells readers of patterns of topics that others append to the log", async () => {
  const log = new MemoryEventLog();
  await using hub = new Hub({ log });
  await log.append("n/1", { data: "before" });
  const reading = read(hub, ["n/*"]);
  assertEquals(await reading.data(), "");
  for (const topic of ["n/1", "n/2", "m/1"]) await log.append(topic, { data: topic });
  assertEquals(await reading.data(), "n/1 n/2");
  await log.append("n/2", { data: "live" });
  assertEquals(await reading.data(), "live");
  await log.close();
});

Deno.test("Hub begins live in what was there before, though it is published to while the log lists it", async () => {
  const inner = new MemoryEventLog();
  const listed = Promise.withResolvers<void>();
  const { log } = new Probe(inner, async (options) => {
    await listed.promise;
    return inner.topics(options);
  });
  for (const topic of ["n/1", "n/2"]) await inner.append(topic, { data: "long ago" });
  await using hub = new Hub({ log });
  const reading = read(hub, ["n/*"]);
  await quiet();
  for (const topic of ["n/1", "n/3"]) await hub.publish(topic, { data: `${topic} live` });
  await quiet();
  // In time: what is published while somebody waits is not lost.
  listed.resolve();
  assertEquals(await reading.data(), "n/1 live n/3 live");
  await hub.publish("n/2", { data: "n/2 live" });
  assertEquals(await reading.data(), "n/2 live");
  await inner.close();
});

Deno.test("Hub goes on in a topic that has expired since, and that the log does not list", async () => {
  const inner = new MemoryEventLog();
  const { log } = new Probe(inner, () => Promise.resolve([]));
  await using hub = new Hub({ log });
  await hub.publish("n/1", { data: "long ago" });
  const id = await hub.publish("n/1", { data: "taken" });
  const first = read(hub, ["n/*"], `n/1=${id}`);
  assertEquals(await first.data(), "");
  // It has no other topic in its vector when that moves on.
  await hub.publish("n/2", { data: "other" });
  assertEquals(await first.data(), "other");
  assertMatch(first.lastEventId, /^n\/1=\w+\.2&n\/2=1$/);
  first.leave();
  await hub.publish("n/1", { data: "missed" });
  const second = read(hub, ["n/*"], first.lastEventId);
  assertEquals(await second.data(), "missed");
  await hub.publish("n/1", { data: "live" });
  assertEquals(await second.data(), "live");
  await inner.close();
});

Deno.test("Hub passes over names in the log that are no topics", async () => {
  const log = new MemoryEventLog();
  for (const topic of ["a*", "n/:x", "\n", "x".repeat(300), "good"]) {
    await log.append(topic, { data: topic });
  }
  await using hub = new Hub({ log });
  const reading = read(hub, ["*"]);
  await quiet();
  await log.append("(b)", { data: "no topic" });
  await log.append("a*", { data: "no topic" });
  for (const topic of ["good", "better"]) await log.append(topic, { data: topic });
  assertEquals([await reading.data(), reading.ended], ["good better", undefined]);
  await log.close();
});

const FAILURE = new Error("out of reach");

for (
  const [how, topics] of [
    ["rejects", () => Promise.reject(FAILURE)],
    ["throws", () => {
      throw FAILURE;
    }],
  ] as [string, () => Promise<string[]>][]
) {
  Deno.test(`Hub ends sessions with patterns when topics ${how}, and tries again for the next`, async () => {
    const inner = new MemoryEventLog();
    let fails = true;
    const probe = new Probe(inner, (options) => fails ? topics() : inner.topics(options));
    const errors = await unhandled(async () => {
      await using hub = new Hub({ log: probe.log });
      const [name, ...patterns] = [["a"], ["n/*"], ["a", "*"]].map((topics) => read(hub, topics));
      await quiet();
      for (const { ended } of patterns) {
        assertEquals(ended, { reason: "error", cause: FAILURE });
      }
      assertEquals([hub.size, probe.followed, probe.watching, probe.listings], [1, ["a"], 0, 1]);
      fails = false;
      const again = read(hub, ["n/*"]);
      await hub.publish("n/1", { data: "n" });
      await hub.publish("a", { data: "a" });
      assertEquals([await again.data(), await name.data()], ["n", "a"]);
    });
    assertEquals(errors, []);
    await inner.close();
  });
}

Deno.test("Hub ends a session when one of its topics cannot be followed, and leaves the others alone", async () => {
  const inner = new MemoryEventLog();
  const probe = new Probe(inner);
  const { follow } = probe.log;
  probe.log.follow = async (topic, options) => {
    const id = await follow(topic, options);
    if (topic === "n/2") throw FAILURE;
    return id;
  };
  const errors = await unhandled(async () => {
    await using hub = new Hub({ log: probe.log });
    const readings = [["a", "n/2"], ["n/*"], ["a", "n/1"]].map((topics) => read(hub, topics));
    await quiet();
    await hub.publish("n/1", { data: "1" });
    await quiet();
    assertEquals(readings.map(({ ended }) => ended?.reason), ["error", undefined, undefined]);
    await hub.publish("n/2", { data: "2" });
    await quiet();
    assertEquals(readings.map(({ ended }) => ended?.reason), ["error", "error", undefined]);
    assertEquals(readings[1].ended?.cause, FAILURE);
    assertEquals([probe.followed.toSorted(), probe.watching], [["a", "n/1"], 0]);
    await hub.publish("a", { data: "a" });
    assertEquals(await readings[2].data(), "1 a");
  });
  assertEquals(errors, []);
  await inner.close();
});

// A log that does not know its topics

Deno.test("Hub knows the topics that it has published to on a log that does not", async () => {
  const inner = new MemoryEventLog();
  const { log } = new Probe(inner, false);
  await using hub = new Hub({ log });
  await hub.publish("n/1", { data: "before" });
  await inner.append("n/2", { data: "unknown" });
  const reading = read(hub, ["n/*"]);
  for (const topic of ["n/1", "n/3"]) await hub.publish(topic, { data: topic });
  assertEquals(await reading.data(), "n/1 n/3");
  reading.leave();
  // While nobody watches.
  for (const topic of ["n/4", "n/1"]) await hub.publish(topic, { data: `missed ${topic}` });
  const again = read(hub, ["n/*"], reading.lastEventId);
  assertEquals(await again.data(), "missed n/1 missed n/4");
  await inner.close();
});

Deno.test("Hub knows the topics that somebody has subscribed on a log that does not", async () => {
  const inner = new MemoryEventLog();
  const { log } = new Probe(inner, false);
  await using hub = new Hub({ log });
  const early = read(hub, ["n/*"]);
  await quiet();
  const name = read(hub, ["n/1"]);
  const late = read(hub, ["n/*"]);
  await quiet();
  // On another machine.
  await inner.append("n/1", { data: "1" });
  assertEquals([await early.data(), await name.data(), await late.data()], ["1", "1", "1"]);
  await inner.close();
});

// The watch by itself

/** What watchers were told. */
class Told {
  readonly all: string[] = [];
  readonly onTopic = (watcher: string, topic: string, isNew: boolean) =>
    void this.all.push(`${watcher} ${isNew ? "new" : "has"} ${topic}`);

  /** All since the last time. */
  take(): string[] {
    return this.all.splice(0);
  }
}

/** A log that lists its topics when it is told to. */
function listing(): { log: EventLog; asked: (TopicsOptions & PromiseWithResolvers<string[]>)[] } {
  const asked: (TopicsOptions & PromiseWithResolvers<string[]>)[] = [];
  const { log } = new Probe(new MemoryEventLog(), (options) => {
    const answer = Promise.withResolvers<string[]>();
    asked.push({ ...options, ...answer });
    return answer.promise;
  });
  return { log, asked };
}

Deno.test("TopicWatch tells what was there and what is new, to those whom it concerns", async () => {
  const { log, asked } = listing();
  const told = new Told();
  const watch = new TopicWatch(log, told.onTopic);
  watch.add("n/0");
  const first = watch.watch("A", ["n/*", "*"]);
  watch.add("n/1");
  watch.add("n/1");
  const second = watch.watch("B", ["n/:id"], ["n/9", "m/9"]);
  assertEquals(told.take(), ["A new n/1", "B has n/9", "B has n/1"]);
  asked[0].onTopic("n/2");
  asked[0].resolve(["n/1", "m/1"]);
  await Promise.all([first, second]);
  assertEquals(told.take(), ["A new n/2", "B new n/2", "A has n/1", "B has n/1", "A has m/1"]);
  watch.add("n/1");
  asked[0].onTopic("n/1");
  watch.add("m/2");
  await watch.watch("C", ["m/*"]);
  assertEquals(told.take(), ["A new m/2", "C has m/1", "C has m/2"]);
  assertEquals(asked.length, 1);
  watch.unwatch("A", ["n/*", "*"]);
  asked[0].onTopic("n/3");
  assertEquals([told.take(), asked[0].signal.aborted], [["B new n/3"], false]);
  watch.unwatch("B", ["n/:id"]);
  watch.unwatch("C", ["m/*"]);
  assertEquals(asked[0].signal.aborted, true);
  await log.close();
});

Deno.test("TopicWatch tells a watcher of what its patterns match, as matches says", async () => {
  const segment = fc.string({ unit: fc.constantFrom(..."ab.+?[]|^$-\u2028😀"), maxLength: 2 });
  const part = fc.oneof(segment, fc.constantFrom(":", "*"));
  const topics = fc.array(fc.array(segment, { minLength: 1, maxLength: 3 }));
  await fc.assert(
    fc.asyncProperty(
      topics,
      fc.array(fc.array(part, { minLength: 1, maxLength: 3 })),
      async (a, b) => {
        const names = [...new Set(a.map((segments) => segments.join("/")).filter(isTopic))];
        const patterns = b.map((parts) =>
          parts.map((part, i) => {
            if (part === ":") return `:x${i}`;
            return part === "*" && i < parts.length - 1 ? "" : part;
          }).join("/")
        ).filter((pattern) => pattern !== "");
        const told = new Told();
        const watch = new TopicWatch(
          { ...new Probe(new MemoryEventLog(), false).log },
          told.onTopic,
        );
        for (const name of names) watch.add(name);
        await watch.watch("A", patterns);
        const expected = names.filter((name) => patterns.some((pattern) => matches(pattern, name)));
        assertEquals(told.take(), expected.map((name) => `A has ${name}`));
      },
    ),
    property(),
  );
});

function isTopic(name: string): boolean {
  return name !== "" && !isPattern(name);
}

Deno.test("TopicWatch begins anew after its last watcher, and hears nothing of the time before", async () => {
  const { log, asked } = listing();
  const told = new Told();
  const watch = new TopicWatch(log, told.onTopic);
  const first = watch.watch("A", ["*"]);
  watch.add("a");
  watch.unwatch("A", ["*"]);
  told.take();
  const second = watch.watch("B", ["*"]);
  asked[0].resolve(["old"]);
  asked[0].onTopic("late");
  await first;
  assertEquals(told.take(), []);
  asked[1].resolve(["a"]);
  await second;
  assertEquals(told.take(), ["B has a"]);
  watch.unwatch("B", ["*"]);
  await log.close();
});

Deno.test("TopicWatch forgets what its log has dropped, once it knows more than 10,000 topics", async () => {
  const log = new MemoryEventLog({ maxTopics: 100 });
  const probe = new Probe(log);
  const told = new Told();
  const watch = new TopicWatch(probe.log, told.onTopic);
  await watch.watch("A", ["kept"]);
  await log.append("kept", { data: "1" });
  const end = new AbortController();
  await log.follow("kept", { signal: end.signal, onEvent() {} });
  for (let n = 0; n < 50_000; n++) {
    await log.append(`t/${n}`, { data: "1" });
    watch.add(`t/${n}`);
  }
  await settle();
  assertEquals([told.take(), probe.listings < 10, probe.watching], [["A new kept"], true, 1]);
  await watch.watch("B", ["*"]);
  const known = told.take();
  assert(known.length < 11_000, `${known.length} topics`);
  assert(known.includes("B has kept") && known.includes("B has t/49999"));
  assert(!known.includes("B has t/0"));
  // It is new again.
  watch.add("t/0");
  assertEquals(told.take(), ["B new t/0"]);
  end.abort();
  await log.close();
});

Deno.test("TopicWatch knows all that its log holds, however many they are", async () => {
  const log = new MemoryEventLog({ maxTopics: Infinity });
  const probe = new Probe(log);
  const told = new Told();
  const watch = new TopicWatch(probe.log, told.onTopic);
  const add = async (from: number, to: number) => {
    for (let n = from; n < to; n++) {
      await log.append(`t/${n}`, { data: "1" });
      watch.add(`t/${n}`);
    }
    await settle();
  };
  await add(0, 15_000);
  await watch.watch("A", ["none"]);
  await add(15_000, 40_000);
  await watch.watch("B", ["*"]);
  assertEquals(told.take().length, 40_000);
  // As it grows it is asked for less often.
  assert(probe.listings < 5, `${probe.listings} listings`);
  await log.close();
});

Deno.test("TopicWatch stays as it is when the log does not say what it has dropped", async () => {
  const { log, asked } = listing();
  const told = new Told();
  const watch = new TopicWatch(log, told.onTopic);
  const watching = watch.watch("A", ["none"]);
  asked[0].resolve([]);
  await watching;
  const errors = await unhandled(async () => {
    for (let n = 0; n <= 10_100; n++) watch.add(`t/${n}`);
    // One at a time.
    assertEquals(asked.length, 2);
    asked[1].reject(FAILURE);
    await settle();
  });
  assertEquals([errors, asked.map(({ signal }) => signal.aborted)], [[], [false, true]]);
  await watch.watch("B", ["*"]);
  assertEquals(told.take().length, 10_101);
  await log.close();
});

Deno.test("TopicWatch knows the 10,000 topics that came last to a log that does not know its own", async () => {
  const { log } = new Probe(new MemoryEventLog(), false);
  const told = new Told();
  const watch = new TopicWatch(log, told.onTopic);
  for (let n = 0; n < 10_001; n++) watch.add(`t/${n}`);
  await watch.watch("A", ["*"]);
  const known = told.take();
  assertEquals([known.length, known[0], known.at(-1)], [10_000, "A has t/1", "A has t/10000"]);
  watch.unwatch("A", ["*"]);
  await watch.watch("B", ["t/7"]);
  assertEquals(told.take(), ["B has t/7"]);
  await log.close();
});
