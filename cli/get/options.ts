/**
 * The options of `sse get`, and what they ask for.
 *
 * @module
 */

import type { RedirectMode, RetryPolicy } from "../../client.ts";
import type { ServerSentEvent } from "../../parse.ts";
import type { Input } from "../command.ts";
import { UsageError } from "../failure.ts";
import { PASSING } from "../passing.ts";
import { REQUEST_OPTIONS } from "../request_options.ts";
import { parseInteger, parseSize, parseTime } from "../values.ts";

/** The table. */
export const OPTIONS = {
  json: { type: "boolean", help: "Print each event as a line of JSON: event, data, id, retry" },
  data: { type: "boolean", help: "Print the data alone" },
  raw: { type: "boolean", help: "Print the bytes as they come" },
  event: {
    type: "string",
    short: "e",
    multiple: true,
    value: "NAME",
    help: "Print the events of this name only; may be given more than once",
  },
  filter: {
    type: "string",
    short: "f",
    value: "TEXT",
    help: "Print the events only whose data holds this text, or matches this /regexp/",
  },
  count: { type: "string", short: "n", value: "N", help: "End after so many printed events" },
  for: { type: "string", value: "TIME", help: "End after this time" },
  until: {
    type: "string",
    value: "TEXT",
    help: "End at the event with this data, which is not printed: [DONE] for example",
  },
  ...REQUEST_OPTIONS,
  request: {
    type: "string",
    short: "X",
    value: "METHOD",
    help: "Ask by this method; GET, or POST if there is a body",
  },
  body: {
    type: "string",
    short: "d",
    value: "TEXT",
    help: "Send this body, or that of @FILE, or of stdin by @-",
  },
  "json-body": {
    type: "string",
    value: "TEXT",
    help: "Send this body as JSON, or that of @FILE, or of stdin by @-",
  },
  location: {
    type: "boolean",
    short: "L",
    help: "Follow redirects to other origins, too, without headers and body",
  },
  resume: {
    type: "string",
    value: "FILE",
    help: "Go on after the last event ID that this file has, and keep it there",
  },
  "last-event-id": {
    type: "string",
    value: "ID",
    help: "Start after the event with this id, where --resume has none",
  },
  "last-event-id-param": {
    type: "string",
    value: "NAME",
    help: "Send the last event ID as this parameter of the query, too",
  },
  retry: {
    type: "string",
    value: "N",
    help: "Try again: no, N times in a row, or forever (default for GET; otherwise no)",
    choices: ["no", "forever"],
  },
  "retry-delay": {
    type: "string",
    value: "TIME",
    help: "Wait so long before each attempt, if the server says nothing (default 1s, and it grows)",
  },
  "connect-timeout": { type: "string", value: "TIME", help: "Wait so long for the headers" },
  "idle-timeout": {
    type: "string",
    value: "TIME",
    help: "Wait so long for any byte: two or three times the server's keep-alive",
  },
  "max-event-size": { type: "string", value: "SIZE", help: "Take no larger event (default 64m)" },
  quiet: { type: "boolean", short: "q", help: "Do not tell of the connection on stderr" },
} as const;

/** What was given. */
export type GetOptions = Input<typeof OPTIONS>["options"];

/** How events are printed. */
export type Format = "people" | "json" | "data" | "raw";

/** How events are printed; more than one way is refused. */
export function formatOf(options: GetOptions): Format {
  const formats = (["json", "data", "raw"] as const).filter((format) => options[format]);
  if (formats.length > 1) {
    const names = formats.map((format) => `--${format}`).join(" and ");
    throw new UsageError(`Cannot print by ${names}: they exclude each other, choose one`);
  }
  const [format = "people"] = formats;
  const choice = (["event", "filter"] as const).find((name) => options[name] !== undefined);
  if (format === "raw" && choice !== undefined) {
    throw new UsageError(
      `Cannot print by --raw: it is all bytes as they come, leave --${choice} out`,
    );
  }
  return format;
}

