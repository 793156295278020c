/**
 * The two streams of a log: one holds the events of all topics, a subject for each, and one the epochs
 * of topics that hold none.
 *
 * @module
 */

import { LogUnavailableError } from "../errors.ts";
import { type AskOptions, JetStreamRefusal, type NatsClient, REFUSED } from "./nats_client.ts";
import type { NatsPubAck } from "./nats_client.ts";
import { type Group, readGroup, tokenOf, topicOf } from "./nats_group.ts";

/** What the streams are made with. */
export interface StreamLimits {
  readonly name: string;
  /** As JetStream names them; what is `undefined` is left as it is in a stream that is there. */
  readonly config: {
    readonly max_msgs_per_subject: number | undefined;
    readonly max_bytes: number | undefined;
    readonly max_age: number | undefined;
    readonly duplicate_window: number | undefined;
  };
  readonly storage: "file" | "memory";
  readonly replicas: number;
}

/** A millisecond, as JetStream counts. */
export const NANOS = 1_000_000;

/** Who gets no event for longer may be told of a gap where there is none. See `nats_epochs.ts`. */
const MAX_EPOCH_AGE = 7 * 24 * 3_600_000;
const MAX_EPOCHS = 100_000;

/** A message as JetStream gives it when it is asked for one. */
export interface StoredMessage {
  readonly subject: string;
  readonly seq: number;
  readonly data: Uint8Array;
  /** When it was stored, by the clock of the server. */
  readonly time: number;
}

/** See the module. */
export class NatsStreams {
  readonly client: NatsClient;
  readonly name: string;
  readonly epochs: string;
  readonly #limits: StreamLimits;
  /** Resolves when the streams are there; `undefined` if nobody waits for it. */
  #readying: Promise<void> | undefined = undefined;
  #isReady = false;

  constructor(client: NatsClient, limits: StreamLimits) {
    this.client = client;
    this.name = limits.name;
    this.epochs = `${limits.name}_epochs`;
    this.#limits = limits;
  }

  /** The subject of a topic, in the stream. */
  subjectOf(topic: string): string {
    return `${this.name}.log.${tokenOf(topic)}`;
  }

  /** The subject that a topic is told of live; of all topics without one. */
  liveSubjectOf(topic?: string): string {
    return `${this.name}.live.${topic === undefined ? "*" : tokenOf(topic)}`;
  }

  /** The subject of the epoch of a topic. */
  epochSubjectOf(topic: string): string {
    return `${this.name}.epoch.${tokenOf(topic)}`;
  }

  /** The topic of a subject. */
  topicOf(subject: string): string | undefined {
    return topicOf(subject.slice(subject.lastIndexOf(".") + 1));
  }

  /** The last group of a topic; `undefined` if it holds no events. */
  last(topic: string, options: AskOptions): Promise<Group | undefined> {
    return this.#group({ last_by_subj: this.subjectOf(topic) }, options);
  }

  /** The first group of a topic from a message on. */
  next(topic: string, seq: number, options: AskOptions): Promise<Group | undefined> {
    return this.#group({ seq, next_by_subj: this.subjectOf(topic) }, options);
  }

  /** The group of a topic that is this message; `undefined` if it is gone. */
  async at(topic: string, seq: number, options: AskOptions): Promise<Group | undefined> {
    const message = await this.get(this.name, { seq }, options);
    if (message?.subject !== this.subjectOf(topic)) return undefined;
    return readGroup(message.seq, message.data);
  }

