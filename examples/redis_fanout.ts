/**
 * One service in two processes: what is posted to either goes to the readers of both, and a reader
 * that loses its process resumes on the other one. Only the log is another than in one process.
 *
 * ```sh
 * redis-server &
 * PORT=8001 deno run -A examples/redis_fanout.ts &
 * PORT=8002 deno run -A examples/redis_fanout.ts &
 * curl -N http://127.0.0.1:8001/topics/news &
 * curl -H 'content-type: text/plain' -d hello http://127.0.0.1:8002/topics/news
 * ```
 *
 * @module
 */

import { RedisEventLog } from "@webstreams/sse/log/redis";
import { Hub } from "@webstreams/sse/server";
import process from "node:process";
import { createClient } from "redis";
import { Failure, run } from "./run.ts";

const USAGE = `Usage: deno run -A examples/redis_fanout.ts

Serves topics together with all that use the same Redis. Start two of them, with PORT=8001 and 8002:
  curl -N http://127.0.0.1:8001/topics/news
  curl -H 'content-type: text/plain' -d hello http://127.0.0.1:8002/topics/news

REDIS_URL names the Redis, by default redis://127.0.0.1:6379.`;

await run(USAGE, async (listen) => {
  const url = process.env.REDIS_URL ?? "redis://127.0.0.1:6379";
  let reached = false;
  // At first a Redis that is not there is a mistake; later on it will be back.
  const reconnectStrategy = (tries: number) => reached && Math.min(100 * tries, 2_000);
  const client = createClient({ url, socket: { reconnectStrategy } });
  client.on("error", (error) => reached && console.error(`Redis: ${error}`));

  const log = new RedisEventLog(client, { maxEvents: 10_000 });
  const hub = new Hub({ log, retry: 500 });
  const server = Deno.serve(listen, (request) => hub.fetch(request));
  try {
    await client.connect();
    reached = true;
  } catch (error) {
    throw new Failure(
      `Cannot reach Redis at ${new URL(url).host}: ${error}: start one, or set REDIS_URL`,
    );
  }
  return {
    port: server.addr.port,
    finished: server.finished,
    async close() {
      await hub.close();
      await log.close();
      client.destroy();
    },
  };
});
