/**
 * `sse record`: takes an event stream down, byte by byte and with times, for `sse replay`.
 *
 * @module
 */

import { connect } from "../client.ts";
import { startTimer } from "../client/timers.ts";
import { type AnyCommand, defineCommand, type Input } from "./command.ts";
import { ConnectionLines } from "./connection_lines.ts";
import { type Context, Interrupt } from "./context.ts";
import { EXIT, Failure } from "./failure.ts";
import { holdingOf, limitsOf, OPTIONS as GET } from "./get/options.ts";
import { readRequest } from "./get/request.ts";
import { ProgressLine, showBytes, showCount, showTime } from "./progress_line.ts";
import { RecordingFile } from "./record/file.ts";
import { Recorder } from "./record/stream.ts";
import { headerLine } from "./recording.ts";
import { REQUEST_OPTIONS } from "./request_options.ts";

const OPTIONS = {
  force: { type: "boolean", help: "Overwrite the file if it is there" },
  reconnect: {
    type: "boolean",
    short: "r",
    help: "Go on after a loss or an end: connect again, after the last event ID",
  },
  count: { type: "string", short: "n", value: "N", help: "End after so many events" },
  for: { type: "string", value: "TIME", help: "End after this time" },
  until: { ...GET.until, help: "End after the event with this data: [DONE] for example" },
  ...REQUEST_OPTIONS,
  request: GET.request,
  body: GET.body,
  "json-body": GET["json-body"],
  location: GET.location,
  "last-event-id": { ...GET["last-event-id"], help: "Start after the event with this id" },
  "last-event-id-param": GET["last-event-id-param"],
  "retry-delay": GET["retry-delay"],
  "connect-timeout": GET["connect-timeout"],
  "idle-timeout": GET["idle-timeout"],
  "max-event-size": GET["max-event-size"],
  quiet: { type: "boolean", short: "q", help: "Tell neither of the connection nor of progress" },
} as const;

/** The command. */
export const command: AnyCommand = defineCommand({
  name: "record",
  summary: "Record an event stream, byte by byte and with times, for sse replay",
  arguments: [{ name: "URL" }, { name: "FILE" }],
  options: OPTIONS,
  examples: [
    { line: "sse record https://stream.example/prices prices.ndjson", what: "Record until Ctrl-C" },
    {
      line: "sse record --reconnect --for 1h https://stream.example/prices prices.ndjson",
      what: "Record an hour, over any number of connections",
    },
    {
      line: "sse record -H 'authorization: Bearer KEY' --json-body @prompt.json \\\n" +
        "    https://api.example/v1/chat answer.ndjson",
      what: "Record the answer of a language model",
    },
    {
      line: "sse record --for 1m localhost:8080/topics/news - | gzip > news.ndjson.gz",
      what: "Record to stdout",
    },
  ],
  notes: [
    "The file is NDJSON: a line for the start, for each response, for each chunk as it came and for",
    "each end, with the time in ms. What was recorded stays if this program or the machine breaks off.",
    "Without --reconnect it is one connection. A compressed response is recorded as what it holds.",
    "Neither request headers nor the query of the URL are written, but what the server sends is: look",
    "at a recording before you give it away.",
    "It ends with 0 when the response, --count, --for or --until does; with 1 if the connection is",
    "lost; with 3 if the server refuses; with 130 after Ctrl-C.",
  ],
  run: record,
});

async function record(
  { arguments: [target, path], options }: Input<typeof OPTIONS>,
  context: Context,
): Promise<number> {
  const { signal, stderr } = context;
  const quiet = options.quiet === true;
  const limits = limitsOf(options);
  const { url, method, headers, body } = await readRequest(target, options, context);
  const lines = new ConnectionLines(stderr, url.href, quiet);
  const retry = options.reconnect ? "forever" : "no";
  const { until, ...holding } = holdingOf({ ...options, retry }, method, () => lines.wasOpen);
  const file = await RecordingFile.open(path, options.force === true, context);

  const ended = new AbortController();
  const ending = AbortSignal.any([signal, ended.signal]);
  let started = false;
  const recorder = new Recorder({
    oneByOne: limits.count < Infinity || until !== undefined,
    async write(text) {
      await file.write(started ? text : headerLine(url, new Date()) + text);
      started = true;
    },
    onFailure: (error) => ended.abort(error),
  });
  ending.addEventListener("abort", () => recorder.stop(), { once: true });
  let events = 0;
  const sum = () =>
    [
      showCount(events, "event"),
      showBytes(recorder.bytes),
      ...(recorder.parts > 1 ? [showCount(recorder.parts, "connection")] : []),
      showTime(recorder.duration),
    ].join(", ");
  const connection = connect(url, {
    ...holding,
    method,
    headers,
    body,
    fetch: recorder.fetch,
    signal: ending,
    // What was recorded is recorded, whether it came before or not.
    dedupe: false,
    until: until === undefined ? undefined : (event) => {
      const found = until(event);
      if (found) {
        events++;
        recorder.stop();
      }
      return found;
    },
    onState(state) {
      if (state.state === "connecting") recorder.lastEventId = state.lastEventId;
      progress.clear();
      lines.tell(state);
    },
  });
  const progress = new ProgressLine(stderr, () => `recorded ${sum()}`, quiet);
  const stopTimer = limits.time === undefined
    ? undefined
    : startTimer(() => ended.abort(TIME_UP), limits.time);
  try {
    for await (const batch of connection.batches()) {
      events += batch.length;
      if (events >= limits.count) {
        recorder.stop();
        break;
      }
    }
  } catch (error) {
    if (error !== TIME_UP && !(error instanceof Interrupt)) throw error;
  } finally {
    stopTimer?.();
    recorder.stop();
    await connection.closed;
    await recorder.finish();
    progress.stop();
    await file.close();
    if (recorder.parts > 0) lines.say(`recorded ${sum()}`);
  }
  if (signal.aborted) throw signal.reason;
  const { reason } = ended.signal;
  if (ended.signal.aborted && reason !== TIME_UP) throw reason;
  if (ended.signal.aborted && recorder.parts === 0) {
    throw new Failure("Cannot record: the stream was not open within --for", {
      exitCode: EXIT.timeout,
    });
  }
  if (recorder.parts === 0) {
    throw new Failure("Cannot record: the server answered 204, which tells readers to stay away", {
      exitCode: EXIT.refused,
    });
  }
  if (events < limits.count && limits.count < Infinity && !ended.signal.aborted) {
    throw new Failure(
      `Cannot record ${showCount(limits.count, "event")}: the stream has ended after ${events}`,
    );
  }
  return EXIT.ok;
}

/** Why it ends after `--for`. */
const TIME_UP = new Error("The time of --for is up");
