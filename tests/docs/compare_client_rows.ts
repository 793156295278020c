/**
 * What `docs/compare.md` says of clients, shown with the libraries themselves: by a `fetch` that
 * answers what a row needs, and a clock that is moved.
 *
 * @module
 */

import FakeTimers from "@sinonjs/fake-timers";
import { delay } from "../fault/real_time.ts";
import { countedStream, utf8 } from "../helpers.ts";
import { listenDeno } from "../listen.ts";
import type { ClientPeer, Running, Wishes } from "./compare_clients.ts";
import { onPage } from "./compare_parsers.ts";
import { names, type Word, word } from "./compare_table.ts";

/** An answer: what it sends, and how its body goes on. */
interface Answer {
  send?: string;
  end?: "close" | "break" | "stay open";
  status?: number;
  headers?: Record<string, string>;
}

/** A request that came. */
interface Asked {
  at: number;
  method: string;
  headers: Headers;
  body: string;
}

/** Runs a client against answers, one for each request, the last of them again and again. */
async function run<T>(
  { start }: ClientPeer,
  answers: readonly Answer[],
  wishes: Wishes,
  work: (state: { asked: Asked[]; seen: string[]; client: Running; until: Until }) => Promise<T>,
): Promise<T> {
  const clock = FakeTimers.install({
    toFake: ["setTimeout", "clearTimeout", "Date", "performance"],
  });
  const asked: Asked[] = [];
  const seen: string[] = [];
  const fetch: Wishes["fetch"] = async (url, init) => {
    // As `fetch` does, it refuses headers that no request may have.
    const request = new Request(url, { ...init, signal: null });
    const { send = "", end = "close", status = 200, headers } =
      answers[Math.min(asked.length, answers.length - 1)];
    const { method } = request;
    asked.push({ at: clock.now, method, headers: request.headers, body: await request.text() });
    const body = new ReadableStream({
      start(controller) {
        controller.enqueue(utf8(send));
        if (end === "close") controller.close();
      },
      pull(controller) {
        if (end === "break") controller.error(new TypeError("The connection was lost"));
      },
    });
    init?.signal?.addEventListener("abort", () => body.cancel().catch(() => {}));
    return new Response(body, {
      status,
      headers: { "content-type": "text/event-stream", ...headers },
    });
  };
  /** Moves from timer to timer until something is so, or nothing more happens. */
  const until: Until = async (fact, timers = 40) => {
    for (let fired = 0; fired < timers; fired++) {
      for (let turn = 0; turn < 3; turn++) await delay(0);
      if (fact()) return true;
      clock.next();
    }
    return fact();
  };
  return await onPage(async () => {
    const onEvent = async (data: string) => {
      seen.push(data);
      await wishes.onEvent?.(data);
    };
    const client = start({ fetch, ...wishes, onEvent });
    try {
      return await work({ asked, seen, client, until });
    } finally {
      client.close();
      await delay(0);
      clock.uninstall();
    }
  });
}

type Until = (fact: () => boolean, timers?: number) => Promise<boolean>;

const lastId = ({ headers }: Asked) => headers.get("last-event-id");

async function comesBack(peer: ClientPeer, end: "close" | "break"): Promise<Word> {
  const answers: Answer[] = [{ send: "id: 1\ndata: a\n\n", end }, { end: "stay open" }];
  const asksAgain = (wishes: Wishes) =>
    run(peer, answers, wishes, async ({ asked, until }) => {
      return await until(() => asked.length > 1) && lastId(asked[1]) === "1";
    });
  const onEnd = () => {
    throw new TypeError("It was not the end");
  };
  if (await asksAgain({})) return "yes";
  return await asksAgain({ onEnd }) ? "partly" : "no";
}

/** Three events have come, and the second one is not done with. */
async function takenOnly(peer: ClientPeer): Promise<Word> {
  const send = "id: 1\ndata: a\n\nid: 2\ndata: b\n\nid: 3\ndata: c\n\n";
  const answers: Answer[] = [{ send, end: "break" }, { end: "stay open" }];
  const onEvent = (data: string) => data === "b" ? new Promise(() => {}) : undefined;
  return await run(peer, answers, { onEvent }, async ({ asked, seen, client, until }) => {
    await until(() => seen.includes("b"), 1);
    client.lose?.();
    await until(() => asked.length > 1);
    return word(lastId(asked[1]) === "1");
  });
}

async function oneByOne(peer: ClientPeer): Promise<Word> {
  const answers: Answer[] = [{ send: "data: a\n\ndata: b\n\n", end: "stay open" }];
  const onEvent = () => new Promise(() => {});
  return await run(peer, answers, { onEvent }, async ({ seen, until }) => {
    await until(() => seen.length > 1, 2);
    return word(seen.length === 1);
  });
}

async function cutEvent(peer: ClientPeer): Promise<Word> {
  const send = "id: 1\ndata: a\n\nid: 2\ndata: b";
  const answers: Answer[] = [{ send, end: "break" }, { end: "stay open" }];
  return await run(peer, answers, {}, async ({ asked, until }) => {
    return word(await until(() => asked.length > 1) && lastId(asked[1]) === "1");
  });
}

