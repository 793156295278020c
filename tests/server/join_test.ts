/** A reader that comes back is given what it missed and then what is live, in every order of things. */

import FakeTimers from "@sinonjs/fake-timers";
import { assert, assertEquals, assertRejects } from "@std/assert";
import { connect } from "../../client.ts";
import { type LogGap, LogGapError } from "../../errors.ts";
import {
  type EventReader,
  readEvents,
  type ServerSentEvent,
  ServerSentEventParser,
} from "../../parse.ts";
import {
  Channel,
  type ChannelOptions,
  type CloseReason,
  type EventLog,
  type FollowOptions,
  type GapContext,
  MemoryEventLog,
  type MemoryEventLogOptions,
} from "../../server.ts";
import { Feed } from "../../server/feed.ts";
import { Reader } from "../../server/reader.ts";
import { Subscription } from "../../server/subscription.ts";
import { mulberry32 } from "../chunkings.ts";
import { delay, within } from "../fault/real_time.ts";
import { requestAfter, RUNS, SEED, text, unhandled } from "../helpers.ts";
import {
  behind,
  inAllOrders,
  inRandomOrders,
  quiet,
  type Scenario,
  type Schedule,
  seqOf,
  SteppedEventLog,
  type SteppedOptions,
} from "./scheduler.ts";

/** What a scenario must have shown, or it shows nothing. */
type Sight = "gap" | "live gap" | "read again" | "replay" | "slow" | "snapshot";

/** A topic that holds some events, a reader of them, and who publishes. */
interface Shape extends Pick<ChannelOptions, "maxQueueBytes"> {
  /** What waits for its turn in the log. */
  steps: SteppedOptions;
  /** How many events there are at first. @default {3} */
  held?: number;
  /**
   * After which event the reader comes: the number of one, the last one that there is when it comes,
   * or none, if it has never been here.
   */
  after: number | "head" | "none";
  /** How many events are published meanwhile. @default {3} */
  publishes?: number;
  /** How many events the log holds. @default {1000} */
  maxEvents?: number;
  /** Another reader is there before, so that the topic is followed. */
  idle?: boolean;
  /** The reader takes each chunk in its turn; otherwise at once. */
  pulls?: boolean;
  /** The reader gets even numbers only. */
  even?: boolean;
  /** What `onGap` gives: a snapshot at once or in its turn, or nothing. Default: there is none. */
  onGap?: "now" | "later" | "nothing";
  /** The reader leaves, at any time. */
  leaves?: boolean;
  /** Its session is ended from here, at any time. */
  revoked?: boolean;
  /** How often the reader comes back, after it has left or was disconnected. @default {0} */
  comesBack?: number;
  /** How many gaps it is told of at most. @default {Infinity} */
  gaps?: number;
  /** What is seen in one order at least. */
  shows?: readonly Sight[];
}

/** A reader by hand: it takes a chunk when it is told to, and resumes as the standard says. */
class Client {
  /** All that it was sent, over all its connections. */
  readonly events: ServerSentEvent[] = [];
  /** The first id that it was sent; of the last connection that it began without one. */
  first: string | undefined = undefined;
  readonly #channel: Channel;
  #lastEventId: string;
  #body: ReadableStreamDefaultReader<Uint8Array> | undefined = undefined;
  #parser = new ServerSentEventParser();
  #reading = false;

  constructor(channel: Channel, lastEventId: string) {
    this.#channel = channel;
    this.#lastEventId = lastEventId;
  }

  get connected(): boolean {
    return this.#body !== undefined;
  }

  get canPull(): boolean {
    return this.connected && !this.#reading;
  }

  connect(): void {
    const lastEventId = this.#lastEventId;
    const { body } = this.#channel.subscribe(requestAfter(lastEventId));
    this.#body = body!.getReader();
    this.#reading = false;
    if (lastEventId === "") this.first = undefined;
    this.#parser = new ServerSentEventParser({ lastEventId, onId: (id) => this.first ??= id });
  }

