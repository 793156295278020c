/**
 * A bench's run: opens readers, publishes, and measures what comes.
 *
 * @module
 */

import { sleep } from "../../log/patience.ts";
import type { ServerSentEvent } from "../../parse.ts";
import { Histogram } from "./histogram.ts";
import { LagWatch, type OwnLoad } from "./lag.ts";
import { Messages } from "./message.ts";
import { Publisher } from "./publisher.ts";
import { Reader, type ReaderEvents } from "./reader.ts";
import { isExhausted, type Target } from "./request.ts";
import { Sequence } from "./sequence.ts";
import { withCauses } from "../failure.ts";

/** How many connections may be opening at once: a server's backlog is not long. */
const MOST_OPENING = 64;
/** How long no event may come until what is missing counts as lost, in ms. */
const SILENCE = 2_000;
/** How long what is missing is waited for altogether, in ms. */
const MAX_DRAIN = 30_000;
/** How many points of time are kept. */
const POINTS = 600;
/** How short an interval may be, in ms. */
const MIN_INTERVAL = 100;

/** What is asked of a server. */
export interface LoadOptions {
  readonly target: Target;
  /** How many readers. */
  readonly connections: number;
  /** Over how many ms they are opened; 0 for as fast as they can be. */
  readonly ramp: number;
  /** Whether events are published, or only read. */
  readonly publish: boolean;
  /** Events a second. */
  readonly rate: number;
  /** How long their data is, in bytes. */
  readonly size: number;
  /** How long is measured, in ms. */
  readonly duration: number;
  /** How long before that the same load runs, in ms. */
  readonly warmUp: number;
  /** Ends it early: what was measured by then is given all the same. */
  readonly signal: AbortSignal;
  /** What the server has used, if it can be asked. */
  usage?(): Promise<Usage>;
}

/** What a process has used. */
export interface Usage {
  /** CPU time, in ms. */
  readonly cpu: number;
  /** Resident memory, in bytes. */
  readonly memory: number;
}

/** An interval of the run. */
export interface Point {
  /** When it ended, in ms since the measuring began. */
  readonly t: number;
  /** How many events came a second. */
  readonly rate: number;
  /** Latencies in ms; `NaN` where none was measured. */
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

/** What was measured. */
export interface LoadResult {
  /** How long was measured, in ms. */
  readonly duration: number;
  /** Whether it was ended early. */
  readonly interrupted: boolean;
  readonly connections: {
    readonly open: number;
    readonly failed: number;
    readonly lost: number;
    readonly reopened: number;
    /** Why they failed, and how often. */
    readonly reasons: ReadonlyMap<string, number>;
  };
  /** `undefined` where nothing was published. */
  readonly published: {
    readonly events: number;
    readonly rate: number;
    readonly failed: number;
    readonly reason: string | undefined;
  } | undefined;
  readonly delivered: {
    readonly events: number;
    readonly bytes: number;
    /** A second, up to the last one. */
    readonly rate: number;
    readonly bytesRate: number;
    /** Events of others on the same topic. */
    readonly foreign: number;
    /** `undefined` where that cannot be known. */
    readonly lost: number | undefined;
    readonly duplicated: number | undefined;
  };
  /** Empty where nothing was published. */
  readonly latency: Histogram;
  readonly points: readonly Point[];
  readonly own: OwnLoad;
  /** What the server has used meanwhile. */
  readonly server: { readonly cpu: number; readonly memory: number } | undefined;
}

/** What is done just now. */
export type Phase = "connecting" | "warming up" | "measuring" | "waiting for the rest";

/** One run. */
export class Load implements ReaderEvents {
  /** What is done just now. */
  phase: Phase = "connecting";
  /** How many readers are open. */
  open = 0;
  /** How many events have come since the measuring began. */
  delivered = 0;
  readonly #options: LoadOptions;
  readonly #stop = new AbortController();
  readonly #messages: Messages;
  readonly #publisher: Publisher;
  readonly #readers = new Map<Reader, Sequence | undefined>();
  readonly #reasons = new Map<string, number>();
  readonly #latency = new Histogram();
  readonly #recent = new Histogram();
  readonly #points: Point[] = [];
  readonly #lag = new LagWatch();
  #failed = 0;
  #lost = 0;
  #reopened = 0;
  #bytes = 0;
  #foreign = 0;
  #began = 0;
  #first = Infinity;
  #lastAt = 0;
  #recentDelivered = 0;

