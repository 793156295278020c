/**
 * The suites in a page of a browser, with the bundle of the packed package. The page posts what comes
 * of them.
 *
 * @module
 */

import { join } from "node:path";
import type { Handler, Report } from "../../tests/runtime/harness.ts";
import { startHubs } from "../../tests/runtime/hubs.ts";
import type { PageReport } from "../../tests/runtime/page_report.ts";
import { startServer } from "../../tests/runtime/server.ts";
import { within } from "../../tests/runtime/waiting.ts";
import { bundleForRuntime } from "./bundle.ts";
import type { RunContext, Runner, RunResult, Unavailable } from "./runner.ts";

/** How long all suites may take, the start of the browser included, in ms. */
const PATIENCE = 90_000;

const HTML = `<!doctype html>
<title>The suites</title>
<body><script type="module" src="/page.js"></script></body>
`;

/** A browser with a page open. */
export interface OpenBrowser {
  /** Its version, as it says it itself. */
  readonly version: string;
  /** Resolves with the reason when the page or the browser has crashed or left. */
  readonly lost: Promise<string>;
  /** Ends it. */
  close(): Promise<void>;
}

/** A browser that is installed as a program. */
export interface BrowserProgram {
  /** The name, a row of the table. */
  readonly name: string;
  /** The programs that may be it. The first one that is there is taken. */
  readonly paths: readonly string[];
  /** How to get it. */
  readonly remedy: string;
  /** Opens a page, with a profile in a folder that is new. */
  launch(path: string, url: string, profile: string): Promise<OpenBrowser>;
}

/** The runner of a browser. */
export function browserRunner(browser: BrowserProgram): Runner {
  return {
    name: browser.name,
    async run(context): Promise<RunResult | Unavailable> {
      const path = browser.paths.find(isFile);
      if (path === undefined) {
        const places = browser.paths.join(" or ");
        return { unavailable: `${browser.name} is not at ${places}: ${browser.remedy}` };
      }
      const profile = join(context.folder, `profile-${browser.name.toLowerCase()}`);
      await Deno.mkdir(profile);
      return await runInPage(context, browser, (url) => browser.launch(path, url, profile));
    },
  };
}

/** Whether there is a program. */
export function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}

/** What a page has posted so far, and its end. */
class Inbox {
  readonly reports: Report[] = [];
  readonly problems: string[] = [];
  readonly ended: PromiseWithResolvers<undefined> = Promise.withResolvers();

  take(report: PageReport): void {
    if (report.kind === "end") this.ended.resolve(undefined);
    else if (report.kind === "problem") this.problems.push(report.problem);
    else this.reports.push(report);
  }
}

/** Runs the suites in a page that `launch` opens. */
async function runInPage(
  context: RunContext,
  { name, remedy }: BrowserProgram,
  launch: (url: string) => Promise<OpenBrowser>,
): Promise<RunResult | Unavailable> {
  const inbox = new Inbox();
  const code = await bundleForRuntime(context, "page.ts");
  const server = startServer(pages(code, inbox));
  const hubs = startHubs(server.origin);
  const stop = new AbortController();
  let browser: OpenBrowser | undefined;
  try {
    const query = new URLSearchParams({ other: server.otherOrigin, hubs: hubs.origin });
    try {
      browser = await launch(`${server.origin}/page.html?${query}`);
    } catch (error) {
      return { unavailable: `${name} does not start: ${error}: ${remedy}` };
    }
    const lost = await within(
      Promise.race([inbox.ended.promise, browser.lost, aborted(context.signal, stop.signal)]),
      PATIENCE,
      () => `The page has not ended within ${PATIENCE} ms`,
    ).catch(String);
    if (lost !== undefined) inbox.problems.unshift(lost);
    const { version } = browser;
    const { reports, problems } = inbox;
    return problems.length === 0
      ? { version, reports }
      : { version, reports, problem: problems.join("\n") };
  } finally {
    stop.abort();
    // First the reader, or the servers wait for it.
    await browser?.close();
    await hubs.close();
    await server.close();
  }
}

/** A listener that stays would keep the program from its end. */
function aborted(signal: AbortSignal, stop: AbortSignal): Promise<string> {
  if (signal.aborted) return Promise.resolve(String(signal.reason));
  return new Promise((resolve) => {
    const tell = () => resolve(String(signal.reason));
    signal.addEventListener("abort", tell, { once: true, signal: stop });
  });
}

/** The page, its program, and where it posts. */
function pages(code: string, inbox: Inbox): Handler {
  return async (request) => {
    const { pathname } = new URL(request.url);
    switch (pathname) {
      case "/page.html":
      case "/frame.html":
        return new Response(HTML, { headers: { "content-type": "text/html; charset=utf-8" } });
      case "/page.js":
        return new Response(code, { headers: { "content-type": "text/javascript" } });
      case "/report":
        inbox.take(await request.json());
        return new Response(null, { status: 204 });
      default:
        return new Response("nothing is here", { status: 404 });
    }
  };
}
