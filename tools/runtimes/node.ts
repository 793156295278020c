/**
 * The versions of Node that are maintained, on the packed package.
 *
 * @module
 */

import { findRuntime, runProgram } from "./program.ts";
import type { Runner } from "./runner.ts";

/** Each comes as the package `node` of npm. */
const VERSIONS = [22, 24, 26];

/** The runners. */
export const runners: readonly Runner[] = VERSIONS.map((major) => ({
  name: `Node ${major}`,
  async run(context) {
    const found = await findRuntime(`node@${major}`, "node", context);
    if ("unavailable" in found) return found;
    const { command, version } = found;
    // `npx` starts the Node of the machine if it does not find that of the package.
    if (!version.startsWith(`${major}.`)) {
      return { unavailable: `npx gave Node ${version} for node@${major}: remove it from PATH` };
    }
    return await runProgram({ command, args: ["main.mjs"], cwd: context.folder }, version, context);
  },
}));
