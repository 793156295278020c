/**
 * Prints how ours compares with the peers and the limit, in the runtime that runs it: one line a
 * figure, each the geometric mean of ratios of medians over the streams, and a table of all cells.
 *
 * ```sh
 * deno task bench:compare
 * ```
 *
 * @module
 */

import process from "node:process";
import type { ServerSentEventInit } from "../encode.ts";
import { type ChunkSize, CORPORA, type Corpus, cut, makeCorpus } from "./corpora.ts";
import { geometricMean, measure } from "./measure.ts";
import {
  encoders,
  encoderStreams,
  parsers,
  readers,
  type Seen,
  type Sink,
  streamOf,
} from "./peers.ts";
import { Results, type Runtime, runtime } from "./results.ts";

const KB = 1024;
const LARGE: ChunkSize[] = [1_400, 16 * KB, 64 * KB];
const SIZES: ChunkSize[] = [1, 64, ...LARGE, "event"];

/** A ratio for one stream in one chunk size; above 1 ours is faster. */
interface Cell {
  against: string;
  corpus: string;
  size: ChunkSize | "";
  ratio: number;
}

const { name, version } = runtime();
const results = new Results("parse and encode");

let last: Seen | undefined;
let units = 0;
/** What every event goes to. */
const sink: Sink = (event) => {
  last = event;
  units += event.data.length;
};

/** Fails unless `run` gives the events of the stream: nothing is timed that is not right. */
async function assertEvents(
  who: string,
  corpus: Corpus,
  run: (sink: Sink) => void | Promise<void>,
): Promise<void> {
  const seen: Seen[] = [];
  await run((event) => seen.push(event));
  const right = seen.length === corpus.events.length &&
    seen.every(({ event, data }, i) =>
      data === corpus.events[i].data && (event ?? "message") === corpus.events[i].event
    );
  if (!right) throw new Error(`Cannot time ${who}: its events of "${corpus.name}" are wrong`);
}

/** `feed` against the peer, and against the limit where chunks are large. */
async function compareParsers(): Promise<Cell[]> {
  const cells: Cell[] = [];
  for (const name of CORPORA) {
    for (const size of SIZES) {
      const corpus = makeCorpus(name, size === 1 || size === 64 ? 1 / 16 : 1);
      const chunks = cut(corpus, size);
      const against: (keyof typeof parsers)[] = ["eventsource-parser"];
      if (size === 16 * KB || size === 64 * KB) against.push("limit");
      const contestants: Record<string, () => void> = {};
      for (const name of ["ours", ...against] as (keyof typeof parsers)[]) {
        await assertEvents(name, corpus, (sink) => parsers[name](chunks, sink, corpus));
        contestants[name] = () => parsers[name](chunks, sink, corpus);
      }
      const times = await measure(contestants);
      for (const name of against) {
        cells.push({
          against: `feed / ${name}`,
          corpus: corpus.name,
          size,
          ratio: times[name] / times.ours,
        });
      }
      if (against.includes("limit")) {
        cells.push({
          against: "limit / eventsource-parser",
          corpus: corpus.name,
          size,
          ratio: times["eventsource-parser"] / times.limit,
        });
      }
    }
  }
  return cells;
}

/** Readers and streams against the peer's pipe; `readEvents` also against the peer's read loop. */
async function compareReaders(): Promise<Cell[]> {
  const cells: Cell[] = [];
  for (const name of CORPORA) {
    const corpus = makeCorpus(name);
    // eventsource-client waits for what follows the last CR, and would wait for ever.
    const names = (Object.keys(readers) as (keyof typeof readers)[])
      .filter((name) => name !== "eventsource-client" || corpus.shape.lineEnd !== "\r");
    for (const size of LARGE) {
      const chunks = cut(corpus, size);
      const total = corpus.events.length;
      const contestants: Record<string, () => Promise<void>> = {};
      for (const name of names) {
        await assertEvents(name, corpus, (sink) => readers[name](streamOf(chunks), sink, total));
        contestants[name] = () => readers[name](streamOf(chunks), sink, total);
      }
      const times = await measure(contestants, 9);
      const cell = (ours: string, peer: string) =>
        cells.push({
          against: `${ours} / ${peer}`,
          corpus: corpus.name,
          size,
          ratio: times[peer] / times[ours],
        });
      for (const ours of ["readEvents", "batches", "decoder stream"]) {
        cell(ours, "eventsource-parser");
      }
      if (names.includes("eventsource-client")) cell("readEvents", "eventsource-client");
    }
  }
  return cells;
}

/** Encoders over the events of each stream, which read back the same. */
async function compareEncoders(): Promise<Cell[]> {
  const cells: Cell[] = [];
  for (const name of CORPORA) {
    const corpus = makeCorpus(name);
    const events = corpus.events.map(({ event, data, id }): ServerSentEventInit => ({
      data,
      ...(event === "message" ? {} : { event }),
      ...(id === "" ? {} : { id }),
    }));
    for (const [who, encode] of Object.entries(encoders)) {
      await assertEvents(who, corpus, (sink) => parsers.ours(events.map(encode), sink, corpus));
    }
    const times = await measure({
      ours: () => {
        for (const event of events) units += encoders.ours(event).length;
      },
      peer: () => {
        for (const event of events) units += encoders["eventsource-encoder"](event).length;
      },
    });
    const cell = (against: string, ratio: number) =>
      cells.push({ against, corpus: corpus.name, size: "", ratio });
    cell("encodeEvent / eventsource-encoder", times.peer / times.ours);
    if (events.length === 1) continue;
    const sixteens = Array.from(
      { length: Math.ceil(events.length / 16) },
      (_, i) => events.slice(i * 16, (i + 1) * 16),
    );
    const streams = await measure({
      single: () => encoderStreams.ours(events),
      sixteens: () => encoderStreams.ours(sixteens),
      std: () => encoderStreams.std(events),
      limit: () => encoderStreams.limit(sixteens),
    }, 9);
    cell("encoder stream / std", streams.std / streams.single);
    cell("encoder stream, 16 events a write / std, 16 writes", streams.std / streams.sixteens);
    cell("encoder limit, 16 events a write / std, 16 writes", streams.std / streams.limit);
  }
  return cells;
}

