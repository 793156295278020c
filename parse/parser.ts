/**
 * The parser behind all of `@webstreams/sse/parse`: chunks to text, to lines, to events.
 *
 * @module
 */

import { EventAssembler } from "./assembler.ts";
import { ChunkDecoder } from "./decode.ts";
import type { ParserOptions, ServerSentEvent } from "./events.ts";

/**
 * From this many events a chunk on, the array for the next chunk is made as long beforehand: to
 * grow it step by step is felt where events are small ("tiny" in `deno task bench:compare feed`).
 */
const MANY = 64;
const MAX_EXPECTED = 16_384;

/**
 * How many events the array of the current `feed` holds, for a callback that runs in the middle of
 * it. A function beside the class: it is ours, and none of the public names.
 */
export let eventsSoFar: (parser: ServerSentEventParser) => number;

/**
 * Parses an event stream chunk by chunk: the standard's algorithm (T1 to T18), the same for every
 * chunking, each event at the earliest byte that allows it.
 *
 * @example Feed it what comes
 * ```ts
 * import { ServerSentEventParser } from "@webstreams/sse/parse";
 * import { assertEquals } from "@std/assert";
 *
 * const parser = new ServerSentEventParser();
 * assertEquals(parser.feed("id: 7\ndata: he"), []);
 * assertEquals(parser.feed("llo\n\n"), [{ event: "message", data: "hello", id: "7" }]);
 * assertEquals(parser.lastEventId, "7");
 * ```
 */
export class ServerSentEventParser {
  static {
    eventsSoFar = (parser) => parser.#assembler.count;
  }

  readonly #options: ParserOptions;
  #assembler: EventAssembler;
  #decoder: ChunkDecoder;
  #expected = 0;
  #failure: { error: unknown } | undefined;

  /**
   * Makes a parser at the start of a stream.
   *
   * @param options Bounds, the id to start with, and callbacks.
   * @throws {RangeError} If `maxEventSize` is not a number from 0 up.
   * @throws {TypeError} If `lastEventId` is not a string or holds NUL.
   */
  constructor(options: ParserOptions = {}) {
    this.#options = options;
    this.#assembler = new EventAssembler(options);
    this.#decoder = new ChunkDecoder(this.#assembler);
  }

  /**
   * Parses the next chunk, cut anywhere.
   *
   * After an error, be it ours or one that a callback threw, the parser takes no more: each call
   * throws that error again, until {@linkcode ServerSentEventParser.reset}.
   *
   * @param chunk The next bytes (UTF-8, T1) or text of the stream.
   * @param events The array to append to. Yours holds also what a chunk completed before its fault.
   * @returns The events that this chunk completed, in `events`.
   * @throws {EventTooLargeError} If the unfinished event holds more than `maxEventSize`.
   * @throws {ParseError} If `strict` is set and a line is one that the standard ignores.
   * @throws {TypeError} If the chunk is neither bytes nor text.
   *
   * @example Bytes, cut inside a character
   * ```ts
   * import { ServerSentEventParser } from "@webstreams/sse/parse";
   * import { assertEquals } from "@std/assert";
   *
   * const bytes = new TextEncoder().encode("data: né\n\n");
   * const parser = new ServerSentEventParser();
   * assertEquals(parser.feed(bytes.subarray(0, 8)), []);
   * assertEquals(parser.feed(bytes.subarray(8))[0].data, "né");
   * ```
   */
  feed(chunk: Uint8Array | string, events?: ServerSentEvent[]): ServerSentEvent[] {
    if (this.#failure !== undefined) throw this.#failure.error;
    const assembler = this.#assembler;
    assembler.events = events ??= [];
    const first = assembler.count = events.length;
    if (this.#expected > 0) events.length = first + this.#expected;
    try {
      this.#decoder.write(chunk);
    } catch (error) {
      this.#failure = { error };
      throw error;
    } finally {
      if (events.length > assembler.count) events.length = assembler.count;
    }
    const count = assembler.count - first;
    this.#expected = count < MANY ? 0 : Math.min(count + 16, MAX_EXPECTED);
    return events;
  }

  /**
   * Makes ready for the body of the next connection: the unfinished line and block are dropped
   * (T14, T18), a BOM is removed again. The last event ID and the reconnection time stay (T16).
   *
   * @example The id outlives the connection
   * ```ts
   * import { ServerSentEventParser } from "@webstreams/sse/parse";
   * import { assertEquals } from "@std/assert";
   *
   * const parser = new ServerSentEventParser();
   * parser.feed("id: 7\ndata: a\n\ndata: cut");
   * parser.reset();
   * assertEquals(parser.feed("data: b\n\n"), [{ event: "message", data: "b", id: "7" }]);
   * ```
   */
  reset(): void {
    const before = this.#assembler;
    this.#assembler = new EventAssembler(this.#options, before);
    this.#assembler.retry = before.retry;
    this.#decoder = new ChunkDecoder(this.#assembler);
    this.#failure = undefined;
  }

  /** The last event ID, as of the last blank line (T14). */
  get lastEventId(): string {
    return this.#assembler.lastEventId;
  }

  /** The reconnection time in milliseconds that the stream named last; `undefined` if none (T17). */
  get retry(): number | undefined {
    return this.#assembler.retry;
  }

  /** An unfinished line or block is held: at the end of a stream it means that it was cut (T18). */
  get incomplete(): boolean {
    return this.#assembler.incomplete || this.#decoder.incomplete;
  }
}
