/**
 * Bun, on the packed package.
 *
 * @module
 */

import { findRuntime, runProgram } from "./program.ts";
import type { Runner } from "./runner.ts";

/** The version that comes as the package `bun` of npm. */
const SPECIFIER = "bun@1.4.5";

/** The runner. */
export const runners: readonly Runner[] = [{
  name: "Bun",
  async run(context) {
    const found = await findRuntime(SPECIFIER, "bun", context);
    if ("unavailable" in found) return found;
    const { command, version } = found;
    // `node:test` is there under its own test runner alone, which wants this name or a path.
    const args = ["test", "--timeout=30000", "./main.mjs"];
    return await runProgram({ command, args, cwd: context.folder }, version, context);
  },
}];
