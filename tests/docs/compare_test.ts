/**
 * `docs/compare.md` says what is so: each row is run with all libraries of its table, or looked for in
 * their types. What a peer mends fails here, and its cell is rewritten.
 */

import { assert, assertEquals } from "@std/assert";
import { buildSync } from "esbuild";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { HOLDING } from "./compare_client_rows.ts";
import { CLIENTS } from "./compare_clients.ts";
import { PARSERS, PARSING } from "./compare_parsers.ts";
import { SERVERS, SERVING } from "./compare_servers.ts";
import {
  type CompareRow,
  mainOf,
  manifestOf,
  names,
  ourNames,
  readTable,
  type Word,
  word,
} from "./compare_table.ts";
import { codeOf, identifiersOf, rowsUnder } from "./migrate_names.ts";

const ROOT = new URL("../../", import.meta.url);
const PAGE = new URL("docs/compare.md", ROOT);
const OURS = "@webstreams/sse";
const page = await Deno.readTextFile(PAGE);

/** What is asked of one library of a table. */
type Ask = (name: string, said: Word) => Word | Promise<Word>;

/** A row by its label, asked of the library of a name. */
function asking<Peer extends { name: string }>(
  peers: readonly Peer[],
  rows: Record<string, (peer: Peer, said: Word) => Word | Promise<Word>>,
): { columns: string[]; asks: Record<string, Ask> } {
  const asks = Object.entries(rows).map(([label, row]): [string, Ask] => [label, (name, said) => {
    const peer = peers.find((peer) => peer.name === name);
    if (peer === undefined) throw new Error(`Nobody is called ${name}`);
    return row(peer, said);
  }]);
  return { columns: peers.map(({ name }) => name), asks: Object.fromEntries(asks) };
}

/** The import map's name of each package, by its name on the page. */
const PACKAGES: Record<string, string> = {
  "eventsource-parser": "eventsource-parser",
  "eventsource-client": "eventsource-client",
  "eventsource": "eventsource",
  "fetch-event-source": "@microsoft/fetch-event-source",
  "better-sse": "better-sse",
  "hono streamSSE": "hono",
  "@std/http": "@std/http/server-sent-event-stream",
};

/** What is ours for what each package does. */
const OUR_PART: Record<string, string> = {
  "eventsource-parser": "parse.ts",
  "eventsource-client": "client.ts",
  "eventsource": "event_source.ts",
  "fetch-event-source": "client.ts",
  "better-sse": "server.ts",
  "hono streamSSE": "server.ts",
  "@std/http": "parse.ts",
};

/** A bundle of all that a module exports. */
interface Bundle {
  bytes: number;
  text: string;
  /** What it imports that is not in it. */
  imports: string[];
}

const bundles = new Map<string, Bundle>();

/** Bundles a file; the one package that others depend on is counted to them. */
function bundle(file: string): Bundle {
  const known = bundles.get(file);
  if (known !== undefined) return known;
  const { outputFiles: [{ contents, text }], metafile } = buildSync({
    entryPoints: [file],
    bundle: true,
    minify: true,
    write: false,
    metafile: true,
    format: "esm",
    target: "esnext",
    legalComments: "none",
    external: [
      "node:*",
      "crypto",
      "http",
      "http2",
      "events",
      "stream",
      "timers",
      "eventsource-parser",
    ],
    logLevel: "silent",
  });
  const [output] = Object.values(metafile.outputs);
  const imports = output.imports.map(({ path }) => path);
  let bytes = gzipSync(contents, { level: 9 }).length;
  if (imports.includes("eventsource-parser")) bytes += bundle(mainOf("eventsource-parser")).bytes;
  const made = { bytes, text, imports };
  bundles.set(file, made);
  return made;
}

// Here, for the first one starts a worker of esbuild that outlives the test it is made in.
bundle(pathOf("mod.ts"));

function pathOf(file: string): string {
  return fileURLToPath(new URL(file, ROOT));
}

/** Those whose types may look at something of Node, and whose code then does, too. */
function needsNode({ imports }: Bundle): boolean {
  return imports.some((path) => path !== "eventsource-parser");
}

