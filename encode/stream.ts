/**
 * The TransformStream: events to bytes.
 *
 * @module
 */

import { type EncodedBytes, encodeOwn } from "./bytes.ts";
import { type ServerSentEventInit, stringifyEvent } from "./event.ts";

/**
 * Events to bytes, as a TransformStream: one chunk for each event, or for each array of events, which
 * costs far less when several are there at once. Each chunk has a buffer of its own, which may be
 * transferred.
 *
 * @example Stream events as a response
 * ```ts
 * import { ServerSentEventEncoderStream } from "@webstreams/sse/encode";
 * import { assertEquals } from "@std/assert";
 *
 * const events = ReadableStream.from([{ data: "a" }, [{ data: "b" }, { data: "c" }]]);
 * const response = new Response(events.pipeThrough(new ServerSentEventEncoderStream()), {
 *   headers: { "content-type": "text/event-stream" },
 * });
 * assertEquals(await response.text(), "data: a\n\ndata: b\n\ndata: c\n\n");
 * ```
 */
export class ServerSentEventEncoderStream
  extends TransformStream<ServerSentEventInit | ServerSentEventInit[], EncodedBytes> {
  /** An event that cannot be encoded errors the stream, and nothing of its chunk is sent. */
  constructor() {
    super({
      transform(chunk, controller) {
        if (!Array.isArray(chunk)) {
          controller.enqueue(encodeOwn(stringifyEvent(chunk)));
          return;
        }
        let text = "";
        for (const event of chunk) text += stringifyEvent(event);
        // An empty chunk says nothing, and ends the body on some transports.
        if (text !== "") controller.enqueue(encodeOwn(text));
      },
    });
  }
}
