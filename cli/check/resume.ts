/**
 * Whether a reader that comes back goes on where it was.
 *
 * @module
 */

import { showCount } from "../progress_line.ts";
import { isEventStreamType } from "./content_type.ts";
import type { Finding } from "./finding.ts";
import { hasEnded, type Heard } from "./listen.ts";
import { quote, time } from "./text.ts";
import type { HeardEvent, Transcript } from "./transcript.ts";

const CHECK = "resume";

/** How many events a reader is made to miss, if there are as many. */
const MISSED = 3;

/** A place in what was heard, and what is on either side of it. */
export interface Place {
  /** The id that is asked for. */
  readonly id: string;
  /** The events up to it, the one with the id included. */
  readonly before: readonly HeardEvent[];
  /** The events behind it: those that are to come again. */
  readonly missed: readonly HeardEvent[];
}

/** Where a reader shall say that it was cut off; `undefined` if no event tells a place. */
export function placeToResume({ events }: Transcript): Place | undefined {
  const named = events.filter((event) => event.named && event.id !== "");
  if (named.length === 0) return undefined;
  const last = named[Math.max(0, named.length - 1 - MISSED)];
  // Of events that share the id the last: a reader has taken all of them.
  const at = events.findLastIndex(({ id, named }) => named && id === last.id);
  return { id: last.id, before: events.slice(0, at + 1), missed: events.slice(at + 1) };
}

/** Whether there is enough to judge by: the first event with an id tells where it went on. */
export function canJudgeResume({ events }: Transcript): boolean {
  return events.some(({ named, id }) => named && id !== "");
}

/**
 * Judges a second connection.
 *
 * @param first What the first one heard.
 * @param place The place that was asked for; `undefined` if none could be.
 * @param again What was heard then; `undefined` if no headers came in time.
 */
export function judgeResume(
  first: Heard,
  place: Place | undefined,
  again: Heard | undefined,
): Finding[] {
  const refusal = again === undefined ? noAnswer() : judgeAnswer(first, place, again);
  if (refusal !== undefined) return [refusal];
  if (again === undefined) return [];
  const answered: Finding = {
    check: "reconnect",
    level: "ok",
    seen: `A second connection was answered after ${time(again.head.at)}`,
  };
  if (place === undefined) {
    const seen = first.transcript.events.length === 0
      ? "No event came, so there is no place to resume at"
      : "No event has an id, so there is no place to resume at";
    return [answered, { check: CHECK, level: "unknown", seen }];
  }
  return [answered, compare(place, again)];
}

function noAnswer(): Finding {
  return {
    check: "reconnect",
    level: "error",
    seen: "A second connection got no answer",
    why:
      "The server holds on to the first one, which was closed: a reader that was cut off stays cut off",
    fix:
      "Let the server notice that a reader has left, and free what it has locked, such as a session",
  };
}

/** What refuses the second connection, if something does. */
function judgeAnswer(first: Heard, place: Place | undefined, { head }: Heard): Finding | undefined {
  const { status, headers } = head;
  const asked = place === undefined ? "" : ` with Last-Event-ID ${quote(place.id)}`;
  if (status === 204 && hasEnded(first)) {
    return {
      check: CHECK,
      level: "ok",
      seen: `A reader that comes back${asked} gets 204: the stream is complete`,
    };
  }
  if (status === 200 && isEventStreamType(headers)) return undefined;
  return {
    check: CHECK,
    level: "error",
    seen: `A second request${asked} got ${
      status === 200 ? `the content type ${quote(headers.get("content-type") ?? "")}` : status
    }`,
    why: "Readers take that for final: who was cut off once does not come back",
    fix: "Answer a request with Last-Event-ID as one without it, and send what follows that id",
  };
}

/** Compares what came with what should. */
function compare({ id, before, missed }: Place, { transcript, endedAt }: Heard): Finding {
  const named = transcript.events.find((event) => event.named && event.id !== "");
  const lost = missed.filter((event) => event.named);
  const fix = "On a request with Last-Event-ID send first what came after that id, then go on live";
  if (transcript.events.some(({ event }) => event === "gap")) {
    return {
      check: CHECK,
      level: "warning",
      seen: `Behind id ${quote(id)} the server says that there is a gap`,
      why: "It does not hold what follows any more: readers are told, but the events are lost",
      fix: "Keep more events, for longer than readers are away",
    };
  }
  if (named === undefined) {
    if (lost.length === 0) return unknown(id, endedAt);
    return {
      check: CHECK,
      level: "error",
      seen: `Behind id ${quote(id)} came ${
        showCount(lost.length, "event")
      }, and none of them again within ${time(endedAt)}`,
      why: "What a reader misses while it is cut off is lost",
      fix,
    };
  }
  const known = [...before, ...missed].filter((event) => event.named && event.id === named.id);
  if (known.length > 0 && !known.some(({ data }) => data === named.data)) {
    return {
      check: CHECK,
      level: "error",
      seen: `Id ${quote(named.id)} stood for ${quote(known[0].data)}, and now for ${
        quote(named.data)
      }`,
      why:
        "Ids that begin anew with each connection name no place: readers skip events that they never had",
      fix: "Number events once for all readers, where they are made, and not for each connection",
    };
  }
  if (named.id === id) {
    return {
      check: CHECK,
      level: "warning",
      seen: `After id ${quote(id)} the event with that id came again`,
      why: "Each reader gets it twice with every reconnect",
      fix: "Send what comes after Last-Event-ID, without the event that has it",
    };
  }
  if (before.some((event) => event.named && event.id === named.id)) {
    return {
      check: CHECK,
      level: "warning",
      seen: `After id ${quote(id)} the stream went back to id ${quote(named.id)}`,
      why: "Each reader gets events twice with every reconnect",
      fix,
    };
  }
  if (lost.length === 0) return unknown(id, endedAt);
  const at = lost.findIndex((event) => event.id === named.id);
  if (at === 0) {
    return {
      check: CHECK,
      level: "ok",
      seen: `After id ${quote(id)} it went on with ${quote(named.id)}`,
    };
  }
  return {
    check: CHECK,
    level: "error",
    seen: `After id ${quote(id)} it went on with ${quote(named.id)}: ${
      showCount(at < 0 ? lost.length : at, "event")
    } in between did not come again`,
    why: "What a reader misses while it is cut off is lost",
    fix,
  };
}

function unknown(id: string, waited: number): Finding {
  return {
    check: CHECK,
    level: "unknown",
    seen: `Only one event had an id, and none that follows id ${quote(id)} came within ${
      time(waited)
    }`,
    fix: "Check again while events are published",
  };
}
