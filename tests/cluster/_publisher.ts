/**
 * The publisher of the cluster test, in a process of its own, which serves no readers: so many
 * numbered events of each topic, in order, each tried until the log has it. It says how many there are
 * by now, a line each time, and at the end how many had to be tried again.
 *
 * Arguments: the engine and its port, how many topics, how many events of each, how many ms between
 * two of a topic.
 *
 * @module
 */

import { LogUnavailableError } from "../../errors.ts";
import { delay } from "../fault/real_time.ts";
import { engineName, openLog } from "./logs.ts";
import { LOG } from "./terms.ts";

const [engine, ...numbers] = Deno.args;
const [enginePort, topics, events, interval] = numbers.map(Number);
await using opened = await openLog(engineName(engine), enginePort, LOG);
const { log } = opened;
let published = 0;
let again = 0;

async function publish(topic: string, n: number): Promise<void> {
  for (;;) {
    try {
      await log.append(topic, { data: `${topic} ${n}` }, { idempotencyKey: `${n}` });
      return;
    } catch (error) {
      if (!(error instanceof LogUnavailableError)) throw error;
      again++;
      await delay(50);
    }
  }
}

async function publishAll(topic: string): Promise<void> {
  let due = performance.now();
  for (let n = 1; n <= events; n++) {
    await publish(topic, n);
    if (++published % 100 === 0) console.log(published);
    due += interval;
    await delay(Math.max(0, due - performance.now()));
  }
}

await Promise.all(Array.from({ length: topics }, (_, i) => publishAll(`topic-${i}`)));
console.log(`again ${again}`);
