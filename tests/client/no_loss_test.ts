/** No loss, no repeat: what a consumer gets is the sequence that was published, whatever happens. */

import { assertEquals } from "@std/assert";
import { connect, type ConnectOptions, type LastEventIdStore } from "../../client.ts";
import { mulberry32 } from "../chunkings.ts";
import { RUNS, SEED } from "../helpers.ts";
import { numberedEvents, numberedSource, randomCut } from "../fault/numbered.ts";
import { delay } from "../fault/real_time.ts";
import { faultServer, type Responder } from "../fault/server.ts";

const TOTAL = 10_000;
const CUTS = 200;
/** Cuts fall into the first bytes of what is left, so that all of them happen before the end. */
const WINDOW = 6_000;

/** Cut `cuts` times, then whole. */
function cutOften(total: number, cuts: number, seed: number): Responder {
  return numberedSource(total, {
    seed,
    cut: (body, attempt, random) =>
      attempt < cuts ? randomCut(body.subarray(0, WINDOW), random) : undefined,
  });
}

/** Waits a turn of the event loop now and then. */
function stalling(seed: number): () => Promise<void> | undefined {
  const random = mulberry32(seed);
  return () => random() < 0.002 ? delay(random() * 4) : undefined;
}

/** Connects again at once: what is shown here is where, and not when. */
const AT_ONCE: ConnectOptions = { retry: () => 0 };

Deno.test(`connect gives ${TOTAL} events each once though it is cut ${CUTS} times`, async () => {
  console.log(`SSE_TEST_SEED=${SEED}`);
  await using server = await faultServer(cutOften(TOTAL, CUTS, SEED));
  const stall = stalling(SEED);
  const ids: number[] = [];
  const connection = connect(server.url, AT_ONCE);
  for await (const { id } of connection) {
    ids.push(Number(id));
    await stall();
  }
  assertEquals(ids, Array.from({ length: TOTAL }, (_, i) => i + 1));
  assertEquals(connection.stats.attempts > CUTS, true);
});

Deno.test("connect gives the same events in batches, in a stream and as single events", async () => {
  const seed = SEED;
  const expected = numberedEvents(400, seed);
  const readers = {
    batches: async (url: string) => (await Array.fromAsync(connect(url, AT_ONCE).batches())).flat(),
    readable: (url: string) => Array.fromAsync(connect(url, AT_ONCE).readable),
    single: (url: string) => Array.fromAsync(connect(url, AT_ONCE)),
  };
  for (const [name, read] of Object.entries(readers)) {
    await using server = await faultServer(cutOften(400, 30, seed));
    assertEquals(await read(server.url), expected, `${name}, SSE_TEST_SEED=${seed}`);
  }
});

/** Goes back to one in `step` ids before the one that is asked for: events come again. */
function fromCheckpoint(source: Responder, step: number): Responder {
  return (request, reply) => {
    const asked = Number(request.lastEventId ?? 0);
    Object.defineProperty(request, "lastEventId", { value: `${asked - asked % step}` });
    return source(request, reply);
  };
}

Deno.test("connect drops what a server that replays from a checkpoint sends again", async () => {
  const total = 300;
  // The last id is a checkpoint itself: whoever has it is told that this is all.
  await using server = await faultServer(fromCheckpoint(cutOften(total, 40, SEED), 25));
  const events = await Array.fromAsync(connect(server.url, AT_ONCE));
  assertEquals(events, numberedEvents(total, SEED), `SSE_TEST_SEED=${SEED}`);
});

Deno.test("connect loses and repeats nothing when the consumer reconnects on its own", async () => {
  const random = mulberry32(SEED);
  await using server = await faultServer(cutOften(2_000, 20, SEED));
  const connection = connect(server.url, AT_ONCE);
  const ids: string[] = [];
  for await (const { id } of connection) {
    ids.push(id);
    if (random() < 0.01) connection.reconnect();
    if (random() < 0.01) await delay(1);
  }
  assertEquals(ids, numberedEvents(2_000, SEED).map(({ id }) => id), `SSE_TEST_SEED=${SEED}`);
});

Deno.test("connect goes on where its consumer was, over loops that are left and a store", async () => {
  const runs = Math.max(1, Math.ceil(RUNS / 60));
  for (let run = 0; run < runs; run++) {
    const random = mulberry32(SEED + run);
    let saved: string | undefined;
    const store: LastEventIdStore = {
      load: () => Promise.resolve(saved),
      save: (id) => delay(random() < 0.1 ? 1 : 0).then(() => void (saved = id)),
    };
    await using server = await faultServer(cutOften(500, 10, SEED + run));
    const done: string[] = [];
    for (let loops = 0; loops < 500 && done.length < 500; loops++) {
      for await (const { id } of connect(server.url, { ...AT_ONCE, store })) {
        // In hand when the loop is left: it comes again, for only what was done with is taken.
        if (random() < 0.02) break;
        done.push(id);
      }
    }
    assertEquals(
      done,
      numberedEvents(500, SEED + run).map(({ id }) => id),
      `SSE_TEST_SEED=${SEED} + ${run}`,
    );
  }
});
