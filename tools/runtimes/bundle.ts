/**
 * Programs of `tests/runtime` with the packed package, in one file each: for runtimes that cannot look
 * for modules.
 *
 * @module
 */

import { join } from "node:path";
import { bundle } from "../_bundle.ts";
import type { RunContext } from "./runner.ts";

/** Bundles `file` of `tests/runtime`. The package is that of the run, not the sources. */
export async function bundleForRuntime(
  { root, folder }: Pick<RunContext, "root" | "folder">,
  file: string,
): Promise<string> {
  // Beside the package, where it is found.
  const home = await Deno.makeTempDir({ dir: folder, prefix: "bundle-" });
  await copy(join(root, "tests", "runtime"), home);
  const { code, problem } = await bundle(home, file, "browser");
  if (problem !== undefined) throw new Error(problem);
  return code;
}

async function copy(from: string, to: string): Promise<void> {
  await Deno.mkdir(to, { recursive: true });
  for await (const { name, isDirectory } of Deno.readDir(from)) {
    if (isDirectory) await copy(join(from, name), join(to, name));
    else await Deno.copyFile(join(from, name), join(to, name));
  }
}
