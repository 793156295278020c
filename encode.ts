/**
 * Events to bytes: what is encoded here, every reader that follows the standard reads back.
 * Illegal output cannot be built: what would break the stream throws before a byte of it is out.
 *
 * ```ts
 * import { encodeEvent } from "@webstreams/sse/encode";
 * import { assertEquals } from "@std/assert";
 *
 * const bytes = encodeEvent({ event: "tick", data: "1\n2", id: "7" });
 * assertEquals(new TextDecoder().decode(bytes), "event: tick\nid: 7\ndata: 1\ndata: 2\n\n");
 * ```
 *
 * @module
 */

export type { EncodedBytes } from "./encode/bytes.ts";
export {
  encodeComment,
  encodeEvent,
  type ServerSentEventInit,
  stringifyEvent,
} from "./encode/event.ts";
export { ServerSentEventEncoderStream } from "./encode/stream.ts";
