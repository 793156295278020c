/**
 * How the bytes of a body go on: repeated, cut into chunks, and counted up to the places where a
 * fault waits.
 *
 * @module
 */

import { ServerSentEventParser } from "../parse/parser.ts";
import type { Fault, FaultPoint } from "./fault.ts";
import { randomNumbers } from "./random.ts";

/** Takes the chunks of a server and gives those that its client gets. */
export class Shaper {
  readonly #length: (() => number) | undefined;
  readonly #repeater: Repeater | undefined;
  readonly #pieces: Uint8Array[] = [];

  constructor({ chunks, duplicate }: Fault) {
    this.#length = chunks === undefined ? undefined : lengthsOf(chunks);
    this.#repeater = duplicate ? new Repeater() : undefined;
  }

  /** Appends a chunk. It is copied, for the server may share it with other clients. */
  push(chunk: Uint8Array): void {
    const bytes = this.#repeater?.repeat(chunk) ?? chunk;
    for (let from = 0; from < bytes.length;) {
      const to = from + (this.#length?.() ?? bytes.length);
      this.#pieces.push(bytes.slice(from, to));
      from = to;
    }
  }

  /** The next chunk, if there is one. */
  take(): Uint8Array | undefined {
    return this.#pieces.shift();
  }

  /** Gives the rest of a chunk back. */
  putBack(rest: Uint8Array): void {
    if (rest.length > 0) this.#pieces.unshift(rest);
  }
}

/** Repeats each event, with all that stands between it and the one before. */
class Repeater {
  readonly #parser = newParser();
  /** The bytes since the last event. */
  #block: number[] = [];

  repeat(chunk: Uint8Array): Uint8Array {
    const out: number[] = [];
    for (let i = 0; i < chunk.length; i++) {
      out.push(chunk[i]);
      this.#block.push(chunk[i]);
      if (this.#parser.feed(chunk.subarray(i, i + 1)).length === 0) continue;
      for (const byte of this.#block) out.push(byte);
      this.#block = [];
    }
    return Uint8Array.from(out);
  }
}

/** Counts what a client gets, and stops at each of some places. */
export class Meter {
  /** How many bytes there were. */
  bytes = 0;
  /** How many events were complete with them. */
  events = 0;
  readonly #points: readonly FaultPoint[];
  readonly #byEvents: boolean;
  readonly #parser = newParser();

  /** @param points Where to stop. */
  constructor(points: readonly FaultPoint[]) {
    this.#points = points;
    this.#byEvents = points.some(({ events }) => events !== undefined);
  }

  /** Counts the bytes of a chunk, up to the next place; how many these are. */
  count(chunk: Uint8Array): number {
    let most = chunk.length;
    for (const { bytes = 0 } of this.#points) {
      if (bytes > this.bytes) most = Math.min(most, bytes - this.bytes);
    }
    // Byte by byte only where it matters: an event ends at the earliest byte that allows it.
    const step = this.#byEvents ? 1 : most;
    for (let from = 0; from < most; from += step) {
      const came = this.#parser.feed(chunk.subarray(from, Math.min(from + step, most))).length;
      this.events += came;
      this.bytes += step;
      if (came > 0 && this.#points.some(({ events }) => events === this.events)) return from + step;
    }
    return most;
  }

  /** Whether a place is reached. */
  passed({ bytes = Infinity, events = Infinity }: FaultPoint): boolean {
    return this.bytes >= bytes || this.events >= events;
  }
}

/** Of a server that a test has written: no bound is needed. */
function newParser(): ServerSentEventParser {
  return new ServerSentEventParser({ maxEventSize: Infinity });
}

function lengthsOf(chunks: NonNullable<Fault["chunks"]>): () => number {
  if (typeof chunks === "number") return () => chunks;
  if ("seed" in chunks) {
    const { seed, most = 32 } = chunks;
    const random = randomNumbers(seed);
    return () => 1 + Math.floor(random() * most);
  }
  let next = 0;
  return () => chunks[next++ % chunks.length];
}