/** Whether an event is to be printed. */
export function choiceOf(
  { event: names, filter }: GetOptions,
): (event: ServerSentEvent) => boolean {
  const matches = filter === undefined ? () => true : matcher(filter);
  return ({ event, data }) => (names === undefined || names.includes(event)) && matches(data);
}

function matcher(filter: string): (data: string) => boolean {
  const [, source, flags] = /^\/(.+)\/([a-z]*)$/s.exec(filter) ?? [];
  if (source === undefined) return (data) => data.includes(filter);
  try {
    // With g or y it would begin where it has found something last.
    const pattern = new RegExp(source, flags.replace(/[gy]/g, ""));
    return (data) => pattern.test(data);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new UsageError(`Cannot read --filter: it is no regular expression: ${reason}`);
  }
}

/** When to end. */
export interface Limits {
  /** After so many printed events. */
  readonly count: number;
  /** After so many ms; `undefined` for never. */
  readonly time: number | undefined;
}

/** When to end. */
export function limitsOf({ count, for: time }: GetOptions): Limits {
  return {
    count: count === undefined ? Infinity : parseInteger("count", count, 1),
    time: time === undefined ? undefined : parseTime("for", time),
  };
}

/** How the connection is held, as `connect` takes it. */
export interface Holding {
  readonly lastEventId: string;
  readonly lastEventIdParam: string | undefined;
  readonly connectTimeout: number | false;
  readonly idleTimeout: number | false;
  readonly maxEventSize: number | undefined;
  readonly redirect: RedirectMode;
  readonly retry: RetryPolicy | false;
  readonly until: ((event: ServerSentEvent) => boolean) | undefined;
}

/**
 * How the connection is held.
 *
 * @param method By which is asked: what is no GET may do something each time, and its answer has an
 * end.
 * @param wasOpen Whether the stream was open once: what passes then is a restart of the server.
 */
export function holdingOf(options: GetOptions, method: string, wasOpen: () => boolean): Holding {
  const time = (name: "connect-timeout" | "idle-timeout") => {
    const text = options[name];
    return text === undefined ? false : parseTime(name, text);
  };
  const { until, "max-event-size": size } = options;
  return {
    lastEventId: options["last-event-id"] ?? "",
    lastEventIdParam: options["last-event-id-param"],
    connectTimeout: time("connect-timeout"),
    idleTimeout: time("idle-timeout"),
    maxEventSize: size === undefined ? undefined : parseSize("max-event-size", size),
    redirect: options.location ? "follow" : "same-origin",
    retry: retryOf(options, method, wasOpen),
    until: until === undefined ? undefined : ({ data }) => data === until,
  };
}

function retryOf(
  { retry, "retry-delay": delay }: GetOptions,
  method: string,
  wasOpen: () => boolean,
): RetryPolicy | false {
  const read = method === "GET";
  const wanted = retry ?? (read ? "forever" : "no");
  const attempts = wanted === "forever" ? Infinity : retriesOf(wanted) + 1;
  const wait = delay === undefined ? undefined : parseTime("retry-delay", delay);
  if (attempts === 1) return false;
  return {
    maxAttempts: attempts,
    onEnd: read ? "reconnect" : "close",
    // Who says nothing wants to hear of a server that is not there yet.
    statuses: (status) => (wasOpen() || retry !== undefined) && PASSING.includes(status),
    // Who names a time wants this time.
    ...(wait !== undefined &&
      { initialDelay: wait, maxDelay: wait, multiplier: 1, jitter: false }),
  };
}

function retriesOf(text: string): number {
  if (text === "no") return 0;
  if (/^\d+$/.test(text)) return parseInteger("retry", text);
  throw new UsageError(
    `Cannot read --retry: it must be no, a number, or forever: received ${JSON.stringify(text)}`,
  );
}
