/**
 * An event log in a SQLite file, by the `node:sqlite` of the runtime: it outlives the process, and
 * several processes of a machine may share it.
 *
 * It needs Deno 2.2, Node.js 22.13 or Bun 1.4, or newer; it is tested with Deno 2.9, Node.js 22, 24
 * and 26, and Bun 1.4. There is nothing to install.
 *
 * @example Readers go on where they were, also after a restart
 * ```ts
 * import { SqliteEventLog } from "@webstreams/sse/log/sqlite";
 * import { assertEquals } from "@std/assert";
 *
 * await using log = new SqliteEventLog(":memory:"); // Or the path of a file
 * const first = await log.append("news", { data: "a" });
 * await log.append("news", { data: "b" });
 * const missed = await Array.fromAsync(log.read("news", { after: first }));
 * assertEquals(missed.map(({ data }) => data), ["b"]);
 * ```
 *
 * @module
 */

import { DatabaseSync } from "node:sqlite";
import { setImmediate } from "node:timers";
import type { ServerSentEventInit } from "../encode.ts";
import { LogUnavailableError } from "../errors.ts";
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
import { readRecord, writeRecord } from "./record.ts";
import { asUnavailable, isBusy, patiently } from "./sqlite_database.ts";
import { SqliteDelivery } from "./sqlite_delivery.ts";
import { SqliteLive } from "./sqlite_live.ts";
import { openTables } from "./sqlite_schema.ts";
import {
  type Appended,
  type KeptEvent,
  type NewEvent,
  type Reading,
  SqliteTables,
} from "./sqlite_tables.ts";

/**
 * The bounds of a {@linkcode SqliteEventLog}: numbers from 1 up, where `Infinity` lifts a bound. All
 * who share a file should have the same.
 *
 * What is beyond a bound is not given from then on. It is deleted a little later, with others: a file
 * may hold a tenth more, or 16 events more of each topic.
 */
export interface SqliteEventLogOptions {
  /**
   * How many events of a topic are held.
   *
   * @default {1000}
   */
  maxEvents?: number;
  /**
   * How many bytes the events of a topic may take: as JSON in UTF-8, with their senders and
   * idempotency keys. The newest event of a topic is held however large it is.
   *
   * @default {4194304}
   */
  maxBytes?: number;
  /**
   * How long an event is held, in milliseconds by the clock of the machine, for it counts over
   * restarts. While that clock is set back, events are held for longer.
   *
   * @default {Infinity}
   */
  maxAge?: number;
  /**
   * How many topics are held. Above it the one is dropped that was appended to the longest ago, unless
   * it is followed through this log. Who asks for its events is told of a gap, also when the topic is
   * there again: its ids are of another epoch then.
   *
   * There is no bound by default, for what is kept in a file is expected to be there; set one where
   * the names of topics are made of what somebody sends.
   *
   * @default {Infinity}
   */
  maxTopics?: number;
  /**
   * How long it is tried to get hold of a file to which another process writes, in milliseconds. Then
   * a call rejects with `LogUnavailableError`.
   *
   * @default {5000}
   */
  timeout?: number;
  /**
   * How often it is looked for what other processes have appended, in milliseconds: this is how much
   * later this one hears of it. It is only looked while a topic is followed or topics are watched: one
   * number is read, if nothing has changed. What is appended through the log itself comes when it is
   * committed. `Infinity`: others are heard of with its own appends only.
   *
   * @default {25}
   */
  pollInterval?: number;
}

/** An append that waits for the end of the turn. */
interface Pending extends NewEvent {
  resolve(id: string): void;
  reject(error: unknown): void;
}

/** How many appends may wait while another process holds the file. */
const MAX_PENDING = 10_000;

/** How long SQLite itself waits for a lock, in ms: the thread stands still then. */
const BUSY_TIMEOUT = 2;

/** How often it is tried to put a file in WAL mode. */
const MAX_ATTEMPTS = 10;

/** The greatest delay that a timer and SQLite take, in ms. */
const MAX_DELAY = 2_147_483_647;

/**
 * An {@linkcode EventLog} in a SQLite file.
 *
 * The events that are appended in one turn are committed together at its end, and an append resolves
 * when they are on the disk: neither a killed process nor a power cut loses an event whose append has
 * resolved. One that the file could not take rejects with `LogUnavailableError`.
 *
 * A file that it opens itself is put in WAL mode, with `synchronous = FULL`. Of a `DatabaseSync` that
 * it is handed it changes nothing but its own tables, `sse_log`, `sse_topics` and `sse_events`: that
 * should be in WAL mode, too, must not be left in a transaction from one turn to the next, and
 * is not closed. What the log promises of a power cut is then up to its `synchronous`.
 *
 * All processes that use a file must be on one machine: WAL does not work over a network file system.
 * After a file was replaced by an older copy, give it another epoch before it is opened, or ids
 * would be given twice: `UPDATE sse_log SET epoch = 'restored-1'`.
 *
 * @example Share the database of an application
 * ```ts
 * import { SqliteEventLog } from "@webstreams/sse/log/sqlite";
 * import { DatabaseSync } from "node:sqlite";
 *
 * using database = new DatabaseSync(":memory:");
 * await using log = new SqliteEventLog(database, { maxAge: 3_600_000 });
 * await log.append("news", { data: "a" });
 * ```
 */
