/**
 * What `sse serve` serves, as a function from request to response: topics, health, metrics and the
 * live page. It knows nothing of a command line or of sockets: the benches, the demo and tests use it
 * too.
 *
 * | route                    | what it does                                                    |
 * | ------------------------ | --------------------------------------------------------------- |
 * | `GET /topics/:topic`     | reads a topic                                                   |
 * | `POST /topics/:topic`    | publishes to it                                                 |
 * | `GET /events?topic=...`  | reads several, by names and patterns; all without `topic`       |
 * | `GET /`, `/page/:file`   | the live page                                                   |
 * | `GET /status`            | what the live page shows, as an event stream                    |
 * | `POST /status/ping`      | sends `pong` to the readers of `/status`, to measure a way      |
 * | `GET /metrics`           | the figures, as OpenMetrics                                     |
 * | `GET /healthz`           | 200, or 503 while it is closing or the log does not answer      |
 *
 * @module
 */

import {
  type CorsOptions,
  type EventLog,
  eventStreamResponse,
  Hub,
  type HubOptions,
  MemoryEventLog,
  OPEN_METRICS_TYPE,
  renderOpenMetrics,
} from "../server.ts";
import { Cors } from "../server/cors.ts";
import { checkPattern } from "../server/patterns.ts";
import { refusal, tooMany } from "../server/request.ts";
import { pageFile } from "./page_files.ts";
import { AccessRules } from "./service/access.ts";
import { Health } from "./service/health.ts";
import { StatusFeed } from "./service/status.ts";
import { TopicCensus } from "./service/topics.ts";

/** What a hub can be told, as far as the service leaves it open. */
type OpenHubOptions = Pick<
  HubOptions<undefined>,
  | "keepAlive"
  | "maxAge"
  | "maxBodySize"
  | "maxQueueBytes"
  | "maxSessions"
  | "maxTopics"
  | "onSession"
  | "onSlow"
  | "presence"
  | "retry"
  | "slowConsumer"
>;

/** What {@linkcode createService} can be told, beside what its hub can. */
export interface ServiceOptions extends OpenHubOptions {
  /** Where the events are kept; it is not closed. Default: a `MemoryEventLog` of its own. */
  log?: EventLog;
  /**
   * What `/status` calls the log.
   *
   * @default {"memory"}
   */
  logName?: string;
  /**
   * What a request must bring, as `Authorization: Bearer ...`, or a `GET` as `?token=...`. `/healthz`
   * and the files of the live page need none. Default: nobody needs one.
   */
  token?: string;
  /** The origins of other pages that may read and publish. Default: none. */
  cors?: CorsOptions["origin"];
  /**
   * The host names that a request may be sent to, in lower case and without a port, an IPv6 address in
   * brackets: what keeps a page of the web, whose name suddenly means 127.0.0.1, from a server on
   * loopback. Names below `localhost` count as `localhost`. Default: any.
   */
  hosts?: readonly string[];
  /**
   * How long the log may take to answer `/healthz`, in ms, from 1 up.
   *
   * @default {2000}
   */
  healthTimeout?: number;
  /**
   * How often the readers of `/status` are told, in ms, from 1 up.
   *
   * @default {1000}
   */
  statusInterval?: number;
}

/** How a service is closed. */
export interface CloseServiceOptions {
  /** Over how many ms its readers are sent away. Default: at once. */
  drain?: number;
}

/** A service that runs. */
export interface Service {
  /** Its topics: what is published here goes to its readers. */
  readonly hub: Hub<undefined>;
  /** Answers a request. */
  fetch(request: Request): Promise<Response>;
  /**
   * Takes neither readers nor events from now on, and sends away those readers that it has; then ends
   * all. A second call waits for the first. Who comes to read is told to come back, by a stream that
   * ends at once.
   */
  close(options?: CloseServiceOptions): Promise<void>;
}

/** After how many seconds a publisher may come back to a service that closes. */
const RETRY_AFTER = 1;

/** After how many ms a reader may at the earliest, if nothing else is said; after twice that at most. */
const COME_BACK = 1_000;

const NOT_FOUND = `Not found. There are:
  GET  /topics/:topic           reads a topic; its name is one segment, with %2F for a slash
  POST /topics/:topic           publishes to it
  GET  /events?topic=a&topic=b  reads several; names or patterns, such as news/*
  GET  /                        the live page
  GET  /status                  what the live page shows, as an event stream
  GET  /metrics                 figures, as OpenMetrics
  GET  /healthz                 whether it is well
`;

/**
 * Makes a service. Nothing listens and no timer runs before somebody asks.
 *
 * @param options Its log, who may use it, how its readers are treated.
 * @returns The service; `close` it.
 * @throws {TypeError} If an option makes no sense.
 * @throws {RangeError} If an option is out of its range.
 */
