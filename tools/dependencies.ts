/**
 * The library has no run-time dependency: nothing that an entry point reaches lies outside the
 * repository, and each entry point bundles, for browsers too unless it needs Node.
 *
 * The command line alone may use packages, and only those that it loads when it needs them: what an
 * install brings along is nothing.
 *
 * @module
 */

import { bundle } from "./_bundle.ts";
import { count, entryPoints, type Import, moduleGraph, report, ROOT } from "./_deno.ts";
import { roomOf } from "./layers.ts";

/** The rooms of the command line. */
const PROGRAM = ["cli/", "cli.ts"];

/** Every dependency on something outside the tree at `root`, and every bundle that fails. */
export async function checkDependencies(root: string): Promise<string[]> {
  const entries = await entryPoints(root);
  const problems = await Promise.all(entries.map(async ({ key, file }) => {
    const found = [];
    for (const module of await moduleGraph(root, [file])) {
      for (const imported of module.imports) {
        const { target, line } = imported;
        if (!/^[a-z]+:/.test(target)) continue; // Inside.
        if (target.startsWith("node:") && roomOf(module.file)?.needs === "node") continue;
        if (isOfProgram(module.file) && isOptional(imported)) continue;
        const remedy = isOfProgram(module.file)
          ? "load it by import() where it is used"
          : "take what is needed as an argument or an option";
        found.push(`${module.file}:${line} makes "${key}" depend on ${target}: ${remedy}`);
      }
    }
    // Nobody bundles a program, and one that loads packages cannot be.
    if (found.length > 0 || isOfProgram(file)) return found;
    const portable = roomOf(file)?.needs === undefined;
    const { problem } = await bundle(root, file, portable ? "browser" : "deno");
    return problem === undefined ? [] : [problem];
  }));
  return [...new Set(problems.flat())];
}

function isOfProgram(file: string): boolean {
  return PROGRAM.includes(roomOf(file)?.name ?? "");
}

function isOptional({ target, dynamic, typeOnly }: Import): boolean {
  return target.startsWith("npm:") && (dynamic || typeOnly);
}

if (import.meta.main) {
  const entries = await entryPoints(ROOT);
  report(
    "dependencies",
    await checkDependencies(ROOT),
    `${count(entries.length, "entry point")}, nothing outside the repository, each bundles`,
  );
}
