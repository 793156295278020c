/**
 * The reconnection time.
 *
 * @module
 */

import { refusedField } from "./fields.ts";
import type { Finding } from "./finding.ts";
import { quote, time } from "./text.ts";
import type { Transcript } from "./transcript.ts";

const CHECK = "retry";

/** Shorter ones, in ms, make a storm of readers when the server is down. */
const SHORT = 100;
/** Longer ones, in ms, leave readers without events for no reason. */
const LONG = 300_000;
/** Timers of more ms fire at once. */
const MAX_TIMER = 2_147_483_647;

/** Judges the reconnection times that the stream named, or tried to. */
export function judgeRetry(transcript: Transcript): Finding {
  const { retries } = transcript;
  const refused = refusedField(transcript, "retry");
  if (refused !== undefined) {
    return {
      check: CHECK,
      level: "warning",
      seen: `Line ${refused.line}: ${quote(refused.text)}`,
      why: "A reconnection time must be ASCII digits throughout: every reader ignores this one",
      fix: "Send whole milliseconds, as in retry: 3000",
    };
  }
  if (retries.count === 0) {
    return {
      check: CHECK,
      level: "note",
      seen: "There is no retry",
      why:
        "Each client waits as long as it likes before it connects again, a few seconds in browsers",
      fix: "Send a reconnection time in ms at the start, as in retry: 3000",
    };
  }
  const shortest = Math.min(...retries.first);
  const longest = Math.max(...retries.first);
  if (longest > MAX_TIMER) {
    return {
      check: CHECK,
      level: "error",
      seen: `retry is ${longest}`,
      why: "Timers of more than 2147483647 ms fire at once: readers connect without a pause",
      fix: "Send a reconnection time of some seconds, as in retry: 3000",
    };
  }
  if (shortest < SHORT) {
    return {
      check: CHECK,
      level: "warning",
      seen: `retry is ${shortest}`,
      why: "When the server goes down all readers ask again without a pause",
      fix: "Send a reconnection time of some seconds, as in retry: 3000",
    };
  }
  if (longest > LONG) {
    return {
      check: CHECK,
      level: "warning",
      seen: `retry is ${longest}, which is ${time(longest)}`,
      why: "After every lost connection readers have no events for that long",
      fix: "Send a reconnection time of some seconds, as in retry: 3000",
    };
  }
  return { check: CHECK, level: "ok", seen: `retry is ${retries.first.at(-1)} ms` };
}
