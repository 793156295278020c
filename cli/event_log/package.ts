/**
 * Packages that the command line uses where somebody has installed them.
 *
 * @module
 */

import { createRequire } from "node:module";
import { join } from "node:path";
import process from "node:process";
import { pathToFileURL } from "node:url";
import { Failure } from "../failure.ts";

/**
 * Imports a package: the one beside this program, or of the folder that it is run in (`npx` puts the
 * program elsewhere), or what a runtime fetches itself that knows `npm:`.
 *
 * @param name Its name.
 * @param major The version of it that is known to fit.
 * @param fits Whether a module is what it should be.
 * @param remedy What installs all that is needed.
 * @param load Imports a module.
 * @throws {Failure} If it is nowhere.
 */
export async function importPackage<T extends object>(
  name: string,
  major: number,
  fits: (module: object) => module is T,
  remedy: string = `npm install ${name}@${major}`,
  load: (specifier: string) => Promise<unknown> = (specifier) => import(specifier),
): Promise<T> {
  let cause: unknown;
  for (const specifier of [name, inWorkingFolder(name), `npm:${name}@${major}`]) {
    if (specifier === undefined) continue;
    try {
      const module = await load(specifier);
      if (typeof module === "object" && module !== null && fits(module)) return module;
    } catch (error) {
      cause ??= error;
    }
  }
  throw new Failure(
    `Cannot open the log: the package "${name}" is missing or too old: ${remedy}`,
    { cause },
  );
}

function inWorkingFolder(name: string): string | undefined {
  try {
    const { resolve } = createRequire(join(process.cwd(), "package.json"));
    return pathToFileURL(resolve(name)).href;
  } catch {
    return undefined;
  }
}
