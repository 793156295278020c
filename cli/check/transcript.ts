/**
 * All that is kept of a body that was read: its events, its lines as far as they are odd, and when
 * what of it came.
 *
 * @module
 */

import { EventTooLargeError, ParseError } from "../../errors.ts";
import { type ServerSentEvent, ServerSentEventParser } from "../../parse.ts";

/** How much of a body is read, in bytes: past it there is nothing more to learn. */
const MAX_BYTES = 8_388_608;
/** How many events are kept. */
const MAX_EVENTS = 2_000;
/** How large an event may get, in UTF-16 code units. */
const MAX_EVENT_SIZE = 4_194_304;
/** How many of each other kind are kept; of all of them there is the number. */
const MAX_KEPT = 100;
/** How much of an odd line is kept, in UTF-16 code units. */
const MAX_LINE = 200;

/** What comes with less than this between, in ms, has come at once. */
const BURST_GAP = 50;

/** The types of events that stand for comments. */
const BEAT = /^(?:ping|heartbeat|keep-?alive)$/i;

const LF = 10;
const CR = 13;

/** Bytes that came at once. */
export interface Burst {
  /** When the first of them came, in ms after the request. */
  readonly at: number;
  /** When the last of them came. */
  until: number;
  /** How many. */
  bytes: number;
  /** How many events ended in them, without those of {@linkcode Burst.beats}. */
  events: number;
  /** What only shows that the connection lives: comments, and the types of events that are as much. */
  readonly beats: string[];
  /** Whether they ended inside an event. */
  cut: boolean;
}

/** An event, and how it came. */
export interface HeardEvent extends ServerSentEvent {
  /** When, in ms after the request. */
  readonly at: number;
  /** The number of the line at which its block ended. */
  readonly line: number;
  /** Whether its block named an id, if only the same again. */
  readonly named: boolean;
}

/** A line that stands out. */
export interface Line {
  /** Its number, from 1 up. */
  readonly line: number;
  /** Its text, or the start of it. */
  readonly text: string;
}

/** Things of a kind: the first of them, and how many there were. */
export interface Kept<T> {
  /** The first of them. */
  readonly first: T[];
  /** How many there were. */
  count: number;
}

/** Reads a body and keeps what there is to judge. What it holds is bounded, whatever comes. */
export class Transcript {
  /** What came at once, in the order of time. */
  readonly bursts: Burst[] = [];
  /** The events. */
  readonly events: HeardEvent[] = [];
  /** How many bytes came. */
  bytes = 0;
  /** How many comments came. */
  comments = 0;
  /** The lines that the standard ignores. */
  readonly ignored: Kept<Line> = kept();
  /** The `event` lines of blocks without data, which are never dispatched. */
  readonly dataless: Kept<Line> = kept();
  /** The reconnection times. */
  readonly retries: Kept<number> = kept();
  /** The lines at which an empty `id` reset the last event ID. */
  readonly resets: Kept<number> = kept();
  /** How many lines ended how. */
  readonly lineEnds = { lf: 0, crlf: 0, cr: 0 };
  /** Whether the body starts with a BOM. */
  bom = false;
  /** The lines that are no UTF-8. */
  readonly invalid: Kept<number> = kept();
  /** The lines with a U+FFFD that was sent as such. */
  readonly replaced: Kept<number> = kept();
  /** An event was too large to be held. */
  tooLarge = false;

  readonly #parser: ServerSentEventParser;
  readonly #strict = new ServerSentEventParser({ strict: true, maxEventSize: MAX_EVENT_SIZE });
  #decoder = utf8Decoder();
  #line = 1;
  /** How many bytes the current line has, and the first of them. */
  #lineLength = 0;
  #head = "";
  #afterCr = false;
  /** The `event` line of the current block. */
  #typed: Line | undefined = undefined;
  #named = false;
  #broken = false;

