/** {@linkcode Hub}: several topics on one connection, and what a reader finds that comes back. */

import FakeTimers from "@sinonjs/fake-timers";
import { assert, assertEquals, assertMatch, assertRejects, assertThrows } from "@std/assert";
import fc from "fast-check";
import { SlowConsumerError } from "../../errors.ts";
import { type ServerSentEvent, ServerSentEventParser } from "../../parse.ts";
import {
  Channel,
  type CloseReason,
  type EventLog,
  type FollowOptions,
  type GapContext,
  Hub,
  type HubOptions,
  type LoggedEvent,
  MemoryEventLog,
  renderOpenMetrics,
  type Session,
  type TopicsOptions,
} from "../../server.ts";
import { parseCursor } from "../../server/cursor.ts";
import { parseEventId } from "../../server/log.ts";
import { property, requestAfter as request, RUNS, SEED, unhandled } from "../helpers.ts";
import { inRandomOrders, quiet, type Schedule, SteppedEventLog } from "./scheduler.ts";

/** A reader by hand: bytes as they come, lost from wherever the connection is cut. */
class Client {
  /** What it has taken, of all its connections. */
  readonly events: ServerSentEvent[] = [];
  /** Where it is, as an event or an id without one has said. */
  lastEventId = "";
  /** Why the last session has ended. */
  ended: CloseReason | undefined = undefined;
  readonly #hub: Hub;
  readonly #topics: readonly string[];
  #body: ReadableStreamDefaultReader<Uint8Array> | undefined = undefined;
  #bytes: number[] = [];
  #parser = new ServerSentEventParser();

  constructor(hub: Hub, topics: readonly string[], lastEventId = "") {
    this.#hub = hub;
    this.#topics = topics;
    this.lastEventId = lastEventId;
  }

  connect(topics: readonly string[] = this.#topics): this {
    const { lastEventId } = this;
    this.ended = undefined;
    const { status, body } = this.#hub.subscribe(request(lastEventId), {
      topics,
      onClose: (reason) => this.ended = reason,
    });
    assertEquals(status, 200);
    const reader = body?.getReader();
    this.#body = reader;
    this.#parser = new ServerSentEventParser({ lastEventId });
    this.#bytes = [];
    if (reader !== undefined) this.#read(reader);
    return this;
  }

  get connected(): boolean {
    return this.#body !== undefined;
  }

  /** The last event ID, as the topics and their ids. */
  get positions(): Record<string, string> {
    return Object.fromEntries(parseCursor(this.lastEventId) ?? []);
  }

  /** Takes all that has come. */
  async take(): Promise<ServerSentEvent[]> {
    await quiet();
    return this.#take(this.#bytes.length);
  }

  /** The data of what {@linkcode Client.take} takes. */
  async data(): Promise<string> {
    return (await this.take()).map(({ data }) => data).join(" ");
  }

  /** Takes so many bytes of what has come. */
  takeBytes(bytes: number): void {
    this.#take(bytes);
  }

  /** Takes so many bytes of what has come, and loses the rest with the connection. */
  cut(bytes = 0): void {
    this.#take(bytes);
    this.leave();
  }

  leave(): void {
    // What was broken off has no more to be cancelled.
    this.#body?.cancel().catch(() => {});
    this.#body = undefined;
  }

  /** How many bytes have come and are not taken yet. */
  get waiting(): number {
    return this.#bytes.length;
  }

  #take(count: number): ServerSentEvent[] {
    const events = this.#parser.feed(Uint8Array.from(this.#bytes.splice(0, count)));
    this.events.push(...events);
    this.lastEventId = this.#parser.lastEventId;
    return events;
  }

  async #read(body: ReadableStreamDefaultReader<Uint8Array>): Promise<void> {
    const bytes = this.#bytes;
    for (;;) {
      // Of a body that breaks off what came before is kept.
      const { value } = await body.read().catch(() => ({ value: undefined }));
      if (value === undefined) return;
      bytes.push(...value);
    }
  }
}

function seqOf(id: string | undefined): number {
  return parseEventId(id ?? "")?.seq ?? NaN;
}

/** The places in the topics of a vector, by their numbers. */
function seqs(positions: Record<string, string>): Record<string, number> {
  return Object.fromEntries(Object.entries(positions).map(([topic, id]) => [topic, seqOf(id)]));
}

function gapsOf(events: readonly ServerSentEvent[]): Record<string, unknown>[] {
  return events.filter(({ event }) => event === "gap").map(({ data }) => JSON.parse(data));
}

// Publishing and subscribing

Deno.test("Hub.publish goes to the readers of its topic, and to no others", async () => {
  await using hub = new Hub();
  const [a, b, both] = [["a"], ["b"], ["a", "b"]].map((topics) =>
    new Client(hub, topics).connect()
  );
  const ids = [await hub.publish("a", { data: "1" }), await hub.publish("b", { data: "2" })];
  await hub.publish("c", { data: "3" });
  assertEquals([await a.data(), await b.data(), await both.data()], ["1", "2", "1 2"]);
  assertEquals([a.lastEventId, b.lastEventId], ids);
  assertEquals(both.positions, { a: ids[0], b: ids[1] });
  assertEquals(hub.size, 3);
});

Deno.test("Hub.publish keeps type, data and reconnection time of an event", async () => {
  await using hub = new Hub();
  const client = new Client(hub, ["a", "b"]).connect();
  await hub.publish("a", { event: "flash", data: "x\ny", retry: 7 });
  const [{ id, ...event }] = await client.take();
  assertEquals(event, { event: "flash", data: "x\ny", retry: 7 });
  assertEquals(seqs(Object.fromEntries(parseCursor(id) ?? [])), { a: 1, b: 0 });
});

for (
  const [what, topic, event, error] of [
    ["a pattern", "news/*", { data: "a" }, TypeError],
    ["a group", ":id", { data: "a" }, TypeError],
    ["no name", "", { data: "a" }, TypeError],
    ["a name of 257", "a".repeat(257), { data: "a" }, TypeError],
    ["an id", "a", { data: "a", id: "1" }, TypeError],
    ["a line break", "a", { event: "a\nb" }, TypeError],
    ["a bad retry", "a", { retry: -1 }, RangeError],
  ] as const
) {
  Deno.test(`Hub.publish rejects ${what}, and no reader sees it`, async () => {
    await using hub = new Hub();
    const client = new Client(hub, ["*"]).connect();
    await assertRejects(() => hub.publish(topic, event), error);
    assertEquals([await client.take(), hub.metrics.published], [[], 0]);
  });
}

Deno.test("Hub.publish rejects once the hub is closed, also on a log that is not", async () => {
  await using log = new MemoryEventLog();
  const hub = new Hub({ log });
  await hub.publish("a", { data: "1" });
  await hub.close();
  await assertRejects(() => hub.publish("a", { data: "2" }), TypeError, "closed");
  assertEquals((await Array.fromAsync(log.read("a", { after: "" }))).length, 1);
});

