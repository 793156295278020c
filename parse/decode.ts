/**
 * Bytes to text: UTF-8 whatever the server says (T1), exactly one BOM removed (T2).
 *
 * @module
 */

/** What takes the text of a stream. */
export interface TextSink {
  /**
   * Takes the next text of the stream, never empty.
   *
   * @param heads The bytes of `text` where each is one code unit, so that `heads[i]` may be read in
   * place of `text.charCodeAt(i)`; `undefined` where that does not hold.
   */
  write(text: string, heads: Uint8Array | undefined): void;

  /** The length of the unfinished line that the sink holds, in UTF-16 code units. */
  readonly held: number;

  /** How many more UTF-16 code units may wait before the sink has to see them. */
  readonly spare: number;
}

/**
 * A chunk of at most this many bytes that ends no line waits for the next: one decode a line in
 * place of one a chunk is what makes chunks of 1 to 64 bytes fast (`deno task bench:compare feed`).
 */
const SMALL_CHUNK = 256;

/** Up to this many bytes are copied one by one, which costs less than a call of `set`. */
const FEW = 32;

/** At most this many bytes wait. */
const MAX_HELD = 4096;

/**
 * A larger chunk is decoded in pieces of this many bytes: a string that was sliced from a text
 * keeps the whole text alive, so this bounds what one kept event can hold (`tests/memory_test.ts`).
 */
const PIECE = 16_384;

/** No piece is longer: V8 allocates a text of more than 128 KB by itself, which takes far longer. */
const MAX_PIECE = 65_536;

/** How far back from the end of a piece a line end is looked for, so that few lines are cut. */
const CUT_WINDOW = 256;

const LF = 10;
const CR = 13;
const BOM = 0xfeff;

/** Decodes chunks as they come and hands the text to a sink, as early as a line can end. */
export class ChunkDecoder {
  readonly #sink: TextSink;
  // T3: with `{ stream: true }` Deno loses U+FEFF in mid-stream, and it costs more per call than
  // holding back the few bytes of a cut character. `ignoreBOM` leaves the BOM to us.
  readonly #decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  #held = new Uint8Array(SMALL_CHUNK);
  #heldLength = 0;
  #atStart = true;

  constructor(sink: TextSink) {
    this.#sink = sink;
  }

  /** Bytes wait for the rest of their character or line. */
  get incomplete(): boolean {
    return this.#heldLength > 0;
  }

  write(chunk: Uint8Array | string): void {
    if (typeof chunk === "string") {
      // A character that was cut cannot go on in a string.
      this.#flush(this.#heldLength);
      if (chunk !== "") this.#emit(chunk, undefined);
      return;
    }
    // By its tag where it comes from another realm.
    if (!(chunk instanceof Uint8Array) && chunk?.[Symbol.toStringTag] !== "Uint8Array") {
      throw new TypeError(
        `Cannot parse chunk: it must be a Uint8Array or a string: received ${typeof chunk}`,
      );
    }
    let at = 0;
    if (chunk.length <= SMALL_CHUNK && !endsLine(chunk)) {
      this.#hold(chunk, 0, chunk.length);
      if (this.#mayWait()) return;
      this.#flush(wholeEnd(this.#held, 0, this.#heldLength));
      return;
    }
    if (this.#heldLength > 0) {
      // What waits goes first, with the start of the chunk, which may end its last character.
      at = wholeEnd(chunk, 0, Math.min(chunk.length, MAX_HELD));
      this.#hold(chunk, 0, at);
      this.#flush(this.#heldLength);
    }
    while (at < chunk.length) {
      // A line that is longer than a piece is kept anyway: larger pieces make fewer to join.
      const length = Math.min(Math.max(PIECE, this.#sink.held), MAX_PIECE);
      const end = pieceEnd(chunk, at, length);
      if (end === at) {
        this.#hold(chunk, at, chunk.length);
        return;
      }
      this.#decode(at === 0 && end === chunk.length ? chunk : chunk.subarray(at, end));
      at = end;
    }
  }

  /** Not at the start, where a BOM may stand alone (T2), and not past a bound. */
  #mayWait(): boolean {
    return !this.#atStart && this.#heldLength <= MAX_HELD && this.#heldLength <= this.#sink.spare;
  }

  /** Appends `chunk[start, end)` to the bytes that wait. */
  #hold(chunk: Uint8Array, start: number, end: number): void {
    const length = this.#heldLength + end - start;
    if (length > this.#held.length) {
      const grown = new Uint8Array(Math.max(length, 2 * this.#held.length));
      grown.set(this.#held.subarray(0, this.#heldLength));
      this.#held = grown;
    }
    if (length - this.#heldLength <= FEW) {
      for (let i = start; i < end; i++) this.#held[this.#heldLength++] = chunk[i];
    } else {
      this.#held.set(
        end - start === chunk.length ? chunk : chunk.subarray(start, end),
        this.#heldLength,
      );
      this.#heldLength = length;
    }
  }

  /** Decodes the first `end` of the bytes that wait and keeps the others. */
  #flush(end: number): void {
    if (end === 0) return;
    this.#decode(this.#held.subarray(0, end));
    if (end < this.#heldLength) this.#held.copyWithin(0, end, this.#heldLength);
    this.#heldLength -= end;
  }

  #decode(bytes: Uint8Array): void {
    // One byte alone is a line end most often: not worth a call of the decoder.
    const text = bytes.length === 1 && bytes[0] < 0x80
      ? String.fromCharCode(bytes[0])
      : this.#decoder.decode(bytes);
    // No sequence of bytes gives more code units than bytes: equal lengths mean one for one.
    this.#emit(text, text.length === bytes.length ? bytes : undefined);
  }

  #emit(text: string, heads: Uint8Array | undefined): void {
    if (this.#atStart) {
      this.#atStart = false;
      if (text.charCodeAt(0) === BOM) {
        if (text.length > 1) this.#sink.write(text.slice(1), undefined);
        return;
      }
    }
    this.#sink.write(text, heads);
  }
}

/** Whether a line ends in these bytes; from the back, where an event that came whole ends. */
function endsLine(bytes: Uint8Array): boolean {
  for (let i = bytes.length - 1; i >= 0; i--) {
    if (bytes[i] === LF || bytes[i] === CR) return true;
  }
  return false;
}

/** Where the next piece from `at` on ends: at a line end if one is near, never inside a character. */
function pieceEnd(bytes: Uint8Array, at: number, length: number): number {
  const end = at + length;
  if (end >= bytes.length) return wholeEnd(bytes, at, bytes.length);
  for (let i = end; i > end - CUT_WINDOW; i--) {
    if (bytes[i - 1] === LF || bytes[i - 1] === CR) return i;
  }
  return wholeEnd(bytes, at, end);
}

/** Where the last whole character that starts in `bytes[start, end)` ends: a cut one is left out. */
function wholeEnd(bytes: Uint8Array, start: number, end: number): number {
  for (let i = end - 1; i >= start && i >= end - 3; i--) {
    const byte = bytes[i];
    if (byte < 0x80) return end;
    if (byte >= 0xc0) {
      const length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2;
      return i + length > end ? i : end;
    }
  }
  return end;
}
