/**
 * Where in a recording a reader begins: at its start, or behind the event that it has had last.
 *
 * @module
 */

import { ServerSentEventParser } from "../../parse.ts";
import { BlockEnds } from "../get/raw.ts";
import type { Opening } from "../recording.ts";
import type { Recording } from "../recording/read.ts";

/** A place in a recording. */
export interface Start {
  /** Which of the recorded responses, from 0 up. */
  readonly part: number;
  /** How many bytes of it come before. */
  readonly skip: number;
  /** What that response began with. */
  readonly opening: Opening;
  /**
   * How it was found: a reader with no id begins at the `"beginning"`, one with an id `"after"` that
   * event; it is `"done"` if nothing follows, and one with an `"unknown"` id begins at the beginning.
   */
  readonly how: "beginning" | "after" | "done" | "unknown";
}

/**
 * Looks where a reader begins.
 *
 * A response that was asked for with the same id counts first: it is what the server has answered.
 * Otherwise it goes on behind the first event with that id.
 *
 * @param lastEventId What the reader has had last, `""` for nothing.
 * @returns `undefined` if the recording holds no response.
 */
export async function findStart(
  recording: Recording,
  lastEventId: string,
): Promise<Start | undefined> {
  const scan = new Scan(lastEventId);
  for await (const entry of recording.entries()) {
    if ("open" in entry) {
      if (scan.open(entry.open)) break;
    } else if ("bytes" in entry) scan.read(entry.bytes);
  }
  return scan.result;
}

class Scan {
  readonly #id: string;
  #first: Opening | undefined = undefined;
  #opening: Opening | undefined = undefined;
  #part = -1;
  #offset = 0;
  #ends = new BlockEnds();
  #parser: ServerSentEventParser | undefined = undefined;
  #found: Omit<Start, "how"> | undefined = undefined;
  /** Whether anything whole follows what was found. */
  #more = false;
  #named = false;

  constructor(id: string) {
    this.#id = id;
  }

  get result(): Start | undefined {
    if (this.#first === undefined) return undefined;
    const beginning = { part: 0, skip: 0, opening: this.#first };
    if (this.#id === "") return { ...beginning, how: "beginning" };
    if (this.#found === undefined) return { ...beginning, how: "unknown" };
    return { ...this.#found, how: this.#more ? "after" : "done" };
  }

  /** A response begins. Whether nothing that follows can matter. */
  open(opening: Opening): boolean {
    this.#first ??= opening;
    this.#opening = opening;
    this.#part++;
    this.#offset = 0;
    this.#ends = new BlockEnds();
    this.#parser = new ServerSentEventParser({
      onId: (id) => this.#named ||= id === this.#id,
    });
    if (this.#id === "") return true;
    const asked = opening.lastEventId === this.#id;
    if (this.#found !== undefined && this.#more && !asked) return true;
    // The same id may have been asked for more than once: what came last is what got further.
    if (asked || this.#found !== undefined) {
      this.#found = { part: this.#part, skip: 0, opening };
      this.#more = false;
    }
    return false;
  }

  read(bytes: Uint8Array): void {
    let start = 0;
    for (const end of this.#ends.find(bytes)) {
      if (this.#found !== undefined) {
        // The half of an event that breaks off there is nothing to come back for.
        this.#more = true;
        break;
      }
      this.#parser?.feed(bytes.subarray(start, end));
      start = end;
      if (this.#named && this.#opening !== undefined) {
        this.#found = { part: this.#part, skip: this.#offset + end, opening: this.#opening };
      }
    }
    if (this.#found === undefined) this.#parser?.feed(bytes.subarray(start));
    this.#offset += bytes.length;
  }
}
