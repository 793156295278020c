/**
 * What can go wrong with one request on a network, as data.
 *
 * @module
 */

/** A place in the body of a response, as the client gets it: what is named first of both counts. */
export interface FaultPoint {
  /** After so many bytes, from 0 up. 0 is right after the headers. Default: no number of bytes. */
  bytes?: number;
  /** After so many events, from 0 up; comments are none. Default: no number of events. */
  events?: number;
}

/** Chunks of random lengths, the same ones for the same seed. */
export interface RandomChunks {
  /** The seed, an integer. */
  seed: number;
  /**
   * How many bytes a chunk has at most, an integer from 1 up.
   *
   * @default {32}
   */
  most?: number;
}

/**
 * What goes wrong with one request. Members combine: `{ delay: 100, chunks: 1, cut: { events: 2 } }`.
 * One that is left out goes right.
 */
export interface Fault {
  /**
   * Nobody listens: `fetch` rejects with `TypeError`, and the handler is not asked.
   *
   * @default {false}
   */
  refuse?: boolean;
  /**
   * How many ms later the request gets an answer, from 0 up; `Infinity` for never, until the client
   * gives up. It is a timer of the platform, which a fake clock moves.
   *
   * @default {0}
   */
  delay?: number;
  /**
   * Answer with this status, from 200 to 599, in place of the handler, which is not asked.
   * Default: the handler answers; with a `body` 200.
   */
  status?: number;
  /** Headers of the answer, beside its own and in their place. Default: only its own. */
  headers?: ResponseInit["headers"];
  /** Answer with this body in place of the handler. Default: that of the handler; with a `status` none. */
  body?: string;
  /**
   * What the handler is told in `Last-Event-ID` in place of what the client sent: an earlier id
   * makes it send again what the client has, `""` makes it forget where the client was, and an id that
   * it never gave brings a gap. Default: what the client sent.
   */
  lastEventId?: string;
  /**
   * Send each event twice, one after the other.
   *
   * @default {false}
   */
  duplicate?: boolean;
  /**
   * How the body is cut into chunks: no longer than so many bytes (1 leaves every byte alone), than
   * these lengths in turn, over and over, or than random ones. What came as two chunks is never
   * joined, for it would have to wait. Default: as the handler sends them.
   */
  chunks?: number | readonly number[] | RandomChunks;
  /** Where the body breaks off: the client gets a network error. Default: nowhere. */
  cut?: FaultPoint;
  /** Where the body ends, as if it were complete. Default: where the handler ends it. */
  end?: FaultPoint;
  /**
   * Where the bytes stop, and the connection stays open until the client gives up or `resume` is
   * called. Default: nowhere.
   */
  stall?: FaultPoint;
}

/** The names of the members, for those who have no types. */
const NAMES: Record<keyof Fault, true> = {
  refuse: true,
  delay: true,
  status: true,
  headers: true,
  body: true,
  lastEventId: true,
  duplicate: true,
  chunks: true,
  cut: true,
  end: true,
  stall: true,
};

/** The members of a fault that name a place. */
export const POINTS = ["cut", "end", "stall"] as const;

/**
 * Throws unless `fault` is one that can happen.
 *
 * @throws {TypeError} If it, or one of its members, is none.
 * @throws {RangeError} If a number is out of its range.
 */
export function checkFault(fault: Fault): void {
  if (typeof fault !== "object" || fault === null) {
    throw new TypeError(`Cannot inject fault: it must be an object: received ${show(fault)}`);
  }
  for (const name of Object.keys(fault)) {
    if (name in NAMES) continue;
    throw new TypeError(
      `Cannot inject fault: "${name}" is none of ${Object.keys(NAMES).join(", ")}`,
    );
  }
  const { delay, status, headers, chunks, lastEventId, body } = fault;
  if (delay !== undefined && !(typeof delay === "number" && delay >= 0)) {
    throw outOfRange("delay", "a number from 0 up", delay);
  }
  if (status !== undefined && !(Number.isInteger(status) && status >= 200 && status <= 599)) {
    throw outOfRange("status", "an integer from 200 to 599", status);
  }
  // Throws at what is none.
  new Headers(headers);
  for (const [name, text] of Object.entries({ lastEventId, body })) {
    if (text === undefined || typeof text === "string") continue;
    throw new TypeError(`Cannot inject fault: "${name}" must be a text: received ${show(text)}`);
  }
  for (const name of POINTS) {
    const point = fault[name];
    if (point !== undefined) checkPoint(point, name);
  }
  if (chunks !== undefined) checkChunks(chunks);
}

function checkPoint(point: FaultPoint, name: string): void {
  const { bytes, events } = Object(point);
  if (bytes === undefined && events === undefined) {
    throw new TypeError(
      `Cannot inject fault: "${name}" must name a number of "bytes" or "events": received ${
        show(point)
      }`,
    );
  }
  if (bytes !== undefined) checkInteger(bytes, `${name}.bytes`, 0);
  if (events !== undefined) checkInteger(events, `${name}.events`, 0);
}

function checkChunks(chunks: NonNullable<Fault["chunks"]>): void {
  if (typeof chunks === "object" && "seed" in chunks) {
    if (!Number.isInteger(chunks.seed)) {
      throw outOfRange("chunks.seed", "an integer", chunks.seed);
    }
    return checkInteger(chunks.most ?? 1, "chunks.most", 1);
  }
  const lengths: readonly number[] = typeof chunks === "number" ? [chunks] : chunks;
  if (!Array.isArray(lengths) || lengths.length === 0) {
    throw new TypeError(
      `Cannot inject fault: "chunks" must be a length, an array of lengths or { seed }: received ${
        show(chunks)
      }`,
    );
  }
  for (const length of lengths) checkInteger(length, "chunks", 1);
}

function checkInteger(value: number, name: string, least: number): void {
  if (!(Number.isInteger(value) && value >= least)) {
    throw outOfRange(name, `an integer from ${least} up`, value);
  }
}

function outOfRange(name: string, range: string, value: unknown): RangeError {
  return new RangeError(`Cannot inject fault: "${name}" must be ${range}: received ${show(value)}`);
}

function show(value: unknown): string {
  // Not that of a number: NaN and Infinity are none of JSON.
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}
