/**
 * Answers what web-platform-tests ask of their server: the files of a checkout, and in place of its
 * Python handlers a table of our own, written from what the tests of `eventsource/` need.
 *
 * @module
 */

import { setTimeout as delay } from "node:timers/promises";

/** The name that the pages of the tests live under. Nobody resolves it but `_wpt_browser.ts`. */
export const HOST = "web-platform.test";

/** The port that the pages see, whatever the server listens on: it is in the titles of tests. */
export const PORT = "8000";

/** A server of the tests, on loopback. */
export interface TestServer extends AsyncDisposable {
  /** The port that it really listens on. */
  readonly port: number;
  /** Handlers that a test asked for and that are not in the table. */
  readonly unknown: Set<string>;
}

interface Context {
  folder: string;
  closing: AbortSignal;
}

type Handler = (
  request: Request,
  query: URLSearchParams,
  context: Context,
) => Response | Promise<Response>;

const EVENT_STREAM = { "content-type": "text/event-stream" };

const HANDLERS: Record<string, Handler> = {
  "/common/redirect.py": redirect,
  "/eventsource/resources/cors-cookie.py": corsCookie,
  "/eventsource/resources/cors.py": cors,
  "/eventsource/resources/last-event-id.py": lastEventId,
  "/eventsource/resources/last-event-id2.py": lastEventId2,
  "/eventsource/resources/message.py": message,
  "/eventsource/resources/message2.py": endlessMessages,
  "/eventsource/resources/reconnect-fail.py": reconnectFail,
  "/eventsource/resources/status-error.py": statusError,
  "/eventsource/resources/status-reconnect.py": statusReconnect,
};

/** Serves the checkout in `folder`. */
export function serveTests(folder: string): TestServer {
  const unknown = new Set<string>();
  const closing = new AbortController();
  const context = { folder, closing: closing.signal };
  const options = { hostname: "127.0.0.1", port: 0, signal: closing.signal, onListen() {} };
  const server = Deno.serve(options, (request) => {
    const { pathname, searchParams } = new URL(request.url);
    const handler = HANDLERS[pathname];
    if (handler !== undefined) return handler(request, searchParams, context);
    if (!pathname.endsWith(".py")) return file(request, folder, pathname);
    unknown.add(pathname);
    return new Response(`No handler for ${pathname}`, { status: 501 });
  });
  return {
    port: server.addr.port,
    unknown,
    async [Symbol.asyncDispose]() {
      closing.abort();
      await server.finished;
    },
  };
}

/** Fills in `{{host}}` and the like, as the server of the tests does in `.sub.` files. */
export function substitute(text: string, headers?: Headers): string {
  return text.replace(/\{\{(\w+)(?:\[([^\]]*)\])?[^}]*\}\}/g, (_, name: string, key?: string) => {
    if (name === "headers") return headers?.get(key ?? "") ?? "";
    if (name === "domains") return `${key}.${HOST}`;
    if (name === "ports") return key === "http" ? PORT : "8443";
    return HOST;
  });
}

async function file(
  { url, headers }: Request,
  folder: string,
  pathname: string,
  sub: boolean = pathname.includes(".sub.") || url.includes("pipe=sub"),
): Promise<Response> {
  try {
    const text = await Deno.readTextFile(folder + decodeURIComponent(pathname));
    const type = pathname.endsWith(".event_stream") ? { headers: EVENT_STREAM } : undefined;
    return new Response(sub ? substitute(text, headers) : text, type);
  } catch {
    return new Response("Not found", { status: 404 });
  }
}

function redirect(_: Request, query: URLSearchParams): Response {
  const location = query.get("location") ?? "/";
  return new Response(null, { status: Number(query.get("status") ?? 302), headers: { location } });
}

// The answer of another handler, given to whom it may concern.
async function cors(
  request: Request,
  query: URLSearchParams,
  context: Context,
): Promise<Response> {
  const run = query.get("run");
  const other = run === "redirect" ? redirect : HANDLERS[`/eventsource/resources/${run}.py`];
  const answer = run === "cache-control"
    ? await file(request, context.folder, "/eventsource/resources/cache-control.event_stream", true)
    : await other(request, query, context);
  const headers = new Headers(answer.headers);
  allow(headers, request, query);
  return new Response(answer.body, { status: answer.status, headers });
}

function allow(headers: Headers, request: Request, query: URLSearchParams): void {
  const origin = query.get("origin") ?? request.headers.get("origin") ?? "";
  const credentials = query.get("credentials") ?? "true";
  if (origin !== "none") headers.set("access-control-allow-origin", origin);
  if (credentials !== "none") headers.set("access-control-allow-credentials", credentials);
}

