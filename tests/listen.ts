/**
 * Servers on a free port of 127.0.0.1.
 *
 * @module
 */

import { createServer, type RequestListener } from "node:http";

/** A server on 127.0.0.1 that runs. */
export interface Running extends AsyncDisposable {
  readonly port: number;
}

/** A server of `node:http`. */
export function listenNode(listener: RequestListener): Promise<Running> {
  const server = createServer(listener);
  return new Promise((resolve) =>
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      if (address === null || typeof address === "string") throw new TypeError("Not listening");
      resolve({
        port: address.port,
        async [Symbol.asyncDispose]() {
          const closed = new Promise((resolve) => server.close(resolve));
          server.closeAllConnections();
          await closed;
        },
      });
    })
  );
}

/** A server of Deno. */
export function listenDeno(handler: (request: Request) => Response | Promise<Response>): Running {
  const stop = new AbortController();
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, signal: stop.signal, onListen() {} },
    handler,
  );
  return {
    port: server.addr.port,
    async [Symbol.asyncDispose]() {
      stop.abort();
      await server.finished;
    },
  };
}

/** A port of loopback that nobody listens on. */
export function freePort(): number {
  using probe = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return probe.addr.port;
}
