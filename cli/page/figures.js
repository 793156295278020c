/**
 * The figures of the server, side by side.
 *
 * @module
 */

import { byId, make, setText } from "./dom.js";
import { bytes, count, decimal, plural, short } from "./format.js";
import { Rate } from "./samples.js";

/** @typedef {import("./status.js").Status} Status */

/** Shows what a {@linkcode Status} says. */
export class Figures {
  #stale = byId("stale", HTMLParagraphElement);
  /** @type {Map<string, { value: HTMLElement, note: HTMLElement, figure: HTMLElement }>} */
  #figures = new Map();
  #published = new Rate();
  #delivered = new Rate();
  /** How many were published in the last second; `undefined` while that is not known. */
  rate = /** @type {number | undefined} */ (undefined);

  constructor() {
    const list = byId("figures", HTMLElement).querySelector("dl");
    for (const name of ["Readers", "Published", "Delivered", "Replayed", "Queued", "Dropped"]) {
      const value = make("span", {}, "–");
      const note = make("span", { class: "quiet" });
      const figure = make("div", {}, make("dt", {}, name), make("dd", {}, value, " ", note));
      this.#figures.set(name, { value, note, figure });
      list?.append(figure);
    }
  }

  /** @param {Status} status */
  show({ at, metrics, topicCount, log }) {
    const { sessions, published, delivered, replayed, bytes: sent, queuedBytes, dropped, slow } =
      metrics;
    this.rate = this.#published.next(at, published);
    const rate = this.#delivered.next(at, delivered);
    this.#set("Readers", sessions, plural(topicCount, "topic"));
    this.#set("Published", published, perSecond(this.rate));
    this.#set("Delivered", delivered, perSecond(rate));
    this.#set("Replayed", replayed, `from ${log}`);
    this.#set("Queued", bytes(queuedBytes), `${bytes(sent)} sent`);
    this.#set("Dropped", dropped, `${count(slow)} too slow`, dropped + slow > 0);
  }

  /**
   * Says that they are old.
   *
   * @param {string} reason `""` if they are not.
   */
  showStale(reason) {
    this.#stale.hidden = reason === "";
    setText(this.#stale, reason === "" ? "" : `These figures are old: ${reason}.`);
    if (reason !== "") this.rate = undefined;
  }

  /**
   * @param {string} name
   * @param {string | number} value
   * @param {string} note
   * @param {boolean} [bad]
   */
  #set(name, value, note, bad = false) {
    const parts = this.#figures.get(name);
    if (parts === undefined) return;
    setText(parts.value, typeof value === "string" ? value : short(value));
    if (typeof value === "number") parts.value.title = count(value);
    setText(parts.note, note);
    parts.note.title = note;
    parts.figure.classList.toggle("bad", bad);
  }
}

/** @param {number | undefined} rate */
function perSecond(rate) {
  return rate === undefined ? "" : `${decimal(rate)}/s`;
}
