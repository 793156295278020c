/**
 * This very Deno, on the sources.
 *
 * @module
 */

import { runProgram } from "./program.ts";
import type { Runner } from "./runner.ts";

/** The runner. */
export const runners: readonly Runner[] = [{
  name: "Deno (source)",
  run(context) {
    const args = ["test", "-A", "--no-check", "tests/runtime/main.ts"];
    const program = { command: Deno.execPath(), args, cwd: context.root };
    return runProgram(program, Deno.version.deno, context);
  },
}];
