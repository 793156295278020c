/**
 * Who appends to one topic: one message is under way at a time, and what comes meanwhile goes into the
 * next one together.
 *
 * A message says the number of its first event, and that it comes after the last message that this
 * process knows of: if another has come before it, JetStream refuses it, and it is numbered anew.
 *
 * @module
 */

import { LogUnavailableError } from "../errors.ts";
import { formatEventId } from "../server/log.ts";
import { type AskOptions, closedError, JetStreamRefusal, REFUSED } from "./nats_client.ts";
import type { NatsEpochs, TakenEpoch } from "./nats_epochs.ts";
import { type Group, type GroupPlace, randomName, writeGroup } from "./nats_group.ts";
import { isConflict, type NatsStreams } from "./nats_stream.ts";

/** How many events a message carries at most, and of how many UTF-16 code units. */
const MAX_GROUP_EVENTS = 64;
const MAX_GROUP_UNITS = 65_536;

/** How many bytes of a message may be none of events, without an idempotency key. */
export const OVERHEAD = 1_024;

/** The shortest time that an answer is waited for before the message is sent again, in ms. */
const MIN_ATTEMPT = 250;

/** How long to wait before a message is sent again that was refused, in ms: at first, at most. */
const [MIN_PAUSE, MAX_PAUSE] = [20, 500];

const action = "append event";

/** An event that is to be appended. */
interface Item {
  readonly record: string;
  /** What JetStream knows it by; `undefined` if it may go with others. */
  readonly key: string | undefined;
  /** When its time is over. */
  readonly deadline: number;
  resolve(id: string): void;
  reject(reason: unknown): void;
}

/** See the module. */
export class NatsWriter {
  readonly topic: string;
  readonly #streams: NatsStreams;
  readonly #epochs: NatsEpochs;
  readonly #queue: Item[] = [];
  /** The last message of the topic, as far as is known; `undefined` if it has to be asked for. */
  #place: GroupPlace | undefined = undefined;
  /** The last event that is known to have been stored. */
  #known: GroupPlace | undefined = undefined;
  /** The epoch that the first event of the topic is about to have. */
  #taken: TakenEpoch | undefined = undefined;
  #running = false;

  constructor(topic: string, streams: NatsStreams, epochs: NatsEpochs) {
    this.topic = topic;
    this.#streams = streams;
    this.#epochs = epochs;
  }

  /** Whether something is under way. */
  get running(): boolean {
    return this.#running;
  }

