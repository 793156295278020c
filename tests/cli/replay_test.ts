/** `sse replay`: the same bytes, at their times, to each reader, from where it was. */

import {
  assert,
  assertEquals,
  assertMatch,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import { once } from "node:events";
import { request as ask } from "node:http";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { connect } from "../../client.ts";
import { entryLines, headerLine, type TimedEntry } from "../../cli/recording.ts";
import { openRecording, type Recording } from "../../cli/recording/read.ts";
import { type Ending, play, type PlayOptions } from "../../cli/replay/play.ts";
import { findStart } from "../../cli/replay/start.ts";
import { concat, text, utf8 } from "../helpers.ts";
import { freePort, listenDeno } from "../listen.ts";
import { programOn } from "./programs.ts";
import { runCli, spawnCli } from "./helpers.ts";
import { listenCli, type ListeningCli } from "./listening.ts";

/** Streams of real models, where they are. */
const RECORDED = fileURLToPath(new URL("../../../shared/data/recorded", import.meta.url));

const HEADER = headerLine(new URL("http://127.0.0.1/events"), new Date(0));

/** One recorded response: chunks with their times, and its end. */
interface Part {
  readonly t?: number;
  readonly asked?: string;
  readonly chunks: readonly (readonly [t: number, text: string])[];
  readonly end?: "ended" | "lost" | "stopped";
}

/** The text of a recording. */
function recordingOf(...parts: readonly Part[]): string {
  const entries = parts.flatMap(({ t = 0, asked = "", chunks, end = "ended" }): TimedEntry[] => {
    const last = chunks.at(-1)?.[0] ?? t;
    const headers = { "content-type": "text/event-stream; charset=utf-8" };
    return [
      { t, open: { status: 200, headers, lastEventId: asked } },
      ...chunks.map(([t, text]) => ({ t, bytes: utf8(text) })),
      { t: last, end },
    ];
  });
  return HEADER + entries.map(entryLines).join("");
}

/** A file that is gone with its test. */
class File implements AsyncDisposable {
  readonly folder: string = Deno.makeTempDirSync();
  readonly path: string = join(this.folder, "recording");

  constructor(contents: string | Uint8Array) {
    Deno.writeFileSync(this.path, typeof contents === "string" ? utf8(contents) : contents);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.folder, { recursive: true });
  }
}

/** What one reader gets, and when, by a clock that never waits. */
async function playAll(
  contents: string | Uint8Array,
  options: Partial<PlayOptions> & { id?: string; most?: number } = {},
): Promise<{ text: string; times: [number, string][]; ending: Ending | undefined }> {
  await using file = new File(contents);
  const recording = await openRecording(file.path);
  const start = await findStart(recording, options.id ?? "") ?? { part: 0, skip: 0 };
  let now = 0;
  const pieces = play(recording, start, {
    speed: 1,
    interval: 0,
    loop: false,
    join: false,
    signal: new AbortController().signal,
    clock: {
      now: () => now,
      sleep(ms) {
        now += ms;
        return Promise.resolve();
      },
    },
    ...options,
  });
  const chunks: Uint8Array[] = [];
  const times: [number, string][] = [];
  for (let i = 0; i < (options.most ?? 1_000); i++) {
    const { done, value } = await pieces.next();
    if (done) return { text: text(concat(...chunks)), times, ending: value };
    chunks.push(value);
    times.push([now, text(value)]);
  }
  await pieces.return({ lost: false, last: false });
  return { text: text(concat(...chunks)), times, ending: undefined };
}

const TIMED = recordingOf({
  t: 10,
  chunks: [[60, "data: a\n\nda"], [110, "ta: b\n\n"], [1_110, "data: c\n\n"]],
});

Deno.test("play gives each chunk as long after the start as it came", async () => {
  const { times, ending } = await playAll(TIMED);
  assertEquals(times, [[50, "data: a\n\nda"], [100, "ta: b\n\n"], [1_100, "data: c\n\n"]]);
  assertEquals(ending, { lost: false, last: true });
});

Deno.test("play goes at its speed, and at any speed with none", async () => {
  const at = async (speed: number) => (await playAll(TIMED, { speed })).times.map(([t]) => t);
  assertEquals(await at(2), [25, 50, 550]);
  assertEquals(await at(0.5), [100, 200, 2_200]);
  assertEquals(await at(Infinity), [0, 0, 0]);
});

