import { assertEquals, assertRejects } from "@std/assert";
import { describe, mutantsOf } from "../../tools/_mutants.ts";
import { mutate } from "../../tools/mutate.ts";
import { type Tree, withTree } from "./tree.ts";

const TREE: Tree = {
  "deno.json": "{}",
  "parse/clamp.ts": [
    `export function clamp(n: number): number {`,
    `  if (n > 9) return 9;`,
    `  while (n < 0) n++;`,
    `  return n;`,
    `}`,
  ].join("\n"),
  "tests/clamp_test.ts": [
    `import { clamp } from "../parse/clamp.ts";`,
    `Deno.test("clamp", () => {`,
    `  for (const [n, m] of [[-1, 0], [5, 5], [10, 9]]) if (clamp(n) !== m) throw new Error();`,
    `});`,
  ].join("\n"),
};

async function survivorsOf(tree: Tree): Promise<string[]> {
  return await withTree(tree, async (root) => {
    const mutants = mutantsOf("parse/clamp.ts", tree["parse/clamp.ts"]);
    const survivors = await mutate({ root, mutants, tests: ["tests"], patience: 1500 });
    assertEquals(await Deno.readTextFile(`${root}/parse/clamp.ts`), tree["parse/clamp.ts"]);
    return survivors.map(describe);
  });
}

Deno.test("mutate reports what no test notices, and counts a hang as noticed", async () => {
  // "while (n < 0) ;" never ends; nothing tells n > 9 from n >= 9.
  assertEquals(await survivorsOf(TREE), [
    "parse/clamp.ts:2:9  > → >=  (if (n > 9) return 9;)",
  ]);
});

Deno.test("mutate refuses to start from tests that fail", async () => {
  const tree = { ...TREE, "tests/red_test.ts": `Deno.test("red", () => { throw new Error(); });` };
  await assertRejects(() => survivorsOf(tree), Error, "Cannot mutate: the tests fail already");
});
