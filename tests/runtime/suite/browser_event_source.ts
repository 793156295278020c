/**
 * Our `EventSource` beside that of the browser: on the same stream both must say the same.
 *
 * @module
 */

import type { Harness, Library } from "../harness.ts";
import { within } from "../waiting.ts";

/** How long both may take, in ms. Firefox waits for half a second before it connects again. */
const PATIENCE = 10_000;

/** What both classes have. */
type AnyEventSource = Pick<EventSource, "close" | "readyState" | "url" | "withCredentials"> & {
  addEventListener(type: string, listener: (event: Event) => void): void;
};

/** Makes one. */
type Make = (url: string, init?: { withCredentials?: boolean }) => AnyEventSource;

/** What is to be noted, and until when. */
interface Watch {
  /** Types that the server names. */
  types?: string[];
  /** How many events of the server to wait for. */
  events?: number;
  withCredentials?: boolean;
  /** Told when it is open first, with 0, and of each event of the server, with how many there were. */
  onProgress?(events: number): void;
}

/**
 * What an `EventSource` tells, as one line each, until it has told `events` events of the server or
 * is closed for good.
 */
async function notes(make: Make, url: string, watch: Watch): Promise<string[]> {
  const { types = [], events = Infinity, withCredentials, onProgress } = watch;
  const told: string[] = [];
  const source = make(url, { withCredentials });
  const end = Promise.withResolvers<void>();
  let count = 0;
  const note = (event: Event) => {
    if (count === events) return;
    const { type } = event;
    if (event instanceof MessageEvent) {
      const { data, lastEventId, origin } = event;
      told.push(JSON.stringify({ type, data, lastEventId, origin }));
      count++;
      onProgress?.(count);
      if (count === events) end.resolve();
    } else {
      if (told.length === 0) onProgress?.(0);
      told.push(`${type}, then ${source.readyState}`);
      if (source.readyState === 2) end.resolve();
    }
  };
  for (const type of ["open", "error", "message", ...types]) source.addEventListener(type, note);
  try {
    await within(end.promise, PATIENCE, () => `It has told only ${told.join("; ")}`);
  } finally {
    source.close();
  }
  return told;
}

/** A stream with all that is hard: the events are few, the traps many. */
const HARD = [
  "\uFEFFretry: 20\r\n: a comment\r\n\r",
  "\ndata: after a BOM\n\n",
  "id: 1\nevent: named\ndata:  two spaces\ndata\ndata:3\n\n",
  "event: dropped\n\n",
  "data: with the id of the event before\r\r",
  "DATA: no field\n data: no field\ndata:\u2028 \uFEFF \u{1F600}\n\n",
  "event: open\ndata: not an open\n\n",
  "event\ndata: without a type\nretry: 1x\n\n",
  "id\ndata: resets the id\n\n",
  "id: \u00fc\u4e16\ndata: in UTF-8\n\ndata\n\nid: 9\ndata: unfinished",
];

/** Where Firefox is another: `[data, lastEventId]` as the standard has it, and as Firefox does. */
const DIFFERENT: [title: string, stream: string, standard: string[][], firefox: string[][]][] = [
  [
    "commits an id without data (T11)",
    "id: 1\ndata: a\n\nid: 2\n\ndata: b\n\ndata: c\n\n",
    [["a", "1"], ["b", "2"], ["c", "2"]],
    [["a", "1"], ["b", "1"], ["c", "1"]],
  ],
  [
    "ignores an id with NUL, and no more (T13)",
    "id: 1\ndata: a\n\nid: 2\0\ndata: b\n\ndata: c\n\ndata: d\n\n",
    [["a", "1"], ["b", "1"], ["c", "1"]],
    [["a", "1"], ["c", "1"], ["d", "1"]],
  ],
];

