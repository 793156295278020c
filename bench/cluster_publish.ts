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
/** How many topics are many. */
const TOPICS = 64;
const EVENT = {
  event: "price",
  data: JSON.stringify({ text: "what happened, told to all", n: 7 }),
};
/** What is held, here and there. */
const MAX_EVENTS = 1_000;

/** As Redis does by default: otherwise the disk would be timed. */
export const EVERY_SECOND: string[] = ["--appendfsync", "everysec"];

/** What one publish takes, in µs. */
export interface Cost {
  /** By the clock. */
  time: number;
  /** CPU time, of this process and of the engine. */
  cpu: number;
}

/** A log with one topic, with many, and its client alone. */
export interface Comparison {
  one: Cost;
  many: Cost;
  bare: Cost;
}

/** Publishes the event of a number. */
type Publish = (n: number) => Promise<unknown>;

/** Times a log and its bare client, in turns. */
async function compare(
  engine: Engine,
  log: EventLog,
  bare: Publish,
  samples: number,
): Promise<Comparison> {
  await assertLog(log);
  const contestants: Record<keyof Comparison, Publish> = {
    one: () => log.append("news", EVENT),
    many: (n) => log.append(`news-${n % TOPICS}`, EVENT),
    bare,
  };
  const names = Object.keys(contestants) as (keyof Comparison)[];
  const costs: Record<keyof Comparison, Cost[]> = { one: [], many: [], bare: [] };
  for (let i = -5; i < samples; i++) {
    // Not always after the same one, see `measure.ts`.
    const turn = (i + names.length * 5) % names.length;
    for (const name of [...names.slice(turn), ...names.slice(0, turn)]) {
      const cost = await sample(engine, contestants[name]);
      // The first ones until the engines have compiled.
      if (i >= 0) costs[name].push(cost);
    }
  }
  return { one: medianOf(costs.one), many: medianOf(costs.many), bare: medianOf(costs.bare) };
}

async function sample(engine: Engine, publish: Publish): Promise<Cost> {
  await new Promise((resolve) => setTimeout(resolve));
  const before = { cpu: cpuTime() + await cpuOf(engine), time: performance.now() };
  for (let i = 0; i < TURNS; i++) {
    await Promise.all(Array.from({ length: AT_ONCE }, (_, n) => publish(n)));
  }
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
  await using engine = await startRedis({ args: EVERY_SECOND });
  const client = createClient({ socket: { host: "127.0.0.1", port: engine.port } });
  await client.connect();
  using _ = { [Symbol.dispose]: () => client.destroy() };
  await using log = new RedisEventLog(client, { maxEvents: MAX_EVENTS });
  const bare = () => byHand((args) => client.sendCommand(args));
  return await compare(engine, log, bare, samples);
}

/** `RedisEventLog` against `XADD` and `PUBLISH`, by `ioredis`. */
export async function compareIoredis(samples: number): Promise<Comparison> {
  await using engine = await startRedis({ args: EVERY_SECOND });
  const client = new Redis(engine.port, "127.0.0.1");
  using _ = { [Symbol.dispose]: () => client.disconnect() };
  await using log = new RedisEventLog(client, { maxEvents: MAX_EVENTS });
  const bare = () => byHand(([command, ...args]) => client.call(command, ...args));
  return await compare(engine, log, bare, samples);
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
  const bare = () => js.publish("by-hand.news", JSON.stringify(EVENT));
  return await compare(engine, log, bare, samples);
}
