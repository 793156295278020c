/** One connected reader: what it is sent and when, how much may wait, and that it ends once. */

import FakeTimers from "@sinonjs/fake-timers";
import {
  assert,
  assertEquals,
  AssertionError,
  assertRejects,
  assertStrictEquals,
} from "@std/assert";
import fc from "fast-check";
import { encodeEvent } from "../../encode.ts";
import { SessionClosedError, SlowConsumerError, SseError, TimeoutError } from "../../errors.ts";
import { askedFor, type CloseReason } from "../../server/close_reason.ts";
import type { Outbox, OutboxSettings } from "../../server/outbox.ts";
import { openSession, outboxOf, type Session, type SessionInit } from "../../server/session.ts";
import { within } from "../fault/real_time.ts";
import { property, settle, text, unhandled, utf8 } from "../helpers.ts";

const KEEP_ALIVE = 9_000;

/** Registers a test that runs under a fake clock, and leaves no timer on it. */
function test(title: string, run: (clock: FakeTimers.Clock) => Promise<void> | void): void {
  Deno.test(title, async () => {
    const clock = FakeTimers.install({ toNotFake: ["nextTick", "queueMicrotask"] });
    try {
      const reasons = await unhandled(() =>
        within(
          (async () => await run(clock))(),
          5_000,
          () => "This takes longer than 5 s of real time",
        )
      );
      assertEquals(reasons, [], "unhandled rejections");
      assertEquals(clock.countTimers(), 0, "timers that are left");
    } finally {
      clock.uninstall();
    }
  });
}

/** A session and its reader, who has read nothing yet. */
interface Opened {
  session: Session<string>;
  outbox: Outbox;
  /** What the owner was told. */
  ends: CloseReason[];
  reader: ReadableStreamDefaultReader<Uint8Array>;
}

type Options = Partial<SessionInit<string>> & Partial<OutboxSettings>;

function open(options: Options = {}): Opened {
  const ends: CloseReason[] = [];
  const { maxQueueBytes = 1_048_576, slowConsumer = "disconnect", keepAlive = false } = options;
  const session = openSession<string>({
    settings: { maxQueueBytes, slowConsumer, keepAlive, maxAge: options.maxAge },
    request: undefined,
    lastEventId: "",
    state: "state",
    ids: true,
    onEnd: (_, reason) => void ends.push(reason),
    ...options,
  });
  const outbox = outboxOf(session);
  return { session, outbox, ends, reader: outbox.body.getReader() };
}

/** Reads once; `undefined` at the end. */
async function read({ reader }: Opened): Promise<string | undefined> {
  const { done, value } = await reader.read();
  return done ? undefined : text(value);
}

/** Begins to read, and waits until the session knows: a stream asks a microtask after it was made. */
async function beginToRead(opened: Opened): Promise<{ next: Promise<string | undefined> }> {
  const next = read(opened);
  await settle();
  return { next };
}

/** Reads to the end. */
async function readAll(opened: Opened): Promise<string> {
  let all = "";
  for (let part = await read(opened); part !== undefined; part = await read(opened)) all += part;
  return all;
}

/** What has become of a promise by now. */
async function stateOf(promise: Promise<unknown>): Promise<"pending" | "fulfilled" | "rejected"> {
  let state: "pending" | "fulfilled" | "rejected" = "pending";
  promise.then(() => state = "fulfilled", () => state = "rejected");
  await settle();
  return state;
}

/** A chunk that is an event of so many bytes. */
function eventOf(length: number): { data: string } {
  return { data: "x".repeat(length - "data: \n\n".length) };
}

function isSlow(error: unknown): SlowConsumerError {
  if (error instanceof SlowConsumerError) return error;
  throw new AssertionError(`${error}`);
}

/** Runs something with chance replaced. */
function withRandom<T>(value: number, work: () => T): T {
  const { random } = Math;
  Math.random = () => value;
  try {
    return work();
  } finally {
    Math.random = random;
  }
}

// What is sent

test("Session.send sends events as they are encoded, in their order", async () => {
  const opened = open();
  const { session } = opened;
  const events = [{ data: "a\nb", event: "é", id: "1" }, { data: "" }, { retry: 5, comment: "c" }];
  const first = read(opened);
  for (const event of events) await session.send(event);
  session.close();
  assertEquals(await first, text(encodeEvent(events[0])));
  const rest = events.slice(1).map((event) => text(encodeEvent(event)));
  assertEquals(await readAll(opened), rest.join(""));
});

