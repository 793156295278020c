/**
 * What a log costs beside its bare client: the same event, written by hand as somebody would who needs
 * no ids that resume, no idempotency and no gaps.
 *
 * @module
 */

import { jetstream } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import { Redis } from "ioredis";
import { createClient } from "redis";
import { NatsEventLog } from "../log/nats.ts";
import { RedisEventLog } from "../log/redis.ts";
import type { EventLog } from "../server.ts";
import { type Engine, startNats, startRedis } from "../tests/engines.ts";
import { cpuTime, median } from "./measure.ts";

/** How many events are on their way at a time. */
export const AT_ONCE = 100;
/** How many of such turns make a sample. */
const TURNS = 20;
const TOPIC = "news";
const EVENT = {
  event: "price",
  data: JSON.stringify({ text: "what happened, told to all", n: 7 }),
};
/** What is held, here and there. */
const MAX_EVENTS = 1_000;

/** What one publish takes, in µs. */
export interface Cost {
  /** By the clock. */
  time: number;
  /** CPU time, of this process and of the engine. */
  cpu: number;
}

/** A log, and its client alone. */
export interface Comparison {
  log: Cost;
  bare: Cost;
}

/** Times a log and its bare client, in turns. */
async function compare(
  engine: Engine,
  log: () => Promise<unknown>,
  bare: () => Promise<unknown>,
  samples: number,
): Promise<Comparison> {
  const times: Record<"log" | "bare", Cost[]> = { log: [], bare: [] };
  const runs = [
    async () => times.log.push(await sample(engine, log)),
    async () => times.bare.push(await sample(engine, bare)),
  ];
  for (let i = 0; i < 5; i++) for (const run of runs) await run();
  times.log.length = times.bare.length = 0;
  for (let i = 0; i < samples; i++) {
    for (const run of i % 2 === 0 ? runs : runs.toReversed()) await run();
  }
  return { log: medianOf(times.log), bare: medianOf(times.bare) };
}

async function sample(engine: Engine, publish: () => Promise<unknown>): Promise<Cost> {
  await new Promise((resolve) => setTimeout(resolve));
  const before = { cpu: cpuTime() + await cpuOf(engine), time: performance.now() };
  for (let i = 0; i < TURNS; i++) await Promise.all(Array.from({ length: AT_ONCE }, publish));
  const time = performance.now() - before.time;
  const cpu = cpuTime() + await cpuOf(engine) - before.cpu;
  const events = TURNS * AT_ONCE;
  return { time: 1_000 * time / events, cpu: cpu / events };
}

/** CPU time of all threads of an engine, in µs. */
async function cpuOf({ pid }: Engine): Promise<number> {
  let time = 0;
  for await (const { name } of Deno.readDir(`/proc/${pid}/task`)) {
    // A thread that has ended in between is not missed.
    const text = await Deno.readTextFile(`/proc/${pid}/task/${name}/schedstat`).catch(() => "0");
    time += parseInt(text) / 1_000;
  }
  return time;
}

function medianOf(costs: Cost[]): Cost {
  return {
    time: median(costs.map(({ time }) => time)),
    cpu: median(costs.map(({ cpu }) => cpu)),
  };
}

/** Fails unless the log gives back what it was given: nothing is timed that is not right. */
async function assertLog(log: EventLog): Promise<void> {
  const id = await log.append("asserted", EVENT);
  for await (const { id: read, data } of log.read("asserted", { after: "" })) {
    if (read === id && data === EVENT.data) return;
  }
  throw new Error("Cannot time event log: it does not give back what it was given");
}

/** `RedisEventLog` against `XADD` and `PUBLISH`, by `redis`. */
export async function compareRedis(samples: number): Promise<Comparison> {
  await using engine = await startRedis();
  const client = createClient({ socket: { host: "127.0.0.1", port: engine.port } });
  await client.connect();
  using _ = { [Symbol.dispose]: () => client.destroy() };
  await using log = new RedisEventLog(client, { maxEvents: MAX_EVENTS });
  await assertLog(log);
  const bare = () => byHand((args) => client.sendCommand(args));
  return await compare(engine, () => log.append(TOPIC, EVENT), bare, samples);
}

/** `RedisEventLog` against `XADD` and `PUBLISH`, by `ioredis`. */
export async function compareIoredis(samples: number): Promise<Comparison> {
  await using engine = await startRedis();
  const client = new Redis(engine.port, "127.0.0.1");
  using _ = { [Symbol.dispose]: () => client.disconnect() };
  await using log = new RedisEventLog(client, { maxEvents: MAX_EVENTS });
  await assertLog(log);
  const bare = () => byHand(([command, ...args]) => client.call(command, ...args));
  return await compare(engine, () => log.append(TOPIC, EVENT), bare, samples);
}

function byHand(send: (args: string[]) => Promise<unknown>): Promise<unknown> {
  const record = JSON.stringify(EVENT);
  return Promise.all([
    send(["XADD", "by-hand", "MAXLEN", "~", `${MAX_EVENTS}`, "*", "event", record]),
    send(["PUBLISH", "by-hand", record]),
  ]);
}

/** `NatsEventLog` against `js.publish`. */
export async function compareNats(samples: number): Promise<Comparison> {
  await using engine = await startNats();
  const connection = await connect({ servers: `127.0.0.1:${engine.port}` });
  const js = jetstream(connection);
  const manager = await js.jetstreamManager();
  await manager.streams.add({
    name: "by-hand",
    subjects: ["by-hand.*"],
    max_msgs_per_subject: MAX_EVENTS,
  });
  await using _ = { [Symbol.asyncDispose]: () => connection.close() };
  await using log = new NatsEventLog(connection, { jetstream: js, maxEvents: MAX_EVENTS });
  await assertLog(log);
  const bare = () => js.publish("by-hand.news", JSON.stringify(EVENT));
  return await compare(engine, () => log.append(TOPIC, EVENT), bare, samples);
}
