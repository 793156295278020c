/**
 * The whole of it, with faults: servers behind a balancer, clients that resume, and an engine between
 * them, all of which are killed, paused and sent away while events are published.
 */

import { assert, assertEquals } from "@std/assert";
import { createClient } from "redis";
import { LogGapError } from "../../errors.ts";
import { type Engine, hasNats, hasRedis, startNats, startRedis } from "../engines.ts";
import { delay, now, within } from "../fault/real_time.ts";
import { Balancer } from "./balancer.ts";
import { type EngineName, openLog } from "./logs.ts";
import { linesOf, Server, spawn } from "./processes.ts";
import { Reader, type ToldGap } from "./reader.ts";
import { LOG } from "./terms.ts";

const SERVERS = 3;
const CLIENTS = 300;
const TOPICS = 20;
/** Of each topic: 20,000 in all. */
const EVENTS = 1_000;
/** Between two events of a topic, in ms. */
const INTERVAL = 20;
/** Every so many clients there is one that reads several topics, and one that is away for long. */
const [SEVERAL, AWAY] = [5, 15];
/** Over how many ms a server is drained. */
const DRAIN = 1_000;
/** How long one run may take, in ms. */
const PATIENCE = 55_000;

/** What publishes. */
class Publisher implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #lines: ReadableStreamDefaultReader<string>;
  #published = 0;
  again = 0;

  constructor(engine: EngineName, enginePort: number) {
    this.#child = spawn("_publisher.ts", [engine, enginePort, TOPICS, EVENTS, INTERVAL]);
    this.#lines = linesOf(this.#child);
  }

  /** Waits until there is a share of all events. */
  async reach(share: number): Promise<void> {
    while (this.#published < share * TOPICS * EVENTS) {
      const { done, value } = await this.#lines.read();
      if (done) throw new Error(`The publisher has ended after ${this.#published} events`);
      this.#published = Number(value);
    }
  }

  /** Waits for its end. */
  async end(): Promise<void> {
    await this.reach(1);
    const { value } = await this.#lines.read();
    this.again = Number(value?.replace("again ", ""));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.#child.kill("SIGKILL");
    } catch {
      // It has ended by itself.
    }
    await this.#child.status;
    await this.#lines.cancel();
  }
}

/** What is done to a cluster. */
interface Cluster {
  readonly engine: Engine;
  readonly servers: readonly Server[];
  readonly balancer: Balancer;
}

/** What is done, and after which share of the events. */
type Faults = [share: number, title: string, fault: (cluster: Cluster) => Promise<void>][];

const FAULTS: Faults = [
  [0.1, "a server is killed, and started again", async ({ servers }) => {
    await servers[0].end("SIGKILL");
    await servers[0].start();
  }],
  [0.35, "the engine is killed, and started again", async ({ engine }) => {
    await engine.end("SIGKILL");
    await delay(300);
    await engine.start();
  }],
  [0.5, "a server is paused", async ({ servers }) => {
    servers[1].signal("SIGSTOP");
    await delay(3_000);
    servers[1].signal("SIGCONT");
  }],
  [0.65, "all servers are drained and started again, one after the other", async (cluster) => {
    for (const server of cluster.servers) {
      cluster.balancer.servers.delete(server.port);
      await server.end("SIGTERM");
      await server.start();
      cluster.balancer.servers.add(server.port);
    }
  }],
];

const KILLED_CLIENTS: Faults = [
  [0.2, "the engine cuts all its clients", async ({ engine }) => {
    const client = createClient({ socket: { host: "127.0.0.1", port: engine.port } });
    await client.connect();
    for (const type of ["pubsub", "normal", "pubsub"]) {
      await client.sendCommand(["CLIENT", "KILL", "TYPE", type, "SKIPME", "yes"]);
      await delay(200);
    }
    client.destroy();
  }],
];

