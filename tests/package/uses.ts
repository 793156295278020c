/**
 * A program that uses one thing of each entry point, as an installed package, on any runtime that has
 * `node:` modules. It says which it has used, a line each, and fails with the first that does not work.
 *
 * @module
 */

import * as sse from "@webstreams/sse";
import { connect } from "@webstreams/sse/client";
import { encodeEvent } from "@webstreams/sse/encode";
import { EventTooLargeError, SseError } from "@webstreams/sse/errors";
import { EventSource } from "@webstreams/sse/event-source";
import { NatsEventLog } from "@webstreams/sse/log/nats";
import { RedisEventLog } from "@webstreams/sse/log/redis";
import { SqliteEventLog } from "@webstreams/sse/log/sqlite";
import { toNodeHandler } from "@webstreams/sse/node";
import { readEvents } from "@webstreams/sse/parse";
import { Channel, MemoryEventLog } from "@webstreams/sse/server";
import { eventLogContract } from "@webstreams/sse/testing";
import assert from "node:assert/strict";
import { createServer } from "node:http";

/** The data of all events of a stream. */
async function dataOf(
  events: AsyncIterable<{ data?: string }>,
  most = Infinity,
): Promise<unknown[]> {
  const data: unknown[] = [];
  for await (const event of events) if (data.push(event.data) === most) break;
  return data;
}

/** Serves with `node:http` on loopback while `use` runs. */
async function served(
  handler: (request: Request) => Response | Promise<Response>,
  use: (url: string) => Promise<void>,
): Promise<void> {
  const server = createServer(toNodeHandler(handler));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", () => resolve()));
  const address = server.address();
  assert(typeof address === "object" && address !== null);
  try {
    await use(`http://127.0.0.1:${address.port}/`);
  } finally {
    await new Promise((resolve) => {
      server.close(resolve);
      server.closeAllConnections();
    });
  }
}

/** A channel that has sent two events already, for readers to resume from the first. */
async function withHistory(): Promise<{ channel: Channel; first: string }> {
  const channel = new Channel();
  const first = await channel.publish({ data: "a" });
  await channel.publish({ data: "b" });
  return { channel, first };
}

const USES: Record<string, () => unknown> = {
  "@webstreams/sse": async () => {
    const text = sse.stringifyEvent({ data: "a", id: "1" });
    const events = await Array.fromAsync(sse.readEvents(text));
    assert.deepEqual(events, [{ event: "message", data: "a", id: "1" }]);
  },
  "@webstreams/sse/parse": async () => {
    const body = new Blob(["data: a\r\n\r\ndata: ", "b\n\n"]).stream();
    assert.deepEqual(await dataOf(readEvents(body)), ["a", "b"]);
  },
  "@webstreams/sse/encode": async () => {
    const bytes = encodeEvent({ event: "tick", data: "1\n2" });
    assert.equal(await new Response(bytes).text(), "event: tick\ndata: 1\ndata: 2\n\n");
    assert.throws(() => encodeEvent({ id: "1\n2" }), TypeError);
  },
  "@webstreams/sse/errors": async () => {
    const reader = readEvents(`data: ${"x".repeat(100)}\n\n`, { maxEventSize: 10 });
    await assert.rejects(() => reader.next(), (error: unknown) => {
      assert(error instanceof EventTooLargeError && error instanceof SseError);
      return error.code === "ERR_SSE_EVENT_TOO_LARGE";
    });
  },
  "@webstreams/sse/server": async () => {
    const { channel, first } = await withHistory();
    const headers = { "last-event-id": first };
    const response = channel.subscribe(new Request("http://feed.example/", { headers }));
    assert.deepEqual(await dataOf(readEvents(response), 1), ["b"]);
    await channel.close();
  },
  "@webstreams/sse/client": async () => {
    const { channel, first } = await withHistory();
    await served((request) => channel.subscribe(request), async (url) => {
      assert.deepEqual(await dataOf(connect(url, { lastEventId: first }), 1), ["b"]);
    });
    await channel.close();
  },
  "@webstreams/sse/event-source": async () => {
    const { channel } = await withHistory();
    await served((request) => channel.subscribe(request), async (url) => {
      const source = new EventSource(url);
      await new Promise((resolve) => source.onopen = resolve);
      const event = new Promise<MessageEvent>((resolve) => source.onmessage = resolve);
      await channel.publish({ data: "c" });
      assert.equal((await event).data, "c");
      source.close();
    });
    await channel.close();
  },
  "@webstreams/sse/node": async () => {
    await served(() => sse.eventStreamResponse([{ data: "a" }]), async (url) => {
      assert.deepEqual(await dataOf(readEvents(await fetch(url))), ["a"]);
    });
  },
  "@webstreams/sse/log/sqlite": async () => {
    const log = new SqliteEventLog(":memory:");
    const first = await log.append("news", { data: "a" });
    await log.append("news", { data: "b" });
    assert.deepEqual(await dataOf(log.read("news", { after: first })), ["b"]);
    await log.close();
  },
  // These take the client of a server that is not here: that they refuse another is what can be seen.
  "@webstreams/sse/log/redis": () => {
    const client: unknown = {};
    // @ts-expect-error It is no client.
    assert.throws(() => new RedisEventLog(client), TypeError);
  },
  "@webstreams/sse/log/nats": () => {
    const connection: unknown = {};
    // @ts-expect-error It is no connection.
    assert.throws(() => new NatsEventLog(connection, { jetstream: connection }), TypeError);
  },
  "@webstreams/sse/testing": async () => {
    const [{ run }] = eventLogContract((options) => new MemoryEventLog(options));
    await run();
  },
};

for (const [entry, use] of Object.entries(USES)) {
  await use();
  console.log(entry);
}
