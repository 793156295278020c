/**
 * Text to lines: CRLF, LF and CR end one, freely mixed (T4), also over the edge of two texts (T5, T6).
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

/** Takes every line as it is, and holds the one that is not finished. */
export class LineSplitter implements TextSink {
  /** Where the lines go. */
  lines: string[] = [];
  readonly #maxLength: number;
  #unfinished = new TextBuffer(LARGE_PIECE);
  /** The last text ended with a CR: if an LF comes first it belongs to that line end. */
  #afterCr = false;

  /** @param maxLength How long a line may get, in UTF-16 code units. */
  constructor(maxLength: number) {
    this.#maxLength = maxLength;
  }

  get held(): number {
    return this.#unfinished.length;
  }

  get spare(): number {
    return this.#maxLength - this.held;
  }

  write(text: string): void {
    if (this.#afterCr && text.charCodeAt(0) === LF) text = text.slice(1);
    this.#afterCr = text.charCodeAt(text.length - 1) === CR;
    const lines = text.split(/\r\n|\n|\r/);
    const unfinished = lines.pop() ?? "";
    for (const line of lines) {
      this.#checkLength(this.held + line.length);
      this.lines.push(this.#unfinished.take(line));
    }
    this.#unfinished.append(unfinished);
    this.#checkLength(this.held);
  }

  #checkLength(length: number): void {
    if (length > this.#maxLength) throw new EventTooLargeError(this.#maxLength);
  }
}
