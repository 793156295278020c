/**
 * Where each topic of a log in SQLite stands, kept in memory for as long as nobody else has written.
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
import { epochOf } from "./sqlite_schema.ts";

/** How many topics are remembered. What is not is looked up. */
const MAX_TOPICS = 10_000;

/** A topic, as it is in the tables. */
export interface SqliteTopic {
  /** Its row in `sse_topics`. */
  readonly id: number;
  readonly name: string;
  readonly epoch: string;
  readonly drops: number;
  /** The number of the first event whose row is there. It may be one that is no longer given. */
  floor: number;
  floorStart: number;
  floorTime: number;
  /** The number of the last event, 0 if there is none. */
  head: number;
  /** How many bytes all of its events had, from the very first on. */
  end: number;
  /** When the last event was appended, or what the clock was before it was set back. */
  time: number;
  /** The last event is the only row, and was emptied. */
  empty: boolean;
}

const TOPIC = `
SELECT t.id, t.drops, f.seq AS floor, f.start AS floorStart, f.time AS floorTime,
  h.seq AS head, h.start + h.bytes AS "end", h.time, h.record = '' AS empty
FROM sse_topics t
LEFT JOIN sse_events f ON f.topic = t.id
  AND f.seq = (SELECT min(seq) FROM sse_events WHERE topic = t.id)
LEFT JOIN sse_events h ON h.topic = t.id
  AND h.seq = (SELECT max(seq) FROM sse_events WHERE topic = t.id)
WHERE t.name = ?`;

/** See the module. */
export class SqliteTopics {
  readonly #topics = new Map<string, SqliteTopic>();
  readonly #version: SqliteStatement;
  readonly #changes: SqliteStatement | undefined;
  readonly #log: SqliteStatement;
  readonly #topic: SqliteStatement;
  readonly #last: SqliteStatement;
  readonly #count: SqliteStatement;
  /** What tells whether others have written since. */
  #seen: [version: number, changes: number] = [-1, -1];
  #known: { epoch: string; drops: number } | undefined = undefined;
  #lastId: number | undefined = undefined;
  #size: number | undefined = undefined;

  /** @param shared Others write through the same connection. */
  constructor(database: SqliteDatabase, shared: boolean) {
    this.#version = prepare(database, "PRAGMA data_version");
    if (shared) this.#changes = prepare(database, "SELECT total_changes() AS n");
    this.#log = prepare(database, "SELECT epoch, drops FROM sse_log");
    this.#topic = prepare(database, TOPIC);
    this.#last = prepare(database, "SELECT max(id) AS id FROM sse_events");
    this.#count = prepare(database, "SELECT count(*) AS n FROM sse_topics");
  }

  /** Forgets what it knows if others have written. To be called before anything is asked. */
  refresh(): void {
    const version = Number(only(this.#version).data_version);
    const [seen, changes] = this.#seen;
    const changed = this.#countChanges();
    if (version === seen && changed === changes) return;
    this.forget();
    this.#seen = [version, changed];
  }

  /** Forgets what it knows. */
  forget(): void {
    this.#seen = [-1, -1];
    this.#topics.clear();
    this.#known = this.#lastId = this.#size = undefined;
  }

  /** What has changed until here was changed by the log itself, which has told of it. */
  keep(): void {
    this.#seen[1] = this.#countChanges();
  }

  /** What the epochs are made of. */
  get log(): { readonly epoch: string; readonly drops: number } {
    if (this.#known === undefined) {
      const { epoch, drops } = only(this.#log);
      this.#known = { epoch: String(epoch), drops: Number(drops) };
    }
    return this.#known;
  }

  /** The epoch of topics that are new. */
  get epoch(): string {
    return epochOf(this.log.epoch, this.log.drops);
  }

  /** The id of the last event of all, 0 if there is none. */
  get lastId(): number {
    return this.#lastId ??= Number(only(this.#last).id ?? 0);
  }

  set lastId(id: number) {
    this.#lastId = id;
  }

  /** How many topics there are. */
  get size(): number {
    return this.#size ??= Number(only(this.#count).n);
  }

  /** A topic; `undefined` if there is none of the name. */
  get(name: string): SqliteTopic | undefined {
    const known = this.#topics.get(name);
    if (known !== undefined) return known;
    const row = this.#topic.get(escapeText(name));
    if (!isRow(row)) return undefined;
    const { log } = this;
    const topic = {
      id: Number(row.id),
      name,
      epoch: epochOf(log.epoch, Number(row.drops)),
      drops: Number(row.drops),
      floor: Number(row.floor ?? 1),
      floorStart: Number(row.floorStart ?? 0),
      floorTime: Number(row.floorTime ?? Infinity),
      head: Number(row.head ?? 0),
      end: Number(row.end ?? 0),
      time: Number(row.time ?? 0),
      empty: row.empty === 1,
    };
    this.#set(topic);
    return topic;
  }

  /** A topic was made. */
  add(id: number, name: string): SqliteTopic {
    const { epoch, log: { drops } } = this;
    const topic = {
      id,
      name,
      epoch,
      drops,
      floor: 1,
      floorStart: 0,
      floorTime: Infinity,
      head: 0,
      end: 0,
      time: 0,
      empty: false,
    };
    this.#set(topic);
    if (this.#size !== undefined) this.#size++;
    return topic;
  }

  /** A topic was dropped, and perhaps with it the epoch of now. */
  drop(name: string, drops: number): void {
    this.#topics.delete(name);
    if (this.#size !== undefined) this.#size--;
    this.#known = { ...this.log, drops };
  }

  #set(topic: SqliteTopic): void {
    this.#topics.set(topic.name, topic);
    if (this.#topics.size <= MAX_TOPICS) return;
    const [oldest] = this.#topics.keys();
    this.#topics.delete(oldest);
  }

  #countChanges(): number {
    return this.#changes === undefined ? 0 : Number(only(this.#changes).n);
  }
}

/**
 * A text as SQLite keeps and compares it exactly: a lone surrogate would come out as another
 * character, and Deno cuts a text at NUL. All others are as they are, but for quotes and backslashes.
 */
export function escapeText(text: string): string {
  return JSON.stringify(text).slice(1, -1);
}

/** Undoes {@linkcode escapeText}. */
export function unescapeText(text: string): string {
  return JSON.parse(`"${text}"`);
}

function only(statement: SqliteStatement): SqliteRow {
  const row = statement.get();
  if (!isRow(row)) throw new Error("the tables of the event log are damaged");
  return row;
}
