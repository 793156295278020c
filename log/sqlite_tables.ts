/**
 * The events of a log in SQLite: appended in transactions, read in pages.
 *
 * @module
 */

import { LogGapError } from "../errors.ts";
import {
  type EventId,
  formatEventId,
  gapAfter,
  type ReadLogOptions,
  readRange,
  type TopicPlace,
} from "../server/log.ts";
import {
  isRow,
  isTooBig,
  prepare,
  type SqliteDatabase,
  type SqliteRow,
  type SqliteStatement,
} from "./sqlite_database.ts";
import { type SqliteBounds, SqliteRetention } from "./sqlite_retention.ts";
import { epochOf, rollback } from "./sqlite_schema.ts";
import { escapeText, type SqliteTopic, SqliteTopics, unescapeText } from "./sqlite_topics.ts";

/** How much is read at once: events, and bytes, but always one event. */
const [PAGE, PAGE_BYTES] = [256, 262_144];

/** An event to append. */
export interface NewEvent {
  readonly topic: string;
  readonly record: string;
  readonly key: string | undefined;
}

/** An event as it is kept. */
export interface KeptEvent extends EventId {
  readonly topic: string;
  /** `""` if it is too old, and was emptied. */
  readonly record: string;
}

/** What became of an event that was to be appended. */
export type Appended =
  | { readonly place: EventId; readonly isNew: boolean }
  | { readonly error: unknown };

/** What a reading has to give yet. */
export interface Reading {
  readonly topic: string;
  readonly options: ReadLogOptions;
  /** The id after which it goes on. */
  asked: string;
  /** What it is to give; `undefined` until it has begun. */
  range: { readonly epoch: string; next: number; readonly last: number } | undefined;
}

/** See the module. */
export class SqliteTables {
  readonly #database: SqliteDatabase;
  readonly #topics: SqliteTopics;
  readonly #retention: SqliteRetention;
  readonly #isFollowed: (topic: string) => boolean;
  readonly #begin: SqliteStatement;
  readonly #commit: SqliteStatement;
  readonly #insert: SqliteStatement;
  readonly #insertKey: SqliteStatement;
  readonly #insertTopic: SqliteStatement;
  readonly #byKey: SqliteStatement;
  readonly #page: SqliteStatement;
  readonly #sizes: SqliteStatement;
  readonly #after: SqliteStatement;
  readonly #names: SqliteStatement;

