/**
 * What can go wrong at run time: {@linkcode SseError} and its subclasses, each with a stable `code`.
 *
 * A mistake of the caller (a wrong type, a number out of range) throws `TypeError` or `RangeError`
 * at once and is not found here.
 *
 * ```ts
 * import { EventTooLargeError, SseError } from "@webstreams/sse/errors";
 * import { assertEquals } from "@std/assert";
 *
 * const error: SseError = new EventTooLargeError(1024);
 * assertEquals(error.code, "ERR_SSE_EVENT_TOO_LARGE");
 * ```
 *
 * @module
 */

/**
 * The code of each {@linkcode SseError}: stable across versions, where the message is not.
 *
 * | code | thrown as |
 * |---|---|
 * | `ERR_SSE_STATUS` | {@linkcode ResponseError}: the status is not 200 |
 * | `ERR_SSE_CONTENT_TYPE` | {@linkcode ResponseError}: the body is not `text/event-stream` |
 * | `ERR_SSE_EVENT_TOO_LARGE` | {@linkcode EventTooLargeError} |
 * | `ERR_SSE_PARSE` | {@linkcode ParseError} |
 * | `ERR_SSE_INVALID_DATA` | {@linkcode InvalidDataError} |
 * | `ERR_SSE_NETWORK` | {@linkcode SseError}: the request failed or the body broke off |
 * | `ERR_SSE_TRUNCATED` | {@linkcode TruncatedError} |
 * | `ERR_SSE_TIMEOUT` | {@linkcode TimeoutError} |
 * | `ERR_SSE_RETRIES_EXHAUSTED` | {@linkcode RetriesExhaustedError} |
 * | `ERR_SSE_REDIRECT` | {@linkcode RedirectError} |
 * | `ERR_SSE_BODY_USED` | {@linkcode SseError}: the request body is a stream and cannot be sent again |
 * | `ERR_SSE_CLOSED` | {@linkcode SseError}: the connection was closed before it opened |
 * | `ERR_SSE_SESSION_CLOSED` | {@linkcode SessionClosedError} |
 * | `ERR_SSE_SLOW_CONSUMER` | {@linkcode SlowConsumerError} |
 * | `ERR_SSE_LOG_GAP` | {@linkcode LogGapError} |
 */
export type SseErrorCode =
  | "ERR_SSE_STATUS"
  | "ERR_SSE_CONTENT_TYPE"
  | "ERR_SSE_EVENT_TOO_LARGE"
  | "ERR_SSE_PARSE"
  | "ERR_SSE_INVALID_DATA"
  | "ERR_SSE_NETWORK"
  | "ERR_SSE_TRUNCATED"
  | "ERR_SSE_TIMEOUT"
  | "ERR_SSE_RETRIES_EXHAUSTED"
  | "ERR_SSE_REDIRECT"
  | "ERR_SSE_BODY_USED"
  | "ERR_SSE_CLOSED"
  | "ERR_SSE_SESSION_CLOSED"
  | "ERR_SSE_SLOW_CONSUMER"
  | "ERR_SSE_LOG_GAP"
  | "ERR_SSE_LOG_RECORD"
  | "ERR_SSE_LOG_UNAVAILABLE";

/**
 * The base class of everything this library throws at run time.
 *
 * @example Tell our errors from others
 * ```ts
 * import { ParseError, SseError } from "@webstreams/sse/errors";
 * import { assert } from "@std/assert";
 *
 * assert(new ParseError("Cannot parse event stream", "dat: 1") instanceof SseError);
 * ```
 */
export class SseError extends Error {
  /** The class name, also where a bundler has renamed the class. */
  override readonly name: string = "SseError";
  /** What happened, as a stable string to compare with. */
  readonly code: SseErrorCode;

