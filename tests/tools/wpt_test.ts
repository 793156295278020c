import { assertEquals } from "@std/assert";
import { pathToFileURL } from "node:url";
import { ROOT } from "../../tools/_deno.ts";
import { line, type Outcome, runTests, summary, type WptOptions } from "../../tools/wpt.ts";
import { type Tree, withTree } from "./tree.ts";

/** As much of testharness.js as the pages below use. */
const HARNESS = `
const tests = [], callbacks = [];
let ended = false, waiting = "importScripts" in self;
const end = () => {
  if (ended) return;
  ended = true;
  for (const callback of callbacks) callback(tests, { status: 0, message: null });
};
const look = () => { if (!waiting && tests.every(({ status }) => status !== 3)) end(); };
function add_completion_callback(callback) { callbacks.push(callback); }
function done() { waiting = false; setTimeout(look); }
function timeout() {
  for (const test of tests) if (test.status === 3) test.status = 2;
  end();
}
function promise_test(run, name = META_TITLE) {
  const test = { name, status: 3, message: null };
  tests.push(test);
  const settle = (status, message = null) => { Object.assign(test, { status, message }); look(); };
  Promise.resolve().then(run).then(() => settle(0), (error) => settle(1, error.message));
}
function assert_equals(actual, expected) {
  if (actual !== expected) throw new Error("expected " + expected + " but got " + actual);
}
`;

const TREE = {
  "resources/testharness.js": HARNESS,
  "eventsource/resources/cache-control.event_stream": "{{headers[cache-control]}}",
  "fake.js": `export class Fake { get [Symbol.toStringTag]() { return "Fake"; } }`,
};

/** Runs the pages of a made-up checkout; what comes back is sorted by page. */
async function run(files: Tree, options: Partial<WptOptions> = {}): Promise<Outcome[]> {
  return await withTree({ ...TREE, ...files }, async (root) => {
    const all: Outcome[] = [];
    const fake = `${pathToFileURL(`${root}/fake.js`)}#Fake`;
    await runTests(root, { class: fake, ...options }, (some) => all.push(...some));
    return all.sort((a, b) => a.page < b.page ? -1 : 1);
  });
}

/** What becomes of one script in a window. */
async function runWindow(script: string, options?: Partial<WptOptions>): Promise<string[]> {
  return (await run({ "eventsource/a.window.js": script }, options)).map(line);
}

/** What a page that fetches from the handlers finds. */
async function outcomeOf(body: string): Promise<Outcome> {
  const script = `// META: title=t\npromise_test(async () => { ${body} });`;
  const [outcome] = await run({ "eventsource/a.window.js": script });
  return outcome;
}

Deno.test("runTests makes a page of each scope that a file names", async () => {
  const test = "promise_test(() => {}, 'x');";
  const outcomes = await run({
    "eventsource/a.any.js": test,
    "eventsource/b.any.js": `// META: global=window\n${test}`,
    "eventsource/c.any.js": `// META: global=dedicatedworker,sharedworker\n${test}`,
    "eventsource/d/d.window.js": test,
    "eventsource/d/d.worker.js": `importScripts("/resources/testharness.js");\n${test} done();`,
    "eventsource/e.htm": `<title>e</title><script src="/resources/testharness.js"></script>
      <sCript>promise_test(() => {})</sCript>`,
    "eventsource/resources/none.window.js": "throw new Error('not a test')",
    "elsewhere/none.any.js": test,
  });
  assertEquals(outcomes.map(line), [
    "passed /eventsource/a.any.html: x",
    "passed /eventsource/a.any.worker.html: x",
    "passed /eventsource/b.any.html: x",
    "passed /eventsource/c.any.worker.html: x",
    "passed /eventsource/d/d.window.html: x",
    "passed /eventsource/d/d.worker.html: x",
    "passed /eventsource/e.htm: e",
  ]);
});

