/**
 * The format of recorded event streams, and what writes it.
 *
 * A recording is NDJSON: each line is a JSON object, written at once when what it tells of happened.
 * A file that was cut, by a crash or a full disk, still has all lines but the last. `t` is in
 * milliseconds since the recording began.
 *
 * | line                                          | what happened                                   |
 * | --------------------------------------------- | ----------------------------------------------- |
 * | `{"format":"sse-recording","version":1,...}`  | the recording began: `url`, `startedAt`         |
 * | `{"t":0,"open":{...}}`                        | a response came: `status`, `headers`, and the `lastEventId` it was asked for with |
 * | `{"t":12.5,"text":"data: a\n\n"}`             | bytes came that are UTF-8 by themselves         |
 * | `{"t":13.1,"bytes":"8J+Y"}`                   | bytes came that are not, in Base64              |
 * | `{"t":20,"end":"ended"}`                      | the body was complete                           |
 * | `{"t":20,"end":"lost","reason":"..."}`        | the connection broke off                        |
 * | `{"t":20,"end":"stopped"}`                    | who recorded it has stopped it                  |
 *
 * Each `open` begins a part: the next connection after one that was lost. Headers of requests are not
 * in it, and of the URL no query, for that is where secrets are. Whoever reads it passes over keys and
 * lines that it does not know.
 *
 * @module
 */

/** What the first line names. */
export const FORMAT = "sse-recording";

/** The version of the format that is written; one that is higher cannot be read. */
export const VERSION = 1;

/** The headers of a response that are kept: what matters to who reads the stream. */
const KEPT_HEADERS = [
  "content-type",
  "cache-control",
  "content-encoding",
  "x-accel-buffering",
  "server",
  "date",
];

/** More bytes than this go into several lines, so that whoever reads a line can bound it. */
const MAX_LINE_BYTES = 262_144;

/** How a response ended. */
export type End = "ended" | "lost" | "stopped";

/** What a line is of, beside its time. */
export type Entry =
  | { readonly open: Opening }
  | { readonly bytes: Uint8Array }
  | { readonly end: End; readonly reason?: string };

/** What is kept of a response and of what was asked. */
export interface Opening {
  /** The status. */
  readonly status: number;
  /** Some headers, by names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  /** The last event ID that the request named, `""` for none. */
  readonly lastEventId: string;
}

/** A line of a recording, read or to be written. */
export type TimedEntry = Entry & {
  /** In ms since the recording began. */
  readonly t: number;
};

/** What is kept of a response. */
export function openingOf(response: Response, lastEventId: string): Opening {
  const headers = KEPT_HEADERS.flatMap((name) => {
    const value = response.headers.get(name);
    return value === null ? [] : [[name, value] as const];
  });
  return { status: response.status, headers: Object.fromEntries(headers), lastEventId };
}

/** The first line. */
export function headerLine(url: URL, startedAt: Date): string {
  return line({
    format: FORMAT,
    version: VERSION,
    // Not the query: tokens are sent there, too.
    url: `${url.origin}${url.pathname}`,
    startedAt: startedAt.toISOString(),
  });
}

/** The lines of what happened: one, or more if there are many bytes. */
export function entryLines({ t, ...entry }: TimedEntry): string {
  // A tenth of a millisecond: timers and sockets are no finer.
  const time = Math.round(t * 10) / 10;
  if (!("bytes" in entry)) return line({ t: time, ...entry });
  let lines = "";
  for (let start = 0; start < entry.bytes.length; start += MAX_LINE_BYTES) {
    const bytes = entry.bytes.subarray(start, start + MAX_LINE_BYTES);
    lines += line({ t: time, ...encodeBytes(bytes) });
  }
  return lines;
}

function line(value: object): string {
  return `${JSON.stringify(value)}\n`;
}

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** As text where that gives the same bytes again. */
function encodeBytes(bytes: Uint8Array): { text: string } | { bytes: string } {
  try {
    return { text: decoder.decode(bytes) };
  } catch {
    return { bytes: toBase64(bytes) };
  }
}

function toBase64(bytes: Uint8Array): string {
  let binary = "";
  for (let start = 0; start < bytes.length; start += 8_192) {
    binary += String.fromCharCode(...bytes.subarray(start, start + 8_192));
  }
  return btoa(binary);
}
