/**
 * Lines over a common axis.
 *
 * @module
 */

import { isDrawable, makeScale, type Scale, type Tick } from "./scale.ts";
import { dashOf, fillClass, markerAt, strokeClass } from "./style.ts";
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
import { coordinate, formatValue, shorten, textWidth } from "./text.ts";

/** One axis. */
export interface Axis {
  /** What it measures, with the unit: `Latency (ms)`. */
  readonly label: string;
  /** A logarithmic one shows what is above 0 only. @default {"linear"} */
  readonly scale?: "linear" | "log";
  /** The values to name, if they are not to be chosen. */
  readonly ticks?: readonly (number | Tick)[];
  /** Where it starts, if the points are not to say it. */
  readonly min?: number;
  /** Where it ends, likewise. */
  readonly max?: number;
}

/** One line. */
export interface Series {
  /** What it is, for the legend; `""` for a line that needs no name. */
  readonly name: string;
  /** Its points. */
  readonly points: readonly (readonly [x: number, y: number])[];
}

/** What `linePlot` is told. */
export interface LinePlotOptions {
  /** What the plot shows. */
  readonly title: string;
  /** Under which conditions: machine, versions, load. */
  readonly subtitle?: string;
  /** The axis to the right. */
  readonly x: Axis;
  /** The axis upwards; a linear one of positive values starts at 0. */
  readonly y: Axis;
  /** The lines. */
  readonly series: readonly Series[];
}

type Point = readonly [x: number, y: number];

/** One line on the paper: a gap is `undefined`. */
type Stroke = readonly (Point | undefined)[];

/** How high the field of the lines is. */
const HEIGHT = 300;
/** Of a line with more points single ones are not marked. */
const MAX_MARKERS = 40;
/** A line with more points is drawn fine. */
const MANY = 400;
/** How wide the piece of a line is of which only first, least, greatest and last are drawn. */
const COLUMN = 2;

/** Draws it; see `linePlot`. */
export function drawLines(options: LinePlotOptions): Drawing {
  const { title, subtitle, series } = options;
  const xs = function* () {
    for (const { points } of series) for (const [x] of points) yield x;
  };
  const ys = function* () {
    for (const { points } of series) for (const [, y] of points) yield y;
  };
  const x = scaleOf(options.x, xs(), 8, false);
  const y = scaleOf(options.y, ys(), 6, true);

  const { elements, bottom } = heading({ title, subtitle });
  const legend = drawLegend(series, bottom + 10);
  elements.push(...legend.elements);

  const label = shorten(options.y.label, SIZE.small, WIDTH - 2 * MARGIN);
  elements.push(textAt(MARGIN, legend.bottom + 24, label, { muted: true }));
  const top = legend.bottom + 36;
  const widest = Math.max(0, ...y.ticks.map(({ label }) => textWidth(label, SIZE.small)));
  const last = x.ticks.at(-1)?.label ?? "";
  const field: Field = {
    left: MARGIN + Math.min(widest, WIDTH / 3) + 8,
    right: WIDTH - Math.max(MARGIN, textWidth(last, SIZE.small) / 2 + 8),
    top,
    bottom: top + HEIGHT,
  };
  elements.push(...drawAxes(field, x, y, options.x.label));
  for (const [i, { points }] of series.entries()) {
    elements.push(...drawSeries(i, project(points, x, y, field)));
  }
  return {
    title,
    description: describe(options, x, y),
    height: field.bottom + 52,
    body: elements.join("\n"),
  };
}

/** Where the lines are drawn. */
interface Field {
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
}

function scaleOf(axis: Axis, values: Iterable<number>, count: number, nice: boolean): Scale {
  const { scale, min, max, ticks } = axis;
  return makeScale({ log: scale === "log", values, count, nice, min, max, ticks });
}

function drawLegend(
  series: readonly Series[],
  top: number,
): { elements: string[]; bottom: number } {
  const elements: string[] = [];
  const named = [...series.entries()].filter(([, { name }]) => name !== "");
  if (named.length === 0) return { elements, bottom: top - 10 };
  let [x, y] = [MARGIN, top + 14];
  for (const [i, { name }] of named) {
    const text = shorten(name, SIZE.text, WIDTH - 2 * MARGIN - 40);
    const width = 40 + textWidth(text, SIZE.text);
    if (x > MARGIN && x + width > WIDTH - MARGIN) [x, y] = [MARGIN, y + 20];
    elements.push(
      linePath(i, `M${coordinate(x)} ${coordinate(y - 4.5)}h32`, 2),
      `<path class="${fillClass(i)}" d="${markerAt(i, x + 16, y - 4.5)}"/>`,
      textAt(x + 40, y, text, { size: SIZE.text }),
    );
    x += width + 22;
  }
  return { elements, bottom: y };
}

function linePath(series: number, path: string, width: number): string {
  const dash = dashOf(series);
  const dashes = dash === "" ? "" : ` stroke-dasharray="${dash}"`;
  return `<path class="p-line ${
    strokeClass(series)
  }" stroke-width="${width}"${dashes} d="${path}"/>`;
}

