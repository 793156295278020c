/**
 * One follower of one topic of an engine that may drop, repeat and reorder what it says live: each
 * event once, in order, and none missing, for what did not come is read from the log.
 *
 * What is read decides: which epoch is of now, and what is gone. What is said live may be late, so
 * it is believed only where it comes right after the last event.
 *
 * @module
 */

import { type LogGap, LogGapError } from "../errors.ts";
import {
  type EventId,
  type FollowOptions,
  formatEventId,
  type LoggedEvent,
  parseEventId,
  type ReadLogOptions,
} from "../server/log.ts";
import { callHook } from "../server/report.ts";
import { sleep } from "./patience.ts";

/** How many live events wait for what is missing before them. What is more is read, too. */
const MAX_WAITING = 256;

/** How long to wait before the log is asked again that had no answer, in ms: at first, at most. */
const [MIN_PAUSE, MAX_PAUSE] = [50, 2_000];

/** How a reading ended: nothing more is there, or a gap was told of, or neither. */
type Ending = "end" | "gap" | "failure";

/** See the module. */
export class Tail {
  readonly #read: (options: ReadLogOptions) => AsyncIterable<LoggedEvent>;
  readonly #options: FollowOptions;
  /** Ends what it reads or waits for. */
  readonly #controller = new AbortController();
  /** The last event that was given; `undefined` until it is known after which to begin. */
  #last: EventId | undefined = undefined;
  /** Where it was when it was checked. */
  #checked: EventId | undefined = undefined;
  /** What came and is not next, by id: what is up to the last event is never in it. */
  readonly #waiting = new Map<string, LoggedEvent>();
  /** There may be more that waits nowhere, and that no reading which has begun must give. */
  #missed = false;
  /** A callback runs: what it makes come is given after it, and not within. */
  #calling = false;
  #filling = false;

  /**
   * @param read Reads the topic. A reading must settle, and not be behind what is offered for long.
   * @param options What to call, until the signal is aborted; `end` is to be called then, too.
   */
  constructor(
    read: (options: ReadLogOptions) => AsyncIterable<LoggedEvent>,
    options: FollowOptions,
  ) {
    this.#read = read;
    this.#options = options;
  }

  /** The id of the last event that was given; `""` before it has started. */
  get last(): string {
    return this.#last === undefined ? "" : formatEventId(this.#last);
  }

  /**
   * Begins after an id, with what has come since. To be called once.
   *
   * @throws {TypeError} If it is no id of a log.
   */
  start(head: string): void {
    const place = parseEventId(head);
    if (place === undefined) {
      throw new TypeError(`Cannot follow topic: its head must be an id: received "${head}"`);
    }
    this.#moveTo(place);
    this.#settle();
  }

  /** Takes an event that the engine has told of. */
  offer(event: LoggedEvent): void {
    const place = parseEventId(event.id);
    if (this.#ended || place === undefined) return;
    if (!this.#take(event, place)) {
      if (this.#waiting.size < MAX_WAITING) this.#waiting.set(event.id, event);
      else this.#missed = true;
    }
    this.#settle();
  }

  /**
   * Compares itself with the head of the topic, for what was dropped when nothing came since.
   *
   * @param sure What is missing was lost, and is not only late: as after an outage.
   */
  check(head: string, sure = false): void {
    const last = this.#last;
    // As long as events come, the next one shows what is missing before it.
    const idle = sure || this.#checked === last;
    this.#checked = last;
    const place = parseEventId(head);
    if (last === undefined || place === undefined || !idle || isUpTo(place, last)) return;
    this.#missed = true;
    this.#settle();
  }

  /** Calls nothing any more. */
  end(): void {
    this.#controller.abort();
    this.#waiting.clear();
  }

  get #ended(): boolean {
    // Whose listener of the signal is called first is not known.
    return this.#controller.signal.aborted || this.#options.signal.aborted;
  }

  /** Something is missing, or is said to be there. */
  get #isBehind(): boolean {
    return !this.#ended && (this.#missed || this.#waiting.size > 0);
  }

  /** Gives an event, unless it was given; `false` if it is not its turn. */
  #take(event: LoggedEvent, place: EventId): boolean {
    const last = this.#last;
    if (last === undefined) return false;
    if (isUpTo(place, last)) return true;
    if (this.#calling || place.epoch !== last.epoch || place.seq !== last.seq + 1) return false;
    this.#give(event, place);
    this.#drain();
    return true;
  }

