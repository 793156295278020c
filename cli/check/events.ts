/**
 * The events themselves: their types, sizes and data.
 *
 * @module
 */

import { showBytes, showCount } from "../progress_line.ts";
import type { Finding } from "./finding.ts";
import { list, quote } from "./text.ts";
import type { HeardEvent, Transcript } from "./transcript.ts";

/** A larger event, in UTF-16 code units, stands in the way of those behind it. */
const LARGE = 65_536;
/** A larger one passes the bounds of clients and proxies. */
const HUGE = 1_048_576;

/** The types that `EventSource` dispatches itself. */
const RESERVED = ["error", "open"];

/** Judges the events. */
export function judgeEvents(transcript: Transcript): Finding[] {
  const { events, comments, tooLarge } = transcript;
  if (events.length === 0 && !tooLarge) {
    return [{
      check: "events",
      level: "unknown",
      seen: comments > 0
        ? `No event came, only ${showCount(comments, "comment")}`
        : "No event came",
      fix: "Publish one while this runs, or raise --for",
    }];
  }
  return [...judgeSize(transcript), ...judgeTypes(events), ...judgeData(events)];
}

function judgeSize({ events, tooLarge }: Transcript): Finding[] {
  const largest = events.reduce((most, { data }) => Math.max(most, data.length), 0);
  const check = "event-size";
  if (tooLarge || largest > HUGE) {
    return [{
      check,
      level: tooLarge ? "error" : "warning",
      seen: tooLarge ? "An event of more than 4 MiB" : `An event of ${showBytes(largest)}`,
      why: "Clients bound what an event may hold, and nothing else comes while it does",
      fix: "Send a reference, or parts of it as events of their own",
    }];
  }
  if (largest > LARGE) {
    return [{
      check,
      level: "note",
      seen: `The largest event has ${showBytes(largest)} of data`,
      why: "What is behind it waits, and a reader that is cut off in it gets it once more",
      fix: "Send a reference, or parts of it as events of their own",
    }];
  }
  return [{ check, level: "ok", seen: `The largest event has ${showBytes(largest)} of data` }];
}

function judgeTypes(events: readonly HeardEvent[]): Finding[] {
  const check = "event-types";
  const types = [...new Set(events.map(({ event }) => event))];
  const found: Finding[] = [];
  const reserved = types.filter((type) => RESERVED.includes(type));
  if (reserved.length > 0) {
    found.push({
      check,
      level: "warning",
      seen: `Events of the type ${list(reserved)}`,
      why:
        "EventSource dispatches these types itself: handlers cannot tell them from a lost connection",
      fix: 'Choose another type, such as "problem"',
    });
  }
  const odd = types.filter((type) => type.trim() !== type);
  if (odd.length > 0) {
    found.push({
      check,
      level: "warning",
      seen: `Event types with a blank at an edge: ${list(odd)}`,
      why: "One space after the colon is removed, no more: listeners for the bare name get nothing",
      fix: "Write event: and the bare name",
    });
  }
  const named = types.filter((type) => type !== "message" && !reserved.includes(type));
  if (named.length > 0) {
    found.push({
      check,
      level: "note",
      seen: `Events of the type ${list(named, 5)}`,
      why: "onmessage does not see events that have a type",
      fix: `Listen to them by name: addEventListener(${quote(named[0])}, ...)`,
    });
  }
  return found;
}

function judgeData(events: readonly HeardEvent[]): Finding[] {
  const check = "data";
  const data = events.filter(({ data }) => data !== "" && data !== "[DONE]");
  if (data.length === 0) return [];
  const broken = data.filter(({ data }) => /^\s*[{[]/.test(data) && !isJson(data));
  const json = data.filter(({ data }) => /^\s*[{["]/.test(data) && isJson(data));
  if (json.length > 0 && broken.length > 0) {
    const [{ line, data: text }] = broken;
    return [{
      check,
      level: "warning",
      seen: `${
        showCount(broken.length, "event")
      } of ${data.length} with JSON that does not parse, the first ends at line ${line}: ${
        quote(text)
      }`,
      why: "JSON.parse throws at it in every reader",
      fix: "Send each value whole in one event, written by JSON.stringify",
    }];
  }
  if (json.length === data.length) {
    return [{ check, level: "ok", seen: `All data is JSON` }];
  }
  if (json.length > 0) {
    return [{
      check,
      level: "note",
      seen: `${json.length} of ${showCount(data.length, "event")} with JSON, the others with text`,
      why: "Readers have to know which is which",
      fix: "Give one of them a type of its own",
    }];
  }
  return [{ check, level: "ok", seen: "The data is text" }];
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
