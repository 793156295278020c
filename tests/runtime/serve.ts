/**
 * Servers of the runtimes' own, which tests start and end.
 *
 * @module
 */

import type { Handler, NodeModules, Served } from "./harness.ts";

/** What is used of `Deno` and of `Bun`, where they are. */
interface Globals {
  readonly Deno?: {
    serve(
      options: { hostname: string; port: number; signal: AbortSignal; onListen(): void },
      handler: Handler,
    ): { addr: { port: number }; finished: Promise<void> };
  };
  readonly Bun?: {
    serve(options: { hostname: string; port: number; idleTimeout: number; fetch: Handler }): {
      port: number;
      stop(closeActiveConnections: boolean): Promise<void>;
    };
  };
}

const hostname = "127.0.0.1";

/** What starts the server of this runtime: that of Deno or Bun, and else that of Node. */
export function serverOf(node: NodeModules): (handler: Handler) => Promise<Served> {
  const { Deno, Bun }: Globals = globalThis;
  if (Deno !== undefined) {
    return (handler) => {
      const stop = new AbortController();
      const options = { hostname, port: 0, signal: stop.signal, onListen() {} };
      const { addr, finished } = Deno.serve(options, handler);
      const close = async () => {
        stop.abort();
        await finished;
      };
      return Promise.resolve({ origin: `http://${hostname}:${addr.port}`, close });
    };
  }
  if (Bun !== undefined) {
    return (fetch) => {
      const server = Bun.serve({ hostname, port: 0, idleTimeout: 0, fetch });
      const close = () => server.stop(true);
      return Promise.resolve({ origin: `http://${hostname}:${server.port}`, close });
    };
  }
  return (handler) => serveOnNode(node, node.bridge.toNodeHandler(handler));
}

/** A listener of `node:http`, as the types of the bridge have it. */
type Listener = ReturnType<NodeModules["bridge"]["toNodeHandler"]>;

/** Starts a server of `node:http`, on every runtime that has it. */
export async function serveOnNode(
  { http }: NodeModules,
  listener: (...args: Parameters<Listener>) => unknown,
): Promise<Served> {
  const server = http.createServer((req, res) => void listener(req, res));
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, hostname, resolve);
  });
  const address = server.address();
  if (address === null || typeof address === "string") {
    throw new Error(`Cannot serve: the server listens at ${address} and not at a port`);
  }
  const close = async () => {
    const closed = new Promise((resolve) => server.close(resolve));
    server.closeAllConnections();
    await closed;
  };
  return { origin: `http://${hostname}:${address.port}`, close };
}
