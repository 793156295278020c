/**
 * Values of which nothing would make no sense.
 *
 * @module
 */

import { UsageError } from "../failure.ts";
import { parseSize, parseTime } from "../values.ts";

/**
 * A time above 0, in ms.
 *
 * @throws {UsageError} If it is none.
 */
export function parseSpan(name: string, text: string): number {
  const time = parseTime(name, text);
  if (time > 0) return time;
  throw new UsageError(`Cannot read --${name}: it must be longer than 0: received ${text}`);
}

/**
 * A size above 0, in bytes.
 *
 * @throws {UsageError} If it is none.
 */
export function parseRoom(name: string, text: string): number {
  const size = parseSize(name, text);
  if (size > 0) return size;
  throw new UsageError(`Cannot read --${name}: it must be 1 byte at least: received ${text}`);
}
