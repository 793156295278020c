/**
 * What `report.ts` writes: a page of tables and plots, made of what the benches have left.
 *
 * @module
 */

import { type BarGroup, barPlot, linePlot } from "../cli/plot.ts";
import { geometricMean } from "./measure.ts";
import { type Cell, describeBound, type Figure } from "./results.ts";

/** One value that a bench has left. */
export type Result = Figure | Cell;

/** A report: the files, by their paths beside the page. */
export interface Report {
  /** The page, in Markdown. */
  page: string;
  /** The plots: the text of each SVG, by its name. */
  plots: Map<string, string>;
}

/** What a report tells besides the results. */
export interface Conditions {
  /** The machine, in a phrase. */
  machine: string;
  /** The libraries that ours is compared with, and the engines, with their versions. */
  versions: readonly string[];
  /** What was not run, and why, a sentence each. */
  missing: readonly string[];
}

/** The bench, of which a section of the page tells. */
interface Section {
  bench: string;
  title: string;
  /** How to run it alone. */
  task: string;
  intro: string;
  plots: Plot[];
}

/** A picture of some of the cells. */
interface Plot {
  file: string;
  title: string;
  draw(cells: readonly Cell[], subtitle: string): string | undefined;
}

const FASTER = "Times as fast as the peer, above 1 ours is faster";
const EVEN = { value: 1, label: "as fast as the peer" };

const SECTIONS: Section[] = [
  {
    bench: "parse and encode",
    title: "Parse and encode",
    task: "bench:compare",
    intro:
      "Ten streams, cut as they come from sockets and worse. A ratio is the peer's median CPU time divided by ours, on the same bytes, in turns, in one process; all were asserted to give the same events before.",
    plots: [
      {
        file: "parse.svg",
        title: "ServerSentEventParser beside eventsource-parser, chunks of 1.4 to 64 KB",
        draw: (cells, subtitle) =>
          bars(meansBy(feed(cells).filter(isLarge), ({ group }) => group), {
            title: "Parsing: ServerSentEventParser beside eventsource-parser",
            subtitle: `${subtitle}; mean of chunks of 1.4, 16 and 64 KB`,
            unit: FASTER,
            reference: EVEN,
          }),
      },
      {
        file: "parse-chunks.svg",
        title: "ServerSentEventParser beside eventsource-parser, by stream and chunk size",
        draw: (cells, subtitle) =>
          bars(groupsOf(feed(cells)), {
            title: "Parsing, by stream and chunk size",
            subtitle,
            unit: FASTER,
            reference: EVEN,
            scale: "log",
          }),
      },
      {
        file: "read.svg",
        title: "Readers and streams beside those of peers",
        draw: (cells, subtitle) =>
          bars(meansOf(cells, READERS), {
            title: "Reading a stream, event by event",
            subtitle: `${subtitle}; mean of chunks of 1.4, 16 and 64 KB`,
            unit: FASTER,
            reference: EVEN,
          }),
      },
      {
        file: "encode.svg",
        title: "Encoders beside those of peers",
        draw: (cells, subtitle) =>
          bars(meansOf(cells, ENCODERS), {
            title: "Encoding",
            subtitle,
            unit: FASTER,
            reference: EVEN,
            scale: "log",
          }),
      },
    ],
  },
  {
    bench: "growth",
    title: "Growth with the input",
    task: "bench:growth",
    intro:
      "The time for each byte of one event that gets longer, in chunks of 1.4 KB, as a multiple of ours for the shortest. Flat is linear.",
    plots: [
      growthPlot("growth-line.svg", "one line"),
      growthPlot("growth-lines.svg", "lines of 64 characters"),
    ],
  },
  {
    bench: "memory",
    title: "Memory",
    task: "bench:memory",
    intro: "What a long event takes, and what a kept event keeps alive.",
    plots: [],
  },
  {
    bench: "client",
    title: "Client",
    task: "bench:connect",
    intro:
      "From the request to the last event over loopback. Most of it is the transport, which all share.",
    plots: [{
      file: "client.svg",
      title: "connect beside other clients",
      draw: (cells, subtitle) =>
        bars(groupsOf(cells.filter(({ plot }) => plot === "CPU per event")), {
          title: "Reading over a socket, CPU time per event",
          subtitle,
          unit: FASTER,
          reference: EVEN,
        }),
    }],
  },
  {
    bench: "fan-out",
    title: "Fan-out",
    task: "bench:fanout",
    intro:
      "One publishes to a thousand readers. The floor does the least there is: it writes the same bytes to all, knows no slow reader and no resume, and does not put the events of a turn together.",
    plots: [{
      file: "fanout.svg",
      title: "CPU time of a server for each delivery",
      draw: (cells, subtitle) =>
        bars(groupsOf(cells), {
          title: "Fan-out to 1,000 readers: CPU time of the server per delivery",
          subtitle,
          unit: "As a multiple of ours, which is Channel; less is better",
          reference: { value: 1, label: "ours" },
        }),
    }],
  },
  {
    bench: "cluster",
    title: "Cluster",
    task: "bench:cluster",
    intro:
      "What a log on an engine adds to the same appends by its bare client, written by hand as by somebody who needs no ids that resume, no idempotency and no gaps.",
    plots: [{
      file: "cluster.svg",
      title: "Time of an append, beside the bare client",
      draw: (cells, subtitle) =>
        bars(groupsOf(cells), {
          title: "Appending to an engine, beside its bare client",
          subtitle,
          unit: "Time as a multiple of the bare client's; less is better",
          reference: { value: 1, label: "the bare client" },
        }),
    }],
  },
];

