/** The contract of event logs: it takes the logs that keep it, and finds each way to break it. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { setImmediate } from "node:timers/promises";
import type { ServerSentEventInit } from "../../encode.ts";
import { type LogGap, LogGapError } from "../../errors.ts";
import {
  type AppendOptions,
  type EventLog,
  type FollowOptions,
  formatEventId,
  type LoggedEvent,
  parseEventId,
  type ReadLogOptions,
} from "../../server/log.ts";
import { MemoryEventLog } from "../../server/memory_log.ts";
import { eventLogContract, type EventLogCreateOptions } from "../../testing.ts";
import { settle } from "../helpers.ts";

for (const { name, run } of eventLogContract((options) => new MemoryEventLog(options))) {
  Deno.test(`MemoryEventLog keeps the contract: ${name}`, run);
}

for (const { name, run } of eventLogContract((options) => Promise.resolve(remote(options)))) {
  Deno.test(`A log that is far away keeps the contract: ${name}`, run);
}

/** A log that answers and calls in other turns, in order, as one behind a socket does. */
function remote(options: EventLogCreateOptions): EventLog {
  const log = new MemoryEventLog(options);
  let last: Promise<unknown> = Promise.resolve();
  const later = <T>(call: () => T | Promise<T>): Promise<T> => {
    const answer = last.then(() => setImmediate()).then(call);
    last = answer.catch(() => {});
    return answer;
  };
  return {
    append: (topic, event, options) => later(() => log.append(topic, { ...event }, options)),
    async *read(topic, options) {
      const reader = log.read(topic, options)[Symbol.asyncIterator]();
      for (;;) {
        const { done, value } = await later(() => reader.next());
        if (done) return;
        yield value;
      }
    },
    follow(topic, { signal, onEvent }) {
      const call = (event: LoggedEvent) => void later(() => signal.aborted || onEvent(event));
      return later(() => log.follow(topic, { signal, onEvent: call }));
    },
    close: () => later(() => log.close()),
  };
}

/** What a broken log does otherwise than the one that it wraps. */
type Break = (log: MemoryEventLog) => Partial<EventLog>;

function broken(options: EventLogCreateOptions, change: Break): EventLog {
  const log = new MemoryEventLog(options);
  return { ...all(log), ...change(log) };
}

/** The cases that a broken log fails, and what they say. */
async function failures(change: Break): Promise<Map<string, string>> {
  const failed = new Map<string, string>();
  const cases = eventLogContract((options) => broken(options, change), { patience: 50 });
  await Promise.all(cases.map(async ({ name, run }) => {
    await run().catch((error) => void failed.set(name, String(error)));
  }));
  return failed;
}

function all(log: MemoryEventLog): Required<EventLog> {
  return {
    append: log.append.bind(log),
    read: log.read.bind(log),
    follow: log.follow.bind(log),
    topics: log.topics.bind(log),
    close: log.close.bind(log),
  };
}

function seqOf(id: string): number {
  return parseEventId(id)?.seq ?? NaN;
}

function moved(id: string, by: number): string {
  const { epoch, seq } = parseEventId(id) ?? { epoch: "", seq: 0 };
  return formatEventId({ epoch, seq: Math.max(0, seq + by) });
}

async function first(events: AsyncIterable<LoggedEvent>): Promise<LoggedEvent | undefined> {
  for await (const event of events) return event;
}

/** The id of the last event. */
async function last(log: EventLog, topic: string): Promise<string> {
  const abort = new AbortController();
  const id = await log.follow(topic, { signal: abort.signal, onEvent: () => {} });
  abort.abort();
  return id;
}

/** A signal that nobody aborts. */
function never(): AbortSignal {
  return new AbortController().signal;
}

type Append = (append: () => Promise<string>, args: AppendArgs) => Promise<string>;
type AppendArgs = { topic: string; event: ServerSentEventInit; options: AppendOptions };

/** Breaks `append`, whose arguments may be changed before it is called. */
function append(change: Append): Break {
  return (log) => ({
    append(topic, event, options = {}) {
      const args = { topic, event, options };
      return change(() => log.append(args.topic, args.event, args.options), args);
    },
  });
}

