/**
 * `Bun.serve` with the ready handler of a `Hub`: any number of topics, `GET` to read and `POST` to
 * publish. A keep-alive every 9 s, the default, is soon enough for Bun, which cuts what is idle
 * for longer than its `idleTimeout`.
 *
 * ```sh
 * bun examples/bun.ts
 * curl -N http://127.0.0.1:8000/topics/news
 * curl -H 'content-type: text/plain' -d hello http://127.0.0.1:8000/topics/news
 * ```
 *
 * @module
 */

import { Hub } from "@webstreams/sse/server";
import { run } from "./run.ts";

/** What is used of Bun here; `@types/bun` has all of it. */
declare const Bun: {
  serve(options: {
    hostname: string;
    port: number;
    fetch(request: Request): Response | Promise<Response>;
  }): { port: number; stop(closeActiveConnections: boolean): Promise<void> };
};

const USAGE = `Usage: bun examples/bun.ts

Serves topics, to read and to publish to:
  curl -N http://127.0.0.1:8000/topics/news
  curl -H 'content-type: text/plain' -d hello http://127.0.0.1:8000/topics/news`;

await run(USAGE, ({ hostname, port }) => {
  const hub = new Hub({ retry: 500 });
  const server = Bun.serve({ hostname, port, fetch: (request) => hub.fetch(request) });
  return {
    port: server.port,
    async close() {
      await hub.close();
      await server.stop(true);
    },
  };
});
