/**
 * The package for npm: what `deno pack` makes of the sources, with the fields of package.json that
 * deno.json does not have. They are in `npm.json` beside this file.
 *
 * ```sh
 * deno task pack [FOLDER]
 * ```
 *
 * @module
 */

import { basename, join } from "node:path";
import { create, extract } from "tar";
import { deno, ROOT } from "./_deno.ts";

/** The manifest of the package, as far as the tools read it. */
export interface Manifest {
  /** The name: `@webstreams/sse`. */
  name: string;
  /** The version: `1.2.3`. */
  version: string;
  /** What it is, in a sentence. */
  description: string;
  /** What each entry point leads to, by condition. */
  exports: Record<string, Record<string, string>>;
  /** The programs, by their commands: paths. */
  bin?: Record<string, string>;
  /** What a user may install besides: ranges by name. */
  peerDependencies?: Record<string, string>;
  /** Whether what stands there may be missing. */
  peerDependenciesMeta?: Record<string, { optional?: boolean }>;
  /** What else there is. */
  [field: string]: unknown;
}

/** The package, as a tarball. */
export interface Package {
  /** The path of the tarball. */
  file: string;
  /** Its package.json. */
  manifest: Manifest;
  /** The files in it, sorted: `mod.js`. */
  files: string[];
}

/** The first fields, in this order; the others follow. */
const FIRST = ["name", "version", "description", "keywords", "license"];

/** What npm gives all files, so that the same sources make the same bytes. */
const TIME = new Date("1985-10-26T08:15:00Z");

/**
 * Packs the tree at `root` into a tarball in `folder`.
 *
 * Source maps are left out: `deno pack` writes them into the files, with the sources, and makes the
 * package more than three times as large. The JavaScript is the TypeScript without its types, line by line.
 */
export async function pack(root: string, folder: string): Promise<Package> {
  const work = await Deno.makeTempDir({ prefix: "pack-" });
  try {
    const raw = join(work, "raw.tgz");
    const args = ["pack", "--allow-dirty", "--no-source-maps", "--output", raw];
    const { success, stderr } = await deno(root, args);
    if (!success) throw new Error(`Cannot pack ${root}: ${stderr.trim()}`);
    await extract({ file: raw, cwd: work });
    const manifest = await complete(join(work, "package", "package.json"));
    // What the bundle of the live page is made of, no browser reads.
    const files = (await filesIn(join(work, "package")))
      .filter((name) => !/^cli\/page\/.*(?<!\.d)\.ts$/.test(name));
    for (const name of files) {
      if (name.endsWith(".d.ts")) await declare(join(work, "package", name));
    }
    for (const program of Object.values(manifest.bin ?? {})) {
      await Deno.chmod(join(work, "package", program), 0o755);
    }
    await Deno.mkdir(folder, { recursive: true });
    const file = join(folder, nameOf(manifest));
    // npm reads the manifest first.
    const order = ["package.json", ...files.filter((name) => name !== "package.json")];
    await create(
      { file, cwd: work, gzip: { level: 9 }, portable: true, mtime: TIME },
      order.map((name) => `package/${name}`),
    );
    return { file, manifest, files };
  } finally {
    await Deno.remove(work, { recursive: true });
  }
}

/** Unpacks a tarball into `node_modules` of `folder`, as an install does. */
export async function unpack({ file, manifest }: Package, folder: string): Promise<void> {
  const home = join(folder, "node_modules", manifest.name);
  await Deno.mkdir(home, { recursive: true });
  await extract({ file, cwd: home, strip: 1 });
}

/** Adds to a package.json what `npm.json` has. */
async function complete(path: string): Promise<Manifest> {
  const made = JSON.parse(await Deno.readTextFile(path));
  const more = JSON.parse(await Deno.readTextFile(new URL("npm.json", import.meta.url)));
  const all = { ...made, ...more };
  const { dependencies = {}, ...manifest } = Object.fromEntries([
    ...FIRST.filter((key) => key in all).map((key) => [key, all[key]]),
    ...Object.entries(all),
  ]);
  // Deno counts what the command line loads among them, too, which a user may leave out.
  const needed = Object.entries(dependencies)
    .filter(([name]) => !manifest.peerDependenciesMeta?.[name]?.optional);
  if (needed.length > 0) manifest.dependencies = Object.fromEntries(needed);
  await Deno.writeTextFile(path, `${JSON.stringify(manifest, null, 2)}\n`);
  return manifest;
}

/**
 * Names the types of `await using` where they are used: few compilers know them unasked, and without
 * them `tsc` calls the package broken, or, with `skipLibCheck`, takes them for `any`.
 */
async function declare(path: string): Promise<void> {
  const text = await Deno.readTextFile(path);
  if (!/\bAsyncDisposable\b|\basyncDispose\b/.test(text)) return;
  await Deno.writeTextFile(path, `/// <reference lib="esnext.disposable" />\n${text}`);
}

/** `webstreams-sse-1.2.3.tgz`. */
function nameOf({ name, version }: Manifest): string {
  return `${name.replace("@", "").replace("/", "-")}-${version}.tgz`;
}

async function filesIn(folder: string): Promise<string[]> {
  const files: string[] = [];
  async function walk(under: string): Promise<void> {
    for await (const { name, isDirectory } of Deno.readDir(join(folder, under))) {
      if (isDirectory) await walk(`${under}${name}/`);
      else files.push(under + name);
    }
  }
  await walk("");
  return files.sort();
}

if (import.meta.main) {
  const { file, manifest, files } = await pack(ROOT, Deno.args[0] ?? join(ROOT, "dist"));
  const { size } = await Deno.stat(file);
  const kilobytes = (size / 1000).toFixed(1);
  console.log(`${basename(file)}: ${files.length} files, ${kilobytes} kB`);
  console.log(`${manifest.name}@${manifest.version} is in ${file}`);
}
