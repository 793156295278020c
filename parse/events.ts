/**
 * Lines to events: the fields, the buffers and the dispatch of the standard (T7 to T18).
 *
 * @module
 */

import { EventTooLargeError, ParseError } from "../errors.ts";
import type { LineSink } from "./lines.ts";
import { TextBuffer } from "./text_buffer.ts";

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
   */
  onComment?(text: string): void;
  /** Called with each valid reconnection time in milliseconds, at once (T17). Default: not called. */
  onRetry?(ms: number): void;
  /**
   * Called with the last event ID when a blank line commits it, before the event of that block and
   * also when there is none (T14). Default: not called.
   */
  onId?(id: string): void;
}

/** How much an unfinished event may hold by default: 64 Mi code units. */
const DEFAULT_MAX_EVENT_SIZE = 67_108_864;

const FIELDS = ["data:", "event:", "id:", "retry:"];

const LF = 10;
const CR = 13;
const SPACE = 32;
const COLON = 58;
const LETTER_D = 100;
const LETTER_E = 101;

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

/** Assembles the lines of a stream into events. */
export class EventAssembler implements LineSink {
  /** Where the events go. */
  events: ServerSentEvent[] = [];
  /** The last event ID, as of the last blank line. */
  lastEventId: string;
  /** The reconnection time in ms, once the stream has named one. */
  retry: number | undefined = undefined;
  room: number;

  readonly #options: ParserOptions;
  readonly #maxEventSize: number;

  // The block: what came since the last blank line. `#open` says that a field came, so that a block
  // of one `data` line, the commonest by far, touches none of the others.
  #open = false;
  #type = "message";
  // As the standard appends it: each value with its LF, one of which goes at dispatch (T10).
  #data = new TextBuffer();
  #id: string | undefined = undefined;
  #retry: number | undefined = undefined;

  constructor(options: ParserOptions) {
    const maxEventSize = maxEventSizeOf(options);
    const { lastEventId = "" } = options;
    if (typeof lastEventId !== "string" || lastEventId.includes("\0")) {
      throw new TypeError(
        `Cannot start from event: "lastEventId" must be a string without NUL: received ${
          JSON.stringify(lastEventId)
        }`,
      );
    }
    this.#options = options;
    this.#maxEventSize = maxEventSize;
    this.room = maxEventSize;
    this.lastEventId = lastEventId;
  }

  /** A field came since the last blank line. */
  get incomplete(): boolean {
    return this.#open;
  }

  line(
    text: string,
    heads: Uint8Array | undefined,
    start: number,
    end: number,
    next: number,
  ): number {
    // Reading bytes in place of code units makes small events a tenth faster on V8.
    if (heads === undefined ? text.startsWith("data:", start) : isData(heads, start)) {
      if (end - start > this.room) this.overflow();
      // T7. Where the value is empty this reads the line end, or nothing.
      const from = text.charCodeAt(start + 5) === SPACE ? start + 6 : start + 5;
      if (this.#data.length === 0) {
        // The whole data of this event if a blank line follows, which most often is here already.
        const after = text.charCodeAt(next);
        if (after === LF || after === CR) {
          this.#dispatch(text.slice(from, end));
          return after === LF ? next + 1 : next;
        }
      }
      this.#append(text, from, end);
    } else if (heads === undefined ? text.startsWith("event:", start) : isEvent(heads, start)) {
      if (end - start > this.room) this.overflow();
      this.#setType(text.slice(text.charCodeAt(start + 6) === SPACE ? start + 7 : start + 6, end));
    } else {
      this.#rareLine(text.slice(start, end));
    }
    return next;
  }

