/**
 * Prints what a reader that reads nothing costs those that read, and the memory of the server: a
 * channel with 1,000 readers over loopback, in Deno. The server is a process of its own, and
 * others hold the readers.
 *
 * ```sh
 * deno task bench:stall
 * ```
 *
 * A number as argument scales readers and events; a small one shows that all runs.
 *
 * @module
 */

import process from "node:process";
import { Channel, type Session } from "../server.ts";
import { delay } from "../tests/fault/real_time.ts";
import { now, openReader, startAges } from "./ages.ts";
import { answer } from "./fanout_answer.ts";
import { Child, endAll } from "./fanout_child.ts";
import { median } from "./measure.ts";

const MB = 1_000_000;

const READERS = 999;
/** The processes that hold the readers. */
const CLIENTS = 3;
/** How many events a run has, and how many ms are between them: nobody is late, but for the stalled. */
const EVENTS = 50;
const INTERVAL = 100;
/** How many runs there are with a stalled reader, and without. */
const ROUNDS = 5;
/** What is broadcast while the memory is looked at, to how many, and how much in one turn. */
const BROADCAST = 120 * MB;
const BROADCAST_READERS = 99;
const TURN = 50_000;
const EVENT = "x".repeat(1_000);
/** What may wait for a reader: so little that events are dropped in each run that has a stalled one. */
const MAX_QUEUE_BYTES = 65_536;
/** The path of the reader that reads nothing. */
const STALLED = "/stalled";

declare const gc: () => void;

function turn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve));
}

/** The process that publishes. */
function serve(): void {
  // A reader that is too slow stays, so that it costs what it can.
  const channel = new Channel<string>({
    slowConsumer: "drop-oldest",
    maxQueueBytes: MAX_QUEUE_BYTES,
  });
  const handler = (request: Request) =>
    channel.subscribe(request, { state: new URL(request.url).pathname });
  const stalled = (): Session<string> | undefined =>
    [...channel.sessions()].find(({ state }) => state === STALLED);
  answer({
    listen() {
      const { addr } = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, handler);
      return [addr.port];
    },
    size: () => [channel.size],
    /** What waits for the stalled reader. */
    queued: () => [stalled()?.queuedBytes ?? 0],
    memory() {
      gc();
      return [Deno.memoryUsage().rss];
    },
    /** Sends to the stalled reader until nobody takes it any more. */
    async stall() {
      for (let idle = 0; idle < 20; idle++) {
        const session = stalled();
        if (session?.queuedBytes === 0) {
          session.send({ data: "x".repeat(MAX_QUEUE_BYTES / 2) });
          idle = 0;
        }
        await turn();
      }
      return [];
    },
    /** Publishes events that hold the time. */
    async publish(events, interval) {
      for (let i = 0, due = performance.now(); i < events; i++) {
        channel.publish({ data: `${now()} ${EVENT}` });
        due += interval;
        await delay(Math.max(0, due - performance.now()));
      }
      return [];
    },
    /** Publishes so many bytes as fast as those take them who read; the memory at its largest. */
    async broadcast(bytes) {
      let peak = 0;
      for (let sent = 0; sent < bytes; sent += TURN) {
        for (let i = 0; i < TURN; i += EVENT.length) channel.publish({ data: EVENT });
        await turn();
        for (const session of channel.sessions()) {
          while (session.state !== STALLED && session.queuedBytes > 0) await turn();
        }
        peak = Math.max(peak, Deno.memoryUsage().rss);
      }
      gc();
      return [peak];
    },
  });
}

function startServer(): Child {
  const script = new URL(import.meta.url).pathname;
  const flags = "--v8-flags=--expose-gc,--max-semi-space-size=1";
  return new Child("the server", Deno.execPath(), ["run", "-A", flags, script, "--serve"]);
}

/** Waits until the server has so many readers. */
async function waitForSize(server: Child, size: number): Promise<void> {
  const late = performance.now() + 10_000;
  while ((await server.ask("size"))[0] !== size) {
    if (performance.now() > late) throw new Error(`Cannot measure: there are not ${size} readers`);
    await delay(20);
  }
}

/** The server, and those who read from it. */
interface Bench {
  readonly server: Child;
  readonly clients: readonly Child[];
  readonly port: number;
  readonly readers: number;
}

/** Runs something while there is a reader that reads nothing, and asserts that it did not. */
async function whileStalled<T>(
  { server, port, readers }: Bench,
  run: () => Promise<T>,
): Promise<T> {
  using _ = await openReader(port, STALLED);
  await waitForSize(server, readers + 1);
  await server.ask("stall");
  const result = await run();
  const [queued] = await server.ask("queued");
  if (queued === 0 || queued > MAX_QUEUE_BYTES) {
    throw new Error(`Cannot measure: ${queued} bytes wait for the reader that reads nothing`);
  }
  return result;
}