Deno.test("Hub.publish with the same idempotency key publishes once, for each topic", async () => {
  await using hub = new Hub();
  const client = new Client(hub, ["a", "b"]).connect();
  const publish = (topic: string) =>
    hub.publish(topic, { data: topic }, { idempotencyKey: "order-7" });
  assertEquals(await publish("a"), await publish("a"));
  await publish("b");
  assertEquals(await client.data(), "a b");
});

Deno.test("Hub.publish leaves out the session it excludes, whose vector moves on all the same", async () => {
  const sessions: Session[] = [];
  await using hub = new Hub({ onSession: (session) => sessions.push(session) });
  const [own, other] = [new Client(hub, ["a", "b"]), new Client(hub, ["a", "b"])];
  own.connect();
  other.connect();
  await hub.publish("a", { data: "said" }, { exclude: sessions[0] });
  await hub.publish("b", { data: "answer" });
  assertEquals([await own.data(), await other.data()], ["answer", "said answer"]);
  assertEquals(seqs(own.positions), { a: 1, b: 1 });
});

for (
  const [what, topics] of [
    ["none", []],
    ["a string", "news"],
    ["undefined", undefined],
    ["a topic that is none", ["a", ""]],
    ["a number", [7]],
    ["a pattern that is refused", ["news*"]],
    ["a pattern with a name twice", ["a", ":id/:id"]],
  ] as const
) {
  Deno.test(`Hub.subscribe throws at topics that are ${what}, and opens no session`, async () => {
    await using hub = new Hub();
    const subscribe = () => Reflect.apply(hub.subscribe, hub, [request(), { topics }]);
    assertThrows(subscribe, TypeError, "Cannot ");
    assertEquals(hub.size, 0);
  });
}

Deno.test("Hub.subscribe takes a topic once that is named twice or matched as well", async () => {
  await using hub = new Hub();
  await hub.publish("n/1", { data: "before" });
  const client = new Client(hub, ["n/1", "n/1", "n/*", ":x/1", "*"]).connect();
  await hub.publish("n/1", { data: "live" });
  assertEquals(await client.data(), "live");
  client.cut();
  await hub.publish("n/1", { data: "missed" });
  assertEquals(await client.connect().data(), "missed");
});

for (
  const [pattern, yes, no] of [
    ["news/:id", "news/7", "news/7/title"],
    ["news/*", "news/7/title", "news"],
    ["*", "user:7", undefined],
    [":a/b/:c", "x/b/y", "x/c/y"],
    ["user:7", "user:7", "user:8"],
  ] as const
) {
  Deno.test(`Hub.subscribe to ${pattern} gets ${yes}`, async () => {
    await using hub = new Hub();
    await hub.publish(yes, { data: "before" });
    const client = new Client(hub, [pattern]).connect();
    await hub.publish(yes, { data: "yes" });
    if (no !== undefined) await hub.publish(no, { data: "no" });
    assertEquals(await client.data(), "yes");
  });
}

Deno.test("Hub.subscribe heeds the filters of the hub and of the session on several topics", async () => {
  await using hub = new Hub({ filter: ({ data }) => data !== "never" });
  const { body } = hub.subscribe(request(), {
    topics: ["a", "b"],
    filter: ({ data }) => data !== "not now",
  });
  for (const data of ["never", "not now", "yes"]) {
    await hub.publish("a", { data });
    await hub.publish("b", { data });
  }
  const reader = body?.pipeThrough(new TextDecoderStream()).getReader();
  await quiet();
  let text = "";
  while (!text.includes("b=3")) text += (await reader?.read())?.value ?? "b=3";
  assertEquals([...text.matchAll(/data: (.*)/g)].map(([, data]) => data), ["yes", "yes"]);
  await reader?.cancel();
});

Deno.test("HubOptions.filter is not asked for a session that has ended", async () => {
  const asked: string[] = [];
  await using hub = new Hub<string>({
    filter(_, { state }) {
      asked.push(state);
      return true;
    },
  });
  const [first] = ["left", "right"].map((state) =>
    hub.subscribe(request(), { topics: ["a", "n/*"], state })
  );
  for (const topic of ["a", "n/1"]) await hub.publish(topic, { data: "1" });
  await quiet();
  assertEquals(asked.splice(0).toSorted(), ["left", "left", "right", "right"]);
  await first.body?.cancel();
  for (const topic of ["a", "n/1"]) await hub.publish(topic, { data: "2" });
  await quiet();
  assertEquals(asked, ["right", "right"]);
});

Deno.test("Hub.subscribe tells of idle times where a filter lets nothing pass in several topics", async () => {
  const clock = FakeTimers.install({ toNotFake: ["nextTick", "queueMicrotask", "setImmediate"] });
  try {
    await using hub = new Hub({ keepAlive: 1_000, filter: () => false });
    const client = new Client(hub, ["a", "b"]).connect();
    await hub.publish("a", { data: "1" });
    await hub.publish("b", { data: "2" });
    assertEquals(await client.data(), "");
    assertEquals(seqs(client.positions), { a: 0, b: 0 });
    clock.tick(1_000);
    assertEquals(await client.data(), "");
    assertEquals(seqs(client.positions), { a: 1, b: 1 });
  } finally {
    clock.uninstall();
  }
});

Deno.test("Hub.subscribe gives state, headers and the end to its options", async () => {
  await using hub = new Hub<string>({ headers: { "x-a": "hub", "x-b": "hub" } });
  const ends: [CloseReason, string][] = [];
  const { headers, body } = hub.subscribe(request(), {
    topics: ["a"],
    state: "alice",
    headers: { "x-b": "session" },
    onClose: (reason, { state }) => ends.push([reason, state]),
  });
  assertEquals([headers.get("x-a"), headers.get("x-b")], ["hub", "session"]);
  assertEquals(Array.from(hub.sessions(), ({ state }) => state), ["alice"]);
  await body?.cancel("enough");
  assertEquals(ends, [[{ reason: "peer-left", cause: "enough" }, "alice"]]);
  assertEquals([hub.size, [...hub.sessions()]], [0, []]);
});

// The start of a new reader

for (const topics of [["a"], ["a", "b"], ["*"], ["n/:id"], ["a", "n/*"], ["a", "n/1", "n/*"]]) {
  for (const when of ["in the turn of", "soon after"]) {
    Deno.test(`Hub.subscribe to ${topics} gives all that is published ${when} it`, async () => {
      // However many steps it takes until it is live.
      for (let steps = 0; steps < 12; steps++) {
        await using hub = new Hub();
        const expected: string[] = [];
        const matches = (topic: string) =>
          topics.some((each) => each === "*" || each[0] === topic[0]);
        for (const topic of ["a", "b", "n/1"]) await hub.publish(topic, { data: "before" });
        const client = new Client(hub, topics).connect();
        for (let step = 0; step < steps; step++) await Promise.resolve();
        for (const [n, topic] of ["a", "n/1", "n/2", "b", "n/1", "a", "n/2"].entries()) {
          hub.publish(topic, { data: `${topic}#${n}` });
          if (matches(topic)) expected.push(`${topic}#${n}`);
          if (when === "soon after") await Promise.resolve();
        }
        const listed = (await client.data()).split(" ");
        // Those of one topic are in order.
        assertEquals(listed.toSorted(), expected.toSorted(), `${steps} steps later`);
        for (const topic of ["a", "n/1", "n/2", "b"]) {
          const of = (all: string[]) => all.filter((data) => data.startsWith(`${topic}#`));
          assertEquals(of(listed), of(expected));
        }
      }
    });
  }
}

