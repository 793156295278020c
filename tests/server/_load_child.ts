/**
 * The process of `_load_server.ts`, as the test has it, and those who read from it over bare TCP.
 *
 * @module
 */

import { TextLineStream } from "@std/streams";
import { assertEquals } from "@std/assert";
import { connect as connectSocket, type Socket } from "node:net";
import { delay, within } from "../fault/real_time.ts";
import type { LoadOptions, LoadState } from "./_load_terms.ts";

/** How long an answer may take, in ms. */
const PATIENCE = 60_000;

/** How long the process may take to end by itself, in ms: less than `keepAlive` has by default. */
const END = 8_000;

/** Little room for young garbage, of which V8 takes 50 MB and more where it can. */
const V8_FLAGS = "--v8-flags=--expose-gc,--max-semi-space-size=1";

/** A server process. */
export class LoadServer implements AsyncDisposable {
  readonly #process: Deno.ChildProcess;
  readonly #questions: WritableStreamDefaultWriter<Uint8Array<ArrayBuffer>>;
  readonly #answers: ReadableStreamDefaultReader<string>;
  readonly #errors: Promise<string>;
  port = 0;

  private constructor(options: LoadOptions) {
    const script = new URL("_load_server.ts", import.meta.url).pathname;
    this.#process = new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", V8_FLAGS, script, JSON.stringify(options)],
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.#questions = this.#process.stdin.getWriter();
    this.#answers = this.#process.stdout.pipeThrough(new TextDecoderStream())
      .pipeThrough<string>(new TextLineStream()).getReader();
    this.#errors = new Response(this.#process.stderr).text();
  }

  /** Starts it. */
  static async start(options: LoadOptions = {}): Promise<LoadServer> {
    const server = new LoadServer(options);
    server.port = await server.ask("port");
    return server;
  }

  /** Asks it, one thing at a time. */
  async ask<T>(name: string, ...args: number[]): Promise<T> {
    this.#send(name, ...args);
    const answer = this.#answers.read();
    const { value } = await within(answer, PATIENCE, () => `The server does not answer ${name}`);
    if (value === undefined) throw new Error(`The server has ended: ${await this.#errors}`);
    return JSON.parse(value);
  }

  #send(...question: [name: string, ...args: number[]]): void {
    const line = `${JSON.stringify(question)}\n`;
    // What cannot be written is not answered either.
    this.#questions.write(new TextEncoder().encode(line)).catch(() => {});
  }

  /** Its state as soon as it is as it should be, which it has to be in 10 s. */
  async until(is: (state: LoadState) => boolean): Promise<LoadState> {
    const late = performance.now() + 10_000;
    for (;;) {
      const state = await this.ask<LoadState>("state");
      if (is(state)) return state;
      if (performance.now() > late) throw new Error(`It stays like this: ${JSON.stringify(state)}`);
      await delay(5);
    }
  }

  /** Ends the server, upon which the process has to end by itself, and well. */
  async end(how: "shutdown" | "abort" | "exit"): Promise<void> {
    this.#send(how);
    await this.#questions.close().catch(() => {});
    const { status } = this.#process;
    const { code } = await within(status, END, () => "The process does not end by itself");
    assertEquals([code, await this.#errors], [0, ""]);
  }

  /** Ends the process, however it is. */
  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.#process.kill("SIGKILL");
    } catch (error) {
      // It has ended by itself.
      if (!(error instanceof TypeError)) throw error;
    }
    await this.#process.status;
    await this.#questions.abort().catch(() => {});
    await this.#answers.cancel();
    await this.#errors;
  }
}

/** What is asked for. */
export interface RawRequest {
  path?: string;
  lastEventId?: string;
  /** In 1.0 the body comes as it is. */
  version?: "1.0" | "1.1";
}

function encodeRequest({ path = "/", lastEventId, version = "1.1" }: RawRequest): Uint8Array {
  const id = lastEventId === undefined ? "" : `last-event-id: ${lastEventId}\r\n`;
  return new TextEncoder().encode(`GET ${path} HTTP/${version}\r\nhost: test\r\n${id}\r\n`);
}

/** Connects, and asks. */
export async function openReader(port: number, request: RawRequest = {}): Promise<Deno.Conn> {
  const connection = await Deno.connect({ hostname: "127.0.0.1", port });
  await connection.write(encodeRequest(request));
  return connection;
}

/** Reads on; `""` at the end, however it comes. */
export async function readText(connection: Deno.Conn, buffer: Uint8Array): Promise<string> {
  const length = await connection.read(buffer).catch(() => null);
  return new TextDecoder().decode(buffer.subarray(0, length ?? 0));
}

/** Connects, asks, and resets the connection once something has come: only `node:net` can. */
export async function openAndReset(port: number, request: RawRequest = {}): Promise<void> {
  const socket: Socket = connectSocket(port, "127.0.0.1");
  await new Promise<void>((resolve, reject) => {
    socket.on("error", reject);
    socket.on("close", () => resolve());
    socket.once("data", () => socket.resetAndDestroy());
    socket.write(encodeRequest(request));
  });
}