export class SqliteEventLog implements EventLog, AsyncDisposable {
  readonly #timeout: number;
  /** What the log has opened itself. */
  readonly #own: DatabaseSync | undefined = undefined;
  readonly #tables: SqliteTables;
  readonly #live = new SqliteLive(() => this.#delivery.stop());
  readonly #delivery: SqliteDelivery;
  readonly #controller = new AbortController();
  #pending: Pending[] = [];
  #scheduled = false;
  /** The commit that runs. */
  #committing: Promise<void> | undefined = undefined;
  /** It waits for another process. */
  #stuck = false;
  #closed = false;
  #closing: Promise<void> | undefined = undefined;

  /**
   * Opens a log, and makes its tables where there are none. While another process holds a file it waits
   * for up to `timeout`, and the thread with it.
   *
   * @param database The path of a file, `":memory:"`, or a database that is open.
   * @param options What it holds at most, how it waits.
   * @throws {RangeError} If an option is not a number from 1 up.
   * @throws {LogUnavailableError} If the file cannot be opened, is no database, or was written by a
   *   newer version.
   */
  constructor(database: string | DatabaseSync, options: SqliteEventLogOptions = {}) {
    const bounds = {
      maxEvents: checkBound("maxEvents", options.maxEvents, 1_000),
      maxBytes: checkBound("maxBytes", options.maxBytes, 4_194_304),
      maxAge: checkBound("maxAge", options.maxAge, Infinity),
      maxTopics: checkBound("maxTopics", options.maxTopics, Infinity),
    };
    this.#timeout = Math.min(checkBound("timeout", options.timeout, 5_000), MAX_DELAY);
    const interval = Math.min(checkBound("pollInterval", options.pollInterval, 25), MAX_DELAY);
    const { isFollowed } = this.#live;
    const isPath = typeof database === "string";
    try {
      const opened = isPath ? openFile(database, this.#timeout) : database;
      if (isPath) this.#own = opened;
      openTables(opened);
      if (isPath) opened.exec(`PRAGMA busy_timeout = ${BUSY_TIMEOUT}`);
      this.#tables = new SqliteTables(opened, { bounds, shared: !isPath, isFollowed });
    } catch (error) {
      this.#own?.close();
      throw asUnavailable("open event log", error);
    }
    this.#delivery = new SqliteDelivery(this.#tables, this.#live, { interval, nextTurn });
  }

  /**
   * Appends an event to a topic. It is committed with all others of this turn.
   *
   * @param topic The topic, which exists from its first event on.
   * @param event The event, without `id`. It is copied.
   * @param options An idempotency key, the sender.
   * @returns The id of the event.
   * @throws {TypeError} If the event has an `id`, or the log is closed.
   * @throws {RangeError} If it is larger than what SQLite takes.
   * @throws {LogUnavailableError} If the event could not be written.
   */
  append(topic: string, event: ServerSentEventInit, options: AppendOptions = {}): Promise<string> {
    return new Promise((resolve, reject) => {
      this.#assertOpen("append event");
      checkAppend(event, options);
      if (this.#stuck && this.#pending.length >= MAX_PENDING) {
        const found = `${MAX_PENDING} appends wait for another process that holds the file`;
        throw new LogUnavailableError(`Cannot append event: ${found}, try again later`);
      }
      const { idempotencyKey: key, sender } = options;
      this.#pending.push({ topic, record: writeRecord(event, sender), key, resolve, reject });
      this.#schedule();
    });
  }

  /**
   * Reads the events of a topic that are held, in order.
   *
   * @param topic The topic.
   * @param options From where on, until where, a signal.
   * @returns The events, read 256 at a time.
   * @throws {LogGapError} If there is a hole between `after` and what is held.
   * @throws {TypeError} If `until` is not an id of the epoch, or the log is closed.
   * @throws {LogUnavailableError} If the file cannot be read.
   */
  async *read(topic: string, options: ReadLogOptions): AsyncGenerator<LoggedEvent, undefined> {
    const { after, signal } = options;
    const action = "read events";
    const check = () => {
      this.#assertOpen(action);
      signal?.throwIfAborted();
    };
    const reading: Reading = { topic, options, asked: after, range: undefined };
    for (;;) {
      const page = await this.#patiently(action, () => this.#tables.read(reading), check);
      if (page.length === 0) return;
      for (const { id, time, record } of page) {
        check();
        // It may have been read long ago.
        const gap = this.#tables.gapAt(time, reading);
        if (gap !== undefined) throw gap;
        yield readRecord(record, id);
        reading.asked = id;
      }
    }
  }

  /**
   * Follows a topic live, from when it resolves, also one that does not exist yet.
   *
   * @param topic The topic.
   * @param options The signal that ends it, what to call.
   * @returns The id after which the events come.
   * @throws {TypeError} If the log is closed.
   * @throws {LogUnavailableError} If the file cannot be read.
   */
  follow(topic: string, options: FollowOptions): Promise<string> {
    return this.#join("follow topic", options.signal, () => {
      const { epoch, head: seq } = this.#tables.place(topic);
      this.#live.follow(topic, { epoch, seq }, options);
      return formatEventId({ epoch, seq });
    });
  }

  /**
   * Watches which topics there are, from when it resolves.
   *
   * @param options The signal that ends it, what to call.
   * @returns The topics that hold events.
   * @throws {TypeError} If the log is closed.
   * @throws {LogUnavailableError} If the file cannot be read.
   */
  topics(options: TopicsOptions): Promise<string[]> {
    return this.#join("watch topics", options.signal, () => {
      const known = this.#tables.names();
      const names = [...known.keys()];
      this.#live.watch(known, options);
      return names;
    });
  }

  /**
   * Commits what was appended, ends all that follow, watch and read, and closes the file if the log has
   * opened it.
   */
  close(): Promise<void> {
    this.#closed = true;
    return this.#closing ??= this.#close();
  }

  /** Closes the log, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    // Those who follow are given what can be committed at once.
    const committed = this.#commit();
    this.#live.end();
    await committed;
    await this.#commit();
    this.#controller.abort();
    this.#own?.close();
  }

  /**
   * At the end of the turn: by then all have appended whose requests came while the last commit
   * blocked the thread, and one write to the disk does for all of them.
   */
  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#commit();
    });
  }

  /** Commits what waits, one batch after the other. */
  #commit(): Promise<void> {
    if (this.#committing !== undefined) return this.#committing;
    if (this.#pending.length === 0) return Promise.resolve();
    const batch = this.#pending;
    this.#pending = [];
    this.#committing = this.#append(batch).finally(() => {
      this.#committing = undefined;
      if (this.#pending.length > 0) this.#schedule();
    });
    return this.#committing;
  }

  async #append(batch: Pending[]): Promise<void> {
    const commit = () => this.#appendNow(batch);
    try {
      settle(batch, await this.#patiently("append event", commit));
    } catch (error) {
      this.#stuck = false;
      // Those that have come since had no better chance.
      for (const { reject } of [...batch, ...this.#pending.splice(0)]) reject(error);
    }
  }

  #appendNow(batch: Pending[]): Appended[] {
    this.#stuck = true;
    const { appended, before, last } = this.#tables.append(batch);
    this.#stuck = false;
    this.#delivery.deliver(() => keptOf(batch, appended), before, last);
    return appended;
  }

  /** Begins to follow or to watch. */
  #join<T>(action: string, signal: AbortSignal, begin: () => T): Promise<T> {
    const check = () => {
      this.#assertOpen(action);
      signal.throwIfAborted();
    };
    return this.#patiently(action, () => this.#delivery.start(begin), check);
  }

  #patiently<T>(action: string, work: () => T, check?: () => void): Promise<T> {
    const { signal } = this.#controller;
    return patiently(work, { action, timeout: this.#timeout, signal, check });
  }

  #assertOpen(action: string): void {
    if (this.#closed) throw new TypeError(`Cannot ${action}: the log is closed`);
  }
}

