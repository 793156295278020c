/** {@linkcode answerOf}: waiting for an engine, but not for ever. */

import FakeTimers from "@sinonjs/fake-timers";
import { assert, assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { LogGapError, LogUnavailableError, SseError } from "../../errors.ts";
import { answerOf } from "../../log/patience.ts";
import { unhandled } from "../helpers.ts";

const how = { action: "append event", timeout: 1_000 };

/** Runs with a fake clock, and asserts that no timer is left. */
function withClock(test: (clock: FakeTimers.Clock) => Promise<void>): () => Promise<void> {
  return async () => {
    const clock = FakeTimers.install({ toFake: ["setTimeout", "clearTimeout"] });
    try {
      await test(clock);
      assertEquals(clock.countTimers(), 0);
    } finally {
      clock.uninstall();
    }
  };
}

/** What a promise that must reject rejects with. */
function reasonOf(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(() => assert(false, "It must reject"), (reason) => reason);
}

Deno.test(
  "answerOf gives the answer, and leaves no timer",
  withClock(async (clock) => {
    const { promise, resolve } = Promise.withResolvers<number>();
    const answer = answerOf(promise, how);
    clock.tick(999);
    resolve(7);
    assertEquals([await answer, await answerOf(() => Promise.resolve(8), how)], [7, 8]);
  }),
);

Deno.test(
  "answerOf rejects when there is no answer in time",
  withClock(async (clock) => {
    const answer = reasonOf(answerOf(new Promise(() => {}), how));
    clock.tick(999);
    assertEquals(clock.countTimers(), 1);
    clock.tick(1);
    const error = await answer;
    if (!(error instanceof LogUnavailableError)) throw error;
    const found = "the engine of the log gave no answer within 1000 ms, try again later";
    assertEquals([error.message, error.cause], [`Cannot append event: ${found}`, undefined]);
  }),
);

for (const timeout of [Infinity, 2 ** 31, 1e15]) {
  Deno.test(
    `answerOf waits ${timeout} ms, and not none at all`,
    withClock(async (clock) => {
      const { promise, resolve } = Promise.withResolvers<number>();
      const answer = answerOf(promise, { ...how, timeout });
      assertEquals(clock.countTimers(), 0);
      clock.tick(1e9);
      resolve(7);
      assertEquals(await answer, 7);
    }),
  );
}

const CAUSES: [string, unknown, string][] = [
  ["an error", new Error("Connection is closed"), "Connection is closed"],
  ["an error without a message", new AggregateError([new Error("a")]), "AggregateError"],
  ["a RangeError", new RangeError("Out of range"), "Out of range"],
  ["what is no error", "OOM", "OOM"],
  ["nothing", undefined, "undefined"],
];

for (const [title, cause, found] of CAUSES) {
  Deno.test(
    `answerOf tells of ${title} as of an engine that is away, and keeps it as the cause`,
    withClock(async () => {
      for (
        const answer of [Promise.reject(cause), () => Promise.reject(cause), () => {
          throw cause;
        }]
      ) {
        const error = await assertRejects(() => answerOf(answer, how), LogUnavailableError);
        assertEquals(error.message, `Cannot append event: ${found}`);
        assertStrictEquals(error.cause, cause);
      }
    }),
  );
}

const PASS = [
  new TypeError("A caller's mistake"),
  new SseError("ERR_SSE_LOG_RECORD", "Cannot read"),
  new LogGapError({ asked: "", first: "e.2", reason: "trimmed" }),
];

for (const cause of PASS) {
  Deno.test(
    `answerOf leaves ${cause.name} as it is`,
    withClock(async () => {
      assertStrictEquals(await reasonOf(answerOf(Promise.reject(cause), how)), cause);
    }),
  );
}

Deno.test(
  "answerOf leaves no rejection unhandled that comes when nobody waits",
  withClock(async (clock) => {
    const reasons = await unhandled(async () => {
      const { promise, reject } = Promise.withResolvers<never>();
      const late = reasonOf(answerOf(promise, how));
      clock.tick(1_000);
      await late;
      const abort = new AbortController();
      const aborted = reasonOf(answerOf(promise, { ...how, signal: abort.signal }));
      abort.abort();
      await aborted;
      await reasonOf(answerOf(promise, { ...how, signal: abort.signal }));
      const other = new AbortController();
      const ask = () => {
        other.abort();
        throw new Error("Connection is closed");
      };
      await reasonOf(answerOf(ask, { ...how, signal: other.signal }));
      reject(new Error("Connection is closed"));
    });
    assertEquals(reasons, []);
  }),
);

Deno.test(
  "answerOf rejects with the reason of its signal as it is, and lets go of it",
  withClock(async () => {
    const reason = new Error("The reader has left");
    const abort = new AbortController();
    const { signal } = abort;
    let listeners = 0;
    const [add, remove] = [signal.addEventListener, signal.removeEventListener];
    signal.addEventListener = (...all: Parameters<typeof add>) => {
      listeners++;
      add.apply(signal, all);
    };
    signal.removeEventListener = (...all: Parameters<typeof remove>) => {
      listeners--;
      remove.apply(signal, all);
    };
    assertEquals(await answerOf(Promise.resolve(1), { ...how, signal }), 1);
    const answer = reasonOf(answerOf(new Promise(() => {}), { ...how, signal }));
    assertEquals(listeners, 1);
    abort.abort(reason);
    assertStrictEquals(await answer, reason);
    assertEquals(listeners, 0);
  }),
);

Deno.test(
  "answerOf asks for nothing when its signal was aborted before",
  withClock(async () => {
    const signal = AbortSignal.abort("left");
    let asked = 0;
    const ask = () => Promise.resolve(++asked);
    assertEquals(await reasonOf(answerOf(ask, { ...how, signal })), "left");
    assertEquals(await reasonOf(answerOf(new Promise(() => {}), { ...how, signal })), "left");
    assertEquals(asked, 0);
  }),
);
