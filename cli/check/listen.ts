/**
 * The reading of one body for a time.
 *
 * @module
 */

import type { Answer, Head } from "./ask.ts";
import type { Clock } from "./clock.ts";
import { decoderOf, encodingOf } from "./encoding.ts";
import { Transcript } from "./transcript.ts";

/**
 * Why no more was read: `"ended"` by the server, `"broken"` off, the `"time"` is over, there was
 * `"enough"`, or the command was `"stopped"`.
 */
export type Ending = "ended" | "broken" | "time" | "enough" | "stopped";

const CUT = "the connection was closed in the middle of the body";

/** What was heard of one answer. */
export interface Heard {
  /** Its head. */
  readonly head: Head;
  /** Its body, decompressed. */
  readonly transcript: Transcript;
  /** When the first byte of the body came, in ms after the request; of it as it was sent. */
  readonly firstByteAt: number | undefined;
  /** Why no more was read. */
  readonly ending: Ending;
  /** When that was, in ms after the request. */
  readonly endedAt: number;
  /** What broke, if something did. */
  readonly fault: string | undefined;
}

/** How long to listen, and to what end. */
export interface ListenOptions {
  /** Until when, in ms after the request. */
  readonly until: number;
  /** Ends it. */
  readonly signal: AbortSignal;
  /** The clock that the request was made by. */
  readonly clock: Clock;
  /** Whether that is enough, asked after each chunk. */
  enough?(transcript: Transcript, at: number): boolean;
  /** Told of each chunk. */
  onChunk?(transcript: Transcript): void;
}

/** Reads the body of an answer, and leaves it in any case. */
export function listen(answer: Answer, options: ListenOptions): Promise<Heard> {
  const { head, message, start } = answer;
  const { until, signal, clock, enough, onChunk } = options;
  const transcript = new Transcript();
  const decoder = decoderOf(encodingOf(head.headers));
  let firstByteAt: number | undefined;
  const { promise, resolve } = Promise.withResolvers<Heard>();
  let over = false;
  const now = () => clock.now() - start;
  const end = (ending: Ending, fault?: string) => {
    if (over) return;
    over = true;
    stopTimer();
    signal.removeEventListener("abort", onAbort);
    message.destroy();
    if (typeof decoder === "object") decoder.destroy();
    resolve({ head, transcript, firstByteAt, ending, endedAt: now(), fault });
  };
  const take = (chunk: Uint8Array) => {
    if (over) return;
    transcript.feed(chunk, now());
    onChunk?.(transcript);
    if (enough?.(transcript, now())) end("enough");
  };
  const onAbort = () => end("stopped");
  const stopTimer = clock.after(Math.max(0, until - now()), () => end("time"));
  signal.addEventListener("abort", onAbort);
  if (signal.aborted) end("stopped");
  message.on("error", (error) => end("broken", isCut(error) ? CUT : error.message));
  message.on("data", (chunk: Uint8Array) => {
    if (over) return;
    firstByteAt ??= now();
    if (decoder === "identity") take(chunk);
    else if (decoder !== undefined && !decoder.write(chunk)) message.pause();
  });
  let whole = false;
  message.on("end", () => {
    whole = true;
    if (typeof decoder === "object") decoder.end();
    else end("ended");
  });
  message.on("close", () => !whole && end("broken", CUT));
  if (typeof decoder === "object") {
    decoder.on("error", ({ message }) => end("broken", `it cannot be decompressed: ${message}`));
    decoder.on("data", take);
    decoder.on("drain", () => message.resume());
    decoder.on("end", () => end("ended"));
  }
  return promise;
}

/** What Node says of it is "aborted", as if we had done it. */
function isCut(error: Error): boolean {
  return "code" in error && error.code === "ECONNRESET";
}

/** When the first text came, in ms after the request. */
export function firstTextAt({ transcript }: Heard): number | undefined {
  return transcript.bursts[0]?.at;
}

/** Whether the body had an end of its own. */
export function hasEnded({ ending }: Heard): boolean {
  return ending === "ended" || ending === "broken";
}
