/**
 * The score that JSR gives a package, as far as it can be told before it is published: its items with
 * their points, met or not, and what has to be set on its site by hand.
 *
 * It reads what `docs.ts` reads. That holds the documentation to more than JSR asks for.
 *
 * @module
 */

import { parse } from "@std/yaml";
import { join } from "node:path";
import { count, deno, entryPoints, moduleGraph, report, ROOT } from "./_deno.ts";
import { type Page, readPages } from "./docs.ts";
import { roomOf } from "./layers.ts";

/** One item of the score. */
export interface Item {
  /** What JSR calls it. */
  name: string;
  /** How much it counts. */
  points: number;
  /** What was found. */
  found: string;
  /** What is missing, one sentence each: none if the item is met. */
  missing: string[];
}

/** JSR takes no more. */
const MAX_DESCRIPTION = 250;

/** What runs an entry point, by what ties it to a runtime. */
const RUNTIMES = {
  portable: ["Deno", "Node", "Bun", "Workers", "browsers"],
  node: ["Deno", "Node", "Bun"],
};

/** The items of the score, of the tree at `root`. */
export async function score(root: string): Promise<Item[]> {
  const entries = await entryPoints(root);
  const pages = await Promise.all(entries.map(({ file }) => readPages(root, file)));
  return [
    await readme(root, pages[0]),
    await example(root, pages[0]),
    moduleDocs(entries.map(({ file }) => file), pages),
    symbols(pages.flat()),
    await types(root),
    await description(root),
    await runtimes(root),
    await provenance(root),
  ];
}

async function readme(root: string, main: Page[]): Promise<Item> {
  const text = await textOf(root, "README.md");
  const found = text === undefined ? "a module doc in the main entry point" : "README.md";
  const missing = text !== undefined || main.some(hasDoc)
    ? []
    : ["There is no README.md, nor a module doc in the main entry point"];
  return { name: "has a readme or module doc", points: 2, found, missing };
}

async function example(root: string, main: Page[]): Promise<Item> {
  const texts = [await textOf(root, "README.md") ?? "", ...main.map(docOf)];
  const examples = texts.flatMap((text) => text.match(/^ *```(?:ts|js)/gm) ?? []);
  const missing = examples.length > 0
    ? []
    : ["README.md and the main entry point show no example: add a ```ts block"];
  const found = count(examples.length, "example");
  return { name: "has examples in the readme or module doc", points: 1, found, missing };
}

function moduleDocs(files: string[], pages: Page[][]): Item {
  const missing = files.flatMap((file, i) => {
    return pages[i].some(hasDoc) ? [] : [`${file} has no module doc`];
  });
  const found = `${count(files.length - missing.length, "entry point")} of ${files.length}`;
  return { name: "has module docs in all entry points", points: 1, found, missing };
}

function symbols(pages: Page[]): Item {
  const all = pages.flatMap((page) => page.symbols);
  const bare = all.filter(({ declarations }) =>
    !declarations.some(({ jsDoc }) => jsDoc?.doc?.trim() || jsDoc?.tags?.length)
  );
  const names = new Set(bare.map(({ name, declarations: [{ location }] }) => {
    return `${location.filename}:${location.line + 1} ${name} has no documentation`;
  }));
  const found = `${all.length - bare.length} of ${count(all.length, "symbol")}`;
  return { name: "has docs for most symbols", points: 5, found, missing: [...names] };
}

async function types(root: string): Promise<Item> {
  const args = ["publish", "--dry-run", "--allow-dirty", "--no-check"];
  const { success, stderr } = await deno(root, args);
  const missing = success ? [] : [stderr.trim()];
  return { name: "no slow types are used", points: 5, found: "deno publish --dry-run", missing };
}

async function description(root: string): Promise<Item> {
  const { description = "" } = JSON.parse(await textOf(root, "tools/npm.json") ?? "{}");
  const found = `${description.length} characters, to be set on the site: ${description}`;
  const missing: string[] = [];
  if (description === "") missing.push('tools/npm.json has no "description"');
  if (description.length > MAX_DESCRIPTION) {
    missing.push(`The description has more than ${MAX_DESCRIPTION} characters`);
  }
  return { name: "has a description", points: 1, found, missing };
}

/**
 * By what the files of each entry point import, since nothing else ties code to a runtime here: none
 * can be tied to one only.
 */
async function runtimes(root: string): Promise<Item> {
  const found: string[] = [];
  for (const { key, file } of await entryPoints(root)) {
    const needs = new Set((await moduleGraph(root, [file])).map((module) => {
      return roomOf(module.file)?.needs ?? "portable";
    }));
    const runs = RUNTIMES.portable.filter((name) =>
      [...needs].every((need) => RUNTIMES[need].includes(name))
    );
    if (runs.length < RUNTIMES.portable.length) found.push(`${key} ${runs.join(", ")}`);
  }
  return {
    name: "works on several runtimes",
    points: 2,
    found: `to be set on the site: ${[RUNTIMES.portable.join(", "), ...found].join("; ")}`,
    missing: [],
  };
}

/** A job that publishes proves where it runs, if it may ask for a token that says so. */
async function provenance(root: string): Promise<Item> {
  const path = ".github/workflows/publish.yml";
  const text = await textOf(root, path);
  const { jobs } = recordOf(parse(text ?? ""));
  const proves = Object.values(recordOf(jobs)).map(recordOf).some(({ permissions, steps }) => {
    const runs = Array.isArray(steps) ? steps.map((step) => recordOf(step).run) : [];
    return recordOf(permissions)["id-token"] === "write" && runs.includes("deno publish");
  });
  const missing = proves
    ? []
    : [`${path} has no job with "id-token: write" that runs deno publish`];
  return { name: "has provenance", points: 1, found: path, missing };
}

function hasDoc(page: Page): boolean {
  return docOf(page).trim() !== "";
}

/** The text of a module doc, with that of its tags. */
function docOf({ module_doc }: Page): string {
  return [module_doc?.doc ?? "", ...module_doc?.tags?.map(({ doc = "" }) => doc) ?? []].join("\n");
}

async function textOf(root: string, path: string): Promise<string | undefined> {
  try {
    return await Deno.readTextFile(join(root, path));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function recordOf(value: unknown): Record<string, unknown> {
  return isRecord(value) ? value : {};
}

if (import.meta.main) {
  const items = await score(ROOT);
  for (const { name, points, found, missing } of items) {
    console.log(`${missing.length === 0 ? `${points}` : "0"}/${points}  ${name}: ${found}`);
  }
  const total = items.reduce((sum, { points }) => sum + points, 0);
  report("jsr", items.flatMap(({ missing }) => missing), `${total} of ${total} points`);
}
