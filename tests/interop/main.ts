/**
 * `deno task test:interop`: prints the table of all senders and all readers. Fails where ours is wrong,
 * where a peer is wrong in a way that is not known, and where a known fault is no more.
 *
 * Arguments choose peers by parts of their names: `deno task test:interop h3 connect`.
 *
 * @module
 */

import { runMatrix } from "./matrix.ts";
import { READERS, SENDERS } from "./peers_all.ts";
import { problems, render } from "./table.ts";

/** Those that an argument names; all, if none is named. */
function chosen<T extends { name: string }>(peers: readonly T[], parts: string[]): readonly T[] {
  const named = peers.filter(({ name }) => parts.some((part) => name.includes(part)));
  return named.length > 0 ? named : peers;
}

const ran = await runMatrix(chosen(SENDERS, Deno.args), chosen(READERS, Deno.args));
// Some faults show with few peers only: what is gone can be said of all alone.
const matrix = Deno.args.length > 0 ? { ...ran, gone: [] } : ran;
console.log(render(matrix));
const found = problems(matrix, Deno.env.get("CI") !== undefined);
for (const problem of found) console.error(problem);
Deno.exit(found.length > 0 ? 1 : 0);
