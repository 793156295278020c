/** {@linkcode watch}: many deadlines on one timer, each looked at when it has come. */

import { assertEquals } from "@std/assert";
import FakeTimers from "@sinonjs/fake-timers";
import fc from "fast-check";
import { countWaits, MAX_TIMER, unwatch, type Wait, watch } from "../../server/deadlines.ts";
import { property } from "../helpers.ts";

/** Something that is looked at every `every` ms, and notes when. */
function every(ms: number, seen: number[] = []) {
  let next = performance.now() + ms;
  const watched = {
    deadline: () => next,
    look(now: number) {
      seen.push(now);
      next = now + ms;
    },
  };
  return { watched, seen, postpone: (by: number) => void (next += by) };
}

function withClock(test: (clock: FakeTimers.Clock) => void): void {
  const clock = FakeTimers.install();
  try {
    test(clock);
    assertEquals(clock.countTimers(), 0);
  } finally {
    clock.uninstall();
  }
}

Deno.test("watch looks when the deadline has come, and again when the next one has", () => {
  withClock((clock) => {
    const { watched, seen } = every(10);
    const wait = watch(watched);
    assertEquals(clock.countTimers(), 1);
    clock.tick(35);
    assertEquals(seen, [10, 20, 30]);
    unwatch(wait);
  });
});

Deno.test("watch does not look while the deadline moves on", () => {
  withClock((clock) => {
    const { watched, seen, postpone } = every(10);
    const wait = watch(watched);
    clock.tick(9);
    postpone(9);
    clock.tick(9);
    assertEquals(seen, []);
    clock.tick(1);
    assertEquals(seen, [19]);
    unwatch(wait);
    unwatch(wait);
  });
});

Deno.test("watch looks at each of many in time, whoever is unwatched meanwhile, on one timer", () => {
  fc.assert(
    fc.property(
      fc.array(fc.record({ every: fc.integer({ min: 1, max: 40 }), until: fc.nat(120) })),
      (cases) => {
        withClock((clock) => {
          const open: { wait: Wait; seen: number[]; every: number; until: number }[] = [];
          for (const { every: ms, until } of cases) {
            const { watched, seen } = every(ms);
            open.push({ wait: watch(watched), seen, every: ms, until });
          }
          for (let time = 0; time <= 120; time++) {
            for (const each of open) if (each.until === time) unwatch(each.wait);
            if (open.some(({ until }) => until > time)) assertEquals(clock.countTimers(), 1);
            clock.tick(1);
          }
          for (const { seen, every, until } of open) {
            const times = Array.from(
              { length: Math.floor(until / every) },
              (_, i) => (i + 1) * every,
            );
            assertEquals(seen, times);
          }
        });
      },
    ),
    property(),
  );
});

Deno.test("watch waits for deadlines that are further off than a timer, and never for none", () => {
  withClock((clock) => {
    const far = every(2 * MAX_TIMER);
    const never = every(Infinity);
    const waits = [watch(far.watched), watch(never.watched)];
    clock.tick(MAX_TIMER + 1);
    assertEquals(far.seen, []);
    clock.tick(MAX_TIMER - 1);
    assertEquals([far.seen, never.seen], [[2 * MAX_TIMER], []]);
    for (const wait of waits) unwatch(wait);
  });
});

Deno.test("unwatch keeps few of those that nobody wants to know of, however many there were", () => {
  withClock((clock) => {
    const stay = every(1_000);
    const staying = watch(stay.watched);
    for (let i = 0; i < 10_000; i++) {
      const far = every(1e9).watched;
      unwatch(watch(far));
      if (countWaits() > 200) throw new Error(`${countWaits()} are kept after ${i}`);
    }
    clock.tick(1_000);
    assertEquals(stay.seen, [1_000]);
    unwatch(staying);
    assertEquals(countWaits(), 0);
  });
});
