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
 */
export type SseErrorCode =
  | "ERR_SSE_STATUS"
  | "ERR_SSE_CONTENT_TYPE"
  | "ERR_SSE_EVENT_TOO_LARGE"
  | "ERR_SSE_PARSE";

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
