/**
 * `sse` as a program of Node and of Bun, from the sources: the one on the PATH if it can strip types,
 * or else the one that npm has.
 *
 * @module
 */

import { fileURLToPath } from "node:url";
import { isUnavailable } from "../interop/peers.ts";
import { bun, node } from "../interop/runtimes.ts";

const CLI = fileURLToPath(new URL("../../cli.ts", import.meta.url));

/** The command of `sse` on a runtime. Where there is none it says so; in CI it throws. */
export async function programOn(runtime: "Node" | "Bun"): Promise<readonly string[] | undefined> {
  const found = await (runtime === "Node" ? node() : bun());
  if (!isUnavailable(found)) {
    const quiet = runtime === "Node" ? ["--no-warnings"] : [];
    return [found.program, ...found.args, ...quiet, CLI];
  }
  const reason = `Cannot run sse on ${runtime}: ${found.unavailable}`;
  if (Deno.env.get("CI") !== undefined) throw new Error(reason);
  console.warn(reason);
  return undefined;
}
