/**
 * What the live page holds while events keep coming.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import type { CDPSession } from "playwright-core";
import { eventually } from "../examples/example.ts";
import { hasChromium } from "../chromium.ts";
import { LivePage } from "./page_browser.ts";

/** Publishes events up to a number, none faster than the page takes them. */
async function publishTo(live: LivePage, last: number): Promise<void> {
  const { hub } = live.service;
  const pad = "x".repeat(100);
  for (let n = hub.metrics.published + 1; n <= last; n++) {
    await hub.publish(n % 3 === 0 ? "orders" : "clock", {
      event: n % 2 === 0 ? "tick" : "tock",
      data: JSON.stringify({ n, pad }),
    });
    if (n % 1_000 !== 0) continue;
    await eventually(() => hub.metrics.queuedBytes === 0, () => `the page stands still at ${n}`);
  }
  await live.reads("#received", last.toLocaleString("en-US"));
}

/** What the page holds, in bytes and in nodes, once all that can go is gone. */
async function held(session: CDPSession): Promise<{ bytes: number; nodes: number }> {
  for (let i = 0; i < 3; i++) await session.send("HeapProfiler.collectGarbage");
  const { usedSize } = await session.send("Runtime.getHeapUsage");
  const { nodes } = await session.send("Memory.getDOMCounters");
  return { bytes: usedSize, nodes };
}

Deno.test("the live page holds no more after 100,000 events than after 50,000", {
  ignore: !hasChromium,
}, async () => {
  await using live = await LivePage.open();
  const session = await live.page.context().newCDPSession(live.page);
  await publishTo(live, 50_000);
  const half = await held(session);
  await publishTo(live, 100_000);
  const all = await held(session);
  console.log(
    `after 50,000: ${half.bytes} bytes, ${half.nodes} nodes; after 100,000: ${all.bytes}, ${all.nodes}`,
  );
  assert(all.bytes < half.bytes + 1_000_000, "the heap is flat");
  assert(all.nodes < half.nodes + 1_000, "so is the document");
  assertEquals(await live.page.locator("#body .entry").count(), 1_000);
  assertEquals(await live.text("#shown"), "1,000 of 5,000 kept");
  assertEquals([await live.text("#lost"), await live.text("#repeated")], ["0", "0"]);
  assertEquals((await live.texts("#body .data"))[0].slice(0, 11), '{"n":100000');
  live.assertQuiet();
});
