/**
 * A Hono app with a stream of its own for each visitor, from a generator: it counts down from the
 * number in the path. The ids say where a visitor is, so that one who comes back goes on from there,
 * and 204 tells one who has seen all of it to stop asking.
 *
 * ```sh
 * deno run --allow-net=127.0.0.1 --allow-env=PORT examples/hono.ts
 * curl -N http://127.0.0.1:8000/countdown/10
 * ```
 *
 * @module
 */

import type { ServerSentEventInit } from "@webstreams/sse/encode";
import { eventStreamResponse } from "@webstreams/sse/server";
import { Hono } from "hono";
import { setTimeout as delay } from "node:timers/promises";
import { run } from "./run.ts";

const USAGE = `Usage: deno run --allow-net=127.0.0.1 --allow-env=PORT examples/hono.ts

Counts down for each visitor: curl -N http://127.0.0.1:8000/countdown/10`;

/** The signal of the session ends the pause when its visitor leaves. */
async function* countdown(from: number, signal: AbortSignal): AsyncGenerator<ServerSentEventInit> {
  for (let n = from; n > 0; n--) {
    yield { event: "count", data: `${n}`, id: `${n}` };
    await delay(100, undefined, { signal });
  }
  yield { event: "liftoff", id: "0", data: "" };
}

const app = new Hono();
app.get("/countdown/:from{[0-9]{1,4}}", (c) => {
  const { raw: request } = c.req;
  const last = /^\d{1,4}$/.exec(request.headers.get("last-event-id") ?? "")?.[0];
  if (last === "0") return c.body(null, 204);
  const from = last === undefined ? Number(c.req.param("from")) : Number(last) - 1;
  return eventStreamResponse(({ signal }) => countdown(from, signal), { request, retry: 500 });
});

await run(USAGE, (listen) => {
  const server = Deno.serve(listen, app.fetch);
  return { port: server.addr.port, finished: server.finished };
});
