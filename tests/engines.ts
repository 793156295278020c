/**
 * Engines that tests start for themselves: on a free port of loopback, with a folder of their own,
 * stopped and removed with the block that holds them.
 *
 * @module
 */

import { delay, within } from "./fault/real_time.ts";
import { freePort } from "./listen.ts";
import { requireProgram } from "./programs.ts";

/** Whether there is a Redis to start. If not it says so; in CI it throws. */
export const hasRedis: Promise<boolean> = requireProgram(
  "redis-server",
  ["--version"],
  "apt-get install redis-server",
);

/** Whether there is a NATS server to start. If not it says so; in CI it throws. */
export const hasNats: Promise<boolean> = requireProgram(
  "nats-server",
  ["--version"],
  "apt-get install nats-server",
);

// Whoever imports one of them only: the other one must not end in the midst of a test.
await Promise.allSettled([hasRedis, hasNats]);

/** How an engine is started. */
export interface EngineOptions {
  /** More arguments of its command line. */
  args?: string[];
}

/** A program that serves on loopback, and can be stopped, killed, paused and started again. */
export class Engine implements AsyncDisposable {
  readonly port: number;
  /** Where it keeps its data; it is there until the engine is disposed of. */
  readonly folder: string;
  readonly #command: string;
  readonly #args: string[];
  #child: Deno.ChildProcess | undefined = undefined;
  #status: Promise<Deno.CommandStatus> | undefined = undefined;

  /** Makes one that is not started. */
  constructor(command: string, args: string[], port: number, folder: string) {
    this.#command = command;
    this.#args = args;
    this.port = port;
    this.folder = folder;
  }

  /** The number of its process. */
  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Starts it; resolves when it answers. */
  async start(): Promise<void> {
    this.#child = new Deno.Command(this.#command, {
      args: this.#args,
      cwd: this.folder,
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).spawn();
    this.#status = this.#child.status;
    await within(this.#listening(), 10_000, () => `${this.#command} does not listen`);
  }

  /** Sends it a signal: `SIGSTOP`, `SIGCONT`. */
  signal(signal: Deno.Signal): void {
    this.#child?.kill(signal);
  }

  /** Ends it, as a signal does, and waits for its end. It can be started again. */
  async end(signal: Deno.Signal = "SIGTERM"): Promise<void> {
    const status = this.#status;
    if (status === undefined) return;
    this.#status = undefined;
    this.signal(signal);
    if (signal !== "SIGKILL") this.signal("SIGCONT");
    await within(status, 10_000, () => `${this.#command} does not end`);
  }

  /** Kills it and removes its folder. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.end("SIGKILL");
    await Deno.remove(this.folder, { recursive: true });
  }

  /** Waits until it speaks: a socket that is open may still be loading data. */
  async #listening(): Promise<void> {
    for (;;) {
      try {
        using socket = await Deno.connect({ hostname: "127.0.0.1", port: this.port });
        await socket.write(new TextEncoder().encode("PING\r\n"));
        const bytes = new Uint8Array(512);
        const length = await socket.read(bytes) ?? 0;
        const text = new TextDecoder().decode(bytes.subarray(0, length));
        if (/^(\+PONG|INFO )/.test(text)) return;
      } catch {
        // Not yet.
      }
      await delay(20);
    }
  }
}

/**
 * Starts a Redis that has each command in its file before it answers, so that no kill loses one: with
 * what it does by default it does not write while the disk is busy.
 */
export async function startRedis({ args = [] }: EngineOptions = {}): Promise<Engine> {
  return await start("redis-server", (port) => [
    ...["--bind", "127.0.0.1", "--port", `${port}`, "--save", ""],
    ...["--appendonly", "yes", "--appendfsync", "always"],
    ...args,
  ]);
}

/** Starts a NATS server with JetStream. */
export async function startNats({ args = [] }: EngineOptions = {}): Promise<Engine> {
  return await start("nats-server", (port, folder) => [
    ...["--addr", "127.0.0.1", "--port", `${port}`, "--jetstream", "--store_dir", folder],
    ...args,
  ]);
}

async function start(
  command: string,
  argsOf: (port: number, folder: string) => string[],
): Promise<Engine> {
  const folder = await Deno.makeTempDir({ prefix: "sse-" });
  const port = freePort();
  const engine = new Engine(command, argsOf(port, folder), port, folder);
  await engine.start();
  return engine;
}
