/**
 * A group: the events that one message of JetStream carries, and the text that it is.
 *
 * The first line says which they are, each line after it is an event.
 *
 * @module
 */

import { SseError } from "../errors.ts";
import { formatEventId, type LoggedEvent } from "../server/log.ts";
import { readRecord } from "./record.ts";

/** Where a topic stands in its stream. */
export interface GroupPlace {
  /** The number of the message in the stream, 0 if there is none. */
  readonly seq: number;
  /** The epoch of its events. */
  readonly epoch: string;
  /** The number of its last event, in the topic. */
  readonly last: number;
  /** The message of the topic before the first of the epoch, 0 if there was none. */
  readonly origin: number;
}

/** A message, taken apart. */
export interface Group extends GroupPlace {
  /** The number of its first event, in the topic. */
  readonly first: number;
  readonly events: readonly LoggedEvent[];
  /** How many bytes the message takes. */
  readonly bytes: number;
}

/** The payload of a message. */
export function writeGroup(place: GroupPlace, records: readonly string[]): string {
  const { epoch, last, origin } = place;
  return `${JSON.stringify([epoch, last + 1, origin])}\n${records.join("\n")}`;
}

const decoder = /* @__PURE__ */ new TextDecoder();

/**
 * A group from the payload of a message.
 *
 * @throws {SseError} If it is none: somebody else has written there.
 */
export function readGroup(seq: number, payload: Uint8Array): Group {
  const [head, ...records] = decoder.decode(payload).split("\n");
  const { epoch, first, origin } = headOf(head, seq);
  const events = records.map((text, index) =>
    readRecord(text, formatEventId({ epoch, seq: first + index }))
  );
  const last = first + events.length - 1;
  return { seq, epoch, first, last, origin, events, bytes: payload.length };
}

function headOf(text: string, seq: number): { epoch: string; first: number; origin: number } {
  let head: unknown;
  try {
    head = JSON.parse(text);
  } catch {
    // It is no head.
  }
  const [epoch, first, origin] = Array.isArray(head) ? head : [];
  if (typeof epoch === "string" && typeof first === "number" && typeof origin === "number") {
    return { epoch, first, origin };
  }
  const message = `Cannot read message ${seq} of the stream: it holds no events of a log`;
  throw new SseError("ERR_SSE_LOG_RECORD", message);
}

/** A topic as one token of a subject: any text, and each has one of its own. */
export function tokenOf(topic: string): string {
  // By UTF-16 code units, for a text may have halves of a pair.
  return topic.replace(
    /[^0-9A-Za-z-]/g,
    (unit) => `_${unit.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/** The topic of a token; `undefined` if it is of none. */
export function topicOf(token: string): string | undefined {
  const topic = token.replace(
    /_([0-9a-f]{4})/g,
    (_, hex: string) => String.fromCharCode(parseInt(hex, 16)),
  );
  return tokenOf(topic) === token ? topic : undefined;
}

/** A name that nobody else has. */
export function randomName(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(12));
  return Array.from(bytes, (byte) => (byte % 32).toString(32)).join("");
}
