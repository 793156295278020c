/**
 * The suites in Cloudflare's workerd, which runs Workers; and a Worker that serves events, read from
 * outside.
 *
 * @module
 */

import assert from "node:assert/strict";
import { join } from "node:path";
import type { Report } from "../../tests/runtime/harness.ts";
import { library, testing } from "../../tests/runtime/library.ts";
import type { PageReport } from "../../tests/runtime/page_report.ts";
import { runSuites } from "../../tests/runtime/run.ts";
import { TestQueue } from "../../tests/runtime/shim.ts";
import { workerSuite } from "../../tests/runtime/suite/worker.ts";
import { within } from "../../tests/runtime/waiting.ts";
import { bundleForRuntime } from "./bundle.ts";
import { finish } from "./program.ts";
import type { RunContext, Runner, RunResult, Unavailable } from "./runner.ts";

const SPECIFIER = "workerd@1.20261117.1";

/** How long it may take to listen, in ms. */
const PATIENCE = 10_000;

/** How long its suites may take, in ms. */
const RUN_PATIENCE = 90_000;

/** It speaks HTTP to loopback only, in both directions. */
const CONFIG = `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "main", worker = .worker),
    (name = "internet", network = (allow = ["127.0.0.0/8"])),
  ],
  sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "main")],
);
const worker :Workerd.Worker = (
  modules = [(name = "worker.js", esModule = embed "worker.js")],
  compatibilityDate = "2026-11-01",
  durableObjectNamespaces = [(className = "HubObject", uniqueKey = "hub")],
  durableObjectStorage = (inMemory = void),
  bindings = [(name = "HUBS", durableObjectNamespace = "HubObject")],
);
`;

/** The runner of workerd. */
export const runners: readonly Runner[] = [{ name: "workerd", run }];

async function run(context: RunContext): Promise<RunResult | Unavailable> {
  const { folder, origin, otherOrigin, signal } = context;
  const found = await findWorkerd(context);
  if ("unavailable" in found) return found;
  const home = join(folder, "workerd");
  await Deno.mkdir(home);
  await Deno.writeTextFile(join(home, "worker.js"), await bundleForRuntime(context, "worker.ts"));
  await Deno.writeTextFile(join(home, "config.capnp"), CONFIG);
  const reports: Report[] = [];
  const problems: string[] = [];
  const workerd = start(found.path, join(home, "config.capnp"));
  try {
    const at = `http://127.0.0.1:${await workerd.port}`;
    const query = new URLSearchParams({ origin, other: otherOrigin });
    await readReports(`${at}/run?${query}`, signal, (report) => {
      if (report.kind === "problem") problems.push(report.problem);
      else if (report.kind !== "end") reports.push(report);
    });
    await runOutside(at, reports);
  } catch (error) {
    problems.push(String(error));
  } finally {
    const said = await workerd.end();
    // It also complains of requests that are made to fail.
    if (problems.length > 0) problems.push(`workerd said: ${said}`);
  }
  const { version } = found;
  return problems.length === 0
    ? { version, reports }
    : { version, reports, problem: problems.join("\n") };
}

async function findWorkerd(
  { folder, signal }: RunContext,
): Promise<{ path: string; version: string } | Unavailable> {
  // The program itself, and no script around it: what is started is what is ended.
  const find = 'readlink -f "$(command -v workerd)" && workerd --version';
  const args = ["--yes", `--package=${SPECIFIER}`, "--", "sh", "-c", find];
  const { code, stdout, stderr } = await finish({ command: "npx", args, cwd: folder }, signal);
  if (code === undefined) return { unavailable: "there is no npx: install Node and npm" };
  if (code !== 0) {
    return { unavailable: `npx cannot get ${SPECIFIER}: ${stderr.trim().split("\n")[0]}` };
  }
  const [path, version] = stdout.trim().split("\n");
  return { path, version: version.replace("workerd ", "") };
}

/** A workerd that runs. */
interface Workerd {
  /** Where it listens, once it does. */
  readonly port: Promise<number>;
  /** Ends it, and gives what it has said. */
  end(): Promise<string>;
}

function start(path: string, config: string): Workerd {
  const child = new Deno.Command(path, {
    // Where it listens is told on standard output.
    args: ["serve", "--control-fd=1", config],
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const stderr = new Response(child.stderr).text();
  const port = within(readPort(child.stdout), PATIENCE, () => "workerd does not listen");
  // Whoever waits for it is told; there may be nobody any more.
  port.catch(() => {});
  const end = async () => {
    try {
      // Asked to end it would wait for all connections; it has nothing to save.
      child.kill("SIGKILL");
    } catch {
      // It has left already.
    }
    await child.status;
    return (await stderr).trim();
  };
  return { port, end };
}

/** The port in `{"event":"listen","socket":"http","port":1234}`. The rest is read, and dropped. */
async function readPort(stdout: ReadableStream<Uint8Array>): Promise<number> {
  const port = Promise.withResolvers<number>();
  let text = "";
  const reading = stdout.pipeThrough(new TextDecoderStream()).pipeTo(
    new WritableStream({
      write(chunk) {
        text += chunk;
        const listens = /"port":(\d+)/.exec(text);
        if (listens !== null) port.resolve(Number(listens[1]));
      },
    }),
  );
  reading.then(() => port.reject(new Error("workerd has left before it listened")), port.reject);
  return await port.promise;
}

/** Reads the reports that a Worker answers with, one a line, as they come. */
async function readReports(
  url: string,
  signal: AbortSignal,
  take: (report: PageReport) => void,
): Promise<void> {
  const bounded = AbortSignal.any([signal, AbortSignal.timeout(RUN_PATIENCE)]);
  const { body, status } = await fetch(url, { signal: bounded });
  if (status !== 200 || body === null) throw new Error(`The Worker answers ${status}`);
  let rest = "";
  for await (const text of body.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + text).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) take(JSON.parse(line));
  }
}

/** Reads the Worker at `origin` from here. */
async function runOutside(origin: string, reports: Report[]): Promise<void> {
  const queue = new TestQueue();
  const harness = { test: queue.test, assert, testing, origin, otherOrigin: origin };
  runSuites([workerSuite], library, harness, {}, (report) => void reports.push(report));
  await queue.run();
}
