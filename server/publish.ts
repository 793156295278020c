/**
 * The event in the body of a `POST`, which anybody may have written.
 *
 * @module
 */

import { type ServerSentEventInit, stringifyEvent } from "../encode.ts";
import { parseMediaType, refusal } from "./request.ts";
import { checkNumber } from "./stream_options.ts";

/** An event that was posted, checked: it can be encoded. */
export interface Published {
  /** The event, without `id`. */
  event: ServerSentEventInit;
  /** The `Idempotency-Key` of the request, if it had one. */
  idempotencyKey?: string;
}

/** How much {@linkcode readPublished} reads. */
export interface ReadPublishedOptions {
  /** How many bytes a body may have, from 0 up. */
  maxBodySize: number;
}

/**
 * Reads the event that a request publishes. What is wrong with the request, or happens to its body,
 * is told by a response to answer it with.
 *
 * Throws `RangeError` at a bound that is none, and `TypeError` at a body that was read already.
 */
export async function readPublished(
  request: Request,
  { maxBodySize }: ReadPublishedOptions,
): Promise<Published | Response> {
  // A bound of NaN would be none.
  checkNumber("maxBodySize", maxBodySize, 0);
  if (request.bodyUsed || request.body?.locked) {
    throw new TypeError("Cannot read the body of a request: it was read already, pass a fresh one");
  }
  const type = bodyTypeOf(request);
  if (type === undefined) {
    return refuse(request, 415, "Cannot publish: the body must be JSON or plain text, in UTF-8", {
      "accept-post": "application/json, text/plain",
    });
  }
  const idempotencyKey = idempotencyKeyOf(request);
  if (idempotencyKey === undefined) {
    return refuse(
      request,
      400,
      'Cannot publish: "Idempotency-Key" must be 1 to 255 visible ASCII characters, in quotes or without',
    );
  }
  const tooLarge = `Cannot publish: the body must be at most ${maxBodySize} bytes`;
  if (Number(request.headers.get("content-length")) > maxBodySize) {
    return refuse(request, 413, tooLarge);
  }
  const body = await readBody(await bodyOf(request), maxBodySize);
  if (body === "too large") return refuse(request, 413, tooLarge);
  if (body === "broken") return refuse(request, 400, "Cannot publish: the body broke off");
  const event = parseBody(body, type);
  if (typeof event === "string") return refuse(request, 400, event);
  return idempotencyKey === "" ? { event } : { event, idempotencyKey };
}

/** A refusal, and nothing more of the body is read. Nobody waits for its end: there may be none. */
function refuse(request: Request, status: number, text: string, headers?: HeadersInit): Response {
  request.body?.cancel().catch(() => {});
  return refusal(status, text, headers);
}

type BodyType = "application/json" | "text/plain";

/** `undefined` if it is none of the two, or another `charset` than UTF-8. */
function bodyTypeOf({ headers }: Request): BodyType | undefined {
  const media = parseMediaType(headers.get("content-type") ?? "");
  if (media === undefined || !/^utf-?8$/i.test(media.parameters.get("charset") ?? "utf-8")) {
    return undefined;
  }
  const { type } = media;
  return type === "application/json" || type === "text/plain" ? type : undefined;
}

/**
 * The key, in quotes (a string of RFC 9651, as the draft of the header has it) or without, as most
 * send it; `""` if there is none, `undefined` if it is garbage.
 */
function idempotencyKeyOf({ headers }: Request): string | undefined {
  const header = headers.get("idempotency-key");
  if (header === null) return "";
  let key = header;
  if (header.startsWith('"')) {
    const quoted = /^"((?:[^"\\]|\\["\\])*)"$/.exec(header);
    if (quoted === null) return undefined;
    key = quoted[1].replace(/\\(.)/g, "$1");
  }
  return /^[\x21-\x7e]{1,255}$/.test(key) ? key : undefined;
}

/** The body; Firefox has no `body` of requests, and there it is read whole. */
async function bodyOf(request: Request): Promise<ReadableStream<Uint8Array> | null> {
  const { body }: { body?: ReadableStream<Uint8Array> | null } = request;
  return body === undefined ? new Response(await request.blob()).body : body;
}

/** Collects the body in one buffer: chunks of a byte each, if kept, take many times its size. */
async function readBody(
  body: ReadableStream<Uint8Array> | null,
  maxBodySize: number,
): Promise<Uint8Array | "too large" | "broken"> {
  let bytes = new Uint8Array(0);
  if (body === null) return bytes;
  let length = 0;
  const reader = body.getReader();
  try {
    for (;;) {
      const result = await reader.read().catch(() => undefined);
      if (result === undefined) return "broken";
      if (result.done) return bytes.subarray(0, length);
      const needed = length + result.value.length;
      if (needed > maxBodySize) return "too large";
      if (needed > bytes.length) {
        const larger = new Uint8Array(Math.max(needed, 2 * bytes.length));
        larger.set(bytes.subarray(0, length));
        bytes = larger;
      }
      bytes.set(result.value, length);
      length = needed;
    }
  } finally {
    reader.releaseLock();
  }
}

/** The event, or what is wrong with it. */
function parseBody(body: Uint8Array, type: BodyType): ServerSentEventInit | string {
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(body);
  } catch {
    return "Cannot publish: the body must be UTF-8";
  }
  return type === "text/plain" ? { data: text } : parseEvent(text);
}

function parseEvent(json: string): ServerSentEventInit | string {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch (error) {
    return `Cannot publish: the body must be JSON: ${messageOf(error)}`;
  }
  if (!isRecord(value)) return 'Cannot publish: the body must be a JSON object with "data"';
  const { data, event, retry, ...others } = value;
  if ("id" in others) {
    return 'Cannot publish: "id" must not be given: the log gives the ids, leave it out';
  }
  const names = Object.keys(others).map((name) => JSON.stringify(name)).join(", ");
  if (names !== "") {
    return `Cannot publish: the body must hold "data", "event" and "retry" only: received ${names}`;
  }
  if (data === undefined) return 'Cannot publish: the body must hold "data"';
  if (event !== undefined && typeof event !== "string") {
    return 'Cannot publish: "event" must be a string';
  }
  if (retry !== undefined && typeof retry !== "number") {
    return 'Cannot publish: "retry" must be an integer';
  }
  const init: ServerSentEventInit = {};
  if (event !== undefined) init.event = event;
  if (retry !== undefined) init.retry = retry;
  try {
    init.data = typeof data === "string" ? data : dataText(json);
  } catch {
    return 'Cannot publish: "data" is nested too deeply';
  }
  try {
    stringifyEvent(init);
  } catch (error) {
    return messageOf(error);
  }
  return init;
}

/**
 * The JSON text of what is not a string, compact. Where the engine has `JSON.rawJSON`, its numbers
 * stay digit by digit, so that an id of 64 bits is not rounded on its way. Throws if it is nested
 * too deeply for the engine.
 */
function dataText(json: string): string {
  return JSON.stringify(JSON.parse(json, keepNumber).data);
}

function keepNumber(_name: string, value: unknown, context?: { source?: string }): unknown {
  if (typeof value !== "number" || context?.source === undefined) return value;
  if (!("rawJSON" in JSON) || typeof JSON.rawJSON !== "function") return value;
  return JSON.rawJSON(context.source);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
