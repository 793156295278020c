/**
 * Reading a topic: where it stands, which message an id is in, and its events from there on.
 *
 * @module
 */

import { LogGapError, LogUnavailableError } from "../errors.ts";
import {
  gapAfter,
  type LoggedEvent,
  type ReadLogOptions,
  readRange,
  type TopicPlace,
} from "../server/log.ts";
import type { AskOptions, NatsMessage } from "./nats_client.ts";
import type { NatsEpochs } from "./nats_epochs.ts";
import { type Group, readGroup } from "./nats_group.ts";
import { NANOS, type NatsStreams } from "./nats_stream.ts";

/** How many messages are read at once. */
const PAGE = 32;

/** How many messages may be read in vain, rather than to look for a nearer one. */
const NEAR = 32;

/** How long JetStream keeps a consumer that nobody uses, in ms: of a process that has crashed. */
const CONSUMER_AGE = 5_000;

/** How often messages are asked for that are there, and do not come. */
const MAX_EMPTY = 2;

/** Where a topic stands. */
export interface Standing extends TopicPlace {
  /** Its last group; `undefined` if it holds no events. */
  readonly group: Group | undefined;
}

/** See the module. */
export class NatsReplay {
  readonly #streams: NatsStreams;
  readonly #epochs: NatsEpochs;
  readonly #maxEvents: number;

  /** @param maxEvents How many events of a topic are given; the stream counts messages. */
  constructor(streams: NatsStreams, epochs: NatsEpochs, maxEvents: number) {
    this.#streams = streams;
    this.#epochs = epochs;
    this.#maxEvents = maxEvents;
  }

  /** Where a topic stands, by its last group: `first` is no later than that, if not before. */
  async standing(topic: string, options: AskOptions): Promise<Standing> {
    const last = await this.#streams.last(topic, options);
    if (last !== undefined) return this.#standingAt(last, last.first);
    const epoch = await this.#epochs.peek(topic, options);
    // Whoever has appended meanwhile may have begun before the epoch was there to be used.
    const first = await this.#streams.last(topic, options);
    if (first !== undefined) return this.#standingAt(first, first.first);
    return { epoch, first: 1, head: 0, group: undefined };
  }