  /** Takes a chunk, and waits for it if there is none. */
  async pull(): Promise<void> {
    const body = this.#body;
    this.#reading = true;
    const result = await body?.read().catch(() => undefined);
    // It has left meanwhile.
    if (this.#body !== body) return;
    this.#reading = false;
    if (result?.value === undefined) return this.leave();
    this.events.push(...this.#parser.feed(result.value));
    this.#lastEventId = this.#parser.lastEventId;
  }

  leave(): void {
    // It may be broken off.
    this.#body?.cancel().catch(() => {});
    this.#body = undefined;
  }
}

/** What a reader has been sent, looked at event by event. */
class Position {
  readonly #even: boolean;
  /** The oldest event that is held. */
  readonly #oldest: number;
  #at: number;
  gaps = 0;

  constructor(after: number, even: boolean, oldest: number) {
    this.#at = after;
    this.#even = even;
    this.#oldest = oldest;
  }

  /** Moves on to `n`: only what the filter takes may be between. */
  moveTo(n: number): void {
    while (this.#at < n) {
      this.#at++;
      assert(this.#even && this.#at % 2 === 1, `${this.#at} is missing`);
    }
    assertEquals(this.#at, n, "where the reader is");
  }

  take({ event, data, id }: ServerSentEvent): void {
    if (event === "gap") {
      const { asked, first } = JSON.parse(data);
      this.moveTo(seqOf(asked));
      assert(seqOf(first) > this.#at + 1, `Nothing is missing before ${first}`);
      assert(seqOf(first) <= this.#oldest, `What is before ${first} is still held`);
      assertEquals(behind(id, 1), first, "where the gap ends");
      this.#at = seqOf(id);
      this.gaps++;
    } else if (event === "snapshot") {
      assert(Number(data) > this.#at, `The snapshot of ${data} comes after ${this.#at}`);
      this.#at = Number(data);
    } else {
      const n = seqOf(id);
      this.moveTo(n - 1);
      assertEquals([data, this.#even && n % 2 === 1], [`${n}`, false], "what it was sent");
      this.#at = n;
    }
  }
}

/** The scenario of a shape. Each event has its number as its data. */
function scenario(shape: Shape, seen: Set<Sight>): Scenario {
  const { steps, after, maxQueueBytes } = shape;
  const { held = 3, publishes = 3, maxEvents = 1_000, even = false, pulls = false } = shape;
  return async (schedule) => {
    const inner = new MemoryEventLog({ maxEvents });
    const ids: string[] = [];
    for (let n = 1; n <= held; n++) ids.push(await inner.append("news", { data: `${n}` }));
    const log = new SteppedEventLog(schedule, inner, steps);
    const channel = new Channel({
      topic: "news",
      log,
      maxQueueBytes,
      keepAlive: false,
      filter: even ? ({ id }) => seqOf(id) % 2 === 0 : undefined,
      onGap: snapshots(shape.onGap, schedule),
    });
    if (shape.idle) channel.subscribe(new Request("http://localhost/")).body?.getReader().read();
    let head = held;
    const publish = () => void channel.publish({ data: `${++head}` });
    schedule.script("publish", Array.from({ length: publishes }, () => publish));

    let client: Client | undefined;
    let start = 0;
    const connect = () => {
      if (after === "none" && client?.first === undefined) start = head;
      client ??= new Client(channel, after === "none" ? "" : behind(ids[0], start - 1));
      client.connect();
      if (!pulls) readAll(client);
    };
    const come = () => {
      start = typeof after === "number" ? after : head;
      connect();
    };
    schedule.script("connect", [come]);
    if (pulls) schedule.whenever("pull", () => client?.canPull ?? false, () => client?.pull());
    let mayLeave = shape.leaves;
    schedule.whenever("leave", () => (mayLeave && client?.connected) ?? false, () => {
      mayLeave = false;
      client?.leave();
    });
    let mayRevoke = shape.revoked;
    schedule.whenever("revoke", () => (mayRevoke && channel.size > 0) ?? false, () => {
      mayRevoke = false;
      channel.revoke(() => true);
    });
    let comeBacks = shape.comesBack ?? 0;
    const comesBack = () => client?.connected === false && comeBacks > 0;
    schedule.whenever("come back", comesBack, () => {
      comeBacks--;
      connect();
    });

    return async () => {
      if (client === undefined) throw new Error("It has not come");
      // From here on it takes whatever there is, and comes back as often as it is disconnected.
      const { slow, replayed } = channel.metrics;
      const rest = () => schedule.run((count) => count - 1);
      for (let n = 0; n < 10 && !shape.leaves && !client.connected; n++) {
        connect();
        await rest();
      }
      if (after === "none") {
        const first = client.first === undefined ? start : seqOf(client.first);
        // What is published once it has come is for it; where following begins later, from then on.
        // A follower that is behind gives it more.
        const least = steps.deliver ? held : start;
        if (!steps.begin) assert(least <= first && first <= start, `It begins after ${first}`);
        start = first;
      }
      const position = new Position(start, even, head - maxEvents + 1);
      for (const event of client.events) position.take(event);
      if (!shape.leaves) position.moveTo(head);
      assert(position.gaps <= (shape.gaps ?? Infinity), `It was told of ${position.gaps} gaps`);

      if (client.events.some(({ event }) => event === "gap")) seen.add("gap");
      if (client.events.some(({ event }) => event === "snapshot")) seen.add("snapshot");
      if (log.gaps > 0) seen.add("live gap");
      if (log.opened > 1) seen.add("read again");
      if (replayed > 0) seen.add("replay");
      if (slow > 0) seen.add("slow");

      comeBacks = 0;
      client.leave();
      channel.revoke(() => true);
      await rest();
      assertEquals([channel.size, log.follows, log.reads], [0, 0, 0], "what is left");
      await channel.close();
      await log.close();
    };
  };
}

async function readAll(client: Client): Promise<void> {
  while (client.canPull) await client.pull();
}

function snapshots(kind: Shape["onGap"], schedule: Schedule): ChannelOptions["onGap"] {
  const snapshot = (id: string) => [{ event: "snapshot", data: `${seqOf(id)}` }];
  switch (kind) {
    case undefined:
      return undefined;
    case "nothing":
      return () => undefined;
    case "now":
      return ({ id }) => snapshot(id);
    case "later":
      return ({ id }) => schedule.gate("snapshot").then(() => snapshot(id));
  }
}

const SHAPES: Record<string, Shape> = {
  "replays three events while three more are published, chunk by chunk": {
    steps: { read: true },
    after: 0,
    pulls: true,
    shows: ["replay"],
  },
  "replays what a log looks up early and gives late": {
    steps: { follow: true, read: true, give: true },
    after: 1,
    shows: ["replay"],
  },
  "joins a log that begins to follow late, and whose appends resolve late": {
    steps: { append: true, begin: true, follow: true, read: true },
    after: 2,
    publishes: 2,
  },
  "joins a follower that is behind": {
    steps: { deliver: true, follow: true, read: true },
    after: 1,
  },
  "sends nothing again to a reader that is ahead of the follower": {
    steps: { deliver: true, read: true },
    after: "head",
    idle: true,
    pulls: true,
  },
  "sends nothing again to a reader ahead of the follower, though too much waits": {
    steps: { deliver: true, read: true },
    after: "head",
    publishes: 4,
    idle: true,
    maxQueueBytes: 30,
    shows: ["read again"],
  },
  "tells of a gap in what is live to a reader that was ahead of the follower": {
    steps: { deliver: true, read: true },
    after: "head",
    publishes: 4,
    maxEvents: 2,
    idle: true,
    shows: ["gap", "live gap"],
  },
  "gives a new reader all from when it came": {
    steps: { follow: true, read: true },
    after: "none",
    pulls: true,
    shows: ["replay"],
  },
  "gives a new reader of a topic that is followed all from when it came": {
    steps: { append: true, deliver: true },
    after: "none",
    idle: true,
  },
  "gives a new reader all from when following begins": {
    steps: { begin: true, follow: true, append: true },
    after: "none",
  },
  "tells once of one event that is trimmed meanwhile": {
    steps: { read: true, give: true, follow: true },
    after: 0,
    publishes: 1,
    maxEvents: 3,
    gaps: 1,
    shows: ["gap", "replay"],
  },
  "tells of what is trimmed meanwhile, chunk by chunk": {
    steps: { read: true },
    held: 2,
    after: 0,
    maxEvents: 2,
    pulls: true,
    shows: ["gap", "replay"],
  },
  "tells once of a gap to a reader that leaves and comes back": {
    steps: { read: true, give: true },
    after: 0,
    publishes: 1,
    maxEvents: 3,
    leaves: true,
    comesBack: 1,
    gaps: 1,
    shows: ["gap", "replay"],
  },
  "tells of a gap in what is live": {
    steps: { deliver: true, read: true },
    after: 3,
    publishes: 4,
    maxEvents: 2,
    shows: ["live gap", "gap", "replay"],
  },
  "tells of a gap that its follower meets before it is ready": {
    steps: { deliver: true, follow: true },
    after: "none",
    publishes: 4,
    maxEvents: 2,
    shows: ["live gap", "gap", "replay"],
  },
  "reads the log once more when too much waits": {
    steps: { read: true },
    after: 0,
    publishes: 4,
    maxQueueBytes: 60,
    shows: ["read again"],
  },
  "reads the log once more when too much waits, and tells of what is trimmed": {
    steps: { read: true, give: true },
    after: 0,
    publishes: 4,
    maxQueueBytes: 60,
    maxEvents: 3,
    shows: ["gap", "read again"],
  },
  "takes back a reader that is disconnected as too slow": {
    steps: { read: true },
    held: 2,
    after: 0,
    publishes: 1,
    maxQueueBytes: 60,
    pulls: true,
    comesBack: 1,
    shows: ["slow", "read again"],
  },
  "filters what is replayed and what is live": {
    steps: { read: true },
    held: 2,
    after: 0,
    pulls: true,
    even: true,
    shows: ["replay"],
  },
  "filters beside gaps": {
    steps: { deliver: true, read: true },
    after: 0,
    maxEvents: 2,
    even: true,
    shows: ["gap", "live gap", "replay"],
  },
  "sends a snapshot in place of a gap": {
    steps: { deliver: true, read: true },
    after: 0,
    maxEvents: 2,
    onGap: "now",
    gaps: 0,
    shows: ["snapshot", "live gap"],
  },
  "sends a snapshot that takes its time in place of a gap": {
    steps: { read: true },
    after: 0,
    publishes: 4,
    maxEvents: 2,
    onGap: "later",
    pulls: true,
    gaps: 0,
    shows: ["snapshot"],
  },
  "tells of a gap for which there is no snapshot": {
    steps: { read: true },
    after: 0,
    maxEvents: 2,
    onGap: "nothing",
    shows: ["gap"],
  },
  "lets go of a reader that leaves before it is live": {
    steps: { begin: true, follow: true, read: true, give: true },
    after: 1,
    publishes: 2,
    leaves: true,
  },
  "lets go of a reader that leaves anywhere": {
    steps: { read: true },
    after: 2,
    publishes: 2,
    pulls: true,
    leaves: true,
  },
  "lets go of a reader that leaves in a snapshot": {
    steps: { deliver: true, read: true },
    after: 0,
    publishes: 2,
    maxEvents: 2,
    onGap: "later",
    leaves: true,
    shows: ["snapshot"],
  },
  "gives all to a reader that leaves at any time and comes back": {
    steps: { follow: true, read: true },
    after: 1,
    publishes: 2,
    leaves: true,
    comesBack: 1,
    shows: ["replay"],
  },
  "gives all to a reader whose session is ended at any time": {
    steps: { follow: true, read: true },
    after: 1,
    publishes: 2,
    revoked: true,
    comesBack: 1,
    shows: ["replay"],
  },
};

for (const [title, shape] of Object.entries(SHAPES)) {
  Deno.test(`Channel ${title}, in all orders`, async () => {
    const seen = new Set<Sight>();
    const orders = await inAllOrders(scenario(shape, seen), 40_000);
    console.log(`${orders} orders`);
    for (const sight of shape.shows ?? []) assert(seen.has(sight), `There was no ${sight}`);
  });
}

/** All that waits, and so much of it that not all orders can be tried. */
const ALL_STEPS: SteppedOptions = {
  append: true,
  begin: true,
  deliver: true,
  follow: true,
  give: true,
  read: true,
};
const LARGE: Shape = { steps: ALL_STEPS, held: 5, after: 1, publishes: 9, pulls: true };

const LARGE_SHAPES: Record<string, Shape> = {
  "gives a reader all that comes and goes": {
    ...LARGE,
    leaves: true,
    revoked: true,
    comesBack: 3,
  },
  "gives a reader all that is too slow, or tells of what is trimmed": {
    ...LARGE,
    steps: { ...ALL_STEPS, append: false },
    maxEvents: 6,
    maxQueueBytes: 90,
    comesBack: 3,
    shows: ["gap", "live gap", "read again", "slow"],
  },
  "gives a new reader all": { ...LARGE, after: "none", leaves: true, comesBack: 3 },
  "gives a reader all that was ahead of a follower": {
    ...LARGE,
    after: "head",
    idle: true,
    maxEvents: 6,
    even: true,
  },
  "gives snapshots": {
    ...LARGE,
    maxEvents: 3,
    onGap: "later",
    comesBack: 2,
    gaps: 0,
    shows: ["live gap", "snapshot"],
  },
};

for (const [title, shape] of Object.entries(LARGE_SHAPES)) {
  const orders = 5 * RUNS;
  Deno.test(`Channel ${title}, in ${orders} random orders`, async () => {
    console.log(`SSE_TEST_SEED=${SEED}`);
    const seen = new Set<Sight>();
    await inRandomOrders(scenario(shape, seen), orders, SEED);
    for (const sight of shape.shows ?? []) assert(seen.has(sight), `There was no ${sight}`);
  });
}

Deno.test("inAllOrders takes the steps of two scripts in each order once", async () => {
  const orders: string[] = [];
  const count = await inAllOrders((schedule) => {
    schedule.script("a", [() => {}, () => {}]);
    schedule.script("b", [() => {}, () => {}, () => {}]);
    return Promise.resolve(() => Promise.resolve(void orders.push(schedule.taken.join(", "))));
  }, 10);
  assertEquals([count, new Set(orders).size], [10, 10]);
  for (const order of orders) {
    assertEquals(order.match(/a \d/g), ["a 1", "a 2"]);
    assertEquals(order.match(/b \d/g), ["b 1", "b 2", "b 3"]);
  }
});

Deno.test("inAllOrders finds the one order that fails, and says it", async () => {
  let value = "";
  const scenario = (schedule: Schedule) => {
    value = "";
    schedule.script("a", [() => value += "a", () => value += "a"]);
    schedule.gate("b").then(() => value += "b");
    return Promise.resolve(() => Promise.resolve(assert(value !== "baa")));
  };
  await assertRejects(() => inAllOrders(scenario, 10), Error, "In the order b, a 1, a 2");
  await assertRejects(() => inAllOrders(scenario, 1), Error, "more than 1 orders");
});

const TOPIC = "default";
const DOWN = new Error("down");

/** A log of a channel with events whose data are their numbers, and their ids from 1 up. */
async function logOf(
  count: number,
  options: MemoryEventLogOptions = {},
): Promise<{ log: MemoryEventLog; ids: string[] }> {
  const log = new MemoryEventLog(options);
  const ids: string[] = [];
  for (let n = 1; n <= count; n++) ids[n] = await log.append(TOPIC, { data: `${n}` });
  return { log, ids };
}

/** A log, but for what it does otherwise. */
function otherwise(log: MemoryEventLog, parts: Partial<EventLog>): EventLog {
  return {
    append: (...all) => log.append(...all),
    read: (...all) => log.read(...all),
    follow: (...all) => log.follow(...all),
    close: () => log.close(),
    ...parts,
  };
}

/** The next events of a stream, which is left open. */
async function take(reader: EventReader, count: number): Promise<ServerSentEvent[]> {
  const events: ServerSentEvent[] = [];
  while (events.length < count) {
    const missing = () => `Only ${events.length} events came`;
    const { value, done } = await within(reader.next(), 5_000, missing);
    assert(!done, missing());
    events.push(value!);
  }
  return events;
}

function gapOf(event: ServerSentEvent): LogGap {
  assertEquals(event.event, "gap");
  return JSON.parse(event.data);
}

Deno.test("Channel sends a gap as one event before the first that is held", async () => {
  const { log, ids } = await logOf(5, { maxEvents: 2 });
  await using channel = new Channel({ log });
  const body = channel.subscribe(requestAfter(ids[1])).body!.getReader();
  await quiet();
  const { value } = await body.read();
  const data = `{"asked":"${ids[1]}","first":"${ids[4]}","reason":"trimmed"}`;
  assertEquals(
    text(value!),
    `: \n\nevent: gap\nid: ${ids[3]}\ndata: ${data}\n\n` +
      `id: ${ids[4]}\ndata: 4\n\nid: ${ids[5]}\ndata: 5\n\n`,
  );
  await body.cancel();
});

for (
  const [reason, asked] of [
    ["trimmed", (id: string) => behind(id, -2)],
    ["epoch", () => "other.2"],
    ["unknown", (id: string) => behind(id, 9)],
    ["unknown", () => "garbage"],
  ] as const
) {
  Deno.test(`Channel tells who comes after ${asked("a.3")} of 3 of a gap: ${reason}`, async () => {
    const { log, ids } = await logOf(3, { maxEvents: 1 });
    await using channel = new Channel({ log });
    const reader = readEvents(channel.subscribe(requestAfter(asked(ids[3]))));
    const [gap, event] = await take(reader, 2);
    assertEquals(gapOf(gap), { asked: asked(ids[3]), first: ids[3], reason });
    assertEquals([gap.id, event.id], [ids[2], ids[3]]);
    await reader.return();
  });
}

Deno.test("Channel resumes by what a vector of several topics says of its own", async () => {
  const { log, ids } = await logOf(3);
  await using channel = new Channel({ log });
  const asked = `default=${ids[2]}&other=${seqOf(ids[3])}`;
  const reader = readEvents(channel.subscribe(requestAfter(asked)));
  assertEquals((await take(reader, 1))[0].id, ids[3]);
  await reader.return();
});

Deno.test("Channel tells of no second gap who comes back after the first", async () => {
  const { log, ids } = await logOf(5, { maxEvents: 2 });
  await using channel = new Channel({ log });
  const first = readEvents(channel.subscribe(requestAfter("other.1")));
  const [gap] = await take(first, 1);
  await first.return();
  const second = readEvents(channel.subscribe(requestAfter(gap.id)));
  assertEquals((await take(second, 2)).map(({ id }) => id), [ids[4], ids[5]]);
  await second.return();
});

Deno.test("Channel tells of a gap though nothing is held any more, and once", async () => {
  const clock = FakeTimers.install({ toFake: ["performance"] });
  try {
    const { log, ids } = await logOf(3, { maxAge: 1_000 });
    clock.tick(1_001);
    await using channel = new Channel({ log, keepAlive: false });
    const first = readEvents(channel.subscribe(requestAfter(ids[1])));
    const [gap] = await take(first, 1);
    assertEquals(gapOf(gap), { asked: ids[1], first: behind(ids[3], 1), reason: "trimmed" });
    await first.return();
    const second = readEvents(channel.subscribe(requestAfter(gap.id)));
    await quiet();
    const id = await channel.publish({ data: "4" });
    assertEquals((await take(second, 1))[0].id, id);
    await second.return();
  } finally {
    clock.uninstall();
  }
});

Deno.test("onGap is told what is missing, and where the reader goes on", async () => {
  const { log, ids } = await logOf(5, { maxEvents: 2 });
  const contexts: GapContext<string>[] = [];
  await using channel = new Channel<string>({
    log,
    onGap: (context) => {
      contexts.push(context);
      return [{ event: "state", data: "all of it" }, { data: "and more", retry: 7 }];
    },
  });
  const response = channel.subscribe(requestAfter(ids[1]), { state: "eve" });
  const [session] = channel.sessions();
  const body = response.body!.getReader();
  await quiet();
  assertEquals(
    text((await body.read()).value!),
    `: \n\nevent: state\ndata: all of it\n\nretry: 7\ndata: and more\n\nid: ${ids[5]}\n\n`,
  );
  const [{ session: told, ...gap }] = contexts;
  assertEquals([contexts.length, told === session, told.state], [1, true, "eve"]);
  const first = ids[4];
  assertEquals(gap, { asked: ids[1], first, reason: "trimmed", topic: TOPIC, id: ids[5] });
  await body.cancel();
});

for (const [title, none] of [["undefined", undefined], ["a promise of it", later()]] as const) {
  Deno.test(`onGap that gives ${title} leaves it at the event`, async () => {
    const { log, ids } = await logOf(2, { maxEvents: 1 });
    await using channel = new Channel({ log, onGap: () => none });
    const reader = readEvents(channel.subscribe(requestAfter("other.1")));
    const [gap, event] = await take(reader, 2);
    assertEquals([gap.event, event.id], ["gap", ids[2]]);
    await reader.return();
  });
}

function later(): Promise<undefined> {
  return Promise.resolve(undefined);
}

Deno.test("onGap's snapshot that was not read to its end is sent again", async () => {
  const { log, ids } = await logOf(3, { maxEvents: 1 });
  let snapshots = 0;
  await using channel = new Channel({
    log,
    onGap: () => [{ data: `${++snapshots}` }, { data: "x".repeat(70_000) }, { data: "end" }],
  });
  const first = readEvents(channel.subscribe(requestAfter(ids[1])));
  assertEquals((await take(first, 1))[0].data, "1");
  assertEquals(first.lastEventId, "");
  await first.return();
  const second = readEvents(channel.subscribe(requestAfter(ids[1])));
  assertEquals((await take(second, 3)).map(({ data }) => data.slice(0, 3)), ["2", "xxx", "end"]);
  await second.return();
});

Deno.test("onGap's snapshot is left when the reader leaves", async () => {
  const { log } = await logOf(3, { maxEvents: 1 });
  let taken = 0;
  let left = false;
  function* snapshot() {
    try {
      for (;;) {
        taken++;
        yield { data: "x".repeat(50_000) };
      }
    } finally {
      left = true;
    }
  }
  await using channel = new Channel({ log, onGap: snapshot });
  const body = channel.subscribe(requestAfter("other.1")).body!.getReader();
  await quiet();
  assertEquals([taken, left], [2, false]);
  await body.cancel();
  await quiet();
  assertEquals([taken, left, channel.size], [2, true, 0]);
});

for (
  const [title, onGap] of Object.entries<() => Promise<never>>({
    "throws": () => {
      throw DOWN;
    },
    "rejects": () => Promise.reject(DOWN),
  })
) {
  Deno.test(`onGap that ${title} ends the session as an error`, async () => {
    const { log } = await logOf(1);
    const ends: CloseReason[] = [];
    await using channel = new Channel({ log, onGap });
    const options = { onClose: (reason: CloseReason) => ends.push(reason) };
    const response = channel.subscribe(requestAfter("other.1"), options);
    assertEquals(await response.text(), ": \n\n");
    assertEquals(ends, [{ reason: "error", cause: DOWN }]);
  });
}

Deno.test("Channel leaves an idle reader behind its gap, whose filter took what was before", async () => {
  const clock = FakeTimers.install({ toNotFake: ["nextTick", "queueMicrotask", "setImmediate"] });
  try {
    const { log, ids } = await logOf(3, { maxAge: 1_000 });
    const expired = Promise.withResolvers<void>();
    const slow = otherwise(log, {
      async *read(topic, options) {
        for await (const event of log.read(topic, options)) {
          yield event;
          await expired.promise;
        }
      },
    });
    const channel = new Channel({ log: slow, filter: () => false });
    const body = channel.subscribe(requestAfter(ids[1])).body!.getReader();
    await quiet();
    clock.tick(1_001);
    expired.resolve();
    await quiet();
    const gap = text((await body.read()).value!);
    assert(gap.includes(`event: gap\nid: ${ids[3]}\ndata: {"asked":"${ids[2]}"`), gap);
    const idle = body.read();
    clock.tick(9_000);
    assertEquals(text((await idle).value!), ": \n\n");
    await body.cancel();
    await channel.close();
  } finally {
    clock.uninstall();
  }
});

Deno.test("Channel sends a new reader at once the id that it resumes from", async () => {
  const { log, ids } = await logOf(2);
  await using channel = new Channel({ log });
  const first = channel.subscribe(requestAfter("")).body!.getReader();
  await quiet();
  assertEquals(text((await first.read()).value!), `: \n\nid: ${ids[2]}\n\n`);
  await first.cancel();
  const id = await channel.publish({ data: "3" });
  const second = readEvents(channel.subscribe(requestAfter(ids[2])));
  assertEquals((await take(second, 1))[0].id, id);
  await second.return();
});

Deno.test("Channel sends who resumes no id but those of its events", async () => {
  const { log, ids } = await logOf(2);
  await using channel = new Channel({ log });
  const body = channel.subscribe(requestAfter(ids[1])).body!.getReader();
  await quiet();
  assertEquals(text((await body.read()).value!), `: \n\nid: ${ids[2]}\ndata: 2\n\n`);
  await body.cancel();
});

Deno.test("Channel gives a new reader what is published in the same turn", async () => {
  await using channel = new Channel();
  channel.publish({ data: "before" });
  const readers = [requestAfter(""), requestAfter("")].map((request) =>
    readEvents(channel.subscribe(request))
  );
  channel.publish({ data: "1" });
  await quiet();
  // The topic is followed by now.
  channel.publish({ data: "2" });
  readers.push(readEvents(channel.subscribe(requestAfter(""))));
  channel.publish({ data: "3" });
  for (const [from, reader] of [1, 1, 3].map((from, i) => [from, readers[i]] as const)) {
    const expected = ["1", "2", "3"].slice(from - 1);
    assertEquals((await take(reader, 4 - from)).map(({ data }) => data), expected);
    await reader.return();
  }
});

Deno.test("Channel tells live readers of a gap of its log, and goes on behind it", async () => {
  const { log, ids } = await logOf(2, { maxEvents: 2 });
  let follower: FollowOptions | undefined;
  const remote = otherwise(log, {
    follow: (_, options) => {
      follower = options;
      return Promise.resolve(ids[2]);
    },
  });
  await using channel = new Channel({ log: remote });
  const readers = [1, 2].map(() => readEvents(channel.subscribe(requestAfter(ids[2]))));
  await quiet();
  for (let n = 3; n <= 6; n++) ids[n] = await log.append(TOPIC, { data: `${n}` });
  // A turn before the gap, and one behind it.
  follower?.onEvent({ id: ids[3], data: "3" });
  follower?.onGap?.({ asked: ids[3], first: ids[5], reason: "trimmed" });
  follower?.onEvent({ id: ids[5], data: "5" });
  follower?.onEvent({ id: ids[6], data: "6" });
  for (const reader of readers) {
    const events = await take(reader, 4);
    assertEquals(events.map(({ id }) => id), [ids[3], ids[4], ids[5], ids[6]]);
    assertEquals(gapOf(events[1]), { asked: ids[3], first: ids[5], reason: "trimmed" });
    await reader.return();
  }
});

for (const passed of ["an event", "a gap"]) {
  Deno.test(`Channel goes on from where a reader is that was ahead, once ${passed} is behind that`, async () => {
    const { log, ids } = await logOf(4, { maxEvents: 2 });
    let follower: FollowOptions | undefined;
    const remote = otherwise(log, {
      follow: (_, options) => {
        follower = options;
        return Promise.resolve(ids[3]);
      },
    });
    const append = async (until: number) => {
      for (let n = ids.length; n <= until; n++) ids[n] = await log.append(TOPIC, { data: `${n}` });
    };
    await using channel = new Channel({ log: remote });
    const reader = readEvents(channel.subscribe(requestAfter(ids[4])));
    await quiet();
    follower?.onEvent({ id: ids[4], data: "4" });
    await quiet();
    if (passed === "an event") {
      await append(6);
      follower?.onEvent({ id: ids[5], data: "5" });
      follower?.onEvent({ id: ids[6], data: "6" });
      assertEquals((await take(reader, 2)).map(({ id }) => id), [ids[5], ids[6]]);
    } else {
      await append(8);
      follower?.onGap?.({ asked: ids[4], first: ids[7], reason: "trimmed" });
      const [gap] = await take(reader, 1);
      assertEquals(gapOf(gap), { asked: ids[4], first: ids[7], reason: "trimmed" });
    }
    await append(12);
    follower?.onGap?.({ asked: ids[6], first: ids[11], reason: "trimmed" });
    follower?.onEvent({ id: ids[11], data: "11" });
    const [gap, event] = await take(reader, 2);
    assertEquals(gapOf(gap), { asked: ids[6], first: ids[11], reason: "trimmed" });
    assertEquals(event.id, ids[11]);
    await reader.return();
  });
}

Deno.test("Channel joins a reader at any moment of a turn that publishes", async () => {
  for (let moment = 0; moment < 30; moment++) {
    const { log, ids } = await logOf(2);
    await using channel = new Channel({ log });
    const others = readEvents(channel.subscribe(requestAfter(ids[2])));
    await quiet();
    const reader = readEvents(channel.subscribe(requestAfter(ids[1])));
    for (let i = 0; i < moment; i++) await Promise.resolve();
    channel.publish({ data: "3" });
    channel.publish({ data: "4" });
    await quiet();
    channel.publish({ data: "5" });
    const data = (await take(reader, 4)).map(({ data }) => data);
    assertEquals(data, ["2", "3", "4", "5"], `after ${moment} microtasks`);
    assertEquals((await take(others, 3)).map(({ data }) => data), ["3", "4", "5"]);
    await reader.return();
    await others.return();
  }
});

Deno.test("Channel goes on in another epoch behind a gap of its log", async () => {
  const { log: old, ids } = await logOf(2);
  const { log: young, ids: others } = await logOf(1);
  let follower: FollowOptions | undefined;
  let current = old;
  const remote = otherwise(old, {
    read: (topic, options) => current.read(topic, options),
    follow: (_, options) => {
      follower = options;
      return Promise.resolve(ids[2]);
    },
  });
  await using channel = new Channel({ log: remote });
  const reader = readEvents(channel.subscribe(requestAfter(ids[2])));
  await quiet();
  current = young;
  follower?.onGap?.({ asked: ids[2], first: others[1], reason: "epoch" });
  follower?.onEvent({ id: others[1], data: "1" });
  const [gap, event] = await take(reader, 2);
  assertEquals(gapOf(gap), { asked: ids[2], first: others[1], reason: "epoch" });
  assertEquals([gap.id, event.id], [behind(others[1], -1), others[1]]);
  await reader.return();
  const back = readEvents(channel.subscribe(requestAfter(gap.id)));
  await back.return();
});

Deno.test("Channel tells of no gap in what waits, though the log has it no longer", async () => {
  const { log, ids } = await logOf(3, { maxEvents: 3 });
  const opened = Promise.withResolvers<void>();
  const slow = otherwise(log, {
    async *read(topic, options) {
      await opened.promise;
      yield* log.read(topic, options);
    },
  });
  await using channel = new Channel({ log: slow });
  const reader = readEvents(channel.subscribe(requestAfter(behind(ids[1], -1))));
  await quiet();
  for (let n = 4; n <= 8; n++) ids[n] = await channel.publish({ data: `${n}` });
  opened.resolve();
  const [gap, ...events] = await take(reader, 6);
  assertEquals(gapOf(gap), { asked: behind(ids[1], -1), first: ids[4], reason: "trimmed" });
  assertEquals([gap.id, ...events.map(({ id }) => id)], ids.slice(3));
  await reader.return();
});

Deno.test("Channel joins a log that is in another epoch than what it follows", async () => {
  const { log: old, ids } = await logOf(2);
  const { log: young, ids: others } = await logOf(3);
  let follower: FollowOptions | undefined;
  const remote = otherwise(young, {
    follow: (_, options) => {
      follower = options;
      return Promise.resolve(ids[2]);
    },
  });
  await using channel = new Channel({ log: remote });
  const reader = readEvents(channel.subscribe(requestAfter(ids[1])));
  const [first] = await take(reader, 1);
  // Of what its follower has yet to tell it knows nothing.
  assertEquals(gapOf(first), { asked: ids[1], first: behind(ids[2], 1), reason: "epoch" });
  assertEquals(first.id, ids[2]);
  follower?.onGap?.({ asked: ids[2], first: others[1], reason: "epoch" });
  for (let n = 1; n <= 3; n++) follower?.onEvent({ id: others[n], data: `${n}` });
  const [second, ...events] = await take(reader, 4);
  assertEquals(gapOf(second), { asked: ids[2], first: others[1], reason: "epoch" });
  assertEquals(events.map(({ id }) => id), others.slice(1));
  await reader.return();
  await old.close();
});

Deno.test("Channel ends the reading of its log when the reader leaves", async () => {
  const { log, ids } = await logOf(2);
  const signals: (AbortSignal | undefined)[] = [];
  // It waits for what never comes.
  const stuck = otherwise(log, {
    read: (_, { signal }) => {
      signals.push(signal);
      return {
        [Symbol.asyncIterator]: () => ({
          next: () =>
            new Promise((_, reject) =>
              signal?.addEventListener("abort", () => reject(signal.reason))
            ),
        }),
      };
    },
  });
  await using channel = new Channel({ log: stuck });
  const { body } = channel.subscribe(requestAfter(ids[1]));
  await quiet();
  assertEquals(signals.map((signal) => signal?.aborted), [false]);
  await body?.cancel();
  assertEquals(signals.map((signal) => signal?.aborted), [true]);
});

const FAILURES: Record<string, (log: MemoryEventLog, fail: () => never) => Partial<EventLog>> = {
  "follow that rejects": (_, fail) => ({ follow: () => Promise.resolve().then(fail) }),
  "follow that throws": (_, fail) => ({ follow: fail }),
  "read that rejects": (_, fail) => ({
    read: () => ({ [Symbol.asyncIterator]: () => ({ next: () => Promise.resolve().then(fail) }) }),
  }),
  "read that throws": (_, fail) => ({ read: fail }),
  "read that rejects in the middle": (log, fail) => ({
    async *read(topic, options) {
      for await (const event of log.read(topic, options)) {
        yield event;
        fail();
      }
    },
  }),
};

for (const [title, failing] of Object.entries(FAILURES)) {
  Deno.test(`Channel ends as an error by a ${title}, and tries afresh with the next reader`, async () => {
    const { log, ids } = await logOf(3);
    const down = failing(log, () => {
      throw DOWN;
    });
    let isDown = true;
    const flaky = otherwise(log, {
      read: (...all) => (isDown && down.read || log.read.bind(log))(...all),
      follow: (...all) => (isDown && down.follow || log.follow.bind(log))(...all),
    });
    const ends: CloseReason[] = [];
    await using channel = new Channel({ log: flaky });
    const options = { onClose: (reason: CloseReason) => ends.push(reason) };
    const reasons = await unhandled(async () => {
      const responses = [1, 2].map(() => channel.subscribe(requestAfter(ids[1]), options));
      for (const response of responses) await response.text();
    });
    assertEquals(reasons, []);
    const end: CloseReason = { reason: "error", cause: DOWN };
    assertEquals([ends, channel.size], [[end, end], 0]);
    isDown = false;
    const reader = readEvents(channel.subscribe(requestAfter(ids[1])));
    assertEquals((await take(reader, 2)).map(({ id }) => id), [ids[2], ids[3]]);
    await reader.return();
  });
}

Deno.test("Channel ends as an error by a log that tells of a gap where there is none", async () => {
  const { log, ids } = await logOf(3);
  const error = new LogGapError({ asked: ids[1], first: ids[2], reason: "trimmed" });
  let reads = 0;
  const lying = otherwise(log, {
    read: () => ({
      [Symbol.asyncIterator]: () => ({
        next: async () => {
          reads++;
          await quiet();
          throw error;
        },
      }),
    }),
  });
  const ends: CloseReason[] = [];
  await using channel = new Channel({ log: lying });
  const options = { onClose: (reason: CloseReason) => ends.push(reason) };
  const body = channel.subscribe(requestAfter(ids[1]), options).text();
  assertEquals(await within(body, 5_000, () => `It was read ${reads} times`), ": \n\n");
  assertEquals([ends, reads], [[{ reason: "error", cause: error }], 1]);
});

Deno.test("Channel follows its topic once for all readers, and until the last has left", async () => {
  const { log } = await logOf(0);
  const signals: AbortSignal[] = [];
  const counted = otherwise(log, {
    follow: (topic, options) => {
      signals.push(options.signal);
      return log.follow(topic, options);
    },
  });
  await using channel = new Channel({ log: counted });
  const bodies = [1, 2, 3].map(() => channel.subscribe(requestAfter("")).body!);
  await quiet();
  for (const body of bodies) {
    assertEquals(signals.map(({ aborted }) => aborted), [false]);
    await body.cancel();
  }
  assertEquals(signals.map(({ aborted }) => aborted), [true]);
  await channel.subscribe(requestAfter("")).body!.cancel();
  assertEquals(signals.map(({ aborted }) => aborted), [true, true]);
});

Deno.test("Channel hands nothing on to those who have left", async () => {
  await using channel = new Channel();
  const { onBatch } = Subscription.prototype;
  let handed = 0;
  Subscription.prototype.onBatch = function (...all) {
    handed++;
    onBatch.apply(this, all);
  };
  try {
    const bodies = [1, 2, 3].map(() => channel.subscribe(requestAfter("")).body!);
    await quiet();
    for (const [i, body] of bodies.entries()) {
      handed = 0;
      await channel.publish({ data: "1" });
      await quiet();
      assertEquals(handed, 3 - i);
      await body.cancel();
    }
  } finally {
    Subscription.prototype.onBatch = onBatch;
  }
});

Deno.test("Subscription does not come into a feed once its session has ended", async () => {
  const { log } = await logOf(0);
  const feed = new Feed(log, TOPIC, () => {});
  await feed.ready;
  await using channel = new Channel({ log });
  const { body } = channel.subscribe(requestAfter(""));
  const [session] = channel.sessions();
  const reader = new Reader(session, undefined, { slowConsumer: "disconnect" }, channel.metrics);
  const subscription = new Subscription(feed, reader, log, 1_000);
  session.close();
  await subscription.join(feed.last);
  assertEquals(feed.listeners.size, 0);
  feed.close();
  await body?.cancel();
});

Deno.test("connect gets all from a channel that ends its session again and again", async () => {
  const total = 1_000;
  await using channel = new Channel({ topic: "news" });
  await using server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} },
    (request) => channel.subscribe(request),
  );
  const connection = connect(`http://127.0.0.1:${server.addr.port}/`, { retry: () => 0 });
  const random = mulberry32(SEED);
  console.log(`SSE_TEST_SEED=${SEED}`);
  await connection.opened;
  const publish = async () => {
    for (let n = 1; n <= total; n++) {
      channel.publish({ data: `${n}` });
      if (random() < 0.03) channel.revoke(() => true);
      if (random() < 0.2) await delay(0);
    }
  };
  const published = publish();
  const data: number[] = [];
  for await (const event of connection) {
    assertEquals(event.event, "message");
    data.push(Number(event.data));
    if (data.length === total) break;
  }
  await published;
  assertEquals(data, Array.from({ length: total }, (_, i) => i + 1));
  assert(connection.stats.attempts > 5, `${connection.stats.attempts} attempts`);
});
