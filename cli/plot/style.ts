/**
 * How plots look: colours for light and dark, and dashes and markers for who sees no colours.
 *
 * @module
 */

import { coordinate } from "./text.ts";

/** What tells one series from the others: each has another of at least two of these. */
interface Look {
  /** On white; each has a contrast of 3 to 1 and more. */
  readonly light: string;
  /** On near black, likewise. */
  readonly dark: string;
  /** A `stroke-dasharray`, `""` for a line without gaps. */
  readonly dash: string;
}

/** Chosen for what the common kinds of colour-blindness leave to tell apart. */
const LOOKS: readonly Look[] = [
  { light: "#0072b2", dark: "#4db3f0", dash: "" },
  { light: "#d55e00", dark: "#ff8a3d", dash: "7 3" },
  { light: "#00875f", dark: "#2fc79a", dash: "2 3" },
  { light: "#aa4499", dark: "#e08ad0", dash: "9 3 2 3" },
  { light: "#8a6d00", dark: "#e0c040", dash: "12 4" },
  { light: "#5c6670", dark: "#aab4be", dash: "4 2" },
  { light: "#882255", dark: "#ff8fa8", dash: "9 3 2 3 2 3" },
  { light: "#1b7f9c", dark: "#7fd8e8", dash: "1 3" },
];

/** How many looks there are; the next series begins anew. */
export const LOOK_COUNT = LOOKS.length;

/** The dashes of a series. */
export function dashOf(series: number): string {
  // From the second round on another dash goes with the colour.
  return LOOKS[(series + Math.floor(series / LOOK_COUNT)) % LOOK_COUNT].dash;
}

const FONT = 'system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif';

/** Rules by class and not by variable: not every program that shows SVG knows those. */
function rules(theme: "light" | "dark"): string {
  const [back, text, muted, grid, axis] = theme === "light"
    ? ["#fff", "#1f2328", "#59636e", "#e6e8eb", "#8c959f"]
    : ["#0d1117", "#e6edf3", "#9aa4af", "#262c34", "#6e7681"];
  return [
    `.p-back{fill:${back}}`,
    `.p-text{fill:${text}}`,
    `.p-muted{fill:${muted}}`,
    `.p-grid{stroke:${grid}}`,
    `.p-axis{stroke:${axis}}`,
    `.p-halo{stroke:${back}}`,
    ...LOOKS.map((look, i) => `.p-s${i}{stroke:${look[theme]}}.p-f${i}{fill:${look[theme]}}`),
  ].join("");
}

/** The style sheet of a plot. */
export const STYLE =
  `.p-plot{font-family:${FONT};font-variant-numeric:tabular-nums}.p-line{fill:none;stroke-linejoin:round;stroke-linecap:round}.p-halo{paint-order:stroke;stroke-width:4}${
    rules("light")
  }@media(prefers-color-scheme:dark){${rules("dark")}}`;

/** The class that strokes a series. */
export function strokeClass(series: number): string {
  return `p-s${series % LOOK_COUNT}`;
}

/** The class that fills a series. */
export function fillClass(series: number): string {
  return `p-f${series % LOOK_COUNT}`;
}

type Corner = readonly [x: number, y: number];

/** Shapes around 0, as corners: a disc has eight that are rounded by the stroke. */
const MARKERS: readonly (readonly Corner[])[] = [
  [[-3, -1.2], [-1.2, -3], [1.2, -3], [3, -1.2], [3, 1.2], [1.2, 3], [-1.2, 3], [-3, 1.2]],
  [[-2.8, -2.8], [2.8, -2.8], [2.8, 2.8], [-2.8, 2.8]],
  [[0, -3.8], [3.5, 2.6], [-3.5, 2.6]],
  [[0, -4], [4, 0], [0, 4], [-4, 0]],
  [[0, 3.8], [3.5, -2.6], [-3.5, -2.6]],
  [
    [-1.2, -3.6],
    [1.2, -3.6],
    [1.2, -1.2],
    [3.6, -1.2],
    [3.6, 1.2],
    [1.2, 1.2],
    [1.2, 3.6],
    [
      -1.2,
      3.6,
    ],
    [-1.2, 1.2],
    [-3.6, 1.2],
    [-3.6, -1.2],
    [-1.2, -1.2],
  ],
  [[-4, -2.2], [4, -2.2], [4, 2.2], [-4, 2.2]],
  [[-2.2, -4], [2.2, -4], [2.2, 4], [-2.2, 4]],
];

/** The marker of a series, as a piece of a path. */
export function markerAt(series: number, x: number, y: number): string {
  const corners = MARKERS[(series + Math.floor(series / LOOK_COUNT)) % MARKERS.length];
  const points = corners.map(([dx, dy]) => `${coordinate(x + dx)} ${coordinate(y + dy)}`);
  return `M${points.join("L")}Z`;
}
