/**
 * Every chunking is the same stream: the ways in which a parser test cuts its bytes.
 *
 * @module
 */

import { randomNumbers as mulberry32 } from "../testing/random.ts";

export { mulberry32 };

/** One way to cut, with a name to find it by. */
export interface Chunking {
  name: string;
  chunks: Uint8Array[];
}

/** Up to so many bytes every two-way split is tried, past it so many random ones. */
const MAX_SPLITS = 2_000;

/**
 * Cuts `bytes` whole, byte by byte, at every two-way split (with an empty chunk between), and at
 * random.
 *
 * @param bytes The whole stream.
 * @param seed The seed of the random cuts, which is part of their names.
 */
export function* chunkings(bytes: Uint8Array, seed: number): Generator<Chunking> {
  yield { name: "whole", chunks: [bytes] };
  yield { name: "byte by byte", chunks: cutAt(bytes, Array.from(bytes.keys()).slice(1)) };
  const random = mulberry32(seed);
  const splits = Math.min(bytes.length - 1, MAX_SPLITS);
  for (let i = 1; i <= splits; i++) {
    const at = splits < MAX_SPLITS ? i : 1 + Math.floor(random() * (bytes.length - 1));
    yield {
      name: `split at ${at}`,
      chunks: [bytes.subarray(0, at), new Uint8Array(0), bytes.subarray(at)],
    };
  }
  for (const mean of [2, 7, 40, 300, 5_000]) {
    yield {
      name: `cut at random, ${mean} bytes on average, seed ${seed}`,
      chunks: cutAtRandom(bytes, mean, random),
    };
  }
}

/** Chunks of random lengths from 1 byte up. */
export function cutAtRandom(bytes: Uint8Array, mean: number, random: () => number): Uint8Array[] {
  const cuts: number[] = [];
  for (let at = 0;;) {
    at += 1 + Math.floor(random() * (2 * mean - 1));
    if (at >= bytes.length) return cutAt(bytes, cuts);
    cuts.push(at);
  }
}

/** Chunks of one length each, but for the last. */
export function cutEvery(bytes: Uint8Array, length: number): Uint8Array[] {
  return cutAt(
    bytes,
    Array.from({ length: Math.ceil(bytes.length / length) - 1 }, (_, i) => (i + 1) * length),
  );
}

function cutAt(bytes: Uint8Array, cuts: number[]): Uint8Array[] {
  return [0, ...cuts].map((from, i) => bytes.subarray(from, cuts[i] ?? bytes.length));
}