Deno.test("Hub.subscribe tells a new reader of several topics where it is in each", async () => {
  await using hub = new Hub();
  const id = await hub.publish("a", { data: "1" });
  const client = new Client(hub, ["a", "b", "n/*"]).connect();
  assertEquals(await client.take(), []);
  assertEquals(client.positions, { a: id, b: id.replace(/1$/, "0") });
  client.cut();
  await hub.publish("a", { data: "2" });
  await hub.publish("b", { data: "3" });
  assertEquals(await client.connect().data(), "2 3");
});

Deno.test("Hub.subscribe tells a new reader whose patterns match nothing yet that it is new no more", async () => {
  await using hub = new Hub();
  const client = new Client(hub, ["n/*"]).connect();
  assertEquals(await client.take(), []);
  assertEquals([client.lastEventId === "", client.positions], [false, {}]);
  client.cut();
  for (const data of ["1", "2"]) await hub.publish("n/1", { data });
  await hub.publish("other", { data: "no" });
  client.connect();
  await hub.publish("n/1", { data: "3" });
  assertEquals(await client.data(), "1 2 3");
  assertEquals(seqs(client.positions), { "n/1": 3 });
});

// Coming back

Deno.test("Hub.subscribe resumes each of several topics where it was", async () => {
  await using hub = new Hub();
  const client = new Client(hub, ["a", "b"]).connect();
  await client.take();
  await hub.publish("a", { data: "a1" });
  await hub.publish("b", { data: "b1" });
  await hub.publish("a", { data: "a2" });
  assertEquals(await client.data(), "a1 b1 a2");
  client.cut();
  await hub.publish("b", { data: "b2" });
  await hub.publish("a", { data: "a3" });
  await hub.publish("b", { data: "b3" });
  const missed = await client.connect().data();
  assertEquals(missed.split(" ").toSorted(), ["a3", "b2", "b3"]);
  assert(missed.indexOf("b2") < missed.indexOf("b3"));
  await hub.publish("a", { data: "a4" });
  assertEquals(await client.data(), "a4");
  assertEquals(seqs(client.positions), { a: 4, b: 3 });
});

Deno.test("Hub.subscribe sends nothing to who comes back and missed nothing", async () => {
  await using hub = new Hub();
  const client = new Client(hub, ["a", "n/*"]).connect();
  await hub.publish("a", { data: "1" });
  await hub.publish("n/1", { data: "2" });
  assertEquals(await client.data(), "1 2");
  const { lastEventId } = client;
  client.cut();
  assertEquals([await client.connect().data(), client.lastEventId], ["", lastEventId]);
});

Deno.test("Hub.subscribe takes the last event ID from the query as well", async () => {
  await using hub = new Hub();
  await hub.publish("a b", { data: "1" });
  await hub.publish("c", { data: "2" });
  const client = new Client(hub, ["a b", "c"]).connect();
  await client.take();
  client.cut();
  await hub.publish("a b", { data: "3" });
  const query = new URLSearchParams({ lastEventId: client.lastEventId });
  const response = hub.subscribe(new Request(`http://sse.example/?${query}`), {
    topics: ["a b", "c"],
  });
  const closed = quiet().then(() => hub.close());
  assertMatch(await response.text(), /data: 3\n\n$/);
  await closed;
});

Deno.test("Hub.subscribe gives topics that came while the reader was away from their first event", async () => {
  await using hub = new Hub();
  const client = new Client(hub, ["a", "n/*"]).connect();
  await hub.publish("n/1", { data: "n1" });
  await client.take();
  client.cut();
  await hub.publish("n/2", { data: "x" });
  await hub.publish("n/2", { data: "y" });
  await hub.publish("n/1", { data: "n2" });
  assertEquals((await client.connect().data()).split(" ").toSorted(), ["n2", "x", "y"]);
});

Deno.test("Hub.subscribe begins live in a topic that was added to the list", async () => {
  await using hub = new Hub();
  const client = new Client(hub, ["a"]).connect(["a", "b"]);
  await hub.publish("a", { data: "a1" });
  await hub.publish("c", { data: "c1" });
  assertEquals(await client.data(), "a1");
  client.cut();
  await hub.publish("a", { data: "a2" });
  await hub.publish("c", { data: "c2" });
  assertEquals(await client.connect(["a", "b", "c"]).data(), "a2");
  // It knows from now on where it is there.
  assertEquals(seqs(client.positions), { a: 2, b: 0, c: 2 });
  client.cut();
  await hub.publish("c", { data: "c3" });
  assertEquals(await client.connect(["a", "b", "c"]).data(), "c3");
});

Deno.test("Hub.subscribe forgets a topic that was left out of the list", async () => {
  await using hub = new Hub();
  const client = new Client(hub, ["a", "b"]).connect();
  await hub.publish("a", { data: "a1" });
  await hub.publish("b", { data: "b1" });
  await client.take();
  client.cut();
  await hub.publish("b", { data: "b2" });
  await hub.publish("a", { data: "a2" });
  assertEquals(await client.connect(["a", "c"]).data(), "a2");
  assertEquals(seqs(client.positions), { a: 2, c: 0 });
  client.cut();
  assertEquals(await client.connect().data(), "");
  assertEquals(seqs(client.positions), { a: 2, b: 2 });
});

Deno.test("Hub.subscribe goes on from a vector with one of its topics alone", async () => {
  await using hub = new Hub();
  const client = new Client(hub, ["a", "b"]).connect();
  const ids = [await hub.publish("a", { data: "a1" }), await hub.publish("b", { data: "b1" })];
  await client.take();
  client.cut();
  ids.push(await hub.publish("b", { data: "b2" }));
  assertEquals(await client.connect(["b"]).data(), "b2");
  assertEquals(client.lastEventId, ids[2]);
});

Deno.test("Hub.subscribe begins live from a vector without the one topic that is asked for", async () => {
  await using hub = new Hub();
  const id = await hub.publish("c", { data: "c1" });
  for (const vector of ["a=e.1&b=2", "-"]) {
    const client = new Client(hub, ["c"], vector).connect();
    assertEquals([await client.data(), client.lastEventId], ["", id]);
    client.leave();
  }
});

Deno.test("Hub.subscribe goes on from the id of one topic in it, and tells of a gap where it is none", async () => {
  await using hub = new Hub();
  for (const data of ["a1", "a2", "a3"]) await hub.publish("a", { data });
  const client = new Client(hub, ["a"]).connect();
  await hub.publish("a", { data: "a4" });
  assertEquals(await client.data(), "a4");
  client.cut();
  const asked = client.lastEventId;
  await hub.publish("a", { data: "a5" });
  await hub.publish("b", { data: "b1" });
  const events = await client.connect(["a", "b"]).take();
  assertEquals(events.filter(({ event }) => event !== "gap").map(({ data }) => data), ["a5", "b1"]);
  const first = asked.replace(/4$/, "1");
  assertEquals(gapsOf(events), [{ asked, first, reason: "unknown", topic: "b" }]);
  assertEquals(seqs(client.positions), { a: 5, b: 1 });
});

