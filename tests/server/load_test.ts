/**
 * A channel on Deno's server under load, over real sockets: readers that leave in every way, readers
 * that read nothing, and a thousand that are sent away. The server is a process of its own, which has
 * to end by itself and without a word on standard error.
 */

import { assert, assertEquals } from "@std/assert";
import { connect } from "../../client.ts";
import { type ServerSentEvent, ServerSentEventParser } from "../../parse.ts";
import {
  Channel,
  type CloseReason,
  MemoryEventLog,
  type SlowConsumerPolicy,
} from "../../server.ts";
import { delay, within } from "../fault/real_time.ts";
import { LoadServer, openAndReset, openReader, readText } from "./_load_child.ts";
import { CountedLog } from "./_load_log.ts";
import { type Broadcast, keyOf, type LoadState, LONG, PATHS } from "./_load_terms.ts";

const MB = 1_000_000;

// Readers that leave

const newBuffer = () => new Uint8Array(16_384);

/** What a reader does that leaves. */
type Leaving = (port: number) => Promise<void>;

const byFin: Leaving = async (port) => {
  using connection = await openReader(port);
  const buffer = newBuffer();
  await readText(connection, buffer);
  await connection.closeWrite();
  // The server has nothing more to say, and closes its side, too.
  while (await readText(connection, buffer) !== "");
};

const inTheMiddle: Leaving = async (port) => {
  using connection = await openReader(port, { path: PATHS.long });
  const buffer = newBuffer();
  for (let read = 0; read < LONG / 10;) {
    const { length } = await readText(connection, buffer);
    assert(length > 0, "the event was cut");
    read += length;
  }
};

const LEAVING: [title: string, leave: Leaving][] = [
  ["with FIN", byFin],
  ["with RST", openAndReset],
  ["in the middle of an event", inTheMiddle],
];

for (const [title, leave] of LEAVING) {
  Deno.test(`Channel ends the session of a reader that leaves ${title}`, async () => {
    const log = new CountedLog();
    await using channel = new Channel({
      log,
      onSession(session, change) {
        const long = session.request?.url.endsWith(PATHS.long);
        if (long && change === "join") session.send({ data: "x".repeat(LONG) });
      },
    });
    const ended = Promise.withResolvers<CloseReason>();
    const onClose = (reason: CloseReason) => ended.resolve(reason);
    const server = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen() {} },
      (request) => channel.subscribe(request, { onClose }),
    );
    await leave(server.addr.port);
    const { reason } = await within(ended.promise, 5_000, () => "Nobody is told that it has left");
    assertEquals([reason, channel.size, log.followers], ["peer-left", 0, 0]);
    await server.shutdown();
  });
}

/** Reads to the end, which is that of the connection. */
async function readAll(connection: Deno.Conn, onText: (text: string) => void): Promise<void> {
  const buffer = new Uint8Array(262_144);
  for (;;) {
    const text = await readText(connection, buffer);
    if (text === "") return;
    onText(text);
  }
}

/** Reads the events of a response in HTTP/1.0 to the end; its head is no event. */
async function readEvents(
  connection: Deno.Conn,
  onEvent: (event: ServerSentEvent) => void,
): Promise<void> {
  const parser = new ServerSentEventParser();
  await readAll(connection, (text) => parser.feed(text).forEach(onEvent));
}

const CYCLES = 10_000;
/** How many connections there are at a time. */
const AT_ONCE = 50;

