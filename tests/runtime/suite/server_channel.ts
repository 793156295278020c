/**
 * One topic and its readers, with no socket between.
 *
 * @module
 */

import type { Session } from "@webstreams/sse";
import type { Harness, Library } from "../harness.ts";
import { askFor, takeFrom } from "./server_helpers.ts";

/** Registers the tests. */
export function channels(library: Library, { test, assert }: Harness): void {
  const { Channel, MemoryEventLog, readEvents } = library;

  test("Channel publishes to all readers, with the ids of its log", async () => {
    const channel = new Channel();
    const readers = [1, 2, 3].map(() => readEvents(channel.subscribe(askFor())));
    const reads = readers.map((reader) => reader.next());
    const id = await channel.publish({ data: "hello", event: "greeting" });
    for (const read of reads) {
      assert.deepEqual((await read).value, { event: "greeting", data: "hello", id });
    }
    assert.equal(channel.size, 3);
    for (const reader of readers) await reader.return();
    assert.equal(channel.size, 0);
    await channel.close();
  });

  test("Channel gives a reader that comes back what it missed, then what comes", async () => {
    const channel = new Channel();
    const first = await channel.publish({ data: "1" });
    for (const data of ["2", "3"]) await channel.publish({ data });
    const reader = readEvents(channel.subscribe(askFor(first)));
    assert.deepEqual(await takeFrom(reader, 2), ["2", "3"]);
    const next = reader.next();
    await channel.publish({ data: "4" });
    assert.equal((await next).value?.data, "4");
    await reader.return();
    await channel.close();
  });

  test("Channel tells of a gap before what is held", async () => {
    const log = new MemoryEventLog({ maxEvents: 2 });
    const channel = new Channel({ log });
    const asked = await channel.publish({ data: "1" });
    for (const data of ["2", "3"]) await channel.publish({ data });
    const first = await channel.publish({ data: "4" });
    const reader = readEvents(channel.subscribe(askFor(asked)));
    const { value: gap } = await reader.next();
    assert.equal(gap?.event, "gap");
    const { reason, ...told } = JSON.parse(gap?.data ?? "{}");
    assert.deepEqual([reason, told.asked], ["trimmed", asked]);
    assert.deepEqual(await takeFrom(reader, 2), ["3", "4"]);
    assert.ok(first.endsWith(".4"));
    await reader.return();
    await channel.close();
    await log.close();
  });

  test("Channel tells a reader of another epoch of its gap", async () => {
    const channel = new Channel();
    await channel.publish({ data: "1" });
    const reader = readEvents(channel.subscribe(askFor("other.1")));
    const { value } = await reader.next();
    assert.deepEqual([value?.event, JSON.parse(value?.data ?? "{}").reason], ["gap", "epoch"]);
    await reader.return();
    await channel.close();
  });

  test("Channel sends a snapshot in place of a gap", async () => {
    const channel = new Channel({ onGap: ({ id }) => [{ event: "snapshot", data: id }] });
    const id = await channel.publish({ data: "1" });
    const reader = readEvents(channel.subscribe(askFor("other.9")));
    const { value } = await reader.next();
    assert.deepEqual([value?.event, value?.data], ["snapshot", id]);
    await reader.return();
    await channel.close();
  });

  test("Channel filters, and leaves out who said it", async () => {
    const sessions: Session[] = [];
    const channel = new Channel({
      filter: ({ data }) => data !== "hidden",
      onSession: (session, change) => void (change === "join" && sessions.push(session)),
    });
    const [one, two] = [1, 2].map(() => readEvents(channel.subscribe(askFor())));
    const reads = [one.next(), two.next()];
    await channel.publish({ data: "hidden" });
    await channel.publish({ data: "of one" }, { exclude: sessions[0] });
    await channel.publish({ data: "to all" });
    assert.deepEqual((await Promise.all(reads)).map(({ value }) => value?.data), [
      "to all",
      "of one",
    ]);
    await one.return();
    await two.return();
    await channel.close();
  });

  test("Channel refuses an id of the publisher's and what cannot be encoded", async () => {
    const channel = new Channel();
    await assert.rejects(() => channel.publish({ id: "1", data: "" }), { name: "TypeError" });
    await assert.rejects(() => channel.publish({ event: "a\nb" }), { name: "TypeError" });
    await channel.close();
  });

  test("Channel publishes once what has the same idempotency key", async () => {
    const channel = new Channel();
    const publish = () => channel.publish({ data: "a" }, { idempotencyKey: "order-7" });
    assert.equal(await publish(), await publish());
    await channel.close();
  });

  test("Channel answers 403, 406, 400 and 503", async () => {
    const channel = new Channel({
      authorize: (request) => !request.headers.has("x-eve"),
      maxSessions: 1,
    });
    const status = async (init: RequestInit, lastEventId = "") => {
      const response = channel.subscribe(askFor(lastEventId, init));
      await response.body?.cancel();
      return response.status;
    };
    assert.equal(await status({ headers: { "x-eve": "1" } }), 403);
    assert.equal(await status({ headers: { accept: "text/html" } }), 406);
    assert.equal(await status({}, "a\u00ff".repeat(9_000)), 400);
    const held = channel.subscribe(askFor());
    const refused = channel.subscribe(askFor());
    assert.equal(refused.status, 503);
    assert.match(refused.headers.get("retry-after") ?? "", /^\d+$/);
    await refused.body?.cancel();
    await held.body?.cancel();
    await channel.close();
  });

  test("Channel waits for an authorization that is asynchronous", async () => {
    const channel = new Channel({ authorize: () => Promise.resolve(false) });
    const response = await channel.subscribe(askFor());
    assert.equal(response.status, 403);
    await channel.close();
  });

  test("Channel revokes the sessions that a predicate or a user names", async () => {
    const channel = new Channel<string>();
    const ended: string[] = [];
    const onClose = ({ reason }: { reason: string }) => void ended.push(reason);
    const eve = channel.subscribe(askFor(), { state: "eve", onClose });
    const bob = channel.subscribe(askFor(), { state: "bob", user: "bob", onClose });
    assert.equal(channel.revoke(({ state }) => state === "eve"), 1);
    await channel.revokeUser("bob");
    assert.deepEqual([await eve.text(), await bob.text()], [": \n\n", ": \n\n"]);
    assert.deepEqual([ended, channel.size], [["revoked", "revoked"], 0]);
    await channel.close();
  });

  test("Channel drops a reader that is too slow, and the others get all", async () => {
    const slow: number[] = [];
    const channel = new Channel({
      maxQueueBytes: 10_000,
      onSlow: (_, { queuedBytes }) => slow.push(queuedBytes),
    });
    const still = channel.subscribe(askFor());
    const reader = readEvents(channel.subscribe(askFor()));
    for (let i = 0; i < 20; i++) {
      const next = reader.next();
      await channel.publish({ data: "x".repeat(1_000) });
      await next;
    }
    assert.deepEqual([slow.length, channel.size], [1, 1]);
    await reader.return();
    await still.body?.cancel().catch(() => {});
    await channel.close();
  });

  test("Channel drops the oldest events of a reader that is too slow, if told so", async () => {
    let dropped = 0;
    const channel = new Channel({
      maxQueueBytes: 5_000,
      slowConsumer: "drop-oldest",
      onSlow: (_, info) => void (dropped += info.dropped),
    });
    const reader = readEvents(channel.subscribe(askFor()));
    for (let i = 1; i <= 20; i++) await channel.publish({ data: `${i} ${"x".repeat(1_000)}` });
    channel.close();
    const data: string[] = [];
    for await (const event of reader) data.push(event.data.split(" ")[0]);
    assert.equal(data.length + dropped, 20);
    assert.ok(dropped > 0 && data.at(-1) === "20", `it got ${data}`);
  });

  test("Channel drains: its readers are told to wait, and nobody comes in", async () => {
    const channel = new Channel();
    const ended: string[] = [];
    const onClose = ({ reason }: { reason: string }) => void ended.push(reason);
    const held = channel.subscribe(askFor(), { onClose });
    const text = held.text();
    const closed = channel.close({ drain: 20 });
    const refused = channel.subscribe(askFor());
    assert.equal(refused.status, 503);
    await refused.body?.cancel();
    await closed;
    assert.match(await text, /\n\nretry: \d+\n\n$/);
    assert.deepEqual(ended, ["drained"]);
    await assert.rejects(() => channel.publish({ data: "late" }), { name: "TypeError" });
  });

  test("Channel counts what it does, and renders it as OpenMetrics", async () => {
    const channel = new Channel();
    const reader = readEvents(channel.subscribe(askFor()));
    const next = reader.next();
    await channel.publish({ data: "a" });
    await next;
    const text = library.renderOpenMetrics(channel.metrics);
    assert.match(text, /sessions.* 1\n/);
    assert.match(text, /# EOF\n$/);
    await reader.return();
    await channel.close();
  });
}
