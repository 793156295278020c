/**
 * `sse get`: reads an event stream and prints its events as they come, over any number of
 * connections.
 *
 * @module
 */

import { connect, type EventStreamConnection } from "../client.ts";
import { orAbort } from "../client/opening.ts";
import { startTimer } from "../client/timers.ts";
import { type AnyCommand, defineCommand, type Input } from "./command.ts";
import { ConnectionLines } from "./connection_lines.ts";
import { type Context, Interrupt } from "./context.ts";
import { EXIT, Failure } from "./failure.ts";
import { choiceOf, formatOf, holdingOf, limitsOf, OPTIONS } from "./get/options.ts";
import { printerOf, Printing, rawWriter } from "./get/print.ts";
import { RawTee } from "./get/raw.ts";
import { readRequest } from "./get/request.ts";
import { ResumeFile } from "./resume_file.ts";

/** The command. */
export const command: AnyCommand = defineCommand({
  name: "get",
  summary: "Read an event stream and print its events as they come",
  arguments: [{ name: "URL" }],
  options: OPTIONS,
  examples: [
    { line: "sse get localhost:8000/topics/news", what: "Follow a topic of sse serve" },
    {
      line: "sse get --json --event price https://stream.example/prices | jq -r .data",
      what: "Hand the data of some events to another program",
    },
    {
      line: "sse get --resume news.id --data https://stream.example/news >> news.txt",
      what: "Go on where the last run has stopped",
    },
    {
      line: "sse get --token KEY --json-body @prompt.json --until [DONE] https://api.example/chat",
      what: "Read the answer of a language model",
    },
  ],
  notes: [
    "The connection is told of on stderr: connecting, open, lost and why, and when the next attempt",
    "is made. An event counts as taken, for a reconnect and for --resume, once it is printed.",
    "",
    "The data of --json is text as it came: jq '.data | fromjson' opens what is JSON itself. --raw",
    "prints whole events: the half that a lost connection leaves behind would spoil the next.",
    "",
    "A refusal is final; but 429, 502, 503 and 504 are tried again if --retry is given, and once the",
    "stream was open: a server that restarts says so.",
    "",
    "It ends with 0 when the stream ends, or --for or --until has it end; or --count, which fails with",
    "1 if the stream has fewer. See sse --help for the other exit codes.",
  ],
  run: get,
});

/** Ends a run by `--for`. */
const TIME_UP = new Error("The time of --for is up");

async function get(
  { arguments: [target], options }: Input<typeof OPTIONS>,
  context: Context,
): Promise<number> {
  const { stdout, stderr, signal } = context;
  const format = formatOf(options);
  const limits = limitsOf(options);
  const chosen = choiceOf(options);
  const { url, method, headers, body } = await readRequest(target, options, context);
  const lines = new ConnectionLines(stderr, url.href, options.quiet === true);
  const holding = holdingOf(options, method, () => lines.wasOpen);
  const file = options.resume === undefined ? undefined : new ResumeFile(options.resume);

  const timer = new AbortController();
  const ending = AbortSignal.any([signal, timer.signal]);
  // A reader that stands still must not keep us from ending.
  const write = (chunk: string | Uint8Array) => orAbort(stdout.write(chunk), ending);
  const printing = new Printing(chosen, printerOf(format, stdout), limits.count, write);
  const tee = format === "raw"
    ? new RawTee(rawWriter(stdout, write), limits.count < Infinity)
    : undefined;
  const connection = connect(url, {
    ...holding,
    method,
    headers,
    body,
    store: file,
    fetch: tee?.fetch,
    signal: ending,
    onState: lines.tell,
  });
  const stopTimer = limits.time === undefined
    ? undefined
    : startTimer(() => timer.abort(TIME_UP), limits.time);
  try {
    await printing.run(connection.batches());
  } catch (error) {
    if (error !== TIME_UP) {
      // Not for an output that is closed: who does not read any more wants to hear nothing more.
      if (error instanceof Interrupt && error.exitCode > EXIT.failed) {
        lines.say(`closed: interrupted, ${printing}`);
      }
      throw error;
    }
  } finally {
    stopTimer?.();
    if (!ending.aborted) await tee?.end();
    await connection.closed;
    // Nobody asks for more after the last of --count, which would take it. And now a file that could
    // not be written is told of.
    await file?.save(printing.lastId ?? connection.lastEventId);
  }
  return await conclude(connection, printing, lines);
}

/** Tells why nothing more comes. What was asked for and did not come is a failure. */
async function conclude(
  connection: EventStreamConnection,
  printing: Printing,
  lines: ConnectionLines,
): Promise<number> {
  const { reason, cause } = await connection.closed;
  if (cause === TIME_UP) {
    if (!lines.wasOpen) {
      const exitCode = EXIT.timeout;
      throw new Failure("Cannot connect: the stream was not open within --for", { exitCode });
    }
    lines.say(`closed: the time is up, ${printing}`);
    return EXIT.ok;
  }
  const why = reason === "closed"
    ? "as many as were asked for"
    : `the ${reason === "ended" ? "stream has ended" : "server has no more to send"}`;
  lines.say(`closed: ${why}, ${printing}`);
  if (!printing.isShort) return EXIT.ok;
  throw new Failure(
    `Cannot print ${printing.count} events: the stream has ended after ${printing.printed}`,
  );
}
