/** `sse check` against servers that have one fault each, and what it prints. */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import type { Answer } from "../fault/answer.ts";
import { within } from "../fault/real_time.ts";
import { faultServer } from "../fault/server.ts";
import { concat, raw, utf8 } from "../helpers.ts";
import { freePort } from "../listen.ts";
import { HEADERS, wrong } from "./check/heard.ts";
import { check, said, several } from "./check/reports.ts";
import { programOn } from "./programs.ts";
import { runCli, spawnCli, startCli } from "./helpers.ts";

const { "transfer-encoding": _, ...GOOD_HEADERS } = HEADERS;

const GOOD_BODY = ": \nretry: 2000\n\nid: 1\ndata: a\n\nid: 2\ndata: b\n\n";

/** A stream that nothing is wrong with, but for `more`; it ends, so that nobody has to wait. */
function answer(more: Answer = {}): Answer {
  return { headers: GOOD_HEADERS, body: GOOD_BODY, ...more };
}

/** The same, but it stays open. */
function open(more: Answer = {}): Answer {
  return answer({ end: "stall", ...more });
}

/** For what stays open: what is sent at once needs no longer. */
const SHORT = ["--for", "1s"];

/** One fault each: what the server does, the finding, what it says, and other arguments. */
const FAULTS: [
  title: string,
  fault: Answer | "hold",
  finding: string,
  seen: string,
  args?: string[],
][] = [
  ["a 404", answer({ status: 404 }), "error status", "404"],
  ["a 204", { status: 204 }, "error status", "204"],
  [
    "another content type",
    answer({ headers: { ...GOOD_HEADERS, "content-type": "text/plain" } }),
    "error content-type",
    "text/plain",
  ],
  ["no content type", answer({ headers: {} }), "error content-type", "no content type"],
  [
    "another charset",
    answer({ headers: { ...GOOD_HEADERS, "content-type": "text/event-stream; charset=latin1" } }),
    "warning content-type",
    "latin1",
  ],
  [
    "no Cache-Control",
    answer({ headers: { "content-type": "text/event-stream" } }),
    "warning caching",
    "no Cache-Control",
  ],
  [
    "public caching",
    answer({ headers: { ...GOOD_HEADERS, "cache-control": "public, max-age=60" } }),
    "error caching",
    "max-age=60",
  ],
  [
    "an answer out of a cache",
    answer({ headers: { ...GOOD_HEADERS, age: "12" } }),
    "error caching",
    'age is "12"',
  ],
  ["a fixed length", answer({ framing: "length" }), "error framing", "Content-Length"],
  [
    "a body that breaks off",
    answer({ end: "cut", cutAt: GOOD_BODY.length - 2 }),
    "error ending",
    "broke off",
  ],
  [
    "an end in the middle of an event",
    answer({ body: "id: 1\ndata: a\n\ndata: b" }),
    "error ending",
    "in the middle of an event",
  ],
  ["a misspelt field", answer({ body: "Data: a\n\n" }), "error fields", 'Line 1: "Data: a"'],
  ["a blank before the colon", answer({ body: "data : a\n\n" }), "error fields", '"data : a"'],
  [
    "data with a line break",
    answer({ body: "id: 1\ndata: hello\nworld\n\n" }),
    "error injection",
    'Line 3: "world"',
  ],
  [
    "fields of its own",
    answer({ body: "time: 1\ndata: a\n\ntime: 2\ndata: b\n\n" }),
    "warning fields",
    "2 lines",
  ],
  ["a BOM", answer({ body: `\ufeff${GOOD_BODY}` }), "warning bom", "byte order mark"],
  [
    "bytes that are no UTF-8",
    answer({ body: concat(utf8("id: 1\ndata: "), raw("\xe9"), utf8("\n\n")) }),
    "error utf-8",
    "line 2",
  ],
  [
    "a CR in data",
    answer({ body: "id: 1\ndata: a\revent: x\n\n" }),
    "warning line-ends",
    "1 CR",
  ],
  ["no ids", open({ body: "data: a\n\n" }), "warning ids", "None of 1 event", SHORT],
  [
    "an id twice",
    answer({ body: "id: 1\ndata: a\n\nid: 1\ndata: b\n\n" }),
    "warning ids",
    'on more than one event: "1"',
  ],
  [
    "an id that no header can carry",
    answer({ body: "id: a\x01b\ndata: a\n\n" }),
    "error ids",
    "no header can carry",
  ],
  ["a retry of 0", answer({ body: "retry: 0\n\n" }), "warning retry", "retry is 0"],
  ["a retry of a year", answer({ body: "retry: 31536000000\n\n" }), "error retry", "31536000000"],
  ["a retry that is no number", answer({ body: "retry: 3s\n\n" }), "warning retry", '"retry: 3s"'],
  ["an event without data", answer({ body: "event: ping\n\n" }), "warning no-data", "event: ping"],
  [
    "JSON that is cut",
    answer({ body: 'id: 1\ndata: {"a":1}\n\nid: 2\ndata: {"a"\n\n' }),
    "warning data",
    "does not parse",
  ],
  [
    "an event named error",
    answer({ body: "event: error\nid: 1\ndata: a\n\n" }),
    "warning event-types",
    '"error"',
  ],
  [
    "no CORS for the origin",
    answer(),
    "error cors",
    "no Access-Control-Allow-Origin",
    ["--origin", "https://app.example"],
  ],
  [
    "any origin with credentials",
    answer({
      headers: {
        ...GOOD_HEADERS,
        "access-control-allow-origin": "*",
        "access-control-allow-credentials": "true",
      },
    }),
    "error cors",
    "Any origin",
  ],
  ["no headers", "hold", "error buffering", "No headers came", SHORT],
];

