/**
 * A deterministic scheduler: runs a scenario in every order in which its steps can be taken, and an
 * event log each of whose steps waits for its turn.
 *
 * After each step all that follows from it at once runs to its end, before the next one is taken. So
 * an order says all, and a failure is repeated by it.
 *
 * @module
 */

import { setImmediate } from "node:timers";
import type { ServerSentEventInit } from "../../encode.ts";
import { LogGapError } from "../../errors.ts";
import type {
  AppendOptions,
  EventLog,
  FollowOptions,
  LoggedEvent,
  MemoryEventLog,
  ReadLogOptions,
} from "../../server.ts";
import { type EventId, formatEventId, parseEventId } from "../../server/log.ts";
import { mulberry32 } from "../chunkings.ts";

interface Step {
  readonly name: string;
  take(): void;
}

/** The steps of one run, from which one at a time is taken. */
export class Schedule {
  /** The names of those that were taken. */
  readonly taken: string[] = [];
  readonly #steps = new Set<Step>();
  readonly #repeated: (Step & { when(): boolean })[] = [];

  /** A step by which somebody goes on who waits for it. */
  gate(name: string): Promise<void> {
    return new Promise((resolve) => void this.#steps.add({ name, take: resolve }));
  }

  /** Steps that come one after the other. */
  script(name: string, steps: readonly (() => void)[], at = 0): void {
    if (at === steps.length) return;
    const take = () => {
      steps[at]();
      this.script(name, steps, at + 1);
    };
    this.#steps.add({ name: `${name} ${at + 1}`, take });
  }

  /** A step that can be taken, again and again, whenever `when` says so. */
  whenever(name: string, when: () => boolean, take: () => void): void {
    this.#repeated.push({ name, when, take });
  }

  /** Takes steps until there are none. */
  async run(choose: (count: number) => number): Promise<void> {
    for (;;) {
      await quiet();
      const steps = [...this.#steps, ...this.#repeated.filter(({ when }) => when())];
      if (steps.length === 0) return;
      const step = steps[choose(steps.length)];
      this.#steps.delete(step);
      this.taken.push(step.name);
      step.take();
    }
  }
}

/** Sets a run up; what it gives is called after the last step, and throws if anything is wrong. */
export type Scenario = (schedule: Schedule) => Promise<() => Promise<void>>;

/**
 * Runs a scenario in all orders, but not in more than `limit`.
 *
 * @returns How many there were.
 * @throws {Error} If one of them fails, with the order; or if there are more than `limit`.
 */
export async function inAllOrders(scenario: Scenario, limit: number): Promise<number> {
  // What was chosen at each step, and of how many.
  const path: { chosen: number; count: number }[] = [];
  for (let orders = 1; orders <= limit; orders++) {
    let depth = 0;
    await runOnce(scenario, (count) => {
      const choice = path[depth++] ??= { chosen: 0, count };
      if (choice.count !== count) throw new Error("The scenario is another one than it was before");
      return choice.chosen;
    });
    for (let last = path.at(-1); last !== undefined && ++last.chosen === last.count;) {
      path.pop();
      last = path.at(-1);
    }
    if (path.length === 0) return orders;
  }
  throw new Error(`There are more than ${limit} orders: make the scenario smaller`);
}

/** Runs a scenario in orders that are chosen at random. */
export async function inRandomOrders(
  scenario: Scenario,
  orders: number,
  seed: number,
): Promise<void> {
  const random = mulberry32(seed);
  for (let i = 0; i < orders; i++) {
    await runOnce(scenario, (count) => Math.floor(random() * count));
  }
}

async function runOnce(scenario: Scenario, choose: (count: number) => number): Promise<void> {
  const schedule = new Schedule();
  try {
    const check = await scenario(schedule);
    await schedule.run(choose);
    await check();
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause);
    throw new Error(`In the order ${schedule.taken.join(", ")}: ${message}`, { cause });
  }
}

/** Waits until nothing is left to run but timers and I/O. */
export function quiet(): Promise<void> {
  // It is called when no promise is left to be told.
  return new Promise((resolve) => void setImmediate(resolve));
}

/** The steps of a {@linkcode SteppedEventLog} that wait for their turn; the others do not wait. */
export interface SteppedOptions {
  /** An append resolves: what it appends is there and goes to the followers at once. */
  append?: boolean;
  /** A following begins; otherwise when it is asked for. */
  begin?: boolean;
  /** A following resolves. */
  follow?: boolean;
  /** A follower reads its next event, as on a machine that is behind; it is told of gaps. */
  deliver?: boolean;
  /** An event is looked up. */
  read?: boolean;
  /** An event that was looked up is given. */
  give?: boolean;
}

/** A log in memory whose steps wait for a schedule, and that counts what was opened and not closed. */
export class SteppedEventLog implements EventLog {
  /** Followings that nobody has ended. */
  follows = 0;
  /** Readings that have neither come to their end nor were left. */
  reads = 0;
  /** Readings that there were. */
  opened = 0;
  /** Gaps of which a follower was told. */
  gaps = 0;
  readonly #schedule: Schedule;
  readonly #inner: MemoryEventLog;
  readonly #steps: SteppedOptions;

