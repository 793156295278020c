/** The plots: what is drawn, that it stays in the picture, and that it can be read by all. */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import fc from "fast-check";
import { type Browser, chromium } from "playwright-core";
import {
  barPlot,
  type BarPlotOptions,
  drawBars,
  drawLines,
  linePlot,
  type LinePlotOptions,
  renderSvg,
} from "../../cli/plot.ts";
import { makeScale } from "../../cli/plot/scale.ts";
import { dashOf, fillClass, LOOK_COUNT, markerAt, STYLE } from "../../cli/plot/style.ts";
import { formatTicks, formatValue } from "../../cli/plot/text.ts";
import { CHROMIUM, hasChromium } from "../chromium.ts";
import { property } from "../helpers.ts";

const LINES: LinePlotOptions = {
  title: "Latency",
  subtitle: "Deno, 2 CPUs",
  x: { label: "Time (s)" },
  y: { label: "Latency (ms)" },
  series: [
    { name: "p50", points: [[0, 1], [1, 2], [2, 1.5]] },
    { name: "p99", points: [[0, 4], [1, 8], [2, 6]] },
  ],
};

const BARS: BarPlotOptions = {
  title: "Parsing",
  unit: "as a multiple of ours",
  scale: "log",
  reference: { value: 1, label: "ours" },
  groups: [
    { name: "tiny", bars: [{ name: "a", value: 2 }, { name: "b", value: 30 }] },
    { name: "large", bars: [{ name: "a", value: 0.5 }, { name: "b", value: NaN }] },
  ],
};

