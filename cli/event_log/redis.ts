/**
 * The log on Redis, with the client of the package `redis`.
 *
 * @module
 */

import { RedisEventLog } from "../../log/redis.ts";
import type { RedisClient } from "../../log/redis.ts";
import { reach, withoutSecrets } from "./engine.ts";
import { importPackage } from "./package.ts";
import type { OpenedLog, OpenLogOptions } from "./opened.ts";

/** What is used of a client beyond what the log uses. */
interface Client extends RedisClient {
  connect(): Promise<unknown>;
  on(event: "error", listener: (error: Error) => void): unknown;
  destroy(): void;
}

/** What is used of the package. */
interface RedisPackage {
  createClient(options: {
    url: string;
    socket: { reconnectStrategy(tries: number): number | false };
  }): Client;
}

/** How long a wait for the engine grows, in ms. */
const MAX_PAUSE = 2_000;

/**
 * Connects.
 *
 * @throws {Failure} If the package is missing, or the engine cannot be reached.
 */
export async function openRedis(
  url: URL,
  { maxEvents, signal, onLost }: OpenLogOptions,
): Promise<OpenedLog> {
  const { createClient } = await importPackage("redis", 6, isRedisPackage);
  let reached = false;
  const client = createClient({
    url: url.href,
    socket: {
      // At first an engine that is not there is a mistake; later on it will be back.
      reconnectStrategy: (tries) => reached && Math.min(100 * tries, MAX_PAUSE),
    },
  });
  client.on("error", (error) => reached && onLost?.(error.message));
  try {
    await reach("Redis", url, client.connect(), signal);
  } catch (error) {
    // One that is not open refuses to be closed.
    if (client.isOpen) client.destroy();
    throw error;
  }
  reached = true;
  const log = new RedisEventLog(client, { maxEvents });
  return {
    log,
    name: withoutSecrets(url),
    async close() {
      await log.close();
      client.destroy();
    },
  };
}

function isRedisPackage(module: object): module is RedisPackage {
  return "createClient" in module && typeof module.createClient === "function";
}