test("Session.send sends at once what its reader waits for", async () => {
  const opened = open();
  const { next } = await beginToRead(opened);
  opened.session.send({ data: "a" });
  assertEquals(opened.session.queuedBytes, 0);
  assertEquals(await next, "data: a\n\n");
  opened.session.close();
});

test("Session.send answers two reads that wait, one event each", async () => {
  const opened = open();
  const reads = [read(opened), read(opened), read(opened)];
  await settle();
  for (const data of ["a", "b"]) opened.session.send({ data });
  assertEquals(await Promise.all(reads.slice(0, 2)), ["data: a\n\n", "data: b\n\n"]);
  opened.session.close();
  assertEquals(await reads[2], undefined);
});

test("Session.send gathers what waits into one chunk of at most 64 KiB", async () => {
  const opened = open();
  const { session } = opened;
  for (const data of ["a", "b", "c"]) session.send({ data });
  assertEquals(await read(opened), "data: a\n\ndata: b\n\ndata: c\n\n");
  for (let i = 0; i < 3; i++) session.send(eventOf(32_768));
  assertEquals((await read(opened))?.length, 65_536);
  assertEquals((await read(opened))?.length, 32_768);
  for (const length of [32_768, 32_769]) session.send(eventOf(length));
  assertEquals((await read(opened))?.length, 32_768);
  assertEquals((await read(opened))?.length, 32_769);
  session.close();
});

test("Session.comment sends each line as a comment", async () => {
  const opened = open();
  await opened.session.comment("a\r\nb");
  assertEquals(await read(opened), ": a\n: b\n\n");
  opened.session.close();
});

test("Session has what it was opened with, and its state may be changed", async () => {
  const request = new Request("http://sse.example/");
  const opened = open({ request, lastEventId: "7" });
  const { session } = opened;
  assertStrictEquals(session.request, request);
  assertEquals([session.lastEventId, session.state], ["7", "state"]);
  session.state = "other";
  assertEquals(session.state, "other");
  session.close();
  assertEquals(await readAll(opened), "");
});

for (
  const [what, event, error] of [
    ["a line break in event", { event: "a\ndata: forged" }, TypeError],
    ["a line break in id", { id: "a\rdata: forged" }, TypeError],
    ["NUL in id", { id: "a\0" }, TypeError],
    ["data that is no string", JSON.parse('{"data":1}'), TypeError],
    ["an event that is none", JSON.parse("null"), TypeError],
    ["a reconnection time that is none", { retry: -1 }, RangeError],
  ] as const
) {
  test(`Session.send refuses ${what}, sends nothing of it and goes on`, async () => {
    const opened = open();
    const { session } = opened;
    await assertRejects(() => session.send(event), error, "Cannot encode event");
    // Nobody waits for this one.
    session.send(event);
    assertEquals([session.queuedBytes, session.signal.aborted], [0, false]);
    await session.send({ data: "a" });
    assertEquals(await read(opened), "data: a\n\n");
    session.close();
  });
}

test("Session.comment refuses what is no string", async () => {
  const { session } = open();
  await assertRejects(() => session.comment(JSON.parse("1")), TypeError);
  session.comment(JSON.parse("1"));
  assertEquals(session.queuedBytes, 0);
  session.close();
});

test("Session.send refuses an id where the event log gives it", async () => {
  const opened = open({ ids: false });
  const { session } = opened;
  for (const id of ["1", ""]) {
    await assertRejects(() => session.send({ id }), TypeError, '"id" is given by the event log');
  }
  assertEquals(session.queuedBytes, 0);
  await session.send({ data: "a", id: undefined });
  assertEquals(await read(opened), "data: a\n\n");
  session.close();
});

// How much may wait

