import { assertEquals, assertStringIncludes } from "@std/assert";
import { deno } from "../../tools/_deno.ts";
import { checkCoverage } from "../../tools/coverage.ts";
import { withTree } from "./tree.ts";

Deno.test("checkCoverage names the lines that no test runs and the files that none loads", async () => {
  const tree = {
    "deno.json": "{}",
    "parse.ts": `export * from "./parse/sign.ts"; export type * from "./parse/types.ts";`,
    "parse/types.ts": `export interface Sign { value: number }`,
    "parse/sign.ts": [
      `export function sign(n: number): string {`,
      `  if (n < 0) {`,
      `    return "-";`,
      `  }`,
      `  return "+";`,
      `}`,
    ].join("\n"),
    "encode.ts": `export const never = 1;`,
    "client.ts": `export const elsewhere = 1;`,
    "tests/parse/sign_test.ts":
      `import { sign } from "../../parse.ts"; Deno.test("sign", () => { sign(1); });`,
  };
  const { problems, table } = await withTree(tree, async (root) => {
    const args = ["test", "--coverage=coverage", "--coverage-raw-data-only", "tests"];
    assertEquals((await deno(root, args)).success, true);
    return await checkCoverage(root);
  });
  assertEquals(problems, [
    "parse/sign.ts:3-4 is run by no test",
    "encode.ts is loaded by no test",
  ]);
  assertStringIncludes(table, "parse/sign.ts");
});

Deno.test("checkCoverage says that there is no coverage to read", async () => {
  const { problems } = await withTree({ "parse.ts": "export const a = 1;" }, checkCoverage);
  assertEquals(problems.length, 1);
  assertStringIncludes(problems[0], "error");
});
