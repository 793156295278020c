/**
 * What a log in SQLite holds, and when it deletes what it no longer gives.
 *
 * @module
 */

import {
  isRow,
  prepare,
  type SqliteDatabase,
  type SqliteRow,
  type SqliteStatement,
} from "./sqlite_database.ts";
import type { SqliteTopic, SqliteTopics } from "./sqlite_topics.ts";
import { unescapeText } from "./sqlite_topics.ts";

/** The bounds of a log. */
export interface SqliteBounds {
  readonly maxEvents: number;
  readonly maxBytes: number;
  readonly maxAge: number;
  readonly maxTopics: number;
}

/**
 * What is no longer given stays for a while, so that most transactions delete nothing and write to one
 * place only: a tenth of a bound, and at least so many events.
 */
const [SLACK, MIN_SLACK] = [1.1, 16];

/** How many other topics each transaction looks at for events that are too old. */
const SWEEP = 2;

/** See the module. */
export class SqliteRetention {
  readonly #topics: SqliteTopics;
  readonly #bounds: SqliteBounds;
  readonly #firstByStart: SqliteStatement;
  readonly #firstByTime: SqliteStatement;
  readonly #delete: SqliteStatement;
  readonly #empty: SqliteStatement;
  readonly #next: SqliteStatement;
  readonly #use: SqliteStatement;
  readonly #oldest: SqliteStatement;
  readonly #dropTopic: SqliteStatement;
  readonly #dropEvents: SqliteStatement;
  readonly #setDrops: SqliteStatement;
  /** The topic that was looked at last. */
  #swept = 0;

