/**
 * What the migration pages say of other libraries, shown with them: a fault that is mended fails here,
 * and its line goes. What the interop matrix shows is in `tests/interop/known.ts`.
 */

import { fetchEventSource } from "@microsoft/fetch-event-source";
import FakeTimers from "@sinonjs/fake-timers";
import { assert, assertEquals, assertRejects } from "@std/assert";
import { createChannel, createResponse } from "better-sse";
import { EventSource } from "eventsource";
import { createEventSource } from "eventsource-client";
import { Hono } from "hono";
import { streamSSE } from "hono/streaming";
import { connect } from "../../client.ts";
import { SlowConsumerError } from "../../errors.ts";
import { EventSource as OurEventSource, type EventSourceErrorEvent } from "../../event_source.ts";
import { readEvents, type ServerSentEvent } from "../../parse.ts";
import { Channel, eventStreamResponse } from "../../server.ts";
import { delay, within } from "../fault/real_time.ts";
import { freePort } from "../listen.ts";
import { countedStream, requestAfter, unhandled, utf8 } from "../helpers.ts";

const HEADERS = { "content-type": "text/event-stream" };
const FEED = "https://feed.example/";
const MINUTE = 60_000;

Deno.test("eventsource-client takes a 500 with a page of HTML for its stream, and asks again", async () => {
  const seen: string[] = [];
  await new Promise<void>((resolve) => {
    const client = createEventSource({
      url: FEED,
      fetch: () => {
        const headers = { "content-type": "text/html" };
        return Promise.resolve(new Response("<h1>Sorry</h1>", { status: 500, headers }));
      },
      onConnect: () => void seen.push("connected"),
      onScheduleReconnect({ delay }) {
        seen.push(`again in ${delay}`);
        client.close();
        resolve();
      },
    });
  });
  assertEquals(seen, ["connected", "again in 2000"]);
});

Deno.test("eventsource-client reads on while its loop does not, where connect waits", async () => {
  const chunks = Array.from({ length: 1_000 }, (_, n) => utf8(`data: ${n}\n\n`));
  const theirs = countedStream(chunks, "stay open");
  const client = createEventSource({
    url: FEED,
    fetch: () => Promise.resolve(new Response(theirs.stream, { headers: HEADERS })),
  });
  await client[Symbol.asyncIterator]().next();
  await delay(0);
  client.close();
  assertEquals(theirs.log.pulls, 1_001);

  const ours = countedStream(chunks, "stay open");
  const fetch = () => Promise.resolve(new Response(ours.stream, { headers: HEADERS }));
  const connection = connect(FEED, { fetch });
  await connection.next();
  await delay(0);
  connection.close();
  assert(ours.log.pulls <= 2, `${ours.log.pulls} pulls`);
});

/** What it gives of a response. It wants a page, and is given what it takes of one. */
async function readByFetchEventSource(response: Response): Promise<Partial<ServerSentEvent>[]> {
  const page = { window: globalThis, document: { removeEventListener() {} } };
  Object.assign(globalThis, page);
  const seen: Partial<ServerSentEvent>[] = [];
  try {
    await fetchEventSource(FEED, {
      fetch: () => Promise.resolve(response),
      openWhenHidden: true,
      onmessage: (event) => void seen.push(event),
      onerror(error) {
        throw error;
      },
    });
  } finally {
    for (const name of Object.keys(page)) Reflect.deleteProperty(globalThis, name);
  }
  return seen;
}

Deno.test("fetch-event-source reads a 500 as if it were the stream", async () => {
  const response = new Response("data: sorry\n\n", { status: 500, headers: HEADERS });
  const [{ data }] = await readByFetchEventSource(response);
  assertEquals(data, "sorry");
});

Deno.test("fetch-event-source takes a retry of 10s for 10 ms", async () => {
  const response = new Response("retry: 10s\ndata: a\n\n", { headers: HEADERS });
  const [{ retry }] = await readByFetchEventSource(response);
  assertEquals(retry, 10);
});

/** How often the server is asked is for `fetch` to count. */
function counted(stream: string) {
  const asked = { times: 0, often: Promise.withResolvers<void>() };
  const fetch = () => {
    if (++asked.times === 3) asked.often.resolve();
    return Promise.resolve(new Response(stream, { headers: HEADERS }));
  };
  return { asked, fetch };
}

const LONGEST = 2_147_483_647;

for (
  const [retry, name, wait] of [
    ["0", "0", 100],
    ["4294967296", "2^32", LONGEST],
    ["9".repeat(309), "309 digits", LONGEST],
  ] as const
) {
  const stream = `retry: ${retry}\n\n`;

  Deno.test(`eventsource asks again without a pause after a retry of ${name}`, async () => {
    const { asked, fetch } = counted(stream);
    const source = new EventSource(FEED, { fetch });
    try {
      await within(asked.often.promise, MINUTE, () => `It asked ${asked.times} times`);
    } finally {
      source.close();
    }
  });

  Deno.test(`EventSource waits ${wait} ms after a retry of ${name}`, async () => {
    const clock = FakeTimers.install({ toFake: ["setTimeout", "clearTimeout"] });
    const { asked, fetch } = counted(stream);
    const source = new OurEventSource(FEED, { fetch });
    try {
      await new Promise((resolve) => source.onerror = resolve);
      await delay(0);
      clock.tick(wait - 1);
      await delay(0);
      assertEquals(asked.times, 1);
      clock.tick(1);
      await delay(0);
      assertEquals(asked.times, 2);
    } finally {
      source.close();
      clock.uninstall();
    }
  });
}

