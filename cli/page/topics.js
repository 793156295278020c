/**
 * Which topics there are, who reads them, and which ones this page follows.
 *
 * @module
 */

import { byId, make, setText } from "./dom.js";
import { count, plural } from "./format.js";
import { isPattern } from "./sse.js";

/** @typedef {import("./status.js").TopicStatus} TopicStatus */

/** How many are listed at most. */
const MAX_LISTED = 200;

/** How many one connection may carry: as many as a server takes by default. */
const MAX_CHOSEN = 100;

/** @typedef {{ item: HTMLLIElement, box: HTMLInputElement, readers: HTMLElement }} Line */

/** See the module. */
export class TopicPanel {
  #onChoose;
  #list = byId("topic-list", HTMLUListElement);
  #find = byId("find", HTMLInputElement);
  #count = byId("topic-count", HTMLSpanElement);
  #more = byId("more-topics", HTMLParagraphElement);
  #known = byId("known-topics", HTMLDataListElement);
  /** Names and patterns; none for all there are. @type {Set<string>} */
  #chosen;
  /** @type {Map<string, Line>} */
  #lines = new Map();
  /** @type {TopicStatus[]} */
  #topics = [];
  #topicCount = 0;

  /**
   * @param {readonly string[]} chosen What is chosen at first.
   * @param {(topics: string[]) => void} onChoose Called with another choice.
   */
  constructor(chosen, onChoose) {
    this.#chosen = new Set(chosen);
    this.#onChoose = onChoose;
    this.#find.addEventListener("input", () => this.#draw());
    byId("follow", HTMLFormElement).addEventListener("submit", (event) => {
      event.preventDefault();
      const text = this.#find.value.trim();
      if (text === "") return;
      this.#find.value = "";
      this.#choose(text, true);
    });
    this.#draw();
  }

  /**
   * Shows what the server says.
   *
   * @param {TopicStatus[]} topics
   * @param {number} topicCount
   */
  show(topics, topicCount) {
    const names = topics.map(({ topic }) => topic).join("\n");
    const before = this.#topics.map(({ topic }) => topic).join("\n");
    this.#topics = topics;
    this.#topicCount = topicCount;
    setText(this.#count, count(topicCount));
    if (names !== before) {
      this.#known.replaceChildren(...topics.map(({ topic }) => make("option", { value: topic })));
    }
    this.#draw();
  }

  #draw() {
    const wanted = this.#find.value.trim().toLowerCase();
    const readers = new Map(this.#topics.map(({ topic, readers }) => [topic, readers]));
    // Those that were chosen are there whatever is looked for.
    const names = [...this.#chosen, ...readers.keys()].filter((name, i, all) =>
      all.indexOf(name) === i && (this.#chosen.has(name) || name.toLowerCase().includes(wanted))
    );
    const shown = ["", ...names.slice(0, MAX_LISTED)];
    for (const [name, { item }] of this.#lines) {
      if (shown.includes(name)) continue;
      item.remove();
      this.#lines.delete(name);
    }
    let before = /** @type {Element | null} */ (this.#list.firstElementChild);
    for (const name of shown) {
      const line = this.#lines.get(name) ?? this.#makeLine(name);
      // What is in its place stays there: a field that is moved loses the focus.
      if (line.item === before) before = before.nextElementSibling;
      else this.#list.insertBefore(line.item, before);
      line.box.checked = name === "" ? this.#chosen.size === 0 : this.#chosen.has(name);
      const known = readers.get(name);
      setText(line.readers, known === undefined ? "" : plural(known, "reader"));
    }
    const left = this.#topicCount - this.#topics.length + names.length - shown.length + 1;
    this.#more.hidden = left <= 0;
    setText(this.#more, `and ${count(Math.max(0, left))} more: name one to follow it`);
  }

  /**
   * @param {string} name
   * @returns {Line}
   */
  #makeLine(name) {
    const box = make("input", { type: "checkbox" });
    const readers = make("span", { class: "quiet" });
    const text = name === "" ? "All topics" : name;
    const title = make("span", { class: isPattern(name) ? "name pattern" : "name" }, text);
    const item = make("li", {}, make("label", {}, box, title, readers));
    box.addEventListener("change", () => this.#choose(name, box.checked));
    const line = { item, box, readers };
    this.#lines.set(name, line);
    return line;
  }

  /**
   * @param {string} name
   * @param {boolean} chosen
   */
  #choose(name, chosen) {
    const before = [...this.#chosen].join("\n");
    if (name === "") this.#chosen.clear();
    else if (!chosen) this.#chosen.delete(name);
    else if (this.#chosen.size < MAX_CHOSEN) this.#chosen.add(name);
    this.#draw();
    if ([...this.#chosen].join("\n") !== before) this.#onChoose([...this.#chosen]);
  }
}
