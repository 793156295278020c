/**
 * What a log needs of SQLite, whichever module gives it, and how it waits for others that write.
 *
 * @module
 */

import { LogUnavailableError, SseError } from "../errors.ts";
import { sleep } from "./patience.ts";

/** What SQLite takes and gives. */
export type SqliteValue = string | number | null;

/** The part of `DatabaseSync` that is used. */
export interface SqliteDatabase {
  exec(sql: string): void;
  prepare(sql: string): SqliteStatement;
}

/** The part of `StatementSync` that is used. */
export interface SqliteStatement {
  run(...values: SqliteValue[]): { changes: number | bigint; lastInsertRowid: number | bigint };
  all(...values: SqliteValue[]): unknown[];
  get(...values: SqliteValue[]): unknown;
  setReadBigInts(enabled: boolean): void;
  /** Not everywhere. */
  setReturnArrays?(enabled: boolean): void;
}

/** A row, as SQLite gives it. */
export type SqliteRow = Record<string, SqliteValue>;

/** Prepares a statement whose rows are objects of numbers, whatever its database was opened with. */
export function prepare(database: SqliteDatabase, sql: string): SqliteStatement {
  const statement = database.prepare(sql);
  statement.setReadBigInts(false);
  statement.setReturnArrays?.(false);
  return statement;
}

/** Whether a statement has given a row: one that {@linkcode prepare} has made gives no others. */
export function isRow(row: unknown): row is SqliteRow {
  return typeof row === "object" && row !== null;
}

/** How often at least another attempt is made, in ms: a commit takes less. */
const [MIN_PAUSE, MAX_PAUSE] = [1, 10];

/** How to wait. */
export interface Patience {
  /** What is tried, for the message: `append event`. */
  action: string;
  /** For how long, in ms. */
  timeout: number;
  /** Ends the wait for the next attempt. */
  signal: AbortSignal;
  /** Throws if there is to be no attempt, or no other. Default: there may be. */
  check?(): void;
}

/**
 * Does some work, at once if it can: while another connection holds a lock it tries again, and the
 * thread is free between.
 *
 * @throws {LogUnavailableError} If the lock is held for too long, or SQLite refuses.
 */
export async function patiently<T>(
  work: () => T,
  { action, timeout, signal, check }: Patience,
): Promise<T> {
  let end: number | undefined;
  for (;;) {
    check?.();
    try {
      return work();
    } catch (error) {
      if (!isBusy(error)) throw asUnavailable(action, error);
      const now = performance.now();
      end ??= now + timeout;
      if (now >= end) {
        const found = `another connection has held the database for ${timeout} ms`;
        const message = `Cannot ${action}: ${found}, try again later`;
        throw new LogUnavailableError(message, { cause: error });
      }
    }
    // At random, or several that wait would all come back at once.
    await sleep(MIN_PAUSE + Math.random() * (MAX_PAUSE - MIN_PAUSE), signal);
  }
}

/** What failed as an error of ours, which has the reason as its cause. */
export function asUnavailable(action: string, cause: unknown): Error {
  if (cause instanceof SseError || cause instanceof TypeError) return cause;
  const found = cause instanceof Error ? cause.message : String(cause);
  return new LogUnavailableError(`Cannot ${action}: ${found}`, { cause });
}

/**
 * Whether it can be tried again soon: SQLITE_BUSY (5), SQLITE_LOCKED (6), or the owner of the database
 * is in a transaction of its own. Deno tells the text only.
 */
export function isBusy(error: unknown): boolean {
  return error instanceof Error &&
    /\block(?:ed|ing)\b|transaction within a transaction/.test(error.message);
}

/** Whether one value is the culprit (SQLITE_TOOBIG), and not the database. */
export function isTooBig(error: unknown): boolean {
  return error instanceof Error && /\btoo big\b/.test(error.message);
}
