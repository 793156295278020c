/**
 * Where a recording goes: a file that is made when there is something to write, or stdout.
 *
 * @module
 */

import { access, type FileHandle, open } from "node:fs/promises";
import { orAbort } from "../../client/opening.ts";
import type { Context } from "../context.ts";
import { Failure } from "../failure.ts";

/** See the module. */
export class RecordingFile {
  readonly #path: string;
  readonly #flags: string;
  readonly #context: Context;
  #handle: FileHandle | undefined = undefined;

  private constructor(path: string, flags: string, context: Context) {
    this.#path = path;
    this.#flags = flags;
    this.#context = context;
  }

  /** Refuses to overwrite, before anybody is asked. */
  static async open(path: string, force: boolean, context: Context): Promise<RecordingFile> {
    if (path !== "-" && !force && await exists(path)) throw taken(path);
    return new RecordingFile(path, force ? "w" : "wx", context);
  }

  /** Writes at once: nothing waits in this process. */
  async write(text: string): Promise<void> {
    if (this.#path === "-") return await this.#print(text);
    try {
      // Not before: a server that refuses must not cost the recording of yesterday.
      this.#handle ??= await open(this.#path, this.#flags);
      await this.#handle.appendFile(text);
    } catch (cause) {
      if (codeOf(cause) === "EEXIST") throw taken(this.#path, cause);
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new Failure(`Cannot record to ${this.#path}: ${reason}`, { cause });
    }
  }

  /** A reader that stands still must not keep us from ending. */
  async #print(text: string): Promise<void> {
    const { stdout, signal } = this.#context;
    try {
      await orAbort(stdout.write(text), signal);
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }

  /** Sees to it that it is on the disk. */
  async close(): Promise<void> {
    const handle = this.#handle;
    if (handle === undefined) return;
    this.#handle = undefined;
    try {
      // A pipe or a device has nothing to be seen to.
      await handle.sync().catch(() => {});
    } finally {
      await handle.close();
    }
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await access(path);
    return true;
  } catch {
    return false;
  }
}

function taken(path: string, cause?: unknown): Failure {
  return new Failure(
    `Cannot record to ${path}: there is such a file, name another or overwrite it by --force`,
    { cause },
  );
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && "code" in error ? error.code : undefined;
}
