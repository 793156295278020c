/** Where a stream goes on: the last event ID on the wire, what comes twice, and the store. */

import { assert, assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { connect, type ConnectOptions, type LastEventIdStore } from "../../client.ts";
import { lastEventIdHeader, ReplayFilter } from "../../client/resume.ts";
import { message, raw, settle, utf8 } from "../helpers.ts";
import { POISONED_IDS } from "../fault/hostile.ts";
import type { ReceivedRequest } from "../fault/request.ts";
import { faultServer } from "../fault/server.ts";

/** Connects again at once, but not for ever. */
const AT_ONCE: ConnectOptions = { retry: { initialDelay: 0, maxAttempts: 50 } };

/** The value of `Last-Event-ID` as bytes. */
function idBytes({ headers }: ReceivedRequest): Uint8Array | undefined {
  return headers.find(({ name }) => name.toLowerCase() === "last-event-id")?.bytes;
}

/** A stream of events with these ids. */
function stream(...ids: (string | number)[]): string {
  return ids.map((id) => `id: ${id}\ndata: ${id}\n\n`).join("");
}

async function data(connection: ReturnType<typeof connect>): Promise<string[]> {
  return (await Array.fromAsync(connection)).map(({ data }) => data);
}

// The header

for (
  const [what, id, header] of [
    ["ASCII", "42-a", "42-a"],
    [
      "all that ASCII can print",
      "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~",
      "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~",
    ],
    ["no characters", "", ""],
    ["spaces inside", "a  b", "a  b"],
    ["a tab inside", "a\tb", "a\tb"],
    ["Latin-1", "é", "\xc3\xa9"],
    ["CJK", "日", "\xe6\x97\xa5"],
    ["an emoji", "😀", "\xf0\x9f\x98\x80"],
    ["a no-break space at an edge", "\xa0a\xa0", "\xc2\xa0a\xc2\xa0"],
    ["a C1 control", "\x85", "\xc2\x85"],
    ["a byte order mark", "\ufeff", "\xef\xbb\xbf"],
    ["a non-character", "\uffff", "\xef\xbf\xbf"],
    ["a space before", " a", undefined],
    ["a space after", "a ", undefined],
    ["only a space", " ", undefined],
    ["a tab before", "\ta", undefined],
    ["a tab after", "a\t", undefined],
    ["only a tab", "\t", undefined],
    ["DEL", "a\x7fb", undefined],
    ["a high surrogate alone", "a\ud83d", undefined],
    ["a low surrogate alone", "\ude00a", undefined],
    ["surrogates in the wrong order", "\ude00\ud83d", undefined],
    ...Array.from({ length: 0x20 }, (_, code) => code).filter((code) => code !== 0x09).map((code) =>
      [`U+${code.toString(16).padStart(4, "0")}`, `a${String.fromCharCode(code)}b`, undefined] as [
        string,
        string,
        undefined,
      ]
    ),
  ] as [string, string, string | undefined][]
) {
  const sends = header === undefined ? "refuses an id with" : "makes bytes of UTF-8 of an id with";
  Deno.test(`lastEventIdHeader ${sends} ${what} (T22)`, async () => {
    assertEquals(lastEventIdHeader(id), header);
    if (header === undefined || id === "") return;
    await using server = await faultServer([{ status: 204 }]);
    await fetch(server.url, { headers: { "last-event-id": header } });
    assertEquals(idBytes(server.requests[0]), raw(header));
  });
}

const UNSENDABLE = [
  "U+0001",
  "a vertical tab and a form feed",
  "an escape",
  "U+001F",
  "U+007F",
  "a space before",
  "a space after",
  "tabs around",
  "one space",
];

for (const [name, id] of POISONED_IDS) {
  const sendable = !UNSENDABLE.includes(name);
  const does = sendable ? "sends" : "leaves out";
  Deno.test(`connect ${does} an id with ${name}, and goes on`, async () => {
    await using server = await faultServer([
      { body: `id: ${id}\ndata: a\n\n`, end: "reset" },
      { body: `data: b\n\n` },
      { status: 204 },
    ]);
    const told: unknown[] = [];
    const connection = connect(server.url, {
      ...AT_ONCE,
      // Another place than the one that was lost.
      headers: { "Last-Event-ID": "caller" },
      onState: (state) => {
        if (state.state === "connecting") told.push([state.lastEventId, state.lastEventIdSent]);
      },
    });
    const events = await Array.fromAsync(connection);
    // T16: it is kept, whether it could be sent or not.
    assertEquals(events, [message("a", { id }), message("b", { id })]);
    assertEquals(connection.lastEventId, id);
    const sent = sendable ? utf8(id) : undefined;
    assertEquals(server.requests.map(idBytes), [utf8("caller"), sent, sent]);
    assertEquals(told, [["", true], [id, sendable], [id, sendable]]);
  });
}

Deno.test("connect leaves out a lone surrogate that it was told to start after", async () => {
  await using server = await faultServer([{ status: 204 }]);
  const told: boolean[] = [];
  await connect(server.url, {
    lastEventId: "\ud800",
    onState: (state) => state.state === "connecting" && told.push(state.lastEventIdSent),
  }).next();
  assertEquals([server.requests.map(idBytes), told], [[undefined], [false]]);
});

Deno.test("connect starts after lastEventId, and keeps it where the response names none (T16)", async () => {
  await using server = await faultServer([{ body: "data: a\n\n" }, { status: 204 }]);
  const connection = connect(server.url, { ...AT_ONCE, lastEventId: "é7" });
  assertEquals(connection.lastEventId, "é7");
  assertEquals(await Array.fromAsync(connection), [message("a", { id: "é7" })]);
  assertEquals(server.requests.map(({ lastEventId }) => lastEventId), ["é7", "é7"]);
});

Deno.test("connect sends no Last-Event-ID after an empty id (T15)", async () => {
  await using server = await faultServer([
    { body: "id: 1\ndata: a\n\nid\ndata: b\n\n" },
    { status: 204 },
  ]);
  const connection = connect(server.url, { ...AT_ONCE, lastEventId: "0" });
  assertEquals(await data(connection), ["a", "b"]);
  assertEquals(server.requests.map(({ lastEventId }) => lastEventId), ["0", undefined]);
  assertEquals(connection.lastEventId, "");
});

Deno.test("connect asks for what was read but not taken", async () => {
  await using server = await faultServer([
    { body: stream(1, 2, 3), end: "stall" },
    { body: stream(2, 3, 4), end: "stall" },
  ]);
  const connection = connect(server.url, AT_ONCE);
  assertEquals((await connection.next()).value?.id, "1");
  assertEquals((await connection.next()).value?.id, "2");
  assertEquals(connection.lastEventId, "1");
  connection.reconnect();
  assertEquals((await server.request(1)).lastEventId, "1");
  // Event 2 is taken now, so that it is not given again.
  assertEquals((await connection.next()).value?.id, "3");
  connection.close();
});

Deno.test("connect takes an id from a block without data (T14), not from an unfinished one", async () => {
  await using server = await faultServer([
    { body: "id: 1\ndata: a\n\nid: 2\n\nid: 3\ndata: b\n" },
    { status: 204 },
  ]);
  assertEquals(await data(connect(server.url, AT_ONCE)), ["a"]);
  assertEquals(server.requests[1].lastEventId, "2");
});

Deno.test("connect takes an id from a block without data after a reconnect too (T14)", async () => {
  await using server = await faultServer([
    { body: stream(1, 2) },
    // A replay does not move it back, a new id moves it.
    { body: "id: 1\n\n" },
    { body: "id: 9\n\n" },
    { status: 204 },
  ]);
  assertEquals(await data(connect(server.url, AT_ONCE)), ["1", "2"]);
  assertEquals(server.requests.map(({ lastEventId }) => lastEventId), [undefined, "2", "2", "9"]);
});

// What comes twice

/** What is kept of what is sent after a reconnect; `!` before an id: not named by the response. */
function kept(taken: string[], sent: string[], filter = new ReplayFilter()): string[] {
  filter.take(taken.map((id) => message("same", { id })), taken.length);
  filter.start();
  return sent.filter((id) => {
    const named = !id.startsWith("!");
    return !filter.repeats(message("same", { id: named ? id : id.slice(1) }), named);
  });
}

for (
  const [title, taken, sent, expected] of [
    ["keeps all where nothing was taken", [], ["1", "1", "2"], ["1", "1", "2"]],
    ["keeps what follows", ["1", "2"], ["3", "4"], ["3", "4"]],
    ["drops the last id where a replay includes it", ["1", "2"], ["2", "3"], ["3"]],
    ["drops a replay from some point before", ["1", "2", "3"], ["1", "2", "3", "4"], ["4"]],
    ["drops a replay out of order", ["1", "2", "3"], ["3", "1", "2", "4"], ["4"]],
    ["drops a replay with gaps", ["1", "2", "3"], ["1", "3", "4"], ["4"]],
    ["drops nothing after the first new id", ["1", "2"], ["3", "1", "2"], ["3", "1", "2"]],
    ["drops nothing after an id that was replayed, then a new one", ["1", "2"], ["2", "3", "2"], [
      "3",
      "2",
    ]],
    ["drops as many events of an id as were taken", ["1", "1"], ["1", "1", "1", "1"], ["1", "1"]],
    ["keeps an event past those taken and goes on", ["1", "1", "2"], ["1", "1", "1", "2", "3"], [
      "1",
      "3",
    ]],
    ["keeps events that only inherit the id asked for", ["1", "1"], ["!1", "!1"], ["!1", "!1"]],
    ["keeps inherited ids and then drops named ones", ["1", "2"], ["!2", "2", "3"], ["!2", "3"]],
    ["keeps events without an id", ["", "", "1"], ["", "", ""], ["", "", ""]],
    ["goes on past events without an id", ["1", "2"], ["", "1", "", "2", "3"], ["", "", "3"]],
    ["tells ids apart by each character", ["1", "é"], ["01"], ["01"]],
    ["is not misled by names of Object", ["1"], ["__proto__", "1"], ["__proto__", "1"]],
  ] as [string, string[], string[], string[]][]
) {
  Deno.test(`ReplayFilter ${title}`, () => {
    assertEquals(kept(taken, sent), expected);
  });
}

Deno.test("ReplayFilter remembers the last 1,024 events, taken at once or one by one", () => {
  const ids = Array.from({ length: 1_500 }, (_, i) => `${i}`);
  for (const size of [1, 7, 1_024, 1_025, 1_500]) {
    const filter = new ReplayFilter();
    for (let i = 0; i < ids.length; i += size) {
      const part = ids.slice(i, i + size).map((id) => message("", { id }));
      filter.take(part, part.length);
    }
    const remembered = ids.slice(-1_024);
    assertEquals(kept([], [...remembered, "new"], filter), ["new"], `${size}`);
    // One that is forgotten looks like a new one.
    const forgotten = ids.at(-1_025)!;
    assertEquals(kept([], [forgotten, ...remembered], filter), [forgotten, ...remembered]);
  }
});

Deno.test("ReplayFilter takes only the first of what it is given", () => {
  const filter = new ReplayFilter();
  filter.take(["1", "2", "3"].map((id) => message("", { id })), 2);
  assertEquals(kept([], ["1", "2", "3"], filter), ["3"]);
});

Deno.test("ReplayFilter drops nothing before the first reconnect", () => {
  const filter = new ReplayFilter();
  filter.take([message("", { id: "1" })], 1);
  assertEquals(filter.active, false);
  assertEquals(filter.repeats(message("", { id: "1" }), true), false);
});

Deno.test("ReplayFilter counts anew at each reconnect", () => {
  const filter = new ReplayFilter();
  assertEquals(kept(["1", "2"], ["1", "2"], filter), []);
  assertEquals(filter.active, true);
  assertEquals(kept([], ["1", "2", "3"], filter), ["3"]);
  assertEquals(filter.active, false);
  assertEquals(kept(["3"], ["2", "3", "4"], filter), ["4"]);
});

Deno.test("connect drops what a server replays, and never equal data", async () => {
  const same = (...ids: number[]) => ids.map((id) => `id: ${id}\ndata: same\n\n`).join("");
  await using server = await faultServer([
    { body: same(1, 2, 3), end: "reset" },
    { body: same(3, 4) + "data: same\n\n", end: "reset" },
    { body: same(1, 2, 3, 4, 5), end: "reset" },
    // Inherits id 5: new, whatever it holds.
    { body: "data: same\n\ndata: same\n\n" },
    { status: 204 },
  ]);
  const connection = connect(server.url, AT_ONCE);
  const events = await Array.fromAsync(connection);
  assertEquals(events.map(({ id }) => id), ["1", "2", "3", "4", "4", "5", "5", "5"]);
  assertEquals(new Set(events.map(({ data }) => data)), new Set(["same"]));
  assertEquals(connection.stats.events, 8);
});

Deno.test("connect drops nothing of a first response", async () => {
  await using server = await faultServer([{ body: stream(1, 1, 2, 1) }, { status: 204 }]);
  assertEquals(await data(connect(server.url, AT_ONCE)), ["1", "1", "2", "1"]);
});

Deno.test("connect drops a replay in batches and through a stream", async () => {
  const script = () => [
    { body: stream(1, 2), end: "reset" as const },
    { body: stream(1, 2) },
    { body: stream(2, 3) },
    { status: 204 },
  ];
  await using server = await faultServer(script());
  const batches = await Array.fromAsync(connect(server.url, AT_ONCE).batches());
  assertEquals(batches.map((batch) => batch.map(({ id }) => id)), [["1", "2"], ["3"]]);
  await using other = await faultServer(script());
  const events = await Array.fromAsync(connect(other.url, AT_ONCE).readable);
  assertEquals(events.map(({ id }) => id), ["1", "2", "3"]);
});

Deno.test("connect with dedupe false gives what a server replays", async () => {
  await using server = await faultServer([
    { body: stream(1, 2), end: "reset" },
    { body: stream(2, 3) },
    { status: 204 },
  ]);
  const connection = connect(server.url, { ...AT_ONCE, dedupe: false });
  assertEquals(await data(connection), ["1", "2", "2", "3"]);
});

Deno.test("connect does not repeat the event in hand at reconnect, taken before or after it is open", async () => {
  for (const when of ["before", "after"]) {
    await using server = await faultServer([
      { body: stream(1), end: "stall" },
      "hold",
    ]);
    const opened = Promise.withResolvers<void>();
    let opens = 0;
    const connection = connect(server.url, {
      ...AT_ONCE,
      onState: ({ state }) => state === "open" && ++opens === 2 && opened.resolve(),
    });
    assertEquals((await connection.next()).value?.id, "1");
    connection.reconnect();
    const { reply, lastEventId } = await server.request(1);
    assertEquals(lastEventId, undefined);
    let next = when === "before" ? connection.next() : undefined;
    await reply.head();
    await opened.promise;
    next ??= connection.next();
    await reply.write(": the id does not move back\n\n");
    await reply.write(stream(1, 2));
    assertEquals((await next).value?.id, "2", when);
    connection.close();
  }
});

Deno.test("EventStreamConnection.lastEventId does not move back when a comment comes first", async () => {
  await using server = await faultServer([{ body: stream(1), end: "stall" }, "hold"]);
  const saved: string[] = [];
  const commented = Promise.withResolvers<void>();
  const connection = connect(server.url, {
    ...AT_ONCE,
    store: { load: () => undefined, save: (id) => void saved.push(id) },
    onComment: () => commented.resolve(),
  });
  await connection.next();
  connection.reconnect();
  const next = connection.next();
  assertEquals(connection.lastEventId, "1");
  const { reply } = await server.request(1);
  await reply.write(":\n\n");
  await commented.promise;
  await settle();
  assertEquals([connection.lastEventId, saved], ["1", ["1"]]);
  await reply.write(stream(1, 2));
  assertEquals((await next).value?.id, "2");
  connection.close();
});

// The store

/** A store whose saves end when the test says so. */
function slowStore(id?: string) {
  const saves: { id: string; done(): void; fail(error: unknown): void }[] = [];
  const asked = new Set<() => void>();
  const store: LastEventIdStore = {
    load: () => id,
    save: (id) => {
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      saves.push({ id, done: resolve, fail: reject });
      for (const check of asked) check();
      return promise;
    },
  };
  /** Resolves when that many saves were asked for. */
  const asks = (count: number) =>
    new Promise<void>((resolve) => {
      const check = () => saves.length >= count && resolve();
      asked.add(check);
      check();
    });
  return { store, saves, asks };
}

/** What has happened to a promise. */
async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  let settled = false;
  promise.then(() => settled = true, () => settled = true);
  await settle();
  return settled;
}

