/**
 * What came, what came twice and what did not come, by the numbers in the ids of events.
 *
 * @module
 */

import { plural } from "./format.js";
import { Places } from "./places.js";

/** @typedef {import("./places.js").Move} Move */
/** @typedef {import("./sse.js").ServerSentEvent} ServerSentEvent */

/**
 * Counts since some point in time.
 *
 * @typedef {object} Tally
 * @property {number} received Events, those that came twice not counted.
 * @property {number} lost Events whose numbers were left out, and nobody said why.
 * @property {number} repeated Events that came a second time.
 * @property {number} gone Events that the server says its log no longer has.
 * @property {number} restarts How often a log has begun anew, so that nobody can tell.
 */

/** @returns {Tally} */
export function emptyTally() {
  return { received: 0, lost: 0, repeated: 0, gone: 0, restarts: 0 };
}

/**
 * What has become of an event.
 *
 * @typedef {object} Entry
 * @property {Move | undefined} move Where it is; `undefined` if its id says nothing.
 * @property {"event" | "repeat" | "gap"} kind `gap`: it is no event of a topic, but tells of a gap.
 */

/** Keeps the books of a connection, over all its losses. */
export class Ledger {
  #places;
  /** Since the connection was made. */
  total = emptyTally();
  /** Since it was opened again the last time. */
  since = emptyTally();

  /** @param {string} [only] The topic, if there is one only. */
  constructor(only) {
    this.#places = new Places(only);
  }

  /**
   * Notes where a request asks to begin.
   *
   * @param {string} lastEventId
   */
  begin(lastEventId) {
    this.#places.begin(lastEventId);
  }

  /** From here on a new response is read. */
  reopen() {
    this.since = emptyTally();
  }

  /**
   * Enters an event.
   *
   * @param {ServerSentEvent} event
   * @returns {Entry}
   */
  enter(event) {
    const move = this.#places.move(event.id);
    if (move?.step === "repeat") {
      this.#add("repeated", 1);
      return { move, kind: "repeat" };
    }
    if (move !== undefined && isGap(event, move)) {
      if (move.step === "epoch" || move.step === "first") this.#add("restarts", 1);
      // The place is now that of the last event that is gone.
      else this.#add("gone", move.missed + 1);
      return { move, kind: "gap" };
    }
    if (move?.step === "epoch") this.#add("restarts", 1);
    this.#add("lost", move?.missed ?? 0);
    this.#add("received", 1);
    return { move, kind: "event" };
  }

  /**
   * @param {keyof Tally} name
   * @param {number} count
   */
  #add(name, count) {
    this.total[name] += count;
    this.since[name] += count;
  }
}

/**
 * Whether an event is the server's word of a gap, and not one that somebody has published with that
 * name: it says which event is the first one left, and its id is the one before.
 *
 * @param {ServerSentEvent} event
 * @param {Move} move
 */
function isGap({ event, data }, { seq }) {
  if (event !== "gap") return false;
  try {
    const gap = JSON.parse(data);
    return typeof gap.asked === "string" && typeof gap.reason === "string" &&
      Number(/\.(\d+)$/.exec(gap.first)?.[1]) === seq + 1;
  } catch {
    return false;
  }
}

/**
 * What a connection that was resumed has to say: `32 events since, 0 lost, 0 repeated`.
 *
 * @param {Tally} tally
 */
export function tallyText({ received, lost, repeated, gone, restarts }) {
  const parts = [
    `${plural(received, "event")} since`,
    `${lost} lost`,
    `${repeated} repeated`,
  ];
  if (gone > 0) parts.push(`${gone} no longer in the log`);
  if (restarts > 0) parts.push("the log began anew, so what it had before cannot be told");
  return parts.join(", ");
}
