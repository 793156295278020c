/**
 * One topic's fan-out to its readers.
 *
 * @module
 */

import type { ServerSentEventInit } from "../encode.ts";
import type {
  Authorization,
  AuthorizeResult,
  ChannelOptions,
  CloseOptions,
  PublishOptions,
  SubscribeOptions,
  SubscribeResult,
} from "./channel_options.ts";
import { Fanout } from "./fanout.ts";
import type { ChannelMetrics } from "./metrics.ts";
import { checkTopic } from "./patterns.ts";
import type { Session } from "./session.ts";

/** Options that stand for a topic of a hub. None of the public names: a hub makes its channels. */
export class HubTopic<State, A extends Authorization> implements ChannelOptions<State, A> {
  readonly fanout: Fanout<State, A>;
  readonly topic: string;

  constructor(fanout: Fanout<State, A>, topic: string) {
    this.fanout = fanout;
    this.topic = topic;
  }
}

/**
 * One topic and its readers: what is published goes to all that have subscribed, and those that come
 * back are given what they missed.
 *
 * @typeParam State What `session.state` is.
 * @typeParam A What `authorize` gives.
 *
 * @example Publish to all who are connected
 * ```ts
 * import { Channel } from "@webstreams/sse/server";
 * import { readEvents } from "@webstreams/sse/parse";
 * import { assertEquals } from "@std/assert";
 *
 * await using channel = new Channel();
 * const reader = readEvents(channel.subscribe(new Request("http://localhost/news")));
 * const next = reader.next();
 * const id = await channel.publish({ data: "hello" });
 * assertEquals((await next).value, { event: "message", data: "hello", id });
 * await reader.return();
 * ```
 */
