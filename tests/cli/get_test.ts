/** `sse get`: what it asks for, what it prints of what comes, and when it ends. */

import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { type FaultServer, faultServer, type Step } from "../fault/server.ts";
import { text, utf8 } from "../helpers.ts";
import { type CliOptions, type CliResult, runCli } from "./helpers.ts";

/** A stream with all that an event can have. */
const STREAM = [
  "data: first\n\n",
  'event: price\nid: 7\nretry: 250\ndata: {"a": 1}\n\n',
  "data: one\ndata:   two\n\n",
].join("");

/** Runs `sse get` on a server that answers by script, and once only unless it is told otherwise. */
async function get(
  script: Step[],
  args: readonly string[] = [],
  options: CliOptions = {},
): Promise<CliResult & { server: FaultServer }> {
  await using server = await faultServer(script);
  const once = args.some((arg) => arg.startsWith("--retry")) ? [] : ["--retry", "no"];
  return { ...await runCli(["get", server.url, ...once, ...args], options), server };
}

// Formats

Deno.test("get prints a line for each event: time, type, id, retry and data; many lines below", async () => {
  const { code, stdout } = await get([{ body: STREAM }]);
  assertEquals(code, 0);
  assertEquals(
    stdout.replace(/^\d\d:\d\d:\d\d\.\d{3}/gm, "TIME"),
    [
      "TIME first\n",
      'TIME price #7 retry=250 {"a": 1}\n',
      "TIME #7\n    one\n      two\n",
    ].join(""),
  );
});