Deno.test("play catches up with what a slow reader has missed", async () => {
  let now = 0;
  const clock = {
    now: () => now,
    sleep: (ms: number) => Promise.resolve(void (now += ms)),
  };
  await using file = new File(TIMED);
  const recording = await openRecording(file.path);
  const signal = new AbortController().signal;
  const options = { speed: 1, interval: 0, loop: false, join: false, signal, clock };
  const pieces = play(recording, { part: 0, skip: 0 }, options);
  await pieces.next();
  // The reader takes its time.
  now = 900;
  await pieces.next();
  assertEquals(now, 900);
  await pieces.next();
  assertEquals(now, 1_100);
  await pieces.return({ lost: false, last: false });
});

Deno.test("play waits --interval between the blocks of a file without times", async () => {
  const { times, text } = await playAll("data: a\n\ndata: b\r\n\r\n: c\n\ndata: half", {
    interval: 20,
  });
  assertEquals(
    times,
    [
      [0, "data: a\n\n"],
      [20, "data: b\r\n\r\n"],
      [40, ": c\n"],
      [60, "\n"],
      [60, "data: half"],
    ].map(([t, piece]) => [t, piece]),
  );
  assertEquals(text, "data: a\n\ndata: b\r\n\r\n: c\n\ndata: half");
});

const IDS = recordingOf({
  chunks: [
    [0, "id: 1\ndata: a\n\nid: 2\r\nda"],
    [500, "ta: b\r\n\r\ndata: still 2\n\n"],
    [900, "id: é 3\ndata: c\n\nda"],
  ],
});

Deno.test("findStart begins behind the event with the last event ID, also within a chunk", async () => {
  const after = async (id: string) => (await playAll(IDS, { id })).times;
  assertEquals(await after("1"), [
    [0, "id: 2\r\nda"],
    [500, "ta: b\r\n\r\ndata: still 2\n\n"],
    [900, "id: é 3\ndata: c\n\nda"],
  ]);
  assertEquals(await after("2"), [[0, "data: still 2\n\n"], [400, "id: é 3\ndata: c\n\nda"]]);
});

Deno.test("findStart tells what follows an id, and whether it is there", async () => {
  await using file = new File(IDS);
  const recording = await openRecording(file.path);
  const how = async (id: string) => (await findStart(recording, id))?.how;
  assertEquals(await how(""), "beginning");
  assertEquals(await how("2"), "after");
  assertEquals(await how("é 3"), "done", "the half of an event is nothing to come back for");
  assertEquals(await how("9"), "unknown");
});

Deno.test("play goes on behind an id as findStart has found it, at every cut of the bytes", async () => {
  const stream =
    "\ufeffid: 1\r\ndata: a\r\n\r\nid: 2\rdata: b\r\r: hi\n\nid\ndata: c\n\nid: 4\ndata: d\n\n";
  const rest = stream.slice(stream.indexOf(": hi"));
  for (let cut = 1; cut < stream.length; cut++) {
    const chunks = [[0, stream.slice(0, cut)], [1, stream.slice(cut)]] as const;
    const contents = recordingOf({ chunks });
    // An LF that belongs to the line end before is a blank line more, and means nothing.
    assertEquals((await playAll(contents, { id: "2" })).text, rest, `cut at ${cut}`);
    const first = await playAll(contents, { id: "1" });
    assertEquals(first.text.replace(/^\n/, ""), stream.slice(stream.indexOf("id: 2")));
  }
});

/** Three connections: one that was lost within an event, one that ended, and the last. */
const PARTS = recordingOf(
  { chunks: [[10, "id: 1\ndata: a\n\ndata: ha"]], end: "lost" },
  { t: 1_000, asked: "1", chunks: [[1_010, "\ufeffid: 2\ndata: b\n\n"]] },
  { t: 2_000, asked: "2", chunks: [[2_010, "id: 3\ndata: c\n\n"], [2_020, "data: end"]] },
);

Deno.test("play ends a response where it ended, and the next one is for who asks with its id", async () => {
  const first = await playAll(PARTS);
  assertEquals([first.text, first.ending], ["id: 1\ndata: a\n\ndata: ha", {
    lost: true,
    last: false,
  }]);
  const second = await playAll(PARTS, { id: "1" });
  assertEquals(second.times, [[10, "\ufeffid: 2\ndata: b\n\n"]]);
  assertEquals(second.ending, { lost: false, last: false });
  const third = await playAll(PARTS, { id: "2" });
  assertEquals([third.text, third.ending], ["id: 3\ndata: c\n\ndata: end", {
    lost: false,
    last: true,
  }]);
});