Deno.test(`Channel keeps nothing of ${CYCLES} readers that leave in every way`, async () => {
  await using server = await LoadServer.start();
  const { port } = server;
  const last = await server.ask<string>("publish", 500, 3_000);
  const first = last.replace(/\.\d+$/, ".0");
  const ways: (() => Promise<void>)[] = [
    () => byFin(port),
    () => openAndReset(port),
    // Before a byte of the response is read.
    async () => (await openReader(port)).close(),
    () => inTheMiddle(port),
    // During the replay.
    async () => {
      using connection = await openReader(port, { lastEventId: first });
      const buffer = newBuffer();
      for (let i = 0; i < 3; i++) await readText(connection, buffer);
    },
    // While it is being authorized.
    async () => (await openReader(port, { path: PATHS.late })).close(),
  ];
  const run = async (cycles: number, stay = 0) => {
    let next = 0;
    const lane = async () => {
      while (next < cycles) await ways[next++ % ways.length]();
    };
    await Promise.all(Array.from({ length: AT_ONCE }, lane));
    // A connection may be closed a little later than its session.
    return await server.until(({ size, authorizing, connections }) =>
      size === stay && authorizing === 0 && connections <= stay
    );
  };
  await server.ask("tick");
  // What a server takes that has had readers at all.
  await run(CYCLES / 10);
  const heap = await server.ask<number>("heap");
  const { followers, readings } = await run(CYCLES / 2);
  assertEquals([followers, readings], [0, 0]);
  // What it takes that somebody stays meanwhile.
  const staying = await openReader(port, { version: "1.0" });
  const stayed: number[] = [];
  const end = readEvents(staying, ({ id }) => stayed.push(Number(id.split(".")[1])));
  const { joined, left, leftReadings, slow, errors, ...rest } = await run(CYCLES / 2, 1);
  assertEquals([rest.followers, rest.readings], [1, 0]);
  // Who leaves at once may do so before it is a reader.
  assert(joined > CYCLES, `only ${joined} have joined`);
  assertEquals([left, slow, errors], [{ "peer-left": joined - 1 }, 0, []]);
  assert(leftReadings > CYCLES / 12, `only ${leftReadings} have left a replay`);
  const grown = await server.ask<number>("heap") - heap;
  // Five thousand sessions that are kept would be twice that.
  assert(grown < 8 * MB, `the heap has grown by ${grown} bytes`);
  await server.ask("close");
  await end;
  assert(stayed.length > 0);
  assertEquals(stayed.findIndex((number, i) => number !== stayed[0] + i), -1);
  staying.close();
  await server.end("shutdown");
});

// A reader that reads nothing

const READERS = 5;
const MAX_QUEUE_BYTES = 1_048_576;
const BROADCAST = 120 * MB;

/** Reads all events of a broadcast; their numbers. */
async function readNumbers(connection: Deno.Conn): Promise<number[]> {
  const numbers: number[] = [];
  await readEvents(connection, ({ data }) => numbers.push(Number(data.split(" ", 2)[1])));
  return numbers;
}

/** What a reader gets that did not read while so many events were published. */
type Rest = (numbers: number[], events: number, state: LoadState) => void;

/** All up to some event. */
const isPrefix: Rest = (numbers, events, { slow, dropped }) => {
  assert(numbers.length > 0 && numbers.length < events, `${numbers.length} events`);
  assertEquals(numbers.findIndex((number, i) => number !== i), -1);
  assertEquals([slow, dropped], [1, 0]);
};

/** Some at first, then a hole, then the last ones. */
const hasOneHole: Rest = (numbers, events, { dropped }) => {
  assertEquals(numbers.length, events - dropped);
  const [first, ...holes] = numbers.filter((number, i) => number !== (numbers[i - 1] ?? -2) + 1);
  assertEquals([first, holes.length, numbers.at(-1)], [0, 1, events - 1]);
  const last = events - holes[0];
  assert(last * 1_000 > MAX_QUEUE_BYTES / 2, `the last ${last} events`);
};

/** Some at first, then at least the last of each key. */
const hasLatest: Rest = (numbers, events, { dropped }) => {
  assertEquals(numbers.length, events - dropped);
  assert(dropped > 0);
  assertEquals(numbers.findIndex((number, i) => i > 0 && number <= numbers[i - 1]), -1);
  const latest = new Map(Array.from({ length: events }, (_, number) => [keyOf(number), number]));
  assertEquals(latest.values().filter((number) => !numbers.includes(number)).toArray(), []);
};

const STALLS: [policy: SlowConsumerPolicy, left: LoadState["left"], rest: Rest][] = [
  ["disconnect", { slow: 1 }, isPrefix],
  ["drop-oldest", {}, hasOneHole],
  ["latest-by-key", {}, hasLatest],
];

