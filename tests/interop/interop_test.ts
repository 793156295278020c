import { assert, assertEquals } from "@std/assert";
import { HARD_EVENTS } from "./events.ts";
import { KNOWN } from "./known.ts";
import { runMatrix } from "./matrix.ts";
import { READERS, SENDERS } from "./peers_all.ts";
import { problems, render } from "./table.ts";

Deno.test("HARD_EVENTS are 40, each with a name of its own", () => {
  assertEquals(new Set(HARD_EVENTS.map(({ name }) => name)).size, 40);
});

Deno.test("KNOWN holds no fault of ours, and none of a peer that is not there", () => {
  const names = [...SENDERS, ...READERS].filter(({ ours }) => !ours).map(({ name }) => name);
  for (const { sender, reader } of KNOWN) {
    const name = sender ?? reader ?? "";
    assert(names.includes(name), name);
  }
});

// Browsers and libraries that are not ours leave timers and sockets to their end.
const unsanitized = { sanitizeOps: false, sanitizeResources: false };

Deno.test(
  "connect and eventStreamResponse are right with every peer, and all others as known",
  unsanitized,
  async () => {
    const matrix = await runMatrix(SENDERS, READERS);
    console.log(render(matrix));
    assertEquals(problems(matrix, Deno.env.get("CI") !== undefined), []);
  },
);