for (
  const [loaded, option, expected] of [
    ["7", undefined, "7"],
    ["7", "3", "7"],
    [undefined, "3", "3"],
    [undefined, undefined, undefined],
    ["", "3", undefined],
  ]
) {
  Deno.test(`connect with lastEventId ${option} and ${loaded} loaded starts after ${expected}`, async () => {
    await using server = await faultServer([{ status: 204 }]);
    const saved: string[] = [];
    const connection = connect(server.url, {
      lastEventId: option,
      store: { load: () => Promise.resolve(loaded), save: (id) => void saved.push(id) },
    });
    await connection.next();
    assertEquals(server.requests[0].lastEventId, expected);
    assertEquals(connection.lastEventId, expected ?? "");
    assertEquals(saved, []);
  });
}

Deno.test("connect loads once, before its first request", async () => {
  const log: string[] = [];
  await using server = await faultServer([
    () => {
      log.push("request");
      return { body: "data: a\n\n" };
    },
    () => {
      log.push("request");
      return { status: 204 };
    },
  ]);
  const loaded = Promise.withResolvers<string>();
  const connection = connect(server.url, {
    ...AT_ONCE,
    store: {
      load: () => {
        log.push("load");
        return loaded.promise;
      },
      save: () => {},
    },
  });
  const all = data(connection);
  await settle();
  connection.reconnect();
  await settle();
  assertEquals(log, ["load"]);
  loaded.resolve("5");
  assertEquals(await all, ["a"]);
  assertEquals(log, ["load", "request", "request"]);
  assertEquals(server.requests.map(({ lastEventId }) => lastEventId), ["5", "5"]);
});

