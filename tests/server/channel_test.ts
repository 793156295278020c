/** {@linkcode Channel}: who may read, what each reader is sent, who is told of what, and the end. */

import FakeTimers from "@sinonjs/fake-timers";
import { assert, assertEquals, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import { connect } from "../../client.ts";
import type { ServerSentEventInit } from "../../encode.ts";
import { SessionClosedError } from "../../errors.ts";
import {
  Channel,
  type ChannelMetrics,
  type ChannelOptions,
  type CloseReason,
  MemoryEventLog,
  type Session,
  type SubscribeOptions,
} from "../../server.ts";
import { within } from "../fault/real_time.ts";
import { text, uncaught } from "../helpers.ts";
import { quiet } from "./scheduler.ts";

const URL = "http://localhost/news";

const DOWN = new Error("down");

type Answer = boolean | Response;

/** Registers a test that runs under a fake clock, and leaves no timer on it. */
function testWithClock(title: string, run: (clock: FakeTimers.Clock) => Promise<void>): void {
  Deno.test(title, async () => {
    const clock = FakeTimers.install({ toNotFake: ["nextTick", "queueMicrotask", "setImmediate"] });
    try {
      await within(run(clock), 5_000, () => "This takes longer than 5 s of real time");
      assertEquals(clock.countTimers(), 0, "timers that are left");
    } finally {
      clock.uninstall();
    }
  });
}

/** A reader of chunks by hand, which has read the first bytes. */
interface Hand {
  readonly session: Session;
  /** Why its session has ended. */
  readonly ends: CloseReason[];
  /** The next chunk. */
  bytes(): Promise<Uint8Array>;
  /** The next chunk as text; `""` at the end. */
  text(): Promise<string>;
  leave(): Promise<void>;
}

async function hand<State>(
  channel: Channel<State>,
  options: SubscribeOptions<State> = {},
  init?: RequestInit,
): Promise<Hand> {
  const known = new Set(channel.sessions());
  const ends: CloseReason[] = [];
  const response = channel.subscribe(new Request(URL, init), {
    ...options,
    onClose: (reason) => ends.push(reason),
  });
  const [session] = [...channel.sessions()].filter((session) => !known.has(session));
  const body = response.body!.getReader();
  const read = async () => {
    const { value } = await within(body.read(), 5_000, () => "There is no chunk");
    return value ?? new Uint8Array();
  };
  await quiet();
  await read();
  return {
    session,
    ends,
    bytes: read,
    text: async () => text(await read()),
    leave: () => body.cancel(),
  };
}

// publish

Deno.test("Channel.publish encodes an event once and shares its bytes", async () => {
  await using channel = new Channel();
  const hands = [await hand(channel), await hand(channel), await hand(channel)];
  const id = await channel.publish({ event: "tick", data: "1" });
  const [first, ...others] = await Promise.all(hands.map((hand) => hand.bytes()));
  assertEquals(text(first), `event: tick\nid: ${id}\ndata: 1\n\n`);
  for (const other of others) assertStrictEquals(other, first);
  for (const { leave } of hands) await leave();
});

Deno.test("Channel.publish shares the bytes of a turn, also with those that read later", async () => {
  await using channel = new Channel();
  const hands = [await hand(channel), await hand(channel)];
  for (const data of ["1", "2", "3"]) channel.publish({ data });
  await quiet();
  const chunks = await Promise.all(hands.map((hand) => hand.bytes()));
  assertStrictEquals(chunks[0], chunks[1]);
  // Now nobody waits for the bytes: they wait.
  for (const data of ["4", "5"]) channel.publish({ data });
  await quiet();
  const late = await Promise.all(hands.map((hand) => hand.bytes()));
  assertStrictEquals(late[0], late[1]);
  for (const { leave } of hands) await leave();
});

Deno.test("Channel.publish shares the bytes of an event also with those it is replayed to", async () => {
  await using channel = new Channel();
  const live = await hand(channel);
  const id = await channel.publish({ data: "1" });
  const bytes = await live.bytes();
  const headers = { "last-event-id": `${id.split(".")[0]}.0` };
  for (let i = 0; i < 2; i++) {
    const reader = channel.subscribe(new Request(URL, { headers })).body!.getReader();
    // The first bytes alone, so that what is replayed is alone, too.
    await reader.read();
    assertStrictEquals((await reader.read()).value, bytes);
    await reader.cancel();
  }
  await live.leave();
});

Deno.test("Channel.publish sends the events of a turn as one chunk, those of two as two", async () => {
  await using channel = new Channel();
  const { text, leave } = await hand(channel);
  const ids = await Promise.all(["1", "2", "3"].map((data) => channel.publish({ data })));
  assertEquals(await text(), ids.map((id, i) => `id: ${id}\ndata: ${i + 1}\n\n`).join(""));
  const chunk = text();
  const fourth = await channel.publish({ data: "4" });
  const fifth = await channel.publish({ data: "5" });
  assertEquals(await chunk, `id: ${fourth}\ndata: 4\n\n`);
  assertEquals(await text(), `id: ${fifth}\ndata: 5\n\n`);
  await leave();
});

Deno.test("Channel.publish sends the events of a turn as one chunk to a reader with a filter", async () => {
  await using channel = new Channel({ filter: ({ data }) => data !== "2" });
  const { text, leave } = await hand(channel);
  const chunk = text();
  const [first, , third] = await Promise.all(
    ["1", "2", "3"].map((data) => channel.publish({ data })),
  );
  assertEquals(await chunk, `id: ${first}\ndata: 1\n\nid: ${third}\ndata: 3\n\n`);
  await leave();
});

Deno.test("Channel.publish gives ids of its log, with all that an event has", async () => {
  const log = new MemoryEventLog();
  await using channel = new Channel({ log, topic: "news" });
  const id = await channel.publish({ event: "tick", data: "a\nb", retry: 7, comment: "c" });
  const logged = await Array.fromAsync(log.read("news", { after: "" }));
  assertEquals(logged, [{ id, event: "tick", data: "a\nb", retry: 7, comment: "c" }]);
});

Deno.test("Channel.publish appends nothing again with the same idempotency key", async () => {
  await using channel = new Channel();
  const { text, leave } = await hand(channel);
  const publish = () => channel.publish({ data: "1" }, { idempotencyKey: "a" });
  const id = await publish();
  assertEquals(await publish(), id);
  const next = await channel.publish({ data: "2" });
  assertEquals(await text(), `id: ${id}\ndata: 1\n\nid: ${next}\ndata: 2\n\n`);
  await leave();
});

for (
  const [title, event, error] of [
    ["an id", { data: "a", id: "7" }, TypeError],
    ["an empty id", { data: "a", id: "" }, TypeError],
    ["a line break in its type", { event: "a\nb" }, TypeError],
    ["a retry that is no integer", { retry: 0.5 }, RangeError],
  ] satisfies [string, ServerSentEventInit, typeof TypeError | typeof RangeError][]
) {
  Deno.test(`Channel.publish rejects an event with ${title}, and nobody sees it`, async () => {
    const appended: unknown[] = [];
    // A log that takes all that it is given.
    const log = new MemoryEventLog();
    log.append = (_, event) => Promise.resolve(`a.${appended.push(event)}`);
    await using channel = new Channel({ log });
    await assertRejects(() => channel.publish(event), error);
    assertEquals([appended, channel.metrics.published], [[], 0]);
  });
}

Deno.test("Channel.publish rejects with what its log rejects with, and counts nothing", async () => {
  const log = new MemoryEventLog();
  log.append = () => Promise.reject(new Error("down"));
  await using channel = new Channel({ log });
  await assertRejects(() => channel.publish({ data: "a" }), Error, "down");
  assertEquals(channel.metrics.published, 0);
});

Deno.test("PublishOptions.exclude leaves a session out live, and tells nobody of it", async () => {
  await using channel = new Channel();
  const [author, other] = [await hand(channel), await hand(channel)];
  const next = author.text();
  const id = await channel.publish({ data: "1" }, { exclude: author.session });
  assertEquals(await other.text(), `id: ${id}\ndata: 1\n\n`);
  const second = await channel.publish({ data: "2" });
  assertEquals(await next, `id: ${second}\ndata: 2\n\n`);
  await author.leave();
  await other.leave();
});

Deno.test("PublishOptions.exclude leaves a session out in a turn with others", async () => {
  await using channel = new Channel();
  const [author, other] = [await hand(channel), await hand(channel)];
  const [first, second] = await Promise.all([
    channel.publish({ data: "1" }, { exclude: author.session }),
    channel.publish({ data: "2" }),
  ]);
  assertEquals(await author.text(), `id: ${second}\ndata: 2\n\n`);
  assertEquals(await other.text(), `id: ${first}\ndata: 1\n\nid: ${second}\ndata: 2\n\n`);
  await author.leave();
  await other.leave();
});

Deno.test("PublishOptions.exclude holds on every machine that has the log", async () => {
  const log = new MemoryEventLog();
  await using here = new Channel({ log });
  await using there = new Channel({ log });
  const author = await hand(here);
  const other = await hand(there);
  const next = author.text();
  const id = await there.publish({ data: "1" }, { exclude: author.session });
  assertEquals(await other.text(), `id: ${id}\ndata: 1\n\n`);
  const second = await there.publish({ data: "2" });
  assertEquals(await next, `id: ${second}\ndata: 2\n\n`);
  await author.leave();
  await other.leave();
});

// subscribe

Deno.test("Channel.subscribe answers with an event stream that begins at once", async () => {
  await using channel = new Channel({ retry: 2_000, padding: 3 });
  const response = channel.subscribe(new Request(URL));
  assertEquals([response.status, [...response.headers]], [200, [
    ["cache-control", "no-cache, no-transform"],
    ["content-type", "text/event-stream"],
    ["x-accel-buffering", "no"],
  ]]);
  const reader = response.body!.getReader();
  assertEquals(text((await reader.read()).value!), ":    \nretry: 2000\n\n");
  await reader.cancel();
});

Deno.test("SubscribeOptions.headers come beside those of the channel, and in their place", async () => {
  await using channel = new Channel({ headers: { "x-a": "1", "x-b": "1", "set-cookie": "a=1" } });
  const { headers, body } = channel.subscribe(new Request(URL), {
    headers: [["X-B", "2"], ["x-c", "2"], ["set-cookie", "b=2"], ["set-cookie", "c=2"]],
  });
  assertEquals(["x-a", "x-b", "x-c"].map((name) => headers.get(name)), ["1", "2", "2"]);
  assertEquals(headers.getSetCookie(), ["b=2", "c=2"]);
  await body?.cancel();
});

Deno.test("Channel.subscribe throws at a header that no stream may have, and opens nothing", async () => {
  await using channel = new Channel();
  const headers = { "content-length": "1" };
  assertThrows(() => channel.subscribe(new Request(URL), { headers }), TypeError);
  assertEquals(channel.size, 0);
});

Deno.test("Channel.subscribe answers HEAD with the headers, and opens nothing", async () => {
  await using channel = new Channel({ headers: { "x-a": "1" } });
  const response = channel.subscribe(new Request(URL, { method: "HEAD" }));
  assertEquals([response.status, response.body, channel.size], [200, null, 0]);
  assertEquals(response.headers.get("content-type"), "text/event-stream");
  assertEquals(response.headers.get("x-a"), "1");
});

for (
  const [status, headers] of [
    [406, { accept: "text/html" }],
    [406, { accept: "text/event-stream;q=0" }],
    [400, { "last-event-id": "\xff" }],
    [400, { "last-event-id": "a".repeat(8_193) }],
  ] satisfies [number, HeadersInit][]
) {
  const [[name, value]] = Object.entries(headers);
  Deno.test(`Channel.subscribe answers ${status} to "${name}: ${value.slice(0, 30)}"`, async () => {
    await using channel = new Channel();
    const response = channel.subscribe(new Request(URL, { headers }));
    assertEquals([response.status, channel.size], [status, 0]);
    assertEquals(response.headers.get("cache-control"), "no-store");
  });
}

Deno.test("Channel.subscribe keeps state, request and last event ID in the session", async () => {
  await using channel = new Channel<{ user: string }>();
  const state = { user: "eve" };
  const request = new Request(URL, { headers: { "last-event-id": "a.1" } });
  const { body } = channel.subscribe(request, { state });
  const [session] = channel.sessions();
  assertStrictEquals(session.state, state);
  assertStrictEquals(session.request, request);
  assertEquals(session.lastEventId, "a.1");
  await body?.cancel();
});

Deno.test("SubscribeOptions.onClose is told once why the session has ended, with it", async () => {
  const told: [CloseReason, Session][] = [];
  await using channel = new Channel();
  const { body } = channel.subscribe(new Request(URL), {
    onClose: (...all) => told.push(all),
  });
  const [session] = channel.sessions();
  await body?.cancel("gone");
  session.close();
  assertEquals(told.map(([reason]) => reason), [{ reason: "peer-left", cause: "gone" }]);
  assertStrictEquals(told[0][1], session);
});

Deno.test("Channel.size and Channel.sessions tell who is there", async () => {
  await using channel = new Channel<number>();
  const bodies = [0, 1, 2].map((state) => channel.subscribe(new Request(URL), { state }).body!);
  assertEquals([channel.size, Array.from(channel.sessions(), ({ state }) => state)], [3, [
    0,
    1,
    2,
  ]]);
  await bodies[1].cancel();
  assertEquals([channel.size, Array.from(channel.sessions(), ({ state }) => state)], [2, [0, 2]]);
  for (const session of channel.sessions()) session.close();
  assertEquals([channel.size, [...channel.sessions()]], [0, []]);
});

Deno.test("Session.send of a channel goes to the one session, and names no id", async () => {
  await using channel = new Channel();
  const [one, other] = [await hand(channel), await hand(channel)];
  await one.session.send({ event: "hello", data: "you" });
  assertEquals(await one.text(), "event: hello\ndata: you\n\n");
  await assertRejects(() => one.session.send({ data: "a", id: "7" }), TypeError, '"id" is given');
  const next = other.text();
  const id = await channel.publish({ data: "all" });
  assertEquals(await next, `id: ${id}\ndata: all\n\n`);
  await one.leave();
  await assertRejects(() => one.session.send({ data: "a" }), SessionClosedError);
  await other.leave();
});

// filter

Deno.test("ChannelOptions.filter and that of subscribe let pass what both do", async () => {
  await using channel = new Channel<string>({
    filter: ({ event }, { state }) => event === undefined || event === state,
  });
  const short = ({ data }: { data?: string }) => data!.length < 3;
  const both = await hand(channel, { state: "eve", filter: short });
  const one = await hand(channel, { state: "bob" });
  for (const event of [undefined, "eve", "bob"]) {
    for (const data of ["ab", "abc"]) channel.publish({ event, data });
  }
  await quiet();
  const dataOf = (text: string) =>
    [...text.matchAll(/(?:event: (.*)\n)?.*\ndata: (.*)/g)]
      .map(([, event, data]) => [event, data]);
  assertEquals(dataOf(await both.text()), [[undefined, "ab"], ["eve", "ab"]]);
  assertEquals(dataOf(await one.text()), [
    [undefined, "ab"],
    [undefined, "abc"],
    ["bob", "ab"],
    ["bob", "abc"],
  ]);
  await both.leave();
  await one.leave();
});

testWithClock(
  "ChannelOptions.filter that takes all leaves an id in place of the idle comment",
  async (clock) => {
    const channel = new Channel({ filter: ({ data }) => data === "yes" });
    const { text, leave } = await hand(channel);
    const idle = async (): Promise<string> => {
      const chunk = text();
      clock.tick(9_000);
      return await chunk;
    };
    await channel.publish({ data: "no" });
    const id = await channel.publish({ data: "no" });
    assertEquals(await idle(), `id: ${id}\n\n`);
    // It knows.
    assertEquals(await idle(), ": \n\n");
    await channel.publish({ data: "no" });
    const chunk = text();
    const passed = await channel.publish({ data: "yes" });
    assertEquals(await chunk, `id: ${passed}\ndata: yes\n\n`);
    assertEquals(await idle(), ": \n\n");
    await leave();
    await channel.close();
  },
);

testWithClock("PublishOptions.exclude leaves an id in place of the idle comment", async (clock) => {
  const channel = new Channel();
  const { session, text, leave } = await hand(channel);
  const id = await channel.publish({ data: "1" }, { exclude: session });
  const chunk = text();
  clock.tick(9_000);
  assertEquals(await chunk, `id: ${id}\n\n`);
  await leave();
  await channel.close();
});

Deno.test("ChannelOptions.filter that throws ends the session as an error, and no other", async () => {
  await using channel = new Channel<string>({
    filter: (_, { state }) => {
      if (state === "broken") throw DOWN;
      return true;
    },
  });
  const one = await hand(channel, { state: "broken" });
  const other = await hand(channel, { state: "whole" });
  const id = await channel.publish({ data: "1" });
  assertEquals(await other.text(), `id: ${id}\ndata: 1\n\n`);
  assertEquals([one.ends, other.ends], [[{ reason: "error", cause: DOWN }], []]);
  assertEquals([await one.text(), channel.size], ["", 1]);
  await other.leave();
});

Deno.test("ChannelOptions.filter is not asked again once it has thrown", async () => {
  const log = new MemoryEventLog();
  const first = await log.append("default", { data: "1" });
  const { read } = log;
  const opened = Promise.withResolvers<void>();
  log.read = async function* (topic, options) {
    await opened.promise;
    yield* read.call(log, topic, options);
  };
  const asked: unknown[] = [];
  const filter = ({ data }: { data?: string }) => {
    asked.push(data);
    if (data !== "1") throw DOWN;
    return true;
  };
  await using channel = new Channel({ log, filter });
  const headers = { "last-event-id": `${first.split(".")[0]}.0` };
  const { ends } = await hand(channel, {}, { headers });
  // Two turns, which wait for the log.
  await channel.publish({ data: "2" });
  await channel.publish({ data: "3" });
  opened.resolve();
  await quiet();
  assertEquals([asked, ends], [["1", "2"], [{ reason: "error", cause: DOWN }]]);
});

Deno.test("ChannelOptions.filter that gives nothing lets nothing pass", async () => {
  const filter: () => boolean = () => JSON.parse("{}").nothing;
  await using channel = new Channel({ filter });
  const { session, text, leave } = await hand(channel, { filter: () => true });
  await channel.publish({ data: "1" });
  await session.send({ data: "2" });
  assertEquals(await text(), "data: 2\n\n");
  await leave();
});

// authorize, maxSessions

const allow = { "true": true, "false": false, "a response": new Response("pay", { status: 402 }) };

for (const [title, result] of Object.entries(allow)) {
  const status = { "true": 200, "false": 403, "a response": 402 }[title];
  for (const [kind, given] of [["", result], ["a promise of ", Promise.resolve(result)]] as const) {
    Deno.test(`ChannelOptions.authorize that gives ${kind}${title} answers ${status}`, async () => {
      const asked: unknown[] = [];
      await using channel = new Channel({
        topic: "news",
        authorize: (request: Request, { topics }: { topics: readonly string[] }) => {
          asked.push(request, topics);
          return given;
        },
      });
      const request = new Request(URL);
      const answer: Response | Promise<Response> = channel.subscribe(request);
      assertEquals(answer instanceof Promise, given instanceof Promise);
      const response = await answer;
      assertEquals([response.status, channel.size], [status, status === 200 ? 1 : 0]);
      assertEquals(asked, [request, ["news"]]);
      if (response instanceof Response && title === "a response") {
        assertStrictEquals(response, result);
      } else await response.body?.cancel();
    });
  }
}

for (const nothing of [undefined, null, 0, "", "yes", 1, {}, []]) {
  Deno.test(`ChannelOptions.authorize that gives ${JSON.stringify(nothing)} allows nothing`, async () => {
    const authorize: () => boolean = () => JSON.parse(JSON.stringify({ nothing })).nothing;
    await using channel = new Channel({ authorize });
    const response = channel.subscribe(new Request(URL));
    assertEquals([response.status, channel.size], [403, 0]);
  });
}

Deno.test("ChannelOptions.authorize that throws throws, and that rejects rejects", async () => {
  const request = new Request(URL);
  const thrown = new Channel({
    authorize: () => {
      throw new Error("down");
    },
  });
  assertThrows(() => thrown.subscribe(request), Error, "down");
  const rejected = new Channel({ authorize: () => Promise.reject(new Error("down")) });
  await assertRejects(() => rejected.subscribe(request), Error, "down");
  assertEquals([thrown.size, rejected.size], [0, 0]);
});

Deno.test("ChannelOptions.authorize says no before anything else is said", async () => {
  await using channel = new Channel({ authorize: () => false, maxSessions: 0 });
  const headers = { accept: "text/html" };
  assertEquals(channel.subscribe(new Request(URL, { headers })).status, 403);
  await channel.close();
  assertEquals(channel.subscribe(new Request(URL)).status, 403);
});

Deno.test("ChannelOptions.maxSessions turns away who is one too many, until one has left", async () => {
  await using channel = new Channel({ maxSessions: 2 });
  const bodies = [1, 2].map(() => channel.subscribe(new Request(URL)).body!);
  const refused = channel.subscribe(new Request(URL));
  assertEquals([refused.status, refused.headers.get("retry-after"), channel.size], [503, "5", 2]);
  assertEquals(channel.subscribe(new Request(URL, { method: "HEAD" })).status, 200);
  await bodies[0].cancel();
  const { status, body } = channel.subscribe(new Request(URL));
  assertEquals([status, channel.size], [200, 2]);
  await body?.cancel();
  await bodies[1].cancel();
});

Deno.test("ChannelOptions.maxSessions counts those who have been authorized, not those who ask", async () => {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  await using channel = new Channel({ maxSessions: 1, authorize: () => promise });
  const answers = [1, 2].map(() => channel.subscribe(new Request(URL)));
  resolve(true);
  const responses = await Promise.all(answers);
  assertEquals(responses.map(({ status }) => status), [200, 503]);
  await responses[0].body?.cancel();
});

// revalidate, revoke

testWithClock("ChannelOptions.revalidate may be longer than any timer", async (clock) => {
  let asked = 0;
  const authorize = () => ++asked > 0;
  const channel = new Channel({ revalidate: 2 ** 31, keepAlive: false, authorize });
  const { body } = channel.subscribe(new Request(URL));
  clock.tick(1_000_000);
  assertEquals(asked, 1);
  await body?.cancel();
  await channel.close();
});

testWithClock("ChannelOptions.revalidate asks nothing about who has left", async (clock) => {
  const channel = new Channel({ revalidate: 1_000, keepAlive: false });
  const { body } = channel.subscribe(new Request(URL));
  assertEquals(clock.countTimers(), 1);
  await body?.cancel();
  assertEquals(clock.countTimers(), 0);
  await channel.close();
});

for (
  const [title, answer, reason] of [
    ["false", () => false, { reason: "revoked" }],
    ["a response", () => new Response(null, { status: 401 }), { reason: "revoked" }],
    ["a promise of false", () => Promise.resolve(false), { reason: "revoked" }],
    ["a rejection", () => Promise.reject(DOWN), { reason: "error", cause: DOWN }],
    ["an exception", () => {
      throw DOWN;
    }, { reason: "error", cause: DOWN }],
  ] satisfies [string, () => Answer | Promise<Answer>, CloseReason][]
) {
  testWithClock(`ChannelOptions.revalidate ends a session at ${title}`, async (clock) => {
    let asked = 0;
    const channel = new Channel({
      revalidate: 1_000,
      keepAlive: false,
      authorize: () => ++asked < 3 ? true : answer(),
    });
    const ends: CloseReason[] = [];
    const options = { onClose: (reason: CloseReason) => ends.push(reason) };
    const response = await channel.subscribe(new Request(URL), options);
    clock.tick(999);
    assertEquals(asked, 1);
    clock.tick(1);
    await quiet();
    assertEquals([asked, ends], [2, []]);
    clock.tick(1_000);
    await quiet();
    assertEquals([asked, ends, channel.size], [3, [reason], 0]);
    await response.text();
    await channel.close();
  });
}

testWithClock(
  "ChannelOptions.revalidate asks no more about who has left meanwhile",
  async (clock) => {
    const answers: ((allowed: boolean) => void)[] = [];
    const channel = new Channel({
      revalidate: 1_000,
      keepAlive: false,
      authorize: () => new Promise<boolean>((resolve) => answers.push(resolve)),
    });
    const answer = channel.subscribe(new Request(URL));
    answers[0](true);
    const response = await answer;
    clock.tick(1_000);
    assertEquals(answers.length, 2);
    await response.body?.cancel();
    answers[1](true);
    await quiet();
    clock.tick(5_000);
    assertEquals([answers.length, clock.countTimers()], [2, 0]);
    await channel.close();
  },
);

Deno.test("Channel.revoke ends who is being replayed to, and asks no filter from then on", async () => {
  const log = new MemoryEventLog();
  for (const data of ["1", "2"]) await log.append("default", { data });
  const { read } = log;
  const opened = Promise.withResolvers<void>();
  let given = 0;
  log.read = async function* (topic, options) {
    for await (const event of read.call(log, topic, { ...options, signal: undefined })) {
      given++;
      yield event;
      await opened.promise;
    }
  };
  const asked: unknown[] = [];
  await using channel = new Channel({ log, filter: ({ data }) => asked.push(data) > 0 });
  const id = await channel.publish({ data: "3" });
  const headers = { "last-event-id": `${id.split(".")[0]}.0` };
  const { text, ends } = await hand(channel, {}, { headers });
  channel.revoke(() => true);
  opened.resolve();
  assertEquals([await text(), ends], ["", [{ reason: "revoked" }]]);
  await quiet();
  assertEquals([asked, given, channel.metrics.replayed], [["1"], 2, 1]);
});

Deno.test("Channel.revoke ends those whom its predicate names, after what they were sent", async () => {
  await using channel = new Channel<string>();
  const hands = [];
  for (const state of ["eve", "bob", "eve"]) hands.push(await hand(channel, { state }));
  const id = await channel.publish({ data: "1" });
  assertEquals(channel.revoke(({ state }) => state === "eve"), 2);
  assertEquals(hands.map(({ ends }) => ends), [[{ reason: "revoked" }], [], [{
    reason: "revoked",
  }]]);
  assertEquals(channel.size, 1);
  assertEquals(await hands[0].text(), `id: ${id}\ndata: 1\n\n`);
  assertEquals(await hands[0].text(), "");
  assertEquals(channel.revoke(({ state }) => state === "eve"), 0);
  await hands[1].leave();
});

Deno.test("Channel.revoke asks about all before it ends one, and throws what its predicate throws", async () => {
  await using channel = new Channel();
  const hands = [await hand(channel), await hand(channel)];
  assertThrows(
    () =>
      channel.revoke((session) => {
        if (session === hands[1].session) throw DOWN;
        return true;
      }),
    Error,
    "down",
  );
  assertEquals(channel.size, 2);
  for (const { leave } of hands) await leave();
});

// hooks

Deno.test("ChannelOptions.onSession is told of each that comes and goes, when it has", async () => {
  const told: [number, string, number][] = [];
  const channel: Channel<number> = new Channel<number>({
    onSession: ({ state }, change) => told.push([state, change, channel.size]),
  });
  const one = await hand(channel, { state: 1 });
  const two = await hand(channel, { state: 2 });
  await one.leave();
  channel.revoke(() => true);
  assertEquals(told, [[1, "join", 1], [2, "join", 2], [1, "leave", 1], [2, "leave", 0]]);
  assertEquals(await two.text(), "");
  await channel.close();
});

Deno.test("ChannelOptions.onSession may close who joins, who gets a stream that ends", async () => {
  const ends: CloseReason[] = [];
  let follows = 0;
  const log = new MemoryEventLog();
  const { follow } = log;
  log.follow = (...all) => {
    follows++;
    return follow.apply(log, all);
  };
  await using channel = new Channel({
    log,
    onSession: (session, change) => change === "join" && session.close("full"),
  });
  const response = channel.subscribe(new Request(URL), { onClose: (reason) => ends.push(reason) });
  assertEquals([response.status, await response.text()], [200, ": \n\n"]);
  assertEquals([ends, channel.size, follows], [[{ reason: "closed", cause: "full" }], 0, 0]);
});

Deno.test("ChannelOptions.onSession may publish who has come, which all get but the one", async () => {
  const channel: Channel<string> = new Channel<string>({
    onSession: (session, change) => {
      channel.publish({ event: change, data: session.state }, { exclude: session });
    },
  });
  const one = await hand(channel, { state: "eve" });
  const chunk = one.text();
  const two = await hand(channel, { state: "bob" });
  assert((await chunk).startsWith("event: join\n"));
  await two.leave();
  assert((await one.text()).endsWith("data: bob\n\n"));
  await one.leave();
  await channel.close();
});

Deno.test("Hooks that throw stop nothing, and are reported as uncaught", async () => {
  const thrower = (name: string) => () => {
    throw name;
  };
  const channel = new Channel({
    maxQueueBytes: 100,
    onSession: (_, change) => thrower(change)(),
    onMetrics: thrower("metrics"),
    onSlow: thrower("slow"),
  });
  const errors = await uncaught(async () => {
    const options = { onClose: thrower("close") };
    const response = channel.subscribe(new Request(URL), options);
    channel.subscribe(new Request(URL), options);
    const reader = response.body!.getReader();
    await quiet();
    await reader.read();
    await channel.publish({ data: "x".repeat(101) });
    assert(text((await reader.read()).value!).includes("xxx"));
    assertEquals(channel.size, 1);
    await reader.cancel();
    await channel.close();
  });
  assertEquals(errors, ["join", "join", "slow", "close", "leave", "close", "leave", "metrics"]);
  assertEquals(channel.size, 0);
});

// onMetrics

testWithClock(
  "ChannelOptions.onMetrics is told once a second while the figures change",
  async (clock) => {
    const told: ChannelMetrics[] = [];
    const channel = new Channel({ keepAlive: false, onMetrics: (metrics) => told.push(metrics) });
    clock.tick(5_000);
    assertEquals([told.length, clock.countTimers()], [0, 0]);
    const { text, leave } = await hand(channel);
    for (const data of ["1", "2"]) await channel.publish({ data });
    await quiet();
    clock.tick(999);
    assertEquals(told.length, 0);
    clock.tick(1);
    const figures = { published: 2, delivered: 2, dropped: 0, sessions: 1, replayed: 0, slow: 0 };
    const [first] = told;
    assertEquals({ ...first, ...figures }, first);
    assertEquals(first.queuedBytes, 52);
    clock.tick(5_000);
    assertEquals(told.length, 1);
    // Its queue empties by itself.
    assertEquals((await text()).length, 52);
    clock.tick(1_000);
    assertEquals(told.slice(1), [{ ...first, queuedBytes: 0 }]);
    clock.tick(1_000);
    assertEquals([told.length, clock.countTimers()], [2, 0]);
    await leave();
    clock.tick(1_000);
    assertEquals([told.length, told[2].sessions], [3, 0]);
    // Nobody has to wait for what is last.
    await channel.publish({ data: "3" });
    await channel.close();
    assertEquals([told.length, told[3].published], [4, 3]);
  },
);

testWithClock(
  "ChannelOptions.onMetrics is told of what others publish to the log",
  async (clock) => {
    const log = new MemoryEventLog();
    const told: number[] = [];
    const channel = new Channel({
      log,
      keepAlive: false,
      onMetrics: ({ delivered }) => told.push(delivered),
    });
    const { leave } = await hand(channel);
    clock.tick(2_000);
    assertEquals([told, clock.countTimers()], [[0], 0]);
    await log.append("default", { data: "1" });
    await quiet();
    clock.tick(1_000);
    assertEquals(told, [0, 1]);
    await leave();
    await channel.close();
  },
);

Deno.test("Channel.metrics counts what is published, sent, replayed and waits", async () => {
  await using channel = new Channel();
  const empty = channel.metrics;
  assertEquals(new Set(Object.values(empty)), new Set([0]));
  const id = await channel.publish({ data: "1" });
  await channel.publish({ data: "2" });
  const one = await hand(channel);
  const two = await hand(channel, {}, { headers: { "last-event-id": id } });
  await channel.publish({ data: "3" });
  await quiet();
  const { published, delivered, replayed, sessions, queuedBytes, dropped, slow } = channel.metrics;
  assertEquals({ published, delivered, replayed, sessions, dropped, slow }, {
    published: 3,
    delivered: 3,
    replayed: 1,
    sessions: 2,
    dropped: 0,
    slow: 0,
  });
  assertEquals(queuedBytes, 52);
  assertEquals([(await one.text()).length, channel.metrics.queuedBytes], [26, 26]);
  await one.leave();
  await two.leave();
  assertEquals([channel.metrics.sessions, channel.metrics.queuedBytes], [0, 0]);
});

// close

for (
  const [title, options, error] of [
    ["a topic that is a pattern", { topic: "news/*" }, TypeError],
    ["an empty topic", { topic: "" }, TypeError],
    ["a policy that there is not", { slowConsumer: JSON.parse('"drop"') }, TypeError],
    ["latest-by-key without a key", { slowConsumer: "latest-by-key" }, TypeError],
    ["a header that no stream may have", { headers: { connection: "close" } }, TypeError],
    ["maxQueueBytes of 0", { maxQueueBytes: 0 }, RangeError],
    ["maxSessions below 0", { maxSessions: -1 }, RangeError],
    ["revalidate of 0", { revalidate: 0 }, RangeError],
    ["keepAlive of 0", { keepAlive: 0 }, RangeError],
    ["maxAge of NaN", { maxAge: NaN }, RangeError],
    ["a retry that is no integer", { retry: 0.5 }, RangeError],
    ["padding below 0", { padding: -1 }, RangeError],
  ] satisfies [string, ChannelOptions, typeof TypeError | typeof RangeError][]
) {
  Deno.test(`Channel throws ${error.name} at ${title}`, () => {
    assertThrows(() => new Channel(options), error, "Cannot ");
  });
}

Deno.test("Channel.close ends all after what they were sent, and takes no more", async () => {
  const channel = new Channel();
  const [one, other] = [await hand(channel), await hand(channel)];
  const id = await channel.publish({ data: "1" });
  const closing = channel.close();
  assertEquals([one.ends, other.ends], [[{ reason: "closed" }], [{ reason: "closed" }]]);
  assertEquals(channel.size, 0);
  for (const { text } of [one, other]) {
    assertEquals([await text(), await text()], [`id: ${id}\ndata: 1\n\n`, ""]);
  }
  await closing;
  for (const method of ["GET", "HEAD"]) {
    const { status, headers } = channel.subscribe(new Request(URL, { method }));
    assertEquals([status, headers.get("retry-after")], [503, "5"]);
  }
  await assertRejects(() => channel.publish({ data: "2" }), TypeError, "closed");
  assertEquals([channel.size, channel.metrics.published], [0, 1]);
});

testWithClock(
  "Channel.close waits a second for who does not read, and then breaks off",
  async (clock) => {
    const channel = new Channel({ keepAlive: false });
    const body = channel.subscribe(new Request(URL)).body!.getReader();
    let closed = false;
    const closing = channel.close().then(() => closed = true);
    await quiet();
    clock.tick(999);
    await quiet();
    assertEquals(closed, false);
    clock.tick(1);
    await closing;
    await assertRejects(() => body.read(), SessionClosedError);
  },
);

Deno.test("Channel.close can be called again, and leaves the log alone that it was given", async () => {
  const log = new MemoryEventLog();
  const channel = new Channel({ log });
  const { text } = await hand(channel);
  const closings = [channel.close(), channel.close({ drain: 60_000 })];
  assertEquals(await text(), "");
  await Promise.all(closings);
  await channel.close();
  await assertRejects(() => channel.publish({ data: "1" }), TypeError, "closed");
  await log.append("default", { data: "1" });
});

Deno.test("Channel.close closes the log of its own, after the last session", async () => {
  const { close } = MemoryEventLog.prototype;
  const sizes: number[] = [];
  const channel = new Channel();
  MemoryEventLog.prototype.close = function () {
    sizes.push(channel.size);
    return close.apply(this);
  };
  try {
    const { text } = await hand(channel);
    await Promise.all([channel.close(), text()]);
    await channel.close();
  } finally {
    MemoryEventLog.prototype.close = close;
  }
  assertEquals(sizes, [0]);
});

for (const drain of [-1, NaN, JSON.parse('"1"')]) {
  Deno.test(`Channel.close rejects a drain of ${JSON.stringify(drain)}, and can be called again`, async () => {
    const channel = new Channel();
    await assertRejects(() => channel.close({ drain }), RangeError, '"drain"');
    const { text } = await hand(channel);
    const closing = channel.close({ drain: 0 });
    assertEquals([(await text()).slice(0, 7), await text()], ["retry: ", ""]);
    await closing;
    assertEquals(channel.subscribe(new Request(URL)).status, 503);
  });
}

Deno.test("Channel.close is closing when its hooks are called", async () => {
  const statuses: number[] = [];
  const closings: Promise<void>[] = [];
  const channel = new Channel({
    onSession: (_, change) => {
      if (change === "join") return;
      statuses.push(channel.subscribe(new Request(URL)).status);
      closings.push(channel.close());
    },
  });
  const hands = [await hand(channel), await hand(channel)];
  const closing = channel.close();
  for (const { text } of hands) assertEquals(await text(), "");
  await Promise.all([closing, ...closings]);
  assertEquals([statuses, channel.size], [[503, 503], 0]);
});

Deno.test("Channel.subscribe answers 503 to who is authorized after the close", async () => {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const channel = new Channel({ authorize: () => promise });
  const answer = channel.subscribe(new Request(URL));
  await channel.close();
  resolve(true);
  assertEquals([(await answer).status, channel.size], [503, 0]);
});

testWithClock(
  "Channel.close drains: over the time, each is told to wait and then closed",
  async (clock) => {
    const channel = new Channel({ retry: 3_000, keepAlive: false });
    const hands = [];
    for (let i = 0; i < 10; i++) hands.push(await hand(channel));
    let closed = false;
    const closing = channel.close({ drain: 1_000 }).then(() => closed = true);
    const sizes: number[] = [];
    for (let ms = 0; ms < 1_000; ms += 100) {
      assertEquals(channel.subscribe(new Request(URL)).status, 503);
      // Who is still there is served.
      if (ms === 500) await channel.publish({ data: "1" });
      await clock.tickAsync(100);
      sizes.push(channel.size);
    }
    assertEquals(sizes, [9, 8, 7, 6, 5, 4, 3, 2, 1, 0]);
    const waits: number[] = [];
    for (const [i, { text, ends }] of hands.entries()) {
      const last = await text();
      const [, published, wait] = /^(id: .*\ndata: 1\n\n)?retry: (\d+)\n\n$/.exec(last) ?? [];
      assertEquals(published !== undefined, i >= 5, last);
      waits.push(Number(wait));
      assertEquals([await text(), ends], ["", [{ reason: "drained" }]]);
    }
    assert(waits.every((wait) => wait >= 3_000 && wait <= 6_000), `${waits}`);
    assert(new Set(waits).size > 5, `${waits}`);
    await closing;
    assertEquals(closed, true);
    await assertRejects(() => channel.publish({ data: "2" }), TypeError);
  },
);

testWithClock(
  "Channel.close that drains tells a second at least where there is no retry",
  async (clock) => {
    const channel = new Channel({ keepAlive: false });
    const { text } = await hand(channel);
    const closing = channel.close({ drain: 100 });
    await clock.tickAsync(100);
    const wait = Number(/^retry: (\d+)\n\n$/.exec(await text())?.[1]);
    assert(wait >= 1_000 && wait <= 2_000, `${wait}`);
    assertEquals(await text(), "");
    await closing;
  },
);

for (const drain of [undefined, 50]) {
  const how = drain === undefined ? "at once" : "over a time";
  Deno.test(`Deno.serve shuts down by itself once a channel is closed ${how}`, async () => {
    const channel = new Channel();
    const server = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen() {} },
      (request) => channel.subscribe(request),
    );
    const url = `http://127.0.0.1:${server.addr.port}/`;
    const connections = [1, 2, 3].map(() => connect(url, { retry: false }));
    const ends = connections.map(async (connection) => {
      for await (const { data } of connection) assertEquals(data, "1");
      return (await connection.closed).reason;
    });
    for (const { opened } of connections) await opened;
    await channel.publish({ data: "1" });
    const over = channel.close({ drain }).then(() => server.shutdown());
    await within(over, 5_000, () => "The server does not shut down");
    assertEquals(await Promise.all(ends), ["ended", "ended", "ended"]);
  });
}

Deno.test("connect goes on at another server where one has drained, and misses nothing", async () => {
  const log = new MemoryEventLog();
  const serve = () => {
    const channel = new Channel({ log });
    const server = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen() {} },
      (request) => channel.subscribe(request),
    );
    return { channel, server, url: `http://127.0.0.1:${server.addr.port}/` };
  };
  let current = serve();
  const connection = connect(URL, {
    retry: () => 0,
    fetch: (_, init) => fetch(current.url, init),
  });
  await connection.opened;
  const next = async () =>
    (await within(connection.next(), 5_000, () => "There is no event")).value?.data;
  for (let n = 1; n <= 9; n++) {
    await current.channel.publish({ data: `${n}` });
    if (n % 3 === 0) {
      const old = current;
      current = serve();
      const closing = old.channel.close({ drain: 20 });
      await current.channel.publish({ data: `${n}+` });
      await closing;
      await old.server.shutdown();
      assertEquals([await next(), await next()], [`${n}`, `${n}+`]);
    } else assertEquals(await next(), `${n}`);
  }
  connection.close();
  await current.channel.close();
  await current.server.shutdown();
  await log.close();
});
