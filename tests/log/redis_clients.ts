/**
 * Logs on Redis for tests, each over a client of its own that goes with it: as many processes would
 * have them.
 *
 * @module
 */

import { once } from "node:events";
import { Cluster, Redis } from "ioredis";
import { createClient, createCluster } from "redis";
import { RedisEventLog, type RedisEventLogOptions } from "../../log/redis.ts";
import { within } from "../fault/real_time.ts";

/** A log whose client goes with it. */
export class OwnLog extends RedisEventLog {
  readonly #end: () => Promise<void>;

  constructor(
    client: ConstructorParameters<typeof RedisEventLog>[0],
    options: RedisEventLogOptions,
    end: () => Promise<void>,
  ) {
    super(client, options);
    this.#end = end;
  }

  override async close(): Promise<void> {
    await super.close();
    await this.#end();
  }
}

/** Makes a log on the server of a port. */
export type MakeLog = (port: number, options?: RedisEventLogOptions) => Promise<RedisEventLog>;

/** A log by `createClient` of `redis`, connected. */
export async function redisLog(
  port: number,
  options: RedisEventLogOptions = {},
): Promise<RedisEventLog> {
  const socket = { port, host: "127.0.0.1", reconnectStrategy: 20 };
  const client = createClient({ socket });
  client.on("error", () => {});
  await client.connect();
  return new OwnLog(client, options, () => Promise.resolve(client.destroy()));
}

/** A log by `ioredis`. */
export function ioredisLog(
  port: number,
  options: RedisEventLogOptions = {},
): Promise<RedisEventLog> {
  const client = new Redis(port, "127.0.0.1", { retryStrategy: () => 20, disconnectTimeout: 100 });
  client.on("error", () => {});
  return Promise.resolve(new OwnLog(client, options, () => ended(client)));
}

/** A log by `createCluster` of `redis`, connected. */
export async function redisClusterLog(
  port: number,
  options: RedisEventLogOptions = {},
): Promise<RedisEventLog> {
  const client = createCluster({ rootNodes: [{ socket: { port, host: "127.0.0.1" } }] });
  client.on("error", () => {});
  await client.connect();
  return new OwnLog(client, options, () => Promise.resolve(client.destroy()));
}

/** A log by the `Cluster` of `ioredis`. */
export function ioredisClusterLog(
  port: number,
  options: RedisEventLogOptions = {},
): Promise<RedisEventLog> {
  const client = new Cluster([{ port, host: "127.0.0.1" }], {
    redisOptions: { disconnectTimeout: 10 },
  });
  client.on("error", () => {});
  return Promise.resolve(new OwnLog(client, options, () => ended(client)));
}

async function ended(client: Redis | Cluster): Promise<void> {
  if (client.status === "end") return;
  const end = once(client, "end");
  client.disconnect();
  await within(end, 5_000, () => `the client does not end: it is ${client.status}`);
}
