/**
 * An event as the text that an engine keeps.
 *
 * @module
 */

import type { ServerSentEventInit } from "../encode.ts";
import { SseError } from "../errors.ts";
import type { LoggedEvent } from "../server/log.ts";

/** What a log keeps of an event: all but its id. */
type EventRecord = Omit<LoggedEvent, "id">;

const isString = (value: unknown) => typeof value === "string";

/** What each field must be to be sent; what is not sent yet must not stop those that read it. */
const FIELDS: ReadonlyMap<string, (value: unknown) => boolean> = new Map([
  ["event", (value) => typeof value === "string" && !/[\r\n]/.test(value)],
  ["data", isString],
  ["retry", (value) => typeof value === "number" && Number.isSafeInteger(value) && value >= 0],
  ["comment", isString],
  ["sender", isString],
]);

/**
 * An event as text.
 *
 * @throws {TypeError} If it is none that can be read back: it would stop all that read the topic.
 */
export function writeRecord(
  { event, data, retry, comment }: ServerSentEventInit,
  sender: string | undefined,
): string {
  const record = { event, data, retry, comment, sender };
  for (const [name, value] of Object.entries(record)) {
    if (value === undefined || FIELDS.get(name)?.(value)) continue;
    throw new TypeError(
      `Cannot append event: its "${name}" cannot be sent: received ${show(value)}`,
    );
  }
  return JSON.stringify(record);
}

/**
 * An event from what a log has kept of it, never to be changed.
 *
 * @throws {SseError} If it is no record: somebody else has written there.
 */
export function readRecord(text: string, id: string): LoggedEvent {
  let cause: unknown;
  try {
    const record: unknown = JSON.parse(text);
    if (isRecord(record)) return Object.freeze({ ...record, id });
  } catch (error) {
    cause = error;
  }
  const message = `Cannot read event "${id}": what the log holds is no record of an event`;
  throw new SseError("ERR_SSE_LOG_RECORD", message, { cause });
}

/** A field that we do not know is foreign, too: it might be an `id`, or `__proto__`. */
function isRecord(value: unknown): value is EventRecord {
  return typeof value === "object" && value !== null && !Array.isArray(value) &&
    Object.entries(value).every(([name, value]) => FIELDS.get(name)?.(value));
}

/** Quotes a value for a message, bounded. */
function show(value: unknown): string {
  const text = typeof value === "string" ? JSON.stringify(value) : String(value);
  return text.length > 42 ? `${text.slice(0, 42)}…` : text;
}
