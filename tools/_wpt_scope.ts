/**
 * One page of web-platform-tests, in a worker: takes a {@linkcode Page}, becomes its window or its
 * dedicated worker, runs its scripts and posts a {@linkcode Report}.
 *
 * @module
 */

/// <reference lib="deno.worker" />

import { Script } from "node:vm";
import { browse } from "./_wpt_browser.ts";
import { substitute } from "./_wpt_server.ts";

/** A page to run. */
export interface Page {
  /** The checkout of the tests. */
  folder: string;
  /** The port of the server of the tests. */
  port: number;
  /** Where the page lives. */
  url: string;
  /** What the page takes itself for; a plain worker is one that a window has made: no harness. */
  scope: "window" | "worker" | "plain worker";
  /** The title of its document, and of a test without a title. */
  title: string;
  /** Its scripts: a path in the checkout, or the text itself. */
  scripts: ({ path: string } | { text: string })[];
  /** The class under test: a module that `import()` takes, and a name that it exports. */
  module: string;
  /** See {@linkcode Page.module}. */
  name: string;
  /** How many milliseconds the page has. */
  timeout: number;
}

/** What became of one subtest, in the words and numbers of testharness.js. */
export interface Subtest {
  /** Its title. */
  name: string;
  /** 0 is a pass. */
  status: number;
  /** Why not. */
  message: string | null;
}

/** What became of a page. */
export interface Report {
  /** Its subtests. */
  subtests: Subtest[];
  /** What broke outside of a subtest. */
  error?: string;
}

/** What testharness.js adds to a page, as far as we use it. */
interface Harness {
  add_completion_callback(
    callback: (tests: Subtest[], status: { status: number; message: string | null }) => void,
  ): void;
  done(): void;
  timeout(): void;
}

// testharness.js: the harness itself came to grief.
const HARNESS_ERROR = 1;

const post = globalThis.postMessage.bind(globalThis);

addEventListener("message", ({ data }: MessageEvent<Page>) => {
  run(data).catch((error) => {
    if (data.scope === "plain worker") reportError(error);
    else post({ subtests: [], error: String(error) } satisfies Report);
  });
}, { once: true });

async function run(page: Page): Promise<void> {
  const inWindow = page.scope === "window";
  become(page, inWindow);
  const Class = (await import(page.module))[page.name];
  if (Class === undefined) throw new Error(`No "${page.name}" in ${page.module}`);
  define({ EventSource: Class });
  // A worker that a window has made tells the window, not us.
  if (page.scope === "plain worker") return page.scripts.forEach((script) => load(page, script));

  load(page, { path: "/resources/testharness.js" });
  const { add_completion_callback, done, timeout } = globalThis as unknown as Harness;
  add_completion_callback((tests, { status, message }) => {
    const subtests = tests.map(({ name, status, message }) => ({ name, status, message }));
    const error = status === HARNESS_ERROR ? message ?? "The harness failed" : undefined;
    post({ subtests, error } satisfies Report);
  });
  // The harness has noted them. Unless they end here they end the worker.
  addEventListener("error", (event) => event.preventDefault());
  addEventListener("unhandledrejection", (event) => event.preventDefault());
  setTimeout(timeout, page.timeout);

  // With a document from the start the harness would draw its results into it.
  if (inWindow) define({ document: documentOf(page) });
  page.scripts.forEach((script) => load(page, script));
  if (inWindow) dispatchEvent(new Event("load"));
  else done();
}

// The globals that the tests of a page count on.
function become(page: Page, inWindow: boolean): void {
  const url = new URL(page.url);
  const { fetch, stop } = browse(url, page.port);
  define({ location: url, fetch, META_TITLE: page.title, GLOBAL: { isShadowRealm: () => false } });
  if (inWindow) {
    for (const name of ["DedicatedWorkerGlobalScope", "WorkerGlobalScope"]) {
      Reflect.deleteProperty(globalThis, name);
    }
    define({ window: globalThis, stop, Worker: workerOf(page), onload: null });
    addEventListener("load", (event) => {
      (globalThis as { onload?: ((event: Event) => void) | null }).onload?.(event);
    });
    return;
  }
  const close = globalThis.close;
  define({
    importScripts: (...paths: string[]) => paths.forEach((path) => load(page, { path })),
    // A worker that closes itself may finish the script; with us it would stop in mid-script.
    close: () => setTimeout(close),
  });
}

// The harness looks for a title; it also looks for scripts, to cut them from its messages.
function documentOf({ title, url }: Page): object {
  const titles = [{ firstChild: { data: title } }];
  const getElementsByTagName = (name: string) => name === "title" ? titles : [];
  return { title, baseURI: url, domain: new URL(url).hostname, getElementsByTagName };
}

function define(globals: Record<string, unknown>): void {
  for (const [name, value] of Object.entries(globals)) {
    const how = { configurable: true, writable: true, enumerable: false };
    Object.defineProperty(globalThis, name, { value, ...how });
  }
}

function workerOf(page: Page): typeof Worker {
  return class extends Worker {
    constructor(path: string | URL) {
      super(import.meta.url, { type: "module" });
      const url = new URL(path, page.url);
      const scripts = [{ path: url.pathname }];
      this.postMessage({ ...page, url: url.href, scope: "plain worker", scripts } satisfies Page);
    }
  };
}

// Runs a classic script: its `var` and its functions are globals, its `const` is seen by the next.
function load(page: Page, script: Page["scripts"][number]): void {
  if ("text" in script) {
    return void new Script(script.text, { filename: page.url }).runInThisContext();
  }
  let { pathname } = new URL(script.path, page.url);
  // The server of the tests has it under this name.
  if (pathname === "/resources/WebIDLParser.js") pathname = "/resources/webidl2/lib/webidl2.js";
  // A worker script imports the harness that is there already.
  if (pathname === "/resources/testharness.js" && "add_completion_callback" in globalThis) return;
  const text = Deno.readTextFileSync(page.folder + pathname);
  const source = pathname.includes(".sub.") ? substitute(text) : text;
  new Script(source, { filename: pathname }).runInThisContext();
}