test("Session.send resolves while up to 64 KiB wait, and then when so few do again", async () => {
  const opened = open();
  const { session } = opened;
  assertEquals(await stateOf(session.send(eventOf(32_768))), "fulfilled");
  assertEquals(await stateOf(session.send(eventOf(32_768))), "fulfilled");
  assertEquals(session.queuedBytes, 65_536);
  const third = session.send(eventOf(100));
  const fourth = session.send(eventOf(65_536));
  assertEquals(await stateOf(third), "pending");
  // 65,636 wait then.
  await read(opened);
  assertEquals([session.queuedBytes, await stateOf(fourth)], [65_636, "pending"]);
  await read(opened);
  assertEquals([session.queuedBytes, await stateOf(third), await stateOf(fourth)], [
    65_536,
    "fulfilled",
    "fulfilled",
  ]);
  await read(opened);
  const fifth = session.send(eventOf(65_537));
  assertEquals([session.queuedBytes, await stateOf(fifth)], [65_537, "pending"]);
  session.close();
});

test("Session.send resolves while no more than maxQueueBytes wait, if those are fewer", async () => {
  const opened = open({ maxQueueBytes: 1_000 });
  const { session } = opened;
  assertEquals(await stateOf(session.send(eventOf(1_000))), "fulfilled");
  const passing = session.send(eventOf(600));
  assertEquals([session.queuedBytes, await stateOf(passing)], [1_600, "pending"]);
  await read(opened);
  assertEquals([session.queuedBytes, await stateOf(passing)], [0, "fulfilled"]);
  session.close();
});

test("Session.send takes one event alone that is larger than maxQueueBytes", async () => {
  for (const first of [undefined, eventOf(10)]) {
    const opened = open({ maxQueueBytes: 100 });
    const { session } = opened;
    if (first !== undefined) await session.send(first);
    const large = session.send(eventOf(5_000));
    assertEquals(await stateOf(large), "pending");
    session.close();
    assertEquals((await readAll(opened)).length, first === undefined ? 5_000 : 5_010);
  }
});

test("Session.send never ends the session of a giver who waits, and loses nothing", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 3_000 }),
      fc.array(fc.integer({ min: 8, max: 4_000 }), { minLength: 1, maxLength: 30, size: "max" }),
      fc.infiniteStream(fc.boolean()),
      async (maxQueueBytes, lengths, chance) => {
        const opened = open({ maxQueueBytes });
        const { session, ends } = opened;
        let sent = 0;
        const giving = (async () => {
          for (const length of lengths) {
            await session.send(eventOf(length));
            sent += length;
          }
          session.close();
        })();
        let received = 0;
        const most = maxQueueBytes + Math.max(...lengths);
        for (const reads of chance) {
          assert(session.queuedBytes <= most, `${session.queuedBytes} wait`);
          if (!reads) await settle();
          else {
            const part = await read(opened);
            if (part === undefined) break;
            received += part.length;
          }
        }
        await giving;
        const all = lengths.reduce((sum, length) => sum + length, 0);
        assertEquals([sent, received], [all, all]);
        assertEquals(ends, [{ reason: "closed", cause: undefined }]);
      },
    ),
    property(0.3),
  );
});

test("Session.queuedBytes is what waits here: exact, and 0 after any end", async () => {
  const ends: ((opened: Opened) => unknown)[] = [
    async (opened) => {
      opened.session.close();
      await readAll(opened);
    },
    ({ reader }) => reader.cancel(),
    ({ outbox }) => outbox.break({ reason: "slow" }),
    ({ session, outbox }) => {
      session.close();
      assertEquals(session.queuedBytes, 18);
      outbox.abandon();
    },
  ];
  for (const end of ends) {
    const opened = open();
    const { session } = opened;
    assertEquals(session.queuedBytes, 0);
    session.send({ data: "a" });
    session.send({ data: "b" });
    assertEquals(session.queuedBytes, 18);
    await end(opened);
    assertEquals(session.queuedBytes, 0);
  }
});

