/**
 * An event, and what a parser can be told.
 *
 * @module
 */

/**
 * One event, as the standard dispatches it.
 *
 * The names are those on the wire. What the parser gives, the encoder of
 * `@webstreams/sse/encode` takes.
 */
export interface ServerSentEvent {
  /** The type: `"message"` when the block named none (T12). */
  event: string;
  /** The `data` lines, joined with LF (T10). */
  data: string;
  /** The last event ID at dispatch: it sticks until it changes (T15). `""` when there is none. */
  id: string;
  /**
   * The reconnection time in milliseconds, present only when this block carried a valid one (T17).
   * At most `Number.MAX_SAFE_INTEGER`; a timer takes 2,147,483,647 at most.
   */
  retry?: number;
}

/** What the parser, the streams and the reader of `@webstreams/sse/parse` can be told. */
export interface ParserOptions {
  /**
   * How much an unfinished event may hold, its current line included, in UTF-16 code units: past it
   * {@linkcode EventTooLargeError} is thrown. Comments and lines that the standard ignores are not
   * held, so they may be of any length. From 0 up; `Infinity` lifts the bound.
   *
   * @default {67_108_864}
   */
  maxEventSize?: number;
  /**
   * The last event ID that the stream starts with, such as that of the connection before (T16).
   *
   * @default {""}
   */
  lastEventId?: string;
  /**
   * Throw {@linkcode ParseError} at what the standard ignores: an unknown field, a line without a
   * colon that is no field, a `retry` that is not ASCII digits, an `id` with NUL.
   *
   * @default {false}
   */
  strict?: boolean;
  /**
   * Called with the text of each comment, without the colon and one space after it. A comment is
   * held until its line ends then, and `maxEventSize` bounds it. Default: comments are dropped.
   *
   * @param text The comment.
   */
  onComment?(text: string): void;
  /**
   * Called with each valid reconnection time, at once (T17). Default: not called.
   *
   * @param ms The time in milliseconds.
   */
  onRetry?(ms: number): void;
  /**
   * Called with the last event ID when a blank line commits it, before the event of that block and
   * also when there is none (T14). Default: not called.
   *
   * @param id The last event ID from here on, `""` where the stream resets it.
   */
  onId?(id: string): void;
}

/** How much an unfinished event may hold by default: 64 Mi code units. */
const DEFAULT_MAX_EVENT_SIZE = 67_108_864;

/** The bound that was asked for, or the default. */
export function maxEventSizeOf(options: Pick<ParserOptions, "maxEventSize">): number {
  const { maxEventSize = DEFAULT_MAX_EVENT_SIZE } = options;
  if (typeof maxEventSize !== "number" || !(maxEventSize >= 0)) {
    throw new RangeError(
      `Cannot bound events: "maxEventSize" must be a number from 0 up: received ${maxEventSize}`,
    );
  }
  return maxEventSize;
}
