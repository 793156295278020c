/**
 * Events by `for await`, from whatever holds an event stream.
 *
 * @module
 */

import type { ParserOptions, ServerSentEvent } from "./events.ts";
import { ServerSentEventParser } from "./parser.ts";
import { isResponse, openResponse } from "./response.ts";
import { EventQueue, type EventReader } from "./reader.ts";
import { type ChunkInput, type ChunkSource, openSource } from "./source.ts";

/** What {@linkcode readEvents} can be told. */
export interface ReadOptions extends ParserOptions {
  /**
   * Ends the reading: the source is cancelled and a pending read rejects with `signal.reason` (T24).
   * Default: none.
   */
  signal?: AbortSignal;
  /**
   * Whether a `Response` must have status 200 and content type `text/event-stream` (T19). Set it to
   * `false` for servers that mislabel their streams.
   *
   * @default {true}
   */
  checkResponse?: boolean;
}

/**
 * Reads the events of a source.
 *
 * The source is read when an event is asked for and not before: a consumer that stops stops it.
 *
 * @param source A `Response`, a stream or an (async) iterable of bytes or text, or all of it as one
 * string or `Uint8Array`.
 * @param options Those of the parser, a signal, and whether a `Response` is checked.
 * @returns A reader, to be used in one `for await` loop.
 * @throws {TypeError} If the source is none of these, or its body is locked or was read already.
 * @throws {RangeError} If `maxEventSize` is not a number from 0 up.
 *
 * @example Read a response
 * ```ts
 * import { readEvents } from "@webstreams/sse/parse";
 * import { assertEquals } from "@std/assert";
 *
 * const headers = { "content-type": "text/event-stream" };
 * const response = new Response("data: a\n\ndata: b\n\n", { headers });
 * const seen: string[] = [];
 * for await (const { data } of readEvents(response)) seen.push(data);
 * assertEquals(seen, ["a", "b"]);
 * ```
 *
 * @example All events of a chunk at once
 * ```ts
 * import { readEvents } from "@webstreams/sse/parse";
 * import { assertEquals } from "@std/assert";
 *
 * for await (const events of readEvents("data: a\n\ndata: b\n\n").batches()) {
 *   assertEquals(events.map((event) => event.data), ["a", "b"]);
 * }
 * ```
 */
export function readEvents(source: Response | ChunkInput, options: ReadOptions = {}): EventReader {
  return new SourceReader(source, options);
}

/** Reads from one source to its end. */
class SourceReader extends EventQueue implements EventReader {
  readonly #parser: ServerSentEventParser;
  readonly #source: ChunkSource;
  readonly #signal: AbortSignal | undefined;

  constructor(source: Response | ChunkInput, options: ReadOptions) {
    const parser = new ServerSentEventParser(options);
    super(parser.lastEventId);
    this.#parser = parser;
    this.#source = isResponse(source)
      ? openResponse(source, options.checkResponse !== false)
      : openSource(source);
    this.#signal = options.signal;
    if (this.#signal?.aborted) this.#onAbort();
    else this.#signal?.addEventListener("abort", this.#onAbort);
  }

  get incomplete(): boolean {
    return this.#parser.incomplete;
  }

  protected async read(events: ServerSentEvent[]): Promise<void> {
    this.taken = this.#parser.lastEventId;
    const { done, value } = await this.#source.read();
    if (this.ended) return;
    if (done) return this.end();
    try {
      this.#parser.feed(value, events);
    } catch (error) {
      // After the events before the fault.
      this.#fail(error);
    }
  }

  protected stop(reason: unknown): Promise<void> {
    return this.#source.cancel(reason);
  }

  protected override end(failure?: { error: unknown }): void {
    super.end(failure);
    this.#signal?.removeEventListener("abort", this.#onAbort);
  }

  readonly #onAbort = (): void => {
    this.drop();
    this.#fail(this.#signal?.reason);
  };

  #fail(error: unknown): void {
    this.end({ error });
    this.#source.cancel(error).catch(() => {});
  }
}
