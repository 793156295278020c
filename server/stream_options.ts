/**
 * What keeps every event stream open, and bounds it.
 *
 * @module
 */

import { type EncodedBytes, encodeEvent } from "../encode.ts";

/** What every event stream can be told. */
export interface StreamOptions {
  /**
   * Headers, beside ours (`Content-Type`, `Cache-Control`, `X-Accel-Buffering`) and in their place.
   * Default: none.
   */
  headers?: ResponseInit["headers"];
  /**
   * After how many ms without an event a comment is sent, so that nobody on the way takes the
   * connection for dead; Bun cuts it after 12 s. From 1 up; `false` for never.
   *
   * @default {9000}
   */
  keepAlive?: number | false;
  /**
   * The reconnection time that the reader is told at once, in ms, an integer from 0 up.
   * Default: none, which leaves it to the reader.
   */
  retry?: number;
  /**
   * After how many ms the session ends, so that a reader that vanished without a word does not stay
   * for ever; each ends after 80 to 100 % of it. From 1 up. Default: never.
   */
  maxAge?: number;
  /**
   * How many bytes may wait for the reader, from 1 up. One event alone may be larger, and one that is
   * sent by `Session.send` or by a source may pass it, after which there is no room for another.
   *
   * @default {1048576}
   */
  maxQueueBytes?: number;
  /**
   * How many blanks the first comment holds, for readers that show nothing before the first 2 KB,
   * from 0 up.
   *
   * @default {0}
   */
  padding?: number;
}

/** The options with their defaults. A value out of its range throws. */
export function checkStreamOptions(options: StreamOptions): {
  keepAlive: number | false;
  maxAge: number | undefined;
  maxQueueBytes: number;
} {
  const { keepAlive = 9_000, maxAge, maxQueueBytes = 1_048_576 } = options;
  if (keepAlive !== false) checkNumber("keepAlive", keepAlive, 1);
  if (maxAge !== undefined) checkNumber("maxAge", maxAge, 1);
  checkNumber("maxQueueBytes", maxQueueBytes, 1);
  return { keepAlive, maxAge, maxQueueBytes };
}

/** What leaves at once: a comment, so that headers and reader see a start, and `retry`. */
export function firstBytes({ padding = 0, retry }: StreamOptions): EncodedBytes {
  checkNumber("padding", padding, 0);
  return encodeEvent({ comment: " ".repeat(padding), retry });
}

/** Throws unless an option is a number from `least` up. */
export function checkNumber(name: string, value: number, least: number): void {
  if (typeof value === "number" && value >= least) return;
  throw new RangeError(
    `Cannot respond: "${name}" must be a number from ${least} up: received ${String(value)}`,
  );
}
