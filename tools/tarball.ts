/**
 * The package is what its users expect: it holds every entry point with its types and nothing that is
 * not for them, its manifest is whole, and two tools agree that every bundler and compiler finds its
 * way: `publint` and `arethetypeswrong`.
 *
 * Of the latter two findings are no problems of ours, and left out: that a `require` gets an ES
 * module, which is what `require` does since Node 22; and that the resolution of Node 10 does not
 * know `exports`, which no runtime that is supported uses.
 *
 * @module
 */

import { checkPackage, createPackageFromTarballData, type Problem } from "@arethetypeswrong/core";
import { problemKindInfo } from "@arethetypeswrong/core/problems";
import { publint } from "publint";
import { formatMessage } from "publint/utils";
import { count, entryPoints, report, ROOT } from "./_deno.ts";
import { type Manifest, pack, type Package } from "./pack.ts";

/** Fields without which a registry, a bundler or a person misses something. */
const FIELDS = ["description", "engines", "homepage", "keywords", "license", "repository"];

/** What a package may hold: modules, papers, and the live page of the command line. */
const FILE =
  /^(?:.+\.js|.+\.d\.ts|cli\/page\/.+\.(?:css|html|svg)|package\.json|README\.md|CHANGELOG\.md|LICENSE)$/;

/** What it must hold besides its entry points. */
const PAPERS = ["README.md", "CHANGELOG.md", "LICENSE"];

/** Whatever is wrong with a package made of the tree at `root`, one sentence each. */
export async function checkTarball(root: string, packed: Package): Promise<string[]> {
  return [
    ...checkManifest(packed.manifest),
    ...await checkFiles(root, packed),
    ...await lint(packed),
    ...await checkTypes(packed),
  ];
}

/** What a manifest lacks. */
export function checkManifest(manifest: Manifest): string[] {
  const problems = FIELDS.filter((field) => !manifest[field])
    .map((field) => `package.json has no "${field}": add it to tools/npm.json`);
  if (manifest.sideEffects !== false) {
    problems.push('package.json does not say "sideEffects": false: bundlers keep what is unused');
  }
  if (manifest.type !== "module") problems.push('package.json is not of "type": "module"');
  if (manifest.dependencies !== undefined) {
    const names = JSON.stringify(manifest.dependencies);
    problems.push(`The package depends on ${names}: the library has no dependency`);
  }
  for (const name of Object.keys(manifest.peerDependencies ?? {})) {
    if (manifest.peerDependenciesMeta?.[name]?.optional) continue;
    problems.push(`The package asks each user for ${name}: name it optional in tools/npm.json`);
  }
  return problems;
}

/** What is missing among the files, and what should not be there. */
async function checkFiles(root: string, { manifest, files }: Package): Promise<string[]> {
  const problems = PAPERS.filter((name) => !files.includes(name))
    .map((name) => `The package has no ${name}: add it to "publish" of deno.json`);
  for (const { key, file } of await entryPoints(root)) {
    const { types, default: code } = manifest.exports[key] ?? {};
    const stem = `./${file.replace(/\.ts$/, "")}`;
    if (types !== `${stem}.d.ts` || code !== `${stem}.js`) {
      problems.push(`"${key}" leads to ${types} and ${code}: it should be those of ${file}`);
    }
    for (const path of [types, code]) {
      if (path !== undefined && !files.includes(path.slice(2))) {
        problems.push(`"${key}" leads to ${path}, which is not in the package`);
      }
    }
  }
  for (const file of files) {
    if (!FILE.test(file) || /^(?:tests|tools|bench|examples)\//.test(file)) {
      problems.push(`The package has ${file}: it is not for its users`);
    }
  }
  return problems;
}

/** What publint says, whether error, warning or suggestion. */
async function lint({ file, manifest }: Package): Promise<string[]> {
  const { buffer } = await Deno.readFile(file);
  const { messages } = await publint({ pack: { tarball: buffer }, strict: true });
  return messages.map((message) => {
    return `publint: ${formatMessage(message, manifest, { color: false }) ?? message.code}`;
  });
}

/** What arethetypeswrong says. */
async function checkTypes({ file }: Package): Promise<string[]> {
  const result = await checkPackage(createPackageFromTarballData(await Deno.readFile(file)));
  if (!result.types) return ["arethetypeswrong: the package has no types"];
  const problems = result.problems.filter((problem) => !isOfThePast(problem));
  return [
    ...new Set(problems.map((problem) => {
      const { title, description } = problemKindInfo[problem.kind];
      const where = "entrypoint" in problem
        ? ` at "${problem.entrypoint}" (${problem.resolutionKind})`
        : "";
      return `arethetypeswrong: ${title}${where}: ${description}`;
    })),
  ];
}

function isOfThePast(problem: Problem): boolean {
  if (problem.kind === "CJSResolvesToESM") return true;
  return "resolutionKind" in problem && problem.resolutionKind === "node10";
}

if (import.meta.main) {
  const folder = await Deno.makeTempDir({ prefix: "tarball-" });
  try {
    const packed = await pack(ROOT, folder);
    const entries = Object.keys(packed.manifest.exports).length;
    const { size } = await Deno.stat(packed.file);
    report(
      "tarball",
      await checkTarball(ROOT, packed),
      `${count(entries, "entry point")} with types, ${count(packed.files.length, "file")}, ${
        (size / 1000).toFixed(1)
      } kB; publint finds nothing, nor does arethetypeswrong for import, for require of Node 22 and for bundlers`,
    );
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
