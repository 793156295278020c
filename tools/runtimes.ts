/**
 * The suites of `tests/runtime` on every runtime that is supported, as a table: Deno on the sources, all
 * others on the packed package. It fails if a test does, and in CI also if a runtime is not there.
 *
 * ```sh
 * deno task test:runtimes [NAME...]
 * ```
 *
 * Names choose runtimes, by how they begin: `node` is all versions of Node.
 *
 * @module
 */

import { startServer } from "../tests/runtime/server.ts";
import { count, report, ROOT } from "./_deno.ts";
import { runners as bun } from "./runtimes/bun.ts";
import { runners as chromium } from "./runtimes/chromium.ts";
import { runners as deno } from "./runtimes/deno.ts";
import { runners as firefox } from "./runtimes/firefox.ts";
import { runners as node } from "./runtimes/node.ts";
import { preparePackage } from "./runtimes/package.ts";
import type { RunContext, Runner, RunResult } from "./runtimes/runner.ts";
import { absences, problemsOf, renderTable, type Row, rowOf } from "./runtimes/table.ts";
import { runners as workerd } from "./runtimes/workerd.ts";

/** How long all may take, in ms. */
const PATIENCE = 600_000;

/** Every runtime, in the order of the table. */
const RUNNERS: readonly Runner[] = [
  ...deno,
  ...node,
  ...bun,
  ...workerd,
  ...chromium,
  ...firefox,
];

/** The runtimes whose names begin with one of `names`; all if there is none. */
export function choose(runners: readonly Runner[], names: readonly string[]): Runner[] {
  const begins = (runner: Runner, name: string) =>
    runner.name.toLowerCase().startsWith(name.toLowerCase());
  for (const name of names) {
    if (runners.some((runner) => begins(runner, name))) continue;
    const known = runners.map((runner) => runner.name).join(", ");
    throw new Error(`Cannot test "${name}": there are ${known}: name one of them`);
  }
  return runners.filter((runner) =>
    names.length === 0 || names.some((name) => begins(runner, name))
  );
}

/** Runs the suites on each, one after the other. */
export async function runAll(
  runners: readonly Runner[],
  context: RunContext,
  tell: (line: string) => void,
): Promise<Row[]> {
  const rows: Row[] = [];
  for (const { name, run } of runners) {
    const start = performance.now();
    // A runner that is broken must not hide what comes of the others.
    const result = await run(context).catch((error: unknown) => failureOf(error));
    rows.push(rowOf(name, result));
    tell(`${name}: ${((performance.now() - start) / 1_000).toFixed(1)} s`);
  }
  return rows;
}

function failureOf(error: unknown): RunResult {
  const problem = error instanceof Error ? error.stack ?? error.message : String(error);
  return { version: "", reports: [], problem };
}

/**
 * Runs the suites, prints the table, and ends the process with 1 if something is wrong.
 *
 * @param runners Every runtime.
 * @param names What to choose of them.
 * @param prepare Puts the packed package into a folder, and the suites beside it.
 */
export async function testRuntimes(
  runners: readonly Runner[],
  names: readonly string[],
  prepare: typeof preparePackage,
): Promise<void> {
  const rows = await runChosen(choose(runners, names), prepare);
  console.log(renderTable(rows));
  for (const absence of absences(rows)) console.log(absence);
  const tests = rows.flatMap(({ cells }) => [...cells.values()])
    .reduce((sum, { passed }) => sum + passed, 0);
  const problems = problemsOf(rows, Deno.env.get("CI") !== undefined);
  report("runtimes", problems, `${count(tests, "test")} on ${count(rows.length, "runtime")}`);
}

async function runChosen(
  chosen: readonly Runner[],
  prepare: typeof preparePackage,
): Promise<Row[]> {
  const folder = await Deno.makeTempDir({ prefix: "runtimes-" });
  const { origin, otherOrigin, close } = startServer();
  try {
    const signal = AbortSignal.timeout(PATIENCE);
    await prepare(ROOT, folder, signal);
    return await runAll(chosen, { root: ROOT, folder, origin, otherOrigin, signal }, console.error);
  } finally {
    await close();
    await Deno.remove(folder, { recursive: true });
  }
}

if (import.meta.main) await testRuntimes(RUNNERS, Deno.args, preparePackage);