Deno.test("get colours what it prints on a terminal, unless NO_COLOR says otherwise", async () => {
  const { stdout, stderr } = await get([{ body: STREAM }], [], { terminal: true });
  // deno-lint-ignore no-control-regex
  assertMatch(stdout, /^\x1b\[2m[\d:.]+\x1b\[22m first\n/);
  assertStringIncludes(stdout, "\x1b[33m#7\x1b[39m");
  assertStringIncludes(stderr, "\x1b[2msse: open: 200 text/event-stream\x1b[22m\n");
  const options = { terminal: true, env: { NO_COLOR: "1" } };
  assertEquals((await get([{ body: STREAM }], [], options)).stdout.includes("\x1b"), false);
});

Deno.test("get --json prints the event as it is, one object a line", async () => {
  const { stdout } = await get([{ body: STREAM }], ["--json"]);
  assertEquals(
    stdout,
    [
      '{"event":"message","data":"first","id":""}\n',
      '{"event":"price","data":"{\\"a\\": 1}","id":"7","retry":250}\n',
      '{"event":"message","data":"one\\n  two","id":"7"}\n',
    ].join(""),
  );
});

Deno.test("get --data prints the data alone, with its own lines", async () => {
  const { stdout } = await get([{ body: STREAM }], ["--data"]);
  assertEquals(stdout, 'first\n{"a": 1}\none\n  two\n');
});

/** What moves a cursor, in C0 and in C1, and what turns text around. */
const HOSTILE = "\x1b[2J\x07\x9b31m\u202e\x7fé\t😀";

Deno.test("get hands no control character to a terminal, in whatever format", async () => {
  const body = `event: ${HOSTILE}\nid: ${HOSTILE}\ndata: ${HOSTILE}\ndata: b\n\n`;
  const options = { terminal: true, env: { NO_COLOR: "1" } };
  for (const format of [[], ["--json"], ["--data"], ["--raw"]]) {
    const { stdout } = await get([{ body }], format, options);
    // deno-lint-ignore no-control-regex
    assertEquals(/[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]/.test(stdout), false, format.join());
    assertStringIncludes(stdout, "é\t😀".replace("\t", format[0] === "--json" ? "\\t" : "\t"));
  }
  const { stdout } = await get([{ body }], ["--data"], options);
  assertEquals(stdout, "\\x1b[2J\\x07\\x9b31m\\u202e\\x7fé\t😀\nb\n");
});

Deno.test("get --json escapes so that the same comes out, and --data is exact where no terminal is", async () => {
  const body = `data: ${HOSTILE}\n\n`;
  const { stdout } = await get([{ body }], ["--json"]);
  assertEquals(JSON.parse(stdout).data, HOSTILE);
  assertEquals((await get([{ body }], ["--data"])).stdout, `${HOSTILE}\n`);
});

Deno.test("get refuses two formats, and a choice among raw bytes", async () => {
  for (
    const [args, problem] of [
      [
        ["--json", "--raw"],
        "Cannot print by --json and --raw: they exclude each other, choose one",
      ],
      [["--raw", "--filter", "a"], "leave --filter out"],
      [["--raw", "--event", "a"], "leave --event out"],
    ] as const
  ) {
    const { code, stderr } = await runCli(["get", "http://127.0.0.1/", ...args]);
    assertEquals(code, 2);
    assertStringIncludes(stderr, problem);
  }
});

// Choices

const KINDS = "event: a\ndata: one\n\nevent: b\ndata: two\n\ndata: three\n\n";

const CHOICES: [args: string[], printed: string][] = [
  [["--event", "a"], "one\n"],
  [["-e", "a", "-e", "message"], "one\nthree\n"],
  [["--filter", "t"], "two\nthree\n"],
  [["--filter", "/^T/i"], "two\nthree\n"],
  // With a g it would go on where it has found something last.
  [["-f", "/t/g"], "two\nthree\n"],
  [["--filter", "/o"], ""],
  [["--event", "a", "--filter", "t"], ""],
];

for (const [args, printed] of CHOICES) {
  Deno.test(`get ${args.join(" ")} prints what fits`, async () => {
    const { code, stdout } = await get([{ body: KINDS }], ["--data", ...args]);
    assertEquals([code, stdout], [0, printed]);
  });
}

// Ends

Deno.test("get --count prints exactly so many, also of those that come together", async () => {
  const { code, stdout, stderr, server } = await get(
    [{ body: KINDS, end: "stall" }],
    ["--data", "--count", "2"],
  );
  assertEquals([code, stdout], [0, "one\ntwo\n"]);
  assertStringIncludes(stderr, "sse: closed: as many as were asked for, 2 events printed\n");
  assertEquals(server.open, 0);
});

Deno.test("get --count fails if the stream has fewer", async () => {
  const { code, stdout, stderr } = await get([{ body: KINDS }], ["--data", "-n", "3", "-e", "a"]);
  assertEquals([code, stdout], [1, "one\n"]);
  assertStringIncludes(stderr, "sse: Cannot print 3 events: the stream has ended after 1\n");
});

Deno.test("get --for ends after this time, with what came until then", async () => {
  const { code, stdout, stderr } = await get(
    [{ body: KINDS, end: "stall" }],
    ["--data", "--for", "1s"],
  );
  assertEquals([code, stdout], [0, "one\ntwo\nthree\n"]);
  assertStringIncludes(stderr, "sse: closed: the time is up, 3 events printed\n");
});

Deno.test("get --for fails if there was no stream in this time", async () => {
  const { code, stderr } = await get(["hold"], ["--for", "50ms"]);
  assertEquals(code, 4);
  assertStringIncludes(stderr, "sse: Cannot connect: the stream was not open within --for\n");
});

Deno.test("get --until ends at the event with this data and does not print it", async () => {
  const body = "data: a\n\ndata: [DONE]\n\ndata: b\n\n";
  const { code, stdout } = await get([{ body, end: "stall" }], ["--data", "--until", "[DONE]"]);
  assertEquals([code, stdout], [0, "a\n"]);
});

Deno.test("get --until fails if the stream ends without it", async () => {
  const { code, stdout, stderr } = await get([{ body: "data: a\n\n" }], ["--data", "--until", "b"]);
  assertEquals([code, stdout], [1, "a\n"]);
  assertStringIncludes(stderr, "the body ended before the event of --until");
});

Deno.test("get ends well at a 204, which says that there is no more", async () => {
  const { code, stderr } = await get([{ status: 204 }], ["--retry", "forever"]);
  assertEquals(code, 0);
  assertStringIncludes(stderr, "closed: the server has no more to send, 0 events printed");
});

// Requests

Deno.test("get sends headers, the token, and the last event ID in the header and the query", async () => {
  const { server } = await get([{ body: "" }], [
    "-H",
    "x-one: 1",
    "--header",
    "x-two:a: b",
    "--token",
    "secret",
    "--last-event-id",
    "4é",
    "--last-event-id-param",
    "after",
  ]);
  const [request] = server.requests;
  assertEquals(request.method, "GET");
  assertEquals(request.header("x-one"), "1");
  assertEquals(request.header("x-two"), "a: b");
  assertEquals(request.header("authorization"), "Bearer secret");
  assertEquals(request.header("accept"), "text/event-stream");
  assertEquals(request.lastEventId, "4é");
  assertEquals(request.query.get("after"), "4é");
});

Deno.test("get takes the token of the environment, and a header in its place", async () => {
  const env = { SSE_TOKEN: "secret" };
  const { server: first } = await get([{ body: "" }], [], { env });
  assertEquals(first.requests[0].header("authorization"), "Bearer secret");
  const { server: second } = await get([{ body: "" }], ["-H", "Authorization: Basic a"], { env });
  assertEquals(second.requests[0].header("authorization"), "Basic a");
});

Deno.test("get sends a user of the URL as a header", async () => {
  await using server = await faultServer([{ body: "" }]);
  const url = server.url.replace("http://", "http://a%40b:p%C3%A9@");
  const { code } = await runCli(["get", url, "--retry", "no"]);
  assertEquals(code, 0);
  const encoded = btoa(String.fromCharCode(...utf8("a@b:pé")));
  assertEquals(server.requests[0].header("authorization"), `Basic ${encoded}`);
});

Deno.test("get takes a URL without its scheme", async () => {
  await using server = await faultServer([{ body: "data: a\n\n" }]);
  const args = ["get", server.url.replace("http://", ""), "--data", "--retry", "no"];
  assertEquals((await runCli(args)).stdout, "a\n");
});

Deno.test("get sends a body: as a form as curl does, from a file, from stdin, as JSON", async () => {
  const file = await Deno.makeTempFile();
  await Deno.writeFile(file, new Uint8Array([0, 255]));
  try {
    const form = "application/x-www-form-urlencoded";
    for (
      const [args, type, body] of [
        [["-d", "a=b"], form, utf8("a=b")],
        [["--body", `@${file}`], form, new Uint8Array([0, 255])],
        [["-d", "@-"], form, utf8("piped")],
        [["-d", "<a>", "-H", "content-type: text/xml"], "text/xml", utf8("<a>")],
        // As it is written: no number is read and written again.
        [["--json-body", '{"a": 1e400}'], "application/json", utf8('{"a": 1e400}')],
      ] as const
    ) {
      const { code, server } = await get([{ body: "" }], args, { stdin: "piped" });
      const [request] = server.requests;
      assertEquals([code, request.method], [0, "POST"]);
      assertEquals(request.header("content-type"), type);
      assertEquals(request.body, body);
    }
  } finally {
    await Deno.remove(file);
  }
});

Deno.test("get -X names the method", async () => {
  const { server } = await get([{ body: "" }], ["-X", "PUT", "-d", ""]);
  assertEquals(server.requests.map(({ method }) => method), ["PUT"]);
  // As fetch has it, and so is the rest that goes by the method.
  const { server: other } = await get([{ status: 204 }], ["-X", "get"]);
  assertEquals(other.requests.map(({ method }) => method), ["GET"]);
});

Deno.test("get reads an answer to what is no GET once, unless --retry says otherwise", async () => {
  await using server = await faultServer([{ body: "data: a\n\n" }]);
  const { code, stdout } = await runCli(["get", server.url, "--data", "-d", "question"]);
  assertEquals([code, stdout, server.requests.length], [0, "a\n", 1]);
  await using broken = await faultServer([{ raw: "" }]);
  const { code: lost } = await runCli(["get", broken.url, "-d", "question"]);
  assertEquals([lost, broken.requests.length], [1, 1]);
  const { code: failed, server: other } = await get(
    [{ body: "id: 1\ndata: a\n\n", end: "cut" }, { body: "data: b\n\n" }],
    ["-d", "question", "--retry", "1", "--retry-delay", "0"],
  );
  assertEquals([failed, other.requests.map(({ lastEventId }) => lastEventId)], [0, [
    undefined,
    "1",
  ]]);
});

Deno.test("get --location follows to another origin, which it does not otherwise", async () => {
  await using target = await faultServer(() => ({ body: "data: there\n\n" }));
  const redirect = { status: 307, headers: { location: target.url } };
  const { code, stderr } = await get([redirect]);
  assertEquals(code, 1);
  assertStringIncludes(stderr, "is another origin, connect to it or follow it by --location");
  const { stdout } = await get([redirect], ["--location", "--data", "-H", "x-key: secret"]);
  assertEquals(stdout, "there\n");
  assertEquals(target.requests[0].header("x-key"), undefined);
});

const REFUSED: [args: string[], problem: string][] = [
  [["ftp://a"], 'Cannot read the URL: it must be one of http or https: received "ftp://a"'],
  [["127.0.0.1:9", "-H", "no colon"], 'Cannot read --header: it must be "name: value"'],
  [
    ["127.0.0.1:9", "--token", "日"],
    "Cannot send --token: it holds a character that no header can carry",
  ],
  [
    ["a", "--token", "b", "-H", "authorization: c"],
    "Cannot send --token: an authorization is given",
  ],
  [
    ["127.0.0.1:9", "-d", "b", "--json-body", "1"],
    "Cannot send --body and --json-body: choose one",
  ],
  [["127.0.0.1:9", "--json-body", "{"], "Cannot send --json-body: it is no JSON: "],
  [
    ["127.0.0.1:9", "-d", "b", "-X", "GET"],
    "Cannot send a body by GET: choose another method, such as POST",
  ],
  [["127.0.0.1:9", "-X", "a b"], 'Cannot ask by --request "a b": it is no method that can be sent'],
  [["127.0.0.1:9", "--filter", "/(/"], "Cannot read --filter: it is no regular expression: "],
  [
    ["127.0.0.1:9", "--count", "0"],
    "Cannot read --count: it must be a whole number from 1 up: received",
  ],
  [
    ["a", "--for", "1d"],
    'Cannot read --for: it must be a time such as 500ms, 10s or 2m: received "1d"',
  ],
  [
    ["127.0.0.1:9", "--retry", "often"],
    "Cannot read --retry: it must be no, a number, or forever: received",
  ],
  [["127.0.0.1:9", "--max-event-size", "x"], "Cannot read --max-event-size: it must be a size"],
];

for (const [args, problem] of REFUSED) {
  Deno.test(`get refuses ${JSON.stringify(args.slice(-2).join(" "))} in a sentence, and asks nobody`, async () => {
    const { code, stdout, stderr } = await runCli(["get", ...args]);
    assertEquals([code, stdout], [2, ""]);
    assertStringIncludes(stderr, `sse: ${problem}`);
    assertStringIncludes(stderr, "Try: sse get --help\n");
  });
}

Deno.test("get says which file of a body it cannot read", async () => {
  const { code, stderr } = await runCli(["get", "a", "--body", "@/nowhere/file"]);
  assertEquals(code, 1);
  assertStringIncludes(stderr, "sse: Cannot read the file of --body: ENOENT");
});

// The connection

Deno.test("get tells of the connection on stderr, and not with --quiet", async () => {
  const script: Step[] = [{ body: "id: 1\ndata: a\n\n", end: "cut" }, { body: "data: b\n\n" }];
  const args = ["--data", "--count", "2", "--retry", "1", "--retry-delay", "10ms"];
  const { stdout, stderr, server } = await get(script, args);
  assertEquals(stdout, "a\nb\n");
  const told = stderr.replaceAll(server.url, "URL").split("\n");
  assertEquals(told.slice(0, 2), ["sse: connecting to URL", "sse: open: 200 text/event-stream"]);
  assertMatch(told[2], /^sse: lost: the body broke off: .+; next attempt in 0\.0 s$/);
  assertEquals(told.slice(3), [
    'sse: connecting to URL again, attempt 2 after id "1"',
    "sse: open: 200 text/event-stream",
    "sse: closed: as many as were asked for, 2 events printed",
    "",
  ]);
  assertEquals((await get(script, [...args, "--quiet"])).stderr, "");
});

Deno.test("get says that an id cannot be sent, and hands none of its characters to a terminal", async () => {
  const { stderr } = await get([{ body: "" }], ["--last-event-id", "a\x01\u202e"]);
  assertStringIncludes(
    stderr,
    'after id "a\\u0001\\u202e"\nsse: this id cannot be sent in a header',
  );
});

Deno.test("get ends with 3 if the server refuses, and says how, in one line without control characters", async () => {
  const body = "no\x1b[31m\nsuch stream";
  const { code, stdout, stderr } = await get([{ status: 404, body }], ["--retry", "forever"]);
  assertEquals([code, stdout], [3, ""]);
  assertEquals(stderr.split("\n").length, 3);
  assertStringIncludes(
    stderr,
    "sse: Cannot read events: the status must be 200: received 404: no\\x1b[31m such stream\n",
  );
});

Deno.test("get ends with 3 if what comes is no event stream", async () => {
  const headers = { "content-type": "text/html" };
  const { code, stderr } = await get([{ headers, body: "<html>" }]);
  assertEquals(code, 3);
  assertStringIncludes(stderr, "text/html");
});

Deno.test("get tries a status again that passes, once the stream was open or if --retry is given", async () => {
  const open = { body: "id: 1\ndata: a\n\n" };
  const args = ["--retry-delay", "0", "--data", "--count", "2"];
  assertEquals((await get([{ status: 503 }], args)).code, 3);
  const again = await get([open, { status: 503 }, { body: "data: b\n\n" }], args);
  assertEquals([again.code, again.stdout], [0, "a\nb\n"]);
  const asked = await get([{ status: 502 }, open], [...args, "--retry", "1", "--count", "1"]);
  assertEquals([asked.code, asked.stdout], [0, "a\n"]);
  const gone = await get([open, { status: 410 }], [...args, "--retry", "forever"]);
  assertEquals([gone.code, gone.stdout], [3, "a\n"]);
});

Deno.test("get --retry makes so many more attempts, and ends with what the last one failed of", async () => {
  const script: Step[] = [{ raw: "" }, { raw: "" }, { raw: "" }];
  const { code, stderr, server } = await get(script, ["--retry", "2", "--retry-delay", "0"]);
  assertEquals([code, server.requests.length], [1, 3]);
  assertStringIncludes(stderr, "3 attempts in a row were lost, raise --retry to try longer");
  assertEquals((await get([{ raw: "" }], ["--retry", "no"])).code, 1);
});

Deno.test("get --connect-timeout and --idle-timeout end with 4", async () => {
  const { code, stderr } = await get(["hold"], ["--connect-timeout", "50ms"]);
  assertEquals(code, 4);
  assertStringIncludes(stderr, "the server sent no headers within 50 ms");
  const idle = await get([{ body: "data: a\n\n", end: "stall" }], ["--idle-timeout", "50ms"]);
  assertEquals(idle.code, 4);
  assertStringIncludes(idle.stderr, "the server sent nothing within 50 ms");
});

Deno.test("get --max-event-size refuses a larger event", async () => {
  const body = `data: a\n\ndata: ${"x".repeat(2_000)}\n\n`;
  const args = ["--data", "--max-event-size"];
  const { code, stdout, stderr } = await get([{ body }], [...args, "1k"]);
  assertEquals([code, stdout], [1, "a\n"]);
  assertStringIncludes(stderr, "raise --max-event-size");
  assertEquals((await get([{ body }], [...args, "3k"])).code, 0);
});

Deno.test("get prints what came before a fault", async () => {
  const { code, stdout } = await get([{ body: "data: a\n\ndata: hal", end: "cut" }], ["--data"]);
  assertEquals([code, stdout], [1, "a\n"]);
});

Deno.test("get prints text as UTF-8, whatever chunk cuts it", async () => {
  const bytes = utf8("data: é日本😀\n\n");
  const pieces = Array.from(bytes, (byte) => Uint8Array.of(byte));
  const result = await get([{ body: pieces }], ["--data"]);
  assertEquals(text(result.bytes), "é日本😀\n");
});