async function anyId(peer: ClientPeer): Promise<Word> {
  const send = "id: 日本\ndata: a\n\n";
  const answers: Answer[] = [{ send, end: "break" }, { end: "stay open" }];
  return await run(peer, answers, {}, async ({ asked, until }) => {
    return word(await until(() => asked.length > 1));
  });
}

async function dropsRepeats(peer: ClientPeer): Promise<Word> {
  const first = "id: 1\ndata: a\n\nid: 2\ndata: b\n\n";
  const answers: Answer[] = [
    { send: first, end: "break" },
    { send: `${first}id: 3\ndata: c\n\n`, end: "stay open" },
  ];
  return await run(peer, answers, {}, async ({ seen, until }) => {
    await until(() => seen.includes("c"));
    return word(seen.join() === "a,b,c");
  });
}

async function posts(peer: ClientPeer): Promise<Word> {
  return await run(peer, [{ end: "stay open" }], { body: "question" }, async ({ asked, until }) => {
    await until(() => asked.length > 0, 2);
    return word(asked[0].method === "POST" && asked[0].body === "question");
  });
}

async function sendsHeaders(peer: ClientPeer): Promise<Word> {
  const headers = { "x-key": "k" };
  return await run(peer, [{ end: "stay open" }], { headers }, async ({ asked, until }) => {
    await until(() => asked.length > 0, 2);
    return word(asked[0].headers.get("x-key") === "k");
  });
}

async function freshHeaders(peer: ClientPeer): Promise<Word> {
  let n = 0;
  const token = () => `${++n}`;
  const answers: Answer[] = [{ end: "break" }, { end: "stay open" }];
  return await run(peer, answers, { token }, async ({ asked, until }) => {
    await until(() => asked.length > 1);
    return word(asked[1].headers.get("x-token") === "2");
  });
}

/** Whether the attempt behind a 401 has what a renewal has changed. */
async function renews(peer: ClientPeer): Promise<Word> {
  let kept = "old";
  const wishes = { token: () => kept, renew: () => void (kept = "fresh") };
  const answers: Answer[] = [{ status: 401 }, { end: "stay open" }];
  return await run(peer, answers, wishes, async ({ asked, until }) => {
    await until(() => asked.length > 1);
    return word(asked[1]?.headers.get("x-token") === "fresh");
  });
}

/** Whether a body that is silent for ever is left. */
async function noticesSilence(peer: ClientPeer): Promise<Word> {
  const answers: Answer[] = [{ send: "data: a\n\n", end: "stay open" }];
  return await run(peer, answers, { silence: 30_000 }, async ({ asked, until }) => {
    return word(await until(() => asked.length > 1));
  });
}

/** Whether a caller can see that a proxy has ended a stream too early, and cleanly. */
async function tellsCuts(peer: ClientPeer): Promise<Word> {
  const ends: string[] = [];
  for (const send of ["data: a\n\ndata: [DONE]\n\n", "data: a\n\n"]) {
    const answers: Answer[] = [{ send, end: "close" }, { end: "stay open" }];
    await run(peer, answers, { done: "[DONE]" }, async ({ asked, client, until }) => {
      await until(() => asked.length > 1, 5);
      ends.push(`${asked.length} ${client.ended?.()}`);
    });
  }
  return word(ends[0] !== ends[1]);
}

async function startsAfter(peer: ClientPeer): Promise<Word> {
  return await run(peer, [{ end: "stay open" }], { lastEventId: "5" }, async (state) => {
    const { asked, until } = state;
    await until(() => asked.length > 0, 2);
    return word(lastId(asked[0]) === "5");
  });
}

/** The waits after the first losses in a row. */
async function waits(
  peer: ClientPeer,
  count: number,
  wishes: Wishes,
  send = "",
): Promise<number[]> {
  return await run(peer, [{ send, end: "break" }], wishes, async ({ asked, until }) => {
    await until(() => asked.length > count);
    return asked.slice(1, count + 1).map(({ at }, i) => at - asked[i].at);
  });
}

async function waitsGrow(peer: ClientPeer): Promise<Word> {
  const grow = (list: number[]) => list.length === 5 && Math.max(...list) > 2 * list[0];
  // Of chance only half, so that they grow for certain.
  const retry = { jitter: 0.5 };
  if (grow(await waits(peer, 5, { retry }))) return "yes";
  let next = 500;
  return grow(await waits(peer, 5, { retry, wait: () => next *= 2 })) ? "partly" : "no";
}

async function givesUp(peer: ClientPeer): Promise<Word> {
  const requests = (wishes: Wishes) =>
    run(peer, [{ end: "break" }], wishes, async ({ asked, until }) => {
      await until(() => asked.length > 9);
      return asked.length;
    });
  if (await requests({ retry: { maxAttempts: 3 } }) === 3) return "yes";
  let left = 3;
  const wait = () => {
    if (--left === 0) throw new TypeError("Enough");
    return 1;
  };
  return await requests({ wait }) === 3 ? "partly" : "no";
}

