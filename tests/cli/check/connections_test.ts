/** The connections of `sse check`: redirects, a second one, compression, and a real nginx between. */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { constants, createGzip, type Gzip } from "node:zlib";
import { CLOCK } from "../../../cli/check/clock.ts";
import { Probe } from "../../../cli/check/probe.ts";
import { Channel, eventStreamResponse } from "../../../server.ts";
import type { Answer } from "../../fault/answer.ts";
import { faultServer, type Responder } from "../../fault/server.ts";
import { listenDeno, listenNode } from "../../listen.ts";
import { requireProgram } from "../../programs.ts";
import { HEADERS, wrong } from "./heard.ts";
import { nginxBefore } from "./nginx.ts";
import { check, said, several } from "./reports.ts";

const { "transfer-encoding": _, ...headers } = HEADERS;

/** The events with these numbers, as a stream that ends. */
function events(from: number, to: number, text = "event"): Answer {
  let body = ": \nretry: 2000\n\n";
  for (let i = from; i <= to; i++) body += `id: ${i}\ndata: ${text} ${i}\n\n`;
  return { headers, body };
}

/** The same, but it stays open. */
function open(from: number, to: number, text?: string): Answer {
  return { ...events(from, to, text), end: "stall" };
}

/** Answers the first request with `first`, and one that resumes with what is given for its id. */
function resuming(first: Answer, again: (id: number) => Answer | "hold"): Responder {
  return ({ lastEventId }) => {
    if (lastEventId === undefined) return first;
    const step = again(Number(lastEventId));
    return step === "hold" ? undefined : step;
  };
}

/** What a server does that is asked to resume, the finding, and whether all waits for the time. */
const RESUMES: [
  title: string,
  again: (id: number) => Answer | "hold",
  finding: string,
  seen: string,
  waits?: "waits",
][] = [
  [
    "goes on behind the id",
    (id) => open(id + 1, 9),
    "ok resume",
    'After id "2" it went on with "3"',
  ],
  ["goes on live", () => open(6, 9), "error resume", "3 events in between did not come again"],
  ["leaves one out", (id) => open(id + 2, 9), "error resume", "1 event in between"],
  ["sends the event with the id again", (id) => open(id, 9), "warning resume", "came again"],
  ["starts again", () => open(1, 9), "warning resume", 'went back to id "1"'],
  ["counts each connection", () => open(1, 9, "other"), "error resume", "and now for"],
  ["refuses the id", () => ({ status: 400 }), "error resume", 'Last-Event-ID "2" got 400'],
  [
    "says that there is a gap",
    () => ({ ...open(6, 9), body: `event: gap\ndata: {}\n\n${events(6, 9).body}` }),
    "warning resume",
    "there is a gap",
  ],
  ["goes on with silence", () => open(1, 0), "error resume", "none of them again", "waits"],
  ["says that there is no more", () => ({ status: 204 }), "error resume", "got 204", "waits"],
  ["gives no answer", () => "hold", "error reconnect", "got no answer", "waits"],
];

Deno.test("sse check comes back with an id that it has seen, and compares", async (t) => {
  const reports = await several(RESUMES, async ([, again, , , waits]) => {
    const first = waits ? open(1, 5) : events(1, 5);
    await using server = await faultServer([], { rest: resuming(first, again) });
    const report = await check(server.url, "--for", waits ? "1s" : "8s");
    return { report, requests: server.requests.length };
  });
  for (const [[title, , finding, seen], { report, requests }] of reports) {
    await t.step(`a server that ${title}`, () => {
      const [level, name] = finding.split(" ");
      assertStringIncludes(said(report, name, level), seen);
      assertEquals(wrong(report.findings), level === "ok" ? [] : [finding]);
      assertEquals(requests, 2);
    });
  }
});

Deno.test("sse check takes 204 for the end of a stream that has ended", async () => {
  await using server = await faultServer([], {
    rest: resuming(events(1, 5), () => ({ status: 204 })),
  });
  const report = await check(server.url);
  assertStringIncludes(said(report, "resume", "ok"), "204");
});

