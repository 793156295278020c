/**
 * What an event log owes, as tests for whoever implements one: no framework, no dependency.
 *
 * @module
 */

import { type EventLog, formatEventId, type LoggedEvent } from "./log.ts";
import {
  before,
  EVENTS,
  type Follower,
  gapOf,
  idsIn,
  idsOf,
  kept,
  MALFORMED,
  must,
  NAMES,
  place,
  same,
  Trial,
  wire,
} from "./log_trial.ts";

/** What {@linkcode eventLogContract} asks of the log that it has made. */
export interface EventLogCreateOptions {
  /**
   * How many events of a topic the log is to hold. It may hold more, but must trim within the next
   * 5,000. Default: 1,000, or more.
   */
  maxEvents?: number;
}

/** Options of {@linkcode eventLogContract}. */
export interface EventLogContractOptions {
  /**
   * How long a case waits for what the log owes, in milliseconds.
   *
   * @default {5000}
   */
  patience?: number;
}

/** A part of the contract, as a test. */
export interface EventLogContractCase {
  /** What is tested, in a sentence. */
  readonly name: string;
  /** Makes a log, tests it and closes it. It rejects with what the log did against the contract. */
  run(): Promise<void>;
}

/**
 * Tests whether an event log keeps the contract of {@linkcode EventLog}: all of it that can be seen
 * from outside.
 *
 * Each case makes a log of its own. It may be one of a server that holds other topics: the names of
 * those that are used here are random. Nothing is assumed to come at once.
 *
 * @param create Makes a log, which the case closes.
 * @param options How long to wait.
 * @returns The cases, to register with the test runner that you use.
 *
 * @example Test an event log
 * ```ts
 * import { MemoryEventLog } from "@webstreams/sse/server";
 * import { eventLogContract } from "@webstreams/sse/testing";
 *
 * for (const { run } of eventLogContract((options) => new MemoryEventLog(options))) {
 *   await run(); // Or with its name: Deno.test(name, run)
 * }
 * ```
 */
export function eventLogContract(
  create: (options: EventLogCreateOptions) => EventLog | Promise<EventLog>,
  options: EventLogContractOptions = {},
): EventLogContractCase[] {
  const { patience = 5_000 } = options;
  return CASES.map(({ name, maxEvents, test }) => ({
    name,
    async run() {
      const make = () => create(maxEvents === undefined ? {} : { maxEvents });
      const trial = new Trial(await make(), make, patience);
      try {
        await test(trial);
      } catch (error) {
        // The first failure is the one to tell of.
        await trial.end().catch(() => {});
        throw error;
      }
      await trial.end();
    },
  }));
}

interface Case {
  name: string;
  maxEvents?: number;
  test(trial: Trial): Promise<void>;
}

