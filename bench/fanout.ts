/**
 * Prints how `Channel` compares with the peers, and with the least that there is, where one publishes
 * to many: HTTP over loopback, in Deno and in Node 24. The server is a process of its own, fresh for
 * each round, and only its CPU time counts. Two other processes hold the readers.
 *
 * ```sh
 * deno task bench:fanout
 * ```
 *
 * A number as argument scales readers, turns and topics; a small one shows that all runs.
 *
 * @module
 */

import { endAll } from "./fanout_child.ts";
import { onDeno, onNode } from "./fanout_contestants.ts";
import { idleMemory, whyNot } from "./fanout_memory.ts";
import { publishCosts } from "./fanout_publish.ts";
import {
  assertEvents,
  bundleServer,
  CLIENTS,
  Clients,
  type Contender,
  contenderOnDeno,
  contenderOnNode,
  findNode,
  Server,
} from "./fanout_setup.ts";
import { median } from "./measure.ts";
import { Results } from "./results.ts";

/** What is published: some events a turn, and a turn each `interval` ms or, at 0, each macrotask. */
interface Load {
  turns: number;
  events: number;
  interval: number;
}

/** Until the engines have compiled what is timed, one event a turn and ten. */
const WARM_UP: Load[] = [
  { turns: 5, events: 10, interval: 0 },
  { turns: 40, events: 1, interval: 0 },
];
/** With intervals in which all are done: who is late sends more than a turn at a time. */
const ONE: Load = { turns: 60, events: 1, interval: 50 };
const TEN: Load = { turns: 8, events: 10, interval: 250 };
const FAST: Load = { turns: 15, events: 10, interval: 0 };

const READERS = 1_000;
const IDLE_READERS = 5_000;
const TOPICS = 10_000;
const ROUNDS = 3;

/** What a load has shown. */
interface Sample {
  /** CPU time of the server for each delivery, in µs. */
  cpu: number;
  /** Deliveries a second. */
  rate: number;
  /** The share of turns that were late. */
  late: number;
}

/** What was measured of each contestant. */
type Samples<Name extends string> = Record<Name, Sample>;

const results = new Results("fan-out");
const scale = Number(Deno.args[0] ?? 1);
if (!(scale > 0)) {
  throw new RangeError(`The scale must be a number above 0: received ${Deno.args[0]}`);
}

/** So many by the scale, evenly over the clients. */
function scaled(count: number): number {
  return CLIENTS * Math.max(1, Math.round(count * scale / CLIENTS));
}

const readers = scaled(READERS);
const idleReaders = scaled(IDLE_READERS);
const rounds = Math.ceil(ROUNDS * Math.min(scale, 1));

/** Publishes, and waits until all readers have all. */
async function run(server: Server, clients: Clients, load: Load): Promise<Sample> {
  const turns = Math.max(3, Math.round(load.turns * scale));
  const events = turns * load.events;
  await clients.ask("reset");
  const [[before, start, late], answers] = await Promise.all([
    server.ask(`publish ${turns} ${load.events} ${load.interval}`),
    clients.ask(`wait ${events}`),
  ]);
  const [after] = await server.ask("cpu");
  for (const [, lost, others] of answers) {
    if (lost === 0 && others === 0) continue;
    throw new Error(
      `Cannot measure: ${lost} readers have lost the connection, and ${others} have not had each event once`,
    );
  }
  const ms = Math.max(...answers.map(([end]) => end)) - start;
  const deliveries = events * readers;
  return { cpu: (after - before) / deliveries, rate: deliveries / ms * 1_000, late: late / turns };
}

/** Times contestants under some loads, in turns; for each load the medians by name. */
async function measure<Name extends string>(
  names: Name[],
  contender: (name: Name) => Contender,
  loads: Load[],
): Promise<Samples<Name>[]> {
  for (const name of names) await assertEvents(contender(name));
  const samples = loads.map(() => new Map(names.map((name) => [name, [] as Sample[]])));
  for (let round = 0; round < rounds; round++) {
    // Not always after the same one, see `measure.ts`.
    const turn = round % names.length;
    for (const name of [...names.slice(turn), ...names.slice(0, turn)]) {
      await using clients = new Clients();
      await using server = await Server.start(contender(name));
      await clients.open(readers, server);
      for (const load of WARM_UP) await run(server, clients, load);
      for (const [i, load] of loads.entries()) {
        samples[i].get(name)?.push(await run(server, clients, load));
      }
    }
  }
  return samples.map((all) => {
    const medians = [...all].map(([name, samples]) => [name, medianOf(samples)]);
    return Object.fromEntries(medians) as Samples<Name>;
  });
}

function medianOf(samples: Sample[]): Sample {
  return {
    cpu: median(samples.map(({ cpu }) => cpu)),
    rate: median(samples.map(({ rate }) => rate)),
    late: median(samples.map(({ late }) => late)),
  };
}