Deno.test("runTests runs only the files that are asked for", async () => {
  const files = {
    "eventsource/a.any.js": "?",
    "eventsource/b.window.js": "promise_test(() => {})",
  };
  assertEquals((await run(files, { only: ["b.w"] })).map(line), [
    "passed /eventsource/b.window.html: b.window",
  ]);
});

Deno.test("runTests gives a page the class, its title and its place", async () => {
  const script = (more: string) =>
    `// META: title=Its title
     // META: script=/common/two.js
     promise_test(() => {
       assert_equals(String(new EventSource()), "[object Fake]");
       assert_equals(Object.getOwnPropertyDescriptor(self, "EventSource").enumerable, false);
       assert_equals(two, 2);
       ${more}
     });`.replaceAll(/^ +/gm, "");
  const outcomes = await run({
    "common/two.js": "const two = 2;",
    "eventsource/a.window.js": script(`
      assert_equals(location.href, "http://web-platform.test:8000/eventsource/a.window.html");
      assert_equals(document.title + document.baseURI, "Its title" + location.href);
      assert_equals(window, self);
      assert_equals("WorkerGlobalScope" in self, false);
    `),
    "eventsource/b.any.js": `// META: global=worker\n${
      script(`
      assert_equals(location.pathname, "/eventsource/b.any.worker.html");
      assert_equals("document" in self || "window" in self, false);
      assert_equals(self instanceof DedicatedWorkerGlobalScope, true);
    `)
    }`,
  });
  assertEquals(outcomes.map(line), [
    "passed /eventsource/a.window.html: Its title",
    "passed /eventsource/b.any.worker.html: Its title",
  ]);
});

Deno.test("runTests says why a test failed", async () => {
  const script = `
    promise_test(() => assert_equals(1, 2), "wrong");
    promise_test(() => new Promise(() => {}), "never");
    promise_test(() => { Promise.reject(new Error("in vain")); }, "stray");
  `;
  assertEquals(await runWindow(script, { timeout: 100 }), [
    "failed /eventsource/a.window.html: wrong (expected 2 but got 1)",
    "failed /eventsource/a.window.html: never (timed out)",
    "passed /eventsource/a.window.html: stray",
  ]);
});

Deno.test("runTests does not take what a page posts for its report", async () => {
  const script = `for (const data of [true, null, {}]) postMessage(data);
    promise_test(() => {}, "x");`;
  assertEquals(await runWindow(script), ["passed /eventsource/a.window.html: x"]);
});

Deno.test("runTests fails a page that breaks, or that tests nothing", async () => {
  const page = "failed /eventsource/a.window.html";
  assertEquals(await runWindow("throw new Error('broken')"), [`${page} (Error: broken)`]);
  assertEquals(await runWindow("", { timeout: 1 }), [`${page} (The page has no subtest)`]);
});

Deno.test("runTests fails a page whose class is not there", async () => {
  await withTree({ ...TREE, "eventsource/a.window.js": "" }, async (root) => {
    const module = pathToFileURL(`${root}/fake.js`).href;
    const all: Outcome[] = [];
    await runTests(root, { class: `${module}#Nobody` }, (some) => all.push(...some));
    assertEquals(all.map(({ verdict, reason }) => [verdict, reason]), [
      ["failed", `Error: No "Nobody" in ${module}`],
    ]);
  });
});

Deno.test("runTests skips what needs a browser and says what of it", async () => {
  const outcomes = await run({
    "eventsource/a.htm": "<iframe src=x></iframe>",
    "eventsource/b.htm": "<script>new SharedWorker('x')</script>",
    "eventsource/c.window.js": `promise_test(() => {}, "EventSource: cross-origin x should fail");`,
  });
  assertEquals(outcomes.map(line), [
    "skipped /eventsource/a.htm (needs a frame)",
    "skipped /eventsource/b.htm (needs a shared worker)",
    "skipped /eventsource/c.window.html: EventSource: cross-origin x should fail " +
    "(a refusal by CORS is the browser's)",
  ]);
});

