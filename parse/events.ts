/**
 * Lines to events: the fields, the buffers and the dispatch of the standard (T7 to T18).
 *
 * @module
 */

import { ParseError } from "../errors.ts";
import { LineReader } from "./lines.ts";
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

const FIELDS = ["data:", "event:", "id:", "retry:"];

/** A value of this length keeps alive at most four times its own: a text has 16 Ki. */
const LARGE_VALUE = 4_096;

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
export class EventAssembler extends LineReader {
  /** Where the events go: up to `count` it is filled, past it there may be room. */
  events: ServerSentEvent[] = [];
  count = 0;
  /** The last event ID, as of the last blank line. */
  lastEventId: string;
  /** The reconnection time in ms, once the stream has named one. */
  retry: number | undefined;
  protected room: number;
  protected override readonly headLength = 6; // retry:

  readonly #options: ParserOptions;
  readonly #comments: boolean;

  // The block: what came since the last blank line. `#open` says that a field came, so that a block
  // of one `data` line, the commonest by far, touches none of the others.
  #open = false;
  #type: string | undefined;
  // As the standard appends it: each value with its LF, one of which goes at dispatch (T10).
  #data = new TextBuffer(LARGE_VALUE);
  #id: string | undefined;
  #retry: number | undefined;

  constructor(options: ParserOptions) {
    const maxEventSize = maxEventSizeOf(options);
    super(maxEventSize);
    const { lastEventId = "" } = options;
    if (typeof lastEventId !== "string" || lastEventId.includes("\0")) {
      throw new TypeError(
        `Cannot start from event: "lastEventId" must be a string without NUL: received ${
          JSON.stringify(lastEventId)
        }`,
      );
    }
    this.#options = options;
    this.#comments = options.onComment !== undefined;
    this.room = maxEventSize;
    this.lastEventId = lastEventId;
  }

  /** A line has not ended, or a field came since the last blank line. */
  override get incomplete(): boolean {
    return this.#open || super.incomplete;
  }

  /**
   * One loop over lines and fields, with nothing of the commonest lines left to a call: cutting lines
   * here and handing each to a method of another class was slower for every stream of the bench.
   */
  protected readLines(text: string, heads: Uint8Array | undefined, pos: number): number {
    const length = text.length;
    // The next LF and the next CR, `length` for none: each is looked for once, so a text without CR
    // pays one comparison a line for it.
    let lf = -1;
    let cr = -1;
    // The data so far, where it is of this text: what the buffer need not hold.
    let lines = "";
    while (pos < length) {
      // Bytes where they are there: reading a code unit of a string is slower.
      const head = heads === undefined ? text.charCodeAt(pos) : heads[pos];
      if (head === LF) {
        // A blank line is told by its first code unit; no need to search for its end.
        if (this.#open) this.#blankLine();
        pos++;
        continue;
      }
      if (head === CR) {
        if (this.#open) this.#blankLine();
        pos += text.charCodeAt(pos + 1) === LF ? 2 : 1;
        continue;
      }
      if (lf < pos) lf = indexOf(text, "\n", pos);
      if (cr < pos) cr = indexOf(text, "\r", pos);
      let end = lf;
      let next = lf + 1;
      if (cr < lf) {
        end = cr;
        next = lf === cr + 1 ? lf + 1 : cr + 1;
      } else if (lf === length) {
        break;
      }
      if (heads !== undefined && isData(heads, pos)) {
        if (end - pos > this.room - lines.length) this.overflow();
        const from = heads[pos + 5] === SPACE ? pos + 6 : pos + 5; // T7
        const after = next === length ? 0 : heads[next];
        if (after !== LF && after !== CR) {
          // One slice with its LF in place of a slice and an LF: fewer nodes in the rope.
          lines += end === lf ? text.slice(from, next) : `${text.slice(from, end)}\n`;
          pos = next;
          continue;
        }
        // A blank line follows, as it most often does: this is the last of the data.
        let data = text.slice(from, end);
        if (lines !== "") {
          data = lines + data;
          lines = "";
        }
        if (this.#open) this.#dispatch(this.#data.take(data));
        // By index and not by `push`, which is slower on V8.
        else this.events[this.count++] = { event: "message", data, id: this.lastEventId };
        pos = after === LF ? next + 1 : next;
        continue;
      }
      if (lines !== "") {
        this.#append(lines);
        lines = "";
      }
      if (heads === undefined) {
        pos = this.#textLine(text, pos, end, next);
        continue;
      }
      if (isEvent(heads, pos)) {
        this.#eventLine(text, pos, heads[pos + 6] === SPACE ? pos + 7 : pos + 6, end);
      } else if (head !== COLON) {
        this.#fieldLine(text.slice(pos, end));
      } else if (this.#comments) {
        this.#commentLine(text.slice(pos, end));
      }
      pos = next;
    }
    if (lines !== "") this.#append(lines);
    return pos;
  }

  /** Any line, where only its text is there. Returns where to go on. */
  #textLine(text: string, start: number, end: number, next: number): number {
    if (text.startsWith("data:", start)) {
      if (end - start > this.room) this.overflow();
      const from = text.charCodeAt(start + 5) === SPACE ? start + 6 : start + 5;
      const after = next === text.length ? 0 : text.charCodeAt(next);
      if (after !== LF && after !== CR) {
        this.#append(
          text.charCodeAt(end) === LF ? text.slice(from, end + 1) : `${text.slice(from, end)}\n`,
        );
        return next;
      }
      this.#dispatch(this.#data.take(text.slice(from, end)));
      return after === LF ? next + 1 : next;
    }
    if (text.startsWith("event:", start)) {
      this.#eventLine(
        text,
        start,
        text.charCodeAt(start + 6) === SPACE ? start + 7 : start + 6,
        end,
      );
    } else if (text.charCodeAt(start) !== COLON) {
      this.#fieldLine(text.slice(start, end));
    } else if (this.#comments) {
      this.#commentLine(text.slice(start, end));
    }
    return next;
  }

