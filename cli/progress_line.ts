/**
 * How far a command is: a line that is written over on a terminal, and one in a while elsewhere.
 *
 * @module
 */

import type { Output } from "./output.ts";

/** How often it is told, in ms: on a terminal, and elsewhere. */
const [OFTEN, SELDOM] = [200, 10_000];

/** Tells a person. */
export class ProgressLine {
  readonly #stderr: Output;
  readonly #text: () => string;
  #timer: ReturnType<typeof setInterval> | undefined = undefined;
  #shown = false;

  /**
   * @param text Asked each time for what there is to say.
   * @param quiet Whether nothing is said.
   */
  constructor(stderr: Output, text: () => string, quiet: boolean) {
    this.#stderr = stderr;
    this.#text = text;
    if (!quiet) this.#timer = setInterval(() => this.#tell(), stderr.isTerminal ? OFTEN : SELDOM);
  }

  /** Makes way for a line that is to stay. */
  clear(): void {
    if (!this.#shown) return;
    this.#shown = false;
    this.#stderr.write("\r\x1b[K");
  }

  /** Tells no more. */
  stop(): void {
    clearInterval(this.#timer);
    this.clear();
  }

  #tell(): void {
    const { isTerminal, columns } = this.#stderr;
    // Not waited for: nothing is lost if a line comes late.
    if (!isTerminal) this.#stderr.line(this.#text());
    else this.#stderr.write(`\r\x1b[K${this.#text().slice(0, columns - 1)}`);
    this.#shown = isTerminal;
  }
}

/** A size for people: `812 B`, `1.4 kB`, `20 MB`. */
export function showBytes(bytes: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let unit = 0;
  let size = bytes;
  while (size >= 999.5 && unit < units.length - 1) {
    size /= 1_000;
    unit++;
  }
  return `${unit === 0 ? size : Number(size.toPrecision(3))} ${units[unit]}`;
}

/** A time for people: `12.3 s`, `4 min 5 s`, `1 h 2 min`. */
export function showTime(ms: number): string {
  if (ms < 60_000) return `${(ms / 1_000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1_000);
  if (seconds < 3_600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  return `${Math.floor(seconds / 3_600)} h ${Math.floor(seconds % 3_600 / 60)} min`;
}

/** A number of things: `1 event`, `1,234 events`. */
export function showCount(count: number, one: string, many: string = `${one}s`): string {
  return `${count.toLocaleString("en-US")} ${count === 1 ? one : many}`;
}
