import { assertEquals } from "@std/assert";
import { dirname, join } from "node:path";
import { ROOT } from "../../tools/_deno.ts";
import { markdownFiles } from "./blocks.ts";

/** `[text](target)`, and `[name]: target` at the start of a line. */
const LINK = /\]\(([^)\s]+)\)|^\[[^\]]+\]:\s*(\S+)/gm;

/** The text without what is code. */
async function proseOf(file: string): Promise<string> {
  return (await Deno.readTextFile(ROOT + file)).replace(/^```[^]*?^```$/gm, "");
}

/** What links to a heading call it. */
function anchorsOf(text: string): string[] {
  return Array.from(text.matchAll(/^#+ (.*)$/gm), ([, heading]) => {
    return heading.toLowerCase().replace(/[^\p{L}\p{N}\- ]/gu, "").replaceAll(" ", "-");
  });
}

async function isThere(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}

Deno.test("each link of the documentation to a file or a heading leads somewhere", async () => {
  const broken: string[] = [];
  for (const file of await markdownFiles()) {
    for (const match of (await proseOf(file)).matchAll(LINK)) {
      const target = match[1] ?? match[2];
      if (/^[a-z]+:/.test(target)) continue;
      const [path, anchor] = target.split("#");
      const to = path === "" ? file : join(dirname(file), path);
      const leads = await isThere(ROOT + to) &&
        (anchor === undefined || anchorsOf(await proseOf(to)).includes(anchor));
      if (!leads) broken.push(`${file}: ${target}`);
    }
  }
  assertEquals(broken, []);
});
