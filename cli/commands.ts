/**
 * The commands of `sse`. Each is loaded when it is asked for, so that `sse get` does not wait for
 * what only a server needs.
 *
 * @module
 */

import type { AnyCommand } from "./command.ts";

const LOADERS: Readonly<Record<string, () => Promise<{ readonly command: AnyCommand }>>> = {
  get: () => import("./get.ts"),
  serve: () => import("./serve.ts"),
  publish: () => import("./publish.ts"),
  record: () => import("./record.ts"),
  replay: () => import("./replay.ts"),
  bench: () => import("./bench.ts"),
  check: () => import("./check.ts"),
  completions: async () => {
    const { completionsOf } = await import("./completions.ts");
    return { command: completionsOf(loadCommands) };
  },
};

/** The command of this name, or `undefined` if there is none. */
export async function loadCommand(name: string): Promise<AnyCommand | undefined> {
  return Object.hasOwn(LOADERS, name) ? (await LOADERS[name]()).command : undefined;
}

/** All commands, in the order of the help. */
export async function loadCommands(): Promise<AnyCommand[]> {
  const modules = await Promise.all(Object.values(LOADERS).map((load) => load()));
  return modules.map(({ command }) => command);
}
