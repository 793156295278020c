/**
 * A minified bundle of one entry point: what a page that imports it downloads, without comments.
 *
 * @module
 */

import { deno } from "./_deno.ts";

/** The bundle, or why there is none. */
export type Bundle = { code: string; problem?: undefined } | { code?: undefined; problem: string };

/** One after the other: `deno bundle` fetches its bundler at first use, and two at once collide. */
let queue: Promise<unknown> = Promise.resolve();

/** Bundles `file` of the tree at `root`. */
export async function bundle(
  root: string,
  file: string,
  platform: "browser" | "deno",
): Promise<Bundle> {
  const args = ["bundle", "--no-lock", "--minify", "--platform", platform, file];
  const run = queue.then(() => deno(root, args));
  queue = run.catch(() => {});
  const { success, stdout, stderr } = await run;
  if (success) return { code: stdout.trimEnd() };
  return { problem: `${file} does not bundle for ${platform}: ${stderr.trim()}` };
}
