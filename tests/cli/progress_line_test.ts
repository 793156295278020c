/** The line of progress, and what it is made of. */

import { assertEquals } from "@std/assert";
import FakeTimers from "@sinonjs/fake-timers";
import { Output } from "../../cli/output.ts";
import { ProgressLine, showBytes, showCount, showTime } from "../../cli/progress_line.ts";
import { TestStream } from "./helpers.ts";

/** What is said within 21 s. */
async function said(terminal: boolean, quiet = false): Promise<string> {
  const clock = FakeTimers.install({ toFake: ["setInterval", "clearInterval"] });
  const stream = new TestStream(terminal, 20);
  let asked = 0;
  try {
    const progress = new ProgressLine(new Output(stream), () => `line ${++asked}`, quiet);
    await clock.tickAsync(terminal ? 450 : 21_000);
    progress.stop();
    await clock.tickAsync(60_000);
  } finally {
    clock.uninstall();
  }
  return stream.text;
}

Deno.test("ProgressLine writes over its line on a terminal, and gives one in a while elsewhere", async () => {
  assertEquals(await said(true), "\r\x1b[Kline 1\r\x1b[Kline 2\r\x1b[K");
  assertEquals(await said(false), "line 1\nline 2\n");
  assertEquals(await said(true, true), "");
});

Deno.test("sizes, times and counts are as people write them", () => {
  const sizes = [0, 999, 1_000, 999_400, 999_600, 12_345_678, 5e15].map(showBytes);
  assertEquals(sizes.join("|"), "0 B|999 B|1 kB|999 kB|1 MB|12.3 MB|5000 TB");
  const times = [0, 59_940, 60_000, 245_000, 3_600_000, 7_380_000].map(showTime);
  assertEquals(times.join("|"), "0.0 s|59.9 s|1 min 0 s|4 min 5 s|1 h 0 min|2 h 3 min");
  const counts = [
    showCount(1, "event"),
    showCount(1_234, "event"),
    showCount(0, "reply", "replies"),
  ];
  assertEquals(counts.join("|"), "1 event|1,234 events|0 replies");
});
