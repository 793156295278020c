/**
 * What is compared by `fanout.ts`: the same events to all readers, as each library has it done. Those
 * that can give an event an id do, and so does the floor.
 *
 * @module
 */

import { createChannel, createResponse, createSession } from "better-sse";
import { Hono } from "hono";
import { type SSEStreamingApi, streamSSE } from "hono/streaming";
import type { IncomingMessage, ServerResponse } from "node:http";
import { ServerSentEventStream } from "@std/http/server-sent-event-stream";
import { toNodeHandler } from "../node.ts";
import { Channel } from "../server.ts";

/** Readers, and who publishes to them. */
export interface Contestant<Handler> {
  /** Takes a reader. */
  handler: Handler;
  /** Publishes the event of a number to all readers. */
  publish(n: number): void;
  /** How many readers it has by now. */
  size(): number;
}

/** As `Deno.serve` has it. */
export type WebHandler = (request: Request) => Response | Promise<Response>;
/** As `node:http` has it. */
export type NodeHttpHandler = (req: IncomingMessage, res: ServerResponse) => void;

/** What each event says. The counter ends it, and no other text has a closing brace: see the client. */
function payload(n: number): { text: string; n: number } {
  return { text: "what happened, told to all of them", n };
}

/** The data of each event. */
export function dataOf(n: number): string {
  return JSON.stringify(payload(n));
}

/** As long as the ids that a log gives. */
function idOf(n: number): string {
  return `0123456789.${n}`;
}

const headers = { "content-type": "text/event-stream", "cache-control": "no-cache" };

function ours(): Contestant<WebHandler> {
  const channel = new Channel();
  return {
    handler: (request) => channel.subscribe(request),
    publish: (n) => void channel.publish({ data: dataOf(n) }),
    size: () => channel.size,
  };
}

/** The least that there is: no encoder, no bound, no id that anybody could resume from. */
function floor(): Contestant<WebHandler> {
  const controllers = new Set<ReadableStreamDefaultController<Uint8Array>>();
  const encoder = new TextEncoder();
  return {
    handler: () => {
      let own: ReadableStreamDefaultController<Uint8Array>;
      const body = new ReadableStream<Uint8Array>({
        start: (controller) => void controllers.add(own = controller),
        cancel: () => void controllers.delete(own),
      });
      return new Response(body, { headers });
    },
    publish: (n) => {
      const bytes = encoder.encode(`id: ${idOf(n)}\ndata: ${dataOf(n)}\n\n`);
      for (const controller of controllers) controller.enqueue(bytes);
    },
    size: () => controllers.size,
  };
}

function betterSse(): Contestant<WebHandler> {
  const channel = createChannel();
  return {
    handler: (request) => createResponse(request, (session) => void channel.register(session)),
    publish: (n) => void channel.broadcast(payload(n)),
    size: () => channel.sessionCount,
  };
}

function hono(): Contestant<WebHandler> {
  const streams = new Set<SSEStreamingApi>();
  const app = new Hono();
  app.get("/", (context) =>
    streamSSE(context, (stream) =>
      new Promise((resolve) => {
        streams.add(stream);
        stream.onAbort(() => {
          streams.delete(stream);
          resolve();
        });
      })));
  return {
    handler: (request) => app.fetch(request),
    publish: (n) => {
      for (const stream of streams) void stream.writeSSE({ id: idOf(n), data: dataOf(n) });
    },
    size: () => streams.size,
  };
}

function std(): Contestant<WebHandler> {
  const writers = new Set<WritableStreamDefaultWriter>();
  return {
    handler: () => {
      const { readable, writable } = new ServerSentEventStream();
      const writer = writable.getWriter();
      writers.add(writer);
      writer.closed.catch(() => writers.delete(writer));
      return new Response(readable, { headers });
    },
    publish: (n) => {
      const message = { id: idOf(n), data: dataOf(n) };
      for (const writer of writers) writer.write(message).catch(() => {});
    },
    size: () => writers.size,
  };
}

/** On Deno. */
export const onDeno = {
  "Channel": ours,
  "floor": floor,
  "better-sse": betterSse,
  "hono": hono,
  "@std/http": std,
} satisfies Record<string, () => Contestant<WebHandler>>;

function oursOnNode(): Contestant<NodeHttpHandler> {
  const { handler, ...rest } = ours();
  return { handler: toNodeHandler(handler), ...rest };
}

function betterSseOnNode(): Contestant<NodeHttpHandler> {
  const channel = createChannel();
  return {
    handler: async (req, res) => void channel.register(await createSession(req, res)),
    publish: (n) => void channel.broadcast(payload(n)),
    size: () => channel.sessionCount,
  };
}

/** hono has no server of its own there: it goes over our bridge. */
function honoOnNode(): Contestant<NodeHttpHandler> {
  const { handler, ...rest } = hono();
  return { handler: toNodeHandler(handler), ...rest };
}

/** On Node. */
export const onNode = {
  "Channel": oursOnNode,
  "better-sse": betterSseOnNode,
  "hono": honoOnNode,
} satisfies Record<string, () => Contestant<NodeHttpHandler>>;
