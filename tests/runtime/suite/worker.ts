/**
 * A Worker that serves events, read from outside by the client on Deno. The origin is that of the
 * Worker, `worker.ts`.
 *
 * @module
 */

import type { Harness, Library, Suite } from "../harness.ts";

/** How often a Worker is asked whether its readers have left. */
const TRIES = 200;

/** The suite. */
export const workerSuite: Suite = {
  name: "worker, from outside",
  needs: ["fetch"],
  register,
};

function register({ connect }: Library, { test, assert, origin }: Harness): void {
  const topic = () => `${origin}/topics/${crypto.randomUUID()}`;
  const publish = async (url: string, body: string): Promise<void> => {
    const response = await fetch(url, { method: "POST", body });
    assert.equal(response.status, 202, await response.text());
  };

  test("eventStreamResponse sends each event when it is there", async () => {
    await using feed = connect(`${origin}/count`);
    const response = await feed.opened;
    assert.equal(response.headers.get("content-type"), "text/event-stream");
    const events: string[] = [];
    for await (const batch of feed.batches()) {
      // They are 20 ms apart: two at once were held back.
      assert.equal(batch.length, 1);
      events.push(batch[0].data);
      if (events.length === 5) break;
    }
    assert.deepEqual(events, ["1", "2", "3", "4", "5"]);
  });

  test("eventStreamResponse goes on after the last event ID", async () => {
    await using feed = connect(`${origin}/count`, { lastEventId: "3" });
    assert.deepEqual([(await feed.next()).value?.id, (await feed.next()).value?.id], ["4", "5"]);
  });

  test("a Hub in a Durable Object sends an event before the next one is published", async () => {
    await using feed = connect(topic());
    await feed.opened;
    for (const data of ["a", "b", "c"]) {
      await publish(feed.url, data);
      assert.equal((await feed.next()).value?.data, data);
    }
  });

  test("a Hub in a Durable Object has many readers", async () => {
    const url = topic();
    await using first = connect(url);
    await using second = connect(url);
    await Promise.all([first.opened, second.opened]);
    await publish(url, "for both");
    const events = await Promise.all([first.next(), second.next()]);
    assert.deepEqual(events.map(({ value }) => value?.data), ["for both", "for both"]);
  });

  test("a Hub in a Durable Object replays what a reader has missed", async () => {
    const url = topic();
    const before = connect(url);
    await before.opened;
    await publish(url, "a");
    const lastEventId = (await before.next()).value?.id ?? "";
    before.close();
    await publish(url, "b");
    await publish(url, "c");
    await using after = connect(url, { lastEventId });
    const events = [await after.next(), await after.next()];
    assert.deepEqual(events.map(({ value }) => value?.data), ["b", "c"]);
    await publish(url, "live again");
    assert.equal((await after.next()).value?.data, "live again");
  });

  test("connect comes back to a Hub in a Durable Object, and loses nothing", async () => {
    await using feed = connect(topic(), { retry: { initialDelay: 10 } });
    await feed.opened;
    await publish(feed.url, "a");
    await feed.next();
    const next = feed.next();
    feed.reconnect();
    await publish(feed.url, "b");
    assert.equal((await next).value?.data, "b");
    assert.equal(feed.stats.attempts, 2);
  });

  test("a Hub in a Durable Object knows that its readers have left", async () => {
    const size = async () => await (await fetch(`${origin}/size`)).json();
    const url = topic();
    const feed = connect(url);
    await feed.opened;
    const before = await size();
    feed.close();
    let after = before;
    for (let i = 0; i < TRIES && after === before; i++) {
      // A Worker learns of it when it writes.
      await publish(url, "anybody?");
      after = await size();
    }
    assert.equal(after, before - 1);
  });

  for (const id of ["\u00e9", "\u00e9\u2713", "\u4e16\u754c"]) {
    test(`eventStreamResponse reads the last event ID "${id}"`, async () => {
      await using feed = connect(`${origin}/asked`, { lastEventId: id });
      assert.equal((await feed.next()).value?.data, id);
    });
  }
}
