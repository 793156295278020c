/**
 * What several readers have in common, such as a browser: started for the first, ended after the last.
 *
 * @module
 */

import { isUnavailable, type Unavailable } from "../peers.ts";

/** Starts a thing once, however many ask for it. */
export class Shared<T extends AsyncDisposable> {
  readonly #start: () => Promise<T | Unavailable>;
  #started: Promise<T | Unavailable> | undefined;
  #users = 0;

  constructor(start: () => Promise<T | Unavailable>) {
    this.#start = start;
  }

  /** The thing. Whoever was given it closes it. */
  async open(): Promise<T | Unavailable> {
    this.#users++;
    const thing = await (this.#started ??= this.#start());
    if (isUnavailable(thing)) this.#users--;
    return thing;
  }

  /** Ends it, if nobody else has it. */
  async close(): Promise<void> {
    if (--this.#users > 0) return;
    const thing = await this.#started;
    this.#started = undefined;
    if (thing !== undefined && !isUnavailable(thing)) await thing[Symbol.asyncDispose]();
  }
}