Deno.test("sse check finds nothing wrong with a stream that is as it should be", async () => {
  await using server = await faultServer([], { rest: open() });
  const report = await check(server.url, ...SHORT, "--no-resume", "--strict");
  assertEquals(wrong(report.findings), []);
  assertEquals(report.exitCode, 0);
});

Deno.test("sse check finds each fault of a server that has it", async (t) => {
  const reports = await several(FAULTS, async ([, fault, , , args = []]) => {
    await using server = await faultServer([], { rest: fault });
    return await check(server.url, "--for", "8s", "--no-resume", ...args);
  });
  for (const [[title, , finding, seen], report] of reports) {
    await t.step(title, () => {
      const [level, name] = finding.split(" ");
      assertStringIncludes(said(report, name, level), seen);
      const refused = level === "error" && ["status", "content-type", "buffering"].includes(name);
      assertEquals(report.exitCode, level === "warning" ? 0 : refused ? 3 : 1);
    });
  }
});

Deno.test("sse check takes no event that is larger than it can hold", async () => {
  const body = `id: 1\ndata: ${"x".repeat(4_300_000)}\n\n`;
  await using server = await faultServer([], { rest: open({ body }) });
  const report = await check(server.url, "--for", "8s", "--no-resume");
  assertStringIncludes(said(report, "event-size", "error"), "more than 4 MiB");
  assertEquals([report.exitCode, report.measured.ending], [1, "enough"]);
});

Deno.test("sse check prints a report for people, the worst first", async () => {
  const body = "id: 1\nData: a\ndata: b\n\n";
  await using server = await faultServer([], { rest: answer({ body }) });
  const { code, stdout } = await runCli(["check", server.url, "--no-resume"]);
  assertEquals(code, 1);
  const places = [
    `GET ${server.url}`,
    "HTTP/1.1 200",
    "Errors",
    "fields",
    "Fix:",
    "Notes",
    "In order",
  ]
    .map((text) => stdout.indexOf(text));
  assertEquals(places, places.toSorted((a, b) => a - b));
  assertEquals(places.includes(-1), false);
  assertStringIncludes(stdout.trimEnd().split("\n").at(-1) ?? "", "1 error, 0 warnings");
});

Deno.test("sse check names the very directive where a server is to be configured", async () => {
  await using server = await faultServer([], { rest: "hold" });
  const { code, stdout } = await runCli(["check", server.url, "--for", "100ms"]);
  assertEquals(code, 3);
  for (
    const line of ["nginx:", "proxy_buffering off;", "Caddy:", "flush_interval", "HAProxy:"]
  ) {
    assertStringIncludes(stdout, line);
  }
});

Deno.test("sse check lets nothing of a server's reach the terminal but text", async () => {
  const evil = "\x1b]0;gone\x07\x1b[2J\x9b31m\u202e";
  const body = `id: a${evil}\nevent: ${evil}\ndata: ${evil}\n\n${evil}\nretry: ${evil}\n\n`;
  const headers = { "content-type": `text/event-stream; x="\x9b31m"`, "cache-control": "\x9b31m" };
  await using server = await faultServer([], { rest: answer({ headers, body }) });
  const url = `${server.url}?\u202e`;
  for (const args of [["--json"], []]) {
    const { stdout } = await runCli(["check", url, "--no-resume", ...args]);
    // deno-lint-ignore no-control-regex
    assertEquals(stdout.match(/[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]/g), null);
  }
});

