/**
 * The ids: whether a reader can resume by them.
 *
 * @module
 */

import { lastEventIdHeader } from "../../client/resume.ts";
import { showCount } from "../progress_line.ts";
import { refusedField } from "./fields.ts";
import type { Finding } from "./finding.ts";
import { hasEnded, type Heard } from "./listen.ts";
import { list, quote } from "./text.ts";
import type { HeardEvent } from "./transcript.ts";

const CHECK = "ids";

/** An id that is longer, in UTF-16 code units, costs each reconnect that much, or is refused. */
const LONG = 1_024;

/** Judges the ids of the events. */
export function judgeIds(heard: Heard): Finding[] {
  const { events, resets } = heard.transcript;
  const named = events.filter((event) => event.named && event.id !== "");
  const found: Finding[] = [];
  if (events.length === 0) {
    return [{ check: CHECK, level: "unknown", seen: "No event came" }];
  }
  if (named.length === 0) {
    found.push({
      check: CHECK,
      // What ends by itself is most often an answer, which nobody resumes.
      level: hasEnded(heard) ? "note" : "warning",
      seen: `None of ${showCount(events.length, "event")} has an id`,
      why: "A reader that was cut off cannot say where it was: what it missed is lost",
      fix: "Give each event an id, and on a reconnect send what follows Last-Event-ID",
    });
  } else if (named.length < events.length) {
    const without = events.length - named.length;
    found.push({
      check: CHECK,
      level: "note",
      seen: `${showCount(without, "event")} of ${events.length} without an id of its own`,
      why: "A reader that is cut off behind one of them gets it again, or never, after a reconnect",
      fix: "Give each event an id that is to survive a reconnect",
    });
  }
  const twice = repeatedIds(named);
  if (twice.length > 0) {
    found.push({
      check: CHECK,
      level: "warning",
      seen: `${showCount(twice.length, "id")} on more than one event: ${list(twice)}`,
      why: "A reader that resumes behind such an id misses events or gets them twice",
      fix: "Make ids unique in the stream, and change them with each event",
    });
  }
  found.push(...judgeShape([...new Set(named.map(({ id }) => id))]));
  const refused = refusedField(heard.transcript, "id");
  if (refused !== undefined) {
    found.push({
      check: CHECK,
      level: "warning",
      seen: `Line ${refused.line}: ${quote(refused.text)}`,
      why: "An id with NUL is ignored by every reader",
      fix: "Make ids of printable ASCII",
    });
  }
  if (resets.count > 0) {
    found.push({
      check: CHECK,
      level: "warning",
      seen: `An empty id at line ${resets.first[0]}`,
      why: "It resets the last event ID: a reader that is cut off now asks for no place at all",
      fix: "Leave the id out where an event has none",
    });
  }
  if (found.length === 0) {
    found.push({
      check: CHECK,
      level: "ok",
      seen: `${showCount(named.length, "event")}, each with an id`,
    });
  }
  return found;
}

/** The ids of events that are not the same. */
function repeatedIds(events: readonly HeardEvent[]): string[] {
  const seen = new Set<string>();
  const twice = new Set<string>();
  for (const { id } of events) {
    if (seen.has(id)) twice.add(id);
    seen.add(id);
  }
  return [...twice];
}

function judgeShape(ids: readonly string[]): Finding[] {
  const found: Finding[] = [];
  const lost = ids.filter((id) => lastEventIdHeader(id) === undefined);
  if (lost.length > 0) {
    found.push({
      check: CHECK,
      level: "error",
      seen: `${showCount(lost.length, "id")} that no header can carry: ${list(lost)}`,
      why:
        "Blanks at an edge are cut off and control characters are refused: the reader cannot resume",
      fix: "Make ids of printable ASCII without blanks",
    });
  }
  const other = ids.filter((id) => !lost.includes(id) && /[^\x20-\x7e\t]/.test(id));
  if (other.length > 0) {
    found.push({
      check: CHECK,
      level: "warning",
      seen: `${showCount(other.length, "id")} with other characters than ASCII: ${list(other)}`,
      why: "It comes back as UTF-8, which many servers and proxies read as Latin-1 or refuse",
      fix: "Make ids of printable ASCII",
    });
  }
  const long = ids.filter((id) => id.length > LONG);
  if (long.length > 0) {
    found.push({
      check: CHECK,
      level: "warning",
      seen: `${showCount(long.length, "id")} of more than ${LONG} characters: ${
        quote(long[0], 20)
      }`,
      why: "It comes back as a header with each reconnect, and servers bound those to some KiB",
      fix: "Keep ids short: a place in the stream is enough",
    });
  }
  return found;
}
