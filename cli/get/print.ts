/**
 * Events as text, each in the way that was asked for.
 *
 * @module
 */

import type { ServerSentEvent } from "../../parse.ts";
import type { Format } from "./options.ts";
import type { Output } from "../output.ts";
import { visible, visibleJson } from "../visible.ts";

/** Makes text of an event, with its last line end. */
export type Print = (event: ServerSentEvent) => string;

/** Writes, and waits until it is taken. */
export type Write = (chunk: string | Uint8Array) => Promise<void>;

/** Prints what is chosen of a stream, and counts. */
export class Printing {
  /** The id of the last event that was asked for, once it is printed: nothing after it is taken. */
  lastId: string | undefined = undefined;
  /** How many were printed. */
  printed = 0;
  /** How many are to be printed. */
  readonly count: number;
  readonly #chosen: (event: ServerSentEvent) => boolean;
  readonly #print: Print;
  readonly #write: Write;

  /** Prints so many of the chosen events. */
  constructor(
    chosen: (event: ServerSentEvent) => boolean,
    print: Print,
    count: number,
    write: Write,
  ) {
    this.#chosen = chosen;
    this.#print = print;
    this.count = count;
    this.#write = write;
  }

  /** Whether the count was not reached. */
  get isShort(): boolean {
    return this.count < Infinity && this.printed < this.count;
  }

  /** Prints until the events end, or there were enough. Events that come together leave together. */
  async run(batches: AsyncIterable<readonly ServerSentEvent[]>): Promise<void> {
    for await (const batch of batches) {
      const { text, printed, lastId } = this.#textOf(batch);
      if (text !== "") await this.#write(text);
      this.printed += printed;
      this.lastId = lastId;
      if (lastId !== undefined) return;
    }
  }

  /** `3 events`. */
  toString(): string {
    return `${this.printed} ${this.printed === 1 ? "event" : "events"} printed`;
  }

  #textOf(batch: readonly ServerSentEvent[]): { text: string; printed: number; lastId?: string } {
    let text = "";
    let printed = 0;
    for (const event of batch) {
      if (!this.#chosen(event)) continue;
      text += this.#print(event);
      if (this.printed + ++printed === this.count) return { text, printed, lastId: event.id };
    }
    return { text, printed };
  }
}

/** Writes bytes as they are, unless a terminal would obey them. */
export function rawWriter(
  { isTerminal }: Output,
  write: Write,
): (bytes: Uint8Array) => Promise<void> {
  if (!isTerminal) return write;
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  // A CR ends a line here, which no terminal knows.
  return (bytes) => {
    const text = decoder.decode(bytes, { stream: true });
    return write(visible(text.replace(/\r(?!\n)/g, "\r\n")));
  };
}

/** How events are printed on `output`. What prints bytes prints no events. */
export function printerOf(format: Format, output: Output): Print {
  switch (format) {
    case "json":
      return (event) => `${visibleJson(event)}\n`;
    case "data":
      // As it is, unless a terminal would obey it.
      return output.isTerminal ? ({ data }) => `${visible(data)}\n` : ({ data }) => `${data}\n`;
    case "raw":
      return () => "";
    case "people":
      return (event) => line(event, new Date(), output);
  }
}

/** Time, type, id and data on a line; data of more than one line stands below, set in. */
function line({ event, data, id, retry }: ServerSentEvent, now: Date, output: Output): string {
  const words = [output.style("dim", clock(now))];
  if (event !== "message") words.push(output.style(["bold", "cyan"], visible(event)));
  if (id !== "") words.push(output.style("yellow", `#${visible(id)}`));
  if (retry !== undefined) words.push(output.style("dim", `retry=${retry}`));
  const text = visible(data);
  if (!text.includes("\n")) return `${[...words, ...(text === "" ? [] : [text])].join(" ")}\n`;
  return `${words.join(" ")}\n${text.replace(/^/gm, "    ")}\n`;
}

/** `09:41:00.123`, in local time. */
function clock(now: Date): string {
  const digits = (value: number, length = 2) => String(value).padStart(length, "0");
  const time = [now.getHours(), now.getMinutes(), now.getSeconds()].map((value) => digits(value));
  return `${time.join(":")}.${digits(now.getMilliseconds(), 3)}`;
}