Deno.test("connect saves the id of each event that was taken, and of no other", async () => {
  await using server = await faultServer([{ body: stream(1, 2, 3, 4), end: "stall" }]);
  const saved: string[] = [];
  const store = { load: () => undefined, save: (id: string) => void saved.push(id) };
  const connection = connect(server.url, { store });
  const at: string[][] = [];
  for await (const { id } of connection) {
    await settle();
    at.push([...saved]);
    if (id === "3") break;
  }
  await connection.closed;
  // An event is taken when the next one is asked for; those of one chunk are saved together.
  assert(at.every((ids, i) => ids.every((id) => Number(id) <= i)), Deno.inspect(at));
  assertEquals(saved.at(-1), "2");
});

Deno.test("connect saves each id once, whatever comes between", async () => {
  await using server = await faultServer(["hold", { status: 204 }]);
  const saved: string[] = [];
  const store = { load: () => "0", save: (id: string) => void saved.push(id) };
  const connection = connect(server.url, { ...AT_ONCE, store });
  const { reply } = await server.request(0);
  // Without an id, with the same one, without data, with an empty one, and back to the first.
  const blocks = ["data: a", "id: 1\ndata: b", "data: c", "id: 1\ndata: d", "id: 2\n\ndata: e"];
  for (const block of [...blocks, "id\ndata: f", "data: g", "id: 0\ndata: h"]) {
    const next = connection.next();
    await reply.write(`${block}\n\n`);
    await next;
    await settle();
  }
  await reply.finish();
  await connection.next();
  await connection.closed;
  assertEquals(saved, ["1", "2", "", "0"]);
});

