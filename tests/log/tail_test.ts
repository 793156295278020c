/** {@linkcode Tail}: each event once, in order, none missing, whatever the engine says and when. */

import FakeTimers from "@sinonjs/fake-timers";
import { assert, assertEquals, assertThrows } from "@std/assert";
import { type LogGap, LogGapError } from "../../errors.ts";
import { Tail } from "../../log/tail.ts";
import {
  type EventId,
  formatEventId,
  gapAfter,
  type LoggedEvent,
  parseEventId,
  type ReadLogOptions,
  readRange,
} from "../../server/log.ts";
import { mulberry32 } from "../chunkings.ts";
import { RUNS, SEED, uncaught, unhandled } from "../helpers.ts";
import { inAllOrders, inRandomOrders, quiet, type Scenario } from "../server/scheduler.ts";

function placeOf(id: string): EventId {
  const place = parseEventId(id);
  if (place === undefined) throw new Error(`"${id}" is no id`);
  return place;
}

function eventOf(id: string): LoggedEvent {
  return { id, data: id };
}

/** The ids of an epoch from a number to another. */
function ids(epoch: string, from: number, to: number): string[] {
  return Array.from({ length: to - from + 1 }, (_, n) => `${epoch}.${from + n}`);
}

/** The log of an engine that keeps the contract as long as it is there. */
class Engine {
  epoch = 1;
  first = 1;
  head = 0;
  down = false;
  /** Readings that were begun, and where; and how many have not come to their end. */
  readonly asked: string[] = [];
  open = 0;
  /** A step of a reading waits for its turn. */
  turn: (step: string) => Promise<void> = () => Promise.resolve();
  /** What is read, to be told from what was offered. */
  readonly given: LoggedEvent[] = [];

  get place() {
    return { epoch: `${this.epoch}`, first: this.first, head: this.head };
  }

  get id(): string {
    return formatEventId({ epoch: `${this.epoch}`, seq: this.head });
  }

  append(count = 1): LoggedEvent {
    this.head += count;
    return eventOf(this.id);
  }

  forget(): void {
    this.epoch++;
    this.first = 1;
    this.head = 0;
  }

  trim(): void {
    if (this.first <= this.head) this.first++;
  }

  readonly read = async function* (
    this: Engine,
    options: ReadLogOptions,
  ): AsyncGenerator<LoggedEvent> {
    const { signal } = options;
    let { after } = options;
    this.asked.push(after);
    this.open++;
    try {
      await this.#step("begin to read", signal);
      const { epoch } = this;
      const { next, last } = readRange(options, this.place);
      for (let seq = next; seq <= last; seq++) {
        await this.#step("read", signal);
        const gap = epoch === this.epoch ? gapAfter(after, this.place) : undefined;
        if (gap !== undefined) throw new LogGapError(gap);
        // What was looked up before it was forgotten is of the epoch before.
        if (epoch !== this.epoch) throw new LogGapError(gapAfter(after, this.place)!);
        after = formatEventId({ epoch: `${epoch}`, seq });
        const event = eventOf(after);
        this.given.push(event);
        yield event;
      }
      await this.#step("end reading", signal);
    } finally {
      this.open--;
    }
  }.bind(this);

  async #step(name: string, signal: AbortSignal | undefined): Promise<void> {
    signal?.throwIfAborted();
    await this.turn(name);
    signal?.throwIfAborted();
    if (this.down) throw new Error("The engine is away");
  }
}

/** Whoever follows, and what is wrong with what it was given. */
class Recorder {
  readonly controller = new AbortController();
  readonly signal = this.controller.signal;
  readonly events: LoggedEvent[] = [];
  readonly gaps: LogGap[] = [];
  readonly problems: string[] = [];
  /** Where it is; `undefined` before the start. */
  at: EventId | undefined = undefined;
  ended = false;
  readonly #engine: Engine;
  /** How far each epoch was trimmed. */
  readonly trimmed = new Map<string, number>();

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  get ids(): string[] {
    return this.events.map(({ id }) => id);
  }

