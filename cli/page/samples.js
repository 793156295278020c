/**
 * Figures over the last two minutes.
 *
 * @module
 */

/** How long they are kept, in ms. */
export const WINDOW = 120_000;

/** @typedef {{ readonly at: number, readonly value: number }} Sample */

/** The samples of one figure; a pause in them is a hole. */
export class Samples {
  /** @type {Sample[]} */
  #samples = [];

  /**
   * @param {number} at In ms, later than the one before.
   * @param {number} value
   */
  add(at, value) {
    this.#samples.push({ at, value });
    const first = this.#samples.findIndex((sample) => sample.at >= at - WINDOW);
    if (first > 0) this.#samples.splice(0, first);
  }

  /**
   * Those that are still in the window.
   *
   * @param {number} now
   * @returns {Sample[]}
   */
  within(now) {
    return this.#samples.filter(({ at }) => at >= now - WINDOW);
  }
}

/** How much a counter grows in a second. */
export class Rate {
  /** @type {{ at: number, total: number } | undefined} */
  #last;

  /**
   * @param {number} at In ms.
   * @param {number} total The counter.
   * @returns {number | undefined} How much it has grown in a second since the last time; `undefined`
   * the first time, and when it has begun anew.
   */
  next(at, total) {
    const last = this.#last;
    if (at === last?.at) return undefined;
    this.#last = { at, total };
    // A clock may be set, too.
    if (last === undefined || total < last.total || at < last.at) return undefined;
    return (total - last.total) / (at - last.at) * 1_000;
  }
}

/**
 * The end of an axis that begins at 0 and has room for a value: 1, 2 or 5 times a power of ten.
 *
 * @param {number} value
 */
export function axisEnd(value) {
  if (!(value > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  const step = [1, 2, 5, 10].find((step) => step * power >= value) ?? 10;
  return step * power;
}