Deno.test("connect saves one id at a time, and of those in between only the last", async () => {
  await using server = await faultServer([{ body: stream(1), end: "stall" }, "hold"]);
  const { store, saves, asks } = slowStore();
  const connection = connect(server.url, { store, ...AT_ONCE });
  await connection.next();
  const next = connection.next();
  await asks(1);
  connection.reconnect();
  const { reply, lastEventId } = await server.request(1);
  // The store is behind, the connection is not.
  assertEquals(lastEventId, "1");
  const later = [next, connection.next(), connection.next(), connection.next()];
  for (const id of [2, 3, 4]) await reply.write(stream(id));
  await later[2];
  await settle();
  assertEquals(saves.map(({ id }) => id), ["1"]);
  saves[0].done();
  await asks(2);
  assertEquals(saves.map(({ id }) => id), ["1", "4"]);
  saves[1].done();
  connection.close();
  await connection.closed;
  assertEquals(saves.length, 2);
});

Deno.test("EventStreamConnection.closed resolves after the last save", async () => {
  await using server = await faultServer([{ body: stream(1, 2), end: "stall" }]);
  const { store, saves, asks } = slowStore();
  const connection = connect(server.url, { store });
  await connection.next();
  await connection.next();
  connection.close("enough");
  await asks(1);
  assertEquals(await isSettled(connection.closed), false);
  saves[0].done();
  assertEquals(await connection.closed, { reason: "closed", cause: "enough" });
  assertEquals(saves.map(({ id }) => id), ["1"]);
});

