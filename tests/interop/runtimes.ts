/**
 * Where Node and Bun are: on the PATH, or else from npm.
 *
 * @module
 */

import { within } from "../fault/real_time.ts";
import type { Unavailable } from "./peers.ts";

/** A program, and the arguments before those of its script. */
export interface Command {
  readonly program: string;
  readonly args: readonly string[];
}

const PATIENCE = 120_000;

/** Prints the path of a Node, if it can run our sources: from 22.18 on it strips types. */
const NODE = `const [major, minor] = process.versions.node.split(".").map(Number);
if (major > 22 || major === 22 && minor >= 18) console.log(process.execPath);`;

const BUN = "console.log(process.execPath)";

const found = new Map<string, Promise<Command | Unavailable>>();

/** Node, from 22.18 on. */
export function node(): Promise<Command | Unavailable> {
  return once("Node", [["node"], ["npx", "--yes", "--package=node@24", "--", "node"]], NODE);
}

/** Bun. */
export function bun(): Promise<Command | Unavailable> {
  return once("Bun", [["bun"], ["npx", "--yes", "--package=bun@1.4.5", "--", "bun"]], BUN);
}

/** The Deno that runs this. */
export function deno(): Promise<Command> {
  return Promise.resolve({ program: Deno.execPath(), args: ["run", "--no-check", "-A"] });
}

function once(name: string, ways: string[][], script: string): Promise<Command | Unavailable> {
  const known = found.get(name) ?? find(name, ways, script);
  found.set(name, known);
  return known;
}

async function find(
  name: string,
  ways: string[][],
  script: string,
): Promise<Command | Unavailable> {
  for (const [program, ...args] of ways) {
    try {
      const command = new Deno.Command(program, { args: [...args, "-e", script], stderr: "null" });
      const { stdout } = await within(command.output(), PATIENCE, () => `${program} does not end`);
      const path = new TextDecoder().decode(stdout).trim();
      if (path !== "") return { program: path, args: [] };
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
  return { unavailable: `there is no ${name}, nor npx to get one: install Node and npm` };
}
