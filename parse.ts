/**
 * Bytes to events: the parser of the WHATWG event stream, as a class that is fed, as TransformStreams
 * and as a `for await` loop. No timer, no network, no dependency.
 *
 * ```ts
 * import { readEvents } from "@webstreams/sse/parse";
 * import { assertEquals } from "@std/assert";
 *
 * const headers = { "content-type": "text/event-stream" };
 * const response = new Response("event: greeting\ndata: hello\n\n", { headers });
 * for await (const { event, data } of readEvents(response)) {
 *   assertEquals([event, data], ["greeting", "hello"]);
 * }
 * ```
 *
 * @module
 */

export type { ParserOptions, ServerSentEvent } from "./parse/events.ts";
export { EventAssemblerStream, LineDecoderStream } from "./parse/line_streams.ts";
export { ServerSentEventParser } from "./parse/parser.ts";
export { readEvents, type ReadOptions } from "./parse/read.ts";
export type { EventReader } from "./parse/reader.ts";
export type { ChunkInput } from "./parse/source.ts";
export { ServerSentEventDecoderStream } from "./parse/stream.ts";
export type {
  EventSchemas,
  JsonOptions,
  JsonReadable,
  StandardSchemaResult,
  StandardSchemaV1,
  TypedEvent,
  TypedEventOf,
} from "./parse/typed.ts";