  readonly onEvent = (event: LoggedEvent): void => {
    this.events.push(event);
    const place = placeOf(event.id);
    this.#must(event.data === event.id, `${event.id} has the data ${event.data}`);
    this.#must(
      place.epoch === this.at?.epoch && place.seq === this.at.seq + 1,
      `${event.id} comes after ${this.#where()}`,
    );
    this.at = place;
  };

  readonly onGap = (gap: LogGap): void => {
    this.gaps.push(gap);
    const { epoch, seq } = placeOf(gap.first);
    this.#must(gap.asked === this.#where(), `The gap after ${gap.asked} is at ${this.#where()}`);
    if (epoch === this.at?.epoch) {
      this.#must(seq > this.at.seq + 1, `Nothing is missing before ${gap.first}`);
      this.#must(gap.reason === "trimmed", `It is ${gap.reason}`);
    } else {
      this.#must(Number(epoch) > Number(this.at?.epoch), `It goes back to ${gap.first}`);
      this.#must(gap.reason === "epoch", `It is ${gap.reason}`);
    }
    const first = epoch === `${this.#engine.epoch}` ? this.#engine.first : Infinity;
    this.#must(seq <= first, `What is before ${gap.first} is still held`);
    this.at = { epoch, seq: seq - 1 };
  };

  #where(): string {
    return this.at === undefined ? "no start" : formatEventId(this.at);
  }

  #must(holds: boolean, problem: string): void {
    if (!holds) this.problems.push(problem);
    if (this.ended) this.problems.push("It was called after the end");
  }
}

/** What happens in a scenario. Everything happens at any time. */
interface Shape {
  /** @default {1} */
  held?: number;
  publishes: number;
  /** Which of those that are published are not told of, or twice. */
  loses?: readonly number[];
  repeats?: readonly number[];
  /** It starts at any time, and not first of all. */
  starts?: boolean;
  trims?: number;
  forgets?: number;
  /** How often the engine is away and comes back. */
  fails?: number;
  ends?: boolean;
  checks?: number;
  /** What was lost or repeated is chosen by chance. */
  random?: () => number;
  shows?: readonly Sight[];
}

/** What is seen in one order at least, or a scenario shows nothing. */
type Sight = "trimmed" | "epoch" | "pause" | "read" | "stale" | "many reads";

function scenario(shape: Shape, seen: Set<Sight>, clock: FakeTimers.Clock): Scenario {
  return (schedule) => {
    const engine = new Engine();
    engine.turn = (step) => schedule.gate(step);
    engine.append(shape.held ?? 1);
    const recorder = new Recorder(engine);
    const tail = new Tail(engine.read, recorder);
    const { random } = shape;

    const start = () => {
      recorder.at = placeOf(engine.id);
      tail.start(engine.id);
    };
    if (shape.starts) schedule.script("start", [start]);
    else start();

    const tell = async (event: LoggedEvent) => {
      await schedule.gate(`tell of ${event.id}`);
      if (placeOf(event.id).epoch !== `${engine.epoch}`) seen.add("stale");
      tail.offer(event);
    };
    const publish = (n: number) => () => {
      const event = engine.append();
      const lost = random === undefined ? shape.loses?.includes(n) : random() < 0.3;
      const twice = random === undefined ? shape.repeats?.includes(n) : random() < 0.2;
      if (!lost) tell(event);
      if (twice) tell(event);
    };
    const numbers = Array.from({ length: shape.publishes }, (_, n) => n + 1);
    schedule.script("publish", numbers.map(publish));
    schedule.script("trim", Array(shape.trims ?? 0).fill(() => engine.trim()));
    schedule.script("forget", Array(shape.forgets ?? 0).fill(() => engine.forget()));
    schedule.script("check", Array(shape.checks ?? 0).fill(() => tail.check(engine.id)));
    const fail = [() => void (engine.down = true), () => void (engine.down = false)];
    schedule.script("fail", Array(shape.fails ?? 0).fill(fail).flat());
    // However long it is away, a second time shows nothing more.
    let pauses = 0;
    schedule.whenever("wait", () => clock.countTimers() > 0 && (!engine.down || pauses < 2), () => {
      seen.add("pause");
      pauses++;
      clock.next();
    });
    const end = () => {
      tail.end();
      recorder.ended = true;
      assertEquals(clock.countTimers(), 0, "timers that are left");
    };
    if (shape.ends) schedule.script("end", [end]);

    return Promise.resolve(async () => {
      const rest = () => schedule.run((count) => count - 1);
      assertEquals([clock.countTimers(), engine.open], [0, 0], "what runs");
      for (let n = 0; n < 2; n++) tail.check(engine.id);
      await rest();
      const { problems, gaps, at } = recorder;
      assertEquals(problems, []);
      if (!shape.ends) assertEquals(formatEventId(at!), engine.id, "where it is");
      if (!shape.trims && !shape.forgets) assertEquals(gaps, []);
      for (const { reason } of gaps) if (reason !== "unknown") seen.add(reason);
      if (engine.given.length > 0) seen.add("read");
      if (engine.asked.length > 2) seen.add("many reads");
      const most = 3 + 3 * shape.publishes + 2 * pauses + (shape.checks ?? 0);
      assert(engine.asked.length <= most, `It was read ${engine.asked.length} times`);
      tail.end();
    });
  };
}

