/**
 * Text to lines: CRLF, LF and CR end one, freely mixed (T4), also over the edge of two texts (T5).
 *
 * @module
 */

import type { TextSink } from "./decode.ts";
import { TextBuffer } from "./text_buffer.ts";

/** What takes the lines of a stream. */
export interface LineSink {
  /**
   * Takes the line `text[start, end)`, which is not blank.
   *
   * @param heads As {@linkcode TextSink.write} has it.
   * @param next Where the next line starts in `text`, after the line end.
   * @returns Where to go on: `next`, or after the blank line there if the sink took that too.
   */
  line(
    text: string,
    heads: Uint8Array | undefined,
    start: number,
    end: number,
    next: number,
  ): number;

  /** Takes a blank line. */
  blank(): void;

  /** How long the current line may get, in UTF-16 code units. */
  readonly room: number;

  /** Whether an unfinished line that starts like this has to be held. */
  needs(head: string): boolean;

  /** Throws: the current line is longer than {@linkcode LineSink.room}. */
  overflow(): never;
}

/** The longest head by which a line that nobody needs is known: `retry:`. */
const HEAD_LENGTH = 6;

const LF = 10;
const CR = 13;

/** Cuts texts into lines and holds the unfinished one. */
export class LineSplitter implements TextSink {
  readonly #sink: LineSink;
  #unfinished = new TextBuffer();
  /** Inside an unfinished line that nobody needs: nothing of it is held. */
  #skipping = false;
  /** The last text ended with a CR: if an LF comes first it belongs to that line end. */
  #afterCr = false;

  constructor(sink: LineSink) {
    this.#sink = sink;
  }

  /** The last line has not ended. */
  get incomplete(): boolean {
    return this.#skipping || this.#unfinished.length > 0;
  }

  get room(): number {
    return this.#skipping ? Infinity : this.#sink.room - this.#unfinished.length;
  }

  write(text: string, heads: Uint8Array | undefined): void {
    const sink = this.#sink;
    const length = text.length;
    let pos = 0;
    if (this.#afterCr) {
      this.#afterCr = false;
      if (text.charCodeAt(0) === LF) pos = 1;
    }
    // The next LF and the next CR at or after `pos`, `length` for none: each is looked for once,
    // so a text without CR costs one comparison a line for it.
    let lf = indexOf(text, "\n", pos);
    let cr = indexOf(text, "\r", pos);
    if (this.incomplete) {
      const end = Math.min(lf, cr);
      if (end === length) {
        if (!this.#skipping) this.#hold(text.slice(pos));
        return;
      }
      if (this.#skipping) {
        this.#skipping = false;
      } else {
        // Its line end goes along, for data is joined with it (T10).
        const line = this.#unfinished.take(text.slice(pos, end + 1));
        sink.line(line, undefined, 0, line.length - 1, line.length);
      }
      pos = lf === end + 1 && cr === end ? end + 2 : end + 1;
    }
    while (pos < length) {
      // A blank line is told by its first code unit; no need to search for its end.
      const head = heads === undefined ? text.charCodeAt(pos) : heads[pos];
      if (head === LF) {
        sink.blank();
        pos++;
      } else if (head === CR) {
        sink.blank();
        pos += text.charCodeAt(pos + 1) === LF ? 2 : 1;
      } else {
        if (lf < pos) lf = indexOf(text, "\n", pos);
        if (cr < pos) cr = indexOf(text, "\r", pos);
        if (lf < cr) pos = sink.line(text, heads, pos, lf, lf + 1);
        else if (cr < length) {
          pos = sink.line(text, heads, pos, cr, lf === cr + 1 ? lf + 1 : cr + 1);
        } else break;
      }
    }
    if (pos < length) this.#hold(text.slice(pos));
    // T6: the CR has ended its line already; only its LF may still come.
    else this.#afterCr = text.charCodeAt(length - 1) === CR;
  }

  #hold(piece: string): void {
    if (this.#unfinished.length < HEAD_LENGTH) {
      piece = this.#unfinished.take(piece);
      if (!this.#sink.needs(piece)) {
        this.#skipping = true;
        return;
      }
    }
    this.#unfinished.append(piece);
    if (this.#unfinished.length > this.#sink.room) this.#sink.overflow();
  }
}

function indexOf(text: string, lineEnd: string, from: number): number {
  const index = text.indexOf(lineEnd, from);
  return index === -1 ? text.length : index;
}
