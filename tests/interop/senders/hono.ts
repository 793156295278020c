/** `streamSSE` of Hono. */

import { Hono } from "hono";
import { streamSSE } from "hono/streaming";
import { type Choice, decodeId, feed } from "../feeds.ts";
import type { Sender } from "../peers.ts";
import { listenDeno } from "../../listen.ts";

const CHOOSES: readonly Choice[] = ["event", "id", "retry"];

export const senders: readonly Sender[] = [{
  name: "hono streamSSE",
  ours: false,
  chooses: CHOOSES,
  feeds: ["hard", "resume", "openai", "anthropic", "mcp"],
  start() {
    const app = new Hono().all("/*", (context) =>
      streamSSE(context, async (stream) => {
        const lastEventId = decodeId(context.req.header("last-event-id"));
        for (const { data = "", ...sent } of feed(context.req.url, lastEventId, CHOOSES)) {
          await stream.writeSSE({ data, ...sent }).catch(() => {});
        }
      }));
    return Promise.resolve(listenDeno(app.fetch));
  },
}];
