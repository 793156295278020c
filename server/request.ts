/**
 * What a request for an event stream asks, and the headers of what answers it.
 *
 * @module
 */

/** How long a last event ID may be, in UTF-16 code units: runtimes bound headers, not queries. */
export const MAX_LAST_EVENT_ID_LENGTH = 8_192;

/** What covers an event stream, from the least specific to the most (RFC 9110, 12.5.1). */
const COVERING = ["*/*", "text/*", "text/event-stream"];

/** Query parameters with the last event ID, for clients that cannot send headers. */
const QUERY_NAMES = ["lastEventId", "last_event_id", "evs_last_event_id"];

/**
 * What no id holds: lone surrogates are no text, and control characters only end up in logs and
 * keys. A tab within is not among them, for a header can carry it, and clients send it (T22).
 */
// deno-lint-ignore no-control-regex
const CONTROLS = /[\x00-\x08\x0a-\x1f\x7f]/;

/** What is for the server to say: of its connection (RFC 9110, 7.6.1), and the length, which nobody knows. */
const OF_SERVER = [
  "content-length",
  "connection",
  "keep-alive",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
];

/**
 * Whether the `Accept` header takes an event stream (RFC 9110, 12.5.1). Parameters other than `q`
 * are not compared: there is one representation only. A header that cannot be read excludes
 * nothing, as the one that Java sends with its `*; q=.2`.
 */
export function acceptsEventStream(request: Request): boolean {
  const accept = request.headers.get("accept") ?? "";
  // What EventSource and fetch send.
  if (accept === "text/event-stream" || accept === "*/*") return true;
  const ranges = splitHeader(accept, ",").filter(Boolean);
  if (ranges.length === 0) return true;
  let specificity = 0;
  let weight = 0;
  for (const text of ranges) {
    const range = parseMediaType(text);
    const q = range?.parameters.get("q") ?? "1";
    if (range === undefined || !/^(?:0(?:\.\d{0,3})?|1(?:\.0{0,3})?)$/.test(q)) return true;
    const found = COVERING.indexOf(range.type);
    if (found < specificity) continue;
    weight = found > specificity ? Number(q) : Math.max(weight, Number(q));
    specificity = found;
  }
  return weight > 0;
}

/**
 * The last event ID that a request names: in its header, else in its query. `""` if there is none,
 * `undefined` if it is garbage.
 */
export function lastEventIdOf(request: Request): string | undefined {
  const header = request.headers.get("last-event-id") ?? "";
  const id = header === "" ? idOfQuery(request.url) : decodeHeader(header);
  if (id === undefined || id.length > MAX_LAST_EVENT_ID_LENGTH) return undefined;
  return CONTROLS.test(id) || !id.isWellFormed() ? undefined : id;
}

/**
 * The id is UTF-8 (T22), and `Headers` give one character a byte. A character that is no byte
 * shows a runtime that has decoded it itself.
 */
function decodeHeader(value: string): string | undefined {
  if (/[^\0-\xff]/.test(value)) return value;
  const bytes = Uint8Array.from(value, (char) => char.charCodeAt(0));
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return headersTakeText() ? value : undefined;
  }
}

let takeText: boolean | undefined;

/** Whether `Headers` take any text: they have decoded it then, as those of workerd do. */
function headersTakeText(): boolean {
  try {
    return takeText ??= new Headers([["probe", "\u0100"]]) !== undefined;
  } catch {
    return takeText = false;
  }
}

/**
 * Not by `URL`: it throws where a runtime passes on a bad `Host` header, as Deno does, and its
 * `searchParams` make U+FFFD of what is no UTF-8.
 */
function idOfQuery(url: string): string | undefined {
  const [address] = url.split("#");
  const start = address.indexOf("?");
  if (start < 0) return "";
  const parameters = address.slice(start + 1).split("&");
  for (const name of QUERY_NAMES) {
    const found = parameters.find((text) => text.startsWith(`${name}=`) && text !== `${name}=`);
    if (found === undefined) continue;
    try {
      return decodeURIComponent(found.slice(name.length + 1).replaceAll("+", " "));
    } catch {
      return undefined;
    }
  }
  return "";
}

/**
 * The headers of an event stream: those of the caller, and ours where it named none. Without
 * `X-Accel-Buffering` nginx would deliver nothing until the end.
 */
