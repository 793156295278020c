/**
 * Which events are shown, and where what was searched for is in them.
 *
 * @module
 */

/**
 * What is asked for; an empty text is no condition.
 *
 * @typedef {object} Query
 * @property {string} search A part of the data, in upper or lower case.
 * @property {string} type
 * @property {string} topic
 */

/** @typedef {{ readonly type: string, readonly topic: string, readonly data: string }} Searched */

/** How long a line of a list is at most, in characters. */
const LINE = 400;

/** What was searched for and is further behind is brought to the front, with so much before it. */
const LEAD = 24;

/** What is asked for, ready to be asked of many events. */
export class Filter {
  #type;
  #topic;
  /** @type {RegExp | undefined} */
  #pattern;

  /** @param {Query} [query] */
  constructor({ search, type, topic } = { search: "", type: "", topic: "" }) {
    this.#type = type;
    this.#topic = topic;
    this.#pattern = search === ""
      ? undefined
      : new RegExp(search.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&"), "giu");
  }

  /**
   * Whether an event is what is asked for.
   *
   * @param {Searched} event
   */
  matches({ type, topic, data }) {
    if (this.#type !== "" && type !== this.#type) return false;
    if (this.#topic !== "" && topic !== this.#topic) return false;
    return this.#pattern === undefined || this.#find(data, 0) !== undefined;
  }

  /**
   * A text in parts, those that were searched for apart.
   *
   * @param {string} text
   * @returns {{ text: string, found: boolean }[]}
   */
  parts(text) {
    /** @type {{ text: string, found: boolean }[]} */
    const parts = [];
    let from = 0;
    for (let at = this.#find(text, 0); at !== undefined; at = this.#find(text, from)) {
      if (at.start > from) parts.push({ text: text.slice(from, at.start), found: false });
      parts.push({ text: text.slice(at.start, at.end), found: true });
      from = at.end;
    }
    if (from < text.length || parts.length === 0) {
      parts.push({ text: text.slice(from), found: false });
    }
    return parts;
  }

  /**
   * Data on one line, short, with what was searched for in it.
   *
   * @param {string} data
   */
  line(data) {
    const at = this.#find(data, 0)?.start ?? 0;
    const from = at > 2 * LEAD ? at - LEAD : 0;
    const text = data.slice(from, from + LINE).replace(/\s+/g, " ");
    return `${from > 0 ? "…" : ""}${text}${from + LINE < data.length ? "…" : ""}`;
  }

  /**
   * @param {string} text
   * @param {number} from
   * @returns {{ start: number, end: number } | undefined}
   */
  #find(text, from) {
    const pattern = this.#pattern;
    if (pattern === undefined) return undefined;
    pattern.lastIndex = from;
    const match = pattern.exec(text);
    return match === null ? undefined : { start: match.index, end: pattern.lastIndex };
  }
}