const SHAPES: Record<string, Shape> = {
  "of three events in any order": { publishes: 4, shows: ["read"] },
  "that come before the start, or after it": { publishes: 2, starts: true, shows: ["read"] },
  "of which the first is lost, and one comes twice": {
    publishes: 3,
    loses: [1],
    repeats: [2],
    starts: false,
    shows: ["read"],
  },
  "of which the last is lost": { publishes: 2, loses: [2], checks: 2, shows: ["read"] },
  "while the log trims, and tells of gaps": {
    publishes: 3,
    loses: [1],
    trims: 3,
    shows: ["trimmed", "read"],
  },
  "while the log loses its memory, and tells of gaps": {
    publishes: 3,
    forgets: 1,
    shows: ["epoch", "stale", "read"],
  },
  "while the log loses its memory before the start": {
    publishes: 2,
    forgets: 1,
    starts: true,
    shows: ["epoch", "stale"],
  },
  "while the log loses its memory and trims, and most are lost": {
    publishes: 3,
    loses: [1],
    forgets: 1,
    trims: 1,
    shows: ["epoch", "trimmed"],
  },
  "while the log loses its memory twice": {
    publishes: 3,
    loses: [1],
    forgets: 2,
    shows: ["epoch", "stale"],
  },
  "while the engine is away": { publishes: 2, loses: [1], fails: 1, shows: ["pause"] },
  "while the engine is away and trims": {
    publishes: 2,
    loses: [1],
    fails: 1,
    trims: 2,
    shows: ["pause", "trimmed"],
  },
  "until it ends, whatever it does then": {
    publishes: 2,
    loses: [1],
    starts: true,
    trims: 1,
    ends: true,
    shows: ["read"],
  },
  "until it ends, also while the engine is away": {
    publishes: 2,
    loses: [1],
    fails: 1,
    ends: true,
    shows: ["pause"],
  },
};

function withClock(test: (clock: FakeTimers.Clock) => Promise<void>): () => Promise<void> {
  return async () => {
    const clock = FakeTimers.install({ toFake: ["setTimeout", "clearTimeout"] });
    try {
      await test(clock);
      assertEquals(clock.countTimers(), 0, "timers that are left");
    } finally {
      clock.uninstall();
    }
  };
}

for (const [title, shape] of Object.entries(SHAPES)) {
  Deno.test(
    `Tail gives all ${title}, in all orders`,
    withClock(async (clock) => {
      const seen = new Set<Sight>();
      const orders = await inAllOrders(scenario(shape, seen, clock), 40_000);
      console.log(`${orders} orders`);
      for (const sight of shape.shows ?? []) assert(seen.has(sight), `There was no ${sight}`);
    }),
  );
}

const LARGE_SHAPES: Record<string, Shape> = {
  "of many events": { publishes: 12, starts: true, shows: ["read"] },
  "of a log that trims": { publishes: 12, trims: 8, shows: ["trimmed"] },
  "of all that can go wrong": {
    publishes: 12,
    starts: true,
    trims: 6,
    forgets: 2,
    fails: 2,
    checks: 3,
    shows: ["trimmed", "epoch", "stale", "pause", "many reads"],
  },
  "until it ends": { publishes: 8, trims: 3, forgets: 1, fails: 1, ends: true },
};

for (const [title, shape] of Object.entries(LARGE_SHAPES)) {
  const orders = 5 * RUNS;
  Deno.test(
    `Tail gives all ${title}, in ${orders} random orders`,
    withClock(async (clock) => {
      console.log(`SSE_TEST_SEED=${SEED}`);
      const seen = new Set<Sight>();
      const random = mulberry32(SEED + 1);
      await inRandomOrders(scenario({ ...shape, random }, seen, clock), orders, SEED);
      for (const sight of shape.shows ?? []) assert(seen.has(sight), `There was no ${sight}`);
    }),
  );
}