Deno.test("sse check colours its report on a terminal, and tells there how far it is", async () => {
  await using server = await faultServer([], { rest: open() });
  const args = ["check", server.url, ...SHORT, "--no-resume"];
  const { stdout, stderr } = await runCli(args, { terminal: true, columns: 60 });
  assertStringIncludes(stdout, "\x1b[32m✓");
  assertStringIncludes(stderr, "\r\x1b[KChecking: ");
  assertStringIncludes(stderr, "2 events, 1 comment");
  assert(stderr.endsWith("\r\x1b[K"));
  const plain = await runCli(args, { terminal: true, env: { NO_COLOR: "1" } });
  assertEquals(plain.stdout.includes("\x1b"), false);
});

Deno.test("sse check fails at warnings with --strict only", async () => {
  const body = "retry: 0\n\n";
  await using server = await faultServer([], { rest: answer({ body }) });
  const args = ["check", server.url, "--no-resume"];
  assertEquals((await runCli(args)).code, 0);
  assertEquals((await runCli([...args, "--strict"])).code, 1);
});

Deno.test("sse check says in a sentence that nobody listens, or what does is no HTTP", async () => {
  const nobody = `http://127.0.0.1:${freePort()}/`;
  const { code, stdout, stderr } = await runCli(["check", nobody]);
  assertEquals([code, stdout], [1, ""]);
  assertMatch(
    stderr,
    /^sse: Cannot check http.*: .*ECONNREFUSED.*, see that a server listens there\n$/,
  );
  await using server = await faultServer([], { rest: { raw: "SSH-2.0\r\n" } });
  const other = await runCli(["check", server.url]);
  assertEquals(other.code, 1);
  assertMatch(other.stderr, /^sse: Cannot check .*, see that it is HTTP what is spoken there\n$/);
});

Deno.test("sse check says which value makes no sense, and asks nobody then", async () => {
  const wrongs = [
    ["--for", "soon"],
    ["--for", "0"],
    ["--for", "2h"],
    ["--origin", "app"],
    ["-H", "x"],
    ["-X", "G T"],
  ];
  for (const args of wrongs) {
    const { code, stdout, stderr } = await runCli(["check", "http://127.0.0.1:1/", ...args]);
    assertEquals([code, stdout], [2, ""], args.join(" "));
    assertStringIncludes(stderr, "Try: sse check --help");
  }
});

Deno.test("sse check ends at Ctrl-C with the report of what it has heard", async () => {
  await using server = await faultServer([], { rest: open() });
  const running = startCli(["check", server.url, "--for", "1h", "--json"], { terminal: true });
  await running.said("2 events");
  running.interrupt();
  const { code, stdout } = await within(running.result, 5_000, () => "It does not end");
  assertEquals(code, 130);
  const { exitCode, measured } = JSON.parse(stdout);
  assertEquals([exitCode, measured.ending, measured.events], [130, "stopped", 2]);
  assertEquals(await server.closed(0), "client");
  assertEquals(server.requests.length, 1);
});

Deno.test("sse check ends at Ctrl-C while there is no answer", async () => {
  await using server = await faultServer([], { rest: "hold" });
  const running = startCli(["check", server.url, "--for", "1h"]);
  await server.request(0);
  running.interrupt();
  const { code, stdout } = await within(running.result, 5_000, () => "It does not end");
  assertEquals([code, stdout], [130, ""]);
  assertEquals(await server.closed(0), "client");
});

Deno.test("sse check --help has examples, and names the exit codes", async () => {
  const { code, stdout } = await runCli(["check", "--help"]);
  assertEquals(code, 0);
  for (const text of ["Usage: sse check URL", "--for TIME", "Examples:", "Exit code"]) {
    assertStringIncludes(stdout, text);
  }
});

/** Checks as a process: `program` is what runs cli.ts. */
async function checkAsProcess(program?: readonly string[]): Promise<void> {
  await using server = await faultServer([], { rest: answer({ gzip: true }) });
  await using process = spawnCli(["check", server.url, "--for", "1s", "--no-resume"], { program });
  const { code, stdout, stderr } = await process.end();
  assertStringIncludes(stdout, "compression: The stream is compressed with gzip");
  assertStringIncludes(stdout, "2 events, 1 comment");
  assertStringIncludes(stdout, "0 errors, 0 warnings");
  assertEquals([code, stderr], [0, ""]);
}

Deno.test("sse check is a program on Deno and on Node", async () => {
  await checkAsProcess();
  const program = await programOn("Node");
  if (program !== undefined) await checkAsProcess(program);
});