Deno.test("findStart takes the last response that was asked for with an id", async () => {
  const contents = recordingOf(
    { chunks: [[0, "id: 1\ndata: a\n\n"]], end: "lost" },
    { asked: "1", chunks: [[5, ": nothing\n\n"]], end: "lost" },
    { asked: "1", chunks: [[9, "id: 2\ndata: b\n\n"]] },
  );
  assertEquals((await playAll(contents, { id: "1" })).text, "id: 2\ndata: b\n\n");
});

Deno.test("findStart goes on with the next response where nothing whole is left of one", async () => {
  const first: Part = { chunks: [[0, "id: 1\ndata: a\n\ndata: ha"]], end: "lost" };
  const next = recordingOf(first, { chunks: [[9, "id: 2\ndata: b\n\n"]] });
  assertEquals((await playAll(next, { id: "1" })).text, "id: 2\ndata: b\n\n");
  // What the server has answered to this id was nothing.
  const more: Part = { chunks: [[0, "id: 1\ndata: a\n\ndata: b\n\n"]], end: "lost" };
  await using file = new File(recordingOf(more, { asked: "1", chunks: [] }));
  assertEquals((await findStart(await openRecording(file.path), "1"))?.how, "done");
});

Deno.test("play --join puts the responses in one, without halves of events and a second BOM", async () => {
  const { times, text, ending } = await playAll(PARTS, { join: true });
  assertEquals(text, "id: 1\ndata: a\n\nid: 2\ndata: b\n\nid: 3\ndata: c\n\ndata: end");
  assertEquals(times.map(([t]) => t), [10, 1_010, 2_010, 2_020]);
  assertEquals(ending, { lost: false, last: true });
  const resumed = await playAll(PARTS, { join: true, id: "1" });
  assertEquals(resumed.text, "\ufeffid: 2\ndata: b\n\nid: 3\ndata: c\n\ndata: end");
});

Deno.test("play --loop begins anew in the same response, without the half of an event", async () => {
  const contents = recordingOf({ chunks: [[0, "\ufeffdata: a\n"], [100, "\ndata: ha"]] });
  const { text, times } = await playAll(contents, { loop: true, most: 3 });
  assertEquals(text, "\ufeffdata: a\n\ndata: a\n\ndata: a\n\n");
  assertEquals(times.map(([t]) => t), [100, 200, 300]);
  // Who has had all begins anew, too.
  const again = await playAll(recordingOf({ chunks: [[5, "id: 1\ndata: a\n\n"]] }), {
    loop: true,
    id: "1",
    most: 2,
  });
  assertEquals(again.text, "id: 1\ndata: a\n\n".repeat(2));
  const raw = await playAll("data: a\n\n", { loop: true, most: 3 });
  assertEquals(raw.text, "data: a\n\n".repeat(3));
});

Deno.test("play plays what is there of a recording that breaks off, and says so", async () => {
  let cut = 0;
  const whole = TIMED.slice(0, TIMED.indexOf('{"t":1110'));
  const { text, ending } = await playAll(`${whole}{"t":11`, { onCut: () => cut++ });
  assertEquals([text, ending, cut], ["data: a\n\ndata: b\n\n", { lost: false, last: true }, 1]);
});

Deno.test("play ends when it is told to, also while it waits, and lets go of the file", async () => {
  await using file = new File(TIMED);
  const recording = await openRecording(file.path);
  const stop = new AbortController();
  const asleep = Promise.withResolvers<void>();
  const pieces = play(recording, { part: 0, skip: 0 }, {
    speed: 1,
    interval: 0,
    loop: true,
    join: false,
    signal: stop.signal,
    clock: {
      now: () => 0,
      sleep(_ms, signal) {
        asleep.resolve();
        return new Promise((resolve) => signal.addEventListener("abort", () => resolve()));
      },
    },
  });
  const next = pieces.next();
  await asleep.promise;
  stop.abort();
  assertEquals((await next).done, true);
});

function replay(path: string, args: readonly string[] = []): Promise<ListeningCli> {
  return listenCli(["replay", path, "--port", "0", ...args]);
}

/** All that a URL gives, by GET unless told otherwise. */
async function bytesOf(url: string, init?: RequestInit): Promise<Uint8Array> {
  const response = await fetch(url, init);
  return await response.bytes();
}