// Gaps

for (const garbage of ["garbage", "a=", "=", "a=e.1&a=e.2", "a=e.1&", "%=e.1", "é", "a,b"]) {
  for (const topics of [["a", "b"], ["*"], ["a", "n/*"]]) {
    Deno.test(`Hub.subscribe to ${topics} tells of a gap in each after the id ${garbage}`, async () => {
      await using hub = new Hub();
      const id = await hub.publish("a", { data: "a1" });
      await hub.publish("b", { data: "b1" });
      await hub.publish("n/1", { data: "n1" });
      const headers = {
        "last-event-id": String.fromCharCode(...new TextEncoder().encode(garbage)),
      };
      const { body } = hub.subscribe(new Request("http://sse.example/", { headers }), { topics });
      const closed = quiet().then(() => hub.close());
      const text = await new Response(body).text();
      const events = new ServerSentEventParser().feed(text);
      const there = topics[0] === "*"
        ? ["a", "b", "n/1"]
        : topics[1] === "b"
        ? ["a", "b"]
        : ["a", "n/1"];
      const expected = there.map((topic) => ({
        asked: garbage,
        first: id.replace(/1$/, "1"),
        reason: "unknown",
        topic,
      }));
      assertEquals(gapsOf(events), expected);
      // What is held is given.
      const rest = events.filter(({ event }) => event === "message").map(({ data }) => data);
      assertEquals(rest.toSorted(), there.map((topic) => `${topic[0]}1`));
      assertEquals(seqsOf(events.at(-1)), Object.fromEntries(there.map((topic) => [topic, 1])));
      await closed;
    });
  }
}

function seqsOf(event: ServerSentEvent | undefined): Record<string, number> {
  return seqs(Object.fromEntries(parseCursor(event?.id ?? "") ?? []));
}

Deno.test("Hub.subscribe tells of each gap also to who loses the connection between two of them", async () => {
  await using hub = new Hub();
  await hub.publish("a", { data: "a1" });
  await hub.publish("b", { data: "b1" });
  // As often as it takes: an event more is taken each time.
  const client = new Client(hub, ["a", "b"], "garbage");
  for (let connections = 0; connections < 10; connections++) {
    const before = client.events.length;
    client.connect();
    await quiet();
    while (client.waiting > 0 && client.events.length === before) client.takeBytes(1);
    client.leave();
  }
  const gaps = gapsOf(client.events).map(({ topic, reason }) => [topic, reason]);
  assertEquals(gaps, [["a", "unknown"], ["b", "epoch"]]);
  const rest = client.events.filter(({ event }) => event === "message").map(({ data }) => data);
  assertEquals(rest, ["a1", "b1"]);
});

Deno.test("Hub.subscribe tells of a gap in the one topic that has it", async () => {
  const log = new MemoryEventLog({ maxEvents: 2 });
  await using hub = new Hub({ log });
  const client = new Client(hub, ["a", "b", "n/*"]).connect();
  for (const topic of ["a", "b", "n/1"]) await hub.publish(topic, { data: `${topic} 1` });
  await client.take();
  client.cut();
  const asked = client.positions.b;
  for (const n of [2, 3, 4]) await hub.publish("b", { data: `b ${n}` });
  for (const n of [2, 3]) await hub.publish("a", { data: `a ${n}` });
  const events = await client.connect().take();
  assertEquals(gapsOf(events), [
    { asked, first: asked.replace(/1$/, "3"), reason: "trimmed", topic: "b" },
  ]);
  const data = events.filter(({ event }) => event === "message").map(({ data }) => data);
  assertEquals(data.toSorted(), ["a 2", "a 3", "b 3", "b 4"]);
  assertEquals(seqs(client.positions), { a: 3, b: 4, "n/1": 1 });
  client.cut();
  assertEquals(await client.connect().take(), []);
  await log.close();
});

Deno.test("Hub.subscribe tells of gaps in all topics when the log has lost its memory", async () => {
  await using before = new Hub();
  const first = new Client(before, ["a", "n/*"]).connect();
  for (const topic of ["a", "n/1"]) await before.publish(topic, { data: "lost" });
  await first.take();
  await using after = new Hub();
  const id = await after.publish("a", { data: "a1" });
  await after.publish("n/2", { data: "n2" });
  const second = new Client(after, ["a", "n/*"], first.lastEventId).connect();
  const events = await second.take();
  assertEquals(gapsOf(events), [
    { asked: first.positions.a, first: id, reason: "epoch", topic: "a" },
    { asked: first.positions["n/1"], first: id, reason: "epoch", topic: "n/1" },
  ]);
  const data = events.filter(({ event }) => event === "message").map(({ data }) => data);
  assertEquals(data.toSorted(), ["a1", "n2"]);
  assertEquals(seqs(second.positions), { a: 1, "n/1": 0, "n/2": 1 });
});

Deno.test("HubOptions.onGap is told the topic, and what it gives takes the place of the gap", async () => {
  const log = new MemoryEventLog({ maxEvents: 1 });
  const contexts: GapContext[] = [];
  await using hub = new Hub({
    log,
    onGap(context) {
      contexts.push(context);
      return context.topic === "a" ? [{ event: "snapshot", data: "all of a" }] : undefined;
    },
  });
  const client = new Client(hub, ["a", "b"]).connect();
  await client.take();
  const asked = client.positions;
  client.cut();
  for (const n of [1, 2]) await hub.publish("a", { data: `a${n}` });
  const ids = { a: await hub.publish("a", { data: "a3" }), b: "" };
  await hub.publish("b", { data: "b1" });
  ids.b = await hub.publish("b", { data: "b2" });
  const events = await client.connect().take();
  assertEquals(
    contexts.map(({ topic, asked, id, reason }) => ({ topic, asked, id, reason })),
    [
      { topic: "a", asked: asked.a, id: ids.a, reason: "trimmed" },
      { topic: "b", asked: asked.b, id: ids.b, reason: "trimmed" },
    ],
  );
  assertEquals(
    events.map(({ event, data }) => event === "gap" ? JSON.parse(data).topic : data).toSorted(),
    ["all of a", "b", "b2"],
  );
  assertEquals(client.positions, ids);
  await log.close();
});

