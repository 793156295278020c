/** {@linkcode Hub.presence}: how many sessions a topic has in all processes, whatever becomes of them. */

import FakeTimers from "@sinonjs/fake-timers";
import { assert, assertEquals, assertThrows } from "@std/assert";
import { Channel, Hub, type HubOptions, MemoryEventLog } from "../../server.ts";
import { CONTROL_TOPIC } from "../../server/control.ts";
import { MAX_NODES, MAX_TOPICS } from "../../server/presence.ts";
import { unhandled } from "../helpers.ts";
import { Line, Visitor } from "./processes.ts";
import { quiet } from "./scheduler.ts";

/** Hubs in as many processes, on one log and one clock. */
class Fleet {
  readonly log = new MemoryEventLog();
  readonly lines: Line[] = [];
  readonly hubs: Hub[] = [];
  readonly #clock: FakeTimers.Clock;

  constructor(clock: FakeTimers.Clock) {
    this.#clock = clock;
  }

  start(options: HubOptions = {}): Hub {
    const line = new Line(this.log);
    this.lines.push(line);
    const hub = new Hub({ presence: true, keepAlive: false, ...options, log: line });
    this.hubs.push(hub);
    return hub;
  }

  /** Lets so many ms pass, and what follows from them. */
  async pass(ms: number): Promise<void> {
    for (let passed = 0; passed < ms; passed += 100) {
      await quiet();
      this.#clock.tick(100);
    }
    await quiet();
  }

  /** How many sessions of a topic each process knows of. */
  counts(topic = "a"): number[] {
    return this.hubs.map((hub) => hub.presence(topic));
  }

  /** Tells everybody something, as whoever can write to the log. */
  async tell(kind: string, content: Record<string, unknown>): Promise<void> {
    await this.log.append(CONTROL_TOPIC, { event: kind, data: JSON.stringify(content) });
  }

  /** Closes one, which takes no time unless the log is away. */
  async close(hub: Hub): Promise<void> {
    hub.revoke(() => true);
    const closed = hub.close();
    await this.pass(1_000);
    await closed;
  }
}

/** Runs a test on a fake clock; in the end nothing is left that waits. */
async function inTime(test: (fleet: Fleet) => Promise<void>): Promise<void> {
  const clock = FakeTimers.install({ toNotFake: ["nextTick", "queueMicrotask", "setImmediate"] });
  const fleet = new Fleet(clock);
  try {
    const lost = await unhandled(async () => {
      await test(fleet);
      for (const hub of fleet.hubs) await fleet.close(hub);
    });
    assertEquals(lost, []);
    assertEquals(clock.countTimers(), 0);
    for (const { follows } of fleet.lines) assertEquals(follows, []);
  } finally {
    clock.uninstall();
    await fleet.log.close();
  }
}

/** Long enough for a change to be told; for a heartbeat, a question and its answer. */
const TOLD = 1_600;
const HEALED = 14_000;

Deno.test("Hub.presence counts the sessions of all processes as they come and leave", async () => {
  await inTime(async (fleet) => {
    const [a, b, c] = [fleet.start(), fleet.start(), fleet.start()];
    const first = new Visitor(a, ["a"]);
    // What is here is known at once.
    assertEquals(fleet.counts(), [1, 0, 0]);
    await fleet.pass(TOLD);
    assertEquals(fleet.counts(), [1, 1, 1]);
    new Visitor(a, ["a", "b"]);
    new Visitor(b, ["a"]);
    await fleet.pass(TOLD);
    assertEquals([fleet.counts(), fleet.counts("b"), fleet.counts("c")], [
      [3, 3, 3],
      [1, 1, 1],
      [0, 0, 0],
    ]);
    await first.leave();
    assertEquals(a.presence("a"), 2);
    await fleet.pass(TOLD);
    assertEquals([fleet.counts(), c.channel("a").presence], [[2, 2, 2], 2]);
    b.revoke(() => true);
    await fleet.pass(TOLD);
    assertEquals(fleet.counts(), [1, 1, 1]);
  });
});

Deno.test("Hub.presence counts those whose pattern matches a topic", async () => {
  await inTime(async (fleet) => {
    const [a, b] = [fleet.start(), fleet.start()];
    await a.publish("n/1", { data: "1" });
    new Visitor(b, ["n/*"]);
    await fleet.pass(TOLD);
    assertEquals([fleet.counts("n/1"), fleet.counts("n/2")], [[1, 1], [0, 0]]);
    await a.publish("n/2", { data: "2" });
    await fleet.pass(TOLD);
    assertEquals(fleet.counts("n/2"), [1, 1]);
  });
});

