/**
 * Topics on a log and the readers of them: what a channel and a hub are both made of.
 *
 * @module
 */

import { type ServerSentEventInit, stringifyEvent } from "../encode.ts";
import { Access, denialOf } from "./access.ts";
import type {
  Authorization,
  AuthorizeResult,
  CloseOptions,
  PublishOptions,
  SubscribeOptions,
  SubscribeResult,
} from "./channel_options.ts";
import type { CloseReason } from "./close_reason.ts";
import { Control } from "./control.ts";
import { parseCursor, VectorCursor } from "./cursor.ts";
import { endAll } from "./drain.ts";
import { checkFanoutOptions, type FanoutOptions, type FanoutSettings } from "./fanout_options.ts";
import { FollowedTopics } from "./followed_topics.ts";
import { type EventLog, parseEventId } from "./log.ts";
import { MemoryEventLog } from "./memory_log.ts";
import type { ChannelMetrics } from "./metrics.ts";
import { MetricsReporter } from "./metrics_reporter.ts";
import { checkPattern, checkTopic, isPattern } from "./patterns.ts";
import { Presence } from "./presence.ts";
import type { QueueItem, SlowConsumerPolicy } from "./queue.ts";
import { Reader, senderFor } from "./reader.ts";
import { callHook } from "./report.ts";
import { checkRequest, eventStreamHeaders, refusal, tooMany } from "./request.ts";
import { openSession, outboxOf, type Session } from "./session.ts";
import { checkNumber, firstBytes } from "./stream_options.ts";
import { Subscription } from "./subscription.ts";
import { TopicWatch } from "./topic_watch.ts";
import { Users, type Visit } from "./users.ts";

/** After how many seconds somebody who was turned away may come back. */
export const RETRY_AFTER = 5;

/** What readers wait for at least when all are sent away, in ms. */
const DRAIN_RETRY = 1_000;

/**
 * The place of a topic in a vector, for a reader whose own place in it is no id. No log gives it: who
 * comes back with it is told of a gap, as long as it was not.
 */
const LOST = "lost.0";

/** One reader in here. */
interface Member<State> {
  readonly reader: Reader<State>;
  readonly subscriptions: Map<string, Subscription>;
  /** It asks for these, and for whatever topic matches one of them. */
  readonly patterns: readonly string[];
  readonly onClose: SubscribeOptions<State>["onClose"];
  /** It has a user. */
  readonly visit: Visit<State> | undefined;
  watching?: boolean;
  /** Topics that came before it was told where it is; `undefined` from then on. */
  early?: Set<string>;
  timer?: ReturnType<typeof setTimeout>;
}

/** Who asked for a session, and what for. */
interface Asked<State> {
  readonly request: Request;
  readonly lastEventId: string;
  /** Topics by their names. */
  readonly exact: readonly string[];
  readonly patterns: readonly string[];
  readonly visit: Visit<State> | undefined;
  readonly options: SubscribeOptions<State>;
}

/** Shared by all that have none. */
const NO_PATTERNS: readonly string[] = [];

/** See the module. */
export class Fanout<State, A extends Authorization> {
  readonly #options: FanoutOptions<State, A> & { slowConsumer: SlowConsumerPolicy };
  readonly #log: EventLog;
  readonly #members = new Map<Session<State>, Member<State>>();
  readonly #followed: FollowedTopics<State>;
  readonly #watch: TopicWatch<Member<State>>;
  readonly #access: Access<State, A>;
  /** What processes on a log that they share tell each other. */
  readonly #control: Control | undefined;
  readonly #users: Users<State, A>;
  readonly #presence: Presence | undefined;
  readonly #reporter: MetricsReporter;
  readonly #settings: FanoutSettings;
  readonly #headers: Headers;
  /** What each reader is sent at first. */
  readonly #first: QueueItem;
  #closing: Promise<void> | undefined;
  #closed = false;