Deno.test("replay serves a recording byte for byte to any path and method, with its headers", async () => {
  await using file = new File(IDS);
  await using server = await replay(file.path, ["--speed", "max"]);
  const { stderr } = server.running;
  await stderr.held(
    /as fast as it is read, recorded 1970-\S+ from http:\/\/127.0.0.1\/events; Ctrl-C/,
  );
  const response = await fetch(`${server.url}v1/chat?x=1`, { method: "POST", body: "{}" });
  assertEquals(response.headers.get("content-type"), "text/event-stream; charset=utf-8");
  assertEquals(response.headers.get("cache-control"), "no-cache, no-transform");
  const all = "id: 1\ndata: a\n\nid: 2\r\ndata: b\r\n\r\ndata: still 2\n\nid: é 3\ndata: c\n\nda";
  assertEquals(await response.text(), all);
  const head = await fetch(server.url, { method: "HEAD" });
  assertEquals([head.status, await head.text()], [200, ""]);
  await stderr.held("reader 1: had all");
});

Deno.test("replay plays with the original timing", async () => {
  await using file = new File(TIMED);
  await using server = await replay(file.path, ["--speed", "10"]);
  const began = performance.now();
  assertEquals(text(await bytesOf(server.url)), "data: a\n\ndata: b\n\ndata: c\n\n");
  const elapsed = performance.now() - began;
  // 1,100 ms were recorded. A machine that is busy may take longer, but never less.
  assert(elapsed >= 100, `${elapsed}`);
  await server.running.said("10 times as fast as it was");
});

Deno.test("replay serves several readers at once, each from its own start", async () => {
  const chunks = Array.from({ length: 20 }, (_, i) => [i * 5, `data: ${i}\n\n`] as const);
  await using file = new File(recordingOf({ chunks }));
  await using server = await replay(file.path);
  const all = chunks.map(([, chunk]) => chunk).join("");
  const early = Array.from({ length: 4 }, () => bytesOf(server.url));
  await server.running.said("reader 4: from the start");
  const late = bytesOf(server.url);
  for (const bytes of await Promise.all([...early, late])) assertEquals(text(bytes), all);
});

Deno.test("replay resumes by Last-Event-ID, and answers 204 to who has had all", async () => {
  await using file = new File(IDS);
  await using server = await replay(file.path, ["--speed", "max"]);
  // As Node and browsers send it: UTF-8, one character a byte.
  const after = (id: string) => {
    const value = String.fromCharCode(...utf8(id));
    return fetch(server.url, { headers: { "last-event-id": value } });
  };
  const resumed = await after("2");
  assertEquals(await resumed.text(), "data: still 2\n\nid: é 3\ndata: c\n\nda");
  const done = await after("é 3");
  assertEquals([done.status, await done.text()], [204, ""]);
  const unknown = await after("none");
  assertStringIncludes(await unknown.text(), "id: 1\ndata: a\n\n");
  await server.running.said('after id "none", which is not in the recording: from the start');
});

Deno.test("a client of replay sees what the one that was recorded saw, losses included", async () => {
  await using file = new File(`${PARTS}`);
  await using server = await replay(file.path, ["--speed", "max"]);
  const states: string[] = [];
  const connection = connect(server.url, {
    retry: { initialDelay: 1, maxAttempts: 5 },
    onState: ({ state }) => states.push(state),
  });
  const seen: string[] = [];
  for await (const { id, data } of connection) seen.push(`${id}: ${data}`);
  assertEquals(seen, ["1: a", "2: b", "3: c"]);
  // The fourth request is answered 204.
  assertEquals(
    states.filter((state) => state !== "comment").join(" "),
    "connecting open retry connecting open retry connecting open retry connecting closed",
  );
  await server.running.said("was cut as the recording was");
});

Deno.test("replay --once ends after one reader, that has had all or has left", async () => {
  await using file = new File(TIMED);
  for (const leave of [false, true]) {
    await using server = await replay(file.path, ["--once", "--speed", leave ? "0.01" : "max"]);
    if (leave) {
      const stop = new AbortController();
      const response = await fetch(server.url, { signal: stop.signal });
      stop.abort();
      await response.text().catch(() => {});
    } else await bytesOf(server.url);
    const { code, stderr } = await server.running.result;
    assertEquals(code, 0);
    assertStringIncludes(stderr, leave ? "reader 1: left" : "reader 1: had all");
  }
});

