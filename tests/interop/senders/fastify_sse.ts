/** The npm package `@fastify/sse`, with data that it takes as it is. */

import { fastifySSE } from "@fastify/sse";
import { fastify } from "fastify";
import { type Choice, decodeId, feed } from "../feeds.ts";
import type { Sender } from "../peers.ts";
import { listenNode, type Running } from "../../listen.ts";

const CHOOSES: readonly Choice[] = ["event", "id", "retry"];

async function start(): Promise<Running> {
  const app = fastify();
  await app.register(fastifySSE, { serializer: String });
  const handler = async (
    request: { url: string },
    reply: { sse: { lastEventId: string | null; send(event: unknown): Promise<void> } },
  ) => {
    for (const sent of feed(request.url, decodeId(reply.sse.lastEventId), CHOOSES)) {
      await reply.sse.send(sent).catch(() => {});
    }
  };
  app.get("/*", { sse: "manual" }, handler);
  app.post("/*", { sse: "manual" }, handler);
  await app.ready();
  const server = await listenNode(app.routing);
  return {
    port: server.port,
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
      await app.close();
    },
  };
}

export const senders: readonly Sender[] = [{
  name: "@fastify/sse",
  ours: false,
  chooses: CHOOSES,
  feeds: ["hard", "resume", "openai", "anthropic", "mcp"],
  start,
}];