  async #group(query: Record<string, unknown>, options: AskOptions): Promise<Group | undefined> {
    const message = await this.get(this.name, query, options);
    return message && readGroup(message.seq, message.data);
  }

  /** A message, from the server that leads the stream: others may be behind. */
  async get(
    stream: string,
    query: Record<string, unknown>,
    options: AskOptions,
  ): Promise<StoredMessage | undefined> {
    try {
      return messageOf(await this.call(`STREAM.MSG.GET.${stream}`, query, options));
    } catch (error) {
      if (isRefusal(error, REFUSED.noMessage)) return undefined;
      throw error;
    }
  }

  /** Asks about the streams, and makes them anew if they are gone. */
  async call(path: string, body: unknown, options: AskOptions): Promise<Record<string, unknown>> {
    if (!this.#isReady) await this.ready(options);
    try {
      return await this.client.call(path, body, options);
    } catch (error) {
      if (!isRefusal(error, REFUSED.streamNotFound)) throw error;
      this.#isReady = false;
      await this.ready(options);
      return await this.client.call(path, body, options);
    }
  }

  /** Publishes into one of the streams, if there is nothing newer on the subject than `after`. */
  async publish(
    subject: string,
    payload: string,
    options: AskOptions & { msgID: string; after: number },
  ): Promise<NatsPubAck> {
    if (!this.#isReady) await this.ready(options);
    try {
      return await this.client.publish(subject, payload, options);
    } catch (error) {
      // If nobody listens there is no stream: whoever tries again makes it.
      if (error instanceof LogUnavailableError && !(error instanceof JetStreamRefusal)) {
        this.#isReady = false;
      }
      throw error;
    }
  }

  /** The number of the last message, of any topic. */
  async lastSeq(options: AskOptions): Promise<number> {
    const { state } = await this.call(`STREAM.INFO.${this.name}`, {}, options);
    return numberIn(state, "last_seq");
  }

  /** The topics that hold events. */
  async topics(options: AskOptions): Promise<string[]> {
    const topics: string[] = [];
    // A page holds up to 100,000.
    for (let offset = 0;;) {
      const query = { subjects_filter: `${this.name}.log.*`, offset };
      const info = await this.call(`STREAM.INFO.${this.name}`, query, options);
      const subjects = Object.keys(objectIn(info.state, "subjects"));
      for (const subject of subjects) {
        const topic = this.topicOf(subject);
        if (topic !== undefined) topics.push(topic);
      }
      offset += subjects.length;
      if (subjects.length === 0 || offset >= numberIn(info, "total")) return topics;
    }
  }

  /** Resolves when both streams are there, and are as the log needs them. */
  async ready(options: AskOptions): Promise<void> {
    if (this.#isReady) return;
    // All wait for the same. It ends with nobody's signal, for the others still need it.
    this.#readying ??= this.#ensure({ ...options, signal: undefined }).finally(() => {
      this.#readying = undefined;
    });
    const readying = this.#readying;
    await this.client.answer(() => readying, options);
    this.#isReady = true;
  }

  async #ensure(options: AskOptions): Promise<void> {
    const { name, config, storage, replicas } = this.#limits;
    const made = { storage, num_replicas: replicas, retention: "limits", discard: "old" };
    const epochs = {
      ...made,
      name: this.epochs,
      subjects: [`${name}.epoch.*`],
      max_msgs: MAX_EPOCHS,
      max_msgs_per_subject: 1,
      max_age: MAX_EPOCH_AGE * NANOS,
    };
    const log = {
      ...made,
      ...config,
      name,
      subjects: [`${name}.log.*`],
      republish: { src: `${name}.log.*`, dest: `${name}.live.{{wildcard(1)}}` },
    };
    await Promise.all([
      this.#ensureStream(epochs, {}, options),
      this.#ensureStream(log, config, options),
    ]);
  }

  async #ensureStream(
    config: { name: string; subjects: string[]; republish?: { src: string; dest: string } },
    limits: Record<string, number | undefined>,
    options: AskOptions,
  ): Promise<void> {
    const { name } = config;
    let info: Record<string, unknown>;
    try {
      info = await this.client.call(`STREAM.INFO.${name}`, {}, options);
    } catch (error) {
      if (!isRefusal(error, REFUSED.streamNotFound)) throw error;
      info = await this.#create(config, options);
    }
    const found = objectIn(info, "config");
    checkStream(config, found);
    const wanted = Object.entries(limits).filter(([, value]) => value !== undefined);
    if (wanted.every(([key, value]) => found[key] === value)) return;
    const changed: Record<string, unknown> = { ...found, ...Object.fromEntries(wanted) };
    const age = numberIn(changed, "max_age");
    const window = numberIn(changed, "duplicate_window");
    // It must not be longer, and is none that somebody has asked for.
    if (age > 0 && window > age) changed.duplicate_window = age;
    await this.client.call(`STREAM.UPDATE.${name}`, changed, options);
  }

  async #create(config: { name: string }, options: AskOptions): Promise<Record<string, unknown>> {
    try {
      return await this.client.call(`STREAM.CREATE.${config.name}`, config, options);
    } catch (error) {
      if (!(error instanceof JetStreamRefusal)) throw error;
      // Another process makes it, perhaps with other limits, and may not be done.
      for (let round = 0; round < 5; round++) {
        try {
          return await this.client.call(`STREAM.INFO.${config.name}`, {}, options);
        } catch (absent) {
          if (!isRefusal(absent, REFUSED.streamNotFound)) throw absent;
          await this.client.pause(20);
        }
      }
      throw error;
    }
  }
}

/** Whether JetStream has refused for this reason. */
export function isRefusal(error: unknown, refusal: number): boolean {
  return error instanceof JetStreamRefusal && error.refusal === refusal;
}

/** Whether somebody else was first to write on the subject. */
export function isConflict(error: unknown): boolean {
  return isRefusal(error, REFUSED.wrongLastSequence) ||
    isRefusal(error, REFUSED.wrongLastSequenceUnknown);
}

/** A stream of the same name that was made for something else would lose events, or be spoilt. */
function checkStream(
  { name, subjects, republish }: {
    name: string;
    subjects: string[];
    republish?: { src: string; dest: string };
  },
  found: Record<string, unknown>,
): void {
  const wanted: Record<string, unknown> = {
    subjects,
    republish,
    retention: "limits",
    discard: "old",
  };
  for (const [key, value] of Object.entries(wanted)) {
    const [is, should] = [found[key], value].map((part) => JSON.stringify(part));
    if (
      is === should || (is !== undefined && key === "republish" && isSame(found[key], republish))
    ) continue;
    throw new TypeError(
      `Cannot use stream "${name}": its "${key}" must be ${should}: received ${is}, name another one`,
    );
  }
}

function isSame(found: unknown, wanted: { src: string; dest: string } | undefined): boolean {
  const { src, dest } = objectIn({ found }, "found");
  return src === wanted?.src && dest === wanted?.dest;
}

function messageOf(answer: Record<string, unknown>): StoredMessage {
  const { subject, seq, data = "", time } = objectIn(answer, "message");
  if (typeof subject !== "string" || typeof seq !== "number" || typeof data !== "string") {
    throw new LogUnavailableError("Cannot read message: JetStream has answered something else");
  }
  const bytes = Uint8Array.from(atob(data), (char) => char.charCodeAt(0));
  return { subject, seq, data: bytes, time: Date.parse(String(time)) };
}

/** A member of an answer; without any if it is no object. */
function objectIn(value: unknown, key: string): Record<string, unknown> {
  if (typeof value !== "object" || value === null) return {};
  const member: unknown = Reflect.get(value, key);
  return typeof member === "object" && member !== null ? { ...member } : {};
}

/** A number in an answer, 0 if it is none. */
export function numberIn(value: unknown, key: string): number {
  if (typeof value !== "object" || value === null) return 0;
  const member: unknown = Reflect.get(value, key);
  return typeof member === "number" ? member : 0;
}
