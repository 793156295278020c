/**
 * Prints how `connect` compares with the peers end to end: HTTP over loopback, from the request to
 * the last event, in Deno. The server is a process of its own, so that only the client is timed.
 *
 * ```sh
 * deno task bench:connect
 * ```
 *
 * A number as argument scales the streams; a small one shows that all runs.
 *
 * @module
 */

import { EventSource } from "eventsource";
import { createEventSource } from "eventsource-client";
import { createParser } from "eventsource-parser";
import { EventSourceParserStream } from "eventsource-parser/stream";
import process from "node:process";
import { connect } from "../client.ts";
import { type Corpus, cut, makeCorpus } from "./corpora.ts";
import { cpuTime, geometricMean, median } from "./measure.ts";
import type { Seen, Sink } from "./peers.ts";
import { Results } from "./results.ts";

/** What is sent, and by how much longer than in the other benches: the request is the least of it. */
const STREAMS = [{ name: "tiny", scale: 12 }, { name: "OpenAI-like", scale: 12 }];
/** How long one stream is timed, in ms, and how often at most. */
const TIME = 9_000;
const ROUNDS = 40;
/** Runs of each before any counts. */
const WARM_UP = 5;

/** Reads all events at `url`. */
type Client = (url: string, sink: Sink, total: number) => Promise<void>;

const CLIENTS = {
  "connect": async (url, sink) => {
    for await (const event of connect(url, { retry: { onEnd: "close" } })) sink(event);
  },
  "connect, batches": async (url, sink) => {
    for await (const events of connect(url, { retry: { onEnd: "close" } }).batches()) {
      for (const event of events) sink(event);
    }
  },
  "eventsource-client": async (url, sink, total) => {
    const client = createEventSource(url);
    // It never ends by itself: it would connect again. The same holds for the next. That costs them
    // the connection, which may not be free for the next request yet: nothing beside the events.
    let count = 0;
    for await (const event of client) {
      sink(event);
      if (++count === total) break;
    }
    client.close();
  },
  "eventsource": async (url, sink, total) => {
    const source = new EventSource(url);
    let count = 0;
    await new Promise<void>((resolve, reject) => {
      source.onmessage = ({ type, data }) => {
        sink({ event: type, data });
        if (++count === total) resolve();
      };
      source.onerror = ({ message }) => reject(new Error(message));
    }).finally(() => source.close());
  },
  "fetch + EventSourceParserStream": async (url, sink) => {
    const { body } = await fetch(url);
    const events = body!.pipeThrough(new TextDecoderStream())
      .pipeThrough(new EventSourceParserStream());
    for await (const event of events) sink(event);
  },
  // The least that there is: no iterator, no check of the response.
  "fetch + eventsource-parser": async (url, sink) => {
    const response = await fetch(url);
    const decoder = new TextDecoder();
    const parser = createParser({ onEvent: (event) => sink(event) });
    for await (const chunk of response.body ?? []) {
      parser.feed(decoder.decode(chunk, { stream: true }));
    }
  },
} satisfies Record<string, Client>;

const results = new Results("client");

type Name = keyof typeof CLIENTS;
const NAMES = Object.keys(CLIENTS) as Name[];
const PEERS: Name[] = [
  "eventsource-client",
  "eventsource",
  "fetch + EventSourceParserStream",
  "fetch + eventsource-parser",
];

/** A callback waits for nothing, an event of a loop is waited for: batches are what compares with it. */
const MUST: Record<"connect" | "connect, batches", Name[]> = {
  "connect": ["eventsource-client", "eventsource", "fetch + EventSourceParserStream"],
  "connect, batches": ["fetch + eventsource-parser"],
};

/** What one event costs a client, in µs. */
interface Cost {
  cpu: number;
  wall: number;
}

let last: Seen | undefined;
/** What every event goes to. */
const sink: Sink = (event) => last = event;

/** Serves the streams, `/0` being the first, until its input ends, as it does with the parent. */
async function serve(scale: number): Promise<void> {
  const bodies = STREAMS.map((stream) =>
    cut(makeCorpus(stream.name, stream.scale * scale), 65_536)
  );
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, ({ url }) => {
    const body = ReadableStream.from(bodies[Number(new URL(url).pathname.slice(1))]);
    return new Response(body, { headers: { "content-type": "text/event-stream" } });
  });
  console.log(server.addr.port);
  for await (const _ of Deno.stdin.readable);
  await server.shutdown();
}