/** A tail of an engine that holds one event, and has started there. */
function started(engine = new Engine()) {
  engine.append();
  const recorder = new Recorder(engine);
  const tail = new Tail(engine.read, recorder);
  recorder.at = placeOf(engine.id);
  tail.start(engine.id);
  return { engine, recorder, tail };
}

/** A tail of a log that answers as `read` does, after `1.1`. */
function reading(read: (options: ReadLogOptions) => AsyncIterable<LoggedEvent>) {
  const asked: string[] = [];
  const recorder = new Recorder(new Engine());
  const tail = new Tail((options) => {
    asked.push(options.after);
    return read(options);
  }, recorder);
  recorder.at = placeOf("1.1");
  tail.start("1.1");
  return { asked, recorder, tail };
}

async function* nothing(): AsyncGenerator<LoggedEvent> {}

// deno-lint-ignore require-yield
async function* gapTo(first: string): AsyncGenerator<LoggedEvent> {
  throw new LogGapError({ asked: "", first, reason: "trimmed" });
}

Deno.test("Tail reads nothing as long as all comes in order", async () => {
  const { engine, recorder, tail } = started();
  for (let n = 0; n < 5; n++) {
    const event = engine.append();
    tail.offer(event);
    assertEquals([tail.last, recorder.events.at(-1)], [event.id, event]);
    tail.offer(event);
  }
  await quiet();
  assertEquals([recorder.ids, engine.asked], [ids("1", 2, 6), []]);
  tail.end();
});

Deno.test("Tail has no last id before it has started, and refuses to start at none", () => {
  const engine = new Engine();
  const recorder = new Recorder(engine);
  const tail = new Tail(engine.read, recorder);
  tail.offer(eventOf("1.1"));
  tail.check("1.7");
  tail.check("1.99", true);
  assertEquals([tail.last, engine.asked], ["", []]);
  assertThrows(() => tail.start("?"), TypeError, 'must be an id: received "?"');
  tail.end();
});

Deno.test("Tail gives what closes a hole while the log is read at once", async () => {
  const { engine, recorder, tail } = started();
  const answer = Promise.withResolvers<void>();
  engine.turn = () => answer.promise;
  const events = [2, 3, 4, 5].map(() => engine.append());
  for (const at of [3, 2, 1, 0]) tail.offer(events[at]);
  assertEquals([recorder.events, engine.asked], [events, ["1.1"]]);
  answer.resolve();
  await quiet();
  assertEquals([recorder.ids, engine.asked], [ids("1", 2, 5), ["1.1"]]);
  tail.end();
});

for (const early of [false, true]) {
  const when = early ? "before its start" : "while the log is read";
  Deno.test(`Tail lets no more than 256 events wait ${when}, and reads the others`, async () => {
    const engine = new Engine();
    engine.append();
    const answer = Promise.withResolvers<void>();
    engine.turn = () => answer.promise;
    const recorder = new Recorder(engine);
    const tail = new Tail(engine.read, recorder);
    recorder.at = placeOf("1.1");
    if (!early) tail.start("1.1");
    const lost = early ? 0 : 1;
    const events = Array.from({ length: 1_000 }, () => engine.append());
    for (const event of events.slice(lost)) {
      tail.offer(event);
      tail.offer(event);
    }
    if (early) tail.start("1.1");
    // What comes from here on is in no reading that has begun.
    answer.resolve();
    await quiet();
    assertEquals([recorder.problems, recorder.ids], [[], ids("1", 2, 1_001)]);
    const waited = recorder.events.filter((event) => events.includes(event));
    assertEquals(waited, events.slice(lost, 256 + lost));
    assertEquals(engine.asked.length, early ? 1 : 2);
    tail.end();
  });
}

Deno.test("Tail reads what came too much while the log was read to its end", async () => {
  const { engine, recorder, tail } = started();
  engine.append();
  tail.offer(engine.append());
  // Only when the reading has taken where it ends.
  await Promise.resolve();
  const more = Array.from({ length: 300 }, () => engine.append());
  for (const event of more.toReversed()) tail.offer(event);
  await quiet();
  assertEquals([recorder.problems, recorder.ids], [[], ids("1", 2, 303)]);
  tail.end();
});

