/** What the parser keeps alive, measured in a process of its own (`tests/_memory.ts`). */

import { assert } from "@std/assert";

const CHUNKS = 400;
const LINES = 1_000_000;
const LINE = 16_000_000;

// The bounds of kept events lie between the 16 KiB that are meant to be kept alive for each and the
// 64 KiB of its chunk; in a text of two-byte code units 16 KiB of UTF-8 take twice as much.
const CASES: [name: string, title: string, bound: number][] = [
  ["comments", "One event kept of each 64 KB chunk, comments after it", CHUNKS * 32_768],
  ["comments-before", "One event kept of each 64 KB chunk, among comments", CHUNKS * 32_768],
  ["events", "One event kept of each 64 KB chunk, other events after it", CHUNKS * 32_768],
  ["events-before", "One event kept of each 64 KB chunk, other events before it", CHUNKS * 32_768],
  ["long-line", "One event kept of each 64 KB chunk, one long comment after it", CHUNKS * 32_768],
  ["non-ascii", "One event kept of each 64 KB chunk, among CJK", CHUNKS * 32_768],
  ["two-byte", "One event kept of each 64 KB chunk, among few emoji", CHUNKS * 49_152],
  ["lines-data", "A million data lines without colon", LINES * 64],
  ["lines-data-small", "A million data lines of no length in small chunks", LINES * 64],
  ["lines-data-crlf", "A million data lines of no length with CRLF", LINES * 64],
  ["line", "A line of 16 MB in 1.4 KB chunks, at its peak", 4 * LINE],
  ["comment", "A comment of 16 MB in 1.4 KB chunks", LINE / 64],
];

for (const [name, title, bound] of CASES) {
  Deno.test(`${title}: at most ${Math.round(bound / 1024)} KiB`, async () => {
    const script = new URL("./_memory.ts", import.meta.url);
    const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--v8-flags=--expose-gc", script.href, name],
    }).output();
    assert(success, new TextDecoder().decode(stderr));
    const bytes = Number(new TextDecoder().decode(stdout));
    assert(bytes < bound, `${bytes} bytes, of ${bound} at most`);
  });
}
