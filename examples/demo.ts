/**
 * `deno task demo`: events over real HTTP, through the encoder and the parser, in one process.
 *
 * A server on 127.0.0.1 streams a clock, or a recorded file when a path is given. The same process
 * reads that stream by `fetch`, prints each event with its latency, and says at the end what came.
 *
 * With `--serve` the clock is a topic of what `sse serve` serves, with its live page.
 *
 * @module
 */

import { ServerSentEventEncoderStream, type ServerSentEventInit } from "@webstreams/sse/encode";
import { SseError } from "@webstreams/sse/errors";
import { readEvents, type ServerSentEvent } from "@webstreams/sse/parse";
import { setTimeout as delay } from "node:timers/promises";
import { parseArgs } from "node:util";
import { createService, type Service } from "../cli/service.ts";
import { readRecording, type Recording } from "./recording.ts";

const USAGE = `Usage: deno task demo [file] [--serve]

Streams events over HTTP on 127.0.0.1, reads them back and prints each with its latency.

  file       stream this recorded event stream, cut into odd chunks, and compare what arrives
  --serve    keep serving, for browsers, curl and others, until Ctrl-C: the clock as a topic with the
             live page, or the file as it is
  --help     print this

The port is 8000, or a free one when that is in use. PORT sets another; PORT=0 takes a free one.`;

const HEADERS = { "content-type": "text/event-stream", "cache-control": "no-cache" };
const TICKS = 30;
const INTERVAL = 100; // ms
const TOPIC = "clock";

/** What a visitor gets: an event every 100 ms, with the clock at its sending in the data. */
async function* clock(ticks: number, signal: AbortSignal): AsyncGenerator<ServerSentEventInit> {
  for (let n = 1; n <= ticks && !signal.aborted; n++) {
    yield { ...tick(), id: `${n}` };
    // An abort ends the pause, and with it the stream, between two events.
    await delay(INTERVAL, undefined, { signal }).catch(() => {});
  }
}

/** The same for all who read a topic. It gives the ids itself. */
async function publishClock({ hub }: Service, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await hub.publish(TOPIC, tick());
    await delay(INTERVAL, undefined, { signal }).catch(() => {});
  }
}

function tick(): ServerSentEventInit {
  return { event: "tick", data: JSON.stringify({ sent: now() }) };
}

/** The sending side: events, encoded as they are asked for, are the body of a response. */
function respond(events: AsyncIterable<ServerSentEventInit>): Response {
  const body = ReadableStream.from(events).pipeThrough(new ServerSentEventEncoderStream());
  return new Response(body, { headers: HEADERS });
}

/** The receiving side: reads the stream at `url`, prints its events and checks that all came. */
export async function receive(
  url: string,
  signal?: AbortSignal,
  recording?: Recording,
): Promise<void> {
  const expected = recording?.events.length ?? TICKS;
  const events: ServerSentEvent[] = [];
  const latencies: number[] = [];
  let bytes = 0;
  const meter = new TransformStream<Uint8Array, Uint8Array>({
    transform(chunk, controller) {
      bytes += chunk.length;
      controller.enqueue(chunk);
    },
  });

  console.log(recording ? "\nsince request  event" : "\n      latency  event");
  const start = now();
  const response = await fetch(url, { signal });
  const metered = new Response(response.body?.pipeThrough(meter), response);
  for await (const event of readEvents(metered, { signal })) {
    // A recorded event knows nothing of our clock: it shows how long after the request it came.
    const latency = now() - (recording ? start : JSON.parse(event.data).sent);
    latencies.push(latency);
    const n = events.push(event);
    if (n <= 5 || n > expected - 5 || !recording) console.log(line(event, latency));
    else if (n === 6) console.log("               ...");
  }
  const seconds = (now() - start) / 1000;

  const difference = recording?.difference(events);
  if (difference !== undefined) throw new Failure(difference);
  if (events.length !== expected) {
    throw new Failure(`The stream was cut: received ${events.length} of ${expected} events`);
  }
  const [p50, max] = [0.5, 1].map((q) => ms(quantile(latencies, q)));
  console.log(recording ? `\nall ${expected} events match` : `\nlatency p50 ${p50}, max ${max}`);
  const rate = `${count(events.length / seconds)} events/s`;
  console.log(
    `${count(events.length)} events, ${count(bytes)} bytes, ${seconds.toFixed(2)} s, ${rate}`,
  );
}