type Read = (options: ReadLogOptions, log: EventLog, topic: string) => AsyncIterable<LoggedEvent>;

function read(change: Read): Break {
  return (log) => ({ read: (topic, options) => change(options, log, topic) });
}

/** Breaks each event that is read. */
function readEach(change: (event: LoggedEvent) => LoggedEvent): Break {
  return read(async function* (options, log, topic) {
    for await (const event of log.read(topic, options)) yield change(event);
  });
}

/** Reads on from what there is, where there is a gap. */
function noGap(isLeftOut: (gap: LogGap, after: string) => boolean): Break {
  return read(async function* (options, log, topic) {
    let { after } = options;
    for (;;) {
      try {
        for await (const event of log.read(topic, { ...options, after })) {
          after = event.id;
          yield event;
        }
        return;
      } catch (error) {
        if (!(error instanceof LogGapError) || !isLeftOut(error.gap, options.after)) throw error;
        after = moved(error.gap.first, -1);
      }
    }
  });
}

/** Tells of gaps otherwise. */
function wrongGap(change: (gap: LogGap, after: string) => LogGap): Break {
  return read(async function* (options, log, topic) {
    try {
      yield* log.read(topic, options);
    } catch (error) {
      if (!(error instanceof LogGapError)) throw error;
      throw new LogGapError(change(error.gap, options.after));
    }
  });
}

type Follow = (options: FollowOptions, log: EventLog, topic: string) => Promise<string>;

function follow(change: Follow): Break {
  return (log) => ({ follow: (topic, options) => change(options, log, topic) });
}

/** Breaks what a follower is given. */
function followEach(give: (event: LoggedEvent, options: FollowOptions) => void): Break {
  return follow((options, log, topic) =>
    log.follow(topic, { signal: options.signal, onEvent: (event) => give(event, options) })
  );
}

/** Breaks how a watcher is told of a topic. */
function watch(change: (tell: () => void) => void): Break {
  return (log) => ({
    topics: ({ signal, onTopic }) =>
      log.topics({ signal, onTopic: (topic) => change(() => onTopic(topic)) }),
  });
}

/** Mixes topics up. */
function renamed(rename: (topic: string) => string): Break {
  return (log) => ({
    append: (topic, event, options) => log.append(rename(topic), event, options),
    read: (topic, options) => log.read(rename(topic), options),
    follow: (topic, options) => log.follow(rename(topic), options),
  });
}

/** Shows an event to readers only so long after it was appended, and answers without that wait. */
function late(wait: () => Promise<unknown>): Break {
  return (log) => {
    const shown = new Map<string, number>();
    const isSettle = wait === settle;
    return {
      async append(topic, event, options) {
        const id = await log.append(topic, event, options);
        const show = wait().then(() => shown.set(topic, seqOf(id)));
        if (isSettle) await show;
        return id;
      },
      async *read(topic, options) {
        for await (const event of log.read(topic, options)) {
          if (seqOf(event.id) > (shown.get(topic) ?? 0)) return;
          yield event;
        }
      },
    };
  };
}