/** A figure: a name, which cells it is the mean of, and what it must reach. */
interface Figure {
  name: string;
  against: string;
  sizes?: ChunkSize[];
  /** What the mean must reach on a runtime. None where it only shows what can be reached. */
  mean?: Partial<Record<Runtime["name"], number>>;
  /** What each cell must reach. */
  each?: number;
}

const FIGURES: Figure[] = [
  {
    name: "feed, 1.4 KB to 64 KB chunks",
    against: "feed / eventsource-parser",
    sizes: LARGE,
    mean: { Deno: 1.4, Node: 1.2, Bun: 1.15 },
    each: 1,
  },
  {
    name: "feed, one event a chunk and 64 B",
    against: "feed / eventsource-parser",
    sizes: [64, "event"],
    mean: { Deno: 1.4 },
  },
  { name: "feed, 1 B", against: "feed / eventsource-parser", sizes: [1], mean: { Deno: 8 } },
  { name: "feed, 16 KB to 64 KB chunks", against: "feed / limit", mean: { Deno: 0.9 } },
  { name: "the limit itself, 16 KB to 64 KB chunks", against: "limit / eventsource-parser" },
  { name: "for await readEvents", against: "readEvents / eventsource-parser", mean: { Deno: 2 } },
  { name: "for await readEvents", against: "readEvents / eventsource-client", mean: { Deno: 1.2 } },
  { name: "readEvents batches", against: "batches / eventsource-parser", mean: { Deno: 2.5 } },
  {
    name: "ServerSentEventDecoderStream",
    against: "decoder stream / eventsource-parser",
    mean: { Deno: 1.3 },
  },
  { name: "encodeEvent", against: "encodeEvent / eventsource-encoder", mean: { Deno: 1.4 } },
  {
    name: "ServerSentEventEncoderStream, event by event",
    against: "encoder stream / std",
    mean: { Deno: 1 },
  },
  {
    name: "ServerSentEventEncoderStream, 16 events a write",
    against: "encoder stream, 16 events a write / std, 16 writes",
    mean: { Deno: 6 },
  },
  {
    name: "the limit itself, 16 events a write",
    against: "encoder limit, 16 events a write / std, 16 writes",
  },
];

function printCells(cells: Cell[]): void {
  const groups = Map.groupBy(cells, (cell) => cell.against);
  for (const [against, group] of groups) {
    console.log(`\n${against} (ratio of medians, above 1 ours is faster)`);
    const sizes = [...new Set(group.map((cell) => cell.size))];
    const label = (size: Cell["size"]) => typeof size === "number" ? `${size} B` : size;
    console.log(`${"".padEnd(18)}${sizes.map((size) => label(size).padStart(9)).join("")}`);
    for (const [corpus, row] of Map.groupBy(group, (cell) => cell.corpus)) {
      console.log(
        corpus.padEnd(18) + row.map((cell) => cell.ratio.toFixed(2).padStart(9)).join(""),
      );
      const values = row.map(({ size, ratio }) => [label(size) || against, ratio]);
      results.cells(against, corpus, Object.fromEntries(values));
    }
  }
}

function printFigures(cells: Cell[], name: Runtime["name"]): void {
  console.log("");
  for (const figure of FIGURES) {
    const own = cells.filter((cell) =>
      cell.against === figure.against &&
      (figure.sizes === undefined || figure.sizes.includes(cell.size as ChunkSize))
    );
    if (own.length === 0) continue;
    const mean = geometricMean(own.map((cell) => cell.ratio));
    const lowest = own.reduce((a, b) => b.ratio < a.ratio ? b : a);
    const least = figure.mean?.[name];
    const peer = figure.against.slice(figure.against.indexOf(" / ") + 3);
    results.figure(
      mean,
      `${figure.name}, against ${peer}; lowest ${
        lowest.ratio.toFixed(2)
      } at ${lowest.corpus} ${lowest.size}`,
      { least, each: figure.each },
      lowest.ratio,
    );
  }
}

const only = process.argv.slice(2).filter((argument) => !argument.startsWith("-"));
const parts = { feed: compareParsers, read: compareReaders, encode: compareEncoders };
console.log(`${name} ${version}`);
const cells: Cell[] = [];
for (const [part, compare] of Object.entries(parts)) {
  if (only.length > 0 && !only.includes(part)) continue;
  console.error(`timing ${part} in ${name}, this takes a minute or two`);
  cells.push(...await compare());
}
printCells(cells);
printFigures(cells, name);
// Events where parsers ran, bytes alone where encoders did.
if (last === undefined && units === 0) throw new Error("Nothing was timed");
