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
  /** The next chunk, of which bytes stay until the next call: not before this one has settled. */
  read(): Promise<ChunkResult>;
  /** Stops the source. A pending read settles at once, whatever the source does. */
  cancel(reason: unknown): Promise<void>;
}

/** Opens a source: a stream is locked, but nothing is read yet. */
export function openSource(input: ChunkInput): ChunkSource {
  if (typeof input === "string" || ArrayBuffer.isView(input)) return openIterable([input]);
  // By shape and not by class: a polyfill or another realm has classes of its own.
  if (typeof input === "object" && input !== null) {
    if ("getReader" in input) return openStream(input);
    if (Symbol.asyncIterator in input || Symbol.iterator in input) return openIterable(input);
  }
  throw new TypeError(
    `Cannot read events: the source must be a Response, a ReadableStream, an iterable, a string or a Uint8Array: received ${
      input === null ? "null" : typeof input
    }`,
  );
}

function openStream(stream: ReadableStream<Uint8Array | string>): ChunkSource {
  if (stream.locked) {
    throw new TypeError(
      "Cannot read events: the stream is locked by another reader, pass one that nobody reads",
    );
  }
  // Others only have the shape of a stream.
  if (stream instanceof ReadableStream) {
    try {
      return openByteStream(stream);
    } catch {
      // It is none of bytes.
    }
  }
  return stream.getReader();
}

/** The buffer of a stream begins with this many bytes and doubles when a chunk fills it. */
const BUFFER_SIZE = 8_192;
/** As much as Deno reads from a socket at once. */
const MAX_BUFFER_SIZE = 65_536;

/**
 * A stream that reads into a buffer of ours, as the body of a response does on Deno and Node: always
 * the same one, for to make one for each chunk costs more than to parse it (`bench:connect`).
 */
function openByteStream(stream: ReadableStream<unknown>): ChunkSource {
  const reader = stream.getReader({ mode: "byob" });
  let buffer = new ArrayBuffer(BUFFER_SIZE);
  let closed = false;
  // A source that closes without an answer to the pending read, as one does that was not written
  // for buffers of others, would leave it pending for ever: it is rejected here. One that has its
  // bytes is not, though `closed` may be told before it: on Node that of `new Response("...")` is.
  reader.closed.then(() => {
    closed = true;
    reader.releaseLock();
    // It stays locked, as any stream that was read here.
    stream.getReader();
  }, () => {});
  return {
    async read() {
      try {
        const { done, value } = await reader.read(new Uint8Array(buffer));
        if (done) return { done };
        // It was lent to the stream; one that is filled was too small.
        const { length } = value;
        buffer = value.buffer;
        const chunk = new Uint8Array(buffer, 0, length);
        if (length === buffer.byteLength && length < MAX_BUFFER_SIZE) {
          buffer = new ArrayBuffer(2 * length);
        }
        return { value: chunk };
      } catch (error) {
        if (closed) return { done: true };
        throw error;
      }
    },
    async cancel(reason) {
      if (!closed) await reader.cancel(reason);
    },
  };
}

function openIterable(
  input: AsyncIterable<Uint8Array | string> | Iterable<Uint8Array | string>,
): ChunkSource {
  const iterator = Symbol.asyncIterator in input
    ? input[Symbol.asyncIterator]()
    : input[Symbol.iterator]();
  /** Ends the pending read; there is none when it is `undefined`. */
  let stop: (() => void) | undefined;
  return {
    read() {
      return new Promise<ChunkResult>((resolve, reject) => {
        stop = () => resolve({ done: true });
        Promise.resolve(iterator.next()).then(resolve, reject);
      }).finally(() => stop = undefined);
    },
    async cancel() {
      const pending = stop !== undefined;
      stop?.();
      const returned = iterator.return?.();
      // A generator that is parked on an await answers when that is over, which may be never.
      if (pending) Promise.resolve(returned).catch(() => {});
      else await returned;
    },
  };
}
