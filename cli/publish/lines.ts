/**
 * The lines of stdin, no faster than they are taken.
 *
 * @module
 */

import { EventTooLargeError } from "../../errors.ts";
import { LineDecoderStream } from "../../parse.ts";
import type { Context } from "../context.ts";
import { Failure } from "../failure.ts";

/** A line. */
export interface Line {
  /** Its number, from 1 up; blank lines count. */
  readonly number: number;
  /** What is in it, without its end. */
  readonly text: string;
}

/** How long a line may be, in UTF-16 code units. */
const MAX_LINE = 16 * 1_024 * 1_024;

/**
 * Reads lines, which end with LF, CRLF or CR, the last one perhaps with nothing. Blank ones are left
 * out. When the signal is aborted it ends, and nothing more is read.
 *
 * @throws {Failure} If a line is too long.
 */
export async function* readLines(
  stdin: Context["stdin"],
  signal: AbortSignal,
): AsyncGenerator<Line, void> {
  const lines = ReadableStream.from(terminated(stdin))
    .pipeThrough(new LineDecoderStream({ maxEventSize: MAX_LINE }));
  const reader = lines.getReader();
  const stop = () => {
    reader.cancel().catch(() => {});
    // A read that is parked keeps the process; to leave the iterator would wait for it.
    if ("destroy" in stdin && typeof stdin.destroy === "function") stdin.destroy();
  };
  signal.addEventListener("abort", stop, { once: true });
  try {
    for (let number = 1; !signal.aborted; number++) {
      const { done, value } = await readLine(reader, number);
      if (done) return;
      if (value.trim() !== "") yield { number, text: value };
    }
  } finally {
    signal.removeEventListener("abort", stop);
    stop();
  }
}

async function readLine(
  reader: ReadableStreamDefaultReader<string>,
  number: number,
): Promise<ReadableStreamReadResult<string>> {
  try {
    return await reader.read();
  } catch (cause) {
    if (!(cause instanceof EventTooLargeError)) throw cause;
    throw new Failure(
      `Cannot read line ${number}: it is longer than ${MAX_LINE} characters, publish one event a line`,
      { cause },
    );
  }
}

/** The decoder drops a line that has no end, as the event stream has it. Here it counts. */
async function* terminated(stdin: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  yield* stdin;
  yield new Uint8Array([10]);
}
