/**
 * One connected reader of a channel or a hub: what it is sent of its topics, and the id that says
 * where it is.
 *
 * @module
 */

import { type EncodedBytes, encodeEvent, type ServerSentEventInit } from "../encode.ts";
import type { LogGap } from "../errors.ts";
import type { ChannelOptions, GapContext, SubscribeOptions } from "./channel_options.ts";
import type { VectorCursor } from "./cursor.ts";
import { type Batch, encodeLogged } from "./feed.ts";
import type { LoggedEvent } from "./log.ts";
import type { ChannelMetrics } from "./metrics.ts";
import type { Outbox } from "./outbox.ts";
import { concat, type QueueItem } from "./queue.ts";
import { callHook } from "./report.ts";
import { outboxOf, type Session } from "./session.ts";

/** What a reader takes from its channel. */
export type ReaderOptions<State> =
  & Required<Pick<ChannelOptions<State>, "slowConsumer">>
  & Pick<ChannelOptions<State>, "key" | "onGap" | "onSlow">
  & Pick<SubscribeOptions<State>, "filter">;

/** See the module. */
export class Reader<State = unknown> {
  readonly session: Session<State>;
  readonly #outbox: Outbox;
  readonly #options: ReaderOptions<State>;
  readonly #metrics: ChannelMetrics;
  /** Where it is in each topic, if it may have several; otherwise the ids of the one topic do. */
  readonly cursor: VectorCursor | undefined;
  /** The id of the last event, if it was not sent. */
  #skipped: string | undefined;

  constructor(
    session: Session<State>,
    cursor: VectorCursor | undefined,
    options: ReaderOptions<State>,
    metrics: ChannelMetrics,
  ) {
    this.session = session;
    this.cursor = cursor;
    this.#options = options;
    this.#metrics = metrics;
    this.#outbox = outboxOf(session);
    // Also what its session sends by itself drops events. Who is disconnected comes back for the rest:
    // of that end our owner is told, as of any other.
    if (options.slowConsumer !== "disconnect") {
      this.#outbox.onDrop = (dropped) => this.tellSlow(dropped);
    }
  }

  /** The session has ended. */
  get ended(): boolean {
    return this.#outbox.reason !== undefined;
  }

  /** Aborted when it has ended. */
  get signal(): AbortSignal {
    return this.session.signal;
  }

  /** Waits until there is room for more. */
  room(): Promise<void> {
    return this.#outbox.room();
  }

