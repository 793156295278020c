/** `sse publish` over sockets: what it posts, how it goes on after failures, and how it ends. */

import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { EXIT } from "../../cli/failure.ts";
import { bodyOf } from "../../cli/publish/body.ts";
import { readLines } from "../../cli/publish/lines.ts";
import { Pace } from "../../cli/publish/pace.ts";
import { createService } from "../../cli/service.ts";
import { type LoggedEvent, MemoryEventLog } from "../../server.ts";
import { chunkings } from "../chunkings.ts";
import { cuttingProxy } from "../cutting_proxy.ts";
import { within } from "../fault/real_time.ts";
import { SEED, utf8 } from "../helpers.ts";
import { freePort, listenDeno, type Running } from "../listen.ts";
import { type CliOptions, type CliResult, runCli, spawnCli, startCli } from "./helpers.ts";

/** A service on loopback, and what was published to its topic `t`. */
interface Target extends AsyncDisposable {
  readonly port: number;
  readonly url: string;
  /** The events, without ids. */
  events(): Promise<{ event?: string; data?: string; retry?: number }[]>;
}

function openTarget(): Target {
  const log = new MemoryEventLog({ maxEvents: Infinity, maxBytes: Infinity });
  const service = createService({ log });
  const server = listenDeno(service.fetch);
  return {
    port: server.port,
    url: `http://127.0.0.1:${server.port}/topics/t`,
    async events() {
      const logged = await Array.fromAsync(log.read("t", { after: "" }));
      return logged.map(({ id: _, ...event }: LoggedEvent) => event);
    },
    async [Symbol.asyncDispose]() {
      await service.close();
      await server[Symbol.asyncDispose]();
      await log.close();
    },
  };
}

/** A request that a stand-in got. */
interface Got {
  readonly key: string | null;
  readonly body: unknown;
  readonly headers: Headers;
}

