/**
 * The library has no run-time dependency: nothing that an entry point reaches lies outside the
 * repository, and each entry point bundles, for browsers too unless it needs Node.
 *
 * @module
 */

import { bundle } from "./_bundle.ts";
import { count, entryPoints, moduleGraph, report, ROOT } from "./_deno.ts";
import { roomOf } from "./layers.ts";

/** Every dependency on something outside the tree at `root`, and every bundle that fails. */
export async function checkDependencies(root: string): Promise<string[]> {
  const entries = await entryPoints(root);
  const problems = await Promise.all(entries.map(async ({ key, file }) => {
    const found = [];
    for (const module of await moduleGraph(root, [file])) {
      for (const { target, line } of module.imports) {
        if (!/^[a-z]+:/.test(target)) continue; // Inside.
        if (target.startsWith("node:") && roomOf(module.file)?.needs === "node") continue;
        found.push(
          `${module.file}:${line} makes "${key}" depend on ${target}: take what is needed as an argument or an option`,
        );
      }
    }
    if (found.length > 0) return found;
    const portable = roomOf(file)?.needs === undefined;
    const { problem } = await bundle(root, file, portable ? "browser" : "deno");
    return problem === undefined ? [] : [problem];
  }));
  return [...new Set(problems.flat())];
}

if (import.meta.main) {
  const entries = await entryPoints(ROOT);
  report(
    "dependencies",
    await checkDependencies(ROOT),
    `${count(entries.length, "entry point")}, nothing outside the repository, each bundles`,
  );
}
