/** The npm package `eventsource-encoder`. */

import { encode } from "eventsource-encoder";
import { type Choice, decodeId, feed } from "../feeds.ts";
import type { Sender } from "../peers.ts";
import { listenDeno } from "../../listen.ts";

const CHOOSES: readonly Choice[] = ["event", "id", "retry", "comment"];

function* texts(url: string, lastEventId: string): Generator<string> {
  for (const { comment, data, ...sent } of feed(url, lastEventId, CHOOSES)) {
    try {
      if (comment !== undefined) yield encode({ comment });
      if (data !== undefined) yield encode({ data, ...sent });
    } catch {
      // It has refused.
    }
  }
}

export const senders: readonly Sender[] = [{
  name: "eventsource-encoder",
  ours: false,
  chooses: CHOOSES,
  feeds: ["hard", "resume", "openai", "anthropic", "mcp"],
  start: () =>
    Promise.resolve(listenDeno((request) => {
      const lastEventId = decodeId(request.headers.get("last-event-id"));
      const body = ReadableStream.from(texts(request.url, lastEventId))
        .pipeThrough(new TextEncoderStream());
      return new Response(body, { headers: { "content-type": "text/event-stream" } });
    })),
}];
