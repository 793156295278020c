import { assertEquals, assertStringIncludes } from "@std/assert";
import { checkDependencies } from "../../tools/dependencies.ts";
import { config, type Tree, withTree } from "./tree.ts";

async function check(tree: Tree): Promise<string[]> {
  return await withTree({ "deno.json": config("parse.ts"), ...tree }, checkDependencies);
}

Deno.test("checkDependencies accepts what stays inside, and Node where its room is", async () => {
  const problems = await check({
    "deno.json": config("parse.ts", "node.ts"),
    "parse.ts": `export * from "./parse/lines.ts";`,
    "parse/lines.ts": `export const l = 1;`,
    "node.ts": `export { createServer } from "node:http";`,
  });
  assertEquals(problems, []);
});

Deno.test("checkDependencies names a dependency however deep and of whatever kind", async () => {
  const problems = await check({
    "parse.ts": `export * from "./parse/lines.ts";`,
    "parse/lines.ts": [
      `import "npm:fast-check@4.10.2";`,
      `import "https://example.com/mod.ts";`,
      `import "node:fs";`,
      `import type { Arbitrary } from "npm:fast-check@4.10.2";`,
      `export type A = Arbitrary<string>;`,
    ].join("\n"),
  });
  assertEquals(problems.map((problem) => problem.split(":", 2).join(":")), [
    `parse/lines.ts:1 makes "./parse" depend on npm`,
    `parse/lines.ts:2 makes "./parse" depend on https`,
    `parse/lines.ts:3 makes "./parse" depend on node`,
  ]);
});

Deno.test("checkDependencies lets the command line load packages, and have none", async () => {
  const problems = await check({
    "deno.json": config("cli.ts"),
    "cli.ts": `import "./cli/log.ts";`,
    "cli/log.ts": [
      `import type { Arbitrary } from "npm:fast-check@4.10.2";`,
      `export const load = (): Promise<{ a?: Arbitrary<string> }> =>`,
      `  import("npm:fast-check@4.10.2");`,
      `import "npm:valibot@1.5.0";`,
      `import "node:fs";`,
    ].join("\n"),
  });
  assertEquals(problems, [
    'cli/log.ts:4 makes "./cli" depend on npm:valibot@1.5.0: load it by import() where it is used',
  ]);
});

Deno.test("checkDependencies names an entry point that does not bundle", async () => {
  const [problem] = await check({ "parse.ts": `export * from "./missing.ts";` });
  assertStringIncludes(problem, "parse.ts does not bundle for browser: ");
});