Deno.test("connect ends the iteration after the last save, as closed, where one is pending", async () => {
  await using server = await faultServer(["hold", { status: 204 }]);
  const { store, saves, asks } = slowStore();
  const connection = connect(server.url, { ...AT_ONCE, store });
  const { reply } = await server.request(0);
  await reply.write(stream(1));
  await connection.next();
  const second = connection.next();
  await asks(1);
  await reply.write(stream(2));
  await second;
  await reply.finish();
  const last = connection.next();
  await server.closed(1);
  for (const at of [0, 1]) {
    await asks(at + 1);
    assertEquals([await isSettled(connection.closed), await isSettled(last)], [false, false]);
    saves[at].done();
  }
  assertEquals((await connection.closed).reason, "no-content");
  assertEquals(await last, { done: true, value: undefined });
  assertEquals(saves.map(({ id }) => id), ["1", "2"]);
});

Deno.test("connect ends the iteration after the last save where the end came with the last event", async () => {
  await using server = await faultServer([{ body: `${stream(1)}data: [DONE]\n\n`, end: "stall" }]);
  const { store, saves, asks } = slowStore();
  const connection = connect(server.url, { store, until: ({ data }) => data === "[DONE]" });
  const all = data(connection);
  await asks(1);
  assertEquals(await isSettled(all), false);
  saves[0].done();
  assertEquals(await all, ["1"]);
  assertEquals(await connection.closed, { reason: "ended" });
});

