/**
 * The requests of a bench, over `node:http`: as little as can be between a socket and what is
 * measured.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import http, { type Agent, type IncomingMessage, type RequestOptions } from "node:http";
import https from "node:https";
import { EXIT, Failure } from "../failure.ts";
import { visible } from "../visible.ts";

/** A URL and what is sent with each request. */
export interface Target {
  readonly url: URL;
  readonly headers: Headers;
}

/** How a request is made. */
export interface AskOptions extends Pick<RequestOptions, "method"> {
  /** The connections to take one of; `false` for one of its own. */
  readonly agent: Agent | false;
  /** Headers beside those of the target. */
  readonly headers?: Readonly<Record<string, string>>;
  /** The body. */
  readonly body?: string;
  /** How long the headers of the answer may take, in ms. */
  readonly timeout?: number;
  /** Ends it. */
  readonly signal: AbortSignal;
}

/** How long a server may take to answer, in ms. */
const TIMEOUT = 10_000;

/** An agent that keeps so many connections for requests that follow each other. */
export function keepConnections({ protocol }: URL, most: number): Agent {
  const options = { keepAlive: true, maxSockets: most };
  return protocol === "https:" ? new https.Agent(options) : new http.Agent(options);
}

/** Asks, and resolves with the response when its headers are there. */
export function ask(target: Target, options: AskOptions): Promise<IncomingMessage> {
  const { agent, method = "GET", headers = {}, body, timeout = TIMEOUT, signal } = options;
  const { request } = target.url.protocol === "https:" ? https : http;
  return new Promise((resolve, reject) => {
    const asked = request(target.url, {
      method,
      agent,
      headers: {
        ...Object.fromEntries(target.headers),
        ...headers,
        ...(body === undefined ? {} : { "content-length": Buffer.byteLength(body) }),
      },
      signal,
    });
    const timer = setTimeout(
      () => asked.destroy(new Error(`there was no answer within ${timeout / 1_000} s`)),
      timeout,
    );
    asked.on("response", (response) => {
      clearTimeout(timer);
      resolve(response);
    });
    asked.on("error", (error) => {
      clearTimeout(timer);
      reject(error);
    });
    asked.end(body);
  });
}

/** What a server says at most when it refuses, in bytes: it only adds to a message. */
const REASON_LENGTH = 200;

/** What an answer that is none of those that were hoped for ends a bench with. */
export async function refused(
  what: string,
  target: Target,
  response: IncomingMessage,
): Promise<Failure> {
  const { statusCode = 0, statusMessage = "" } = response;
  const status = `${statusCode} ${statusMessage}`.trim();
  const remedies: Readonly<Record<number, string>> = {
    200: "it is no event stream, name the URL of a topic",
    401: "send a token by --token or SSE_TOKEN",
    403: "send a token that may do this by --token or SSE_TOKEN",
    404: "name the URL of a topic, such as http://127.0.0.1:8080/topics/bench",
    405: "name the URL of a topic of sse serve, or only read by --no-publish",
    429: "ask for less by --connections and --rate",
    503: "ask for less by --connections and --rate, or raise the server's bounds",
  };
  const remedy = remedies[statusCode] ?? "look at what the server says";
  const said = (await startOf(response)).split("\n", 1)[0].trim();
  const quote = said === "" ? "" : ` (${visible(said)})`;
  return new Failure(
    `Cannot ${what} ${target.url.href}: the server answered ${status}${quote}: ${remedy}`,
    {
      exitCode: EXIT.refused,
    },
  );
}

async function startOf(response: IncomingMessage): Promise<string> {
  if (/event-stream/.test(response.headers["content-type"] ?? "")) {
    response.destroy();
    return "";
  }
  let text = "";
  try {
    response.setEncoding("utf8");
    for await (const chunk of response) {
      text += chunk;
      if (text.length >= REASON_LENGTH) break;
    }
  } catch {
    // The refusal is what counts.
  }
  return text.slice(0, REASON_LENGTH);
}

/** What a network that fails ends a bench with: what to do where there is something to do. */
export function unreachable(what: string, target: Target, error: unknown): Failure {
  const code = codeOf(error);
  const remedies: Readonly<Record<string, string>> = {
    ECONNREFUSED: "nobody listens there, start the server first: sse serve",
    ENOTFOUND: "there is no such host",
    EADDRNOTAVAIL:
      "this machine has no port left for more connections to one address, ask for fewer by --connections",
    EMFILE: TOO_MANY_FILES,
    ENFILE: TOO_MANY_FILES,
  };
  const message = error instanceof Error ? error.message || code : String(error);
  return new Failure(`Cannot ${what} ${target.url.href}: ${remedies[code ?? ""] ?? message}`, {
    cause: error,
  });
}

const TOO_MANY_FILES =
  "this process may open no more files: raise the bound in this shell, for example by ulimit -n 65536, or ask for fewer by --connections";

/** Whether no further connection can be opened, whatever is tried. */
export function isExhausted(error: unknown): boolean {
  return ["EADDRNOTAVAIL", "EMFILE", "ENFILE"].includes(codeOf(error) ?? "");
}

function codeOf(error: unknown): string | undefined {
  // Node tries each address of a name, and tells of all in one.
  const [first] = error instanceof AggregateError ? error.errors : [error];
  if (!(first instanceof Error)) return undefined;
  if ("code" in first && typeof first.code === "string") return first.code;
  // Deno gives some of these no code.
  return /os error 24\b/.test(first.message) ? "EMFILE" : undefined;
}
