/** `sse serve` over sockets: its options, what it says, and how it ends. */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { once } from "node:events";
import { request } from "node:http";
import { EXIT } from "../../cli/failure.ts";
import { hostsFor } from "../../cli/serve/hosts.ts";
import { connect } from "../../client.ts";
import { readEvents, type ServerSentEvent } from "../../parse.ts";
import { within } from "../fault/real_time.ts";
import { freePort, listenDeno } from "../listen.ts";
import { programOn } from "./programs.ts";
import { type CliOptions, runCli, spawnCli, startCli } from "./helpers.ts";
import { listenCli, type ListeningCli } from "./listening.ts";

function serve(args: readonly string[] = [], options: CliOptions = {}): Promise<ListeningCli> {
  return listenCli(["serve", "--port", "0", "--drain", "0", ...args], options);
}

function post(url: string, data: string, headers: HeadersInit = {}): Promise<Response> {
  const all = new Headers(headers);
  all.set("content-type", "text/plain");
  return fetch(url, { method: "POST", headers: all, body: data });
}

async function statusOf(response: Promise<Response>): Promise<number> {
  const { status, body } = await response;
  await body?.cancel();
  return status;
}

/** The first bytes of a stream. */
async function firstOf(url: string): Promise<string> {
  const { body } = await fetch(url);
  for await (const chunk of body?.pipeThrough(new TextDecoderStream()) ?? []) return chunk;
  return "";
}

Deno.test("sse serve says where it listens on stdout, and how to use it on stderr", async () => {
  await using server = await serve();
  assertMatch(server.url, /^http:\/\/127\.0\.0\.1:\d+\/$/);
  assertEquals(server.running.stdout.text, `Listening at ${server.url}\n`);
  const said = await server.running.said("Ctrl-C ends it");
  for (const line of ["sse get", "curl -N", "echo hello | sse publish", "-d hello"]) {
    assertStringIncludes(said, `${line} ${server.url}topics/news\n`);
  }
});

Deno.test("sse serve --quiet says where it listens, and nothing else", async () => {
  await using server = await serve(["--quiet"]);
  const { code, stderr } = await server.stop();
  assertEquals([code, stderr], [EXIT.ok, ""]);
});

Deno.test("sse serve carries an event from who posts it to who reads", async () => {
  await using server = await serve();
  await using reading = connect(`${server.url}topics/news`);
  await reading.opened;
  const posted = await post(`${server.url}topics/news`, "hello");
  const { id } = await posted.json();
  assertEquals((await reading.next()).value, { event: "message", data: "hello", id });
});

Deno.test("sse serve sends its readers away and is done when it is told to stop", async () => {
  const server = await serve();
  const response = await fetch(`${server.url}topics/news`);
  const reader = readEvents(response);
  const next = reader.next();
  const { code, stderr } = await server.stop();
  assertEquals(code, EXIT.ok);
  assertMatch(
    stderr,
    /Stopping: 1 reader sent away over 0 s; once more ends it at once\nStopped\n$/,
  );
  assertEquals((await next).done, true);
  await refusesConnections(server.url);
});

async function refusesConnections(url: string): Promise<void> {
  let answered = true;
  try {
    await statusOf(fetch(url));
  } catch {
    answered = false;
  }
  assert(!answered, "somebody still listens");
}

Deno.test("sse serve --drain tells its readers to wait, and lets nobody else in", async () => {
  const running = startCli(["serve", "--port", "0", "--drain", "300ms", "--retry", "2s"]);
  const [, url] = /Listening at (\S+)/.exec(await running.printed(/Listening at \S+\n/)) ?? [];
  const response = await fetch(`${url}topics/news`);
  const text = response.text();
  running.interrupt(EXIT.terminated);
  await running.said("Stopping: 1 reader sent away over 0.3 s");
  await refusesConnections(`${url}topics/news`);
  assert(!running.stderr.holds("Stopped"));
  const { code } = await running.result;
  // It was told to stop, and did.
  assertEquals(code, EXIT.ok);
  const [, told] = /retry: (\d+)\n\n$/.exec(await text) ?? [];
  assert(Number(told) >= 2_000 && Number(told) <= 4_000, `retry: ${told}`);
});

