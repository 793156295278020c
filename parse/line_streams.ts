/**
 * The parser as two TransformStreams, with the lines between them in reach.
 *
 * @module
 */

import { EventAssembler } from "./assembler.ts";
import { ChunkDecoder } from "./decode.ts";
import { maxEventSizeOf, type ParserOptions, type ServerSentEvent } from "./events.ts";
import { LineSplitter } from "./lines.ts";
import { transformer } from "./transformer.ts";

/**
 * Bytes to lines, without their line ends: CRLF, LF and CR end one (T4 to T6), UTF-8 is decoded and
 * one BOM removed (T1, T2). A last line that does not end is dropped, as the standard has it (T18).
 *
 * With {@linkcode EventAssemblerStream} behind it this is {@linkcode ServerSentEventDecoderStream},
 * with the lines in your reach between them.
 *
 * @example See the lines of a stream
 * ```ts
 * import { LineDecoderStream } from "@webstreams/sse/parse";
 * import { assertEquals } from "@std/assert";
 *
 * const lines = new Blob(["data: a\r\ndata: b\r\r"]).stream().pipeThrough(new LineDecoderStream());
 * assertEquals(await Array.fromAsync(lines), ["data: a", "data: b", ""]);
 * ```
 */
export class LineDecoderStream extends TransformStream<Uint8Array, string> {
  /**
   * Makes a stream for one body.
   *
   * @param options `maxEventSize` bounds a line, in UTF-16 code units; 64 Mi by default.
   * @throws {RangeError} If `maxEventSize` is not a number from 0 up.
   */
  constructor(options: Pick<ParserOptions, "maxEventSize"> = {}) {
    const splitter = new LineSplitter(maxEventSizeOf(options));
    const decoder = new ChunkDecoder(splitter);
    super(transformer((chunk, lines) => {
      splitter.lines = lines;
      decoder.write(chunk);
    }));
  }
}

/**
 * Lines to events: the fields and the dispatch of the standard (T7 to T17). A line comes without its
 * line end; an unfinished event at the end is dropped (T18).
 *
 * @example Drop a field on the way
 * ```ts
 * import { EventAssemblerStream, LineDecoderStream } from "@webstreams/sse/parse";
 * import { assertEquals } from "@std/assert";
 *
 * const events = new Blob(["event: x\ndata: a\n\n"]).stream()
 *   .pipeThrough(new LineDecoderStream())
 *   .pipeThrough(
 *     new TransformStream<string, string>({
 *       transform(line, controller) {
 *         if (!line.startsWith("event:")) controller.enqueue(line);
 *       },
 *     }),
 *   )
 *   .pipeThrough(new EventAssemblerStream());
 * assertEquals(await Array.fromAsync(events), [{ event: "message", data: "a", id: "" }]);
 * ```
 */
export class EventAssemblerStream extends TransformStream<string, ServerSentEvent> {
  /**
   * Makes a stream for one body.
   *
   * @param options Bounds, the id to start with, and callbacks.
   * @throws {RangeError} If `maxEventSize` is not a number from 0 up.
   * @throws {TypeError} If `lastEventId` is not a string or holds NUL.
   */
  constructor(options: ParserOptions = {}) {
    const assembler = new EventAssembler(options);
    super(transformer((line, events) => {
      if (typeof line !== "string" || line.includes("\n") || line.includes("\r")) {
        throw new TypeError(
          'Cannot assemble event: a line must be a string without a line break, pipe bytes through "LineDecoderStream" first',
        );
      }
      assembler.events = events;
      assembler.count = 0;
      assembler.write(`${line}\n`, undefined);
    }));
  }
}
