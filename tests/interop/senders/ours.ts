/** Our responses on Deno, and in what is built on `node:http`; and Hono. */

// @ts-types="@types/express"
import express from "express";
import { fastify } from "fastify";
import { Hono } from "hono";
// @ts-types="@types/koa"
import Koa from "koa";
import { ServerSentEventEncoderStream, stringifyEvent } from "../../../encode.ts";
import { sendResponse, toNodeHandler } from "../../../node.ts";
import { ALL, decodeId, feed, type FeedName } from "../feeds.ts";
import type { Sender } from "../peers.ts";
import { answer } from "./answer.ts";
import { listenDeno, listenNode, type Running } from "../../listen.ts";

/** What a sender of ours can do: all. */
export const OURS = {
  ours: true,
  chooses: ALL,
  feeds: ["hard", "resume", "openai", "anthropic", "mcp"] satisfies FeedName[],
} as const;

/** What its own answer to a request makes of it, in Fastify and Koa, which own the response. */
const handler = toNodeHandler(answer);

async function onFastify(): Promise<Running> {
  const app = fastify();
  app.addHook("onRequest", async (request, reply) => {
    reply.hijack();
    await handler(request.raw, reply.raw);
  });
  app.all("/*", () => "unused");
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

function onKoa(): Promise<Running> {
  const app = new Koa();
  app.silent = true;
  app.use(async (context) => {
    context.respond = false;
    const { method, url } = context.req;
    const headers = { "last-event-id": context.get("last-event-id") };
    const request = new Request(new URL(url ?? "/", "http://127.0.0.1"), { method, headers });
    await sendResponse(context.res, answer(request));
  });
  return listenNode(app.callback());
}

/** The encoder alone, in a response that we do not make. */
function encoded(request: Request): Response {
  const lastEventId = decodeId(request.headers.get("last-event-id"));
  const events = feed(request.url, lastEventId, ALL).filter((sent) => {
    try {
      return stringifyEvent(sent) !== "";
    } catch {
      return false;
    }
  });
  const body = ReadableStream.from(events).pipeThrough(new ServerSentEventEncoderStream());
  return new Response(body, { headers: { "content-type": "text/event-stream" } });
}

export const senders: readonly Sender[] = [
  { name: "ours, Deno", ...OURS, start: () => Promise.resolve(listenDeno(answer)) },
  { name: "ours, encoder stream", ...OURS, start: () => Promise.resolve(listenDeno(encoded)) },
  {
    name: "ours, Hono",
    ...OURS,
    start() {
      const app = new Hono().all("/*", ({ req }) => answer(req.raw));
      return Promise.resolve(listenDeno(app.fetch));
    },
  },
  {
    name: "ours, Express 5",
    ...OURS,
    start: () => listenNode(express().use(handler)),
  },
  { name: "ours, Fastify 5", ...OURS, start: onFastify },
  { name: "ours, Koa", ...OURS, start: onKoa },
];