Deno.test("Hub.subscribe tells of a gap that comes while it is live, and of its topic", async () => {
  const inner = new MemoryEventLog({ maxEvents: 2 });
  let following: FollowOptions | undefined;
  const missed: LoggedEvent[] = [];
  let reachable = true;
  const log: EventLog = {
    append: (topic, event, options) => inner.append(topic, event, options),
    read: (topic, options) => inner.read(topic, options),
    follow(topic, options) {
      if (topic !== "b") return inner.follow(topic, options);
      following = options;
      const onEvent = (event: LoggedEvent) =>
        reachable ? options.onEvent(event) : void missed.push(event);
      return inner.follow(topic, { ...options, onEvent });
    },
    close: () => inner.close(),
  };
  await using hub = new Hub({ log });
  const client = new Client(hub, ["a", "b"]).connect();
  await client.take();
  const asked = await hub.publish("b", { data: "b1" });
  reachable = false;
  for (const data of ["b2", "b3", "b4", "b5"]) await hub.publish("b", { data });
  await hub.publish("a", { data: "a1" });
  assertEquals(await client.data(), "b1 a1");
  reachable = true;
  const held = missed.slice(2);
  const { id: first } = held[0];
  following?.onGap?.({ asked, first, reason: "trimmed" });
  for (const event of held) following?.onEvent(event);
  await hub.publish("b", { data: "b6" });
  await hub.publish("a", { data: "a2" });
  const events = await client.take();
  assertEquals(gapsOf(events), [{ asked, first, reason: "trimmed", topic: "b" }]);
  const data = events.filter(({ event }) => event === "message").map(({ data }) => data);
  assertEquals(data.toSorted(), ["a2", "b4", "b5", "b6"]);
  assertEquals(seqs(client.positions), { a: 2, b: 6 });
  await inner.close();
});

// Bounds

Deno.test("Hub.subscribe fills the queue with what was missed in many topics no more than with that of one", async () => {
  await using hub = new Hub({ maxQueueBytes: 100_000 });
  const topics = Array.from({ length: 50 }, (_, n) => `t${n}`);
  const client = new Client(hub, [...topics, "n/*"]).connect();
  await client.take();
  client.cut();
  for (const topic of [...topics, "n/1", "n/2"]) {
    await hub.publish(topic, { data: topic.padEnd(30_000) });
  }
  const ended: CloseReason[] = [];
  const options = {
    topics: [...topics, "n/*"],
    onClose: (reason: CloseReason) => ended.push(reason),
  };
  const { body } = hub.subscribe(request(client.lastEventId), options);
  await quiet();
  // Nobody reads yet.
  const { queuedBytes } = hub.metrics;
  assert(queuedBytes > 50_000 && queuedBytes < 100_000, `${queuedBytes} bytes`);
  const parser = new ServerSentEventParser();
  const data: string[] = [];
  for await (const chunk of body ?? []) {
    data.push(...parser.feed(chunk).map(({ data }) => data.trimEnd()));
    if (data.length === 52) break;
  }
  assertEquals(data.toSorted(), [...topics, "n/1", "n/2"].toSorted());
  assertEquals(ended.map(({ reason }) => reason), ["peer-left"]);
});

Deno.test("Hub.subscribe answers 400 to more topics and patterns than maxTopics", async () => {
  await using hub = new Hub({ maxTopics: 3 });
  for (
    const [topics, status] of [
      [["a", "b", "c"], 200],
      [["a", "b", "c", "a", "b"], 200],
      [["a", "n/*", "m/*"], 200],
      [["a", "b", "c", "d"], 400],
      [["a", "b", "c", "n/*"], 400],
      [["a/*", "b/*", "c/*", "d/*"], 400],
    ] as const
  ) {
    const response = hub.subscribe(request(), { topics });
    assertEquals(response.status, status, `${topics}`);
    await response.body?.cancel();
  }
  assertEquals(hub.size, 0);
});

Deno.test("Hub.subscribe takes 100 topics by default, and no more", async () => {
  await using hub = new Hub();
  const topics = Array.from({ length: 101 }, (_, i) => `t${i}`);
  const client = new Client(hub, topics.slice(1)).connect();
  await client.take();
  assertEquals(Object.keys(client.positions).length, 100);
  assertEquals(hub.subscribe(request(), { topics }).status, 400);
});

Deno.test("Hub.subscribe answers 400 to topics whose names fill more than a header", async () => {
  await using hub = new Hub();
  const topics = Array.from({ length: 24 }, (_, i) => `${i}`.padEnd(256, "x"));
  const response = hub.subscribe(request(), { topics });
  assertEquals([response.status, hub.size], [400, 0]);
  assertMatch(await response.text(), /names are too long/);
  // One alone needs no vector.
  const client = new Client(hub, ["é".repeat(256)]).connect();
  await hub.publish("é".repeat(256), { data: "1" });
  assertEquals(await client.data(), "1");
});

for (const when of ["there", "to come"] as const) {
  Deno.test(`Hub.subscribe ends a session whose patterns match too many topics that are ${when}`, async () => {
    await using hub = new Hub({ maxTopics: 3 });
    const publish = async () => {
      for (let n = 0; n < 5; n++) await hub.publish(`n/${n}`, { data: `${n}` });
    };
    if (when === "there") await publish();
    const client = new Client(hub, ["n/*"]).connect();
    const other = new Client(hub, ["n/4"]).connect();
    await client.take();
    if (when === "to come") await publish();
    await client.take();
    assertEquals(client.ended?.reason, "error");
    assertMatch(
      `${client.ended?.cause}`,
      /^RangeError: Cannot follow topics: more than 3 of them /,
    );
    assertEquals(hub.size, 1);
    await hub.publish("n/4", { data: "on" });
    assertMatch(await other.data(), /on$/);
  });
}

Deno.test("Hub.subscribe ends a session whose vector gets too long, and no other one", async () => {
  const errors = await unhandled(async () => {
    await using hub = new Hub();
    const client = new Client(hub, ["n/*"]).connect();
    const other = new Client(hub, ["n/:id"]).connect();
    await client.take();
    // Nine characters for one.
    const names = Array.from({ length: 4 }, (_, i) => `n/${i}${"☃".repeat(250)}`);
    for (const name of names.slice(0, 2)) await hub.publish(name, { data: "fits" });
    assertEquals([await client.data(), await other.data()], ["fits fits", "fits fits"]);
    other.cut();
    for (const name of names.slice(2)) await hub.publish(name, { data: "does not" });
    await client.take();
    assertEquals(client.ended?.reason, "error");
    assertMatch(`${client.ended?.cause}`, /^RangeError: Cannot move cursor: /);
    other.connect(["a", "b"]);
    await hub.publish("a", { data: "goes on" });
    assertEquals(await other.data(), "goes on");
  });
  assertEquals(errors, []);
});

Deno.test("Hub.subscribe answers a vector of more topics than maxTopics by an end, not by following them", async () => {
  await using hub = new Hub({ maxTopics: 3 });
  const vector = "n/1=e.1&n/2=1&n/3=1&n/4=1";
  const client = new Client(hub, ["n/*"], vector).connect();
  await client.take();
  assertEquals([client.ended?.reason, hub.size], ["error", 0]);
});

for (
  const options of [
    { maxTopics: 0 },
    { maxTopics: NaN },
    { maxBodySize: -1 },
    { maxBodySize: NaN },
    { keepAlive: 0 },
    { maxQueueBytes: 0 },
    { maxSessions: -1 },
    { revalidate: 0 },
  ] as HubOptions[]
) {
  Deno.test(`Hub throws RangeError at ${Object.entries(options)}`, () => {
    assertThrows(() => new Hub(options), RangeError, `"${Object.keys(options)[0]}"`);
  });
}

