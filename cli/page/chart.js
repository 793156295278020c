/**
 * A line chart of the last two minutes, in plain SVG. The drawing is stretched to its place; what is
 * to be read stands beside it as text of the page.
 *
 * @module
 */

import { draw, make, setText } from "./dom.js";
import { axisEnd, WINDOW } from "./samples.js";

/** @typedef {import("./samples.js").Samples} Samples */
/** @typedef {import("./samples.js").Sample} Sample */

/** The size of the drawing, in units of its own. */
const WIDTH = 1_200;
const HEIGHT = 100;

/** Between two samples that are further apart, in ms, there is a hole. */
const HOLE = 5_000;

/**
 * @typedef {object} Line
 * @property {string} name
 * @property {Samples} samples
 * @property {string} kind The class of its line: `main` or `other`.
 */

/**
 * @typedef {object} ChartOptions
 * @property {string} title
 * @property {(value: number) => string} format A value with its unit.
 * @property {number} least What the axis goes up to at least.
 */

/** A chart. */
export class Chart {
  #options;
  #lines;
  /** @type {SVGPathElement[]} */
  #paths = [];
  #area = draw("path", { class: "area" });
  /** @type {HTMLElement[]} */
  #values = [];
  #top = make("span", { class: "top" });
  #svg;

  /**
   * @param {HTMLElement} figure Where it goes.
   * @param {ChartOptions} options
   * @param {Line[]} lines The first one is drawn over the others.
   */
  constructor(figure, options, lines) {
    this.#options = options;
    this.#lines = lines;
    const caption = make("figcaption", {}, make("h3", {}, options.title));
    for (const { name, kind } of lines) {
      const value = make("b");
      this.#values.push(value);
      const key = draw("svg", { class: "key", viewBox: "0 0 16 4", "aria-hidden": "true" });
      key.append(draw("path", { class: kind, d: "M0 2H16" }));
      caption.append(make("span", { class: "legend" }, key, ` ${name} `, value));
      this.#paths.push(draw("path", { class: `line ${kind}` }));
    }
    const grid = draw("path", {
      class: "grid",
      d: [0, 0.5, 1].map((share) => `M0 ${HEIGHT * share}H${WIDTH}`).join(""),
    });
    this.#svg = draw(
      "svg",
      { role: "img", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none" },
      grid,
      this.#area,
      ...this.#paths.toReversed(),
    );
    const times = make("div", { class: "times", "aria-hidden": "true" });
    times.append(make("span", {}, "2 min ago"), make("span", {}, "1 min"), make("span", {}, "now"));
    const plot = make("div", { class: "plot" }, this.#top, this.#svg);
    this.#top.ariaHidden = "true";
    figure.append(caption, plot, times);
  }

  /**
   * Draws what is known by now.
   *
   * @param {number} now In ms, as of the samples.
   */
  draw(now) {
    const { title, format, least } = this.#options;
    const lines = this.#lines.map(({ samples }) => samples.within(now));
    const highest = Math.max(least, ...lines.flat().map(({ value }) => value));
    const top = axisEnd(highest);
    const drawn = lines.map((samples) => pathOf(samples, now, top));
    const summaries = this.#lines.map(({ name }, i) => {
      const last = lines[i].at(-1);
      const isNew = last !== undefined && now - last.at < HOLE;
      setText(this.#values[i], isNew ? format(last.value) : "–");
      this.#paths[i].setAttribute("d", drawn[i].line);
      return summaryOf(name, lines[i], isNew, format);
    });
    this.#area.setAttribute("d", drawn[0].area);
    setText(this.#top, format(top));
    const label = `${title}, the last two minutes. ${summaries.join(". ")}.`;
    if (this.#svg.getAttribute("aria-label") !== label) this.#svg.setAttribute("aria-label", label);
  }
}

/**
 * The chart in words.
 *
 * @param {string} name
 * @param {Sample[]} samples
 * @param {boolean} isNew Whether the last one is of now.
 * @param {(value: number) => string} format
 */
function summaryOf(name, samples, isNew, format) {
  if (samples.length === 0) return `${name}: nothing yet`;
  const values = samples.map(({ value }) => value);
  const [least, most] = [Math.min(...values), Math.max(...values)].map(format);
  const now = isNew ? `now ${format(values[values.length - 1])}, ` : "";
  return `${name}: ${now}between ${least} and ${most}`;
}

/**
 * @param {Sample[]} samples
 * @param {number} now
 * @param {number} top The end of the axis.
 */
function pathOf(samples, now, top) {
  let line = "";
  let area = "";
  let end = "";
  let last = -Infinity;
  for (const { at, value } of samples) {
    const x = ((at - now + WINDOW) / WINDOW * WIDTH).toFixed(1);
    const y = (HEIGHT - value / top * HEIGHT).toFixed(1);
    const hole = at - last > HOLE;
    line += `${hole ? "M" : "L"}${x} ${y}`;
    area += hole ? `${end}M${x} ${HEIGHT}L${x} ${y}` : `L${x} ${y}`;
    end = `L${x} ${HEIGHT}Z`;
    last = at;
  }
  return { line, area: area + end };
}
