/**
 * How long the stream is silent, beside what cuts silent connections.
 *
 * @module
 */

import type { Finding } from "./finding.ts";
import type { Heard } from "./listen.ts";
import { PATIENT } from "./remedies.ts";
import { time } from "./text.ts";

const CHECK = "keep-alive";

/** What a server in between does to a silent connection by default. */
export interface Limit {
  /** Who. */
  readonly product: string;
  /** What it calls it. */
  readonly setting: string;
  /** After how many ms without a byte it cuts. */
  readonly ms: number;
}

/** The limits of well-known products, as their documentation and default configurations have them. */
export const LIMITS: readonly Limit[] = [
  { product: "Amazon CloudFront", setting: "origin response timeout", ms: 30_000 },
  { product: "HAProxy", setting: "timeout client/server in Debian's haproxy.cfg", ms: 50_000 },
  { product: "Heroku", setting: "rolling window of the router", ms: 55_000 },
  { product: "nginx", setting: "proxy_read_timeout", ms: 60_000 },
  { product: "AWS Application Load Balancer", setting: "idle_timeout.timeout_seconds", ms: 60_000 },
  // Its pages name 100 s and, since lately, 120 s.
  { product: "Cloudflare", setting: "Proxy Read Timeout", ms: 100_000 },
  { product: "Azure Load Balancer", setting: "idle timeout", ms: 240_000 },
  { product: "Envoy", setting: "stream_idle_timeout", ms: 300_000 },
];

/** How much nearer than this to a limit, as a factor, is too near. */
const MARGIN = 0.9;
/** A silence that is shorter says nothing, in ms: there was no need for a comment. */
const SHORT = 1_000;

/** Judges the silences. */
export function judgeKeepAlive(heard: Heard): Finding {
  const { longest, open, comment } = silences(heard);
  const silence = Math.max(longest, open);
  const cutting = LIMITS.filter(({ ms }) => silence >= ms * MARGIN);
  if (cutting.length > 0) {
    const who = cutting.map(({ product, setting, ms }) =>
      `${product} after ${time(ms)} (${setting})`
    );
    return {
      check: CHECK,
      level: "warning",
      seen: `No byte came for ${time(silence)}`,
      why: `By default it would be cut by ${who.join(", ")}`,
      fix: "Send a comment every 15 s while there are no events",
      config: PATIENT,
    };
  }
  if (comment !== undefined) {
    return { check: CHECK, level: "ok", seen: `A comment came after ${time(comment)} of silence` };
  }
  if (heard.ending === "ended" || heard.ending === "broken") {
    return {
      check: CHECK,
      level: "unknown",
      seen: "The stream ended before a silence needed a comment",
    };
  }
  if (silence < SHORT) {
    return {
      check: CHECK,
      level: "unknown",
      seen: `Bytes came all the time: the longest silence was ${time(silence)}`,
      fix: "Check again while there are no events",
    };
  }
  return {
    check: CHECK,
    level: "unknown",
    seen: `No comment came in the longest silence, ${time(silence)}`,
    why: `The first proxies cut after ${time(LIMITS[0].ms)}`,
    fix: "Check again with --for 65s while there are no events",
  };
}

/**
 * The longest silence that ended, the one that was left at the end, and the one that a comment ended,
 * all in ms.
 */
export function silences(
  { head, transcript: { bursts }, ending, endedAt }: Heard,
): { longest: number; open: number; comment: number | undefined } {
  let before = head.at;
  let longest = 0;
  let comment: number | undefined;
  for (const { at, until, events, beats } of bursts) {
    const silence = at - before;
    longest = Math.max(longest, silence);
    const kept = events === 0 && beats.length > 0 && silence >= SHORT;
    if (kept) comment = Math.max(comment ?? 0, silence);
    before = until;
  }
  const open = ending === "time" || ending === "stopped" ? Math.max(0, endedAt - before) : 0;
  return { longest, open, comment };
}