Deno.test("Hub throws TypeError at latest-by-key without a key, at bad headers and at cors that makes no sense", () => {
  assertThrows(() => new Hub({ slowConsumer: "latest-by-key" }), TypeError, '"key"');
  assertThrows(() => new Hub({ headers: { "content-length": "1" } }), TypeError);
  assertThrows(() => new Hub({ cors: { origin: "app.example" } }), TypeError, '"origin"');
  assertThrows(() => new Hub({ cors: { origin: true, credentials: true } }), TypeError);
});

Deno.test("Hub turns away whoever is one too many, until somebody leaves", async () => {
  await using hub = new Hub({ maxSessions: 1 });
  const client = new Client(hub, ["a"]).connect();
  const refused = hub.subscribe(request(), { topics: ["b", "n/*"] });
  assertEquals([refused.status, refused.headers.get("retry-after")], [503, "5"]);
  client.leave();
  new Client(hub, ["b", "n/*"]).connect();
  assertEquals(hub.size, 1);
});

// Authorization

Deno.test("HubOptions.authorize is told the topics and patterns that are asked for", async () => {
  const asked: (readonly string[])[] = [];
  await using hub = new Hub({
    authorize(request, { topics }) {
      asked.push(topics);
      return request.headers.get("authorization") === "Bearer good";
    },
  });
  const topics = ["b", "n/*", "a", "b"];
  const refused = hub.subscribe(request(), { topics });
  assertEquals([refused.status, hub.size], [403, 0]);
  const headers = { authorization: "Bearer good" };
  const allowed = hub.subscribe(new Request("http://sse.example/", { headers }), { topics });
  assertEquals([allowed.status, hub.size], [200, 1]);
  assertEquals(asked, [topics, topics]);
});

Deno.test("Hub.subscribe gives a promise with an authorize that is asynchronous", async () => {
  await using hub = new Hub({
    authorize: (_, { topics }) => Promise.resolve(topics[0] === "a" || Response.error()),
  });
  const promise = hub.subscribe(request(), { topics: ["a", "b"] });
  assert(promise instanceof Promise);
  const { status, body } = await promise;
  assertEquals(status, 200);
  await body?.cancel();
  assertEquals((await hub.subscribe(request(), { topics: ["b"] })).type, "error");
});

Deno.test("HubOptions.revalidate asks again for all topics, and ends a session that may stay no longer", async () => {
  const clock = FakeTimers.install({ toNotFake: ["nextTick", "queueMicrotask", "setImmediate"] });
  try {
    const asked: (readonly string[])[] = [];
    await using hub = new Hub({
      keepAlive: false,
      revalidate: 1_000,
      authorize: (_, { topics }) => asked.push(topics) < 3,
    });
    const client = new Client(hub, ["a", "n/*"]).connect();
    await quiet();
    clock.tick(1_000);
    await quiet();
    assertEquals([hub.size, client.ended], [1, undefined]);
    clock.tick(1_000);
    await quiet();
    assertEquals([hub.size, client.ended], [0, { reason: "revoked" }]);
    assertEquals(asked.map((topics) => topics.join()), ["a,n/*", "a,n/*", "a,n/*"]);
  } finally {
    clock.uninstall();
  }
});

// A topic as a channel

Deno.test("Hub.channel publishes to its topic and reads from it", async () => {
  await using hub = new Hub();
  const news = hub.channel("news");
  assert(news instanceof Channel);
  const reader = new Client(hub, ["news", "other"]).connect();
  const response = news.subscribe(request());
  await reader.take();
  const id = await news.publish({ data: "1" });
  await hub.publish("news", { data: "2" });
  await hub.publish("other", { data: "3" });
  assertEquals(await reader.data(), "1 2 3");
  const closed = hub.close();
  const events = new ServerSentEventParser().feed(await response.text());
  assertEquals(events.map(({ data }) => data), ["1", "2"]);
  assertEquals(events[0].id, id);
  await closed;
});

for (const topic of ["", "n/*", ":id", "\n"]) {
  Deno.test(`Hub.channel throws at ${JSON.stringify(topic)}`, async () => {
    await using hub = new Hub();
    assertThrows(() => hub.channel(topic), TypeError);
  });
}

Deno.test("Hub.channel counts, shows and revokes the sessions of its topic only", async () => {
  await using hub = new Hub<string>();
  const [a, b] = [hub.channel("a"), hub.channel("b")];
  const subscribe = (...topics: string[]) =>
    hub.subscribe(request(), { topics, state: topics.join() });
  const responses = [subscribe("a"), subscribe("b"), subscribe("a", "b"), subscribe("c")];
  assertEquals([a.size, b.size, hub.channel("d").size, hub.size], [2, 2, 0, 4]);
  assertEquals(Array.from(b.sessions(), ({ state }) => state), ["b", "a,b"]);
  assertEquals(a.revoke(({ state }) => state !== "a"), 1);
  assertEquals([a.size, b.size, hub.size], [1, 1, 3]);
  assertEquals(hub.channel("d").revoke(() => true), 0);
  assertEquals(a.revoke(() => true), 1);
  assertEquals(Array.from(hub.sessions(), ({ state }) => state), ["b", "c"]);
  assertEquals(await responses[0].text(), ": \n\n");
});

Deno.test("Hub.channel counts a session whose pattern matches its topic", async () => {
  await using hub = new Hub();
  await hub.publish("n/1", { data: "1" });
  const client = new Client(hub, ["n/*"]).connect();
  await client.take();
  assertEquals([hub.channel("n/1").size, hub.channel("n/2").size], [1, 0]);
  await hub.publish("n/2", { data: "2" });
  assertEquals(hub.channel("n/2").size, 1);
  client.leave();
  assertEquals([hub.channel("n/1").size, hub.channel("n/2").size], [0, 0]);
});

Deno.test("Hub.channel counts no session by pattern where there is only somebody who reads the name", async () => {
  await using hub = new Hub();
  new Client(hub, ["n/*"]).connect();
  await quiet();
  new Client(hub, ["n/1"]).connect();
  new Client(hub, ["n/*"]).connect();
  await quiet();
  assertEquals(hub.channel("n/1").size, 1);
});

Deno.test("Hub.channel closes its sessions and leaves the topic and the hub as they are", async () => {
  await using hub = new Hub();
  const news = hub.channel("news");
  const [own, both, other] = [["news"], ["news", "a"], ["a"]].map((topics) =>
    new Client(hub, topics).connect()
  );
  await own.take();
  await news.publish({ data: "1" });
  await news.close();
  assertEquals([own.ended, both.ended], [{ reason: "closed" }, { reason: "closed" }]);
  assertEquals([other.ended, news.size, hub.size], [undefined, 0, 1]);
  // Others come, and those that were sent away.
  await own.take();
  own.cut();
  await news.publish({ data: "2" });
  own.connect();
  await hub.channel("news").publish({ data: "3" });
  assertEquals(await own.data(), "2 3");
  await news[Symbol.asyncDispose]();
  assertEquals(news.size, 0);
  await hub.publish("a", { data: "a" });
  assertEquals(await other.data(), "a");
});

Deno.test("Hub.channel has the figures of its hub", async () => {
  await using hub = new Hub();
  new Client(hub, ["a"]).connect();
  await hub.publish("b", { data: "1" });
  assertEquals(hub.channel("a").metrics, hub.metrics);
});

