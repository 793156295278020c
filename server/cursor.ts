/**
 * Where a reader of several topics is: the id on the wire of a connection that carries them.
 *
 * The text names each topic with the id of its last event, and is a header as it is:
 * `news=k3f9.12&user:7=5&a%20b=7`. The epoch is left out where it is that of the topic before, for
 * most often all have the same. Of a name only `%`, `&`, `,`, `=` and what is no visible ASCII is
 * percent-encoded; a comma would part a header in two. An id of one topic holds no `=`, a vector of
 * any topic does. No topic at all is `-`: `""` would be the last event ID of a new reader.
 *
 * @module
 */

import { type EventId, parseEventId } from "./log.ts";
import { checkTopic } from "./patterns.ts";

/**
 * How many characters a vector may have. Servers and proxies take 8 KB for all headers, or for one
 * of them, and cookies and a token want their part.
 */
export const MAX_CURSOR_LENGTH = 6_000;

/** A vector of no topic, whose reader waits for the first that matches its patterns. */
const NO_TOPIC = "-";

/** The digits of the greatest `seq`. */
const SEQ_LENGTH = 16;

/** What no name may hold as it is. */
const UNSAFE = /[^!-~]|[%&,=]/gu;

interface Place extends EventId {
  /** The topic as it is written, encoded once. */
  readonly name: string;
}

/**
 * Writes a vector.
 *
 * @param positions The id of the last event of each topic, in the order to write them.
 * @throws {TypeError} If a topic is none, or an id none of a log.
 * @throws {RangeError} If they do not fit, see {@linkcode VectorCursor.set}.
 */
export function formatCursor(positions: ReadonlyMap<string, string>): string {
  return new VectorCursor(positions).toString();
}

/** Reads a vector; `undefined` if no hub can have written it. Never throws: it is from a peer. */
export function parseCursor(text: string): Map<string, string> | undefined {
  if (text.length > MAX_CURSOR_LENGTH) return undefined;
  const positions = new Map<string, string>();
  if (text === NO_TOPIC) return positions;
  try {
    let epoch = "";
    for (const part of text.split("&")) {
      const [name, place = ""] = part.split("=");
      const dot = place.indexOf(".");
      if (dot !== -1) epoch = place.slice(0, dot);
      positions.set(decodeURIComponent(name), `${epoch}.${place.slice(dot + 1)}`);
    }
    // There is one way to write a vector. Whatever else was in the text is not in this one: a topic
    // named twice, a needless epoch or escape, a second "=".
    return formatCursor(positions) === text ? positions : undefined;
  } catch {
    // A bad escape, topic or id, or too many of them.
    return undefined;
  }
}

/** A vector that moves on event by event: no name is encoded again for it. */
export class VectorCursor {
  readonly #places = new Map<string, Place>();
  /** What was written last; `undefined` once a topic has moved. */
  #text: string | undefined = "";

  /**
   * Throws as {@linkcode VectorCursor.set} does.
   *
   * @param positions The id of the last event of each topic. Default: no topic.
   */
  constructor(positions: Iterable<readonly [string, string]> = []) {
    for (const [topic, id] of positions) this.set(topic, id);
  }

  /**
   * Moves a topic to an event, or adds it behind the others. Room is kept for the longest `seq`, so
   * that a topic of the vector can always move on within its epoch.
   *
   * @throws {TypeError} If the topic is none, or the id none of a log.
   * @throws {RangeError} If the vector would get too long, by a topic or an epoch; nothing is changed
   * then.
   */
  set(topic: string, id: string): void {
    const to = parseEventId(id);
    if (to === undefined) {
      throw new TypeError(
        `Cannot move cursor: an id must be "epoch.seq", as a log gives it: received ${
          JSON.stringify(id)
        }`,
      );
    }
    const place = this.#places.get(topic);
    if (place?.epoch === to.epoch) place.seq = to.seq;
    else this.#write(topic, place, to);
    this.#text = undefined;
  }

  /** The id of the last event of a topic; `undefined` if the vector has no such topic. */
  get(topic: string): string | undefined {
    const place = this.#places.get(topic);
    return place && `${place.epoch}.${place.seq}`;
  }

  /** Writes the vector, as {@linkcode formatCursor} does. */
  toString(): string {
    this.#text ??= this.#join();
    return this.#text === "" ? NO_TOPIC : this.#text;
  }

  #join(): string {
    let text = "";
    let epoch = "";
    for (const place of this.#places.values()) {
      if (text !== "") text += "&";
      text += `${place.name}=`;
      if (place.epoch !== epoch) text += `${place.epoch}.`;
      text += place.seq;
      epoch = place.epoch;
    }
    return text;
  }

  /** The rare case: a topic is new, or has another epoch. */
  #write(topic: string, place: Place | undefined, to: EventId): void {
    const name = place?.name ?? encodeTopic(topic);
    this.#places.set(topic, { name, ...to });
    const length = this.#longest();
    if (length <= MAX_CURSOR_LENGTH) return;
    const { size } = this.#places;
    if (place === undefined) this.#places.delete(topic);
    else this.#places.set(topic, place);
    throw new RangeError(
      `Cannot move cursor: its ${size} topics would take up to ${length} characters and ${MAX_CURSOR_LENGTH} may be, carry fewer topics on a connection or give them shorter names`,
    );
  }

  /** How long the text gets when each `seq` is as long as it can be. */
  #longest(): number {
    let length = -1; // The first has no "&".
    let epoch = "";
    for (const place of this.#places.values()) {
      length += place.name.length + SEQ_LENGTH + 2;
      if (place.epoch !== epoch) length += place.epoch.length + 1;
      epoch = place.epoch;
    }
    return length;
  }
}

function encodeTopic(topic: string): string {
  checkTopic(topic);
  return topic.replace(UNSAFE, encodeURIComponent);
}
