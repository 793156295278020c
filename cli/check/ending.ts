/**
 * How the stream ended, if it did.
 *
 * @module
 */

import { visible } from "../visible.ts";
import type { Finding } from "./finding.ts";
import { LIMITS } from "./keep_alive.ts";
import type { Heard } from "./listen.ts";
import { time } from "./text.ts";

const CHECK = "ending";

/** A time this near to a limit, in ms, is that limit. */
const NEAR = 750;

/** What ends whole answers after a time, however many bytes come. */
const WHOLE = [{
  product: "Google Cloud Load Balancing",
  setting: "backend service timeout",
  ms: 30_000,
}];

/** Judges the end. */
export function judgeEnding({ transcript, ending, endedAt, fault }: Heard): Finding | undefined {
  const { events, tooLarge } = transcript;
  const last = events.at(-1);
  if (tooLarge) return undefined; // Told by its size.
  if (ending === "broken") {
    return {
      check: CHECK,
      level: "error",
      seen: `The stream broke off after ${time(endedAt)}: ${visible(fault ?? "")}${near(endedAt)}`,
      why: "Readers lose what was under way and have to connect again",
      fix: "Look into the log of the server and of each proxy at that time",
    };
  }
  if (ending !== "ended") return undefined;
  if (transcript.incomplete) {
    return {
      check: CHECK,
      level: "error",
      seen: `The body ended after ${time(endedAt)} in the middle of an event${near(endedAt)}`,
      why: "Readers drop an event that has no blank line behind it",
      fix: 'End each event with a blank line: "\\n\\n"',
    };
  }
  if (last?.data === "[DONE]") {
    return {
      check: CHECK,
      level: "note",
      seen: `The stream ended after ${time(endedAt)} with [DONE]`,
      why: "EventSource connects again all the same, and asks for the answer once more",
      fix: 'Close the reader at [DONE]: connect(url, { until: ({ data }) => data === "[DONE]" })',
    };
  }
  return {
    check: CHECK,
    level: "note",
    seen: `The server ended the stream after ${time(endedAt)}${near(endedAt)}`,
    why: "EventSource connects again after its reconnection time, for ever",
    fix:
      "Keep the stream open, or tell readers that it is complete: by an event of its own, and by 204 when they ask again",
  };
}

/** Whose limit it may have been. */
function near(endedAt: number): string {
  const who = [...LIMITS, ...WHOLE].filter(({ ms }) => Math.abs(ms - endedAt) <= NEAR);
  if (who.length === 0) return "";
  return `, which is the default of ${
    who.map(({ product, setting }) => `${product} (${setting})`).join(" and ")
  }`;
}