test("A session whose giver does not wait ends as slow beyond maxQueueBytes, once", async () => {
  const opened = open({ maxQueueBytes: 100 });
  const { session, ends } = opened;
  const sent = [60, 60, 10, 10].map((length) => session.send(eventOf(length)));
  const results = await Promise.allSettled(sent);
  const causes = results.map((result) => result.status === "rejected" ? result.reason : undefined);
  const slow = isSlow(causes[2]);
  assertEquals([slow.code, slow.queuedBytes], ["ERR_SSE_SLOW_CONSUMER", 130]);
  assert(slow.message.includes("130 bytes would wait") && slow.message.includes("100 may"));
  const reason = { reason: "slow", cause: slow } as const;
  assertEquals(ends, [reason]);
  assertStrictEquals(ends[0].cause, slow);
  assertEquals(await session.closed, reason);
  // Those that waited by then, and those that come later.
  for (const cause of [causes[0], causes[1], causes[3]]) {
    assert(cause instanceof SessionClosedError);
    assertEquals(cause.cause, reason);
  }
  // What waits is dropped, and the body breaks off.
  assertStrictEquals(await assertRejects(() => read(opened)), slow);
  assertEquals(session.queuedBytes, 0);
});

test("A session whose reader comes in time is not slow, at any number of events", async () => {
  const opened = open({ maxQueueBytes: 100 });
  for (let i = 0; i < 100; i++) {
    for (let j = 0; j < 10; j++) opened.session.send(eventOf(10));
    assertEquals((await read(opened))?.length, 100);
  }
  opened.session.close();
  assertEquals(opened.ends.length, 1);
});

test("Outbox.push tells how many were dropped, and drops nothing that a giver waits for", async () => {
  const opened = open({ maxQueueBytes: 30, slowConsumer: "drop-oldest" });
  const { session, outbox } = opened;
  session.send({ data: "kept" });
  const push = (letter: string) => outbox.push({ bytes: encodeEvent({ data: letter }) });
  assertEquals(push("a"), { dropped: 0 });
  assertEquals(push("b"), { dropped: 0 });
  assertEquals(push("c"), { dropped: 1 });
  session.close();
  // After the end it is ignored.
  assertEquals(push("d"), { dropped: 0 });
  assertEquals(await readAll(opened), "data: kept\n\ndata: b\n\ndata: c\n\n");
});

test("Outbox.push that ends as slow has dropped all that waited", () => {
  const { outbox } = open({ maxQueueBytes: 20 });
  for (let i = 0; i < 2; i++) outbox.push({ bytes: utf8("0123456789").slice() });
  const { dropped, slow } = outbox.push({ bytes: utf8("0").slice() });
  assertEquals([dropped, slow?.queuedBytes, outbox.queuedBytes], [3, 21, 0]);
});

test("Outbox.ready says whether bytes would go out at once", async () => {
  const opened = open();
  const { outbox, session } = opened;
  assertEquals(outbox.ready, false);
  const { next } = await beginToRead(opened);
  assertEquals(outbox.ready, true);
  session.send({ data: "a" });
  assertEquals(outbox.ready, false);
  await next;
  session.close();
});

// Keep-alive

test("keepAlive sends a comment when nothing was sent for so long, and again", async (clock) => {
  const opened = open({ keepAlive: KEEP_ALIVE });
  for (let i = 0; i < 3; i++) {
    const next = read(opened);
    clock.tick(KEEP_ALIVE - 1);
    assertEquals(await stateOf(next), "pending");
    clock.tick(1);
    assertEquals(await next, ": \n\n");
  }
  opened.session.close();
});

test("keepAlive counts from what was sent last, whatever it was", async (clock) => {
  const opened = open({ keepAlive: KEEP_ALIVE });
  for (const part of ["data: a\n\n", ": b\n\n"]) {
    clock.tick(5_000);
    if (part.startsWith(":")) opened.session.comment("b");
    else opened.session.send({ data: "a" });
    assertEquals(await read(opened), part);
  }
  const next = read(opened);
  clock.tick(KEEP_ALIVE - 1);
  assertEquals(await stateOf(next), "pending");
  clock.tick(1);
  assertEquals(await next, ": \n\n");
  opened.session.close();
});

test("keepAlive adds nothing to what waits already, nor to a comment of its own", async (clock) => {
  const opened = open({ keepAlive: KEEP_ALIVE });
  opened.session.send({ data: "a" });
  clock.tick(KEEP_ALIVE);
  assertEquals(opened.session.queuedBytes, 9);
  assertEquals(await read(opened), "data: a\n\n");
  // It begins anew where it looked last.
  clock.tick(KEEP_ALIVE - 1);
  assertEquals(opened.session.queuedBytes, 0);
  clock.tick(1);
  assertEquals(opened.session.queuedBytes, 4);
  clock.tick(10 * KEEP_ALIVE);
  assertEquals(opened.session.queuedBytes, 4);
  opened.session.close();
});

