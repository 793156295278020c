/**
 * The live page's copy of the library: `cli/page/sse.js`, a bundle of what `cli/page/sse_entry.ts`
 * names. It is committed, so that who changes the page, or installs the package, builds nothing.
 *
 * ```sh
 * deno task page
 * deno task check:page
 * ```
 *
 * The check fails when the bundle is not that of the sources, and type-checks the modules of the page
 * with the types of a browser.
 *
 * @module
 */

import { buildSync } from "esbuild";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { count, deno, report, ROOT } from "./_deno.ts";

const FOLDER = "cli/page";
const ENTRY = `${FOLDER}/sse_entry.ts`;
const BUNDLE = `${FOLDER}/sse.js`;

/** The types of a browser, for JavaScript too. */
const CONFIG = fileURLToPath(new URL("page.json", import.meta.url));

const HEADER =
  `// Generated from sse_entry.ts by "deno task page": change the library, not this file.
// deno-lint-ignore-file
// deno-fmt-ignore-file
// deno-coverage-ignore-file
// @ts-nocheck The types are those of the sources.
// @ts-self-types="./sse_entry.ts"
`;

/** Bundles the entry of the tree at `root`: the same text wherever and whenever it is made. */
export function bundlePage(root: string): string {
  const { outputFiles: [{ text }] } = buildSync({
    entryPoints: [join(root, ENTRY)],
    absWorkingDir: join(root, FOLDER),
    bundle: true,
    write: false,
    format: "esm",
    platform: "browser",
    // What the page itself is written in.
    target: "es2022",
    charset: "utf8",
    legalComments: "none",
    // It must not depend on the place of the checkout, or on what its config says.
    tsconfigRaw: "{}",
    logLevel: "silent",
  });
  return HEADER + text;
}

/** Whatever is wrong with the page of the tree at `root`, one sentence each. */
export async function checkPage(root: string): Promise<string[]> {
  const committed = await Deno.readTextFile(join(root, BUNDLE)).catch(() => undefined);
  if (committed !== bundlePage(root)) {
    const state = committed === undefined ? "is missing" : "is not of these sources";
    return [`${BUNDLE} ${state}: run "deno task page"`];
  }
  const modules = await modulesOf(root);
  const { success, stderr } = await deno(root, [
    "check",
    "--no-lock",
    "--config",
    CONFIG,
    ...modules,
  ]);
  return success ? [] : [stderr.trim()];
}

/** The modules of the page, sorted, without the bundle: what it is made of was checked. */
async function modulesOf(root: string): Promise<string[]> {
  const names = await Array.fromAsync(Deno.readDir(join(root, FOLDER)), ({ name }) => name);
  const files = names.filter((name) => name.endsWith(".js")).map((name) => `${FOLDER}/${name}`);
  return files.filter((file) => file !== BUNDLE).sort();
}

if (import.meta.main) {
  if (Deno.args.includes("--check")) {
    const modules = await modulesOf(ROOT);
    const fine = `${count(modules.length, "module")}, the bundle is of these sources`;
    report("page", await checkPage(ROOT), fine);
  } else {
    const text = bundlePage(ROOT);
    await Deno.writeTextFile(join(ROOT, BUNDLE), text);
    console.log(`${BUNDLE}: ${(new TextEncoder().encode(text).length / 1000).toFixed(1)} kB`);
  }
}
