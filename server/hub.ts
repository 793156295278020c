/**
 * Many topics on one log.
 *
 * @module
 */

import type { ServerSentEventInit } from "../encode.ts";
import { LogUnavailableError } from "../errors.ts";
import { denialOf } from "./access.ts";
import { Channel, HubTopic } from "./channel.ts";
import type {
  Authorization,
  AuthorizeResult,
  ChannelOptions,
  CloseOptions,
  PublishOptions,
  SubscribeOptions,
  SubscribeResult,
} from "./channel_options.ts";
import { Cors, type CorsOptions } from "./cors.ts";
import { Fanout, RETRY_AFTER } from "./fanout.ts";
import type { ChannelMetrics } from "./metrics.ts";
import { checkTopic } from "./patterns.ts";
import { readPublished } from "./publish.ts";
import { refusal, tooMany } from "./request.ts";
import type { Session } from "./session.ts";
import { checkNumber } from "./stream_options.ts";

/**
 * What a hub can be told.
 *
 * @typeParam State What `session.state` is.
 * @typeParam A What `authorize` gives.
 */
export interface HubOptions<State = unknown, A extends Authorization = AuthorizeResult>
  extends Omit<ChannelOptions<State, A>, "topic"> {
  /**
   * How many topics one connection may carry, from 1 up: its last event ID names them all. Names and
   * patterns count; a session whose patterns come to match more ends as `"error"`.
   *
   * @default {100}
   */
  maxTopics?: number;
  /**
   * How many bytes the body of a `POST` to `fetch` may have, from 0 up.
   *
   * @default {65536}
   */
  maxBodySize?: number;
  /** Which pages of other origins may use `fetch`. Default: none. */
  cors?: CorsOptions;
}

/** What one `subscribe` of a hub is told. */
export interface HubSubscribeOptions<State = unknown> extends SubscribeOptions<State> {
  /**
   * The topics, by their names or by patterns, which are split at `/`: `:id` as a whole segment stands
   * for any one, `*` as the last one for all that follow (`news/*` is `news/a` and `news/a/b`, but not
   * `news`), `*` alone for every topic. A colon inside a segment is text (`user:7`); braces,
   * parentheses, backslashes and modifiers of `URLPattern` are refused. A pattern follows topics that
   * come later, too, from their first event. A name that the last event ID of a reader does not have
   * begins live. One name or pattern at least.
   */
  topics: readonly string[];
}

const TOPIC_PATH = /\/topics\/([^/]+)$/;

/**
 * Many topics on one log, created by their first event or reader and dropped with their last.
 *
 * One connection may carry several topics; its last event ID says where it is in each.
 *
 * @typeParam State What `session.state` is.
 * @typeParam A What `authorize` gives.
 *
 * @example Two topics on one connection
 * ```ts
 * import { Hub } from "@webstreams/sse/server";
 * import { readEvents } from "@webstreams/sse/parse";
 * import { assertEquals } from "@std/assert";
 *
 * const hub = new Hub();
 * const request = new Request("http://localhost/");
 * const reader = readEvents(hub.subscribe(request, { topics: ["news", "scores/*"] }));
 * const next = reader.next();
 * await hub.publish("scores/final", { data: "3:1" });
 * assertEquals((await next).value?.data, "3:1");
 * await reader.return();
 * await hub.close();
 * ```
 */