  constructor(database: SqliteDatabase, topics: SqliteTopics, bounds: SqliteBounds) {
    this.#topics = topics;
    this.#bounds = { ...bounds, maxEvents: Math.floor(bounds.maxEvents) };
    const first = "SELECT seq, start, time FROM sse_events WHERE topic = ? AND seq >= ?";
    this.#firstByStart = prepare(database, `${first} AND start >= ? ORDER BY seq LIMIT 1`);
    this.#firstByTime = prepare(database, `${first} AND time >= ? ORDER BY seq LIMIT 1`);
    this.#delete = prepare(database, "DELETE FROM sse_events WHERE topic = ? AND seq < ?");
    this.#empty = prepare(
      database,
      "UPDATE sse_events SET record = '', key = NULL WHERE topic = ? AND seq = ?",
    );
    this.#next = prepare(
      database,
      "SELECT id, name FROM sse_topics WHERE id > ? ORDER BY id LIMIT 1",
    );
    this.#use = prepare(database, "UPDATE sse_topics SET used = ? WHERE id = ?");
    this.#oldest = prepare(
      database,
      "SELECT id, name, drops FROM sse_topics ORDER BY used, id LIMIT 1 OFFSET ?",
    );
    this.#dropTopic = prepare(database, "DELETE FROM sse_topics WHERE id = ?");
    this.#dropEvents = prepare(database, "DELETE FROM sse_events WHERE topic = ?");
    this.#setDrops = prepare(database, "UPDATE sse_log SET drops = ?");
  }

  /** The time before which an event is too old to be given. */
  get oldest(): number {
    const { maxAge } = this.#bounds;
    return maxAge === Infinity ? 0 : Date.now() - maxAge;
  }

  /** The number of the first event of a topic that is given; of the next one if none is. */
  firstOf(topic: SqliteTopic): number {
    const { maxEvents, maxBytes } = this.#bounds;
    const { id, floor, head, end } = topic;
    if (topic.empty) return head + 1;
    let first = Math.max(floor, head - maxEvents + 1);
    if (end - topic.floorStart > maxBytes) {
      const row = this.#firstByStart.get(id, first, end - maxBytes);
      // The newest event is held however large it is.
      first = Math.min(isRow(row) ? Number(row.seq) : head, head);
    }
    const { oldest } = this;
    if (topic.floorTime < oldest) {
      const row = this.#firstByTime.get(id, first, oldest);
      first = isRow(row) ? Number(row.seq) : head + 1;
    }
    return first;
  }

  /** An event was appended to a topic. */
  add(topic: SqliteTopic, bytes: number, time: number): void {
    const seq = topic.head + 1;
    if (topic.head === 0 || topic.empty) {
      // The row that was kept for its number has done its duty.
      if (topic.empty) this.#delete.run(topic.id, seq);
      topic.floor = seq;
      topic.floorStart = topic.end;
      topic.floorTime = time;
      topic.empty = false;
    }
    topic.head = seq;
    topic.end += bytes;
    topic.time = time;
  }

  /** Deletes of a topic what is no longer given, if it is worth it. */
  trim(topic: SqliteTopic): void {
    const { maxEvents, maxBytes, maxAge } = this.#bounds;
    const count = topic.head - topic.floor + 1;
    const bytes = topic.end - topic.floorStart;
    const tooMany = count > Math.max(maxEvents * SLACK, maxEvents + MIN_SLACK);
    const tooLarge = bytes > maxBytes * SLACK && count > 1;
    const tooOld = maxAge < Infinity && !topic.empty &&
      topic.floorTime < Date.now() - maxAge * SLACK;
    if (tooMany || tooLarge || tooOld) this.purge(topic);
  }

  /** Deletes of a topic what is no longer given. */
  purge(topic: SqliteTopic): void {
    const first = this.firstOf(topic);
    const { id, head } = topic;
    // The last one says how far the topic has counted.
    const floor = Math.min(first, head);
    if (floor > topic.floor) {
      this.#delete.run(id, floor);
      const row = this.#firstByTime.get(id, floor, 0);
      if (!isRow(row)) throw new Error("the tables of the event log are damaged");
      topic.floor = floor;
      topic.floorStart = Number(row.start);
      topic.floorTime = Number(row.time);
    }
    if (first > head && head > 0 && !topic.empty) {
      this.#empty.run(id, head);
      topic.empty = true;
    }
  }

  /** Looks at some more topics for what is too old, so that it goes also where nobody appends. */
  sweep(): void {
    if (this.#bounds.maxAge === Infinity) return;
    for (let n = 0; n < SWEEP; n++) {
      const row = this.#next.get(this.#swept);
      this.#swept = isRow(row) ? Number(row.id) : 0;
      if (!isRow(row)) return;
      const topic = this.#topics.get(nameIn(row));
      if (topic !== undefined) this.trim(topic);
    }
  }

  /**
   * Drops the topics that are too many: those that were appended to the longest ago.
   *
   * @param used The topics that were appended to just now.
   * @param isFollowed Which are not to go.
   */
  drop(used: ReadonlySet<SqliteTopic>, isFollowed: (name: string) => boolean): void {
    const { maxTopics } = this.#bounds;
    if (maxTopics === Infinity) return;
    const { lastId } = this.#topics;
    const names = new Set<string>();
    for (const topic of used) {
      this.#use.run(lastId, topic.id);
      names.add(topic.name);
    }
    let kept = 0;
    while (this.#topics.size > maxTopics) {
      const row = this.#oldest.get(kept);
      if (!isRow(row)) return;
      const name = nameIn(row);
      if (names.has(name) || isFollowed(name)) kept++;
      else this.#drop(row, name);
    }
  }

  #drop({ id, drops }: SqliteRow, name: string): void {
    this.#dropEvents.run(id);
    this.#dropTopic.run(id);
    const now = this.#topics.log.drops;
    // A topic of the same name must not give its ids again.
    const next = drops === now ? now + 1 : now;
    if (next !== now) this.#setDrops.run(next);
    this.#topics.drop(name, next);
  }
}

function nameIn({ name }: SqliteRow): string {
  return unescapeText(String(name));
}
