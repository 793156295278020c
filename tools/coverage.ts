/**
 * Every line of the parser and the encoder is run by a test. Reads what `deno test --coverage` left
 * in `coverage/`, prints the table, and names each line that no test reached, and each file that no
 * test loaded, which the table leaves out.
 *
 * @module
 */

import ts from "typescript";
import { deno, libraryFiles, report, ROOT, rootUrl } from "./_deno.ts";

/** Where each line must be. The client has some that only a browser runs. */
const PROVEN = /^(?:parse|encode)(?:\/|\.ts$)/;

/** What no test of the tree at `root` ran, one sentence for each run of lines, and the table. */
export async function checkCoverage(root: string): Promise<{ problems: string[]; table: string }> {
  const base = await rootUrl(root);
  const include = `--include=^${RegExp.escape(base)}(parse|encode|client|event_source)(/|\\.ts$)`;
  const table = await deno(root, ["coverage", include, "coverage"]);
  const lcov = await deno(root, ["coverage", include, "--lcov", "coverage"]);
  if (!lcov.success) return { problems: [lcov.stderr.trim()], table: "" };

  const problems: string[] = [];
  const loaded = new Set<string>();
  for (const record of lcov.stdout.split("end_of_record")) {
    const path = record.match(/^SF:(.+)$/m)?.[1];
    if (path === undefined) continue;
    const file = path.slice((await Deno.realPath(root)).length + 1);
    loaded.add(file);
    if (!PROVEN.test(file)) continue;
    const missed = [...record.matchAll(/^DA:(\d+),0$/gm)].map(([, line]) => Number(line));
    problems.push(...ranges(missed).map((lines) => `${file}:${lines} is run by no test`));
  }
  for (const file of await libraryFiles(root)) {
    if (!PROVEN.test(file) || loaded.has(file)) continue;
    if (hasCode(await Deno.readTextFile(`${root}/${file}`))) {
      problems.push(`${file} is loaded by no test`);
    }
  }
  return { problems, table: table.stdout };
}

/** `1, 2, 3, 7` as `1-3` and `7`. */
function ranges(lines: number[]): string[] {
  const runs: [first: number, last: number][] = [];
  for (const line of lines) {
    const run = runs.at(-1);
    if (run !== undefined && run[1] === line - 1) run[1] = line;
    else runs.push([line, line]);
  }
  return runs.map(([first, last]) => first === last ? `${first}` : `${first}-${last}`);
}

// A file of types alone is never loaded.
function hasCode(source: string): boolean {
  const compilerOptions = { target: ts.ScriptTarget.Latest, removeComments: true };
  const { outputText } = ts.transpileModule(source, { compilerOptions });
  return outputText.trim() !== "export {};";
}

if (import.meta.main) {
  const { problems, table } = await checkCoverage(ROOT);
  console.log(table);
  report("coverage", problems, "every line of parse and encode is run by a test");
}
