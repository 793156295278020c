/** The event log on a cluster of three nodes, with each of the clients that people have. */

import { assertEquals } from "@std/assert";
import { createClient } from "redis";
import type { RedisEventLog } from "../../log/redis.ts";
import { eventLogContract } from "../../testing.ts";
import { type Engine, hasRedis, startRedis } from "../engines.ts";
import { freePort } from "../listen.ts";
import { delay, within } from "../fault/real_time.ts";
import { ioredisClusterLog, type MakeLog, redisClusterLog } from "./redis_clients.ts";

const ignore = !(await hasRedis);

const SLOTS = [[0, 5_460], [5_461, 10_922], [10_923, 16_383]];

/** Three nodes that know each other, and hold a third of the slots each. */
async function startCluster(): Promise<Engine[]> {
  const buses = SLOTS.map(() => freePort());
  const nodes = await Promise.all(buses.map((bus) =>
    startRedis({
      args: [
        "--cluster-enabled",
        "yes",
        "--cluster-port",
        `${bus}`,
        "--cluster-node-timeout",
        "2000",
      ],
    })
  ));
  const clients = nodes.map(({ port }) => createClient({ url: `redis://127.0.0.1:${port}` }));
  for (const [index, client] of clients.entries()) {
    await client.connect();
    const [start, end] = SLOTS[index].map(String);
    await client.sendCommand(["CLUSTER", "ADDSLOTSRANGE", start, end]);
    await client.sendCommand(["CLUSTER", "SET-CONFIG-EPOCH", `${index + 1}`]);
  }
  for (const [index, { port }] of nodes.entries()) {
    if (index > 0) {
      await clients[0].sendCommand(["CLUSTER", "MEET", "127.0.0.1", `${port}`, `${buses[index]}`]);
    }
  }
  const joined = async () => {
    for (const client of clients) {
      while (
        !/cluster_state:ok[^]*cluster_known_nodes:3/.test(
          `${await client.sendCommand(["CLUSTER", "INFO"])}`,
        )
      ) {
        await delay(20);
      }
    }
  };
  await within(joined(), 10_000, () => "the nodes do not join");
  for (const client of clients) client.destroy();
  return nodes;
}

let nodes: Engine[] = [];
if (!ignore) {
  Deno.test.beforeAll(async () => {
    nodes = await startCluster();
  });
  Deno.test.afterAll(async () => {
    for (const node of nodes) await node[Symbol.asyncDispose]();
  });
}

const MAKERS: Record<string, MakeLog> = { redis: redisClusterLog, ioredis: ioredisClusterLog };

for (const [name, make] of Object.entries(MAKERS)) {
  for (const sharded of [false, true]) {
    const title = `a cluster with ${name}${sharded ? ", sharded" : ""}`;
    // The client says that it has ended some milliseconds before its connections have.
    const sanitize = name !== "ioredis";
    const sanitizers = { sanitizeOps: sanitize, sanitizeResources: sanitize };
    const create = (options = {}): Promise<RedisEventLog> =>
      make(nodes[0].port, { ...options, sharded });
    for (const { name, run } of eventLogContract(create)) {
      Deno.test(`RedisEventLog on ${title}: ${name}`, { ignore, ...sanitizers }, run);
    }
  }
}

for (const [name, make] of Object.entries(MAKERS)) {
  for (const sharded of [false, true]) {
    const title =
      `RedisEventLog on a cluster with ${name}${sharded ? ", sharded," : ""} loses nothing ` +
      "when subscribers are cut off";
    const sanitize = name !== "ioredis";
    const options = { ignore, sanitizeOps: sanitize, sanitizeResources: sanitize };
    Deno.test(title, options, async () => {
      await using log = await make(nodes[0].port, { sharded, checkInterval: 50 });
      const topics = Array.from({ length: 12 }, () => crypto.randomUUID());
      const told: string[] = [];
      const abort = new AbortController();
      for (const topic of topics) {
        const onEvent = ({ data }: { data?: string }) => void told.push(`${topic} ${data}`);
        await log.follow(topic, { signal: abort.signal, onEvent });
      }
      for (let n = 0; n < 10; n++) {
        await Promise.all(topics.map((topic) => log.append(topic, { data: `${n}` })));
        if (n % 3 === 1) await cutSubscribers();
      }
      const all = async () => {
        while (told.length < 120) await delay(10);
      };
      await within(all(), 8_000, () => `${told.length} have come`);
      for (const topic of topics) {
        const own = told.filter((text) => text.startsWith(topic));
        assertEquals(own, Array.from({ length: 10 }, (_, n) => `${topic} ${n}`));
      }
      abort.abort();
    });
  }
}

async function cutSubscribers(): Promise<void> {
  for (const { port } of nodes) {
    const client = createClient({ url: `redis://127.0.0.1:${port}` });
    await client.connect();
    await client.sendCommand(["CLIENT", "KILL", "TYPE", "pubsub"]);
    client.destroy();
  }
}
