import { assertEquals, assertMatch, assertRejects, assertStringIncludes } from "@std/assert";
import { create, extract } from "tar";
import { pack, type Package, unpack } from "../../tools/pack.ts";
import { checkManifest, checkTarball } from "../../tools/tarball.ts";
import { type Tree, withTree } from "./tree.ts";

/** A small library, as it should be. */
const GOOD: Tree = {
  "deno.json": JSON.stringify({
    name: "@example/tree",
    version: "1.2.3",
    license: "MIT",
    exports: { ".": "./mod.ts", "./cli": "./cli.ts", "./part": "./part/part.ts" },
    publish: { include: ["*.ts", "cli/**", "part/*.ts", "README.md", "CHANGELOG.md", "LICENSE"] },
  }),
  "cli.ts": `#!/usr/bin/env node\nconsole.log("runs");\nexport {};\n`,
  "cli/page/index.html": "<!doctype html>\n",
  "cli/page/entry.ts": "export const one: number = 1;\n",
  "mod.ts": `/** One. */\nexport const one: number = 1;\nexport * from "./part/part.ts";\n`,
  "part/part.ts": [
    `/** Ends. */`,
    `export class Part implements AsyncDisposable {`,
    `  /** Ends it. */`,
    `  [Symbol.asyncDispose](): Promise<void> {`,
    `    return Promise.resolve();`,
    `  }`,
    `}\n`,
  ].join("\n"),
  "README.md": "# Tree\n",
  "CHANGELOG.md": "# Changelog\n",
  "LICENSE": "MIT License\n",
  "tests/mod_test.ts": "Deno.test('a', () => {});\n",
};

/** Packs `tree` and gives the package to `use`, with its files. */
async function packed<T>(
  tree: Tree,
  use: (packed: Package, root: string, read: (name: string) => Promise<string>) => Promise<T>,
): Promise<T> {
  return await withTree(tree, async (root) => {
    const made = await pack(root, `${root}/dist`);
    await unpack(made, root);
    const home = `${root}/node_modules/@example/tree`;
    return await use(made, root, (name) => Deno.readTextFile(`${home}/${name}`));
  });
}

Deno.test("pack makes a tarball of what is published, with types, and of nothing else", async () => {
  await packed(GOOD, async ({ file, files, manifest }, _root, read) => {
    assertMatch(file, /dist\/example-tree-1\.2\.3\.tgz$/);
    assertEquals(files, [
      "CHANGELOG.md",
      "LICENSE",
      "README.md",
      "cli.d.ts",
      "cli.js",
      "cli/page/index.html",
      "mod.d.ts",
      "mod.js",
      "package.json",
      "part/part.d.ts",
      "part/part.js",
    ]);
    assertEquals(JSON.parse(await read("package.json")), manifest);
    assertEquals(Object.keys(manifest).slice(0, 3), ["name", "version", "description"]);
    assertEquals(manifest.engines, { node: ">=22" });
    assertStringIncludes(await read("mod.js"), `from "./part/part.js"`);
  });
});

Deno.test("pack leaves it to users to install what the program loads", async () => {
  const loads = `#!/usr/bin/env node\nimport("npm:redis@6.3.1").then(console.log);\nexport {};\n`;
  await packed({ ...GOOD, "cli.ts": loads }, async ({ manifest }, _root, read) => {
    assertStringIncludes(await read("cli.js"), `import("redis")`);
    assertEquals(manifest.dependencies, undefined);
    assertEquals(Object.keys(manifest.peerDependencies ?? {}).includes("redis"), true);
    assertEquals(manifest.peerDependenciesMeta?.redis, { optional: true });
  });
});

Deno.test("pack makes the program one that can be started", async () => {
  await packed(GOOD, async (_packed, root, read) => {
    assertMatch(await read("cli.js"), /^#!\/usr\/bin\/env node\n/);
    const { mode } = await Deno.stat(`${root}/node_modules/@example/tree/cli.js`);
    assertEquals((mode ?? 0) & 0o111, 0o111);
  });
});

Deno.test("pack names the library of types that a declaration needs, where it does", async () => {
  await packed(GOOD, async (_packed, _root, read) => {
    assertMatch(await read("part/part.d.ts"), /^\/\/\/ <reference lib="esnext.disposable" \/>\n/);
    assertMatch(await read("mod.d.ts"), /^(?!\/\/\/)/);
  });
});

Deno.test("pack makes the same bytes of the same sources", async () => {
  const bytes = () => packed(GOOD, ({ file }) => Deno.readFile(file));
  assertEquals(await bytes(), await bytes());
});

Deno.test("pack says why there is no package", async () => {
  const tree = { ...GOOD, "mod.ts": `export const one = globalThis.document.title;` };
  await assertRejects(() => packed(tree, () => Promise.resolve()), Error, "Cannot pack ");
});

Deno.test("checkTarball accepts a package that is whole", async () => {
  assertEquals(await packed(GOOD, (made, root) => checkTarball(root, made)), []);
});

const BAD: [title: string, change: Tree, problem: string][] = [
  [
    "a paper that is missing",
    { "deno.json": GOOD["deno.json"].replace(`"CHANGELOG.md",`, "") },
    "The package has no CHANGELOG.md",
  ],
  [
    "a file that is for nobody",
    { "deno.json": GOOD["deno.json"].replace(`"LICENSE"`, `"LICENSE","tests/*.ts"`) },
    "The package has tests/mod_test.ts: it is not for its users",
  ],
];

for (const [title, change, problem] of BAD) {
  Deno.test(`checkTarball names ${title}`, async () => {
    const problems = await packed({ ...GOOD, ...change }, (made, root) => checkTarball(root, made));
    assertStringIncludes(problems.join("\n"), problem);
  });
}

Deno.test("checkTarball names an entry point without its types", async () => {
  const problems = await packed(GOOD, async (made, root) => {
    const { ["./part"]: _, ...exports } = made.manifest.exports;
    return await checkTarball(root, { ...made, manifest: { ...made.manifest, exports } });
  });
  assertStringIncludes(problems.join("\n"), `"./part" leads to undefined`);
});

Deno.test("checkTarball says what publint and arethetypeswrong find", async () => {
  const problems = await withTree(GOOD, async (root) => {
    const made = await pack(root, `${root}/dist`);
    // A package that names types which are not there.
    await extract({ file: made.file, cwd: root });
    await Deno.remove(`${root}/package/mod.d.ts`);
    await create({ file: made.file, cwd: root, gzip: true }, ["package"]);
    return await checkTarball(root, made);
  });
  assertMatch(problems.join("\n"), /^publint: .*mod\.d\.ts/m);
  assertMatch(problems.join("\n"), /^arethetypeswrong: /m);
});

Deno.test("checkManifest names what is missing", () => {
  const manifest = { name: "a", version: "1.0.0", description: "A.", exports: {} };
  const problems = checkManifest({ ...manifest, dependencies: { b: "1" } }).join("\n");
  for (const word of ["engines", "keywords", "license", "repository", "sideEffects", "module"]) {
    assertStringIncludes(problems, `"${word}"`);
  }
  assertStringIncludes(problems, `The package depends on {"b":"1"}`);
  const [peer] = checkManifest({ ...manifest, peerDependencies: { c: "1" } }).slice(-1);
  assertStringIncludes(peer, "The package asks each user for c: ");
});