Deno.test("Channel.presence counts the sessions of its topic on the log", async () => {
  await inTime(async (fleet) => {
    const hub = fleet.start();
    const options = { log: fleet.log, presence: true, keepAlive: false } as const;
    const channels = ["a", "b"].map((topic) => new Channel({ ...options, topic }));
    new Visitor(hub, ["a"]);
    const open = channels[0].subscribe(new Request("http://sse.example/"));
    await fleet.pass(TOLD);
    assertEquals(channels.map(({ presence }) => presence), [2, 0]);
    assertEquals(hub.presence("a"), 2);
    await open.body?.cancel();
    for (const channel of channels) await channel.close();
    assertEquals(fleet.counts(), [1]);
  });
});

Deno.test("Hub.presence counts the sessions of this process without the option, or without a log", async () => {
  await using memory = new MemoryEventLog();
  const log = new Line(memory);
  const options = [{ log }, { log, presence: false }, { presence: true }];
  const hubs = options.map((options) => new Hub({ ...options, keepAlive: false }));
  const visitors = hubs.map((hub) => new Visitor(hub, ["a"]));
  assertEquals(hubs.map((hub) => hub.presence("a")), [1, 1, 1]);
  assertThrows(() => hubs[0].presence("a/*"), TypeError, "kept for patterns");
  await quiet();
  assertEquals(log.told, []);
  for (const visitor of visitors) await visitor.leave();
  for (const hub of hubs) await hub.close();
});

for (
  const presence of [
    { interval: 0 },
    { interval: NaN },
    { expiry: 9_999 },
    { interval: 100, expiry: 99 },
  ]
) {
  Deno.test(`Hub throws RangeError at presence ${JSON.stringify(presence)}`, () => {
    assertThrows(() => new Hub({ presence }), RangeError, '"presence.');
  });
}

Deno.test("Hub.presence knows what there is in a process that starts late, or only publishes", async () => {
  await inTime(async (fleet) => {
    new Visitor(fleet.start(), ["a"]);
    new Visitor(fleet.start(), ["a"]);
    await fleet.pass(60_000);
    const late = fleet.start();
    await fleet.pass(TOLD);
    assertEquals(late.presence("a"), 2);
  });
});

// What is told

Deno.test("Hub tells what has changed at most once a second, and of nothing else", async () => {
  await inTime(async (fleet) => {
    const hub = fleet.start({ presence: { interval: 1e9 } });
    new Visitor(hub, ["stays"]);
    await fleet.pass(5_000);
    const [line] = fleet.lines;
    line.told.length = 0;
    for (let i = 0; i < 100; i++) {
      new Visitor(hub, ["a"]);
      // Who has come and left again has changed nothing.
      await new Visitor(hub, ["passing"]).leave();
      await fleet.pass(100);
    }
    await fleet.pass(2_000);
    const { length } = line.told;
    assert(length >= 6 && length <= 11, `${length} messages`);
    const counts = line.told.map(({ content }) => JSON.stringify(content.counts));
    assert(counts.every((text) => /^\[\["a",\d+\]\]$/.test(text)), counts.join());
    assertEquals(counts.at(-1), '[["a",100]]');
    line.told.length = 0;
    await fleet.pass(60_000);
    assertEquals(line.told, []);
  });
});

Deno.test("Hub tells that it is there every interval, and no more while nothing changes", async () => {
  await inTime(async (fleet) => {
    fleet.start();
    const hub = fleet.start({ presence: { interval: 5_000 } });
    new Visitor(hub, ["a"]);
    await fleet.pass(7_000);
    for (const line of fleet.lines) line.takeTold();
    await fleet.pass(30_000);
    assertEquals(fleet.lines.map((line) => line.takeTold().join(" ")), [
      "beat beat beat",
      "beat beat beat beat beat beat",
    ]);
  });
});