/** A request whose reader can leave, which better-sse learns by its signal. */
function leavingRequest(): { request: Request; leave(): void } {
  const { signal, ...rest } = controller();
  return { request: new Request(FEED, { signal }), ...rest };
}

function controller(): { signal: AbortSignal; leave(): void } {
  const reader = new AbortController();
  return { signal: reader.signal, leave: () => reader.abort() };
}

const QUIET = { keepAlive: null, retry: null };

Deno.test("better-sse has a rejection that nobody can handle when a reader cancels and leaves", async () => {
  const { request, leave } = leavingRequest();
  const reasons = await unhandled(async () => {
    const connected = Promise.withResolvers<void>();
    const response = createResponse(request, QUIET, (session) => {
      session.push("a");
      connected.resolve();
    });
    await connected.promise;
    await response.body?.cancel();
    leave();
  });
  assert(reasons.length > 0);
});

Deno.test("better-sse lets any amount wait for a reader, where eventStreamResponse ends it as slow", async () => {
  const { request, leave } = leavingRequest();
  const pushed = Promise.withResolvers<void>();
  const event = "x".repeat(10_000);
  const theirs = createResponse(request, QUIET, (session) => {
    for (let n = 0; n < 200; n++) session.push(event);
    pushed.resolve();
  });
  await pushed.promise;
  leave();
  assert((await theirs.text()).length > 2_000_000);

  const closed = Promise.withResolvers<string>();
  const ours = eventStreamResponse((session) => {
    for (let n = 0; n < 200; n++) session.send({ data: event });
  }, { onClose: ({ reason }) => closed.resolve(reason) });
  assertEquals(await closed.promise, "slow");
  await assertRejects(() => ours.text(), SlowConsumerError);
});

Deno.test("better-sse gives nothing of what was missed, where a Channel does", async () => {
  const channel = createChannel();
  channel.broadcast("missed", "tick", { eventId: "1" });
  const { signal, leave } = controller();
  const headers = { "last-event-id": "0" };
  const theirs = createResponse(new Request(FEED, { headers, signal }), QUIET, (session) => {
    channel.register(session);
    leave();
  });
  assertEquals(await theirs.text(), "");

  await using ours = new Channel();
  const first = await ours.publish({ data: "seen" });
  await ours.publish({ data: "missed" });
  const reader = readEvents(ours.subscribe(requestAfter(first)));
  assertEquals((await reader.next()).value?.data, "missed");
  await reader.return();
});

Deno.test("hono streamSSE sends a retry that readers ignore, and no X-Accel-Buffering", async () => {
  const app = new Hono().get(
    "/",
    (c) => streamSSE(c, (stream) => stream.writeSSE({ data: "a", retry: -1 })),
  );
  const response = await app.request("/");
  assertEquals(response.headers.get("x-accel-buffering"), null);
  assertEquals(await response.text(), "data: a\nretry: -1\n\n");
});

Deno.test("hono streamSSE resolves writeSSE after the reader has left, where send rejects", async () => {
  const written = Promise.withResolvers<void>();
  const left = Promise.withResolvers<void>();
  const app = new Hono().get("/", (c) =>
    streamSSE(c, async (stream) => {
      await left.promise;
      await stream.writeSSE({ data: "late" });
      written.resolve();
    }));
  const { body } = await app.request("/");
  await body?.cancel();
  left.resolve();
  await within(written.promise, MINUTE, () => "writeSSE is pending");

  const sent = Promise.withResolvers<string>();
  const ours = eventStreamResponse(async (session) => {
    await left.promise;
    await session.send({ data: "late" }).then(
      () => sent.resolve("sent"),
      ({ code }) => sent.resolve(code),
    );
  });
  await ours.body?.cancel();
  assertEquals(await sent.promise, "ERR_SSE_SESSION_CLOSED");
});

Deno.test("The EventSource of Deno tells of an error and nothing of its reason, where ours does", async () => {
  const url = `http://127.0.0.1:${freePort()}/`;
  const theirs = new globalThis.EventSource(url);
  const error = await new Promise<Event>((resolve) => theirs.onerror = resolve);
  theirs.close();
  assertEquals(["error", "message"].filter((name) => name in error), []);

  const ours = new OurEventSource(url);
  const { code } = await new Promise<EventSourceErrorEvent>((resolve) => ours.onerror = resolve);
  ours.close();
  assertEquals(code, "ERR_SSE_NETWORK");
});
