/**
 * Posts an event until the server has it, or says that it never will.
 *
 * @module
 */

import { completePolicy, parseRetryAfter, retryDelay } from "../../client/retry.ts";
import { startTimer } from "../../client/timers.ts";
import { sleep } from "../../log/patience.ts";
import { EXIT, Failure, withCauses } from "../failure.ts";
import { PASSING } from "../passing.ts";
import { visible } from "../visible.ts";

/** An attempt that failed, and what follows. */
export interface Retry {
  /** The number of the line. */
  readonly line: number;
  /** What it failed of, in a phrase. */
  readonly reason: string;
  /** Which attempt it was, from 1 up. */
  readonly attempt: number;
  /** How many there may be. */
  readonly attempts: number;
  /** How long it waits for the next one, in ms. */
  readonly delay: number;
}

/** What a {@linkcode Publisher} is told. */
export interface PublisherOptions {
  /** Where to post. */
  url: URL;
  /** Headers of each request. */
  headers: Headers;
  /** What the idempotency keys begin with. */
  key: string;
  /** How often an event is tried, from 1 up. */
  attempts: number;
  /** How long an attempt may take, in ms. */
  timeout: number;
  /** No attempt is made once it is aborted, and the one that is under way gets a little time. */
  signal: AbortSignal;
  /** Told of each attempt that will be followed by another. */
  onRetry(retry: Retry): void;
}

/** What came of one attempt. */
type Outcome =
  | { readonly kind: "published"; readonly id: string | undefined }
  | { readonly kind: "refused"; readonly reason: string }
  | { readonly kind: "busy"; readonly reason: string; readonly retryAfter: number | undefined }
  | { readonly kind: "lost"; readonly reason: string };

const POLICY = completePolicy({ initialDelay: 250, maxDelay: 10_000, jitter: 0.5 });

/** How long what is under way may still take after an interrupt, in ms. */
const GRACE = 5_000;

/** How much of an answer is read, in bytes. */
const MAX_ANSWER = 4_096;

/** How much of it is shown, in characters. */
const MAX_SHOWN = 300;

/** Publishes to one URL. */
export class Publisher {
  readonly #options: PublisherOptions;

  constructor(options: PublisherOptions) {
    this.#options = options;
  }

  /**
   * Publishes an event.
   *
   * @param line The number of its line: what its idempotency key ends with.
   * @param body The event, as JSON.
   * @returns The id that the server gave it, if it told.
   * @throws {Failure} If the server refuses, or did not take it by the last attempt. The reason of the
   * signal if that was aborted while it waited.
   */
  async publish(line: number, body: string): Promise<string | undefined> {
    const { attempts, signal, onRetry } = this.#options;
    for (let attempt = 1;; attempt++) {
      const outcome = await this.#attempt(line, body);
      if (outcome.kind === "published") return outcome.id;
      const { reason } = outcome;
      if (outcome.kind === "refused") {
        throw new Failure(`Cannot publish line ${line}: ${reason}`, { exitCode: EXIT.refused });
      }
      if (attempt >= attempts) {
        throw new Failure(
          `Cannot publish line ${line}: ${reason}; tried ${
            attempt === 1 ? "once" : `${attempt} times`
          }, --attempts tries longer`,
          { exitCode: outcome.kind === "busy" ? EXIT.refused : EXIT.failed },
        );
      }
      const retryAfter = outcome.kind === "busy" ? outcome.retryAfter : undefined;
      const delay = retryDelay(POLICY, { attempt, retry: undefined, retryAfter }, Math.random);
      onRetry({ line, reason, attempt, attempts, delay });
      await sleep(delay, signal);
      signal.throwIfAborted();
    }
  }

  async #attempt(line: number, body: string): Promise<Outcome> {
    const { url, key, timeout, signal } = this.#options;
    const headers = new Headers(this.#options.headers);
    headers.set("content-type", "application/json");
    headers.set("idempotency-key", `${key}-${line}`);
    const ending = new AbortController();
    const late = `the server gave no answer within ${timeout / 1_000} s`;
    const clearTimer = startTimer(() => ending.abort(new Error(late)), timeout);
    let clearGrace = () => {};
    const hurry = () => {
      clearGrace = startTimer(() => ending.abort(new Error("interrupted")), GRACE);
    };
    signal.addEventListener("abort", hurry, { once: true });
    try {
      const response = await fetch(url, {
        method: "POST",
        headers,
        body,
        // To follow a 301 or 302 would ask with GET, and whoever answers that has published nothing.
        redirect: "manual",
        signal: ending.signal,
      });
      return await this.#outcomeOf(response);
    } catch (error) {
      const cause = ending.signal.aborted ? ending.signal.reason : error;
      return { kind: "lost", reason: reasonOf(cause) };
    } finally {
      clearTimer();
      clearGrace();
      signal.removeEventListener("abort", hurry);
    }
  }

  async #outcomeOf(response: Response): Promise<Outcome> {
    const { status, headers, ok } = response;
    if (ok) return { kind: "published", id: idIn(await readStart(response)) };
    if (status >= 300 && status < 400) {
      const location = headers.get("location");
      const target = location !== null && URL.canParse(location, this.#options.url.href)
        ? new URL(location, this.#options.url).href
        : "another URL";
      await response.body?.cancel();
      return { kind: "refused", reason: `the server sends to ${target}: publish there` };
    }
    const said = sentenceOf(await readStart(response));
    const reason = `the server answered ${status}${said === "" ? "" : `: ${said}`}`;
    if (!PASSING.includes(status)) return { kind: "refused", reason };
    const retryAfter = parseRetryAfter(headers.get("retry-after"), Date.now());
    return { kind: "busy", reason, retryAfter };
  }
}

/** The start of a body, which is read to its end if that is near, so that the connection stays. */
async function readStart({ body }: Response): Promise<string> {
  if (body === null) return "";
  const decoder = new TextDecoder();
  const reader = body.getReader();
  let text = "";
  let left = MAX_ANSWER;
  while (left > 0) {
    const { done, value } = await reader.read();
    if (done) return text;
    text += decoder.decode(value.subarray(0, left), { stream: true });
    left -= value.length;
  }
  await reader.cancel();
  return text;
}

function idIn(text: string): string | undefined {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== "object" || value === null || !("id" in value)) return undefined;
    return typeof value.id === "string" ? oneLine(value.id) : undefined;
  } catch {
    return undefined;
  }
}

/** What a server says, in one line: it may be a page, and must not reach the terminal as it is. */
function sentenceOf(text: string): string {
  const line = oneLine(text);
  return line.length > MAX_SHOWN ? `${line.slice(0, MAX_SHOWN)}…` : line;
}

function oneLine(text: string): string {
  return visible(text.replace(/\s+/g, " ").trim());
}

function reasonOf(cause: unknown): string {
  return cause instanceof Error ? withCauses(cause) : String(cause);
}
