/**
 * Topics on a log and the readers of them: what a channel and a hub are both made of.
 *
 * @module
 */

import { type ServerSentEventInit, stringifyEvent } from "../encode.ts";
import type {
  Authorization,
  AuthorizeResult,
  ChannelOptions,
  CloseOptions,
  PublishOptions,
  SubscribeOptions,
  SubscribeResult,
} from "./channel_options.ts";
import type { CloseReason } from "./close_reason.ts";
import { parseCursor, VectorCursor } from "./cursor.ts";
import { MAX_TIMER } from "./deadlines.ts";
import { endAll } from "./drain.ts";
import { Feed } from "./feed.ts";
import { type EventLog, parseEventId } from "./log.ts";
import { MemoryEventLog } from "./memory_log.ts";
import type { ChannelMetrics } from "./metrics.ts";
import { MetricsReporter } from "./metrics_reporter.ts";
import type { OutboxSettings } from "./outbox.ts";
import { checkPattern, checkTopic, isPattern } from "./patterns.ts";
import type { QueueItem, SlowConsumerPolicy } from "./queue.ts";
import { Reader, senderFor } from "./reader.ts";
import { callHook } from "./report.ts";
import { checkRequest, eventStreamHeaders, refusal, tooMany } from "./request.ts";
import { openSession, outboxOf, type Session } from "./session.ts";
import { checkNumber, checkStreamOptions, firstBytes } from "./stream_options.ts";
import { Subscription } from "./subscription.ts";
import { TopicWatch } from "./topic_watch.ts";

/** After how many seconds somebody who was turned away may come back. */
export const RETRY_AFTER = 5;

/** What readers wait for at least when all are sent away, in ms. */
const DRAIN_RETRY = 1_000;

/**
 * The place of a topic in a vector, for a reader whose own place in it is no id. No log gives it: who
 * comes back with it is told of a gap, as long as it was not.
 */
const LOST = "lost.0";

const POLICIES: readonly SlowConsumerPolicy[] = ["disconnect", "drop-oldest", "latest-by-key"];

/** One reader in here. */
interface Member<State> {
  readonly reader: Reader<State>;
  readonly subscriptions: Map<string, Subscription>;
  /** It asks for these, and for whatever topic matches one of them. */
  readonly patterns: readonly string[];
  readonly onClose: SubscribeOptions<State>["onClose"];
  watching?: boolean;
  /** Topics that came before it was told where it is; `undefined` from then on. */
  early?: Set<string>;
  timer?: ReturnType<typeof setTimeout>;
}

/** Shared by all that have none. */
const NO_PATTERNS: readonly string[] = [];

/** A topic that is followed, and those who have asked for it. */
interface Followed<State> {
  readonly feed: Feed;
  readonly sessions: Set<Session<State>>;
}

/** What only a hub can be told. */
export interface FanoutOptions<State, A extends Authorization> extends ChannelOptions<State, A> {
  /** How many topics one connection may carry. */
  maxTopics?: number;
}

/** See the module. */
export class Fanout<State, A extends Authorization> {
  readonly #options: FanoutOptions<State, A> & { slowConsumer: SlowConsumerPolicy };
  readonly #log: EventLog;
  readonly #members = new Map<Session<State>, Member<State>>();
  readonly #followed = new Map<string, Followed<State>>();
  readonly #watch: TopicWatch<Member<State>>;
  readonly #reporter: MetricsReporter;
  readonly #maxTopics: number;
  readonly #settings: OutboxSettings;
  readonly #headers: Headers;
  /** What each reader is sent at first. */
  readonly #first: QueueItem;
  #dirty: Feed[] = [];
  #closing: Promise<void> | undefined = undefined;
  #closed = false;

