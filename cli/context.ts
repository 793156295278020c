/**
 * What a command knows of the process that it runs in: its streams, its signal, its environment.
 *
 * @module
 */

import { fstatSync } from "node:fs";
import { Socket } from "node:net";
import process from "node:process";
import { setTimeout as delay } from "node:timers/promises";
import { EXIT } from "./failure.ts";
import { Output, type OutputStream } from "./output.ts";

/** What a command is run with; a test makes its own. */
export interface Context {
  /** What is piped in. */
  readonly stdin: AsyncIterable<Uint8Array> & { readonly isTTY?: boolean };
  /** Where results go. */
  readonly stdout: Output;
  /** Where all else goes: states, progress, failures. */
  readonly stderr: Output;
  /**
   * Aborted with an {@linkcode Interrupt} by Ctrl-C and SIGTERM, and when nobody reads the output or it
   * cannot be written.
   */
  readonly signal: AbortSignal;
  /** The environment. */
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** Why a command is to end at once, and cleanly. */
export class Interrupt extends Error {
  override readonly name = "Interrupt";
  /** The exit code that tells of it. */
  readonly exitCode: number;

  /** Makes one. */
  constructor(message: string, exitCode: number) {
    super(message);
    this.exitCode = exitCode;
  }
}

/** Why a command ends whose results cannot be written any more. */
export function closedOutput(failure: Error | undefined): Interrupt {
  return failure === undefined
    ? new Interrupt("Nobody reads the output", EXIT.ok)
    : new Interrupt(`Cannot write the output: ${failure.message}`, EXIT.failed);
}

/** Resolves when a signal is aborted. */
export function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

/** The context of a process, which ends with its command. */
export interface ProcessContext extends Context {
  /** Ends the process, once what was written is taken. */
  exit(exitCode: number): Promise<never>;
}

/** How long who was interrupted waits for a reader that stands still, in ms. */
const PATIENCE = 500;

/** The context of this process. */
export function processContext(): ProcessContext {
  const stopping = new AbortController();
  const { signal } = stopping;
  const onSignal = (name: string, exitCode: number) =>
    process.on(name, () => {
      // Whoever asks twice does not want to wait.
      if (signal.aborted) process.exit(exitCode);
      stopping.abort(new Interrupt(`Interrupted by ${name}`, exitCode));
    });
  onSignal("SIGINT", EXIT.interrupted);
  onSignal("SIGTERM", EXIT.terminated);
  const { env } = process;
  const onClosed = (failure?: Error) => stopping.abort(closedOutput(failure));
  const stdout = new Output(outputStream(1), { env, onClosed });
  const stderr = new Output(outputStream(2), { env });
  return {
    stdin: process.stdin,
    stdout,
    stderr,
    signal,
    env,
    async exit(exitCode) {
      const flushed = Promise.all([stdout.flush(), stderr.flush()]);
      await (signal.aborted ? Promise.race([flushed, delay(PATIENCE)]) : flushed);
      // Not by the end of all work: a read of stdin, or a write to who stands still, has none.
      process.exit(exitCode);
    },
  };
}

/** What writes to a file descriptor: 1 is stdout, 2 is stderr. */
function outputStream(fd: 1 | 2): OutputStream {
  const stream = fd === 1 ? process.stdout : process.stderr;
  // Deno stands still itself when a pipe is full, deaf to signals and to its sockets.
  if (process.versions.deno === undefined || !fstatSync(fd).isFIFO()) return stream;
  return new Socket({ fd, readable: false, writable: true });
}