Deno.test("runTests takes from the interfaces of HTML the one that is ours", async () => {
  const script = `// META: global=dedicatedworker
promise_test(() => {}, "EventSource interface: attribute url");
promise_test(() => assert_equals(1, 2), "Worker interface: operation terminate()");`;
  const files = {
    "html/dom/idlharness.any.js": script,
    "eventsource/a.window.js": "promise_test(() => {})",
  };
  assertEquals((await run(files)).map(line), [
    "passed /eventsource/a.window.html: a.window",
    "passed /html/dom/idlharness.any.worker.html: EventSource interface: attribute url",
  ]);
});

Deno.test("runTests lets a window make workers, which finish what they do when they close", async () => {
  const outcomes = await run({
    "eventsource/a.htm": `<script>promise_test(async () => {
      const worker = new Worker("worker.js#7");
      const data = await new Promise((resolve) => worker.onmessage = (e) => resolve(e.data));
      assert_equals(data, "[object Fake] #7");
    })</script>`,
    "eventsource/worker.js": "self.close(); postMessage(new EventSource() + ' ' + location.hash);",
  });
  assertEquals(outcomes.map(({ verdict, reason }) => [verdict, reason]), [["passed", undefined]]);
});

Deno.test("runTests fails a test that asks for a handler that we do not have", async () => {
  const script = "promise_test(async () => { await fetch('resources/other.py'); }, 'x')";
  assertEquals((await run({ "eventsource/a.window.js": script })).map(line), [
    "passed /eventsource/a.window.html: x",
    "failed /eventsource/resources/other.py (no handler in tools/_wpt_server.ts)",
  ]);
});