/** Runs a cluster through its faults, and asserts that each client has what it must. */
async function run(name: EngineName, start: () => Promise<Engine>, faults: Faults): Promise<void> {
  const begin = now();
  const say = (sentence: string) =>
    console.log(`${((now() - begin) / 1_000).toFixed(1).padStart(5)} s  ${sentence}`);
  await using engine = await start();
  await using stack = new AsyncDisposableStack();
  const servers = Array.from(
    { length: SERVERS },
    () => stack.use(new Server(name, engine.port, DRAIN)),
  );
  await Promise.all(servers.map((server) => server.start()));
  await using balancer = new Balancer(servers.map(({ port }) => port));
  const readers = Array.from({ length: CLIENTS }, (_, i) => {
    const count = i % SEVERAL === 0 ? 3 : 1;
    const topics = Array.from({ length: count }, (_, k) => `topic-${(i + 7 * k) % TOPICS}`);
    return new Reader(balancer.port, topics, EVENTS);
  });
  const away = readers.filter((_, i) => i % AWAY === 1);
  stack.defer(() => readers.forEach((reader) => reader.stop()));
  const running = readers.map((reader) => reader.run());
  await until(() => readers.every(({ placed }) => placed), "not all clients have connected");
  say(`${CLIENTS} clients of ${SERVERS} servers on ${name}`);

  await using publisher = new Publisher(name, engine.port);
  await publisher.reach(0.05);
  for (const reader of away) reader.stop();
  for (const [share, title, fault] of faults) {
    await publisher.reach(share);
    say(`after ${share * TOPICS * EVENTS} events: ${title}`);
    await fault({ engine, servers, balancer });
  }
  await publisher.end();
  say(`all ${TOPICS * EVENTS} events are published, ${publisher.again} of them not at once`);
  // Those that were away for long come back to a log that has forgotten.
  running.push(...away.map((reader) => reader.run()));
  await until(() => readers.every(({ complete }) => complete), "not all clients have all", () => {
    const late = readers.filter(({ complete }) => !complete);
    return `${late.length} have not: one ${late[0]?.state}`;
  });
  for (const reader of readers) reader.stop();
  await Promise.all(running);

  const firsts = await firstsOf(name, engine.port);
  assertEquals(readers.flatMap(({ faults }) => faults), []);
  for (const reader of readers) {
    const isAway = away.includes(reader);
    assertEquals(reader.gaps.length, isAway ? reader.topics.length : 0, "gaps are told of once");
    for (const gap of reader.gaps) assertGap(gap, firsts);
  }
  const sum = (of: (reader: Reader) => number) =>
    readers.reduce((total, reader) => total + of(reader), 0);
  const gaps = sum((reader) => reader.gaps.length);
  const attempts = sum((reader) => reader.attempts);
  say(
    `${sum((reader) => reader.deliveries)} deliveries, 0 lost, 0 repeated, ${gaps} gaps, ` +
      `${attempts} connections`,
  );
  assert(attempts > 2 * CLIENTS, "the faults have reached the clients");

  /** Waits for a fact, as long as the whole may take. */
  async function until(fact: () => boolean, late: string, more = () => ""): Promise<void> {
    while (!fact()) {
      const faulty = readers.find(({ faults }) => faults.length > 0);
      if (faulty !== undefined) throw new Error(`A client ${faulty.state}`);
      if (now() - begin > PATIENCE) throw new Error(`${late} in ${PATIENCE} ms: ${more()}`);
      await delay(50);
    }
  }
}

/** What a log holds first, by topic: all before it was removed. */
async function firstsOf(name: EngineName, port: number): Promise<Map<string, string>> {
  await using opened = await openLog(name, port, LOG);
  const firsts = new Map<string, string>();
  for (let i = 0; i < TOPICS; i++) {
    try {
      for await (const { id } of opened.log.read(`topic-${i}`, { after: "" })) {
        firsts.set(`topic-${i}`, id);
        break;
      }
    } catch (error) {
      if (!(error instanceof LogGapError)) throw error;
      firsts.set(`topic-${i}`, error.gap.first);
    }
  }
  return firsts;
}

function assertGap({ topic, first, reason }: ToldGap, firsts: Map<string, string>): void {
  assertEquals([first, reason], [firsts.get(topic), "trimmed"], "a gap names what was removed");
}

Deno.test({
  name: "connect loses and repeats nothing over a cluster on Redis, whatever is killed or paused",
  ignore: !(await hasRedis),
  fn: () =>
    within(
      run("redis", startRedis, [...KILLED_CLIENTS, ...FAULTS].sort(([a], [b]) => a - b)),
      2 * PATIENCE,
      () => "the cluster does not end",
    ),
});

Deno.test({
  name: "connect loses and repeats nothing over a cluster on NATS, whatever is killed or paused",
  ignore: !(await hasNats),
  fn: () => within(run("nats", startNats, FAULTS), 2 * PATIENCE, () => "the cluster does not end"),
});
