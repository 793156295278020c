/**
 * The parser is a pure function of bytes: a bundle of parse.ts alone holds no network, no timer and
 * no client. A minified bundle is searched, so comments do not count and what tree shaking removes
 * does not either. Sizes are printed beside it.
 *
 * @module
 */

import { bundle } from "./_bundle.ts";
import { report, ROOT } from "./_deno.ts";

const FORBIDDEN = [/fetch/, /setTimeout/, /setInterval/, /Last-Event-ID/i];

/** Whatever a bundle of parse.ts in the tree at `root` must not hold, one sentence each. */
export async function checkBundle(root: string): Promise<string[]> {
  const { code, problem } = await bundle(root, "parse.ts", "browser");
  if (problem !== undefined) return [problem];
  return FORBIDDEN.flatMap((word) => {
    const at = code.search(word);
    if (at < 0) return [];
    const around = code.slice(Math.max(0, at - 30), at + 40);
    return [`A bundle of parse.ts holds "${word.source}" (${around}): it belongs to client/`];
  });
}

/** `parse.ts 4.1 kB, 1.9 kB gzip`. */
export async function sizeOf(root: string, file: string): Promise<string> {
  const { code, problem } = await bundle(root, file, "browser");
  if (problem !== undefined) throw new Error(problem);
  const bytes = new TextEncoder().encode(code);
  const zipped = new Blob([bytes]).stream().pipeThrough(new CompressionStream("gzip"));
  const gzip = (await new Response(zipped).arrayBuffer()).byteLength;
  return `${file} ${kilobytes(bytes.length)}, ${kilobytes(gzip)} gzip`;
}

function kilobytes(bytes: number): string {
  return `${(bytes / 1000).toFixed(1)} kB`;
}

if (import.meta.main) {
  const problems = await checkBundle(ROOT);
  const sizes = problems.length > 0
    ? []
    : await Promise.all(["parse.ts", "encode.ts"].map((file) => sizeOf(ROOT, file)));
  report("bundle", problems, sizes.join("; "));
}
