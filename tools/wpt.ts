/**
 * Runs the tests that browsers run: web-platform-tests of `EventSource`, over loopback and without a
 * browser.
 *
 * ```sh
 * deno task wpt FOLDER [--class MODULE#NAME] [FILE...]
 * ```
 *
 * FOLDER is a checkout of web-platform-tests; of it `eventsource/`, `resources/`, `common/`,
 * `interfaces/` and `html/dom/idlharness.any.js` are used. FILE is part of a path: only such tests
 * run. Another class may take the place of ours: `--class npm:eventsource@4#EventSource`.
 *
 * @module
 */

import { parseArgs } from "node:util";
import type { Page, Report } from "./_wpt_scope.ts";
import { HOST, PORT, serveTests } from "./_wpt_server.ts";

/** What to run. */
export interface WptOptions {
  /** The class under test: `MODULE#NAME`, a relative MODULE as seen from this file. */
  class: string;
  /** Parts of paths; without one, everything runs. */
  only?: string[];
  /** Milliseconds for a page; six times that for one that calls itself long. @default 10000 */
  timeout?: number;
}

/** What became of one subtest, or of a file that is skipped as a whole. */
export interface Outcome {
  /** The page, as web-platform-tests name it: `/eventsource/event-data.any.worker.html`. */
  page: string;
  /** The title of the subtest; none if the whole page is meant. */
  subtest?: string;
  /** The verdict. */
  verdict: "passed" | "failed" | "skipped";
  /** Why it failed, or why it is skipped. */
  reason?: string;
}

const CLASS = "../event_source.ts#EventSource";
const IDL = "html/dom/idlharness.any.js";
const VERDICTS = ["passed", "failed", "timed out", "not run", "precondition failed"];
const PARALLEL = 4;

/** Tests that only a browser can run, by what is in their source. */
const BROWSER_ONLY: [source: RegExp, reason: string][] = [
  [/<iframe\b/i, "needs a frame"],
  [/\bSharedWorker\b/, "needs a shared worker"],
  [/remote-context-helper/, "needs windows to navigate"],
  [/cors-unsafe-last-event-id/, "tests the preflight, which is the browser's"],
];

/** Subtests that no class above `fetch` can pass: a refusal looks like any other network error. */
const CORS_REFUSAL = /^EventSource: cross-origin .* should fail$/;

type Test = Pick<Page, "url" | "scope" | "title" | "scripts"> & { page: string; long: boolean };

/** Runs the tests in `folder`; every outcome goes to `report` as it comes, page by page. */
export async function runTests(
  folder: string,
  options: WptOptions,
  report: (outcomes: Outcome[]) => void,
): Promise<void> {
  const root = (await Deno.realPath(folder)).replaceAll("\\", "/");
  await using server = serveTests(root);
  const [specifier, name] = options.class.split("#");
  const relative = /^\.{0,2}\//.test(specifier);
  const module = relative ? new URL(specifier, import.meta.url).href : specifier;
  const common = { folder: root, port: server.port, module, name };
  const wanted = (path: string) =>
    options.only === undefined || options.only.some((part) => path.includes(part));

  const tests: Test[] = [];
  for (const path of await testFiles(root)) {
    if (!wanted(path)) continue;
    const source = await Deno.readTextFile(`${root}/${path}`);
    const [, reason] = BROWSER_ONLY.find(([pattern]) => pattern.test(source)) ?? [];
    if (reason === undefined) tests.push(...testsOf(path, source));
    else report([{ page: `/${path}`, verdict: "skipped", reason }]);
  }

  async function work(): Promise<void> {
    for (let test = tests.shift(); test !== undefined; test = tests.shift()) {
      const { page, long, ...rest } = test;
      const timeout = (options.timeout ?? 10_000) * (long ? 6 : 1);
      report(outcomes(page, await visit({ ...rest, ...common, timeout })));
    }
  }
  await Promise.all(Array.from({ length: PARALLEL }, work));
  for (const handler of server.unknown) {
    report([{ page: handler, verdict: "failed", reason: "no handler in tools/_wpt_server.ts" }]);
  }
}

async function testFiles(root: string): Promise<string[]> {
  const files: string[] = [];
  async function walk(folder: string): Promise<void> {
    for await (const { name, isDirectory } of Deno.readDir(`${root}/${folder}`)) {
      const path = `${folder}/${name}`;
      if (isDirectory && name !== "resources") await walk(path);
      else if (/\.(?:any|window|worker)\.js$|\.html?$/.test(name)) files.push(path);
    }
  }
  await walk("eventsource");
  if (await Deno.stat(`${root}/${IDL}`).then(() => true, () => false)) files.push(IDL);
  return files.sort();
}