Deno.test("check reads what was dropped when nothing has come since the last check", async () => {
  const { engine, recorder, tail } = started();
  engine.append(2);
  tail.check(engine.id);
  tail.check(engine.id);
  await quiet();
  assertEquals([recorder.ids, engine.asked], [["1.2", "1.3"], ["1.1"]]);
  tail.end();
});

Deno.test("check reads nothing as long as events come, or nothing is missing", async () => {
  const { engine, recorder, tail } = started();
  for (let n = 0; n < 5; n++) {
    const event = engine.append();
    // What is told of the head is ahead of what is told of the event.
    tail.check(engine.id);
    tail.offer(event);
  }
  for (const head of [engine.id, engine.id, "1.2", "1.2", "1.0", "?", ""]) tail.check(head);
  for (const head of [engine.id, "1.0", "?"]) tail.check(head, true);
  await quiet();
  assertEquals([recorder.ids, engine.asked], [ids("1", 2, 6), []]);
  tail.end();
});

Deno.test("check finds that the log has lost its memory, though its head is smaller", async () => {
  const { engine, recorder, tail } = started();
  tail.offer(engine.append());
  engine.forget();
  for (let n = 0; n < 3; n++) tail.check(engine.id);
  await quiet();
  assertEquals(recorder.gaps, [{ asked: "1.2", first: "2.1", reason: "epoch" }]);
  assertEquals([tail.last, engine.asked], ["2.0", ["1.2", "2.0"]]);
  tail.end();
});

Deno.test("check that is sure reads at once, and once more if the log is being read", async () => {
  const { engine, recorder, tail } = started();
  engine.append();
  tail.check("1.99", true);
  await Promise.resolve();
  engine.append();
  tail.check("1.99", true);
  await quiet();
  assertEquals([recorder.ids, engine.asked], [["1.2", "1.3"], ["1.1", "1.3"]]);
  tail.check("1.99", true);
  await quiet();
  assertEquals([recorder.ids, engine.asked.length], [["1.2", "1.3"], 3]);
  tail.end();
});

Deno.test("Tail stays in the epoch of now, whatever comes of one that is gone", async () => {
  const { engine, recorder, tail } = started();
  const stale = Array.from({ length: 100 }, () => engine.append());
  engine.forget();
  tail.offer(engine.append());
  await quiet();
  assertEquals([recorder.ids, recorder.gaps.length], [["2.1"], 1]);
  const before = engine.asked.length;
  for (const event of stale) tail.offer(event);
  const event = engine.append();
  tail.offer(event);
  assertEquals(recorder.events.at(-1), event);
  await quiet();
  // For the first of them, and for those that came when that reading had begun.
  assertEquals(engine.asked.length - before, 2);
  assertEquals([recorder.problems, recorder.ids], [[], ["2.1", "2.2"]]);
  tail.end();
});

Deno.test("Tail ignores what is no event of a log", async () => {
  const { engine, recorder, tail } = started();
  for (const id of ["", "1", "?", "1.01"]) tail.offer(eventOf(id));
  await quiet();
  assertEquals([recorder.ids, engine.asked], [[], []]);
  tail.end();
});

Deno.test("Tail reports what onEvent and onGap throw, and goes on", async () => {
  const engine = new Engine();
  engine.append();
  const { signal } = new AbortController();
  const called: string[] = [];
  const tail = new Tail(engine.read, {
    signal,
    onEvent: ({ id }) => {
      called.push(id);
      throw new Error(id);
    },
    onGap: ({ first }) => {
      called.push(`gap to ${first}`);
      throw new Error(`gap to ${first}`);
    },
  });
  tail.start("1.1");
  const errors = await uncaught(async () => {
    tail.offer(engine.append());
    engine.append(2);
    engine.first = 4;
    tail.offer(engine.append());
    await quiet();
  });
  assertEquals(called, ["1.2", "gap to 1.4", "1.4", "1.5"]);
  assertEquals(errors.map((error) => error instanceof Error && error.message), called);
  tail.end();
});

Deno.test("Tail goes on behind a gap of which nobody wants to know", async () => {
  const engine = new Engine();
  engine.append();
  const given: string[] = [];
  const { signal } = new AbortController();
  const tail = new Tail(engine.read, { signal, onEvent: ({ id }) => void given.push(id) });
  tail.start(engine.id);
  engine.append(5);
  engine.first = 4;
  tail.offer(engine.append());
  await quiet();
  assertEquals(given, ids("1", 4, 7));
  tail.end();
});

