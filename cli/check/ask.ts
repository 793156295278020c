/**
 * One request by `node:http`, which tells what `fetch` hides: the version of HTTP, the bytes before
 * they are decompressed, and when each of them came.
 *
 * @module
 */

import http, { type IncomingMessage } from "node:http";
import https from "node:https";
import { fetchFollowing } from "../../client/redirect.ts";
import type { Clock } from "./clock.ts";

/** What is asked for. */
export interface Question {
  /** The URL. */
  readonly url: URL;
  /** The method. */
  readonly method: string;
  /** The headers. */
  readonly headers: Headers;
  /** The body of the request, if it has one. */
  readonly body?: Uint8Array<ArrayBuffer>;
}

/** A redirect that was followed. */
export interface Hop {
  /** Who redirects. */
  readonly from: URL;
  /** With which status. */
  readonly status: number;
  /** Where to. */
  readonly to: URL;
}

/** The head of an answer. */
export interface Head {
  /** Who has answered, after all redirects. */
  readonly url: URL;
  /** The status. */
  readonly status: number;
  /** The version of HTTP: `"1.1"`. */
  readonly version: string;
  /** The headers. */
  readonly headers: Headers;
  /** When it came, in ms after the first request. */
  readonly at: number;
  /** The redirects on the way. */
  readonly hops: readonly Hop[];
}

/** Whether a redirect led to another origin, which gets nothing of the caller's: no id, no origin. */
export function hasLeft({ hops }: Head): boolean {
  return hops.some(({ from, to }) => from.origin !== to.origin);
}

/** An answer, of which the body is not read yet. */
export interface Answer {
  /** Its head. */
  readonly head: Head;
  /** Its body, as it came. */
  readonly message: IncomingMessage;
  /** When the first request was made, by the clock. */
  readonly start: number;
}

/** How to ask. */
export interface AskOptions {
  /** Ends it, until the headers have come. */
  readonly signal: AbortSignal;
  /** What is measured with. */
  readonly clock: Clock;
  /** Told when a server has taken the connection. */
  onConnect?(): void;
}

/** A status that `Response` refuses is none that is followed either. */
const ODD_STATUS = 599;

/**
 * Asks, and follows redirects: to another origin without any header of the caller's, as the client of
 * the library does.
 *
 * @throws {RedirectError} If a redirect cannot be followed.
 * @throws {Error} What the network says; the reason of the signal, if it is aborted.
 */
export async function ask(
  question: Question,
  { signal, clock, onConnect }: AskOptions,
): Promise<Answer> {
  const start = clock.now();
  const hops: Hop[] = [];
  let last: { message: IncomingMessage; at: number; url: URL } | undefined;
  const send = async (input: string | URL | Request, init: RequestInit = {}): Promise<Response> => {
    const url = new URL(input instanceof Request ? input.url : input);
    if (last !== undefined) {
      hops.push({ from: last.url, status: last.message.statusCode ?? 0, to: url });
      last.message.destroy();
    }
    const message = await request(url, init, signal, onConnect);
    last = { message, at: clock.now() - start, url };
    const { statusCode: status = 0 } = message;
    return new Response(null, {
      status: status >= 200 && status < 600 ? status : ODD_STATUS,
      headers: headersOf(message),
    });
  };
  const { url, method, headers, body } = question;
  try {
    await fetchFollowing(send, { url, init: { method, headers, body } }, signal, "follow");
  } catch (error) {
    last?.message.destroy();
    throw error;
  }
  if (last === undefined) throw new TypeError("Cannot check: no request was made");
  const { message } = last;
  const head: Head = {
    url: last.url,
    status: message.statusCode ?? 0,
    version: message.httpVersion,
    headers: headersOf(message),
    at: last.at,
    hops,
  };
  return { head, message, start };
}

function request(
  url: URL,
  init: RequestInit,
  signal: AbortSignal,
  onConnect: AskOptions["onConnect"],
): Promise<IncomingMessage> {
  const { body } = init;
  return new Promise((resolve, reject) => {
    if (signal.aborted) throw signal.reason;
    const headers: Record<string, string> = {
      // As browsers ask.
      connection: "keep-alive",
      ...Object.fromEntries(new Headers(init.headers)),
    };
    const bytes = body instanceof Uint8Array ? body : undefined;
    if (bytes !== undefined) headers["content-length"] = String(bytes.length);
    const sent = (url.protocol === "https:" ? https : http).request(url, {
      method: init.method,
      headers,
      // A connection of its own: what was kept alive says nothing about the next reader.
      agent: false,
    });
    const stop = () => sent.destroy(signal.reason);
    signal.addEventListener("abort", stop, { once: true });
    const settle = () => signal.removeEventListener("abort", stop);
    sent.on("socket", (socket) => socket.once("connect", () => onConnect?.()));
    sent.on("response", (message) => {
      settle();
      // Who reads it listens, too; what nobody reads must not be thrown.
      message.on("error", () => {});
      resolve(message);
    });
    // Also after the answer, where nobody asks any more: it must not go unheard.
    sent.on("error", (error) => {
      settle();
      reject(error);
    });
    sent.end(bytes);
  });
}

/** Several headers of one name are one with commas, as `fetch` has it. */
function headersOf(message: IncomingMessage): Headers {
  const headers = new Headers();
  const { rawHeaders } = message;
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    try {
      headers.append(rawHeaders[i], rawHeaders[i + 1]);
    } catch {
      // A value that no header may have: nothing to judge.
    }
  }
  return headers;
}
