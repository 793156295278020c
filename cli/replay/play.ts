/**
 * What one reader gets of a recording: its bytes, each at its time.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { BlockEnds } from "../get/raw.ts";
import type { Clock } from "../publish/pace.ts";
import type { End } from "../recording.ts";
import type { Recording } from "../recording/read.ts";
import type { Start } from "./start.ts";

/** How a recording is played. */
export interface PlayOptions {
  /** How many times as fast as it was recorded; `Infinity` for as fast as it is read. */
  readonly speed: number;
  /** How many ms to wait between the blocks of a recording that has no times. */
  readonly interval: number;
  /** Whether it begins anew at its end. */
  readonly loop: boolean;
  /** Whether the responses that were recorded follow each other in one. */
  readonly join: boolean;
  /** The time. */
  readonly clock: Clock;
  /** Ends it. */
  readonly signal: AbortSignal;
  /** Told of the end of a recording that breaks off, as one does whose recorder was killed. */
  onCut?(): void;
}

/** How it ended. */
export interface Ending {
  /** Whether the connection was lost here when it was recorded. */
  readonly lost: boolean;
  /** Whether it is the end of the recording, and not of one response of several. */
  readonly last: boolean;
}

/**
 * Plays a recording. Nothing is read before it is asked for, so that a slow reader slows its own
 * playing; it catches up by then with what should have come.
 */
export async function* play(
  recording: Recording,
  start: Pick<Start, "part" | "skip">,
  options: PlayOptions,
): AsyncGenerator<Uint8Array, Ending> {
  const { loop, join, signal } = options;
  const seam = loop || join ? new Seam() : undefined;
  let from = start;
  for (;;) {
    const round = new Round(from, options);
    for await (const entry of recording.entries(options.onCut)) {
      if ("open" in entry) {
        if (round.ended !== undefined && !join) {
          return { lost: round.ended === "lost", last: false };
        }
        round.open(entry.t);
        seam?.cut();
        continue;
      }
      if (!round.playing) continue;
      if ("end" in entry) {
        await round.wait(entry.t);
        if (signal.aborted) return { lost: false, last: false };
        round.ended = entry.end;
        continue;
      }
      for (const { bytes, t } of round.cut(entry.bytes, entry.t, recording.raw)) {
        await round.wait(t);
        if (signal.aborted) return { lost: false, last: false };
        const whole = seam === undefined ? bytes : seam.join(bytes);
        if (whole.length > 0) yield whole;
      }
    }
    // One that is empty would begin anew for ever, and nobody else would have a turn.
    const empty = from.part === 0 && from.skip === 0 && round.bytes === 0;
    if (!loop || empty) {
      const rest = seam?.rest() ?? new Uint8Array(0);
      if (rest.length > 0) yield rest;
      return { lost: round.ended === "lost", last: true };
    }
    from = { part: 0, skip: 0 };
  }
}

const CR = 0x0d;
const LF = 0x0a;

/** One time through the recording. */
class Round {
  /** How the response that was played last has ended; `undefined` while it goes on. */
  ended: End | undefined = undefined;
  /** How many bytes were played. */
  bytes = 0;
  readonly #options: PlayOptions;
  readonly #from: number;
  #skip: number;
  #part = -1;
  #ends = new BlockEnds();
  #blocks = 0;
  /** A time of the recording and the same of the clock. */
  #anchor: { recorded: number; now: number } | undefined = undefined;

  constructor({ part, skip }: Pick<Start, "part" | "skip">, options: PlayOptions) {
    this.#from = part;
    this.#skip = skip;
    this.#options = options;
  }

  get playing(): boolean {
    return this.#part >= this.#from;
  }

  open(t: number): void {
    this.#part++;
    this.#ends = new BlockEnds();
    if (!this.playing) return;
    this.ended = undefined;
    // Who begins in the middle does not wait for what went before.
    if (this.#skip === 0) this.#anchor ??= { recorded: t, now: this.#options.clock.now() };
  }

  /** What is to be played of a chunk, and when. */
  *cut(chunk: Uint8Array, t: number, raw: boolean): Generator<{ bytes: Uint8Array; t: number }> {
    const { interval } = this.#options;
    const paced = raw && interval > 0;
    const ends = paced ? this.#ends.find(chunk) : [];
    let start = Math.min(this.#skip, chunk.length);
    this.#skip -= start;
    for (const end of [...ends.filter((end) => end < chunk.length), chunk.length]) {
      if (end <= start) continue;
      const bytes = chunk.subarray(start, end);
      this.bytes += bytes.length;
      yield { bytes, t: paced ? this.#blocks * interval : t };
      start = end;
      // The blank line behind a comment is no block of its own.
      if (ends.includes(end) && bytes.some((byte) => byte !== CR && byte !== LF)) this.#blocks++;
    }
  }

  /** Waits until this time of the recording. */
  async wait(t: number): Promise<void> {
    const { clock, speed, signal } = this.#options;
    const now = clock.now();
    this.#anchor ??= { recorded: t, now };
    const due = this.#anchor.now + (t - this.#anchor.recorded) / speed;
    if (due > now) await clock.sleep(due - now, signal);
  }
}

/** An event that is longer is not waited for, so that memory has a bound. */
const MAX_HELD = 16_777_216;

/**
 * Puts one response behind another: the half of an event at the end of one would be taken for the
 * beginning of the next, and so would the BOM of that one.
 */
class Seam {
  #held: Uint8Array[] = [];
  #length = 0;
  #ends = new BlockEnds();
  #again = false;
  #fresh = true;

  /** What can be sent now that this has come. */
  join(chunk: Uint8Array): Uint8Array {
    const end = this.#ends.find(chunk).at(-1) ?? 0;
    if (end === 0) {
      this.#hold(chunk);
      return this.#length > MAX_HELD ? this.rest() : new Uint8Array(0);
    }
    this.#hold(chunk.subarray(0, end));
    const whole = this.rest();
    this.#hold(chunk.subarray(end));
    return whole;
  }

  /** All that is held. */
  rest(): Uint8Array {
    const bytes = Buffer.concat(this.#held);
    this.#held = [];
    this.#length = 0;
    const bom = this.#fresh && this.#again && bytes.indexOf("\ufeff") === 0;
    if (bytes.length > 0) this.#fresh = false;
    return bom ? bytes.subarray(3) : bytes;
  }

  /** What comes next is of another response. */
  cut(): void {
    this.#held = [];
    this.#length = 0;
    this.#ends = new BlockEnds();
    this.#again ||= !this.#fresh;
    this.#fresh = true;
  }

  #hold(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.#held.push(bytes);
    this.#length += bytes.length;
  }
}