function printTable(title: string, load: Load, results: Record<string, Sample>): void {
  // The rate of what is paced is its pace.
  const paced = load.interval > 0;
  const rateTitle = paced ? "" : "deliveries/s";
  console.log(`\n${title.padEnd(44)}${"CPU µs each".padStart(12)}${rateTitle.padStart(14)}`);
  for (const [name, { cpu, rate, late }] of Object.entries(results)) {
    const perSecond = paced ? "" : Math.round(rate).toLocaleString("en-US");
    const remark = late > 0.1 ? `  late in ${Math.round(late * 100)} % of the turns` : "";
    console.log(
      `${name.padEnd(44)}${cpu.toFixed(2).padStart(12)}${perSecond.padStart(14)}${remark}`,
    );
  }
}

/** Leaves what a delivery costs, as multiples of ours. */
function leave(group: string, samples: { Channel: Sample } & Record<string, Sample>): void {
  const values = Object.entries(samples).map((
    [name, { cpu }],
  ) => [name, cpu / samples.Channel.cpu]);
  results.cells("CPU per delivery", group, Object.fromEntries(values));
}

async function compareOnDeno(): Promise<() => void> {
  const names = Object.keys(onDeno) as (keyof typeof onDeno)[];
  const [one, fast] = await measure(names, contenderOnDeno, [ONE, FAST]);
  printTable(`Deno, ${readers} readers, one event a turn`, ONE, one);
  printTable(`Deno, ${readers} readers, ten events a turn`, FAST, fast);
  leave("Deno, one event a turn", one);
  leave("Deno, ten events a turn", fast);
  return () => {
    const cpu = "CPU per delivery on Deno, one event a turn, against";
    results.figure(one.Channel.cpu / one.floor.cpu, `${cpu} the floor`, { most: 1.2 });
    results.figure(one.Channel.cpu / one["better-sse"].cpu, `${cpu} better-sse`, { most: 0.65 });
    results.figure(one.Channel.cpu / one.hono.cpu, `${cpu} hono`, { most: 0.65 });
    results.figure(one.Channel.cpu / one["@std/http"].cpu, `${cpu} @std/http`);
    const rate = "deliveries/s on Deno, ten events a turn as fast as it goes, against";
    results.figure(fast.Channel.rate / fast.floor.rate, `${rate} the floor`, { least: 1.2 });
    results.figure(fast.Channel.rate / fast["better-sse"].rate, `${rate} better-sse`, { least: 3 });
    results.figure(fast.Channel.rate / fast.hono.rate, `${rate} hono`, { least: 5 });
    results.figure(fast.Channel.rate / fast["@std/http"].rate, `${rate} @std/http`);
  };
}

async function compareOnNode(bundle: string): Promise<() => void> {
  const node = await findNode();
  await bundleServer(bundle);
  const names = Object.keys(onNode) as (keyof typeof onNode)[];
  const [ten] = await measure(names, (name) => contenderOnNode(name, node, bundle), [TEN]);
  printTable(`Node 24, ${readers} readers, ten events a turn`, TEN, ten);
  leave("Node 24, ten events a turn", ten);
  return () => {
    const cpu = "CPU per delivery on Node, ten events a turn, against";
    results.figure(ten.Channel.cpu / ten["better-sse"].cpu, `${cpu} better-sse`, { most: 0.5 });
    results.figure(ten.Channel.cpu / ten.hono.cpu, `${cpu} hono over our bridge`);
  };
}

async function compareMemory(): Promise<() => void> {
  const what = `KB more than the floor for each of ${idleReaders} idle readers, on Deno`;
  const reason = await whyNot(idleReaders);
  if (reason !== undefined) return () => console.log(`unknown        ${what}: ${reason}`);
  const samples = { ours: [] as number[], floor: [] as number[] };
  for (let round = 0; round < rounds; round++) {
    samples.ours.push(await idleMemory("Channel", idleReaders) / 1_024);
    samples.floor.push(await idleMemory("floor", idleReaders) / 1_024);
  }
  const [ours, floor] = [median(samples.ours), median(samples.floor)];
  console.log(`\n${`Deno, ${idleReaders} idle readers`.padEnd(44)}${"KB each".padStart(12)}`);
  console.log(`${"Channel".padEnd(44)}${ours.toFixed(2).padStart(12)}`);
  console.log(`${"floor".padEnd(44)}${floor.toFixed(2).padStart(12)}`);
  return () => results.figure(ours - floor, what, { most: 2 });
}

async function comparePublish(): Promise<() => void> {
  const topics = Math.max(100, Math.round(TOPICS * scale));
  const { append, one, many } = await publishCosts(topics);
  return () => {
    results.figure(many / one, `the time of publish with 1 topic for ${topics} topics`, {
      most: 1.3,
    });
    results.figure(one / append, "the time of MemoryEventLog.append for publish with no reader");
  };
}

const bundle = await Deno.makeTempFile({ suffix: ".mjs" });
const removeBundle = () => Deno.removeSync(bundle);
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  Deno.addSignalListener(signal, () => {
    endAll();
    removeBundle();
    Deno.exit(130);
  });
}

console.log(`Deno ${Deno.version.deno}`);
try {
  const figures = [
    await compareOnDeno(),
    await compareOnNode(bundle),
    await compareMemory(),
    await comparePublish(),
  ];
  console.log("");
  for (const print of figures) print();
} finally {
  removeBundle();
}
// Readers of what was asserted are still open.
Deno.exit();