  /** Gives those that have waited and are next now. */
  #drain(): void {
    while (this.#last !== undefined && this.#waiting.size > 0 && !this.#ended) {
      const place = { ...this.#last, seq: this.#last.seq + 1 };
      const event = this.#waiting.get(formatEventId(place));
      if (event === undefined) return;
      this.#give(event, place);
    }
  }

  #give(event: LoggedEvent, place: EventId): void {
    this.#last = place;
    this.#waiting.delete(event.id);
    this.#call(() => this.#options.onEvent(event));
  }

  #call(hook: () => void): void {
    this.#calling = true;
    callHook(hook);
    this.#calling = false;
  }

  /** Goes on after an id, past which nothing may wait. */
  #moveTo(place: EventId): void {
    this.#last = place;
    for (const id of this.#waiting.keys()) {
      const waiting = parseEventId(id);
      if (waiting !== undefined && isUpTo(waiting, place)) this.#waiting.delete(id);
    }
  }

  /** Gives what can be given, and reads the rest. */
  #settle(): void {
    // Before the start nobody knows what is missing. What a callback makes come is for after it.
    if (this.#last === undefined || this.#calling) return;
    this.#drain();
    if (this.#isBehind) this.#fill();
  }

  /** Reads what did not come, for as long as something is missing. */
  async #fill(): Promise<void> {
    if (this.#filling) return;
    this.#filling = true;
    let pause = MIN_PAUSE;
    let skipped = false;
    while (this.#isBehind) {
      this.#missed = false;
      const told = [...this.#waiting.keys()];
      const { given, ending } = await this.#readOn();
      if (given) [pause, skipped] = [MIN_PAUSE, false];
      if (ending === "end") {
        if (!this.#isAhead(told)) continue;
        // The log does not give what the engine has told of, as when it is read from a replica that
        // is behind. What it has lost is not to be asked for for ever.
        if (pause === MAX_PAUSE) this.#forget(told);
      } else {
        this.#missed = true;
        // One gap after the other, and nothing between them, is a log that is not well.
        if (ending === "gap" && !skipped) {
          skipped = true;
          continue;
        }
      }
      // Whoever follows is kept until the engine is back.
      await sleep(pause, this.#controller.signal);
      pause = Math.min(2 * pause, MAX_PAUSE);
    }
    this.#filling = false;
  }

  /** Reads the log once; `given` if that gave an event that had not come. */
  async #readOn(): Promise<{ given: boolean; ending: Ending }> {
    const { signal } = this.#controller;
    let given = false;
    try {
      for await (const event of this.#read({ after: this.last, signal })) {
        const last = this.#last;
        const place = parseEventId(event.id);
        // No log may leave a hole. If one does, it is not to be read to its end in vain.
        if (this.#ended || place === undefined || !this.#take(event, place)) {
          return { given, ending: "failure" };
        }
        given ||= last !== this.#last;
      }
      return { given, ending: "end" };
    } catch (error) {
      const isGap = !this.#ended && error instanceof LogGapError && this.#skip(error.gap);
      return { given, ending: isGap ? "gap" : "failure" };
    }
  }

  /** Goes on behind a gap; `false` if there is none. */
  #skip({ first, reason }: LogGap): boolean {
    const place = parseEventId(first);
    const last = this.#last;
    if (place === undefined || place.seq === 0 || last === undefined) return false;
    const before = { ...place, seq: place.seq - 1 };
    // A log that is behind, or live events that have closed the gap meanwhile.
    if (isUpTo(before, last)) return false;
    const asked = formatEventId(last);
    this.#moveTo(before);
    this.#call(() => this.#options.onGap?.({ asked, first, reason }));
    this.#drain();
    return true;
  }

  /** Whether some of what the engine told of before a reading is still missing after it. */
  #isAhead(told: readonly string[]): boolean {
    const left = told.filter((id) => this.#waiting.has(id));
    // The epoch of now is known by the reading. What is of another one was late.
    const late = left.filter((id) => parseEventId(id)?.epoch !== this.#last?.epoch);
    this.#forget(late);
    return left.length > late.length;
  }

  #forget(ids: readonly string[]): void {
    for (const id of ids) this.#waiting.delete(id);
  }
}

function isUpTo(place: EventId, last: EventId): boolean {
  return place.epoch === last.epoch && place.seq <= last.seq;
}