export function eventStreamHeaders(given?: HeadersInit): Headers {
  const headers = new Headers(given);
  for (const name of OF_SERVER) {
    if (headers.has(name)) {
      throw new TypeError(
        `Cannot answer with an event stream: "headers" must not hold "${name}": the connection and the length are for the server to say, leave it out`,
      );
    }
  }
  setDefault(headers, "content-type", "text/event-stream");
  setDefault(headers, "cache-control", "no-cache, no-transform");
  setDefault(headers, "x-accel-buffering", "no");
  return headers;
}

function setDefault(headers: Headers, name: string, value: string): void {
  if (!headers.has(name)) headers.set(name, value);
}

/**
 * An answer that is no event stream, for people to read. No cache may keep it.
 *
 * @param given The headers that the stream would have had of its owner: a page of another origin, whom
 * they let read, is to learn that it is refused, and not to take it for a lost connection.
 */
export function refusal(status: number, text: string, given?: HeadersInit): Response {
  const headers = new Headers(given);
  headers.set("content-type", "text/plain; charset=utf-8");
  headers.set("cache-control", "no-store");
  return new Response(text, { status, headers });
}

/**
 * An answer to who is one too many, and may ask again.
 *
 * @param retryAfter After how many seconds: the header knows whole ones only, at least one is said.
 */
export function tooMany(
  retryAfter: number,
  text = "Too many readers, try again later",
  given?: HeadersInit,
): Response {
  const seconds = Math.max(1, Math.ceil(retryAfter));
  if (!Number.isSafeInteger(seconds)) {
    throw new RangeError(
      `Cannot refuse a request: "retryAfter" must be a number of seconds: received ${retryAfter}`,
    );
  }
  const headers = new Headers(given);
  headers.set("retry-after", String(seconds));
  return refusal(503, text, headers);
}

/** Where a request wants to resume, or what refuses it. Its method is not looked at. */
export function checkRequest(
  request: Request,
  given?: HeadersInit,
): { lastEventId: string } | Response {
  if (!acceptsEventStream(request)) {
    return refusal(
      406,
      'Cannot send events: "Accept" excludes "text/event-stream", the only type there is',
      given,
    );
  }
  const lastEventId = lastEventIdOf(request);
  if (lastEventId !== undefined) return { lastEventId };
  return refusal(
    400,
    `Cannot resume: the last event ID must be UTF-8 without control characters, of at most ${MAX_LAST_EVENT_ID_LENGTH} UTF-16 code units`,
    given,
  );
}

/** A media type or a range of them, taken apart. */
export interface MediaType {
  /** Type and subtype, in lower case. */
  type: string;
  /** The values by the names, which are in lower case; the first one of a name counts. */
  parameters: Map<string, string>;
}

const TYPE = /^[!#$%&'*+.^`|~\w-]+\/[!#$%&'*+.^`|~\w-]+$/;
const PARAMETER = /^([!#$%&'*+.^`|~\w-]+)=(?:([!#$%&'*+.^`|~\w-]+)|"((?:[^"\\]|\\.)*)")$/;

/** Takes a media type apart (RFC 9110, 8.3.1); `undefined` if it is none. */
export function parseMediaType(text: string): MediaType | undefined {
  const [type, ...rest] = splitHeader(text, ";");
  if (!TYPE.test(type)) return undefined;
  const parameters = new Map<string, string>();
  for (const parameter of rest.filter(Boolean)) {
    const match = PARAMETER.exec(parameter);
    if (match === null) return undefined;
    const [, name, token, quoted] = match;
    const key = name.toLowerCase();
    if (!parameters.has(key)) parameters.set(key, token ?? quoted.replace(/\\(.)/g, "$1"));
  }
  return { type: type.toLowerCase(), parameters };
}

/** What stands between separators. In quotes, which may not end, they do not count. */
const PARTS = {
  ",": /(?:"(?:[^"\\]|\\.)*"?|[^",])*/g,
  ";": /(?:"(?:[^"\\]|\\.)*"?|[^";])*/g,
};

/** The parts of a header, without the white space around them, and empty ones between them. */
function splitHeader(value: string, separator: keyof typeof PARTS): string[] {
  return Array.from(value.matchAll(PARTS[separator]), ([part]) => part.trim());
}