  /** Starts a body. */
  constructor() {
    this.#parser = new ServerSentEventParser({
      maxEventSize: MAX_EVENT_SIZE,
      onComment: (text) => this.#comment(text),
      onRetry: (ms) => keep(this.retries, ms),
      onId: (id) => {
        this.#named = true;
        if (id === "") keep(this.resets, this.#line);
      },
    });
  }

  /** Whether there is no more room: from then on only the times of what comes are kept. */
  get full(): boolean {
    return this.tooLarge || this.bytes >= MAX_BYTES || this.events.length >= MAX_EVENTS;
  }

  /** Whether an event has begun and not ended, as far as that is looked at. */
  get incomplete(): boolean {
    return !this.full && this.#parser.incomplete;
  }

  /** Takes the next bytes, which came `at` so many ms after the request. */
  feed(chunk: Uint8Array, at: number): void {
    if (chunk.length === 0) return;
    const burst = this.#burst(at);
    burst.bytes += chunk.length;
    if (!this.full) this.#read(chunk, burst);
    this.bytes += chunk.length;
    burst.cut = this.incomplete;
  }

  #read(chunk: Uint8Array, burst: Burst): void {
    let start = 0;
    for (let i = 0; i < chunk.length; i++) {
      if (chunk[i] !== LF && chunk[i] !== CR && i < chunk.length - 1) continue;
      this.#piece(chunk.subarray(start, i + 1), burst);
      if (this.full) return;
      start = i + 1;
    }
  }

  #burst(at: number): Burst {
    const last = this.bursts.at(-1);
    if (last !== undefined && at - last.until < BURST_GAP) {
      last.until = at;
      return last;
    }
    const burst: Burst = { at, until: at, bytes: 0, events: 0, beats: [], cut: false };
    this.bursts.push(burst);
    return burst;
  }

  /**
   * One line or a part of one, with its line end if it has one. The parsers see one line at a time, so
   * that it is known which of them completed what.
   */
  #piece(bytes: Uint8Array, burst: Burst): void {
    const last = bytes[bytes.length - 1];
    const ended = last === LF || last === CR;
    this.#head += this.#decode(bytes).slice(0, MAX_LINE - this.#head.length);
    this.#lineLength += ended ? bytes.length - 1 : bytes.length;
    const rest = ended && last === LF && this.#afterCr && this.#lineLength === 0;
    this.#afterCr = last === CR;
    this.#named = false;
    let events: ServerSentEvent[] = [];
    try {
      events = this.#parser.feed(bytes);
    } catch (error) {
      if (!(error instanceof EventTooLargeError)) throw error;
      this.tooLarge = true;
      return;
    }
    this.#strictly(bytes);
    for (const event of events) {
      if (BEAT.test(event.event)) beat(burst, event.event);
      else burst.events++;
      this.events.push({ ...event, at: burst.until, line: this.#line, named: this.#named });
    }
    if (ended) this.#endLine(last, rest, events.length > 0);
  }

  #endLine(last: number, rest: boolean, dispatched: boolean): void {
    if (rest) {
      // The LF of a CRLF, of which the CR was counted.
      this.lineEnds.cr--;
      this.lineEnds.crlf++;
      return;
    }
    if (last === CR) this.lineEnds.cr++;
    else this.lineEnds.lf++;
    if (this.#lineLength === 0) {
      if (this.#typed !== undefined && !dispatched) keep(this.dataless, this.#typed);
      this.#typed = undefined;
    } else if (/^event(?::|$)/m.test(this.#head)) {
      this.#typed = { line: this.#line, text: this.#head.trimEnd() };
    }
    if (this.#broken) keep(this.invalid, this.#line);
    this.#broken = false;
    this.#line++;
    this.#lineLength = 0;
    this.#head = "";
  }

  /** The bytes as text, if they are any; and what was lost before they were sent. */
  #decode(bytes: Uint8Array): string {
    try {
      const text = this.#decoder.decode(bytes, { stream: true });
      if (text.includes("\ufffd")) keep(this.replaced, this.#line);
      // Not before it is whole: it may come in parts.
      if (this.#line === 1 && this.#head === "" && text.startsWith("\ufeff")) this.bom = true;
      return text;
    } catch {
      this.#broken = true;
      this.#decoder = utf8Decoder();
      return "";
    }
  }

  /** The strict parser refuses one line at a time; it goes on behind it. */
  #strictly(bytes: Uint8Array): void {
    try {
      this.#strict.feed(bytes);
    } catch (error) {
      if (error instanceof EventTooLargeError) this.tooLarge = true;
      else if (!(error instanceof ParseError)) throw error;
      else keep(this.ignored, { line: this.#line, text: error.line.slice(0, MAX_LINE) });
      this.#strict.reset();
    }
  }

  #comment(text: string): void {
    this.comments++;
    const burst = this.bursts.at(-1);
    if (burst !== undefined) beat(burst, text.slice(0, MAX_LINE));
  }
}

function beat({ beats }: Burst, text: string): void {
  if (beats.length < MAX_KEPT) beats.push(text);
}

function kept<T>(): Kept<T> {
  return { first: [], count: 0 };
}

function keep<T>(all: Kept<T>, one: T): void {
  all.count++;
  if (all.first.length < MAX_KEPT) all.first.push(one);
}

function utf8Decoder(): TextDecoder {
  return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
}