Deno.test("sse check connects once with --no-resume, and never sends a POST twice", async () => {
  await using server = await faultServer([], { rest: events(1, 5) });
  const report = await check(server.url, "--no-resume");
  assertStringIncludes(said(report, "resume", "unknown"), "--no-resume");
  assertEquals(server.requests.length, 1);
  const posted = await check(server.url, "-d", "question");
  assertStringIncludes(said(posted, "resume", "unknown"), "A POST is not sent twice");
  assertEquals(server.requests.length, 2);
  assertEquals(server.requests[1].method, "POST");
  assertEquals(new TextDecoder().decode(server.requests[1].body), "question");
});

Deno.test("sse check closes every connection that it has made", async () => {
  await using server = await faultServer([], {
    rest: resuming(open(1, 5), (id) => open(id + 1, 9)),
  });
  await check(server.url, "--for", "1s");
  assertEquals([await server.closed(0), await server.closed(1)], ["client", "client"]);
});

Deno.test("sse check asks as a reader does, with the headers that it was given", async () => {
  await using server = await faultServer([], { rest: events(1, 5) });
  await check(
    server.url,
    "-H",
    "x-key: 7",
    "--token",
    "secret",
    "--origin",
    "https://a.example/x",
  );
  const [first, second] = server.requests;
  for (const request of [first, second]) {
    assertEquals(request.header("accept"), "text/event-stream");
    assertEquals(request.header("accept-encoding"), "gzip, br");
    assertEquals(request.header("x-key"), "7");
    assertEquals(request.header("authorization"), "Bearer secret");
    assertEquals(request.header("origin"), "https://a.example");
  }
  assertEquals([first.lastEventId, second.lastEventId], [undefined, "2"]);
});

Deno.test("sse check follows redirects, and takes nothing of the caller's to another origin", async () => {
  await using other = await faultServer([], { rest: events(1, 5) });
  await using server = await faultServer((request) => {
    const location = request.path === "/events" ? "/next" : `${other.origin}/final`;
    return { status: 307, headers: { location } };
  });
  const report = await check(server.url, "--token", "secret");
  assertStringIncludes(said(report, "redirect", "note"), "/next");
  assertStringIncludes(said(report, "redirect", "warning"), "/final");
  assertEquals(other.requests[0].header("authorization"), undefined);
  assertStringIncludes(said(report, "resume", "unknown"), "another origin");
  assertEquals([report.exitCode, other.requests.length], [0, 1]);
});

Deno.test("sse check ends at a redirect that leads nowhere", async () => {
  await using server = await faultServer([], {
    rest: { status: 302, headers: { location: "/events" } },
  });
  const report = await check(server.url, "--for", "2s");
  assertStringIncludes(said(report, "redirect", "error"), "21st in a row");
  assertEquals(report.exitCode, 3);
});

Deno.test("sse check says why a redirect is not followed, and lets go of it", async () => {
  const headers = { location: "ftp://a.example/" };
  await using server = await faultServer([], {
    rest: { status: 302, headers, body: "x", end: "stall" },
  });
  const report = await check(server.url, "--for", "2s");
  assertStringIncludes(said(report, "redirect", "error"), "neither http nor https");
  assertEquals(report.exitCode, 3);
  assertEquals(await server.closed(0), "client");
});

Deno.test("Probe ends early at what has shown all, but waits out what was asked for", async () => {
  // A hundred times as fast as the clock on the wall.
  const clock = {
    now: () => 100 * CLOCK.now(),
    after: (ms: number, callback: () => void) => CLOCK.after(ms / 100, callback),
  };
  const body = "id: 1\ndata: a\n\n".repeat(2_100);
  await using server = await faultServer([], { rest: { headers, body, end: "stall" } });
  const question = { url: new URL(server.url), method: "GET", headers: new Headers() };
  const { signal } = new AbortController();
  const endings = [];
  for (const listenFor of [15_000, 60_000]) {
    const probe = new Probe(question, { signal, clock, listenFor, resumes: false });
    const answer = await probe.ask();
    if (answer === undefined) throw new Error("No headers came");
    const { ending, transcript } = await probe.listen(answer, () => {});
    endings.push(ending);
    assertEquals(transcript.events.length, 2_000);
  }
  assertEquals(endings, ["enough", "time"]);
});

