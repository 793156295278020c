/** nginx in front of ours, as Debian configures it, and one that compresses. */

import { once } from "node:events";
import { get, type IncomingMessage } from "node:http";
import { PATHS } from "../feeds.ts";
import type { Sender, Unavailable } from "../peers.ts";
import { answer } from "./answer.ts";
import { listenDeno, type Running } from "../../listen.ts";
import { nginxBefore } from "../../nginx.ts";
import { OURS } from "./ours.ts";

/** That readers are sent less than they see is for this alone to know. */
async function assertCompresses(port: number): Promise<void> {
  const headers = { "accept-encoding": "gzip", "connection": "close" };
  const asked = get({ host: "127.0.0.1", port, path: PATHS.resume, headers });
  const [response]: IncomingMessage[] = await once(asked, "response");
  response.destroy();
  const encoding = response.headers["content-encoding"];
  if (encoding !== "gzip") throw new Error(`nginx does not compress: ${encoding}`);
}

async function start(gzip: boolean): Promise<Running | Unavailable> {
  await using stack = new AsyncDisposableStack();
  const server = stack.use(listenDeno(answer));
  try {
    const { port } = stack.use(
      await nginxBefore(server.port, { gzip, location: "proxy_http_version 1.1;" }),
    );
    if (gzip) await assertCompresses(port);
    const both = stack.move();
    return { port, [Symbol.asyncDispose]: () => both.disposeAsync() };
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    return { unavailable: "there is no nginx: apt-get install nginx-light" };
  }
}

export const senders: readonly Sender[] = [
  { name: "ours, nginx before it", ...OURS, start: () => start(false) },
  { name: "ours, nginx with gzip", ...OURS, gzip: true, start: () => start(true) },
];
