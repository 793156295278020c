/** A channel of ours, which gives the ids itself and goes on from its log. */

import { Channel } from "../../../server.ts";
import { feed } from "../feeds.ts";
import type { Sender } from "../peers.ts";
import { listenDeno, type Running } from "../../listen.ts";

const CHOOSES = ["event", "retry", "comment", "no data"] as const;

/** A channel for one reader, and the id in front of all that it is to read. */
interface Feed {
  channel: Channel;
  start: Promise<string>;
}

/** Starts one who has no id yet, because a cut came first, at the beginning again. */
async function subscribe({ channel, start }: Feed, request: Request): Promise<Response> {
  if (request.headers.has("last-event-id")) return channel.subscribe(request);
  const headers = new Headers(request.headers);
  headers.set("last-event-id", await start);
  return channel.subscribe(new Request(request, { headers }));
}

function start(): Promise<Running> {
  // By its URL each reader has one of its own: it publishes when that has come for the first time.
  const feeds = new Map<string, Feed>();
  const server = listenDeno(async (request) => {
    const known = feeds.get(request.url);
    if (known !== undefined) return await subscribe(known, request);
    const channel = new Channel({ retry: 20, maxQueueBytes: Infinity });
    const feed = { channel, start: channel.publish({ event: "start" }) };
    feeds.set(request.url, feed);
    const response = await subscribe(feed, request);
    publish(channel, request.url);
    return response;
  });
  return Promise.resolve({
    port: server.port,
    async [Symbol.asyncDispose]() {
      for (const { channel } of feeds.values()) await channel.close();
      await server[Symbol.asyncDispose]();
    },
  });
}

async function publish(channel: Channel, url: string): Promise<void> {
  for (const sent of feed(url, "", CHOOSES)) {
    try {
      await channel.publish(sent);
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;
    }
  }
}

export const senders: readonly Sender[] = [{
  name: "ours, Channel",
  ours: true,
  chooses: CHOOSES,
  feeds: ["hard", "resume"],
  start,
}];