/** A server that says 0, or more than a timer can wait, is not asked in a storm. */
async function boundsRetry(peer: ClientPeer): Promise<Word> {
  for (const retry of ["0", "4294967296"]) {
    const [first = 0] = await waits(peer, 1, {}, `retry: ${retry}\n\n`);
    // What is over a timer's range fires at once, which a fake clock does as well.
    if (first < 50) return "no";
  }
  return "yes";
}

async function refusesOthers(peer: ClientPeer): Promise<Word> {
  const answers: Answer[] = [
    { send: "data: sorry\n\n", end: "stay open", status: 500 },
    { send: "data: sorry\n\n", end: "stay open", headers: { "content-type": "text/html" } },
  ];
  let read = 0;
  for (const answer of answers) {
    await run(peer, [answer], {}, async ({ seen, until }) => {
      if (await until(() => seen.length > 0, 3)) read++;
    });
  }
  return read === 0 ? "yes" : read === 1 ? "partly" : "no";
}

async function obeysRetryAfter(peer: ClientPeer): Promise<Word> {
  const answers: Answer[] = [
    { status: 503, headers: { "retry-after": "60" } },
    { end: "stay open" },
  ];
  const retry = { statuses: [503] };
  return await run(peer, answers, { retry }, async ({ asked, until }) => {
    return word(await until(() => asked.length > 1) && asked[1].at - asked[0].at >= 60_000);
  });
}

async function backPressure({ start }: ClientPeer): Promise<Word> {
  const { stream, log } = countedStream(
    Array.from({ length: 500 }, (_, n) => new Uint8Array(utf8(`data: ${n}\n\n`))),
    "stay open",
  );
  const headers = { "content-type": "text/event-stream" };
  return await onPage(async () => {
    const client = start({
      fetch: () => Promise.resolve(new Response(stream, { headers })),
      onEvent: () => new Promise(() => {}),
    });
    for (let turn = 0; turn < 5; turn++) await delay(0);
    client.close();
    await delay(0);
    return word(log.pulls < 500);
  });
}

/** Whether a header of the caller's goes to wherever a server sends its clients. */
async function keepsHeaders(peer: ClientPeer): Promise<Word> {
  if (!await leaks(peer, {})) return "yes";
  return await leaks(peer, { redirect: "error" }) ? "no" : "partly";
}

async function leaks({ start }: ClientPeer, wishes: Wishes): Promise<boolean> {
  const answered = Promise.withResolvers<void>();
  let leaked = false;
  await using other = listenDeno((request) => {
    leaked ||= request.headers.has("x-key");
    answered.resolve();
    return new Response(null, { status: 204 });
  });
  const location = `http://127.0.0.1:${other.port}/`;
  await using first = listenDeno(() => Response.redirect(location, 307));
  const asked = async (url: string | URL | Request, init?: RequestInit) => {
    try {
      return await globalThis.fetch(url, init);
    } finally {
      answered.resolve();
    }
  };
  const headers = { "x-key": "secret" };
  return await onPage(async () => {
    const url = `http://127.0.0.1:${first.port}/`;
    const client = start({ ...wishes, url, headers, fetch: asked });
    await answered.promise;
    client.close();
    await delay(0);
    return leaked;
  });
}

/** What shows a row: the word for one library, which is told what the page says of it. */
export type ClientRow = (peer: ClientPeer, said: Word) => Word | Promise<Word>;

/** A row that is about a name in the types; of ours the page names it itself. */
function named(pattern: RegExp): ClientRow {
  return ({ name }, said) => name === "@webstreams/sse" ? said : word(names(name, pattern));
}

export const HOLDING: Record<string, ClientRow> = {
  "comes back after a loss, with the last event ID": (peer) => comesBack(peer, "break"),
  "comes back after a clean end, as the standard has it": (peer) => comesBack(peer, "close"),
  "a cut inside of an event: the event is asked for again": cutEvent,
  "the last event ID is that of what your code has done with": takenOnly,
  "an event comes when the one before is done with": oneByOne,
  "an id of any characters: it still comes back": anyId,
  "what a server sends twice comes once": dropsRepeats,
  "starts after an id that you have kept": startsAfter,
  "keeps the id over restarts by itself": named(/^(store|storage|persist\w*|save)$/i),
  "`POST` and a body": posts,
  "headers": sendsHeaders,
  "headers made afresh for each attempt": freshHeaders,
  "a 401 can renew a token": renews,
  "your headers stay on their origin behind a redirect": keepsHeaders,
  "waits that grow, by chance, to a most": waitsGrow,
  "gives up after so many attempts": givesUp,
  "a server's `retry` makes no storm": boundsRetry,
  "`Retry-After` is waited for": obeysRetryAfter,
  "what is no event stream is not read as one": refusesOthers,
  "a stream that was cut is told from one that is complete": tellsCuts,
  "a peer that has gone silent is noticed": noticesSilence,
  "a slow reader slows the server": backPressure,
  "a loop (`for await`)": named(/^asyncIterator$/),
  "the `EventSource` of the standard": named(/^EventSource$/),
  "closes while the page is hidden": named(/hidden/i),
  "opens again after `close()`": named(/^connect$/),
};