for (const [slowConsumer, left, rest] of STALLS) {
  Deno.test(`Channel holds maxQueueBytes for a reader that reads nothing, by ${slowConsumer}`, async () => {
    await using server = await LoadServer.start({ slowConsumer, maxQueueBytes: MAX_QUEUE_BYTES });
    const { port } = server;
    const open = (path?: string) => openReader(port, { path, version: "1.0" });
    const readers = await Promise.all(Array.from({ length: READERS }, () => open()));
    const [first, ...others] = readers;
    const whole = readNumbers(first);
    const lengths = others.map(async (connection) => {
      let length = 0;
      await readAll(connection, (text) => length += text.length);
      return length;
    });
    await server.until(({ size }) => size === READERS);
    // What a server takes that has published at all.
    const warmUp = await server.ask<Broadcast>("broadcast", BROADCAST / 4);
    const stalled = await open(PATHS.stalled);
    await server.until(({ size }) => size === READERS + 1);
    const { events, growth } = await server.ask<Broadcast>("broadcast", BROADCAST);
    const bound = (READERS + 1) * MAX_QUEUE_BYTES + 20 * MB;
    assert(growth < bound, `the process has grown by ${growth} bytes of ${bound}`);
    const state = await server.ask<LoadState>("state");
    assertEquals(state.left, left);
    const [numbers] = await Promise.all([readNumbers(stalled), server.ask("close")]);
    rest(numbers, events, state);
    // Those who read have all.
    const all = await whole;
    assertEquals(all.length, warmUp.events + events);
    assertEquals(new Set(await Promise.all(lengths)).size, 1);
    for (const connection of [...readers, stalled]) connection.close();
    await server.end("shutdown");
  });
}

// Readers that are sent away

const SENT_AWAY = 1_000;
const DRAIN = 2_000;
/** What ends a chunked body: not a cut, but an end. */
const LAST_CHUNK = "0\r\n\r\n";

/** A reader that was sent away. */
interface Drained {
  body: string;
  /** When it was, in ms. */
  at: number;
}

/** Reads to the end of the response. */
async function readDrained(connection: Deno.Conn): Promise<Drained> {
  const buffer = newBuffer();
  let body = "";
  while (!body.endsWith(LAST_CHUNK)) {
    const text = await readText(connection, buffer);
    if (text === "") break;
    body += text;
  }
  const at = performance.now();
  connection.close();
  return { body, at };
}

/** Connects readers, a few at a time. */
async function openMany(port: number, count: number): Promise<Deno.Conn[]> {
  const connections: Deno.Conn[] = [];
  while (connections.length < count) {
    const some = Array.from({ length: AT_ONCE }, () => openReader(port));
    connections.push(...await Promise.all(some));
  }
  return connections;
}

/** The head of what a newcomer is answered. */
async function headOf(port: number): Promise<string> {
  using connection = await openReader(port);
  return await readText(connection, newBuffer());
}

/** Closes the channel, and tells how each of the readers was sent away. */
async function drain(server: LoadServer, connections: Deno.Conn[]): Promise<{
  /** How long the closing has taken, in ms. */
  took: number;
  drained: Drained[];
  /** The answers to those who came meanwhile. */
  newcomers: string[];
}> {
  const newcomers: Promise<string>[] = [];
  let left = 0;
  const all = Promise.all(connections.map(async (connection) => {
    const drained = await readDrained(connection);
    if (left++ % (SENT_AWAY / 10) === 0) newcomers.push(headOf(server.port));
    return drained;
  }));
  const took = await server.ask<number>("close", DRAIN);
  return { took, drained: await all, newcomers: await Promise.all(newcomers) };
}

/** The values at the quartiles, without the extremes. */
function quartiles(values: number[]): number[] {
  const sorted = values.toSorted((a, b) => a - b);
  return [1, 2, 3].map((n) => sorted[Math.floor(n * sorted.length / 4)]);
}

function assertNear(values: number[], expected: number[], margin: number): void {
  const near = values.every((value, i) => Math.abs(value - expected[i]) < margin);
  assert(near, `${values} is not near ${expected}`);
}

function assertDrained(drained: Drained[], start: number): void {
  assertEquals(drained.filter(({ body }) => !body.endsWith(LAST_CHUNK)).length, 0, "were cut");
  const retries = drained.map(({ body }) =>
    Number(/retry: (\d+)\n\n\r\n0\r\n\r\n$/.exec(body)?.[1])
  );
  assertEquals(retries.filter((retry) => !(retry >= 1_000 && retry <= 2_000)), []);
  assertNear(quartiles(retries), [1_250, 1_500, 1_750], 150);
  const times = quartiles(drained.map(({ at }) => at - start));
  assertNear(times, [DRAIN / 4, DRAIN / 2, DRAIN * 3 / 4], DRAIN / 6);
}

const REFUSED = /^HTTP\/1\.1 503 [^]*\r\nretry-after: 5\r\n/;