/** Fails unless the text is well-formed XML with one root; gives the elements with their attributes. */
function elementsOf(xml: string): { name: string; attributes: Map<string, string> }[] {
  const elements: { name: string; attributes: Map<string, string> }[] = [];
  const open: string[] = [];
  const token = /<(\/?)([a-z]+)((?: [a-zA-Z0-9:-]+="[^"<]*")*)(\/?)>|([^<]+)/gy;
  let end = 0;
  for (const [all, close, name, list, single, text] of xml.matchAll(token)) {
    end += all.length;
    if (text !== undefined) {
      assert(!/&(?!amp;|lt;|gt;|quot;|#39;)/.test(text), `an entity that is none: ${text}`);
      assert(!text.includes(">") || open.at(-1) === "style", `a bare >: ${text}`);
    } else if (close) assertEquals(open.pop(), name);
    else {
      const attributes = new Map<string, string>();
      for (const [, key, value] of list.matchAll(/ ([^=]+)="([^"]*)"/g)) {
        assert(!attributes.has(key), `${key} twice`);
        assert(!/&(?!amp;|lt;|gt;|quot;|#39;)/.test(value), value);
        attributes.set(key, value);
      }
      elements.push({ name, attributes });
      if (!single) open.push(name);
    }
  }
  assertEquals([end, open], [xml.length, []], "well-formed to the end");
  return elements;
}

/** The numbers in the attributes that say where things are. */
function places(xml: string): number[] {
  return elementsOf(xml).flatMap(({ attributes }) =>
    ["x", "y", "x1", "y1", "x2", "y2", "width", "height", "d"].flatMap((name) =>
      [...(attributes.get(name) ?? "").matchAll(/-?[\d.e+-]+|NaN|Infinity/g)].map(Number)
    )
  );
}

Deno.test("linePlot gives a whole SVG file that says in words what it shows", () => {
  const svg = linePlot(LINES);
  const [root, title, desc] = elementsOf(svg);
  assertEquals([root.name, title.name, desc.name], ["svg", "title", "desc"]);
  assertEquals(root.attributes.get("xmlns"), "http://www.w3.org/2000/svg");
  assertEquals(root.attributes.get("role"), "img");
  assertEquals(
    root.attributes.get("viewBox"),
    `0 0 ${root.attributes.get("width")} ${root.attributes.get("height")}`,
  );
  assertStringIncludes(svg, "<title>Latency</title>");
  assertStringIncludes(
    svg,
    "<desc>Latency. Deno, 2 CPUs. Latency (ms) over Time (s). p50: 3 points, from 1 at 0 to 1.5 at 2, least 1 at 0, greatest 2 at 1. p99: 3 points, from 4 at 0 to 6 at 2, least 4 at 0, greatest 8 at 1.</desc>",
  );
});

Deno.test("barPlot says every figure in words, and which is missing", () => {
  assertStringIncludes(
    barPlot(BARS),
    "<desc>Parsing. as a multiple of ours, logarithmic. 1 is ours. tiny: a 2, b 30. large: a 0.5, b no figure.</desc>",
  );
});

Deno.test("barPlot starts the bars of a logarithmic scale at the reference", () => {
  const rects = elementsOf(barPlot(BARS)).filter(({ name }) => name === "rect").slice(1);
  const spans = rects.map(({ attributes }) => {
    const x = Number(attributes.get("x"));
    return [x, x + Number(attributes.get("width"))];
  });
  assertEquals(spans.length, 3, "one for each figure");
  const [[base, two], [alsoBase, thirty], [half, end]] = spans;
  assertEquals([alsoBase, end], [base, base]);
  assert(half < base && base < two && two < thirty);
  assert(Math.abs((base - half) - (two - base)) < 0.2, "a half is as far as a double");
});

Deno.test("barPlot names a bar once where a group has no other", () => {
  const groups = ["x", "y"].map((name, i) => ({ name, bars: [{ name: "value", value: i + 1 }] }));
  const svg = barPlot({ title: "Single", unit: "ms", groups });
  const texts = [...svg.matchAll(/<text[^>]*>([^<]*)</g)].map(([, text]) => text);
  assertEquals(texts.filter((text) => "xy".includes(text)), ["x", "y"]);
  assert(!texts.includes("value"));
});

Deno.test("linePlot keeps the peaks of many points, and its size has a bound", () => {
  const count = 200_000;
  const points = Array.from({ length: count }, (_, i): [number, number] => [i, i % 7]);
  points[123_456] = [123_456, 1_000];
  const plot = (points: [number, number][]) =>
    linePlot({ ...LINES, series: [{ name: "", points }] });
  const svg = plot(points);
  assert(svg.length < 60_000, `${svg.length}`);
  assertStringIncludes(svg, "greatest 1,000 at 123k");
  // The top of the field: what no other point comes near.
  const path = /class="p-line[^"]*"[^>]* d="([^"]+)"/.exec(svg)?.[1] ?? "";
  const ys = path.split(/[ML]/).slice(1).map((point) => Number(point.split(" ")[1]));
  assert(Math.min(...ys) < Math.max(...ys) - 295, "the peak is drawn as high as it is");
});

Deno.test("linePlot breaks a line where there is no figure, and a point alone is a dot", () => {
  const points: [number, number][] = [[1, 1], [2, NaN], [3, 2], [4, 3], [5, Infinity], [6, 1]];
  const svg = linePlot({ ...LINES, series: [{ name: "", points }] });
  const path = /class="p-line[^"]*"[^>]* d="([^"]+)"/.exec(svg)?.[1] ?? "";
  assertEquals(path.replace(/[\d. ]+/g, ""), "MhMLMh");
  assertStringIncludes(svg, "The line: 4 points, 2 that cannot be shown");
});

Deno.test("linePlot leaves out of a logarithmic axis what is not above 0", () => {
  const series = [{ name: "", points: [[0, 1], [10, 0], [100, -5], [1_000, 10]] as const }];
  const log = { label: "x", scale: "log" } as const;
  const svg = linePlot({ ...LINES, x: log, y: log, series });
  assertStringIncludes(svg, "The line: 1 points, 3 that cannot be shown");
  assert(places(svg).every(Number.isFinite));
});

Deno.test("linePlot names the ticks that it is given, and only those within the axis", () => {
  const ticks = [1, 1_024, { value: 65_536, label: "64 Ki" }, 1e9];
  const points = [[1, 1], [65_536, 2]] as const;
  const x = { label: "Chunk", scale: "log", ticks } as const;
  const svg = linePlot({ ...LINES, x, series: [{ name: "", points }] });
  for (const label of ["1,024", "64 Ki"]) assertStringIncludes(svg, `>${label}</text>`);
  assert(!svg.includes("1,000,000,000"));
});

Deno.test("a plot is the same text for the same figures", () => {
  assertEquals(linePlot(LINES), linePlot(structuredClone(LINES)));
  assertEquals(barPlot(BARS), barPlot(structuredClone(BARS)));
});

Deno.test("renderSvg puts plots below each other, each with its title and its words", () => {
  const [first, second] = [drawLines(LINES), drawBars(BARS)];
  const svg = renderSvg([first, second]);
  const [root] = elementsOf(svg);
  assertEquals(Number(root.attributes.get("height")), first.height + second.height);
  assertStringIncludes(svg, "<title>Latency; Parsing</title>");
  assertStringIncludes(svg, `<g transform="translate(0 ${first.height})">`);
});

Deno.test("a plot escapes texts, and replaces what XML cannot hold", () => {
  const svg = linePlot({
    ...LINES,
    title: `</title><script>"&'\u0000\u001b\ufffe\ud800`,
    series: [{ name: "a < b & c", points: [[1, 1]] }],
  });
  elementsOf(svg);
  assertStringIncludes(
    svg,
    "<title>&lt;/title&gt;&lt;script&gt;&quot;&amp;&#39;\ufffd\ufffd\ufffd\ufffd</title>",
  );
  assertStringIncludes(svg, ">a &lt; b &amp; c</text>");
});

const number = fc.oneof(
  fc.double(),
  fc.double({ min: -1e6, max: 1e6, noNaN: true }),
  fc.constantFrom(0, -0, NaN, Infinity, -Infinity, 1e308, -1e308, 5e-324),
);
const words = fc.string({ unit: "binary", maxLength: 120 });
const axis = fc.record({ label: words, scale: fc.constantFrom("linear" as const, "log" as const) });

Deno.test("linePlot and barPlot draw whatever they are given within the picture", () => {
  const check = (svg: string) => {
    const [root] = elementsOf(svg);
    const most = Math.max(760, Number(root.attributes.get("height")));
    for (const place of places(svg)) {
      assert(Number.isFinite(place) && place >= -10 && place <= most, `${place}: ${svg}`);
    }
    assert(svg.length < 200_000);
  };
  fc.assert(
    fc.property(
      fc.record({
        title: words,
        subtitle: words,
        x: axis,
        y: axis,
        series: fc.array(
          fc.record({ name: words, points: fc.array(fc.tuple(number, number), { maxLength: 30 }) }),
          { maxLength: 5 },
        ),
      }),
      (options) => check(linePlot(options)),
    ),
    property(),
  );
  const bars = fc.array(fc.record({ name: words, value: number }), { maxLength: 6 });
  fc.assert(
    fc.property(
      fc.record({
        title: words,
        unit: words,
        groups: fc.array(fc.record({ name: words, bars }), { maxLength: 5 }),
        reference: fc.option(fc.record({ value: number, label: words }), { nil: undefined }),
        scale: fc.constantFrom("linear" as const, "log" as const),
      }),
      (options) => check(barPlot(options)),
    ),
    property(),
  );
});

Deno.test("makeScale names round values", () => {
  const labels = (values: number[], log = false, nice = true) =>
    makeScale({ log, values, count: 6, nice }).ticks.map(({ label }) => label).join(" ");
  const table: [string, string][] = [
    [labels([3, 97]), "0 20 40 60 80 100"],
    [labels([0.1, 0.3]), "0 0.05 0.1 0.15 0.2 0.25 0.3"],
    [labels([-3, 7]), "−4 −2 0 2 4 6 8"],
    [labels([0, 12_000]), "0 2k 4k 6k 8k 10k 12k"],
    [labels([1e6, 1e6 + 4], false, false), "1M 1.000001M 1.000002M 1.000003M 1.000004M"],
    [labels([5, 5], false, false), "3 4 5 6 7"],
    [labels([]), "0 0.2 0.4 0.6 0.8 1"],
    [labels([2, 900], true), "2 5 10 20 50 100 200 500 1k"],
    [labels([1, 1e12], true), "1 1k 1M 1G 1T"],
    [labels([0.0001, 1e-5], true), "1e−5 2e−5 5e−5 0.0001"],
    [labels([42, 43], true, false), "42 42.2 42.4 42.6 42.8 43"],
  ];
  for (const [found, expected] of table) assertEquals(found, expected);
});

Deno.test("formatValue gives three digits, and no unit that it rounds out of", () => {
  const values = [0, 0.12345, 42, 999.9, 1_234, 9_994, 9_996, 999_900, 1e9, -1_500, 1e-9, 1e20];
  assertEquals(
    values.map(formatValue).join(" "),
    "0 0.123 42 1,000 1,230 9,990 10k 1M 1G −1,500 1e−9 1e20",
  );
  assertEquals(formatTicks([0, 500, 10_000], false), ["0", "0.5k", "10k"]);
});

/** How much two colours differ, by WCAG 2. */
function contrast(a: string, b: string): number {
  const [light, dark] = [a, b].map(luminance).sort((x, y) => y - x);
  return (light + 0.05) / (dark + 0.05);
}

function luminance(color: string): number {
  const hex = color.length === 4 ? color.replace(/[^#]/g, "$&$&") : color;
  const [r, g, b] = [1, 3, 5].map((at) => {
    const value = parseInt(hex.slice(at, at + 2), 16) / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

Deno.test("the colours of plots stand out from their background, in light and in dark", () => {
  const [light, dark] = STYLE.split("@media(prefers-color-scheme:dark)");
  assert(dark !== undefined);
  for (const rules of [light, dark]) {
    const color = (rule: string) => {
      const found = new RegExp(`\\.${rule}\\{(?:fill|stroke):(#[0-9a-f]+)`).exec(rules);
      return found?.[1] ?? rule;
    };
    const back = color("p-back");
    for (const rule of ["p-text", "p-muted"]) assert(contrast(color(rule), back) >= 4.5, rule);
    for (let i = 0; i < LOOK_COUNT; i++) {
      assert(contrast(color(fillClass(i)), back) >= 3, `${fillClass(i)} on ${back}`);
    }
  }
});

Deno.test("two series differ by more than their colour", () => {
  const looks = Array.from({ length: 2 * LOOK_COUNT }, (_, i) => [dashOf(i), markerAt(i, 0, 0)]);
  for (let i = 0; i < LOOK_COUNT; i++) {
    for (let j = i + 1; j < LOOK_COUNT; j++) {
      assert(looks[i][0] !== looks[j][0] && looks[i][1] !== looks[j][1], `${i} and ${j}`);
    }
    const [again] = looks[i + LOOK_COUNT];
    assert(again !== looks[i][0], `${i} comes again with its colour`);
  }
});

/** Pictures that are full. */
const FULL: [string, string][] = [
  ["lines", linePlot(LINES)],
  ["bars", barPlot(BARS)],
  [
    "many names",
    linePlot({
      ...LINES,
      title: "A title that is so long that it needs a second line, and then one more ".repeat(3),
      series: Array.from({ length: 12 }, (_, i) => ({
        name: `a series of some length, the ${i}th`,
        points: [[1, i * 1e6], [123_456_789, 2]],
      })),
    }),
  ],
  [
    "large numbers",
    linePlot({
      ...LINES,
      x: { label: "x" },
      series: [{ name: "", points: [[1e6, 1e14], [1e6 + 1e-3, 123456789]] }],
    }),
  ],
  [
    "long bars",
    barPlot({
      title: "WWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWW",
      unit: "a unit that takes more than the whole width of the picture to be written out ".repeat(
        2,
      ),
      reference: { value: 1_000, label: "what stands at the right end of the scale" },
      groups: [{
        name: "a group with a name ".repeat(9),
        bars: [1, 10, 999].map((value) => ({ name: `MMMMMMMM ${value} `.repeat(9), value })),
      }],
    }),
  ],
];

Deno.test("the texts of plots neither leave the picture nor overlap, as Chromium sets them", {
  ignore: !hasChromium,
}, async () => {
  let browser: Browser | undefined;
  try {
    browser = await chromium.launch({ executablePath: CHROMIUM, args: ["--no-sandbox"] });
    const page = await browser.newPage();
    for (const [name, svg] of FULL) {
      await page.setContent(`<body style="margin:0">${svg}`);
      const boxes: { text: string; x: number; y: number; right: number; bottom: number }[] =
        await page.evaluate(`[...document.querySelectorAll("svg > text, g > text")].map((text) => {
          const { x, y, right, bottom } = text.getBoundingClientRect();
          return { text: text.textContent, x, y, right, bottom };
        })`);
      assert(boxes.length > 5);
      const height = Number(/height="([\d.]+)"/.exec(svg)?.[1]);
      for (const [i, box] of boxes.entries()) {
        const { x, y, right, bottom, text } = box;
        assert(x >= 0 && right <= 760 && y >= 0 && bottom <= height, `${name}: ${text}`);
        for (const other of boxes.slice(i + 1)) {
          // The boxes of two lines of text touch, their letters do not.
          const apart = right <= other.x || other.right <= x || bottom - 4 <= other.y ||
            other.bottom - 4 <= y;
          assert(apart, `${name}: "${text}" and "${other.text}"`);
        }
      }
    }
  } finally {
    await browser?.close();
  }
});