export class Hub<State = unknown, A extends Authorization = AuthorizeResult>
  implements AsyncDisposable {
  readonly #fanout: Fanout<State, A>;
  readonly #cors: Cors | undefined;
  readonly #maxBodySize: number;

  /**
   * Makes a hub.
   *
   * @param options Its log, how its readers are treated, hooks, and what `fetch` allows.
   * @throws {TypeError} If an option that another one needs is missing, or `cors` makes no sense.
   * @throws {RangeError} If an option is out of its range.
   */
  constructor(options: HubOptions<State, A> = {}) {
    const { maxBodySize = 65_536, cors } = options;
    checkNumber("maxBodySize", maxBodySize, 0);
    this.#maxBodySize = maxBodySize;
    this.#cors = cors === undefined ? undefined : new Cors(cors);
    this.#fanout = new Fanout(options);
  }

  /** The figures by now, of all topics. */
  get metrics(): ChannelMetrics {
    return this.#fanout.metrics;
  }

  /** How many sessions there are. */
  get size(): number {
    return this.#fanout.sessions().size;
  }

  /**
   * Publishes an event to a topic.
   *
   * @param topic The topic, 1 to 256 UTF-16 code units; no pattern, and none of the names that begin
   * with `$sse/`, which are kept for what processes tell each other.
   * @param event The event, without `id`: the log gives it.
   * @param options An idempotency key, a session that is not to get it.
   * @returns The id, when the log has the event.
   * @throws {TypeError} If the topic is none, the event cannot be encoded or has an `id`, or the hub is
   * closed.
   * @throws {RangeError} If `retry` cannot be encoded.
   *
   * @example Publish twice, once
   * ```ts
   * import { Hub } from "@webstreams/sse/server";
   * import { assertEquals } from "@std/assert";
   *
   * await using hub = new Hub();
   * const publish = () => hub.publish("news", { data: "a" }, { idempotencyKey: "order-7" });
   * assertEquals(await publish(), await publish());
   * ```
   */
  publish(
    topic: string,
    event: ServerSentEventInit,
    options?: PublishOptions<State>,
  ): Promise<string> {
    return this.#fanout.publish(topic, event, options);
  }

  /**
   * Answers a request with the events of topics, from where its `Last-Event-ID` says.
   *
   * @param request The request, from wherever.
   * @param options The topics; state, filter and headers of this session.
   * @returns The response, as that of {@linkcode Channel.subscribe}; 400 also if there are more than
   * `maxTopics`, or their names are too long for a last event ID.
   * @throws {TypeError} If a topic or a pattern is none, or there are none.
   *
   * @example All that matches
   * ```ts
   * import { Hub } from "@webstreams/sse/server";
   * import { assertEquals } from "@std/assert";
   *
   * await using hub = new Hub();
   * const response = hub.subscribe(new Request("http://localhost/"), { topics: ["news/:id"] });
   * assertEquals(response.status, 200);
   * await response.body?.cancel();
   * ```
   */
  subscribe(request: Request, options: HubSubscribeOptions<State>): SubscribeResult<A> {
    const { topics, ...rest } = options;
    if (!Array.isArray(topics) || topics.length === 0) {
      throw new TypeError('Cannot subscribe: "topics" must name one topic at least');
    }
    return this.#fanout.subscribe(request, topics, rest);
  }

  /**
   * One topic as a channel of its own.
   *
   * @param topic The topic.
   * @returns A channel, made afresh and kept by nobody.
   * @throws {TypeError} If the topic is none.
   *
   * @example Hand a part of the program its topic
   * ```ts
   * import { Hub } from "@webstreams/sse/server";
   * import { assertEquals } from "@std/assert";
   *
   * await using hub = new Hub();
   * const news = hub.channel("news");
   * await news.publish({ data: "a" });
   * assertEquals(hub.metrics.published, 1);
   * ```
   */
  channel(topic: string): Channel<State, A> {
    return new Channel(new HubTopic(this.#fanout, topic));
  }

  /**
   * The sessions that there are, of all topics.
   *
   * @returns An iterator over them.
   *
   * @example Count by user
   * ```ts
   * import { Hub } from "@webstreams/sse/server";
   * import { assertEquals } from "@std/assert";
   *
   * await using hub = new Hub<{ user: string }>();
   * const users = new Set(Array.from(hub.sessions(), (session) => session.state.user));
   * assertEquals(users.size, 0);
   * ```
   */
  sessions(): Iterable<Session<State>> {
    return this.#fanout.sessions().keys();
  }

  /**
   * A ready handler, to be given to `Deno.serve` for example. Its paths may have any prefix.
   *
   * - `GET /topics/:topic` subscribes; the name is percent-encoded.
   * - `POST /topics/:topic` publishes: an `application/json` object with `data` (text, or any JSON
   *   value), `event` and `retry`, or `text/plain` as `data`. An `Idempotency-Key` is heeded. The
   *   answer is 202 with `{"id"}`.
   *
   * **Anybody may publish**, unless `authorize` says otherwise: it is asked for both.
   *
   * @param request The request.
   * @returns The response; 404 for another path, 405 for another method, 413 for a body that is too
   * large, 415 for another type of it, 400 for one that is no event, 503 with `Retry-After` if the hub
   * is closed or the log is away (the event may be in it all the same: with an `Idempotency-Key` it is
   * safe to post it again). It rejects with whatever else the log or `authorize` fails of.
   *
   * @example Publish and read over HTTP
   * ```ts
   * import { Hub } from "@webstreams/sse/server";
   * import { assertEquals } from "@std/assert";
   *
   * await using hub = new Hub();
   * const url = "http://localhost/topics/news";
   * const headers = { "content-type": "application/json" };
   * const body = JSON.stringify({ event: "flash", data: { text: "hello" } });
   * const response = await hub.fetch(new Request(url, { method: "POST", headers, body }));
   * assertEquals([response.status, Object.keys(await response.json())], [202, ["id"]]);
   * ```
   */
  async fetch(request: Request): Promise<Response> {
    const preflight = this.#cors?.preflight(request);
    if (preflight !== undefined) return preflight;
    const response = await this.#answer(request);
    return this.#cors?.apply(request, response) ?? response;
  }

  /**
   * Ends the sessions that a predicate names, as `"revoked"`: those of this process, for no other one
   * can call the predicate. {@linkcode Hub.revokeUser} goes to all.
   *
   * @param predicate Called with each session.
   * @returns How many there were.
   *
   * @example Throw all out
   * ```ts
   * import { Hub } from "@webstreams/sse/server";
   * import { assertEquals } from "@std/assert";
   *
   * await using hub = new Hub();
   * assertEquals(hub.revoke(() => true), 0);
   * ```
   */
  revoke(predicate: (session: Session<State>) => boolean): number {
    return this.#fanout.revoke(predicate);
  }

  /**
   * Ends the sessions of a user, as `"revoked"`: in this process at once, and in all others on the log
   * that was given. Their readers may come back, and `authorize` is asked: forbid it before.
   *
   * It goes through a topic of the log that `presence` uses, too. A process that was cut off finds it
   * there when it is back, as long as the log holds it, and authorizes all its users again if it may
   * have missed one: with 100 processes, an `interval` of 10 s and a log that holds 1000 events of a
   * topic a revoke is held for about 100 s.
   *
   * @param user The `user` of the sessions, as `subscribe` was told.
   * @returns When the log has it; the others get it as they get events.
   * @throws {TypeError} If the user is no text of 1 to 1024 UTF-16 code units, or the hub is closed.
   * @throws {LogUnavailableError} If the log is away: the sessions of this process have ended all the
   * same, and it is safe to ask again.
   *
   * @example Throw somebody out of all processes
   * ```ts
   * import { Hub, MemoryEventLog } from "@webstreams/sse/server";
   * import { assertEquals } from "@std/assert";
   *
   * const log = new MemoryEventLog();
   * const [here, there] = [new Hub({ log }), new Hub({ log })];
   * there.subscribe(new Request("http://localhost/"), { topics: ["news"], user: "eve" });
   * await here.revokeUser("eve");
   * assertEquals(there.size, 0);
   * ```
   */
  revokeUser(user: string): Promise<void> {
    return this.#fanout.revokeUser(user);
  }

  /**
   * How many sessions a topic has, by its name or by patterns, in all processes that share the log and
   * have `presence` on; without the option those of this process.
   *
   * What others say takes a second or two to be here. While the log is away they are forgotten after
   * `expiry`, and counted again when it is back. Up to 1000 other processes are counted, and 100 000
   * topics of each.
   *
   * @param topic The topic.
   * @returns How many there are.
   * @throws {TypeError} If the topic is none.
   *
   * @example Who else is here
   * ```ts
   * import { Hub, MemoryEventLog } from "@webstreams/sse/server";
   * import { assertEquals } from "@std/assert";
   *
   * await using hub = new Hub({ log: new MemoryEventLog(), presence: true });
   * hub.subscribe(new Request("http://localhost/"), { topics: ["rooms/*", "rooms/7"] });
   * assertEquals(hub.presence("rooms/7"), 1);
   * ```
   */
  presence(topic: string): number {
    return this.#fanout.presence(topic);
  }

  /**
   * Ends all sessions, and takes no more. Its own log is closed; one that it was given is not.
   *
   * @param options Over which time.
   * @returns When all have ended and what they were sent has left, or does not leave within a second.
   * @throws {RangeError} If `drain` is out of its range.
   *
   * @example Send readers away over ten seconds
   * ```ts
   * import { Hub } from "@webstreams/sse/server";
   *
   * const hub = new Hub();
   * await hub.close({ drain: 10_000 });
   * ```
   */
  close(options: CloseOptions = {}): Promise<void> {
    return this.#fanout.close(options);
  }

  /** Closes it, at once. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #answer(request: Request): Promise<Response> {
    const topic = topicOf(request.url);
    if (topic === undefined) return refusal(404, "Not found, ask for /topics/:topic");
    switch (request.method) {
      case "GET":
      case "HEAD":
        return await this.#fanout.subscribe(request, [topic], {});
      case "POST":
        return await this.#publish(request, topic);
      default:
        return refusal(405, "Method not allowed", { allow: "GET, HEAD, POST" });
    }
  }

  async #publish(request: Request, topic: string): Promise<Response> {
    const denied = denialOf(await this.#fanout.authorize(request, [topic]));
    if (denied !== undefined) return denied;
    const published = await readPublished(request, { maxBodySize: this.#maxBodySize });
    if (published instanceof Response) return published;
    if (this.#fanout.closed) return tooMany(RETRY_AFTER, "Closed, try again later");
    const { event, idempotencyKey } = published;
    try {
      const id = await this.#fanout.publish(topic, event, { idempotencyKey });
      return Response.json({ id }, { status: 202, headers: { "cache-control": "no-store" } });
    } catch (error) {
      if (!(error instanceof LogUnavailableError)) throw error;
      return tooMany(RETRY_AFTER, "The event log is away, try again later");
    }
  }
}

/** The topic that a URL names, if it names one. */
function topicOf(url: string): string | undefined {
  try {
    // Throws where a peer has sent a bad host.
    const match = TOPIC_PATH.exec(new URL(url).pathname);
    if (match === null) return undefined;
    const topic = decodeURIComponent(match[1]);
    checkTopic(topic);
    return topic;
  } catch {
    return undefined;
  }
}
