/**
 * A recorded event stream: sent in chunks that cut characters and line ends, and compared with what
 * a parser makes of the file as a whole.
 *
 * @module
 */

import { readEvents, type ServerSentEvent } from "@webstreams/sse/parse";
import { resolve } from "node:path";

/** A recorded event stream. */
export interface Recording {
  /** Its events, parsed from the whole file. */
  events: ServerSentEvent[];
  /** Its bytes, in odd chunks. */
  stream(): ReadableStream<Uint8Array>;
  /** The first event that is not as in the recording, as a sentence; `undefined` if all are. */
  difference(received: ServerSentEvent[]): string | undefined;
}

/** Sizes in bytes that fall together with nothing. */
const SIZES = [1, 3, 7, 13, 61, 251, 1021];

/** Reads the file at `path`, which must hold an event at least. */
export async function readRecording(path: string): Promise<Recording> {
  const file = resolve(path);
  const bytes = await Deno.readFile(file).catch((error) => {
    throw new Error(`Cannot read ${file}: ${reasonOf(error)}`);
  });
  const events = await Array.fromAsync(readEvents(bytes));
  if (events.length === 0) {
    throw new Error(`Cannot stream ${file}: no event stream, no event in it`);
  }
  return {
    events,
    stream: () => ReadableStream.from(cut(bytes)),
    difference: (received) => difference(received, events),
  };
}

function* cut(bytes: Uint8Array): Generator<Uint8Array> {
  for (let i = 0, at = 0; at < bytes.length; i++) {
    yield bytes.subarray(at, at += SIZES[i % SIZES.length]);
  }
}

function difference(received: ServerSentEvent[], sent: ServerSentEvent[]): string | undefined {
  for (let i = 0; i < Math.max(received.length, sent.length); i++) {
    const [got, want] = [received[i], sent[i]].map((event) => JSON.stringify(event) ?? "none");
    if (got !== want) {
      return `Event ${i + 1} of ${sent.length} differs: sent ${want}: received ${got}`;
    }
  }
}

function reasonOf(error: Error): string {
  if (error instanceof Deno.errors.NotFound) return "no such file";
  if (error instanceof Deno.errors.IsADirectory) return "it is a directory, give a file in it";
  return error.message;
}
