/**
 * The package as its users get it: installed from the tarball into an empty project of Node, Bun, Vite
 * and Deno, and used there.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { join } from "node:path";
import ts from "typescript";
import { requireProgram } from "../programs.ts";
import { type Project, Workshop } from "./project.ts";
import { serveRegistry } from "./registry.ts";

const hasNpm = await requireProgram("npm", ["--version"], "install Node with npm");

const USES = await Deno.readTextFile(new URL("uses.ts", import.meta.url));

/** The program as JavaScript: not every Node takes types away. */
const USES_JS = ts.transpileModule(USES, {
  compilerOptions: { target: ts.ScriptTarget.ESNext, module: ts.ModuleKind.ESNext },
}).outputText;

/** Requires what is named after it, and parses a stream with what it got. */
const REQUIRES = `
const assert = require("node:assert/strict");
for (const name of process.argv.slice(2)) {
  assert(Object.keys(require(name)).length > 0, name);
  console.log(name);
}
const { ServerSentEventParser } = require("@webstreams/sse/parse");
assert.equal(new ServerSentEventParser().feed("data: a\\n\\n")[0].data, "a");
// One module, however it is loaded: what is thrown by one is an instance of the other's.
import("@webstreams/sse/errors").then(({ SseError }) => {
  assert.equal(SseError, require("@webstreams/sse").SseError);
});
`;

/** A page holds what it imports and no more. In place of what only Node has, Vite puts nothing. */
const VITE_CONFIG = `
const resolveId = (id) => {
  if (id.startsWith("node:")) throw new Error("The page imports " + id);
};
export default {
  build: { modulePreload: { polyfill: false } },
  plugins: [{ name: "no-node", enforce: "pre", resolveId }],
};`;

let workshop: Workshop;
Deno.test.beforeAll(async () => {
  workshop = await Workshop.open();
});
Deno.test.afterAll(() => workshop[Symbol.asyncDispose]());

/** The names by which the package is imported, sorted. `./cli` is a program, see program.ts. */
function names(): string[] {
  const { name, exports } = workshop.packed.manifest;
  return Object.keys(exports).filter((key) => key !== "./cli").map((key) => join(name, key)).sort();
}

function lines(printed: string): string[] {
  return printed.trim().split("\n").sort();
}

/** Versions of Node: one of now, and the oldest that has `node:sqlite`. The one that is here may be older. */
const NODES = ["24", "22.13.0"];

for (const node of NODES) {
  const args = ["--yes", `--package=node@${node}`, "--", "node"];
  Deno.test({
    name: `the package works in a project of Node ${node}, by import`,
    ignore: !hasNpm,
    async fn() {
      const project = await workshop.project(`node-${node}-import`, {
        "package.json": JSON.stringify({ private: true, type: "module" }),
        "uses.js": USES_JS,
      });
      await workshop.install(project);
      assertEquals(lines(await project.run("npx", [...args, "uses.js"])), names());
    },
  });

  Deno.test({
    name: `the package works in a project of Node ${node}, by require`,
    ignore: !hasNpm,
    async fn() {
      const project = await workshop.project(`node-${node}-require`, {
        "package.json": JSON.stringify({ private: true, type: "commonjs" }),
        "uses.js": REQUIRES,
      });
      await workshop.install(project);
      const printed = await project.run("npx", [...args, "uses.js", ...names()]);
      assertEquals(lines(printed), names());
    },
  });
}

Deno.test({
  name: "the package works in a project of Bun",
  ignore: !hasNpm,
  async fn() {
    const project = await workshop.project("bun", {
      "package.json": JSON.stringify({ private: true }),
      "uses.ts": USES,
    });
    const bun = join(await workshop.tools(), "bun");
    await project.run(bun, ["add", workshop.packed.file]);
    assertEquals(lines(await project.run(bun, ["uses.ts"])), names());
  },
});

Deno.test("the package works in a project of Deno, by npm: specifiers, and type-checks", async () => {
  await using registry = await serveRegistry(workshop.packed);
  const { name, version } = workshop.packed.manifest;
  const imports = { [name]: `npm:${name}@${version}`, [`${name}/`]: `npm:/${name}@${version}/` };
  const project = await workshop.project("deno", {
    "deno.json": JSON.stringify({ imports }),
    ".npmrc": `@webstreams:registry=${registry.url}\n`,
    "uses.ts": USES,
  });
  const env = { DENO_DIR: join(project.folder, "cache") };
  const printed = await project.run(Deno.execPath(), ["run", "--check", "-A", "uses.ts"], env);
  assertEquals(lines(printed), names());
});

/** Says where the words are, and not all of a bundle. */
function assertLacks(code: string, words: RegExp): void {
  const at = code.search(words);
  assert(at < 0, `The bundle holds ${words}: ${code.slice(Math.max(0, at - 60), at + 60)}`);
}

/** Builds a page and gives its one script. */
async function build(name: string, code: string): Promise<{ code: string; project: Project }> {
  const project = await workshop.project(name, {
    "package.json": JSON.stringify({ private: true, type: "module" }),
    "index.html": `<!doctype html><script type="module" src="/page.js"></script>`,
    "page.js": code,
    "vite.config.js": VITE_CONFIG,
  });
  await workshop.install(project);
  await project.run(join(await workshop.tools(), "vite"), ["build", "--logLevel", "warn"]);
  const scripts: string[] = [];
  for await (const { name } of Deno.readDir(join(project.folder, "dist", "assets"))) {
    if (name.endsWith(".js")) scripts.push(`dist/assets/${name}`);
  }
  assertEquals(scripts.length, 1);
  return { code: await Deno.readTextFile(join(project.folder, scripts[0])), project };
}

Deno.test({
  name: "the package works in a page of Vite, and nothing of Node is in it",
  ignore: !hasNpm,
  async fn() {
    const keys = names().filter((name) => !/\/(?:node|sqlite)$/.test(name));
    const imports = keys.map((key, i) => `import * as m${i} from ${JSON.stringify(key)};`);
    const { code } = await build(
      "vite",
      `
      ${imports.join("\n")}
      globalThis.names = [${keys.map((_, i) => `Object.keys(m${i})`)}];
      globalThis.used = Array.fromAsync(m0.readEvents(m0.stringifyEvent({ data: "a" })));`,
    );
    assertLacks(code, /["'`]node:|browser-external/);
    // A page in name only: the bundle asks for nothing that a document has.
    const page: { names?: string[][]; used?: Promise<{ data: string }[]> } = {};
    new Function("globalThis", code)(page);
    assertEquals(page.names?.length, keys.length);
    for (const [i, names] of page.names?.entries() ?? []) assert(names.length > 0, keys[i]);
    assertEquals((await page.used)?.map(({ data }) => data), ["a"]);
  },
});

Deno.test({
  name: "Vite drops what a page does not use, also of the barrel",
  ignore: !hasNpm,
  async fn() {
    const { code } = await build(
      "vite-parser",
      `
      import { ServerSentEventParser } from "@webstreams/sse";
      globalThis.data = new ServerSentEventParser().feed("data: a\\n\\n")[0].data;`,
    );
    assertLacks(code, /fetch|setTimeout|last-event-id|WeakMap|text\/event-stream/i);
    const page: { data?: string } = {};
    new Function("globalThis", code)(page);
    assertEquals(page.data, "a");
  },
});
