/** Waiting: `startTimer`, and `Watch`, which counts only the time in which somebody waits. */

import FakeTimers from "@sinonjs/fake-timers";
import { assertEquals } from "@std/assert";
import { startTimer, Watch } from "../../client/timers.ts";

/** A timer over this fires at once, on every runtime and on the fake clock (T17). */
const LONGEST = 2 ** 31 - 1;

/** Registers a test that runs under a fake clock, and leaves no timer on it. */
function test(title: string, run: (clock: FakeTimers.Clock) => void): void {
  Deno.test(title, () => {
    const clock = FakeTimers.install();
    try {
      run(clock);
      assertEquals(clock.countTimers(), 0, "timers that are left");
    } finally {
      clock.uninstall();
    }
  });
}

/** A watch that counts how often it was late. */
function watch(limit: number): { watch: Watch; late: () => number } {
  let late = 0;
  return { watch: new Watch(limit, () => late++), late: () => late };
}

// startTimer

test("startTimer calls back once, when the time is up", (clock) => {
  let calls = 0;
  startTimer(() => calls++, 1_000);
  clock.tick(999);
  assertEquals(calls, 0);
  clock.tick(1);
  assertEquals(calls, 1);
  clock.tick(10_000);
  assertEquals(calls, 1);
});

test("startTimer does not call back once it is cleared", (clock) => {
  let calls = 0;
  const clear = startTimer(() => calls++, 1_000);
  clock.tick(999);
  clear();
  assertEquals(clock.countTimers(), 0);
  clear();
  clock.tick(10_000);
  assertEquals(calls, 0);
});

test("startTimer can be cleared after it has called back", (clock) => {
  let calls = 0;
  const clear = startTimer(() => calls++, 0);
  clock.tick(1);
  clear();
  assertEquals(calls, 1);
});

for (const ms of [LONGEST, LONGEST + 1, 2 ** 53, Infinity]) {
  test(`startTimer waits 2^31 - 1 ms where ${ms} are asked for`, (clock) => {
    let calls = 0;
    startTimer(() => calls++, ms);
    clock.tick(LONGEST - 1);
    assertEquals(calls, 0);
    clock.tick(1);
    assertEquals(calls, 1);
  });
}

Deno.test("startTimer lets a process end if it is told to, where the timers of the platform can", () => {
  const { setTimeout } = globalThis;
  let unrefs = 0;
  const fake = () => ({ unref: () => unrefs++ });
  try {
    globalThis.setTimeout = fake as unknown as typeof setTimeout;
    startTimer(() => {}, 1);
    startTimer(() => {}, 1, false);
    assertEquals(unrefs, 0);
    startTimer(() => {}, 1, true);
    assertEquals(unrefs, 1);
    globalThis.setTimeout = (() => ({})) as unknown as typeof setTimeout;
    startTimer(() => {}, 1, true);
  } finally {
    globalThis.setTimeout = setTimeout;
  }
});

// Watch

test("Watch starts no timer before somebody waits", (clock) => {
  const { late } = watch(1_000);
  assertEquals(clock.countTimers(), 0);
  clock.tick(10_000);
  assertEquals(late(), 0);
});

test("Watch is late once, when the limit is reached", (clock) => {
  const { watch: it, late } = watch(1_000);
  it.start();
  clock.tick(999);
  assertEquals(late(), 0);
  clock.tick(1);
  assertEquals(late(), 1);
  clock.tick(10_000);
  assertEquals(late(), 1);
});

test("Watch is not late of a time in which nobody waits", (clock) => {
  const { watch: it, late } = watch(1_000);
  for (const reset of [true, false]) {
    it.start();
    clock.tick(100);
    it.pause(reset);
    clock.tick(100_000);
    assertEquals(late(), 0);
  }
});

test("Watch begins at nothing after a pause that resets", (clock) => {
  const { watch: it, late } = watch(1_000);
  for (let i = 0; i < 20; i++) {
    it.start();
    clock.tick(999);
    it.pause(true);
  }
  it.start();
  clock.tick(999);
  assertEquals(late(), 0);
  clock.tick(1);
  assertEquals(late(), 1);
});

