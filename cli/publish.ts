/**
 * `sse publish`: lines to events, each posted until the server has it.
 *
 * @module
 */

import { defineCommand, type Input } from "./command.ts";
import { type Context, Interrupt } from "./context.ts";
import { EXIT, UsageError } from "./failure.ts";
import { bodyOf } from "./publish/body.ts";
import { type Line, readLines } from "./publish/lines.ts";
import { Pace } from "./publish/pace.ts";
import { PublishProgress } from "./publish/progress.ts";
import { Publisher } from "./publish/request.ts";
import { REQUEST_OPTIONS, requestTo } from "./request_options.ts";
import { parseSpan } from "./service/values.ts";
import { parseFactor, parseInteger } from "./values.ts";

/** How many events may be under way at once. */
const MAX_CONCURRENCY = 1_000;

const OPTIONS = {
  ...REQUEST_OPTIONS,
  data: { type: "string", short: "d", value: "TEXT", help: "Publish this one event, not stdin" },
  event: {
    type: "string",
    short: "e",
    value: "NAME",
    help: "The type of events whose line names none",
  },
  text: { type: "boolean", help: "Take each line as data, also if it is an event as JSON" },
  rate: { type: "string", value: "N", help: "Publish at most N events a second" },
  concurrency: {
    type: "string",
    value: "N",
    help: "How many may be under way at once; from 2 on their order is not kept (default 1)",
  },
  key: {
    type: "string",
    value: "PREFIX",
    help: "Begin idempotency keys with this: the same lines, published again, are there once",
  },
  attempts: {
    type: "string",
    value: "N",
    help: "How often an event is tried while the server is away or busy (default 10)",
  },
  timeout: {
    type: "string",
    value: "TIME",
    help: "How long one attempt may take (default 30s)",
  },
  ids: { type: "boolean", help: "Print the id of each event on stdout" },
  quiet: { type: "boolean", short: "q", help: "Print neither progress nor summary" },
} as const;

export const command = defineCommand({
  name: "publish",
  summary: "Publish each line of stdin as an event, in order and each once",
  arguments: [{ name: "URL" }],
  options: OPTIONS,
  examples: [
    {
      line: "cat lines.ndjson | sse publish http://127.0.0.1:8080/topics/news",
      what: "Publish a file, one event a line",
    },
    {
      line: "sse publish http://127.0.0.1:8080/topics/news --event flash --data 'It rains'",
      what: "Publish one event",
    },
    {
      line: "tail -F app.log | sse publish http://127.0.0.1:8080/topics/log --text --rate 100",
      what: "Publish a log as it grows, at most 100 lines a second",
    },
    {
      line: "sse publish http://127.0.0.1:8080/topics/news --key monday < lines.ndjson",
      what: "Publish a file such that it can be run again without repeating a line",
    },
  ],
  notes: [
    'A line that is a JSON object of "data" and perhaps "event", "retry" and "id" is',
    "that event (without its id, for the server gives one), so that what",
    "sse get --json prints can be published. Every other line is the data of an",
    "event as it stands. Blank lines are left out.",
    "",
    "Each event is posted with an Idempotency-Key: the prefix and the number of its",
    "line. It is tried again when the network fails or the server answers 429, 502,",
    "503 or 504, after Retry-After or waits that grow, and a server that heeds the",
    "key has it once. Any other refusal ends it, with exit code 3.",
    "Ctrl-C finishes what is under way and says how many are published.",
  ],
  run: async ({ arguments: [url], options }, context) => await publish(url, options, context),
});

async function publish(
  url: string,
  options: Input<typeof OPTIONS>["options"],
  context: Context,
): Promise<number> {
  const { stdin, stdout, stderr, env } = context;
  const { event, data, ids, quiet = false } = options;
  const destination = requestTo(url, options, env);
  const concurrency = parseInteger("concurrency", options.concurrency ?? "1", 1, MAX_CONCURRENCY);
  const pace = options.rate === undefined ? undefined : new Pace(parseFactor("rate", options.rate));
  const key = readKey(options.key ?? crypto.randomUUID());
  const progress = new PublishProgress(stderr, { quiet });
  // An end of ours ends the reading and the waiting, as one from outside does.
  const failing = new AbortController();
  const signal = AbortSignal.any([context.signal, failing.signal]);
  const publisher = new Publisher({
    ...destination,
    key,
    attempts: parseInteger("attempts", options.attempts ?? "10", 1),
    timeout: parseSpan("timeout", options.timeout ?? "30s"),
    signal,
    onRetry: (retry) => progress.retry(retry),
  });

  async function send({ number, text }: Line): Promise<void> {
    try {
      const body = bodyOf(text, { event, text: options.text === true || data !== undefined });
      const id = await publisher.publish(number, body);
      progress.published();
      if (ids && id !== undefined) await stdout.line(id);
    } catch (error) {
      failing.abort(error);
    }
  }

  const underWay = new Set<Promise<void>>();
  if (data === undefined && stdin.isTTY) progress.note("Reading lines, Ctrl-D ends them");
  progress.start();
  try {
    for await (const line of data === undefined ? readLines(stdin, signal) : oneLine(data)) {
      await pace?.take(signal);
      if (signal.aborted) break;
      const sent: Promise<void> = send(line).finally(() => underWay.delete(sent));
      underWay.add(sent);
      if (underWay.size >= concurrency) await Promise.race(underWay);
    }
  } catch (error) {
    failing.abort(error);
  }
  await Promise.all(underWay);
  await progress.end(signal.aborted && data === undefined ? key : undefined);
  if (failing.signal.aborted) throw failing.signal.reason;
  const { reason } = context.signal;
  return reason instanceof Interrupt ? reason.exitCode : EXIT.ok;
}

function oneLine(text: string): Line[] {
  return [{ number: 1, text }];
}

/** The number of a line stands behind it, and 255 characters are all that a server must take. */
function readKey(prefix: string): string {
  if (/^[\x21\x23-\x5b\x5d-\x7e]{1,200}$/.test(prefix)) return prefix;
  throw new UsageError(
    "Cannot read --key: it must be 1 to 200 visible ASCII characters, without quotes, backslashes and blanks",
  );
}
