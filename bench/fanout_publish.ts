/**
 * What it costs to publish where nobody has to be told: with how many topics there are, and against
 * the log alone.
 *
 * @module
 */

import { Hub, MemoryEventLog } from "../server.ts";
import { dataOf } from "./fanout_contestants.ts";
import { measure } from "./measure.ts";

/** Publishes in a row. */
const ROW = 100;

/**
 * Times publishes.
 *
 * @param topics How many are many.
 * @returns The CPU time of one, in µs.
 */
export async function publishCosts(
  topics: number,
): Promise<{ append: number; one: number; many: number }> {
  const names = Array.from({ length: topics }, (_, i) => `topic-${i}`);
  const event = { data: dataOf(0) };
  // As many events are held in each, for what is held is the collector's work, and not the topics'.
  const log = new MemoryEventLog({ maxEvents: topics });
  await using one = new Hub({ log: new MemoryEventLog({ maxEvents: topics }) });
  await using many = new Hub({ log: new MemoryEventLog({ maxEvents: 1, maxTopics: topics }) });
  for (const name of names) {
    await log.append(names[0], event);
    await one.publish(names[0], event);
    await many.publish(name, event);
  }
  let next = 0;
  const costs = await measure({
    append: async () => {
      for (let i = 0; i < ROW; i++) await log.append(names[0], event);
    },
    one: async () => {
      for (let i = 0; i < ROW; i++) await one.publish(names[0], event);
    },
    many: async () => {
      for (let i = 0; i < ROW; i++) await many.publish(names[next++ % topics], event);
    },
  }, 101);
  return { append: costs.append / ROW, one: costs.one / ROW, many: costs.many / ROW };
}
