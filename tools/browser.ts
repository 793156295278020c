/**
 * Every portable entry point type-checks with the libraries of a browser and without those of Deno
 * and Node: a use of `Deno`, `process` or `Buffer` is a type error here.
 *
 * @module
 */

import { fileURLToPath } from "node:url";
import { count, deno, type EntryPoint, entryPoints, report, ROOT } from "./_deno.ts";
import { roomOf } from "./layers.ts";

const CONFIG = fileURLToPath(new URL("browser.json", import.meta.url));

/** What the type checker says about the portable entry points of the tree at `root`. */
export async function checkBrowser(root: string): Promise<string[]> {
  const files = portable(await entryPoints(root)).map(({ file }) => file);
  const args = ["check", "--no-lock", "--config", CONFIG, ...files];
  const { success, stderr } = await deno(root, args);
  return success ? [] : [stderr.trim()];
}

function portable(entries: EntryPoint[]): EntryPoint[] {
  return entries.filter(({ file }) => roomOf(file)?.needs === undefined);
}

if (import.meta.main) {
  const entries = portable(await entryPoints(ROOT));
  report(
    "browser",
    await checkBrowser(ROOT),
    `${count(entries.length, "entry point")} without Deno types`,
  );
}
