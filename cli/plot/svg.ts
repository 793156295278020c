/**
 * The elements of a plot, and the file around them.
 *
 * @module
 */

import { STYLE } from "./style.ts";
import { BOLD, coordinate, escapeXml, textWidth, wrap } from "./text.ts";

/** A plot that can be put below others in one file. */
export interface Drawing {
  /** What it shows. */
  readonly title: string;
  /** The same in words and figures, for who does not see it. */
  readonly description: string;
  /** In pixels. */
  readonly height: number;
  /** The elements, in a space that is {@linkcode WIDTH} wide. */
  readonly body: string;
}

/** How wide every plot is, in pixels; it is scaled to its place. */
export const WIDTH = 760;

/** What is left free on the left and on the right. */
export const MARGIN = 20;

/** The font sizes, in pixels. */
export const SIZE = { title: 18, text: 13, small: 12 } as const;

/**
 * A file of plots, one below the other.
 *
 * @param drawings At least one; the first gives the file its title.
 * @returns The text of an SVG file.
 */
export function renderSvg(drawings: readonly Drawing[]): string {
  let top = 0;
  const parts = drawings.map(({ body, height }) => {
    const part = top === 0
      ? body
      : `<g transform="translate(0 ${coordinate(top)})">\n${body}\n</g>`;
    top += height;
    return part;
  });
  const title = drawings.map(({ title }) => title).join("; ");
  const description = drawings.map(({ description }) => description).join("\n");
  const height = coordinate(top);
  return `<svg xmlns="http://www.w3.org/2000/svg" class="p-plot" role="img" width="${WIDTH}" height="${height}" viewBox="0 0 ${WIDTH} ${height}">
<title>${escapeXml(title)}</title>
<desc>${escapeXml(description)}</desc>
<style>${STYLE}</style>
<rect class="p-back" width="${WIDTH}" height="${height}"/>
${parts.join("\n")}
</svg>
`;
}

/** How a text is set. */
export interface TextOptions {
  /** The font size. */
  readonly size?: number;
  /** Where `x` is. @default {"start"} */
  readonly anchor?: "start" | "middle" | "end";
  /** Whether it is less than the figures. */
  readonly muted?: boolean;
  /** Whether it is bold. */
  readonly bold?: boolean;
  /** Whether lines behind it are kept from it. */
  readonly halo?: boolean;
}

/** One line of text; `y` is its base line. */
export function textAt(x: number, y: number, text: string, options: TextOptions = {}): string {
  const { size = SIZE.small, anchor = "start", muted = false, bold = false, halo = false } =
    options;
  const attributes = [
    `class="${muted ? "p-muted" : "p-text"}${halo ? " p-halo" : ""}"`,
    `x="${coordinate(x)}"`,
    `y="${coordinate(y)}"`,
    `font-size="${size}"`,
    ...(anchor === "start" ? [] : [`text-anchor="${anchor}"`]),
    ...(bold ? ['font-weight="600"'] : []),
  ];
  return `<text ${attributes.join(" ")}>${escapeXml(text)}</text>`;
}

/** A straight line. */
export function lineAt(className: string, x1: number, y1: number, x2: number, y2: number): string {
  const [a, b, c, d] = [x1, y1, x2, y2].map(coordinate);
  return `<line class="${className}" x1="${a}" y1="${b}" x2="${c}" y2="${d}"/>`;
}

/** Title and subtitle, in as many lines as they take. */
export function heading(
  { title, subtitle = "" }: { title: string; subtitle?: string },
): { elements: string[]; bottom: number } {
  const width = WIDTH - 2 * MARGIN;
  const elements: string[] = [];
  let y = 10;
  for (const line of wrap(title, SIZE.title * BOLD, width, 3)) {
    y += 22;
    elements.push(textAt(MARGIN, y, line, { size: SIZE.title, bold: true }));
  }
  for (const [i, line] of wrap(subtitle, SIZE.text, width, 4).entries()) {
    y += i === 0 ? 21 : 18;
    elements.push(textAt(MARGIN, y, line, { size: SIZE.text, muted: true }));
  }
  return { elements, bottom: y };
}

/** The x of a text's middle such that it does not leave the picture. */
export function middleWithin(x: number, text: string, size: number): number {
  const half = textWidth(text, size) / 2;
  return Math.max(half + 4, Math.min(x, WIDTH - half - 4));
}

/** Between two labels of an axis. */
const LABEL_GAP = 10;

/** The labels that have room: of every first, second, third and so on as many as can be. */
export function thin<Label extends { readonly at: number; readonly label: string }>(
  labels: readonly Label[],
): readonly Label[] {
  const width = ({ label }: Label) => textWidth(label, SIZE.small);
  for (let every = 1; every < labels.length; every++) {
    const kept = labels.filter((_, i) => i % every === 0);
    const apart = kept.every((label, i) => {
      if (i === 0) return true;
      const before = kept[i - 1];
      return label.at - before.at >= (width(label) + width(before)) / 2 + LABEL_GAP;
    });
    if (apart) return kept;
  }
  return labels.slice(0, 1);
}