  blank(): void {
    if (!this.#open) return;
    if (this.#data.length > 0) this.#dispatch(this.#data.take().slice(0, -1));
    else this.#close();
  }

  needs(head: string): boolean {
    const { strict, onComment } = this.#options;
    if (head.charCodeAt(0) === COLON) return onComment !== undefined;
    return strict === true ||
      FIELDS.some((field) => head.startsWith(field) || field.startsWith(head));
  }

  overflow(): never {
    throw new EventTooLargeError(this.#maxEventSize);
  }

  /** Drops the unfinished block (T14, T18); the last event ID and the reconnection time stay. */
  reset(): void {
    this.#data = new TextBuffer();
    this.#id = undefined;
    this.#close();
  }

  /** A comment, `id`, `retry`, a field without a colon, or nothing that the standard knows. */
  #rareLine(line: string): void {
    if (line.charCodeAt(0) === COLON) {
      if (this.#options.onComment === undefined) return;
      if (line.length > this.room) this.overflow();
      this.#options.onComment(line.slice(line.charCodeAt(1) === SPACE ? 2 : 1));
      return;
    }
    const colon = line.indexOf(":");
    // T8: without a colon the whole line is the name.
    const name = colon === -1 ? line : line.slice(0, colon);
    const value = colon === -1
      ? ""
      : line.slice(line.charCodeAt(colon + 1) === SPACE ? colon + 2 : colon + 1);
    // T9: names are exact.
    switch (name) {
      case "id":
        return this.#setId(value, line);
      case "retry":
        return this.#setRetry(value, line);
      case "data":
        return this.#append("", 0, 0);
      case "event":
        return this.#setType("");
    }
    this.#ignore(line, `unknown field ${quote(name)}, the fields are data, event, id and retry`);
  }

  #append(text: string, start: number, end: number): void {
    // One slice with its LF in place of a slice and an LF: a third less for data of many lines.
    if (text.charCodeAt(end) === LF) {
      this.#data.append(text.slice(start, end + 1));
    } else {
      this.#data.append(text.slice(start, end));
      this.#data.append("\n");
    }
    this.#hold();
  }

  #setType(value: string): void {
    // T12: empty means the default again.
    this.#type = value === "" ? "message" : value;
    this.#hold();
  }

  #setId(value: string, line: string): void {
    if (line.length > this.room) this.overflow();
    // T13
    if (value.includes("\0")) return this.#ignore(line, '"id" with NUL');
    this.#id = value;
    this.#hold();
  }

  #setRetry(value: string, line: string): void {
    if (line.length > this.room) this.overflow();
    if (!/^[0-9]+$/.test(value)) {
      return this.#ignore(line, `"retry" must be ASCII digits: received ${quote(value)}`);
    }
    // T17: nothing bounds the digits, but past this they would not be a number of ms any more.
    this.#retry = this.retry = Math.min(Number(value), Number.MAX_SAFE_INTEGER);
    this.#hold();
    this.#options.onRetry?.(this.retry);
  }

  /** Something of the block is held now: what is left of the bound is for the next line. */
  #hold(): void {
    this.#open = true;
    this.room = this.#maxEventSize - this.#data.length - this.#type.length -
      (this.#id === undefined ? 0 : this.#id.length);
  }

  #ignore(line: string, reason: string): void {
    if (this.#options.strict !== true) return;
    if (line.length > this.room) this.overflow();
    throw new ParseError(`Cannot parse event stream: ${reason}`, line);
  }

  #dispatch(data: string): void {
    const events = this.events;
    // By index and not by `push`: 5 ns an event less on V8.
    if (!this.#open) {
      events[events.length] = { event: "message", data, id: this.lastEventId };
      return;
    }
    const event = this.#type;
    const retry = this.#retry;
    this.#close();
    events[events.length] = retry === undefined
      ? { event, data, id: this.lastEventId }
      : { event, data, id: this.lastEventId, retry };
  }

  /** The end of a block: the id is committed, also without data (T11, T14), and the rest is cleared. */
  #close(): void {
    const id = this.#id;
    this.#open = false;
    this.#type = "message";
    this.#id = undefined;
    this.#retry = undefined;
    this.room = this.#maxEventSize;
    if (id !== undefined) {
      this.lastEventId = id;
      this.#options.onId?.(id);
    }
  }
}

/** Whether `data:` stands at `at`. */
function isData(bytes: Uint8Array, at: number): boolean {
  return bytes[at] === LETTER_D && bytes[at + 1] === 97 && bytes[at + 2] === 116 &&
    bytes[at + 3] === 97 && bytes[at + 4] === COLON;
}

/** Whether `event:` stands at `at`. */
function isEvent(bytes: Uint8Array, at: number): boolean {
  return bytes[at] === LETTER_E && bytes[at + 1] === 118 && bytes[at + 2] === 101 &&
    bytes[at + 3] === 110 && bytes[at + 4] === 116 && bytes[at + 5] === COLON;
}

/** Quotes text from a peer for a message, bounded. */
function quote(text: string): string {
  return JSON.stringify(text.length > 40 ? `${text.slice(0, 40)}…` : text);
}
