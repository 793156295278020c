/** `createEventStream` of h3. */

import { createEventStream, H3 } from "h3";
import { type Choice, decodeId, feed } from "../feeds.ts";
import type { Sender } from "../peers.ts";
import { listenDeno } from "../../listen.ts";

const CHOOSES: readonly Choice[] = ["event", "id", "retry", "comment"];

export const senders: readonly Sender[] = [{
  name: "h3",
  ours: false,
  chooses: CHOOSES,
  feeds: ["hard", "resume", "openai", "anthropic", "mcp"],
  start() {
    const app = new H3().all("/**", (event) => {
      const stream = createEventStream(event);
      const lastEventId = decodeId(event.req.headers.get("last-event-id"));
      const push = async () => {
        for (const { comment, data, ...sent } of feed(event.req.url, lastEventId, CHOOSES)) {
          if (comment !== undefined) await stream.pushComment(comment);
          if (data !== undefined) await stream.push({ data, ...sent });
        }
        await stream.close();
      };
      push();
      return stream;
    });
    return Promise.resolve(listenDeno((request) => app.fetch(request)));
  },
}];