/** Registers the tests. */
export function registerEventSource(library: Library, harness: Harness, hubs: string): void {
  const { test, assert, origin, otherOrigin } = harness;
  const ours: Make = (url, init) => new library.EventSource(url, init);
  const native: Make = (url, init) => new EventSource(url, init);

  /** What both have told, which is the same. */
  async function same(url: string, watch: Watch): Promise<string[]> {
    const [our, its] = await Promise.all([notes(ours, url, watch), notes(native, url, watch)]);
    assert.deepEqual(our, its);
    return our;
  }

  test("EventSource tells of a hard stream what the browser's own does", async () => {
    const url = new URL("/chunks", origin);
    for (const chunk of HARD) url.searchParams.append("chunk", chunk);
    const told = await same(url.href, { types: ["named", "dropped"], events: 9 });
    assert.equal(told.length, 10);
  });

  for (const [title, stream, standard, firefox] of DIFFERENT) {
    test(`EventSource ${title}, though the browser's own may not`, async () => {
      const url = new URL("/chunks?open", origin);
      url.searchParams.append("chunk", stream);
      const events = async (make: Make) => {
        const told = await notes(make, url.href, { events: standard.length });
        return told.slice(1).map((note) => JSON.parse(note))
          .map(({ data, lastEventId }) => [data, lastEventId]);
      };
      assert.deepEqual(await events(ours), standard);
      const its = JSON.stringify(await events(native));
      assert.ok([standard, firefox].some((known) => JSON.stringify(known) === its), its);
    });
  }

  test("EventSource resumes and ends where the browser's own does", async () => {
    const told = await same(`${origin}/numbers?to=5&cut=2&retry=20`, {});
    const ids = told.flatMap((note) => /"lastEventId":"(\d)"/.exec(note)?.[1] ?? []);
    assert.deepEqual(ids, ["1", "2", "3", "4", "5"]);
  });

  for (
    const [title, path] of [
      ["a status", "/answers?answer=404&key="],
      ["a content type", "/answers?answer=200&type=text/plain&key="],
      ["no content", "/answers?answer=204&key="],
    ]
  ) {
    test(`EventSource takes ${title} for a refusal as the browser's own does`, async () => {
      assert.deepEqual(await same(origin + path + crypto.randomUUID(), {}), ["error, then 2"]);
    });
  }

  test("EventSource names the origin after a redirect as the browser's own does", async () => {
    const to = encodeURIComponent(`${otherOrigin}/numbers?to=1`);
    const told = await same(`${origin}/redirect?to=${to}`, { events: 1 });
    assert.ok(told[1].includes(otherOrigin), told[1]);
  });

  for (const withCredentials of [false, true]) {
    test(`EventSource with withCredentials: ${withCredentials} sends the same cookies`, async () => {
      const url = `${otherOrigin}/echo`;
      const cookies = async (make: Make) => {
        const told = await notes(make, url, { events: 1, withCredentials });
        return JSON.parse(JSON.parse(told[1]).data).headers.cookie;
      };
      assert.equal(await cookies(ours), await cookies(native));
      assert.equal(await cookies(ours) !== undefined, withCredentials);
    });
  }

  test("EventSource sends the headers that the browser's own does", async () => {
    const headers = async (make: Make) => {
      const told = await notes(make, `${origin}/echo`, { events: 1 });
      return JSON.parse(JSON.parse(told[1]).data).headers;
    };
    assert.deepEqual(await headers(ours), await headers(native));
  });

  test("a hub that cuts its readers loses no event, for both", async () => {
    const path = `/any/topics/${crypto.randomUUID()}`;
    const wanted = ["0", "1", "2", "3"];
    // Both are so far, at each step.
    const steps = [...wanted, "end"].map(() => ({ ready: 0, both: Promise.withResolvers<void>() }));
    const onProgress = (events: number) => {
      if (++steps[events].ready === 2) steps[events].both.resolve();
    };
    const watch = { events: wanted.length, onProgress };
    const reading = Promise.all([
      notes(ours, hubs + path, watch),
      notes(native, hubs + path, watch),
    ]);
    for (const [step, data] of wanted.entries()) {
      await Promise.race([steps[step].both.promise, reading]);
      // What is published now is for readers that are away, and have a last event ID to come back with.
      if (step === 2) await fetch(`${hubs}/cut`, { method: "POST" });
      await fetch(hubs + path, { method: "POST", body: data });
    }
    for (const told of await reading) {
      const data = told.flatMap((note) => /"data":"(\d+)"/.exec(note)?.[1] ?? []);
      assert.deepEqual(data, wanted);
      assert.equal(told.filter((note) => note.startsWith("open")).length, 2);
    }
  });
}
