/**
 * The demo as its user runs it: a child process with the permissions of the task, and no more.
 *
 * @module
 */

import {
  assert,
  assertEquals,
  assertMatch,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { receive } from "../../examples/demo.ts";
import { readEvents, type ServerSentEvent } from "../../parse.ts";
import { readRecording } from "../../examples/recording.ts";
import config from "../../deno.json" with { type: "json" };

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const FIXTURE = "tests/fixtures/demo.sse";
const NO_SIGINT = Deno.build.os === "windows";

/** Starts the demo; an empty `port` counts as none. */
function start(args: string[], port = "0"): Deno.ChildProcess {
  const [, ...task] = config.tasks.demo.split(" ");
  return new Deno.Command(Deno.execPath(), {
    args: [...task, ...args],
    cwd: ROOT,
    env: { PORT: port },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
}

/** Runs the demo to its end. */
async function run(args: string[], port?: string) {
  const { code, stdout, stderr } = await start(args, port).output();
  const decoder = new TextDecoder();
  return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}

/** Starts the demo and waits for its address. */
async function open(args: string[]) {
  const child = start(args);
  const stdout = child.stdout.pipeThrough(new TextDecoderStream());
  let text = "";
  for await (const chunk of stdout.values({ preventCancel: true })) {
    text += chunk;
    if (text.includes("\n")) break;
  }
  const url = /http:\S+\//.exec(text)?.[0] ?? "none";
  return {
    url,
    line: text,
    /** Presses Ctrl-C and gives what was printed after the address. */
    async interrupt() {
      child.kill("SIGINT");
      const [{ code }, rest, stderr] = await Promise.all([
        child.status,
        Array.fromAsync(stdout),
        new Response(child.stderr).text(),
      ]);
      return { code, stdout: rest.join(""), stderr };
    },
  };
}

Deno.test("the demo streams 30 events with their latencies, sums up and ends with status 0", async () => {
  const { code, stdout, stderr } = await run([]);
  assertEquals([code, stderr], [0, ""]);
  assertEquals(
    stdout.match(/^ +\d+\.\d{3} ms {2}tick #\d+ {2}\{"sent":\d+(\.\d+)?\}$/gm)?.length,
    30,
  );
  assertMatch(stdout, /^latency p50 \d+\.\d{3} ms, max \d+\.\d{3} ms$/m);
  assertMatch(stdout, /^30 events, 1,\d{3} bytes, [2-9]\.\d\d s, \d+ events\/s$/m);
  assert(!stdout.includes("\x1b"), "no colours in a pipe");
});

Deno.test("the demo goes on quietly when its stdout is closed", async () => {
  const child = start([]);
  const reader = child.stdout.getReader();
  await reader.read();
  await reader.cancel();
  const stderr = await new Response(child.stderr).text();
  assertEquals([(await child.status).code, stderr], [0, ""]);
});

Deno.test("the demo streams a recorded file in odd chunks, and all events match", async () => {
  const { code, stdout, stderr } = await run([FIXTURE]);
  assertEquals([code, stderr], [0, ""]);
  assertMatch(stdout, /^ +\d+\.\d{3} ms {2}挨拶 #1 {2}\{"text":"こんにちは、世界"\}$/m);
  assertMatch(stdout, /^ +\.\.\.$/m);
  assertMatch(stdout, /^ +\d+\.\d{3} ms {2}message {2}\[DONE\]$/m);
  assertMatch(
    stdout,
    /^all 15 events match\n15 events, 859 bytes, \d+\.\d\d s, [\d,]+ events\/s$/m,
  );
});

Deno.test("a recording is cut inside its BOM, its characters and its CRLFs", async () => {
  const bytes = await Deno.readFile(join(ROOT, FIXTURE));
  const recording = await readRecording(join(ROOT, FIXTURE));
  const chunks = await Array.fromAsync(recording.stream());
  assertEquals(chunks.flatMap((chunk) => [...chunk]), [...bytes]);
  assertEquals(chunks[0], new Uint8Array([0xef]));
  assert(
    chunks.some((chunk, i) => chunk.at(-1) === 13 && chunks[i + 1]?.[0] === 10),
    "CRLF is cut",
  );
  assert(chunks.some((chunk, i) => i > 1 && (chunk[0] & 0xc0) === 0x80), "a character is cut");
});

Deno.test("a recording tells the first event that differs, is missing or is too many", async () => {
  const { events, difference } = await readRecording(join(ROOT, FIXTURE));
  assertEquals(difference(events), undefined);
  assertEquals(
    difference(events.with(4, { event: "city", data: "x", id: "4" })),
    'Event 5 of 15 differs: sent {"event":"city","data":"{\\"n\\":1,\\"name\\":\\"zürich\\"}","id":"4"}: ' +
      'received {"event":"city","data":"x","id":"4"}',
  );
  assertEquals(
    difference(events.slice(0, -1)),
    'Event 15 of 15 differs: sent {"event":"message","data":"[DONE]","id":""}: received none',
  );
  assertEquals(
    difference([...events, events[14]]),
    'Event 16 of 15 differs: sent none: received {"event":"message","data":"[DONE]","id":""}',
  );
});

Deno.test("the demo fails when what arrives was changed or cut on the way", async () => {
  const tick = 'event: tick\nid: 1\ndata: {"sent":0}\n\n';
  const headers = { "content-type": "text/event-stream" };
  await using server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} },
    () => new Response(tick, { headers }),
  );
  const url = `http://127.0.0.1:${server.addr.port}/`;
  const recording = await readRecording(join(ROOT, FIXTURE));
  await assertRejects(() => receive(url, undefined, recording), Error, "Event 1 of 15 differs");
  await assertRejects(() => receive(url), Error, "The stream was cut: received 1 of 30 events");
});

Deno.test("the demo takes a free port when 8000 is in use and no other is asked for", async () => {
  let listener: Deno.Listener | undefined;
  try {
    listener = Deno.listen({ hostname: "127.0.0.1", port: 8000 });
  } catch (error) {
    assert(error instanceof Deno.errors.AddrInUse); // Somebody else holds it, which is as good.
  }
  const { code, stdout } = await run([FIXTURE], "");
  listener?.close();
  assertEquals(code, 0);
  assertMatch(stdout, /^Port 8000 is in use: taking a free one\nServing .* at http:\/\/127/);
});

Deno.test("the demo says that the PORT it was given is in use, and its status is 1", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  assertEquals(await run([], `${port}`), {
    code: 1,
    stdout: "",
    stderr: `Cannot listen on 127.0.0.1:${port}: the port is in use, ` +
      "set PORT to another, or to 0 for a free one\n",
  });
});

for (const port of ["abc", "70000", "-1", "80.5"]) {
  Deno.test(`the demo refuses PORT=${port} with a sentence and status 1`, async () => {
    const stderr = `Cannot listen: PORT must be a number from 0 to 65535: received "${port}"\n`;
    assertEquals(await run([], port), { code: 1, stdout: "", stderr });
  });
}

for (
  const { what, path, says } of [
    { what: "a missing file", path: "no.sse", says: "Cannot read PATH: no such file\n" },
    {
      what: "a directory",
      path: "tests",
      says: "Cannot read PATH: it is a directory, give a file in it\n",
    },
    {
      what: "a file that is no event stream",
      path: "deno.json",
      says: "Cannot stream PATH: no event stream, no event in it\n",
    },
  ]
) {
  Deno.test(`the demo refuses ${what} with a sentence and status 1`, async () => {
    const stderr = says.replace("PATH", join(ROOT, path));
    assertEquals(await run([path]), { code: 1, stdout: "", stderr });
  });
}

for (
  const { what, args, says } of [
    { what: "an unknown flag", args: ["--server"], says: "Unknown option '--server'" },
    { what: "two files", args: [FIXTURE, FIXTURE], says: "At most one file can be streamed" },
  ]
) {
  Deno.test(`the demo answers ${what} with its usage and status 2`, async () => {
    const { code, stdout, stderr } = await run(args);
    assertEquals([code, stdout], [2, ""]);
    assertMatch(stderr, /^(.+)\n\nUsage: deno task demo \[file\] \[--serve\]\n/);
    assertEquals(stderr.slice(0, says.length + 1), `${says}\n`);
  });
}

Deno.test("the demo prints its usage when asked for it", async () => {
  const { code, stdout, stderr } = await run(["--help"]);
  assertEquals([code, stderr], [0, ""]);
  assertMatch(stdout, /^Usage: deno task demo \[file\] \[--serve\]\n/);
});

/** The events of a response that is to have these, and then goes on. */
async function readSome(response: Response, count: number): Promise<ServerSentEvent[]> {
  const events: ServerSentEvent[] = [];
  for await (const event of readEvents(response)) if (events.push(event) === count) break;
  return events;
}

Deno.test(
  "the demo with --serve streams one clock to every visitor until Ctrl-C, and ends with status 0",
  {
    ignore: NO_SIGINT,
  },
  async () => {
    const demo = await open(["--serve"]);
    const url = `${demo.url}topics/clock`;
    assertStringIncludes(
      demo.line,
      `Serving a clock at ${demo.url} for a browser, try: curl -N ${url}`,
    );
    const first = await fetch(url);
    assertEquals(first.headers.get("content-type"), "text/event-stream");
    const events = await readSome(first, 3);
    for (const { event, id, data } of events) {
      assertEquals(event, "tick");
      assertMatch(id, /^\w+\.\d+$/);
      assertMatch(data, /^\{"sent":\d+(\.\d+)?\}$/);
    }
    const late = await fetch(url, { headers: { "last-event-id": events[0].id } });
    assertEquals(await readSome(late, 2), events.slice(1), "who comes back gets what it missed");

    const early = await fetch(url);
    await early.body?.cancel();
    const reader = await fetch(url);
    const text = reader.text();
    const { code, stdout, stderr } = await demo.interrupt();
    assertEquals([code, stderr], [0, ""]);
    assertStringIncludes(stdout, "Interrupted: streams and port are closed\n");
    assert((await text).endsWith("\n\n"), "it ends between two events");
  },
);

Deno.test("the demo with --serve has the live page, by the permissions of its task", {
  ignore: NO_SIGINT,
}, async () => {
  const demo = await open(["--serve"]);
  const html = await (await fetch(demo.url)).text();
  assertStringIncludes(html, "<title>Live events</title>");
  for (const file of [...html.matchAll(/"(page\/[\w.]+)"/g)].map(([, file]) => file)) {
    const response = await fetch(`${demo.url}${file}`);
    await response.body?.cancel();
    assertEquals(response.status, 200, file);
  }
  const [{ event, data }] = await readSome(await fetch(`${demo.url}status`), 1);
  assertEquals([event, JSON.parse(data).log], ["status", "memory"]);
  const foreign = await fetch(demo.url, { headers: { origin: "http://evil.example" } });
  await foreign.body?.cancel();
  assertEquals(foreign.status, 403);
  assertEquals((await demo.interrupt()).code, 0);
});

Deno.test("the demo with --serve streams a recorded file as it is", {
  ignore: NO_SIGINT,
}, async () => {
  const demo = await open(["--serve", FIXTURE]);
  const response = await fetch(demo.url);
  assertEquals(await response.bytes(), await Deno.readFile(join(ROOT, FIXTURE)));
  assertEquals((await demo.interrupt()).code, 0);
});

Deno.test("a visitor who does not read cannot keep the demo from ending", {
  ignore: NO_SIGINT,
}, async () => {
  const file = await Deno.makeTempFile();
  await Deno.writeTextFile(file, `data: ${"x".repeat(1_000_000)}\n\n`.repeat(16));
  const demo = await open(["--serve", file]);
  using visitor = await Deno.connect({
    hostname: "127.0.0.1",
    port: Number(new URL(demo.url).port),
  });
  await visitor.write(new TextEncoder().encode("GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"));
  await visitor.read(new Uint8Array(1));
  assertEquals((await demo.interrupt()).code, 0);
  await Deno.remove(file);
});

Deno.test("the demo ends with status 130 when Ctrl-C interrupts it", {
  ignore: NO_SIGINT,
}, async () => {
  const demo = await open([]);
  const { code, stdout, stderr } = await demo.interrupt();
  assertEquals([code, stderr], [130, ""]);
  assertMatch(stdout, /Interrupted: streams and port are closed\n$/);
});