/** Starts the server. */
async function startServer(scale: number) {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", new URL(import.meta.url).pathname, "--serve", `${scale}`],
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const output = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  const port = parseInt((await output.read()).value ?? "");
  if (!(port > 0)) throw new Error("Cannot measure: the server did not start, see above");
  return {
    url: `http://127.0.0.1:${port}`,
    async [Symbol.asyncDispose]() {
      await child.stdin.close();
      await output.cancel();
      await child.status;
    },
  };
}

/** Fails unless a client gives the events of the stream: nothing is timed that is not right. */
async function assertEvents(name: Name, url: string, { events, ...corpus }: Corpus): Promise<void> {
  const seen: Seen[] = [];
  await CLIENTS[name](url, (event) => seen.push(event), events.length);
  const right = seen.length === events.length &&
    seen.every(({ event, data }, i) =>
      data === events[i].data && (event ?? "message") === events[i].event
    );
  if (!right) throw new Error(`Cannot time ${name}: its events of "${corpus.name}" are wrong`);
}

/** Times all clients in turns, as long as there is time; the medians. */
async function measure(url: string, total: number): Promise<Record<Name, Cost>> {
  const costs = new Map(NAMES.map((name) => [name, [] as Cost[]]));
  const end = performance.now() + TIME;
  for (let round = -WARM_UP; round < ROUNDS; round++) {
    // Always one round at least. Not always after the same one, see `measure.ts`.
    if (round > 0 && performance.now() > end) break;
    const turn = Math.max(round, 0) % NAMES.length;
    for (const name of [...NAMES.slice(turn), ...NAMES.slice(0, turn)]) {
      await new Promise((resolve) => setTimeout(resolve));
      const start = performance.now();
      const before = cpuTime();
      await CLIENTS[name](url, sink, total);
      const cpu = (cpuTime() - before) / total;
      const wall = (performance.now() - start) * 1_000 / total;
      if (round >= 0) costs.get(name)?.push({ cpu, wall });
    }
  }
  return Object.fromEntries([...costs].map(([name, all]) => [name, {
    cpu: median(all.map(({ cpu }) => cpu)),
    wall: median(all.map(({ wall }) => wall)),
  }])) as Record<Name, Cost>;
}

function printTable(corpus: Corpus, total: number, costs: Record<Name, Cost>): void {
  const size = (corpus.bytes.length / 1_048_576).toFixed(2);
  console.log(`\n${corpus.name}: ${total} events, ${size} MB a response`);
  console.log(`${"".padEnd(34)}${"events/s".padStart(12)}${"CPU µs/event".padStart(14)}`);
  for (const name of NAMES) {
    const { cpu, wall } = costs[name];
    const rate = Math.round(1e6 / wall).toLocaleString("en-US");
    console.log(`${name.padEnd(34)}${rate.padStart(12)}${cpu.toFixed(3).padStart(14)}`);
  }
}

/** One line for each peer: the mean of ratios over the streams, and the lowest. */
function printFigures(streams: { corpus: Corpus; costs: Record<Name, Cost> }[]): void {
  console.log("");
  for (const [unit, key] of [["CPU per event", "cpu"], ["events/s", "wall"]] as const) {
    for (const ours of ["connect", "connect, batches"] as const) {
      for (const peer of PEERS) {
        const cells = streams.map(({ corpus, costs }) => ({
          corpus: corpus.name,
          ratio: costs[peer][key] / costs[ours][key],
        }));
        const mean = geometricMean(cells.map(({ ratio }) => ratio));
        const lowest = cells.reduce((a, b) => b.ratio < a.ratio ? b : a);
        const must = MUST[ours].includes(peer);
        results.figure(
          mean,
          `${ours}, ${unit}, against ${peer}; lowest ${
            lowest.ratio.toFixed(2)
          } at ${lowest.corpus}`,
          must ? { least: 1 } : {},
        );
        results.cells(unit, peer, { [ours]: mean });
      }
    }
  }
}

const [first, second] = process.argv.slice(2);
if (first === "--serve") {
  await serve(Number(second));
} else {
  const scale = Number(first ?? 1);
  if (!(scale > 0)) throw new RangeError(`The scale must be a number above 0: received ${first}`);
  console.log(`Deno ${Deno.version.deno}`);
  await using server = await startServer(scale);
  const streams = [];
  for (const [i, stream] of STREAMS.entries()) {
    const corpus = makeCorpus(stream.name, stream.scale * scale);
    const url = `${server.url}/${i}`;
    for (const name of NAMES) await assertEvents(name, url, corpus);
    const total = corpus.events.length;
    // Nobody who reads a stream holds all of it, and what is held is paid for by each collection.
    corpus.events.length = 0;
    streams.push({ corpus, costs: await measure(url, total) });
    printTable(corpus, total, streams[i].costs);
  }
  printFigures(streams);
  if (last === undefined) throw new Error("Nothing was timed");
}
