/**
 * The Markdown files and their code blocks.
 *
 * @module
 */

import { ROOT } from "../../tools/_deno.ts";

/** One code block. */
export interface Block {
  /** What is written behind the fence: `ts`, `ts ignore`, `nginx`. */
  readonly info: string;
  /** The one-based line of its fence. */
  readonly line: number;
  /** What is in it. */
  readonly code: string;
}

const FOLDERS = ["", "docs/", "docs/migrate/", "examples/", "bench/"];

/** All Markdown files, by their paths relative to the root. */
export async function markdownFiles(): Promise<string[]> {
  const found: string[] = [];
  for (const folder of FOLDERS) {
    for await (const { name } of Deno.readDir(ROOT + folder)) {
      if (name.endsWith(".md")) found.push(folder + name);
    }
  }
  return found.sort();
}

/** The blocks of `file`, a path relative to the root, in their order. */
export async function blocksOf(file: string): Promise<Block[]> {
  const text = await Deno.readTextFile(ROOT + file);
  return Array.from(text.matchAll(/^```(.+)\n([^]*?)^```$/gm), ({ 1: info, 2: code, index }) => {
    return { info: info.trim(), line: text.slice(0, index).split("\n").length, code };
  });
}

/** The one block of `file` with this info. */
export async function blockOf(file: string, info: string): Promise<string> {
  const found = (await blocksOf(file)).filter((block) => block.info === info);
  if (found.length === 1) return found[0].code;
  throw new Error(`Cannot find the block "${info}" in ${file}: there are ${found.length}`);
}
