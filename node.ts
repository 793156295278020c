/**
 * The bridge to the servers of Node: `node:http`, `node:https`, the compatibility API of
 * `node:http2`, and what is built on them, such as Express, Fastify, Koa and Connect.
 *
 * {@linkcode toNodeHandler} serves a function that makes a `Response` of a `Request`.
 * {@linkcode sendResponse} sends one `Response` from within a handler of Node or of a framework:
 *
 * | framework | in a handler                                               |
 * | --------- | ---------------------------------------------------------- |
 * | Express   | `await sendResponse(res, response)`                        |
 * | Fastify   | `reply.hijack(); await sendResponse(reply.raw, response)`  |
 * | Koa       | `ctx.respond = false; await sendResponse(ctx.res, response)` |
 *
 * Each event leaves when it is there, no faster than the reader takes it, and the body is cancelled
 * when the reader is gone. `Readable.fromWeb(body).pipe(res)` does none of the three.
 *
 * ```ts
 * import { createServer } from "node:http";
 * import { toNodeHandler } from "@webstreams/sse/node";
 * import { eventStreamResponse } from "@webstreams/sse/server";
 * import { assert } from "@std/assert";
 *
 * const handler = toNodeHandler((request) => eventStreamResponse([{ data: "a" }], { request }));
 * const server = createServer(handler); // server.listen(8080)
 * assert(!server.listening);
 * ```
 *
 * @module
 */

/** What is used of a TCP or TLS socket, or of a stream of HTTP/2. */
export interface NodeConnection {
  /** Whether it is gone. */
  readonly destroyed: boolean;
  /** Whether nothing more can be written. */
  readonly writableEnded: boolean;
  /** Whether it is TLS. */
  readonly encrypted?: boolean;
  /** Switches Nagle's algorithm off; a socket has it. */
  readonly setNoDelay?: (noDelay: boolean) => unknown;
  /** Closes with an error code; a stream of HTTP/2 has it. */
  readonly close?: (code: number) => void;
  /** Drops it at once. */
  readonly destroy: () => unknown;
  /** Adds a listener. */
  readonly on: (event: string, listener: () => void) => unknown;
  /** Removes a listener. */
  readonly off: (event: string, listener: () => void) => unknown;
}

/**
 * What is used of a request: `IncomingMessage` of `node:http`, `Http2ServerRequest`, and the requests
 * of frameworks that are one.
 */
export interface NodeRequest {
  /** The method. */
  readonly method?: string | undefined;
  /** The request target. */
  readonly url?: string | undefined;
  /** The request target before a router has cut off the path that it is mounted at. */
  readonly originalUrl?: string;
  /** Names and values in turn, as they came. */
  readonly rawHeaders: readonly string[];
  /** The connection it came over. */
  readonly socket: NodeConnection;
  /** Whether somebody has read of the body. */
  readonly readableDidRead: boolean;
  /** The body, in chunks. */
  readonly iterator: (options: { destroyOnReturn: boolean }) => AsyncIterator<Uint8Array>;
  /** Lets the rest of the body come, to be thrown away. */
  readonly resume: () => unknown;
}

/**
 * What is used of a response: `ServerResponse` of `node:http`, `Http2ServerResponse`, and the
 * responses of frameworks that are one.
 */
export interface NodeResponse {
  /** The request that it answers. */
  readonly req: { readonly method?: string | undefined; readonly socket: NodeConnection };
  /** The connection; `null` while responses before it are sent, and after the end. */
  readonly socket?: NodeConnection | null;
  /** The stream of HTTP/2; HTTP/1 has none. */
  readonly stream?: NodeConnection;
  /** Whether status and headers are out. */
  readonly headersSent: boolean;
  /** Whether it was ended. */
  readonly writableEnded: boolean;
  /** The status. */
  statusCode: number;
  /** The text after the status, which HTTP/2 does not have. */
  statusMessage: string;
  /** Gives a header that is yet to be sent. */
  readonly getHeader: (name: string) => string | string[] | number | undefined;
  /** Sets a header. */
  readonly setHeader: (name: string, value: string | string[]) => unknown;
  /** Takes a header back. */
  readonly removeHeader: (name: string) => void;
  /** Sends status and headers. HTTP/2 has it too, though its types do not say so. */
  readonly flushHeaders?: () => void;
  /** Sends bytes; `false` asks to wait for `drain`. */
  readonly write: (chunk: Uint8Array) => unknown;
  /** Ends it. */
  readonly end: () => unknown;
  /** Drops it, and its connection. */
  readonly destroy: () => unknown;
  /** Adds a listener. */
  readonly on: (event: string, listener: () => void) => unknown;
  /** Removes a listener. */
  readonly off: (event: string, listener: () => void) => unknown;
}

