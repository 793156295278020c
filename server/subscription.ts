/**
 * One session's way into one topic: what it missed, from the log, joined to what is live.
 *
 * @module
 */

import { type LogGap, LogGapError } from "../errors.ts";
import { Batch, type Feed, type FeedListener } from "./feed.ts";
import { type EventLog, formatEventId, parseEventId } from "./log.ts";
import type { Reader } from "./reader.ts";

/** See the module. */
export class Subscription implements FeedListener {
  readonly feed: Feed;
  readonly #reader: Reader<unknown>;
  readonly #log: EventLog;
  readonly #limit: number;
  readonly #start: string;
  /** What came while the log is read; `undefined` when it is live. */
  #waiting: Batch[] | undefined = [];
  #waitingBytes = 0;
  /** The reader has all up to this id, from where more had come than to here. */
  #ahead: string | undefined;

  /** @param limit How many bytes may wait while the log is read; beyond, it is read once more. */
  constructor(feed: Feed, reader: Reader<unknown>, log: EventLog, limit: number) {
    this.feed = feed;
    this.#reader = reader;
    this.#log = log;
    this.#limit = limit;
    this.#start = feed.last;
  }

  /** The last event of the topic when it was subscribed to. The feed must be ready. */
  get start(): string {
    return this.#start === "" ? this.feed.start : this.#start;
  }

  onBatch(batch: Batch, now: number): void {
    if (this.#waiting === undefined) return this.#deliver(batch, now);
    this.#waitingBytes += batch.bytes.length;
    // The log has those that are too many.
    if (this.#waitingBytes <= this.#limit) this.#waiting.push(batch);
  }

  onGap({ asked }: LogGap): void {
    // The log tells of it when it is read there.
    if (this.#waiting === undefined) this.#reader.run(() => this.join(this.#ahead ?? asked));
    else this.#waitingBytes = Infinity;
  }

  /**
   * Brings the session up to what is live, and keeps it there. The feed must be ready.
   *
   * @param after The id after which to begin; `""` for the first event of the topic.
   */
  async join(after: string): Promise<void> {
    const { feed } = this;
    do {
      // What has come by now is in the log, up to `until`. What comes from here on waits.
      feed.flush();
      const until = feed.last;
      this.#waiting = [];
      this.#waitingBytes = 0;
      // Who has ended was taken out, and must not come in again.
      if (this.#reader.ended) return;
      feed.listeners.add(this);
      after = await this.#replay(after, until);
    } while (this.#waitingBytes > this.#limit);
    const waiting = this.#waiting;
    this.#waiting = undefined;
    const now = performance.now();
    for (const batch of waiting) this.#deliver(batch, now);
  }

  #deliver(batch: Batch, now: number): void {
    const rest = this.#ahead === undefined ? batch : this.#behind(batch, this.#ahead);
    if (rest !== undefined) this.#reader.deliver(this.feed.topic, rest, now);
  }

  /** What the reader does not have yet; `undefined` if it has all. */
  #behind(batch: Batch, ahead: string): Batch | undefined {
    const events = batch.events.filter(({ id }) => !isUpTo(id, ahead));
    if (events.length === 0) return undefined;
    this.#ahead = undefined;
    return new Batch(events);
  }

  /** Sends what the log has after `from`, up to `until`, and tells of what it no longer has. */
  async #replay(from: string, until: string): Promise<string> {
    let after = from;
    while (after !== until && !this.#isAhead(until)) {
      this.#ahead = undefined;
      try {
        after = await this.#read(after, until);
      } catch (error) {
        if (!(error instanceof LogGapError)) throw error;
        const resume = before(error.gap.first, until);
        // Nothing is missing: a log that says so all the same would be asked for ever.
        if (resume === after) throw error;
        after = await this.#tellGap(error.gap, resume, until);
      }
    }
    return after;
  }

  async #read(after: string, until: string): Promise<string> {
    const { topic } = this.feed;
    const { signal } = this.#reader;
    // On another machine more may have come by now. The log still says whether it has given the id.
    const end = isUpTo(until, after) ? after : until;
    for await (const event of this.#log.read(topic, { after, until: end, signal })) {
      this.#reader.replay(topic, event);
      await this.#reader.room();
      if (this.#reader.ended) break;
    }
    if (end !== until) this.#ahead = end;
    return end;
  }

  #isAhead(until: string): boolean {
    return this.#ahead !== undefined && isUpTo(until, this.#ahead);
  }

  /** Tells of a gap, in whichever way; returns the id after which to go on. */
  async #tellGap(gap: LogGap, resume: string, until: string): Promise<string> {
    const { topic } = this.feed;
    // What is behind `until` is not missing: it comes, or is told of when it would.
    const told = { ...gap, first: next(resume) };
    const snapshot = await this.#reader.snapshotAt(topic, told, until);
    if (snapshot === undefined) {
      this.#reader.tellGap(topic, told, resume);
      return resume;
    }
    for (const event of snapshot) {
      this.#reader.sendOwn(event);
      await this.#reader.room();
      if (this.#reader.ended) break;
    }
    this.#reader.moveTo(topic, until);
    return until;
  }
}

/** The id right before `first`, but none behind `until`. */
function before(first: string, until: string): string {
  const [start, end] = [parseEventId(first), parseEventId(until)];
  if (start === undefined || end === undefined || start.epoch !== end.epoch) return until;
  return start.seq > end.seq ? until : formatEventId({ ...start, seq: start.seq - 1 });
}

/** The id right behind another one. */
function next(id: string): string {
  const place = parseEventId(id);
  return place === undefined ? id : formatEventId({ ...place, seq: place.seq + 1 });
}

/** Whether an id is another one, or before it. */
function isUpTo(id: string, last: string): boolean {
  const [place, end] = [parseEventId(id), parseEventId(last)];
  return place !== undefined && place.epoch === end?.epoch && place.seq <= end.seq;
}
