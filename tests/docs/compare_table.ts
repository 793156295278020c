/**
 * The tables of `docs/compare.md`, and what the packages that they name can be asked without a run.
 *
 * @module
 */

import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { identifiersOf, publicNames, rowsUnder } from "./migrate_names.ts";

const ROOT = new URL("../../", import.meta.url);

/** What a cell says first. */
export type Word = "yes" | "no" | "partly" | "not tried" | "-";

/** A cell of a table. */
export interface Cell {
  readonly word: Word;
  /** What follows the word. */
  readonly note: string;
  /** Where its links lead, as they are written. */
  readonly links: readonly string[];
}

/** A row: the cells by the names of their columns. */
export interface CompareRow {
  readonly label: string;
  readonly cells: Readonly<Record<string, Cell>>;
}

/** The rows of the one table of a page whose first column has this heading, and its other columns. */
export function readTable(
  page: string,
  heading: string,
): { columns: string[]; rows: CompareRow[] } {
  const [head = ""] = page.split("\n").filter((line) => line.startsWith(`| ${heading} `));
  const columns = head.split("|").slice(2, -1).map((name) => name.trim());
  const rows = rowsUnder(page, heading).map(([label, ...texts]) => {
    const cells = Object.fromEntries(columns.map((name, i) => [name, readCell(texts[i] ?? "")]));
    return { label, cells };
  });
  return { columns, rows };
}

function readCell(text: string): Cell {
  const plain = text.replace(/\[([^\]]*)\]\([^)]*\)/g, "$1");
  const [, word, note] = /^(yes|no|partly|not tried|-)(?:: (.*))?$/.exec(plain) ?? [];
  if (!isWord(word)) throw new TypeError(`No cell begins like this: "${text}"`);
  const links = [...text.matchAll(/\]\(([^)]*)\)/g)].map(([, link]) => link);
  return { word, note: note ?? "", links };
}

function isWord(text: string | undefined): text is Word {
  return ["yes", "no", "partly", "not tried", "-"].includes(text ?? "");
}

/** The word for a fact. */
export function word(fact: boolean): Word {
  return fact ? "yes" : "no";
}

/** Where the types of a package are, or its code where it has none: folders and files beside a module. */
const TYPES: Record<string, [module: string, ...paths: string[]]> = {
  "eventsource-parser": ["eventsource-parser", "."],
  "eventsource-client": ["eventsource-client", "."],
  "eventsource": ["eventsource", "."],
  "fetch-event-source": ["@microsoft/fetch-event-source", "."],
  "better-sse": ["better-sse", "."],
  "hono streamSSE": [
    "hono/streaming",
    "../../types/helper/streaming",
    "../../types/utils/stream.d.ts",
  ],
  "@std/http": [
    "@std/http/server-sent-event-stream",
    "server_sent_event_stream.js",
    "server_sent_event_parse_stream.js",
  ],
};

/** All names in the types of a package, without those in comments and texts. */
export function namesOf(peer: string): string[] {
  const [module, ...paths] = TYPES[peer];
  const folder = dirname(fileURLToPath(import.meta.resolve(module)));
  const files = paths.map((path) => join(folder, path)).flatMap((path) => {
    if (!Deno.statSync(path).isDirectory) return [path];
    const names = [...Deno.readDirSync(path)].map(({ name }) => name);
    return names.filter((name) => /\.d\.m?ts$/.test(name)).map((name) => join(path, name));
  });
  const names = files.flatMap((file) => identifiersOf(Deno.readTextFileSync(file)));
  if (names.length < 5) throw new Error(`Only ${names} were found of ${peer}`);
  return names;
}

/** Whether the types of a package have a name that is like this. */
export function names(peer: string, pattern: RegExp): boolean {
  return namesOf(peer).some((name) => pattern.test(name));
}

/** What is read of a `package.json`. */
export interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly license?: string;
  readonly bin?: unknown;
  readonly engines?: { readonly node?: string };
  readonly dependencies?: Readonly<Record<string, string>>;
}

/** The `package.json` of a package. */
export function manifestOf(peer: string): Manifest {
  const [module] = TYPES[peer];
  let folder = dirname(fileURLToPath(import.meta.resolve(module)));
  while (true) {
    try {
      const manifest: Manifest = JSON.parse(Deno.readTextFileSync(join(folder, "package.json")));
      // Folders of code may have one that says no more than "module".
      if (manifest.version !== undefined) return manifest;
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
    if (dirname(folder) === folder) throw new Error(`No package.json is above ${module}`);
    folder = dirname(folder);
  }
}

/** The file that the import map of this repository leads to. */
export function mainOf(peer: string): string {
  return fileURLToPath(import.meta.resolve(TYPES[peer][0]));
}

/** All that our users can name. */
export function ourNames(): Set<string> {
  const { exports } = JSON.parse(Deno.readTextFileSync(new URL("deno.json", ROOT)));
  const paths = Object.values(exports).filter((path) => path !== "./cli.ts");
  const files = paths.map((path) => fileURLToPath(new URL(`${path}`, ROOT)));
  const { names, members } = publicNames(files, fileURLToPath(ROOT).replaceAll("\\", "/"));
  return new Set([...names, ...[...members.values()].flatMap((set) => [...set])]);
}
