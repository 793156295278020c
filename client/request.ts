/**
 * What is sent: one request for each attempt, made afresh.
 *
 * @module
 */

import { SseError } from "../errors.ts";
import { lastEventIdHeader } from "./resume.ts";

/** What is known when a request is made. */
export interface AttemptContext {
  /** The number of this attempt over the life of the connection, from 1 up. */
  attempt: number;
  /** The last event ID that it asks for, `""` for none. */
  lastEventId: string;
  /** What the attempt before failed of, `undefined` if its body ended cleanly or there was none. */
  cause: unknown;
}

/** A value, or a function that makes it for each attempt. */
export type PerAttempt<T> = T | ((context: AttemptContext) => T | Promise<T>);

/** The part of the options that makes the request. */
export interface RequestOptions extends Omit<RequestInit, "body" | "headers" | "redirect"> {
  /**
   * The headers. `Accept` is `text/event-stream` unless they name it, and `Last-Event-ID` is ours as
   * soon as there is an id. A function is called for each attempt, to refresh a token for example.
   * Default: those of a `Request`, or none.
   */
  headers?: PerAttempt<RequestInit["headers"]>;
  /**
   * The body; the method is POST then, unless `method` says otherwise. A stream can be sent once
   * only: give a function where there may be a second attempt. Default: that of a `Request`, which is
   * read whole beforehand, or none.
   */
  body?: PerAttempt<RequestInit["body"]>;
  /**
   * A value to send as JSON; `Content-Type` is `application/json` unless `headers` name it. A function
   * that gives `undefined` sends none. Not together with `body`. Default: none.
   */
  json?: PerAttempt<unknown>;
  /**
   * The name of a query parameter that carries the last event ID too, for servers that read the
   * query (`"lastEventID"` of Mercure for example). Default: none.
   */
  lastEventIdParam?: string;
}

/** A request, ready for `fetch`. */
export interface Outgoing {
  /** Where to. */
  url: URL;
  /** What `fetch` takes, without signal and redirect. */
  init: RequestInit & { headers: Headers };
  /** Whether the last event ID goes with it; also true if there is none. */
  lastEventIdSent: boolean;
}

/** Makes the requests of one connection. */
export class RequestMaker {
  readonly #url: PerAttempt<string | URL>;
  readonly #options: RequestOptions;
  readonly #request: Request | undefined;
  readonly #init: RequestInit;
  readonly #headers: PerAttempt<RequestInit["headers"]>;
  readonly #custom: boolean;
  #requestBody: Promise<ArrayBuffer> | undefined;
  #streamed = false;

  /** Throws `TypeError` at a URL, headers or a body that no request can have. */
  constructor(input: PerAttempt<string | URL> | Request, options: RequestOptions, custom: boolean) {
    const { headers, body, json, lastEventIdParam: _, ...init } = options;
    if (body !== undefined && json !== undefined) {
      throw new TypeError(
        'Cannot connect: "body" and "json" are both given, leave one of them out',
      );
    }
    this.#options = options;
    this.#init = init;
    this.#custom = custom;
    if (isRequest(input)) {
      this.#request = input;
      this.#url = input.url;
    } else {
      this.#url = typeof input === "function" ? input : resolveUrl(input, custom);
    }
    // Once beforehand, so that a mistake is told at once, and an iterator read once.
    this.#headers = typeof headers === "function" || headers === undefined
      ? headers
      : new Headers(headers);
    if (typeof json !== "function" && json !== undefined) stringify(json);
  }

  /** The URL, `""` while a function has yet to tell it. */
  get url(): string {
    return typeof this.#url === "function" ? "" : String(this.#url);
  }

  /** The signal of a `Request`. */
  get signal(): AbortSignal | undefined {
    return this.#request?.signal;
  }

