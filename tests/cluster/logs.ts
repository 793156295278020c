/**
 * The event logs of the cluster tests and benches: each on a client of its own, as in a process of a
 * user.
 *
 * @module
 */

import { jetstream } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import { createClient } from "redis";
import { NatsEventLog } from "../../log/nats.ts";
import { RedisEventLog } from "../../log/redis.ts";
import type { EventLog } from "../../server.ts";

/** What keeps the events. */
export type EngineName = "redis" | "nats";

/** A log, and what ends it with its client. */
export interface OpenLog extends AsyncDisposable {
  readonly log: EventLog;
}

/** What both logs are told. */
export interface LogOptions {
  /** How many events of a topic are held, if not more. */
  maxEvents: number;
  /** How often followers compare themselves with the log, in ms. */
  checkInterval: number;
}

/** Opens a log on an engine of this machine. */
export async function openLog(
  engine: EngineName,
  port: number,
  options: LogOptions = { maxEvents: 1_000, checkInterval: 5_000 },
): Promise<OpenLog> {
  return engine === "redis" ? await openRedis(port, options) : await openNats(port, options);
}

async function openRedis(port: number, options: LogOptions): Promise<OpenLog> {
  const client = createClient({ socket: { host: "127.0.0.1", port, reconnectStrategy: 100 } });
  // It comes back by itself, and what it could not do is told by what was asked.
  client.on("error", () => {});
  await client.connect();
  const log = new RedisEventLog(client, options);
  return {
    log,
    async [Symbol.asyncDispose]() {
      await log.close();
      client.destroy();
    },
  };
}

async function openNats(port: number, options: LogOptions): Promise<OpenLog> {
  const servers = `127.0.0.1:${port}`;
  const connection = await connect({ servers, maxReconnectAttempts: -1, reconnectTimeWait: 100 });
  const log = new NatsEventLog(connection, { ...options, jetstream: jetstream(connection) });
  return {
    log,
    async [Symbol.asyncDispose]() {
      await log.close();
      await connection.close();
    },
  };
}

/** The name of an engine, from a command line. */
export function engineName(argument: string): EngineName {
  if (argument === "redis" || argument === "nats") return argument;
  throw new RangeError(`Cannot open event log: there is no engine "${argument}"`);
}