Deno.test("Tail gives what onEvent makes come when onEvent is over, in order", async () => {
  const engine = new Engine();
  engine.append();
  const steps: string[] = [];
  const { signal } = new AbortController();
  const tail = new Tail(engine.read, {
    signal,
    onEvent: ({ id }) => {
      steps.push(`begin ${id}`);
      if (engine.head < 6) {
        // One that is next, one that is not, for one between them is lost.
        tail.offer(engine.append());
        engine.append();
        tail.offer(engine.append());
      }
      steps.push(`end ${id}`);
    },
  });
  tail.start(engine.id);
  tail.offer(engine.append());
  await quiet();
  const expected = ids("1", 2, engine.head).flatMap((id) => [`begin ${id}`, `end ${id}`]);
  assertEquals([steps, engine.head], [expected, 8]);
  tail.end();
});

Deno.test("Tail gives what onGap makes come when onGap is over", async () => {
  const engine = new Engine();
  engine.append();
  const steps: string[] = [];
  const { signal } = new AbortController();
  const tail = new Tail(engine.read, {
    signal,
    onEvent: ({ id }) => void steps.push(id),
    onGap: ({ first }) => {
      steps.push(`begin ${first}`);
      tail.offer(engine.append());
      tail.check("1.99", true);
      steps.push(`end ${first}`);
    },
  });
  tail.start(engine.id);
  engine.append(3);
  engine.first = 5;
  tail.check("1.99", true);
  await quiet();
  assertEquals(steps, ["begin 1.5", "end 1.5", "1.5"]);
  tail.end();
});

for (const how of ["end", "abort"] as const) {
  Deno.test(`Tail calls nothing any more when onEvent makes it ${how}`, async () => {
    const { engine, recorder, tail } = started();
    const stop = () => how === "end" ? ending.end() : recorder.controller.abort();
    engine.append(2);
    const ending = new Tail(engine.read, {
      signal: recorder.signal,
      onEvent: (event) => {
        recorder.onEvent(event);
        stop();
        ending.offer(eventOf("1.4"));
      },
    });
    ending.start("1.1");
    // It waits, and is read, too.
    ending.offer(eventOf("1.3"));
    ending.offer(eventOf("1.2"));
    await quiet();
    assertEquals([recorder.ids, engine.open], [["1.2"], 0]);
    ending.end();
    tail.end();
  });
}

Deno.test("Tail does nothing after its end, and aborts what it reads", async () => {
  const { engine, recorder, tail } = started();
  const answer = Promise.withResolvers<void>();
  let signal: AbortSignal | undefined;
  const reading = new Tail((options) => {
    signal = options.signal;
    return engine.read(options);
  }, recorder);
  engine.turn = () => answer.promise;
  reading.start("1.1");
  engine.append(2);
  reading.offer(eventOf("1.3"));
  assertEquals(signal?.aborted, false);
  for (const each of [reading, tail, new Tail(engine.read, recorder)]) {
    each.end();
    each.end();
    each.start("1.1");
    each.offer(eventOf("1.2"));
    each.offer(eventOf("1.3"));
    for (let n = 0; n < 3; n++) each.check("2.9");
    each.check("1.99", true);
  }
  assertEquals([signal?.aborted, engine.open], [true, 1]);
  answer.resolve();
  await quiet();
  assertEquals([recorder.ids, engine.asked, engine.open], [[], ["1.1"], 0]);
});

Deno.test("Tail leaves a reading that does not look at its signal", async () => {
  let left = false;
  let given = 0;
  const { recorder, tail } = reading(async function* () {
    try {
      for (;;) yield eventOf(`1.${2 + given++}`);
    } finally {
      left = true;
    }
  });
  tail.check("1.99", true);
  for (let n = 0; n < 50; n++) await Promise.resolve();
  tail.end();
  const { length } = recorder.events;
  await quiet();
  assert(left && length > 0, `${length} were given`);
  assertEquals(recorder.events.length, length);
});