const BROWSING: [title: string, body: string][] = [
  [
    "resolves a URL against the page and hides the server behind it",
    `const response = await fetch("resources/message.py?message=data%3A%EF%BB%BF&newline=none");
     assert_equals(await response.text(), "data:\\uFEFF\\n");
     assert_equals(response.url.startsWith(location.origin + "/eventsource/resources/"), true);`,
  ],
  [
    "leaves nothing out of the machine",
    `for (const url of ["http://example.com:8000/", "http://web-platform.test/", "ftp://x/"]) {
       assert_equals(await fetch(url).then(() => "", (error) => error.name), "TypeError");
     }`,
  ],
  [
    "follows redirects and tells where it ended",
    `const response = await fetch("/common/redirect.py?status=307&location=/eventsource/resources/message.py");
     assert_equals(response.redirected, true);
     assert_equals(new URL(response.url).pathname, "/eventsource/resources/message.py");`,
  ],
  [
    "does not follow redirects that are not wanted",
    `const url = "/common/redirect.py?location=/";
     assert_equals((await fetch(url, { redirect: "manual" })).status, 302);
     assert_equals(await fetch(url, { redirect: "error" }).catch((error) => error.name), "TypeError");`,
  ],
  [
    "lets strangers read only what they are allowed",
    `const cors = location.href.replace("://", "://www2.").replace(/[^/]*$/, "resources/cors.py?run=message");
     assert_equals((await fetch(cors)).status, 200);
     assert_equals((await fetch(cors, { credentials: "include" })).status, 200);
     const refusals = [["&origin=http://example.org"], ["&credentials=false", { credentials: "include" }],
       ["&origin=*", { credentials: "include" }], ["", { mode: "same-origin" }]];
     for (const [query, init] of refusals) {
       assert_equals(await fetch(cors + query, init).catch((error) => error.name), "TypeError");
     }
     assert_equals((await fetch(cors + "&origin=*")).status, 200);`,
  ],
  [
    "keeps cookies as the credentials mode says",
    `const url = location.href.replace("://", "://www2.").replace(/[^/]*$/, "resources/cors-cookie.py?ident=1");
     const ask = async (credentials, id) => {
       const headers = id === undefined ? {} : { "last-event-id": id };
       return (await (await fetch(url, { credentials, headers })).text()).match(/data: .*/)[0];
     };
     assert_equals(await ask("same-origin"), "data: first NO_COOKIE");
     assert_equals(await ask("include"), "data: first NO_COOKIE");
     assert_equals(await ask("omit", "1"), "data: second NO_COOKIE");
     assert_equals(await ask("include", "1"), "data: second COOKIE");
     assert_equals(await ask("include", "2"), "data: 2NO_COOKIE");`,
  ],
  [
    "shows the cache mode on the wire",
    `const ask = async (init) => (await fetch("resources/cache-control.event_stream?pipe=sub", init)).text();
     assert_equals(await ask({ cache: "no-store" }), "no-cache");
     assert_equals(await ask({ cache: "no-store", headers: { "cache-control": "x" } }), "x");
     assert_equals(await ask(), "");`,
  ],
  [
    "hands an ID back byte by byte",
    `const headers = { "last-event-id": "\\u00e2\\u0080\\u00a6" };
     const response = await fetch("resources/last-event-id.py", { headers });
     assert_equals(await response.text(), "data: …\\n\\n");`,
  ],
  [
    "stops what is under way when the page stops",
    `const response = await fetch("resources/message2.py");
     const later = fetch("resources/message.py?sleep=60000").catch((error) => error.name);
     setTimeout(stop);
     assert_equals(await later, "AbortError");
     assert_equals(await response.text().catch((error) => error.name), "AbortError");`,
  ],
  [
    "serves streams that change from connection to connection",
    `const ask = async (url) => { const { status, body } = await fetch(url); await body?.cancel(); return status; };
     const status = [];
     for (let i = 0; i < 4; i++) status.push(await ask("resources/reconnect-fail.py?id=1"));
     assert_equals(status.join(), "200,200,204,200");
     const text = async () => (await fetch("resources/status-reconnect.py?status=200&ok_first")).text();
     assert_equals(await text() + await text(), "retry: 2\\ndata: ok\\n\\ndata: data\\n\\n");`,
  ],
];

for (const [title, body] of BROWSING) {
  Deno.test(`the browser of a page ${title}`, async () => {
    assertEquals(line(await outcomeOf(body)), "passed /eventsource/a.window.html: t");
  });
}

Deno.test("summary counts the verdicts", () => {
  const outcomes: Outcome[] = [
    { page: "/a", verdict: "passed" },
    { page: "/b", verdict: "skipped", reason: "r" },
    { page: "/c", verdict: "passed" },
  ];
  assertEquals(summary(outcomes), "2 passed, 0 failed, 1 skipped");
});

Deno.test("wpt ends with the count, and with 1 if a test failed", async () => {
  const files = { ...TREE, "eventsource/a.window.js": "promise_test(() => assert_equals(1, 2))" };
  await withTree(files, async (root) => {
    const args = [
      "run",
      "--no-lock",
      "--allow-read",
      "--allow-net=127.0.0.1",
      "tools/wpt.ts",
      root,
    ];
    const { code, stdout } = await new Deno.Command(Deno.execPath(), {
      args: [...args, "--class", `${pathToFileURL(`${root}/fake.js`)}#Fake`],
      cwd: ROOT,
      env: { NO_COLOR: "1" },
    }).output();
    assertEquals(code, 1);
    assertEquals(new TextDecoder().decode(stdout).trim().split("\n"), [
      "failed /eventsource/a.window.html: a.window (expected 2 but got 1)",
      "in a window: 0 passed, 1 failed, 0 skipped",
      "in a worker: 0 passed, 0 failed, 0 skipped",
      "the interface: 0 passed, 0 failed, 0 skipped",
      "0 passed, 1 failed, 0 skipped",
    ]);
  });
});