Deno.test(`Channel.close sends ${SENT_AWAY} readers away evenly, and the server can end`, async () => {
  await using server = await LoadServer.start();
  const connections = await openMany(server.port, SENT_AWAY);
  await server.until(({ size }) => size === SENT_AWAY);
  const start = performance.now();
  const { took, drained, newcomers } = await drain(server, connections);
  assertDrained(drained, start);
  assert(took > DRAIN * 0.9 && took < DRAIN + 900, `it took ${took} ms`);
  assertEquals(newcomers.filter((head) => !REFUSED.test(head)), []);
  const { size, left, followers } = await server.ask<LoadState>("state");
  assertEquals([size, left, followers], [0, { drained: SENT_AWAY }, 0]);
  await server.end("shutdown");
});

Deno.test("Channel.close does not wait for a reader that reads nothing, nor is another one cut", async () => {
  await using server = await LoadServer.start();
  using _stalled = await openReader(server.port, { path: PATHS.stalled });
  await server.until(({ size }) => size === 1);
  await server.ask("stall");
  const connections = await openMany(server.port, SENT_AWAY);
  await server.until(({ size }) => size === SENT_AWAY + 1);
  const start = performance.now();
  const { took, drained } = await drain(server, connections);
  assertDrained(drained, start);
  // What is left for it may linger for a second.
  assert(took > DRAIN && took < DRAIN + 1_900, `it took ${took} ms`);
  const { size, left } = await server.ask<LoadState>("state");
  assertEquals([size, left], [0, { drained: SENT_AWAY + 1 }]);
  // `shutdown` waits for it: no API of Deno lets go of a connection that is stuck in a write.
  await server.end("abort");
});

Deno.test("Channel.close resolves when the process may end: no reader is cut by that", async () => {
  await using server = await LoadServer.start();
  const connections = await openMany(server.port, SENT_AWAY / 2);
  await server.until(({ size }) => size === SENT_AWAY / 2);
  const drained = Promise.all(connections.map(readDrained));
  await server.end("exit");
  assertEquals((await drained).filter(({ body }) => !body.endsWith(LAST_CHUNK)).length, 0);
});

/** Passes connections on to one of two ports, and to the other one from `flip` on. */
function makeSwitch(ports: readonly [number, number]): { url: string; flip(): void } & Disposable {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  let to = 0;
  const pass = async (from: Deno.Conn, port: number) => {
    const { readable, writable } = await Deno.connect({ hostname: "127.0.0.1", port });
    // Either of them may be cut.
    await Promise.allSettled([from.readable.pipeTo(writable), readable.pipeTo(from.writable)]);
  };
  (async () => {
    for await (const connection of listener) pass(connection, ports[to]);
  })();
  return {
    url: `http://127.0.0.1:${listener.addr.port}/`,
    flip: () => void (to = 1),
    [Symbol.dispose]: () => listener.close(),
  };
}

Deno.test("Channel.close sends clients of ours to another server, and they lose nothing", async () => {
  const clients = 50;
  await using log = new MemoryEventLog({ maxEvents: 10_000 });
  const start = () => {
    const channel = new Channel({ log, retry: 20 });
    const server = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen() {} },
      (request) => {
        const response = channel.subscribe(request);
        // A client that kept its connection alive would come back on it, to the server that sends it
        // away, which refuses it.
        response.headers.set("connection", "close");
        return response;
      },
    );
    return { channel, server };
  };
  const [first, second] = [start(), start()];
  using between = makeSwitch([first.server.addr.port, second.server.addr.port]);
  const connections = Array.from({ length: clients }, () => connect(between.url));
  const seen = connections.map(async (connection) => {
    const numbers: number[] = [];
    for await (const { data } of connection) {
      if (data === "end") break;
      numbers.push(Number(data));
    }
    return numbers;
  });
  await Promise.all(connections.map(({ opened }) => opened));
  let published = 0;
  const publishTo = async ({ channel }: typeof first, is: () => boolean) => {
    while (is()) {
      await channel.publish({ data: `${published++}` });
      await delay(0);
    }
  };
  await publishTo(second, () => published < 100);
  between.flip();
  let drained = false;
  const closed = first.channel.close({ drain: 200 }).then(() => drained = true);
  await publishTo(first, () => !drained && first.channel.size > 0);
  await closed;
  await publishTo(second, () => second.channel.size < clients);
  await second.channel.publish({ data: "end" });
  const all = Array.from({ length: published }, (_, i) => i);
  for (const numbers of await Promise.all(seen)) assertEquals(numbers, all);
  assertEquals(connections.map(({ stats }) => stats.attempts), new Array(clients).fill(2));
  await second.channel.close();
  await Promise.all([first.server.shutdown(), second.server.shutdown()]);
});
