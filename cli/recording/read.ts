/**
 * Reads recorded event streams, chunk by chunk: those of `sse record`, and files that hold nothing but
 * the bytes of a body.
 *
 * @module
 */

import { type FileHandle, open } from "node:fs/promises";
import { Failure } from "../failure.ts";
import { type End, FORMAT, type Opening, type TimedEntry, VERSION } from "../recording.ts";

/** How much of a file is held at a time. */
const CHUNK_SIZE = 65_536;
/** What a file of gzip begins with. */
const GZIP = [0x1f, 0x8b];
/** Ours are shorter; one that is longer is none of ours, and is not to fill the memory. */
const MAX_LINE_LENGTH = 8_388_608;

/** A file that holds an event stream. */
export interface Recording {
  /** Whether it is the bytes of a body alone: its chunks have no times then. */
  readonly raw: boolean;
  /** Where it was recorded, if that is known. */
  readonly url?: string;
  /** When it was recorded, if that is known. */
  readonly startedAt?: string;
  /**
   * What happened, in order, from the beginning. Each call reads the file anew.
   *
   * @param onCut Told of a last line that breaks off: the recording ended with a crash.
   */
  entries(onCut?: () => void): AsyncGenerator<TimedEntry, undefined>;
}

/**
 * Looks what a file is.
 *
 * @throws {Failure} If it is no file that can be read, or of a later version.
 */
export async function openRecording(path: string): Promise<Recording> {
  const handle = await openFile(path);
  let start: Uint8Array;
  try {
    if (!(await handle.stat()).isFile()) {
      throw new Failure(
        `Cannot replay ${path}: it is no file, and a recording is read anew for each reader: write it to a file first`,
      );
    }
    start = await startOf(handle);
  } finally {
    await handle.close();
  }
  if (GZIP.every((byte, i) => start[i] === byte)) {
    throw new Failure(`Cannot replay ${path}: it is compressed, unpack it first: gunzip ${path}`);
  }
  const [line] = new TextDecoder().decode(start).split("\n", 1);
  const header = parseObject(line);
  if (header === undefined || header.format !== FORMAT) {
    return { raw: true, entries: () => rawEntries(path) };
  }
  const { version, url, startedAt } = header;
  if (version !== VERSION) {
    throw new Failure(
      `Cannot replay ${path}: its format has version ${version}, and this program reads ${VERSION}: use a newer one`,
    );
  }
  return {
    raw: false,
    url: typeof url === "string" ? url : undefined,
    startedAt: typeof startedAt === "string" ? startedAt : undefined,
    entries: (onCut) => recordedEntries(path, onCut),
  };
}

async function openFile(path: string): Promise<FileHandle> {
  try {
    return await open(path, "r");
  } catch (cause) {
    const reason = isMissing(cause) ? "there is no such file" : String(cause);
    throw new Failure(`Cannot replay ${path}: ${reason}`, { cause });
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ENOENT";
}

/** The beginning of a file, with its first line if that is of a recording. */
async function startOf(handle: FileHandle): Promise<Uint8Array> {
  const { bytesRead, buffer } = await handle.read(new Uint8Array(CHUNK_SIZE), 0, CHUNK_SIZE, 0);
  return buffer.subarray(0, bytesRead);
}

/** The bytes of a file; no more of them are read than are asked for. */
async function* chunksOf(path: string): AsyncGenerator<Uint8Array, undefined> {
  const handle = await openFile(path);
  try {
    for (;;) {
      const { bytesRead, buffer } = await handle.read(new Uint8Array(CHUNK_SIZE), 0, CHUNK_SIZE);
      if (bytesRead === 0) return;
      yield buffer.subarray(0, bytesRead);
    }
  } finally {
    await handle.close();
  }
}

async function* rawEntries(path: string): AsyncGenerator<TimedEntry, undefined> {
  const headers = { "content-type": "text/event-stream" };
  yield { t: 0, open: { status: 200, headers, lastEventId: "" } };
  for await (const bytes of chunksOf(path)) yield { t: 0, bytes };
  yield { t: 0, end: "ended" };
}

async function* recordedEntries(
  path: string,
  onCut: () => void = () => {},
): AsyncGenerator<TimedEntry, undefined> {
  const decoder = new TextDecoder();
  let number = 0;
  let rest = "";
  let ended = false;
  for await (const chunk of chunksOf(path)) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    if (rest.length > MAX_LINE_LENGTH) throw broken(path, number + 1, "it is too long");
    for (const line of lines) {
      const entry = entryOf(line, path, ++number);
      if (entry === undefined) continue;
      ended = "end" in entry;
      yield entry;
    }
  }
  // A line without an end is one that was being written when the recorder was killed.
  if (rest !== "" || !ended) onCut();
}

/** What a line tells; `undefined` for what a later version may have added. */
function entryOf(line: string, path: string, number: number): TimedEntry | undefined {
  const value = parseObject(line);
  if (value === undefined) throw broken(path, number, "it is no JSON object");
  const { t, open, text, bytes, end, reason } = value;
  if (typeof t !== "number") return undefined;
  if (typeof text === "string") return { t, bytes: new TextEncoder().encode(text) };
  if (typeof bytes === "string") return { t, bytes: fromBase64(bytes, path, number) };
  if (isObject(open)) return { t, open: openingOf(open) };
  if (isEnd(end)) return typeof reason === "string" ? { t, end, reason } : { t, end };
  return undefined;
}

function openingOf({ status, headers, lastEventId }: Record<string, unknown>): Opening {
  const named = isObject(headers) ? Object.entries(headers) : [];
  const texts = named.filter((entry): entry is [string, string] => typeof entry[1] === "string");
  return {
    status: typeof status === "number" ? status : 200,
    headers: Object.fromEntries(texts),
    lastEventId: typeof lastEventId === "string" ? lastEventId : "",
  };
}

function isEnd(value: unknown): value is End {
  return value === "ended" || value === "lost" || value === "stopped";
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}

function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function fromBase64(text: string, path: string, number: number): Uint8Array {
  try {
    return Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
  } catch {
    throw broken(path, number, '"bytes" is no Base64');
  }
}

function broken(path: string, number: number, reason: string): Failure {
  return new Failure(`Cannot replay ${path}: line ${number} is none of a recording: ${reason}`);
}