/** The port that `PORT` names, else 8000 or a free one. */
function listen(
  handler: (request: Request) => Response | Promise<Response>,
  signal: AbortSignal,
): Deno.HttpServer<Deno.NetAddr> {
  const given = Deno.env.get("PORT") || undefined;
  if (given !== undefined && !(/^\d{1,5}$/.test(given) && Number(given) <= 65_535)) {
    throw new Failure(
      `Cannot listen: PORT must be a number from 0 to 65535: received ${JSON.stringify(given)}`,
    );
  }
  const port = Number(given ?? 8000);
  const options = { hostname: "127.0.0.1", signal, onListen() {} };
  try {
    return Deno.serve({ ...options, port }, handler);
  } catch (error) {
    const inUse = error instanceof Deno.errors.AddrInUse;
    if (inUse && given === undefined) {
      console.log(`Port ${port} is in use: taking a free one`);
      return Deno.serve({ ...options, port: 0 }, handler);
    }
    const reason = inUse
      ? "the port is in use, set PORT to another, or to 0 for a free one"
      : (error as Error).message;
    throw new Failure(`Cannot listen on 127.0.0.1:${port}: ${reason}`);
  }
}

/** What ends the demo with a sentence in place of a stack trace. */
class Failure extends Error {
  /** The exit status: 2 for a wrong command, 1 for the rest. */
  readonly status: number;

  constructor(message: string, status = 1) {
    super(message);
    this.status = status;
  }
}

/** Runs the demo until its end, or until `interrupt` aborts; gives the exit status. */
async function main(args: string[], interrupt: AbortSignal): Promise<number> {
  const { path, serve, help } = parseCommand(args);
  if (help) {
    console.log(USAGE);
    return 0;
  }
  const recording = path === undefined ? undefined : await readRecording(path).catch((error) => {
    throw new Failure(error.message);
  });

  const closing = new AbortController();
  const dropping = new AbortController();
  const service = serve && recording === undefined
    ? createService({ hosts: ["127.0.0.1", "localhost"] })
    : undefined;
  const server = listen((request) => {
    if (service !== undefined) return service.fetch(request);
    if (recording !== undefined) return new Response(recording.stream(), { headers: HEADERS });
    return respond(clock(TICKS, closing.signal));
  }, dropping.signal);
  const url = `http://127.0.0.1:${server.addr.port}/`;
  console.log(
    service === undefined
      ? `Serving ${path ?? "a clock"} at ${url}, try: curl -N ${url}`
      : `Serving a clock at ${url} for a browser, try: curl -N ${url}topics/${TOPIC}`,
  );
  if (serve) console.log("Ctrl-C ends it");

  const publishing = service && publishClock(service, closing.signal);
  try {
    if (serve) await aborted(interrupt);
    else await receive(url, interrupt, recording);
  } catch (error) {
    if (!interrupt.aborted) throw error;
  } finally {
    // The clocks end between two events, and a moment later whoever has not read to there is
    // dropped: `server.shutdown()` would wait for a visitor who has stopped reading.
    closing.abort();
    await publishing;
    await service?.close();
    await delay(100);
    dropping.abort();
    await server.finished;
  }
  if (!interrupt.aborted) return 0;
  console.log("Interrupted: streams and port are closed");
  return serve ? 0 : 130;
}

function parseCommand(args: string[]): { path?: string; serve: boolean; help: boolean } {
  const options = { serve: { type: "boolean" }, help: { type: "boolean", short: "h" } } as const;
  try {
    const { values, positionals } = parseArgs({ args, options, allowPositionals: true });
    if (positionals.length > 1) throw new TypeError("At most one file can be streamed");
    return { path: positionals[0], serve: values.serve ?? false, help: values.help ?? false };
  } catch (error) {
    const [sentence] = (error as Error).message.split(". ");
    throw new Failure(`${sentence}\n\n${USAGE}`, 2);
  }
}

function aborted(signal: AbortSignal): Promise<unknown> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve(undefined);
    else signal.addEventListener("abort", resolve);
  });
}

/** Milliseconds since 1970, with decimals. */
function now(): number {
  return performance.timeOrigin + performance.now();
}

/** An event on one line, without the control characters that a terminal would obey. */
function line({ event, id, data }: ServerSentEvent, latency: number): string {
  const text = `${event}${id && ` #${id}`}  ${data}`.replace(/\p{Cc}/gu, " ");
  return `${ms(latency).padStart(13)}  ${text.match(/^.{0,80}/su)?.[0]}`;
}

function ms(value: number): string {
  return `${value.toFixed(3)} ms`;
}

function count(value: number): string {
  return Math.round(value).toLocaleString("en-US");
}

function quantile(values: number[], q: number): number {
  return values.toSorted((a, b) => a - b)[Math.floor(q * (values.length - 1))];
}

if (import.meta.main) {
  // A proxy that the environment names must not come between.
  Deno.env.set("NO_PROXY", "127.0.0.1");
  const interrupt = new AbortController();
  const onInterrupt = () => interrupt.abort();
  Deno.addSignalListener("SIGINT", onInterrupt);
  try {
    Deno.exitCode = await main(Deno.args, interrupt.signal);
  } catch (error) {
    if (!(error instanceof Failure || error instanceof SseError)) throw error;
    console.error(error.message);
    Deno.exitCode = error instanceof Failure ? error.status : 1;
  } finally {
    Deno.removeSignalListener("SIGINT", onInterrupt);
  }
}