Deno.test("replay --once stays for a reader that the recording has cut", async () => {
  await using file = new File(PARTS);
  await using server = await replay(file.path, ["--once", "--speed", "max"]);
  const connection = connect(server.url, { retry: { initialDelay: 1, maxAttempts: 5 } });
  const seen: string[] = [];
  for await (const { data } of connection) {
    seen.push(data);
    if (data === "c") break;
  }
  assertEquals(seen, ["a", "b", "c"]);
  assertEquals((await server.running.result).code, 0);
});

Deno.test("replay lets pages of other origins in by --cors only, and other names by --allow-host", async () => {
  await using file = new File(IDS);
  const origin = "https://app.example";
  await using closed = await replay(file.path, ["--speed", "max"]);
  const refused = await fetch(closed.url, { headers: { origin } });
  assertEquals(refused.status, 403);
  await refused.text();
  // What a page sees whose own name suddenly means this machine.
  const { port } = new URL(closed.url);
  const rebound = ask({ port, host: "127.0.0.1", headers: { host: "evil.example" } }).end();
  const [answer] = await once(rebound, "response");
  assertEquals(answer.statusCode, 421);
  answer.resume();
  await once(answer, "close");

  await using open = await replay(file.path, ["--speed", "max", "--cors", origin]);
  const allowed = await fetch(open.url, { headers: { origin } });
  assertEquals(allowed.headers.get("access-control-allow-origin"), origin);
  await allowed.text();
  const preflight = await fetch(open.url, {
    method: "OPTIONS",
    headers: {
      origin,
      "access-control-request-method": "GET",
      "access-control-request-headers": "last-event-id",
    },
  });
  assertEquals(preflight.status, 204);
  assertMatch(preflight.headers.get("access-control-allow-headers") ?? "", /Last-Event-ID/);
});

Deno.test("replay ends its readers cleanly at Ctrl-C", async () => {
  const chunks = [[0, "data: a\n\n"], [3_600_000, "data: late\n\n"]] as const;
  await using file = new File(recordingOf({ chunks }));
  const server = await replay(file.path);
  const { body } = await fetch(server.url);
  const reader = body?.getReader();
  assertEquals(text((await reader?.read())?.value ?? new Uint8Array()), "data: a\n\n");
  const rest = reader?.read();
  const { code, stderr } = await server.stop();
  assertEquals([code, (await rest)?.done], [0, true]);
  assertStringIncludes(stderr, "reader 1: ended by us");
});

Deno.test("replay reads no faster than its reader does, and holds little of a large file", async () => {
  await using file = new File("");
  // Holes: it takes no place on the disk.
  await Deno.truncate(file.path, 1 << 30);
  await using server = await replay(file.path, ["--once"]);
  const before = Deno.memoryUsage().rss;
  const reading = ask(server.url).end();
  const [answer] = await once(reading, "response");
  let bytes = 0;
  for await (const chunk of answer) {
    bytes += chunk.length;
    if (bytes > 40_000_000) break;
  }
  reading.destroy();
  const { stderr } = await server.running.result;
  const [, sent] = /reader 1: left, ([\d.]+) MB/.exec(stderr) ?? [];
  // What sockets and their buffers hold comes on top of what was read.
  assert(Number(sent) < 80, stderr);
  const grown = (Deno.memoryUsage().rss - before) / 1_000_000;
  assert(grown < 300, `${grown} MB`);
});

Deno.test("replay plays all that is there of a recording that breaks off, or is broken", async () => {
  const whole = TIMED.slice(0, TIMED.indexOf('{"t":1110'));
  await using cut = new File(`${whole}{"t":11`);
  await using server = await replay(cut.path, ["--speed", "max"]);
  assertEquals(text(await bytesOf(server.url)), "data: a\n\ndata: b\n\n");
  assertEquals(text(await bytesOf(server.url)), "data: a\n\ndata: b\n\n");
  const { stderr } = await server.stop();
  assertEquals(stderr.split("the recording breaks off, as after a crash").length, 2, "said once");

  await using broken = new File(`${whole}no JSON\n`);
  await using other = await replay(broken.path, ["--speed", "max"]);
  for (let i = 1; i <= 2; i++) {
    // A reader must not take what it has for the whole.
    await assertRejects(() => bytesOf(other.url));
    await other.running.said(`reader ${i}: failed`);
  }
  await other.running.said(`Cannot replay ${broken.path}: line 5 is none of a recording`);
});