export function createService(options: ServiceOptions = {}): Service {
  const { log: given, logName = "memory", token, cors: origin, hosts, onSession, ...rest } =
    options;
  const { healthTimeout = 2_000, statusInterval = 1_000, ...hubOptions } = rest;
  const cors = origin === undefined ? undefined : new Cors({ origin });
  const access = new AccessRules({ token, hosts, origin });
  const log = given ?? new MemoryEventLog();
  const census = new TopicCensus(log);
  const hub = new Hub<undefined>({
    ...hubOptions,
    log,
    onSession(session, change) {
      census.count(session, change);
      onSession?.(session, change);
    },
  });
  const health = new Health(log, healthTimeout);
  const status = new StatusFeed({
    interval: statusInterval,
    onFirst: () => census.start(),
    onLast: () => census.stop(),
    report: () => ({
      at: Date.now(),
      metrics: hub.metrics,
      ...census.list((topic) => hub.presence(topic)),
      log: logName,
    }),
  });
  let closing: Promise<void> | undefined;

  async function answer(request: Request, url: URL): Promise<Response> {
    const { pathname } = url;
    const page = pageName(pathname);
    if (page !== undefined) return onlyGet(request) ?? await pageFile(page, request) ?? notFound();
    if (pathname === "/healthz") return onlyGet(request) ?? await healthz();
    const denied = access.checkToken(request, url);
    if (denied !== undefined) return denied;
    switch (pathname) {
      case "/events":
        return onlyGet(request) ?? readEvents(request, url);
      case "/status":
        return onlyGet(request) ?? status.subscribe(request, url);
      case "/status/ping":
        return onlyPost(request) ?? await status.ping(request);
      case "/metrics":
        return onlyGet(request) ?? metrics();
    }
    if (!/^\/topics\/[^/]+$/.test(pathname)) return notFound();
    if (closing !== undefined) {
      if (request.method === "POST") return tooMany(RETRY_AFTER, "Closing, publish again later");
      return onlyGet(request) ?? comeBack(request);
    }
    const response = await hub.fetch(request);
    return response.status === 404 ? notFound() : response;
  }

  function readEvents(request: Request, { searchParams }: URL): Response {
    if (closing !== undefined) return comeBack(request);
    const given = searchParams.getAll("topic");
    const topics = given.length === 0 ? ["*"] : given;
    try {
      // The name of a topic is a pattern, too.
      for (const topic of topics) checkPattern(topic);
    } catch (error) {
      return refusal(400, error instanceof Error ? error.message : String(error));
    }
    return hub.subscribe(request, { topics });
  }

  /** A stream that ends: its reader comes back, where a 503 would be the end for an EventSource. */
  function comeBack(request: Request): Response {
    const retry = Math.round((options.retry ?? COME_BACK) * (1 + Math.random()));
    return eventStreamResponse([], { request, retry });
  }

  function metrics(): Response {
    const headers = { "content-type": OPEN_METRICS_TYPE, "cache-control": "no-store" };
    return new Response(renderOpenMetrics(hub.metrics), { headers });
  }

  async function healthz(): Promise<Response> {
    if (closing !== undefined) return refusal(503, "Closing\n");
    const fault = await health.check();
    if (fault !== undefined) return refusal(503, `${fault}\n`);
    return new Response("ok\n", { headers: { "cache-control": "no-store" } });
  }

  async function end({ drain }: CloseServiceOptions): Promise<void> {
    await hub.close({ drain });
    await status.close();
    census.stop();
    if (given === undefined) await log.close();
  }

  return {
    hub,
    async fetch(request) {
      const url = URL.canParse(request.url) ? new URL(request.url) : undefined;
      if (url === undefined) return refusal(400, "Bad Request: its URL is none");
      const refused = access.checkSource(request, url);
      if (refused !== undefined) return refused;
      const preflight = cors?.preflight(request);
      if (preflight !== undefined) return preflight;
      const response = await answer(request, url);
      return cors?.apply(request, response) ?? response;
    },
    close(options = {}) {
      closing ??= end(options);
      return closing;
    },
  };
}

/** The file of the live page that a path names. */
function pageName(pathname: string): string | undefined {
  if (pathname === "/") return "index.html";
  return /^\/page\/([^/]+)$/.exec(pathname)?.[1];
}

function onlyGet({ method }: Request): Response | undefined {
  if (method === "GET" || method === "HEAD") return undefined;
  return refusal(405, "Method not allowed: ask with GET", { allow: "GET, HEAD" });
}

function onlyPost({ method }: Request): Response | undefined {
  if (method === "POST") return undefined;
  return refusal(405, "Method not allowed: ask with POST", { allow: "POST" });
}

function notFound(): Response {
  return refusal(404, NOT_FOUND);
}