// Reports whether the cookie was there, and sets it the first time.
function corsCookie(request: Request, query: URLSearchParams): Response {
  const name = query.get("ident") ?? "test";
  const seen = cookie(request, name) === undefined ? "NO_COOKIE" : "COOKIE";
  const id = request.headers.get("last-event-id") ?? "";
  const headers = new Headers(id === "" || id === "1" ? EVENT_STREAM : { "content-type": "stop" });
  allow(headers, request, query);
  if (id === "") headers.append("set-cookie", `${name}=COOKIE; Path=/`);
  if (id === "1") headers.append("set-cookie", `${name}=; Path=/; Max-Age=0`);
  if (id === "") return new Response(`id: 1\nretry: 200\ndata: first ${seen}\n\n`, { headers });
  if (id === "1") return new Response(`id: 2\ndata: second ${seen}\n\n`, { headers });
  return new Response(`data: ${id}${seen}\n\n`, { headers });
}

// Echoes the ID that came with a reconnect. A header is bytes, one to a char: hand them back as such.
function lastEventId(request: Request, query: URLSearchParams): Response {
  const id = request.headers.get("last-event-id");
  if (id === null || id === "") {
    const value = query.get("idvalue") ?? "…";
    return new Response(`id: ${value}\nretry: 200\ndata: hello\n\n`, { headers: EVENT_STREAM });
  }
  const echo = Uint8Array.from(`data: ${id}\n\n`, (char) => char.charCodeAt(0));
  return new Response(echo, { headers: EVENT_STREAM });
}

function lastEventId2(_: Request, query: URLSearchParams): Response {
  const bodies: Record<string, string> = {
    1: "id: 1\ndata: 1\n\ndata: 2\n\nid: 2\ndata:3\n\ndata:4\n\n",
    2: "id: 1\ndata: 1\n\nid:\ndata:2\n\ndata:3\n\n",
    3: "id: 1\ndata: 1\n\nid\ndata:2\n\ndata:3\n\n",
  };
  const body = bodies[query.get("type") ?? 1] ?? "data: invalid_test\n\n";
  return new Response(body, { headers: EVENT_STREAM });
}

async function message(
  _: Request,
  query: URLSearchParams,
  { closing }: Context,
): Promise<Response> {
  const body = query.get("message") ?? "data: data";
  const end = query.get("newline") === "none" ? "\n" : "\n\n\n";
  const sleep = Number(query.get("sleep") ?? 0);
  await delay(sleep, undefined, { signal: closing }).catch(() => {});
  const headers = { "content-type": query.get("mime") ?? "text/event-stream" };
  return new Response(body + end, { headers });
}

// All the shapes of a line, again and again, on one connection.
function endlessMessages(_: Request, __: URLSearchParams, { closing }: Context): Response {
  const round = new TextEncoder().encode(
    "data:msg\ndata: msg\n\n:\nfalsefield:msg\n\nfalsefield:msg\nData:data\n\ndata\n\ndata:end\n\n",
  );
  let timer: ReturnType<typeof setInterval>;
  const stop = () => clearInterval(timer);
  closing.addEventListener("abort", stop);
  const body = new ReadableStream<Uint8Array<ArrayBuffer>>({
    start(controller) {
      controller.enqueue(round);
      timer = setInterval(() => controller.enqueue(round), 2000);
    },
    cancel: stop,
  });
  return new Response(body, { headers: EVENT_STREAM });
}

// Two connections with a message, then the status that ends it. What was said is in a cookie.
function reconnectFail(request: Request, query: URLSearchParams): Response {
  const name = `recon_fail_${query.get("id")}`;
  const headers = (value: string) => ({ ...EVENT_STREAM, "set-cookie": `${name}=${value}` });
  const state = cookie(request, name);
  if (state === "opened") {
    return new Response("data: reconnected\n\n", { headers: headers("reconnected; Path=/") });
  }
  if (state === "reconnected") {
    return new Response(null, { status: 204, headers: headers("; Path=/; Max-Age=0") });
  }
  return new Response("retry: 2\ndata: opened\n\n", { headers: headers("opened; Path=/") });
}

function statusError(_: Request, query: URLSearchParams): Response {
  const status = Number(query.get("status") ?? 404);
  const body = status === 204 || status === 205 ? null : "data: data\n\n";
  return new Response(body, { status, headers: EVENT_STREAM });
}

// The status on the first connection, a message on the second.
function statusReconnect(request: Request, query: URLSearchParams): Response {
  const status = query.get("status") ?? "204";
  const name = `request${query.get("id") ?? status}`;
  if (cookie(request, name) === status) {
    const headers = { ...EVENT_STREAM, "set-cookie": `${name}=; Path=/; Max-Age=0` };
    return new Response("data: data\n\n", { headers });
  }
  const headers = { ...EVENT_STREAM, "set-cookie": `${name}=${status}; Path=/` };
  const body = `retry: 2\n${query.has("ok_first") ? "data: ok\n\n" : ""}`;
  return new Response(body, { status: Number(status), headers });
}

function cookie(request: Request, name: string): string | undefined {
  const pairs = (request.headers.get("cookie") ?? "").split("; ");
  return pairs.find((pair) => pair.startsWith(`${name}=`))?.slice(name.length + 1);
}