/** Opens a file that several processes may use. */
function openFile(path: string, timeout: number): DatabaseSync {
  const database = new DatabaseSync(path);
  try {
    database.exec(`PRAGMA busy_timeout = ${Math.ceil(timeout)}`);
    useWal(database);
    // With less, a power cut takes what was committed last, and its ids would be given twice.
    database.exec("PRAGMA synchronous = FULL");
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

/** SQLite does not wait where two change to WAL at once, but one of them has done it then. */
function useWal(database: DatabaseSync): void {
  for (let attempt = 1;; attempt++) {
    try {
      return database.exec("PRAGMA journal_mode = WAL");
    } catch (error) {
      if (!isBusy(error) || attempt === MAX_ATTEMPTS) throw error;
      // This does wait.
      database.exec("BEGIN IMMEDIATE; ROLLBACK");
    }
  }
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => void setImmediate(resolve));
}

/** The events that were appended, without those that were there. */
function* keptOf(batch: Pending[], appended: Appended[]): Generator<KeptEvent> {
  for (const [index, result] of appended.entries()) {
    if (!("place" in result) || !result.isNew) continue;
    const { topic, record } = batch[index];
    yield { ...result.place, topic, record };
  }
}

/** Tells those who have appended. */
function settle(batch: Pending[], appended: Appended[]): void {
  for (const [index, result] of appended.entries()) {
    const { resolve, reject } = batch[index];
    if ("place" in result) {
      resolve(formatEventId(result.place));
      continue;
    }
    const message = "Cannot append event: it is larger than what SQLite takes";
    reject(new RangeError(message, { cause: result.error }));
  }
}