  /** Data that goes on: a value with its LF. */
  #append(value: string): void {
    this.#open = true;
    this.room -= value.length;
    this.#data.append(value);
  }

  /** A line that starts with `event:`. */
  #eventLine(text: string, start: number, from: number, end: number): void {
    if (end - start > this.room) this.overflow();
    this.#setType(text.slice(from, end));
  }

  protected readLine(line: string): void {
    this.#textLine(line, 0, line.length - 1, line.length);
  }

  protected override needs(head: string): boolean {
    if (head.charCodeAt(0) === COLON) return this.#comments;
    return this.#options.strict === true ||
      FIELDS.some((field) => head.startsWith(field) || field.startsWith(head));
  }

  /** Drops the unfinished line and block (T14, T18); the last event ID and the reconnection time stay. */
  reset(): void {
    this.resetLines();
    this.#data = new TextBuffer(LARGE_VALUE);
    this.#id = undefined;
    this.#close();
  }

  #blankLine(): void {
    if (this.#data.length > 0) this.#dispatch(this.#data.take().slice(0, -1));
    else this.#close();
  }

  #commentLine(line: string): void {
    if (line.length > this.room) this.overflow();
    this.#options.onComment?.(line.slice(line.charCodeAt(1) === SPACE ? 2 : 1));
  }

  /** `id`, `retry`, a field without a colon, or nothing that the standard knows. */
  #fieldLine(line: string): void {
    const colon = line.indexOf(":");
    // T8: without a colon the whole line is the name.
    const name = colon === -1 ? line : line.slice(0, colon);
    const value = colon === -1
      ? ""
      : line.slice(line.charCodeAt(colon + 1) === SPACE ? colon + 2 : colon + 1);
    // T9: names are exact.
    if (name !== "id" && name !== "retry" && name !== "data" && name !== "event") {
      const reason = `unknown field ${quote(name)}, the fields are data, event, id and retry`;
      return this.#ignore(line, reason);
    }
    if (line.length > this.room) this.overflow();
    if (name === "id") this.#setId(value, line);
    else if (name === "retry") this.#setRetry(value, line);
    else if (name === "event") this.#setType(value);
    else this.#append(`${value}\n`);
  }

  #setType(value: string): void {
    this.room += (this.#type?.length ?? 0) - value.length;
    // T12: empty means the default again.
    this.#type = value === "" ? undefined : value;
    this.#open = true;
  }

  #setId(value: string, line: string): void {
    // T13
    if (value.includes("\0")) return this.#ignore(line, '"id" with NUL');
    this.room += (this.#id?.length ?? 0) - value.length;
    this.#id = value;
    this.#open = true;
  }

  #setRetry(value: string, line: string): void {
    if (!/^[0-9]+$/.test(value)) {
      return this.#ignore(line, `"retry" must be ASCII digits: received ${quote(value)}`);
    }
    // T17: nothing bounds the digits, but past this they would not be a number of ms any more.
    this.#retry = this.retry = Math.min(Number(value), Number.MAX_SAFE_INTEGER);
    this.#open = true;
    this.#options.onRetry?.(this.retry);
  }

  #ignore(line: string, reason: string): void {
    if (this.#options.strict !== true) return;
    if (line.length > this.room) this.overflow();
    throw new ParseError(`Cannot parse event stream: ${reason}`, line);
  }

  #dispatch(data: string): void {
    const event = this.#type ?? "message";
    const retry = this.#retry;
    this.#close();
    this.events[this.count++] = retry === undefined
      ? { event, data, id: this.lastEventId }
      : { event, data, id: this.lastEventId, retry };
  }

  /** The end of a block: the id is committed, also without data (T11, T14), and the rest is cleared. */
  #close(): void {
    const id = this.#id;
    this.#open = false;
    this.#type = undefined;
    this.#id = undefined;
    this.#retry = undefined;
    this.room = this.maxEventSize;
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

function indexOf(text: string, lineEnd: string, from: number): number {
  const index = text.indexOf(lineEnd, from);
  return index === -1 ? text.length : index;
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
