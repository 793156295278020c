/**
 * The event log in memory: the contract of all event logs, and its own bounds.
 *
 * @module
 */

import type { LoggedEvent } from "@webstreams/sse";
import type { Harness, Library, Suite } from "../harness.ts";

const suite: Suite = { name: "memory log", needs: [], register };
export default suite;

/** What events hold, read to their end. */
export async function dataOf(events: AsyncIterable<LoggedEvent>): Promise<(string | undefined)[]> {
  const data: (string | undefined)[] = [];
  for await (const event of events) data.push(event.data);
  return data;
}

function register(library: Library, { test, assert, testing }: Harness): void {
  const { MemoryEventLog } = library;

  for (const { name, run } of testing.eventLogContract((options) => new MemoryEventLog(options))) {
    test(`MemoryEventLog keeps the contract: ${name}`, run);
  }

  test("MemoryEventLog holds maxEvents of a topic", async () => {
    const log = new MemoryEventLog({ maxEvents: 2 });
    const first = await log.append("a", { data: "1" });
    const second = await log.append("a", { data: "2" });
    for (const data of ["3", "4"]) await log.append("a", { data });
    assert.deepEqual(await dataOf(log.read("a", { after: second })), ["3", "4"]);
    const shape = { name: "LogGapError", code: "ERR_SSE_LOG_GAP" };
    await assert.rejects(() => dataOf(log.read("a", { after: first })), shape);
    await log.close();
  });

  test("MemoryEventLog holds maxBytes of a topic, and always the newest event", async () => {
    const log = new MemoryEventLog({ maxBytes: 1_000 });
    await log.append("a", { data: "small" });
    const before = await log.append("a", { data: "small" });
    await log.append("a", { data: "x".repeat(2_000) });
    assert.equal((await dataOf(log.read("a", { after: before }))).length, 1);
    await assert.rejects(() => dataOf(log.read("a", { after: "" })), { name: "LogGapError" });
    await log.close();
  });

  test("MemoryEventLog holds maxTopics topics that nobody follows", async () => {
    const log = new MemoryEventLog({ maxTopics: 2 });
    const first = await log.append("a", { data: "1" });
    for (const topic of ["b", "c"]) await log.append(topic, { data: "1" });
    await assert.rejects(() => dataOf(log.read("a", { after: first })), { name: "LogGapError" });
    await log.close();
  });

  test("MemoryEventLog throws at bounds that make no sense", () => {
    assert.throws(() => new MemoryEventLog({ maxEvents: 0 }), { name: "RangeError" });
  });
}
