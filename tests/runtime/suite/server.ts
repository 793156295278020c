/**
 * Event-stream responses: called with a `Request`, read from the `Response`, with no socket between.
 *
 * @module
 */

import type { Session } from "@webstreams/sse";
import type { Harness, Library, Suite } from "../harness.ts";
import { channels } from "./server_channel.ts";
import { askFor, endless } from "./server_helpers.ts";
import { hubs } from "./server_hub.ts";

const suite: Suite = { name: "server", needs: [], register };
export default suite;

function register(library: Library, harness: Harness): void {
  const { test, assert } = harness;
  const { eventStreamResponse, readEvents } = library;

  test("eventStreamResponse has the headers of an event stream", async () => {
    const response = eventStreamResponse([], { headers: { "x-own": "1" } });
    assert.equal(response.status, 200);
    const names = ["content-type", "x-own", "x-accel-buffering"];
    assert.deepEqual(names.map((name) => response.headers.get(name)), [
      "text/event-stream",
      "1",
      "no",
    ]);
    assert.match(response.headers.get("cache-control") ?? "", /no-cache|no-store/);
    await response.body?.cancel();
  });

  test("eventStreamResponse sends an array, a generator and a stream", async () => {
    const events = [{ data: "a" }, { data: "b", id: "2" }];
    async function* generate() {
      for (const event of events) {
        await Promise.resolve();
        yield event;
      }
    }
    const stream = new ReadableStream({
      start(controller) {
        for (const event of events) controller.enqueue(event);
        controller.close();
      },
    });
    for (const source of [events, generate(), stream]) {
      const text = await eventStreamResponse(source).text();
      assert.equal(text, ": \n\ndata: a\n\nid: 2\ndata: b\n\n");
    }
  });

  test("eventStreamResponse runs a function with its session", async () => {
    const response = eventStreamResponse(async (session) => {
      await session.comment("hello");
      await session.send({ data: session.lastEventId, event: "from" });
    }, { request: askFor("é-7"), retry: 5, padding: 2 });
    const text = await response.text();
    assert.equal(text, ":   \nretry: 5\n\n: hello\n\nevent: from\ndata: é-7\n\n");
  });

  test("Session refuses what cannot be encoded, and goes on", async () => {
    const response = eventStreamResponse(async (session) => {
      await assert.rejects(() => session.send({ event: "a\nb" }), { name: "TypeError" });
      await assert.rejects(() => session.send({ retry: -1 }), { name: "RangeError" });
      await session.send({ data: "right" });
    });
    assert.equal(await response.text(), ": \n\ndata: right\n\n");
  });

  test("Session ends as peer-left when the body is cancelled, and its signal aborts", async () => {
    const sessions: Session[] = [];
    const response = eventStreamResponse((session) => void sessions.push(session));
    const [session] = sessions;
    await response.body?.cancel();
    assert.equal((await session.closed).reason, "peer-left");
    assert.ok(session.signal.aborted);
    const shape = { name: "SessionClosedError", code: "ERR_SSE_SESSION_CLOSED" };
    await assert.rejects(() => session.send({ data: "late" }), shape);
  });

  test("Session sends what waits before it closes", async () => {
    const response = eventStreamResponse((session) => {
      session.send({ data: "last" });
      session.close("bye");
    });
    assert.equal(await response.text(), ": \n\ndata: last\n\n");
  });

  test("Session lets its giver wait for a reader that takes nothing", async () => {
    let sent = 0;
    const response = eventStreamResponse(async (session) => {
      while (sent < 100) {
        await session.send({ data: "x".repeat(1_000) });
        sent++;
      }
    }, { maxQueueBytes: 5_000 });
    await new Promise((resolve) => setTimeout(resolve, 20));
    assert.ok(sent < 20, `${sent} events were sent to nobody`);
    assert.equal((await response.text()).match(/data/g)?.length, 100);
  });

  test("Session ends as slow when its giver does not wait", async () => {
    const ended: unknown[] = [];
    const response = eventStreamResponse((session) => {
      for (let i = 0; i < 100; i++) session.send({ data: "x".repeat(1_000) });
    }, { maxQueueBytes: 5_000, onClose: ({ cause }) => ended.push(cause) });
    await response.text().catch(() => {});
    assert.ok(ended[0] instanceof library.SlowConsumerError);
  });

  test("eventStreamResponse pulls no more than is read, and ends a generator", async () => {
    const { events, log } = endless();
    const reader = readEvents(eventStreamResponse(events, { maxQueueBytes: 1_000 }));
    await reader.next();
    await new Promise((resolve) => setTimeout(resolve, 20));
    assert.ok(log.pulled < 200, `${log.pulled} events were pulled`);
    await reader.return();
    await new Promise((resolve) => setTimeout(resolve, 0));
    assert.ok(log.ended);
  });

  test("eventStreamResponse breaks off where its source throws", async () => {
    const ended: string[] = [];
    // deno-lint-ignore require-yield -- it fails before its first event
    async function* broken(): AsyncGenerator<{ data: string }> {
      await Promise.resolve();
      throw new RangeError("broken");
    }
    const response = eventStreamResponse(broken(), {
      onClose: ({ reason }) => ended.push(reason),
    });
    await response.text().catch(() => {});
    assert.deepEqual(ended, ["error"]);
  });

  test("eventStreamResponse keeps a silent connection alive", async () => {
    const comments: string[] = [];
    const response = eventStreamResponse(() => {}, { keepAlive: 10 });
    const reader = readEvents(response, {
      onComment(text) {
        comments.push(text);
        if (comments.length === 3) reader.return();
      },
    });
    await reader.next();
    assert.equal(comments.length, 3);
  });

  test("eventStreamResponse ends a session that is maxAge old", async () => {
    const ended: string[] = [];
    const onClose = ({ reason }: { reason: string }) => void ended.push(reason);
    await eventStreamResponse(() => {}, { maxAge: 20, onClose }).text();
    assert.deepEqual(ended, ["max-age"]);
  });

  test("eventStreamResponse throws at options that make no sense", () => {
    assert.throws(() => eventStreamResponse([], { keepAlive: 0 }), { name: "RangeError" });
    assert.throws(() => eventStreamResponse([], { maxQueueBytes: -1 }), { name: "RangeError" });
  });

  channels(library, harness);
  hubs(library, harness);
}