Deno.test("sse check ends early at an endless stream, and keeps little of it", async () => {
  await using server = await faultServer((_, reply) => {
    return (async () => {
      await reply.head({ headers });
      for (let i = 0;; i++) {
        await reply.write(`id: ${i}\ndata: ${"x".repeat(2_000)}\n\n`.repeat(20));
      }
    })();
  });
  const report = await check(server.url, "--no-resume");
  assertEquals(report.measured.ending, "enough");
  assert(report.measured.events <= 2_000);
  assert(report.measured.bytes <= 8_388_608 + 1_048_576);
  assertEquals(await server.closed(0), "client");
});

Deno.test("sse check ends early where one line never ends", async () => {
  await using server = await faultServer((_, reply) => {
    return (async () => {
      await reply.head({ headers });
      await reply.write(": ");
      for (;;) await reply.write("x".repeat(65_536));
    })();
  });
  const report = await check(server.url, "--no-resume");
  assertEquals([report.measured.ending, report.measured.events], ["enough", 0]);
});

/** A server of `node:http` that compresses, with a flush for each event or without. */
function gzipServer(flush: boolean, honest = true) {
  return listenNode((request, response) => {
    const wanted = !honest || /gzip/.test(String(request.headers["accept-encoding"]));
    response.writeHead(200, { ...headers, ...(wanted && { "content-encoding": "gzip" }) });
    response.flushHeaders();
    const zip: Gzip | undefined = wanted ? createGzip() : undefined;
    zip?.pipe(response);
    for (let i = 1; i <= 5; i++) (zip ?? response).write(`id: ${i}\ndata: ${i}\n\n`);
    if (flush) zip?.flush(constants.Z_SYNC_FLUSH);
    response.on("close", () => zip?.destroy());
  });
}

Deno.test("sse check sees a compressor that holds events back, by asking without it", async () => {
  await using server = await gzipServer(false);
  const report = await check(`http://127.0.0.1:${server.port}/`, "--for", "700ms");
  assertStringIncludes(
    said(report, "compression", "error"),
    "without compression the first text came",
  );
  assertEquals(report.exitCode, 1);
  const once = await check(`http://127.0.0.1:${server.port}/`, "--for", "700ms", "--no-resume");
  assertEquals(said(once, "compression", "error").includes("without compression"), false);
});

Deno.test("sse check reads a compressed stream that is flushed, and only notes it", async () => {
  await using server = await gzipServer(true);
  const report = await check(`http://127.0.0.1:${server.port}/`, "--for", "1s", "--no-resume");
  assertStringIncludes(said(report, "compression", "note"), "gzip");
  assertEquals(report.measured.events, 5);
  assertEquals(report.counts.error, 0);
});

Deno.test("sse check says so where the encoding is one that it did not ask for", async () => {
  await using server = await faultServer([], {
    rest: { ...events(1, 2), headers: { ...headers, "content-encoding": "zstd" } },
  });
  const report = await check(server.url, "--no-resume");
  assertStringIncludes(said(report, "compression", "error"), "zstd");
});

Deno.test("sse check says so where what is called compressed is not", async () => {
  await using server = await faultServer([], {
    rest: { ...events(1, 2), headers: { ...headers, "content-encoding": "gzip" } },
  });
  const report = await check(server.url, "--for", "2s", "--no-resume");
  assertStringIncludes(said(report, "ending", "error"), "it cannot be decompressed");
});

// Ours.

