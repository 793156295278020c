/**
 * Examples as their users run them: child processes, by the commands of `examples/README.md`.
 *
 * @module
 */

import { assertEquals, assertMatch, assertRejects } from "@std/assert";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { connect, type EventStreamConnection } from "../../client.ts";
import type { ServerSentEvent } from "../../parse.ts";
import { delay, within } from "../fault/real_time.ts";

/** The folder of the project. */
export const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/** No signal that ends a process gently. */
export const NO_SIGNALS = Deno.build.os === "windows";

/** The examples, with the commands that start them. */
export async function commands(): Promise<Map<string, string>> {
  const readme = await Deno.readTextFile(join(ROOT, "examples/README.md"));
  const rows = readme.matchAll(/^\| \[([\w.]+)\]\(\1\) +\|[^|]+\| `([^`]+)` +\|$/gm);
  return new Map(Array.from(rows, ([, name, command]) => [name, command]));
}

/**
 * The path of a program, if it is on the PATH or npm has it. If not it says so; in CI it throws. There
 * is none where no signal ends it gently.
 *
 * @param name Its command.
 * @param specifier The package of npm that has it.
 */
export async function findProgram(name: string, specifier: string): Promise<string | undefined> {
  if (NO_SIGNALS) return undefined;
  // The program itself, and no script around it: it is the one that gets the signals.
  const find = ["sh", "-c", 'path=$(command -v "$0") && readlink -f "$path"', name];
  for (const around of [[], ["npx", "--yes", `--package=${specifier}`, "--"]]) {
    const [command, ...args] = [...around, ...find];
    try {
      const output = new Deno.Command(command, { args, stderr: "null" }).output();
      const { success, stdout } = await within(output, 120_000, () => `${command} does not end`);
      if (success) return new TextDecoder().decode(stdout).trim();
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
  const reason =
    `Cannot run the tests of ${name}: it is not installed, nor does npx get ${specifier}: install Node and npm`;
  if (Deno.env.get("CI") !== undefined) throw new Error(reason);
  console.warn(reason);
}

/** What a process has printed, and its status. */
export interface Ended {
  code: number;
  stdout: string;
  stderr: string;
}

/** How an example is started. */
export interface StartOptions {
  /** More of its environment; an empty `PORT` counts as none. Default: a free port. */
  env?: Record<string, string>;
  /** Arguments. */
  args?: string[];
  /** The program, if it is not Deno. */
  program?: string;
}

async function spawn(
  name: string,
  { env = {}, args = [], program = Deno.execPath() }: StartOptions,
): Promise<Deno.ChildProcess> {
  const command = (await commands()).get(name);
  if (command === undefined) throw new Error(`examples/README.md has no command for ${name}`);
  const [, ...words] = command.split(" ");
  // The first time Deno would tell of each package that it fetches.
  if (words[0] === "run") words.splice(1, 0, "--quiet");
  return new Deno.Command(program, {
    args: [...words, ...args],
    cwd: ROOT,
    // What an environment says of proxies and CI is not for examples.
    env: { PORT: "0", NO_PROXY: "127.0.0.1", NO_COLOR: "1", ...env },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
}

/** Runs an example that ends by itself. */
export async function run(name: string, options: StartOptions = {}): Promise<Ended> {
  const child = await spawn(name, options);
  const output = child.output();
  try {
    const { code, stdout, stderr } = await within(output, 20_000, () => `${name} does not end`);
    const decoder = new TextDecoder();
    return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
  } catch (error) {
    child.kill("SIGKILL");
    await output;
    throw error;
  }
}

/** An example that serves. It is gone with the block that holds it. */
export class Example implements AsyncDisposable {
  readonly #name: string;
  readonly #child: Deno.ChildProcess;
  readonly #status: Promise<Deno.CommandStatus>;
  readonly #stderr: Promise<string>;
  readonly #reading: Promise<void>;
  #stdout = "";
  #port = 0;
  #running = true;

  private constructor(name: string, child: Deno.ChildProcess, onPort: (port: number) => void) {
    this.#name = name;
    this.#child = child;
    this.#status = child.status.finally(() => this.#running = false);
    this.#stderr = new Response(child.stderr).text();
    this.#reading = this.#read(onPort);
  }

  /** Starts an example; resolves when it serves. */
  static async start(name: string, options: StartOptions = {}): Promise<Example> {
    const child = await spawn(name, options);
    const port = Promise.withResolvers<number>();
    const example = new Example(name, child, port.resolve);
    const ended = example.#reading.then(async () => {
      throw new Error(`${name} does not serve: ${example.#stdout}${await example.#stderr}`);
    });
    // Once it serves, its end is expected.
    ended.catch(() => {});
    try {
      const late = () => `${name} does not serve: ${example.#stdout}`;
      example.#port = await within(Promise.race([port.promise, ended]), 20_000, late);
    } catch (error) {
      await example[Symbol.asyncDispose]();
      throw error;
    }
    return example;
  }

  /** Where it listens. */
  get port(): number {
    return this.#port;
  }

  /** The URL of a path that begins with a slash. */
  url(path: string): string {
    return `http://127.0.0.1:${this.#port}${path}`;
  }

  /** Asserts that it ends by a signal: with status 0, a word, and its port closed. */
  async assertEnds(
    signal: "SIGINT" | "SIGTERM" = "SIGINT",
    complaint: RegExp = /^$/,
  ): Promise<void> {
    this.#child.kill(signal);
    const { code, signal: by } = await within(
      this.#status,
      10_000,
      () => `${this.#name} does not end by ${signal}`,
    );
    await this.#reading;
    assertEquals([code, by], [0, null], await this.#stderr);
    assertMatch(await this.#stderr, complaint);
    assertMatch(this.#stdout, /\nInterrupted: streams and port are closed\n$/);
    const { connect } = Deno;
    await assertRejects(
      () => connect({ hostname: "127.0.0.1", port: this.#port }),
      Deno.errors.ConnectionRefused,
    );
  }

  /** Kills it, if it has not ended. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#running) this.#child.kill("SIGKILL");
    await Promise.all([this.#status, this.#reading, this.#stderr]);
  }

  async #read(onPort: (port: number) => void): Promise<void> {
    for await (const text of this.#child.stdout.pipeThrough(new TextDecoderStream())) {
      this.#stdout += text;
      const port = /^Serving at http:\/\/127\.0\.0\.1:(\d+)\//m.exec(this.#stdout)?.[1];
      if (port !== undefined) onPort(Number(port));
    }
  }
}

/** A client that comes back at once, as a user's would a little later. */
export function read(
  url: string,
  options: Parameters<typeof connect>[1] = {},
): EventStreamConnection {
  return connect(url, {
    ...options,
    // What is sent twice shows.
    dedupe: false,
    retry: { initialDelay: 100, maxDelay: 100, onEnd: "close" },
  });
}

/** The next events of a connection. */
export async function take(
  connection: EventStreamConnection,
  count: number,
): Promise<ServerSentEvent[]> {
  const events: ServerSentEvent[] = [];
  while (events.length < count) {
    const result = await within(
      connection.next(),
      10_000,
      () => `no event ${events.length + 1} of ${count}: ${JSON.stringify(events)}`,
    );
    if (result.done) throw new Error(`the stream ended after ${JSON.stringify(events)}`);
    events.push(result.value);
  }
  return events;
}

/** All events of a connection up to its end. */
export async function takeAll(connection: EventStreamConnection): Promise<ServerSentEvent[]> {
  return await within(Array.fromAsync(connection), 10_000, () => "the stream does not end");
}

/** The numbers of events in their log: the second part of their ids. */
export function numbers(events: ServerSentEvent[]): number[] {
  return events.map(({ id }) => Number(id.split(".")[1]));
}

/** Waits until a fact is one, for at most five seconds. */
export async function eventually(
  fact: () => boolean | Promise<boolean>,
  sentence: () => string,
): Promise<void> {
  let late = false;
  const poll = async () => {
    while (!late && !(await fact())) await delay(10);
  };
  try {
    await within(poll(), 5_000, sentence);
  } finally {
    late = true;
  }
}