Deno.test("Hub tells of ten thousand topics in messages of bounded size", async () => {
  await inTime(async (fleet) => {
    const hub = fleet.start();
    const topics = Array.from({ length: 10_000 }, (_, i) => `rooms/${i}`);
    for (let i = 0; i < 100; i++) new Visitor(hub, topics.slice(100 * i, 100 * (i + 1)));
    await fleet.pass(TOLD);
    const late = fleet.start();
    await fleet.pass(TOLD);
    assertEquals(topics.filter((topic) => late.presence(topic) !== 1), []);
    const sizes = fleet.lines[0].told.map(({ content }) => JSON.stringify(content).length);
    assert(Math.max(...sizes) < 70_000);
    assert(sizes.length > 20);
    // All of them leave.
    fleet.lines[0].told.length = 0;
    hub.revoke(() => true);
    await fleet.pass(TOLD);
    assertEquals(topics.filter((topic) => late.presence(topic) !== 0), []);
    assertEquals(fleet.lines[0].takeTold(), new Array(20).fill("counts"));
  });
});

Deno.test("Hub tells all where more topics have changed than are worth a list", async () => {
  await inTime(async (fleet) => {
    const [hub] = [fleet.start(), fleet.start()];
    await fleet.pass(TOLD);
    fleet.lines[0].takeTold();
    const topics = Array.from({ length: 10_100 }, (_, i) => `rooms/${i}`);
    for (let i = 0; i < 101; i++) new Visitor(hub, topics.slice(100 * i, 100 * (i + 1)));
    await fleet.pass(TOLD);
    assertEquals(new Set(fleet.lines[0].takeTold()), new Set(["state"]));
    assertEquals(fleet.counts("rooms/10000"), [1, 1]);
  });
});

Deno.test("Hub asks once for what many have missed", async () => {
  await inTime(async (fleet) => {
    for (let i = 0; i < 10; i++) new Visitor(fleet.start(), ["a"]);
    await fleet.pass(TOLD);
    for (const line of fleet.lines) line.takeTold();
    const asked = async () => {
      await fleet.pass(4_000);
      const kinds = fleet.lines.flatMap((line) => line.takeTold());
      return kinds.filter((kind) => kind === "ask").length;
    };
    for (const line of fleet.lines) line.gap();
    const all = await asked();
    await fleet.tell("beat", { node: "somebody", version: 7 });
    const one = await asked();
    // Some do at the same time, but not all.
    for (const count of [all, one]) assert(count >= 1 && count < 9, `${count} have asked`);
    assertEquals(fleet.counts(), new Array(10).fill(10));
  });
});

// Who goes

Deno.test("Hub.presence counts a process no more that was closed", async () => {
  await inTime(async (fleet) => {
    const [a, b] = [fleet.start(), fleet.start()];
    new Visitor(a, ["a"]);
    new Visitor(b, ["a"]);
    await fleet.pass(TOLD);
    b.revoke(() => true);
    await b.close();
    await quiet();
    assertEquals(fleet.counts(), [1, 0]);
    assertEquals(fleet.lines[1].takeTold().at(-1), "bye");
    await b.close();
  });
});

Deno.test("Hub.presence forgets a process that was killed, after expiry", async () => {
  await inTime(async (fleet) => {
    const options = { presence: { interval: 1_000, expiry: 4_000 } };
    for (let i = 0; i < 3; i++) new Visitor(fleet.start(options), ["a"]);
    await fleet.pass(TOLD);
    fleet.lines[2].kill();
    await fleet.pass(2_900);
    assertEquals(fleet.counts().slice(0, 2), [3, 3]);
    await fleet.pass(1_300);
    assertEquals(fleet.counts().slice(0, 2), [2, 2]);
  });
});

Deno.test("Hub.presence counts a process again that comes back after a pause", async () => {
  await inTime(async (fleet) => {
    const [a, b] = [fleet.start(), fleet.start()];
    for (const hub of [a, b]) new Visitor(hub, ["a"]);
    await fleet.pass(TOLD);
    fleet.lines[1].pause();
    await fleet.pass(40_000);
    assertEquals(a.presence("a"), 1);
    new Visitor(a, ["a"]);
    new Visitor(b, ["a"]);
    await fleet.pass(5_000);
    fleet.lines[1].resume();
    await fleet.pass(HEALED);
    assertEquals(fleet.counts(), [4, 4]);
  });
});

