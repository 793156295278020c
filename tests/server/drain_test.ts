/** {@linkcode endAll}: many sessions end, spread over a time, and nobody holds it up. */

import FakeTimers from "@sinonjs/fake-timers";
import { assert, assertEquals, assertRejects } from "@std/assert";
import { encodeEvent } from "../../encode.ts";
import { SessionClosedError } from "../../errors.ts";
import type { CloseReason } from "../../server/close_reason.ts";
import { endAll } from "../../server/drain.ts";
import { Outbox, type OutboxSettings } from "../../server/outbox.ts";
import { within } from "../fault/real_time.ts";
import { settle, text, unhandled } from "../helpers.ts";

const DRAINED: CloseReason = { reason: "drained" };

/** How long the last bytes may take. */
const LINGER = 1_000;

/** Registers a test that runs under a fake clock, and leaves no timer on it. */
function test(title: string, run: (clock: FakeTimers.Clock) => Promise<void>): void {
  Deno.test(title, async () => {
    const clock = FakeTimers.install({ toNotFake: ["nextTick", "queueMicrotask"] });
    try {
      const late = () => "This takes longer than 5 s of real time";
      assertEquals(await unhandled(() => within(run(clock), 5_000, late)), []);
      assertEquals(clock.countTimers(), 0, "timers that are left");
    } finally {
      clock.uninstall();
    }
  });
}

/** Sessions, and when each of them ended. */
class Sessions {
  readonly outboxes: Outbox[] = [];
  readonly ends: { at: number; reason: CloseReason }[] = [];

  constructor(count: number, options: Partial<OutboxSettings> = {}) {
    for (let i = 0; i < count; i++) {
      this.outboxes.push(
        new Outbox({
          maxQueueBytes: 1_048_576,
          slowConsumer: "disconnect",
          keepAlive: false,
          maxAge: undefined,
          ...options,
        }, {
          onEnd: (reason) => void this.ends.push({ at: performance.now(), reason }),
        }),
      );
    }
  }

  get times(): number[] {
    return this.ends.map(({ at }) => at);
  }

  /** What each reader gets, who reads all. */
  read(): Promise<string[]> {
    return Promise.all(this.outboxes.map(({ body }) => new Response(body).text()));
  }
}

/** Something that is under way, and when it was over. */
function timed(promise: Promise<void>): { over: number | undefined } {
  const result: { over: number | undefined } = { over: undefined };
  promise.then(() => result.over = performance.now());
  return result;
}

// When

test("endAll ends all at once where there is no time to spread them over", async (clock) => {
  const sessions = new Sessions(100);
  const bodies = sessions.read();
  await settle();
  const ending = timed(endAll(sessions.outboxes, { reason: DRAINED, over: 0 }));
  assertEquals(sessions.times, Array(100).fill(0));
  assert(sessions.ends.every(({ reason }) => reason === DRAINED));
  assertEquals(await bodies, Array(100).fill(""));
  await settle();
  assertEquals([ending.over, clock.countTimers()], [0, 0]);
});

test("endAll of nobody is over at once", async (clock) => {
  for (const over of [0, 1_000]) {
    await endAll([], { reason: DRAINED, over });
    assertEquals(clock.countTimers(), 0);
  }
});

test("endAll ends a few after equal times, the last one when the time is over", async (clock) => {
  const sessions = new Sessions(4);
  const bodies = sessions.read();
  await settle();
  const ending = timed(endAll(sessions.outboxes, { reason: DRAINED, over: 1_000 }));
  assertEquals([sessions.times, clock.countTimers()], [[], 1]);
  await clock.tickAsync(999);
  assertEquals([sessions.times, ending.over], [[250, 500, 750], undefined]);
  await clock.tickAsync(1);
  assertEquals([sessions.times, ending.over], [[250, 500, 750, 1_000], 1_000]);
  await bodies;
});

test("endAll does not drift where the times are no whole ms", async (clock) => {
  const sessions = new Sessions(3);
  const bodies = sessions.read();
  await settle();
  const ending = timed(endAll(sessions.outboxes, { reason: DRAINED, over: 100 }));
  await clock.tickAsync(100);
  assertEquals([sessions.times, ending.over], [[34, 67, 100], 100]);
  await bodies;
});

test("endAll ends many in steps of 10 ms, of which none has much more than the others", async (clock) => {
  const sessions = new Sessions(1_000);
  const bodies = sessions.read();
  const ending = timed(endAll(sessions.outboxes, { reason: DRAINED, over: 105 }));
  await clock.tickAsync(1_000);
  const counts = new Map<number, number>();
  for (const at of sessions.times) counts.set(at, (counts.get(at) ?? 0) + 1);
  const steps = [10, 20, 30, 40, 50, 60, 70, 80, 90, 100, 110];
  assertEquals([[...counts.keys()], ending.over], [steps, 110]);
  for (const [at, count] of counts) assert(count >= 47 && count <= 96, `${count} at ${at}`);
  await bodies;
});

test("endAll catches up when it is late", async (clock) => {
  const sessions = new Sessions(4);
  const bodies = sessions.read();
  await settle();
  endAll(sessions.outboxes, { reason: DRAINED, over: 1_000 });
  // Nothing else runs meanwhile.
  clock.tick(760);
  await settle();
  assertEquals(sessions.ends.length, 3);
  await clock.tickAsync(250);
  assertEquals(sessions.ends.length, 4);
  await bodies;
});