/** What code takes from a page without looking whether it is there. */
const OF_A_PAGE = /(?<![.\w$"'])(?:window|document)\.\w/;

/** A row that is asked of peers alone. */
function ofPeers(ask: (name: string) => boolean): Ask {
  return (name, said) => name === OURS ? said : word(ask(name));
}

const AROUND: Record<string, Ask> = {
  "no dependency": ofPeers((name) => Object.keys(manifestOf(name).dependencies ?? {}).length === 0),
  "runs without modules of Node": (name) =>
    word(!needsNode(bundle(name === OURS ? pathOf("mod.ts") : mainOf(name)))),
  "runs without a page": (name) => {
    const { text } = bundle(name === OURS ? pathOf("mod.ts") : mainOf(name));
    return word(!OF_A_PAGE.test(text));
  },
  "Deno, Node, Bun, Workers and browsers in one suite": (_, said) => said,
  "builds for `require` before Node 22.12": (name) => {
    if (name === OURS) return word(JSON.stringify(npmExports()).includes('"require"'));
    return word(/"require"|\/cjs\//.test(JSON.stringify(manifestOf(name))));
  },
  "a command line": ofPeers((name) => manifestOf(name).bin !== undefined),
  "a test kit: a network that fails as it is told": ofPeers((name) =>
    names(name, /^(createTransport|mock\w*|faults?)$/i)
  ),
  "less than half the size of what is ours for it": ofPeers((name) =>
    bundle(mainOf(name)).bytes < bundle(pathOf(OUR_PART[name])).bytes / 2
  ),
};

function npmExports(): unknown {
  return JSON.parse(Deno.readTextFileSync(pathOf("tools/npm.json")));
}

const TABLES: Record<string, { columns: string[]; asks: Record<string, Ask> }> = {
  parsing: asking(PARSERS, PARSING),
  client: asking(CLIENTS, HOLDING),
  server: asking(SERVERS, SERVING),
  around: { columns: [OURS, ...Object.keys(PACKAGES)], asks: AROUND },
};

const PYTHON = ["reading in Python", "sending in Python"];

for (const [heading, { columns, asks }] of Object.entries(TABLES)) {
  const table = readTable(page, heading);

  Deno.test(`docs/compare.md (${heading}) has no row that is not asked`, () => {
    assertEquals(table.columns, columns);
    assertEquals(table.rows.map(({ label }) => label), Object.keys(asks));
  });

  for (const { label, cells } of table.rows) {
    Deno.test(`docs/compare.md (${heading}) says who has: ${label}`, async () => {
      const found: Record<string, Word> = {};
      const said: Record<string, Word> = {};
      for (const [name, cell] of Object.entries(cells)) {
        said[name] = cell.word;
        const makesSense = cell.word !== "-" && cell.word !== "not tried";
        found[name] = makesSense ? await asks[label](name, cell.word) : cell.word;
      }
      assertEquals(found, said);
    });
  }
}

Deno.test("docs/compare.md is about the versions that run here", async () => {
  const { imports } = JSON.parse(await Deno.readTextFile(new URL("deno.json", ROOT)));
  const rows = rowsUnder(page, "package");
  assertEquals(rows.map(([name]) => name), Object.keys(PACKAGES));
  for (const [name, version, , node] of rows) {
    const [, mapped] = /@(\d+\.\d+\.\d+)/.exec(imports[PACKAGES[name]]) ?? [];
    const manifest = manifestOf(name);
    assertEquals([version, manifest.version], [mapped, mapped], name);
    assertEquals(node, manifest.engines?.node ?? "not said", name);
    assertEquals(manifest.license, "MIT", name);
  }
});

Deno.test("docs/compare.md names of ours only what is public, and tests that are there", async () => {
  const known = ourNames();
  const problems: string[] = [];
  const rows: CompareRow[] = Object.keys(TABLES).flatMap((name) => readTable(page, name).rows);
  for (const { label, cells: { [OURS]: { word, note, links } } } of rows) {
    if ((word === "yes" || word === "partly") && links.length === 0) {
      problems.push(`"${label}" leads to nothing that shows it`);
    }
    for (const code of codeOf(note).filter((code) => !code.startsWith(OURS))) {
      for (const name of identifiersOf(code)) {
        if (!known.has(name)) problems.push(`"${label}" names "${name}", which is none of ours`);
      }
    }
  }
  assertEquals(problems, []);
  const targets = [...page.matchAll(/\]\((?!https:)([^)#]+)/g)].map(([, target]) => target);
  assert(targets.length > 70, `Only ${targets.length} links were found`);
  for (const target of targets) await Deno.stat(new URL(target, PAGE));
  for (const [, path] of page.matchAll(/`(tests\/[\w/.]+)`/g)) await Deno.stat(new URL(path, ROOT));
});

Deno.test("docs/compare.md has cells that are words in the tables on Python, too", () => {
  for (const heading of PYTHON) {
    const { columns, rows } = readTable(page, heading);
    assertEquals(columns[0], OURS);
    assert(rows.length > 5, heading);
  }
});

Deno.test("README.md says in short what docs/compare.md says", async () => {
  const readme = await Deno.readTextFile(new URL("README.md", ROOT));
  const [, section = ""] = readme.split("\n## Compared\n");
  const { columns, rows } = readTable(section, "Compared");
  assert(rows.length > 5, 'README.md has no table in a section "Compared"');
  const tables = Object.keys(TABLES).map((heading) => readTable(page, heading));
  for (const { label, cells } of rows) {
    const table = tables.find((table) => table.rows.some((row) => row.label === label));
    const row = table?.rows.find((row) => row.label === label);
    if (row === undefined) throw new Error(`docs/compare.md has no row "${label}"`);
    for (const name of columns) {
      const { word } = row.cells[name === "this" ? OURS : name] ?? { word: "-" };
      assertEquals([label, name, cells[name].word], [label, name, word]);
    }
  }
});
