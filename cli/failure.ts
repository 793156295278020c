/**
 * What ends a command otherwise than well, as a sentence and an exit code.
 *
 * @module
 */

import { ResponseError, SseError, TimeoutError } from "../errors.ts";

/** What the exit codes mean; the help of `sse` prints them. */
export const EXIT = {
  /** Done, also if who reads the output has closed it. */
  ok: 0,
  /** It failed: the network, a file, a stream that was cut; `check` found what hurts. */
  failed: 1,
  /** The command line is wrong. */
  usage: 2,
  /** The server refused: its status, or no event stream. */
  refused: 3,
  /** A time that was set has run out. */
  timeout: 4,
  /** Ctrl-C. */
  interrupted: 130,
  /** SIGTERM. */
  terminated: 143,
} as const;

/** What ends a command with a sentence in place of a stack trace. */
export class Failure extends Error {
  override readonly name: string = "Failure";
  /** The exit code. */
  readonly exitCode: number;

  /** Makes one: what was tried, colon, what was found, and what to do. */
  constructor(message: string, options: ErrorOptions & { exitCode?: number } = {}) {
    super(message, options);
    this.exitCode = options.exitCode ?? EXIT.failed;
  }
}

/** A command line that makes no sense. */
export class UsageError extends Failure {
  override readonly name = "UsageError";
  /** The command that it was for, if that much is known. */
  readonly command: string | undefined;

  /** Makes one: what was tried, colon, what was found. */
  constructor(message: string, command?: string) {
    super(message, { exitCode: EXIT.usage });
    this.command = command;
  }
}

/** What a failure of whatever kind ends a command with, or `undefined` if it is a fault of ours. */
export function explain(error: unknown): { sentence: string; exitCode: number } | undefined {
  if (error instanceof Failure) return { sentence: error.message, exitCode: error.exitCode };
  if (error instanceof SseError) {
    return { sentence: inOurWords(withCauses(error)), exitCode: exitCodeOf(error) };
  }
  if (isMistake(error)) return { sentence: withCauses(error), exitCode: EXIT.usage };
  // What systems and `fetch` say of files and sockets.
  if (isSystemError(error) || isFetchError(error)) {
    return { sentence: withCauses(error), exitCode: EXIT.failed };
  }
  return undefined;
}

/** What the library advises, by the names that its options have on a command line. */
function inOurWords(sentence: string): string {
  return sentence.replace('"maxAttempts"', "--retry")
    .replace('"maxEventSize"', "--max-event-size")
    .replace('set "redirect" to "follow"', "follow it by --location")
    .replace('the event of "until"', "the event of --until");
}

function exitCodeOf(error: SseError): number {
  if (error instanceof ResponseError) return EXIT.refused;
  if (error instanceof TimeoutError) return EXIT.timeout;
  return error.cause instanceof SseError ? exitCodeOf(error.cause) : EXIT.failed;
}

/** The message, and what its causes add to it. */
export function withCauses(error: Error): string {
  let sentence = textOf(error);
  let { cause } = error;
  for (let depth = 0; depth < 4 && cause instanceof Error; depth++) {
    const message = textOf(cause);
    if (!sentence.includes(message)) sentence += `: ${message}`;
    // Node tries each address of a name, and tells of all in one.
    cause = cause instanceof AggregateError ? cause.errors[0] : cause.cause;
  }
  return sentence;
}

/** How much of what a server says of a refusal is told. */
const MOST_OF_BODY = 200;

/** The message, and what a server gave as its reason, unless that is a page. */
function textOf(error: Error): string {
  const message = oneLine(error.message || String(codeOf(error) ?? error.name));
  if (!(error instanceof ResponseError)) return message;
  const body = oneLine(error.body);
  if (body === "" || body.startsWith("<")) return message;
  const start = body.slice(0, MOST_OF_BODY);
  return `${message}: ${start}${body.length > MOST_OF_BODY ? "…" : ""}`;
}

function oneLine(text: string): string {
  return text.replace(/\s+/g, " ").trim();
}

/** What the library says of a value that it cannot take, which engines never begin like this. */
function isMistake(error: unknown): error is Error {
  return (error instanceof TypeError || error instanceof RangeError) &&
    /^Cannot [\w ]+: /.test(error.message);
}

function isSystemError(error: unknown): error is Error {
  return error instanceof Error && typeof codeOf(error) === "string" &&
    /^E[A-Z]+$/.test(String(codeOf(error)));
}

function isFetchError(error: unknown): error is Error {
  return error instanceof TypeError &&
    (error.cause instanceof Error || /fetch|sending request/.test(error.message));
}

function codeOf(error: Error): unknown {
  return "code" in error ? error.code : undefined;
}
