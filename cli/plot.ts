/**
 * Plots as SVG, each a whole file that needs nothing else: it reads in light and in dark, in black and
 * white, and aloud. Pure functions without a DOM; the same figures always give the same text.
 *
 * @module
 */

import { type BarPlotOptions, drawBars } from "./plot/bars.ts";
import { drawLines, type LinePlotOptions } from "./plot/lines.ts";
import { renderSvg } from "./plot/svg.ts";

export { type Bar, type BarGroup, type BarPlotOptions, drawBars } from "./plot/bars.ts";
export { type Axis, drawLines, type LinePlotOptions, type Series } from "./plot/lines.ts";
export type { Tick } from "./plot/scale.ts";
export { type Drawing, renderSvg } from "./plot/svg.ts";

/**
 * Lines over a common axis.
 *
 * Points are sorted by x. One that is no finite number, or not above 0 on a logarithmic axis, is a
 * gap. Of many points those are kept that can be seen: peaks stay.
 *
 * @returns The text of an SVG file.
 */
export function linePlot(options: LinePlotOptions): string {
  return renderSvg([drawLines(options)]);
}

/**
 * Bars in groups, each with its name and its figure beside it.
 *
 * On a logarithmic scale a bar starts at the reference, where there is one: what is above it points
 * right, what is below left. A value that cannot be drawn is said to be missing.
 *
 * @returns The text of an SVG file.
 */
export function barPlot(options: BarPlotOptions): string {
  return renderSvg([drawBars(options)]);
}
