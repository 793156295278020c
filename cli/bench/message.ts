/**
 * The data of a bench's events: which run it is of, its number, and when it was due.
 *
 * @module
 */

/** Writes and reads the data of one run. */
export class Messages {
  readonly #prefix: string;
  readonly #size: number;

  /**
   * @param run What no other run on the same topic has.
   * @param size How long the data is, in bytes; less than the numbers take is as much as they take.
   */
  constructor(run: string, size: number) {
    this.#prefix = `sse-bench ${run} `;
    this.#size = size;
  }

  /** The data of an event. */
  write(number: number, due: number): string {
    const data = `${this.#prefix}${number} ${due.toFixed(3)} `;
    return data.padEnd(this.#size, "x");
  }

  /** What was written; `undefined` for an event of somebody else. */
  read(data: string): { number: number; due: number } | undefined {
    const prefix = this.#prefix;
    if (!data.startsWith(prefix)) return undefined;
    const middle = data.indexOf(" ", prefix.length);
    const end = data.indexOf(" ", middle + 1);
    if (middle < 0 || end < 0) return undefined;
    return {
      number: Number(data.slice(prefix.length, middle)),
      due: Number(data.slice(middle + 1, end)),
    };
  }
}