  constructor(options: FanoutOptions<State, A>) {
    this.#settings = checkFanoutOptions(options);
    const { slowConsumer, presence } = this.#settings;
    this.#first = { bytes: firstBytes(options), kept: true };
    this.#headers = eventStreamHeaders(options.headers);
    this.#access = new Access(options);
    this.#options = { ...options, slowConsumer };
    this.#log = options.log ?? new MemoryEventLog();
    this.#control = options.log && new Control(options.log);
    this.#users = new Users(this.#access, this.#control);
    this.#followed = new FollowedTopics(this.#log, () => this.#reporter.touch());
    this.#watch = new TopicWatch(
      this.#log,
      (member, topic, isNew) => this.#add(member, topic, isNew),
    );
    this.#reporter = new MetricsReporter(() => this.metrics, options.onMetrics);
    this.#presence = presence && this.#control &&
      new Presence(this.#control, presence, this.#followed);
  }

  /** The figures by now. */
  get metrics(): ChannelMetrics {
    let queuedBytes = 0;
    for (const session of this.#members.keys()) queuedBytes += session.queuedBytes;
    return { ...this.#reporter.counts, sessions: this.#members.size, queuedBytes };
  }

  /** Nothing can be published any more. */
  get closed(): boolean {
    return this.#closed;
  }

  /** The sessions of a topic; of all if it is `undefined`. */
  sessions(topic?: string): ReadonlyMap<Session<State>, unknown> | ReadonlySet<Session<State>> {
    return topic === undefined ? this.#members : this.#followed.sessions(topic);
  }

  /** Whether a request may read topics, or publish to one. */
  authorize(request: Request, topics: readonly string[]): Authorization {
    return this.#access.authorize(request, topics);
  }

  /** How many sessions a topic has, also in other processes if they tell of them. */
  presence(topic: string): number {
    checkTopic(topic);
    return this.sessions(topic).size + (this.#presence?.count(topic) ?? 0);
  }

  async publish(
    topic: string,
    event: ServerSentEventInit,
    { idempotencyKey, exclude }: PublishOptions<State> = {},
  ): Promise<string> {
    checkTopic(topic);
    if (this.#closed) {
      throw new TypeError("Cannot publish: it is closed, publish before the close");
    }
    // A log takes it as it is.
    stringifyEvent(event);
    if (event.id !== undefined) {
      throw new TypeError(
        `Cannot publish: "id" is given by the event log: received ${JSON.stringify(event.id)}`,
      );
    }
    const sender = exclude === undefined ? undefined : senderFor(exclude);
    this.#watch.add(topic);
    const id = await this.#log.append(topic, event, { idempotencyKey, sender });
    this.#reporter.counts.published++;
    this.#reporter.touch();
    return id;
  }

  subscribe(
    request: Request,
    topics: readonly string[],
    options: SubscribeOptions<State>,
  ): SubscribeResult<A> {
    const patterns = topics.filter(isPattern);
    for (const topic of topics) isPattern(topic) ? checkPattern(topic) : checkTopic(topic);
    const exact = [...new Set(topics.filter((topic) => !isPattern(topic)))];
    const headers = this.#headersOf(options);
    const init = { headers };
    const checked = checkRequest(request, headers);
    const open = (allowed: AuthorizeResult): Response => {
      const denied = denialOf(allowed, headers);
      if (denied !== undefined) return denied;
      if (checked instanceof Response) return checked;
      const { maxTopics, maxSessions } = this.#settings;
      if (exact.length + patterns.length > maxTopics || (exact.length > 1 && !fit(exact))) {
        return refusal(400, "Too many topics, or their names are too long: ask for fewer", headers);
      }
      if (this.#closing !== undefined) {
        return tooMany(RETRY_AFTER, "Closing, try again later", headers);
      }
      if (request.method === "HEAD") return new Response(null, init);
      if (this.#members.size >= maxSessions) return tooMany(RETRY_AFTER, undefined, headers);
      const { lastEventId } = checked;
      const session = this.#open({ request, lastEventId, exact, patterns, visit, options });
      return new Response(outboxOf(session).body, init);
    };
    const { user } = options;
    const visit = user === undefined ? undefined : this.#users.arrive(user, request, [...topics]);
    const turnAway = () => {
      if (visit !== undefined && visit.reader === undefined) this.#users.leave(visit);
    };
    let response: Response | Promise<Response> | undefined;
    try {
      const allowed = this.authorize(request, topics);
      response = allowed instanceof Promise ? allowed.then(open).finally(turnAway) : open(allowed);
    } finally {
      if (!(response instanceof Promise)) turnAway();
    }
    return response as SubscribeResult<A>;
  }

  /** The headers of a stream: made once, for who has none of its own. */
  #headersOf(options: SubscribeOptions<State>): Headers {
    if (options.headers === undefined) return this.#headers;
    const headers = new Headers(this.#headers);
    const own = new Headers(options.headers);
    for (const name of own.keys()) headers.delete(name);
    // There may be several of a name, if they are cookies.
    for (const [name, value] of own) headers.append(name, value);
    return eventStreamHeaders(headers);
  }

  /** Ends the sessions that a predicate names; how many there were. */
  revoke(predicate: (session: Session<State>) => boolean, topic?: string): number {
    const revoked = [...this.sessions(topic).keys()].filter((session) => predicate(session));
    for (const session of revoked) outboxOf(session).end({ reason: "revoked" });
    return revoked.length;
  }

  /** Ends the sessions of a user, of a topic if it is given, in all processes. */
  async revokeUser(user: string, topic?: string): Promise<void> {
    if (this.#closed) {
      throw new TypeError("Cannot revoke a user: it is closed, revoke before the close");
    }
    await this.#users.revoke(user, topic);
  }

  /** Ends the sessions of a topic, and nothing else. */
  async closeTopic(topic: string, options: CloseOptions): Promise<void> {
    checkClose(options);
    await this.#endAll(this.sessions(topic), options);
  }

  async close(options: CloseOptions): Promise<void> {
    checkClose(options);
    if (this.#closing === undefined) {
      // It is closing before the first hook is called: that may subscribe, or close it too.
      const closing = Promise.withResolvers<void>();
      this.#closing = closing.promise;
      this.#close(options).then(closing.resolve, closing.reject);
    }
    await this.#closing;
  }

  async #close(options: CloseOptions): Promise<void> {
    await this.#endAll(this.#members, options);
    this.#closed = true;
    this.#reporter.stop();
    await this.#presence?.close();
    this.#control?.close();
    if (this.#options.log === undefined) await this.#log.close();
  }

  async #endAll(
    sessions: ReadonlyMap<Session<State>, unknown> | ReadonlySet<Session<State>>,
    { drain }: CloseOptions,
  ): Promise<void> {
    const reason: CloseReason = { reason: drain === undefined ? "closed" : "drained" };
    const retry = drain === undefined ? undefined : this.#options.retry ?? DRAIN_RETRY;
    const outboxes = [...sessions.keys()].map((session) => outboxOf(session));
    await endAll(outboxes, { reason, over: drain ?? 0, retry });
  }

  #open(asked: Asked<State>): Session<State> {
    const { request, lastEventId, exact, patterns, visit, options } = asked;
    const { onSession } = this.#options;
    const session = openSession<State>({
      settings: this.#settings.outbox,
      request,
      lastEventId,
      state: options.state as State,
      ids: false,
      onEnd: this.#onEnd,
    });
    const several = patterns.length > 0 || exact.length > 1;
    const reader = new Reader<State>(
      session,
      several ? new VectorCursor() : undefined,
      options.filter === undefined
        ? this.#options
        : { ...this.#options, filter: both(this.#options.filter, options.filter) },
      this.#reporter.counts,
    );
    const member: Member<State> = {
      reader,
      subscriptions: new Map(),
      patterns: patterns.length > 0 ? patterns : NO_PATTERNS,
      onClose: options.onClose,
      visit,
    };
    this.#members.set(session, member);
    this.#reporter.touch();
    outboxOf(session).push(this.#first);
    this.#access.revalidate(member, request, [...exact, ...patterns]);
    callHook(() => onSession?.(session, "join"));
    if (visit !== undefined) this.#users.enter(visit, reader);
    reader.run(() => this.#attach(member, exact, lastEventId));
    return session;
  }

  /** Follows what a reader has asked for, tells it where it is, and brings it up to what is live. */
  async #attach(member: Member<State>, topics: readonly string[], asked: string): Promise<void> {
    const { reader, patterns, subscriptions, visit } = member;
    // A hook may have closed it.
    if (reader.ended) return;
    const positions = parseCursor(asked);
    for (const topic of topics) this.#subscribe(member, topic);
    if (patterns.length > 0) {
      member.early = new Set();
      member.watching = true;
      // What it was in may not be listed: it has expired, or the log does not know its topics.
      await this.#watch.watch(member, patterns, positions?.keys());
    }
    const joining = [...subscriptions].filter(([topic]) => !member.early?.has(topic));
    // Who may not be here any more is not sent anything.
    const heard = visit && this.#users.hear(visit);
    await Promise.all([heard, ...joining.map(([, { feed }]) => feed.ready)]);
    // The first bytes alone may be all that may wait.
    await reader.room();
    if (reader.ended) return;
    let fresh = asked === "";
    const joins = joining.map(([topic, subscription]): [Subscription, string] => {
      let after = positions === undefined ? asked : positions.get(topic);
      // A topic of a pattern that the reader has never heard of has come since.
      if (after === undefined && !topics.includes(topic)) after = "";
      if (asked === "" || after === undefined) {
        fresh = true;
        after = subscription.start;
      }
      if (after !== "") reader.cursor?.set(topic, parseEventId(after) === undefined ? LOST : after);
      return [subscription, after];
    });
    // So that who loses the connection before the first event comes back for it.
    if (fresh) reader.prime(joins[0]?.[1] ?? "");
    for (const topic of member.early ?? []) {
      reader.run(() => this.#join(member, this.#subscribe(member, topic)));
    }
    member.early = undefined;
    // One by one: each waits for room before its next event, and all of them would fill it at once.
    for (const [subscription, after] of joins) await subscription.join(after);
  }

  /** Adds a topic that matches a pattern of a reader: one that is new from its first event on. */
  #add(member: Member<State>, topic: string, isNew: boolean): void {
    const { reader, subscriptions, early } = member;
    if (reader.ended) return;
    if (!isNew) early?.delete(topic);
    if (subscriptions.has(topic)) return;
    try {
      // At once, so that nothing is missed that is published from here on.
      const subscription = this.#subscribe(member, topic);
      if (early === undefined) reader.run(() => this.#join(member, subscription));
      else if (isNew) early.add(topic);
    } catch (cause) {
      outboxOf(reader.session).end({ reason: "error", cause });
    }
  }

  async #join({ reader }: Member<State>, subscription: Subscription): Promise<void> {
    await subscription.feed.ready;
    if (!reader.ended) await subscription.join("");
  }

  #subscribe(member: Member<State>, topic: string): Subscription {
    const { reader, subscriptions } = member;
    let subscription = subscriptions.get(topic);
    if (subscription !== undefined) return subscription;
    const { maxTopics, outbox } = this.#settings;
    if (subscriptions.size >= maxTopics) {
      throw new RangeError(
        `Cannot follow topics: more than ${maxTopics} of them match the patterns, narrow the patterns or raise "maxTopics"`,
      );
    }
    this.#presence?.touch(topic);
    const feed = this.#followed.join(topic, reader.session);
    subscription = new Subscription(feed, reader, this.#log, outbox.maxQueueBytes);
    subscriptions.set(topic, subscription);
    if (this.#log.topics === undefined) this.#watch.add(topic);
    return subscription;
  }

  readonly #onEnd = (session: Session<State>, reason: CloseReason): void => {
    const member = this.#members.get(session);
    if (member === undefined) return;
    this.#remove(session, member);
    if (reason.reason === "slow") member.reader.tellSlow(0);
    callHook(() => member.onClose?.(reason, session));
    callHook(() => this.#options.onSession?.(session, "leave"));
  };

  #remove(session: Session<State>, member: Member<State>): void {
    this.#members.delete(session);
    clearTimeout(member.timer);
    if (member.visit !== undefined) this.#users.leave(member.visit);
    if (member.watching) this.#watch.unwatch(member, member.patterns);
    for (const [topic, subscription] of member.subscriptions) {
      subscription.feed.listeners.delete(subscription);
      this.#presence?.touch(topic);
      this.#followed.leave(topic, session);
    }
    this.#reporter.touch();
  }
}

function checkClose({ drain }: CloseOptions): void {
  if (drain !== undefined) checkNumber("drain", drain, 0);
}

/** Whether topics can stand in one vector at all: their ids are not known yet. */
function fit(topics: readonly string[]): boolean {
  try {
    new VectorCursor(topics.map((topic) => [topic, LOST]));
    return true;
  } catch {
    return false;
  }
}

type Filter<State> = NonNullable<SubscribeOptions<State>["filter"]>;

function both<State>(
  first: Filter<State> | undefined,
  second: Filter<State>,
): Filter<State> {
  if (first === undefined) return second;
  return (event, session) => first(event, session) && second(event, session);
}