test("keepAlive has one timer, however much is sent", async (clock) => {
  const opened = open({ keepAlive: KEEP_ALIVE, maxAge: 1_000_000 });
  for (let i = 0; i < 100; i++) {
    opened.session.send({ data: "a" });
    clock.tick(100);
    assertEquals(clock.countTimers(), 1);
    await read(opened);
  }
  opened.session.close();
});

for (
  const [what, options] of [
    ["false", { keepAlive: false }],
    ["Infinity", { keepAlive: Infinity, maxAge: Infinity }],
  ] as const
) {
  test(`keepAlive ${what} has no timer`, (clock) => {
    const { session } = open(options);
    assertEquals(clock.countTimers(), 0);
    session.close();
  });
}

test("keepAlive may be longer than any timer", (clock) => {
  const { session } = open({ keepAlive: 3_000_000_000 });
  clock.tick(2_999_999_999);
  assertEquals(session.queuedBytes, 0);
  clock.tick(1);
  assertEquals(session.queuedBytes, 4);
  session.close();
});

test("keepAlive sends what its owner has for an idle reader, else a comment", async (clock) => {
  const opened = open({ keepAlive: KEEP_ALIVE });
  const items = [{ bytes: encodeEvent({ id: "7" }) }];
  opened.outbox.onIdle = () => items.pop();
  for (const expected of ["id: 7\n\n", ": \n\n"]) {
    const next = read(opened);
    clock.tick(KEEP_ALIVE);
    assertEquals(await next, expected);
  }
  opened.session.close();
});

test("keepAlive is none of what a slow reader loses", async (clock) => {
  const opened = open({ keepAlive: KEEP_ALIVE, maxQueueBytes: 20, slowConsumer: "drop-oldest" });
  clock.tick(KEEP_ALIVE);
  const push = (data: string) => opened.outbox.push({ bytes: encodeEvent({ data }) });
  assertEquals([push("a"), push("b"), push("c")], [{ dropped: 0 }, { dropped: 1 }, { dropped: 1 }]);
  opened.session.close();
  assertEquals(await readAll(opened), ": \n\ndata: c\n\n");
});

// Maximum age

for (const [chance, at] of [[0, 80_000], [0.5, 90_000], [0.999_999, 100_000]] as const) {
  test(`maxAge ends the session after 80 to 100 % of it: at chance ${chance}`, async (clock) => {
    const opened = withRandom(chance, () => open({ keepAlive: KEEP_ALIVE, maxAge: 100_000 }));
    const { session, ends } = opened;
    session.send({ data: "a" });
    clock.tick(at - 1);
    assertEquals([ends, clock.countTimers()], [[], 1]);
    clock.tick(1);
    assertEquals([ends, clock.countTimers()], [[{ reason: "max-age" }], 0]);
    // What waits is sent.
    assertEquals(await readAll(opened), "data: a\n\n");
  });
}

test("maxAge ends a session whose reader waits, at once", async (clock) => {
  const opened = withRandom(0, () => open({ maxAge: 1_000 }));
  const { next } = await beginToRead(opened);
  clock.tick(800);
  assertEquals(await next, undefined);
});

test("maxAge is not put off by what is sent", async (clock) => {
  const opened = withRandom(0, () => open({ maxAge: 1_000, keepAlive: 300 }));
  for (let i = 0; i < 8; i++) {
    assertEquals(opened.ends, []);
    opened.session.send({ data: "a" });
    await read(opened);
    clock.tick(100);
  }
  assertEquals(opened.ends, [{ reason: "max-age" }]);
});

test("maxAge may be longer than any timer", (clock) => {
  const { ends, session } = withRandom(0, () => open({ maxAge: 5_000_000_000 }));
  clock.tick(3_999_999_999);
  // Nor does a look in between send a comment.
  assertEquals([ends, session.queuedBytes], [[], 0]);
  clock.tick(1);
  assertEquals(ends, [{ reason: "max-age" }]);
});

// The end

