/**
 * The reference as pages: what the comments of all entry points say, by `deno doc --html`.
 *
 * ```sh
 * deno task html [FOLDER]
 * ```
 *
 * @module
 */

import { join } from "node:path";
import { count, deno, entryPoints, report, ROOT } from "./_deno.ts";

const folder = Deno.args[0] ?? join(ROOT, "dist", "html");
const { name } = JSON.parse(await Deno.readTextFile(join(ROOT, "deno.json")));
const entries = await entryPoints(ROOT);
await Deno.mkdir(folder, { recursive: true });
const args = ["doc", "--html", `--name=${name}`, `--output=${folder}`];
const { success, stderr } = await deno(ROOT, [...args, ...entries.map(({ file }) => file)]);
const pages = Number(/Written (\d+) files/.exec(stderr)?.[1] ?? 0);
const whole = success && pages > entries.length;
report(
  "html",
  whole ? [] : [`The pages cannot be made: ${stderr.trim()}`],
  `${count(pages, "file")} in ${folder}, of ${count(entries.length, "entry point")}`,
);
