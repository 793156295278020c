/**
 * Server-sent events on Web Streams: everything portable in one import.
 *
 * ```ts
 * import { readEvents, stringifyEvent } from "@webstreams/sse";
 * import { assertEquals } from "@std/assert";
 *
 * const events = await Array.fromAsync(readEvents(stringifyEvent({ data: "hello", id: "1" })));
 * assertEquals(events, [{ event: "message", data: "hello", id: "1" }]);
 * ```
 *
 * @module
 */

export {
  encodeComment,
  type EncodedBytes,
  encodeEvent,
  ServerSentEventEncoderStream,
  type ServerSentEventInit,
  stringifyEvent,
} from "./encode.ts";
export {
  EventTooLargeError,
  ParseError,
  ResponseError,
  type ResponseErrorInit,
  SseError,
  type SseErrorCode,
} from "./errors.ts";
export {
  type ChunkInput,
  EventAssemblerStream,
  type EventReader,
  LineDecoderStream,
  type ParserOptions,
  readEvents,
  type ReadOptions,
  type ServerSentEvent,
  ServerSentEventDecoderStream,
  ServerSentEventParser,
} from "./parse.ts";
