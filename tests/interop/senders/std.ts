/** `ServerSentEventStream` of the standard library of Deno. */

import { ServerSentEventStream } from "@std/http/server-sent-event-stream";
import { ALL, decodeId, feed } from "../feeds.ts";
import type { Sender } from "../peers.ts";
import { listenDeno } from "../../listen.ts";

/** What throws would end the stream. */
async function refuses(event: ReturnType<typeof feed>[number]): Promise<boolean> {
  const stream = ReadableStream.from([event]).pipeThrough(new ServerSentEventStream());
  return await Array.fromAsync(stream).then(() => false, () => true);
}

export const senders: readonly Sender[] = [{
  name: "deno-std",
  ours: false,
  chooses: ALL,
  feeds: ["hard", "resume", "openai", "anthropic", "mcp"],
  start: () =>
    Promise.resolve(listenDeno((request) => {
      const lastEventId = decodeId(request.headers.get("last-event-id"));
      async function* events() {
        for (const sent of feed(request.url, lastEventId, ALL)) {
          if (!await refuses(sent)) yield sent;
        }
      }
      const body = ReadableStream.from(events())
        .pipeThrough<Uint8Array<ArrayBuffer>>(new ServerSentEventStream());
      return new Response(body, { headers: { "content-type": "text/event-stream" } });
    })),
}];
