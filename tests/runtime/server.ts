/**
 * The server that the client tests of every runtime talk to: over loopback, as two origins, in Deno.
 *
 * A test says in the query what it wants, so that tests need nothing of each other. Where the server
 * must remember something, the test names a `key` of its own.
 *
 * @module
 */

import { encodeEvent } from "../../encode.ts";
import type { Handler, Served } from "./harness.ts";
import { Memory } from "./server_memory.ts";

/** A server under two origins. */
export interface TestServer extends Served {
  /** The other origin. */
  readonly otherOrigin: string;
}

const EVENT_STREAM = "text/event-stream";

/** How long a request may be left waiting for what another one does, in ms. */
const PATIENCE = 5_000;

/** How long one event of `/flood` is, in bytes. */
const FLOOD = 65_536;

type Route = (
  query: URLSearchParams,
  request: Request,
  memory: Memory,
) => Response | Promise<Response>;

/** What there is, by the path. */
const ROUTES: Record<string, Route> = {
  "/numbers": numbers,
  "/chunks": chunks,
  "/answers": answers,
  "/echo": echo,
  "/redirect": redirect,
  "/hold": hold,
  "/silent": silent,
  "/left": async (query, _, memory) => Response.json(await memory.left(keyOf(query), PATIENCE)),
  "/flood": flood,
  "/flooded": (query, _, memory) => Response.json(memory.counts.get(keyOf(query)) ?? 0),
};

/**
 * Starts it.
 *
 * @param fallback Answers what is not here, such as the pages of a browser.
 */
export function startServer(fallback?: Handler): TestServer {
  const memory = new Memory();
  const handler = async (request: Request) => {
    const { pathname, searchParams } = new URL(request.url);
    if (isPreflight(request)) return allow(new Response(null, { status: 204 }), request);
    const route = ROUTES[pathname];
    if (route !== undefined) return allow(await route(searchParams, request, memory), request);
    return await fallback?.(request) ?? new Response("nothing is here", { status: 404 });
  };
  const stop = new AbortController();
  const options = { hostname: "127.0.0.1", port: 0, onListen() {}, onError: answerError };
  const servers = [0, 1].map(() => Deno.serve({ ...options, signal: stop.signal }, handler));
  const [origin, otherOrigin] = servers.map(({ addr }) => `http://127.0.0.1:${addr.port}`);
  const close = async () => {
    // Not `shutdown`, which would wait for streams that have no end.
    stop.abort();
    memory.end();
    await Promise.all(servers.map(({ finished }) => finished));
  };
  return { origin, otherOrigin, close };
}

function answerError(error: unknown): Response {
  return new Response(String(error), { status: 500 });
}

function isPreflight(request: Request): boolean {
  return request.method === "OPTIONS" && request.headers.has("access-control-request-method");
}

/** Lets pages of other origins in, with credentials; `cors=none` in the query does not. */
function allow(response: Response, request: Request): Response {
  const origin = request.headers.get("origin");
  if (origin === null || new URL(request.url).searchParams.get("cors") === "none") return response;
  response.headers.set("access-control-allow-origin", origin);
  response.headers.set("access-control-allow-credentials", "true");
  const asked = request.headers.get("access-control-request-headers");
  if (asked !== null) response.headers.set("access-control-allow-headers", asked);
  response.headers.set("access-control-expose-headers", "x-answer");
  response.headers.set("vary", "Origin");
  return response;
}

function keyOf(query: URLSearchParams): string {
  const key = query.get("key");
  if (key === null) {
    throw new Error("Cannot remember a request: it has no key: add one to the query");
  }
  return key;
}

function eventStream(
  body: ReadableStream<Uint8Array> | string | null,
  init?: ResponseInit,
): Response {
  const response = new Response(body, init);
  response.headers.set("content-type", EVENT_STREAM);
  response.headers.set("cache-control", "no-store");
  return response;
}

/**
 * The events `1` to `to`, from where `Last-Event-ID` says, at most `cut` in a response, whose body
 * then ends; with `torn` it breaks off inside the event that would be next. `retry` is the reconnection
 * time. What comes after the last event is answered with 204.
 */
