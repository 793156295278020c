/**
 * Runs each reader on each sender.
 *
 * @module
 */

import type { ServerSentEvent } from "../../parse.ts";
import { within } from "../fault/real_time.ts";
import { type Difference, differences, REST, resumeDifferences, RESUMING } from "./check.ts";
import { cuttingProxy } from "../cutting_proxy.ts";
import type { Running } from "../listen.ts";
import { CUTS, PATHS } from "./feeds.ts";
import { KNOWN, type Known } from "./known.ts";
import {
  isUnavailable,
  type OpenReader,
  type Reader,
  type Sender,
  type Unavailable,
} from "./peers.ts";

/** How long a reader may take for a feed, in ms. */
const PATIENCE = 10_000;

/** How long for one that is known not to come to the end. */
const IMPATIENCE = 3_000;

/** How many cells are run at a time. */
const AT_A_TIME = 12;

/** A hard event by which a known fault showed. */
export interface Shown {
  readonly known: Known;
  readonly event: string;
}

/** A reader on a sender. */
export interface Cell {
  readonly sender: Sender;
  readonly reader: Reader;
  /** Differences that no known fault explains. */
  readonly failures: readonly Difference[];
  /** The known faults that explain the others. */
  readonly faults: readonly Shown[];
  /** It was cut, too, and the reader was to come back. */
  readonly resumed: boolean;
}

/** What came of all. */
export interface Matrix {
  readonly senders: readonly Sender[];
  readonly readers: readonly Reader[];
  readonly cells: readonly Cell[];
  /** What is not to be had here, and why. */
  readonly missing: readonly { readonly name: string; readonly unavailable: string }[];
  /** Known faults of peers that were there, which did not show. */
  readonly gone: readonly Shown[];
}

/** Reads a feed; what goes wrong becomes an event that no one expects. */
async function read(
  reader: OpenReader,
  url: string,
  patience = PATIENCE,
): Promise<ServerSentEvent[]> {
  const seen: ServerSentEvent[] = [];
  const controller = new AbortController();
  const timer = setTimeout(() => controller.abort(), patience);
  try {
    const work = reader.read(url, seen, controller.signal);
    await within(work, patience + 5_000, () => "it hangs");
    if (!controller.signal.aborted) return seen;
    return [...seen, { event: "error", data: `no end in ${patience} ms`, id: "" }];
  } catch (error) {
    return [...seen, { event: "error", data: String(error), id: "" }];
  } finally {
    clearTimeout(timer);
  }
}

/** Reads the feed that is cut. */
async function readCut(
  reader: OpenReader,
  port: number,
  query: string,
  patience: number,
): Promise<ServerSentEvent[]> {
  await using proxy = cuttingProxy(port, CUTS);
  const url = `http://127.0.0.1:${proxy.port}${PATHS.resume}?${query}`;
  const seen = await read(reader, url, patience);
  if (proxy.left.length === 0) return seen;
  return [...seen, { event: "error", data: `${proxy.left.length} cuts were not met`, id: "" }];
}

/** The known faults that explain a difference; none of ours is known. */
function explanations(sender: Sender, reader: Reader, event: string): Shown[] {
  return KNOWN
    .filter((known) => known.events.includes(event))
    .filter((known) =>
      known.sender === sender.name && !sender.ours || known.reader === reader.name && !reader.ours
    )
    .map((known) => ({ known, event }));
}

/** A cell that can be run. */
interface Open {
  readonly sender: Sender;
  readonly running: Running;
  readonly reader: Reader;
  readonly opened: OpenReader;
}

async function runCell({ sender, running, reader, opened }: Open): Promise<Cell> {
  const query = new URLSearchParams({ reader: reader.name }).toString();
  const url = `http://127.0.0.1:${running.port}${PATHS[reader.feed]}`;
  const knows = (events: string[]) =>
    events.some((event) => explanations(sender, reader, event).length > 0);
  const patience = knows([REST]) ? IMPATIENCE : PATIENCE;
  const found = differences(sender, reader, await read(opened, `${url}?${query}`, patience));
  const resumed = reader.resumes && sender.feeds.includes("resume") && sender.gzip !== true;
  if (resumed) {
    const patience = knows(Object.values(RESUMING)) ? IMPATIENCE : PATIENCE;
    const seen = await readCut(opened, running.port, query, patience);
    found.push(...resumeDifferences(sender, reader, seen));
  }
  const explained = found.map((difference) => ({
    difference,
    by: explanations(sender, reader, difference.event),
  }));
  return {
    sender,
    reader,
    failures: explained.filter(({ by }) => by.length === 0).map(({ difference }) => difference),
    faults: explained.flatMap(({ by }) => by),
    resumed,
  };
}

/** Runs all, a few at a time. */
async function inTurns<T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  const left = items.entries();
  const worker = async () => {
    for (const [i, item] of left) results[i] = await work(item);
  };
  await Promise.all(Array.from({ length: AT_A_TIME }, worker));
  return results;
}

/** Runs each reader on each sender. */
export async function runMatrix(
  senders: readonly Sender[],
  readers: readonly Reader[],
): Promise<Matrix> {
  await using stack = new AsyncDisposableStack();
  const missing: { name: string; unavailable: string }[] = [];
  async function start<T extends AsyncDisposable>(
    name: string,
    starting: Promise<T | Unavailable>,
  ): Promise<T[]> {
    const peer = await starting;
    if (!isUnavailable(peer)) return [stack.use(peer)];
    missing.push({ name, ...peer });
    return [];
  }
  const open: Open[] = [];
  const running = (await inTurns(senders, async (sender) => {
    return (await start(sender.name, sender.start())).map((running) => ({ sender, running }));
  })).flat();
  const opened = (await inTurns(readers, async (reader) => {
    return (await start(reader.name, reader.open())).map((opened) => ({ reader, opened }));
  })).flat();
  for (const one of running) {
    for (const other of opened) {
      if (one.sender.feeds.includes(other.reader.feed)) open.push({ ...one, ...other });
    }
  }
  const cells = await inTurns(open, runCell);
  const names = [...running.map(({ sender }) => sender), ...opened.map(({ reader }) => reader)]
    .map(({ name }) => name);
  return {
    senders: running.map(({ sender }) => sender),
    readers: opened.map(({ reader }) => reader),
    cells,
    missing,
    gone: goneOf(cells, names),
  };
}

/** The known faults of these peers that no cell shows. */
function goneOf(cells: readonly Cell[], names: readonly string[]): Shown[] {
  const shown = cells.flatMap(({ faults }) => faults);
  return KNOWN
    .filter(({ sender, reader }) => names.includes(sender ?? reader ?? ""))
    .flatMap((known) => known.events.map((event) => ({ known, event })))
    .filter((one) => !shown.some(({ known, event }) => known === one.known && event === one.event));
}
