/** Peers that keep silent: the three timeouts, what counts for each, and what each of them frees. */

import FakeTimers from "@sinonjs/fake-timers";
import { assert, assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import {
  connect,
  type ConnectionState,
  type ConnectOptions,
  type EventStreamConnection,
} from "../../client.ts";
import { ResponseError, TimeoutError, type TimeoutPhase } from "../../errors.ts";
import { within } from "../fault/real_time.ts";
import { type FaultServer, faultServer } from "../fault/server.ts";
import { message, settle, utf8 } from "../helpers.ts";

const LIMIT = 1_000;
/** The wait to connect again: without chance, and other than the limit. */
const DELAY = 3_000;
const RETRY = { initialDelay: DELAY, jitter: false } as const;

/** Registers a test that runs under a fake clock, and leaves no timer on it. */
function test(title: string, run: (clock: FakeTimers.Clock) => Promise<void>): void {
  Deno.test(title, async () => {
    const clock = FakeTimers.install({ toNotFake: ["nextTick", "queueMicrotask"] });
    try {
      await within(run(clock), 5_000, () => "This takes longer than 5 s of real time");
      await settle();
      assertEquals(clock.countTimers(), 0, "timers that are left");
    } finally {
      clock.uninstall();
    }
  });
}

type StateOf<Name extends ConnectionState["state"]> = Extract<ConnectionState, { state: Name }>;

/** What `onState` was told, to wait for. */
class States {
  readonly all: ConnectionState[] = [];
  #changed = Promise.withResolvers<void>();

  readonly onState = (state: ConnectionState): void => {
    this.all.push(state);
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  };

  of<Name extends ConnectionState["state"]>(name: Name): StateOf<Name>[] {
    return this.all.filter((state): state is StateOf<Name> => state.state === name);
  }

  /** The `n`th of its name, from 0 up, and all that follows from it at once. */
  async nth<Name extends ConnectionState["state"]>(name: Name, n = 0): Promise<StateOf<Name>> {
    while (this.of(name).length <= n) {
      await within(
        this.#changed.promise,
        5_000,
        () => `Only ${JSON.stringify(this.all.map(({ state }) => state))}`,
      );
    }
    await settle();
    return this.of(name)[n];
  }
}

/** A connection whose states are kept. */
function follow(
  url: string,
  options: ConnectOptions,
): { connection: EventStreamConnection; states: States } {
  const states = new States();
  const connection = connect(url, { retry: RETRY, onState: states.onState, ...options });
  return { connection, states };
}

/** Asserts that the `n`th wait to connect again, all in a row, is because of a timeout in `phase`. */
async function assertLate(states: States, phase: TimeoutPhase, n = 0): Promise<void> {
  const { cause, delay, attempt } = await states.nth("retry", n);
  assertTimeout(cause, phase);
  assertEquals([delay, attempt], [DELAY * 2 ** n, n + 1]);
}

function assertTimeout(error: unknown, phase: TimeoutPhase): void {
  if (!(error instanceof TimeoutError)) throw error;
  assertEquals([error.phase, error.code], [phase, "ERR_SSE_TIMEOUT"]);
  assert(error.message.includes(`within ${LIMIT} ms`), error.message);
}

/** A `fetch` of bodies that the test writes, byte by byte and at a time of the clock. */
class Bodies {
  readonly signals: (AbortSignal | null | undefined)[] = [];
  readonly cancelled: number[] = [];
  #controllers: ReadableStreamDefaultController<Uint8Array>[] = [];

  readonly fetch = (_url: unknown, init?: RequestInit): Promise<Response> => {
    const n = this.signals.push(init?.signal) - 1;
    const body = new ReadableStream<Uint8Array>({
      start: (controller) => void (this.#controllers[n] = controller),
      cancel: () => void this.cancelled.push(n),
    });
    const headers = { "content-type": "text/event-stream" };
    return Promise.resolve(new Response(body, { headers }));
  };

  /** Writes to the body that is open last. */
  async write(text: string): Promise<void> {
    this.#controllers.at(-1)!.enqueue(utf8(text));
    await settle();
  }
}

/** A connection to bodies that the test writes, once the first is open. */
async function open(
  options: ConnectOptions,
): Promise<{ connection: EventStreamConnection; states: States; bodies: Bodies }> {
  const bodies = new Bodies();
  const { connection, states } = follow("http://a.example/", { fetch: bodies.fetch, ...options });
  await states.nth("open");
  return { connection, states, bodies };
}

// connectTimeout

test("connectTimeout is over when the headers were withheld for so long", async (clock) => {
  await using server = await faultServer(["hold", { body: "data: a\n\n", end: "stall" }]);
  const { connection, states } = follow(server.url, { connectTimeout: LIMIT, lastEventId: "7" });
  const next = connection.next();
  await server.request(0);
  clock.tick(LIMIT - 1);
  await settle();
  assertEquals(states.of("retry"), []);
  clock.tick(1);
  await assertLate(states, "connect");
  assertEquals(await server.closed(0), "client");
  assertEquals(connection.readyState, "connecting");
  clock.tick(DELAY);
  assertEquals((await server.request(1)).lastEventId, "7");
  assertEquals(await next, { done: false, value: message("a", { id: "7" }) });
  await connection.return();
});

test("connectTimeout is over when half of the headers came", async (clock) => {
  await using server = await faultServer(["hold"]);
  const { connection, states } = follow(server.url, { connectTimeout: LIMIT });
  const { reply } = await server.request(0);
  await reply.raw("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n");
  clock.tick(LIMIT);
  await assertLate(states, "connect");
  assertEquals(await server.closed(0), "client");
  connection.close();
});

test("connectTimeout counts all redirects of an attempt together", async (clock) => {
  await using server = await faultServer(["hold", "hold"]);
  const { connection, states } = follow(server.url, { connectTimeout: LIMIT });
  const { reply } = await server.request(0);
  clock.tick(600);
  await reply.head({ status: 302, headers: { location: "/b" } }, 0);
  await reply.finish();
  await server.request(1);
  clock.tick(399);
  await settle();
  assertEquals(states.of("retry"), []);
  clock.tick(1);
  await assertLate(states, "connect");
  assertEquals(await server.closed(1), "client");
  connection.close();
});

test("connectTimeout begins anew with each attempt", async (clock) => {
  await using server = await faultServer(["hold", "hold", { body: "data: a\n\n", end: "stall" }]);
  const { connection, states } = follow(server.url, { connectTimeout: LIMIT });
  for (const n of [0, 1]) {
    await server.request(n);
    clock.tick(LIMIT - 1);
    await settle();
    assertEquals(states.of("retry").length, n);
    clock.tick(1);
    await assertLate(states, "connect", n);
    clock.tick(DELAY * 2 ** n);
  }
  assertEquals((await connection.next()).value?.data, "a");
  connection.close();
});

test("connectTimeout is no bound on what follows the headers", async (clock) => {
  await using server = await faultServer(["hold"]);
  const { connection, states } = follow(server.url, { connectTimeout: LIMIT });
  const { reply } = await server.request(0);
  clock.tick(LIMIT - 1);
  await reply.head();
  await states.nth("open");
  assertEquals(clock.countTimers(), 0);
  const next = connection.next();
  clock.tick(100 * LIMIT);
  await reply.write("data: a\n\n");
  assertEquals((await next).value?.data, "a");
  assertEquals(states.of("retry"), []);
  connection.close();
});

test("connectTimeout does not wait for a fetch that ignores its signal", async (clock) => {
  const answers: PromiseWithResolvers<Response>[] = [];
  const signals: (AbortSignal | null | undefined)[] = [];
  const fetch: typeof globalThis.fetch = (_url, init) => {
    signals.push(init?.signal);
    answers.push(Promise.withResolvers());
    return answers.at(-1)!.promise;
  };
  const options = { fetch, connectTimeout: LIMIT };
  const { connection, states } = follow("http://a.example/", options);
  await states.nth("connecting");
  clock.tick(LIMIT);
  await assertLate(states, "connect");
  assertTimeout(signals[0]?.reason, "connect");
  clock.tick(DELAY);
  await states.nth("connecting", 1);
  assertEquals(answers.length, 2);
  // Too late: it is let go of, and the attempt that is on its way is not disturbed.
  let cancelled = false;
  const body = new ReadableStream({ cancel: () => void (cancelled = true) });
  answers[0].resolve(new Response(body, { headers: { "content-type": "text/event-stream" } }));
  await settle();
  assertEquals(cancelled, true);
  assertEquals(states.of("open"), []);
  connection.close();
});

for (const name of ["url", "headers", "body", "json"] as const) {
  test(`connectTimeout does not wait for a function of the ${name} that hangs`, async (clock) => {
    const bodies = new Bodies();
    let calls = 0;
    const hangs = () => {
      calls++;
      return new Promise<never>(() => {});
    };
    const states = new States();
    const options: ConnectOptions = {
      fetch: bodies.fetch,
      connectTimeout: LIMIT,
      onState: states.onState,
      retry: RETRY,
      ...(name !== "url" && { [name]: hangs }),
    };
    const connection = connect(name === "url" ? hangs : "http://a.example/", options);
    await settle();
    assertEquals(calls, 1);
    clock.tick(LIMIT);
    await assertLate(states, "connect");
    clock.tick(DELAY);
    await settle();
    assertEquals(calls, 2);
    assertEquals(bodies.signals, []);
    connection.close();
  });
}

test("connectTimeout rejects the iteration and opened where retry is false", async (clock) => {
  await using server = await faultServer(["hold"]);
  const { connection, states } = follow(server.url, { connectTimeout: LIMIT, retry: false });
  const next = connection.next();
  const failed = assertRejects(() => next, TimeoutError);
  await server.request(0);
  clock.tick(LIMIT);
  const error = await failed;
  assertTimeout(error, "connect");
  assertStrictEquals(await assertRejects(() => connection.opened), error);
  assertEquals(await connection.closed, { reason: "failed", cause: error });
  assertEquals(states.of("retry"), []);
  assertEquals(await server.closed(0), "client");
});

// firstEventTimeout

test("firstEventTimeout is over though comments came", async (clock) => {
  await using server = await faultServer([
    "hold",
    { body: "data: a\n\n", end: "stall" },
  ]);
  const { connection, states } = follow(server.url, { firstEventTimeout: LIMIT });
  const next = connection.next();
  const { reply } = await server.request(0);
  await reply.write("id: 5\n\n");
  await states.nth("open");
  for (let n = 0; n < 4; n++) {
    await reply.write(": keep-alive\n");
    await states.nth("comment", n);
    assertEquals(states.of("retry"), []);
    clock.tick(LIMIT / 4);
  }
  await assertLate(states, "first-event");
  assertEquals(await server.closed(0), "client");
  clock.tick(DELAY);
  // What a block without data says is taken too (T14).
  assertEquals((await server.request(1)).lastEventId, "5");
  assertEquals(await next, { done: false, value: message("a", { id: "5" }) });
  connection.close();
});

const NO_EVENTS = [": comment\n", "id: 1\n\n", `retry: ${DELAY}\n\n`, "data: a\n", "\n", "x"];

for (const text of NO_EVENTS) {
  test(`firstEventTimeout takes ${JSON.stringify(text)} for no event`, async (clock) => {
    const { connection, states, bodies } = await open({ firstEventTimeout: LIMIT });
    connection.next().catch(() => {});
    clock.tick(LIMIT - 1);
    await bodies.write(text);
    assertEquals(states.of("retry"), []);
    clock.tick(1);
    await assertLate(states, "first-event");
    assertEquals(bodies.cancelled, [0]);
    connection.close();
  });
}

test("firstEventTimeout is no bound on the second event", async (clock) => {
  const { connection, states, bodies } = await open({ firstEventTimeout: LIMIT });
  const first = connection.next();
  clock.tick(LIMIT - 1);
  await bodies.write("data: a\n\n");
  assertEquals((await first).value?.data, "a");
  assertEquals(clock.countTimers(), 0);
  const second = connection.next();
  clock.tick(100 * LIMIT);
  await settle();
  assertEquals(states.of("retry"), []);
  await bodies.write("data: b\n\n");
  assertEquals((await second).value?.data, "b");
  connection.close();
});

test("firstEventTimeout counts only the time in which somebody waits", async (clock) => {
  const { connection, states, bodies } = await open({ firstEventTimeout: LIMIT });
  // Nobody reads yet.
  clock.tick(10 * LIMIT);
  await settle();
  assertEquals(states.of("retry"), []);
  const next = connection.next();
  clock.tick(LIMIT - 1);
  await settle();
  assertEquals(states.of("retry"), []);
  await bodies.write("data: a\n\n");
  assertEquals((await next).value?.data, "a");
  connection.close();
});

test("firstEventTimeout begins anew with each response", async (clock) => {
  const { connection, states, bodies } = await open({ firstEventTimeout: LIMIT });
  connection.next().catch(() => {});
  clock.tick(LIMIT);
  await assertLate(states, "first-event");
  clock.tick(DELAY);
  await states.nth("open", 1);
  clock.tick(LIMIT - 1);
  await settle();
  assertEquals(states.of("retry").length, 1);
  clock.tick(1);
  await assertLate(states, "first-event", 1);
  assertEquals(bodies.cancelled, [0, 1]);
  connection.close();
});

test("firstEventTimeout rejects the iteration where retry is false", async (clock) => {
  await using server = await faultServer([{ body: ": hi\n", end: "stall" }]);
  const options: ConnectOptions = { firstEventTimeout: LIMIT, retry: false };
  const { connection, states } = follow(server.url, options);
  const next = connection.next();
  const failed = assertRejects(() => next, TimeoutError);
  await states.nth("comment");
  clock.tick(LIMIT);
  const error = await failed;
  assertTimeout(error, "first-event");
  assertEquals((await connection.opened).status, 200);
  assertEquals(await connection.closed, { reason: "failed", cause: error });
  assertEquals(await server.closed(0), "client");
  assertEquals(await connection.next(), { done: true, value: undefined });
});

// idleTimeout

test("idleTimeout is over when the peer stalls, and the next attempt asks for what was not taken", async (clock) => {
  await using server = await faultServer([
    { body: "id: 1\ndata: a\n\nid: 2\ndata: b\n\n", end: "stall" },
    { body: "id: 3\ndata: c\n\n", end: "stall" },
  ]);
  const { connection, states } = follow(server.url, { idleTimeout: LIMIT });
  assertEquals((await connection.next()).value?.data, "a");
  assertEquals((await connection.next()).value?.data, "b");
  const next = connection.next();
  clock.tick(LIMIT - 1);
  await settle();
  assertEquals(states.of("retry"), []);
  clock.tick(1);
  await assertLate(states, "idle");
  assertEquals(await server.closed(0), "client");
  clock.tick(DELAY);
  assertEquals((await server.request(1)).lastEventId, "2");
  assertEquals(await next, { done: false, value: message("c", { id: "3" }) });
  await connection.return();
  assertEquals(await server.closed(1), "client");
});

test("idleTimeout is over when not one byte follows the headers", async (clock) => {
  await using server = await faultServer([{ end: "stall" }]);
  const { connection, states } = follow(server.url, { idleTimeout: LIMIT });
  connection.next().catch(() => {});
  await states.nth("open");
  clock.tick(LIMIT);
  await assertLate(states, "idle");
  assertEquals(await server.closed(0), "client");
  connection.close();
});

const BYTES = [": keep-alive\n", ":", "d", "data: a", "\n", "\r", "id: 1\n\n", "x\n", "\ufeff"];

for (const text of BYTES) {
  test(`idleTimeout begins anew with ${JSON.stringify(text)}`, async (clock) => {
    const { connection, states, bodies } = await open({ idleTimeout: LIMIT });
    connection.next().catch(() => {});
    for (let i = 0; i < 5; i++) {
      clock.tick(LIMIT - 1);
      await bodies.write(text);
    }
    assertEquals(states.of("retry"), []);
    clock.tick(LIMIT - 1);
    await settle();
    assertEquals(states.of("retry"), []);
    clock.tick(1);
    await assertLate(states, "idle");
    // Both: not every body that is cancelled ends its request.
    assertEquals(bodies.cancelled, [0]);
    assertEquals(bodies.signals[0]?.aborted, true);
    connection.close();
  });
}

test("idleTimeout is no bound on events that come in time", async (clock) => {
  const { connection, states, bodies } = await open({ idleTimeout: LIMIT });
  for (let i = 0; i < 5; i++) {
    const next = connection.next();
    clock.tick(LIMIT - 1);
    await bodies.write(`data: ${i}\n\n`);
    assertEquals((await next).value?.data, `${i}`);
  }
  assertEquals(states.of("retry"), []);
  connection.close();
});

test("idleTimeout does not count while nobody reads", async (clock) => {
  const { connection, states, bodies } = await open({ idleTimeout: LIMIT });
  clock.tick(10 * LIMIT);
  await bodies.write("data: a\n\n");
  // The consumer takes its time over each event, while the peer is silent.
  for (const data of ["a", "b", "c"]) {
    const next = connection.next();
    if (data !== "a") {
      clock.tick(LIMIT - 1);
      await bodies.write(`data: ${data}\n\n`);
    }
    assertEquals((await next).value?.data, data);
    clock.tick(10 * LIMIT);
    await settle();
    assertEquals(states.of("retry"), [], data);
  }
  // Now somebody waits, and the peer is silent still.
  connection.next().catch(() => {});
  clock.tick(LIMIT - 1);
  await settle();
  assertEquals(states.of("retry"), []);
  clock.tick(1);
  await assertLate(states, "idle");
  connection.close();
});

test("idleTimeout gives a slow consumer what came meanwhile from a peer that stalls", async (clock) => {
  await using server = await faultServer(["hold"]);
  const { connection, states } = follow(server.url, { idleTimeout: LIMIT });
  const { reply } = await server.request(0);
  await reply.write("data: a\n\n");
  assertEquals((await connection.next()).value?.data, "a");
  await reply.write("data: b\n\n");
  clock.tick(10 * LIMIT);
  assertEquals((await connection.next()).value?.data, "b");
  assertEquals(states.of("retry"), []);
  connection.close();
});

test("idleTimeout rejects the iteration where retry is false", async (clock) => {
  await using server = await faultServer([{ body: "data: a\n\n", end: "stall" }]);
  const { connection } = follow(server.url, { idleTimeout: LIMIT, retry: false });
  assertEquals((await connection.next()).value?.data, "a");
  const next = connection.next();
  const failed = assertRejects(() => next, TimeoutError);
  clock.tick(LIMIT);
  const error = await failed;
  assertTimeout(error, "idle");
  assertEquals(await connection.closed, { reason: "failed", cause: error });
  assertEquals(await server.closed(0), "client");
});

test("A RetryFunction is told of a timeout, and may give up with it", async (clock) => {
  const told: unknown[] = [];
  const { connection } = await open({
    idleTimeout: LIMIT,
    retry: ({ cause }) => {
      told.push(cause);
      return false;
    },
  });
  const next = connection.next();
  const failed = assertRejects(() => next, TimeoutError);
  clock.tick(LIMIT);
  const error = await failed;
  assertEquals(told.length, 1);
  assertStrictEquals(told[0], error);
});

test("The timeouts watch one response together, and the shorter one is told", async (clock) => {
  const { connection, states, bodies } = await open({
    connectTimeout: LIMIT,
    firstEventTimeout: LIMIT,
    idleTimeout: LIMIT - 1,
  });
  connection.next().catch(() => {});
  clock.tick(LIMIT - 2);
  await bodies.write(": a\n");
  clock.tick(2);
  await assertLate(states, "first-event");
  assertEquals(bodies.cancelled, [0]);
  connection.close();
});

// What they cost and free

test("The timeouts start no timer where they are false or left out", async (clock) => {
  for (const value of [undefined, false] as const) {
    const options = { connectTimeout: value, firstEventTimeout: value, idleTimeout: value };
    await using server = await faultServer(["hold"]);
    const { connection, states } = follow(server.url, options);
    const { reply } = await server.request(0);
    assertEquals(clock.countTimers(), 0);
    await reply.head();
    await states.nth("open");
    const next = connection.next();
    await settle();
    assertEquals(clock.countTimers(), 0);
    clock.tick(2 ** 31);
    await reply.write("data: a\n\n");
    assertEquals((await next).value?.data, "a");
    connection.close();
  }
});

test("The timeouts may be longer than any timer", async (clock) => {
  for (const value of [2 ** 31, Infinity]) {
    const options = { connectTimeout: value, firstEventTimeout: value, idleTimeout: value };
    await using server = await faultServer(["hold"]);
    const { connection, states } = follow(server.url, options);
    const { reply } = await server.request(0);
    clock.tick(86_400_000);
    await reply.head();
    await states.nth("open");
    const next = connection.next();
    await settle();
    clock.tick(86_400_000);
    await reply.write("data: a\n\n");
    assertEquals((await next).value?.data, "a");
    assertEquals(states.of("retry"), []);
    connection.close();
  }
});

const ALL: ConnectOptions = {
  connectTimeout: LIMIT,
  firstEventTimeout: LIMIT,
  idleTimeout: LIMIT,
};

/** How a test ends a connection; each ends what is pending. */
const ENDS: Record<string, (connection: EventStreamConnection, abort: AbortController) => unknown> =
  {
    "close": (connection) => connection.close(),
    "return": (connection) => connection.return(),
    "An abort": (_, abort) => abort.abort(),
  };

/** The global `fetch`, and when it has given the first response. */
function tellingFetch(): { fetch: typeof globalThis.fetch; headers: Promise<void> } {
  const { promise, resolve } = Promise.withResolvers<void>();
  const fetch: typeof globalThis.fetch = async (...args) => {
    const response = await globalThis.fetch(...args);
    resolve();
    return response;
  };
  return { fetch, headers: promise };
}

interface Run {
  clock: FakeTimers.Clock;
  server: FaultServer;
  states: States;
  /** The client has the headers. */
  headers: Promise<void>;
}

/** Where it is then; each gives the number of its timers. */
const PLACES: Record<string, (run: Run) => Promise<number>> = {
  "while it connects": async ({ server }) => {
    await server.request(0);
    return 1;
  },
  "while it waits to connect again": async ({ server, states, clock }) => {
    await server.request(0);
    clock.tick(LIMIT);
    await states.nth("retry");
    return 1;
  },
  "while it waits for the first byte": async ({ server, states }) => {
    const { reply } = await server.request(0);
    await reply.head();
    await states.nth("open");
    return 2;
  },
  "while it waits for the next byte": async ({ server, states }) => {
    const { reply } = await server.request(0);
    await reply.write("data: a\n\n: b\n");
    await states.nth("comment");
    return 1;
  },
  "while it waits for the body of a refusal": async ({ server, headers }) => {
    const { reply } = await server.request(0);
    await reply.head({ status: 500 });
    await headers;
    await settle();
    return 1;
  },
};

for (const [name, end] of Object.entries(ENDS)) {
  for (const [place, go] of Object.entries(PLACES)) {
    test(`${name} frees the timers and the socket ${place}`, async (clock) => {
      await using server = await faultServer(["hold"]);
      const abort = new AbortController();
      const { fetch, headers } = tellingFetch();
      const { connection, states } = follow(server.url, {
        ...ALL,
        signal: abort.signal,
        fetch,
      });
      const read = Array.fromAsync(connection).catch(() => {});
      const timers = await go({ clock, server, states, headers });
      assertEquals(clock.countTimers(), timers);
      await end(connection, abort);
      await read;
      await connection.closed;
      await settle();
      assertEquals(clock.countTimers(), 0);
      assertEquals(await server.closed(0), "client");
    });
  }
}

test("A refusal is not waited for longer than 2 s, whatever the body does", async (clock) => {
  await using server = await faultServer(["hold"]);
  const { fetch, headers } = tellingFetch();
  const { connection } = follow(server.url, {
    fetch,
  });
  const next = connection.next();
  const failed = assertRejects(() => next, ResponseError);
  const { reply } = await server.request(0);
  await reply.head({ status: 500 });
  await headers;
  await settle();
  clock.tick(1_999);
  await settle();
  assertEquals(connection.readyState, "connecting");
  clock.tick(1);
  assertEquals((await failed).status, 500);
  assertEquals(await server.closed(0), "client");
});

test("A loop that is left by break frees the timers and the socket", async (clock) => {
  await using server = await faultServer([{ body: "data: a\n\n", end: "stall" }]);
  const { connection } = follow(server.url, ALL);
  for await (const { data } of connection) {
    assertEquals(data, "a");
    break;
  }
  assertEquals(clock.countTimers(), 0);
  assertEquals(await server.closed(0), "client");
});

test("reconnect frees the timer of a wait and the timers of a read", async (clock) => {
  await using server = await faultServer(["hold", "hold", "hold"]);
  const { connection, states } = follow(server.url, ALL);
  connection.next().catch(() => {});
  await server.request(0);
  clock.tick(LIMIT);
  await states.nth("retry");
  connection.reconnect();
  const { reply } = await server.request(1);
  // That of connectTimeout, and no other.
  assertEquals(clock.countTimers(), 1);
  await reply.head();
  await states.nth("open");
  assertEquals(clock.countTimers(), 2);
  connection.reconnect();
  await server.request(2);
  assertEquals(clock.countTimers(), 1);
  assertEquals(await server.closed(1), "client");
  // Neither is late afterwards: only the attempt that is on its way.
  clock.tick(LIMIT);
  const { cause } = await states.nth("retry", 1);
  assertTimeout(cause, "connect");
  connection.close();
});