function numbers(query: URLSearchParams, request: Request): Response {
  const to = Number(query.get("to"));
  const cut = Number(query.get("cut") ?? to);
  const torn = query.has("torn");
  const from = Number(request.headers.get("last-event-id") ?? 0);
  if (from >= to) return new Response(null, { status: 204 });
  let next = from + 1;
  const last = Math.min(to, from + cut);
  const retry = query.get("retry");
  const encoder = new TextEncoder();
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      if (retry !== null) controller.enqueue(encoder.encode(`retry: ${retry}\n\n`));
    },
    async pull(controller) {
      if (next <= last) {
        controller.enqueue(encodeEvent({ id: `${next}`, data: `${next}` }));
        next++;
      } else if (torn && last < to) {
        controller.enqueue(encoder.encode(`id: ${next}\ndata: unfini`));
        // Bun 1.4 drops what it has not given out yet when a body breaks off.
        await new Promise((resolve) => setTimeout(resolve, 30));
        controller.error(new Error("torn on purpose"));
      } else {
        controller.close();
      }
    },
  });
  return eventStream(body);
}

/** Each `chunk` of the query as a chunk of its own; `hex` ones are bytes. It stays open with `open`. */
function chunks(query: URLSearchParams): Response {
  const parts = query.getAll("chunk").map((chunk) => new TextEncoder().encode(chunk));
  parts.push(...query.getAll("hex").map((hex) => Uint8Array.fromHex(hex)));
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      const part = parts.shift();
      if (part !== undefined) {
        controller.enqueue(part);
        // A task of its own for each, or the transport joins them.
        await new Promise((resolve) => setTimeout(resolve, 5));
      } else if (query.has("open")) {
        await new Promise(() => {});
      } else {
        controller.close();
      }
    },
  });
  return eventStream(body, { headers: { "content-type": EVENT_STREAM } });
}

/**
 * The first request of a `key` gets the first `answer`, and so on, the last one stays: a status, whose
 * header `x-answer` counts. A 200 is an event stream of one event, which counts too, and ends; `type` is
 * its content type.
 */
function answers(query: URLSearchParams, _: Request, memory: Memory): Response {
  const count = memory.count(keyOf(query));
  const all = query.getAll("answer");
  const status = Number(all[Math.min(count, all.length) - 1]);
  const headers = new Headers({ "x-answer": `${count}`, "cache-control": "no-store" });
  if (status !== 200) {
    const body = status === 204 ? null : `answer ${count}`;
    return new Response(body, { status, headers });
  }
  headers.set("content-type", query.get("type") ?? EVENT_STREAM);
  return new Response(`id: ${count}\ndata: ${count}\n\n`, { headers });
}

/** An event that tells of its request. `cookie` in the query sets one. */
async function echo(query: URLSearchParams, request: Request): Promise<Response> {
  const told = {
    method: request.method,
    url: request.url,
    headers: Object.fromEntries(request.headers),
    body: await request.text(),
  };
  const response = eventStream(`data: ${JSON.stringify(told)}\n\n`);
  const cookie = query.get("cookie");
  if (cookie !== null) response.headers.set("set-cookie", `${cookie}; Path=/; SameSite=Lax`);
  return response;
}

/** Leads to `to`, or to itself with `loop`. */
function redirect(query: URLSearchParams): Response {
  const location = query.has("loop") ? "/redirect?loop" : query.get("to") ?? "/";
  return new Response(null, {
    status: Number(query.get("status") ?? 307),
    headers: { location, "cache-control": "no-store" },
  });
}

/** An event, and then nothing. `/left` with its `key` answers when the reader has let go of it. */
function hold(query: URLSearchParams, _: Request, memory: Memory): Response {
  const key = keyOf(query);
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      controller.enqueue(encodeEvent({ id: "1", data: "held" }));
      memory.hold(key, () => controller.close());
    },
    cancel: () => memory.leave(key),
  });
  return eventStream(body);
}

/** Nothing at all, until the reader lets go of it. */
async function silent(
  query: URLSearchParams,
  { signal }: Request,
  memory: Memory,
): Promise<Response> {
  await new Promise<void>((resolve) => {
    memory.hold(keyOf(query), resolve);
    signal.addEventListener("abort", () => memory.leave(keyOf(query)));
  });
  return new Response(null, { status: 204 });
}

/** Large events for as long as they are taken. `/flooded` with its `key` tells how many were. */
function flood(query: URLSearchParams, _: Request, memory: Memory): Response {
  const key = keyOf(query);
  const bytes = encodeEvent({ data: "x".repeat(FLOOD) });
  let gone = false;
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      if (gone) return;
      memory.count(key);
      controller.enqueue(bytes.slice());
    },
    cancel() {
      gone = true;
    },
  });
  return eventStream(body);
}
