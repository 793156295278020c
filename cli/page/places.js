/**
 * Which topic an event is of, and whether it is the one that was to come next: both are in its id.
 *
 * The id of an event on a connection of several topics says where the reader is in each
 * (`news=k3f9.12&user:7=5`): the event is of the topic whose place has moved.
 *
 * @module
 */

import { parseCursor, parseEventId } from "./sse.js";

/**
 * What an event has done to the place of its topic.
 *
 * @typedef {object} Move
 * @property {string} topic
 * @property {string} id The id in its log, `epoch.seq`.
 * @property {number} seq
 * @property {"first" | "next" | "skip" | "repeat" | "epoch"} step `first`: nothing was known of the
 * topic. `epoch`: the log has begun anew.
 * @property {number} missed How many events are missing between the place before and this event.
 */

/** @typedef {{ epoch: string, seq: number }} Place */

/** Where a reader is in its topics. */
export class Places {
  /** @type {string | undefined} */
  #only;
  /** @type {Map<string, Place>} */
  #places = new Map();
  /** The vector of the last event, and its topics in their order. */
  #text = "";
  /** @type {string[]} */
  #order = [];

  /** @param {string} [only] The topic, if the connection carries one only: ids are no vectors then. */
  constructor(only) {
    this.#only = only;
  }

  /**
   * Takes over where a request asks to begin: topics of which no event has come have their place there.
   *
   * @param {string} lastEventId
   */
  begin(lastEventId) {
    for (const [topic, id] of this.#read(lastEventId) ?? []) {
      const place = parseEventId(id);
      if (place !== undefined && !this.#places.has(topic)) this.#places.set(topic, place);
    }
  }

  /**
   * Moves on by the id of an event.
   *
   * @param {string} id
   * @returns {Move | undefined} `undefined` if the id does not say it: it is none of a log, or the one
   * of the event before, or names several topics for the first time.
   */
  move(id) {
    const moved = this.#moved(id);
    if (moved === undefined) return undefined;
    const [topic, at] = moved;
    const place = parseEventId(at);
    if (place === undefined) return undefined;
    const before = this.#places.get(topic);
    const move = { topic, id: at, seq: place.seq, ...stepOf(before, place) };
    if (move.step !== "repeat") this.#places.set(topic, place);
    return move;
  }

  /**
   * The topic that an id has moved, with its id there.
   *
   * @param {string} id
   * @returns {[string, string] | undefined}
   */
  #moved(id) {
    if (this.#only !== undefined) return [this.#only, id];
    const near = this.#movedNear(id);
    if (near !== undefined) return near;
    const vector = this.#read(id);
    if (vector === undefined) return undefined;
    this.#text = id;
    this.#order = [...vector.keys()];
    /** @type {[string, string] | undefined} */
    let moved;
    /** @type {[string, string][]} */
    const added = [];
    for (const entry of vector) {
      const [topic, at] = entry;
      const before = this.#places.get(topic);
      if (before !== undefined) {
        if (`${before.epoch}.${before.seq}` !== at) moved = entry;
        continue;
      }
      const place = parseEventId(at);
      if (place === undefined) continue;
      // With its first event, or before it.
      if (place.seq > 0) added.push(entry);
      this.#places.set(topic, place);
    }
    if (moved !== undefined || added.length !== 1) return moved;
    // Its place is what this event makes of it.
    [moved] = added;
    this.#places.delete(moved[0]);
    return moved;
  }

  /**
   * The same where one `seq` has changed and all else is as it was, which is most often so: nothing
   * is decoded for it.
   *
   * @param {string} id
   * @returns {[string, string] | undefined}
   */
  #movedNear(id) {
    const last = this.#text;
    let at = 0;
    while (at < last.length && last[at] === id[at]) at++;
    const start = id.lastIndexOf("&", at - 1) + 1;
    const ends = [endOfPart(last, at), endOfPart(id, at)];
    if (last === "" || start > at || last.slice(ends[0]) !== id.slice(ends[1])) return undefined;
    const before = PART.exec(last.slice(start, ends[0]));
    const after = PART.exec(id.slice(start, ends[1]));
    if (before === null || after === null || before[1] !== after[1]) return undefined;
    const topic = this.#order[count(id, "&", start)];
    const place = this.#places.get(topic);
    if (place === undefined) return undefined;
    this.#text = id;
    return [topic, `${place.epoch}.${after[2]}`];
  }

  /**
   * @param {string} id
   * @returns {ReadonlyMap<string, string> | undefined}
   */
  #read(id) {
    if (id === "") return undefined;
    return this.#only === undefined ? parseCursor(id) : new Map([[this.#only, id]]);
  }
}

/** A part of a vector that ends with its `seq`. */
const PART = /^(.*[=.])(\d+)$/;

/**
 * @param {string} text
 * @param {number} from
 */
function endOfPart(text, from) {
  const end = text.indexOf("&", from);
  return end < 0 ? text.length : end;
}

/**
 * How often a character stands before `end`.
 *
 * @param {string} text
 * @param {string} char
 * @param {number} end
 */
function count(text, char, end) {
  let found = 0;
  for (let at = text.indexOf(char); at >= 0 && at < end; at = text.indexOf(char, at + 1)) found++;
  return found;
}

/**
 * @param {Place | undefined} before
 * @param {Place} place
 * @returns {Pick<Move, "step" | "missed">}
 */
function stepOf(before, place) {
  if (before === undefined) return { step: "first", missed: 0 };
  // How many the log has given before it began anew cannot be known.
  if (before.epoch !== place.epoch) return { step: "epoch", missed: 0 };
  const ahead = place.seq - before.seq;
  if (ahead === 1) return { step: "next", missed: 0 };
  return ahead > 1 ? { step: "skip", missed: ahead - 1 } : { step: "repeat", missed: 0 };
}
