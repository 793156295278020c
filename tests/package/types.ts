/**
 * The types of the package, as its users compile against them: TypeScript 5.5 and the latest, the
 * resolution of Node and of bundlers, with the types of browsers, of Node and of both. Nothing is
 * left out: `strict`, and no `skipLibCheck`.
 *
 * @module
 */

import { basename, join } from "node:path";
import { entryPoints, ROOT } from "../../tools/_deno.ts";
import { readPages } from "../../tools/docs.ts";
import { unpack } from "../../tools/pack.ts";
import { requireProgram } from "../programs.ts";
import { Workshop } from "./project.ts";

const hasNpm = await requireProgram("npm", ["--version"], "install Node with npm");

const COMPILERS = ["typescript-5.5", "typescript"];

/** As strict as there is. */
const STRICT = {
  strict: true,
  exactOptionalPropertyTypes: true,
  noUncheckedIndexedAccess: true,
  noEmit: true,
  skipLibCheck: false,
  target: "es2022",
};

const RESOLUTIONS = [
  { module: "nodenext", moduleResolution: "nodenext" },
  { module: "esnext", moduleResolution: "bundler" },
];

/** The types of a platform. Without any there is no `Response`: then nothing of the web compiles. */
interface Platform {
  lib: string[];
  /** The package of the types of Node. */
  node?: string;
}

const DOM = ["dom", "dom.iterable"];

const PLATFORMS: Record<string, Platform> = {
  "browsers": { lib: ["es2022", ...DOM] },
  "the newest browsers": { lib: ["esnext", ...DOM, "dom.asynciterable"] },
  "Node 22": { lib: ["es2022"], node: "types-node-22" },
  "Node 26": { lib: ["es2022"], node: "types-node-26" },
  "browsers and Node 22": { lib: ["es2022", ...DOM], node: "types-node-22" },
  "browsers and Node 26": { lib: ["esnext", ...DOM], node: "types-node-26" },
};

/** Entry points that take more than what all platforms have, and which platforms do not have it. */
const LACKS: Record<string, (platform: Platform) => boolean> = {
  "./log/sqlite": ({ node }) => node === undefined,
  // The `MessageEvent` of Node's types is not generic, that of browsers is.
};

let workshop: Workshop;
Deno.test.beforeAll(async () => {
  workshop = await Workshop.open();
});
Deno.test.afterAll(() => workshop[Symbol.asyncDispose]());

/** A module for each entry point that exports all of its names once more: no type is left unread. */
async function everyName(): Promise<Record<string, string>> {
  const { name } = workshop.packed.manifest;
  const entries = await entryPoints(ROOT);
  const files = await Promise.all(entries.map(async ({ key, file }) => {
    const names = (await readPages(ROOT, file)).flatMap(({ symbols }) =>
      symbols.map((s) => s.name)
    );
    return [key, `export { ${names.join(", ")} } from ${JSON.stringify(join(name, key))};\n`];
  }));
  return Object.fromEntries(files);
}

for (const compiler of COMPILERS) {
  for (const [name, platform] of Object.entries(PLATFORMS)) {
    if (compiler === "typescript-5.5" && platform.node === "types-node-26") {
      console.log(`Not tested: ${compiler} for ${name}, where the types of Node do not compile`);
      continue;
    }
    Deno.test({
      name: `the types of the package compile with ${compiler} for ${name}`,
      ignore: !hasNpm,
      fn: () => compile(compiler, platform),
    });
  }
}

async function compile(compiler: string, platform: Platform): Promise<void> {
  const modules = Object.entries(await everyName())
    .filter(([key]) => !LACKS[key]?.(platform))
    .map(([_, text], i) => [`names_${i}.ts`, text]);
  const { lib, node } = platform;
  const sources = ["consumer.ts"];
  sources.push("consumer_of_all.ts");
  if (node !== undefined) sources.push("consumer_on_node.ts");
  const folder = await Deno.makeTempDir({ dir: workshop.folder });
  const project = await workshop.project(basename(folder), {
    "package.json": JSON.stringify({ private: true, type: "module" }),
    ...Object.fromEntries(modules),
    ...Object.fromEntries(
      await Promise.all(sources.map(async (name) => {
        return [name, await Deno.readTextFile(new URL(name, import.meta.url))];
      })),
    ),
  });
  await unpack(workshop.packed, project.folder);
  const installed = join(await workshop.tools(), "..");
  if (node !== undefined) {
    const types = join(project.folder, "node_modules", "@types");
    await Deno.mkdir(types);
    await Deno.symlink(join(installed, node), join(types, "node"));
  }
  for (const resolution of RESOLUTIONS) {
    const compilerOptions = {
      ...STRICT,
      ...resolution,
      lib,
      types: node === undefined ? [] : ["node"],
    };
    await project.write("tsconfig.json", JSON.stringify({ compilerOptions, include: ["*.ts"] }));
    await project.run("node", [join(installed, compiler, "bin", "tsc"), "-p", "."]);
  }
}
