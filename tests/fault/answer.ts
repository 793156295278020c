/**
 * An answer as data: what a script says of one response, and how that is put on the wire.
 *
 * @module
 */

import { gzipSync } from "node:zlib";
import { concat, utf8 } from "../helpers.ts";
import type { Head } from "./http.ts";
import type { Framing, Reply } from "./reply.ts";

/** How a response ends: as HTTP should, with an early FIN, with a RST, or not at all. */
export type End = "finish" | "cut" | "reset" | "stall";

/** What is sent as a body: each piece of an iterable is one chunk, pulled when the last was taken. */
export type Body =
  | string
  | Uint8Array
  | Iterable<string | Uint8Array>
  | AsyncIterable<string | Uint8Array>;

/** One response, as data. */
export interface Answer extends Head {
  /** @default {""} */
  body?: Body;
  /**
   * How the body's end is marked.
   *
   * @default {"chunked"} "length" where there is no body.
   */
  framing?: "chunked" | "length" | "close";
  /** Compresses the body, and says so in `content-encoding`. @default {false} */
  gzip?: boolean;
  /**
   * Body bytes (as sent, after gzip) after which `end` happens. An end by "cut" or "reset" inside a
   * chunk leaves that open, and a `content-length` still names the whole body.
   */
  cutAt?: number;
  /** @default {"finish"} */
  end?: End;
  /** Bytes to send instead of all the above but `end`; none at all if empty. */
  raw?: string | Uint8Array;
}

/** Statuses that must have neither body nor framing. */
const EMPTY = [204, 304];

/**
 * Sends an answer.
 *
 * @throws {ClientLeft} If the client leaves first.
 * @throws {TypeError} If the answer needs the length of a body that is pulled.
 */
export async function sendAnswer(reply: Reply, answer: Answer): Promise<void> {
  if (answer.raw !== undefined) await reply.raw(answer.raw);
  else await sendBody(reply, answer);
  switch (answer.end ?? "finish") {
    case "finish":
      // Raw bytes hold their own end, but for that of the connection.
      return answer.raw === undefined ? await reply.finish() : reply.cut();
    case "cut":
      return reply.cut();
    case "reset":
      return reply.reset();
    case "stall":
  }
}

async function sendBody(reply: Reply, answer: Answer): Promise<void> {
  const { status = 200, end = "finish", gzip = false, cutAt = Infinity } = answer;
  const body = gzip ? gzipSync(whole(answer.body)) : answer.body ?? "";
  const headers = { ...(answer.headers ?? { "content-type": "text/event-stream" }) };
  if (gzip) headers["content-encoding"] = "gzip";
  await reply.head({ status, headers }, framingOf(answer, body));
  let left = cutAt;
  for await (const piece of pieces(body)) {
    const bytes = typeof piece === "string" ? utf8(piece) : piece;
    const open = bytes.length > left && (end === "cut" || end === "reset");
    await reply.write(bytes.subarray(0, left), open ? bytes.length : undefined);
    left -= bytes.length;
    if (left <= 0) return;
  }
}

function framingOf({ status = 200, framing, end = "finish", cutAt }: Answer, body: Body): Framing {
  if (EMPTY.includes(status)) return "close";
  const chosen = framing ?? (body === "" && end === "finish" ? "length" : "chunked");
  if (chosen !== "length") return chosen;
  const { length } = whole(body);
  return end === "finish" ? Math.min(length, cutAt ?? length) : length;
}

function pieces(body: Body) {
  return typeof body === "string" || body instanceof Uint8Array ? [body] : body;
}

/** The body as one, which must be at hand: an array at most. */
function whole(body: Body = ""): Uint8Array {
  const all = pieces(body);
  if (!Array.isArray(all)) {
    throw new TypeError("Cannot send answer: the length of its body is unknown: use an array");
  }
  return concat(...all.map((piece) => typeof piece === "string" ? utf8(piece) : piece));
}
