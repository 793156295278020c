/**
 * Prints what it costs to spread a channel over processes: what a log on an engine adds to its bare
 * client, how late events come and how many are delivered by 1, 2 and 3 server processes with 1,000
 * readers each, in Deno, on engines of this machine.
 *
 * ```sh
 * deno task bench:cluster
 * ```
 *
 * A number as argument scales readers, events and samples; a small one shows that all runs.
 *
 * @module
 */

import { type EngineName, openLog } from "../tests/cluster/logs.ts";
import { type Engine, startNats, startRedis } from "../tests/engines.ts";
import { delay } from "../tests/fault/real_time.ts";
import { now, startAges } from "./ages.ts";
import {
  AT_ONCE,
  compareIoredis,
  compareNats,
  compareRedis,
  type Comparison,
  EVERY_SECOND,
} from "./cluster_publish.ts";
import { Child, endAll } from "./fanout_child.ts";
import { compareSqlite } from "./log_sqlite.ts";
import { median } from "./measure.ts";
import { Results } from "./results.ts";

const SERVERS = [1, 2, 3];
/** Of each server. */
const READERS = 1_000;
/** The processes that hold them. */
const CLIENTS = 2;
const ROUNDS = 3;
const SAMPLES = 41;
/** How late events come: one at a time, and so many ms between two, that all have had it by then. */
const [PACED, INTERVAL] = [30, 200];
/** How many are delivered: in turns of ten, each when the one before is in the log. */
const [TURNS, TURN] = [60, 10];
/** What a delivery may cost with the most servers, against one. */
const FLAT = 1.2;

const results = new Results("cluster");
const scale = Number(Deno.args[0] ?? 1);
if (!(scale > 0)) {
  throw new RangeError(`The scale must be a number above 0: received ${Deno.args[0]}`);
}
const share = Math.min(scale, 1);
const rounds = Math.ceil(ROUNDS * share);

function scaled(count: number): number {
  return Math.max(3, Math.round(count * share));
}

/** What some servers have shown. */
interface Sample {
  /** From publish to receive, in ms. */
  p50: number;
  p99: number;
  /** Deliveries a second. */
  rate: number;
  /** CPU time of all servers for each delivery, in µs: of one at a time, and of many in a turn. */
  one: number;
  many: number;
}

/** Servers on one log, and their readers. */
class Cluster implements AsyncDisposable {
  readonly #servers: Child[];
  readonly #clients = Array.from({ length: CLIENTS }, (_, i) => startAges(`client ${i + 1}`));
  #readers = 0;

