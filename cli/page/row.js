/**
 * A row of the list of events, used again for another event when its own has left the list.
 *
 * @module
 */

import { make, setText } from "./dom.js";
import { bytes, count, timeOfDay } from "./format.js";
import { layOut } from "./json.js";

/** @typedef {import("./filter.js").Filter} Filter */

/**
 * An event as it is shown.
 *
 * @typedef {object} Shown
 * @property {number} at When it came, in ms since 1970.
 * @property {string} topic
 * @property {string} type
 * @property {number | undefined} seq Its number in the log of its topic.
 * @property {string} id Its id in that log, or as it came if it is of none.
 * @property {string} lastEventId As it came.
 * @property {string} data
 * @property {"event" | "gap"} kind
 * @property {number} size How much it holds, in characters.
 */

/** Longer data is not laid out, and only its start is shown: a page stands still for it. */
const LONG = 200_000;

/** See the module. */
export class Row {
  /** @type {Shown | undefined} */
  #event;
  #filter;
  #button = make("button", { type: "button", class: "open", tabindex: "-1" });
  #topic = make("span", { role: "cell", class: "topic" });
  #type = make("span", { role: "cell", class: "type" });
  #seq = make("span", { role: "cell", class: "seq" });
  #data = make("span", { role: "cell", class: "data" });
  /** @type {HTMLElement | undefined} */
  #detail;
  element;

  /** @param {Filter} filter */
  constructor(filter) {
    this.#filter = filter;
    this.#button.ariaExpanded = "false";
    const time = make("span", { role: "cell", class: "time" }, this.#button);
    const line = make(
      "div",
      { role: "row", class: "row" },
      time,
      this.#topic,
      this.#type,
      this.#seq,
      this.#data,
    );
    this.element = make("div", { role: "presentation", class: "entry" }, line);
    rows.set(this.element, this);
  }

  get event() {
    return this.#event;
  }

  get open() {
    return this.#detail !== undefined;
  }

  /**
   * Shows an event.
   *
   * @param {Shown} event
   * @param {Filter} filter What to mark in it.
   */
  show(event, filter) {
    if (this.#event === event && this.#filter === filter) return;
    if (this.#event !== event) this.#closeDetail();
    this.#event = event;
    this.#filter = filter;
    setText(this.#button, timeOfDay(event.at));
    setText(this.#topic, event.topic);
    setText(this.#type, event.type);
    setText(this.#seq, event.seq === undefined ? "" : String(event.seq));
    this.element.classList.toggle("gap", event.kind === "gap");
    this.#data.replaceChildren(...marked(filter.line(event.data), filter));
    if (this.#detail !== undefined) this.#openDetail();
  }

  /** Opens or closes the event. */
  toggle() {
    if (this.open) this.#closeDetail();
    else this.#openDetail();
  }

  focus() {
    this.#button.focus();
  }

  #openDetail() {
    const event = this.#event;
    if (event === undefined) return;
    const detail = detailOf(event, this.#filter);
    if (this.#detail === undefined) this.element.append(detail);
    else this.#detail.replaceWith(detail);
    this.#detail = detail;
    this.#button.ariaExpanded = "true";
    this.element.classList.add("opened");
  }

  #closeDetail() {
    if (this.#detail === undefined) return;
    this.#detail.remove();
    this.#detail = undefined;
    this.#button.ariaExpanded = "false";
    this.element.classList.remove("opened");
  }
}

/** @type {WeakMap<Element, Row>} */
const rows = new WeakMap();

/**
 * The row that an element is in.
 *
 * @param {EventTarget | null} target
 */
export function rowOf(target) {
  const entry = target instanceof Element ? target.closest(".entry") : null;
  return entry === null ? undefined : rows.get(entry);
}

/**
 * @param {Shown} event
 * @param {Filter} filter
 */
function detailOf({ at, topic, type, id, lastEventId, data }, filter) {
  const long = data.length > LONG;
  const tokens = long ? undefined : layOut(data);
  const copy = make("button", { type: "button", class: "copy" }, "Copy data");
  copy.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(data);
      setText(copy, "Copied");
    } catch {
      // Its user does not allow it, or there is none: pages have one over TLS and on loopback only.
      setText(copy, "Cannot copy here");
    }
  });
  const facts = [
    ["ID", id],
    ...(lastEventId === id ? [] : [["Last event ID", lastEventId]]),
    ["Topic", topic],
    ["Type", type],
    ["Came at", new Date(at).toISOString()],
    ["Size", `${bytes(new Blob([data]).size)}${tokens === undefined ? "" : ", JSON"}`],
  ];
  const list = make("dl", { class: "facts" });
  for (const [name, value] of facts) {
    list.append(
      make("div", {}, make("dt", {}, name), make("dd", {}, value === "" ? "none" : value)),
    );
  }
  const text = make("pre", { class: "json" });
  if (tokens === undefined) text.append(...marked(data.slice(0, LONG), filter));
  else {
    for (const { text: token, kind } of tokens) {
      if (kind === "space") text.append(token);
      else text.append(make("span", { class: kind }, ...marked(token, filter)));
    }
  }
  const cell = make("div", { role: "cell" }, list, text);
  if (long) {
    cell.append(
      make(
        "p",
        { class: "quiet" },
        `The first ${count(LONG)} of ${count(data.length)} characters.`,
      ),
    );
  }
  cell.append(copy);
  return make("div", { role: "row", class: "detail" }, cell);
}

/**
 * A text with what was searched for marked in it.
 *
 * @param {string} text
 * @param {Filter} filter
 * @returns {(string | HTMLElement)[]}
 */
function marked(text, filter) {
  return filter.parts(text).map((part) => part.found ? make("mark", {}, part.text) : part.text);
}