/** The ways in which a session ends, and what it says then. */
const ENDS: [string, (opened: Opened, clock: FakeTimers.Clock) => unknown, CloseReason][] = [
  ["close", ({ session }) => session.close("bye"), { reason: "closed", cause: "bye" }],
  ["cancel of the body", ({ reader }) => reader.cancel("left"), {
    reason: "peer-left",
    cause: "left",
  }],
  ["end", ({ outbox }) => outbox.end({ reason: "ended" }), { reason: "ended" }],
  ["break", ({ outbox }) => outbox.break({ reason: "slow" }), { reason: "slow" }],
  ["maxAge", (_, clock) => clock.tick(1_000), { reason: "max-age" }],
];

const PLACES: Record<string, (opened: Opened) => void> = {
  "nothing waits": () => {},
  "a read waits": ({ reader }) => void reader.read().catch(() => {}),
  "bytes wait": ({ session }) => void session.send({ data: "a" }),
  "a send waits": ({ session }) => void session.send(eventOf(70_000)),
};

for (const [place, prepare] of Object.entries(PLACES)) {
  for (const [first, end, reason] of ENDS) {
    for (
      const [second, again] of [...ENDS, [
        "abandon",
        ({ outbox }: Opened) => outbox.abandon(),
      ]] as const
    ) {
      test(`A session ends once, by ${first}, if ${second} comes then and ${place}`, async (clock) => {
        const opened = withRandom(0, () => open({ maxAge: 1_000, keepAlive: 300 }));
        const { session, ends } = opened;
        prepare(opened);
        await settle();
        const { signal, closed } = session;
        // Whoever cancels a body that has broken off is told so.
        const act = async (work: typeof end) => {
          try {
            await work(opened, clock);
          } catch (error) {
            assert(error instanceof SessionClosedError, `${error}`);
          }
        };
        await act(end);
        assertEquals([ends, signal.aborted, clock.countTimers()], [[reason], true, 0]);
        await act(again);
        await settle();
        assertEquals(ends, [reason]);
        assertEquals(await closed, reason);
        assertStrictEquals(session.signal, signal);
        const { reason: cause } = signal;
        assert(cause instanceof SessionClosedError);
        assertEquals([cause.code, cause.cause], ["ERR_SSE_SESSION_CLOSED", reason]);
        assert(cause.message.includes(`(${reason.reason})`), cause.message);
      });
    }
  }
}

test("A session tells of its end: its owner, then its signal, then closed, then who waits", async () => {
  const order: string[] = [];
  const { session } = open({
    onEnd: (session) => order.push("owner", `aborted ${session.signal.aborted}`),
  });
  const sent = session.send(eventOf(70_000)).catch(() => order.push("send"));
  session.signal.addEventListener("abort", () => order.push("signal"));
  session.closed.then(() => order.push("closed"));
  session.close();
  await sent;
  assertEquals(order, ["owner", "aborted false", "signal", "closed", "send"]);
});

test("A session that is closed by its owner's hook, or sends there, has ended already", async () => {
  const results: unknown[] = [];
  const opened = open({
    onEnd: (session, reason) => {
      results.push(reason);
      session.close("again");
      results.push(session.send({ data: "late" }).catch((error: unknown) => error));
    },
  });
  opened.session.close("first");
  assertEquals(results[0], { reason: "closed", cause: "first" });
  assertEquals(results.length, 2);
  assert(await results[1] instanceof SessionClosedError);
  assertEquals(await readAll(opened), "");
});

test("Session.signal and Session.closed may be asked for after the end", async () => {
  const { session } = open();
  session.close("bye");
  assertEquals(session.signal.aborted, true);
  assert(session.signal.reason instanceof SessionClosedError);
  assertEquals(await session.closed, { reason: "closed", cause: "bye" });
});

test("Session.send after the end rejects with why, and sends nothing", async () => {
  const opened = open();
  const { session } = opened;
  session.send({ data: "a" });
  session.close("bye");
  for (const send of [() => session.send({ data: "b" }), () => session.comment("c")]) {
    const error = await assertRejects(send, SessionClosedError);
    assertEquals(error.cause, { reason: "closed", cause: "bye" });
    assert(error instanceof SseError);
    // Nobody waits for this one.
    send();
  }
  assertEquals(await readAll(opened), "data: a\n\n");
});