  private constructor(engine: EngineName, port: number, servers: number) {
    const script = new URL("cluster_server.ts", import.meta.url).pathname;
    const args = ["run", "-A", script, engine, `${port}`];
    this.#servers = Array.from(
      { length: servers },
      (_, i) => new Child(`server ${i + 1}`, Deno.execPath(), args),
    );
  }

  static async start(engine: EngineName, port: number, servers: number): Promise<Cluster> {
    const cluster = new Cluster(engine, port, servers);
    const each = Math.max(1, Math.round(READERS * scale / CLIENTS));
    for (const server of cluster.#servers) {
      const [port] = await server.ask("listen");
      await cluster.#askClients(`open ${port} ${each}`);
      cluster.#readers += each * CLIENTS;
    }
    return cluster;
  }

  /** Publishes some events, and waits until all readers have all; what that took. */
  async run(
    publish: () => Promise<unknown>,
    events: number,
  ): Promise<{ rate: number; cpu: number }> {
    const before = await this.#cpuTime();
    await this.#askClients(`expect ${events * this.#readers / CLIENTS}`);
    const start = now();
    await publish();
    const answers = await this.#askClients("wait");
    const deliveries = answers.reduce((sum, [count]) => sum + count, 0);
    if (deliveries !== events * this.#readers) {
      throw new Error(`Cannot measure: ${deliveries} deliveries of ${events * this.#readers}`);
    }
    const ms = Math.max(...answers.map(([, end]) => end)) - start;
    const cpu = await this.#cpuTime() - before;
    return { rate: deliveries / ms * 1_000, cpu: cpu / deliveries };
  }

  /** How old the events of the last run were when they came, in ms, in order. */
  async ages(): Promise<number[]> {
    return (await this.#askClients("ages")).flat().sort((a, b) => a - b);
  }

  async #cpuTime(): Promise<number> {
    const times = await Promise.all(this.#servers.map((server) => server.ask("cpu")));
    return times.reduce((sum, [time]) => sum + time, 0);
  }

  #askClients(question: string): Promise<number[][]> {
    return Promise.all(this.#clients.map((client) => client.ask(question)));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // The readers first, which take it for a fault when they are sent away.
    for (const child of [...this.#clients, ...this.#servers]) await child[Symbol.asyncDispose]();
  }
}

async function measureCluster(name: EngineName, engine: Engine, servers: number): Promise<Sample> {
  await using opened = await openLog(name, engine.port);
  await using cluster = await Cluster.start(name, engine.port, servers);
  const publish = () => opened.log.append("default", { data: `${now()} what happened, to all` });
  const paced = async (events: number) => {
    for (let i = 0, due = performance.now(); i < events; i++) {
      await publish();
      due += INTERVAL;
      await delay(Math.max(0, due - performance.now()));
    }
  };
  const fast = async (turns: number) => {
    for (let i = 0; i < turns; i++) await Promise.all(Array.from({ length: TURN }, publish));
  };
  // Until the engines have compiled what is timed.
  await cluster.run(() => fast(5), 5 * TURN);
  await cluster.run(() => paced(5), 5);
  const events = scaled(PACED);
  const { cpu: one } = await cluster.run(() => paced(events), events);
  const ages = await cluster.ages();
  const turns = scaled(TURNS);
  const { rate, cpu: many } = await cluster.run(() => fast(turns), turns * TURN);
  return {
    p50: ages[Math.floor(ages.length * 0.5)],
    p99: ages[Math.floor(ages.length * 0.99)],
    rate,
    one,
    many,
  };
}

function printComparison(title: string, { one, many, bare }: Comparison): void {
  for (const [topics, { time, cpu }] of [["one topic", one], ["64 topics", many]] as const) {
    const what = `of ${title}, ${AT_ONCE} at a time, ${topics}`;
    results.figure(time / bare.time, `the time ${what}`, { most: 1.3 });
    results.figure(cpu / bare.cpu, `the CPU time, with that of the engine, ${what}`, { most: 1.3 });
    results.cells("append", title, { [topics]: time / bare.time });
  }
}

async function compareClusters(name: EngineName, start: () => Promise<Engine>): Promise<void> {
  const samples = new Map<number, Sample[]>(SERVERS.map((servers) => [servers, []]));
  for (let round = 0; round < rounds; round++) {
    for (const servers of round % 2 === 0 ? SERVERS : SERVERS.toReversed()) {
      await using engine = await start();
      samples.get(servers)?.push(await measureCluster(name, engine, servers));
    }
  }
  console.log(
    `\n${`${name}, ${READERS * scale} readers each`.padEnd(28)}` +
      ["p50 ms", "p99 ms", "CPU µs each", "deliveries/s", "CPU µs each"].map((head) =>
        head.padStart(14)
      ).join(""),
  );
  const of = (servers: number, key: keyof Sample) =>
    median((samples.get(servers) ?? []).map((sample) => sample[key]));
  for (const servers of SERVERS) {
    const figures = [
      of(servers, "p50").toFixed(2),
      of(servers, "p99").toFixed(2),
      of(servers, "one").toFixed(2),
      Math.round(of(servers, "rate")).toLocaleString("en-US"),
      of(servers, "many").toFixed(2),
    ];
    const title = servers === 1 ? "1 server" : `${servers} servers`;
    console.log(title.padEnd(28) + figures.map((figure) => figure.padStart(14)).join(""));
  }
  const most = SERVERS[SERVERS.length - 1];
  results.figure(
    of(most, "one") / of(1, "one"),
    `the CPU time of a delivery by 1 server, by ${most}, on ${name}, one event a turn`,
    { most: FLAT },
  );
}

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  Deno.addSignalListener(signal, () => {
    endAll();
    Deno.exit(130);
  });
}

console.log(`Deno ${Deno.version.deno}`);
try {
  const samples = scaled(SAMPLES);
  printComparison("XADD and PUBLISH by redis", await compareRedis(samples));
  printComparison("XADD and PUBLISH by ioredis", await compareIoredis(samples));
  printComparison("js.publish", await compareNats(samples));
  for (const { appends, ratio } of await compareSqlite(samples)) {
    const what = `the appends a second of bare inserts into SQLite, ${appends} a turn`;
    results.figure(ratio, what, { least: 0.7 });
  }
  await compareClusters("redis", () => startRedis({ args: EVERY_SECOND }));
  await compareClusters("nats", startNats);
} finally {
  endAll();
}
