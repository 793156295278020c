/**
 * The tables of a log in SQLite, and what is kept of the log as a whole.
 *
 * @module
 */

import { LogUnavailableError } from "../errors.ts";
import { isRow, prepare, type SqliteDatabase } from "./sqlite_database.ts";

/** What is in `sse_log`. Whatever reads the tables differently has to count it up. */
const VERSION = 1;

// `sse_events.id` counts all events in the order of their commits, for followers in other processes.
// `start` is how many bytes the events of the topic had before this one: a difference of two is what
// is between, with nothing to add up. The newest event of a topic is never deleted, but emptied when
// it is too old: so neither a `seq` nor an `id` is given twice.
const TABLES = `
CREATE TABLE IF NOT EXISTS sse_log (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  version INTEGER NOT NULL,
  epoch TEXT NOT NULL,
  drops INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS sse_topics (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL UNIQUE,
  drops INTEGER NOT NULL,
  used INTEGER NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS sse_topics_used ON sse_topics (used);
CREATE TABLE IF NOT EXISTS sse_events (
  id INTEGER PRIMARY KEY,
  topic INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  start INTEGER NOT NULL,
  bytes INTEGER NOT NULL,
  time INTEGER NOT NULL,
  key TEXT,
  record TEXT NOT NULL,
  UNIQUE (topic, seq)
) STRICT;
CREATE UNIQUE INDEX IF NOT EXISTS sse_events_key ON sse_events (topic, key) WHERE key IS NOT NULL;
`;

/**
 * Makes the tables, unless they are there.
 *
 * @throws {LogUnavailableError} If they are of a newer version.
 */
export function openTables(database: SqliteDatabase): void {
  if (hasTables(database)) return checkVersion(database);
  database.exec("BEGIN IMMEDIATE");
  try {
    // Another process may have been faster.
    database.exec(TABLES);
    prepare(database, "INSERT OR IGNORE INTO sse_log VALUES (1, ?, ?, 0)").run(VERSION, random());
    checkVersion(database);
    database.exec("COMMIT");
  } catch (error) {
    rollback(database);
    throw error;
  }
}

/** Ends a transaction that has failed. */
export function rollback(database: SqliteDatabase): void {
  try {
    database.exec("ROLLBACK");
  } catch {
    // SQLite has done it already.
  }
}

/** The epoch of topics that were new after so many drops of one that had the epoch of then. */
export function epochOf(epoch: string, drops: number): string {
  return drops === 0 ? epoch : `${epoch}-${drops.toString(36)}`;
}

function hasTables(database: SqliteDatabase): boolean {
  const sql = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'sse_log'";
  return prepare(database, sql).get() !== undefined;
}

function checkVersion(database: SqliteDatabase): void {
  const row = prepare(database, "SELECT version FROM sse_log").get();
  const version = isRow(row) ? row.version : undefined;
  if (version === VERSION) return;
  const found = typeof version === "number" && version > VERSION
    ? `its tables are of version ${version}, and this knows ${VERSION}: update @webstreams/sse`
    : "its table sse_log is none of ours: use another file";
  throw new LogUnavailableError(`Cannot open event log: ${found}`);
}

function random(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(10));
  return Array.from(bytes, (byte) => (byte % 32).toString(32)).join("");
}
