/** What `hostile.ts` holds: that it is as hostile as it says, and survives the wire. */

import { assert, assertEquals } from "@std/assert";
import { ServerSentEventParser } from "../../parse.ts";
import { endless, HOSTILE_RETRIES, POISONED_IDS } from "./hostile.ts";
import { faultServer } from "./server.ts";

Deno.test("POISONED_IDS are the last event IDs of the streams that hold them", async () => {
  await using server = await faultServer([{ body: POISONED_IDS.map(([, id]) => `id: ${id}\n\n`) }]);
  const ids: string[] = [];
  const parser = new ServerSentEventParser({ onId: (id) => ids.push(id) });
  for await (const chunk of (await fetch(server.url)).body ?? []) parser.feed(chunk);
  assertEquals(ids, POISONED_IDS.map(([, id]) => id));
  assertEquals(new Set(POISONED_IDS.map(([name]) => name)).size, ids.length);
});

Deno.test("HOSTILE_RETRIES are some that set the reconnection time and some that do not", () => {
  const retries: number[] = [];
  const parser = new ServerSentEventParser({ onRetry: (ms) => retries.push(ms) });
  for (const retry of HOSTILE_RETRIES) parser.feed(`retry: ${retry}\n\n`);
  assert(retries.length >= 6 && retries.length < HOSTILE_RETRIES.length, `${retries}`);
  assert(retries.includes(0));
});

Deno.test("endless gives one line of any length", () => {
  const line = new Uint8Array(
    endless(150_000).reduce<number[]>((all, part) => [...all, ...part], []),
  );
  assertEquals(line.length, 150_000);
  assertEquals(new TextDecoder().decode(line), "data: ".padEnd(150_000, "x"));
  assertEquals(endless().take(100).reduce((sum, part) => sum + part.length, 0), 6_553_600);
});
