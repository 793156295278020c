/**
 * A server of `node:http`, which all runtimes have, in front of a function from request to response.
 *
 * @module
 */

import { once } from "node:events";
import { createServer, type Server } from "node:http";
import { toNodeHandler } from "../../node.ts";
import { within } from "../../server/drain.ts";
import { Failure } from "../failure.ts";
import { nameInUrl, reachableName } from "./hosts.ts";
import { DEFAULT_PORT } from "./options.ts";

/** Where to listen. */
export interface ListenOptions {
  /** The address, or a name of it. */
  host: string;
  /** The port; 0 for a free one. Default: the usual one, or a free one if that is in use. */
  port: number | undefined;
  /** Told that the default port is in use. */
  onTaken(port: number): void;
  /** Told of what a request failed of. */
  onError(error: unknown): void;
}

/** A server that listens. */
export interface Listening {
  /** Where, as others may write it. */
  readonly url: string;
  /**
   * Takes no more connections: who comes is refused, and so comes again, or is sent elsewhere by a
   * proxy, where an answer of any status might be taken for the last word.
   */
  refuse(): void;
  /** Ends the connections that there are, the busy ones a little later. */
  close(): Promise<void>;
}

/** How long a request that is under way at the end may take, in ms. */
const LINGER = 1_000;

/**
 * Listens.
 *
 * @throws {Failure} If it cannot.
 */
export async function listen(
  fetch: (request: Request) => Promise<Response>,
  { host, port, onTaken, onError }: ListenOptions,
): Promise<Listening> {
  const answer = toNodeHandler(fetch, { onError });
  const underWay = new Set<Promise<void>>();
  const start = () =>
    createServer((req, res) => {
      const answered: Promise<void> = answer(req, res).finally(() => underWay.delete(answered));
      underWay.add(answered);
    });
  const first = port ?? DEFAULT_PORT;
  let server: Server;
  try {
    server = await open(start(), host, first);
  } catch (error) {
    if (port !== undefined || codeOf(error) !== "EADDRINUSE") throw explained(error, host, first);
    onTaken(first);
    server = await open(start(), host, 0);
  }
  // What goes wrong with one connection is not to end them all.
  server.on("error", onError);
  let refusing: Promise<void> | undefined;
  const refuse = () => refusing ??= new Promise((resolve) => server.close(() => resolve()));
  return {
    url: `http://${reachableName(host)}:${portOf(server)}/`,
    refuse,
    async close() {
      const closed = refuse();
      server.closeIdleConnections();
      await within(Promise.all(underWay).then(() => true), LINGER);
      // Deno does not know of each that is idle. What we have answered has left.
      server.closeAllConnections();
      await closed;
    },
  };
}

async function open(server: Server, host: string, port: number): Promise<Server> {
  const listening = once(server, "listening");
  server.listen(port, host);
  await listening;
  return server;
}

function portOf(server: Server): number {
  const address = server.address();
  if (address === null || typeof address === "string") {
    throw new Failure("Cannot listen: the server has no port");
  }
  return address.port;
}

function explained(error: unknown, host: string, port: number): Failure {
  const remedies: Readonly<Record<string, string>> = {
    EADDRINUSE: "the port is in use, take another by --port, or --port 0 for a free one",
    EACCES: "this user may not take that port, take one from 1024 up",
    EADDRNOTAVAIL: "this machine has no such address, correct --host",
    ENOTFOUND: "there is no such host, correct --host",
  };
  const found = remedies[codeOf(error) ?? ""] ??
    (error instanceof Error ? error.message : String(error));
  return new Failure(`Cannot listen on ${nameInUrl(host)}:${port}: ${found}`, { cause: error });
}

function codeOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !("code" in error)) return undefined;
  return typeof error.code === "string" ? error.code : undefined;
}