Deno.test("replay refuses a last event ID that is garbage", async () => {
  await using file = new File(IDS);
  await using server = await replay(file.path, ["--speed", "max"]);
  const response = await fetch(server.url, { headers: { "last-event-id": "\xff" } });
  assertEquals(response.status, 400);
  await response.text();
});

Deno.test("replay says in a sentence what it cannot do", async () => {
  await using empty = new File("");
  await using none = new File(HEADER);
  await using file = new File(IDS);
  const port = freePort();
  await using _taken = listenDeno(() => new Response());
  const table: [string[], number, string][] = [
    [["-"], 2, "Cannot replay stdin"],
    [["missing"], 1, "Cannot replay missing: there is no such file"],
    [[empty.path], 1, "it holds no byte of an event stream"],
    [[none.path], 1, "it holds no byte of an event stream"],
    [[file.path, "--speed", "0"], 2, "Cannot read --speed"],
    [[file.path, "--interval", "soon"], 2, "Cannot read --interval"],
    [[file.path, "--cors", "app.example"], 2, "Cannot read --cors"],
    [[file.path, "--port", `${_taken.port}`], 1, "the port is in use"],
    [[file.path, "--port", `${port}`, "more"], 2, "one argument too many"],
  ];
  for (const [args, code, sentence] of table) {
    const result = await runCli(["replay", ...args]);
    assertEquals([result.code, result.stderr.includes(sentence)], [code, true], result.stderr);
  }
});

/** Bytes of a recording, whatever their times. */
async function allOf(recording: Recording): Promise<Uint8Array> {
  const entries = await Array.fromAsync(recording.entries());
  return concat(...entries.flatMap((entry) => "bytes" in entry ? [entry.bytes] : []));
}

Deno.test("what record makes of replay is what was recorded", async () => {
  const stream = concat(
    utf8("\ufeff: é\r\ndata: 😀\r\rid: 1\ndata: b\n\nretry: 1\n\n\0\u2028\n"),
    Uint8Array.of(0xff, 0xfe, 0xc3, 0x0a, 0x0a),
    utf8("data: end\n\n"),
  );
  await using original = new File(stream);
  await using first = await replay(original.path, ["--interval", "2ms"]);
  const one = join(original.folder, "one");
  assertEquals((await runCli(["record", first.url, one])).code, 0);
  await using second = await replay(one);
  const two = join(original.folder, "two");
  assertEquals((await runCli(["record", second.url, two])).code, 0);
  for (const path of [one, two]) assertEquals(await allOf(await openRecording(path)), stream);
});

const onNode = await programOn("Node");

Deno.test(
  "replay and record run in Node as in Deno",
  { ignore: onNode === undefined },
  async () => {
    await using file = new File(IDS);
    const args = ["replay", file.path, "--port", "0", "--once", "--speed", "max"];
    await using server = spawnCli(args, { program: onNode });
    const [, url] = /Listening at (\S+)\n/.exec(await server.printed(/Listening at \S+\n/)) ?? [];
    const copy = join(file.folder, "copy");
    await using recorder = spawnCli(["record", url, copy, "--count", "3"], { program: onNode });
    assertEquals((await recorder.end()).code, 0);
    assertEquals((await server.end()).code, 0);
    const all = "id: 1\ndata: a\n\nid: 2\r\ndata: b\r\n\r\ndata: still 2\n\n";
    assertEquals(text(await allOf(await openRecording(copy))), all);
  },
);

const recorded: string[] = [];
try {
  for await (const { name } of Deno.readDir(RECORDED)) {
    if (name.endsWith(".sse")) recorded.push(name);
  }
} catch {
  console.warn("No answers of real models are replayed: there is no ../shared/data/recorded");
}

for (const name of recorded.toSorted()) {
  Deno.test(`replay gives ${name} again as it is, and as sse record has it`, async () => {
    const path = join(RECORDED, name);
    const bytes = await Deno.readFile(path);
    await using server = await replay(path);
    assertEquals(await bytesOf(server.url), bytes);
    await using file = new File("");
    // An answer that ends within an event is a failure, and recorded all the same.
    await runCli(["record", server.url, file.path, "--force"]);
    await using again = await replay(file.path, ["--speed", "max"]);
    assertEquals(await bytesOf(again.url), bytes);
  });
}
