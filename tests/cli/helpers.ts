/**
 * `sse` in a test: in this process, with streams that the test looks at and may stop; or as a process
 * of its own.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { text, utf8 } from "../helpers.ts";
import { within } from "../fault/real_time.ts";
import { closedOutput, type Context, Interrupt } from "../../cli/context.ts";
import { EXIT } from "../../cli/failure.ts";
import { main } from "../../cli/main.ts";
import { Output, type OutputStream } from "../../cli/output.ts";

/** How long anything may take, in real ms. */
const PATIENCE = 10_000;

/** What a command line is run with. */
export interface CliOptions {
  /** What is piped in. Default: nothing. */
  readonly stdin?: string | Uint8Array | AsyncIterable<Uint8Array>;
  /** The environment. Default: empty. */
  readonly env?: Record<string, string>;
  /** Interrupts it, as Ctrl-C does, whatever its reason. */
  readonly signal?: AbortSignal;
  /** Whether stdout and stderr are terminals. Default: they are not. */
  readonly terminal?: boolean;
  /** How wide the terminal is. */
  readonly columns?: number;
}

/** How it ended. */
export interface CliResult {
  /** The exit code. */
  readonly code: number;
  /** What it printed. */
  readonly stdout: string;
  /** What it said. */
  readonly stderr: string;
  /** What it printed, in bytes. */
  readonly bytes: Uint8Array;
}

/** Runs a command line to its end. */
export async function runCli(
  args: readonly string[],
  options: CliOptions = {},
): Promise<CliResult> {
  const running = startCli(args, options);
  try {
    return await within(running.result, PATIENCE, () => `It does not end: ${running}`);
  } finally {
    running.interrupt();
  }
}

/** Starts a command line in this process. */
export function startCli(args: readonly string[], options: CliOptions = {}): RunningCli {
  return new RunningCli(args, options);
}

/** A command line that runs in this process. */
export class RunningCli {
  /** What it prints. */
  readonly stdout: TestStream;
  /** What it says. */
  readonly stderr: TestStream;
  /** How it ends. */
  readonly result: Promise<CliResult>;
  readonly #args: readonly string[];
  readonly #stopping = new AbortController();

  /** Use {@linkcode startCli}. */
  constructor(args: readonly string[], options: CliOptions) {
    this.#args = args;
    const { stdin = "", env = {}, signal, terminal = false, columns } = options;
    this.stdout = new TestStream(terminal, columns);
    this.stderr = new TestStream(terminal, columns);
    const onAbort = () => this.interrupt();
    if (signal?.aborted) onAbort();
    else signal?.addEventListener("abort", onAbort);
    const onClosed = (failure?: Error) => this.#stopping.abort(closedOutput(failure));
    const context: Context = {
      stdin: bytesOf(stdin),
      stdout: new Output(this.stdout, { env, onClosed }),
      stderr: new Output(this.stderr, { env }),
      signal: this.#stopping.signal,
      env,
    };
    this.result = main(args, context).then((code) => {
      signal?.removeEventListener("abort", onAbort);
      const { stdout, stderr } = this;
      return { code, stdout: stdout.text, stderr: stderr.text, bytes: stdout.bytes };
    });
    // Who waits for what it prints first looks at the end later.
    this.result.catch(() => {});
  }

  /** Is Ctrl-C, or SIGTERM with `EXIT.terminated`. */
  interrupt(exitCode: number = EXIT.interrupted): void {
    this.#stopping.abort(new Interrupt("Interrupted by the test", exitCode));
  }

  /** Resolves with all that it printed once that holds `what`. */
  printed(what: string | RegExp, patience?: number): Promise<string> {
    return find(this, this.stdout, what, patience);
  }

  /** Resolves with all that it said once that holds `what`. */
  said(what: string | RegExp, patience?: number): Promise<string> {
    return find(this, this.stderr, what, patience);
  }