  /** Makes the next request. */
  async make(context: AttemptContext): Promise<Outgoing> {
    const { body, json, lastEventIdParam } = this.#options;
    const { lastEventId } = context;
    const url = resolveUrl(await valueOf(this.#url, context), this.#custom);
    const headers = new Headers(await valueOf(this.#headers, context) ?? this.#request?.headers);
    const init: Outgoing["init"] = { ...this.#requestInit(), ...this.#init, headers };
    if (json !== undefined) {
      const value = await valueOf(json, context);
      if (value !== undefined) {
        init.body = stringify(value);
        if (!headers.has("content-type")) headers.set("content-type", "application/json");
      }
    } else {
      init.body = await valueOf(body, context) ?? await this.#bodyOfRequest();
    }
    if (init.body === undefined || init.body === null) delete init.body;
    else this.#checkBody(init, typeof body === "function", context);
    if (init.body !== undefined) init.method ??= "POST";
    if (!headers.has("accept")) headers.set("accept", "text/event-stream");
    // T25: a browser does it itself, and there the header would cost a CORS preflight.
    if (guardsHeaders()) init.cache ??= "no-store";
    else if (!headers.has("cache-control")) headers.set("cache-control", "no-cache");
    let lastEventIdSent = lastEventId === "";
    if (lastEventId !== "") {
      const value = lastEventIdHeader(lastEventId);
      lastEventIdSent = value !== undefined;
      // Also not the caller's: it asks for another place.
      if (value === undefined) headers.delete("last-event-id");
      else headers.set("last-event-id", value);
      if (lastEventIdParam !== undefined) {
        url.searchParams.set(lastEventIdParam, lastEventId);
        lastEventIdSent = true;
      }
    }
    return { url, init, lastEventIdSent };
  }

  /** What a `Request` names beside URL, headers and body. */
  #requestInit(): RequestInit {
    if (this.#request === undefined) return {};
    const { method, credentials, mode, referrer, referrerPolicy, integrity, keepalive } =
      this.#request;
    const given = { credentials, mode, referrer, referrerPolicy, integrity, keepalive };
    // Not all platforms have them all, and some refuse one that is `undefined`.
    const init = Object.fromEntries(
      Object.entries(given).filter(([, value]) => value !== undefined && value !== ""),
    );
    return method === "GET" ? init : { ...init, method };
  }

  async #bodyOfRequest(): Promise<ArrayBuffer | undefined> {
    if (this.#request === undefined || this.#request.body === null) return undefined;
    // Read once, sent as often as there are attempts.
    this.#requestBody ??= this.#request.arrayBuffer();
    return await this.#requestBody;
  }

  #checkBody(init: RequestInit, made: boolean, { cause }: AttemptContext): void {
    if (!isStream(init.body)) return;
    if (this.#streamed && !made) {
      throw new SseError(
        "ERR_SSE_BODY_USED",
        'Cannot connect again: "body" is a stream and was sent, give a function that makes one for each attempt',
        { cause },
      );
    }
    this.#streamed = true;
    // A body that goes on while the answer comes is not for HTTP/1.1: all of it goes first.
    Object.assign(init, { duplex: "half" });
  }
}

/** Whether a body can be sent once only. */
export function isStream(body: unknown): boolean {
  return typeof body === "object" && body !== null &&
    ("getReader" in body || Symbol.asyncIterator in body);
}

/** By shape: a `Request` may come from another realm or a polyfill. */
function isRequest(input: unknown): input is Request {
  return typeof input === "object" && input !== null && "method" in input && "headers" in input;
}

/** Resolved as `fetch` does it. `custom`: a caller's own `fetch` may know other schemes. */
function resolveUrl(input: string | URL, custom: boolean): URL {
  const { location } = globalThis as { location?: { href: string } };
  let url: URL;
  try {
    url = new URL(input, location?.href);
  } catch (cause) {
    throw new TypeError(`Cannot connect: the URL must be absolute: received "${input}"`, { cause });
  }
  if (url.username !== "" || url.password !== "") {
    throw new TypeError(
      'Cannot connect: the URL must not hold a user name or password, send them in an "authorization" header',
    );
  }
  if (!custom && url.protocol !== "http:" && url.protocol !== "https:") {
    throw new TypeError(`Cannot connect: the URL must be http or https: received "${url.href}"`);
  }
  return url;
}

async function valueOf<T>(value: PerAttempt<T>, context: AttemptContext): Promise<T> {
  // A value that is a function itself cannot be sent, so a function always makes one.
  return typeof value === "function"
    ? await (value as (context: AttemptContext) => T | Promise<T>)(context)
    : value;
}

function stringify(value: unknown): string {
  const text = JSON.stringify(value);
  if (text !== undefined) return text;
  throw new TypeError(`Cannot connect: "json" must be a JSON value: received ${typeof value}`);
}

let guarded: boolean | undefined;

/** Whether this platform keeps forbidden request headers from being set, as browsers do. */
function guardsHeaders(): boolean {
  return guarded ??= !new Request("http://localhost/", { headers: { "sec-probe": "1" } })
    .headers.has("sec-probe");
}
