/**
 * Text to events: the lines (T4 to T6), the fields, the buffers and the dispatch of the standard (T7 to
 * T18).
 *
 * @module
 */

import { EventTooLargeError, ParseError } from "../errors.ts";
import type { TextSink } from "./decode.ts";
import { maxEventSizeOf, type ParserOptions, type ServerSentEvent } from "./events.ts";
import { TextBuffer } from "./text_buffer.ts";

const FIELDS = ["data:", "event:", "id:", "retry:"];

/** From this length on the start of a line tells whether anybody needs it: that of `retry:`. */
const HEAD_LENGTH = 6;

/** A piece of an unfinished line is all of its text, or the end of it: it keeps little else alive. */
const LARGE_PIECE = 256;

/** A value of this length keeps alive at most four times its own: a text has 16 Ki. */
const LARGE_VALUE = 4_096;

const LF = 10;
const CR = 13;
const SPACE = 32;
const COLON = 58;
const LETTER_D = 100;
const LETTER_E = 101;

/** Takes the text of a stream as it comes, holds the line that is not finished, and makes the events. */
export class EventAssembler implements TextSink {
  /** Where the events go: up to `count` it is filled, past it there may be room. */
  events: ServerSentEvent[] = [];
  count = 0;
  /** The last event ID, as of the last blank line. */
  lastEventId: string;
  /** The reconnection time in ms, once the stream has named one. */
  retry: number | undefined;

  readonly #options: ParserOptions;
  readonly #comments: boolean;
  readonly #maxEventSize: number;
  /** How long the current line may get, in UTF-16 code units. */
  #room: number;

  readonly #unfinished = new TextBuffer(LARGE_PIECE);
  /** Inside an unfinished line that nobody needs: nothing of it is held. */
  #skipping = false;
  /** The last text ended with a CR: if an LF comes first it belongs to that line end. */
  #afterCr = false;

  // The block: what came since the last blank line. `#open` says that a field came, so that a block
  // of one `data` line, the commonest by far, touches none of the others.
  #open = false;
  #type: string | undefined;
  // As the standard appends it: each value with its LF, one of which goes at dispatch (T10).
  readonly #data = new TextBuffer(LARGE_VALUE);
  #id: string | undefined;
  #retry: number | undefined;

  /** @param from With which last event ID to begin: that of the body before, if there was one. */
  constructor(options: ParserOptions, from: Pick<ParserOptions, "lastEventId"> = options) {
    this.#room = this.#maxEventSize = maxEventSizeOf(options);
    const { lastEventId = "" } = from;
    if (typeof lastEventId !== "string" || lastEventId.includes("\0")) {
      throw new TypeError(
        `Cannot start from event: "lastEventId" must be a string without NUL: received ${
          JSON.stringify(lastEventId)
        }`,
      );
    }
    this.#options = options;
    this.#comments = options.onComment !== undefined;
    this.lastEventId = lastEventId;
  }

  /** A line has not ended, or a field came since the last blank line. */
  get incomplete(): boolean {
    return this.#open || this.#skipping || this.held > 0;
  }

  get held(): number {
    return this.#unfinished.length;
  }

  get spare(): number {
    return this.#skipping ? Infinity : this.#room - this.held;
  }

  write(text: string, heads: Uint8Array | undefined): void {
    let pos = 0;
    if (this.#afterCr) {
      this.#afterCr = false;
      if (text.charCodeAt(0) === LF) pos = 1;
    }
    if (this.#skipping || this.held > 0) {
      const end = lineEnd(text, pos);
      if (end === -1) {
        if (!this.#skipping) this.#hold(text.slice(pos));
        return;
      }
      if (this.#skipping) this.#skipping = false;
      else {
        const line = this.#unfinished.take(text.slice(pos, end + 1));
        this.#textLine(line, 0, line.length - 1, line.length);
      }
      pos = text.charCodeAt(end) === CR && text.charCodeAt(end + 1) === LF ? end + 2 : end + 1;
    }
    pos = this.#readLines(text, heads, pos);
    if (pos < text.length) this.#hold(text.slice(pos));
    // T6: the CR has ended its line already; only its LF may still come.
    else this.#afterCr = text.charCodeAt(text.length - 1) === CR;
  }

  /** Holds what came of a line, unless nobody needs the line. */
  #hold(piece: string): void {
    if (this.held < HEAD_LENGTH) {
      piece = this.#unfinished.take(piece);
      if (!this.#needs(piece)) {
        this.#skipping = true;
        return;
      }
    }
    this.#unfinished.append(piece);
    // Not before it is known: what is shorter may still become a line that nobody needs.
    if (this.held >= HEAD_LENGTH && this.held > this.#room) this.#overflow();
  }

  /** Throws: the current line has no room. */
  #overflow(): never {
    throw new EventTooLargeError(this.#maxEventSize);
  }

  /**
   * Takes all finished lines from `pos` on, and returns where the unfinished one starts:
   * `text.length` if there is none.
   *
   * One loop over lines and fields, with nothing of the commonest lines left to a call: cutting lines
   * here and handing each to a method of another class was slower for every stream of the bench.
   */
  #readLines(text: string, heads: Uint8Array | undefined, pos: number): number {
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
        if (end - pos > this.#room - lines.length) this.#overflow();
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
      if (end - start > this.#room) this.#overflow();
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
    this.#room -= value.length;
    this.#data.append(value);
  }

  /** A line that starts with `event:`. */
  #eventLine(text: string, start: number, from: number, end: number): void {
    if (end - start > this.#room) this.#overflow();
    this.#setType(text.slice(from, end));
  }

  /** Whether an unfinished line that starts like this has to be held. */
  #needs(head: string): boolean {
    if (head.charCodeAt(0) === COLON) return this.#comments;
    return this.#options.strict === true ||
      FIELDS.some((field) => head.startsWith(field) || field.startsWith(head));
  }

  #blankLine(): void {
    if (this.#data.length > 0) this.#dispatch(this.#data.take().slice(0, -1));
    else this.#close();
  }

  #commentLine(line: string): void {
    if (line.length > this.#room) this.#overflow();
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
    if (line.length > this.#room) this.#overflow();
    if (name === "id") this.#setId(value, line);
    else if (name === "retry") this.#setRetry(value, line);
    else if (name === "event") this.#setType(value);
    else this.#append(`${value}\n`);
  }

  #setType(value: string): void {
    this.#room += (this.#type?.length ?? 0) - value.length;
    // T12: empty means the default again.
    this.#type = value === "" ? undefined : value;
    this.#open = true;
  }

  #setId(value: string, line: string): void {
    // T13
    if (value.includes("\0")) return this.#ignore(line, '"id" with NUL');
    this.#room += (this.#id?.length ?? 0) - value.length;
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
    if (line.length > this.#room) this.#overflow();
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
    this.#room = this.#maxEventSize;
    if (id !== undefined) {
      this.lastEventId = id;
      this.#options.onId?.(id);
    }
  }
}

/** Where the line that goes on at `pos` ends, or -1. */
function lineEnd(text: string, pos: number): number {
  const lf = text.indexOf("\n", pos);
  const cr = text.slice(0, lf === -1 ? text.length : lf).indexOf("\r", pos);
  return cr === -1 ? lf : cr;
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