Deno.test("sse serve --port in use is an error that says so", async () => {
  await using other = listenDeno(() => new Response());
  const { code, stderr } = await runCli(["serve", "--port", `${other.port}`]);
  assertEquals(code, EXIT.failed);
  assertEquals(
    stderr,
    `sse: Cannot listen on 127.0.0.1:${other.port}: the port is in use, take another by --port, or --port 0 for a free one\n`,
  );
});

Deno.test("sse serve takes a free port if the usual one is in use", async () => {
  let taken: Deno.Listener | undefined;
  try {
    // Whoever has it already serves the purpose as well.
    taken = Deno.listen({ hostname: "127.0.0.1", port: 8080 });
  } catch (error) {
    assert(error instanceof Deno.errors.AddrInUse);
  }
  try {
    const running = startCli(["serve"]);
    await running.printed(/Listening at http:\/\/127\.0\.0\.1:\d+\/\n/);
    await running.said("Port 8080 is in use: taking a free one\n");
    running.interrupt();
    assertEquals((await running.result).code, EXIT.ok);
  } finally {
    taken?.close();
  }
});

Deno.test("sse serve refuses options that make no sense, with a sentence", async () => {
  const cases: [string[], RegExp][] = [
    [["--port", "70000"], /--port: it must be a whole number from 0 to 65535/],
    [["--slow", "forget"], /--slow: it must be disconnect or drop-oldest/],
    [["--log", "mysql:x"], /--log: it must be memory, sqlite:FILE, redis:URL or nats:URL/],
    [["--log", "sqlite:"], /--log: it must be memory/],
    [["--log", "memory:x"], /--log: it must be memory/],
    [["--log", "redis://a b"], /--log: it must name a URL such as redis:\/\/127\.0\.0\.1:6379/],
    [["--cors", "https://app.example/"], /--cors: "origin" must be as browsers send it/],
    [["--max-age", "0"], /--max-age: it must be longer than 0/],
    [["--max-queue", "0"], /--max-queue: it must be 1 byte at least/],
    [["--max-events", "0"], /--max-events: it must be a whole number from 1 up/],
    [["--keep-alive", "soon"], /--keep-alive: it must be a time/],
    [["--token", "two words"], /--token: it must be visible ASCII/],
    [["--quiet", "--verbose"], /--quiet and --verbose/],
    [["extra"], /one argument too many/],
  ];
  for (const [args, expected] of cases) {
    const { code, stderr } = await runCli(["serve", "--port", "0", ...args]);
    assertEquals(code, EXIT.usage, args.join(" "));
    assertMatch(stderr, expected);
  }
});

Deno.test("sse serve warns when others may read and publish without a token", async () => {
  const open = await serve(["--host", "0.0.0.0", "--cors", "*"]);
  const { stderr } = await open.stop();
  assertMatch(stderr, /Anybody who can reach 0\.0\.0\.0 may read and publish: set --token/);
  assertMatch(stderr, /Any page that is opened here may read and publish/);
  assertMatch(open.url, /^http:\/\/127\.0\.0\.1:/);
  const safe = await serve(["--host", "0.0.0.0", "--cors", "*", "--token", "secret"]);
  assert(!(await safe.stop()).stderr.includes("Any"));
});

Deno.test("sse serve --token lets only those in who know it, and prints it nowhere", async () => {
  await using server = await serve(["--verbose"], { env: { SSE_TOKEN: "topsecret" } });
  const url = `${server.url}topics/news`;
  assertEquals(await statusOf(fetch(url)), 401);
  assertEquals(await statusOf(post(url, "x")), 401);
  assertEquals(await statusOf(post(url, "x", { authorization: "Bearer topsecret" })), 202);
  // As an EventSource, which has no headers.
  assertStringIncludes(await firstOf(`${url}?token=topsecret`), ":");
  await server.running.said(/- \/topics\/news: peer-left/);
  const { stdout, stderr } = await server.stop();
  assert(!`${stdout}${stderr}`.includes("topsecret"));
});