Deno.test(
  "Tail asks a log that fails again after 50 ms, then after twice as long, up to 2 s",
  withClock(async (clock) => {
    const { engine, recorder, tail } = started();
    const times: number[] = [];
    const begin = clock.now;
    engine.turn = () => Promise.resolve(void times.push(clock.now - begin));
    engine.down = true;
    engine.append();
    tail.offer(engine.append());
    for (let n = 0; n < 9; n++) {
      await quiet();
      assertEquals([times.length, clock.countTimers()], [n + 1, 1]);
      clock.next();
    }
    await quiet();
    const pauses = times.slice(1).map((time, n) => time - times[n]);
    assertEquals(pauses, [50, 100, 200, 400, 800, 1_600, 2_000, 2_000, 2_000]);
    engine.down = false;
    clock.next();
    await quiet();
    assertEquals(recorder.ids, ["1.2", "1.3"]);
    tail.end();
  }),
);

Deno.test(
  "Tail begins with a short pause again when the log has given something",
  withClock(async (clock) => {
    let next = 2;
    const { asked, tail } = reading(async function* () {
      if (asked.length % 4 === 0) yield eventOf(`1.${next++}`);
      throw new Error("The engine is away");
    });
    tail.check("1.99", true);
    const pauses: number[] = [];
    for (let n = 0; n < 8; n++) {
      await quiet();
      const { now } = clock;
      clock.next();
      pauses.push(clock.now - now);
    }
    assertEquals(pauses, [50, 100, 200, 50, 100, 200, 400, 50]);
    tail.end();
  }),
);

Deno.test(
  "Tail that ends while it waits for a log that fails leaves no timer",
  withClock(async (clock) => {
    const { engine, recorder, tail } = started();
    engine.down = true;
    tail.check("1.99", true);
    await quiet();
    assertEquals(clock.countTimers(), 1);
    tail.end();
    assertEquals(clock.countTimers(), 0);
    await quiet();
    assertEquals([engine.asked.length, recorder.ids], [1, []]);
  }),
);

Deno.test(
  "Tail that is ended by onGap, or by what it is given before a failure, leaves no timer",
  withClock(async (clock) => {
    for (const last of [gapTo("1.9"), nothing()]) {
      const ending = {
        signal: new AbortController().signal,
        onEvent: () => tail.end(),
        onGap: () => tail.end(),
      };
      const tail = new Tail(async function* () {
        if (last instanceof Error) throw last;
        yield* last;
        yield eventOf("1.2");
        throw new Error("The engine is away");
      }, ending);
      tail.start("1.1");
      tail.check("1.99", true);
      await quiet();
      assertEquals(clock.countTimers(), 0);
    }
  }),
);

const UNWELL: Record<string, (after: string) => AsyncIterable<LoggedEvent>> = {
  "tells of a gap where there is none": (after) => gapTo(`1.${placeOf(after).seq + 1}`),
  "tells of a gap that leads back": () => gapTo("1.1"),
  "tells of a gap before the first event": () => gapTo("2.0"),
  "tells of a gap to no id": () => gapTo("?"),
  "gives a hole": async function* () {
    yield eventOf("1.3");
    yield eventOf("1.4");
  },
  "gives once more what it gave, and fails": async function* () {
    yield eventOf("1.0");
    yield eventOf("1.1");
    throw new Error("The engine is away");
  },
  "gives what is no event": async function* () {
    yield eventOf("?");
  },
  "cannot be asked": () => {
    throw new Error("The engine is away");
  },
};

for (const [title, read] of Object.entries(UNWELL)) {
  Deno.test(
    `Tail asks a log that ${title} ever more seldom, and is given what is next`,
    withClock(async (clock) => {
      const { asked, recorder, tail } = reading(({ after }) => read(after));
      tail.check("1.99", true);
      for (let n = 1; n <= 5; n++) {
        await quiet();
        assertEquals([asked.length, clock.countTimers()], [n, 1]);
        const { now } = clock;
        clock.next();
        assertEquals(clock.now - now, 25 * 2 ** n);
      }
      tail.offer(eventOf("1.2"));
      assertEquals([recorder.problems, recorder.gaps, recorder.ids], [[], [], ["1.2"]]);
      tail.end();
    }),
  );
}

Deno.test(
  "Tail does not ask for ever at once what tells of one gap after the other",
  withClock(async (clock) => {
    let epoch = 1;
    const { asked, recorder, tail } = reading(() => gapTo(`${++epoch}.1`));
    tail.check("1.99", true);
    await quiet();
    assertEquals([asked, clock.countTimers()], [["1.1", "2.0"], 1]);
    clock.next();
    await quiet();
    assertEquals([asked.length, recorder.gaps.length], [3, 3]);
    tail.end();
  }),
);

