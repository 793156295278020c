/**
 * The parser as a TransformStream: bytes to events.
 *
 * @module
 */

import type { ParserOptions, ServerSentEvent } from "./events.ts";
import { ServerSentEventParser } from "./parser.ts";
import { transformer } from "./transformer.ts";

/**
 * Bytes to events: the parser as a TransformStream.
 *
 * Its back-pressure is that of the streams it stands between. A loop that needs speed reads with
 * {@linkcode readEvents}, which does without the cost of a stream for each event.
 *
 * @example Events of a response body
 * ```ts
 * import { ServerSentEventDecoderStream } from "@webstreams/sse/parse";
 * import { assertEquals } from "@std/assert";
 *
 * const body = new Blob(["data: a\n\ndata: b\n\n"]).stream();
 * const events = await Array.fromAsync(body.pipeThrough(new ServerSentEventDecoderStream()));
 * assertEquals(events.map((event) => event.data), ["a", "b"]);
 * ```
 */
export class ServerSentEventDecoderStream extends TransformStream<Uint8Array, ServerSentEvent> {
  readonly #parser: ServerSentEventParser;

  /**
   * Makes a stream for one body.
   *
   * @param options Bounds, the id to start with, and callbacks.
   * @throws {RangeError} If `maxEventSize` is not a number from 0 up.
   * @throws {TypeError} If `lastEventId` is not a string or holds NUL.
   */
  constructor(options: ParserOptions = {}) {
    const parser = new ServerSentEventParser(options);
    super(transformer((chunk, events) => {
      parser.feed(chunk, events);
    }));
    this.#parser = parser;
  }

  /** An unfinished line or block is held: once the stream has ended, it was cut (T18). */
  get incomplete(): boolean {
    return this.#parser.incomplete;
  }
}