  /**
   * Makes an error with its code.
   *
   * @param code The stable code.
   * @param message The sentence for people.
   * @param options Takes the `cause`.
   */
  constructor(code: SseErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** What a {@linkcode ResponseError} tells of the response that was refused. */
export interface ResponseErrorInit {
  /** The status of the response, such as 404. */
  status: number;
  /** The headers of the response. */
  headers: Headers;
  /** The start of the body as text, at most 4,096 bytes of it. */
  body: string;
}

/**
 * The response is no event stream: its status is not 200 or its content type is not
 * `text/event-stream` (T19).
 *
 * @example Read what the server said
 * ```ts
 * import { readEvents } from "@webstreams/sse/parse";
 * import { ResponseError } from "@webstreams/sse/errors";
 * import { assertEquals, assertRejects } from "@std/assert";
 *
 * const response = new Response("slow down", { status: 429, headers: { "retry-after": "3" } });
 * const error = await assertRejects(() => readEvents(response).next(), ResponseError);
 * assertEquals([error.code, error.status, error.body], ["ERR_SSE_STATUS", 429, "slow down"]);
 * assertEquals(error.headers.get("retry-after"), "3");
 * ```
 */
export class ResponseError extends SseError {
  /** The class name, also where a bundler has renamed the class. */
  override readonly name: string = "ResponseError";
  /** The status of the response, such as 404. */
  readonly status: number;
  /** The headers of the response. */
  readonly headers: Headers;
  /** The start of the body as text, at most 4,096 bytes of it. */
  readonly body: string;

  /**
   * Makes an error that tells of the response.
   *
   * @param code `ERR_SSE_STATUS` or `ERR_SSE_CONTENT_TYPE`.
   * @param message The sentence for people.
   * @param init Status, headers and the start of the body.
   */
  constructor(
    code: "ERR_SSE_STATUS" | "ERR_SSE_CONTENT_TYPE",
    message: string,
    init: ResponseErrorInit,
  ) {
    super(code, message);
    this.status = init.status;
    this.headers = init.headers;
    this.body = init.body;
  }
}

/**
 * An unfinished event held more than `maxEventSize` UTF-16 code units.
 *
 * @example Bound what a peer can make us hold
 * ```ts
 * import { ServerSentEventParser } from "@webstreams/sse/parse";
 * import { EventTooLargeError } from "@webstreams/sse/errors";
 * import { assertThrows } from "@std/assert";
 *
 * const parser = new ServerSentEventParser({ maxEventSize: 1024 });
 * assertThrows(() => parser.feed("data: " + "x".repeat(2000)), EventTooLargeError);
 * ```
 */
export class EventTooLargeError extends SseError {
  /** The class name, also where a bundler has renamed the class. */
  override readonly name: string = "EventTooLargeError";
  /** The bound that was passed, in UTF-16 code units. */
  readonly limit: number;

  /**
   * Makes an error for a bound.
   *
   * @param limit The bound that was passed, in UTF-16 code units.
   */
  constructor(limit: number) {
    super(
      "ERR_SSE_EVENT_TOO_LARGE",
      `Cannot hold event: it is larger than ${limit} UTF-16 code units, raise "maxEventSize" if it is meant to be`,
    );
    this.limit = limit;
  }
}

/**
 * With `strict: true`, a line that the standard ignores: an unknown field, or a `retry` that is not
 * ASCII digits (T8, T9, T17).
 *
 * @example Find a misspelt field
 * ```ts
 * import { ServerSentEventParser } from "@webstreams/sse/parse";
 * import { ParseError } from "@webstreams/sse/errors";
 * import { assertEquals, assertThrows } from "@std/assert";
 *
 * const parser = new ServerSentEventParser({ strict: true });
 * const error = assertThrows(() => parser.feed("dat: 1\n\n"), ParseError);
 * assertEquals(error.line, "dat: 1");
 * ```
 */
export class ParseError extends SseError {
  /** The class name, also where a bundler has renamed the class. */
  override readonly name: string = "ParseError";
  /** The line at fault, without its line end. */
  readonly line: string;

  /**
   * Makes an error for a line.
   *
   * @param message The sentence for people.
   * @param line The line at fault, without its line end.
   */
  constructor(message: string, line: string) {
    super("ERR_SSE_PARSE", message);
    this.line = line;
  }
}

/** The event that an {@linkcode InvalidDataError} is about, as it came. */
export interface InvalidEvent {
  /** The type. */
  readonly event: string;
  /** The data as text, all of it. */
  readonly data: string;
  /** The last event ID, `""` when there is none. */
  readonly id: string;
}

/** One reason why a schema refused a value: the issue of the Standard Schema. */
export interface InvalidDataIssue {
  /** What is wrong, in the words of the schema. */
  readonly message: string;
  /** The keys that lead to the value at fault, outermost first. None for the whole value. */
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
}

/**
 * The `data` of an event is no JSON, which `cause` tells more of, or a schema refused the value.
 *
 * The message is one line and bounded, whatever the peer sent; `event` and `issues` hold all of it.
 *
 * @example Find the event at fault
 * ```ts
 * import { readEvents } from "@webstreams/sse/parse";
 * import { InvalidDataError } from "@webstreams/sse/errors";
 * import { assertEquals, assertRejects } from "@std/assert";
 *
 * const prices = readEvents("id: 7\ndata: {1}\n\n").json();
 * const error = await assertRejects(() => prices.next(), InvalidDataError);
 * assertEquals([error.event.id, error.event.data], ["7", "{1}"]);
 * ```
 */
export class InvalidDataError extends SseError {
  /** The class name, also where a bundler has renamed the class. */
  override readonly name: string = "InvalidDataError";
  /** The event at fault, as it came. */
  readonly event: InvalidEvent;
  /** What the schema said, most often in the order of the value; empty when the data is no JSON. */
  readonly issues: readonly InvalidDataIssue[];

  /**
   * Makes an error for an event.
   *
   * @param event The event at fault, as it came.
   * @param issues What the schema said.
   * @param options Takes the `cause`: the `SyntaxError` of `JSON.parse` when the data is no JSON.
   */
  constructor(
    event: InvalidEvent,
    issues: readonly InvalidDataIssue[] = [],
    options?: ErrorOptions,
  ) {
    const id = event.id && ` with id ${quote(event.id)}`;
    const which = `event ${quote(event.event)}${id}`;
    const cause = options?.cause;
    super(
      "ERR_SSE_INVALID_DATA",
      cause instanceof Error
        ? `Cannot parse data as JSON: ${which} has data ${quote(event.data)}: ${
          plain(cause.message)
        }`
        : `Cannot accept data: ${which}: ${summary(issues)}`,
      options,
    );
    this.event = event;
    this.issues = issues;
  }
}

/** The first issue, and how many there are besides. */
function summary([first, ...others]: readonly InvalidDataIssue[]): string {
  if (first === undefined) return "the schema gave no reason";
  const keys = first.path?.map((part) => String(typeof part === "object" ? part.key : part));
  const where = keys?.length ? `${quote(keys.join("."))} ` : "";
  const more = others.length ? ` (and ${others.length} more)` : "";
  return `${where}${plain(first.message)}${more}`;
}

/** Quotes text from a peer for a message, bounded. */
function quote(text: string): string {
  return JSON.stringify(start(text, 40));
}

/** A sentence in which text from a peer may stand: bounded, and on one line. */
function plain(text: string): string {
  return start(text, 200).replace(/[\s\p{Cc}]+/gu, " ");
}

function start(text: string, length: number): string {
  return text.length > length ? `${text.slice(0, length)}…` : text;
}

/**
 * A body ended inside an event, or without the event that `until` waits for, and nothing more will
 * be read: what came is not all.
 *
 * @example Tell a cut answer from a whole one
 * ```ts
 * import { TruncatedError } from "@webstreams/sse/errors";
 * import { assertEquals } from "@std/assert";
 *
 * const error = new TruncatedError("Cannot finish: the stream ended before [DONE]");
 * assertEquals(error.code, "ERR_SSE_TRUNCATED");
 * ```
 */
export class TruncatedError extends SseError {
  /** The class name, also where a bundler has renamed the class. */
  override readonly name: string = "TruncatedError";

  /**
   * Makes an error for a body that was cut.
   *
   * @param message The sentence for people.
   * @param options Takes the `cause`.
   */
  constructor(message: string, options?: ErrorOptions) {
    super("ERR_SSE_TRUNCATED", message, options);
  }
}

/** What was waited for when the time was up: the headers, the first event, or any byte. */
export type TimeoutPhase = "connect" | "first-event" | "idle";

/**
 * The peer did not answer in time.
 *
 * @example Which time was up
 * ```ts
 * import { TimeoutError } from "@webstreams/sse/errors";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(new TimeoutError("idle", 30_000).phase, "idle");
 * ```
 */
export class TimeoutError extends SseError {
  /** The class name, also where a bundler has renamed the class. */
  override readonly name: string = "TimeoutError";
  /** What was waited for. */
  readonly phase: TimeoutPhase;

  /**
   * Makes an error for a time that is up.
   *
   * @param phase What was waited for.
   * @param ms How long, in milliseconds.
   */
  constructor(phase: TimeoutPhase, ms: number) {
    super("ERR_SSE_TIMEOUT", `Cannot wait any longer: ${AWAITED[phase]} within ${ms} ms`);
    this.phase = phase;
  }
}

const AWAITED: Record<TimeoutPhase, string> = {
  "connect": "the server sent no headers",
  "first-event": "the response brought no event",
  "idle": "the server sent nothing",
};

/**
 * The connection was lost `maxAttempts` times in a row. `cause` is what the last attempt failed of;
 * `undefined` if its body ended cleanly.
 *
 * @example How often it was tried
 * ```ts
 * import { RetriesExhaustedError } from "@webstreams/sse/errors";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(new RetriesExhaustedError(3).attempts, 3);
 * ```
 */
export class RetriesExhaustedError extends SseError {
  /** The class name, also where a bundler has renamed the class. */
  override readonly name: string = "RetriesExhaustedError";
  /** How many attempts were made in a row. */
  readonly attempts: number;

  /**
   * Makes an error that counts the attempts.
   *
   * @param attempts How many attempts were made in a row.
   * @param options Takes the `cause`.
   */
  constructor(attempts: number, options?: ErrorOptions) {
    super(
      "ERR_SSE_RETRIES_EXHAUSTED",
      `Cannot stay connected: ${attempts} attempts in a row were lost, raise "maxAttempts" to try longer`,
      options,
    );
    this.attempts = attempts;
  }
}

/**
 * A redirect was not followed: to another origin, where neither headers nor the last event ID may
 * go, too many of them, or to no URL at all.
 *
 * @example Where it led
 * ```ts
 * import { RedirectError } from "@webstreams/sse/errors";
 * import { assertEquals } from "@std/assert";
 *
 * const error = new RedirectError("Cannot follow redirect: ...", "http://a.test/", "http://b.test/");
 * assertEquals(error.to, "http://b.test/");
 * ```
 */
export class RedirectError extends SseError {
  /** The class name, also where a bundler has renamed the class. */
  override readonly name: string = "RedirectError";
  /** The URL that redirected. */
  readonly from: string;
  /** Where it redirected to, as the server said it; `""` where the platform hides it. */
  readonly to: string;

  /**
   * Makes an error for a redirect.
   *
   * @param message The sentence for people.
   * @param from The URL that redirected.
   * @param to Where it redirected to.
   */
  constructor(message: string, from: string, to: string) {
    super("ERR_SSE_REDIRECT", message);
    this.from = from;
    this.to = to;
  }
}

/**
 * Something was sent to a session that has ended. `cause` is the reason why it ended.
 *
 * @example Stop when the reader is gone
 * ```ts
 * import { eventStreamResponse } from "@webstreams/sse/server";
 * import { SessionClosedError } from "@webstreams/sse/errors";
 * import { assert, assertRejects } from "@std/assert";
 *
 * const response = eventStreamResponse(async (session) => {
 *   session.close();
 *   await assertRejects(() => session.send({ data: "late" }), SessionClosedError);
 * });
 * assert((await response.text()).startsWith(":"));
 * ```
 */
export class SessionClosedError extends SseError {
  /** The class name, also where a bundler has renamed the class. */
  override readonly name: string = "SessionClosedError";

  /**
   * Makes an error for a session that has ended.
   *
   * @param message The sentence for people.
   * @param options Takes the `cause`.
   */
  constructor(message: string, options?: ErrorOptions) {
    super("ERR_SSE_SESSION_CLOSED", message, options);
  }
}

/**
 * A reader took its bytes so slowly that more than `maxQueueBytes` of them waited for it.
 *
 * @example How many bytes waited
 * ```ts
 * import { SlowConsumerError } from "@webstreams/sse/errors";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(new SlowConsumerError(1_100_000, 1_048_576).queuedBytes, 1_100_000);
 * ```
 */
export class SlowConsumerError extends SseError {
  /** The class name, also where a bundler has renamed the class. */
  override readonly name: string = "SlowConsumerError";
  /** How many bytes would have waited. */
  readonly queuedBytes: number;

  /**
   * Makes an error for a reader that is too slow.
   *
   * @param queuedBytes How many bytes would have waited.
   * @param maxQueueBytes How many may.
   */
  constructor(queuedBytes: number, maxQueueBytes: number) {
    super(
      "ERR_SSE_SLOW_CONSUMER",
      `Cannot queue event: ${queuedBytes} bytes would wait for a slow reader and ${maxQueueBytes} may, await "send" or raise "maxQueueBytes"`,
    );
    this.queuedBytes = queuedBytes;
  }
}

/**
 * Why events between two ids cannot be given: retention has removed them (`"trimmed"`), the log has
 * lost its memory since (`"epoch"`), or the id is none that this log has given (`"unknown"`).
 */
export type LogGapReason = "trimmed" | "epoch" | "unknown";

/** A hole in what a log can give. */
export interface LogGap {
  /** The id after which events were asked for. */
  readonly asked: string;
  /** The id of the first event from which on all are there; it may be one that is yet to come. */
  readonly first: string;
  /** Why there is a hole. */
  readonly reason: LogGapReason;
}

/**
 * An event log no longer holds what comes after an id.
 *
 * @example What was asked for, and what there is
 * ```ts
 * import { MemoryEventLog } from "@webstreams/sse/server";
 * import { LogGapError } from "@webstreams/sse/errors";
 * import { assertEquals, assertRejects } from "@std/assert";
 *
 * await using log = new MemoryEventLog({ maxEvents: 1 });
 * const asked = await log.append("news", { data: "a" });
 * await log.append("news", { data: "b" });
 * const first = await log.append("news", { data: "c" });
 * const read = () => Array.fromAsync(log.read("news", { after: asked }));
 * const error = await assertRejects(read, LogGapError);
 * assertEquals(error.gap, { asked, first, reason: "trimmed" });
 * ```
 */
export class LogGapError extends SseError {
  /** The class name, also where a bundler has renamed the class. */
  override readonly name: string = "LogGapError";
  /** What was asked for, what there is, and why. */
  readonly gap: LogGap;

  /**
   * Makes an error for a hole.
   *
   * @param gap What was asked for, what there is, and why.
   */
  constructor(gap: LogGap) {
    super(
      "ERR_SSE_LOG_GAP",
      `Cannot read events after "${gap.asked}": the first that is there is "${gap.first}" (${gap.reason})`,
    );
    this.gap = gap;
  }
}

/**
 * An event log could not reach its engine, or got no answer in time. `cause` is what its client said,
 * if it said anything.
 *
 * An event whose append was rejected with it may have been appended all the same: with an
 * `idempotencyKey` it is safe to append it again.
 *
 * @example Tell an engine that is away from a fault
 * ```ts
 * import { LogUnavailableError } from "@webstreams/sse/errors";
 * import { assertEquals } from "@std/assert";
 *
 * const error = new LogUnavailableError("Cannot append event: the engine gave no answer");
 * assertEquals(error.code, "ERR_SSE_LOG_UNAVAILABLE");
 * ```
 */
export class LogUnavailableError extends SseError {
  /** The class name, also where a bundler has renamed the class. */
  override readonly name: string = "LogUnavailableError";

  /**
   * Makes an error for an engine that is out of reach.
   *
   * @param message The sentence for people.
   * @param options Takes the `cause`.
   */
  constructor(message: string, options?: ErrorOptions) {
    super("ERR_SSE_LOG_UNAVAILABLE", message, options);
  }
}
