/** {@linkcode connect} survives any script of faults against a hub: no loss, no repeat. */

import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { connect } from "../../client.ts";
import type { ServerSentEvent } from "../../parse.ts";
import { Hub, MemoryEventLog } from "../../server.ts";
import { createTransport, type Fault, type FaultPoint } from "../../testing.ts";
import { property, settle } from "../helpers.ts";
import { underFakeClock } from "./clock.ts";

const TOTAL = 30;
const URL = "http://sse.test/topics/numbers";

const point: fc.Arbitrary<FaultPoint> = fc.oneof(
  fc.record({ bytes: fc.nat(400) }),
  fc.record({ events: fc.nat(6) }),
);

const chunks: fc.Arbitrary<Fault["chunks"]> = fc.oneof(
  fc.constant(1),
  fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1, maxLength: 4 }),
  fc.record({ seed: fc.integer(), most: fc.integer({ min: 1, max: 60 }) }),
);

/** What does not lie about what was published: nothing is sent that the client cannot know for a repeat. */
const fault: fc.Arbitrary<Fault> = fc.oneof(
  fc.constant<Fault>({ refuse: true }),
  fc.record({ status: fc.constantFrom(401, 429, 500, 503) }),
  fc.constant<Fault>({ headers: { "content-type": "text/html" } }),
  fc.constant<Fault>({ delay: Infinity }),
  fc.record({ delay: fc.nat(50_000) }),
  fc.record({ chunks, cut: point }),
  fc.record({ chunks, end: point }),
  fc.record({ chunks, stall: point }),
  fc.record({ stall: point, cut: point, end: point, delay: fc.nat(1_000) }, { requiredKeys: [] }),
);

/** What happens beside the faults, between two publishes. */
const act = fc.constantFrom("cut", "end", "reconnect", "stall", "resume", "wait", "", "", "");

Deno.test("connect loses and repeats nothing of a hub, whatever the network does", async () => {
  const storm = fc.asyncProperty(
    fc.array(fault, { maxLength: 15 }),
    fc.array(act, { minLength: TOTAL, maxLength: TOTAL }),
    (faults, acts) => underFakeClock(() => survive(faults, acts)),
  );
  await fc.assert(storm, property(0.5));
});

async function survive(faults: Fault[], acts: string[]): Promise<void> {
  await using log = new MemoryEventLog();
  await using hub = new Hub({ log, keepAlive: false });
  await using transport = createTransport((request) => hub.fetch(request), { faults });
  // Where to begin: whoever has no id yet begins with what comes next.
  const lastEventId = await hub.publish("numbers", { data: "before" });
  const connection = connect(URL, {
    fetch: transport.fetch,
    lastEventId,
    retry: () => 0,
    idleTimeout: 5_000,
    connectTimeout: 10_000,
  });
  const events: ServerSentEvent[] = [];
  const reading = (async () => {
    for await (const event of connection) {
      events.push(event);
      if (events.length === TOTAL) break;
    }
  })();
  const published: ServerSentEvent[] = [];
  for (const [index, act] of acts.entries()) {
    const data = `${index + 1} é`;
    published.push({ event: "message", data, id: await hub.publish("numbers", { data }) });
    if (act === "reconnect") connection.reconnect();
    else if (act === "wait") await new Promise((resolve) => setTimeout(resolve, 100));
    else if (act !== "") transport[act as "cut"]();
  }
  transport.resume();
  await reading;
  assertEquals(events, published);
  // Answers that came too late are let go a little later.
  await settle();
  assertEquals([transport.connections.length, hub.size], [0, 0]);
}
