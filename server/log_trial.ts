/**
 * What the cases of the event log contract are made of: a log under test, the steps that are taken with
 * it, and what is asserted of them.
 *
 * @module
 */

import { type ServerSentEventInit, stringifyEvent } from "../encode.ts";
import { type LogGap, LogGapError } from "../errors.ts";
import {
  type AppendOptions,
  type EventId,
  type EventLog,
  formatEventId,
  type LoggedEvent,
  parseEventId,
  type ReadLogOptions,
} from "./log.ts";

/** Events with what logs lose or change, each to come out as it went in. */
export const EVENTS: ServerSentEventInit[] = [
  { data: "a" },
  { data: "" },
  { data: " a " },
  { data: "\n" },
  { data: "a\nb\n\nc\n" },
  { data: "a\r\nb\rc" },
  { data: "é€😀\u2028\0\ufeff" },
  { data: "007" },
  { data: "null" },
  { data: '{"a":"\\u0000"}' },
  { data: "data: a\n\nid: 1" },
  { data: "a", event: "tick" },
  { data: "a", event: "é: 😀 " },
  { event: "tick" },
  { data: "a", retry: 0 },
  { retry: Number.MAX_SAFE_INTEGER },
  { comment: "" },
  { comment: "é\nb" },
  { comment: "a", event: "b", data: "c", retry: 1 },
];

/** What no log gives as an id. */
export const MALFORMED = [
  "a",
  "1",
  ".1",
  "EPOCH",
  "EPOCH.",
  "EPOCH.-1",
  "EPOCH.01",
  "EPOCH.1.5",
  "EPOCH.1x",
  "EPOCH.1e0",
  " EPOCH.1",
  "EPOCH.1\n",
  "EPOCH.9007199254740993",
  "é.1",
  `${"e".repeat(33)}.1`,
  "x".repeat(10_000),
];

/** Names of topics that a log could mix up. */
export const NAMES = ["t", "t1", "t2", "T", "tt", "t.t", "t:t", "t/t", "t-t", "t_t", "t.1", "ü"];

/** Reading more than this is a reading that does not end. */
const MANY = 10_000;

/** A log under test, and what the cases do with it; each step fails when it takes too long. */
export class Trial {
  /** A topic that nobody else has. */
  readonly topic: string = `contract-${crypto.randomUUID()}`;
  readonly #make: () => EventLog | Promise<EventLog>;
  readonly #patience: number;
  readonly #followers: Follower[] = [];
  readonly #timers = new Set<ReturnType<typeof setTimeout>>();
  #log: EventLog;
  #closed = false;

  constructor(log: EventLog, make: () => EventLog | Promise<EventLog>, patience: number) {
    this.#log = log;
    this.#make = make;
    this.#patience = patience;
  }

  get log(): EventLog {
    return this.#log;
  }

  /** Closes the log and makes another, which may hold the same events or none. */
  async renew(): Promise<void> {
    await this.close();
    this.#log = await this.#make();
    this.#closed = false;
  }

  topicOf(name: string): string {
    return `${this.topic}-${name}`;
  }

  append(
    event: ServerSentEventInit,
    options: AppendOptions = {},
    topic: string = this.topic,
  ): Promise<string> {
    return this.within(this.log.append(topic, event, options), "append");
  }

  /** Appends so many events one after the other. */
  async fill(count: number): Promise<string[]> {
    const ids: string[] = [];
    for (let n = 1; n <= count; n++) ids.push(await this.append({ data: `${n}` }));
    return ids;
  }

  /** Appends until the second event is trimmed; the ids from the first on. */
  async trim(ids: string[] = []): Promise<string[]> {
    const all = [...ids];
    while (all.length < 5_000) {
      all.push(...await this.fill(all.length === 0 ? 1 : 50));
      const result = await this.outcome(this.reader({ after: all[0] }).next());
      if ("error" in result) return all;
    }
    throw failed("retention is bounded in events", `all of ${all.length}`);
  }

  reader(options: ReadLogOptions, topic: string = this.topic): AsyncIterator<LoggedEvent> {
    return this.log.read(topic, options)[Symbol.asyncIterator]();
  }

  next(reader: AsyncIterator<LoggedEvent>): Promise<IteratorResult<LoggedEvent>> {
    return this.within(reader.next(), "read");
  }

  /** All that a reader still gives. */
  async drain(reader: AsyncIterator<LoggedEvent>): Promise<LoggedEvent[]> {
    const events: LoggedEvent[] = [];
    for (;;) {
      const { done, value } = await this.next(reader);
      if (done) return events;
      events.push(value);
      must(events.length < MANY, "read ends", `more than ${MANY} events`);
    }
  }

  read(options: ReadLogOptions, topic: string = this.topic): Promise<LoggedEvent[]> {
    return this.drain(this.reader(options, topic));
  }

  async readIds(options: ReadLogOptions, topic: string = this.topic): Promise<string[]> {
    return idsIn(await this.read(options, topic));
  }

  /** The gap that a reading must tell of at its first event. */
  async gap(options: ReadLogOptions, topic: string = this.topic): Promise<LogGap> {
    const says = `read after "${cut(options.after)}" tells of a gap`;
    return gapOf(await this.failure(this.reader(options, topic).next(), says));
  }

