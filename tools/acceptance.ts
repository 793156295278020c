/**
 * Runs the parser over data that is not ours: `vectors/vectors.json` (cases with what the standard
 * makes of them, in every chunking) and `recorded/` (real streams with their hashes).
 *
 * ```sh
 * deno task acceptance FOLDER
 * ```
 *
 * @module
 */

import { encodeEvent } from "../encode.ts";
import { type ServerSentEvent, ServerSentEventParser } from "../parse.ts";
import { type Chunking, chunkings } from "../tests/chunkings.ts";
import { overHttp } from "./_client_acceptance.ts";

interface Vector {
  name: string;
  bytes_base64: string;
  chunks?: number[];
  expected: { type: string; data: string; lastEventId: string }[];
  retry?: number | null;
  finalLastEventId: string;
}

interface Recording {
  file: string;
  events: number;
  dataChars: number;
  sha256: string;
}

/** From here on a reconnection time may be clamped, for no timer takes more. */
const MAX_TIMER = 2 ** 31 - 1;

/** Parses chunks; the parser is given back for its state at the end. */
function parse(chunks: Iterable<Uint8Array>): [ServerSentEvent[], ServerSentEventParser] {
  const parser = new ServerSentEventParser();
  const events: ServerSentEvent[] = [];
  for (const chunk of chunks) parser.feed(chunk, events);
  return [events, parser];
}

/** What the data compares: type, data and last event ID of each event. */
function triples(events: ServerSentEvent[]): string {
  return JSON.stringify(events.map(({ event, data, id }) => [event, data, id]));
}

/** The chunkings in which a case comes out wrong. */
function checkVector(vector: Vector, seed: number): string[] {
  const bytes = Uint8Array.from(atob(vector.bytes_base64), (char) => char.charCodeAt(0));
  const expected = JSON.stringify(
    vector.expected.map(({ type, data, lastEventId }) => [type, data, lastEventId]),
  );
  const wrong: string[] = [];
  for (const { name, chunks } of chunkingsOf(vector, bytes, seed)) {
    const [events, parser] = parse(chunks);
    const right = triples(events) === expected &&
      parser.lastEventId === vector.finalLastEventId &&
      sameRetry(parser.retry, vector.retry);
    if (!right) wrong.push(`${vector.name}: ${name}`);
  }
  return wrong;
}

function* chunkingsOf(vector: Vector, bytes: Uint8Array, seed: number): Generator<Chunking> {
  yield* chunkings(bytes, seed);
  if (vector.chunks === undefined) return;
  let at = 0;
  const chunks = vector.chunks.map((length) => bytes.subarray(at, at += length));
  yield { name: "as the source cuts it", chunks: [...chunks, bytes.subarray(at)] };
}

function sameRetry(actual: number | undefined, expected: number | null | undefined): boolean {
  if (expected === undefined) return true;
  if (expected === null) return actual === undefined;
  return actual === expected || (actual !== undefined && Math.min(actual, expected) >= MAX_TIMER);
}

/** The chunkings in which a recorded stream comes out wrong, and whether it survives our encoder. */
async function checkRecording(folder: string, recording: Recording, seed: number) {
  const bytes = await Deno.readFile(`${folder}/${recording.file}`);
  const wrong: string[] = [];
  for (const { name, chunks } of chunkings(bytes, seed)) {
    const [events] = parse(chunks);
    if (await sha256(triples(events)) !== recording.sha256) {
      wrong.push(`${recording.file}: ${name}`);
    }
  }
  const [events] = parse([bytes]);
  const [again] = parse(events.map(encodeEvent));
  if (JSON.stringify(again) !== JSON.stringify(events)) {
    wrong.push(`${recording.file}: encoded and parsed again`);
  }
  const right = async (events: ServerSentEvent[]) =>
    await sha256(triples(events)) === recording.sha256;
  wrong.push(...await overHttp(recording.file, bytes, seed, right));
  return wrong;
}

async function sha256(text: string): Promise<string> {
  const hash = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return Array.from(new Uint8Array(hash), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function report(what: string, total: number, wrong: string[]): void {
  const cases = new Set(wrong.map((name) => name.slice(0, name.lastIndexOf(": "))));
  for (const name of wrong.slice(0, 20)) console.error(`wrong: ${name}`);
  console.log(`${what}: ${total - cases.size} of ${total} right in every chunking`);
}

if (import.meta.main) {
  const [folder] = Deno.args;
  if (folder === undefined) {
    console.error("Name the folder that holds vectors/ and recorded/: deno task acceptance FOLDER");
    Deno.exit(2);
  }
  const seed = Math.floor(Math.random() * 2 ** 31);
  console.log(`random cuts: seed ${seed}`);
  const read = async (path: string) => JSON.parse(await Deno.readTextFile(`${folder}/${path}`));
  const vectors: Vector[] = await read("vectors/vectors.json");
  const wrongVectors = vectors.flatMap((vector) => checkVector(vector, seed));
  report("vectors", vectors.length, wrongVectors);
  const recordings: Recording[] = await read("recorded/manifest.json");
  const wrongRecordings: string[] = [];
  for (const recording of recordings) {
    wrongRecordings.push(...await checkRecording(`${folder}/recorded`, recording, seed));
  }
  report("recorded streams", recordings.length, wrongRecordings);
  if (wrongVectors.length + wrongRecordings.length > 0) Deno.exit(1);
}