Deno.test("sse serve --token of the command line goes before that of the environment", async () => {
  await using server = await serve(["--token", "a"], { env: { SSE_TOKEN: "b" } });
  assertEquals(await statusOf(fetch(`${server.url}metrics?token=a`)), 200);
  assertEquals(await statusOf(fetch(`${server.url}metrics?token=b`)), 401);
});

/** The status that a host header is answered with: `fetch` sends its own. */
async function statusFor(url: string, host: string): Promise<number | undefined> {
  const sent = request(url, { headers: { host }, agent: false });
  sent.end();
  const [response] = await once(sent, "response");
  response.resume();
  await once(response, "end");
  return response.statusCode;
}

Deno.test("sse serve on loopback answers to its own names only", async () => {
  await using server = await serve(["--allow-host", "proxy.example"]);
  const { port } = new URL(server.url);
  const path = `${server.url}metrics`;
  for (const host of [`127.0.0.1:${port}`, `localhost:${port}`, "proxy.example", "localhost"]) {
    assertEquals(await statusFor(path, host), 200, host);
  }
  assertEquals(await statusFor(path, `evil.example:${port}`), 421);
});

Deno.test("hostsFor are the names of loopback there, and elsewhere those that are given", () => {
  const own = ["localhost", "127.0.0.1", "[::1]"];
  const cases: [string, string[], string[] | undefined][] = [
    ["127.0.0.1", [], own],
    ["LocalHost", [], own],
    ["0:0:0:0:0:0:0:1", ["Proxy.Example:8443"], [...own, "proxy.example"]],
    ["127.0.0.2", [], [...own, "127.0.0.2"]],
    ["0.0.0.0", [], undefined],
    ["::", [], undefined],
    ["192.0.2.1", ["sse.example"], ["192.0.2.1", "sse.example"]],
  ];
  for (const [host, more, expected] of cases) assertEquals(hostsFor(host, more), expected, host);
});

Deno.test("sse serve on other networks answers to any name", async () => {
  await using server = await serve(["--host", "0.0.0.0"]);
  assertEquals(await statusFor(`${server.url}metrics`, "any.example"), 200);
});

Deno.test("sse serve --cors lets the pages of an origin in, and no others", async () => {
  await using server = await serve(["--cors", "https://a.example", "--cors", "https://b.example"]);
  const url = `${server.url}topics/news`;
  for (const origin of ["https://a.example", "https://b.example"]) {
    const response = await post(url, "x", { origin });
    assertEquals(response.status, 202);
    assertEquals(response.headers.get("access-control-allow-origin"), origin);
    await response.body?.cancel();
  }
  assertEquals(await statusOf(post(url, "x", { origin: "https://c.example" })), 403);
});

Deno.test("sse serve --keep-alive sends comments, and --retry is told first", async () => {
  await using server = await serve(["--keep-alive", "10ms", "--retry", "1.5s"]);
  const response = await fetch(`${server.url}topics/news`);
  const seen = await readUntil(response, /(:\s*\n\n.*){3}/s);
  assertMatch(seen, /^: ?\nretry: 1500\n\n/);
});

async function readUntil({ body }: Response, what: RegExp): Promise<string> {
  let text = "";
  for await (const chunk of body?.pipeThrough(new TextDecoderStream()) ?? []) {
    text += chunk;
    if (what.test(text)) break;
  }
  return text;
}

Deno.test("sse serve --max-age ends a connection", async () => {
  await using server = await serve(["--max-age", "20ms", "--verbose"]);
  const response = await fetch(`${server.url}topics/news`);
  await response.text();
  await server.running.said(/- \/topics\/news: max-age after \d+\.\d s \(0 readers\)/);
});