Deno.test(
  "Tail waits for a log that is behind what the engine has told of",
  withClock(async (clock) => {
    const engine = new Engine();
    const { recorder, tail } = started(engine);
    tail.offer(eventOf("1.3"));
    await quiet();
    assertEquals([engine.asked.length, clock.countTimers()], [1, 1]);
    engine.append();
    clock.tick(50);
    await quiet();
    assertEquals([recorder.problems, recorder.ids], [[], ["1.2", "1.3"]]);
    tail.end();
  }),
);

Deno.test(
  "Tail gives up what the engine has told of and the log does not give",
  withClock(async (clock) => {
    const { engine, recorder, tail } = started();
    tail.offer(eventOf("1.9"));
    let pauses = 0;
    for (; pauses < 20; pauses++) {
      await quiet();
      if (clock.countTimers() === 0) break;
      clock.next();
    }
    assertEquals([pauses, engine.asked.length], [7, 7]);
    // It is whole, and takes what comes.
    for (let n = 2; n <= 9; n++) tail.offer(engine.append());
    assertEquals([recorder.problems, recorder.ids.at(-1)], [[], "1.9"]);
    tail.end();
  }),
);

Deno.test("Tail reads nothing for what came before its start and is not after it", async () => {
  const engine = new Engine();
  engine.append(2);
  const recorder = new Recorder(engine);
  const tail = new Tail(engine.read, recorder);
  for (const id of ["1.2", "1.1"]) tail.offer(eventOf(id));
  recorder.at = placeOf("1.2");
  tail.start("1.2");
  tail.offer(engine.append());
  await quiet();
  assertEquals([recorder.problems, recorder.ids, engine.asked], [[], ["1.3"], []]);
  tail.end();
});

Deno.test(
  "Tail gives what waits behind a gap though the engine is away then, and drops what waits in it",
  withClock(async (clock) => {
    let gone = false;
    const { asked, recorder, tail } = reading(async function* () {
      if (asked.length === 1) yield* gapTo("1.5");
      if (!gone) throw new Error("The engine is away");
    });
    for (const id of ["1.5", "1.3"]) tail.offer(eventOf(id));
    await quiet();
    assertEquals(recorder.gaps, [{ asked: "1.1", first: "1.5", reason: "trimmed" }]);
    assertEquals([recorder.ids, asked], [["1.5"], ["1.1", "1.5"]]);
    gone = true;
    clock.next();
    await quiet();
    assertEquals([asked.length, clock.countTimers()], [3, 0]);
    tail.end();
  }),
);

Deno.test("Tail tells of no gap that comes after its end", async () => {
  const answer = Promise.withResolvers<void>();
  const { asked, recorder, tail } = reading(async function* () {
    await answer.promise;
    yield* gapTo("1.5");
  });
  tail.check("1.99", true);
  tail.end();
  answer.resolve();
  await quiet();
  assertEquals([asked, recorder.gaps, tail.last], [["1.1"], [], "1.1"]);
});

Deno.test(
  "Tail keeps no listener for each pause",
  withClock(async (clock) => {
    const listeners = new Set<unknown>();
    const { tail } = reading(({ signal }) => {
      if (signal === undefined) throw new Error("There is no signal");
      const [add, remove] = [signal.addEventListener, signal.removeEventListener];
      signal.addEventListener = (...all: Parameters<typeof add>) => {
        listeners.add(all[1]);
        add.apply(signal, all);
      };
      signal.removeEventListener = (...all: Parameters<typeof remove>) => {
        listeners.delete(all[1]);
        remove.apply(signal, all);
      };
      throw new Error("The engine is away");
    });
    tail.check("1.99", true);
    for (let n = 0; n < 5; n++) {
      await quiet();
      assertEquals(listeners.size, 1);
      clock.next();
    }
    await quiet();
    tail.end();
    assertEquals(listeners.size, 0);
  }),
);

Deno.test("Tail leaves no rejection unhandled, whatever the log does", async () => {
  const tails: Tail[] = [];
  const reasons = await unhandled(async () => {
    for (const read of [...Object.values(UNWELL), () => gapTo("1.5"), nothing]) {
      const { tail } = reading(({ after }) => read(after));
      tails.push(tail);
      tail.offer(eventOf("1.4"));
    }
    await quiet();
    for (const tail of tails) tail.end();
    await quiet();
  });
  assertEquals(reasons, []);
});
