/** `sse record`: what it writes, when it ends, and what it never does to a file. */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { join } from "node:path";
import { Recorder } from "../../cli/record/stream.ts";
import type { TimedEntry } from "../../cli/recording.ts";
import { openRecording } from "../../cli/recording/read.ts";
import { delay } from "../fault/real_time.ts";
import { type FaultServer, faultServer, type Step } from "../fault/server.ts";
import { concat, text, utf8 } from "../helpers.ts";
import { type CliOptions, type CliResult, runCli, spawnCli, startCli } from "./helpers.ts";

/** A folder that is gone with its test. */
class Folder implements AsyncDisposable {
  readonly path: string = Deno.makeTempDirSync();

  file(name = "recording.ndjson"): string {
    return join(this.path, name);
  }

  /** What is in a file of it. */
  async read(name?: string): Promise<TimedEntry[]> {
    return await Array.fromAsync((await openRecording(this.file(name))).entries());
  }

  /** Resolves when the file is as it should be. */
  async holds(is: (contents: string) => boolean): Promise<void> {
    let contents = "";
    for (let i = 0; i < 500; i++) {
      contents = await Deno.readTextFile(this.file()).catch(() => "");
      if (is(contents)) return;
      await delay(10);
    }
    throw new Error(`Cannot find what should be there, in ${contents}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.path, { recursive: true });
  }
}

interface Recorded extends CliResult {
  readonly server: FaultServer;
  readonly entries: readonly TimedEntry[];
  /** The file as it is. */
  readonly file: string;
}

/** Records a server that answers by script. */
async function record(
  script: Step[],
  args: readonly string[] = [],
  options: CliOptions = {},
): Promise<Recorded> {
  await using folder = new Folder();
  await using server = await faultServer(script);
  const result = await runCli(["record", server.url, folder.file(), ...args], options);
  const file = await Deno.readTextFile(folder.file()).catch(() => "");
  const entries = file === "" ? [] : await folder.read();
  return { ...result, server, entries, file };
}

/** The bytes of each recorded response. */
function parts(entries: readonly TimedEntry[]): string[] {
  const parts: Uint8Array[][] = [];
  for (const entry of entries) {
    if ("open" in entry) parts.push([]);
    else if ("bytes" in entry) parts.at(-1)?.push(entry.bytes);
  }
  return parts.map((chunks) => text(concat(...chunks)));
}

/** How each response ended. */
function ends(entries: readonly TimedEntry[]): string[] {
  return entries.flatMap((entry) => "end" in entry ? [entry.end] : []);
}

const STREAM =
  "\ufeff: hi\r\nid: 1\r\ndata: é\r\n\r\nretry: 50\n\ndata: b\r\rdata: 😀\n\ndata: half";

Deno.test("record writes the bytes of a response as they came, each chunk with its time", async () => {
  const bytes = utf8(STREAM);
  const chunks = [bytes.subarray(0, 5), bytes.subarray(5, 20), bytes.subarray(20)];
  await using folder = new Folder();
  await using server = await faultServer([async (_request, reply) => {
    await reply.head();
    for (const [i, chunk] of chunks.entries()) {
      await reply.write(chunk);
      // Apart from each other, however busy the machine is.
      await folder.holds((file) => file.split("\n").length === i + 4);
    }
    await reply.finish();
  }]);
  const { code, stderr } = await runCli(["record", server.url, folder.file()]);
  const entries = await folder.read();
  const file = await Deno.readTextFile(folder.file());
  assertEquals(parts(entries), [STREAM]);
  assertEquals(ends(entries), ["ended"]);
  const times = entries.map(({ t }) => t);
  assertEquals(times, times.toSorted((a, b) => a - b));
  assertEquals(entries.flatMap((entry) => "bytes" in entry ? [entry.bytes] : []), chunks);
  assertMatch(file, /^{"format":"sse-recording","version":1,"url":"http:\/\/127/);
  assertStringIncludes(file, '"headers":{"content-type":"text/event-stream"}');
  // It was cut within an event, which is worth an exit code.
  assertEquals(code, 1);
  assertMatch(stderr, /recorded 3 events, \d+ B, \d\.\d s\n/);
  assertStringIncludes(stderr, "the body ended inside of it");
});

Deno.test("record ends with 0 when the response does", async () => {
  const { code, entries } = await record([{ body: "data: a\n\n" }]);
  assertEquals([code, parts(entries), ends(entries)], [0, ["data: a\n\n"], ["ended"]]);
});

Deno.test("record sends headers, token, body and last event ID, and writes none of the secrets", async () => {
  await using folder = new Folder();
  await using server = await faultServer([{ body: "data: a\n\n" }]);
  const { code } = await runCli([
    "record",
    `${server.url}?key=SECRET`,
    folder.file(),
    ...["-H", "x-key: SECRET", "--token", "SECRET", "--last-event-id", "7"],
    ...["--json-body", '{"prompt":"SECRET"}', "-X", "PUT"],
  ]);
  assertEquals(code, 0);
  const [request] = server.requests;
  assertEquals(request.method, "PUT");
  assertEquals(request.header("x-key"), "SECRET");
  assertEquals(request.header("authorization"), "Bearer SECRET");
  assertEquals(request.lastEventId, "7");
  assertEquals(text(request.body), '{"prompt":"SECRET"}');
  const file = await Deno.readTextFile(folder.file());
  assert(!file.includes("SECRET"), file);
  assertStringIncludes(file, '"lastEventId":"7"');
});

Deno.test("record refuses to overwrite a file before it asks, and does with --force", async () => {
  await using folder = new Folder();
  await using server = await faultServer([{ body: "data: new\n\n" }]);
  await Deno.writeTextFile(folder.file(), "of yesterday, and longer than the new one".repeat(50));
  const refused = await runCli(["record", server.url, folder.file()]);
  assertEquals(refused.code, 1);
  assertStringIncludes(
    refused.stderr,
    `Cannot record to ${folder.file()}: there is such a file, name another or overwrite it by --force`,
  );
  assertEquals(server.requests.length, 0);
  assertStringIncludes(await Deno.readTextFile(folder.file()), "of yesterday");
  assertEquals((await runCli(["record", server.url, folder.file(), "--force"])).code, 0);
  assertEquals(parts(await folder.read()), ["data: new\n\n"]);
});

Deno.test("record does not overwrite a file that somebody else has made meanwhile", async () => {
  await using folder = new Folder();
  await using server = await faultServer(async () => {
    await Deno.writeTextFile(folder.file(), "of somebody else");
    return { body: "data: a\n\n" };
  });
  const { code, stderr } = await runCli(["record", server.url, folder.file()]);
  assertEquals(code, 1);
  assertStringIncludes(stderr, "there is such a file");
  assertEquals(await Deno.readTextFile(folder.file()), "of somebody else");
});

Deno.test("Recorder ends what nobody reads to its end, once, and records nothing after", async () => {
  await using server = await faultServer([{ body: "data: a\n\n" }]);
  let lines = "";
  const recorder = new Recorder({
    oneByOne: false,
    write: (text) => Promise.resolve(void (lines += text)),
    onFailure: () => {},
    now: () => 0,
  });
  const response = await recorder.fetch(server.url);
  await recorder.finish();
  assertEquals(await response.text(), "data: a\n\n");
  await recorder.finish();
  assertEquals(lines.split("\n").slice(1), ['{"t":0,"end":"stopped"}', ""]);
  assertEquals([recorder.bytes, recorder.parts], [0, 1]);
});

Deno.test("record leaves the file alone where the server refuses, --force or not", async () => {
  await using folder = new Folder();
  const html = { headers: { "content-type": "text/html" }, body: "<p>" };
  await using server = await faultServer([{ status: 404, body: "none" }, html]);
  await Deno.writeTextFile(folder.file(), "of yesterday");
  for (const sentence of ["received 404", '"text/html"']) {
    const { code, stderr } = await runCli(["record", server.url, folder.file(), "--force"]);
    assertEquals(code, 3);
    assertStringIncludes(stderr, sentence);
    assertEquals(await Deno.readTextFile(folder.file()), "of yesterday");
  }
  await Deno.remove(folder.file());
  await using gone = await faultServer([{ status: 500 }, { status: 204 }]);
  assertEquals((await runCli(["record", gone.url, folder.file()])).code, 3);
  const none = await runCli(["record", gone.url, folder.file()]);
  assertEquals(none.code, 3);
  assertStringIncludes(none.stderr, "Cannot record: the server answered 204");
  assertEquals(await Array.fromAsync(Deno.readDir(folder.path)), []);
});

Deno.test("record keeps what came of a connection that is lost, and ends with 1", async () => {
  const body = "id: 1\ndata: a\n\ndata: ha";
  const { code, entries, stderr } = await record([{ body, end: "cut" }]);
  assertEquals([code, parts(entries), ends(entries)], [1, [body], ["lost"]]);
  assert(entries.some((entry) => "end" in entry && (entry.reason ?? "") !== ""));
  assertStringIncludes(stderr, "the body broke off");
});

Deno.test("record --reconnect goes on after a loss and after an end, each connection as a part", async () => {
  const { code, entries, server, stderr } = await record([
    { body: "retry: 1\nid: 1\ndata: a\n\ndata: ha", end: "cut" },
    { body: "id: 2\ndata: b\n\n" },
    { status: 503 },
    { body: "id: 3\ndata: c\n\n", end: "stall" },
  ], ["--reconnect", "--count", "3"]);
  assertEquals(code, 0);
  assertEquals(parts(entries), [
    "retry: 1\nid: 1\ndata: a\n\ndata: ha",
    "id: 2\ndata: b\n\n",
    "id: 3\ndata: c\n\n",
  ]);
  assertEquals(ends(entries), ["lost", "ended", "stopped"]);
  const asked = entries.flatMap((entry) => "open" in entry ? [entry.open.lastEventId] : []);
  assertEquals(asked, ["", "1", "2"]);
  assertEquals(server.requests.map(({ lastEventId = "" }) => lastEventId), ["", "1", "2", "2"]);
  assertStringIncludes(stderr, "3 events");
  assertStringIncludes(stderr, "3 connections");
});

Deno.test("record --reconnect writes again what the server sends again", async () => {
  const { entries } = await record([
    { body: "retry: 1\nid: 1\ndata: a\n\n" },
    { body: "id: 1\ndata: a\n\nid: 2\ndata: b\n\n", end: "stall" },
  ], ["-r", "-n", "3"]);
  assertEquals(parts(entries)[1], "id: 1\ndata: a\n\nid: 2\ndata: b\n\n");
});

Deno.test("record --count ends behind that event, though more came with it", async () => {
  const body = "data: a\n\n: hi\n\ndata: b\r\n\r\ndata: c\n\n";
  const { code, entries } = await record([{ body, end: "stall" }], ["--count", "2"]);
  assertEquals(code, 0);
  assertEquals([parts(entries), ends(entries)], [["data: a\n\n: hi\n\ndata: b\r\n\r\n"], [
    "stopped",
  ]]);
  const short = await record([{ body }], ["--count", "9"]);
  assertEquals(short.code, 1);
  assertStringIncludes(short.stderr, "Cannot record 9 events: the stream has ended after 3");
});

Deno.test("record --until ends behind the event with that data", async () => {
  const body = "data: a\n\ndata: [DONE]\n\ndata: c\n\n";
  const { code, entries, stderr } = await record([{ body, end: "stall" }], ["--until", "[DONE]"]);
  assertEquals([code, ends(entries)], [0, ["stopped"]]);
  assertEquals(parts(entries), ["data: a\n\ndata: [DONE]\n\n"]);
  assertStringIncludes(stderr, "2 events");
});

Deno.test("record --for ends after that time with 0, and with 4 if nothing was open by then", async () => {
  const { code, entries } = await record([{ body: "data: a\n\n", end: "stall" }], [
    "--for",
    "1s",
  ]);
  assertEquals([code, parts(entries), ends(entries)], [0, ["data: a\n\n"], ["stopped"]]);
  const none = await record(["hold"], ["--for", "100ms"]);
  assertEquals([none.code, none.file], [4, ""]);
  assertStringIncludes(none.stderr, "Cannot record: the stream was not open within --for");
});

Deno.test("record has all in the file when Ctrl-C ends it, with 130", async () => {
  await using folder = new Folder();
  await using server = await faultServer([{ body: "data: a\n\ndata: ha", end: "stall" }]);
  const running = startCli(["record", server.url, folder.file()]);
  await folder.holds((file) => file.includes("data: ha"));
  running.interrupt();
  const { code, stderr } = await running.result;
  assertEquals(code, 130);
  const entries = await folder.read();
  assertEquals([parts(entries), ends(entries)], [["data: a\n\ndata: ha"], ["stopped"]]);
  assertMatch(stderr, /recorded 1 event, \d+ B/);
  assertEquals(await server.closed(0), "client");
});

Deno.test("record - writes to stdout, and nobody reading it is no error", async () => {
  await using server = await faultServer([
    { body: "data: a\n\n" },
    async (_request, reply) => {
      await reply.head();
      for (;;) await reply.write("data: b\n\n");
    },
  ]);
  const { code, stdout } = await runCli(["record", server.url, "-"]);
  assertEquals(code, 0);
  assertMatch(
    stdout,
    /^{"format".*\n{"t":0[.\d]*,"open".*\n.*"text":"data: a\\n\\n"}\n.*"ended"}\n$/,
  );

  const running = startCli(["record", server.url, "-"]);
  await running.printed("data: b");
  running.stdout.close();
  assertEquals((await running.result).code, 0);
  await server.closed(1);
});

Deno.test("record says that the disk is full, and asks no further", {
  ignore: Deno.build.os !== "linux",
}, async () => {
  await using server = await faultServer([{ body: "data: a\n\n", end: "stall" }]);
  const { code, stderr } = await runCli(["record", server.url, "/dev/full", "--force", "-r"]);
  assertEquals(code, 1);
  assertMatch(stderr, /Cannot record to \/dev\/full: .*(ENOSPC|No space left)/);
  assertEquals(server.requests.length, 1);
});

Deno.test("record writes what a compressed response holds", async () => {
  const { entries } = await record([{ body: "data: a\n\n".repeat(50), gzip: true }]);
  assertEquals(parts(entries), ["data: a\n\n".repeat(50)]);
});

Deno.test("record waits for a slow reader of stdout, and so does the server", async () => {
  const block = `data: ${"x".repeat(60_000)}\n\n`;
  await using server = await faultServer([async (_request, reply) => {
    await reply.head();
    for (let i = 0; i < 1_000; i++) await reply.write(block);
    await reply.finish();
  }]);
  const running = startCli(["record", server.url, "-"]);
  await running.printed("xxx");
  running.stdout.pause();
  const written = await (await server.request(0)).reply.blocked();
  assert(written < 1_000 * block.length / 2, `${written}`);
  running.interrupt();
  assertEquals((await running.result).code, 130);
});

Deno.test("record -q says nothing, and a terminal gets one line that moves", async () => {
  const quiet = await record([{ body: "data: a\n\n" }], ["-q"]);
  assertEquals(quiet.stderr, "");
  await using folder = new Folder();
  await using server = await faultServer([{ body: "data: a\n\n", end: "stall" }]);
  const running = startCli(["record", server.url, folder.file()], { terminal: true });
  // deno-lint-ignore no-control-regex
  await running.said(/\r\x1b\[Krecorded 1 event, 9 B, \d\.\d s/);
  running.interrupt();
  // deno-lint-ignore no-control-regex
  assertMatch((await running.result).stderr, /\r\x1b\[K[^\n]*recorded 1 event[^\n]*\n$/);
});

Deno.test("a recording whose recorder was killed has all that had come", async () => {
  await using folder = new Folder();
  const came = Promise.withResolvers<void>();
  await using server = await faultServer([async (_request, reply) => {
    await reply.head();
    for (let i = 0; i < 20; i++) await reply.write(`id: ${i}\ndata: é\n\n`);
    await came.promise;
  }]);
  await using cli = spawnCli(["record", server.url, folder.file()]);
  await server.request(0);
  await folder.holds((file) => file.includes("id: 19"));
  cli.kill("SIGKILL");
  await cli.end();
  came.resolve();
  const all = Array.from({ length: 20 }, (_, i) => `id: ${i}\ndata: é\n\n`).join("");
  assertEquals(parts(await folder.read()), [all]);
});
