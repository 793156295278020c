/**
 * What this process knows of the topics of its log: their names in Redis, and how far each has
 * come.
 *
 * @module
 */

/** How many topics are known at least before those are forgotten that were not used for long. */
const MAX_KNOWN = 10_000;

/** A topic, as this process knows it. */
export class Place {
  readonly topic: string;
  /** The keys that a script is given: hash, stream, idempotency keys. */
  readonly keys: string[];
  /** The first two of them. */
  readonly pair: string[];
  /** Where its events are published. It is in the slot of the keys. */
  readonly channel: string;
  /** The epoch that was seen last. */
  epoch = "";
  /** The highest number that was seen of it. */
  seq = 0;
  /** When the expiry of its keys was renewed, and when it was registered; long ago if never. */
  renewed: number = -Infinity;
  registered: number = -Infinity;

  /**
   * @param prefix What all keys of the log begin with.
   * @param keyPrefix What the client puts before them.
   */
  constructor(prefix: string, keyPrefix: string, topic: string) {
    this.topic = topic;
    // What is in braces decides on the slot.
    const name = `${prefix}:{${encodeName(topic)}}`;
    this.keys = [name, `${name}:events`, `${name}:keys`];
    this.pair = this.keys.slice(0, 2);
    this.channel = keyPrefix + name;
  }

  /** Notes what the engine has said of it. */
  see(epoch: string, seq: number): void {
    if (epoch === this.epoch) {
      if (seq > this.seq) this.seq = seq;
    } else {
      this.epoch = epoch;
      this.seq = seq;
    }
  }

  /** Notes an id that the engine has given. */
  seeId(id: string): void {
    const dot = id.lastIndexOf(".");
    this.see(id.slice(0, dot), Number(id.slice(dot + 1)));
  }
}

/** The topics that were used last. */
export class Places {
  readonly #prefix: string;
  readonly #keyPrefix: string;
  #young = new Map<string, Place>();
  #old = new Map<string, Place>();

  /**
   * @param prefix What all keys of the log begin with.
   * @param keyPrefix What the client puts before them.
   */
  constructor(prefix: string, keyPrefix: string) {
    this.#prefix = prefix;
    this.#keyPrefix = keyPrefix;
  }

  /** A topic, known from now on. */
  get(topic: string): Place {
    const known = this.#young.get(topic);
    if (known !== undefined) return known;
    const place = this.#old.get(topic) ?? new Place(this.#prefix, this.#keyPrefix, topic);
    // Two halves: of each use only a lookup, and no list to keep in order.
    if (this.#young.size >= MAX_KNOWN) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(topic, place);
    return place;
  }
}

/** What would end the part in braces, and what UTF-8 cannot carry. */
const UNSAFE = /[%{}\ud800-\udfff]/gu;

/** A name of any text, that is another one for another text. */
export function encodeName(text: string): string {
  return text.replace(UNSAFE, (char) => `%${char.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/** The text of a name. */
export function decodeName(name: string): string {
  return name.replace(/%([\da-f]{4})/g, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16)));
}
