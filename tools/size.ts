/**
 * How much of this a page downloads: bundles of the packed package, minified and gzipped, beside
 * those of other libraries, made the same way.
 *
 * A bundle of one name shows what tree shaking leaves: it should be as small from the barrel as from
 * the entry point of that name.
 *
 * ```sh
 * deno task size
 * ```
 *
 * @module
 */

import { buildSync } from "esbuild";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { deno, ROOT } from "./_deno.ts";
import { pack, type Package, unpack } from "./pack.ts";

/** A bundle to measure. */
export interface Contents {
  /** What it is called in the table. */
  title: string;
  /** The module that is bundled: what a page imports. */
  code: string;
  /** The most bytes it is to have, gzipped. */
  target?: number;
}

/** A bundle that was measured. */
export interface Size extends Contents {
  /** Minified. */
  bytes: number;
  /** Minified and gzipped, at level 9. */
  gzip: number;
}

/** What a title and its bundles are. */
interface Section {
  title: string;
  contents: Contents[];
}

/** The libraries that ours is put beside: all of what each exports. */
const PEERS = [
  "eventsource-parser",
  "eventsource-parser/stream",
  "eventsource-encoder",
  "eventsource-client",
  "eventsource",
  "better-sse",
];

/** Names that most pages use alone. */
const ALONE = [
  ["parse", "ServerSentEventParser"],
  ["parse", "readEvents"],
  ["client", "connect"],
  ["encode", "encodeEvent"],
];

/** Bundles `contents` with what is installed in `folder`. */
export function measure(folder: string, contents: Contents): Size {
  const { outputFiles: [{ contents: bytes }] } = buildSync({
    stdin: { contents: contents.code, resolveDir: folder, loader: "js" },
    bundle: true,
    minify: true,
    write: false,
    format: "esm",
    target: "esnext",
    // Comments that ask to be kept (licenses) are not what is compared.
    legalComments: "none",
    external: ["node:*", "crypto", "http", "http2", "https", "events", "stream", "timers"],
    logLevel: "silent",
  });
  return { ...contents, bytes: bytes.length, gzip: gzipSync(bytes, { level: 9 }).length };
}

/** `parse      4.1 kB   1.9 kB   2.0 kB reached`. */
export function line({ title, bytes, gzip, target }: Size, width: number): string {
  const verdict = target === undefined
    ? ""
    : `  of ${kilobytes(target)}  ${gzip <= target ? "reached" : "MISSED"}`;
  return `  ${title.padEnd(width)}  ${kilobytes(bytes)}  ${kilobytes(gzip)}${verdict}`;
}

function kilobytes(bytes: number): string {
  return `${(bytes / 1000).toFixed(2).padStart(6)} kB`;
}

function sections({ manifest: { name, exports } }: Package): Section[] {
  const all = (...keys: string[]) =>
    keys.map((key) => `export * from ${JSON.stringify(join(name, key))};`).join("\n");
  const only = (key: string, names: string) =>
    `export { ${names} } from ${JSON.stringify(join(name, key))};`;
  return [
    {
      title: "Targets",
      contents: [
        { title: "parse", code: all("parse"), target: 2_000 },
        { title: "parse + encode", code: all("parse", "encode"), target: 3_000 },
        { title: "client", code: all("client"), target: 7_000 },
        { title: "everything portable", code: all("."), target: 16_000 },
      ],
    },
    {
      title: "Entry points",
      // The command line exports nothing.
      contents: Object.keys(exports).filter((key) => key !== "./cli")
        .map((key) => ({ title: key, code: all(key) })),
    },
    {
      title: "One name, from its entry point and from the barrel",
      contents: ALONE.flatMap(([key, names]) => [
        { title: `${names} of ./${key}`, code: only(key, names) },
        { title: `${names} of .`, code: only(".", names) },
      ]),
    },
    {
      title: "Others, all that they export",
      contents: PEERS.map((peer) => ({ title: peer, code: `export * from "${peer}";` })),
    },
  ];
}

/** Installs the other libraries into `folder`, in the versions of deno.json. */
async function installPeers(folder: string): Promise<void> {
  const config: { imports: Record<string, string> } = JSON.parse(
    await Deno.readTextFile(join(ROOT, "deno.json")),
  );
  const names = PEERS.filter((peer) => !peer.includes("/"));
  const versions = names.map((peer) => [peer, config.imports[peer].split("@").at(-1)]);
  await Deno.writeTextFile(
    join(folder, "package.json"),
    JSON.stringify({ private: true, dependencies: Object.fromEntries(versions) }),
  );
  const { success, stderr } = await deno(folder, ["install", "--no-lock", "--quiet"]);
  if (!success) throw new Error(`Cannot install what is compared: ${stderr.trim()}`);
}

if (import.meta.main) {
  const folder = await Deno.makeTempDir({ prefix: "size-" });
  try {
    await installPeers(folder);
    const packed = await pack(ROOT, folder);
    await unpack(packed, folder);
    for (const { title, contents } of sections(packed)) {
      const sizes = contents.map((one) => measure(folder, one));
      const width = Math.max(...sizes.map((size) => size.title.length));
      console.log(`${title} (minified, and gzipped)`);
      for (const size of sizes) console.log(line(size, width));
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