test("endAll may take longer than any timer, and does not spin", async (clock) => {
  for (const over of [5_000_000_000, Infinity]) {
    const sessions = new Sessions(1);
    const bodies = sessions.read();
    await settle();
    const ending = timed(endAll(sessions.outboxes, { reason: DRAINED, over }));
    await clock.tickAsync(60_000);
    assertEquals([sessions.ends, clock.countTimers()], [[], 1]);
    if (over === Infinity) sessions.outboxes[0].end({ reason: "closed" });
    else await clock.tickAsync(over);
    assertEquals(sessions.ends.length, 1);
    await bodies;
    await settle();
    assert(ending.over !== undefined);
  }
});

// What they are told

test("endAll tells readers to wait, each for once to twice the time", async () => {
  const { random } = Math;
  const chances = [0, 0.25, 0.5, 0.999_999];
  const sessions = new Sessions(4);
  const bodies = sessions.read();
  try {
    Math.random = () => chances.shift() ?? 0;
    const ending = endAll(sessions.outboxes, { reason: DRAINED, over: 0, retry: 1_000 });
    assertEquals(await bodies, [1_000, 1_250, 1_500, 2_000].map((ms) => `retry: ${ms}\n\n`));
    await ending;
  } finally {
    Math.random = random;
  }
});

test("endAll tells readers of no time that cannot be sent", async () => {
  const sessions = new Sessions(3);
  const bodies = sessions.read();
  const most = Number.MAX_SAFE_INTEGER;
  await endAll(sessions.outboxes, { reason: DRAINED, over: 0, retry: most });
  assertEquals(await bodies, Array(3).fill(`retry: ${most}\n\n`));
});

test("endAll ends a reader with a full queue after what waits, and not as slow", async () => {
  const sessions = new Sessions(1, { maxQueueBytes: 18 });
  const [outbox] = sessions.outboxes;
  for (const data of ["a", "b"]) outbox.push({ bytes: encodeEvent({ data }) });
  const ending = endAll(sessions.outboxes, { reason: DRAINED, over: 0, retry: 0 });
  assertEquals(sessions.ends.map(({ reason }) => reason), [DRAINED]);
  assertEquals(await sessions.read(), ["data: a\n\ndata: b\n\nretry: 0\n\n"]);
  await ending;
});

test("endAll leaves those alone that have ended before", async () => {
  const sessions = new Sessions(2);
  sessions.outboxes[0].end({ reason: "ended" });
  const bodies = sessions.read();
  await endAll(sessions.outboxes, { reason: DRAINED, over: 0, retry: 0 });
  assertEquals(sessions.ends.map(({ reason }) => reason.reason), ["ended", "drained"]);
  assertEquals(await bodies, ["", "retry: 0\n\n"]);
});

// Who holds it up

test("endAll waits a second for who does not read, then breaks that one off and no other", async (clock) => {
  const sessions = new Sessions(3);
  const [stalled, slow, fast] = sessions.outboxes;
  for (const outbox of sessions.outboxes) outbox.push({ bytes: encodeEvent({ data: "a" }) });
  const ending = timed(endAll(sessions.outboxes, { reason: DRAINED, over: 0 }));
  assertEquals(await new Response(fast.body).text(), "data: a\n\n");
  await clock.tickAsync(LINGER - 1);
  assertEquals(await new Response(slow.body).text(), "data: a\n\n");
  await settle();
  assertEquals([stalled.queuedBytes, ending.over, clock.countTimers()], [9, undefined, 1]);
  await clock.tickAsync(1);
  assertEquals([stalled.queuedBytes, ending.over], [0, LINGER]);
  const error = await assertRejects(() => stalled.body.getReader().read(), SessionClosedError);
  assertEquals(error.cause, DRAINED);
});

test("endAll does not wait out its time when all have left by themselves", async (clock) => {
  const sessions = new Sessions(3);
  const readers = sessions.outboxes.map(({ body }) => body.getReader());
  await settle();
  const ending = timed(endAll(sessions.outboxes, { reason: DRAINED, over: 60_000 }));
  await clock.tickAsync(5_000);
  for (const reader of readers) await reader.cancel();
  await settle();
  assertEquals([ending.over, clock.countTimers()], [5_000, 0]);
  assert(sessions.ends.every(({ reason }) => reason.reason === "peer-left"));
});

test("endAll goes on when some have left by themselves", async (clock) => {
  const sessions = new Sessions(3);
  const readers = sessions.outboxes.map(({ body }) => body.getReader());
  await settle();
  const ending = timed(endAll(sessions.outboxes, { reason: DRAINED, over: 3_000 }));
  for (const reader of readers.slice(1)) await reader.cancel();
  await clock.tickAsync(1_000);
  assertEquals((await readers[0].read()).done, true);
  await settle();
  assertEquals([sessions.ends.length, ending.over], [3, 1_000]);
  assertEquals(sessions.ends[2].reason, DRAINED);
});

test("endAll lets the rest of a queue leave meanwhile", async (clock) => {
  const sessions = new Sessions(2);
  const [first] = sessions.outboxes;
  const bytes = encodeEvent({ data: "x".repeat(40_000) });
  for (let i = 0; i < 3; i++) first.push({ bytes });
  const reader = first.body.getReader();
  const other = new Response(sessions.outboxes[1].body).text();
  const ending = timed(endAll(sessions.outboxes, { reason: DRAINED, over: 2_000, retry: 9 }));
  await clock.tickAsync(1_500);
  let received = "";
  for (let i = 0; i < 3; i++) received += text((await reader.read()).value ?? new Uint8Array(0));
  assert(/^(data: x{40000}\n\n){3}retry: \d+\n\n$/.test(received), received.slice(-40));
  assertEquals((await reader.read()).done, true);
  await clock.tickAsync(500);
  await other;
  assertEquals(ending.over, 2_000);
});
