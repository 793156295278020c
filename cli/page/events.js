/**
 * The list of events: the newest first, bounded, filtered, and still while somebody reads.
 *
 * @module
 */

import { byId, make, onceAFrame, setText } from "./dom.js";
import { Filter } from "./filter.js";
import { count, plural } from "./format.js";
import { Ring } from "./ring.js";
import { Row, rowOf } from "./row.js";

/** @typedef {import("./row.js").Shown} Shown */

/** How many events are in the list. */
const MAX_ROWS = 1_000;

/** How many are kept for another filter, and how large all that are kept may be, in characters. */
const MAX_KEPT = 5_000;
const MAX_SIZE = 8_000_000;

/** How many types, and topics, can be chosen. */
const MAX_CHOICES = 200;

/** Shows what comes. */
export class EventList {
  #announce;
  #kept = /** @type {Ring<Shown>} */ (new Ring(MAX_KEPT, MAX_SIZE));
  /** What the filter has let through. */
  #matching = /** @type {Ring<Shown>} */ (new Ring(MAX_ROWS, MAX_SIZE));
  /** What is to get a row with the next frame. */
  #coming = /** @type {Ring<Shown>} */ (new Ring(MAX_ROWS, MAX_SIZE));
  /** What was there when it was paused; `undefined` while it is not. @type {Shown[] | undefined} */
  #frozen;
  #waiting = 0;
  /** A pointer is down: rows must not move away under it. */
  #held = false;
  #filter = new Filter();
  /** The newest first. @type {Row[]} */
  #rows = [];

  #list = byId("rows", HTMLDivElement);
  #body = byId("body", HTMLDivElement);
  #empty = byId("empty", HTMLParagraphElement);
  #shown = byId("shown", HTMLParagraphElement);
  #pause = byId("pause", HTMLButtonElement);
  #search = byId("search", HTMLInputElement);
  #type = byId("type-filter", HTMLSelectElement);
  #topic = byId("topic-filter", HTMLSelectElement);
  #types = new Choices(this.#type);
  #topics = new Choices(this.#topic);
  #draw = onceAFrame(() => this.#render());

