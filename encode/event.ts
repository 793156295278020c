/**
 * One event or comment: its text, and its bytes.
 *
 * @module
 */

import { type EncodedBytes, encodeText } from "./bytes.ts";
import { show } from "./show.ts";

/**
 * An event to send. Each member that is there becomes a field; what the parser gives is one of these.
 */
export interface ServerSentEventInit {
  /**
   * The data. Line breaks (CRLF, LF, CR) are read back as LF (W2); lone surrogates as U+FFFD, as
   * everywhere on the web. An event without data dispatches nothing, but its `id` and `retry` count.
   * Default: no data.
   */
  data?: string;
  /** The type, without line breaks (W1). Default, and for `""`: `"message"`, which is not sent. */
  event?: string;
  /**
   * The last event ID from here on, without line breaks and NUL (W1). `""` resets it (T15).
   * Default: it stays as it is.
   */
  id?: string;
  /**
   * The reconnection time in milliseconds, an integer from 0 to `Number.MAX_SAFE_INTEGER` (W4).
   * Default: it stays as it is.
   */
  retry?: number;
  /** Text that readers ignore, one comment a line (W3). Default: none. */
  comment?: string;
}

/**
 * Encodes an event, with the blank line that dispatches it.
 *
 * The bytes of small events lie side by side in one `ArrayBuffer`, which makes this
 * faster. Send them as they are; copy them (`bytes.slice()`) before you transfer their `buffer` or
 * enqueue them in a stream of `type: "bytes"`, which transfers it.
 *
 * @param event The fields to send.
 * @returns The bytes, a view of a larger buffer.
 * @throws {TypeError} If `event` or `id` holds a line break, `id` holds NUL (W1), or a field has
 * another type than it should.
 * @throws {RangeError} If `retry` is not an integer from 0 to `Number.MAX_SAFE_INTEGER` (W4).
 *
 * @example Send an event
 * ```ts
 * import { encodeEvent } from "@webstreams/sse/encode";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(new TextDecoder().decode(encodeEvent({ data: "hello" })), "data: hello\n\n");
 * ```
 */
export function encodeEvent(event: ServerSentEventInit): EncodedBytes {
  return encodeText(stringifyEvent(event));
}

/**
 * Encodes an event as text: {@linkcode encodeEvent} without the bytes.
 *
 * @param event The fields to send.
 * @returns The text, with the blank line that dispatches the event.
 * @throws {TypeError} If `event` or `id` holds a line break, `id` holds NUL (W1), or a field has
 * another type than it should.
 * @throws {RangeError} If `retry` is not an integer from 0 to `Number.MAX_SAFE_INTEGER` (W4).
 *
 * @example A type with a line break cannot inject a field
 * ```ts
 * import { stringifyEvent } from "@webstreams/sse/encode";
 * import { assertEquals, assertThrows } from "@std/assert";
 *
 * assertEquals(stringifyEvent({ event: "tick", data: "1" }), "event: tick\ndata: 1\n\n");
 * assertThrows(() => stringifyEvent({ event: "tick\ndata: 2", data: "1" }), TypeError);
 * ```
 */
export function stringifyEvent(event: ServerSentEventInit): string {
  if (typeof event !== "object" || event === null || Array.isArray(event)) {
    throw new TypeError(`Cannot encode event: it must be an object: received ${show(event)}`);
  }
  const { comment, event: type, id, retry, data } = event;
  let text = "";
  if (comment !== undefined) text += stringifyLines(": ", comment, "comment");
  if (type !== undefined) {
    checkLine(type, "event");
    if (type !== "" && type !== "message") text += `event: ${type}\n`;
  }
  if (id !== undefined) {
    checkLine(id, "id");
    if (id.includes("\0")) {
      throw new TypeError(fault("id", "not contain NUL", id));
    }
    text += `id: ${id}\n`;
  }
  if (retry !== undefined) {
    if (!Number.isSafeInteger(retry) || retry < 0) {
      throw new RangeError(fault("retry", "be an integer of milliseconds from 0 up", retry));
    }
    text += `retry: ${retry}\n`;
  }
  if (data !== undefined) text += stringifyLines("data: ", data, "data");
  return `${text}\n`;
}

/**
 * Encodes a comment, such as one that keeps a connection alive.
 *
 * A blank line follows it, so that readers that cut the stream at blank lines do not take it for a
 * part of the next event.
 *
 * @param text The comment; each of its lines becomes one (W3).
 * @returns The bytes, a view of a larger buffer, as {@linkcode encodeEvent} gives them.
 * @throws {TypeError} If `text` is not a string.
 *
 * @example Keep a connection alive
 * ```ts
 * import { encodeComment } from "@webstreams/sse/encode";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(new TextDecoder().decode(encodeComment("ping")), ": ping\n\n");
 * ```
 */
export function encodeComment(text: string): EncodedBytes {
  return encodeText(`${stringifyLines(": ", text, "comment")}\n`);
}

/** One line for each of `text`, each with the prefix, which ends with a space (W5). */
function stringifyLines(prefix: string, text: string, field: string): string {
  checkString(text, field);
  if (text.includes("\r")) text = text.replace(/\r\n?/g, "\n");
  if (text.includes("\n")) text = text.replace(/\n/g, `\n${prefix}`);
  return `${prefix}${text}\n`;
}

function checkLine(value: string, field: string): void {
  checkString(value, field);
  if (value.includes("\n") || value.includes("\r")) {
    throw new TypeError(fault(field, "not contain a line break", value));
  }
}

function checkString(value: unknown, field: string): void {
  if (typeof value !== "string") throw new TypeError(fault(field, "be a string", value));
}

/** What a message says of a field. */
function fault(field: string, rule: string, value: unknown): string {
  return `Cannot encode event: "${field}" must ${rule}: received ${show(value)}`;
}