Deno.test("Hub.presence heals after messages were lost without a word", async () => {
  await inTime(async (fleet) => {
    const [a, b, c] = [fleet.start(), fleet.start(), fleet.start()];
    for (const hub of [a, b, c]) new Visitor(hub, ["a"]);
    await fleet.pass(TOLD);
    fleet.lines[2].deaf = true;
    new Visitor(a, ["a"]);
    new Visitor(b, ["a"]);
    await fleet.pass(TOLD);
    fleet.lines[2].deaf = false;
    assertEquals(fleet.counts(), [5, 5, 3]);
    await fleet.pass(HEALED);
    assertEquals(fleet.counts(), [5, 5, 5]);
  });
});

Deno.test("Hub.presence asks all when the log tells of a gap", async () => {
  await inTime(async (fleet) => {
    const options = { presence: { interval: 1e9 } };
    const [a, b] = [fleet.start(options), fleet.start(options)];
    await fleet.pass(TOLD);
    fleet.lines[1].deaf = true;
    new Visitor(a, ["a"]);
    await fleet.pass(TOLD);
    fleet.lines[1].deaf = false;
    fleet.lines[1].gap();
    assertEquals(b.presence("a"), 0);
    await fleet.pass(2 * TOLD);
    assertEquals(b.presence("a"), 1);
  });
});

Deno.test("Hub.presence begins when the log can be reached, and tells what there is then", async () => {
  await inTime(async (fleet) => {
    const [a, b] = [fleet.start(), fleet.start()];
    for (const hub of [a, b]) new Visitor(hub, ["b"]);
    await quiet();
    fleet.lines[1].away = true;
    const line = new Line(fleet.log);
    line.away = true;
    const c = new Hub({ presence: true, keepAlive: false, log: line });
    fleet.lines.push(line);
    fleet.hubs.push(c);
    await fleet.pass(60_000);
    // Who cannot tell is forgotten; it hears the others all the same, if it has followed before.
    assertEquals(fleet.counts("b"), [1, 2, 0]);
    for (const each of fleet.lines) each.away = false;
    await fleet.pass(HEALED);
    assertEquals(fleet.counts("b"), [2, 2, 2]);
  });
});

Deno.test("Hub lets nothing pile up while the log is away or does not answer, and is closed all the same", async () => {
  await inTime(async (fleet) => {
    const [a, b] = [fleet.start(), fleet.start()];
    await fleet.pass(TOLD);
    const [line] = fleet.lines;
    line.pause();
    for (let i = 0; i < 200; i++) {
      const visitor = new Visitor(a, ["a"]);
      await fleet.pass(500);
      if (i % 2 === 0) await visitor.leave();
    }
    // One that tells, and one for each topic that was followed meanwhile.
    assert(line.pending <= 1, `${line.pending} appends wait`);
    assertEquals(fleet.counts(), [100, 0]);
    line.resume();
    await fleet.pass(HEALED);
    assertEquals(fleet.counts(), [100, 100]);
    line.away = true;
    await fleet.close(a);
    await fleet.pass(31_000);
    assertEquals(b.presence("a"), 0);
  });
});

Deno.test("Hub tells and asks again what did not get through, with the next change", async () => {
  await inTime(async (fleet) => {
    const options = { presence: { interval: 1e9 } };
    const [a, b] = [fleet.start(options), fleet.start(options)];
    await fleet.pass(TOLD);
    const [line] = fleet.lines;
    for (const hub of [a, b]) new Visitor(hub, ["a"]);
    await quiet();
    line.away = line.deaf = true;
    line.gap();
    await fleet.pass(TOLD);
    assertEquals(fleet.counts(), [1, 1]);
    line.away = line.deaf = false;
    new Visitor(a, ["b"]);
    await fleet.pass(2 * TOLD);
    assertEquals(fleet.counts(), [2, 2]);
  });
});

Deno.test("Hub.close lets its last message go first, and tells nothing after its farewell", async () => {
  await inTime(async (fleet) => {
    const [a] = [fleet.start(), fleet.start()];
    await fleet.pass(TOLD);
    const [line] = fleet.lines;
    line.takeTold();
    const topics = Array.from({ length: 1_200 }, (_, i) => `rooms/${i}`);
    for (let i = 0; i < 12; i++) new Visitor(a, topics.slice(100 * i, 100 * (i + 1)));
    await quiet();
    line.pause();
    await fleet.pass(TOLD);
    a.revoke(() => true);
    const closed = a.close();
    await quiet();
    assertEquals(line.pending, 1);
    line.resume();
    await closed;
    assertEquals(line.takeTold(), ["counts", "bye"]);
    assertEquals(fleet.counts("rooms/0"), [0, 0]);
  });
});

