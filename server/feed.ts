/**
 * One topic's fan-out: follows the log, and hands the events of a turn to all subscriptions at once.
 *
 * @module
 */

import { type EncodedBytes, encodeEvent, stringifyEvent } from "../encode.ts";
import type { LogGap } from "../errors.ts";
import { type EventLog, formatEventId, type LoggedEvent, parseEventId } from "./log.ts";

/** Who is handed what a feed brings. */
export interface FeedListener {
  /** The events of a turn; called in their order. */
  onBatch(batch: Batch, now: number): void;
  /** Events are gone that no batch has brought. */
  onGap(gap: LogGap): void;
}

const encoder = /* @__PURE__ */ new TextEncoder();

/** An event is encoded once, for as long as somebody holds it. */
const encoded = new WeakMap<LoggedEvent, EncodedBytes>();

/** An event as every reader of its topic alone gets it. */
export function encodeLogged(event: LoggedEvent): EncodedBytes {
  let bytes = encoded.get(event);
  if (bytes === undefined) {
    bytes = encodeEvent(event);
    encoded.set(event, bytes);
  }
  return bytes;
}

/** The events of one turn. */
export class Batch {
  readonly events: readonly LoggedEvent[];
  /** One of them has a sender, who is not to get it. */
  readonly personal: boolean;
  #bytes: EncodedBytes | undefined;

  constructor(events: readonly LoggedEvent[]) {
    this.events = events;
    this.personal = events.some(({ sender }) => sender !== undefined);
  }

  /** All of them as one chunk, which all readers share. */
  get bytes(): EncodedBytes {
    return this.#bytes ??= this.events.length === 1
      ? encodeLogged(this.events[0])
      : encoder.encode(this.events.map((event) => stringifyEvent(event)).join(""));
  }
}

/** See the module. */
export class Feed {
  readonly topic: string;
  /** Resolves when it follows the topic. Rejects if the log cannot. */
  readonly ready: Promise<void>;
  readonly listeners = new Set<FeedListener>();
  readonly #controller = new AbortController();
  readonly #schedule: (feed: Feed) => void;
  #start = "";
  #last = "";
  #turn: LoggedEvent[] = [];

  /** @param schedule Called with it when events have come: to be flushed at the end of the turn. */
  constructor(log: EventLog, topic: string, schedule: (feed: Feed) => void) {
    this.topic = topic;
    this.#schedule = schedule;
    this.ready = this.#follow(log);
    // Whoever waits for it is told; nobody may be left.
    this.ready.catch(() => {});
  }

  /** The id after which it follows the topic; `""` until it is ready. */
  get start(): string {
    return this.#start;
  }

  /** The id of the last event that has come; what comes next is handed to the listeners. */
  get last(): string {
    return this.#last;
  }

  /** Hands out the events of this turn. */
  flush(now: number = performance.now()): void {
    if (this.#turn.length === 0) return;
    const batch = new Batch(this.#turn);
    this.#turn = [];
    for (const listener of this.listeners) listener.onBatch(batch, now);
  }

  /** Follows no longer. */
  close(): void {
    this.#controller.abort();
    this.#turn = [];
  }

  async #follow(log: EventLog): Promise<void> {
    // What comes before the log has said where it begins.
    const early: (() => void)[] = [];
    let following = false;
    const onEvent = (event: LoggedEvent) => {
      if (!following) return void early.push(() => onEvent(event));
      this.#last = event.id;
      if (this.#turn.push(event) === 1) this.#schedule(this);
    };
    const onGap = (gap: LogGap) => {
      if (!following) return void early.push(() => onGap(gap));
      this.#onGap(gap);
    };
    const { signal } = this.#controller;
    const head = await log.follow(this.topic, { signal, onEvent, onGap });
    following = true;
    this.#start = this.#last = head;
    for (const call of early) call();
  }

  #onGap(gap: LogGap): void {
    const first = parseEventId(gap.first);
    // As if all before it had come: the log is what knows that it has not.
    if (first !== undefined) this.#last = formatEventId({ ...first, seq: first.seq - 1 });
    for (const listener of this.listeners) listener.onGap(gap);
  }
}
