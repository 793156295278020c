/**
 * The bytes of HTTP/1.1, without a socket: requests read as they are, responses written as told.
 *
 * @module
 */

import { concat, raw, utf8 } from "../helpers.ts";

/** One header of a request, byte exact: only one space after the colon is left out. */
export interface RawHeader {
  /** The name as it was sent. */
  name: string;
  /** The value, each byte as one Latin-1 character. */
  value: string;
  /** The same value as bytes. */
  bytes: Uint8Array;
}

/** A request without its connection. */
export interface RawRequest {
  method: string;
  /** The request target as it was sent: path and query. */
  target: string;
  headers: RawHeader[];
  /** The body, of which a chunked encoding is undone. */
  body: Uint8Array;
}

/** The first lines of a response. */
export interface Head {
  /** @default {200} */
  status?: number;
  /**
   * Values are written as Latin-1; an array writes its header once for each.
   *
   * @default {{ "content-type": "text/event-stream" }}
   */
  headers?: Record<string, string | string[]>;
}

/** Finds a header by its lower-case name; several of one name are joined by a comma. */
export function findHeader(headers: RawHeader[], name: string): string | undefined {
  const found = headers.filter((header) => header.name.toLowerCase() === name);
  return found.length === 0 ? undefined : found.map((header) => header.value).join(", ");
}

/**
 * Takes one request off the front of `buffer`.
 *
 * @returns The request and how many bytes it took, or `undefined` while it is incomplete.
 * @throws {Error} If the bytes are no HTTP/1 request.
 */
export function takeRequest(
  buffer: Uint8Array,
): { request: RawRequest; length: number } | undefined {
  const text = latin1(buffer);
  const end = text.indexOf("\r\n\r\n");
  if (end < 0) return undefined;
  const [first, ...lines] = text.slice(0, end).split("\r\n");
  const [, method, target] = /^([A-Z]+) (\S+) HTTP\/1\.[01]$/.exec(first) ?? [];
  if (method === undefined) {
    throw new Error(`Cannot read request: its first line is ${JSON.stringify(first)}`);
  }
  const headers = lines.map((line) => {
    const colon = line.indexOf(":");
    const value = line.slice(colon + 1).replace(/^ /, "");
    return { name: line.slice(0, colon), value, bytes: raw(value) };
  });
  const body = findHeader(headers, "transfer-encoding") === "chunked"
    ? takeChunks(text, end + 4)
    : takeLength(text, end + 4, Number(findHeader(headers, "content-length") ?? 0));
  return body && {
    request: { method, target, headers, body: raw(body.text) },
    length: body.end,
  };
}

function takeLength(text: string, from: number, length: number) {
  const end = from + length;
  return text.length < end ? undefined : { text: text.slice(from, end), end };
}

function takeChunks(text: string, from: number) {
  for (let body = "";;) {
    const line = text.indexOf("\r\n", from);
    if (line < 0) return undefined;
    const size = parseInt(text.slice(from, line), 16);
    const end = line + 2 + size;
    if (text.length < end + 2) return undefined;
    if (size === 0) return { text: body, end: end + 2 };
    body += text.slice(line + 2, end);
    from = end + 2;
  }
}

/**
 * A status line and headers, with nothing added to what it is told.
 *
 * @throws {RangeError} If a header holds what is not Latin-1.
 */
export function encodeHead(status: number, headers: Record<string, string | string[]>): Uint8Array {
  let text = `HTTP/1.1 ${status} As the script says\r\n`;
  for (const [name, values] of Object.entries(headers)) {
    for (const value of [values].flat()) text += `${name}: ${value}\r\n`;
  }
  // deno-lint-ignore no-control-regex -- These are the bytes.
  if (/[^\x00-\xff]/.test(text)) {
    throw new RangeError(`Cannot write headers: they must be Latin-1: received ${text}`);
  }
  return raw(text + "\r\n");
}

/** A chunk of a chunked body, left open where it declares a larger size than it has. */
export function encodeChunk(bytes: Uint8Array, declared: number): Uint8Array {
  const open = declared > bytes.length;
  return concat(utf8(`${declared.toString(16)}\r\n`), bytes, utf8(open ? "" : "\r\n"));
}

/** What ends a chunked body. */
export const LAST_CHUNK: Uint8Array = utf8("0\r\n\r\n");

function latin1(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return text;
}