Deno.test("sse check finds nothing wrong with a Channel, and that it resumes", async () => {
  await using channel = new Channel({ retry: 2_000, keepAlive: 1_100 });
  for (let i = 0; i < 5; i++) await channel.publish({ data: `before ${i}` });
  await using server = listenDeno((request) => {
    const response = channel.subscribe(request);
    // Whoever comes first gets events of its own.
    if (!request.headers.has("last-event-id")) {
      (async () => {
        for (let i = 0; i < 5; i++) await channel.publish({ data: JSON.stringify({ i }) });
      })();
    }
    return response;
  });
  const report = await check(`http://127.0.0.1:${server.port}/`, "--for", "1500ms");
  assertEquals(wrong(report.findings), []);
  assertStringIncludes(said(report, "resume", "ok"), "went on");
  assertStringIncludes(said(report, "keep-alive", "ok"), "A comment came");
  assertEquals(report.exitCode, 0);
});

Deno.test("sse check finds nothing wrong with an eventStreamResponse that resumes", async () => {
  await using server = listenDeno((request) =>
    eventStreamResponse(async function* ({ lastEventId, signal }) {
      for (let i = Number(lastEventId) + 1; i <= 9; i++) yield { id: `${i}`, data: `event ${i}` };
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
    }, { request, retry: 2_000 })
  );
  const report = await check(`http://127.0.0.1:${server.port}/`, "--for", "1s", "--strict");
  assertEquals(wrong(report.findings), []);
  assertEquals([report.exitCode, report.measured.events], [0, 9]);
});

// nginx.

const installed = await requireProgram("nginx", ["-v"], "apt-get install nginx-light");

/** What a server of no great care sends: an event each 100 ms; `extra` are headers. */
function ticking(extra: Record<string, string>, ticks = 12) {
  return listenNode((request, response) => {
    const type = { "content-type": "text/event-stream", "cache-control": "no-cache, no-transform" };
    response.writeHead(200, { ...type, ...extra });
    response.flushHeaders();
    let id = Number(request.headers["last-event-id"] ?? 0);
    const timer = setInterval(() => {
      response.write(`id: ${++id}\ndata: tick ${id}\n\n`);
      if (id >= ticks) response.end();
    }, 100);
    response.on("close", () => clearInterval(timer));
  });
}

Deno.test({
  name: "sse check sees that an nginx holds a stream back, and that each fix of it helps",
  ignore: !installed,
  async fn(t) {
    await using server = await ticking({});
    await t.step("an answer that ends comes whole", async () => {
      await using nginx = await nginxBefore(server.port);
      const report = await check(nginx.origin, "--for", "5s", "--no-resume");
      assertStringIncludes(said(report, "buffering", "error"), "All 12 events came at once");
      assertEquals(report.exitCode, 1);
    });
    await t.step("one that goes on does not come at all", async () => {
      await using endless = await ticking({}, 1_000);
      await using nginx = await nginxBefore(endless.port);
      const report = await check(nginx.origin, "--for", "600ms", "--no-resume");
      assertStringIncludes(said(report, "buffering", "error"), "No headers came");
      assertEquals(report.exitCode, 3);
    });
    await t.step("proxy_buffering off", async () => {
      await using nginx = await nginxBefore(server.port, "proxy_buffering off;");
      const report = await check(nginx.origin, "--for", "600ms");
      assertEquals(wrong(report.findings), []);
      assertStringIncludes(said(report, "buffering", "ok"), "first bytes after");
      // It compresses all the same, and flushes.
      assertStringIncludes(said(report, "compression", "note"), "gzip");
      assertStringIncludes(said(report, "resume", "ok"), "went on");
    });
    await t.step("X-Accel-Buffering: no", async () => {
      await using careful = await ticking({ "x-accel-buffering": "no" });
      await using nginx = await nginxBefore(careful.port);
      const report = await check(nginx.origin, "--for", "600ms", "--no-resume");
      assertEquals(wrong(report.findings), []);
    });
  },
});
