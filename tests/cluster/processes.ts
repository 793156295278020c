/**
 * The processes of the cluster tests.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { TextLineStream } from "@std/streams";
import { freePort } from "../listen.ts";
import type { EngineName } from "./logs.ts";

function script(name: string): string {
  return new URL(name, import.meta.url).pathname;
}

/** Starts a program of this folder. */
export function spawn(name: string, args: (string | number)[]): Deno.ChildProcess {
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-check", "-A", script(name), ...args.map(String)],
    stdin: "null",
    stdout: "piped",
  }).spawn();
}

/** A server, `_server.ts`. */
export class Server implements AsyncDisposable {
  readonly port: number = freePort();
  readonly #args: (string | number)[];
  #child: Deno.ChildProcess | undefined = undefined;
  #lines: ReadableStreamDefaultReader<string> | undefined = undefined;

  /** Makes one that is not started, and is drained over so many ms. */
  constructor(engine: EngineName, enginePort: number, drain: number) {
    this.#args = [engine, enginePort, this.port, drain];
  }

  /** Starts it; resolves when it listens. */
  async start(): Promise<void> {
    this.#child = spawn("_server.ts", this.#args);
    this.#lines = linesOf(this.#child);
    const { value } = await this.#lines.read();
    assertEquals(value, "ready", "a server starts");
  }

  /** Sends it a signal. */
  signal(signal: Deno.Signal): void {
    this.#child?.kill(signal);
  }

  /** Ends it, as a signal does. It can be started again. */
  async end(signal: Deno.Signal): Promise<void> {
    const child = this.#child;
    if (child === undefined) return;
    this.#child = undefined;
    child.kill(signal);
    await child.status;
    await this.#lines?.cancel();
  }

  /** Kills it. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.end("SIGKILL");
  }
}

/** What a program prints, a line each time. */
export function linesOf(child: Deno.ChildProcess): ReadableStreamDefaultReader<string> {
  return child.stdout.pipeThrough(new TextDecoderStream())
    .pipeThrough<string>(new TextLineStream()).getReader();
}
