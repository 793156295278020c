/**
 * Takes down what responses bring, byte by byte, while somebody reads them.
 *
 * @module
 */

import { isEventStream } from "../../parse/response.ts";
import { BlockEnds } from "../get/raw.ts";
import { type End, type Entry, entryLines, openingOf } from "../recording.ts";

/** What a {@linkcode Recorder} is made of. */
export interface RecorderOptions {
  /**
   * Writes lines. More is read only when it is done, so that a slow disk slows the server.
   *
   * @param lines Whole lines of a recording.
   */
  write(lines: string): Promise<void>;
  /** Told once of what a write failed of: nothing more is written then. */
  onFailure(error: unknown): void;
  /** Whether no more than one event is read at a time, for who counts them. */
  oneByOne: boolean;
  /** The time, in ms from anywhere. @default {performance.now} */
  now?(): number;
}

/** Records the event streams that its `fetch` gets. */
export class Recorder {
  /** How many bytes of bodies are in the recording. */
  bytes = 0;
  /** How many responses are in it. */
  parts = 0;
  /** The last event ID that the next request names. */
  lastEventId = "";
  readonly #options: RecorderOptions;
  readonly #now: () => number;
  #begin: number | undefined = undefined;
  #stopped = false;
  #written: Promise<void> = Promise.resolve();
  #failed = false;
  /** Ends the response that came last, unless it has ended. */
  #end: (how: End, reason?: string) => Promise<void> = async () => {};

  constructor(options: RecorderOptions) {
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
  }

  /** How long it has been recording, in ms. */
  get duration(): number {
    return this.#begin === undefined ? 0 : this.#now() - this.#begin;
  }

  /** For `connect`: the global `fetch`, of whose event streams all is recorded. */
  readonly fetch = async (input: URL | RequestInfo, init?: RequestInit): Promise<Response> => {
    const response = await globalThis.fetch(input, init);
    if (!isEventStream(response) || response.body === null) return response;
    this.#begin ??= this.#now();
    this.parts++;
    await this.#add({ open: openingOf(response, this.lastEventId) });
    const { status, headers } = response;
    return new Response(this.#record(response.body), { status, headers });
  };

  /** Whatever ends from now on is ended by us. */
  stop(): void {
    this.#stopped = true;
  }

  /** Ends what has not ended, and waits until all is written. */
  async finish(): Promise<void> {
    this.stop();
    await this.#end("stopped");
    await this.#written;
  }

  /** Gives the bytes on once they are written, and reads nothing ahead. */
  #record(body: ReadableStream<Uint8Array>): ReadableStream<Uint8Array> {
    const reader = body.getReader();
    const ends = new BlockEnds();
    const pieces: Uint8Array[] = [];
    let came = 0;
    let over = false;
    const end = this.#end = async (how: End, reason?: string) => {
      if (over) return;
      over = true;
      await this.#add(reason === undefined ? { end: how } : { end: how, reason });
    };
    return new ReadableStream({
      pull: async (controller) => {
        while (pieces.length === 0) {
          let result;
          try {
            result = await reader.read();
          } catch (error) {
            await (this.#stopped ? end("stopped") : end("lost", reasonOf(error)));
            throw error;
          }
          if (result.done) {
            await end("ended");
            controller.close();
            return;
          }
          came = this.#now();
          pieces.push(...this.#options.oneByOne ? cut(result.value, ends) : [result.value]);
        }
        const [piece] = pieces.splice(0, 1);
        if (!over) {
          this.bytes += piece.length;
          await this.#add({ bytes: piece }, came);
        }
        controller.enqueue(piece);
      },
      cancel: async (reason) => {
        // A body whose request was aborted has nothing to cancel.
        const cancelled = reader.cancel(reason).catch(() => {});
        await (this.#stopped ? end("stopped") : end("lost", "given up by the reader"));
        await cancelled;
      },
    }, { highWaterMark: 0 });
  }

  /** Writes a line behind those that are being written. */
  #add(entry: Entry, at = this.#now()): Promise<void> {
    const lines = entryLines({ t: at - (this.#begin ?? at), ...entry });
    this.#written = this.#written.then(async () => {
      if (this.#failed) return;
      try {
        await this.#options.write(lines);
      } catch (error) {
        this.#failed = true;
        this.#options.onFailure(error);
      }
    });
    return this.#written;
  }
}

/** The blocks of a chunk; what is behind the last one comes last. */
function cut(chunk: Uint8Array, ends: BlockEnds): Uint8Array[] {
  const edges = [0, ...ends.find(chunk), chunk.length];
  return edges.slice(1).map((edge, i) => chunk.subarray(edges[i], edge)).filter(({ length }) =>
    length > 0
  );
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