const FOLLOW = "follow gives each event after its id, in order, once";
const ORDER = "follow gives all that follow the same events in the same order";
const JOIN = "follow and read join without loss and without repeat while others append";
const EMPTY = "follow on a topic without events resolves with an id before the first";
const READABLE = "follow gives only what can be read";
const RESUME = "follow ends with its signal, and a reader goes on where it was";
const ABORTED = "follow whose signal was aborted before calls nothing";
const AFTER = "read begins after an id, or with the very first event";
const UNTIL = "read ends with the event that until names, or that is the last when it begins";
const LEFT = "read ends where its loop is left, and readings do not disturb each other";
const SIGNAL = "read rejects with the reason of its signal";
const OTHER_EPOCH = "read tells of a gap after an id of another epoch";
const NEVER_GIVEN = "read tells of a gap after an id that was never given";
const TRIMMED = "read tells of a gap after an id whose next event is trimmed";
const TRIMMED_WHILE = "read tells of a gap where events are trimmed while it reads";
const IDS = "append gives ids of one epoch that count from 1 up without a hole";
const SAME_TIME = "append counts appends at the same time without a hole, in the order of reading";
const RESOLVES = "append resolves when the event can be read";
const TWICE = "append gives no id twice, also when the log is made anew";
const REFUSES = "append refuses an event with an id, and nobody sees it";
const CHANGED = "append keeps an event as it was, whatever becomes of what it was given";
const KEY = "append with a key that the topic holds appends nothing and gives the id of the first";
const FIELDS = "read and follow give an event as it was appended";
const LARGE = "read and follow give an event of 200 kB";
const SENDER = "read and follow give the sender, where there is one";
const TOPICS = "topics are counted, read and followed each alone";
const NAMES = "topics names those that hold events, and tells of those that are new";
const CLOSE = "close ends what runs, and calls after it reject with TypeError";