export class Channel<State = unknown, A extends Authorization = AuthorizeResult>
  implements AsyncDisposable {
  readonly #fanout: Fanout<State, A>;
  readonly #topic: string;
  /** A hub has others beside it. */
  readonly #view: boolean;

  /**
   * Makes a channel.
   *
   * @param options Its topic and log, how its readers are treated, and hooks.
   * @throws {TypeError} If the topic is none, or an option that another one needs is missing.
   * @throws {RangeError} If an option is out of its range.
   */
  constructor(options: ChannelOptions<State, A> = {}) {
    const { topic = "default" } = options;
    checkTopic(topic);
    this.#topic = topic;
    this.#view = options instanceof HubTopic;
    this.#fanout = options instanceof HubTopic ? options.fanout : new Fanout(options);
  }

  /** How many sessions there are. */
  get size(): number {
    return this.#sessions.size;
  }

  /**
   * How many sessions its topic has, in all processes that share the log and have `presence` on;
   * without the option those of this process. What others say takes a second or two to be here.
   */
  get presence(): number {
    return this.#fanout.presence(this.#topic);
  }

  /** The figures by now; in a channel of a hub those of the hub. */
  get metrics(): ChannelMetrics {
    return this.#fanout.metrics;
  }

  /**
   * Publishes an event to all readers, now and when they come back.
   *
   * It is encoded once, and those that are published in one turn leave as one chunk.
   *
   * @param event The event, without `id`: the log gives it.
   * @param options An idempotency key, a session that is not to get it.
   * @returns The id, when the log has the event.
   * @throws {TypeError} If the event cannot be encoded or has an `id`, or the channel is closed.
   * @throws {RangeError} If `retry` cannot be encoded.
   *
   * @example To all but the one who said it
   * ```ts
   * import { Channel, type Session } from "@webstreams/sse/server";
   * import { assertEquals } from "@std/assert";
   *
   * const sessions: Session[] = [];
   * await using channel = new Channel({ onSession: (session) => sessions.push(session) });
   * const { body } = channel.subscribe(new Request("http://localhost/chat"));
   * const id = await channel.publish({ data: "hi" }, { exclude: sessions[0] });
   * assertEquals(id.split(".")[1], "1");
   * await body?.cancel();
   * ```
   */
  publish(event: ServerSentEventInit, options?: PublishOptions<State>): Promise<string> {
    return this.#fanout.publish(this.#topic, event, options);
  }

  /**
   * Answers a request with the event stream of this channel, from where its `Last-Event-ID` says.
   *
   * @param request The request, from wherever.
   * @param options State, filter and headers of this session.
   * @returns The response: the stream, or 403 if it is not authorized, 406 if its `Accept` excludes
   * event streams, 400 if its last event ID is one that nobody can have sent, 503 if there are too
   * many sessions or the channel is closing. With an `authorize` that is asynchronous, the promise
   * of it.
   * @throws {TypeError} If a header is one that no stream may have.
   *
   * @example Serve a channel
   * ```ts
   * import { Channel } from "@webstreams/sse/server";
   * import { assertEquals } from "@std/assert";
   *
   * await using channel = new Channel({ retry: 2_000 });
   * const response = channel.subscribe(new Request("http://localhost/news"));
   * assertEquals(response.headers.get("content-type"), "text/event-stream");
   * await response.body?.cancel();
   * ```
   */
  subscribe(request: Request, options: SubscribeOptions<State> = {}): SubscribeResult<A> {
    return this.#fanout.subscribe(request, [this.#topic], options);
  }

  /**
   * The sessions that there are.
   *
   * @returns An iterator over them.
   *
   * @example Say something to each
   * ```ts
   * import { Channel } from "@webstreams/sse/server";
   *
   * await using channel = new Channel();
   * for (const session of channel.sessions()) await session.send({ data: "for you alone" });
   * ```
   */
  sessions(): Iterable<Session<State>> {
    return this.#sessions.keys();
  }

  /**
   * Ends the sessions that a predicate names, as `"revoked"`: those of this process, for no other one
   * can call the predicate. {@linkcode Channel.revokeUser} goes to all.
   *
   * @param predicate Called with each session.
   * @returns How many there were.
   *
   * @example Throw somebody out
   * ```ts
   * import { Channel } from "@webstreams/sse/server";
   * import { assertEquals } from "@std/assert";
   *
   * await using channel = new Channel<{ user: string }>();
   * const request = new Request("http://localhost/news");
   * const response = channel.subscribe(request, { state: { user: "eve" } });
   * assertEquals(channel.revoke(({ state }) => state.user === "eve"), 1);
   * await response.text();
   * ```
   */
  revoke(predicate: (session: Session<State>) => boolean): number {
    return this.#fanout.revoke(predicate, this.#filter);
  }

  /**
   * Ends the sessions of a user that read the topic of this channel, as `"revoked"`: in this process at
   * once, and in all others on the log that was given. Their readers may come back, and `authorize` is
   * asked: forbid it before.
   *
   * @param user The `user` of the sessions, as `subscribe` was told.
   * @returns When the log has it; the others get it as they get events.
   * @throws {TypeError} If the user is no text of 1 to 1024 UTF-16 code units, or the channel is closed.
   * @throws {LogUnavailableError} If the log is away: the sessions of this process have ended all the
   * same, and it is safe to ask again.
   *
   * @example Throw somebody out of a room
   * ```ts
   * import { Channel } from "@webstreams/sse/server";
   * import { assertEquals } from "@std/assert";
   *
   * await using room = new Channel();
   * const response = room.subscribe(new Request("http://localhost/room"), { user: "eve" });
   * await room.revokeUser("eve");
   * assertEquals([room.size, await response.text()], [0, ": \n\n"]);
   * ```
   */
  revokeUser(user: string): Promise<void> {
    return this.#fanout.revokeUser(user, this.#topic);
  }

  /**
   * Ends all sessions, and takes no more. In a channel of a hub the topic stays: it ends the sessions
   * that it has now.
   *
   * A reader that takes nothing keeps its connection, and with it the `shutdown()` of `Deno.serve`:
   * abort the `signal` of the server in place of it where that must not be waited for.
   *
   * @param options Over which time.
   * @returns When all have ended and what they were sent has left, or does not leave within a second.
   * @throws {RangeError} If `drain` is out of its range.
   *
   * @example Shut a server down
   * ```ts
   * import { Channel } from "@webstreams/sse/server";
   * import { assertEquals } from "@std/assert";
   *
   * const channel = new Channel();
   * const server = Deno.serve({ port: 0, onListen() {} }, (request) => channel.subscribe(request));
   * await channel.close({ drain: 100 });
   * await server.shutdown();
   * assertEquals(channel.size, 0);
   * ```
   */
  close(options: CloseOptions = {}): Promise<void> {
    return this.#view ? this.#fanout.closeTopic(this.#topic, options) : this.#fanout.close(options);
  }

  /** Closes it, at once. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  get #filter(): string | undefined {
    return this.#view ? this.#topic : undefined;
  }

  get #sessions(): ReadonlyMap<Session<State>, unknown> | ReadonlySet<Session<State>> {
    return this.#fanout.sessions(this.#filter);
  }
}
