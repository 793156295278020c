/**
 * `sse replay`: serves a recorded event stream again.
 *
 * @module
 */

import { type AnyCommand, defineCommand, type Input } from "./command.ts";
import { aborted, type Context } from "./context.ts";
import { EXIT, Failure, UsageError } from "./failure.ts";
import { openRecording, type Recording } from "./recording/read.ts";
import { ReplayServer, type ReplaySettings } from "./replay/serve.ts";
import { hostsFor } from "./serve/hosts.ts";
import { listen } from "./serve/listen.ts";
import { SERVE_OPTIONS } from "./serve/options.ts";
import { parseFactor, parseInteger, parseTime } from "./values.ts";
import { visible } from "./visible.ts";

const OPTIONS = {
  host: SERVE_OPTIONS.host,
  port: SERVE_OPTIONS.port,
  cors: {
    type: "string",
    multiple: true,
    value: "ORIGIN",
    help: "Let pages of this origin read, or * for any; may be given more than once",
  },
  "allow-host": SERVE_OPTIONS["allow-host"],
  speed: {
    type: "string",
    value: "N",
    help: "Play so many times as fast, or max for as fast as it is read (default 1)",
    choices: ["1", "2", "10", "max"],
  },
  interval: {
    type: "string",
    value: "TIME",
    help: "Wait so long between events where the file has no times (default 0)",
  },
  loop: { type: "boolean", help: "Begin anew at the end, in the same response" },
  join: {
    type: "boolean",
    help:
      "Play all connections of the recording in one response; else each is one, cut where it was",
  },
  once: { type: "boolean", help: "End after the first reader has had all, or has left" },
  quiet: { type: "boolean", short: "q", help: "Do not tell of readers" },
} as const;

/** The command. */
export const command: AnyCommand = defineCommand({
  name: "replay",
  summary: "Serve a recorded event stream again, with the original timing",
  arguments: [{ name: "FILE" }],
  options: OPTIONS,
  examples: [
    { line: "sse replay prices.ndjson", what: "Serve a recording of sse record" },
    {
      line: "sse replay --speed max --port 0 prices.ndjson",
      what: "Serve it as fast as it is read, on a free port",
    },
    {
      line: "sse replay --interval 20ms --cors '*' answer.sse",
      what: "Serve a file of plain event stream bytes, an event each 20 ms, to any page",
    },
  ],
  notes: [
    "Each request is answered with the recording from its start, whatever its path and method are, or",
    "from behind its Last-Event-ID if the recording has that id. A reader that comes back after the",
    "last event is answered 204, so that it stays away.",
    "The bytes are those that were recorded. With --loop they come again with the same ids, without",
    "the half of an event that the recording may end with; --join drops such halves, too.",
    "A recording of several connections (sse record --reconnect) is cut where it was, and the reader",
    "that comes back gets the next one, by its Last-Event-ID. Where there are no ids, --join helps.",
    "The first line of stdout says where it listens. Ctrl-C ends it, and the exit code is 0.",
  ],
  run: replay,
});

async function replay(
  { arguments: [path], options }: Input<typeof OPTIONS>,
  context: Context,
): Promise<number> {
  const { signal } = context;
  const settings = readSettings(options);
  if (path === "-") {
    throw new UsageError("Cannot replay stdin: each reader gets it anew, write it to a file first");
  }
  const recording = await openRecording(path);
  if (await isEmpty(recording)) {
    throw new Failure(`Cannot replay ${path}: it holds no byte of an event stream`);
  }
  const server = new ReplayServer(recording, settings, context);
  const listening = await listen((request) => server.fetch(request), {
    host: settings.host,
    port: settings.port,
    onTaken: (port) => server.say(`port ${port} is in use: taking a free one`),
    onError: (error) => server.fail(error),
  });
  try {
    await context.stdout.line(`Listening at ${listening.url}`);
    server.say(`${path}: ${describe(recording, settings)}; Ctrl-C ends it`);
    await Promise.race([aborted(signal), ...options.once ? [server.over] : []]);
  } finally {
    // Who does not read is cut off with its connection.
    const closed = server.close();
    await listening.close();
    await closed;
  }
  return EXIT.ok;
}

/** What was asked for. */
interface Settings extends ReplaySettings {
  readonly host: string;
  readonly port: number | undefined;
}

function readSettings(options: Input<typeof OPTIONS>["options"]): Settings {
  const { host = "127.0.0.1", port, cors, speed = "1", interval = "0" } = options;
  return {
    host,
    port: port === undefined ? undefined : parseInteger("port", port, 0, 65_535),
    hosts: hostsFor(host, options["allow-host"] ?? []),
    cors,
    speed: speed === "max" ? Infinity : parseFactor("speed", speed),
    interval: parseTime("interval", interval),
    loop: options.loop ?? false,
    join: options.join ?? false,
    quiet: options.quiet ?? false,
  };
}

async function isEmpty(recording: Recording): Promise<boolean> {
  for await (const entry of recording.entries()) {
    if ("bytes" in entry && entry.bytes.length > 0) return false;
  }
  return true;
}

function describe({ raw, url, startedAt }: Recording, { speed, interval, loop }: Settings): string {
  const pace = speed === Infinity || (raw && interval === 0)
    ? "as fast as it is read"
    : raw
    ? `an event each ${interval / speed} ms`
    : speed === 1
    ? "with the original timing"
    : `${speed} times as fast as it was`;
  const origin = url === undefined ? "" : `, recorded ${startedAt ?? ""} from ${url}`;
  return visible(`${pace}${loop ? ", again and again" : ""}${origin}`);
}