Deno.test("sse serve --max-sessions turns those away who are too many", async () => {
  await using server = await serve(["--max-sessions", "1"]);
  const url = `${server.url}topics/news`;
  const first = await fetch(url);
  const second = await fetch(url);
  assertEquals([second.status, second.headers.has("retry-after")], [503, true]);
  await Promise.all([first.body?.cancel(), second.body?.cancel()]);
});

Deno.test("sse serve --max-queue disconnects a reader that is too slow", async () => {
  await using server = await serve(["--max-queue", "64k", "--verbose"]);
  const url = `${server.url}topics/news`;
  const response = await fetch(url);
  for (let i = 0; i < 2_000; i++) {
    if (server.running.stderr.holds("- /topics/news: slow")) break;
    assertEquals(await statusOf(post(url, "x".repeat(60_000))), 202);
  }
  await server.running.said("- /topics/news: slow");
  await response.body?.cancel();
});

Deno.test("sse serve --slow drop-oldest keeps a slow reader, and drops events", async () => {
  await using server = await serve(["--max-queue", "64k", "--slow", "drop-oldest"]);
  const url = `${server.url}topics/news`;
  const response = await fetch(url);
  let dropped = 0;
  for (let i = 0; i < 2_000 && dropped === 0; i++) {
    assertEquals(await statusOf(post(url, "x".repeat(60_000))), 202);
    if (i % 20 > 0) continue;
    const metrics = await (await fetch(`${server.url}metrics`)).text();
    dropped = Number(/sse_events_dropped_total (\d+)/.exec(metrics)?.[1]);
  }
  assert(dropped > 0);
  await response.body?.cancel();
});

Deno.test("sse serve --max-event bounds what is published, and sse publish says so", async () => {
  await using server = await serve(["--max-event", "1k"]);
  const stdin = `${"x".repeat(900)}\n${"x".repeat(2_000)}\n`;
  const { code, stderr } = await runCli(["publish", `${server.url}topics/a`], { stdin });
  assertEquals(code, EXIT.refused);
  assertMatch(stderr, /Cannot publish line 2: the server answered 413: .*at most 1024 bytes\n$/);
});

Deno.test("sse serve --max-events bounds what a reader can resume", async () => {
  await using server = await serve(["--max-events", "2"]);
  const url = `${server.url}topics/news`;
  const ids = [];
  for (const data of ["a", "b", "c", "d"]) ids.push((await (await post(url, data)).json()).id);
  const events: ServerSentEvent[] = [];
  for await (const event of connect(url, { lastEventId: ids[0] })) {
    events.push(event);
    if (event.data === "d") break;
  }
  assertEquals(events.map(({ event }) => event), ["gap", "message", "message"]);
});

Deno.test("sse serve --verbose says who comes and goes", async () => {
  await using server = await serve(["--verbose"]);
  const response = await fetch(`${server.url}events?topic=a&topic=b/*`);
  await server.running.said("+ /events a b/* (1 reader)");
  await response.body?.cancel();
  await server.running.said(/- \/events a b\/\*: peer-left after \d+\.\d s \(0 readers\)/);
});

Deno.test("sse serve says why it sends a reader away that asks for too many topics", async () => {
  await using server = await serve();
  for (let i = 0; i < 101; i++) await statusOf(post(`${server.url}topics/t${i}`, "x"));
  const response = await fetch(`${server.url}events`);
  await response.text();
  await server.running.said(/A reader of \/events was sent away: .*more than 100 of them/);
});

Deno.test("sse serve serves the live page", async () => {
  await using server = await serve();
  const response = await fetch(server.url);
  assertMatch(await response.text(), /<html/);
});