  /** Appends an event; resolves with its id. */
  append(record: string, key: string | undefined): Promise<string> {
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    const deadline = performance.now() + this.#streams.client.timeout;
    this.#queue.push({ record, key, deadline, resolve, reject });
    if (!this.#running) this.#run();
    return promise;
  }

  /** Takes in what was stored, by whomever. */
  learn(group: Group): void {
    if (this.#place !== undefined && group.seq > this.#place.seq) this.#place = pick(group);
    this.#note(group);
  }

  /** The stream may be another one: where the topic stands has to be asked for. */
  forget(): void {
    this.#place = undefined;
  }

  async #run(): Promise<void> {
    this.#running = true;
    // What is appended in the same turn goes together.
    await Promise.resolve();
    while (this.#queue.length > 0) {
      if (this.#queue[0].deadline < performance.now()) {
        // It has waited for others for all its time, and is not even sent.
        const found = "the engine of the log gave no answer in time";
        const error = new LogUnavailableError(`Cannot append event: ${found}, try again later`);
        this.#queue.shift()?.reject(error);
        continue;
      }
      const batch = this.#next();
      try {
        const place = await this.#store(batch);
        batch.forEach((item, index) => {
          item.resolve(formatEventId({ epoch: place.epoch, seq: place.last + 1 + index }));
        });
      } catch (error) {
        for (const item of batch) item.reject(error);
      }
    }
    this.#running = false;
  }

  /** What goes into the next message. */
  #next(): Item[] {
    const queue = this.#queue;
    let count = 1;
    if (queue[0].key === undefined) {
      let units = queue[0].record.length;
      const most = Math.min(MAX_GROUP_UNITS, (this.#streams.client.maxPayload - OVERHEAD) / 3);
      while (count < Math.min(queue.length, MAX_GROUP_EVENTS)) {
        const { key, record } = queue[count];
        units += record.length + 1;
        if (key !== undefined || units > most) break;
        count++;
      }
    }
    return queue.splice(0, count);
  }

  /** Stores a message, however often it takes; the place after which it is. */
  async #store(batch: Item[]): Promise<GroupPlace> {
    const [{ deadline, key }] = batch;
    const message = { records: batch.map(({ record }) => record), id: key ?? randomName() };
    let pause = MIN_PAUSE;
    for (;;) {
      const left = Math.max(1, deadline - performance.now());
      // No longer than this, for an answer that was lost never comes. The id makes it safe.
      const slice = Math.max(MIN_ATTEMPT, this.#streams.client.timeout / 4);
      const timeout = Math.min(left, slice);
      try {
        const place = await this.#attempt(message, { action, timeout });
        if (place !== undefined) return place;
      } catch (error) {
        this.#place = undefined;
        if (!canPass(error) || deadline - performance.now() <= pause) throw error;
        await this.#streams.client.pause(pause);
        this.#streams.client.assertOpen(action);
        pause = Math.min(2 * pause, MAX_PAUSE);
        continue;
      }
      if (performance.now() > deadline) {
        const found = "others append to the topic all the time";
        throw new LogUnavailableError(`Cannot append event: ${found}, try again later`);
      }
    }
  }

  /** Stores a message after what is known; `undefined` if there is more. */
  async #attempt(
    message: { records: string[]; id: string },
    options: AskOptions,
  ): Promise<GroupPlace | undefined> {
    const { records, id: msgID } = message;
    const place = this.#place ?? await this.#load(options);
    const subject = this.#streams.subjectOf(this.topic);
    const payload = writeGroup(place, records);
    const publish = { ...options, msgID, after: place.seq };
    try {
      const { seq, duplicate } = await this.#streams.publish(subject, payload, publish);
      if (duplicate) return await this.#stored(message, seq, options);
      const stored = { ...place, seq, last: place.last + records.length };
      if (this.#place === undefined || seq > this.#place.seq) this.#place = stored;
      this.#note(stored);
      if (this.#taken !== undefined) this.#epochs.spend(this.topic, this.#taken);
      this.#taken = undefined;
      return place;
    } catch (error) {
      if (!isConflict(error)) throw error;
      this.#place = undefined;
      return undefined;
    }
  }

  /** Where a message is that was stored before. */
  async #stored(
    message: { id: string },
    seq: number,
    options: AskOptions,
  ): Promise<GroupPlace | undefined> {
    const group = await this.#streams.at(this.topic, seq, options);
    if (group !== undefined) return { ...group, last: group.first - 1 };
    // JetStream remembers the id longer than it has held the message. Its next one has another id, the
    // same for all who come to it.
    message.id = `${message.id}:${seq}`;
    return undefined;
  }

  async #load(options: AskOptions): Promise<GroupPlace> {
    const last = await this.#streams.last(this.topic, options);
    const known = this.#known;
    if (last === undefined) {
      this.#taken = await this.#epochs.take(this.topic, options);
      if (this.#taken === undefined) return await this.#load(options);
      // A server that was restored may offer what was used.
      const epoch = this.#taken.epoch === known?.epoch ? randomName() : this.#taken.epoch;
      return this.#place = { seq: 0, epoch, last: 0, origin: 0 };
    }
    // The stream has lost what it had stored, as one does that was restored: ids go on elsewhere.
    if (known !== undefined && known.epoch === last.epoch && known.last > last.last) {
      return this.#place = { seq: last.seq, epoch: randomName(), last: 0, origin: last.seq };
    }
    return this.#place = pick(last);
  }

  #note(place: GroupPlace): void {
    const known = this.#known;
    if (known?.epoch === place.epoch && known.last >= place.last) return;
    this.#known = pick(place);
  }

  /** Appends nothing any more. */
  close(): void {
    for (const { reject } of this.#queue.splice(0)) reject(closedError(action));
  }
}

/** Without the events. */
function pick({ seq, epoch, last, origin }: GroupPlace): GroupPlace {
  return { seq, epoch, last, origin };
}

/** Whether trying again may help. */
function canPass(error: unknown): boolean {
  if (!(error instanceof JetStreamRefusal)) return error instanceof LogUnavailableError;
  return error.isPassing || error.refusal === REFUSED.streamNotFound;
}
