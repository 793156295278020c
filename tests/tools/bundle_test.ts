import { assertEquals, assertMatch } from "@std/assert";
import { checkBundle, sizeOf } from "../../tools/bundle.ts";
import { withTree } from "./tree.ts";

async function check(source: string): Promise<string[]> {
  const tree = {
    "deno.json": "{}",
    "parse.ts": `import { used } from "./parts.ts"; console.log(used);`,
    "parts.ts": source,
  };
  return await withTree(tree, checkBundle);
}

Deno.test("checkBundle ignores comments and what no entry point uses", async () => {
  const source = `
    /** Give it the body of a fetch. */
    export const used = 1;
    export const unused = () => fetch("/");`;
  assertEquals(await check(source), []);
});

for (
  const [word, source] of [
    ["fetch", `export const used = () => fetch("/");`],
    ["setTimeout", `export const used = () => setTimeout(console.log, 1);`],
    ["setInterval", `export const used = () => setInterval(console.log, 1);`],
    ["Last-Event-ID", `export const used = { "last-event-id": "" };`],
  ]
) {
  Deno.test(`checkBundle names ${word}`, async () => {
    const [problem, ...more] = await check(source);
    assertMatch(problem, new RegExp(`^A bundle of parse.ts holds "${word}" \\(.+\\): it belongs`));
    assertEquals(more, []);
  });
}

Deno.test("checkBundle names a parse.ts that does not bundle", async () => {
  const problems = await withTree({ "parse.ts": `import "./missing.ts";` }, checkBundle);
  assertMatch(problems[0], /^parse\.ts does not bundle/);
});

Deno.test("sizeOf measures the minified bundle", async () => {
  const source = `/** ${"Long. ".repeat(1000)} */\nexport const text = "${"a".repeat(2000)}";`;
  const size = await withTree({ "encode.ts": source }, (root) => sizeOf(root, "encode.ts"));
  assertMatch(size, /^encode\.ts 2\.0 kB, 0\.\d kB gzip$/);
});