Deno.test("Hub.close waits for no log that nothing was told yet", async () => {
  await inTime(async (fleet) => {
    const line = new Line(fleet.log);
    line.pause();
    const hub = new Hub({ presence: true, log: line });
    await hub.close();
    line.resume();
    await quiet();
    assertEquals([line.told, line.follows], [[], []]);
  });
});

// What comes from elsewhere

Deno.test("Hub.presence knows a bounded number of processes and topics, and goes on when they are gone", async () => {
  await inTime(async (fleet) => {
    const a = fleet.start();
    await fleet.pass(TOLD);
    for (let i = 0; i < MAX_NODES + 5; i++) {
      const counts = [["a", 1]];
      await fleet.tell("state", { node: `n${i}`, version: 1, part: 0, parts: 1, counts });
    }
    assertEquals(a.presence("a"), MAX_NODES);
    const b = fleet.start();
    new Visitor(b, ["a"]);
    await fleet.pass(31_000 + HEALED);
    assertEquals(fleet.counts(), [1, 1]);
    const parts = MAX_TOPICS / 500 + 1;
    for (let part = 0; part < parts; part++) {
      const counts = Array.from({ length: 500 }, (_, i) => [`t${500 * part + i}`, 1]);
      await fleet.tell("state", { node: "big", version: 1, part, parts, counts });
    }
    assertEquals(a.presence(`t${MAX_TOPICS - 1}`), 1);
    assertEquals(a.presence(`t${MAX_TOPICS}`), 0);
  });
});

Deno.test("Hub.presence takes no state of which a part is missing, or that is older than what it knows", async () => {
  await inTime(async (fleet) => {
    const a = fleet.start({ presence: { interval: 1e9 } });
    await fleet.pass(TOLD);
    const state = (version: number, part: number, parts: number, n: number) =>
      fleet.tell("state", { node: "n", version, part, parts, counts: [[`p${part}`, n]] });
    const counts = () => [a.presence("p0"), a.presence("p1"), a.presence("p2")];
    fleet.lines[0].takeTold();
    await state(1, 1, 2, 1);
    assertEquals(counts(), [0, 0, 0]);
    await fleet.pass(TOLD);
    assertEquals(fleet.lines[0].told.map(({ content }) => content.of), [["n"]]);
    await state(2, 0, 3, 1);
    await state(2, 2, 3, 1);
    await state(2, 1, 3, 1);
    assertEquals(counts(), [0, 0, 0]);
    await state(3, 0, 2, 2);
    await state(3, 1, 2, 2);
    assertEquals(counts(), [2, 2, 0]);
    await state(2, 0, 1, 9);
    await fleet.tell("counts", { node: "n", version: 3, counts: [["p0", 9]] });
    assertEquals(counts(), [2, 2, 0]);
    await fleet.tell("counts", {
      node: "n",
      version: 4,
      counts: [["p0", 3], ["p1", 0], ["p2", 1]],
    });
    assertEquals(counts(), [3, 0, 1]);
    // What comes after a hole waits for the whole.
    await fleet.tell("counts", { node: "n", version: 6, counts: [["p0", 9]] });
    assertEquals(counts(), [3, 0, 1]);
    await fleet.tell("bye", { node: "n" });
    assertEquals(counts(), [0, 0, 0]);
  });
});

Deno.test("Hub.presence asks all in place of more nodes than a message names", async () => {
  await inTime(async (fleet) => {
    fleet.start({ presence: { interval: 1e9 } });
    await fleet.pass(TOLD);
    fleet.lines[0].takeTold();
    for (let i = 0; i < 150; i++) await fleet.tell("beat", { node: `n${i}`, version: 1 });
    await fleet.pass(TOLD);
    const { told } = fleet.lines[0];
    assertEquals(told.map(({ kind, content }) => [kind, content.of]), [["ask", undefined]]);
  });
});

Deno.test("Hub.presence counts names of topics that objects have, too", async () => {
  await inTime(async (fleet) => {
    const [a] = [fleet.start(), fleet.start()];
    for (const topic of ["__proto__", "constructor"]) new Visitor(a, [topic]);
    await fleet.pass(TOLD);
    assertEquals([fleet.counts("__proto__"), fleet.counts("constructor")], [[1, 1], [1, 1]]);
    assertEquals(fleet.counts("toString"), [0, 0]);
  });
});
