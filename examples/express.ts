/**
 * An Express app: visitors read a channel, and whatever is posted goes to all of them.
 * `toNodeHandler` makes a route of what answers a `Request` with a `Response`.
 *
 * ```sh
 * deno run -A examples/express.ts
 * curl -N http://127.0.0.1:8000/news
 * curl -d text=hello http://127.0.0.1:8000/news
 * ```
 *
 * @module
 */

import { toNodeHandler } from "@webstreams/sse/node";
import { Channel } from "@webstreams/sse/server";
// @ts-types="@types/express"
import express from "express";
import { once } from "node:events";
import { createServer } from "node:http";
import { run } from "./run.ts";

const USAGE = `Usage: deno run -A examples/express.ts

Sends what is posted to all who read:
  curl -N http://127.0.0.1:8000/news
  curl -d text=hello http://127.0.0.1:8000/news`;

const channel = new Channel({ retry: 500 });

const app = express();
app.get("/news", toNodeHandler((request) => channel.subscribe(request)));
app.post("/news", express.urlencoded(), async (req, res) => {
  const text: unknown = req.body?.text;
  if (typeof text !== "string") return void res.status(400).send('Post "text"\n');
  const id = await channel.publish({ event: "news", data: text });
  res.status(202).json({ id });
});

await run(USAGE, async ({ hostname, port }) => {
  const server = createServer(app).listen(port, hostname);
  await once(server, "listening");
  const address = server.address();
  return {
    port: typeof address === "object" ? address?.port ?? 0 : 0,
    async close() {
      await channel.close();
      server.close();
      server.closeAllConnections();
    },
  };
});
