/**
 * The event log on NATS JetStream, for services of many processes.
 *
 * @module
 */

import type { ServerSentEventInit } from "../encode.ts";
import {
  type AppendOptions,
  checkAppend,
  checkBound,
  type EventLog,
  type FollowOptions,
  formatEventId,
  type LoggedEvent,
  type ReadLogOptions,
  type TopicsOptions,
} from "../server/log.ts";
import { NatsClient, type NatsConnection, type NatsJetStream } from "./nats_client.ts";
import { NatsEpochs } from "./nats_epochs.ts";
import { tokenOf } from "./nats_group.ts";
import { NatsLive } from "./nats_live.ts";
import { NatsReplay } from "./nats_replay.ts";
import { NANOS, NatsStreams, type StreamLimits } from "./nats_stream.ts";
import { NatsWriter, OVERHEAD } from "./nats_writer.ts";
import { writeRecord } from "./record.ts";
import { Tail } from "./tail.ts";

export type {
  NatsConnection,
  NatsJetStream,
  NatsMessage,
  NatsPubAck,
  NatsStatusList,
  NatsSubscription,
} from "./nats_client.ts";

/** Options of {@linkcode NatsEventLog}. */
export interface NatsEventLogOptions {
  /** What `jetstream(connection)` of `@nats-io/jetstream` gives, for the same connection. */
  jetstream: NatsJetStream;
  /**
   * The stream that holds the events; one more, named so with `_epochs` behind, holds what topics
   * without events need. Logs of the same name share their topics. 1 to 64 letters, digits, `-` and
   * `_`. A stream that is missing is made, with the subjects `name.log.*`; one that is there must be
   * of a log.
   *
   * @default {"sse"}
   */
  name?: string;
  /**
   * How many events of a topic are held, from 1 up. A stream counts messages, and a message carries
   * up to 64 events that came at the same time: of what it holds beyond, nothing is given.
   *
   * @default {1000}
   */
  maxEvents?: number;
  /**
   * How many bytes all topics may take together, in the stream and with what it needs for itself, from
   * 1 up; `Infinity` for no bound but that of the server. Beyond, the oldest events go, of whichever
   * topic. Default: that of the stream, where it is there, and none otherwise.
   */
  maxBytes?: number;
  /**
   * How long an event is held, in milliseconds, from 100 up. When the last event of a topic goes, its
   * ids begin anew, with another epoch: who comes with one that was given before is told of a gap.
   * Default: that of the stream, where it is there, and `Infinity` otherwise.
   */
  maxAge?: number;
  /**
   * How long JetStream knows an `idempotencyKey`, in milliseconds, from 100 up. It counts time, not
   * what is held: a key that is older can be appended again though its event is still there. It is
   * never longer than `maxAge`. Default: that of the stream, where it is there, and two
   * minutes otherwise.
   */
  duplicateWindow?: number;
  /**
   * Where a stream is kept that is made here.
   *
   * @default {"file"}
   */
  storage?: "file" | "memory";
  /**
   * On how many servers a stream is kept that is made here, an integer from 1 to 5.
   *
   * @default {1}
   */
  replicas?: number;
  /**
   * How long an answer of JetStream is waited for, in milliseconds, from 1 up. What takes longer rejects
   * with `LogUnavailableError`. Who follows is kept, for however long it takes.
   *
   * @default {5000}
   */
  timeout?: number;
  /**
   * How often it is checked whether followers have missed an event, in milliseconds, from 1 up. NATS
   * says each once, to who is connected; when a connection is there again it is checked at once.
   *
   * @default {5000}
   */
  checkInterval?: number;
}

/** How many topics are remembered to which was appended. What is forgotten is asked for again. */
const MAX_WRITERS = 10_000;

/** The longest time that JetStream counts, in ns: about 285 years. */
const MAX_NANOS = 9e18;

/** The longest time of a timer, in ms. */
const MAX_TIME = 2 ** 31 - 1;

/**
 * An {@linkcode EventLog} on NATS JetStream: any number of processes append, read and follow.
 *
 * It takes a connection of `@nats-io/transport-node` or of another transport, and its JetStream client;
 * both stay open when the log is closed. A server from 2.9 on is needed, for the stream tells of what
 * it has stored by `republish`. The connection should be made with `maxReconnectAttempts: -1`, for one
 * that has given up does not come back.
 *
 * Events that are appended to a topic while a message is under way go together in the next one. Those
 * with an `idempotencyKey` go alone, one after the other. An event must fit into a message
 * (`max_payload` of the server, 1 MiB if it is not set).
 *
 * @example Open a log that all processes of a service share
 * ```ts
 * import { jetstream } from "@nats-io/jetstream";
 * import { connect } from "@nats-io/transport-node";
 * import { NatsEventLog } from "@webstreams/sse/log/nats";
 *
 * async function openLog(): Promise<NatsEventLog> {
 *   const connection = await connect({ maxReconnectAttempts: -1 });
 *   return new NatsEventLog(connection, { jetstream: jetstream(connection), maxEvents: 100 });
 * }
 * ```
 */
