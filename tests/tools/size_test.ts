import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { line, measure, type Size } from "../../tools/size.ts";
import { type Tree, withTree } from "./tree.ts";

const LONG = "a".repeat(5_000);

/** A package as it is installed, with and without the word that lets bundlers drop files. */
function installed(sideEffects: boolean): Tree {
  const home = "node_modules/@example/tree";
  return {
    [`${home}/package.json`]: JSON.stringify({
      name: "@example/tree",
      type: "module",
      exports: "./mod.js",
      ...sideEffects ? {} : { sideEffects: false },
    }),
    [`${home}/mod.js`]: `export * from "./one.js";\nexport * from "./two.js";\n`,
    [`${home}/one.js`]: `/** ${"Long. ".repeat(1_000)} */\nexport const one = "1";\n`,
    [`${home}/two.js`]: `globalThis.two = "${LONG}";\nexport const two = globalThis.two;\n`,
  };
}

async function sizeOf(code: string, tree: Tree): Promise<Size> {
  return await withTree(tree, (root) => Promise.resolve(measure(root, { title: "tree", code })));
}

/** The bundler keeps a thread for the next bundle. */
const KEEPS_THREAD = { sanitizeOps: false, sanitizeResources: false };

Deno.test(
  "measure counts what is left of a bundle, minified and gzipped",
  KEEPS_THREAD,
  async () => {
    const { bytes, gzip } = await sizeOf(`export * from "@example/tree";`, installed(false));
    assert(bytes > LONG.length && bytes < LONG.length + 200, `${bytes}`);
    assert(gzip > 50 && gzip < 200, `${gzip}`);
  },
);

Deno.test("measure sees what tree shaking drops, and what it may not", KEEPS_THREAD, async () => {
  const code = `export { one } from "@example/tree";`;
  assert((await sizeOf(code, installed(false))).bytes < 50);
  assert((await sizeOf(code, installed(true))).bytes > LONG.length);
});

Deno.test("measure rejects what does not bundle", KEEPS_THREAD, async () => {
  await assertRejects(() => sizeOf(`import "missing";`, {}), Error, "missing");
});

Deno.test("line says whether a target is reached", () => {
  const size = { title: "parse", code: "", bytes: 4_100, gzip: 2_000 };
  assertEquals(line(size, 6), "  parse     4.10 kB    2.00 kB");
  assertStringIncludes(line({ ...size, target: 2_000 }, 6), "kB  of   2.00 kB  reached");
  assertStringIncludes(line({ ...size, target: 1_999 }, 6), "kB  of   2.00 kB  MISSED");
});