  /** Does something for the reader; if it fails, the session ends. */
  run(work: () => Promise<void>): void {
    work().catch((cause) => this.#outbox.end({ reason: "error", cause }));
  }

  /** Sends the live events of a turn. */
  deliver(topic: string, batch: Batch, now: number): void {
    try {
      this.#deliver(topic, batch, now);
    } catch (cause) {
      // A filter or a key of the caller, or a cursor that is full: the other readers go on.
      this.#outbox.end({ reason: "error", cause });
    }
  }

  #deliver(topic: string, batch: Batch, now: number): void {
    if (this.ended) return;
    const { filter, slowConsumer } = this.#options;
    const shared = filter === undefined && !batch.personal && this.cursor === undefined;
    // To drop some of them the queue must know them one by one.
    const whole = slowConsumer === "disconnect" || this.#outbox.ready;
    if (shared && whole) {
      this.#push({ bytes: batch.bytes }, now, batch.events.length);
      return;
    }
    const items = [];
    for (const event of batch.events) {
      const bytes = this.#encode(topic, event);
      if (bytes !== undefined) items.push({ bytes, key: this.#options.key?.(event) });
    }
    if (items.length === 0) return;
    if (whole && items.length > 1) {
      this.#push({ bytes: concat(items.map(({ bytes }) => bytes)) }, now, items.length);
      return;
    }
    for (const item of items) this.#push(item, now, 1);
  }

  /** Sends an event that the log has kept. */
  replay(topic: string, event: LoggedEvent): void {
    if (this.ended) return;
    const bytes = this.#encode(topic, event);
    if (bytes === undefined) return;
    this.#push({ bytes, kept: true }, performance.now(), 1);
    this.#metrics.replayed++;
  }

  /** Sends an event of nobody's log. */
  sendOwn(event: ServerSentEventInit): void {
    this.#push({ bytes: encodeEvent(event), kept: true }, performance.now(), 1);
  }

  /** Says where the reader is from now on, without an event. */
  moveTo(topic: string, id: string): void {
    this.#push({ bytes: encodeEvent({ id: this.#idAt(topic, id) }), kept: true });
  }

  /** Says where the reader is in all its topics, of which a single one is at `id`. */
  prime(id: string): void {
    this.#push({ bytes: encodeEvent({ id: this.cursor?.toString() ?? id }), kept: true });
  }

  /** Tells of a gap by an event; a reader that comes back after it goes on after `resume`. */
  tellGap(topic: string, { asked, first, reason }: LogGap, resume: string): void {
    const gap = this.cursor === undefined
      ? { asked, first, reason }
      : { asked, first, reason, topic };
    const id = this.#idAt(topic, resume);
    this.#push({ bytes: encodeEvent({ event: "gap", data: JSON.stringify(gap), id }), kept: true });
  }

  /** What to send in place of a gap; `undefined` to tell of it. */
  async snapshotAt(
    topic: string,
    gap: LogGap,
    id: string,
  ): Promise<Iterable<ServerSentEventInit> | undefined> {
    const context: GapContext<State> = { ...gap, topic, id, session: this.session };
    return await this.#options.onGap?.(context) ?? undefined;
  }

  /** The bytes of an event, or `undefined` if this reader is not to get it. */
  #encode(topic: string, event: LoggedEvent): EncodedBytes | undefined {
    const id = this.#idAt(topic, event.id);
    const { filter } = this.#options;
    const own = event.sender !== undefined && event.sender === senderOf(this.session);
    if (own || (filter !== undefined && !filter(event, this.session))) {
      this.#skipped = id;
      // Who is sent nothing for long must not fall out of the log.
      this.#outbox.onIdle ??= () => this.#idleItem();
      return undefined;
    }
    return this.cursor === undefined ? encodeLogged(event) : encodeEvent({ ...event, id });
  }

  /** What tells an idle reader where it is; `undefined` if it knows. */
  #idleItem(): QueueItem | undefined {
    const id = this.#skipped;
    this.#skipped = undefined;
    return id === undefined ? undefined : { bytes: encodeEvent({ id }), kept: true };
  }

  /** The id to send with what moves the reader on. */
  #idAt(topic: string, id: string): string {
    this.#skipped = undefined;
    if (this.cursor === undefined) return id;
    this.cursor.set(topic, id);
    return this.cursor.toString();
  }

  #push(item: QueueItem, now?: number, events = 0): void {
    if (this.ended) return;
    this.#metrics.delivered += events;
    this.#metrics.bytes += item.bytes.length;
    this.#outbox.push(item, now);
  }

  /** Counts, and tells, that it is too slow: it has lost events, or if none its session. */
  tellSlow(dropped: number): void {
    if (dropped === 0) this.#metrics.slow++;
    else this.#metrics.dropped += dropped;
    const { queuedBytes } = this.session;
    callHook(() => this.#options.onSlow?.(this.session, { dropped, queuedBytes }));
  }
}

const senders = new WeakMap<Session<unknown>, string>();

/** What tells a session from all others, on every machine: made when somebody publishes for it. */
export function senderFor(session: Session<unknown>): string {
  let sender = senders.get(session);
  if (sender === undefined) {
    sender = crypto.randomUUID();
    senders.set(session, sender);
  }
  return sender;
}

function senderOf(session: Session<unknown>): string | undefined {
  return senders.get(session);
}
