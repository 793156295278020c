/**
 * A process that appends to the log in a file until it is killed, or as often as it is told.
 *
 * Its arguments are the file, its name, and how many turns it appends in, 0 for no end. For each event
 * whose append has resolved it writes a line, at once: the topic, the id and the data.
 *
 * @module
 */

import { SqliteEventLog } from "../../log/sqlite.ts";

const [path, name, turns] = Deno.args;
const topics = ["a", "b", "c"];
const encoder = new TextEncoder();

const log = new SqliteEventLog(path, {
  maxEvents: Infinity,
  maxBytes: Infinity,
  timeout: 30_000,
});

async function append(topic: string, data: string): Promise<void> {
  const id = await log.append(topic, { data });
  Deno.stdout.writeSync(encoder.encode(`${topic} ${id} ${data}\n`));
}

let next = 0;
for (let turn = 1; turn <= Number(turns) || turns === "0"; turn++) {
  const count = 1 + turn % 4;
  await Promise.all(Array.from({ length: count }, () => {
    const n = next++;
    return append(topics[n % topics.length], `${name}-${n}`);
  }));
}
await log.close();