  /** What was run, and what it has printed and said. */
  toString(): string {
    return describe(this.#args, this.stdout, this.stderr);
  }
}

/** A stream that keeps what is written, and may stand still or be closed. */
export class TestStream implements OutputStream {
  readonly isTTY: boolean;
  readonly columns: number | undefined;
  readonly #chunks: Uint8Array[] = [];
  readonly #watching = new Set<() => void>();
  #held: (() => void)[] | undefined = undefined;
  #failure: Error | undefined = undefined;

  constructor(isTTY: boolean, columns?: number) {
    this.isTTY = isTTY;
    this.columns = columns;
  }

  /** All that was written. */
  get bytes(): Uint8Array {
    return new Uint8Array(Buffer.concat(this.#chunks));
  }

  /** All that was written, as text. */
  get text(): string {
    return text(this.bytes);
  }

  /** Whether it was written. */
  holds(what: string | RegExp): boolean {
    return typeof what === "string" ? this.text.includes(what) : what.test(this.text);
  }

  /** Resolves when it was written. */
  async held(what: string | RegExp): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const look = () => this.holds(what) && resolve();
    this.#watching.add(look);
    look();
    await promise;
    this.#watching.delete(look);
  }

  /** Takes nothing more, until `resume`. */
  pause(): void {
    this.#held ??= [];
  }

  /** Resolves when a write waits, on a stream that stands still. */
  async pending(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const look = () => (this.#held?.length ?? 0) > 0 && resolve();
    this.#watching.add(look);
    look();
    await within(promise, PATIENCE, () => "Cannot see a write wait");
    this.#watching.delete(look);
  }

  /** Takes what has waited, and all that follows. */
  resume(): void {
    const held = this.#held ?? [];
    this.#held = undefined;
    for (const take of held) take();
  }

  /** Takes nothing more: it has no reader any more, or no room for example. */
  close(code = "EPIPE"): void {
    this.#failure = Object.assign(new Error(`write ${code}`), { code });
    this.resume();
  }

  write(chunk: string | Uint8Array, callback: (error?: Error | null) => void): boolean {
    const bytes = typeof chunk === "string" ? utf8(chunk) : chunk.slice();
    const take = () => {
      if (this.#failure !== undefined) return callback(this.#failure);
      this.#chunks.push(bytes);
      for (const look of this.#watching) look();
      callback();
    };
    // As a real stream: the callback never comes before `write` has returned.
    if (this.#held === undefined) queueMicrotask(take);
    else this.#held.push(take);
    for (const look of this.#watching) look();
    return this.#held === undefined;
  }

  on(): void {
    // What fails is told to the callback of the write.
  }
}

/** What a process is started with. */
export interface SpawnOptions {
  /** The program and what comes before the arguments of `sse`. Default: this Deno with cli.ts. */
  readonly program?: readonly string[];
  /** What is piped in. Default: nothing. */
  readonly stdin?: string | Uint8Array;
  /** Whether more might be piped in, which never comes. Default: no. */
  readonly stdinOpen?: boolean;
  /** Whether nobody reads stdout. Default: no. */
  readonly unread?: boolean;
  /** What is added to the environment. */
  readonly env?: Record<string, string>;
  /** Where it runs. */
  readonly cwd?: string;
}

/** The command line that starts `sse` from its sources. */
export const CLI_COMMAND: readonly string[] = [
  ...[Deno.execPath(), "run", "-A", "--no-lock"],
  new URL("../../cli.ts", import.meta.url).href,
];

/** Starts a command line as a process. */
export function spawnCli(args: readonly string[], options: SpawnOptions = {}): CliProcess {
  return new CliProcess(args, options);
}

/** A command line that runs as a process, which ends with its test. */
export class CliProcess implements AsyncDisposable {
  /** How it ends. */
  readonly result: Promise<CliResult>;
  /** Resolves when it has taken what was piped in, but for what a pipe holds. */
  readonly fed: Promise<void>;
  readonly #args: readonly string[];
  readonly #child: Deno.ChildProcess;
  readonly #stdout = new TestStream(false);
  readonly #stderr = new TestStream(false);
  #ended = false;

  /** Use {@linkcode spawnCli}. */
  constructor(args: readonly string[], options: SpawnOptions) {
    const { program = CLI_COMMAND, stdin, stdinOpen = false, unread = false, env, cwd } = options;
    this.#args = args;
    const [command, ...before] = program;
    this.#child = new Deno.Command(command, {
      args: [...before, ...args],
      cwd,
      env: { NO_COLOR: "1", ...env },
      stdin: stdin === undefined ? "null" : "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.fed = stdin === undefined ? Promise.resolve() : this.#pipeIn(stdin, stdinOpen);
    this.result = this.#read(unread);
    this.result.catch(() => {});
  }

  /** Sends a signal: `SIGINT` is Ctrl-C. */
  kill(signal: Deno.Signal): void {
    this.#child.kill(signal);
  }

  /** How it ends, which must be soon. */
  async end(patience: number = PATIENCE): Promise<CliResult> {
    return await within(this.result, patience, () => `It does not end: ${this}`);
  }

  /** Resolves with all that it printed once that holds `what`. */
  printed(what: string | RegExp, patience?: number): Promise<string> {
    return find(this, this.#stdout, what, patience);
  }

  /** Resolves with all that it said once that holds `what`. */
  said(what: string | RegExp, patience?: number): Promise<string> {
    return find(this, this.#stderr, what, patience);
  }

  /** What was run, and what it has printed and said. */
  toString(): string {
    return describe(this.#args, this.#stdout, this.#stderr);
  }

  /** Ends it, if it has not ended. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#ended) this.#child.kill("SIGKILL");
    await this.result.catch(() => {});
  }

  async #read(unread: boolean): Promise<CliResult> {
    const child = this.#child;
    const [{ code }] = await Promise.all([
      child.status,
      keep(child.stderr, this.#stderr),
      unread ? child.status.then(() => child.stdout.cancel()) : keep(child.stdout, this.#stdout),
    ]);
    this.#ended = true;
    const { bytes, text: stdout } = this.#stdout;
    return { code, stdout, stderr: this.#stderr.text, bytes };
  }

  async #pipeIn(stdin: string | Uint8Array, open: boolean): Promise<void> {
    const writer = this.#child.stdin.getWriter();
    try {
      await writer.write(typeof stdin === "string" ? utf8(stdin) : stdin);
      if (open) this.#child.status.then(() => writer.close()).catch(() => {});
      else await writer.close();
    } catch {
      // It has ended, or does not read.
    }
  }
}

function describe(args: readonly string[], stdout: TestStream, stderr: TestStream): string {
  return `sse ${args.join(" ")}\nstdout:\n${stdout.text}\nstderr:\n${stderr.text}`;
}

async function find(
  running: { readonly result: Promise<CliResult> },
  stream: TestStream,
  what: string | RegExp,
  patience = PATIENCE,
): Promise<string> {
  const ended = running.result.then(() => {
    if (!stream.holds(what)) throw new Error(`Cannot find ${what}: it has ended: ${running}`);
  });
  await within(
    Promise.race([stream.held(what), ended]),
    patience,
    () => `Cannot find ${what}: after ${patience} ms there was: ${running}`,
  );
  return stream.text;
}

async function keep(from: ReadableStream<Uint8Array>, to: TestStream): Promise<void> {
  for await (const chunk of from) to.write(chunk, () => {});
}

async function* bytesOf(
  stdin: string | Uint8Array | AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  if (typeof stdin === "string") {
    if (stdin !== "") yield utf8(stdin);
  } else if (stdin instanceof Uint8Array) yield stdin;
  else yield* stdin;
}