Deno.test("Hub.channel is closed with its hub", async () => {
  const hub = new Hub();
  const news = hub.channel("news");
  await hub.close();
  await assertRejects(() => news.publish({ data: "1" }), TypeError, "closed");
  assertEquals(news.subscribe(request()).status, 503);
});

// Figures, and the end

Deno.test("Hub.metrics counts over all topics, and renders as OpenMetrics", async () => {
  await using hub = new Hub();
  const client = new Client(hub, ["a", "n/*"]).connect();
  new Client(hub, ["a"]).connect();
  await hub.publish("a", { data: "1" });
  await hub.publish("n/1", { data: "2" });
  await hub.publish("unread", { data: "3" });
  await client.take();
  client.cut();
  await hub.publish("a", { data: "4" });
  client.connect();
  await client.take();
  const { published, sessions, queuedBytes, slow, dropped, bytes, delivered } = hub.metrics;
  assertEquals(
    { published, sessions, queuedBytes, slow, dropped, delivered },
    { published: 4, sessions: 2, queuedBytes: 0, slow: 0, dropped: 0, delivered: 5 },
  );
  const text = renderOpenMetrics([{ labels: { hub: "main" }, metrics: hub.metrics }]);
  for (
    const line of [
      'sse_events_published_total{hub="main"} 4',
      'sse_events_delivered_total{hub="main"} 5',
      'sse_sessions{hub="main"} 2',
      `sse_sent_bytes_total{hub="main"} ${bytes}`,
    ]
  ) assert(text.includes(`${line}\n`), `${line} in ${text}`);
});

Deno.test("HubOptions.onMetrics is told once a second while readers of any topic change them", async () => {
  const clock = FakeTimers.install({ toNotFake: ["nextTick", "queueMicrotask", "setImmediate"] });
  try {
    const told: number[] = [];
    const hub = new Hub({ onMetrics: ({ sessions }) => told.push(sessions) });
    const client = new Client(hub, ["a", "n/*"]).connect();
    new Client(hub, ["b"]).connect();
    await quiet();
    clock.tick(1_000);
    client.leave();
    clock.tick(1_000);
    clock.tick(1_000);
    assertEquals(told, [2, 1]);
    await hub.close();
    assertEquals([told, clock.countTimers()], [[2, 1, 0], 0]);
  } finally {
    clock.uninstall();
  }
});

Deno.test("Hub disconnects a reader of several topics that is too slow; it loses nothing", async () => {
  const slow: number[] = [];
  await using hub = new Hub({
    maxQueueBytes: 2_000,
    onSlow: (_, { dropped }) => slow.push(dropped),
  });
  const ended = Promise.withResolvers<CloseReason>();
  const stalled = hub.subscribe(request(), { topics: ["a", "b"], onClose: ended.resolve });
  const client = new Client(hub, ["a", "b"]).connect();
  await client.take();
  const { lastEventId } = client;
  for (let n = 0; n < 60; n++) {
    await hub.publish(n % 2 === 0 ? "a" : "b", { data: `${n}` });
    await client.take();
  }
  const { reason, cause } = await ended.promise;
  assertEquals([reason, slow, hub.metrics.slow, hub.size], ["slow", [0], 1, 1]);
  assert(cause instanceof SlowConsumerError);
  await assertRejects(() => stalled.text());
  const again = new Client(hub, ["a", "b"], lastEventId).connect();
  const data = (await again.data()).split(" ").map(Number);
  assertEquals(data.toSorted((a, b) => a - b), Array.from({ length: 60 }, (_, n) => n));
});

Deno.test("Hub.revoke ends the sessions that its predicate names, whatever their topics", async () => {
  await using hub = new Hub<string>();
  const ends: CloseReason[] = [];
  const onClose = (reason: CloseReason) => void ends.push(reason);
  for (const topics of [["a"], ["b", "c"], ["*"]]) {
    for (const state of ["eve", "bob"]) hub.subscribe(request(), { topics, state, onClose });
  }
  assertEquals(hub.revoke(({ state }) => state === "eve"), 3);
  assertEquals(ends, Array(3).fill({ reason: "revoked" }));
  assertEquals(Array.from(hub.sessions(), ({ state }) => state), ["bob", "bob", "bob"]);
  assertEquals(hub.revoke(() => false), 0);
});

Deno.test("Hub.close ends the sessions of all topics, takes no more and closes its own log", async () => {
  const hub = new Hub();
  const clients = [["a"], ["a", "b"], ["*"]].map((topics) => new Client(hub, topics).connect());
  await hub.publish("a", { data: "1" });
  await Promise.all(clients.map((client) => client.take()));
  const closed = hub.close();
  assertEquals(hub.subscribe(request(), { topics: ["a"] }).status, 503);
  await closed;
  await hub.close({ drain: 1 });
  assertEquals(clients.map(({ ended }) => ended), Array(3).fill({ reason: "closed" }));
  assertEquals([hub.size, hub.metrics.sessions], [0, 0]);
  assertEquals(clients.map(({ events }) => events.map(({ data }) => data)), Array(3).fill(["1"]));
});

Deno.test("Hub.close leaves a log alone that it was given", async () => {
  await using log = new MemoryEventLog();
  const hub = new Hub({ log });
  await hub.close();
  assertMatch(await log.append("a", { data: "1" }), /\.1$/);
});

Deno.test("Hub.close drains: readers go one by one and are told to wait, and it can be published meanwhile", async () => {
  const clock = FakeTimers.install({ toNotFake: ["nextTick", "queueMicrotask", "setImmediate"] });
  try {
    const hub = new Hub({ keepAlive: false });
    const clients = [["a"], ["a", "b"], ["*"], ["b"]].map((topics) =>
      new Client(hub, topics).connect()
    );
    await quiet();
    const closed = hub.close({ drain: 4_000 });
    const sizes = [];
    for (let n = 0; n < 4; n++) {
      clock.tick(1_000);
      await quiet();
      sizes.push(hub.size);
      if (hub.size > 0) await hub.publish("a", { data: `${n}` });
    }
    await closed;
    assertEquals(sizes, [3, 2, 1, 0]);
    assertEquals(clients.map(({ ended }) => ended), Array(4).fill({ reason: "drained" }));
    assertEquals(await clients[2].data(), "0 1");
    await assertRejects(() => hub.publish("a", { data: "late" }), TypeError);
    assertEquals(clock.countTimers(), 0);
  } finally {
    clock.uninstall();
  }
});

Deno.test("Hub.close rejects a drain out of its range, and can be called again", async () => {
  const hub = new Hub();
  new Client(hub, ["a"]).connect();
  await assertRejects(() => hub.close({ drain: -1 }), RangeError, '"drain"');
  await assertRejects(() => hub.channel("a").close({ drain: NaN }), RangeError, '"drain"');
  assertEquals(hub.size, 1);
  await hub.close();
  assertEquals(hub.size, 0);
});

