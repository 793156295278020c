/**
 * Texts of plots: escaped, measured without a font, wrapped, and numbers for people.
 *
 * @module
 */

/** What XML 1.0 cannot hold, however it is written. */
// deno-lint-ignore no-control-regex
const NO_XML = /[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]/g;

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

/** Text for XML, in an element or an attribute. */
export function escapeXml(text: string): string {
  return text.toWellFormed().replace(NO_XML, "\ufffd").replace(
    /[&<>"']/g,
    (char) => ENTITIES[char],
  );
}

/**
 * About how wide a text is, rather too wide: nobody knows which font it will be set in.
 *
 * @param size Of the font, in pixels.
 */
export function textWidth(text: string, size: number): number {
  let width = 0;
  for (const char of text) width += charWidth(char);
  return width * size;
}

/** How much wider bold type is. */
export const BOLD = 1.13;

/** In units of the font's size, as DejaVu Sans has them: it is among the widest in use. */
function charWidth(char: string): number {
  if (/[iljtfrI.,:;'|!\s()[\]-]/.test(char)) return 0.4;
  if (/[mwMW@%]/.test(char)) return 0.98;
  if (/[A-Z&]/.test(char)) return 0.74;
  // Beyond the scripts of Europe a character may take a whole square.
  return char < "\u1100" || /[\u2000-\u2bff]/.test(char) ? 0.63 : 1.05;
}

/** A text in lines of at most this width; a word that is wider is cut. */
export function wrap(text: string, size: number, width: number, maxLines: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(/\s+/).filter(Boolean)) {
    const longer = line === "" ? word : `${line} ${word}`;
    if (line === "" || textWidth(longer, size) <= width) line = longer;
    else {
      lines.push(line);
      line = word;
    }
  }
  if (line !== "") lines.push(line);
  const kept = lines.slice(0, maxLines);
  if (lines.length > maxLines) kept[maxLines - 1] += "…";
  return kept.map((line) => shorten(line, size, width));
}

/** A text that is too wide, cut with an ellipsis. */
export function shorten(text: string, size: number, width: number): string {
  if (textWidth(text, size) <= width) return text;
  const chars = [...text];
  // A text without end is not measured to its end.
  let left = width - textWidth("…", size);
  let count = 0;
  while (count < chars.length && (left -= charWidth(chars[count]) * size) >= 0) count++;
  return `${chars.slice(0, count).join("").trimEnd()}…`;
}

type Unit = readonly [size: number, letter: string];

const UNITS: readonly Unit[] = [[1e12, "T"], [1e9, "G"], [1e6, "M"], [1e3, "k"]];

/** A number in three digits: 0.125, 42, 3,400, 12.5k, 3.4M. */
export function formatValue(value: number): string {
  return format(value, Math.abs(value) < 9_995 ? undefined : unitOf(value), 3);
}

/** The numbers of one axis: all in one unit, or of a logarithmic one each in its own. */
export function formatTicks(values: readonly number[], log: boolean): string[] {
  const most = Math.max(0, ...values.map(Math.abs));
  const shared = most < 10_000 ? undefined : unitOf(most);
  const unit = (value: number) => log ? unitOf(value) : value === 0 ? undefined : shared;
  return values.map((value) => format(value, unit(value), 12));
}

/** A number with all its digits: 65,536. */
export function formatExact(value: number): string {
  return format(value, undefined, 12);
}

function unitOf(value: number): Unit | undefined {
  // What three digits round up is in the next unit.
  return UNITS.find(([size]) => Number(Math.abs(value).toPrecision(3)) >= size);
}

function format(value: number, unit: Unit | undefined, digits: number): string {
  const size = Math.abs(value);
  if (size !== 0 && (size >= 1e15 || size < 1e-4)) {
    const text = value.toExponential(2).replace(/\.?0+e/, "e").replace("e+", "e");
    return text.replaceAll("-", "\u2212");
  }
  const [factor, letter] = unit ?? [1, ""];
  const scaled = Number((value / factor).toPrecision(digits));
  const [whole, fraction] = String(Math.abs(scaled)).split(".");
  const grouped = whole.replace(/\B(?=(?:\d{3})+$)/g, ",");
  const number = fraction === undefined ? grouped : `${grouped}.${fraction}`;
  return `${scaled < 0 ? "\u2212" : ""}${number}${letter}`;
}

/** A coordinate: a tenth of a pixel is as fine as anybody sees. */
export function coordinate(value: number): string {
  const rounded = Math.round(value * 10) / 10;
  // No minus before a zero.
  return String(rounded === 0 ? 0 : rounded);
}
