/**
 * No storm: whatever a server does, it gets no more requests in 10 seconds than the policy has.
 *
 * The seconds are those of a fake clock, which moves only while the client waits to connect again:
 * real sockets cost none of them.
 */

import FakeTimers from "@sinonjs/fake-timers";
import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import { type CloseInfo, connect, type ConnectOptions, type RetryPolicy } from "../../client.ts";
import { completePolicy, type RetryContext, retryDelay } from "../../client/retry.ts";
import { RedirectError, ResponseError, RetriesExhaustedError } from "../../errors.ts";
import type { Answer } from "../fault/answer.ts";
import { within } from "../fault/real_time.ts";
import { faultServer } from "../fault/server.ts";

const SECONDS_10 = 10_000;

/** A wait is never shorter than 100 ms, so no server ever gets more requests in 10 seconds. */
const MOST = 101;

/** What `Math.random` may give: the longest waits, and the shortest. */
const CHANCES = [0, 1 - 2 ** -53];

interface Storm {
  /** How many requests the server got. */
  requests: number;
  /** When they came, in ms of the fake clock. */
  at: number[];
  /** How the connection ended by itself, if it did. */
  info: CloseInfo | undefined;
}

/** Lets a client loose on a server that does the same to each request, for 10 seconds. */
async function storm(answer: Answer, options: ConnectOptions, chance: number): Promise<Storm> {
  const { random } = Math;
  Math.random = () => chance;
  const clock = FakeTimers.install({ toNotFake: ["nextTick", "queueMicrotask"] });
  try {
    const at: number[] = [];
    await using server = await faultServer([], {
      rest: () => {
        at.push(clock.now);
        return answer;
      },
    });
    let changed = Promise.withResolvers<"waits">();
    const connection = connect(server.url, {
      ...options,
      onState: ({ state }) => state === "retry" && changed.resolve("waits"),
    });
    const read = Array.fromAsync(connection).catch(() => {});
    const ended = connection.closed.then(() => "ended" as const);
    let info: CloseInfo | undefined;
    while (true) {
      const facts = Promise.race([changed.promise, ended]);
      const fact = await within(facts, 5_000, () => `Nothing after ${at.length} requests`);
      if (fact === "ended") {
        info = await connection.closed;
        break;
      }
      changed = Promise.withResolvers();
      assertEquals(clock.countTimers(), 1, "timers while it waits to connect again");
      assert(at.length <= MOST, `a storm: ${at.length} requests after ${clock.now} ms`);
      if (clock.next() > SECONDS_10) {
        // The request that this wait was for is not sent any more.
        connection.close();
        break;
      }
    }
    const end = Promise.all([read, connection.closed]);
    await within(end, 5_000, () => "It does not end when it is closed");
    assertEquals(clock.countTimers(), 0, "timers after the end");
    return { requests: server.requests.length, at, info };
  } finally {
    clock.uninstall();
    Math.random = random;
  }
}

/** When the policy has the requests come, if each of them is lost at once. */
function expected(policy: RetryPolicy, told: Partial<RetryContext>, chance: number): number[] {
  const complete = completePolicy(policy);
  const at: number[] = [];
  for (let now = 0; now <= SECONDS_10;) {
    at.push(now);
    const context = { attempt: at.length, retry: told.retry, retryAfter: told.retryAfter };
    now += retryDelay(complete, context, () => chance);
  }
  return at;
}

const STORMS: [title: string, answer: Answer, retry: RetryPolicy, told: Partial<RetryContext>][] = [
  ["ends every response at once", {}, {}, {}],
  ["ends every response after an event", { body: "id: 1\ndata: a\n\n" }, {}, {}],
  ["cuts every response inside an event", { body: "data: a\n", end: "cut" }, {}, {}],
  ["resets every connection", { raw: "", end: "reset" }, {}, {}],
  ["resets every response", { body: "data: a\n\n", end: "reset" }, {}, {}],
  ["answers garbage", { raw: "garbage\r\n\r\n" }, {}, {}],
  ["refuses every time", { status: 503 }, { statuses: [503] }, {}],
  [
    "refuses every time and has Retry-After of 4 s",
    { status: 503, headers: { "retry-after": "4" } },
    { statuses: [503] },
    { retryAfter: 4_000 },
  ],
  [
    "refuses every time and has Retry-After of 0",
    { status: 429, headers: { "retry-after": "0" } },
    { statuses: () => true },
    { retryAfter: 0 },
  ],
  ["sends retry of 0 and ends", { body: "retry: 0\ndata: a\n\n" }, {}, { retry: 0 }],
  ["sends retry of 0 without an event and ends", { body: "retry: 0\n\n" }, {}, { retry: 0 }],
  [
    "sends retry of 99999999999 and ends",
    { body: "retry: 99999999999\ndata: a\n\n" },
    {},
    { retry: 99_999_999_999 },
  ],
  ["ends at once, to a client without jitter", {}, { jitter: false }, {}],
  [
    "ends at once, to a client that does not wait longer each time",
    {},
    { multiplier: 1, initialDelay: 250 },
    {},
  ],
];