test("Session.send that waits for room rejects at the end, though its event is sent", async () => {
  const opened = open();
  const { session } = opened;
  const sent = session.send(eventOf(70_000));
  const failed = assertRejects(() => sent, SessionClosedError);
  assertEquals(await stateOf(sent), "pending");
  session.close();
  await failed;
  assertEquals((await readAll(opened)).length, 70_000);
});

test("Session.close ends a body that is read at once, and another after what waits", async () => {
  const waiting = open();
  const { next } = await beginToRead(waiting);
  waiting.session.close();
  assertEquals(await next, undefined);
  const opened = open();
  opened.session.send({ data: "a" });
  opened.session.close();
  assertEquals(await read(opened), "data: a\n\n");
  assertEquals(await read(opened), undefined);
});

test("Outbox.break drops what waits and breaks the body off", async () => {
  const opened = open();
  opened.session.send({ data: "a" });
  const cause = new SlowConsumerError(2, 1);
  opened.outbox.break({ reason: "slow", cause });
  assertStrictEquals(await assertRejects(() => read(opened)), cause);
});

test("Outbox.abandon drops what is left after the end, and nothing before it", async () => {
  for (const cause of [undefined, "bye", new Error("why")]) {
    const opened = open();
    const { session, outbox } = opened;
    session.send({ data: "a" });
    outbox.abandon();
    assertEquals([session.queuedBytes, outbox.reason], [9, undefined]);
    session.close(cause);
    outbox.abandon();
    assertEquals(session.queuedBytes, 0);
    const error = await assertRejects(() => read(opened));
    // Whoever reads it is given an error in any case.
    if (cause instanceof Error) assertStrictEquals(error, cause);
    else {
      assert(error instanceof SessionClosedError);
      assertEquals(error.cause, { reason: "closed", cause });
    }
    outbox.abandon();
  }
});

for (
  const [how, finish] of [
    ["is read to its end", (opened) => readAll(opened)],
    ["is cancelled", ({ reader }) => reader.cancel()],
    ["is abandoned", ({ outbox }) => outbox.abandon()],
  ] as [string, (opened: Opened) => unknown][]
) {
  test(`Outbox.finished resolves when a body that has ended ${how}`, async () => {
    const opened = open();
    const { outbox, session } = opened;
    const { finished } = outbox;
    session.send({ data: "a" });
    session.close();
    assertEquals(await stateOf(finished), "pending");
    await finish(opened);
    await finished;
    // Also for who asks then.
    await outbox.finished;
  });
}

test("Outbox.finished resolves when the reader of a session leaves, or it is broken off", async () => {
  const left = open();
  const { finished } = left.outbox;
  assertEquals(await stateOf(finished), "pending");
  await left.reader.cancel();
  await finished;
  const broken = open();
  broken.outbox.break({ reason: "slow" });
  await broken.outbox.finished;
});

test("Outbox.room waits for nothing after the end", async () => {
  const { outbox, session } = open({ maxQueueBytes: 10 });
  outbox.push({ bytes: encodeEvent(eventOf(100)) });
  session.close();
  await outbox.room();
});

// Why

for (
  const [what, cause, late] of [
    ["nothing", undefined, false],
    ["null", null, false],
    ["a string", "TimeoutError", false],
    ["an Error", new Error("TimeoutError"), false],
    ["an AbortError", new DOMException("", "AbortError"), false],
    ["a TimeoutError of the platform", new DOMException("", "TimeoutError"), true],
    ["a TimeoutError of ours", new TimeoutError("idle", 1), true],
    ["an object of that name", { name: "TimeoutError" }, true],
  ] as const
) {
  Deno.test(`A session that is ended with ${what} ${late ? "has timed out" : "has not timed out"}`, async () => {
    assertEquals(askedFor("closed", cause), { reason: late ? "timeout" : "closed", cause });
    const closed = open();
    closed.session.close(cause);
    const left = open();
    await left.reader.cancel(cause);
    const reasons = [await closed.session.closed, await left.session.closed];
    assertEquals(reasons.map(({ reason }) => reason), [
      late ? "timeout" : "closed",
      late ? "timeout" : "peer-left",
    ]);
    for (const { cause: told } of reasons) assertStrictEquals(told, cause);
  });
}
