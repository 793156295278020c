/**
 * What is live: the topics that are followed, and who watches which there are.
 *
 * A stream tells of each message again when it has stored it, on another subject. That is said once, to
 * who is connected: what was missed shows in the next message, or when the log is asked.
 *
 * @module
 */

import { Endings } from "../server/endings.ts";
import { type FollowOptions, formatEventId, type TopicsOptions } from "../server/log.ts";
import { callHook } from "../server/report.ts";
import type { NatsMessage, NatsSubscription } from "./nats_client.ts";
import { type Group, readGroup } from "./nats_group.ts";
import type { NatsStreams } from "./nats_stream.ts";
import type { Tail } from "./tail.ts";

/** How many groups of a followed topic are at hand, and of how many bytes. */
const MAX_RECENT = 64;
const MAX_RECENT_BYTES = 262_144;

/** How many topics are asked for at once, and for how many there is time in one interval. */
const [AT_ONCE, PER_INTERVAL] = [32, 256];

/** How soon the log is asked again that was away, in ms. */
const SOON = 250;

/** A topic that is followed. */
interface Followed {
  readonly topic: string;
  readonly tails: Set<Tail>;
  readonly subscription: NatsSubscription;
  /** The newest groups, without a hole between them. */
  recent: Group[];
  bytes: number;
}

/** Who watches which topics there are. */
interface Watcher {
  readonly options: TopicsOptions;
  /** The topics that it knows of. */
  known: Set<string>;
  /** Those that it was told of while the log is asked which there are. */
  told: Set<string>;
}

/** See the module. */
export class NatsLive {
  readonly #streams: NatsStreams;
  readonly #interval: number;
  readonly #onGroup: (topic: string, group: Group) => void;
  readonly #followed = new Map<string, Followed>();
  readonly #watchers = new Set<Watcher>();
  /** Ends each following and watching. */
  readonly #ends = new Endings(() => this.#rest());
  #all: NatsSubscription | undefined = undefined;
  #timer: ReturnType<typeof setTimeout> | undefined = undefined;
  /** The last message of the stream when all topics were asked for, and how often they were. */
  #seen: number | undefined = undefined;
  #looks = 0;
  /** The topics that are still to be asked for. */
  #due: string[] = [];
  #checking = false;
  /** The connection was away, and the log has not been asked since. */
  #urgent = false;

  /**
   * @param interval How often it is checked whether something was missed, in ms.
   * @param onGroup Called with each group that was stored.
   */
  constructor(
    streams: NatsStreams,
    interval: number,
    onGroup: (topic: string, group: Group) => void,
  ) {
    this.#streams = streams;
    this.#interval = interval;
    this.#onGroup = onGroup;
  }

  /** Whether a topic is followed here. */
  has(topic: string): boolean {
    return this.#followed.has(topic);
  }

  /** The newest groups of a topic, if it is followed here. */
  recent(topic: string): readonly Group[] {
    return this.#followed.get(topic)?.recent ?? [];
  }

