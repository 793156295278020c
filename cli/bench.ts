/**
 * `sse bench`: opens many readers, publishes at a rate, and measures what comes and how late.
 *
 * @module
 */

import { writeFile } from "node:fs/promises";
import { Load, type LoadOptions } from "./bench/load.ts";
import { type Asked, reportJson, reportSvg, reportText } from "./bench/report.ts";
import type { Target } from "./bench/request.ts";
import { startService } from "./bench/service.ts";
import { type AnyCommand, defineCommand, type Input } from "./command.ts";
import { type Context, Interrupt } from "./context.ts";
import { EXIT, Failure, UsageError } from "./failure.ts";
import { ProgressLine, showTime } from "./progress_line.ts";
import { REQUEST_OPTIONS, requestTo } from "./request_options.ts";
import { parseFactor, parseInteger, parseSize, parseTime } from "./values.ts";

const OPTIONS = {
  connections: {
    type: "string",
    short: "c",
    value: "N",
    help: "How many readers there are (default 100)",
  },
  ramp: {
    type: "string",
    value: "TIME",
    help: "Over which time they come (default 0: as fast as the server lets them)",
  },
  rate: { type: "string", short: "r", value: "N", help: "Publish N events a second (default 100)" },
  size: {
    type: "string",
    value: "SIZE",
    help: "How much data an event has (default 128); about 50 at least",
  },
  duration: {
    type: "string",
    short: "d",
    value: "TIME",
    help: "How long is measured (default 10s)",
  },
  "warm-up": {
    type: "string",
    value: "TIME",
    help: "How long the same load runs before, which does not count (default 2s)",
  },
  topic: {
    type: "string",
    value: "NAME",
    help: "The topic, where the URL names none (default bench)",
  },
  "no-publish": {
    type: "boolean",
    help: "Only read: for streams that somebody else fills; latency is not known then",
  },
  ...REQUEST_OPTIONS,
  json: { type: "boolean", help: "Print the figures as JSON" },
  svg: { type: "string", value: "FILE", help: "Draw latency and rate to this file, too" },
  quiet: { type: "boolean", short: "q", help: "Do not tell of progress on stderr" },
} as const;

/** The command. */
export const command: AnyCommand = defineCommand({
  name: "bench",
  summary: "Measure how many events reach how many readers, and how late",
  arguments: [{ name: "URL" }],
  options: OPTIONS,
  examples: [
    { line: "sse bench serve", what: "Measure sse serve, in a process of its own" },
    {
      line: "sse bench serve -c 1000 -r 50 -d 30s --svg latency.svg",
      what: "1,000 readers, 50 events a second, 30 s, with a picture",
    },
    {
      line: "sse bench http://127.0.0.1:8080/topics/bench --json",
      what: "Measure a server that runs; its topic is read by GET and published to by POST",
    },
    {
      line: "sse bench --no-publish -c 50 https://stream.example/prices",
      what: "Read a stream that others fill, and see its rate",
    },
  ],
  notes: [
    "URL is that of a topic, or serve for a service that is started, measured and ended.",
    "Latency runs from the moment an event was due to be published to the moment a reader has parsed",
    "it, on one clock. So it holds the wait of an event that a busy server lets stand in line.",
    "Percentiles come from a histogram and are within 0.4 %; max is exact.",
    "The load generator is one process and reads all connections: it says when it has been the",
    "bottleneck. Measure from another machine what is to be near the bounds of this one.",
    "Many connections need many open files: ulimit -n 65536, for the server, too.",
    "It ends with 0 when it has measured, with 3 if the server refuses, with 130 after Ctrl-C, which",
    "prints what was measured by then.",
  ],
  run: bench,
});

async function bench(
  { arguments: [target], options }: Input<typeof OPTIONS>,
  context: Context,
): Promise<number> {
  const { signal } = context;
  const load = readLoad(options);
  if (target !== "serve") {
    const destination = topicOf(requestTo(target, options, context.env), options.topic);
    return await measure({ ...load, target: destination, signal }, options, context);
  }
  if (options["no-publish"]) {
    throw new UsageError("Cannot bench serve with --no-publish: nobody else publishes to it");
  }
  const service = await startService(signal);
  try {
    const destination = topicOf({ url: service.url, headers: new Headers() }, options.topic);
    const asked = { ...load, target: destination, signal, usage: () => service.usage() };
    return await measure(asked, options, context);
  } finally {
    await service[Symbol.asyncDispose]();
  }
}

function readLoad(
  options: Input<typeof OPTIONS>["options"],
): Omit<LoadOptions, "target" | "signal" | "usage"> {
  const { connections = "100", ramp = "0", rate = "100", size = "128" } = options;
  const duration = parseTime("duration", options.duration ?? "10s");
  if (duration === 0) throw new UsageError("Cannot read --duration: it must be longer than 0");
  return {
    connections: parseInteger("connections", connections, 1, 1_000_000),
    ramp: parseTime("ramp", ramp),
    publish: options["no-publish"] !== true,
    rate: parseFactor("rate", rate),
    size: parseSize("size", size),
    duration,
    warmUp: parseTime("warm-up", options["warm-up"] ?? "2s"),
  };
}

/** The URL of a topic; that of a server alone gets one. */
function topicOf({ url, headers }: Target, topic: string | undefined): Target {
  if (url.pathname !== "/") {
    if (topic === undefined) return { url, headers };
    throw new UsageError("Cannot take --topic: the URL names one already, leave one of them out");
  }
  const named = new URL(url);
  named.pathname = `/topics/${encodeURIComponent(topic ?? "bench")}`;
  return { url: named, headers };
}

async function measure(
  asked: LoadOptions,
  { svg, json, quiet = false }: Input<typeof OPTIONS>["options"],
  { stdout, stderr, signal }: Context,
): Promise<number> {
  const load = new Load(asked);
  const progress = new ProgressLine(stderr, () => tell(load, asked), quiet);
  let result;
  try {
    result = await load.run();
  } finally {
    progress.stop();
  }
  if (result === undefined) throw signal.reason;
  // Tokens are sent in queries, too.
  const { origin, pathname } = asked.target.url;
  const named: Asked = { ...asked, url: `${origin}${pathname}` };
  await stdout.write((json ? reportJson : reportText)(named, result));
  if (svg !== undefined) await draw(svg, reportSvg(named, result));
  const { reason } = signal;
  return signal.aborted && reason instanceof Interrupt ? reason.exitCode : EXIT.ok;
}

async function draw(path: string, picture: string): Promise<void> {
  try {
    await writeFile(path, picture);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new Failure(`Cannot draw to ${path}: ${reason}`, { cause });
  }
}

/** The line of progress. */
function tell(load: Load, { connections, duration }: LoadOptions): string {
  const { phase, open, elapsed, last } = load;
  const readers = `${open.toLocaleString("en-US")} of ${
    connections.toLocaleString("en-US")
  } readers`;
  if (phase === "connecting" || phase === "warming up") return `${phase}: ${readers}`;
  const rate = last === undefined
    ? ""
    : `, ${last.rate.toLocaleString("en-US", { maximumFractionDigits: 0 })} events/s`;
  const late = last === undefined || Number.isNaN(last.p99)
    ? ""
    : `, p99 ${last.p99.toFixed(1)} ms`;
  return `${phase}: ${showTime(Math.min(elapsed, duration))} of ${
    showTime(duration)
  }, ${readers}${rate}${late}`;
}
