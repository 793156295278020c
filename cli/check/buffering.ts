/**
 * Whether something on the way holds bytes back: headers early, bytes late, events in heaps.
 *
 * @module
 */

import { showCount } from "../progress_line.ts";
import type { Finding } from "./finding.ts";
import { firstTextAt, hasEnded, type Heard } from "./listen.ts";
import { UNBUFFERED } from "./remedies.ts";
import { quote, time } from "./text.ts";

const CHECK = "buffering";

/** A pause inside an event of so many ms is none of the network. */
const PAUSE = 400;
/** Headers that take longer, in ms, have waited for something. */
const LATE_HEADERS = 1_000;
/** A first byte that takes longer after the headers, in ms. */
const LATE_BYTES = 3_000;

const FIX =
  "Switch buffering off where it is done, and flush after each event; X-Accel-Buffering: no tells nginx";

/** Judges when the bytes came. */
export function judgeBuffering(heard: Heard): Finding[] {
  const found = judgeHeap(heard) ?? judgeCuts(heard) ?? judgeBeats(heard);
  const late = judgeLateHeaders(heard) ?? judgeLateBytes(heard);
  const header = judgeHeader(heard);
  const all = [found, found === undefined ? late : undefined, header];
  const findings = all.filter((finding) => finding !== undefined);
  if (found !== undefined || late !== undefined) return findings;
  return [judgeInTime(heard), ...findings];
}

/** The headers did not come at all. */
export function judgeNoHeaders(waited: number): Finding {
  return {
    check: CHECK,
    level: "error",
    seen: `No headers came within ${time(waited)}`,
    why:
      "Either the server answers only with its first event, or something on the way waits until it has enough",
    fix: `Send the headers and a comment at once. ${FIX}. If the server is slow, raise --for`,
    config: UNBUFFERED,
  };
}

/** All at once, at the end. */
function judgeHeap(heard: Heard): Finding | undefined {
  const { bursts, events } = heard.transcript;
  const first = firstTextAt(heard) ?? 0;
  if (!hasEnded(heard) || bursts.length !== 1 || events.length < 2 || first < LATE_HEADERS) {
    return undefined;
  }
  return {
    check: CHECK,
    level: "error",
    seen: `All ${showCount(events.length, "event")} came at once after ${
      time(first)
    }, with the end`,
    why: "The answer was collected and sent when it was whole: nobody gets an event in time",
    fix: FIX,
    config: UNBUFFERED,
  };
}

/** Pauses inside an event: a buffer was full there, and the rest waits for the next one. */
function judgeCuts({ transcript: { bursts }, ending, endedAt }: Heard): Finding | undefined {
  const cuts = bursts.filter(({ cut, until }, i) => {
    if (!cut) return false;
    // The end of the listening is a pause too, the end of the body is none.
    const next = bursts[i + 1]?.at ?? (ending === "time" ? endedAt : until);
    return next - until >= PAUSE;
  });
  if (cuts.length === 0) return undefined;
  const sizes = new Set(cuts.map(({ bytes }) => bytes));
  const [bytes] = sizes;
  const blocks = cuts.length > 1 && sizes.size === 1 ? `, each time after ${bytes} bytes` : "";
  return {
    check: CHECK,
    // Once may be a server that writes an event in two parts.
    level: cuts.length > 1 ? "error" : "warning",
    seen: `The bytes stopped in the middle of an event${
      cuts.length > 1 ? ` ${cuts.length} times` : ""
    }${blocks}`,
    why:
      "A buffer on the way is sent when it is full, not when an event is whole: events come late",
    fix: FIX,
    config: UNBUFFERED,
  };
}

/** What keeps a connection alive is sent with time between: what comes together was held. */
function judgeBeats(heard: Heard): Finding | undefined {
  const late = heard.transcript.bursts.filter(({ at }) => at >= LATE_HEADERS);
  const heap = late.find(({ beats }) => repeated(beats) !== undefined);
  if (heap === undefined) return undefined;
  const text = repeated(heap.beats) ?? "";
  return {
    check: CHECK,
    level: "error",
    seen: `${quote(text)} came more than once in one moment, ${time(heap.at)} after the request`,
    why:
      "What keeps a connection alive is sent with time between: this was held back, and events with it",
    fix: FIX,
    config: UNBUFFERED,
  };
}

function repeated(beats: readonly string[]): string | undefined {
  return beats.find((text, i) => beats.indexOf(text) !== i);
}

function judgeLateHeaders({ head, transcript: { bursts } }: Heard): Finding | undefined {
  const together = bursts.length === 0 || bursts[0].at - head.at < 50;
  if (head.at < LATE_HEADERS || !together) return undefined;
  return {
    check: CHECK,
    level: "warning",
    seen: `The headers came after ${time(head.at)}, with the first bytes`,
    why: "Until then a reader does not know that it is connected, and a proxy may give up",
    fix: "Send the headers and a comment at once, before there is an event",
    config: UNBUFFERED,
  };
}

function judgeLateBytes(heard: Heard): Finding | undefined {
  const { head, ending, endedAt } = heard;
  const first = firstTextAt(heard);
  if (first === undefined) {
    if (ending !== "time") return undefined;
    return {
      check: CHECK,
      level: "unknown",
      seen: `Nothing came within ${time(endedAt)}, not even a comment`,
      why: "Whether events would come in time cannot be seen without one",
      fix: "Send a comment at once, publish an event while this runs, or raise --for",
    };
  }
  if (first - head.at < LATE_BYTES) return undefined;
  return {
    check: CHECK,
    level: "note",
    seen: `The headers came after ${time(head.at)}, the first bytes after ${time(first)}`,
    why: "Some proxies and clients show nothing before the first bytes",
    fix: "Send a comment at once",
  };
}

/** nginx takes the header for itself: where it stands before the server nobody sees it. */
function judgeHeader({ head: { headers } }: Heard): Finding | undefined {
  const value = headers.get("x-accel-buffering");
  const check = "x-accel-buffering";
  if (value?.toLowerCase() === "no") return { check, level: "ok", seen: "X-Accel-Buffering is no" };
  if (value === null && /nginx|openresty|tengine/i.test(headers.get("server") ?? "")) {
    return undefined;
  }
  return {
    check,
    level: "note",
    seen: value === null ? "There is no X-Accel-Buffering" : `X-Accel-Buffering is ${quote(value)}`,
    why: "An nginx before this server holds everything back by default",
    fix: "Send X-Accel-Buffering: no",
  };
}

function judgeInTime({ head, transcript: { bursts, events } }: Heard): Finding {
  const portions = bursts.filter((burst) => burst.events > 0).length;
  const first = bursts.length === 0 ? "and no byte" : `first bytes after ${time(bursts[0].at)}`;
  const how = events.length > 1
    ? `, ${events.length} events in ${showCount(portions, "portion")}`
    : "";
  return { check: CHECK, level: "ok", seen: `Headers after ${time(head.at)}, ${first}${how}` };
}
