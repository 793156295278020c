/** The npm package `better-sse`, with data that it takes as it is. */

import { createEventBuffer, createSession } from "better-sse";
import { ALL, decodeId, feed } from "../feeds.ts";
import type { Sender } from "../peers.ts";
import { listenNode } from "../../listen.ts";

export const senders: readonly Sender[] = [{
  name: "better-sse",
  ours: false,
  chooses: ALL,
  feeds: ["hard", "resume", "openai", "anthropic", "mcp"],
  start: () =>
    listenNode(async (request, response) => {
      const session = await createSession(request, response, { retry: null });
      for (const sent of feed(request.url ?? "", decodeId(session.lastId), ALL)) {
        const { event, id, retry, comment, data } = sent;
        const buffer = createEventBuffer({ serializer: String });
        if (comment !== undefined) buffer.comment(comment);
        if (event !== undefined) buffer.event(event);
        if (retry !== undefined) buffer.retry(retry);
        if (id !== undefined) buffer.id(id);
        if (data !== undefined) buffer.data(data);
        await session.batch(buffer.dispatch());
      }
      response.end();
    }),
}];
