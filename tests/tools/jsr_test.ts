import { assertEquals, assertStringIncludes } from "@std/assert";
import { score } from "../../tools/jsr.ts";
import { type Tree, withTree } from "./tree.ts";

const MODULE = "/**\n * What it is for.\n *\n * @module\n */\n\n";

const GOOD: Tree = {
  "deno.json": JSON.stringify({
    name: "@example/tree",
    version: "1.0.0",
    license: "MIT",
    exports: { ".": "./mod.ts", "./node": "./node.ts" },
  }),
  "mod.ts": `${MODULE}/** One. */\nexport const one: number = 1;\n`,
  "node.ts": `${MODULE}import "node:http";\n/** Two. */\nexport const two: number = 2;\n`,
  "README.md": "# Tree\n\n```ts\nconst a = 1;\n```\n",
  "tools/npm.json": JSON.stringify({ description: "A tree." }),
  ".github/workflows/publish.yml": [
    "jobs:",
    "  jsr:",
    "    permissions:",
    "      id-token: write",
    "    steps:",
    "      - run: deno publish",
  ].join("\n"),
};

/** The items that are not met, by what they miss. */
async function missing(change: Tree): Promise<Record<string, string>> {
  const items = await withTree({ ...GOOD, ...change }, score);
  const unmet = items.filter((item) => item.missing.length > 0);
  return Object.fromEntries(unmet.map((item) => [item.name, item.missing.join("\n")]));
}

Deno.test("score finds all items of a package that is whole, of 18 points", async () => {
  const items = await withTree(GOOD, score);
  assertEquals(items.flatMap((item) => item.missing), []);
  assertEquals(items.reduce((sum, { points }) => sum + points, 0), 18);
  assertStringIncludes(items[6].found, "Workers, browsers; ./node Deno, Node, Bun");
});

const LONG = JSON.stringify({ description: "a".repeat(251) });

const BAD: [title: string, change: Tree, item: string, problem: string][] = [
  ["no example", { "README.md": "# Tree\n" }, "has examples in the readme", "show no example"],
  ["no module doc", { "node.ts": "" }, "has module docs in all", "node.ts has no module doc"],
  [
    "a symbol without documentation",
    { "mod.ts": `${GOOD["mod.ts"]}export const bare: number = 2;\n` },
    "has docs for most symbols",
    "bare has no documentation",
  ],
  [
    "a slow type",
    { "mod.ts": GOOD["mod.ts"].replace(": number = 1", " = Math.random()") },
    "no slow types are used",
    "missing-explicit-type",
  ],
  ["no description", { "tools/npm.json": "{}" }, "has a description", `no "description"`],
  ["a long description", { "tools/npm.json": LONG }, "has a description", "more than 250"],
  [
    "no right to prove where it runs",
    { ".github/workflows/publish.yml": "jobs:\n  a:\n    steps:\n      - run: deno publish\n" },
    "has provenance",
    "publish.yml has no job",
  ],
];

for (const [title, change, item, problem] of BAD) {
  Deno.test(`score names ${title}, and nothing else`, async () => {
    const [[name, found], ...more] = Object.entries(await missing(change));
    assertStringIncludes(name, item);
    assertStringIncludes(found, problem);
    assertEquals(more, []);
  });
}