  /** Offers a tail all that comes of a topic, until `end` is called or the signal is aborted. */
  follow(topic: string, tail: Tail, { signal }: FollowOptions): { end(): void } {
    let followed = this.#followed.get(topic);
    if (followed === undefined) {
      const subscription = this.#subscribe(this.#streams.liveSubjectOf(topic), (message) => {
        this.#onMessage(topic, message);
      });
      followed = { topic, tails: new Set(), subscription, recent: [], bytes: 0 };
      this.#followed.set(topic, followed);
    }
    const { tails, subscription } = followed;
    tails.add(tail);
    const end = this.#ends.add(signal, () => {
      tail.end();
      tails.delete(tail);
      if (tails.size > 0) return;
      this.#followed.delete(topic);
      subscription.unsubscribe();
    });
    this.#wake();
    return { end };
  }

  /** Watches which topics there are; resolves with those that hold events. */
  async watch(options: TopicsOptions): Promise<string[]> {
    const watcher: Watcher = { options, known: new Set(), told: new Set() };
    this.#watchers.add(watcher);
    this.#all ??= this.#subscribe(this.#streams.liveSubjectOf(), (message) => {
      this.#onAny(message);
    });
    const end = this.#ends.add(options.signal, () => {
      this.#watchers.delete(watcher);
      if (this.#watchers.size > 0) return;
      this.#all?.unsubscribe();
      this.#all = undefined;
    });
    this.#wake();
    try {
      const topics = await this.#streams.topics({
        action: "watch topics",
        signal: options.signal,
      });
      for (const topic of topics) watcher.known.add(topic);
      return topics;
    } catch (error) {
      end();
      throw error;
    }
  }

  /** The connection is there again: what was said meanwhile was missed. */
  recover(): void {
    this.#urgent = true;
    this.#check();
  }

  /** Ends all that follow and watch. */
  close(): void {
    this.#ends.endAll();
    this.#rest();
  }

  #subscribe(subject: string, take: (message: NatsMessage) => void): NatsSubscription {
    return this.#streams.client.connection.subscribe(subject, {
      callback: (error, message) => {
        // What goes wrong here is as if nothing was said: the log is asked, sooner or later.
        if (error === null) take(message);
      },
    });
  }

  #onMessage(topic: string, message: NatsMessage): void {
    const followed = this.#followed.get(topic);
    const group = groupOf(message);
    if (followed === undefined || group === undefined) return;
    this.#onGroup(topic, group);
    keep(followed, group);
    for (const tail of followed.tails) for (const event of group.events) tail.offer(event);
  }

  #onAny(message: NatsMessage): void {
    const topic = this.#streams.topicOf(message.subject);
    if (topic === undefined) return;
    for (const watcher of this.#watchers) this.#tell(watcher, topic);
  }

  #tell(watcher: Watcher, topic: string): void {
    watcher.told.add(topic);
    if (watcher.known.has(topic) || watcher.options.signal.aborted) return;
    watcher.known.add(topic);
    callHook(() => watcher.options.onTopic(topic));
  }

  /** Starts what runs while somebody is there. */
  #wake(): void {
    this.#timer ??= setTimeout(() => this.#tick(), this.#interval);
  }

  #rest(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  async #tick(): Promise<void> {
    await this.#check();
    this.#timer = undefined;
    if (this.#streams.client.closed || this.#ends.idle) return;
    // The engine may answer a while after the connection is there.
    const interval = this.#urgent ? Math.min(SOON, this.#interval) : this.#interval;
    this.#timer = setTimeout(() => this.#tick(), interval);
  }

  /** Asks the log for what was missed. */
  async #check(): Promise<void> {
    if (this.#checking) return;
    this.#checking = true;
    try {
      do {
        const urgent = this.#urgent;
        this.#urgent = false;
        try {
          await this.#checkTopics(urgent);
          if (this.#watchers.size > 0) await this.#checkWatchers();
        } catch (error) {
          this.#urgent = urgent;
          throw error;
        }
      } while (this.#urgent && !this.#streams.client.closed);
    } catch {
      // The engine is away, or somebody has spoilt a topic: all is due when it is well again. Whoever
      // reads is told.
      this.#seen = undefined;
    } finally {
      this.#checking = false;
    }
  }

  /** @param urgent All topics, for nothing of what was missed is still to come. */
  async #checkTopics(urgent: boolean): Promise<void> {
    if (this.#followed.size === 0) return;
    if (urgent || this.#due.length === 0) {
      const seq = await this.#streams.lastSeq({ action: "check topics" });
      // A tail waits for a second look, for what may be on its way.
      this.#looks = seq === this.#seen ? this.#looks + 1 : 1;
      this.#seen = seq;
      if (this.#looks > 2 && !urgent) return;
      this.#due = [...this.#followed.keys()];
    }
    const most = urgent ? Infinity : PER_INTERVAL;
    for (let count = 0; count < most && this.#due.length > 0; count += AT_ONCE) {
      const topics = this.#due.splice(0, AT_ONCE);
      const checks = topics.map((topic) => this.#checkTopic(topic, urgent));
      for (const check of await Promise.allSettled(checks)) {
        if (check.status === "rejected") throw check.reason;
      }
    }
  }

  async #checkTopic(topic: string, urgent: boolean): Promise<void> {
    const followed = this.#followed.get(topic);
    if (followed === undefined) return;
    const last = await this.#streams.last(topic, { action: "check topic" });
    if (last === undefined) return;
    const head = formatEventId({ epoch: last.epoch, seq: last.last });
    // Nothing is on its way after an outage.
    for (const tail of followed.tails) tail.check(head, urgent);
  }

  async #checkWatchers(): Promise<void> {
    const watchers = [...this.#watchers];
    for (const watcher of watchers) watcher.told.clear();
    const topics = await this.#streams.topics({ action: "watch topics" });
    for (const watcher of watchers) {
      for (const topic of topics) this.#tell(watcher, topic);
      // What is gone is new when it is there again.
      watcher.known = new Set(watcher.told);
    }
  }
}

/** A group as the stream tells of it; `undefined` if somebody else speaks there. */
function groupOf({ headers, data }: NatsMessage): Group | undefined {
  const seq = Number(headers?.get("Nats-Sequence"));
  if (!Number.isSafeInteger(seq) || seq < 1) return undefined;
  try {
    return readGroup(seq, data);
  } catch {
    return undefined;
  }
}

/** Keeps a group at hand, for those who read what was just now. */
function keep(followed: Followed, group: Group): void {
  const before = followed.recent.at(-1);
  if (before?.epoch !== group.epoch || before.last + 1 !== group.first) {
    followed.recent = [];
    followed.bytes = 0;
  }
  followed.recent.push(group);
  followed.bytes += group.bytes;
  while (
    followed.recent.length > MAX_RECENT ||
    followed.bytes > MAX_RECENT_BYTES && followed.recent.length > 0
  ) {
    followed.bytes -= followed.recent.shift()?.bytes ?? 0;
  }
}
