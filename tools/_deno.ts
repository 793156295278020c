/**
 * What the tools share: run this very Deno, read what the package exports, print a verdict.
 *
 * @module
 */

import { fileURLToPath, pathToFileURL } from "node:url";

/** What a finished `deno` process left behind. */
export interface DenoResult {
  /** Whether the exit status was 0. */
  success: boolean;
  /** Everything written to standard output. */
  stdout: string;
  /** Everything written to standard error, without colours. */
  stderr: string;
}

/** One key of `exports` in deno.json. */
export interface EntryPoint {
  /** The key: `.`, `./parse`, ... */
  key: string;
  /** The file, relative to the root and with forward slashes: `parse.ts`. */
  file: string;
}

/** One import of a {@linkcode Module}. */
export interface Import {
  /** As written in the source. */
  specifier: string;
  /** Where it leads: a path relative to the root, or a whole URL (`npm:x`, `node:fs`) outside of it. */
  target: string;
  /** One-based line of the import. */
  line: number;
  /** Whether only types are taken (`import type`, `export type`). */
  typeOnly: boolean;
  /** Whether it is loaded when the code asks for it, and may be missing until then (`import()`). */
  dynamic: boolean;
}

/** One file of the module graph that lies in the repository. */
export interface Module {
  /** Path relative to the root. */
  file: string;
  /** What it imports, in the order of the source. */
  imports: Import[];
}

/** The repository that the tools stand in, with a trailing slash. */
export const ROOT: string = fileURLToPath(new URL("..", import.meta.url));

/** Folders that hold no part of the library. */
export const DEVELOPMENT = ["tests", "tools", "bench", "examples"];

const SOURCE = /\.(?:[cm]?[jt]s|[jt]sx)$/;
const text = new TextDecoder();

/** Runs this Deno with `args` in `root`. */
export async function deno(root: string, args: string[]): Promise<DenoResult> {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args,
    cwd: root,
    env: { NO_COLOR: "1" },
    stdin: "null",
  }).output();
  return { success, stdout: text.decode(stdout), stderr: text.decode(stderr) };
}

/** The entry points that deno.json in `root` exports. */
export async function entryPoints(root: string): Promise<EntryPoint[]> {
  const config: { exports?: string | Record<string, string> } = JSON.parse(
    await Deno.readTextFile(`${root}/deno.json`),
  );
  const exports = typeof config.exports === "string"
    ? { ".": config.exports }
    : config.exports ?? {};
  const entries = Object.entries(exports);
  if (entries.length === 0) throw new Error(`Nothing to check: ${root}/deno.json has no "exports"`);
  return entries.map(([key, file]) => ({ key, file: file.replace(/^\.\//, "") }));
}

/** Every source file of the library on disk, reached by an entry point or not, sorted. */
export async function libraryFiles(root: string): Promise<string[]> {
  const files: string[] = [];
  async function walk(folder: string): Promise<void> {
    for await (const { name, isDirectory } of Deno.readDir(`${root}/${folder}`)) {
      const path = folder + name;
      if (name.startsWith(".") || /^(?:node_modules|coverage|dist)$/.test(name)) continue;
      if (isDirectory) {
        if (!DEVELOPMENT.includes(path)) await walk(`${path}/`);
      } else if (SOURCE.test(name)) {
        files.push(path);
      }
    }
  }
  await walk("");
  return files.sort();
}

/** The URL that the files of `root` begin with, as Deno writes it. */
export async function rootUrl(root: string): Promise<string> {
  return pathToFileURL(`${await Deno.realPath(root)}/`).href;
}

/** The modules that `files` reach, as Deno itself resolves them; what lies outside is only a target. */
export async function moduleGraph(root: string, files: string[]): Promise<Module[]> {
  const base = await rootUrl(root);
  const local = (url: string) => url.startsWith(base) ? url.slice(base.length) : url;
  const modules = new Map<string, Module>();
  const graphs = await Promise.all(files.map((file) => infoOf(root, file)));
  for (const { specifier, dependencies = [] } of graphs.flatMap((graph) => graph.modules)) {
    if (!specifier.startsWith(base)) continue;
    const imports = dependencies.map(({ specifier, code, type, isDynamic = false }) => {
      const resolved = code ?? type;
      return {
        specifier,
        target: local(resolved?.specifier ?? specifier),
        line: (resolved?.span?.start.line ?? 0) + 1,
        typeOnly: code === undefined,
        dynamic: isDynamic,
      };
    });
    modules.set(specifier, { file: local(specifier), imports });
  }
  return [...modules.values()].sort((a, b) => a.file < b.file ? -1 : 1);
}

interface Info {
  modules: {
    specifier: string;
    dependencies?: {
      specifier: string;
      code?: Resolved;
      type?: Resolved;
      isDynamic?: boolean;
    }[];
  }[];
}

interface Resolved {
  specifier?: string;
  span?: { start: { line: number } };
}

async function infoOf(root: string, file: string): Promise<Info> {
  const { success, stdout, stderr } = await deno(root, ["info", "--json", "--no-lock", file]);
  if (!success) throw new Error(`Cannot read the module graph of ${file}: ${stderr.trim()}`);
  return JSON.parse(stdout);
}

/** Prints the problems and exits with 1, or the one line that says all is well. */
export function report(tool: string, problems: string[], fine: string): void {
  for (const problem of problems) console.error(problem);
  if (problems.length > 0) {
    console.error(`${tool}: ${count(problems.length, "problem")}`);
    Deno.exit(1);
  }
  console.log(`${tool}: ${fine}`);
}

/** `1 file`, `2 files`. */
export function count(n: number, noun: string): string {
  return `${n} ${noun}${n === 1 ? "" : "s"}`;
}
