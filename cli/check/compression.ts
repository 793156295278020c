/**
 * Compression: fine where every event is flushed, and a wall where it is not.
 *
 * @module
 */

import { decoderOf, encodingOf } from "./encoding.ts";
import type { Finding } from "./finding.ts";
import { firstTextAt, type Heard } from "./listen.ts";
import { UNCOMPRESSED } from "./remedies.ts";
import { quote, time } from "./text.ts";

const CHECK = "compression";

/** What comes so many ms later with compression than without has been held by it. */
const HELD = 500;

/** Whether it pays to ask again without compression: it is compressed, and bytes came late. */
export function deservesComparison(heard: Heard): boolean {
  const first = firstTextAt(heard);
  return encodingOf(heard.head.headers) !== "" &&
    (first === undefined || first - heard.head.at > HELD ||
      heard.transcript.bursts.some(({ cut }) => cut));
}

/**
 * Judges the compression.
 *
 * @param plain What was heard when no compression was asked for, if that was tried.
 */
export function judgeCompression(heard: Heard, plain: Heard | undefined): Finding {
  const encoding = encodingOf(heard.head.headers);
  if (encoding === "" || encoding === "identity") {
    return { check: CHECK, level: "ok", seen: "The stream is not compressed" };
  }
  const fix = "Leave event streams out of compression, or flush it after every event";
  if (decoderOf(encoding) === undefined) {
    return {
      check: CHECK,
      level: "error",
      seen: `The content encoding is ${quote(encoding)}, which the request does not take`,
      why: "A reader cannot decode the stream",
      fix: "Compress only with what Accept-Encoding names",
      config: UNCOMPRESSED,
    };
  }
  const late = lateness(heard, plain);
  if (late !== undefined) {
    return {
      check: CHECK,
      level: "error",
      seen: `With ${encoding} ${late}`,
      why: "The compressor waits for more before it lets go of what it has: events come late",
      fix,
      config: UNCOMPRESSED,
    };
  }
  return {
    check: CHECK,
    level: "note",
    seen: `The stream is compressed with ${encoding}`,
    why: "It was flushed here; one server on the way that does not is enough to hold events back",
    fix: "Leave event streams out of compression unless they are large",
    config: UNCOMPRESSED,
  };
}

/** What shows that events are late, as the end of a sentence. */
function lateness(heard: Heard, plain: Heard | undefined): string | undefined {
  const first = firstTextAt(heard);
  const { firstByteAt, endedAt } = heard;
  const { bursts } = heard.transcript;
  const plainFirst = plain && encodingOf(plain.head.headers) === ""
    ? firstTextAt(plain)
    : undefined;
  if (plainFirst !== undefined && (first ?? endedAt) - plainFirst >= HELD) {
    const late = first === undefined
      ? `no text came within ${time(endedAt)}`
      : `it took ${time(first)}`;
    return `${late}, without compression the first text came after ${time(plainFirst)}`;
  }
  // The head of the compressed data came, but no text.
  if (firstByteAt !== undefined && (first ?? endedAt) - firstByteAt >= HELD) {
    return `bytes came after ${time(firstByteAt)}, but ${
      first === undefined ? "no text in them" : `the text in them not before ${time(first)}`
    }`;
  }
  const cuts = bursts.filter(({ cut, until }, i) => cut && bursts[i + 1]?.at - until >= HELD);
  return cuts.length > 1
    ? `the text stopped ${cuts.length} times in the middle of an event`
    : undefined;
}