  constructor(schedule: Schedule, inner: MemoryEventLog, steps: SteppedOptions) {
    this.#schedule = schedule;
    this.#inner = inner;
    this.#steps = steps;
  }

  async append(
    topic: string,
    event: ServerSentEventInit,
    options?: AppendOptions,
  ): Promise<string> {
    const id = await this.#inner.append(topic, event, options);
    await this.#turn("append", "resolve append");
    return id;
  }

  async follow(topic: string, { signal, onEvent, onGap }: FollowOptions): Promise<string> {
    this.follows++;
    signal.addEventListener("abort", () => this.follows--);
    await this.#turn("begin", "begin to follow");
    let after = "";
    let tail: Promise<void> = Promise.resolve();
    const head = await this.#inner.follow(topic, {
      signal,
      onEvent: (event) => {
        if (!this.#steps.deliver) return onEvent(event);
        tail = tail.then(() => seqOf(event.id) > seqOf(after) ? deliver() : undefined);
      },
    });
    after = head;
    const deliver = async () => {
      await this.#turn("deliver", "deliver");
      try {
        for await (const event of this.#inner.read(topic, { after })) {
          after = event.id;
          if (!signal.aborted) onEvent(event);
          return;
        }
      } catch (error) {
        if (!(error instanceof LogGapError)) throw error;
        after = behind(error.gap.first, -1);
        this.gaps++;
        if (!signal.aborted) onGap?.(error.gap);
      }
    };
    await this.#turn("follow", "resolve follow");
    return head;
  }

  async *read(topic: string, options: ReadLogOptions): AsyncGenerator<LoggedEvent> {
    this.opened++;
    this.reads++;
    const events = this.#inner.read(topic, options)[Symbol.asyncIterator]();
    try {
      for (;;) {
        await this.#turn("read", "read");
        const { done, value } = await events.next();
        await this.#turn("give", "give");
        if (done) return;
        yield value;
      }
    } finally {
      this.reads--;
    }
  }

  close(): Promise<void> {
    return this.#inner.close();
  }

  async #turn(step: keyof SteppedOptions, name: string): Promise<void> {
    if (this.#steps[step]) await this.#schedule.gate(name);
  }
}

/** The number of an event, by its id. */
export function seqOf(id: string): number {
  return placeOf(id).seq;
}

/** The id so many events behind another one. */
export function behind(id: string, count: number): string {
  const { epoch, seq } = placeOf(id);
  return formatEventId({ epoch, seq: seq + count });
}

function placeOf(id: string): EventId {
  const place = parseEventId(id);
  if (place === undefined) throw new Error(`"${id}" is no id`);
  return place;
}
