/**
 * Recorded streams over HTTP: what `connect` makes of them, for `deno task acceptance`.
 *
 * @module
 */

import { connect } from "../client.ts";
import type { ServerSentEvent } from "../parse.ts";
import { cutAtRandom, cutEvery, mulberry32 } from "../tests/chunkings.ts";

/**
 * Serves a recorded stream on 127.0.0.1, in chunks of several sizes and cut at random, and reads it
 * with `connect` to its end.
 *
 * @param file The name of the recording.
 * @param bytes What it holds.
 * @param seed The seed of the random cuts.
 * @param right Whether these are its events.
 * @returns What came out wrong: the file with the way in which it was cut.
 */
export async function overHttp(
  file: string,
  bytes: Uint8Array<ArrayBuffer>,
  seed: number,
  right: (events: ServerSentEvent[]) => boolean | Promise<boolean>,
): Promise<string[]> {
  const ways = new Map<string, Uint8Array[]>([["whole", [bytes]]]);
  for (const size of [7, 61, 1_021]) ways.set(`in chunks of ${size} bytes`, cutEvery(bytes, size));
  for (const mean of [3, 300]) {
    ways.set(
      `cut at random, ${mean} bytes on average, seed ${seed}`,
      cutAtRandom(bytes, mean, mulberry32(seed)),
    );
  }
  let chunks: Uint8Array[] = [];
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} },
    () =>
      new Response(ReadableStream.from(chunks), {
        headers: { "content-type": "text/event-stream" },
      }),
  );
  const wrong: string[] = [];
  try {
    for (const [way, cut] of ways) {
      chunks = cut;
      const problem = await read(`http://127.0.0.1:${server.addr.port}/`, right);
      if (problem !== undefined) wrong.push(`${file}: over HTTP ${way}, ${problem}`);
    }
  } finally {
    await server.shutdown();
  }
  return wrong;
}

/** Reads to the end; what was wrong, as the end of a sentence. */
async function read(
  url: string,
  right: (events: ServerSentEvent[]) => boolean | Promise<boolean>,
): Promise<string | undefined> {
  const events: ServerSentEvent[] = [];
  try {
    for await (const event of connect(url, { retry: { onEnd: "close" } })) events.push(event);
  } catch (error) {
    // A colon would end the name of the case, see `report` of acceptance.ts.
    return String(error).replaceAll(": ", ", ");
  }
  return await right(events) ? undefined : `${events.length} events came and are not the recorded`;
}
