/**
 * What `memory_test.ts` measures, in a process of its own whose heap is not shared:
 * `deno run --v8-flags=--expose-gc tests/_memory.ts CASE` prints bytes as JSON.
 *
 * @module
 */

import { type ServerSentEvent, ServerSentEventParser } from "../parse.ts";
import { utf8 } from "./helpers.ts";

/** Bytes of the heap and outside of it; the garbage is collected first, unless told not to. */
function used(collect = true): number {
  if (collect) { for (let i = 0; i < 3; i++) (globalThis as unknown as { gc(): void }).gc(); }
  const { heapUsed, external } = Deno.memoryUsage();
  return heapUsed + external;
}

const CHUNK = 65_536;
const KEPT = "data: kept, and long enough that an engine slices it\n\n";

/** Keeps the first of the events of each chunk that says so; fills the others with `filler`. */
function keepOne(filler: string, before: number): number {
  const room = CHUNK - utf8(KEPT).length;
  const lines = filler.repeat(Math.ceil(room / utf8(filler).length));
  const head = lines.slice(0, filler.length * Math.floor(before / utf8(filler).length));
  const stream = utf8(head + KEPT + lines);
  const parser = new ServerSentEventParser();
  const kept: (ServerSentEvent | undefined)[] = [];
  const start = used();
  for (let i = 0; i < 400; i++) {
    const events = parser.feed(stream.slice(0, CHUNK));
    kept.push(events.find(({ data }) => data.startsWith("kept")));
    // What was cut off at the end of the chunk.
    parser.reset();
  }
  const bytes = used() - start;
  if (kept.includes(undefined)) throw new Error("There was nothing to keep");
  return bytes;
}

/** Feeds `line` again and again, a million times, and never a blank line. */
function manyLines(line: string, chunkLines: number): number {
  const chunk = utf8(line.repeat(chunkLines));
  const parser = new ServerSentEventParser();
  const start = used();
  for (let i = 0; i < 1_000_000 / chunkLines; i++) parser.feed(chunk);
  const bytes = used() - start;
  if (parser.feed("\n")[0].data.length !== 999_999) throw new Error("Some lines were lost");
  return bytes;
}

/** Feeds one line of 16 MB in chunks; the peak, up to and with its event. */
function longLine(): number {
  const chunk = utf8("x".repeat(1_400));
  const parser = new ServerSentEventParser();
  const start = used();
  let peak = 0;
  let length = 0;
  parser.feed("data: ");
  while (length < 16_000_000) {
    parser.feed(chunk);
    length += chunk.length;
    if (length % 140_000 === 0) peak = Math.max(peak, used(false) - start);
  }
  const [{ data }] = parser.feed("\n\n");
  peak = Math.max(peak, used(false) - start);
  // Reading it makes engines put it together.
  if (data.length !== length || data.indexOf("y") !== -1) throw new Error("Some of it was lost");
  return Math.max(peak, used(false) - start);
}

/** Feeds a comment of 16 MB in chunks. */
function longComment(): number {
  const chunk = utf8("x".repeat(1_400));
  const parser = new ServerSentEventParser();
  parser.feed(": ");
  const start = used();
  for (let i = 0; i < 11_428; i++) parser.feed(chunk);
  const bytes = used() - start;
  if (!parser.incomplete) throw new Error("The comment has ended");
  return bytes;
}

const CASES: Record<string, () => number> = {
  "comments": () => keepOne(`: ${"c".repeat(97)}\n`, 0),
  "comments-before": () => keepOne(`: ${"c".repeat(97)}\n`, 30_000),
  "events": () => keepOne(`event: other\ndata: ${"d".repeat(200)}\n\n`, 0),
  "events-before": () => keepOne(`data: ${"d".repeat(200)}\n\n`, 60_000),
  "long-line": () => keepOne(`: ${"c".repeat(200_000)}\n`, 0),
  "non-ascii": () => keepOne(`data: ${"日本語".repeat(30)}\n\n`, 20_000),
  "two-byte": () => keepOne(`data: ${"d".repeat(100)}😀\n\n`, 20_000),
  "lines-data": () => manyLines("data\n", 10_000),
  "lines-data-small": () => manyLines("data:\n", 8),
  "lines-data-crlf": () => manyLines("data: \r\n", 10_000),
  "line": longLine,
  "comment": longComment,
};

if (import.meta.main) console.log(JSON.stringify(CASES[Deno.args[0]]()));