  /**
   * Reads the events of a topic.
   *
   * @param recent Groups that are at hand, without a hole between them.
   */
  async *read(
    topic: string,
    range: ReadLogOptions,
    recent: () => readonly Group[],
  ): AsyncGenerator<LoggedEvent, void, undefined> {
    const { client } = this.#streams;
    const { signal } = range;
    const options: AskOptions = { action: "read events", signal };
    const check = () => {
      client.assertOpen("read events");
      signal?.throwIfAborted();
    };
    check();
    const standing = await this.standing(topic, options);
    let first: Group | undefined;
    let { next, last } = await this.#range(topic, range, standing, async () => {
      first = await this.#first(topic, standing, options);
      return first;
    }, options);
    const { epoch, group: head } = standing;
    let asked = range.after;
    let from: number | undefined;
    let empty = 0;
    while (next <= last && head !== undefined) {
      check();
      let groups = next >= head.first ? [head] : groupsFrom(recent(), epoch, next);
      if (groups.length === 0) {
        if (from === undefined) {
          first ??= await this.#first(topic, standing, options);
          from = await this.#search(topic, first, head, next, options);
        }
        groups = await this.#page(topic, from, Math.min(last, head.first - 1), options);
      }
      for (const group of groups) {
        if (next > last) break;
        from = group.seq + 1;
        if (group.epoch === epoch && group.last < next) continue;
        if (group.epoch !== epoch || group.first > next) {
          throw await this.#gap(topic, asked, options);
        }
        for (const event of group.events.slice(next - group.first, last - group.first + 1)) {
          check();
          yield event;
          asked = event.id;
          next++;
        }
      }
      // All messages from there on are gone, or JetStream is behind with those of its consumer.
      if (groups.length === 0) {
        if (++empty > MAX_EMPTY) throw unreadable(next);
        const now = await this.standing(topic, options);
        const held = await this.#first(topic, now, options);
        const gap = gapAfter(asked, this.#placeOf(now, held));
        if (gap !== undefined) throw new LogGapError(gap);
        from = undefined;
        first = held;
      }
    }
  }

  /** The numbers of the events that are asked for. */
  async #range(
    topic: string,
    range: ReadLogOptions,
    standing: Standing,
    firstOf: () => Promise<Group | undefined>,
    options: AskOptions,
  ): Promise<{ next: number; last: number }> {
    try {
      return readRange(range, standing);
    } catch (error) {
      if (!(error instanceof LogGapError)) throw error;
    }
    // There is no gap if more is held than the last group; and if there is one, it names the first.
    const held = await firstOf();
    if (held === undefined && standing.group !== undefined) {
      return readRange(range, await this.standing(topic, options));
    }
    return readRange(range, this.#placeOf(standing, held));
  }

  #standingAt(group: Group, first: number): Standing {
    const { epoch, last: head } = group;
    return { epoch, head, first: Math.max(first, head - this.#maxEvents + 1), group };
  }

  /** The place, as it is when this is the first group that is held. */
  #placeOf(standing: Standing, held: Group | undefined): TopicPlace {
    const { group } = standing;
    if (group === undefined || held === undefined || held.epoch !== group.epoch) return standing;
    return this.#standingAt(group, Math.min(held.first, group.first));
  }

  /** The first group that is held of the epoch of now. */
  async #first(
    topic: string,
    { group }: Standing,
    options: AskOptions,
  ): Promise<Group | undefined> {
    return group && await this.#streams.next(topic, group.origin + 1, options);
  }

  /** What to say where the next event is not there. */
  async #gap(topic: string, asked: string, options: AskOptions): Promise<LogGapError> {
    const standing = await this.standing(topic, options);
    const place = this.#placeOf(standing, await this.#first(topic, standing, options));
    const first = `${place.epoch}.${place.first}`;
    return new LogGapError(gapAfter(asked, place) ?? { asked, first, reason: "trimmed" });
  }

  /** A message from which on the event `next` is not far: by guessing, and by halves. */
  async #search(
    topic: string,
    first: Group | undefined,
    head: Group,
    next: number,
    options: AskOptions,
  ): Promise<number> {
    if (first === undefined || first.epoch !== head.epoch) return head.origin + 1;
    let low: Group = first;
    // The event is before this message, whose first event has this number.
    let high = { seq: head.seq, first: head.first };
    for (let round = 0; low.last < next; round++) {
      const messages = high.seq - low.seq;
      if (messages <= NEAR || next - low.last <= NEAR) break;
      const share = round % 2 === 0 ? (next - low.first) / (high.first - low.first) : 0.5;
      // A little before, for what is too far on is read in vain.
      const guess = low.seq + Math.max(1, Math.floor(messages * share) - NEAR / 2);
      const group = await this.#streams.next(topic, guess, options);
      if (group === undefined || group.epoch !== head.epoch) break;
      if (group.first <= next) low = group;
      else high = { seq: guess, first: group.seq < high.seq ? group.first : high.first };
    }
    return low.seq;
  }

  /** Up to so many groups of a topic from a message on, up to the one that holds the event `last`. */
  async #page(topic: string, seq: number, last: number, options: AskOptions): Promise<Group[]> {
    const { client, name } = this.#streams;
    const consumer = await this.#consumer(topic, seq, options);
    const groups: Group[] = [];
    const wait = Math.min(2_000, client.timeout);
    let isOver = false;
    const take = (message: NatsMessage) => {
      if (isOver) return false;
      // What has a status holds no events: it says why there are no more.
      if ((message.headers?.code ?? 0) > 0) return false;
      const group = readGroup(sequenceOf(message), message.data);
      groups.push(group);
      return group.last < last;
    };
    try {
      // So that what is read ahead is bounded in bytes, too; more than one fits.
      const bytes = 2 * client.maxPayload + 65_536;
      await client.callMany(
        `CONSUMER.MSG.NEXT.${name}.${consumer}`,
        { batch: PAGE, expires: wait * NANOS, max_bytes: bytes },
        { ...options, maxMessages: PAGE, take, timeout: wait + 500 },
      );
      return groups;
    } finally {
      isOver = true;
      // Nobody waits for it. If it is not heard, JetStream does it by itself.
      client.discard(`CONSUMER.DELETE.${name}.${consumer}`);
    }
  }

  async #consumer(topic: string, seq: number, options: AskOptions): Promise<string> {
    const { name } = this.#streams;
    const config = {
      deliver_policy: "by_start_sequence",
      opt_start_seq: seq,
      ack_policy: "none",
      replay_policy: "instant",
      filter_subject: this.#streams.subjectOf(topic),
      inactive_threshold: CONSUMER_AGE * NANOS,
      mem_storage: true,
      num_replicas: 1,
    };
    const path = `CONSUMER.CREATE.${name}`;
    const made = await this.#streams.call(path, { stream_name: name, config }, options);
    return String(made.name);
  }
}

function unreadable(next: number): LogUnavailableError {
  const found = `JetStream does not give event ${next}, which it holds`;
  return new LogUnavailableError(`Cannot read events: ${found}, try again later`);
}

/** The groups of a list from the one on that holds an event; none if it does not. */
function groupsFrom(groups: readonly Group[], epoch: string, next: number): readonly Group[] {
  const at = groups.findIndex((group) =>
    group.epoch === epoch && group.first <= next && group.last >= next
  );
  return at < 0 ? [] : groups.slice(at);
}

/** The number of a message in its stream, which a consumer says in the subject for the answer. */
function sequenceOf({ reply = "" }: NatsMessage): number {
  const tokens = reply.split(".");
  // $JS.ACK.[domain.account.]stream.consumer.deliveries.sequence...
  return Number(tokens.length === 9 ? tokens[5] : tokens[7]);
}