for (
  const [how, load] of [
    ["rejects", () => Promise.reject(new Error("no disk"))],
    ["throws", () => {
      throw new Error("no disk");
    }],
  ] as [string, LastEventIdStore["load"]][]
) {
  Deno.test(`connect fails and sends nothing where load ${how}`, async () => {
    await using server = await faultServer([]);
    const connection = connect(server.url, { store: { load, save: () => {} } });
    const error = await assertRejects(() => connection.next(), Error, "no disk");
    assertStrictEquals(await assertRejects(() => connection.opened), error);
    assertEquals(await connection.closed, { reason: "failed", cause: error });
    assertEquals(server.requests.length, 0);
  });
}

Deno.test("connect fails where load gives what is no id", async () => {
  for (const id of ["a\0b", 7 as unknown as string, null as unknown as string]) {
    const connection = connect("http://127.0.0.1:1/", { store: { load: () => id, save() {} } });
    await assertRejects(() => connection.next(), TypeError);
    assertEquals((await connection.closed).reason, "failed");
  }
});

for (
  const [how, save] of [
    ["rejects", () => Promise.reject(new Error("disk full"))],
    ["throws", () => {
      throw new Error("disk full");
    }],
  ] as [string, LastEventIdStore["save"]][]
) {
  Deno.test(`connect fails where save ${how}, and frees the socket`, async () => {
    await using server = await faultServer([{ body: stream(1), end: "stall" }]);
    let saves = 0;
    const connection = connect(server.url, {
      store: {
        load: () => undefined,
        save: (id) => {
          saves++;
          return save(id);
        },
      },
    });
    await connection.next();
    const error = await assertRejects(() => connection.next(), Error, "disk full");
    assertEquals(await connection.closed, { reason: "failed", cause: error });
    assertEquals(await server.closed(0), "client");
    assertEquals((await connection.next()).done, true);
    assertEquals(saves, 1);
  });
}

Deno.test("EventStreamConnection.closed resolves although the last save rejects", async () => {
  await using server = await faultServer([{ body: stream(1, 2), end: "stall" }]);
  const { store, saves } = slowStore();
  const connection = connect(server.url, { store });
  await connection.next();
  await connection.next();
  connection.close();
  saves[0].fail(new Error("disk full"));
  assertEquals((await connection.closed).reason, "closed");
});

Deno.test("EventStreamConnection.close does not wait for a load", async () => {
  const store = { load: () => new Promise<string>(() => {}), save: () => {} };
  const connection = connect("http://127.0.0.1:1/", { store });
  const next = connection.next();
  await settle();
  connection.close();
  assertEquals(await Promise.race([next, settle()]), { done: true, value: undefined });
  assertEquals(await connection.closed, { reason: "closed", cause: undefined });
});

Deno.test("connect resumes in another process from what the store holds", async () => {
  await using server = await faultServer([
    { body: stream(1, 2, 3), end: "stall" },
    { body: stream(3, 4), end: "stall" },
    { body: stream(5), end: "stall" },
  ]);
  let held: string | undefined;
  const store: LastEventIdStore = {
    load: () => Promise.resolve(held),
    save: (id) => Promise.resolve().then(() => void (held = id)),
  };
  const seen: string[] = [];
  for (const last of ["3", "4", "5"]) {
    await using connection = connect(server.url, { store });
    for await (const { id } of connection) {
      seen.push(id);
      // The process dies with this event in hand, or waits for the next one.
      if (id === last) break;
    }
    await connection.closed;
  }
  assertEquals(server.requests.map(({ lastEventId }) => lastEventId), [undefined, "2", "3"]);
  assertEquals(seen, ["1", "2", "3", "3", "4", "5"]);
});