for (const [title, answer, retry, told] of STORMS) {
  Deno.test(`connect makes no storm on a server that ${title}`, async () => {
    for (const chance of CHANCES) {
      const { requests, at, info } = await storm(answer, { retry }, chance);
      const bound = expected(retry, told, chance);
      assert(bound.length <= MOST, `the policy allows ${bound.length}`);
      assertEquals(requests, bound.length, `chance of ${chance}`);
      assertEquals(at.map(Math.round), bound.map(Math.round), `chance of ${chance}`);
      assertEquals(info, undefined);
    }
  });
}

for (const [lived, losses] of [[9_999, 2], [10_000, 1]]) {
  Deno.test(`connect counts ${losses} in a row where the second response lived ${lived} ms`, async () => {
    const clock = FakeTimers.install({ toNotFake: ["nextTick", "queueMicrotask"] });
    try {
      await using server = await faultServer([{}, "hold"]);
      const waits: number[] = [];
      let changed: (state: string) => void = () => {};
      const connection = connect(server.url, {
        retry: { jitter: false, resetAfter: 10_000 },
        onState: (state) => {
          if (state.state === "retry") waits.push(state.delay, state.attempt);
          changed(state.state);
        },
      });
      const next = (name: string) =>
        new Promise<void>((resolve) => changed = (state) => state === name && resolve());
      const read = Array.fromAsync(connection);
      await next("retry");
      clock.next();
      const { reply } = await server.request(1);
      const opened = next("open");
      await reply.head();
      await opened;
      const lost = next("retry");
      clock.tick(lived);
      await reply.finish();
      await lost;
      assertEquals(waits, [1_000, 1, 1_000 * losses, losses]);
      connection.close();
      await read;
    } finally {
      clock.uninstall();
    }
  });
}

Deno.test("connect does not take retry of 99999999999 for a timer that fires at once", async () => {
  const answer = { body: "retry: 99999999999\ndata: a\n\n" };
  for (const chance of CHANCES) {
    const { requests } = await storm(answer, { retry: { jitter: false } }, chance);
    assertEquals(requests, 1);
  }
});

// What is final

Deno.test("connect sends one request to a server that refuses, where statuses does not say more", async () => {
  const { requests, info } = await storm({ status: 503 }, {}, 0);
  assertEquals(requests, 1);
  assert(info?.reason === "failed" && info.cause instanceof ResponseError);
});

for (const redirect of ["same-origin", "follow"] as const) {
  Deno.test(`connect follows 20 redirects in a row by "${redirect}", and no more ever`, async () => {
    for (const status of [302, 307]) {
      const answer = { status, headers: { location: "/events" } };
      const { requests, at, info } = await storm(answer, { redirect }, 0);
      assertEquals(requests, 21);
      assertEquals(at, new Array(21).fill(0));
      assert(info?.reason === "failed" && info.cause instanceof RedirectError);
    }
  });
}

Deno.test("connect renews a token once where every request is a 401", async () => {
  let renewed = 0;
  const onUnauthorized = () => void renewed++;
  const { requests, info } = await storm({ status: 401 }, { onUnauthorized }, 0);
  assertEquals([requests, renewed], [2, 1]);
  assert(info?.cause instanceof ResponseError);
});

Deno.test("connect sends maxAttempts requests and tells of what the last one failed", async () => {
  const retry: RetryPolicy = { maxAttempts: 3, statuses: [503] };
  const { requests, at, info } = await storm({ status: 503 }, { retry }, 0);
  assertEquals(requests, 3);
  assertEquals(at, [0, 1_000, 3_000]);
  assertEquals(info?.reason, "failed");
  const cause = info?.cause;
  if (!(cause instanceof RetriesExhaustedError)) throw cause;
  assertEquals(cause.attempts, 3);
  assert(cause.cause instanceof ResponseError);
});

Deno.test("connect sends one request where retry is false", async () => {
  const { requests, info } = await storm({ body: "data: a\n\n" }, { retry: false }, 0);
  assertEquals(requests, 1);
  assertEquals(info, { reason: "ended" });
});

for (const [what, delay] of [["NaN", NaN], ["a negative number", -1]] as const) {
  Deno.test(`connect fails and makes no storm where a RetryFunction says ${what}`, async () => {
    const { requests, info } = await storm({}, { retry: () => delay }, 0);
    assertEquals(requests, 1);
    assert(info?.reason === "failed" && info.cause instanceof RangeError);
  });
}

Deno.test("connect fails of what a RetryFunction throws", async () => {
  const thrown = new Error("mine");
  const retry = () => {
    throw thrown;
  };
  const { requests, info } = await storm({}, { retry }, 0);
  assertEquals(requests, 1);
  assertStrictEquals(info?.cause, thrown);
});

Deno.test("connect waits as a RetryFunction says, and no shorter where it says Infinity", async () => {
  const thrice = ({ attempt }: RetryContext) => attempt < 3 ? 700 : Infinity;
  const { at, info } = await storm({}, { retry: thrice }, 0);
  assertEquals(at, [0, 700, 1_400]);
  assertEquals(info, undefined);
});
