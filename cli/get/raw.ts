/**
 * The bytes of a stream as they come, written before they are parsed.
 *
 * What is written is a stream itself, also over a reconnect: the half of an event that a lost
 * connection leaves is left out when the next one begins, for it would be taken for the beginning of
 * the next event; and so is the BOM of that one.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { isEventStream } from "../../parse/response.ts";

const LF = 0x0a;
const CR = 0x0d;
const COLON = 0x3a;
const BOM = [0xef, 0xbb, 0xbf];

/** Writes what the responses bring, block by block: an event and the blank line that ends it. */
export class RawTee {
  readonly #write: (bytes: Uint8Array) => Promise<void>;
  readonly #oneByOne: boolean;
  #held: Uint8Array[] = [];
  #responses = 0;
  /** The bytes that come next begin a response that is not the first. */
  #beginsAgain = false;

  /**
   * @param write Waited for before more is read: a slow reader slows the server.
   * @param oneByOne Whether to read no more than one event at a time, for who counts them.
   */
  constructor(write: (bytes: Uint8Array) => Promise<void>, oneByOne: boolean) {
    this.#write = write;
    this.#oneByOne = oneByOne;
  }

  /** For `connect`: the global `fetch`, of whose event streams all is written. */
  readonly fetch = async (input: URL | RequestInfo, init?: RequestInit): Promise<Response> => {
    const response = await globalThis.fetch(input, init);
    if (!isEventStream(response) || response.body === null) return response;
    const { status, headers } = response;
    this.#held = [];
    this.#beginsAgain = this.#responses++ > 0;
    return new Response(streamOf(this.#pieces(response.body)), { status, headers });
  };

  /** Writes what is left: the end of a stream that nothing follows. */
  async end(): Promise<void> {
    await this.#put(new Uint8Array());
  }

  /** Gives the bytes on, those of a whole block after it was written. */
  async *#pieces(body: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array> {
    const ends = new BlockEnds();
    for await (const chunk of body) {
      const found = ends.find(chunk);
      let start = 0;
      for (const end of this.#oneByOne ? found : found.slice(-1)) {
        const piece = chunk.subarray(start, end);
        await this.#put(piece);
        yield piece;
        start = end;
      }
      if (start === chunk.length) continue;
      this.#held.push(chunk.slice(start));
      yield chunk.subarray(start);
    }
  }

  /** Writes what was held, and this after it. */
  async #put(piece: Uint8Array): Promise<void> {
    const bytes = Buffer.concat([...this.#held, piece]);
    this.#held = [];
    const from = this.#beginsAgain && BOM.every((byte, i) => bytes[i] === byte) ? BOM.length : 0;
    this.#beginsAgain = false;
    if (bytes.length > from) await this.#write(bytes.subarray(from));
  }
}

/**
 * Finds where blocks end in chunks that may be cut anywhere: behind a blank line, and behind a comment
 * that stands alone.
 */
export class BlockEnds {
  #lineLength = 0;
  #hasFields = false;
  // The last byte was a CR, and whether a block ended there: an LF that follows belongs to it.
  #afterCr = false;
  #afterEnd = false;

  /** The indexes in a chunk at which one block has ended and the next begins. */
  find(chunk: Uint8Array): number[] {
    const ends: number[] = [];
    for (let i = 0; i < chunk.length; i++) {
      const byte = chunk[i];
      if (byte === LF && this.#afterCr) {
        if (this.#afterEnd) {
          if (ends.at(-1) === i) ends.pop();
          ends.push(i + 1);
        }
      } else if (byte === LF || byte === CR) {
        if (this.#lineLength === 0) this.#hasFields = false;
        this.#afterEnd = !this.#hasFields;
        if (this.#afterEnd) ends.push(i + 1);
        this.#lineLength = 0;
      } else {
        if (this.#lineLength === 0 && byte !== COLON) this.#hasFields = true;
        this.#lineLength++;
      }
      this.#afterCr = byte === CR;
    }
    return ends;
  }
}

/** Reads nothing ahead. */
function streamOf(pieces: AsyncGenerator<Uint8Array>): ReadableStream<Uint8Array> {
  return new ReadableStream({
    async pull(controller) {
      const { done, value } = await pieces.next();
      if (done) controller.close();
      else controller.enqueue(value);
    },
    // Of a body that was aborted it fails, which is what was wanted.
    cancel: () => pieces.return(undefined).then(() => {}, () => {}),
  }, { highWaterMark: 0 });
}
