/**
 * What `sse check` could have heard, made by hand: the bytes, and when they came.
 *
 * @module
 */

import type { Head } from "../../../cli/check/ask.ts";
import type { Finding, Level } from "../../../cli/check/finding.ts";
import type { Heard } from "../../../cli/check/listen.ts";
import { Transcript } from "../../../cli/check/transcript.ts";
import { utf8 } from "../../helpers.ts";

/** The headers of a stream that nothing is wrong with. */
export const HEADERS: Readonly<Record<string, string>> = {
  "content-type": "text/event-stream",
  "cache-control": "no-cache, no-transform",
  "transfer-encoding": "chunked",
  "x-accel-buffering": "no",
};

/** Bytes, and when they came, in ms after the request. */
export type Chunk = readonly [at: number, bytes: string | Uint8Array];

/** What is different from a stream that nothing is wrong with. */
export interface HeardInit extends Partial<Omit<Heard, "head" | "transcript">> {
  /** The head, or what is different in it. */
  readonly head?: Partial<Head>;
}

/** The head of an answer that nothing is wrong with, but for `more`. */
export function head(more: Partial<Head> = {}): Head {
  return {
    url: new URL("http://sse.example/"),
    status: 200,
    version: "1.1",
    headers: new Headers(HEADERS),
    at: 10,
    hops: [],
    ...more,
  };
}

/** A transcript of what came when. */
export function transcript(...chunks: readonly (Chunk | string)[]): Transcript {
  const all = new Transcript();
  for (const chunk of chunks) {
    const [at, bytes] = typeof chunk === "string" ? [10, chunk] as const : chunk;
    all.feed(typeof bytes === "string" ? utf8(bytes) : bytes, at);
  }
  return all;
}

/** What was heard of a stream; it stayed open unless `init` has another end. */
export function heard(chunks: readonly Chunk[], init: HeardInit = {}): Heard {
  const last = chunks.at(-1)?.[0] ?? 0;
  return {
    firstByteAt: chunks[0]?.[0],
    ending: "time",
    endedAt: last + 10,
    fault: undefined,
    ...init,
    head: head(init.head),
    transcript: transcript(...chunks),
  };
}

/** The findings that say that something is wrong, as `level check`. */
export function wrong(findings: readonly Finding[]): string[] {
  const levels: readonly Level[] = ["error", "warning"];
  return findings.filter(({ level }) => levels.includes(level))
    .map(({ level, check }) => `${level} ${check}`);
}