Deno.test("sse serve keeps events in a file, for who resumes after a restart", async () => {
  const folder = await Deno.makeTempDir({ prefix: "sse-" });
  try {
    const args = ["--log", `sqlite:${folder}/events.db`];
    const ids: string[] = [];
    {
      await using server = await serve(args);
      for (const data of ["a", "b", "c"]) {
        ids.push((await (await post(`${server.url}topics/news`, data)).json()).id);
      }
      await using reading = connect(`${server.url}topics/news`, { lastEventId: ids[0] });
      assertEquals((await reading.next()).value?.data, "b");
    }
    await using server = await serve(args);
    await statusOf(post(`${server.url}topics/news`, "d"));
    const read: string[] = [];
    for await (const { data } of connect(`${server.url}topics/news`, { lastEventId: ids[1] })) {
      read.push(data);
      if (data === "d") break;
    }
    assertEquals(read, ["c", "d"]);
    const status = readEvents(await fetch(`${server.url}status`));
    const { value } = await status.next();
    assertEquals(JSON.parse(value?.data ?? "").log, `sqlite:${folder}/events.db`);
    await status.return();
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("sse serve --presence counts the readers of all servers on a log", async () => {
  const folder = await Deno.makeTempDir({ prefix: "sse-" });
  try {
    const args = ["--presence", "--log", `sqlite:${folder}/events.db`];
    await using here = await serve(args);
    await using there = await serve(args);
    const reading = await fetch(`${there.url}topics/news`);
    await statusOf(post(`${here.url}topics/news`, "x"));
    const counted = async () => {
      for await (const { data } of connect(`${here.url}status`)) {
        const [topic] = JSON.parse(data).topics ?? [];
        if (topic?.readers === 1) return topic;
      }
    };
    const topic = await within(counted(), 10_000, () => "The reader is not counted");
    assertEquals(topic, { topic: "news", readers: 1 });
    await reading.body?.cancel();
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("sse publish loses and repeats nothing while sse serve is started anew", async () => {
  const folder = await Deno.makeTempDir({ prefix: "sse-" });
  try {
    const args = ["--port", `${freePort()}`, "--log", `sqlite:${folder}/events.db`];
    const lines = Array.from({ length: 60 }, (_, i) => `line ${i}`);
    const first = await serve(args);
    const url = `${first.url}topics/news`;
    const publishing = startCli(["publish", url, "--ids"], { stdin: lines.join("\n") });
    // In the midst of it.
    const ids = await publishing.printed(".20\n");
    assertEquals((await first.stop()).code, EXIT.ok);
    await publishing.said("again in");
    await using second = await serve(args);
    assertEquals((await publishing.result).code, EXIT.ok);
    const read: string[] = [];
    const start = ids.split("\n")[0].replace(/\.1$/, ".0");
    for await (
      const { event, data } of connect(`${second.url}topics/news`, { lastEventId: start })
    ) {
      assertEquals(event, "message");
      read.push(data);
      if (data === lines.at(-1)) break;
    }
    assertEquals(read, lines);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("sse serve as a process ends with 0 after SIGTERM, and loses nothing that it took", async () => {
  const folder = await Deno.makeTempDir({ prefix: "sse-" });
  try {
    const args = ["serve", "--port", "0", "--drain", "50ms", "--log", `sqlite:${folder}/e.db`];
    const start = async (program?: readonly string[]) => {
      const process = spawnCli(args, { program });
      const printed = await process.printed(/Listening at \S+\n/, 30_000);
      return { process, url: `${/Listening at (\S+)/.exec(printed)?.[1]}topics/news` };
    };
    const first = await start();
    await using deno = first.process;
    const response = await fetch(first.url);
    const text = response.text();
    const { id } = await (await post(first.url, "a")).json();
    await statusOf(post(first.url, "b"));
    deno.kill("SIGTERM");
    assertEquals((await deno.end()).code, EXIT.ok);
    assertMatch(await text, /data: a\n\n.*data: b\n\nretry: \d+\n\n$/s);
    // On Node, and interrupted by Ctrl-C.
    const program = await programOn("Node");
    if (program === undefined) return;
    const second = await start(program);
    await using node = second.process;
    await using reading = connect(second.url, { lastEventId: id });
    assertEquals((await reading.next()).value?.data, "b");
    node.kill("SIGINT");
    const { code, stderr } = await node.end();
    assertEquals(code, EXIT.ok, stderr);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
