/**
 * One way to read chunks, whatever holds them.
 *
 * @module
 */

/** What holds chunks: a stream, an (async) iterable, or all of it at once. */
export type ChunkInput =
  | ReadableStream<Uint8Array>
  | ReadableStream<string>
  | AsyncIterable<Uint8Array | string>
  | Iterable<Uint8Array | string>
  | Uint8Array
  | string;

/** What a read gives: a chunk, or the end. */
export type ChunkResult =
  | { done?: false; value: Uint8Array | string }
  | { done: true; value?: unknown };

/** Chunks, read one by one. */
export interface ChunkSource {
  /** The next chunk. Not called again before it has settled. */
  read(): Promise<ChunkResult>;
  /** Stops the source. A pending read settles at once, whatever the source does. */
  cancel(reason: unknown): Promise<void>;
}

/** Opens a source: a stream is locked, but nothing is read yet. */
export function openSource(input: ChunkInput): ChunkSource {
  if (typeof input === "string" || ArrayBuffer.isView(input)) return new IteratorSource([input]);
  // By shape and not by class: a polyfill or another realm has classes of its own.
  if (typeof input === "object" && input !== null) {
    if ("getReader" in input) return new StreamSource(input);
    if (Symbol.asyncIterator in input || Symbol.iterator in input) return new IteratorSource(input);
  }
  throw new TypeError(
    `Cannot read events: the source must be a Response, a ReadableStream, an iterable, a string or a Uint8Array: received ${
      input === null ? "null" : typeof input
    }`,
  );
}

class StreamSource implements ChunkSource {
  readonly #reader: ReadableStreamDefaultReader<Uint8Array | string>;

  constructor(stream: ReadableStream<Uint8Array | string>) {
    if (stream.locked) {
      throw new TypeError(
        "Cannot read events: the stream is locked by another reader, pass one that nobody reads",
      );
    }
    this.#reader = stream.getReader();
  }

  read(): Promise<ChunkResult> {
    return this.#reader.read();
  }

  cancel(reason: unknown): Promise<void> {
    return this.#reader.cancel(reason);
  }
}

class IteratorSource implements ChunkSource {
  readonly #iterator: AsyncIterator<Uint8Array | string> | Iterator<Uint8Array | string>;
  /** Ends the pending read; there is none when it is `undefined`. */
  #stop: (() => void) | undefined = undefined;

  constructor(input: AsyncIterable<Uint8Array | string> | Iterable<Uint8Array | string>) {
    this.#iterator = Symbol.asyncIterator in input
      ? input[Symbol.asyncIterator]()
      : input[Symbol.iterator]();
  }

  read(): Promise<ChunkResult> {
    return new Promise<ChunkResult>((resolve, reject) => {
      this.#stop = () => resolve({ done: true });
      Promise.resolve(this.#iterator.next()).then(resolve, reject);
    }).finally(() => this.#stop = undefined);
  }

  async cancel(): Promise<void> {
    const stop = this.#stop;
    stop?.();
    const returned = this.#iterator.return?.();
    // A generator that is parked on an await answers when that is over, which may be never.
    if (stop !== undefined) Promise.resolve(returned).catch(() => {});
    else await returned;
  }
}
