/**
 * What the tests share: bytes, the parser run in every chunking, seeds, and sources that count.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { type ParserOptions, type ServerSentEvent, ServerSentEventParser } from "../parse.ts";
import { chunkings } from "./chunkings.ts";
import { delay } from "./fault/real_time.ts";
import { oracle, type OracleResult } from "./oracle.ts";

/** How many inputs a property test tries. */
export const RUNS = Number(Deno.env.get("SSE_TEST_RUNS") ?? 300);

/** The seed of all that is random; `SSE_TEST_SEED` repeats a run. */
export const SEED = Number(
  Deno.env.get("SSE_TEST_SEED") ?? crypto.getRandomValues(new Uint32Array(1))[0] >>> 1,
);

/** Parameters of a property; prints the seed, so that a failure can be repeated. */
export function property(share = 1): { numRuns: number; seed: number } {
  console.log(`SSE_TEST_SEED=${SEED}`);
  return { numRuns: Math.max(1, Math.ceil(RUNS * share)), seed: SEED };
}

const encoder = new TextEncoder();

/** Text as UTF-8. */
export function utf8(text: string): Uint8Array {
  return encoder.encode(text);
}

/** Bytes as text. */
export function text(bytes: Uint8Array): string {
  return new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
}

/** Bytes written as code units below 0x100, for those that are no UTF-8. */
export function raw(latin1: string): Uint8Array {
  return Uint8Array.from(latin1, (char) => char.charCodeAt(0));
}

/** Bytes one after the other. */
export function concat(...parts: Uint8Array[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}

/** An event, with the defaults of one that has `data` only. */
export function message(data: string, more: Partial<ServerSentEvent> = {}): ServerSentEvent {
  return { event: "message", data, id: "", ...more };
}

/** Feeds chunks to a new parser; the result has the shape of the oracle's. */
export function parse(
  chunks: Iterable<Uint8Array | string>,
  options: ParserOptions = {},
): OracleResult {
  const comments: string[] = [];
  const ids: string[] = [];
  const retries: number[] = [];
  const events: ServerSentEvent[] = [];
  const parser = new ServerSentEventParser({
    onComment: (comment) => comments.push(comment),
    onId: (id) => ids.push(id),
    onRetry: (ms) => retries.push(ms),
    ...options,
  });
  for (const chunk of chunks) events.push(...parser.feed(chunk));
  const { lastEventId, retry, incomplete } = parser;
  return { events, lastEventId, retry, comments, ids, retries, incomplete };
}

/**
 * Asserts that each chunking of a stream gives `expected`, of which any part may be left out, and
 * all that the oracle says; and that each event is out at the earliest byte.
 */
export function assertStream(
  stream: string | Uint8Array,
  expected: Partial<OracleResult>,
  options: ParserOptions = {},
): void {
  const bytes = typeof stream === "string" ? utf8(stream) : stream;
  const truth = oracle(bytes, options.lastEventId);
  assertEquals({ ...truth, ...expected }, truth, "the oracle");
  for (const { name, chunks } of chunkings(bytes, SEED)) {
    assertSame(parse(chunks, options), truth, name);
  }
  // Without callbacks other lines are held.
  const quiet = new ServerSentEventParser(options);
  const events: ServerSentEvent[] = [];
  for (const byte of bytes) quiet.feed(Uint8Array.of(byte), events);
  assertSame(events, truth.events, "byte by byte without callbacks");
  assertEquals(quiet.incomplete, truth.incomplete, "incomplete, without callbacks");
  assertEarliest(bytes, options);
}

/** Asserts that after each byte all is out which the oracle makes of the bytes up to there. */
export function assertEarliest(bytes: Uint8Array, options: ParserOptions = {}): void {
  const parser = new ServerSentEventParser(options);
  const events: ServerSentEvent[] = [];
  for (let i = 0; i < bytes.length; i++) {
    parser.feed(bytes.subarray(i, i + 1), events);
    const truth = oracle(bytes.subarray(0, i + 1), options.lastEventId);
    assertSame(
      { events, lastEventId: parser.lastEventId, retry: parser.retry },
      { events: truth.events, lastEventId: truth.lastEventId, retry: truth.retry },
      `after byte ${i + 1} of ${bytes.length}`,
    );
  }
}

/** `assertEquals` that is fast where nothing differs, for every chunking, and short where much does. */
export function assertSame(actual: unknown, expected: unknown, where: string): void {
  const [is, should] = [JSON.stringify(actual), JSON.stringify(expected)];
  if (is === should) return;
  if (should.length < 1_000) assertEquals(actual, expected, where);
  let at = 0;
  while (is[at] === should[at]) at++;
  const from = Math.max(0, at - 40);
  assertEquals(is.slice(from, at + 40), should.slice(from, at + 40), `${where}: at ${at}`);
}

/** A row of a table of streams: the title, the stream and what is to come of it. */
export type StreamCase = [string, string | Uint8Array, Partial<OracleResult>, ParserOptions?];

/** Registers a test for each row. */
export function testStreams(cases: StreamCase[]): void {
  for (const [title, stream, expected, options] of cases) {
    Deno.test(title, () => assertStream(stream, expected, options));
  }
}

/** What a source was asked for. */
export interface SourceLog {
  pulls: number;
  cancelled: unknown[];
}

/** A stream that counts its pulls and keeps the reasons of its cancels; it reads nothing ahead. */
export function countedStream<T>(
  chunks: Iterable<T>,
  end: "close" | "stay open" = "close",
): { stream: ReadableStream<T>; log: SourceLog } {
  const log: SourceLog = { pulls: 0, cancelled: [] };
  const iterator = chunks[Symbol.iterator]();
  const stream = new ReadableStream<T>({
    pull(controller) {
      log.pulls++;
      const { done, value } = iterator.next();
      if (!done) controller.enqueue(value);
      else if (end === "close") controller.close();
      else return new Promise(() => {});
    },
    cancel: (reason) => void log.cancelled.push(reason),
  }, { highWaterMark: 0 });
  return { stream, log };
}

/** Lets all that can run without timers and I/O run. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 100; i++) await Promise.resolve();
}

/** A request by a reader that has this last event ID, `""` for none. */
export function requestAfter(lastEventId = ""): Request {
  const headers: HeadersInit = lastEventId === "" ? {} : { "last-event-id": lastEventId };
  return new Request("http://sse.example/", { headers });
}

/** The reasons of the rejections that nobody handles while `work` runs. */
export function unhandled(work: () => Promise<unknown>): Promise<unknown[]> {
  return during(work, "unhandledrejection", ({ reason }) => reason);
}

/** The errors that nobody catches while `work` runs. */
export function uncaught(work: () => Promise<unknown>): Promise<unknown[]> {
  return during(work, "error", ({ error }) => error);
}

/** What events of a type tell while `work` runs; they do nothing else then. */
async function during<Type extends "unhandledrejection" | "error">(
  work: () => Promise<unknown>,
  type: Type,
  tell: (event: WindowEventMap[Type]) => unknown,
): Promise<unknown[]> {
  const told: unknown[] = [];
  const note = (event: WindowEventMap[Type]) => {
    event.preventDefault();
    told.push(tell(event));
  };
  globalThis.addEventListener(type, note);
  try {
    await work();
    // They are told of after the microtasks.
    await delay(0);
  } finally {
    globalThis.removeEventListener(type, note);
  }
  return told;
}
