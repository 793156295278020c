/**
 * Imports point down. A layer that knows only what is beneath it can be read, tested and replaced
 * alone; one import upward (a type counts too) and that is over, so this check names each.
 *
 * It also holds the two lines that keep the library portable: which files may import `node:*`, and
 * that none uses the `Deno` global.
 *
 * @module
 */

import ts from "typescript";
import {
  count,
  DEVELOPMENT,
  libraryFiles,
  type Module,
  moduleGraph,
  report,
  ROOT,
} from "./_deno.ts";

/** One layer: the files in it, and what they may import. */
export interface Room {
  /** A file (`parse.ts`) or a folder (`parse/`), relative to the root. */
  name: string;
  /** Rooms that its files may import; a folder may always import itself. */
  imports: string[];
  /** Rooms of which its files may import types, and types only. */
  types?: string[];
  /** What ties its files to runtimes that have it: Node's built-in modules. */
  needs?: "node";
}

const PARSING = ["errors.ts", "parse/", "parse.ts"];
const READING = [...PARSING, "client/", "client.ts"];
const ENCODING = ["errors.ts", "encode/", "encode.ts"];
const WRITING = [...ENCODING, "server/", "server.ts"];
const PORTABLE = [...new Set([...READING, "event_source.ts", ...WRITING])];

// A log adapter implements the contract, takes two small tools of the server, and sees the rest of it
// only as types.
const ADAPTER = {
  imports: ["errors.ts", "server/log.ts", "server/endings.ts", "server/report.ts"],
  types: WRITING,
};

/** All of the library: what stands on it may take what it needs, wherever it is. */
const HOUSE = [...PORTABLE, "log/", "log/sqlite.ts", "node.ts", "testing.ts", "mod.ts"];

/** The rooms, from the ground up. The first one that a file fits is its room. */
export const ROOMS: Room[] = [
  { name: "errors.ts", imports: [] },
  { name: "parse/", imports: ["errors.ts"] },
  { name: "parse.ts", imports: ["errors.ts", "parse/"] },
  { name: "encode/", imports: ["errors.ts"] },
  { name: "encode.ts", imports: ["errors.ts", "encode/"] },
  { name: "client/", imports: PARSING },
  { name: "client.ts", imports: [...PARSING, "client/"] },
  { name: "event_source.ts", imports: READING },
  { name: "server/", imports: ENCODING },
  { name: "server.ts", imports: [...ENCODING, "server/"] },
  { name: "node.ts", imports: WRITING, needs: "node" },
  { name: "log/sqlite.ts", ...ADAPTER, imports: [...ADAPTER.imports, "log/"], needs: "node" },
  { name: "log/", ...ADAPTER },
  { name: "testing/", imports: PORTABLE },
  { name: "testing.ts", imports: [...PORTABLE, "testing/"] },
  { name: "mod.ts", imports: [...PORTABLE, "log/", "testing.ts"] },
  { name: "cli/", imports: HOUSE, needs: "node" },
  { name: "cli.ts", imports: [...HOUSE, "cli/"], needs: "node" },
];

/** The room of `file`, or `undefined` when the table names none. */
export function roomOf(file: string): Room | undefined {
  return ROOMS.find(({ name }) => holds(name, file));
}

/** Every breach of the table in the tree at `root`, one sentence each. */
export async function checkLayers(root: string): Promise<string[]> {
  const files = await libraryFiles(root);
  const modules = await moduleGraph(root, files);
  const library = modules.filter(({ file }) => !isDevelopment(file));
  const uses = await Promise.all(files.map(async (file) => {
    return denoUses(file, await Deno.readTextFile(`${root}/${file}`));
  }));
  return [...library.flatMap(breaches), ...cycles(library), ...uses.flat()];
}

function breaches({ file, imports }: Module): string[] {
  const room = roomOf(file);
  if (room === undefined) return [`${file} is in no room: name the room in tools/layers.ts`];
  return imports.flatMap(({ target, line, typeOnly }) => {
    const why = breach(room, file, target, typeOnly);
    return why === undefined ? [] : [`${file}:${line} imports ${target}: ${why}`];
  });
}

function breach(room: Room, file: string, target: string, typeOnly: boolean): string | undefined {
  if (target.startsWith("node:")) {
    return room.needs === "node" ? undefined : `only ${nodeRooms()} may import node:*`;
  }
  // What else lies outside the repository is for tools/dependencies.ts to say.
  if (/^[a-z]+:/.test(target)) return undefined;
  if (isDevelopment(target)) return "the library never imports what is only for its development";
  const other = roomOf(target);
  if (other === undefined || target === file) return undefined; // Told once, as a room or a cycle.
  if (other === room || allows(room.imports, target, other)) return undefined;
  if (allows(room.types ?? [], target, other)) {
    return typeOnly ? undefined : `${room.name} may take types only from there, use "import type"`;
  }
  const below = room.imports.join(", ") || "nothing";
  return `imports point down, and below ${room.name} there is ${below}`;
}

function allows(names: string[], target: string, room: Room): boolean {
  return names.some((name) => name === room.name || name === target);
}

function holds(name: string, file: string): boolean {
  return name.endsWith("/") ? file.startsWith(name) : file === name;
}

function isDevelopment(file: string): boolean {
  return DEVELOPMENT.some((folder) => file.startsWith(`${folder}/`));
}

function nodeRooms(): string {
  const names = ROOMS.filter(({ needs }) => needs === "node").map(({ name }) => name);
  return `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`;
}

/** Each import cycle once, as the path that closes it. */
function cycles(modules: Module[]): string[] {
  const imports = new Map(modules.map(({ file, imports }) => [file, imports]));
  const done = new Set<string>();
  const path: string[] = [];
  const found: string[] = [];
  function visit(file: string): void {
    const start = path.indexOf(file);
    if (start >= 0) {
      const circle = [...path.slice(start), file].join(" -> ");
      found.push(`${circle} is an import cycle: move what both need to a file beneath them`);
      return;
    }
    if (done.has(file)) return;
    done.add(file);
    path.push(file);
    for (const { target } of imports.get(file) ?? []) visit(target);
    path.pop();
  }
  for (const { file } of modules) visit(file);
  return found;
}

/** Uses of the `Deno` global in code; comments and documentation may show it. */
function denoUses(file: string, source: string): string[] {
  const tree = ts.createSourceFile(file, source, ts.ScriptTarget.Latest);
  const found: string[] = [];
  function visit(node: ts.Node): void {
    if ((ts.isIdentifier(node) || ts.isStringLiteralLike(node)) && node.text === "Deno") {
      const line = tree.getLineAndCharacterOfPosition(node.getStart(tree)).line + 1;
      found.push(`${file}:${line} uses the Deno global: what ships runs on Node and Bun, too`);
    }
    ts.forEachChild(node, visit);
  }
  visit(tree);
  return found;
}

if (import.meta.main) {
  const files = await libraryFiles(ROOT);
  report("layers", await checkLayers(ROOT), `${count(files.length, "file")}, imports point down`);
}
