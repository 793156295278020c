/**
 * The last event ID in a file, so that a command goes on where the one before has stopped.
 *
 * @module
 */

import { constants } from "node:fs";
import { access, readFile, rename, rm, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import process from "node:process";
import type { LastEventIdStore } from "../client.ts";
import { Failure } from "./failure.ts";

/** Keeps the id as the one line of a text file, which is replaced as a whole: nobody sees half of it. */
export class ResumeFile implements LastEventIdStore {
  readonly #path: string;
  /** What the file has; `undefined` before it is known that it is ours to write. */
  #saved: string | undefined = undefined;

  /** Keeps it in this file, which may yet be missing. */
  constructor(path: string) {
    this.#path = path;
  }

  /** The id that was saved last. Looks also whether one can be saved, before there is one to lose. */
  async load(): Promise<string | undefined> {
    try {
      await access(dirname(this.#path), constants.W_OK);
      const text = await readFile(this.#path, "utf8");
      const id = text.replace(/\r?\n$/, "");
      // deno-lint-ignore no-control-regex
      if (/[\x00\r\n]/.test(id)) throw new Error("it has many lines, and not the one of an id");
      return this.#saved = id;
    } catch (error) {
      // The first run has no file, but a folder for it.
      if (!isMissing(error, this.#path)) throw this.#failure("read", error);
      this.#saved = "";
      return undefined;
    }
  }

  /** Saves the id, if it has moved since it was loaded. */
  async save(id: string): Promise<void> {
    if (this.#saved === undefined || id === this.#saved) return;
    // In the same folder, for only there a rename is one step.
    const draft = `${this.#path}.${process.pid}.tmp`;
    try {
      await writeFile(draft, `${id}\n`);
      await rename(draft, this.#path);
    } catch (error) {
      await rm(draft, { force: true }).catch(() => {});
      throw this.#failure("write", error);
    }
    this.#saved = id;
  }

  #failure(what: string, cause: unknown): Failure {
    const reason = cause instanceof Error ? cause.message : String(cause);
    return new Failure(
      `Cannot ${what} --resume ${JSON.stringify(this.#path)}: ${reason}: name another file`,
      { cause },
    );
  }
}

function isMissing(error: unknown, path: string): boolean {
  return error instanceof Error && "code" in error && error.code === "ENOENT" &&
    "path" in error && error.path === path;
}
