/**
 * The log in a SQLite file.
 *
 * @module
 */

import { SseError } from "../../errors.ts";
import type { OpenedLog, OpenLogOptions } from "./opened.ts";
import { Failure, withCauses } from "../failure.ts";

/**
 * Opens a file.
 *
 * @throws {Failure} If it cannot be opened, or there is no SQLite here.
 */
export async function openSqlite(
  file: string,
  { maxEvents }: OpenLogOptions,
): Promise<OpenedLog> {
  const { SqliteEventLog } = await loadAdapter();
  try {
    const log = new SqliteEventLog(file, { maxEvents });
    return { log, name: `sqlite:${file}`, close: () => log.close() };
  } catch (error) {
    if (!(error instanceof SseError)) throw error;
    throw new Failure(`Cannot open the log ${JSON.stringify(file)}: ${withCauses(error)}`, {
      cause: error,
    });
  }
}

/** Not with the rest: not every runtime has `node:sqlite`. */
async function loadAdapter(): Promise<typeof import("../../log/sqlite.ts")> {
  try {
    return await import("../../log/sqlite.ts");
  } catch (cause) {
    throw new Failure(
      "Cannot open the log: this runtime has no node:sqlite: run sse with Node from 22.13 on or with Deno, or take another --log",
      { cause },
    );
  }
}