/** The 99th percentile of how old events are when they come, in ms. */
async function latency({ server, clients, readers }: Bench, events: number): Promise<number> {
  const each = events * readers / CLIENTS;
  await Promise.all(clients.map((client) => client.ask(`expect ${each}`)));
  await server.ask(`publish ${events} ${INTERVAL}`);
  const ages = (await Promise.all(clients.map((client) => client.ask("ages")))).flat();
  if (ages.length !== events * readers) {
    throw new Error(`Cannot measure: ${ages.length} deliveries`);
  }
  return ages.sort((a, b) => a - b)[Math.floor(ages.length * 0.99)];
}

/** Broadcasts, a little at a time; by how many bytes the server has grown. */
async function growth({ server }: Bench, bytes: number): Promise<number> {
  const [before] = await server.ask("memory");
  let peak = 0;
  const step = bytes / 100;
  for (let sent = 0; sent < bytes; sent += step) {
    peak = Math.max(peak, ...await server.ask(`broadcast ${step}`));
  }
  return peak - before;
}

/** How late events are with a stalled reader and without, in turns; the medians, in ms. */
async function compareLatencies(
  bench: Bench,
  { events, rounds }: { events: number; rounds: number },
): Promise<{ stalled: number; free: number }> {
  const stalled: number[] = [];
  const free: number[] = [];
  const runs = [
    async () => stalled.push(await whileStalled(bench, () => latency(bench, events))),
    async () => free.push(await latency(bench, events)),
  ];
  // What only the first events take is no part of it.
  await latency(bench, events);
  for (let round = 0; round < rounds; round++) {
    // Not always the same one first, see `measure.ts`.
    for (const run of round % 2 === 0 ? runs : runs.toReversed()) {
      await waitForSize(bench.server, bench.readers);
      await run();
    }
  }
  return { stalled: median(stalled), free: median(free) };
}

function printFigure(figure: number, most: number, what: string): void {
  const verdict = figure <= most ? "reached" : "MISSED";
  console.log(`${verdict.padEnd(7)} ${figure.toFixed(2).padStart(6)} (at most ${most}) ${what}`);
}

/** Starts all, and does something with it. */
async function withReaders<T>(count: number, run: (bench: Bench) => Promise<T>): Promise<T> {
  await using server = startServer();
  await using stack = new AsyncDisposableStack();
  const clients = Array.from(
    { length: CLIENTS },
    (_, i) => stack.use(startAges(`client ${i + 1}`)),
  );
  const [port] = await server.ask("listen");
  const each = Math.max(1, Math.round(count / CLIENTS));
  await Promise.all(clients.map((client) => client.ask(`open ${port} ${each}`)));
  const readers = each * CLIENTS;
  await waitForSize(server, readers);
  console.log(`\n${readers} readers and one that reads nothing`);
  return await run({ server, clients, port, readers });
}

/** Prints what all measure. */
async function main(scale: number): Promise<void> {
  const share = Math.min(scale, 1);
  console.log(`Deno ${Deno.version.deno}`);
  await withReaders(READERS * scale, async (bench) => {
    const { stalled, free } = await compareLatencies(bench, {
      events: Math.max(10, Math.round(EVENTS * share)),
      rounds: Math.max(1, Math.round(ROUNDS * share)),
    });
    console.log(`p99 latency ${stalled.toFixed(2)} ms, and ${free.toFixed(2)} ms without it`);
    printFigure(stalled / free, 1.5, "x the p99 latency from publish to receive without it");
  });
  await withReaders(BROADCAST_READERS * scale, async (bench) => {
    // What a server takes that has published at all.
    await growth(bench, BROADCAST * share / 10);
    const grown = await whileStalled(bench, () => growth(bench, BROADCAST * share));
    const bound = Math.round(MAX_QUEUE_BYTES / MB + 20);
    const what = `what may wait for it, and 20, while ${BROADCAST * share / MB} MB are broadcast`;
    printFigure(grown / MB, bound, `MB that the server grows by: ${what}`);
  });
}

const [argument] = process.argv.slice(2);
if (argument === "--serve") serve();
else {
  const scale = Number(argument ?? 1);
  if (!(scale > 0)) {
    throw new RangeError(`The scale must be a number above 0: received ${argument}`);
  }
  try {
    await main(scale);
  } finally {
    endAll();
  }
}
