/**
 * A plugin for Fastify that serves a channel, and ends its streams when the app closes: without that
 * `app.close()` would wait for readers who never leave by themselves.
 *
 * ```sh
 * deno run -A examples/fastify.ts
 * curl -N http://127.0.0.1:8000/prices
 * curl -H 'content-type: application/json' -d '{"amount":12}' http://127.0.0.1:8000/prices
 * ```
 *
 * @module
 */

import { toNodeHandler } from "@webstreams/sse/node";
import { Channel } from "@webstreams/sse/server";
import { fastify, type FastifyPluginCallback } from "fastify";
import { run } from "./run.ts";

const USAGE = `Usage: deno run -A examples/fastify.ts

Sends the prices that are posted to all who read:
  curl -N http://127.0.0.1:8000/prices
  curl -H 'content-type: application/json' -d '{"amount":12}' http://127.0.0.1:8000/prices`;

/** The plugin: `app.register(eventStream, { path, channel })`. */
const eventStream: FastifyPluginCallback<{ path: string; channel: Channel }> = (
  app,
  { path, channel },
  done,
) => {
  const handler = toNodeHandler((request) => channel.subscribe(request));
  app.get(path, (request, reply) => {
    reply.hijack(); // From here on the answer is ours.
    return handler(request.raw, reply.raw);
  });
  app.addHook("preClose", () => channel.close());
  done();
};

const prices = new Channel({ retry: 500 });
const body = {
  type: "object",
  required: ["amount"],
  properties: { amount: { type: "number" } },
} as const;

await run(USAGE, async (listen) => {
  const app = fastify({ forceCloseConnections: true });
  app.register(eventStream, { path: "/prices", channel: prices });
  app.post("/prices", { schema: { body } }, async (request, reply) => {
    const id = await prices.publish({ event: "price", data: JSON.stringify(request.body) });
    return reply.code(202).send({ id });
  });
  const address = await app.listen({ host: listen.hostname, port: listen.port });
  return { port: Number(new URL(address).port), close: () => app.close() };
});
