/** `deno task test:runtimes`: what it counts, shows and takes for a failure. */

import { assert, assertEquals, assertMatch, assertRejects, assertThrows } from "@std/assert";
import type { Report } from "../runtime/harness.ts";
import { runSuites } from "../runtime/run.ts";
import { suites } from "../runtime/suites.ts";
import * as library from "../../mod.ts";
import * as testing from "../../testing.ts";
import { choose, runAll } from "../../tools/runtimes.ts";
import { readReports } from "../../tools/runtimes/program.ts";
import type { Runner, RunResult, Unavailable } from "../../tools/runtimes/runner.ts";
import { absences, problemsOf, renderTable, rowOf } from "../../tools/runtimes/table.ts";
import { assert as shim } from "../runtime/shim.ts";

const planned = (suite: string, tests: number): Report => ({ kind: "planned", suite, tests });
const ran = (suite: string, title: string): Report => ({ kind: "ran", suite, title });
const failed = (suite: string, title: string, error: string): Report => {
  return { kind: "ran", suite, title, error };
};
const absent = (suite: string, reason: string): Report => ({ kind: "absent", suite, reason });

const GREEN: RunResult = {
  version: "1.0",
  reports: [
    planned("parse", 2),
    absent("socket", "it cannot listen"),
    ran("parse", "a"),
    ran("parse", "b"),
  ],
};
const RED: RunResult = {
  version: "22.0",
  reports: [planned("parse", 2), failed("parse", "a", "Error: no\n at x"), ran("parse", "b")],
};
const NONE: Unavailable = { unavailable: "it is not installed: install it" };

Deno.test("renderTable shows how many tests of each suite have passed on each runtime", () => {
  const rows = [rowOf("One", GREEN), rowOf("Two", RED), rowOf("Three", NONE)];
  assertEquals(
    renderTable(rows),
    [
      "| runtime | version | parse  | socket |",
      "| ------- | ------- | ------ | ------ |",
      "| One     | 1.0     | 2      | n/a    |",
      "| Two     | 22.0    | 1 of 2 |        |",
      "| Three   | none    |        |        |",
    ].join("\n"),
  );
});

Deno.test("absences gives the reason for all that was not run", () => {
  assertEquals(absences([rowOf("One", GREEN), rowOf("Three", NONE)]), [
    "n/a: socket on One: it cannot listen",
    "none: Three: it is not installed: install it",
  ]);
});

Deno.test("problemsOf finds none where all tests have passed", () => {
  assertEquals(problemsOf([rowOf("One", GREEN)], true), []);
});

Deno.test("problemsOf tells of each test that failed, with what it said", () => {
  assertEquals(problemsOf([rowOf("Two", RED)], false), ["Two: parse: a: Error: no\n at x"]);
});

Deno.test("problemsOf takes a runtime that is not there for a failure in CI alone", () => {
  const rows = [rowOf("One", GREEN), rowOf("Three", NONE)];
  assertEquals(problemsOf(rows, false), []);
  assertEquals(problemsOf(rows, true), ["Three cannot be had: it is not installed: install it"]);
});

Deno.test("problemsOf tells of tests that told nothing", () => {
  const row = rowOf("One", { version: "1", reports: [planned("parse", 3), ran("parse", "a")] });
  assertEquals(problemsOf([row], false), ["One: parse: 2 of 3 tests told nothing"]);
});

Deno.test("problemsOf tells of a run that has ended badly, or without a test", () => {
  const crash = rowOf("One", { ...GREEN, problem: "it ended with 139: crash" });
  assertEquals(problemsOf([crash], false), ["One: it ended with 139: crash"]);
  const empty = rowOf("One", { version: "1", reports: [] });
  assertEquals(problemsOf([empty], false), ["One: no test was run"]);
  assertEquals(problemsOf([], false).length, 1);
});

Deno.test("readReports finds the reports among what else a program prints", () => {
  const [one, two] = [planned("parse", 1), ran("parse", "a\nb")];
  const stdout = `ok\n# REPORT ${JSON.stringify(one)}\nREPORT ${JSON.stringify(two)}\ndone\n`;
  assertEquals(readReports({ code: 0, stdout, stderr: "" }), { reports: [one, two] });
});

Deno.test("readReports tells of a program that failed though no test did", () => {
  const stdout = `REPORT ${JSON.stringify(planned("parse", 1))}\n`;
  const { problem } = readReports({ code: 1, stdout, stderr: "Uncaught: boom" });
  assertMatch(`${problem}`, /^it ended with 1: .*boom$/s);
  const red = `REPORT ${JSON.stringify(failed("parse", "a", "no"))}\n`;
  assertEquals(readReports({ code: 1, stdout: red, stderr: "" }).problem, undefined);
  // It was killed, so that some tests may not have been run.
  assert(readReports({ code: 143, stdout: red, stderr: "" }).problem !== undefined);
});

Deno.test("choose takes the runtimes whose names begin so, and knows no others", () => {
  const run = () => Promise.resolve(GREEN);
  const runners: Runner[] = ["Node 22", "Node 24", "Bun"].map((name) => ({ name, run }));
  const names = (...asked: string[]) => choose(runners, asked).map(({ name }) => name);
  assertEquals(names(), ["Node 22", "Node 24", "Bun"]);
  assertEquals(names("node"), ["Node 22", "Node 24"]);
  assertEquals(names("bun", "node 24"), ["Node 24", "Bun"]);
  assertThrows(() => names("nod", "rhino"), Error, 'Cannot test "rhino": there are Node 22');
});

