/** `sse bench`: that its figures are right, that it sees what a server does wrong, and what it says. */

import {
  assert,
  assertEquals,
  assertMatch,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { Histogram, HISTOGRAM_ERROR } from "../../cli/bench/histogram.ts";
import type { LoadResult } from "../../cli/bench/load.ts";
import { Messages } from "../../cli/bench/message.ts";
import { Publisher } from "../../cli/bench/publisher.ts";
import { type Asked, notesOf, reportJson, reportSvg, reportText } from "../../cli/bench/report.ts";
import { Sequence, WINDOW } from "../../cli/bench/sequence.ts";
import { startService } from "../../cli/bench/service.ts";
import { createService, type ServiceOptions } from "../../cli/service.ts";
import { delay } from "../fault/real_time.ts";
import { faultServer } from "../fault/server.ts";
import { property } from "../helpers.ts";
import { freePort, listenDeno, type Running } from "../listen.ts";
import { requireProgram } from "../programs.ts";
import { programOn } from "./programs.ts";
import { runCli, spawnCli, startCli } from "./helpers.ts";

Deno.test("Histogram gives percentiles within its error, and max and mean exactly", () => {
  const time = fc.oneof(
    fc.double({ min: 0, max: 1, noNaN: true }),
    fc.double({ min: 0, max: 3_600_000, noNaN: true }),
    fc.constantFrom(0, 0.001, 0.128, 0.255, 0.256, 1, 1_024),
  );
  fc.assert(
    fc.property(
      fc.array(time, { minLength: 1, maxLength: 60 }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      (times, share) => {
        const histogram = new Histogram();
        for (const ms of times) histogram.add(ms);
        const sorted = times.toSorted((a, b) => a - b);
        const exact = sorted[Math.max(1, Math.ceil(share * sorted.length)) - 1];
        const found = histogram.quantile(share);
        // A µs is as fine as it counts.
        const bound = exact * HISTOGRAM_ERROR + 0.001;
        assert(Math.abs(found - exact) <= bound, `${found} for ${exact}`);
        assertEquals([histogram.count, histogram.max], [times.length, sorted.at(-1)]);
        const mean = times.reduce((a, b) => a + b, 0) / times.length;
        assert(Math.abs(histogram.mean - mean) <= 1e-9 * mean);
        histogram.reset();
        assertEquals([histogram.count, histogram.max, histogram.quantile(0.5)], [0, 0, 0]);
      },
    ),
    property(),
  );
});

Deno.test("Sequence counts what came, came twice and never came, as a set does", () => {
  const first = 3 * WINDOW - 7;
  fc.assert(
    fc.property(
      // Steps forward and a little back, now and then beyond the window.
      fc.array(fc.oneof(fc.integer({ min: -60, max: 100 }), fc.constant(WINDOW + 50)), {
        maxLength: 120,
      }),
      fc.array(fc.nat(200)),
      (steps, failed) => {
        const never = new Set(failed.map((offset) => first + offset));
        const sequence = new Sequence(first, (number) => never.has(number));
        const had = new Set<number>();
        let last = first;
        let most = first;
        let twice = 0;
        for (const step of steps) {
          const number = Math.max(first, last + step);
          // What is further behind than the window nobody remembers.
          if (number <= most - WINDOW || never.has(number)) continue;
          last = number;
          most = Math.max(most, number);
          if (had.has(number)) twice++;
          assertEquals(sequence.take(number), !had.has(number));
          had.add(number);
        }
        const end = most + 20;
        let lost = 0;
        for (let i = first; i < end; i++) if (!had.has(i) && !never.has(i)) lost++;
        assertEquals(
          [sequence.received, sequence.duplicated, sequence.lost(end)],
          [had.size, twice, lost],
        );
      },
    ),
    property(0.5),
  );
});

Deno.test("Messages reads what it has written, of its own run only, and of the size asked for", () => {
  const messages = new Messages("run-1", 128);
  const data = messages.write(42, 1_234.5678);
  assertEquals(data.length, 128);
  assertEquals(messages.read(data), { number: 42, due: 1_234.568 });
  assertEquals(new Messages("run-2", 128).read(data), undefined);
  for (const other of ["", "hello", "sse-bench run-1 ", "sse-bench run-1 42"]) {
    assertEquals(messages.read(other), undefined);
  }
  assertEquals(new Messages("run-1", 0).read(new Messages("run-1", 0).write(7, 1)), {
    number: 7,
    due: 1,
  });
});

/** A result as a run gives it. */
function resultOf(change: (result: LoadResult) => Partial<LoadResult> = () => ({})): LoadResult {
  const latency = new Histogram();
  for (let i = 1; i <= 1_000; i++) latency.add(i / 100);
  const points = [1, 2, 3].map((t) => ({ t: t * 1_000, rate: 1_000, p50: t, p99: 2 * t, max: 9 }));
  const result: LoadResult = {
    duration: 10_000,
    interrupted: false,
    connections: { open: 10, failed: 0, lost: 0, reopened: 0, reasons: new Map() },
    published: { events: 1_000, rate: 100, failed: 0, reason: undefined },
    delivered: {
      events: 10_000,
      bytes: 1_500_000,
      rate: 1_000,
      bytesRate: 150_000,
      foreign: 0,
      lost: 0,
      duplicated: 0,
    },
    latency,
    points,
    own: { cpu: 0.2, lagP99: 1, lagMax: 3, crowd: 1 },
    server: { cpu: 1_000, memory: 80_000_000 },
  };
  return { ...result, ...change(result) };
}

const ASKED: Asked = {
  url: "http://127.0.0.1:8080/topics/bench",
  connections: 10,
  rate: 100,
  size: 128,
  publish: true,
  warmUp: 2_000,
};

Deno.test("reportText gives the figures in lines", () => {
  assertEquals(
    reportText(ASKED, resultOf()),
    `http://127.0.0.1:8080/topics/bench: 10 connections, 100 events/s of 128 B, 10.0 s after 2.0 s of warm-up

published   1,000 events, 100/s
delivered   10,000 events, 1,000/s, 150 kB/s
latency     p50 5.01 ms  p90 8.99 ms  p99 9.89 ms  p99.9 10 ms  max 10 ms
lost        0, duplicated 0
errors      0, reconnects 0
server      10 % of a CPU, 100 µs for each delivery, 80 MB
generator   20 % of a CPU, timers late by p99 1 ms, max 3 ms

Latency is from when an event was due to when it was read; percentiles within 0.4 %.
`,
  );
});

Deno.test("notesOf says what is to be known before figures are believed", () => {
  const found = (change: (result: LoadResult) => Partial<LoadResult>) =>
    notesOf(ASKED, resultOf(change)).join("\n");
  assertEquals(found(() => ({})), "");
  const table: [(result: LoadResult) => Partial<LoadResult>, string][] = [
    [() => ({ interrupted: true, duration: 4_200 }), "It was interrupted after 4.2 s."],
    [
      ({ published }) => ({ published: published && { ...published, rate: 60 } }),
      "Only 60 of 100 events a second were taken",
    ],
    [
      ({ published }) => ({
        published: published && { ...published, failed: 3, reason: "no\nroom" },
      }),
      "The server did not take 3 events; the last: no",
    ],
    [({ delivered }) => ({ delivered: { ...delivered, lost: 1 } }), "1 event never came."],
    [({ delivered }) => ({ delivered: { ...delivered, foreign: 2 } }), "2 events of theirs"],
    [
      ({ connections }) => ({ connections: { ...connections, lost: 2, reopened: 1 } }),
      "2 connections broke off, 1 of them came back.",
    ],
    [
      ({ connections }) => ({
        connections: { ...connections, reasons: new Map([["refused", 5]]) },
      }),
      "5 connections could not be opened: refused",
    ],
    [
      () => ({ own: { cpu: 0.95, lagP99: 1, lagMax: 1, crowd: 1 } }),
      "The load generator itself was a bottleneck: it had no CPU time left",
    ],
    [
      () => ({ own: { cpu: 0.1, lagP99: 8, lagMax: 9, crowd: 1 } }),
      "The load generator itself was a bottleneck: its timers were late",
    ],
    [
      () => ({ own: { cpu: 0.1, lagP99: 1, lagMax: 1, crowd: 5.5 } }),
      "Other programs want this machine, too: 5.5 for each CPU",
    ],
    [() => ({ server: { cpu: 9_500, memory: 1 } }), "The server had no CPU time left"],
  ];
  for (const [change, sentence] of table) assertStringIncludes(found(change), sentence);
});

Deno.test("reportJson gives the same figures to a program", () => {
  const report = JSON.parse(reportJson(ASKED, resultOf()));
  assertEquals(report.published, { events: 1_000, perSecond: 100, failed: 0 });
  assertEquals(report.delivered.perSecond, 1_000);
  assertEquals(report.latencyMs.max, 10);
  assert(Math.abs(report.latencyMs.p50 - 5) < 0.05);
  assertEquals(report.server, { cpu: 0.1, memoryBytes: 80_000_000 });
  const reading = resultOf(() => ({ published: undefined, latency: new Histogram() }));
  const read = JSON.parse(reportJson({ ...ASKED, publish: false }, reading));
  assertEquals([read.published, read.latencyMs], [null, null]);
});

Deno.test("reportSvg draws latency over time and by percentile, or the rate alone", () => {
  const full = reportSvg(ASKED, resultOf());
  for (const text of ["Latency from publishing to receipt", "Latency by percentile", "99 %"]) {
    assertStringIncludes(full, `>${text}</text>`);
  }
  assert(!full.includes("NaN"));
  const reading = resultOf(() => ({ published: undefined, latency: new Histogram() }));
  const rate = reportSvg({ ...ASKED, publish: false }, reading);
  assertStringIncludes(rate, ">Events delivered</text>");
  assert(!rate.includes("Latency"));
});

/** What makes a run short. */
const SHORT = ["--duration", "500ms", "--warm-up", "100ms", "--json"];

/** A service of this process. */
function serve(options: ServiceOptions = {}): Running {
  const service = createService(options);
  const running = listenDeno((request) => service.fetch(request));
  return {
    port: running.port,
    async [Symbol.asyncDispose]() {
      await service.close();
      await running[Symbol.asyncDispose]();
    },
  };
}

/** The JSON of a bench. */
async function bench(args: readonly string[], env: Record<string, string> = {}) {
  const { code, stdout, stderr } = await runCli(["bench", ...args, ...SHORT], { env });
  assertEquals(code, 0, stderr);
  return JSON.parse(stdout);
}

Deno.test("bench serve measures a service of its own, in which nothing is lost", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const svg = join(folder, "latency.svg");
    const report = await bench(["serve", "-c", "8", "-r", "50", "--size", "1k", "--svg", svg]);
    assertMatch(report.url, /^http:\/\/127\.0\.0\.1:\d+\/topics\/bench$/);
    assertEquals(report.connections, { open: 8, failed: 0, lost: 0, reopened: 0 });
    const { events } = report.published;
    assert(events > 0 && events <= 25, `${events}`);
    assertEquals(report.delivered.events, 8 * events);
    assertEquals([report.delivered.lost, report.delivered.duplicated], [0, 0]);
    // The data, and what frames it.
    assert(report.delivered.bytes >= 8 * events * 1_024);
    const { p50, p99, max, count } = report.latencyMs;
    assert(0 < p50 && p50 <= p99 && p99 <= max * 1.01 && count === 8 * events);
    assert(report.server.cpu > 0 && report.server.memoryBytes > 1e6);
    assertMatch(await Deno.readTextFile(svg), /^<svg [\s\S]*<\/svg>\n$/);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("startService ends its process with who has started it", async () => {
  const service = await startService(new AbortController().signal);
  const url = new URL("/healthz", service.url);
  const response = await fetch(url);
  assertEquals(response.status, 200);
  await response.text();
  const { cpu, memory } = await service.usage();
  assert(cpu > 0 && memory > 0);
  await service[Symbol.asyncDispose]();
  await assertRejects(() => fetch(url), TypeError);
  await assertRejects(() => service.usage());
});

Deno.test("bench measures a server by the URL of its topic, or by its own with --topic", async () => {
  await using server = serve();
  const origin = `http://127.0.0.1:${server.port}`;
  const named = await bench([`${origin}/topics/a%2Fb`, "-c", "3", "--ramp", "100ms"]);
  assertEquals(named.url, `${origin}/topics/a%2Fb`);
  assertEquals(named.server, null);
  assertEquals(named.delivered.events, 3 * named.published.events);
  const topic = await bench([origin, "-c", "2", "--topic", "news/x"]);
  assertEquals(topic.url, `${origin}/topics/news%2Fx`);
});

Deno.test("bench sends the token, and says what is missing without it", async () => {
  await using server = serve({ token: "secret" });
  const url = `http://127.0.0.1:${server.port}/topics/a`;
  assertEquals((await bench([url, "-c", "2", "--token", "secret"])).delivered.lost, 0);
  assertEquals((await bench([url, "-c", "2"], { SSE_TOKEN: "secret" })).delivered.lost, 0);
  const { code, stderr } = await runCli(["bench", url]);
  assertEquals(code, 3);
  assertMatch(
    stderr,
    /Cannot read \S+: the server answered 401 .*: send a token by --token or SSE_TOKEN/,
  );
});

/** A hub that does to readers what `change` does to the text of a chunk. */
function spoiled(change: (text: string, reader: number) => string): Running {
  const service = createService({ keepAlive: false });
  let readers = 0;
  const running = listenDeno(async (request) => {
    const response = await service.fetch(request);
    if (request.method === "POST" || response.body === null) return response;
    const reader = readers++;
    const spoil = new TransformStream<string, string>({
      transform: (text, controller) => controller.enqueue(change(text, reader)),
    });
    const body = response.body.pipeThrough(new TextDecoderStream()).pipeThrough(spoil)
      .pipeThrough(new TextEncoderStream());
    return new Response(body, response);
  });
  return {
    port: running.port,
    async [Symbol.asyncDispose]() {
      await service.close();
      await running[Symbol.asyncDispose]();
    },
  };
}

Deno.test("bench counts what comes late, and nothing of the warm-up that does", async () => {
  const service = createService({ keepAlive: false });
  const late = 80;
  const inTransit = new Set<Promise<void>>();
  await using server = listenDeno(async (request) => {
    const response = await service.fetch(request);
    if (request.method === "POST" || response.body === null) return response;
    const body = response.body.pipeThrough(
      new TransformStream<Uint8Array, Uint8Array>({
        transform(chunk, controller) {
          const passing = delay(late).then(() => controller.enqueue(chunk)).catch(() => {});
          inTransit.add(passing);
          passing.finally(() => inTransit.delete(passing));
        },
      }),
    );
    return new Response(body, response);
  });
  try {
    const report = await bench([`http://127.0.0.1:${server.port}/topics/a`, "-c", "2"]);
    const { lost, duplicated, events } = report.delivered;
    assertEquals([lost, duplicated, events], [0, 0, 2 * report.published.events]);
    assert(report.latencyMs.p50 >= late);
  } finally {
    await service.close();
    await Promise.all(inTransit);
  }
});

Deno.test("bench sees events that a server loses, and those that it sends twice", async () => {
  // Each tenth number, to the second reader; the tenth of a run, whatever its warm-up took.
  const number = (block: string) => Number(/sse-bench \w+ (\d+) /.exec(block)?.[1] ?? -1);
  await using losing = spoiled((text, reader) =>
    text.split(/(?<=\n\n)/).filter((block) => reader === 0 || number(block) % 10 !== 9).join("")
  );
  const args = ["-c", "2", "-r", "100"];
  const lossy = await bench([`http://127.0.0.1:${losing.port}/topics/a`, ...args]);
  assert(Math.abs(lossy.delivered.lost - lossy.published.events / 10) <= 1);
  assertEquals(lossy.delivered.events + lossy.delivered.lost, 2 * lossy.published.events);
  assert(lossy.notes.some((note: string) => note.endsWith("never came.")));

  await using doubling = spoiled((text) =>
    text.split(/(?<=\n\n)/).map((block) => number(block) % 10 === 9 ? block + block : block).join(
      "",
    )
  );
  const twice = await bench([`http://127.0.0.1:${doubling.port}/topics/a`, ...args]);
  assertEquals([twice.delivered.lost, twice.delivered.events], [0, 2 * twice.published.events]);
  const { duplicated } = twice.delivered;
  assert(Math.abs(duplicated - 2 * twice.published.events / 10) <= 2, `${duplicated}`);
});

Deno.test("bench leaves the events of others out, and says that there were some", async () => {
  await using server = spoiled((text) => `${text}data: hello\n\n`);
  const report = await bench([`http://127.0.0.1:${server.port}/topics/a`, "-c", "2"]);
  assertEquals(report.delivered.events, 2 * report.published.events);
  assert(report.delivered.foreign > 0);
  assert(report.notes.some((note: string) => note.startsWith("Others publish to the topic")));
});

Deno.test("bench prints its figures also where the picture cannot be written", async () => {
  await using server = serve();
  const svg = join(Deno.cwd(), "no", "such", "folder", "a.svg");
  const url = `http://127.0.0.1:${server.port}/topics/a`;
  const { code, stdout, stderr } = await runCli(["bench", url, "-c", "1", ...SHORT, "--svg", svg]);
  assertEquals([code, JSON.parse(stdout).delivered.lost], [1, 0]);
  assertStringIncludes(stderr, `Cannot draw to ${svg}: `);
});

Deno.test("bench serve ends its service when Ctrl-C comes while that starts", async () => {
  const running = startCli(["bench", "serve"]);
  running.interrupt();
  assertEquals((await running.result).code, 130);
});

Deno.test("bench comes back when connections break, and then misses nothing that is kept", async () => {
  // What ends a session early is its age.
  await using server = serve({ maxAge: 150, retry: 20 });
  const report = await bench([`http://127.0.0.1:${server.port}/topics/a`, "-c", "4", "-r", "100"]);
  assert(report.connections.lost > 0 && report.connections.reopened > 0);
  assertEquals(report.delivered.lost, 0);
  assertEquals(report.delivered.events, 4 * report.published.events);
});

Deno.test("bench says how often the server does not take an event, and does not count it as lost", async () => {
  const service = createService();
  let posts = 0;
  await using server = listenDeno((request) => {
    if (request.method !== "POST" || ++posts % 4 !== 3) return service.fetch(request);
    return new Response("no room\n", { status: 503 });
  });
  try {
    const report = await bench([`http://127.0.0.1:${server.port}/topics/a`, "-c", "2"]);
    assert(report.published.failed > 0);
    assertEquals(report.delivered.lost, 0);
    const [note] = report.notes.filter((note: string) => note.includes("did not take"));
    assertMatch(note, /\(no room\)/);
  } finally {
    await service.close();
  }
});

Deno.test("Publisher gives up on a server that does not answer, and does not wait for ever", async () => {
  // It takes what comes, and never says a word.
  await using server = await faultServer(() => {});
  const publisher = new Publisher({
    target: { url: new URL(server.url), headers: new Headers() },
    messages: new Messages("run", 100),
    rate: 2_000,
    timeout: 50,
    signal: new AbortController().signal,
  });
  await publisher.run(100);
  publisher.close();
  assertEquals(publisher.taken, 0);
  assert(publisher.failures >= 64 && publisher.isFailed(0));
  assertStringIncludes(`${publisher.lastFailure}`, "there was no answer within 0.05 s");
});

Deno.test("bench --no-publish only reads, and gives rates", async () => {
  await using server = await faultServer(async (request, reply) => {
    assertEquals(request.method, "GET");
    await reply.head();
    for (;; await delay(1)) await reply.write("data: a\n\n".repeat(100));
  });
  const report = await bench([server.url, "--no-publish", "-c", "2"]);
  assertEquals([report.published, report.latencyMs, report.delivered.lost], [null, null, null]);
  assert(report.delivered.events > 1_000);
  assert(report.delivered.bytes >= 9 * report.delivered.events - 9 * 200);
  // The readers have left: so has who writes to them.
  await server.closed(0);
});

Deno.test("bench says in a sentence why it cannot measure", async () => {
  await using html = listenDeno(() =>
    new Response("<p>", { headers: { "content-type": "text/html" } })
  );
  await using readOnly = listenDeno(({ method }) =>
    method === "GET"
      ? new Response(": \n\n", { headers: { "content-type": "text/event-stream" } })
      : new Response("no", { status: 405 })
  );
  await using server = serve();
  const origin = (port: number) => `http://127.0.0.1:${port}`;
  const table: [string[], number, string][] = [
    [[origin(freePort())], 1, "nobody listens there, start the server first: sse serve"],
    [[`${origin(html.port)}/x`], 3, "it is no event stream, name the URL of a topic"],
    [[`${origin(server.port)}/nothing`], 3, "name the URL of a topic, such as"],
    [[`${origin(readOnly.port)}/x`], 3, "or only read by --no-publish"],
    [[`${origin(server.port)}/topics/a`, "--topic", "b"], 2, "Cannot take --topic"],
    [["serve", "--no-publish"], 2, "Cannot bench serve with --no-publish"],
    [["serve", "--rate", "0"], 2, "Cannot read --rate"],
    [["serve", "--connections", "0"], 2, "Cannot read --connections"],
    [["serve", "--duration", "0"], 2, "Cannot read --duration"],
  ];
  for (const [args, code, sentence] of table) {
    const result = await runCli(["bench", ...args]);
    assertEquals([result.code, result.stdout], [code, ""]);
    assertStringIncludes(result.stderr, sentence);
  }
});

Deno.test("bench prints what it has measured when Ctrl-C ends it, and nothing before", async () => {
  await using server = serve();
  const url = `http://127.0.0.1:${server.port}/topics/a`;
  const running = startCli(["bench", url, "-c", "3", "--warm-up", "0", "--duration", "1m"], {
    terminal: true,
  });
  await running.said(/measuring: \d\.\d s of 1 min 0 s, 3 of 3 readers, \d+ events\/s, p99/);
  running.interrupt();
  const { code, stdout } = await running.result;
  assertEquals(code, 130);
  assertStringIncludes(stdout, "It was interrupted after");
  assertMatch(stdout, /delivered {3}[1-9]\d* events/);
  assert(!stdout.includes("lost"));

  const early = startCli(["bench", url, "--warm-up", "10m"], { terminal: true });
  await early.said("warming up: 100 of 100 readers");
  early.interrupt();
  const ended = await early.result;
  assertEquals([ended.code, ended.stdout], [130, ""]);
});

const hasShell = await requireProgram("bash", ["-c", "ulimit -n"], "install bash");

Deno.test("bench explains that files have run out", { ignore: !hasShell }, async () => {
  await using server = serve();
  const url = `http://127.0.0.1:${server.port}/topics/a`;
  const limit = 'ulimit -n 120; exec "$@"';
  const cli = fileURLToPath(new URL("../../cli.ts", import.meta.url));
  const program = ["bash", "-c", limit, "bash", Deno.execPath(), "run", "-A", "--no-lock", cli];
  await using process = spawnCli(["bench", url, "-c", "400", "--warm-up", "0"], { program });
  const { code, stderr } = await process.end(20_000);
  assertEquals(code, 1);
  assertStringIncludes(stderr, "this process may open no more files");
  assertStringIncludes(stderr, "ulimit -n 65536");
});

Deno.test("bench serve runs by a URL, as it does from a registry", async () => {
  const root = new URL("../../", import.meta.url);
  const headers = { "content-type": "application/typescript" };
  await using registry = listenDeno(async ({ url }) =>
    new Response(await Deno.readFile(new URL(`.${new URL(url).pathname}`, root)), { headers })
  );
  const cache = await Deno.makeTempDir();
  try {
    const cli = `http://127.0.0.1:${registry.port}/cli.ts`;
    const program = [Deno.execPath(), "run", "-A", "--quiet", "--no-lock", cli];
    const args = ["bench", "serve", "-c", "2", ...SHORT];
    await using process = spawnCli(args, { program, env: { DENO_DIR: cache } });
    const { code, stdout, stderr } = await process.end(20_000);
    assertEquals(code, 0, stderr);
    assertEquals(JSON.parse(stdout).delivered.lost, 0);
  } finally {
    await Deno.remove(cache, { recursive: true });
  }
});

for (const name of ["Node", "Bun"] as const) {
  const program = await programOn(name);
  Deno.test(`bench serve measures in ${name}, too`, { ignore: program === undefined }, async () => {
    await using process = spawnCli(["bench", "serve", "-c", "4", ...SHORT], { program });
    const { code, stdout, stderr } = await process.end(20_000);
    assertEquals(code, 0, stderr);
    const report = JSON.parse(stdout);
    assertEquals([report.delivered.lost, report.delivered.events], [
      0,
      4 * report.published.events,
    ]);
    assert(report.machine.startsWith(name));
  });
}
