/**
 * What all commands that ask a URL have in common: its headers, and who asks.
 *
 * @module
 */

import type { Context } from "./context.ts";
import { UsageError } from "./failure.ts";
import { parseHeaders, parseUrl } from "./values.ts";

/** The options that are the same in each of them: `-H` and `--token`. */
export const REQUEST_OPTIONS = {
  header: {
    type: "string",
    short: "H",
    multiple: true,
    value: "LINE",
    help: 'Send this header, as "name: value"; may be given more than once',
  },
  token: {
    type: "string",
    value: "TEXT",
    help: "Send this token as a bearer; SSE_TOKEN of the environment keeps it out of ps",
  },
} as const;

/** What was given of {@linkcode REQUEST_OPTIONS}. */
export interface RequestInput {
  /** The lines of `-H`. */
  readonly header?: readonly string[];
  /** The token. */
  readonly token?: string;
}

/** Where a request goes, and with what. */
export interface Destination {
  /** The URL, without a user. */
  readonly url: URL;
  /** The headers, with one that says who asks. */
  readonly headers: Headers;
}

/**
 * The headers of a request: those of `-H`, and the token.
 *
 * @throws {UsageError} If one cannot be sent, or two say who asks.
 */
export function requestHeaders({ header = [], token }: RequestInput, env: Context["env"]): Headers {
  const headers = parseHeaders(header);
  if (token !== undefined) authorize(headers, `Bearer ${token}`, "--token");
  // What the environment has is for all commands: a command line may say otherwise.
  else if (env.SSE_TOKEN && !headers.has("authorization")) {
    authorize(headers, `Bearer ${env.SSE_TOKEN}`, "SSE_TOKEN");
  }
  return headers;
}

/**
 * Reads a URL and the headers for it. A user and password in the URL become a header, as of `curl`,
 * for `fetch` takes none.
 *
 * @throws {UsageError} If the URL is none, a header cannot be sent, or two say who asks.
 */
export function requestTo(text: string, input: RequestInput, env: Context["env"]): Destination {
  const url = parseUrl(text);
  const { username, password } = url;
  if (username === "" && password === "") return { url, headers: requestHeaders(input, env) };
  url.username = url.password = "";
  const headers = requestHeaders(input, {});
  const user = `${decode(username)}:${decode(password)}`;
  const bytes = String.fromCharCode(...new TextEncoder().encode(user));
  authorize(headers, `Basic ${btoa(bytes)}`, "the user of the URL");
  return { url, headers };
}

function authorize(headers: Headers, value: string, what: string): void {
  if (headers.has("authorization")) {
    throw new UsageError(
      `Cannot send ${what}: an authorization is given already, leave one of them out`,
    );
  }
  try {
    headers.set("authorization", value);
  } catch {
    throw new UsageError(`Cannot send ${what}: it holds a character that no header can carry`);
  }
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // A percent sign that stands for itself.
  }
}