  /**
   * @param shared Others write through the same connection.
   * @param isFollowed Which topics are not to be dropped.
   */
  constructor(
    database: SqliteDatabase,
    { bounds, shared, isFollowed }: {
      bounds: SqliteBounds;
      shared: boolean;
      isFollowed: (topic: string) => boolean;
    },
  ) {
    this.#database = database;
    this.#topics = new SqliteTopics(database, shared);
    this.#retention = new SqliteRetention(database, this.#topics, bounds);
    this.#isFollowed = isFollowed;
    this.#begin = prepare(database, "BEGIN IMMEDIATE");
    this.#commit = prepare(database, "COMMIT");
    const columns = "topic, seq, start, bytes, time, record";
    this.#insert = prepare(
      database,
      `INSERT INTO sse_events (${columns}) VALUES (?, ?, ?, ?, ?, ?)`,
    );
    this.#insertKey = prepare(
      database,
      `INSERT INTO sse_events (${columns}, key) VALUES (?, ?, ?, ?, ?, ?, ?)`,
    );
    this.#insertTopic = prepare(
      database,
      "INSERT INTO sse_topics (name, drops, used) VALUES (?, ?, ?)",
    );
    this.#byKey = prepare(database, "SELECT seq FROM sse_events WHERE topic = ? AND key = ?");
    // Without numbers, though two come twice: early versions of Node 22 bind none to `?1`.
    this.#page = prepare(
      database,
      `SELECT seq, time, record FROM sse_events WHERE topic = ? AND seq BETWEEN ? AND ?
        AND start < ${PAGE_BYTES} +
          (SELECT start FROM sse_events WHERE topic = ? AND seq = ?)
        ORDER BY seq LIMIT ${PAGE}`,
    );
    this.#sizes = prepare(
      database,
      `SELECT id, bytes FROM sse_events WHERE id > ? ORDER BY id LIMIT ${PAGE}`,
    );
    this.#after = prepare(
      database,
      `SELECT e.id, e.seq, e.record, t.name, t.drops FROM sse_events e
        JOIN sse_topics t ON t.id = e.topic WHERE e.id > ? AND e.id <= ? ORDER BY e.id`,
    );
    this.#names = prepare(
      database,
      `SELECT t.name, t.drops FROM sse_topics t JOIN sse_events e ON e.topic = t.id
        AND e.seq = (SELECT max(seq) FROM sse_events WHERE topic = t.id)
        WHERE e.record <> '' AND e.time >= ?`,
    );
  }

  /** The number of the last event of all topics, in the order of the commits. */
  get last(): number {
    this.#topics.refresh();
    return this.#topics.lastId;
  }

  /**
   * Appends events, all in one transaction.
   *
   * @returns What became of each, and the number of the last event of all before and after them.
   */
  append(events: readonly NewEvent[]): { appended: Appended[]; before: number; last: number } {
    this.#begin.run();
    try {
      this.#topics.refresh();
      const before = this.#topics.lastId;
      const used = new Set<SqliteTopic>();
      const now = Date.now();
      const appended = events.map((event) => this.#append(event, now, used));
      for (const topic of used) this.#retention.trim(topic);
      this.#retention.sweep();
      this.#retention.drop(used, this.#isFollowed);
      this.#commit.run();
      this.#topics.keep();
      return { appended, before, last: this.#topics.lastId };
    } catch (error) {
      this.#topics.forget();
      rollback(this.#database);
      throw error;
    }
  }

  /** Where a topic stands. */
  place(name: string): TopicPlace {
    this.#topics.refresh();
    const topic = this.#topics.get(name);
    if (topic === undefined) return { epoch: this.#topics.epoch, first: 1, head: 0 };
    const { epoch, head } = topic;
    return { epoch, first: this.#retention.firstOf(topic), head };
  }

  /**
   * The next events of a reading, none if it has given all.
   *
   * @throws {LogGapError} If they are not held.
   */
  read(reading: Reading): { id: string; time: number; record: string }[] {
    const place = this.place(reading.topic);
    reading.range ??= { ...readRange(reading.options, place), epoch: place.epoch };
    const { epoch, next, last } = reading.range;
    if (next > last) return [];
    if (epoch !== place.epoch || next < place.first) throw gapIn(reading, place);
    const topic = this.#topics.get(reading.topic)?.id ?? 0;
    const rows = this.#page.all(topic, next, last, topic, next).filter(isRow);
    // Another process may have trimmed between two statements.
    if (rows[0]?.seq !== next) throw gapIn(reading, this.place(reading.topic));
    reading.range.next = next + rows.length;
    return rows.map(({ seq, time, record }) => ({
      id: formatEventId({ epoch, seq: Number(seq) }),
      time: Number(time),
      record: String(record),
    }));
  }

  /** What a reading is told whose next event is too old by now; `undefined` if none is. */
  gapAt(time: number, reading: Reading): LogGapError | undefined {
    if (time >= this.#retention.oldest) return undefined;
    return gapIn(reading, this.place(reading.topic));
  }

  /** Events of all topics in the order of their commits, none if there are no more. */
  after(id: number): { events: KeptEvent[]; last: number } {
    this.#topics.refresh();
    let last = id;
    let bytes = 0;
    for (const row of this.#sizes.all(id).filter(isRow)) {
      bytes += Number(row.bytes);
      if (last > id && bytes > PAGE_BYTES) break;
      last = Number(row.id);
    }
    const rows = last === id ? [] : this.#after.all(id, last).filter(isRow);
    return { events: rows.map((row) => this.#kept(row)), last };
  }

  /** The topics that hold events, with their epochs. */
  names(): Map<string, string> {
    this.#topics.refresh();
    const rows = this.#names.all(this.#retention.oldest).filter(isRow);
    return new Map(rows.map((row) => [unescapeText(String(row.name)), this.#epochIn(row)]));
  }

  #kept(row: SqliteRow): KeptEvent {
    return {
      topic: unescapeText(String(row.name)),
      epoch: this.#epochIn(row),
      seq: Number(row.seq),
      record: String(row.record),
    };
  }

  #epochIn({ drops }: SqliteRow): string {
    return epochOf(this.#topics.log.epoch, Number(drops));
  }

  #append({ topic: name, record, key }: NewEvent, now: number, used: Set<SqliteTopic>): Appended {
    const topic = this.#topics.get(name) ?? this.#addTopic(name);
    if (key !== undefined) {
      const seq = this.#known(topic, escapeText(key));
      if (seq !== undefined) return { place: { epoch: topic.epoch, seq }, isNew: false };
    }
    const bytes = utf8Length(record) + (key === undefined ? 0 : utf8Length(key));
    // A clock that is set back does not make an event older than one before it.
    const time = Math.max(now, topic.time);
    const seq = topic.head + 1;
    try {
      const { lastInsertRowid } = key === undefined
        ? this.#insert.run(topic.id, seq, topic.end, bytes, time, record)
        : this.#insertKey.run(topic.id, seq, topic.end, bytes, time, record, escapeText(key));
      this.#topics.lastId = Number(lastInsertRowid);
    } catch (error) {
      // It alone cannot be appended.
      if (isTooBig(error)) return { error };
      throw error;
    }
    this.#retention.add(topic, bytes, time);
    used.add(topic);
    return { place: { epoch: topic.epoch, seq }, isNew: true };
  }

  #addTopic(name: string): SqliteTopic {
    const { log: { drops }, lastId } = this.#topics;
    const { lastInsertRowid } = this.#insertTopic.run(escapeText(name), drops, lastId);
    return this.#topics.add(Number(lastInsertRowid), name);
  }

  /** The number of the event that has the key, if it is still given. */
  #known(topic: SqliteTopic, key: string): number | undefined {
    const row = this.#byKey.get(topic.id, key);
    if (!isRow(row)) return undefined;
    const seq = Number(row.seq);
    if (seq >= this.#retention.firstOf(topic)) return seq;
    // It is there still, but no longer given, and holds the key.
    this.#retention.purge(topic);
    return undefined;
  }
}

function gapIn({ asked }: Reading, place: TopicPlace): LogGapError {
  const first = formatEventId({ epoch: place.epoch, seq: place.first });
  return new LogGapError(gapAfter(asked, place) ?? { asked, first, reason: "trimmed" });
}

/** How many bytes a text takes as UTF-8. */
function utf8Length(text: string): number {
  let length = text.length;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 0x80) continue;
    // Of a pair of surrogates, four bytes in all, each half has two.
    length += unit < 0x800 || (unit & 0xf800) === 0xd800 ? 1 : 2;
  }
  return length;
}
