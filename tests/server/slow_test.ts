/** Readers that are too slow: what may wait for one, what is done beyond, and who is told of it. */

import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { assert, assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { connect } from "../../client.ts";
import { encodeEvent } from "../../encode.ts";
import { SlowConsumerError } from "../../errors.ts";
import { ServerSentEventParser } from "../../parse.ts";
import {
  Channel,
  type ChannelOptions,
  type CloseReason,
  MemoryEventLog,
  type MemoryEventLogOptions,
  type Session,
  type SlowInfo,
} from "../../server.ts";
import type { Batch } from "../../server/feed.ts";
import { Subscription } from "../../server/subscription.ts";
import { delay, within } from "../fault/real_time.ts";
import { text } from "../helpers.ts";
import { behind, quiet, seqOf } from "./scheduler.ts";

setFlagsFromString("--expose-gc");
const collectGarbage: () => void = runInNewContext("gc");

const URL = "http://localhost/news";

/** An event of one digit takes so many bytes, with the ids of a log in memory. */
const SIZE = encodeEvent({ id: "0123456789.1", data: "1" }).length;

/** A reader of a channel that reads when it is told to. It has read the first bytes. */
interface Hand {
  readonly session: Session;
  readonly ends: CloseReason[];
  /** The data of the next chunk; of none at the end. */
  read(): Promise<string[]>;
  leave(): Promise<void>;
}

async function hand(channel: Channel, lastEventId?: string): Promise<Hand> {
  const known = new Set(channel.sessions());
  const ends: CloseReason[] = [];
  const headers: HeadersInit = lastEventId === undefined ? {} : { "last-event-id": lastEventId };
  const response = channel.subscribe(new Request(URL, { headers }), {
    onClose: (reason) => ends.push(reason),
  });
  const [session] = [...channel.sessions()].filter((session) => !known.has(session));
  const body = response.body!.getReader();
  const parser = new ServerSentEventParser();
  const read = async () => {
    const { value } = await within(body.read(), 5_000, () => "There is no chunk");
    return value === undefined ? [] : parser.feed(value).map(({ data }) => data);
  };
  // All that comes at once, without what is replayed.
  if (lastEventId === undefined) await quiet();
  await read();
  return { session, ends, read, leave: () => body.cancel() };
}

/** Publishes each in a turn of its own. */
async function publish(channel: Channel, data: Iterable<string>): Promise<void> {
  for (const each of data) await channel.publish({ data: each });
  await quiet();
}

/** What `onSlow` is told. */
class Told {
  readonly all: [Session, SlowInfo][] = [];
  readonly onSlow = (session: Session, info: SlowInfo): void => void this.all.push([session, info]);

  get infos(): SlowInfo[] {
    return this.all.map(([, info]) => info);
  }
}

// disconnect

Deno.test("maxQueueBytes may wait, and one byte more disconnects", async () => {
  const told = new Told();
  await using channel = new Channel({ maxQueueBytes: 5 * SIZE, onSlow: told.onSlow });
  const [slow, fast] = [await hand(channel), await hand(channel)];
  await publish(channel, "12345");
  assertEquals([slow.ends, slow.session.queuedBytes, told.all], [[], 5 * SIZE, []]);
  assertEquals(await fast.read(), [..."12345"]);
  await publish(channel, "6");
  const [{ reason, cause }] = slow.ends;
  if (!(cause instanceof SlowConsumerError)) throw cause;
  assertEquals([slow.ends.length, reason, cause.queuedBytes], [1, "slow", 6 * SIZE]);
  assertEquals(told.infos, [{ dropped: 0, queuedBytes: 6 * SIZE }]);
  assertStrictEquals(told.all[0][0], slow.session);
  const { slow: disconnected, dropped, sessions } = channel.metrics;
  assertEquals({ disconnected, dropped, sessions }, { disconnected: 1, dropped: 0, sessions: 1 });
  // It is broken off: an end would say that it has all.
  assertStrictEquals(await assertRejects(slow.read, SlowConsumerError), cause);
  assertEquals([await fast.read(), fast.ends], [["6"], []]);
  await fast.leave();
});

Deno.test("maxQueueBytes is 1 MiB by default", async () => {
  await using channel = new Channel();
  const { session, ends } = await hand(channel);
  const quarter = "x".repeat(262_144 - SIZE + 1);
  await publish(channel, [quarter, quarter, quarter, quarter]);
  assertEquals([session.queuedBytes, ends], [1_048_576, []]);
  await publish(channel, [""]);
  assertEquals(ends.map(({ reason }) => reason), ["slow"]);
});

Deno.test("maxQueueBytes may be passed by one event alone", async () => {
  await using channel = new Channel({ maxQueueBytes: 40 });
  const { ends, read, leave } = await hand(channel);
  const long = "x".repeat(1_000);
  await publish(channel, [long]);
  assertEquals([await read(), ends], [[long], []]);
  await leave();
});

Deno.test("maxQueueBytes may be less than the first bytes", async () => {
  for (const options of [{ maxQueueBytes: 1 }, { maxQueueBytes: 100, padding: 2_048 }]) {
    const log = new MemoryEventLog();
    await using channel = new Channel({ ...options, log });
    const first = await log.append("default", { data: "1" });
    for (const lastEventId of [undefined, behind(first, -1)]) {
      const response = channel.subscribe(
        new Request(URL, { headers: lastEventId ? { "last-event-id": lastEventId } : {} }),
      );
      await quiet();
      const body = response.body!.getReader();
      assert(text((await body.read()).value!).endsWith(" \n\n"));
      assertEquals(
        text((await body.read()).value!),
        lastEventId ? `id: ${first}\ndata: 1\n\n` : `id: ${first}\n\n`,
      );
      await body.cancel();
    }
    assertEquals(channel.metrics.slow, 0);
  }
});

Deno.test("A reader that was disconnected comes back by its last id, and has all in the end", async () => {
  await using channel = new Channel({ maxQueueBytes: 3 * SIZE });
  const first = await hand(channel);
  await publish(channel, "1");
  const last = await channel.publish({ data: "2" });
  assertEquals(await first.read(), ["1", "2"]);
  await publish(channel, "3456");
  assertEquals(first.ends.map(({ reason }) => reason), ["slow"]);
  const second = await hand(channel, last);
  const data = await second.read();
  while (data.length < 4) data.push(...await second.read());
  assertEquals(data, [..."3456"]);
  await publish(channel, "7");
  assertEquals([await second.read(), second.ends], [["7"], []]);
  await second.leave();
});

Deno.test("Who is replayed to is not too slow: the log waits for it, within the bound", async () => {
  const log = new MemoryEventLog();
  const data = Array.from({ length: 100 }, (_, n) => `${n} ${"x".repeat(1_000)}`);
  const ids = [];
  for (const each of data) ids.push(await log.append("default", { data: each }));
  await using channel = new Channel({ log, maxQueueBytes: 3_000 });
  const { session, ends, read, leave } = await hand(channel, behind(ids[0], -1));
  const replayed: string[] = [];
  while (replayed.length < data.length) {
    await quiet();
    // One event may pass it.
    const { queuedBytes } = session;
    assert(queuedBytes > 0 && queuedBytes < 4_200, `${queuedBytes} bytes wait`);
    replayed.push(...await read());
  }
  assertEquals([replayed, ends], [data, []]);
  await leave();
});

/** A log that holds one event and whose first reading waits, and what was read of it. */
async function stuckLog(options: MemoryEventLogOptions = {}): Promise<{
  log: MemoryEventLog;
  first: string;
  reads: (string | undefined)[];
  open(): void;
}> {
  const log = new MemoryEventLog(options);
  const first = await log.append("default", { data: "1" });
  const { promise, resolve } = Promise.withResolvers<void>();
  const reads: (string | undefined)[] = [];
  const { read } = log;
  log.read = (topic, options) => {
    reads.push(options.until);
    const events = read.call(log, topic, options);
    if (reads.length > 1) return events;
    return (async function* () {
      await promise;
      yield* events;
    })();
  };
  return { log, first, reads, open: resolve };
}

for (
  const [title, published, untils] of [
    ["maxQueueBytes", "23456", [1]],
    ["more, for which the log is read again", "234567", [1, 7]],
  ] as const
) {
  Deno.test(`While a reader is replayed to ${title} may wait, and nothing is lost`, async () => {
    const { log, first, reads, open } = await stuckLog();
    await using channel = new Channel({ log, maxQueueBytes: 5 * SIZE });
    const { read, leave } = await hand(channel, behind(first, -1));
    await quiet();
    await publish(channel, published);
    open();
    const data: string[] = [];
    while (data.length < published.length + 1) data.push(...await read());
    assertEquals(data, [..."1", ...published]);
    assertEquals(reads.map((until) => seqOf(until!)), untils);
    await leave();
  });
}

Deno.test("While a reader is replayed to no more than maxQueueBytes is held for it", async () => {
  const { log, first, open } = await stuckLog({ maxEvents: 1 });
  await using channel = new Channel({ log, maxQueueBytes: 5 * SIZE });
  const reader = await hand(channel, behind(first, -1));
  await quiet();
  const batches: WeakRef<Batch>[] = [];
  const { onBatch } = Subscription.prototype;
  Subscription.prototype.onBatch = function (batch, now) {
    batches.push(new WeakRef(batch));
    onBatch.call(this, batch, now);
  };
  try {
    await publish(channel, Array.from({ length: 100 }, () => "x"));
  } finally {
    Subscription.prototype.onBatch = onBatch;
  }
  collectGarbage();
  const held = batches.filter((batch) => batch.deref() !== undefined).length;
  assert(batches.length === 100 && held <= 5, `${held} of ${batches.length} are held`);
  open();
  await reader.leave();
});

Deno.test("What is sent to one session without waiting disconnects it, and is told", async () => {
  const told = new Told();
  await using channel = new Channel({ maxQueueBytes: 3 * SIZE, onSlow: told.onSlow });
  const { session, ends } = await hand(channel);
  const data = "x".repeat(SIZE);
  const sent = [1, 2, 3, 4].map(() => session.send({ data }));
  await assertRejects(() => sent[3], SlowConsumerError);
  assertEquals([ends.length, ends[0].reason, channel.metrics.slow], [1, "slow", 1]);
  assertEquals(told.infos.map(({ dropped }) => dropped), [0]);
});

// drop-oldest

Deno.test("drop-oldest drops what has waited longest, counts it and tells of it", async () => {
  const told = new Told();
  await using channel = new Channel({
    slowConsumer: "drop-oldest",
    maxQueueBytes: 3 * SIZE,
    onSlow: told.onSlow,
  });
  const [slow, fast] = [await hand(channel), await hand(channel)];
  await publish(channel, "123");
  assertEquals([await fast.read(), told.all], [[..."123"], []]);
  await publish(channel, "45");
  assertEquals(await fast.read(), ["4", "5"]);
  assertEquals([slow.session.queuedBytes, slow.ends], [3 * SIZE, []]);
  const info = { dropped: 1, queuedBytes: 3 * SIZE };
  assertEquals(told.infos, [info, info]);
  assertStrictEquals(told.all[0][0], slow.session);
  const { dropped, slow: disconnected, delivered } = channel.metrics;
  assertEquals({ dropped, disconnected, delivered }, {
    dropped: 2,
    disconnected: 0,
    delivered: 10,
  });
  assertEquals(await slow.read(), [..."345"]);
  await publish(channel, "6");
  assertEquals([await slow.read(), slow.ends], [["6"], []]);
  await slow.leave();
  await fast.leave();
});

Deno.test("drop-oldest drops the events of a turn one by one", async () => {
  const told = new Told();
  await using channel = new Channel({
    slowConsumer: "drop-oldest",
    maxQueueBytes: 2 * SIZE,
    onSlow: told.onSlow,
  });
  const { read, leave } = await hand(channel);
  for (const data of "12345") channel.publish({ data });
  await quiet();
  assertEquals(await read(), ["4", "5"]);
  assertEquals(told.infos.map(({ dropped }) => dropped), [1, 1, 1]);
  // Nothing waits for a reader that reads: it gets the turn as one chunk, however large it is.
  const chunk = read();
  for (const data of "6789") channel.publish({ data });
  assertEquals(await chunk, [..."6789"]);
  await leave();
});

Deno.test("drop-oldest drops several for one that is as large", async () => {
  const told = new Told();
  await using channel = new Channel({
    slowConsumer: "drop-oldest",
    maxQueueBytes: 4 * SIZE,
    onSlow: told.onSlow,
  });
  const { read, leave } = await hand(channel);
  const long = "x".repeat(2 * SIZE + 1);
  await publish(channel, ["1", "2", "3", "4", long]);
  assertEquals(await read(), ["4", long]);
  assertEquals([told.infos.map(({ dropped }) => dropped), channel.metrics.dropped], [[3], 3]);
  await leave();
});

Deno.test("drop-oldest drops nothing that is not live, and disconnects at last", async () => {
  const log = new MemoryEventLog();
  const ids = [];
  for (const data of "123") ids.push(await log.append("default", { data }));
  await using channel = new Channel({ log, slowConsumer: "drop-oldest", maxQueueBytes: 4 * SIZE });
  // Replayed, and waits.
  const { session, read, ends } = await hand(channel, behind(ids[0], -1));
  await quiet();
  await publish(channel, "45");
  assertEquals([ends, session.queuedBytes, channel.metrics.dropped], [[], 4 * SIZE, 1]);
  // It drops 5: what is sent to one session stays.
  await session.send({ data: "x".repeat(10) });
  assertEquals(ends, []);
  await publish(channel, "6");
  assertEquals([ends.map(({ reason }) => reason), channel.metrics.slow], [["slow"], 1]);
  await assertRejects(read, SlowConsumerError);
});

Deno.test("drop-oldest counts and tells what is dropped for what is sent to one session, too", async () => {
  const told = new Told();
  await using channel = new Channel({
    slowConsumer: "drop-oldest",
    maxQueueBytes: 3 * SIZE,
    onSlow: told.onSlow,
  });
  const { session, ends } = await hand(channel);
  await publish(channel, "123");
  assertEquals([told.all, channel.metrics.dropped], [[], 0]);
  await session.send({ data: "x" });
  assertEquals(told.infos.map(({ dropped }) => dropped), [1]);
  assertEquals([channel.metrics.dropped, ends], [1, []]);
});

// latest-by-key

const LATEST: ChannelOptions = {
  slowConsumer: "latest-by-key",
  // "a1" says something about "a"; what begins with "-" about nothing that anything else does.
  key: ({ data }) => data?.startsWith("-") ? undefined : data?.[0],
};

Deno.test("latest-by-key keeps the last of each key, and what has none", async () => {
  const told = new Told();
  const maxQueueBytes = 4 * (SIZE + 1);
  await using channel = new Channel({ ...LATEST, maxQueueBytes, onSlow: told.onSlow });
  const { read, ends, leave } = await hand(channel);
  await publish(channel, ["a1", "b1", "-1", "a2"]);
  assertEquals([told.all, channel.metrics.dropped], [[], 0]);
  await publish(channel, ["b2", "b3"]);
  assertEquals([told.infos.map(({ dropped }) => dropped), channel.metrics.dropped], [[1, 1], 2]);
  assertEquals([await read(), ends], [["-1", "a2", "b2", "b3"], []]);
  await leave();
});

Deno.test("latest-by-key disconnects when nothing is replaced", async () => {
  const told = new Told();
  const maxQueueBytes = 3 * (SIZE + 1);
  await using channel = new Channel({ ...LATEST, maxQueueBytes, onSlow: told.onSlow });
  const { ends } = await hand(channel);
  await publish(channel, ["a1", "-1", "-2", "a2"]);
  assertEquals([ends, channel.metrics.dropped], [[], 1]);
  await publish(channel, ["c1"]);
  assertEquals(ends.map(({ reason }) => reason), ["slow"]);
  assertEquals(told.infos.map(({ dropped }) => dropped), [1, 0]);
});

Deno.test("latest-by-key asks for the keys of the events of a turn one by one", async () => {
  const maxQueueBytes = 3 * (SIZE + 1);
  await using channel = new Channel({ ...LATEST, maxQueueBytes });
  const { read, leave } = await hand(channel);
  for (const data of ["a1", "b1", "a2", "b2", "a3"]) channel.publish({ data });
  await quiet();
  assertEquals([await read(), channel.metrics.dropped], [["a2", "b2", "a3"], 2]);
  await leave();
});

Deno.test("ChannelOptions.key that throws ends the session as an error, and the channel goes on", async () => {
  const cause = new Error("broken");
  const key = () => {
    throw cause;
  };
  await using channel = new Channel({ slowConsumer: "latest-by-key", key });
  const hands = [await hand(channel), await hand(channel)];
  await publish(channel, "1");
  for (const { ends } of hands) assertEquals(ends, [{ reason: "error", cause }]);
  assertEquals([channel.size, channel.metrics.published], [0, 1]);
});

// Over sockets

Deno.test("connect gets all from a channel that has disconnected it as too slow", async () => {
  const total = 400;
  const slow = Promise.withResolvers<void>();
  const log = new MemoryEventLog({ maxBytes: Infinity });
  await using channel = new Channel({ log, onSlow: () => slow.resolve() });
  await using server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {}, onError: () => new Response() },
    (request) => channel.subscribe(request),
  );
  const connection = connect(`http://127.0.0.1:${server.addr.port}/`, { retry: () => 0 });
  await connection.opened;
  const tail = "x".repeat(65_536);
  // More than the system takes for a reader that has stopped.
  for (let n = 1; n <= total; n++) {
    channel.publish({ data: `${n} ${tail}` });
    if (n % 10 === 0) await delay(0);
  }
  await within(slow.promise, 5_000, () => "The reader is not too slow");
  assertEquals([channel.size, channel.metrics.slow], [0, 1]);
  let next = 1;
  for await (const { event, id, data } of connection) {
    assertEquals([event, seqOf(id), data === `${next} ${tail}`], ["message", next, true]);
    if (next++ === total) break;
  }
  assertEquals(next, total + 1);
  assert(connection.stats.attempts > 1);
});