test("Watch goes on after a pause that does not reset", (clock) => {
  const { watch: it, late } = watch(1_000);
  for (const ms of [300, 0, 400, 299]) {
    it.start();
    clock.tick(ms);
    it.pause(false);
    clock.tick(5_000);
  }
  assertEquals(late(), 0);
  it.start();
  assertEquals(late(), 0);
  clock.tick(1);
  assertEquals(late(), 1);
});

test("Watch counts a wait that begins while the timer of the one before still runs", (clock) => {
  const { watch: it, late } = watch(1_000);
  it.start();
  clock.tick(400);
  it.pause(true);
  clock.tick(100);
  it.start();
  assertEquals(clock.countTimers(), 1);
  clock.tick(999);
  assertEquals(late(), 0);
  clock.tick(1);
  assertEquals(late(), 1);
});

test("Watch costs one timer for any number of waits", (clock) => {
  const { watch: it, late } = watch(1_000);
  const { setTimeout } = globalThis;
  let timers = 0;
  globalThis.setTimeout = ((callback: () => void, ms: number) => {
    timers++;
    return setTimeout(callback, ms);
  }) as typeof setTimeout;
  try {
    for (let i = 0; i < 999; i++) {
      it.start();
      clock.tick(1);
      it.pause(true);
    }
    assertEquals(timers, 1);
  } finally {
    globalThis.setTimeout = setTimeout;
  }
  assertEquals(late(), 0);
  it.stop();
});

test("Watch.pause before any start does nothing", (clock) => {
  const { watch: it, late } = watch(1_000);
  it.pause(true);
  it.pause(false);
  it.start();
  clock.tick(999);
  assertEquals(late(), 0);
  it.pause(false);
  it.pause(false);
  it.start();
  clock.tick(1);
  assertEquals(late(), 1);
});

test("Watch.stop frees the timer, and nothing is late after", (clock) => {
  const { watch: it, late } = watch(1_000);
  it.start();
  clock.tick(500);
  it.stop();
  assertEquals(clock.countTimers(), 0);
  clock.tick(10_000);
  assertEquals(late(), 0);
});

test("Watch.stop is for good: a later start watches nothing", (clock) => {
  const { watch: it, late } = watch(1_000);
  it.start();
  it.stop();
  it.start();
  assertEquals(clock.countTimers(), 0);
  clock.tick(10_000);
  assertEquals(late(), 0);
});

test("Watch.stop may be called before any start, twice, and when it is late", (clock) => {
  const { watch: it } = watch(1_000);
  it.stop();
  it.stop();
  let late = 0;
  const other: Watch = new Watch(1_000, () => {
    late++;
    other.stop();
  });
  other.start();
  clock.tick(10_000);
  assertEquals(late, 1);
});

test("Watch is late at once where the limit is 0", (clock) => {
  const { watch: it, late } = watch(0);
  it.start();
  assertEquals(late(), 0);
  clock.tick(1);
  assertEquals(late(), 1);
});

test("Watch takes a limit over the longest timer for what it is", (clock) => {
  const { watch: it, late } = watch(LONGEST + 5_000);
  it.start();
  clock.tick(LONGEST + 4_999);
  assertEquals(late(), 0);
  clock.tick(1);
  assertEquals(late(), 1);
});

test("Watch is never late where the limit is Infinity", (clock) => {
  const { watch: it, late } = watch(Infinity);
  it.start();
  clock.tick(10 * LONGEST);
  assertEquals(late(), 0);
  it.stop();
});

test("Watch is late of a wait that was over its limit before the timer went off", (clock) => {
  // The process was busy: the timer fires late, and the wait goes on.
  const { watch: it, late } = watch(1_000);
  it.start();
  clock.jump(5_000);
  assertEquals(late(), 1);
});