/**
 * A handler for `createServer` and for `use` of Express and Connect. Its promise is fulfilled when all
 * is over, and never rejected.
 */
export type NodeHandler = (
  req: NodeRequest,
  res: NodeResponse,
  next?: (error?: unknown) => void,
) => Promise<void>;

/** What {@linkcode toNodeHandler} can be told. */
export interface NodeHandlerOptions {
  /**
   * Told of what the fetch handler or the body of its response has thrown, where there is no `next`
   * to tell; not of an `AbortError` after the peer has left. Default: `console.error`.
   *
   * @param error What was thrown.
   */
  onError?(error: unknown): void;
}

/**
 * Makes a handler for the servers of Node of a function that makes a `Response` of a `Request`.
 *
 * - The URL of the request has the scheme of the socket, the host that the request names, and the
 *   path before any mount (`originalUrl`). What makes no URL is answered with 400, and so is a method
 *   that no `Request` can have. Headers of proxies, such as `X-Forwarded-Proto`, change nothing.
 * - The body is read from the socket no faster than from the request. If a body parser has read it
 *   before, to read it once more rejects with `TypeError`: mount the handler before the parser.
 * - The signal aborts when the peer leaves before the response has ended.
 * - What the fetch handler throws goes to `next`, where there is one, as in Express. Else it goes to
 *   `onError`, and the peer gets a 500 that says nothing of it. What the body throws goes there too,
 *   and the peer sees a stream that breaks off.
 *
 * @param fetchHandler Makes the response.
 * @param options Who is told of errors.
 * @returns The handler.
 * @throws {TypeError} If `fetchHandler` is no function.
 *
 * @example A server of Node
 * ```ts
 * import { createServer } from "node:http";
 * import { toNodeHandler } from "@webstreams/sse/node";
 * import { eventStreamResponse } from "@webstreams/sse/server";
 * import { assert } from "@std/assert";
 *
 * const handler = toNodeHandler((request) => eventStreamResponse([{ data: "a" }], { request }));
 * const server = createServer(handler); // server.listen(8080)
 * assert(!server.listening);
 * ```
 */
export function toNodeHandler(
  fetchHandler: (request: Request) => Response | Promise<Response>,
  options: NodeHandlerOptions = {},
): NodeHandler {
  if (typeof fetchHandler !== "function") {
    throw new TypeError(
      `Cannot make a handler: it needs a function from Request to Response: received ${typeof fetchHandler}`,
    );
  }
  return async (req, res, next) => {
    const delivery = new Delivery(res);
    try {
      const request = toRequest(req, delivery.signal);
      if (request === undefined) return await delivery.send(badRequest());
      delivery.request = request;
      const response = await fetchHandler(request);
      // Nobody waits for it: the peer has left, or something else has answered, as a time limit does.
      if (!delivery.signal.aborted) checkResponse(res, response);
      await delivery.send(response);
    } catch (error) {
      if (delivery.signal.aborted && isAbortError(error)) return;
      report(error, next ?? options.onError);
      if (next !== undefined || res.headersSent) return;
      await delivery.send(internalServerError()).catch(() => res.destroy());
    } finally {
      delivery.stop();
    }
  };
}

