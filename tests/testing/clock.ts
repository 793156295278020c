/**
 * A fake clock that goes on by itself to what is next, so that a test of waits does not wait.
 *
 * @module
 */

import FakeTimers from "@sinonjs/fake-timers";
import { within } from "../fault/real_time.ts";

/**
 * Runs a test under the clock.
 *
 * @param body The test; it must not take longer than 5 s of real time.
 */
export async function underFakeClock<T>(body: () => Promise<T>): Promise<T> {
  const clock = FakeTimers.install({ toNotFake: ["nextTick", "queueMicrotask"] });
  clock.setTickMode({ mode: "nextAsync" });
  try {
    return await within(body(), 5_000, () => "This takes longer than 5 s of real time");
  } finally {
    clock.uninstall();
  }
}