export class NatsEventLog implements EventLog, AsyncDisposable {
  readonly #client: NatsClient;
  readonly #streams: NatsStreams;
  readonly #epochs: NatsEpochs;
  readonly #replay: NatsReplay;
  readonly #live: NatsLive;
  /** Who appends to a topic, from the one on that was used the longest ago. */
  readonly #writers = new Map<string, NatsWriter>();

  /**
   * Makes a log. Nothing is asked of the server before it is used.
   *
   * @param connection The connection.
   * @param options Its JetStream client, the name of the stream, what it holds at most.
   * @throws {TypeError} If the connection or its JetStream client is none, or an option is of another
   * kind.
   * @throws {RangeError} If a number is out of its range.
   */
  constructor(connection: NatsConnection, options: NatsEventLogOptions) {
    checkClients(connection, options);
    const { timeout, checkInterval, maxEvents, ...limits } = checkOptions(options);
    this.#client = new NatsClient(connection, options.jetstream, timeout);
    this.#streams = new NatsStreams(this.#client, limits);
    this.#epochs = new NatsEpochs(this.#streams);
    this.#replay = new NatsReplay(this.#streams, this.#epochs, maxEvents);
    this.#live = new NatsLive(this.#streams, checkInterval, (topic, group) => {
      this.#writers.get(topic)?.learn(group);
    });
    this.#client.onReconnect = () => {
      for (const writer of this.#writers.values()) writer.forget();
      this.#live.recover();
    };
  }

  /**
   * Appends an event to a topic, and carries it to all that follow the topic.
   *
   * @param topic The topic, which exists from its first event on.
   * @param event The event, without `id`.
   * @param options An idempotency key, the sender.
   * @returns The id of the event.
   * @throws {TypeError} If the event has an `id`, or the log is closed.
   * @throws {RangeError} If the event is larger than a message may be.
   * @throws {LogUnavailableError} If JetStream refuses, or gives no answer in time. The event may have
   * been appended all the same.
   */
  async append(
    topic: string,
    event: ServerSentEventInit,
    options: AppendOptions = {},
  ): Promise<string> {
    this.#client.assertOpen("append event");
    checkAppend(event, options);
    const { idempotencyKey, sender } = options;
    const record = writeRecord(event, sender);
    const key = idempotencyKey === undefined
      ? undefined
      : `${tokenOf(topic)}.${tokenOf(idempotencyKey)}`;
    this.#checkSize(record, key);
    return await this.#writer(topic).append(record, key);
  }

  /**
   * Reads the events of a topic that are held, in order.
   *
   * @param topic The topic.
   * @param options From where on, until where, a signal.
   * @returns The events. Up to 32 messages are read ahead.
   * @throws {LogGapError} If there is a hole between `after` and what is held.
   * @throws {TypeError} If `until` is not an id of the epoch, or the log is closed.
   * @throws {LogUnavailableError} If JetStream refuses, or gives no answer in time.
   */
  read(topic: string, options: ReadLogOptions): AsyncIterable<LoggedEvent> {
    const recent = () => this.#live.recent(topic);
    return { [Symbol.asyncIterator]: () => this.#replay.read(topic, options, recent) };
  }

  /**
   * Follows a topic live, also one that does not exist yet, and through all outages.
   *
   * @param topic The topic.
   * @param options The signal that ends it, what to call.
   * @returns The id after which the events come.
   * @throws {TypeError} If the log is closed.
   * @throws {LogUnavailableError} If JetStream refuses, or gives no answer in time.
   */
  async follow(topic: string, options: FollowOptions): Promise<string> {
    const action = "follow topic";
    const { signal } = options;
    this.#client.assertOpen(action);
    signal.throwIfAborted();
    const tail = new Tail((range) => this.read(topic, range), options);
    // Before it is asked where the topic stands, so that nothing is missed from there on.
    const following = this.#live.follow(topic, tail, options);
    try {
      const { epoch, head } = await this.#replay.standing(topic, { action, signal });
      this.#client.assertOpen(action);
      signal.throwIfAborted();
      const id = formatEventId({ epoch, seq: head });
      tail.start(id);
      return id;
    } catch (error) {
      following.end();
      throw error;
    }
  }

  /**
   * Watches which topics there are. While somebody does, all that is appended comes to this process.
   *
   * @param options The signal that ends it, what to call.
   * @returns The topics that hold events.
   * @throws {TypeError} If the log is closed.
   * @throws {LogUnavailableError} If JetStream refuses, or gives no answer in time.
   */
  async topics(options: TopicsOptions): Promise<string[]> {
    this.#client.assertOpen("watch topics");
    options.signal.throwIfAborted();
    return await this.#live.watch(options);
  }

  /** Ends all that follow, watch, read and append. The connection stays open. */
  close(): Promise<void> {
    this.#client.close();
    this.#live.close();
    for (const writer of this.#writers.values()) writer.close();
    this.#writers.clear();
    return Promise.resolve();
  }

  /** Closes the log, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #writer(topic: string): NatsWriter {
    const writer = this.#writers.get(topic) ??
      new NatsWriter(topic, this.#streams, this.#epochs);
    this.#writers.delete(topic);
    this.#writers.set(topic, writer);
    if (this.#writers.size > MAX_WRITERS) this.#forget();
    return writer;
  }

  /** Forgets the topic that was used the longest ago. */
  #forget(): void {
    for (const [topic, { running }] of this.#writers) {
      if (running || this.#live.has(topic)) continue;
      this.#writers.delete(topic);
      return;
    }
  }

  #checkSize(record: string, key = ""): void {
    const most = this.#client.maxPayload - OVERHEAD - key.length;
    // No UTF-16 code unit takes more than three bytes.
    if (3 * record.length <= most) return;
    const bytes = new TextEncoder().encode(record).length;
    if (bytes <= most) return;
    throw new RangeError(
      `Cannot append event: it takes ${bytes} bytes and a message of NATS holds ${most} of it, raise "max_payload" of the server`,
    );
  }
}