function drawAxes(field: Field, x: Scale, y: Scale, label: string): string[] {
  const { left, right, top, bottom } = field;
  const elements: string[] = [];
  for (const { value, label } of y.ticks) {
    const at = bottom - y.at(value) * HEIGHT;
    elements.push(lineAt("p-grid", left, at, right, at));
    const text = shorten(label, SIZE.small, WIDTH / 3);
    elements.push(textAt(left - 8, at + 4, text, { anchor: "end", muted: true }));
  }
  const ticks = x.ticks.map((tick) => ({ ...tick, at: left + x.at(tick.value) * (right - left) }));
  for (const { at } of ticks) elements.push(lineAt("p-axis", at, bottom, at, bottom + 5));
  for (const { at, label } of thin(ticks)) {
    elements.push(textAt(at, bottom + 19, label, { anchor: "middle", muted: true }));
  }
  elements.push(
    lineAt("p-axis", left, bottom, right, bottom),
    lineAt("p-axis", left, top, left, bottom),
  );
  const text = shorten(label, SIZE.small, WIDTH - 2 * MARGIN);
  const middle = middleWithin((left + right) / 2, text, SIZE.small);
  elements.push(textAt(middle, bottom + 40, text, { anchor: "middle", muted: true }));
  return elements;
}

/** Points to places on the paper: in their order, gaps where there is none, and no more than can be seen. */
function project(points: Series["points"], x: Scale, y: Scale, field: Field): Stroke {
  const { left, right, bottom } = field;
  const drawable = points.filter(([at]) => isDrawable(at, x.log) && at >= x.min && at <= x.max);
  const stroke = drawable.sort(([a], [b]) => a - b).map(([at, value]) => {
    if (!isDrawable(value, y.log) || value < y.min || value > y.max) return undefined;
    const point: Point = [left + x.at(at) * (right - left), bottom - y.at(value) * HEIGHT];
    return point;
  });
  return stroke.length <= 4 * (right - left) / COLUMN ? stroke : decimate(stroke);
}

/** Of each column of the paper what can be seen: where the line enters, its ends, where it leaves. */
function decimate(stroke: Stroke): Stroke {
  const kept: (Point | undefined)[] = [];
  let column: Point[] = [];
  const flush = () => {
    const high = column.reduce((a, b) => b[1] < a[1] ? b : a, column[0]);
    const low = column.reduce((a, b) => b[1] > a[1] ? b : a, column[0]);
    kept.push(
      ...new Set([column[0], ...column.filter((p) => p === high || p === low), column.at(-1)]),
    );
    column = [];
  };
  for (const point of stroke) {
    const ends = point === undefined ||
      (column.length > 0 && Math.floor(point[0] / COLUMN) !== Math.floor(column[0][0] / COLUMN));
    if (ends && column.length > 0) flush();
    if (point !== undefined) column.push(point);
    // One gap is as wide as many.
    else if (kept.length > 0 && kept.at(-1) !== undefined) kept.push(undefined);
  }
  if (column.length > 0) flush();
  return kept;
}

function drawSeries(series: number, stroke: Stroke): string[] {
  const points = stroke.filter((point) => point !== undefined);
  if (points.length === 0) return [];
  let path = "";
  for (const [i, point] of stroke.entries()) {
    if (point === undefined) continue;
    const starts = i === 0 || stroke[i - 1] === undefined;
    path += `${starts ? "M" : "L"}${point.map(coordinate).join(" ")}`;
    // A point alone is a dot.
    if (starts && stroke[i + 1] === undefined) path += "h0";
  }
  // Where a line is dense, a fine one shows more.
  const line = linePath(series, path, points.length > MANY ? 1.2 : 2);
  if (points.length > MAX_MARKERS) return [line];
  const markers = points.map(([x, y]) => markerAt(series, x, y));
  return [line, `<path class="${fillClass(series)}" d="${markers.join("")}"/>`];
}

function describe({ title, subtitle, x, y, series }: LinePlotOptions, ...scales: Scale[]): string {
  const [scaleX, scaleY] = scales;
  const lines = series.map(({ name, points }) => {
    const shown = points.filter(([x, y]) => isDrawable(x, scaleX.log) && isDrawable(y, scaleY.log))
      .sort(([a], [b]) => a - b);
    const missing = points.length - shown.length;
    const gaps = missing === 0 ? "" : `, ${missing} that cannot be shown`;
    const [first] = shown;
    const last = shown.at(-1);
    if (last === undefined) return `${name || "The line"}: no points${gaps}.`;
    let [low, high] = [first, first];
    for (const point of shown) {
      if (point[1] < low[1]) low = point;
      if (point[1] > high[1]) high = point;
    }
    const at = ([x, y]: Point) => `${formatValue(y)} at ${formatValue(x)}`;
    return `${name || "The line"}: ${shown.length} points${gaps}, from ${at(first)} to ${
      at(last)
    }, least ${at(low)}, greatest ${at(high)}.`;
  });
  const log = (axis: Axis) => axis.scale === "log" ? ", logarithmic" : "";
  return [
    `${title}.`,
    ...(subtitle === undefined ? [] : [`${subtitle}.`]),
    `${y.label}${log(y)} over ${x.label}${log(x)}.`,
    ...lines,
  ].join(" ");
}