/**
 * Sends a response: status, headers (in addition to those that `res` has already) and the body.
 *
 * The headers leave at once, then each chunk when it is there, and the next one is read when the
 * peer has room. The answer to `HEAD`, and one with status 204 or 304, has no body: it is cancelled.
 * When the peer leaves, the body is cancelled with an `AbortError`; when the body fails, the
 * connection is broken off, for the peer must not take what it has for the whole.
 *
 * @param res The response of `node:http`, `node:http2` or Express, `reply.raw` of Fastify after
 * `reply.hijack()`, `ctx.res` of Koa after `ctx.respond = false`.
 * @param response The response to send.
 * @returns When all is sent or the peer has left; it rejects with what the body has thrown. A
 * rejection that nobody waits for is no unhandled one.
 * @throws {TypeError} If `response` is no `Response`, its body is read by somebody else, or the headers
 * of `res` are sent.
 * @throws {RangeError} If the status is none of an answer, as that of `Response.error()`.
 *
 * @example An event stream from a handler of Node
 * ```ts
 * import { createServer } from "node:http";
 * import { sendResponse } from "@webstreams/sse/node";
 * import { eventStreamResponse } from "@webstreams/sse/server";
 * import { assert } from "@std/assert";
 *
 * const server = createServer((_req, res) => sendResponse(res, eventStreamResponse([{ data: "a" }])));
 * assert(!server.listening);
 * ```
 */
export function sendResponse(res: NodeResponse, response: Response): Promise<void> {
  checkResponse(res, response);
  const delivery = new Delivery(res);
  const sent = delivery.send(response).finally(() => delivery.stop());
  // To forget an `await` must not end the process when a body fails.
  sent.catch(() => {});
  return sent;
}

/** INTERNAL_ERROR of HTTP/2 (RFC 9113, 7). */
const INTERNAL_ERROR = 2;

const NOTHING = /* @__PURE__ */ new Uint8Array(0);

/** One response on its way, and whether anybody still waits for it. */
class Delivery {
  /**
   * Held for as long as its signal may abort: on Node the signal of a request that was collected
   * never does.
   */
  request: Request | undefined = undefined;
  readonly #res: NodeResponse;
  readonly #connection: NodeConnection;
  readonly #gone = new AbortController();
  #ended = false;
  #over = false;
  #wake: () => void = () => {};