/** Each way to break the contract, and the cases that find it. */
const BROKEN: [title: string, change: Break, found: string[]][] = [
  ["gives the same epoch whenever it is made", (log) => {
    Object.assign(crypto, { getRandomValues: (array: Uint8Array) => array });
    first(log.read("any", { after: "" }));
    Reflect.deleteProperty(crypto, "getRandomValues");
    return {};
  }, [TWICE]],
  [
    "gives an event that it has refused a number",
    append(async (append, args) => {
      const { id, ...event } = args.event;
      args.event = event;
      const given = await append();
      if (id !== undefined) throw new TypeError("It has an id");
      return given;
    }),
    [REFUSES],
  ],
  [
    "throws away an id",
    append((append, args) => {
      const { id: _, ...event } = args.event;
      args.event = event;
      return append();
    }),
    [REFUSES],
  ],
  [
    "answers appends at the same time with one id",
    (log) => {
      const running = new Map<string, Promise<string>>();
      return append((append, { topic, options }) => {
        if (options.idempotencyKey !== undefined) return append();
        const other = running.get(topic);
        const id = append();
        if (other !== undefined) return id.then(() => other);
        running.set(topic, id);
        return id.finally(() => running.delete(topic));
      })(log);
    },
    [SAME_TIME],
  ],
  ["keeps the object that it was given", (log) => {
    const given = new Map<string, ServerSentEventInit>();
    return {
      async append(topic, event, options) {
        const id = await log.append(topic, event, options);
        if (options?.idempotencyKey === undefined) given.set(`${topic} ${id}`, event);
        return id;
      },
      async *read(topic, options) {
        for await (const event of log.read(topic, options)) {
          yield { ...event, ...given.get(`${topic} ${event.id}`), id: event.id };
        }
      },
    };
  }, [CHANGED]],
  [
    "forgets keys",
    append((append, args) => {
      args.options = { sender: args.options.sender };
      return append();
    }),
    [KEY],
  ],
  ["takes a key for one of all topics", (log) => {
    const ids = new Map<string, string>();
    return append(async (append, { options: { idempotencyKey: key = "" } }) => {
      const id = ids.get(key) ?? await append();
      if (key !== "") ids.set(key, id);
      return id;
    })(log);
  }, [KEY]],
  ["looks for a key before it waits", (log) => {
    const keys = new Set<string>();
    return append(async (append, args) => {
      const { idempotencyKey = "", sender } = args.options;
      const key = `${args.topic} ${idempotencyKey}`;
      if (!keys.has(key)) args.options = { sender };
      await settle();
      keys.add(key);
      return await append();
    })(log);
  }, [KEY]],
  [
    "forgets the sender in follow",
    followEach(({ sender: _, ...event }, { onEvent }) => onEvent(event)),
    [SENDER],
  ],
  ["forgets the sender in read", readEach(({ sender: _, ...event }) => event), [SENDER]],
  ["makes up a sender", readEach((event) => ({ sender: "", ...event })), [SENDER]],
  [
    "loses a retry of 0",
    readEach(({ retry, ...event }) => retry ? { retry, ...event } : event),
    [FIELDS],
  ],
  [
    "loses data that is empty",
    followEach(({ data, ...event }, { onEvent }) => onEvent(data ? { data, ...event } : event)),
    [FIELDS],
  ],
  [
    "cuts data at NUL",
    readEach((event) => ({ ...event, data: event.data?.replace(/\0.*/, "") })),
    [FIELDS],
  ],
  [
    "cuts large data",
    followEach((event, { onEvent }) => onEvent({ ...event, data: event.data?.slice(0, 65_536) })),
    [LARGE],
  ],
  [
    "does not know the id before the first event",
    read(async function* (options, log, topic) {
      const { after } = options;
      const gap: LogGap = { asked: after, first: moved(after, 1), reason: "unknown" };
      if (seqOf(after) === 0 && !after.startsWith("other.")) throw new LogGapError(gap);
      yield* log.read(topic, options);
    }),
    [AFTER, EMPTY, READABLE, TRIMMED],
  ],
  [
    "does not know until",
    read(({ after, signal }, log, topic) => log.read(topic, { after, signal })),
    [UNTIL, JOIN],
  ],
  [
    "reads on to what is appended after it has begun",
    read(async function* (options, log, topic) {
      let { after } = options;
      for (;;) {
        const event = await first(log.read(topic, { ...options, after }));
        if (event === undefined) return;
        yield event;
        after = event.id;
      }
    }),
    [UNTIL],
  ],
  ["has one place for all readings", (log) => {
    const readers = new Map<string, AsyncIterator<LoggedEvent>>();
    return {
      read(topic, options) {
        // Those of one turn only.
        const key = JSON.stringify([topic, options]);
        const reader = readers.get(key) ?? log.read(topic, options)[Symbol.asyncIterator]();
        readers.set(key, reader);
        queueMicrotask(() => readers.delete(key));
        return { [Symbol.asyncIterator]: () => reader };
      },
    };
  }, [LEFT, SIGNAL]],
  [
    "reads on when its loop was left",
    read((options, log, topic) => {
      const reader = log.read(topic, options)[Symbol.asyncIterator]();
      return { [Symbol.asyncIterator]: () => ({ next: () => reader.next() }) };
    }),
    [LEFT],
  ],
  [
    "does not know the signal of a reading",
    read(({ after, until }, log, topic) => log.read(topic, { after, until })),
    [SIGNAL],
  ],
  [
    "ends without an error at the signal of a reading",
    read(async function* (options, log, topic) {
      try {
        yield* log.read(topic, options);
      } catch (error) {
        if (!options.signal?.aborted) throw error;
      }
    }),
    [SIGNAL],
  ],
  [
    "reads all after an id of another epoch",
    noGap(({ reason }) => reason === "epoch"),
    [OTHER_EPOCH],
  ],
  [
    "reads on after an id that is yet to come",
    noGap(({ reason, asked }) => reason === "unknown" && parseEventId(asked) !== undefined),
    [NEVER_GIVEN],
  ],
  [
    "reads all after an id that is none",
    noGap(({ reason, asked }) => reason === "unknown" && parseEventId(asked) === undefined),
    [NEVER_GIVEN],
  ],
  [
    "reads all that is left from the start",
    noGap(({ reason, asked }) => reason === "trimmed" && asked === ""),
    [TRIMMED],
  ],
  [
    "reads all that is left after an id that was trimmed",
    noGap(({ reason, asked }, after) => reason === "trimmed" && asked === after),
    [TRIMMED, TRIMMED_WHILE],
  ],
  [
    "leaves a hole while it reads",
    noGap(({ reason, asked }, after) => reason === "trimmed" && asked !== after),
    [TRIMMED_WHILE],
  ],
  [
    "takes what was trimmed for another epoch",
    wrongGap((gap) => gap.reason === "trimmed" ? { ...gap, reason: "epoch" } : gap),
    [TRIMMED, TRIMMED_WHILE],
  ],
  [
    "names the second event that is left in a gap",
    wrongGap((gap) => gap.reason === "trimmed" ? { ...gap, first: moved(gap.first, 1) } : gap),
    [TRIMMED],
  ],
  [
    "tells of a gap after where the reading began",
    wrongGap((gap, after) => ({ ...gap, asked: after })),
    [TRIMMED_WHILE],
  ],
  ["never trims", () => all(new MemoryEventLog({ maxEvents: Infinity, maxBytes: Infinity })), [
    TRIMMED,
    TRIMMED_WHILE,
  ]],
  [
    "loses an event in follow",
    followEach((event, { onEvent }) => {
      if (seqOf(event.id) !== 21) onEvent(event);
    }),
    [FOLLOW, ORDER, JOIN],
  ],
  [
    "repeats an event in follow",
    followEach((event, { onEvent }) => {
      onEvent(event);
      if (seqOf(event.id) === 21) onEvent(event);
    }),
    [FOLLOW, ORDER, JOIN],
  ],
  [
    "gives two events the other way round",
    (log) => {
      let held: LoggedEvent | undefined;
      return followEach((event, { onEvent }) => {
        if (seqOf(event.id) === 40) held = event;
        else onEvent(event);
        if (seqOf(event.id) === 41 && held !== undefined) onEvent(held);
      })(log);
    },
    [ORDER, JOIN],
  ],
  ["calls a follower before the event can be read", late(settle), [READABLE, JOIN]],
  [
    "resolves follow with the id before",
    follow(async (options, log, topic) => moved(await log.follow(topic, options), -1)),
    [FOLLOW, ORDER, JOIN],
  ],
  [
    "knows no epoch before the first event",
    follow(async (options, log, topic) => {
      const id = await log.follow(topic, options);
      return seqOf(id) === 0 ? "none.0" : id;
    }),
    [EMPTY, NEVER_GIVEN, JOIN, TOPICS],
  ],
  [
    "begins to follow after it has looked for the last event",
    follow(async (options, log, topic) => {
      const id = await last(log, topic);
      await settle();
      await log.follow(topic, options);
      return id;
    }),
    [JOIN],
  ],
  [
    "looks for the last event after it has begun to follow",
    follow(async (options, log, topic) => {
      await log.follow(topic, options);
      await settle();
      return await last(log, topic);
    }),
    [JOIN],
  ],
  [
    "does not know the signal of a following",
    follow(({ onEvent }, log, topic) => log.follow(topic, { signal: never(), onEvent })),
    [RESUME, ABORTED],
  ],
  [
    "does not look whether the signal of a following is aborted",
    follow(({ signal, onEvent }, log, topic) =>
      log.follow(topic, { signal: signal.aborted ? never() : signal, onEvent })
    ),
    [ABORTED],
  ],
  ["does not tell topics by their case", renamed((topic) => topic.toLowerCase()), [TOPICS]],
  ["cuts the names of topics", renamed((topic) => topic.replace(/(-t).*/, "$1")), [TOPICS]],
  ["names no topics", (log) => ({
    topics: (options) => log.topics(options).then(() => []),
  }), [NAMES]],
  ["names topics that are only followed", (log) => {
    const followed: string[] = [];
    return {
      follow(topic, options) {
        followed.push(topic);
        return log.follow(topic, options);
      },
      topics: async (options) => [...await log.topics(options), ...followed],
    };
  }, [NAMES]],
  ["tells of no new topics", watch(() => {}), [NAMES]],
  ["tells of topics twice", watch((tell) => [tell(), tell()]), [NAMES]],
  ["tells of topics after the signal", (log) => ({
    topics: ({ onTopic }) => log.topics({ signal: never(), onTopic }),
  }), [NAMES]],
  ["tells of topics that are not new", (log) => {
    const watchers: ((topic: string) => void)[] = [];
    return {
      append(topic, event, options) {
        for (const tell of watchers) tell(topic);
        return log.append(topic, event, options);
      },
      topics({ signal, onTopic }) {
        const told = new Set<string>();
        watchers.push((topic) => {
          if (!signal.aborted && !told.has(topic)) onTopic(topic);
          told.add(topic);
        });
        return log.topics({ signal, onTopic: () => {} });
      },
    };
  }, [NAMES]],
  ["ends a reading quietly when it is closed", (log) => {
    let closed = false;
    return {
      async *read(topic, options) {
        for await (const event of log.read(topic, options)) {
          yield event;
          if (closed) return;
        }
      },
      close() {
        closed = true;
        return log.close();
      },
    };
  }, [CLOSE]],
  ["goes on after it is closed", () => ({ close: () => Promise.resolve() }), [CLOSE]],
  ["forgets to answer who follows when it is closed", (log) => {
    let closed = false;
    return {
      async follow(topic, options) {
        const id = await log.follow(topic, options);
        await settle();
        return closed ? await new Promise(() => {}) : id;
      },
      close() {
        closed = true;
        return log.close();
      },
    };
  }, [CLOSE]],
];