  /** @param {(text: string) => void} announce Says it to who does not see the page. */
  constructor(announce) {
    this.#announce = announce;
    this.#pause.addEventListener("click", () => this.togglePause());
    byId("clear", HTMLButtonElement).addEventListener("click", () => this.clear());
    for (const field of [this.#search, this.#type, this.#topic]) {
      field.addEventListener("input", () => this.#refilter());
    }
    this.#body.addEventListener("click", (event) => this.#onClick(event));
    this.#list.addEventListener("keydown", (event) => this.#onKey(event));
    this.#body.addEventListener("pointerdown", () => this.#held = true);
    for (const type of ["pointerup", "pointercancel"]) {
      addEventListener(type, () => {
        if (!this.#held) return;
        // The click that comes of it is still for the row that is there.
        setTimeout(() => {
          this.#held = false;
          this.#draw();
        });
      });
    }
    this.#draw();
  }

  get paused() {
    return this.#frozen !== undefined;
  }

  /**
   * Takes what came.
   *
   * @param {Shown[]} events
   */
  add(events) {
    for (const event of events) {
      this.#kept.push(event);
      this.#types.add(event.type);
      this.#topics.add(event.topic);
      if (!this.#filter.matches(event)) continue;
      this.#matching.push(event);
      if (this.paused) this.#waiting++;
      else this.#coming.push(event);
    }
    this.#draw();
  }

  togglePause() {
    if (!this.paused) {
      this.#hold();
      this.#announce("Paused");
      return;
    }
    const { length } = this.#rows;
    this.#announce(`Going on, ${plural(this.#waiting, "event")} came meanwhile`);
    this.#frozen = undefined;
    this.#waiting = 0;
    this.#pause.ariaPressed = "false";
    setText(this.#pause, "Pause");
    this.#coming.clear();
    this.#fill(this.#matching.toArray());
    if (length > 0) this.#list.scrollTop = 0;
  }

  /** Forgets what came so far. */
  clear() {
    for (const ring of [this.#kept, this.#matching, this.#coming]) ring.clear();
    this.#waiting = 0;
    if (this.paused) this.#frozen = [];
    this.#fill([]);
  }

  /** Puts the cursor into the search. */
  search() {
    this.#search.focus();
    this.#search.select();
  }

  /** The list stays as it is from now on. */
  #hold() {
    if (this.paused) return;
    this.#render();
    this.#frozen = this.#kept.toArray();
    this.#pause.ariaPressed = "true";
    setText(this.#pause, "Resume");
    this.#draw();
  }

  #refilter() {
    this.#filter = new Filter({
      search: this.#search.value,
      type: this.#type.value,
      topic: this.#topic.value,
    });
    const matching = this.#kept.toArray().filter((event) => this.#filter.matches(event));
    this.#matching.clear();
    for (const event of matching) this.#matching.push(event);
    this.#coming.clear();
    const old = new Set(this.#frozen);
    const frozen = this.#frozen?.filter((event) => this.#filter.matches(event));
    if (frozen !== undefined) this.#waiting = matching.filter((event) => !old.has(event)).length;
    this.#fill((frozen ?? this.#matching.toArray()).slice(-MAX_ROWS));
  }

  /** What came since the last frame goes to the top. */
  #render() {
    if (this.#held) return;
    const coming = this.#coming.toArray();
    this.#coming.clear();
    if (coming.length > 0) {
      const fresh = coming.map((event) => {
        const row = this.#rows.length + coming.length > MAX_ROWS ? this.#rows.pop() : undefined;
        return this.#rowFor(event, row);
      });
      fresh.reverse();
      this.#rows.unshift(...fresh);
      this.#body.prepend(...fresh.map(({ element }) => element));
      while (this.#rows.length > MAX_ROWS) this.#rows.pop()?.element.remove();
    }
    this.#showCounts();
  }

  /**
   * Shows these and no others.
   *
   * @param {Shown[]} events The oldest first.
   */
  #fill(events) {
    // An event that stays keeps its row, so that one that was opened stays open.
    const kept = new Map(this.#rows.map((row) => [row.event, row]));
    const wanted = new Set(events);
    const free = this.#rows.filter(({ event }) => event !== undefined && !wanted.has(event));
    const rows = events.toReversed().map((event) =>
      this.#rowFor(event, kept.get(event) ?? free.pop())
    );
    this.#rows = rows;
    this.#body.replaceChildren(...rows.map(({ element }) => element));
    this.#showCounts();
  }

  /**
   * @param {Shown} event
   * @param {Row} [row] One to use again.
   */
  #rowFor(event, row = new Row(this.#filter)) {
    row.show(event, this.#filter);
    return row;
  }

  #showCounts() {
    this.#empty.hidden = this.#rows.length > 0;
    setText(
      this.#empty,
      this.#kept.length === 0
        ? "No event yet. Publish one, or wait for the next."
        : "None of the events that are kept is of this kind.",
    );
    const shown = `${count(this.#rows.length)} of ${count(this.#kept.length)} kept`;
    setText(this.#shown, this.paused ? `${count(this.#waiting)} waiting` : shown);
    this.#shown.classList.toggle("waiting", this.paused);
  }

  /** @param {MouseEvent} event */
  #onClick({ target }) {
    const row = rowOf(target);
    if (row === undefined || !(target instanceof Element) || target.closest(".detail")) return;
    // Whoever marks text to copy it does not want it to close.
    if (getSelection()?.isCollapsed === false && target.closest("button") === null) return;
    this.#hold();
    row.toggle();
  }

  /** @param {KeyboardEvent} event */
  #onKey(event) {
    const row = rowOf(event.target);
    const at = row === undefined ? -1 : this.#rows.indexOf(row);
    switch (event.key) {
      case "ArrowDown":
        this.#goTo(at + 1);
        break;
      case "ArrowUp":
        if (at >= 0) this.#goTo(at - 1);
        break;
      case "Home":
        this.#goTo(0);
        break;
      case "End":
        this.#goTo(this.#rows.length - 1);
        break;
      case "Escape":
        if (row === undefined) return;
        if (row.open) {
          row.toggle();
          row.focus();
        } else this.#list.focus();
        break;
      default:
        return;
    }
    event.preventDefault();
  }

  /** @param {number} at */
  #goTo(at) {
    if (at < 0) return this.#list.focus();
    this.#hold();
    this.#rows[Math.min(at, this.#rows.length - 1)]?.focus();
  }
}

/** What a field lets one choose from: what there was so far. */
class Choices {
  /** @type {Set<string>} */
  #known = new Set([""]);
  #field;

  /** @param {HTMLSelectElement} field */
  constructor(field) {
    this.#field = field;
  }

  /** @param {string} text */
  add(text) {
    if (this.#known.has(text) || this.#known.size > MAX_CHOICES) return;
    this.#known.add(text);
    const next = [...this.#field.options].slice(1).find(({ value }) => value > text);
    this.#field.add(make("option", { value: text }, text), next ?? null);
  }
}