  async follow(
    topic: string = this.topic,
    onEvent?: (event: LoggedEvent) => void,
  ): Promise<Follower> {
    const follower = new Follower(topic, onEvent);
    this.#followers.push(follower);
    follower.id = await this.within(this.log.follow(topic, follower), "follow");
    return follower;
  }

  /** Appends one more event and waits until all have it: what was before it has come by then. */
  async barrier(...followers: Follower[]): Promise<string> {
    const id = await this.append({ data: "barrier" }, {}, followers[0].topic);
    for (const follower of followers) await this.reach(follower, id);
    return id;
  }

  reach(follower: Follower, id: string): Promise<void> {
    const says = `an event that was appended, "${id}", goes to all that follow`;
    return this.until(() => follower.ids.includes(id), says, () => follower.ids);
  }

  /** Waits for a fact. */
  async until(fact: () => boolean, says: string, found: () => unknown): Promise<void> {
    const end = performance.now() + this.#patience;
    while (!fact()) {
      if (performance.now() > end) throw failed(says, found());
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
  }

  /** What becomes of a promise. */
  outcome<T>(promise: Promise<T>): Promise<{ value: T } | { error: unknown }> {
    return this.within(promise.then((value) => ({ value }), (error) => ({ error })), "a call");
  }

  /** What a promise that must reject rejects with. */
  async failure(promise: Promise<unknown>, says: string): Promise<unknown> {
    const result = await this.outcome(promise);
    if ("value" in result) throw failed(says, result.value);
    return result.error;
  }

  async within<T>(promise: Promise<T>, call: string): Promise<T> {
    const { promise: late, reject } = Promise.withResolvers<never>();
    const says = `${call} is over within ${this.#patience} ms`;
    const timer = setTimeout(() => reject(failed(says, "that it is not")), this.#patience);
    this.#timers.add(timer);
    try {
      return await Promise.race([promise, late]);
    } finally {
      this.#timers.delete(timer);
      clearTimeout(timer);
    }
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.within(this.log.close(), "close");
  }

  /** Closes the log if the case has not, and leaves nothing behind. */
  async end(): Promise<void> {
    try {
      await this.close();
    } finally {
      for (const follower of this.#followers) follower.stop();
      // Where one of several calls has failed the others may still be waited for.
      for (const timer of this.#timers) clearTimeout(timer);
    }
  }
}

/** Somebody who follows a topic, and keeps what it is given. */
export class Follower {
  readonly topic: string;
  readonly events: LoggedEvent[] = [];
  readonly signal: AbortSignal;
  /** What `follow` has resolved with. */
  id = "";
  readonly #abort = new AbortController();
  readonly #onEvent: ((event: LoggedEvent) => void) | undefined;

  constructor(topic: string, onEvent?: (event: LoggedEvent) => void) {
    this.topic = topic;
    this.signal = this.#abort.signal;
    this.#onEvent = onEvent;
  }

  get ids(): string[] {
    return idsIn(this.events);
  }

  /** A function that needs no `this`, for a log may take it out of its options. */
  readonly onEvent = (event: LoggedEvent): void => {
    this.events.push(event);
    this.#onEvent?.(event);
  };

  stop(): void {
    this.#abort.abort();
  }
}

/** A promise that is awaited later, if the case comes to it. */
export function kept<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => {});
  return promise;
}

/** An id, taken apart. */
export function place(id: string): EventId {
  const place = parseEventId(id);
  if (place === undefined) throw failed("an id is `epoch.seq`", id);
  return place;
}

export function before(id: string): string {
  const { epoch, seq } = place(id);
  return formatEventId({ epoch, seq: seq - 1 });
}

export function idsIn(events: readonly LoggedEvent[]): string[] {
  return events.map(({ id }) => id);
}

export function idsOf(epoch: string, from: number, to: number): string[] {
  const length = to - from + 1;
  return Array.from({ length }, (_, n) => formatEventId({ epoch, seq: from + n }));
}

export function gapOf(error: unknown): LogGap {
  if (!(error instanceof LogGapError)) throw failed("a gap is a LogGapError", error);
  // In the order in which the cases write it, to compare them.
  const { asked, first, reason } = error.gap;
  return { asked, first, reason };
}

/** An event without its id, as it is sent: what is the same there is the same event. */
export function wire({ data, event, retry, comment }: ServerSentEventInit): string {
  return stringifyEvent({ data, event, retry, comment });
}

export function same(actual: unknown, expected: unknown, says: string): void {
  if (quote(actual) === quote(expected)) return;
  if (!Array.isArray(actual) || !Array.isArray(expected)) {
    throw failed(`${says}: expected ${cut(quote(expected))}`, actual);
  }
  // Of a list the part in which it differs, for a list can be long.
  const at = expected.findIndex((item, index) => quote(item) !== quote(actual[index]));
  const from = at < 0 ? expected.length : at;
  const should = cut(quote(expected.slice(from)));
  throw failed(`${says}: expected ${should} from item ${from} on`, actual.slice(from));
}

export function must(holds: boolean, says: string, found: unknown): asserts holds {
  if (!holds) throw failed(says, found);
}

/** What the contract says, and what was found. */
function failed(says: string, found: unknown): Error {
  return new Error(`Cannot accept the event log: ${says}: received ${cut(quote(found))}`);
}

function quote(value: unknown): string {
  return value instanceof Error ? `${value}` : JSON.stringify(value) ?? `${value}`;
}

function cut(text: string): string {
  return text.length > 400 ? `${text.slice(0, 400)}…` : text;
}
