/**
 * A Worker that runs the suites, and one that serves a hub and a stream to readers outside.
 *
 * @module
 */

import { library, testing } from "./library.ts";
import type { PageReport } from "./page_report.ts";
import { runSuites } from "./run.ts";
import { assert, TestQueue } from "./shim.ts";
import { suites } from "./suites.ts";

const { eventStreamResponse, Hub } = library;

/** What is used of a Durable Object's namespace. */
interface Namespace {
  idFromName(name: string): unknown;
  get(id: unknown): { fetch(request: Request): Promise<Response> };
}

/** What the Worker is configured with. */
export interface Env {
  /** The Durable Object. */
  readonly HUBS: Namespace;
}

/**
 * A Durable Object with a hub. A Worker alone has none: its requests may be served anywhere, and what
 * one of them holds is not for the next.
 */
export class HubObject {
  readonly #hub = new Hub();

  /** The hub, and how many read it. */
  fetch(request: Request): Response | Promise<Response> {
    if (new URL(request.url).pathname === "/size") return Response.json(this.#hub.size);
    return this.#hub.fetch(request);
  }
}

/** What the Worker answers. */
export default {
  async fetch(request: Request, { HUBS }: Env): Promise<Response> {
    const url = new URL(request.url);
    switch (url.pathname) {
      case "/run":
        return run(url.searchParams);
      case "/asked":
        return eventStreamResponse(({ lastEventId }) => [{ data: lastEventId }], { request });
      case "/count":
        return count(request);
      default:
        return await HUBS.get(HUBS.idFromName("hub")).fetch(request);
    }
  },
};

/** Runs the suites; each report is a line of the answer, from the end of its test. */
function run(query: URLSearchParams): Response {
  const origin = `${query.get("origin")}`;
  const otherOrigin = `${query.get("other")}`;
  const queue = new TestQueue();
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
  const writer = writable.getWriter();
  const encoder = new TextEncoder();
  const tell = (report: PageReport) =>
    void writer.write(encoder.encode(`${JSON.stringify(report)}\n`)).catch(() => {});
  const absences = { socket: "a Worker cannot listen", "node:http": "a Worker cannot listen" };
  const harness = { test: queue.test, assert, testing, origin, otherOrigin };
  runSuites(suites, library, harness, absences, tell);
  addEventListener("unhandledrejection", ({ reason }) => {
    tell({ kind: "problem", problem: `Nobody handled ${reason}` });
  });
  queue.run().then(() => writer.close());
  return new Response(readable, { headers: { "content-type": "application/x-ndjson" } });
}

/** Counts from where the reader is to 5, with a pause before each number. */
function count(request: Request): Response {
  return eventStreamResponse(async function* ({ lastEventId }) {
    for (let n = Number(lastEventId) + 1; n <= 5; n++) {
      await new Promise((resolve) => setTimeout(resolve, 20));
      yield { id: `${n}`, data: `${n}` };
    }
  }, { request });
}
