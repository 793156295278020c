/**
 * One response that is read: its parser, and how long its bytes may be waited for.
 *
 * @module
 */

import { SseError, TimeoutError, type TimeoutPhase } from "../errors.ts";
import type { ParserOptions, ServerSentEvent } from "../parse/events.ts";
import { eventsSoFar, ServerSentEventParser } from "../parse/parser.ts";
import type { ChunkSource } from "../parse/source.ts";
import type { ConnectOptions } from "./options.ts";
import { Watch } from "./timers.ts";

/** See the module. */
export class Link {
  /** When its headers came, by `performance.now`. */
  readonly openedAt: number = performance.now();
  readonly parser: ServerSentEventParser;
  /** From which event of the last chunk on an id was named by this response itself. */
  namedFrom = Infinity;
  readonly #source: ChunkSource;
  readonly #controller: AbortController;
  readonly #idle: Watch | undefined;
  readonly #firstEvent: Watch | undefined;
  #late: TimeoutError | undefined;
  #ended = false;

  constructor(
    source: ChunkSource,
    controller: AbortController,
    parserOptions: ParserOptions,
    { firstEventTimeout, idleTimeout }: Pick<ConnectOptions, "firstEventTimeout" | "idleTimeout">,
  ) {
    this.#source = source;
    this.#controller = controller;
    this.parser = new ServerSentEventParser({
      ...parserOptions,
      onId: () => this.namedFrom = Math.min(this.namedFrom, eventsSoFar(this.parser)),
    });
    this.#idle = this.#watch("idle", idleTimeout);
    this.#firstEvent = this.#watch("first-event", firstEventTimeout);
  }

  /** An id was named by this response itself. */
  get named(): boolean {
    return this.namedFrom < Infinity;
  }

  /** The next chunk; `undefined` at the end. Rejects with what broke it. */
  async read(): Promise<Uint8Array | string | undefined> {
    this.#idle?.start();
    this.#firstEvent?.start();
    let result;
    try {
      result = await this.#source.read();
    } catch (cause) {
      throw this.#late ?? networkError("the body broke off", cause);
    }
    if (this.#late !== undefined) throw this.#late;
    this.#idle?.pause(true);
    this.#firstEvent?.pause(false);
    if (!result.done) return result.value;
    this.#ended = true;
    return undefined;
  }

  /** Parses a chunk; `events` also holds what came before a fault. */
  feed(chunk: Uint8Array | string, events: ServerSentEvent[]): void {
    if (this.named) this.namedFrom = 0;
    try {
      this.parser.feed(chunk, events);
    } finally {
      if (events.length > 0) this.#firstEvent?.stop();
    }
  }

  /** Lets go of the response; a pending read settles. */
  async close(): Promise<void> {
    this.#idle?.stop();
    this.#firstEvent?.stop();
    // An answer that is over has nothing to free, and to abort costs an error with its stack.
    if (this.#ended) return;
    const cancelled = this.#source.cancel(undefined);
    // Not every body that is cancelled ends its request.
    this.#controller.abort();
    // A body that has broken off says so once more when it is left: who leaves it has no use for that.
    await cancelled.catch(() => {});
  }

  #watch(phase: TimeoutPhase, ms: number | false | undefined): Watch | undefined {
    if (ms === undefined || ms === false) return undefined;
    return new Watch(ms, () => {
      this.#late = new TimeoutError(phase, ms);
      this.close().catch(() => {});
    });
  }
}

/** The error for whatever the platform throws: its words are others on each (T26). */
export function networkError(what: string, cause: unknown): SseError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new SseError("ERR_SSE_NETWORK", `Cannot read event stream: ${what}: ${reason}`, { cause });
}
