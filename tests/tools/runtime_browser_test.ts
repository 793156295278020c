import { assertEquals, assertMatch } from "@std/assert";
import { join } from "node:path";
import { ROOT } from "../../tools/_deno.ts";
import {
  type BrowserProgram,
  browserRunner,
  type OpenBrowser,
} from "../../tools/runtimes/browser_page.ts";
import type { RunResult, Unavailable } from "../../tools/runtimes/runner.ts";
import type { PageReport } from "../runtime/page_report.ts";
import { withTree } from "./tree.ts";

const MANIFEST = JSON.stringify({
  name: "@webstreams/sse",
  type: "module",
  exports: { ".": "./mod.js", "./testing": "./mod.js" },
});

/** A folder with a package that is empty. */
const TREE = {
  "package.json": '{ "type": "module", "dependencies": { "@webstreams/sse": "*" } }',
  "node_modules/@webstreams/sse/package.json": MANIFEST,
  "node_modules/@webstreams/sse/mod.js": "export {};",
};

/** A browser whose page does what `page` says, with the URL that it was given. */
class FakeBrowser implements BrowserProgram {
  readonly name = "Fake";
  readonly paths: readonly string[] = [Deno.execPath()];
  readonly remedy = "install it";
  closed = 0;
  readonly #page: (url: URL) => Promise<string | void>;

  constructor(page: (url: URL) => Promise<string | void>) {
    this.#page = page;
  }

  launch(_path: string, url: string, profile: string): Promise<OpenBrowser> {
    assertEquals(Deno.statSync(profile).isDirectory, true);
    const lost = this.#page(new URL(url)).then((reason) => reason ?? new Promise<string>(() => {}));
    const close = () => Promise.resolve(void this.closed++);
    return Promise.resolve({ version: "1.2.3", lost, close });
  }
}

async function run(
  browser: BrowserProgram,
  signal = new AbortController().signal,
): Promise<RunResult | Unavailable> {
  return await withTree(TREE, (folder) => {
    const context = { root: ROOT, folder, origin: "", otherOrigin: "", signal };
    return browserRunner(browser).run(context);
  });
}

async function post(url: URL, ...reports: PageReport[]): Promise<void> {
  for (const report of reports) {
    const response = await fetch(new URL("/report", url), {
      method: "POST",
      body: JSON.stringify(report),
    });
    await response.body?.cancel();
  }
}

const PASSED = { kind: "ran", suite: "parse", title: "it parses" } as const;

Deno.test("browserRunner gives what the page has posted when the page ends", async () => {
  const browser = new FakeBrowser((url) => post(url, PASSED, { kind: "end" }));
  assertEquals(await run(browser), { version: "1.2.3", reports: [PASSED] });
  assertEquals(browser.closed, 1);
});

Deno.test("browserRunner serves a page with the suites and the package", async () => {
  const browser = new FakeBrowser(async (url) => {
    assertMatch(await (await fetch(url)).text(), /src="\/page\.js"/);
    const code = await fetch(new URL("/page.js", url));
    assertEquals(code.headers.get("content-type"), "text/javascript");
    assertMatch(await code.text(), /EventSource sends the headers that the browser's own does/);
    await post(url, { kind: "end" });
  });
  assertEquals(await run(browser), { version: "1.2.3", reports: [] });
});

Deno.test("browserRunner names what nobody has handled in the page", async () => {
  const problem = "Nobody handled Error: oh";
  const browser = new FakeBrowser((url) =>
    post(url, { kind: "problem", problem }, { kind: "end" })
  );
  assertEquals(await run(browser), { version: "1.2.3", reports: [], problem });
});

Deno.test("browserRunner keeps what was posted before the browser was lost", async () => {
  const browser = new FakeBrowser(async (url) => {
    await post(url, PASSED);
    return "It has crashed";
  });
  const problem = "It has crashed";
  assertEquals(await run(browser), { version: "1.2.3", reports: [PASSED], problem });
  assertEquals(browser.closed, 1);
});

Deno.test("browserRunner ends the browser at the signal", async () => {
  const stop = new AbortController();
  const browser = new FakeBrowser(async (url) => {
    await post(url, PASSED);
    stop.abort("Enough");
  });
  const problem = "Enough";
  assertEquals(await run(browser, stop.signal), { version: "1.2.3", reports: [PASSED], problem });
  assertEquals(browser.closed, 1);
});

Deno.test("browserRunner says how to install a browser that is not there", async () => {
  const browser = new FakeBrowser(() => Promise.resolve());
  const missing = Object.assign(browser, { paths: [join(ROOT, "no-browser")] });
  const { unavailable } = await run(missing) as Unavailable;
  assertMatch(unavailable, /^Fake is not at .*no-browser: install it$/);
});

Deno.test("browserRunner says how to install a browser that does not start", async () => {
  const browser = new FakeBrowser(() => Promise.resolve());
  browser.launch = () => Promise.reject(new Error("no library"));
  const { unavailable } = await run(browser) as Unavailable;
  assertEquals(unavailable, "Fake does not start: Error: no library: install it");
});