/** The pages that web-platform-tests would make of a file: of an `.any.js` one for each scope. */
function testsOf(path: string, source: string): Test[] {
  const html = /\.html?$/.test(path);
  const stem = path.slice(0, path.lastIndexOf("."));
  const meta = (key: string) => valuesOf(source, new RegExp(`^// META: ${key}=(.*)$`, "gm"));
  const scripts = html
    ? valuesOf(source, /<script>(.*?)<\/script>/gis).map((text) => ({ text }))
    : [...meta("script"), `/${path}`].map((path) => ({ path }));
  const [title = stem.slice(stem.lastIndexOf("/") + 1)] = html
    ? valuesOf(source, /<title>(.*?)<\/title>/gis)
    : meta("title");
  const long = html
    ? /<meta name="?timeout"? content="?long/.test(source)
    : meta("timeout").includes("long");
  return scopesOf(stem, html, meta("global")[0]).map((scope) => {
    const ending = scope === "worker" && stem.endsWith(".any") ? ".worker.html" : ".html";
    const page = html ? `/${path}` : `/${stem}${ending}`;
    return { page, url: `http://${HOST}:${PORT}${page}`, scope, title, scripts, long };
  });
}

function scopesOf(stem: string, html: boolean, global?: string): ("window" | "worker")[] {
  if (html || stem.endsWith(".window")) return ["window"];
  if (stem.endsWith(".worker")) return ["worker"];
  const globals = global?.split(",") ?? ["window", "worker"];
  const scopes: ("window" | "worker")[] = [];
  if (globals.includes("window")) scopes.push("window");
  if (globals.some((name) => /^(?:dedicated)?worker$/.test(name))) scopes.push("worker");
  return scopes;
}

function valuesOf(source: string, pattern: RegExp): string[] {
  return Array.from(source.matchAll(pattern), ([, value]) => value.trim());
}

/** Runs a page in a worker of its own. */
function visit(page: Page): Promise<Report> {
  const worker = new Worker(new URL("./_wpt_scope.ts", import.meta.url), { type: "module" });
  const { promise, resolve } = Promise.withResolvers<Report>();
  // The harness ends a page that waits too long; this one ends a page that does not wait.
  const error = "The page hangs";
  const timer = setTimeout(() => resolve({ subtests: [], error }), page.timeout + 5000);
  worker.onmessage = ({ data }) => {
    // What a test itself posts comes here too.
    if (Array.isArray(data?.subtests)) resolve(data);
  };
  worker.onerror = (event) => {
    event.preventDefault();
    resolve({ subtests: [], error: event.message });
  };
  worker.postMessage(page);
  return promise.finally(() => {
    clearTimeout(timer);
    worker.terminate();
  });
}

function outcomes(page: string, { subtests, error }: Report): Outcome[] {
  // Of the whole of HTML, one interface is ours.
  const ours = page.startsWith("/html/")
    ? subtests.filter(({ name }) => /\bEventSource\b/.test(name))
    : subtests;
  const all: Outcome[] = ours.map(({ name: subtest, status, message }) => {
    if (CORS_REFUSAL.test(subtest)) {
      return { page, subtest, verdict: "skipped", reason: "a refusal by CORS is the browser's" };
    }
    if (status === 0) return { page, subtest, verdict: "passed" };
    return { page, subtest, verdict: "failed", reason: message ?? VERDICTS[status] };
  });
  if (error !== undefined || all.length === 0) {
    all.push({ page, verdict: "failed", reason: error ?? "The page has no subtest" });
  }
  return all;
}

/** One line for an outcome. */
export function line({ page, subtest, verdict, reason }: Outcome): string {
  const what = subtest === undefined ? page : `${page}: ${subtest}`;
  return `${verdict} ${what}${reason === undefined ? "" : ` (${reason.replaceAll("\n", " ")})`}`;
}

/** The line that sums up: `76 passed, 4 failed, 9 skipped`. */
export function summary(outcomes: Outcome[]): string {
  const count = (verdict: Outcome["verdict"]) =>
    `${outcomes.filter((outcome) => outcome.verdict === verdict).length} ${verdict}`;
  return `${count("passed")}, ${count("failed")}, ${count("skipped")}`;
}

if (import.meta.main) {
  const { values, positionals: [folder, ...only] } = parseArgs({
    options: { class: { type: "string", default: CLASS } },
    allowPositionals: true,
  });
  if (folder === undefined) {
    console.error("Name a checkout of web-platform-tests: deno task wpt FOLDER");
    Deno.exit(2);
  }
  const all: Outcome[] = [];
  await runTests(
    folder,
    { class: values.class, only: only.length > 0 ? only : undefined },
    (some) => {
      all.push(...some);
      some.forEach((outcome) => console.log(line(outcome)));
    },
  );
  const kinds: [name: string, page: RegExp][] = [
    ["in a window", /^\/eventsource\/.*(?<!worker)\.html?$/],
    ["in a worker", /^\/eventsource\/.*worker\.html$/],
    ["the interface", /^\/html\//],
  ];
  for (const [name, page] of kinds) {
    console.log(`${name}: ${summary(all.filter((outcome) => page.test(outcome.page)))}`);
  }
  console.log(summary(all));
  if (all.length === 0 || all.some(({ verdict }) => verdict === "failed")) Deno.exit(1);
}
