/**
 * Bars in groups, each with its name and its figure.
 *
 * @module
 */

import { isDrawable, makeScale, type Scale } from "./scale.ts";
import { fillClass } from "./style.ts";
import {
  type Drawing,
  heading,
  lineAt,
  MARGIN,
  middleWithin,
  SIZE,
  textAt,
  thin,
  WIDTH,
} from "./svg.ts";
import { BOLD, coordinate, formatValue, shorten, textWidth } from "./text.ts";

/** One bar. */
export interface Bar {
  /** What it is; a name has the same colour in all groups. */
  readonly name: string;
  /** How long it is; `NaN` where there is no figure. */
  readonly value: number;
}

/** Bars that are compared with each other. */
export interface BarGroup {
  /** What they have in common. */
  readonly name: string;
  /** The bars. */
  readonly bars: readonly Bar[];
}

/** What `barPlot` is told. */
export interface BarPlotOptions {
  /** What the plot shows. */
  readonly title: string;
  /** Under which conditions: machine, versions, load. */
  readonly subtitle?: string;
  /** What the figures are, for the axis: `Events a second, as a multiple of ours`. */
  readonly unit: string;
  /** The bars, by groups. */
  readonly groups: readonly BarGroup[];
  /** A value that all are compared with, and what it is. */
  readonly reference?: { readonly value: number; readonly label: string };
  /** Logarithmic for what differs by far. @default {"linear"} */
  readonly scale?: "linear" | "log";
}

const BAR = 14;
const ROW = 20;
const HEAD = 24;

/** Draws it; see `barPlot`. */
export function drawBars(options: BarPlotOptions): Drawing {
  const { title, subtitle, groups } = options;
  const log = options.scale === "log";
  const reference = options.reference && isDrawable(options.reference.value, log)
    ? options.reference
    : undefined;
  const values = groups.flatMap(({ bars }) => bars.map(({ value }) => value));
  if (reference !== undefined) values.push(reference.value);
  const scale = makeScale({ log, values, count: 7, nice: true });
  const rows = layOut(groups);

  const { elements, bottom } = heading({ title, subtitle });
  const top = bottom + (reference === undefined ? 18 : 38);
  const names = rows.map(({ name, head }) => head ? 0 : textWidth(name, SIZE.small));
  const left = MARGIN + Math.min(WIDTH * 0.4, Math.max(0, ...names)) + 10;
  // Room for the figure beside the longest bar.
  const figures = values.filter((value) => isDrawable(value, log)).map(formatValue);
  const room = Math.max(0, ...figures.map((text) => textWidth(text, SIZE.small)));
  const right = WIDTH - MARGIN - room - 8;
  const place = (value: number) => left + scale.at(value) * (right - left);
  const base = place(baseOf(scale, reference?.value));
  const colors = colorsOf(groups);
  const end = top + rows.reduce((sum, { head }) => sum + (head ? HEAD : ROW), 0) + 4;
  for (const { value } of scale.ticks) {
    elements.push(lineAt("p-grid", place(value), top, place(value), end));
  }
  if (reference !== undefined) {
    const text = shorten(reference.label, SIZE.small, WIDTH - 2 * MARGIN);
    const x = coordinate(place(reference.value));
    const middle = middleWithin(place(reference.value), text, SIZE.small);
    elements.push(
      `<path class="p-axis" stroke-dasharray="4 3" d="M${x} ${coordinate(top - 4)}V${
        coordinate(end)
      }"/>`,
      textAt(middle, top - 10, text, { anchor: "middle", muted: true }),
    );
  }
  let y = top;
  for (const { name, head, bar } of rows) {
    if (head) {
      const text = shorten(name, SIZE.text * BOLD, WIDTH - 2 * MARGIN);
      elements.push(textAt(MARGIN, y + 17, text, { size: SIZE.text, bold: true }));
      y += HEAD;
      continue;
    }
    const text = shorten(name, SIZE.small, left - MARGIN - 10);
    elements.push(textAt(left - 8, y + 14.5, text, { anchor: "end" }));
    const drawn = isDrawable(bar.value, log);
    const tip = drawn ? place(bar.value) : base;
    if (drawn) {
      elements.push(
        `<rect class="${fillClass(colors.get(bar.name) ?? 0)}" x="${
          coordinate(Math.min(base, tip))
        }" y="${coordinate(y + (ROW - BAR) / 2)}" width="${
          coordinate(Math.abs(tip - base))
        }" height="${BAR}"/>`,
      );
    }
    // Beside a bar to the left, too: on its own side the names are.
    const figure = drawn ? formatValue(bar.value) : "no figure";
    elements.push(
      textAt(Math.max(base, tip) + 6, y + 14.5, figure, { muted: !drawn, halo: true }),
    );
    y += ROW;
  }
  elements.push(lineAt("p-axis", base, top, base, end));
  for (
    const { at, label } of thin(scale.ticks.map((tick) => ({ ...tick, at: place(tick.value) })))
  ) {
    elements.push(textAt(at, end + 16, label, { anchor: "middle", muted: true }));
  }
  const unit = shorten(options.unit, SIZE.small, WIDTH - 2 * MARGIN);
  const middle = middleWithin((left + right) / 2, unit, SIZE.small);
  elements.push(textAt(middle, end + 38, unit, { anchor: "middle", muted: true }));
  return { title, description: describe(options), height: end + 52, body: elements.join("\n") };
}

/** One line of the picture: the name of a group, or a bar. */
interface Row {
  readonly name: string;
  readonly head: boolean;
  readonly bar: Bar;
}

function layOut(groups: readonly BarGroup[]): Row[] {
  // A group of one bar needs one name.
  const single = groups.every(({ bars }) => bars.length <= 1);
  return groups.flatMap(({ name, bars }): Row[] => {
    if (single) return bars.map((bar) => ({ name, head: false, bar }));
    const rows = bars.map((bar) => ({ name: bar.name, head: false, bar }));
    return [{ name, head: true, bar: { name, value: NaN } }, ...rows];
  });
}

/** Where bars start: at the reference if the scale has no 0. */
function baseOf({ log, min, max }: Scale, reference: number | undefined): number {
  const start = log ? reference ?? min : 0;
  return Math.max(min, Math.min(start, max));
}

function colorsOf(groups: readonly BarGroup[]): Map<string, number> {
  const names = new Set(groups.flatMap(({ bars }) => bars.map(({ name }) => name)));
  return new Map([...names].map((name, i) => [name, i]));
}

function describe({ title, subtitle, unit, groups, reference, scale }: BarPlotOptions): string {
  const log = scale === "log";
  const figure = ({ name, value }: Bar) =>
    `${name} ${isDrawable(value, log) ? formatValue(value) : "no figure"}`;
  return [
    `${title}.`,
    ...(subtitle === undefined ? [] : [`${subtitle}.`]),
    `${unit}${log ? ", logarithmic" : ""}.`,
    ...(reference === undefined ? [] : [`${formatValue(reference.value)} is ${reference.label}.`]),
    ...groups.map(({ name, bars }) => `${name}: ${bars.map(figure).join(", ")}.`),
  ].join(" ");
}
