/**
 * What a channel or a hub can be told.
 *
 * @module
 */

import type { ServerSentEventInit } from "../encode.ts";
import type { LogGap } from "../errors.ts";
import type { CloseReason } from "./close_reason.ts";
import type { AppendOptions, EventLog, LoggedEvent } from "./log.ts";
import type { ChannelMetrics } from "./metrics.ts";
import type { SlowConsumerPolicy } from "./queue.ts";
import type { Session } from "./session.ts";
import type { StreamOptions } from "./stream_options.ts";

/** Whether a request is allowed: yes, no (403), or the response that says no. */
export type AuthorizeResult = boolean | Response;

/** What `authorize` gives: a result, or the promise of one. */
export type Authorization = AuthorizeResult | Promise<AuthorizeResult>;

/** What `subscribe` gives: with an `authorize` that is asynchronous, the promise of a response. */
export type SubscribeResult<A extends Authorization> = A extends PromiseLike<unknown>
  ? Promise<Response>
  : Response;

/** What `authorize` is told beside the request. */
export interface AuthorizeContext {
  /** The topics and patterns that are asked for, or the one that is published to. */
  readonly topics: readonly string[];
}

/** What `onGap` is told. */
export interface GapContext<State = unknown> extends LogGap {
  /** The topic in which events are missing. */
  readonly topic: string;
  /** Where the reader goes on: a snapshot that is made now holds all up to here. */
  readonly id: string;
  /** The session that is missing them. */
  readonly session: Session<State>;
}

/** What `onSlow` is told. */
export interface SlowInfo {
  /** How many events it lost for good; 0 if its session was ended, for it may come back for them. */
  readonly dropped: number;
  /** How many bytes wait, or did before the session was ended. */
  readonly queuedBytes: number;
}

/** When processes tell each other of their sessions. */
export interface PresenceOptions {
  /**
   * After how many ms a process says again that it is there, from 1 up.
   *
   * @default {10000}
   */
  interval?: number;
  /**
   * After how many ms a process of which nothing is heard is counted no more, from `interval` up: it
   * may have been killed. Time is taken here, so that clocks may differ. One that is heard again is
   * counted again. Default: three times `interval`.
   */
  expiry?: number;
}

/**
 * What a channel or a hub can be told.
 *
 * @typeParam State What `session.state` is.
 * @typeParam A What `authorize` gives.
 */
export interface ChannelOptions<
  State = unknown,
  A extends Authorization = AuthorizeResult,
> extends StreamOptions {
  /**
   * The topic of a channel: its name in the log.
   *
   * @default {"default"}
   */
  topic?: string;
  /**
   * Where the events are kept. One that is given is not closed with the channel.
   * Default: a `MemoryEventLog` of its own.
   */
  log?: EventLog;
  /**
   * What to do with a reader that is too slow.
   *
   * @default {"disconnect"}
   */
  slowConsumer?: SlowConsumerPolicy;
  /**
   * For `"latest-by-key"`, which needs it: what an event says something about. An event without a key
   * is never dropped. Default: none.
   *
   * @param event The event.
   * @returns The key, `undefined` for none.
   */
  key?(event: LoggedEvent): string | undefined;
  /**
   * Told of a reader that lost events, or its session, each time. Default: nobody is told.
   *
   * @param session The session.
   * @param info What it lost.
   */
  onSlow?(session: Session<State>, info: SlowInfo): void;
  /**
   * What to send a reader whose last event is no longer held, in place of the `gap` event: a snapshot
   * of what is. Nothing tells of the gap instead. Default: an event of type `gap`, whose data is
   * `{"asked", "first", "reason"}`.
   *
   * @param context What is missing, and whom.
   * @returns The events of the snapshot; `undefined` to tell of the gap.
   */
  onGap?(
    context: GapContext<State>,
  ):
    | Iterable<ServerSentEventInit>
    | undefined
    | Promise<Iterable<ServerSentEventInit> | undefined>;
  /**
   * Whether a request may read, or publish by `Hub.fetch`. What it throws is thrown by `subscribe`.
   * Default: all may.
   *
   * @param request The request: its method tells reading from publishing.
   * @param context The topics.
   * @returns Whether it may, or the response that says no; or the promise of that.
   */
  authorize?(request: Request, context: AuthorizeContext): A;
  /**
   * After how many ms an open session is authorized again, from 1 up; if it is not, or if that fails,
   * it ends. Default: never.
   */
  revalidate?: number;
  /**
   * Which events a reader gets. If it throws, the session ends. Default: all of its topics.
   *
   * @param event The event.
   * @param session The session of the reader.
   * @returns Whether it gets the event.
   */
  filter?(event: LoggedEvent, session: Session<State>): boolean;
  /**
   * Whether to count sessions in all processes that share the log, for `presence`; only with a `log`
   * that is given. It costs events of a topic that is kept for it, beside those that `revokeUser`
   * takes: changes at most once a second, and one of each process every `interval`. How many of them
   * are held is for the log to say, as of any topic.
   *
   * @default {false}
   */
  presence?: boolean | PresenceOptions;
  /**
   * How many sessions there may be; whoever comes then gets a 503 with `Retry-After`. From 0 up.
   *
   * @default {Infinity}
   */
  maxSessions?: number;
  /**
   * Told of each session that comes and goes. Default: nobody is told.
   *
   * @param session The session.
   * @param change `"join"` once it is there, `"leave"` once it is not.
   */
  onSession?(session: Session<State>, change: "join" | "leave"): void;
  /**
   * Told the figures of the channel, once a second while they change.
   * Default: nobody; `metrics` has them.
   *
   * @param metrics The figures, a copy.
   */
  onMetrics?(metrics: ChannelMetrics): void;
}

/** What one `subscribe` can be told. */
export interface SubscribeOptions<State = unknown> {
  /** What `session.state` is at first. Default: `undefined`. */
  state?: State;
  /**
   * Who the reader is, for `revokeUser` in any process on the log: 1 to 1024 UTF-16 code units. On a
   * log that was given, its session begins when the process hears what others revoke; what may have
   * been said before, or is lost to retention later on, makes `authorize` be asked again.
   * Default: nobody.
   */
  user?: string;
  /**
   * Which events this reader gets, of those that the filter of the channel lets pass. Default: all.
   *
   * @param event The event.
   * @param session The session of the reader.
   * @returns Whether it gets the event.
   */
  filter?(event: LoggedEvent, session: Session<State>): boolean;
  /** Headers of this response, beside those of the channel and in their place. Default: none. */
  headers?: ResponseInit["headers"];
  /**
   * Told why the session has ended, once. Default: nobody is told.
   *
   * @param reason Why.
   * @param session The session.
   */
  onClose?(reason: CloseReason, session: Session<State>): void;
}

/** What one `publish` can be told. */
export interface PublishOptions<State = unknown> extends Pick<AppendOptions, "idempotencyKey"> {
  /** A session that does not get the event live: whose reader sent it. Default: none. */
  exclude?: Session<State>;
}

/** How a channel or a hub is closed. */
export interface CloseOptions {
  /**
   * Over how many ms the sessions are ended, so that their readers do not all come back at once; they
   * are told to wait, each a little longer or shorter. From 0 up. Default: they end at once.
   */
  drain?: number;
}
