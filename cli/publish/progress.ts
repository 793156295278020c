/**
 * How far `sse publish` is: a line that is written over on a terminal, and one in a while elsewhere.
 *
 * @module
 */

import type { Output } from "../output.ts";
import type { Retry } from "./request.ts";

/** How often it is told, in ms: on a terminal, and elsewhere. */
const [OFTEN, SELDOM] = [200, 10_000];

/** What {@linkcode PublishProgress} can be told. */
export interface PublishProgressOptions {
  /** Whether it says nothing. */
  quiet: boolean;
}

/** Counts, and tells a person. */
export class PublishProgress {
  readonly #stderr: Output;
  readonly #quiet: boolean;
  readonly #begin = performance.now();
  #published = 0;
  #retries = 0;
  #waiting: Retry | undefined = undefined;
  #timer: ReturnType<typeof setInterval> | undefined = undefined;
  #toldOfRetry = -Infinity;

  constructor(stderr: Output, { quiet }: PublishProgressOptions) {
    this.#stderr = stderr;
    this.#quiet = quiet;
  }

  /** Says something that is to stay. */
  note(text: string): void {
    if (!this.#quiet) this.#stderr.line(text);
  }

  /** Tells from now on. */
  start(): void {
    if (this.#quiet) return;
    const { isTerminal } = this.#stderr;
    this.#timer = setInterval(() => this.#tell(), isTerminal ? OFTEN : SELDOM);
  }

  /** One more is published. */
  published(): void {
    this.#published++;
    this.#waiting = undefined;
  }

  /** One is tried again. */
  retry(retry: Retry): void {
    this.#retries++;
    this.#waiting = retry;
    if (this.#quiet || this.#stderr.isTerminal) return;
    const now = performance.now();
    if (now - this.#toldOfRetry < SELDOM) return;
    this.#toldOfRetry = now;
    this.#stderr.line(describe(retry));
  }

  /**
   * Tells no more, but for the sum.
   *
   * @param key What the rest can be published with, if there may be one.
   */
  async end(key: string | undefined): Promise<void> {
    clearInterval(this.#timer);
    if (this.#quiet) return;
    const hint = key === undefined || this.#published === 0
      ? ""
      : `. The same input again with --key ${key} publishes only what is missing`;
    await this.#stderr.line(`${this.#over()}Published ${this.#sum()}${hint}`);
  }

  #tell(): void {
    const waiting = this.#waiting === undefined ? "" : `; ${describe(this.#waiting)}`;
    const text = `${this.#sum()}${waiting}`;
    if (!this.#stderr.isTerminal) this.#stderr.line(text);
    else this.#stderr.write(`${this.#over()}${text.slice(0, this.#stderr.columns - 1)}`);
  }

  /** Goes back to the start of the line, and clears it. */
  #over(): string {
    return this.#stderr.isTerminal ? "\r\x1b[K" : "";
  }

  #sum(): string {
    const seconds = (performance.now() - this.#begin) / 1_000;
    const rate = seconds > 0 ? this.#published / seconds : 0;
    const parts = [
      this.#published === 1 ? "1 event" : `${show(this.#published)} events`,
      `${seconds.toFixed(1)} s`,
      `${show(rate)}/s`,
    ];
    if (this.#retries > 0) {
      parts.push(this.#retries === 1 ? "1 retry" : `${show(this.#retries)} retries`);
    }
    return parts.join(", ");
  }
}

function describe({ line, reason, attempt, attempts, delay }: Retry): string {
  const next = (delay / 1_000).toFixed(1);
  return `line ${line}: ${reason}; again in ${next} s (attempt ${attempt + 1} of ${attempts})`;
}

function show(number: number): string {
  return number.toLocaleString("en", { maximumFractionDigits: number < 10 ? 1 : 0 });
}
