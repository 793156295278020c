/**
 * What the servers among the examples share, so that each of them shows its own idea only: `--help`,
 * the port that `PORT` names, and a clean end by Ctrl-C. It runs in Deno, Node and Bun.
 *
 * @module
 */

import { once } from "node:events";
import { createServer } from "node:net";
import process from "node:process";
import { parseArgs } from "node:util";

/** Where to listen, as `Deno.serve` takes it. */
export interface Listen {
  hostname: string;
  port: number;
  /** Aborted once the streams have ended: the server ends, and drops who takes nothing. */
  signal: AbortSignal;
  /** Says nothing: `run` says where the server is. */
  onListen(): void;
}

/** A server that listens. */
export interface Running {
  /** Where. */
  port: number;
  /** Ends the streams, and what feeds them, before the connections are dropped. */
  close?(): void | Promise<void>;
  /** Resolves when the server has ended. */
  finished?: Promise<unknown>;
}

/** What ends an example with a sentence in place of a stack trace. */
export class Failure extends Error {
  /** The exit status: 2 for a wrong command, 1 for the rest. */
  readonly status: number;

  constructor(message: string, status = 1) {
    super(message);
    this.status = status;
  }
}

const HOSTNAME = "127.0.0.1";

const PORTS =
  `The port is 8000, or a free one when that is in use. PORT sets another; PORT=0 takes a
free one. Ctrl-C ends it.`;

/**
 * Runs a server until Ctrl-C or SIGTERM.
 *
 * @param usage What `--help` prints.
 * @param start Starts the server, unless help is asked for or there is no port for it.
 */
export async function run(
  usage: string,
  start: (listen: Listen) => Running | Promise<Running>,
): Promise<void> {
  const dropping = new AbortController();
  const { signal } = dropping;
  try {
    if (asksForHelp(usage)) return console.log(`${usage}\n\n${PORTS}`);
    const listen = { hostname: HOSTNAME, port: await choosePort(), signal, onListen() {} };
    const { port, close, finished } = await start(listen);
    // Before the word that it serves: whoever waits for that may interrupt at once.
    const interruption = interrupted();
    console.log(`Serving at http://${HOSTNAME}:${port}/, Ctrl-C ends it`);
    await interruption;
    await close?.();
    dropping.abort();
    await finished;
    console.log("Interrupted: streams and port are closed");
  } catch (error) {
    dropping.abort();
    if (!(error instanceof Failure)) throw error;
    console.error(error.message);
    process.exitCode = error.status;
  }
}

function asksForHelp(usage: string): boolean {
  try {
    const options = { help: { type: "boolean", short: "h" } } as const;
    return parseArgs({ args: process.argv.slice(2), options }).values.help ?? false;
  } catch (error) {
    const [sentence] = messageOf(error).split(". ");
    throw new Failure(`${sentence}\n\n${usage}\n\n${PORTS}`, 2);
  }
}

/** The port that `PORT` names, else 8000; 0, which takes a free one, if that is in use. */
async function choosePort(): Promise<number> {
  const given = process.env.PORT || undefined;
  if (given !== undefined && !(/^\d{1,5}$/.test(given) && Number(given) <= 65_535)) {
    throw new Failure(
      `Cannot listen: PORT must be a number from 0 to 65535: received ${JSON.stringify(given)}`,
    );
  }
  const port = Number(given ?? 8000);
  const probe = createServer();
  try {
    await once(probe.listen(port, HOSTNAME), "listening");
    return port;
  } catch (error) {
    const inUse = error instanceof Error && "code" in error && error.code === "EADDRINUSE";
    if (inUse && given === undefined) {
      console.log(`Port ${port} is in use: taking a free one`);
      return 0;
    }
    const reason = inUse
      ? "the port is in use, set PORT to another, or to 0 for a free one"
      : messageOf(error);
    throw new Failure(`Cannot listen on ${HOSTNAME}:${port}: ${reason}`);
  } finally {
    probe.close();
  }
}

function interrupted(): Promise<void> {
  return new Promise((resolve) => {
    const signals = ["SIGINT", "SIGTERM"] as const;
    const stop = () => {
      // Whoever presses it twice does not want to wait.
      for (const signal of signals) process.off(signal, stop);
      resolve();
    };
    for (const signal of signals) process.on(signal, stop);
  });
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
