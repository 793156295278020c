/**
 * Events to bytes: what is encoded here, every reader that follows the standard reads back.
 * Illegal output cannot be built: what would break the stream throws before a byte of it is out.
 *
 * ```ts
 * import { encodeEvent } from "@webstreams/sse/encode";
 * import { assertEquals } from "@std/assert";
 *
 * const bytes = encodeEvent({ event: "tick", data: "1\n2", id: "7" });
 * assertEquals(new TextDecoder().decode(bytes), "event: tick\nid: 7\ndata: 1\ndata: 2\n\n");
 * ```
 *
 * @module
 */

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
 * A `Uint8Array` as `TextEncoder` makes them: it goes into a `Response` or a `Blob` in every version
 * of TypeScript.
 */
export type EncodedBytes = ReturnType<TextEncoder["encode"]>;

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
      throw new TypeError(`Cannot encode event: "id" must not contain NUL: received ${show(id)}`);
    }
    text += `id: ${id}\n`;
  }
  if (retry !== undefined) {
    if (!Number.isSafeInteger(retry) || retry < 0) {
      throw new RangeError(
        `Cannot encode event: "retry" must be an integer of milliseconds from 0 up: received ${
          show(retry)
        }`,
      );
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

/**
 * Events to bytes, as a TransformStream: one chunk for each event, or for each array of events, which
 * costs far less when several are there at once. Each chunk has a buffer of its own, which may be
 * transferred.
 *
 * @example Stream events as a response
 * ```ts
 * import { ServerSentEventEncoderStream } from "@webstreams/sse/encode";
 * import { assertEquals } from "@std/assert";
 *
 * const events = ReadableStream.from([{ data: "a" }, [{ data: "b" }, { data: "c" }]]);
 * const response = new Response(events.pipeThrough(new ServerSentEventEncoderStream()), {
 *   headers: { "content-type": "text/event-stream" },
 * });
 * assertEquals(await response.text(), "data: a\n\ndata: b\n\ndata: c\n\n");
 * ```
 */
export class ServerSentEventEncoderStream
  extends TransformStream<ServerSentEventInit | ServerSentEventInit[], EncodedBytes> {
  /** An event that cannot be encoded errors the stream, and nothing of its chunk is sent. */
  constructor() {
    super({
      transform(chunk, controller) {
        if (!Array.isArray(chunk)) {
          controller.enqueue(encodeOwn(stringifyEvent(chunk)));
          return;
        }
        let text = "";
        for (const event of chunk) text += stringifyEvent(event);
        // An empty chunk says nothing, and ends the body on some transports.
        if (text !== "") controller.enqueue(encodeOwn(text));
      },
    });
  }
}

/** One line for each of `text`, each with the prefix, which ends with a space (W5). */
function stringifyLines(prefix: string, text: string, field: string): string {
  if (typeof text !== "string") {
    throw new TypeError(`Cannot encode event: "${field}" must be a string: received ${show(text)}`);
  }
  if (text.includes("\r")) text = text.replace(/\r\n?/g, "\n");
  if (text.includes("\n")) text = text.replace(/\n/g, `\n${prefix}`);
  return `${prefix}${text}\n`;
}

function checkLine(value: string, field: string): void {
  if (typeof value !== "string") {
    throw new TypeError(
      `Cannot encode event: "${field}" must be a string: received ${show(value)}`,
    );
  }
  if (value.includes("\n") || value.includes("\r")) {
    throw new TypeError(
      `Cannot encode event: "${field}" must not contain a line break: received ${show(value)}`,
    );
  }
}

/** Quotes a value for a message, bounded. */
function show(value: unknown): string {
  if (typeof value === "string") {
    return JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}…` : value);
  }
  try {
    return String(value);
  } catch {
    return typeof value;
  }
}

const encoder = /* @__PURE__ */ new TextEncoder();

/**
 * Small events are written one behind the other into a buffer of this many bytes: on Deno to allocate
 * one for each costs more than all the rest (`deno task bench:compare encode`). No byte of it is
 * given out twice, and an event that is kept keeps at most this much alive.
 */
const POOL_LENGTH = 16_384;

/** Made at the first event: an import does no work. */
let pool: EncodedBytes = /* @__PURE__ */ new Uint8Array(0);
let used = 0;

function encodeText(text: string): EncodedBytes {
  // A code unit takes three bytes at most.
  const most = text.length * 3;
  if (most > POOL_LENGTH / 4) return encoder.encode(text);
  // Its length is 0 when somebody has transferred it.
  if (pool.length - used < most) {
    pool = new Uint8Array(POOL_LENGTH);
    used = 0;
  }
  const start = used;
  used += encoder.encodeInto(text, pool.subarray(start)).written;
  return pool.subarray(start, used);
}

/** Up to this many code units `encode` is faster. */
const SHORT_TEXT = 512;

const SCRATCH_LENGTH = 262_144;

let scratch: EncodedBytes = /* @__PURE__ */ new Uint8Array(0);

/**
 * Bytes with a buffer of their own, for a stream whose reader may transfer it. On Deno `encode`
 * takes almost twice as long as `encodeInto` where text is not ASCII, so that a copy pays.
 */
function encodeOwn(text: string): EncodedBytes {
  if (text.length <= SHORT_TEXT || text.length * 3 > SCRATCH_LENGTH) return encoder.encode(text);
  // Its length is 0 before the first use.
  if (scratch.length === 0) scratch = new Uint8Array(SCRATCH_LENGTH);
  return scratch.slice(0, encoder.encodeInto(text, scratch).written);
}
