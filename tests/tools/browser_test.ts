import { assertEquals, assertStringIncludes } from "@std/assert";
import { checkBrowser } from "../../tools/browser.ts";
import { config, withTree } from "./tree.ts";

async function check(source: string): Promise<string[]> {
  const tree = {
    "deno.json": config("parse.ts", "cli.ts"),
    "parse.ts": source,
    "cli.ts": `export const args: string[] = Deno.args;`,
  };
  return await withTree(tree, checkBrowser);
}

Deno.test("checkBrowser accepts the Web's own, and leaves out what is not portable", async () => {
  const source = `
    export async function read(stream: ReadableStream<Uint8Array>): Promise<void> {
      for await (const chunk of stream) console.log(chunk, document.title);
    }`;
  assertEquals(await check(source), []);
});

for (const name of ["Deno", "process", "Buffer", "Bun"]) {
  Deno.test(`checkBrowser names a use of ${name}`, async () => {
    const [problem] = await check(`export const used: unknown = ${name}.version;`);
    assertStringIncludes(problem, `Cannot find name '${name}'`);
  });
}