Deno.test("Hub is closed by await using", async () => {
  let hub: Hub;
  let client: Client;
  {
    await using inner = new Hub();
    hub = inner;
    client = new Client(hub, ["a"]).connect();
  }
  assertEquals([hub.size, client.ended], [0, { reason: "closed" }]);
  assertEquals(hub.subscribe(request(), { topics: ["a"] }).status, 503);
});

// No loss and no repeat, whatever happens

/** The sequences of topics, as a reader gets them: each event after the last, or behind a gap. */
class Sequences {
  readonly #next = new Map<string, number>();
  readonly gaps: string[] = [];
  #taken = 0;

  /** The number of the next event of a topic; `undefined` if it may be any. */
  next(topic: string): number | undefined {
    return this.#next.get(topic);
  }

  begin(topic: string, next: number): void {
    this.#next.set(topic, next);
  }

  take(events: readonly ServerSentEvent[]): void {
    for (; this.#taken < events.length; this.#taken++) {
      const { event, data } = events[this.#taken];
      if (event === "gap") this.#gap(JSON.parse(data));
      else this.#event(data);
    }
  }

  #event(data: string): void {
    const [topic, n] = data.split("#");
    assertEquals(data, `${topic}#${this.#next.get(topic) ?? 1}`);
    this.#next.set(topic, Number(n) + 1);
  }

  #gap({ topic, asked, first }: Record<string, string>): void {
    const next = this.#next.get(topic) ?? 1;
    assert(seqOf(first) > next, `a gap in ${topic} to ${first}, which comes next: ${next}`);
    if (asked !== "") assertEquals(seqOf(asked), next - 1);
    this.#next.set(topic, seqOf(first));
    this.gaps.push(topic);
  }
}

const NAMES = ["a", "b", "n/1", "n/2", "n/3", "m/1/x"];
const LIST = ["a", "b", "n/*", "m/:id/x"];

type Step =
  | { do: "publish"; topic: string }
  | { do: "take" }
  | { do: "wait"; turns: number }
  | { do: "cut"; share: number }
  | { do: "connect" };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ do: fc.constant("publish" as const), topic: fc.constantFrom(...NAMES) }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("take" as const) }) },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant("wait" as const), turns: fc.nat({ max: 12 }) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant("cut" as const),
      share: fc.double({ min: 0, max: 1, noNaN: true }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("connect" as const) }) },
);

for (const maxEvents of [1_000, 3]) {
  Deno.test(`Hub loses and repeats nothing on ${LIST}, cut at any byte, with ${maxEvents} events in the log`, async () => {
    let gaps = 0;
    let cuts = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60, size: "max" }), async (steps) => {
        const log = new MemoryEventLog({ maxEvents });
        const hub = new Hub({ log, keepAlive: false });
        const heads = new Map<string, number>();
        const sequences = new Sequences();
        const client = new Client(hub, LIST);
        const connect = () => {
          if (client.connected) return;
          // Who comes for the first time begins where a topic is; one that is yet to come at its start.
          if (client.lastEventId === "") {
            for (const topic of NAMES) sequences.begin(topic, (heads.get(topic) ?? 0) + 1);
          }
          client.connect();
        };
        for (const step of steps) {
          if (step.do === "publish") {
            const n = (heads.get(step.topic) ?? 0) + 1;
            heads.set(step.topic, n);
            hub.publish(step.topic, { data: `${step.topic}#${n}` });
          } else if (step.do === "wait") {
            for (let turn = 0; turn < step.turns; turn++) await Promise.resolve();
          } else if (step.do === "connect") {
            connect();
          } else if (step.do === "take") {
            await client.take();
          } else if (client.connected) {
            await quiet();
            cuts++;
            client.cut(Math.floor(step.share * client.waiting));
          }
          sequences.take(client.events);
        }
        connect();
        await client.take();
        sequences.take(client.events);
        for (const [topic, head] of heads) {
          assertEquals(sequences.next(topic), head + 1, `the last event of ${topic}`);
        }
        assertEquals([client.connected, client.ended], [true, undefined]);
        gaps += sequences.gaps.length;
        client.leave();
        await hub.close();
        await log.close();
      }),
      property(),
    );
    assert(cuts > 0);
    assertEquals(gaps > 0, maxEvents < 1_000);
  });
}

const STEPS = { append: true, deliver: true, begin: true, follow: true, read: true };

/** A log whose steps wait for their turn, and that knows its topics, in its turn. */
class SteppedTopicsLog extends SteppedEventLog {
  readonly #schedule: Schedule;
  readonly #log: MemoryEventLog;

  constructor(schedule: Schedule, log: MemoryEventLog) {
    super(schedule, log, STEPS);
    this.#schedule = schedule;
    this.#log = log;
  }

  async topics({ signal, onTopic }: TopicsOptions): Promise<string[]> {
    await this.#schedule.gate("begin to watch");
    const names = await this.#log.topics({
      signal,
      onTopic: (topic) => {
        this.#schedule.gate(`tell of ${topic}`).then(() => {
          if (!signal.aborted) onTopic(topic);
        });
      },
    });
    await this.#schedule.gate("list");
    return names;
  }
}

for (const listed of [true, false]) {
  const which = listed ? "knows its topics" : "does not know its topics";
  Deno.test(`Hub loses and repeats nothing in whatever order a log that ${which} takes its steps`, async () => {
    console.log(`SSE_TEST_SEED=${SEED}`);
    await inRandomOrders(
      async (schedule) => {
        const inner = new MemoryEventLog();
        await inner.append("n/1", { data: "n/1#1" });
        const log = listed
          ? new SteppedTopicsLog(schedule, inner)
          : new SteppedEventLog(schedule, inner, STEPS);
        const hub = new Hub({ log, keepAlive: false });
        // It has been here before, and had all.
        const id = await inner.append("a", { data: "a#1" });
        const epoch = id.split(".")[0];
        const client = new Client(hub, ["a", "n/*"], `a=${epoch}.1&n/1=1`);
        const heads = new Map([["a", 1], ["n/1", 1]]);
        const sequences = new Sequences();
        for (const [topic, head] of heads) sequences.begin(topic, head + 1);
        const publish = (topic: string, elsewhere = false) => {
          const n = (heads.get(topic) ?? 0) + 1;
          heads.set(topic, n);
          const event = { data: `${topic}#${n}` };
          if (elsewhere) inner.append(topic, event);
          else hub.publish(topic, event);
        };
        schedule.script("connect", [
          () => client.connect(),
          () => client.cut(client.waiting >> 1),
          () => client.connect(),
          () => client.cut(client.waiting),
          () => client.connect(),
        ]);
        schedule.script("publish", [
          () => publish("n/2"),
          () => publish("a"),
          () => publish("n/1", listed),
          () => publish("n/3", listed),
          () => publish("n/2"),
          () => publish("n/3"),
        ]);
        return async () => {
          await client.take();
          sequences.take(client.events);
          for (const [topic, head] of heads) {
            assertEquals(sequences.next(topic), head + 1, `the last event of ${topic}`);
          }
          client.leave();
          await hub.close();
          await schedule.run((count) => count - 1);
          assertEquals([log.follows, log.reads, hub.size], [0, 0, 0]);
          await inner.close();
        };
      },
      RUNS,
      SEED,
    );
  });
}
