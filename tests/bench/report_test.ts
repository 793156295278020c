import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { type Conditions, makeReport, type Result } from "../../bench/report_page.ts";
import { Results, RESULTS_FILE } from "../../bench/results.ts";
import { ROOT } from "../../tools/_deno.ts";

const DENO = { name: "Deno", version: "2.9.6" } as const;
const CONDITIONS: Conditions = { machine: "a machine", versions: ["peer 1.2.3"], missing: [] };

/** What is left by `fill`, as lines of JSON. */
async function left(bench: string, fill: (results: Results) => void): Promise<Result[]> {
  const file = await Deno.makeTempFile();
  const { log } = console;
  Deno.env.set(RESULTS_FILE, file);
  console.log = () => {};
  try {
    fill(new Results(bench, DENO));
    const text = await Deno.readTextFile(file);
    return text.split("\n").filter(Boolean).map((line) => JSON.parse(line));
  } finally {
    console.log = log;
    Deno.env.delete(RESULTS_FILE);
    await Deno.remove(file);
  }
}

Deno.test("Results leaves a figure with its verdict, which the lowest of a mean decides too", async () => {
  const results = await left("memory", (results) => {
    results.figure(1.5, "x a", { most: 1.5 });
    results.figure(1.6, "x b", { most: 1.5 });
    results.figure(1.4, "x c", { least: 1.3, each: 1 }, 0.9);
    results.figure(2, "x d");
  });
  assertEquals(
    results.map((result) => result.kind === "figure" && [result.what, result.reached]),
    [["x a", true], ["x b", false], ["x c", false], ["x d", undefined]],
  );
  const { page } = makeReport(results, CONDITIONS);
  assertMatch(page, /\| x a \| 1\.50 \| at most 1\.5 \| reached \|/);
  assertMatch(page, /\| x b \| 1\.60 \| at most 1\.5 \| \*\*missed\*\* \|/);
  assertMatch(page, /\| x c \| 1\.40 \| at least 1\.3, each 1 \| \*\*missed\*\* \|/);
  assertMatch(page, /\| x d \| 2\.00 \| {2}\| {2}\|/);
});

Deno.test("Results leaves nothing where nobody asked for it", () => {
  assertEquals(Deno.env.get(RESULTS_FILE), undefined);
  new Results("memory", DENO).cells("plot", "group", { ours: 1 });
});

Deno.test("makeReport draws the cells, and tables those of feed by stream and size", async () => {
  const results = await left("parse and encode", (results) => {
    results.cells("feed / eventsource-parser", "tiny", { "64 B": 4, "1400 B": 2, "65536 B": 8 });
  });
  const { page, plots } = makeReport(results, CONDITIONS);
  assertEquals([...plots.keys()], ["parse.svg", "parse-chunks.svg"]);
  // The mean of the large chunks alone.
  assertStringIncludes(plots.get("parse.svg") ?? "", "tiny: ours 4.");
  assertStringIncludes(page, "![ServerSentEventParser beside eventsource-parser, by stream");
  assertStringIncludes(page, "| tiny | 4.00 | 2.00 | 8.00 |");
});

Deno.test("makeReport draws growth over the length of the event", async () => {
  const results = await left("growth", (results) => {
    results.cells("time per byte, one line", "64", { ours: 1, peer: 2 });
    results.cells("time per byte, one line", "256", { ours: 1, peer: 8 });
  });
  const { plots } = makeReport(results, CONDITIONS);
  assertEquals([...plots.keys()], ["growth-line.svg"]);
  assertStringIncludes(plots.get("growth-line.svg") ?? "", "peer");
});

Deno.test("makeReport names machine and versions, and says what was not run", () => {
  const missing = ["cluster was not run: redis-server is not installed."];
  const { page, plots } = makeReport([], { ...CONDITIONS, missing });
  assertStringIncludes(page, "made on a machine, with peer 1.2.3.");
  assertStringIncludes(page, missing[0]);
  assertEquals(page.match(/It was not run\./g)?.length, 6);
  assertEquals(plots.size, 0);
});

/** Runs `deno task bench:report` with these arguments. */
async function report(...args: string[]): Promise<{ code: number; stderr: string }> {
  const { code, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "bench/report.ts", ...args],
    cwd: ROOT,
    stdout: "null",
  }).output();
  return { code, stderr: new TextDecoder().decode(stderr) };
}

Deno.test("report.ts runs the benches that are named, writes the page and the plots, and keeps the rest", async () => {
  const out = await Deno.makeTempDir();
  try {
    const kept = {
      kind: "figure",
      bench: "memory",
      runtime: "Deno 2.9.6",
      value: 1,
      what: "x kept",
    };
    await Deno.writeTextFile(`${out}/results.jsonl`, `${JSON.stringify(kept)}\n`);
    const { code, stderr } = await report("--scale", "0.01", "--out", out, "growth");
    assertEquals(code, 0, stderr);
    assertStringIncludes(stderr, "and 2 plots");
    const page = await Deno.readTextFile(`${out}/RESULTS.md`);
    assertStringIncludes(page, "![The time for each byte of an event of one line, by its length]");
    assertStringIncludes(page, "x kept");
    assertStringIncludes(page, "eventsource-parser 4.");
    assertStringIncludes(await Deno.readTextFile(`${out}/plots/growth-line.svg`), "<svg");
  } finally {
    await Deno.remove(out, { recursive: true });
  }
});

Deno.test("report.ts says in a sentence which benches and scales there are", async () => {
  const unknown = await report("speed");
  assertEquals(unknown.code, 2);
  assertStringIncludes(unknown.stderr, 'there is no bench "speed", only parse and encode, growth');
  const scale = await report("--scale", "0");
  assertEquals(scale.code, 2);
  assertStringIncludes(scale.stderr, "--scale must be a number above 0: received 0");
});