for (const [title, change, found] of BROKEN) {
  Deno.test(`eventLogContract finds a log that ${title}`, async () => {
    const failed = await failures(change);
    const names = [...failed.keys()].sort();
    assertEquals(names, found.toSorted(), JSON.stringify([...failed], null, 1));
  });
}

/** What breaks so much that many cases find it: one of them, and what it says. */
const BROAD: [title: string, change: Break, found: string, says: RegExp][] = [
  [
    "counts from 0",
    append(async (append) => moved(await append(), -1)),
    IDS,
    /: the ids are those of one epoch from 1 up: expected \["\w+\.1",.* from item 0 on: received \["\w+\.0",/,
  ],
  [
    "gives ids of its own",
    append(async (append) => `${seqOf(await append())}-0`),
    IDS,
    /: an id is `epoch\.seq`: received "1-0"$/,
  ],
  [
    "shows an event a turn after its append",
    late(setImmediate),
    RESOLVES,
    /: an event whose append has resolved can be read: expected \["\w+\.1"\] from item 0 on: received \[\]$/,
  ],
  [
    "reads from the start again at the end",
    read(async function* (options, log, topic) {
      for (let more = true; more;) {
        more = false;
        for await (const event of log.read(topic, options)) {
          more = true;
          yield event;
        }
      }
    }),
    UNTIL,
    /: read ends: received "more than 10000 events"$/,
  ],
  [
    "never answers who follows",
    follow(() => new Promise(() => {})),
    FOLLOW,
    /: follow is over within 50 ms: received "that it is not"$/,
  ],
  [
    "never closes",
    () => ({ close: () => new Promise(() => {}) }),
    CLOSE,
    /: close is over within 50 ms: received "that it is not"$/,
  ],
  [
    "fails",
    append(() => Promise.reject(new Error("Broken pipe"))),
    IDS,
    /^Error: Broken pipe$/,
  ],
];

for (const [title, change, found, says] of BROAD) {
  Deno.test(`eventLogContract says what is wrong with a log that ${title}`, async () => {
    assertMatch((await failures(change)).get(found) ?? "", says);
  });
}

Deno.test("eventLogContract has no case that finds nothing", () => {
  const names = eventLogContract(() => new MemoryEventLog()).map(({ name }) => name);
  const found = [...BROKEN.flatMap(([, , found]) => found), ...BROAD.map(([, , found]) => found)];
  assertEquals([...new Set(found)].sort(), names.sort());
});

Deno.test("eventLogContract closes each log that it makes, also one that is broken", async () => {
  for (const change of [() => ({}), append(() => Promise.reject(new Error("Broken pipe")))]) {
    let [made, closed] = [0, 0];
    const create = (options: EventLogCreateOptions) => {
      made++;
      const log = broken(options, change);
      return {
        ...log,
        close() {
          closed++;
          return log.close();
        },
      };
    };
    for (const { run } of eventLogContract(create)) await run().catch(() => {});
    assert(made > 20);
    assertEquals(closed, made);
  }
});
