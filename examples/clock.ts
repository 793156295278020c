/**
 * A clock on `Deno.serve`: one `Channel` that ticks for all who are connected. Who loses the
 * connection and comes back is given the ticks that it missed, with nothing written for it here.
 *
 * ```sh
 * deno run --allow-net=127.0.0.1 --allow-env=PORT examples/clock.ts
 * curl -N http://127.0.0.1:8000/
 * ```
 *
 * @module
 */

import { Channel } from "@webstreams/sse/server";
import { run } from "./run.ts";

const USAGE = `Usage: deno run --allow-net=127.0.0.1 --allow-env=PORT examples/clock.ts

Tells the time twice a second: curl -N http://127.0.0.1:8000/`;

await run(USAGE, (listen) => {
  const channel = new Channel({ retry: 500 });
  const server = Deno.serve(listen, (request) => channel.subscribe(request));
  const ticking = setInterval(() => {
    channel.publish({ event: "tick", data: new Date().toISOString() });
  }, 500);
  return {
    port: server.addr.port,
    finished: server.finished,
    async close() {
      clearInterval(ticking);
      await channel.close();
    },
  };
});
