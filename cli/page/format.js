/**
 * Figures as text. All of one kind have one width per digit, so that columns align.
 *
 * @module
 */

const whole = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });
const tenths = new Intl.NumberFormat("en-US", {
  minimumFractionDigits: 1,
  maximumFractionDigits: 1,
});

/**
 * `12,345`.
 *
 * @param {number} value
 */
export function count(value) {
  return whole.format(value);
}

/**
 * `12,345`, and from ten millions on `12.3 M`.
 *
 * @param {number} value
 */
export function short(value) {
  return value < 10_000_000 ? count(value) : `${decimal(value / 1_000_000)} M`;
}

/**
 * `0`, `9.5`, `120`: with a decimal where it says something.
 *
 * @param {number} value
 */
export function decimal(value) {
  const rounded = Math.round(value * 10) / 10;
  return value >= 100 || Number.isInteger(rounded) ? whole.format(rounded) : tenths.format(rounded);
}

/**
 * `1 event`, `2 events`.
 *
 * @param {number} value
 * @param {string} noun
 */
export function plural(value, noun) {
  return `${count(value)} ${noun}${value === 1 ? "" : "s"}`;
}

/**
 * `0 B`, `1.5 kB`, `12 MB`.
 *
 * @param {number} value
 */
export function bytes(value) {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${decimal(unit === 0 ? Math.round(value) : value)} ${units[unit]}`;
}

/**
 * A time span: `0.4 ms`, `12 ms`, `3.2 s`.
 *
 * @param {number} ms
 */
export function duration(ms) {
  if (ms >= 1_000) return seconds(ms);
  return `${ms < 10 ? tenths.format(ms) : whole.format(ms)} ms`;
}

/**
 * A time span of which one figure is shown after the other: `12.3 s`, `0.4 s`.
 *
 * @param {number} ms
 */
export function seconds(ms) {
  return `${tenths.format(ms / 1000)} s`;
}

/**
 * The time of day, `13:05:09.042`.
 *
 * @param {number} at Milliseconds since 1970.
 */
export function timeOfDay(at) {
  const date = new Date(at);
  const two = (/** @type {number} */ value) => String(value).padStart(2, "0");
  const time = [date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(":");
  return `${time}.${String(date.getMilliseconds()).padStart(3, "0")}`;
}
