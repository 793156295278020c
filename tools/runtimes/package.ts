/**
 * What the runners share: the packed package, installed as users install it, and the suites as one
 * file of JavaScript beside it.
 *
 * @module
 */

import { join } from "node:path";
import { deno } from "../_deno.ts";
import { pack } from "../pack.ts";
import { finish } from "./program.ts";

/**
 * Makes `node_modules/@webstreams/sse` and `main.mjs` in `folder`.
 *
 * @throws {Error} If there is no npm, or the package cannot be made or installed.
 */
export async function preparePackage(
  root: string,
  folder: string,
  signal: AbortSignal,
): Promise<void> {
  const { file } = await pack(root, folder);
  await Deno.writeTextFile(join(folder, "package.json"), '{ "private": true, "type": "module" }');
  // Nothing is to be fetched: the package has no dependency.
  const args = ["install", "--offline", "--no-audit", "--no-fund", file];
  const { code, stderr } = await finish({ command: "npm", args, cwd: folder }, signal);
  if (code === undefined) throw new Error("Cannot install the package: there is no npm");
  if (code !== 0) throw new Error(`Cannot install the package: npm says ${stderr.trim()}`);
  const output = ["--external", "@webstreams/sse", "--output", join(folder, "main.mjs")];
  const bundled = await deno(root, [
    ...["bundle", "--no-lock", "--quiet", "--platform", "deno"],
    ...output,
    "tests/runtime/main.ts",
  ]);
  if (!bundled.success) throw new Error(`Cannot bundle the suites: ${bundled.stderr.trim()}`);
}
