/**
 * Text that grows piece by piece and is read once: an unfinished line, the data of an unfinished
 * event.
 *
 * @module
 */

/**
 * From this many UTF-16 code units on the pieces are flattened. A rope costs up to 64 bytes a piece
 * and keeps alive the chunks its pieces were sliced from, so a peer that sends one unit a piece
 * could make us hold many times what it sent (`tests/memory_test.ts`).
 */
const SEGMENT_LENGTH = 65_536;

/** Appends in constant time, joins once: linear for any number of pieces. */
export class TextBuffer {
  #segments: string[] = [];
  #tail = "";
  readonly #largePiece: number;
  /** What is held, in UTF-16 code units. */
  length = 0;

  /**
   * @param largePiece A piece of this length is kept as it is: flattening it once more costs a copy,
   * but what it was sliced from stays alive.
   */
  constructor(largePiece: number) {
    this.#largePiece = largePiece;
  }

  append(piece: string): void {
    this.length += piece.length;
    this.#tail += piece;
    if (piece.length >= this.#largePiece || this.#tail.length >= SEGMENT_LENGTH) {
      this.#endSegment(piece.length);
    }
  }

  #endSegment(lastLength: number): void {
    // Reading a code unit makes engines flatten the rope, if it is one.
    if (this.#tail.length > lastLength) this.#tail.charCodeAt(0);
    this.#segments.push(this.#tail);
    this.#tail = "";
  }

  /** Empties the buffer: all that was held, followed by `last`. */
  take(last = ""): string {
    if (this.length === 0) return last;
    let text = this.#tail + last;
    if (this.#segments.length > 0) {
      // One alone is not copied by the join, with an empty one it would be.
      if (text !== "") this.#segments.push(text);
      text = this.#segments.join("");
      this.#segments = [];
    }
    this.#tail = "";
    this.length = 0;
    return text;
  }
}