const CASES: Case[] = [
  {
    name: "append gives ids of one epoch that count from 1 up without a hole",
    async test(trial) {
      const ids = await trial.fill(5);
      same(ids, idsOf(place(ids[0]).epoch, 1, 5), "the ids are those of one epoch from 1 up");
    },
  },
  {
    name: "append counts appends at the same time without a hole, in the order of reading",
    async test(trial) {
      const data = Array.from({ length: 50 }, (_, n) => `${n}`);
      const ids = await Promise.all(data.map((data) => trial.append({ data })));
      const events = await trial.read({ after: "" });
      const { epoch } = place(ids[0]);
      same(idsIn(events), idsOf(epoch, 1, 50), "each has a number of its own");
      for (const event of events) {
        same(event.id, ids[Number(event.data)], "append resolves with the id that its event has");
      }
    },
  },
  {
    name: "append resolves when the event can be read",
    async test(trial) {
      let after = "";
      for (let n = 0; n < 20; n++) {
        const id = await trial.append({ data: `${n}` });
        same(
          await trial.readIds({ after }),
          [id],
          "an event whose append has resolved can be read",
        );
        after = id;
      }
    },
  },
  {
    name: "append gives no id twice, also when the log is made anew",
    async test(trial) {
      const ids = await trial.fill(3);
      await trial.renew();
      const id = await trial.append({ data: "4" });
      must(!ids.includes(id), "no id is given twice", id);
      const result = await trial.outcome(trial.readIds({ after: ids[2] }));
      if ("value" in result) same(result.value, [id], "a log that remembers goes on");
      else same(gapOf(result.error).reason, "epoch", "a log that has lost its memory says so");
    },
  },
  {
    name: "append refuses an event with an id, and nobody sees it",
    async test(trial) {
      const follower = await trial.follow();
      for (const id of ["", "7", "other.1"]) {
        const says = "append of an event with an id rejects with TypeError";
        const error = await trial.failure(trial.log.append(trial.topic, { data: "a", id }), says);
        must(error instanceof TypeError, says, error);
      }
      const last = await trial.barrier(follower);
      same(place(last).seq, 1, "what was refused has no number");
      same(follower.ids, [last], "what was refused is not followed");
    },
  },
  {
    name: "append keeps an event as it was, whatever becomes of what it was given",
    async test(trial) {
      const event = { data: "before" };
      await trial.append(event);
      event.data = "after";
      const read = await trial.read({ after: "" });
      same(read.map(({ data }) => data), ["before"], "an event that is logged is never changed");
    },
  },
  {
    name: "append with a key that the topic holds appends nothing and gives the id of the first",
    async test(trial) {
      const follower = await trial.follow();
      const key = { idempotencyKey: "é key" };
      const first = await trial.append({ data: "1" }, key);
      const again = await trial.append({ data: "2" }, key);
      same(again, first, "a second append with the same key gives the id of the first");
      const other = { idempotencyKey: "other" };
      const ids = await Promise.all([1, 2, 3].map(() => trial.append({ data: "3" }, other)));
      same(new Set(ids).size, 1, "this holds for appends at the same time");
      const elsewhere = trial.topicOf("elsewhere");
      const there = await trial.append({ data: "4" }, key, elsewhere);
      same(place(there).seq, 1, "a key counts in its topic only");
      same((await trial.read({ after: "" }, elsewhere)).length, 1, "it is appended there");
      const unkeyed = await trial.append({ data: "5" });
      const last = await trial.barrier(follower);
      same(follower.ids, [first, ids[0], unkeyed, last], "each key has one event");
    },
  },
  {
    name: "read and follow give an event as it was appended",
    async test(trial) {
      const follower = await trial.follow();
      for (const event of EVENTS) await trial.append(event);
      await trial.barrier(follower);
      const says = "an event comes out as it was appended";
      const expected = EVENTS.map(wire);
      same((await trial.read({ after: "" })).slice(0, -1).map(wire), expected, `read: ${says}`);
      same(follower.events.slice(0, -1).map(wire), expected, `follow: ${says}`);
    },
  },
  {
    name: "read and follow give an event of 200 kB",
    async test(trial) {
      const follower = await trial.follow();
      const data = 'é€😀\n{"a":1}'.repeat(12_000);
      await trial.append({ data });
      await trial.barrier(follower);
      const [read] = await trial.read({ after: "" });
      same(read?.data, data, "read gives a large event whole");
      same(follower.events[0].data, data, "follow gives a large event whole");
    },
  },
  {
    name: "read and follow give the sender, where there is one",
    async test(trial) {
      const follower = await trial.follow();
      await trial.append({ data: "1" }, { sender: "é 1" });
      await trial.append({ data: "2" });
      await trial.append({ data: "3" }, { sender: "3", idempotencyKey: "key" });
      await trial.barrier(follower);
      const expected = ["é 1", undefined, "3", undefined];
      const read = await trial.read({ after: "" });
      same(read.map(({ sender }) => sender), expected, "read gives the sender");
      same(follower.events.map(({ sender }) => sender), expected, "follow gives the sender");
    },
  },
  {
    name: "read begins after an id, or with the very first event",
    async test(trial) {
      same(await trial.read({ after: "" }), [], "a topic without events has none to read");
      const ids = await trial.fill(10);
      const { epoch } = place(ids[0]);
      for (const after of ["", `${epoch}.0`, ids[0], ids[3], ids[9]]) {
        const expected = ids.slice(ids.indexOf(after) + 1);
        same(await trial.readIds({ after }), expected, `read gives what comes after "${after}"`);
      }
    },
  },
  {
    name: "read ends with the event that until names, or that is the last when it begins",
    async test(trial) {
      const ids = await trial.fill(10);
      const says = "until is the last event to give";
      same(await trial.readIds({ after: "", until: ids[0] }), ids.slice(0, 1), says);
      same(await trial.readIds({ after: ids[3], until: ids[6] }), ids.slice(4, 7), says);
      same(await trial.readIds({ after: ids[3], until: ids[3] }), [], says);
      same(await trial.readIds({ after: "", until: before(ids[0]) }), [], says);
      const reader = trial.reader({ after: "" });
      same((await trial.next(reader)).value?.id, ids[0], "read gives the first event");
      await trial.fill(5);
      const rest = idsIn(await trial.drain(reader));
      same(rest, ids.slice(1), "read ends with the last when it began");
    },
  },
  {
    name: "read ends where its loop is left, and readings do not disturb each other",
    async test(trial) {
      const ids = await trial.fill(5);
      const [one, other, unread] = [1, 2, 3].map(() => trial.reader({ after: "" }));
      same((await trial.next(one)).value?.id, ids[0], "read gives the first event");
      same((await trial.next(other)).value?.id, ids[0], "another reading has its own place");
      for (const left of [one, unread]) {
        await trial.within(Promise.resolve(left.return?.()), "leaving the loop");
        must((await trial.next(left)).done === true, "a loop that is left gives no event", "one");
      }
      same(idsIn(await trial.drain(other)), ids.slice(1), "another reading goes on");
    },
  },
  {
    name: "read rejects with the reason of its signal",
    async test(trial) {
      const ids = await trial.fill(5);
      const reason = new Error("The reader has left");
      const abort = new AbortController();
      const { signal } = abort;
      const [taken, waiting, unread] = [1, 2, 3].map(() => trial.reader({ after: "", signal }));
      same((await trial.next(taken)).value?.id, ids[0], "read gives the first event");
      const pending = kept(trial.outcome(waiting.next()));
      abort.abort(reason);
      const says = "read rejects with the reason of its signal";
      for (const reader of [taken, unread, trial.reader({ after: "", signal })]) {
        const error = await trial.failure(reader.next(), says);
        must(error === reason, says, error);
      }
      const result = await pending;
      if ("error" in result) must(result.error === reason, says, result.error);
    },
  },
  {
    name: "read tells of a gap after an id of another epoch",
    async test(trial) {
      const [first] = await trial.fill(3);
      const epoch = place(first).epoch === "other" ? "another" : "other";
      for (const seq of [0, 2, 3, 4]) {
        const asked = formatEventId({ epoch, seq });
        same(await trial.gap({ after: asked }), { asked, first, reason: "epoch" }, "the gap");
      }
    },
  },
  {
    name: "read tells of a gap after an id that was never given",
    async test(trial) {
      const [first] = await trial.fill(3);
      const { epoch } = place(first);
      const ids = [4, 5, 1_000_000].map((seq) => formatEventId({ epoch, seq }));
      for (const asked of [...ids, ...MALFORMED.map((id) => id.replace("EPOCH", epoch))]) {
        same(await trial.gap({ after: asked }), { asked, first, reason: "unknown" }, "the gap");
      }
      const empty = trial.topicOf("empty");
      const { epoch: now } = place((await trial.follow(empty)).id);
      const next = formatEventId({ epoch: now, seq: 1 });
      const gap = await trial.gap({ after: next }, empty);
      same(gap, { asked: next, first: next, reason: "unknown" }, "the gap where there is no event");
    },
  },
  {
    name: "read tells of a gap after an id whose next event is trimmed",
    maxEvents: 10,
    async test(trial) {
      const ids = await trial.trim();
      for (const asked of ["", before(ids[0]), ids[0]]) {
        const gap = await trial.gap({ after: asked });
        const { seq } = place(gap.first);
        same(gap, { asked, first: ids[seq - 1], reason: "trimmed" }, "the gap");
        const says = "from the first event that the gap names on, all are there";
        same(await trial.readIds({ after: before(gap.first) }), ids.slice(seq - 1), says);
        const { reason } = await trial.gap({ after: ids[seq - 3] ?? "" });
        same(reason, "trimmed", "it is the first event that is there");
      }
    },
  },
  {
    name: "read tells of a gap where events are trimmed while it reads",
    maxEvents: 50,
    async test(trial) {
      const ids = await trial.fill(50);
      const reader = trial.reader({ after: "" });
      const given = [(await trial.next(reader)).value?.id];
      await trial.trim(ids);
      // It may have read ahead, even to its end.
      for (;;) {
        const result = await trial.outcome(reader.next());
        if ("error" in result) {
          const { asked, reason } = gapOf(result.error);
          same([asked, reason], [given.at(-1), "trimmed"], "the gap is after the last event given");
          return;
        }
        if (result.value.done) break;
        given.push(result.value.value.id);
        same(given, ids.slice(0, given.length), "read never leaves a hole");
      }
      same(given, ids.slice(0, 50), "a reading that ends without a gap has given all");
    },
  },
  {
    name: "follow gives each event after its id, in order, once",
    async test(trial) {
      const first = await trial.fill(3);
      const follower = await trial.follow();
      same(follower.id, first[2], "follow resolves with the id of the last event");
      const then = await trial.fill(20);
      const last = await trial.barrier(follower);
      same(follower.ids, [...then, last], "follow gives each event after its id");
    },
  },
  {
    name: "follow on a topic without events resolves with an id before the first",
    async test(trial) {
      const follower = await trial.follow();
      const { epoch, seq } = place(follower.id);
      same(seq, 0, "the id before the first event has the number 0");
      same(await trial.read({ after: follower.id }), [], "nothing is there to be read");
      const ids = [...await trial.fill(2), await trial.barrier(follower)];
      same(ids, idsOf(epoch, 1, 3), "the id is of the epoch of now");
      same(follower.ids, ids, "follow gives each event from the first on");
      same(await trial.readIds({ after: follower.id }), ids, "read gives all after that id");
    },
  },
  {
    name: "follow gives all that follow the same events in the same order",
    async test(trial) {
      const followers = [await trial.follow(), await trial.follow()];
      await Promise.all(Array.from({ length: 50 }, (_, n) => trial.append({ data: `${n}` })));
      followers.push(await trial.follow());
      await Promise.all(Array.from({ length: 50 }, (_, n) => trial.append({ data: `${50 + n}` })));
      await trial.barrier(...followers);
      const read = await trial.read({ after: "" });
      for (const { id, events } of followers) {
        const expected = read.slice(place(id).seq);
        same(
          events.map(({ id, data }) => [id, data]),
          expected.map(({ id, data }) => [id, data]),
          "each follower gets the events in the order of reading",
        );
      }
    },
  },
  {
    name: "follow gives only what can be read",
    async test(trial) {
      const reads: Promise<string[]>[] = [];
      const read = async (id: string) => await trial.readIds({ after: before(id), until: id });
      const follower = await trial.follow(trial.topic, ({ id }) => {
        reads.push(kept(read(id)));
      });
      await Promise.all(Array.from({ length: 10 }, (_, n) => trial.append({ data: `${n}` })));
      await trial.barrier(follower);
      same(
        await Promise.all(reads),
        follower.ids.map((id) => [id]),
        "what follow gives can be read then",
      );
    },
  },
  {
    name: "follow and read join without loss and without repeat while others append",
    async test(trial) {
      const joins: Promise<{ after: string; missed: string[]; follower: Follower }>[] = [];
      const join = async (after: string) => {
        const follower = await trial.follow();
        return { after, missed: await trial.readIds({ after, until: follower.id }), follower };
      };
      const start = (after: string) => void joins.push(kept(join(after)));
      const appends: Promise<string>[] = [];
      for (let n = 0; n < 60; n++) {
        // Before an append in the same turn, while it runs, when it is over, and some turns later.
        if (n % 12 === 0) start("");
        const appended = kept(trial.append({ data: `${n}` }));
        appends.push(appended);
        if (n % 12 === 3) start("");
        if (n % 4 > 1) await appended;
        if (n % 12 === 6) start(await appended);
        if (n % 12 === 8) await new Promise((resolve) => setTimeout(resolve, 1));
        if (n % 12 === 9) start("");
      }
      await Promise.all(appends);
      const joined = await Promise.all(joins);
      await trial.barrier(...joined.map(({ follower }) => follower));
      const all = await trial.readIds({ after: "" });
      for (const { after, missed, follower } of joined) {
        const expected = all.slice(after === "" ? 0 : place(after).seq);
        const ids = [...missed, ...follower.ids];
        same(ids, expected, "reading up to the id of follow and following join");
      }
    },
  },
  {
    name: "follow ends with its signal, and a reader goes on where it was",
    async test(trial) {
      const stays = await trial.follow();
      const leaves = await trial.follow();
      await trial.fill(3);
      const last = await trial.barrier(leaves);
      leaves.stop();
      const missed = await trial.fill(3);
      await trial.barrier(stays);
      same(leaves.ids.at(-1), last, "nothing is called when the signal was aborted");
      const back = await trial.follow();
      const read = await trial.readIds({ after: last, until: back.id });
      same(read.slice(0, 3), missed, "what was missed can be read");
      const next = await trial.barrier(back);
      same(back.ids, [next], "following begins anew");
    },
  },
  {
    name: "follow whose signal was aborted before calls nothing",
    async test(trial) {
      const events: LoggedEvent[] = [];
      const onEvent = (event: LoggedEvent) => void events.push(event);
      const followed = trial.log.follow(trial.topic, { signal: AbortSignal.abort(), onEvent });
      await trial.within(Promise.allSettled([followed]), "follow with an aborted signal");
      const stays = await trial.follow();
      await trial.barrier(stays);
      same(events, [], "nothing is called when the signal was aborted");
    },
  },
  {
    name: "topics are counted, read and followed each alone",
    async test(trial) {
      const topics = NAMES.map((name) => trial.topicOf(name));
      const followers = await Promise.all(topics.map((topic) => trial.follow(topic)));
      for (let n = 1; n <= 3; n++) {
        await Promise.all(topics.map((topic) => trial.append({ data: topic }, {}, topic)));
      }
      for (const [index, topic] of topics.entries()) {
        const follower = followers[index];
        await trial.reach(follower, formatEventId({ epoch: place(follower.id).epoch, seq: 3 }));
        const expected = idsOf(place(follower.id).epoch, 1, 3).map((id) => [id, topic]);
        const read = await trial.read({ after: "" }, topic);
        same(
          read.map(({ id, data }) => [id, data]),
          expected,
          "read gives the events of its topic",
        );
        const followed = follower.events.map(({ id, data }) => [id, data]);
        same(followed, expected, "follow gives the events of its topic");
      }
    },
  },
  {
    name: "topics names those that hold events, and tells of those that are new",
    async test(trial) {
      if (trial.log.topics === undefined) return;
      const [held, fresh, later, followed] = ["held", "fresh", "later", "followed"].map((name) =>
        trial.topicOf(name)
      );
      await trial.append({ data: "1" }, {}, held);
      await trial.follow(followed);
      const told: string[] = [];
      const abort = new AbortController();
      const onTopic = (topic: string) => void told.push(topic);
      const names = await trial.within(
        trial.log.topics({ signal: abort.signal, onTopic }),
        "topics",
      );
      must(names.includes(held), "topics names those that hold events", names);
      must(!names.includes(fresh), "a topic exists from its first event on", names);
      must(!names.includes(followed), "a topic exists from its first event on", names);
      for (const topic of [held, fresh, fresh, followed]) {
        await trial.append({ data: "2" }, {}, topic);
      }
      const isTold = () => told.includes(fresh) && told.includes(followed);
      await trial.until(isTold, "topics tells of those that are new", () => told);
      same(told.filter((name) => name === fresh).length, 1, "it tells of each once");
      must(!told.includes(held), "it tells only of those that are new", told);
      abort.abort();
      await trial.append({ data: "3" }, {}, later);
      await trial.barrier(await trial.follow(later));
      must(!told.includes(later), "nothing is called when the signal was aborted", told);
    },
  },
  {
    name: "close ends what runs, and calls after it reject with TypeError",
    async test(trial) {
      const { log, topic } = trial;
      const ids = await trial.fill(5);
      const reader = trial.reader({ after: "" });
      const given = [(await trial.next(reader)).value?.id];
      const follower = await trial.follow(trial.topicOf("other"));
      const running = [
        kept(trial.outcome(log.append(topic, { data: "last" }))),
        kept(trial.outcome(log.follow(topic, follower))),
      ];
      await trial.close();
      const followed = follower.ids;
      await Promise.all(running);
      for (;;) {
        const result = await trial.outcome(reader.next());
        if ("error" in result) break;
        if (result.value.done) {
          same(given, ids, "a reading that ends without an error has given all");
          break;
        }
        given.push(result.value.value.id);
        same(given, ids.slice(0, given.length), "read never leaves a hole");
      }
      const { signal } = new AbortController();
      const calls: Record<string, () => Promise<unknown> | undefined> = {
        append: () => log.append(topic, { data: "late" }),
        read: () => trial.reader({ after: "" }).next(),
        follow: () => log.follow(topic, { signal, onEvent: () => {} }),
        topics: () => log.topics?.({ signal, onTopic: () => {} }),
      };
      for (const [name, call] of Object.entries(calls)) {
        const promise = call();
        if (promise === undefined) continue;
        const says = `${name} after close rejects with TypeError`;
        const error = await trial.failure(promise, says);
        must(error instanceof TypeError, says, error);
      }
      same(follower.ids, followed, "nothing is called after close");
    },
  },
];
