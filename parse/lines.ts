/**
 * Text to lines: CRLF, LF and CR end one, freely mixed (T4), also over the edge of two texts (T5).
 *
 * @module
 */

import { EventTooLargeError } from "../errors.ts";
import type { TextSink } from "./decode.ts";
import { TextBuffer } from "./text_buffer.ts";

/** A piece of an unfinished line is all of its text, or the end of it: it keeps little else alive. */
const LARGE_PIECE = 256;

const LF = 10;
const CR = 13;

/** Takes a text at a time and holds the line that is not finished. What a line means is for others. */
export abstract class LineReader implements TextSink {
  /** How long the current line may get, in UTF-16 code units. */
  protected abstract room: number;
  /** From this length on, the start of a line tells whether it is needed. 0: every line is. */
  protected readonly headLength: number = 0;
  /** The bound behind `room`. */
  protected readonly maxEventSize: number;

  #unfinished = new TextBuffer(LARGE_PIECE);
  /** Inside an unfinished line that nobody needs: nothing of it is held. */
  #skipping = false;
  /** The last text ended with a CR: if an LF comes first it belongs to that line end. */
  #afterCr = false;

  constructor(maxEventSize: number) {
    this.maxEventSize = maxEventSize;
  }

  /**
   * Takes all finished lines from `pos` on.
   *
   * @param heads As {@linkcode TextSink.write} has it.
   * @returns Where the unfinished line starts: `text.length` if there is none.
   */
  protected abstract readLines(text: string, heads: Uint8Array | undefined, pos: number): number;

  /** Takes the line that was unfinished, with the code unit that ends it. */
  protected abstract readLine(line: string): void;

  /** Whether an unfinished line that starts like this has to be held. */
  protected needs?(head: string): boolean;

  /** The last line has not ended. */
  get incomplete(): boolean {
    return this.#skipping || this.#unfinished.length > 0;
  }

  get held(): number {
    return this.#unfinished.length;
  }

  get spare(): number {
    return this.#skipping ? Infinity : this.room - this.#unfinished.length;
  }

  write(text: string, heads: Uint8Array | undefined): void {
    let pos = 0;
    if (this.#afterCr) {
      this.#afterCr = false;
      if (text.charCodeAt(0) === LF) pos = 1;
    }
    if (this.#skipping || this.#unfinished.length > 0) {
      const end = lineEnd(text, pos);
      if (end === -1) {
        if (!this.#skipping) this.#hold(text.slice(pos));
        return;
      }
      if (this.#skipping) this.#skipping = false;
      else this.readLine(this.#unfinished.take(text.slice(pos, end + 1)));
      pos = text.charCodeAt(end) === CR && text.charCodeAt(end + 1) === LF ? end + 2 : end + 1;
    }
    pos = this.readLines(text, heads, pos);
    if (pos < text.length) this.#hold(text.slice(pos));
    // T6: the CR has ended its line already; only its LF may still come.
    else this.#afterCr = text.charCodeAt(text.length - 1) === CR;
  }

  /** Drops the unfinished line: the next text is the start of a stream. */
  protected resetLines(): void {
    this.#unfinished = new TextBuffer(LARGE_PIECE);
    this.#skipping = false;
    this.#afterCr = false;
  }

  #hold(piece: string): void {
    if (this.#unfinished.length < this.headLength) {
      piece = this.#unfinished.take(piece);
      if (this.needs?.(piece) === false) {
        this.#skipping = true;
        return;
      }
    }
    this.#unfinished.append(piece);
    // Not before it is known: what is shorter may still become a line that nobody needs.
    const { length } = this.#unfinished;
    if (length >= this.headLength && length > this.room) this.overflow();
  }

  /** Throws: the current line has no room. */
  protected overflow(): never {
    throw new EventTooLargeError(this.maxEventSize);
  }
}

/** Where the line that goes on at `pos` ends, or -1. */
function lineEnd(text: string, pos: number): number {
  const lf = text.indexOf("\n", pos);
  const cr = text.slice(0, lf === -1 ? text.length : lf).indexOf("\r", pos);
  return cr === -1 ? lf : cr;
}
