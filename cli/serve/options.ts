/**
 * The options of `sse serve`, and what they come to.
 *
 * @module
 */

import type { SlowConsumerPolicy } from "../../server.ts";
import { Cors } from "../../server/cors.ts";
import type { Input } from "../command.ts";
import type { Context } from "../context.ts";
import { LOG_FORMS } from "../event_log.ts";
import { UsageError } from "../failure.ts";
import { hostsFor } from "./hosts.ts";
import type { ServiceOptions } from "../service.ts";
import { parseRoom, parseSpan } from "../service/values.ts";
import { parseInteger, parseTime } from "../values.ts";

/** The port that is taken if none is named, and a free one if that is in use. */
export const DEFAULT_PORT = 8080;

/** Over how many ms readers are sent away, if nothing else is said. */
const DEFAULT_DRAIN = 1_000;

/** The options of `sse serve`. */
export const SERVE_OPTIONS = {
  host: {
    type: "string",
    value: "NAME",
    help: "Where to listen; 0.0.0.0 is every network (default 127.0.0.1)",
  },
  port: {
    type: "string",
    short: "p",
    value: "N",
    help: `The port; 0 is a free one (default ${DEFAULT_PORT}, or a free one if that is in use)`,
  },
  token: {
    type: "string",
    value: "TEXT",
    help: "Let only those in who send it; SSE_TOKEN of the environment keeps it out of ps",
  },
  cors: {
    type: "string",
    multiple: true,
    value: "ORIGIN",
    help: "Let pages of this origin read and publish, or * for any; may be given more than once",
  },
  "allow-host": {
    type: "string",
    multiple: true,
    value: "NAME",
    help: "Answer to this host name, too, as behind a proxy; may be given more than once",
  },
  log: {
    type: "string",
    value: "LOG",
    help: `Where events are kept: ${LOG_FORMS} (default memory)`,
  },
  "max-events": {
    type: "string",
    value: "N",
    help: "How many events of a topic are kept for who resumes (default 1000)",
  },
  "max-event": {
    type: "string",
    value: "SIZE",
    help: "How large the body of an event may be that is published (default 64k)",
  },
  "keep-alive": {
    type: "string",
    value: "TIME",
    help: "How often a silent stream gets a comment, 0 for never (default 9s)",
  },
  retry: {
    type: "string",
    value: "TIME",
    help: "The reconnection time that readers are told (default: theirs)",
  },
  "max-age": {
    type: "string",
    value: "TIME",
    help: "How long a connection may last, so that none stays for ever (default: no bound)",
  },
  "max-queue": {
    type: "string",
    value: "SIZE",
    help: "How many bytes may wait for a slow reader (default 1m)",
  },
  slow: {
    type: "string",
    value: "POLICY",
    choices: ["disconnect", "drop-oldest"],
    help: "What becomes of a slow reader: disconnect, or drop-oldest of its events",
  },
  "max-sessions": {
    type: "string",
    value: "N",
    help: "How many readers there may be at once (default: no bound)",
  },
  presence: {
    type: "boolean",
    help: "Count the readers of all servers on the same log",
  },
  drain: {
    type: "string",
    value: "TIME",
    help: "Over which time readers are sent away at the end (default 1s)",
  },
  quiet: { type: "boolean", short: "q", help: "Say only where it listens, and what fails" },
  verbose: { type: "boolean", short: "v", help: "Say who comes and goes" },
} as const;

/** What was asked for. */
export interface ServeSettings {
  /** Where to listen. */
  readonly host: string;
  /** The port; `undefined` for the usual one, or a free one. */
  readonly port: number | undefined;
  /** The event log, as `--log` names it. */
  readonly log: string;
  /** How many events of a topic it holds. */
  readonly maxEvents: number | undefined;
  /** Over how many ms readers are sent away. */
  readonly drain: number;
  /** Whether little is said. */
  readonly quiet: boolean;
  /** Whether much is said. */
  readonly verbose: boolean;
  /** What the service is told, but for its log. */
  readonly service: Omit<ServiceOptions, "log" | "logName" | "onSession">;
}

/**
 * Reads the options.
 *
 * @throws {UsageError} If one makes no sense.
 */
export function readSettings(
  options: Input<typeof SERVE_OPTIONS>["options"],
  env: Context["env"],
): ServeSettings {
  const { host = "127.0.0.1", log = "memory", port, drain, slow } = options;
  if (options.quiet && options.verbose) {
    throw new UsageError("Cannot serve: --quiet and --verbose say the opposite, leave one out");
  }
  const token = options.token ?? (env.SSE_TOKEN || undefined);
  if (token !== undefined && !/^[\x21-\x7e]+$/.test(token)) {
    throw new UsageError("Cannot read --token: it must be visible ASCII without blanks");
  }
  const given = <T>(
    name: keyof typeof options,
    text: string | undefined,
    read: (name: string, text: string) => T,
  ): T | undefined => text === undefined ? undefined : read(name, text);
  const count = (name: string, text: string) => parseInteger(name, text, 1);
  return {
    host,
    port: given("port", port, (name, text) => parseInteger(name, text, 0, 65_535)),
    log,
    maxEvents: given("max-events", options["max-events"], count),
    drain: given("drain", drain, parseTime) ?? DEFAULT_DRAIN,
    quiet: options.quiet ?? false,
    verbose: options.verbose ?? false,
    service: {
      token,
      cors: readOrigins(options.cors),
      hosts: hostsFor(host, options["allow-host"] ?? []),
      keepAlive: given("keep-alive", options["keep-alive"], parseKeepAlive),
      retry: given("retry", options.retry, parseTime),
      maxAge: given("max-age", options["max-age"], parseSpan),
      maxBodySize: given("max-event", options["max-event"], parseRoom),
      maxQueueBytes: given("max-queue", options["max-queue"], parseRoom),
      slowConsumer: given("slow", slow, parsePolicy),
      maxSessions: given("max-sessions", options["max-sessions"], parseInteger),
      presence: options.presence,
    },
  };
}

function parseKeepAlive(name: string, text: string): number | false {
  return parseTime(name, text) || false;
}

function parsePolicy(name: string, text: string): SlowConsumerPolicy {
  if (text === "disconnect" || text === "drop-oldest") return text;
  throw new UsageError(
    `Cannot read --${name}: it must be disconnect or drop-oldest: received ${JSON.stringify(text)}`,
  );
}

function readOrigins(origins: readonly string[] | undefined): ServiceOptions["cors"] {
  if (origins === undefined) return undefined;
  if (origins.includes("*")) return "*";
  try {
    new Cors({ origin: origins });
    return origins;
  } catch (error) {
    const found = error instanceof Error ? error.message.split(": ").slice(1).join(": ") : error;
    throw new UsageError(`Cannot read --cors: ${found}`);
  }
}
