/**
 * A minified bundle of one entry point: what a page that imports it downloads, without comments.
 *
 * @module
 */

import { deno } from "./_deno.ts";

/** The bundle, or why there is none. */
export type Bundle = { code: string; problem?: undefined } | { code?: undefined; problem: string };

/** Bundles `file` of the tree at `root`. */
export async function bundle(
  root: string,
  file: string,
  platform: "browser" | "deno",
): Promise<Bundle> {
  const args = ["bundle", "--no-lock", "--minify", "--platform", platform, file];
  const { success, stdout, stderr } = await deno(root, args);
  if (success) return { code: stdout.trimEnd() };
  return { problem: `${file} does not bundle for ${platform}: ${stderr.trim()}` };
}