/** A server that answers by script, the last answer to all that follow. */
function standIn(
  ...answers: (() => Response | Promise<Response>)[]
): Running & { got: Got[]; url: string } {
  const got: Got[] = [];
  const server = listenDeno(async (request) => {
    const { headers } = request;
    const answer = answers[Math.min(got.length, answers.length - 1)];
    got.push({ key: headers.get("idempotency-key"), body: await request.json(), headers });
    return await answer();
  });
  return {
    got,
    url: `http://127.0.0.1:${server.port}/`,
    port: server.port,
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

const accepted = () => Response.json({ id: "e.1" }, { status: 202 });

function status(code: number, text = "", headers = {}): () => Response {
  return () => new Response(text, { status: code, headers });
}

function publish(url: string, args: readonly string[], options?: CliOptions): Promise<CliResult> {
  return runCli(["publish", url, ...args], options);
}

Deno.test("sse publish publishes each line of stdin, in order", async () => {
  await using target = openTarget();
  const { code, stdout, stderr } = await publish(target.url, [], {
    stdin: 'a\r\n b \n\n{"data":{"n":1},"event":"x"}\n   \n{"user":7}\nlast',
  });
  assertEquals([code, stdout], [EXIT.ok, ""]);
  assertEquals(await target.events(), [
    { data: "a" },
    { data: " b " },
    { event: "x", data: '{"n":1}' },
    { data: '{"user":7}' },
    { data: "last" },
  ]);
  assertMatch(stderr, /^Published 5 events, \d+\.\d s, [\d,.]+\/s\n$/);
});

Deno.test("sse publish --text takes each line as data", async () => {
  await using target = openTarget();
  const line = '{"data":"a"}';
  assertEquals((await publish(target.url, ["--text"], { stdin: line })).code, EXIT.ok);
  assertEquals(await target.events(), [{ data: line }]);
});

Deno.test("sse publish --event is the type of lines that name none", async () => {
  await using target = openTarget();
  const stdin = 'a\n{"data":"b"}\n{"event":"y","data":"c"}\n{"id":"1","data":"d","retry":5}';
  assertEquals((await publish(target.url, ["--event", "x"], { stdin })).code, EXIT.ok);
  assertEquals(await target.events(), [
    { event: "x", data: "a" },
    { event: "x", data: "b" },
    { event: "y", data: "c" },
    { event: "x", data: "d", retry: 5 },
  ]);
});

Deno.test("sse publish --data is one event, and stdin is not read", async () => {
  await using target = openTarget();
  const stdin = (async function* (): AsyncGenerator<Uint8Array> {
    yield await Promise.reject(new Error("It was read"));
  })();
  const args = ["--data", '{"data":"as it is"}', "--event", "x"];
  assertEquals((await publish(target.url, args, { stdin })).code, EXIT.ok);
  assertEquals(await target.events(), [{ event: "x", data: '{"data":"as it is"}' }]);
});

Deno.test("sse publish --ids prints the id of each event", async () => {
  await using target = openTarget();
  const { stdout } = await publish(target.url, ["--ids", "--quiet"], { stdin: "a\nb" });
  assertMatch(stdout, /^\w+\.1\n\w+\.2\n$/);
});

Deno.test("sse publish sends the token, the headers and who asks", async () => {
  await using server = standIn(accepted);
  const args = ["--token", "secret", "-H", "x-a: 1", "--data", "a", "--quiet"];
  assertEquals((await publish(server.url, args)).code, EXIT.ok);
  const [{ headers, key, body }] = server.got;
  assertEquals(headers.get("authorization"), "Bearer secret");
  assertEquals(headers.get("x-a"), "1");
  assertEquals(headers.get("content-type"), "application/json");
  assertEquals(body, { data: "a" });
  assertMatch(key ?? "", /^[\w-]{36}-1$/);
});

Deno.test("sse publish tries again while the server is busy, with the same key", async () => {
  for (const busy of [429, 502, 503, 504]) {
    await using server = standIn(status(busy, "wait"), accepted);
    const { code, stderr } = await publish(server.url, ["--key", "k"], { stdin: "a\nb" });
    assertEquals(code, EXIT.ok);
    assertEquals(server.got.map(({ key }) => key), ["k-1", "k-1", "k-2"]);
    assertMatch(
      stderr,
      new RegExp(`^line 1: the server answered ${busy}: wait; again in 0\\.\\d s`),
    );
    assertMatch(stderr, /Published 2 events, .*, 1 retry\n$/);
  }
});

Deno.test("sse publish waits for as long as Retry-After says", async () => {
  await using server = standIn(status(503, "", { "retry-after": "1" }), accepted);
  const begin = performance.now();
  assertEquals((await publish(server.url, ["--data", "a"])).code, EXIT.ok);
  assert(performance.now() - begin >= 995);
});

Deno.test("sse publish gives up after --attempts, and says after what", async () => {
  await using server = standIn(status(503, "The log is away"));
  const { code, stderr } = await publish(server.url, ["--attempts", "2"], { stdin: "\na" });
  assertEquals([code, server.got.length], [EXIT.refused, 2]);
  assertMatch(
    stderr,
    /sse: Cannot publish line 2: the server answered 503: The log is away; tried 2 times, --attempts tries longer\n$/,
  );
});

Deno.test("sse publish gives up on a server that is not there", async () => {
  const args = ["--attempts", "2", "--data", "a"];
  const { code, stderr } = await publish(`http://127.0.0.1:${freePort()}/`, args);
  assertEquals(code, EXIT.failed);
  assertMatch(stderr, /sse: Cannot publish line 1: .*refused.*; tried 2 times/i);
});

Deno.test("sse publish ends at a refusal, with the line and what the server said", async () => {
  await using server = standIn(accepted, status(400, "No:\n \x1b[31mnot that"), accepted);
  const { code, stderr } = await publish(server.url, ["--key", "k"], { stdin: "a\nb\nc" });
  assertEquals([code, server.got.length], [EXIT.refused, 2]);
  assertMatch(
    stderr,
    /^Published 1 event, .*\. The same input again with --key k publishes only what is missing\nsse: Cannot publish line 2: the server answered 400: No: \\x1b\[31mnot that\n$/,
  );
});

Deno.test("sse publish shows the start of a long refusal only", async () => {
  await using server = standIn(status(404, "x".repeat(100_000)));
  const { code, stderr } = await publish(server.url, ["--data", "a"]);
  assertEquals(code, EXIT.refused);
  assert(stderr.length < 500);
});

Deno.test("sse publish does not take a redirect for an answer", async () => {
  await using server = standIn(status(302, "", { location: "/else" }));
  const { code, stderr } = await publish(server.url, ["--data", "a"]);
  assertEquals([code, server.got.length], [EXIT.refused, 1]);
  assertMatch(stderr, new RegExp(`the server sends to ${server.url}else: publish there`));
});

Deno.test("sse publish --timeout bounds an attempt", async () => {
  const held = Promise.withResolvers<void>();
  await using server = standIn(async () => {
    await held.promise;
    return accepted();
  }, accepted);
  const { code, stderr } = await publish(server.url, ["--timeout", "50ms", "--key", "k"], {
    stdin: "a",
  });
  held.resolve();
  assertEquals(code, EXIT.ok);
  assertEquals(server.got.map(({ key }) => key), ["k-1", "k-1"]);
  assertMatch(stderr, /line 1: the server gave no answer within 0\.05 s; again in/);
});

Deno.test("sse publish loses and repeats nothing where each answer is cut somewhere", async () => {
  await using target = openTarget();
  const cuts = ["HTTP/1.1 202", '.3"', '.7"', '.20"'];
  await using proxy = cuttingProxy(target.port, cuts);
  const lines = Array.from({ length: 20 }, (_, i) => `line ${i}`);
  const { code, stderr } = await publish(`http://127.0.0.1:${proxy.port}/topics/t`, [], {
    stdin: lines.join("\n"),
  });
  assertEquals(code, EXIT.ok, stderr);
  assertEquals(proxy.left, []);
  assertEquals((await target.events()).map(({ data }) => data), lines);
  assertMatch(stderr, /20 events, .*, \d+ retries\n$/);
});

Deno.test("sse publish --key publishes the same lines once, however often it is run", async () => {
  await using target = openTarget();
  for (const stdin of ["a\nb", "a\nb\nc", "a\nb\nc"]) {
    assertEquals((await publish(target.url, ["--key", "monday"], { stdin })).code, EXIT.ok);
  }
  assertEquals((await target.events()).map(({ data }) => data), ["a", "b", "c"]);
});

Deno.test("sse publish --concurrency has that many under way, and no more", async () => {
  let underWay = 0;
  let most = 0;
  const full = Promise.withResolvers<void>();
  await using server = standIn(async () => {
    most = Math.max(most, ++underWay);
    if (underWay === 3) full.resolve();
    await within(full.promise, 5_000, () => "They do not go together");
    underWay--;
    return accepted();
  });
  const stdin = "a\nb\nc\nd\ne\nf\ng\n";
  assertEquals((await publish(server.url, ["--concurrency", "3"], { stdin })).code, EXIT.ok);
  assertEquals([most, server.got.length], [3, 7]);
});

Deno.test("sse publish finishes what is under way at Ctrl-C, and says what is published", async () => {
  const arrived = Promise.withResolvers<void>();
  const interrupted = Promise.withResolvers<void>();
  await using server = standIn(accepted, async () => {
    arrived.resolve();
    await interrupted.promise;
    return accepted();
  });
  const running = startCli(["publish", server.url, "--key", "k"], { stdin: "a\nb\nc\nd" });
  await arrived.promise;
  running.interrupt();
  interrupted.resolve();
  const { code, stderr } = await running.result;
  assertEquals([code, server.got.length], [EXIT.interrupted, 2]);
  assertMatch(stderr, /^Published 2 events, .*--key k publishes only what is missing\n$/);
});

Deno.test("sse publish does not wait for the next attempt at Ctrl-C", async () => {
  await using server = standIn(status(503, "", { "retry-after": "600" }));
  const running = startCli(["publish", server.url], { stdin: "a" });
  await running.said("again in 600.0 s (attempt 2 of 10)");
  running.interrupt();
  assertEquals((await within(running.result, 5_000, () => "It waits")).code, EXIT.interrupted);
});

Deno.test("sse publish does not wait for the next line at Ctrl-C", async () => {
  await using server = standIn(accepted);
  const never = new Promise<never>(() => {});
  const stdin = (async function* () {
    yield utf8("a\n");
    await never;
  })();
  const running = startCli(["publish", server.url, "--ids"], { stdin });
  await running.printed("e.1\n");
  running.interrupt(EXIT.terminated);
  assertEquals((await within(running.result, 5_000, () => "It waits")).code, EXIT.terminated);
});

Deno.test("sse publish reads no more of stdin than it can publish", async () => {
  const held = Promise.withResolvers<void>();
  await using server = standIn(async () => {
    await held.promise;
    return accepted();
  });
  let taken = 0;
  const stdin = (async function* () {
    for (; taken < 1_000; taken++) yield utf8(`${taken}\n`);
  })();
  const running = startCli(["publish", server.url, "--quiet"], { stdin });
  const asked = async () => {
    while (server.got.length === 0) await new Promise((resolve) => setTimeout(resolve));
  };
  await within(asked(), 5_000, () => "Nothing comes");
  assert(taken < 50, `${taken} lines were read`);
  held.resolve();
  assertEquals((await running.result).code, EXIT.ok);
  assertEquals(server.got.length, 1_000);
});

Deno.test("sse publish writes its progress over on a terminal", async () => {
  const held = Promise.withResolvers<void>();
  await using server = standIn(accepted, async () => {
    await held.promise;
    return accepted();
  });
  const running = startCli(["publish", server.url], { stdin: "a\nb", terminal: true, columns: 40 });
  await running.said("\r\x1b[K1 event, 0.");
  held.resolve();
  const { stderr } = await running.result;
  assertMatch(stderr.split("\r\x1b[K").at(-1) ?? "", /^Published 2 events, 0\.\d s, [\d.]+\/s\n$/);
});

Deno.test("sse publish refuses options that make no sense, with a sentence", async () => {
  const cases: [string[], RegExp][] = [
    [["--rate", "0"], /--rate: it must be a number above 0/],
    [["--concurrency", "0"], /--concurrency: it must be a whole number from 1 to 1000/],
    [["--attempts", "none"], /--attempts: it must be a whole number from 1 up/],
    [["--timeout", "0"], /--timeout: it must be longer than 0/],
    [["--key", "two words"], /--key: it must be 1 to 200 visible ASCII characters/],
    [["--key", "x".repeat(201)], /--key: it must be 1 to 200 visible ASCII characters/],
  ];
  for (const [args, expected] of cases) {
    const { code, stderr } = await publish("http://127.0.0.1:9/", args);
    assertEquals(code, EXIT.usage, args.join(" "));
    assertMatch(stderr, expected);
  }
  assertEquals((await runCli(["publish"])).code, EXIT.usage);
});

Deno.test("sse publish as a process publishes what is piped in", async () => {
  await using target = openTarget();
  await using process = spawnCli(["publish", target.url, "--rate", "1000"], { stdin: "a\nb\nc" });
  const { code, stderr } = await process.end(30_000);
  assertEquals(code, EXIT.ok, stderr);
  assertEquals((await target.events()).map(({ data }) => data), ["a", "b", "c"]);
});

Deno.test("sse publish as a process ends at Ctrl-C while more may be piped in", async () => {
  await using target = openTarget();
  const cli = new URL("../../cli.ts", import.meta.url).pathname;
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-lock", cli, "publish", target.url, "--ids", "--quiet"],
    stdin: "piped",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const stdin = child.stdin.getWriter();
  try {
    await stdin.write(utf8("a\n"));
    const reader = child.stdout.getReader();
    await within(reader.read(), 30_000, () => "It publishes nothing");
    reader.releaseLock();
    child.kill("SIGINT");
    const { code } = await within(child.status, 5_000, () => "It does not end");
    assertEquals(code, EXIT.interrupted);
  } finally {
    await stdin.close().catch(() => {});
    await child.stdout.cancel();
  }
});

Deno.test("readLines gives the same lines for every chunking", async () => {
  const text = "\ufeffa\r\n\n bé \r💶\n\t\nlast";
  const expected = [
    { number: 1, text: "a" },
    { number: 3, text: " bé " },
    { number: 4, text: "💶" },
    { number: 6, text: "last" },
  ];
  const { signal } = new AbortController();
  for (const { name, chunks } of chunkings(utf8(text), SEED)) {
    const stdin = ReadableStream.from(chunks);
    assertEquals(await Array.fromAsync(readLines(stdin, signal)), expected, name);
  }
});

Deno.test("readLines refuses a line that has no end", async () => {
  const line = utf8("x".repeat(1_048_576));
  let taken = 0;
  const stdin = (async function* () {
    yield utf8("a\n");
    for (; taken < 1_000; taken++) yield line;
  })();
  const { signal } = new AbortController();
  const reading = Array.fromAsync(readLines(stdin, signal));
  const error = await assertRejects(() => reading, Error);
  assertMatch(error.message, /^Cannot read line 2: it is longer than 16777216 characters/);
  assert(taken < 20);
});

Deno.test("bodyOf keeps the numbers of an event digit by digit", () => {
  const line = '{"data":{"n":12345678901234567890}}';
  assertEquals(bodyOf(` ${line} `, { text: false }), line);
  const typed = '{"event":"x","data":{"n":12345678901234567890}}';
  assertEquals(bodyOf(line, { event: "x", text: false }), typed);
});

Deno.test("bodyOf takes a line for an event only if it is nothing else", () => {
  const others = ["{", "[1]", '"a"', "7", "{}", '{"a":1}', '{"data":"a","b":1}', '{"event":"x"}'];
  for (const line of others) {
    assertEquals(JSON.parse(bodyOf(line, { text: false })), { data: line });
  }
});

Deno.test("Pace gives so many tokens a second, and makes up for what was late", async () => {
  let now = 0;
  const sleeps: number[] = [];
  const { signal } = new AbortController();
  const clock = {
    now: () => now,
    sleep(ms: number) {
      sleeps.push(ms);
      now += ms;
      return Promise.resolve();
    },
  };
  const pace = new Pace(100, clock);
  for (let i = 0; i <= 100; i++) await pace.take(signal);
  assert(Math.abs(now - 1_000) < 1, `${now} ms`);
  // Nobody asked for 10 s: no more is saved than what comes in a tenth of a second.
  now += 10_000;
  sleeps.length = 0;
  for (let i = 0; i < 10; i++) await pace.take(signal);
  assertEquals(sleeps, []);
  await pace.take(signal);
  assertEquals(sleeps.length, 1);
});

Deno.test("Pace of less than one a second waits for each", async () => {
  let now = 0;
  const clock = {
    now: () => now,
    sleep: (ms: number) => Promise.resolve(void (now += ms)),
  };
  const { signal } = new AbortController();
  const pace = new Pace(0.5, clock);
  for (const expected of [0, 2_000, 4_000]) {
    await pace.take(signal);
    assertEquals(Math.round(now), expected);
  }
});

Deno.test("Pace ends its wait when the signal is aborted", async () => {
  const stopping = new AbortController();
  const pace = new Pace(0.001);
  await pace.take(stopping.signal);
  const taking = pace.take(stopping.signal);
  stopping.abort();
  await within(taking, 5_000, () => "It waits");
});
