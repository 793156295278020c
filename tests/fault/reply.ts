/**
 * The pen that writes one response, byte by byte if need be.
 *
 * @module
 */

import { utf8 } from "../helpers.ts";
import type { Connection } from "./connection.ts";
import { encodeChunk, encodeHead, type Head, LAST_CHUNK } from "./http.ts";
import { delay } from "./real_time.ts";

/**
 * How the client learns where the body ends: a last chunk, a `Content-Length` of so many bytes, or
 * the end of the connection.
 */
export type Framing = "chunked" | "close" | number;

/** Larger pieces would hide from `written` what the kernel took of one. */
const PIECE = 16_384;

/**
 * One response in the making. A method that sends resolves when the kernel has taken its bytes, so a
 * client that does not read holds it up, and rejects with `ClientLeft` if the client leaves.
 */
export class Reply {
  /** Body bytes that the kernel has taken: what the client read, and up to some MB of buffers. */
  written = 0;

  #connection: Connection;
  #keepAlive: boolean;
  #framing: Framing | undefined;
  #pending = 0;
  #ended = Promise.withResolvers<void>();

  constructor(connection: Connection, keepAlive: boolean) {
    this.#connection = connection;
    this.#keepAlive = keepAlive;
  }

  /** Resolves when this side has ended the response, in whatever way. */
  get ended(): Promise<void> {
    return this.#ended.promise;
  }

  /** Sends status and headers: those given, those of the framing, and `connection: close`. */
  async head(head: Head = {}, framing: Framing = "chunked"): Promise<void> {
    const { status = 200, headers = { "content-type": "text/event-stream" } } = head;
    this.#framing = framing;
    await this.raw(encodeHead(status, {
      ...headers,
      ...(framing === "chunked" && { "transfer-encoding": "chunked" }),
      ...(typeof framing === "number" && { "content-length": `${framing}` }),
      ...(!this.#keepAlive && { connection: "close" }),
    }));
  }

  /**
   * Sends a piece of the body, and before the first one the head, unless that was sent.
   *
   * @param declared The size that a chunk claims to have; a larger one than it has leaves it open.
   */
  async write(piece: string | Uint8Array, declared = 0): Promise<void> {
    if (this.#framing === undefined) await this.head();
    const bytes = typeof piece === "string" ? utf8(piece) : piece;
    for (let from = 0; from < bytes.length; from += PIECE) {
      const part = bytes.subarray(from, from + PIECE);
      const last = from + PIECE >= bytes.length;
      const size = last ? Math.max(part.length, declared - from) : part.length;
      await this.raw(this.#framing === "chunked" ? encodeChunk(part, size) : part);
      this.written += part.length;
    }
  }

  /** Sends bytes as they are: no head, no framing, not counted as body. */
  async raw(bytes: string | Uint8Array): Promise<void> {
    this.#pending++;
    try {
      await this.#connection.write(typeof bytes === "string" ? utf8(bytes) : bytes);
    } finally {
      this.#pending--;
    }
  }

  /** Ends the response as it should be, and the connection too unless it is kept alive. */
  async finish(): Promise<void> {
    if (this.#framing === undefined) await this.head({}, 0);
    if (this.#framing === "chunked") await this.raw(LAST_CHUNK);
    if (!this.#keepAlive || this.#framing === "close") this.cut();
    else this.#ended.resolve();
  }

  /** Ends the connection as TCP should (FIN), whatever HTTP still expects. */
  cut(): void {
    this.#connection.end();
    this.#ended.resolve();
  }

  /**
   * Ends the connection with a reset (RST). On some systems the client loses what it has not read
   * yet: to be sure of an event before the reset, reset when the client has it.
   */
  reset(): void {
    this.#connection.reset();
    this.#ended.resolve();
  }

  /**
   * Resolves when a write waits for the client, and the kernel took nothing for `quiet` real
   * milliseconds.
   *
   * @returns The value of `written` then.
   * @throws {Error} If bytes still flow, or none is to be sent, after `patience` real milliseconds.
   */
  async blocked(quiet = 200, patience = 5_000): Promise<number> {
    for (let waited = 0; waited < patience; waited += quiet) {
      const before = this.written;
      await delay(quiet);
      if (this.#pending > 0 && this.written === before) return before;
    }
    const found = this.#pending > 0 ? "bytes still flow" : "no write waits";
    throw new Error(`Cannot see the reply blocked: after ${patience} ms ${found}`);
  }
}