  constructor(res: NodeResponse) {
    this.#res = res;
    // Its end, and not that of `res`: `res` tells of none where it waits for the response before it,
    // and of none before a HEAD of HTTP/2 is answered.
    this.#connection = res.stream ?? res.socket ?? res.req.socket;
    res.on("drain", this.#onDrain);
    res.on("finish", this.#onOver);
    watch(this.#connection, this);
    if (this.#connection.destroyed) this.#onOver();
  }

  /** Aborts when nobody waits for the response any more, if that is before its end. */
  get signal(): AbortSignal {
    return this.#gone.signal;
  }

  async send(response: Response): Promise<void> {
    const { body } = response;
    if (this.signal.aborted) return cancel(body, this.signal.reason);
    const res = this.#res;
    try {
      writeHead(res, response);
      if (body !== null && hasBody(res)) {
        this.#connection.setNoDelay?.(true);
        // `flushHeaders` of HTTP/1 would write as UTF-8 what the headers hold as bytes.
        if (res.stream === undefined && !isAscii(response.headers)) res.write(NOTHING);
        else res.flushHeaders?.();
        await this.#copy(body);
      } else {
        cancel(body, undefined);
      }
    } catch (error) {
      cancel(body, error);
      if (res.headersSent) {
        // What was written in this turn leaves at its end, and would be lost with the connection.
        await new Promise((resolve) => setTimeout(resolve));
        this.#breakOff();
      }
      throw error;
    }
    this.#ended = true;
    res.end();
    while (!this.#over) await this.#woken();
  }

  /** Takes every listener back, for a connection may be used again. */
  stop(): void {
    this.request = undefined;
    this.#res.off("drain", this.#onDrain);
    this.#res.off("finish", this.#onOver);
    unwatch(this.#connection, this);
  }

  /** The connection is closed. */
  closed(): void {
    this.#onOver();
  }

  /** The peer has ended its side of the connection. */
  halfClosed(): void {
    // Unless told otherwise (`httpAllowHalfOpen`) node:http then ends the other side too. What is
    // queued for a peer that does not read would keep the socket for ever.
    if (this.#ended || this.#res.stream !== undefined || !this.#connection.writableEnded) return;
    this.#onOver();
    this.#connection.destroy();
  }

  async #copy(body: ReadableStream<Uint8Array>): Promise<void> {
    const { signal } = this;
    const reader = body.getReader();
    const leave = () => void reader.cancel(signal.reason).catch(() => {});
    signal.addEventListener("abort", leave, { once: true });
    try {
      for (;;) {
        const { done, value } = await reader.read();
        // Somebody else may have ended it: another write would break what they have sent.
        if (this.#res.writableEnded) this.#onOver();
        if (done || signal.aborted) return;
        // A `write` that middleware has wrapped may return nothing, and no `drain` would follow.
        if (this.#res.write(value) === false) await this.#woken();
      }
    } catch (error) {
      // What the end of the connection has made fail is no failure.
      if (signal.aborted) return;
      reader.cancel(error).catch(() => {});
      throw error;
    }
  }

  #breakOff(): void {
    // A stream of HTTP/2 that is destroyed ends as if it were whole.
    if (this.#res.stream?.close !== undefined) this.#res.stream.close(INTERNAL_ERROR);
    else this.#res.destroy();
  }

  #woken(): Promise<void> {
    return new Promise((resolve) => this.#wake = resolve);
  }

  readonly #onDrain = (): void => this.#wake();

  readonly #onOver = (): void => {
    this.#over = true;
    if (!this.#ended) {
      const message =
        "Cannot send response: the connection was closed before the response had ended";
      this.#gone.abort(new DOMException(message, "AbortError"));
    }
    this.#wake();
  };
}

/** Those who wait for the end of a connection, and the listeners that tell them. */
interface Audience {
  readonly deliveries: Set<Delivery>;
  readonly onClose: () => void;
  readonly onEnd: () => void;
}

/**
 * One pair of listeners a connection: a peer may send any number of requests before it reads the
 * first answer, and Node warns of the eleventh listener.
 */
const audiences: WeakMap<NodeConnection, Audience> = /* @__PURE__ */ new WeakMap();

function watch(connection: NodeConnection, delivery: Delivery): void {
  const known = audiences.get(connection);
  if (known !== undefined) return void known.deliveries.add(delivery);
  const deliveries = new Set([delivery]);
  const onClose = () => deliveries.forEach((delivery) => delivery.closed());
  const onEnd = () => deliveries.forEach((delivery) => delivery.halfClosed());
  connection.on("close", onClose);
  connection.on("end", onEnd);
  audiences.set(connection, { deliveries, onClose, onEnd });
}

function unwatch(connection: NodeConnection, delivery: Delivery): void {
  const audience = audiences.get(connection);
  if (!audience?.deliveries.delete(delivery) || audience.deliveries.size > 0) return;
  connection.off("close", audience.onClose);
  connection.off("end", audience.onEnd);
  audiences.delete(connection);
}

/** What a peer sends wrong is none of the server's errors: `undefined`. */
function toRequest(req: NodeRequest, signal: AbortSignal): Request | undefined {
  try {
    const headers = toHeaders(req.rawHeaders);
    const { method = "GET" } = req;
    const init: RequestInit & { duplex: "half" } = { method, headers, signal, duplex: "half" };
    if (method !== "GET" && method !== "HEAD") init.body = bodyOf(req);
    return new Request(toUrl(req, headers.get("host")), init);
  } catch {
    return undefined;
  }
}

function toHeaders(rawHeaders: readonly string[]): Headers {
  const headers = new Headers();
  let cookie = "";
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const [name, value] = [rawHeaders[i], rawHeaders[i + 1]];
    if (name.startsWith(":")) continue;
    // HTTP/2 cuts it, and only these are joined by semicolons (RFC 9113, 8.2.3): Deno takes a comma.
    if (name.toLowerCase() === "cookie") cookie += cookie === "" ? value : `; ${value}`;
    else headers.append(name, value);
  }
  if (cookie !== "") headers.set("cookie", cookie);
  return headers;
}

/** Not by the base of `URL`: for it `//b.test/` names a host. */
function toUrl(req: NodeRequest, host: string | null): URL {
  const target = req.originalUrl ?? req.url ?? "";
  // As a proxy is asked; then the host of the target counts (RFC 9112, 3.2.2).
  const absolute = /^https?:\/\/([^/?#]*)(.*)$/i.exec(target);
  // HTTP/1.0 needs no host.
  const authority = absolute?.[1] ?? pseudoHeader(req, ":authority") ?? host ?? "localhost";
  const path = absolute === null ? target : absolute[2].replace(/^(?!\/)/, "/");
  if (!/^[^\s/?#@\\]+$/.test(authority) || !path.startsWith("/")) throw new TypeError("No URL");
  return new URL(`${req.socket.encrypted ? "https" : "http"}://${authority}${path}`);
}

function pseudoHeader({ rawHeaders }: NodeRequest, name: string): string | undefined {
  const at = rawHeaders.findIndex((text, i) => i % 2 === 0 && text === name);
  return at < 0 ? undefined : rawHeaders[at + 1];
}

/** The body, read as it is asked for. To cancel it leaves the connection open for the response. */
function bodyOf(req: NodeRequest): ReadableStream<Uint8Array> {
  let chunks: AsyncIterator<Uint8Array> | undefined;
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      if (chunks === undefined) {
        if (req.readableDidRead) {
          throw new TypeError(
            "Cannot read request body: somebody has read it already, mount this handler before any body parser",
          );
        }
        chunks = req.iterator({ destroyOnReturn: false });
      }
      const { done, value } = await chunks.next();
      if (done) controller.close();
      else controller.enqueue(value);
    },
    cancel() {
      // Without waiting: an iterator that is parked answers with the next chunk. The rest of the body
      // must come, or else nobody reads on to learn that the peer has left.
      Promise.resolve(chunks?.return?.()).then(() => req.resume(), () => {});
    },
  }, { highWaterMark: 0 });
}

/** What belongs to a connection, which HTTP/2 forbids (RFC 9113, 8.2.2). */
const HOP_BY_HOP = ["connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"];

/** Sets status and headers, all or none. */
function writeHead(res: NodeResponse, { status, statusText, headers }: Response): void {
  const http2 = res.stream !== undefined;
  const cookies = headers.getSetCookie();
  try {
    for (const [name, value] of headers) {
      if (name === "set-cookie" || http2 && HOP_BY_HOP.includes(name)) continue;
      res.setHeader(name, value);
    }
    if (cookies.length > 0) {
      const before = [res.getHeader("set-cookie") ?? []].flat().map(String);
      res.setHeader("set-cookie", [...before, ...cookies]);
    }
  } catch (error) {
    for (const name of headers.keys()) res.removeHeader(name);
    throw error;
  }
  res.statusCode = status;
  // HTTP/2 has none, and Node warns.
  if (!http2) res.statusMessage = statusText;
}

function isAscii(headers: Headers): boolean {
  return [...headers.values()].every((value) => !/[^\0-\x7f]/.test(value));
}

function hasBody({ req, statusCode }: NodeResponse): boolean {
  return req.method !== "HEAD" && statusCode !== 204 && statusCode !== 304;
}

/** By shape and not by class: a polyfill or another realm has classes of its own. */
function checkResponse(res: NodeResponse, response: Response): void {
  if (typeof response !== "object" || response === null || !("headers" in response)) {
    throw new TypeError(
      `Cannot send response: it must be a Response: received ${
        response === null ? "null" : typeof response
      }`,
    );
  }
  const { body, bodyUsed, status } = response;
  if (status < 200) {
    throw new RangeError(
      `Cannot send response: its status must be from 200 to 599: received ${status}`,
    );
  }
  if (bodyUsed || body?.locked) {
    throw new TypeError(
      "Cannot send response: its body is read by somebody else, pass one that nobody reads",
    );
  }
  if (res.headersSent) {
    const error = new TypeError(
      "Cannot send response: the headers of another one are sent already, send one response only",
    );
    cancel(body, error);
    throw error;
  }
}

/** Cancels what nobody will read, if somebody else does not. */
function cancel(body: ReadableStream<Uint8Array> | null, reason: unknown): void {
  body?.cancel(reason).catch(() => {});
}

function badRequest(): Response {
  return new Response("Bad Request: its target, host or method is none", { status: 400 });
}

function internalServerError(): Response {
  return new Response("Internal Server Error", { status: 500 });
}

function isAbortError(error: unknown): boolean {
  return error instanceof Error && error.name === "AbortError";
}

/** Whoever is told of an error must not make a second one. */
function report(error: unknown, tell: (error: unknown) => void = console.error): void {
  try {
    tell(error);
  } catch (fault) {
    console.error(fault);
  }
}
