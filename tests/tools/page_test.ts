import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { bundlePage, checkPage } from "../../tools/page.ts";
import { withTree } from "./tree.ts";

/** A page of two modules, on a library of one. */
const PAGE = {
  "deno.json": "{}",
  "parse.ts": "export function half(n: number): number { return n / 2; }\n",
  "cli/page/sse_entry.ts": 'export { half } from "../../parse.ts";\n',
  "cli/page/page.js": 'import { half } from "./sse.js";\ndocument.title = `${half(2)}`;\n',
};

/** esbuild keeps a thread for the next bundle. */
const KEEPS_THREAD = { sanitizeOps: false, sanitizeResources: false };

function bundled(root: string): Promise<string> {
  return Promise.resolve(bundlePage(root));
}

/** What is wrong with a page whose bundle was made of `made`, and which is `now`. */
async function check(made: Record<string, string>, now = made): Promise<string[]> {
  const bundle = await withTree(made, bundled);
  return await withTree({ ...now, "cli/page/sse.js": bundle }, checkPage);
}

Deno.test(
  "checkPage has nothing to say of a bundle that is of the sources",
  KEEPS_THREAD,
  async () => {
    assertEquals(await check(PAGE), []);
  },
);

Deno.test(
  "bundlePage makes the same of the same sources, wherever they are",
  KEEPS_THREAD,
  async () => {
    const [one, other] = [await withTree(PAGE, bundled), await withTree(PAGE, bundled)];
    assertEquals(one, other);
    assertMatch(one, /^\/\/ Generated from sse_entry\.ts by "deno task page": change the library,/);
  },
);

Deno.test(
  "checkPage names a bundle that is missing, or of other sources",
  KEEPS_THREAD,
  async () => {
    const remedy = 'run "deno task page"';
    assertEquals(await withTree(PAGE, checkPage), [`cli/page/sse.js is missing: ${remedy}`]);
    const changed = { ...PAGE, "parse.ts": PAGE["parse.ts"].replace("/ 2", "* 0.5") };
    assertEquals(await check(PAGE, changed), [
      `cli/page/sse.js is not of these sources: ${remedy}`,
    ]);
  },
);

Deno.test(
  "checkPage type-checks the modules of the page, with the types of the library",
  KEEPS_THREAD,
  async () => {
    const page = 'import { half } from "./sse.js";\nhalf("2");\n';
    const [problem] = await check({ ...PAGE, "cli/page/page.js": page });
    assertStringIncludes(problem, "TS2345");
    assertMatch(problem, /page\.js:2:6/);
  },
);
