/**
 * The suites in a page. It posts each report to the server that it is of, and then an end.
 *
 * As `/frame.html` it is a reader in a frame, of which a test lets go.
 *
 * @module
 */

import { runFrame } from "./frame.ts";
import { library, testing } from "./library.ts";
import type { PageReport } from "./page_report.ts";
import { runSuites } from "./run.ts";
import { assert, TestQueue } from "./shim.ts";
import { browserSuite } from "./suite/browser.ts";
import { suites } from "./suites.ts";
import { window } from "./window.ts";

/** One after the other, so that they come in order. */
let posting: Promise<unknown> = Promise.resolve();

function post(report: PageReport): Promise<unknown> {
  const send = () => fetch("/report", { method: "POST", body: JSON.stringify(report) });
  return posting = posting.then(send);
}

/** A test must leave nothing behind that nobody handles. */
function watch(): void {
  const tell = (error: unknown) => {
    const text = error instanceof Error ? `${error}\n${error.stack}` : String(error);
    post({ kind: "problem", problem: `Nobody handled ${text}` });
  };
  window.addEventListener("error", ({ error }) => tell(error));
  window.addEventListener("unhandledrejection", ({ reason }) => tell(reason));
}

async function runPage({ origin, searchParams }: URL): Promise<void> {
  watch();
  const otherOrigin = `${searchParams.get("other")}`;
  const hubs = `${searchParams.get("hubs")}`;
  const queue = new TestQueue();
  const harness = { test: queue.test, assert, testing, origin, otherOrigin, page: true };
  const absences = { socket: "a page cannot listen", "node:http": "a page has no node:http" };
  const all = [...suites, browserSuite(hubs)];
  runSuites(all, library, harness, absences, (report) => void post(report));
  await queue.run();
  await post({ kind: "end" });
}

const url = new URL(window.location.href);
if (url.pathname === "/frame.html") await runFrame(library);
else await runPage(url);
