/**
 * What several readers have in common, such as a browser: started for the first, ended after the last.
 *
 * @module
 */

import type { ServerSentEvent } from "../../../parse.ts";
import { isUnavailable, type OpenReader, type Unavailable } from "../peers.ts";

/** Starts a thing once, however many ask for it. */
export class Shared<T extends AsyncDisposable> {
  readonly #start: () => Promise<T | Unavailable>;
  #started: Promise<T | Unavailable> | undefined;
  #users = 0;

  constructor(start: () => Promise<T | Unavailable>) {
    this.#start = start;
  }

  /** A reader on the thing, which is given what to read and gives what it has read. */
  async open(
    read: (thing: T, url: string, signal: AbortSignal) => Promise<ServerSentEvent[]>,
  ): Promise<OpenReader | Unavailable> {
    this.#users++;
    const thing = await (this.#started ??= this.#start());
    if (isUnavailable(thing)) {
      this.#users--;
      return thing;
    }
    return {
      async read(url, seen, signal) {
        seen.push(...await read(thing, url, signal));
      },
      [Symbol.asyncDispose]: () => this.#close(),
    };
  }

  /** Ends it, if nobody else has it. */
  async #close(): Promise<void> {
    if (--this.#users > 0) return;
    const thing = await this.#started;
    this.#started = undefined;
    if (thing !== undefined && !isUnavailable(thing)) await thing[Symbol.asyncDispose]();
  }
}