interface Settings extends StreamLimits {
  timeout: number;
  checkInterval: number;
  maxEvents: number;
}

function checkOptions(options: NatsEventLogOptions): Settings {
  const { name = "sse", storage = "file" } = options;
  if (typeof name !== "string" || !/^[\w-]{1,64}$/.test(name)) {
    throw new TypeError(
      `Cannot make event log: "name" must be 1 to 64 letters, digits, "-" and "_": received ${
        JSON.stringify(name)
      }`,
    );
  }
  if (storage !== "file" && storage !== "memory") {
    throw new TypeError(
      `Cannot make event log: "storage" must be "file" or "memory": received ${
        JSON.stringify(storage)
      }`,
    );
  }
  const { replicas = 1 } = options;
  if (!Number.isInteger(replicas) || replicas < 1 || replicas > 5) {
    throw new RangeError(
      `Cannot make event log: "replicas" must be an integer from 1 to 5: received ${replicas}`,
    );
  }
  const maxEvents = checkBound("maxEvents", options.maxEvents, 1_000);
  const maxAge = checkTime("maxAge", options.maxAge);
  const duplicateWindow = checkTime("duplicateWindow", options.duplicateWindow, MAX_NANOS / NANOS);
  const { maxBytes } = options;
  return {
    name,
    storage,
    replicas,
    maxEvents: Math.floor(maxEvents),
    timeout: Math.min(MAX_TIME, checkBound("timeout", options.timeout, 5_000)),
    checkInterval: Math.min(MAX_TIME, checkBound("checkInterval", options.checkInterval, 5_000)),
    config: {
      max_msgs_per_subject: limitOf(maxEvents),
      max_bytes: maxBytes === undefined
        ? undefined
        : limitOf(checkBound("maxBytes", maxBytes, Infinity)),
      max_age: nanosOf(maxAge),
      duplicate_window: nanosOf(
        duplicateWindow && Math.min(duplicateWindow, maxAge ?? Infinity),
      ),
    },
  };
}

/** A time as JetStream takes it: 0 for none. */
function nanosOf(ms: number | undefined): number | undefined {
  if (ms === undefined) return undefined;
  return ms === Infinity ? 0 : Math.min(Math.floor(ms) * NANOS, MAX_NANOS);
}

/** A bound as JetStream takes it: an integer, -1 for none. */
function limitOf(bound: number): number {
  return bound > Number.MAX_SAFE_INTEGER ? -1 : Math.floor(bound);
}

/** A time in ms, from where on JetStream takes it. */
function checkTime(
  name: string,
  value: number | undefined,
  most: number = Infinity,
): number | undefined {
  if (value === undefined) return undefined;
  const time = checkBound(name, value, Infinity);
  if (time >= 100 && time <= most) return time;
  const range = most === Infinity ? "100 up" : `100 to ${most}`;
  throw new RangeError(
    `Cannot make event log: "${name}" must be a number from ${range}: received ${value}`,
  );
}

function checkClients(connection: NatsConnection, options: NatsEventLogOptions): void {
  if (typeof connection?.request !== "function" || typeof connection.subscribe !== "function") {
    throw new TypeError(
      "Cannot make event log: the first argument must be a connection of NATS: make it with `connect` of @nats-io/transport-node",
    );
  }
  if (typeof options?.jetstream?.publish !== "function") {
    throw new TypeError(
      'Cannot make event log: "jetstream" must be a JetStream client: make it with `jetstream(connection)` of @nats-io/jetstream',
    );
  }
}