  constructor(options: LoadOptions) {
    this.#options = options;
    this.#messages = new Messages(crypto.randomUUID().slice(0, 8), options.size);
    const { target, rate, signal } = options;
    this.#publisher = new Publisher({ target, messages: this.#messages, rate, signal });
  }

  /** How long it has been measuring, in ms. */
  get elapsed(): number {
    return this.#began === 0 ? 0 : performance.now() - this.#began;
  }

  /** What the last interval has shown, if there was one. */
  get last(): Point | undefined {
    return this.#points.at(-1);
  }

  /**
   * Runs it.
   *
   * @returns What was measured; `undefined` if it was ended before.
   * @throws {Failure} If the server cannot be used.
   */
  async run(): Promise<LoadResult | undefined> {
    const { signal, publish, duration, warmUp, usage } = this.#options;
    try {
      await this.#openAll();
      if (publish && !signal.aborted) await this.#publisher.probe();
      this.phase = "warming up";
      if (!signal.aborted) await this.#work(warmUp);
      if (signal.aborted) return undefined;
      const before = await usage?.();
      this.#begin();
      const ticking = setInterval(() => this.#tick(), this.#interval);
      const taken = this.#publisher.taken;
      const failures = this.#publisher.failures;
      await this.#work(duration);
      const lasted = this.elapsed;
      if (publish) await this.#drain();
      clearInterval(ticking);
      this.#tick();
      const own = this.#lag.load;
      const after = await usage?.();
      return {
        ...this.#result(lasted),
        published: publish
          ? {
            events: this.#publisher.taken - taken,
            rate: perSecond(this.#publisher.taken - taken, lasted),
            failed: this.#publisher.failures - failures,
            reason: reasonOf(this.#publisher.lastFailure),
          }
          : undefined,
        own,
        server: before && after && { cpu: after.cpu - before.cpu, memory: after.memory },
      };
    } finally {
      this.#lag.stop();
      this.#stop.abort();
      this.#publisher.close();
      await Promise.all([...this.#readers.keys()].map(({ done }) => done));
    }
  }

  onChunk(reader: Reader, events: readonly ServerSentEvent[], bytes: number): void {
    if (this.#began === 0) return;
    const now = performance.now();
    this.#bytes += bytes;
    if (!this.#options.publish) {
      this.#count(events.length, now);
      return;
    }
    for (const { data } of events) {
      const message = this.#messages.read(data);
      if (message === undefined) this.#foreign++;
      else if (message.number >= this.#first && this.#readers.get(reader)?.take(message.number)) {
        this.#latency.add(now - message.due);
        this.#recent.add(now - message.due);
        this.#count(1, now);
      }
    }
  }

  onLost(): void {
    this.open--;
    this.#lost++;
  }

  onReopened(): void {
    this.open++;
    this.#reopened++;
  }

  #count(events: number, now: number): void {
    this.delivered += events;
    this.#recentDelivered += events;
    this.#lastAt = now;
  }

  async #openAll(): Promise<void> {
    const { connections, ramp, signal } = this.#options;
    const begin = performance.now();
    const opening = new Set<Promise<void>>();
    let fatal: { error: unknown } | undefined;
    const openOne = async (first: boolean) => {
      try {
        await this.#openOne();
      } catch (error) {
        if (signal.aborted) return;
        // Without the first there is nothing to measure, and where no more can be opened none need try.
        if (first || (error instanceof Error && isExhausted(error.cause))) fatal ??= { error };
        this.#failed++;
        const reason = error instanceof Error ? withCauses(error) : String(error);
        this.#reasons.set(reason, (this.#reasons.get(reason) ?? 0) + 1);
      }
    };
    for (let i = 0; i < connections && !signal.aborted && fatal === undefined; i++) {
      const wait = begin + ramp * i / connections - performance.now();
      if (wait >= 1) await sleep(wait, signal);
      const opened: Promise<void> = openOne(i === 0).finally(() => opening.delete(opened));
      opening.add(opened);
      // The first one shows whether there is anything to read.
      if (i === 0 || opening.size >= MOST_OPENING) await Promise.race(opening);
    }
    await Promise.all(opening);
    if (fatal !== undefined && !signal.aborted) throw fatal.error;
  }

  async #openOne(): Promise<void> {
    const signal = AbortSignal.any([this.#stop.signal, this.#options.signal]);
    const reader = await Reader.open(this.#options.target, this, signal);
    this.#readers.set(reader, undefined);
    this.open++;
  }

  /** The load, for so many ms. */
  async #work(duration: number): Promise<void> {
    const { publish, signal } = this.#options;
    if (duration === 0) return;
    if (publish) await this.#publisher.run(duration);
    else await sleep(duration, signal);
  }

  #begin(): void {
    this.phase = "measuring";
    this.#first = this.#publisher.next;
    for (const reader of this.#readers.keys()) {
      this.#readers.set(reader, new Sequence(this.#first, this.#publisher.isFailed));
    }
    this.#lost = this.#reopened = 0;
    this.#lag.reset();
    this.#began = this.#lastAt = performance.now();
  }

  get #interval(): number {
    return Math.max(MIN_INTERVAL, this.#options.duration / POINTS);
  }

  #tick(): void {
    const t = this.elapsed;
    const since = t - (this.#points.at(-1)?.t ?? 0);
    if (since <= 0) return;
    const recent = this.#recent;
    const none = recent.count === 0;
    this.#points.push({
      t,
      rate: perSecond(this.#recentDelivered, since),
      p50: none ? NaN : recent.quantile(0.5),
      p99: none ? NaN : recent.quantile(0.99),
      max: none ? NaN : recent.max,
    });
    recent.reset();
    this.#recentDelivered = 0;
  }

  /** Waits for what was published and has not come yet. */
  async #drain(): Promise<void> {
    const { signal } = this.#options;
    this.phase = "waiting for the rest";
    const begin = performance.now();
    const missing = () => [...this.#sequences()].some((had) => had.lost(this.#publisher.next) > 0);
    while (!signal.aborted && missing()) {
      const now = performance.now();
      if (now - Math.max(begin, this.#lastAt) > SILENCE || now - begin > MAX_DRAIN) return;
      await sleep(20, signal);
    }
  }

  *#sequences(): Generator<Sequence> {
    for (const sequence of this.#readers.values()) if (sequence !== undefined) yield sequence;
  }

  #result(lasted: number): Omit<LoadResult, "published" | "own" | "server"> {
    const { publish, signal } = this.#options;
    // What has waited counts with the time that it has waited.
    const time = Math.max(lasted, this.#lastAt - this.#began);
    const sum = (of: (sequence: Sequence) => number) =>
      [...this.#sequences()].reduce((sum, sequence) => sum + of(sequence), 0);
    return {
      duration: lasted,
      interrupted: signal.aborted,
      connections: {
        open: this.open,
        failed: this.#failed,
        lost: this.#lost,
        reopened: this.#reopened,
        reasons: this.#reasons,
      },
      delivered: {
        events: this.delivered,
        bytes: this.#bytes,
        rate: perSecond(this.delivered, time),
        bytesRate: perSecond(this.#bytes, time),
        foreign: this.#foreign,
        // What is under way when it is ended is not lost.
        lost: publish && !signal.aborted ? sum((had) => had.lost(this.#publisher.next)) : undefined,
        duplicated: publish ? sum(({ duplicated }) => duplicated) : undefined,
      },
      latency: this.#latency,
      points: this.#points,
    };
  }
}

function perSecond(count: number, ms: number): number {
  return ms > 0 ? count / ms * 1_000 : 0;
}

function reasonOf(error: unknown): string | undefined {
  return error instanceof Error ? withCauses(error) : undefined;
}