Deno.test("runSuites reports suites that cannot be run, with the reason, and plans the others", () => {
  const reports: Report[] = [];
  const harness = { test() {}, assert: shim, testing, origin: "", otherOrigin: "" };
  const absences = { fetch: "no network" } as const;
  runSuites(suites, library, harness, absences, (report) => reports.push(report));
  assertEquals(reports.map((report) => report.suite), suites.map(({ name }) => name));
  const reasons = reports.filter((report) => report.kind === "absent")
    .map(({ suite, reason }) => [suite, reason]);
  assertEquals(reasons, [
    ["client", "no network"],
    ["EventSource", "no network"],
    ["socket", "no network"],
    ["node bridge", "no network"],
    ["sqlite log", "it has no node:sqlite"],
  ]);
  const sizes = reports.filter((report) => report.kind === "planned").map(({ tests }) => tests);
  assert(sizes.every((tests) => tests >= 5), `suites have ${sizes} tests`);
});

Deno.test("runSuites gives each test a title of its own", () => {
  const titles: string[] = [];
  const test = (title: string) => void titles.push(title);
  const harness = { test, assert: shim, testing, origin: "", otherOrigin: "" };
  runSuites(suites, library, harness, {}, () => {});
  assertEquals(titles.length, new Set(titles).size);
});

Deno.test("runSuites reports a test that fails, and lets its runner know", async () => {
  const reports: Report[] = [];
  const bodies: (() => void | Promise<void>)[] = [];
  const test = (_: string, body: () => void | Promise<void>) => void bodies.push(body);
  const harness = { test, assert: shim, testing, origin: "", otherOrigin: "" };
  const suite = {
    name: "one",
    needs: [],
    register(_: unknown, { test, assert }: typeof harness) {
      test("passes", () => assert.equal(1, 1));
      test("fails", () => assert.equal(1, 2));
    },
  };
  runSuites([suite], library, harness, {}, (report) => reports.push(report));
  const [passes, fails] = bodies;
  await passes();
  await assertRejects(async () => await fails());
  const [plan, first, second] = reports;
  assertEquals([plan, first], [planned("one", 2), ran("one", "passes")]);
  assert(second.kind === "ran" && second.error !== undefined);
});

Deno.test("runAll takes a runner that throws for a failure, and runs the others", async () => {
  const runners: Runner[] = [
    { name: "One", run: () => Promise.reject(new Error("no such folder")) },
    { name: "Two", run: () => Promise.resolve(GREEN) },
  ];
  const context = { root: "", folder: "", origin: "", otherOrigin: "" };
  const told: string[] = [];
  const rows = await runAll(
    runners,
    { ...context, signal: AbortSignal.abort() },
    (line) => told.push(line.replace(/[\d.]+ s/, "? s")),
  );
  assertEquals(told, ["One: ? s", "Two: ? s"]);
  const [first, ...others] = problemsOf(rows, false);
  assertMatch(first, /^One: Error: no such folder/);
  assertEquals(others, ["One: no test was run"]);
});

/** Runs the tool with runners that give these results, and no package. */
async function runTool(
  results: Record<string, RunResult | Unavailable>,
  env: Record<string, string> = {},
): Promise<{ code: number; stdout: string; stderr: string }> {
  const tool = new URL("../../tools/runtimes.ts", import.meta.url).href;
  const script = `
    const { testRuntimes } = await import(${JSON.stringify(tool)});
    const results = Object.entries(${JSON.stringify(results)});
    const runners = results.map(([name, result]) => ({ name, run: () => Promise.resolve(result) }));
    await testRuntimes(runners, [], () => Promise.resolve());
  `;
  // Whether it is in CI is for the test to say.
  const { CI: _, ...inherited } = Deno.env.toObject();
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["eval", "--ext=ts", script],
    cwd: new URL("../..", import.meta.url),
    clearEnv: true,
    env: { ...inherited, NO_COLOR: "1", ...env },
  }).output();
  const text = new TextDecoder();
  return { code, stdout: text.decode(stdout), stderr: text.decode(stderr) };
}

Deno.test("testRuntimes prints the table and ends well where all tests have passed", async () => {
  const { code, stdout } = await runTool({ One: GREEN, Three: NONE });
  assertEquals(code, 0);
  assertMatch(stdout, /\| One +\| 1\.0 +\| 2 /);
  assertMatch(stdout, /^none: Three: it is not installed/m);
  assertMatch(stdout, /^runtimes: 2 tests on 2 runtimes$/m);
});

Deno.test("testRuntimes ends with 1 where a test has failed, after the table", async () => {
  const { code, stdout, stderr } = await runTool({ One: GREEN, Two: RED });
  assertEquals(code, 1);
  assertMatch(stdout, /\| Two +\| 22\.0 +\| 1 of 2 /);
  assertMatch(stderr, /^Two: parse: a: Error: no$/m);
  assertMatch(stderr, /^runtimes: 1 problem$/m);
});

Deno.test("testRuntimes ends with 1 in CI where a runtime is not there", async () => {
  const { code, stderr } = await runTool({ One: GREEN, Three: NONE }, { CI: "1" });
  assertEquals(code, 1);
  assertMatch(stderr, /^Three cannot be had: it is not installed/m);
});