const READERS = [
  "readEvents / eventsource-parser",
  "batches / eventsource-parser",
  "decoder stream / eventsource-parser",
  "readEvents / eventsource-client",
];
const ENCODERS = [
  "encodeEvent / eventsource-encoder",
  "encoder stream / std",
  "encoder stream, 16 events a write / std, 16 writes",
];

/** Makes a report of results. */
export function makeReport(results: readonly Result[], conditions: Conditions): Report {
  const plots = new Map<string, string>();
  const sections = SECTIONS.map((section) => renderSection(section, results, plots));
  const page = [
    "# Results",
    "What the benches print, as ratios: they hold on other machines too, times do not. To make this page anew, with its plots:",
    "```sh\ndeno task bench:report\n```",
    `It takes about ten minutes, on a machine that does nothing else. This one was made on ${conditions.machine}, with ${
      conditions.versions.join(", ")
    }.`,
    ...conditions.missing,
    ...sections,
  ];
  return { page: `${page.join("\n\n")}\n`, plots };
}

function renderSection(
  section: Section,
  results: readonly Result[],
  plots: Map<string, string>,
): string {
  const own = results.filter(({ bench }) => bench === section.bench);
  const heading =
    `## ${section.title}\n\n${section.intro} \`deno task ${section.task}\` runs it alone.`;
  if (own.length === 0) return `${heading}\n\nIt was not run.`;
  const blocks = [heading];
  const runtimes = [...new Set(own.map(({ runtime }) => runtime))];
  for (const { file, title, draw } of section.plots) {
    // The others are in the tables.
    const svg = draw(
      own.filter(isCell).filter(({ runtime }) => runtime === runtimes[0]),
      runtimes[0],
    );
    if (svg === undefined) continue;
    plots.set(file, svg);
    blocks.push(`![${title}](plots/${file})`);
  }
  for (const runtime of runtimes) {
    const figures = own.filter(isFigure).filter((figure) => figure.runtime === runtime);
    if (figures.length > 0) blocks.push(`### ${section.title} on ${runtime}`, figureTable(figures));
    const chunks = feed(own.filter(isCell).filter((cell) => cell.runtime === runtime));
    if (chunks.length > 0) {
      blocks.push("`feed` beside eventsource-parser, by stream and chunk size:", cellTable(chunks));
    }
  }
  return blocks.join("\n\n");
}

function figureTable(figures: readonly Figure[]): string {
  const rows = figures.map((figure) => {
    const { value, what, reached } = figure;
    const verdict = reached === undefined ? "" : reached ? "reached" : "**missed**";
    return `| ${what} | ${value.toFixed(2)} | ${describeBound(figure)} | ${verdict} |`;
  });
  return ["| figure | value | must be | |", "| --- | ---: | --- | --- |", ...rows].join("\n");
}

function cellTable(cells: readonly Cell[]): string {
  const names = [...new Set(cells.map(({ name }) => name))];
  const rows = groupsOf(cells).map(({ name, bars }) => {
    const values = names.map((name) => {
      return bars.find((bar) => bar.name === name)?.value.toFixed(2) ?? "";
    });
    return `| ${[name, ...values].join(" | ")} |`;
  });
  return [
    `| stream | ${names.join(" | ")} |`,
    `| --- | ${names.map(() => "---:").join(" | ")} |`,
    ...rows,
  ].join("\n");
}

function growthPlot(file: string, shape: string): Plot {
  return {
    file,
    title: `The time for each byte of an event of ${shape}, by its length`,
    draw(cells, subtitle) {
      const own = cells.filter(({ plot }) => plot === `time per byte, ${shape}`);
      if (own.length === 0) return undefined;
      return linePlot({
        title: `Growth: an event of ${shape}, in chunks of 1.4 KB`,
        subtitle: `${subtitle}; flat is linear`,
        x: { label: "Length of the event, KB", scale: "log" },
        y: { label: "CPU time per byte, as a multiple of ours for the shortest", scale: "log" },
        series: [...Map.groupBy(own, ({ name }) => name)].map(([name, cells]) => ({
          name,
          points: cells.map(({ group, value }): [number, number] => [Number(group), value]),
        })),
      });
    },
  };
}

type BarPlotOptions = Parameters<typeof barPlot>[0];

function bars(
  groups: readonly BarGroup[],
  options: Omit<BarPlotOptions, "groups">,
): string | undefined {
  return groups.length === 0 ? undefined : barPlot({ ...options, groups });
}

/** The cells by their groups, as they came. */
function groupsOf(cells: readonly Cell[]): BarGroup[] {
  return [...Map.groupBy(cells, ({ group }) => group)].map(([name, bars]) => ({ name, bars }));
}

/** A bar for the mean of each group of cells. */
function meansBy(cells: readonly Cell[], key: (cell: Cell) => string): BarGroup[] {
  return [...Map.groupBy(cells, key)].map(([name, cells]) => {
    return {
      name,
      bars: [{ name: "ours", value: geometricMean(cells.map(({ value }) => value)) }],
    };
  });
}

/** A group for each plot, a bar in it for the mean of each stream. */
function meansOf(cells: readonly Cell[], plots: readonly string[]): BarGroup[] {
  return plots.flatMap((plot) => {
    const own = meansBy(cells.filter((cell) => cell.plot === plot), ({ group }) => group);
    const bars = own.map(({ name, bars: [{ value }] }) => ({ name, value }));
    return bars.length === 0 ? [] : [{ name: plot.replace(" / ", ", beside "), bars }];
  });
}

function feed(cells: readonly Cell[]): Cell[] {
  return cells.filter(({ plot }) => plot === "feed / eventsource-parser");
}

function isLarge({ name }: Cell): boolean {
  return parseInt(name) >= 1_400;
}

function isCell(result: Result): result is Cell {
  return result.kind === "cell";
}

function isFigure(result: Result): result is Figure {
  return result.kind === "figure";
}
