/**
 * The bridge to the servers of Node, over sockets: in Deno's `node:http` and `node:http2`, in what is
 * built on them, and in Node itself.
 *
 * @module
 */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
// @ts-types="@types/express"
import express from "express";
import { fastify } from "fastify";
// @ts-types="@types/koa"
import Koa from "koa";
import http from "node:http";
import http2 from "node:http2";
import https from "node:https";
import { fileURLToPath } from "node:url";
import { sendResponse, toNodeHandler } from "../node.ts";
import { assertLeft } from "./fixtures/node/case.ts";
import { DELIVERY } from "./fixtures/node/delivery.ts";
import { FAILURES } from "./fixtures/node/failures.ts";
import { HTTP1, serveHttp1, soon, Source } from "./fixtures/node/peer.ts";
import { REQUESTS } from "./fixtures/node/requests.ts";
import { isUnavailable } from "./interop/peers.ts";
import { node } from "./interop/runtimes.ts";

for (const { title, run } of [...DELIVERY, ...REQUESTS, ...FAILURES]) Deno.test(title, run);

// Node itself: Deno's node:http is another implementation.

const ON_NODE = fileURLToPath(new URL("./fixtures/node/on_node.ts", import.meta.url));

Deno.test("sendResponse and toNodeHandler do the same on Node", async () => {
  const found = await node();
  if (isUnavailable(found)) {
    assert(!Deno.env.get("CI"), `Cannot test on Node: ${found.unavailable}`);
    console.log(`Not tested on Node: ${found.unavailable}`);
    return;
  }
  const { success, stdout, stderr } = await new Deno.Command(found.program, {
    args: [...found.args, "--test", "--test-reporter=tap", ON_NODE],
  }).output();
  const printed = new TextDecoder().decode(stdout);
  assert(success, `${printed.slice(-10_000)}${new TextDecoder().decode(stderr)}`);
  const passed = Number(/^# pass (\d+)$/m.exec(printed)?.[1]);
  assert(passed > DELIVERY.length + REQUESTS.length + FAILURES.length, printed.slice(-1_000));
});

// Types: what follows needs no cast.

Deno.test("toNodeHandler makes what every createServer of node takes", () => {
  const handler = toNodeHandler(() => new Response("a"));
  assert(!http.createServer(handler).listening);
  assert(!https.createServer(handler).listening);
  assert(!http2.createServer(handler).listening);
});

// Frameworks

/** Asserts that events come in time through a framework, and that the body is cancelled after. */
async function assertStreams(port: number, path: string, source: Source): Promise<void> {
  const exchange = HTTP1.ask(port, { path });
  const { status, headers } = await exchange.head;
  assertEquals([status, headers["content-type"]], [200, "text/event-stream"]);
  for (const event of ["data: a\n\n", "data: b\n\n"]) {
    source.push(event);
    await exchange.until(event);
  }
  exchange.leave("FIN");
  assertLeft(await soon(source.cancelled, "cancel"));
}

function stream(source: Source): Response {
  return new Response(source.stream, { headers: { "content-type": "text/event-stream" } });
}

/** Sends a JSON body and gives the status and text of the answer. */
async function post(port: number, path: string): Promise<[status: number, text: string]> {
  const headers = { "content-type": "application/json" };
  const exchange = HTTP1.ask(port, { method: "POST", path, headers, body: true });
  exchange.write('{"a":1}');
  exchange.finish();
  const { status } = await exchange.head;
  await exchange.end;
  return [status, exchange.text];
}

const READ_BEFORE = "somebody has read it already, mount this handler before any body parser";

/** Answers with the body, or why it cannot be read. */
const echo = toNodeHandler(async (request) => {
  return new Response(await request.text().catch((error) => `${error}`));
});

Deno.test("sendResponse streams from a route of Express", async () => {
  const app = express();
  const source = new Source();
  app.use(express.json());
  app.get("/events", (_req, res) => sendResponse(res, stream(source)));
  await serveHttp1(app, (port) => assertStreams(port, "/events", source));
});

Deno.test("sendResponse keeps what middleware of Express has set", async () => {
  const app = express();
  app.use((_req, res, next) => {
    res.cookie("a", "1").set("x-a", "b");
    next();
  });
  app.get("/", (_req, res) => {
    return sendResponse(res, new Response("c", { headers: { "set-cookie": "b=2" } }));
  });
  await serveHttp1(app, async (port) => {
    const { headers } = await HTTP1.ask(port).head;
    assertEquals(headers["set-cookie"], ["a=1; Path=/", "b=2"]);
    assertEquals([headers["x-a"], headers["x-powered-by"]], ["b", "Express"]);
  });
});

Deno.test("sendResponse hands the failure of a body to the error handler of Express", async () => {
  const app = express();
  const source = new Source();
  const error = new Error("The source failed");
  const told = Promise.withResolvers<unknown>();
  app.get("/", (_req, res) => sendResponse(res, stream(source)));
  app.use(((error, _req, _res, _next) => told.resolve(error)) as express.ErrorRequestHandler);
  await serveHttp1(app, async (port) => {
    const exchange = HTTP1.ask(port);
    await exchange.head;
    source.fail(error);
    assertEquals(await soon(told.promise, "the error handler"), error);
    assertEquals(await exchange.end, "broken");
  });
});

Deno.test("toNodeHandler is mounted in Express and sees the whole URL", async () => {
  const app = express();
  const api = express.Router();
  api.use("/urls", toNodeHandler(({ url }) => new Response(url)));
  app.use("/api", api);
  await serveHttp1(app, async (port) => {
    const exchange = HTTP1.ask(port, { path: "/api/urls/a?b=c", headers: { host: "a.test" } });
    assertEquals(await exchange.end, "whole");
    assertEquals(exchange.text, "http://a.test/api/urls/a?b=c");
  });
});

Deno.test("toNodeHandler hands errors to Express", async () => {
  const app = express();
  app.use(toNodeHandler(() => Promise.reject(new Error("It failed"))));
  app.use(
    ((error, _req, res, _next) => {
      res.status(503).send(error.message);
    }) as express.ErrorRequestHandler,
  );
  await serveHttp1(app, async (port) => {
    const exchange = HTTP1.ask(port);
    assertEquals((await exchange.head).status, 503);
    assertEquals(await exchange.end, "whole");
    assertEquals(exchange.text, "It failed");
  });
});

Deno.test("toNodeHandler reads the body before a parser of Express, and says so after it", async () => {
  const app = express();
  app.use("/before", echo);
  app.use(express.json());
  app.use("/after", echo);
  await serveHttp1(app, async (port) => {
    assertEquals(await post(port, "/before"), [200, '{"a":1}']);
    assertStringIncludes((await post(port, "/after"))[1], READ_BEFORE);
  });
});

Deno.test("sendResponse streams from a hijacked reply of Fastify", async () => {
  const app = fastify();
  const source = new Source();
  app.get("/events", async (_request, reply) => {
    reply.hijack();
    await sendResponse(reply.raw, stream(source));
  });
  await app.ready();
  await serveHttp1(app.routing, (port) => assertStreams(port, "/events", source));
  await app.close();
});

Deno.test("sendResponse answers what Fastify injects", async () => {
  const app = fastify();
  app.get("/", (_request, reply) => {
    reply.hijack();
    sendResponse(reply.raw, new Response("data: a\n\n", { headers: { "x-a": "b" } }));
  });
  const { statusCode, headers, body } = await app.inject("/");
  assertEquals([statusCode, headers["x-a"], body], [200, "b", "data: a\n\n"]);
  await app.close();
});

Deno.test("toNodeHandler reads the body in a hook of Fastify, and says so after its parser", async () => {
  const app = fastify();
  app.addHook("onRequest", async (request, reply) => {
    if (request.url !== "/before") return;
    reply.hijack();
    await echo(request.raw, reply.raw);
  });
  app.post("/before", () => "unused");
  app.post("/after", async (request, reply) => {
    reply.hijack();
    await echo(request.raw, reply.raw);
  });
  await app.ready();
  await serveHttp1(app.routing, async (port) => {
    assertEquals(await post(port, "/before"), [200, '{"a":1}']);
    assertStringIncludes((await post(port, "/after"))[1], READ_BEFORE);
  });
  await app.close();
});

Deno.test("sendResponse streams from a middleware of Koa", async () => {
  const app = new Koa();
  // It prints that the peer has left.
  app.silent = true;
  const source = new Source();
  app.use(async (ctx) => {
    ctx.respond = false;
    await sendResponse(ctx.res, stream(source));
  });
  await serveHttp1(app.callback(), (port) => assertStreams(port, "/", source));
});

Deno.test("sendResponse hands the failure of a body to the error event of Koa", async () => {
  const app = new Koa();
  const source = new Source();
  const error = new Error("The source failed");
  const told = Promise.withResolvers<unknown>();
  app.on("error", told.resolve);
  app.use(async (ctx) => {
    ctx.respond = false;
    await sendResponse(ctx.res, stream(source));
  });
  await serveHttp1(app.callback(), async (port) => {
    const exchange = HTTP1.ask(port);
    await exchange.head;
    source.fail(error);
    assertEquals(await soon(told.promise, "the error event"), error);
    assertEquals(await exchange.end, "broken");
  });
});

Deno.test("toNodeHandler reads the body in a middleware of Koa", async () => {
  const app = new Koa();
  app.use(async (ctx) => {
    ctx.respond = false;
    await echo(ctx.req, ctx.res);
  });
  await serveHttp1(app.callback(), async (port) => {
    assertEquals(await post(port, "/"), [200, '{"a":1}']);
  });
});