  constructor(options: FanoutOptions<State, A>) {
    const { slowConsumer = "disconnect", key, revalidate, maxSessions, maxTopics = 100 } = options;
    const limits = checkStreamOptions(options);
    this.#first = { bytes: firstBytes(options), kept: true };
    this.#headers = eventStreamHeaders(options.headers);
    if (revalidate !== undefined) checkNumber("revalidate", revalidate, 1);
    if (maxSessions !== undefined) checkNumber("maxSessions", maxSessions, 0);
    checkNumber("maxTopics", maxTopics, 1);
    if (!POLICIES.includes(slowConsumer)) {
      throw new TypeError(
        `Cannot treat slow consumers: "slowConsumer" must be ${
          POLICIES.map((policy) => `"${policy}"`).join(", ")
        }: received ${JSON.stringify(slowConsumer)}`,
      );
    }
    if (slowConsumer === "latest-by-key" && key === undefined) {
      throw new TypeError('Cannot keep the latest by key: "key" is missing, give the function');
    }
    this.#options = { ...options, slowConsumer };
    this.#maxTopics = maxTopics;
    this.#settings = { ...limits, slowConsumer };
    this.#log = options.log ?? new MemoryEventLog();
    this.#watch = new TopicWatch(
      this.#log,
      (member, topic, isNew) => this.#add(member, topic, isNew),
    );
    this.#reporter = new MetricsReporter(() => this.metrics, options.onMetrics);
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
    return topic === undefined
      ? this.#members
      : this.#followed.get(topic)?.sessions ?? new Set<Session<State>>();
  }

  /** Whether a request may read topics, or publish to one. */
  authorize(request: Request, topics: readonly string[]): Authorization {
    return this.#options.authorize ? this.#options.authorize(request, { topics }) : true;
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
      if (exact.length + patterns.length > this.#maxTopics || (exact.length > 1 && !fit(exact))) {
        return refusal(400, "Too many topics, or their names are too long: ask for fewer", headers);
      }
      if (this.#closing !== undefined) {
        return tooMany(RETRY_AFTER, "Closing, try again later", headers);
      }
      if (request.method === "HEAD") return new Response(null, init);
      const { maxSessions = Infinity } = this.#options;
      if (this.#members.size >= maxSessions) return tooMany(RETRY_AFTER, undefined, headers);
      const session = this.#open(request, checked.lastEventId, exact, patterns, options);
      return new Response(outboxOf(session).body, init);
    };
    const allowed = this.authorize(request, topics);
    const response = allowed instanceof Promise ? allowed.then(open) : open(allowed);
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

  #open(
    request: Request,
    lastEventId: string,
    topics: readonly string[],
    patterns: readonly string[],
    options: SubscribeOptions<State>,
  ): Session<State> {
    const { onSession } = this.#options;
    const session = openSession<State>({
      settings: this.#settings,
      request,
      lastEventId,
      state: options.state as State,
      ids: false,
      onEnd: this.#onEnd,
    });
    const several = patterns.length > 0 || topics.length > 1;
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
    };
    this.#members.set(session, member);
    this.#reporter.touch();
    outboxOf(session).push(this.#first);
    this.#revalidate(member, request, [...topics, ...patterns]);
    callHook(() => onSession?.(session, "join"));
    reader.run(() => this.#attach(member, topics, lastEventId));
    return session;
  }

  /** Follows what a reader has asked for, tells it where it is, and brings it up to what is live. */
  async #attach(member: Member<State>, topics: readonly string[], asked: string): Promise<void> {
    const { reader, patterns, subscriptions } = member;
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
    await Promise.all(joining.map(([, { feed }]) => feed.ready));
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
    if (subscriptions.size >= this.#maxTopics) {
      throw new RangeError(
        `Cannot follow topics: more than ${this.#maxTopics} of them match the patterns, narrow the patterns or raise "maxTopics"`,
      );
    }
    let followed = this.#followed.get(topic);
    if (followed === undefined) {
      followed = { feed: new Feed(this.#log, topic, this.#schedule), sessions: new Set() };
      this.#followed.set(topic, followed);
    }
    followed.sessions.add(reader.session);
    const { maxQueueBytes } = this.#settings;
    subscription = new Subscription(followed.feed, reader, this.#log, maxQueueBytes);
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
    if (member.watching) this.#watch.unwatch(member, member.patterns);
    for (const [topic, subscription] of member.subscriptions) {
      const { feed } = subscription;
      feed.listeners.delete(subscription);
      const sessions = this.#followed.get(topic)?.sessions;
      sessions?.delete(session);
      if (sessions?.size !== 0) continue;
      this.#followed.delete(topic);
      feed.close();
    }
    this.#reporter.touch();
  }

  /** Asks again and again whether a session may stay. */
  #revalidate(member: Member<State>, request: Request, topics: readonly string[]): void {
    const { revalidate } = this.#options;
    if (revalidate === undefined) return;
    const outbox = outboxOf(member.reader.session);
    const ask = async () => {
      if (await this.authorize(request, topics) !== true) outbox.end({ reason: "revoked" });
      else if (!member.reader.ended) this.#revalidate(member, request, topics);
    };
    member.timer = setTimeout(() => member.reader.run(ask), Math.min(revalidate, MAX_TIMER));
  }

  readonly #schedule = (feed: Feed): void => {
    if (this.#dirty.push(feed) === 1) queueMicrotask(this.#flush);
  };

  readonly #flush = (): void => {
    const dirty = this.#dirty;
    this.#dirty = [];
    const now = performance.now();
    for (const feed of dirty) feed.flush(now);
    this.#reporter.touch();
  };
}

/** The answer to who may not, if it may not. What is only truthy allows nothing. */
export function denialOf(allowed: AuthorizeResult, headers?: HeadersInit): Response | undefined {
  if (allowed === true) return undefined;
  return allowed instanceof Response ? allowed : refusal(403, "Forbidden", headers);
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
  second: Filter<State> | undefined,
): Filter<State> | undefined {
  if (first === undefined || second === undefined) return first ?? second;
  return (event, session) => first(event, session) && second(event, session);
}
