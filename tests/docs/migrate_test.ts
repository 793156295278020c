/**
 * The migration pages are whole: of the packages of npm they name every export and every member, as
 * their types have them, and what they name of ours is there.
 */

import { assert, assertEquals } from "@std/assert";
import { fileURLToPath } from "node:url";
import { codeOf, expectedBy, identifiersOf, publicNames, rowsUnder } from "./migrate_names.ts";

const ROOT = new URL("../../", import.meta.url);
const PAGES = new URL("docs/migrate/", ROOT);

/** A package of npm. */
interface Peer {
  /** Its page. */
  page: string;
  /** Its name in the import map. */
  name: string;
  /** Its modules, and where their types are, as seen from them. */
  modules: Record<string, string>;
}

const PEERS: Peer[] = [
  {
    page: "eventsource-parser",
    name: "eventsource-parser",
    modules: { "eventsource-parser": "index.d.ts", "eventsource-parser/stream": "stream.d.ts" },
  },
  {
    page: "eventsource-client",
    name: "eventsource-client",
    modules: { "eventsource-client": "default.d.ts" },
  },
  { page: "eventsource", name: "eventsource", modules: { "eventsource": "index.d.ts" } },
  {
    page: "fetch-event-source",
    name: "@microsoft/fetch-event-source",
    modules: { "@microsoft/fetch-event-source": "../cjs/index.d.ts" },
  },
  { page: "better-sse", name: "better-sse", modules: { "better-sse": "index.d.mts" } },
  {
    page: "hono",
    name: "hono",
    modules: { "hono/streaming": "../../types/helper/streaming/index.d.ts" },
  },
];

const PYTHON = ["aiohttp-sse", "aiohttp-sse-client2", "aiosonic", "httpx-sse", "sseclient-py"];
const ALL = [...PEERS.map(({ page }) => page), ...PYTHON];

/** Words in the code of tables that stand for a value of ours, and its type. */
const VALUES: Record<string, string> = {
  channel: "Channel",
  connection: "EventStreamConnection",
  context: "RetryContext",
  hub: "Hub",
  parser: "ServerSentEventParser",
  reader: "EventReader",
  session: "Session",
};

/** Those that stand for something of the reader's. */
const PLACEHOLDERS = [
  "State",
  "c",
  "callback",
  "cb",
  "chunk",
  "delay",
  "handler",
  "iterable",
  "listener",
  "predicate",
  "req",
  "res",
  "source",
  "value",
];

function read(page: string): Promise<string> {
  return Deno.readTextFile(new URL(`${page}.md`, PAGES));
}

/** The path of the types of a module. */
function typesOf(module: string, types: string): string {
  return fileURLToPath(new URL(types, import.meta.resolve(module)));
}

for (const { page, name, modules } of PEERS) {
  Deno.test(`docs/migrate/${page}.md names all that users of the package can name`, async () => {
    const files = Object.entries(modules).map(([module, types]) => typesOf(module, types));
    const within = files[0].replace(/[^/\\]*$/, "").replaceAll("\\", "/");
    const parser = typesOf("eventsource-parser", "index.d.ts");
    const { names } = publicNames(files, within, { "eventsource-parser": [parser] });
    assert(names.size > 3, `Only ${[...names]} were found`);
    const codes = rowsUnder(await read(page), "theirs").flatMap(([theirs]) => codeOf(theirs));
    const named = new Set(codes.flatMap((code) => code.match(/[\w$-]+/g) ?? []));
    assertEquals([...names].filter((name) => !named.has(name)), []);
  });

  Deno.test(`docs/migrate/${page}.md is about the version that runs here`, async () => {
    const { imports } = JSON.parse(await Deno.readTextFile(new URL("deno.json", ROOT)));
    const version = imports[name].split("@").at(-1);
    const said = `Read for this page: \`${name}\` ${version}, `;
    assert((await read(page)).includes(said), `It does not say "${said}"`);
  });

  Deno.test(`docs/migrate/${page}.md has blocks before and after, with the same end`, async () => {
    const [before = "", after = ""] = (await read(page)).split("## Before")[1].split("## After");
    for (const module of Object.keys(modules)) {
      assert(before.includes(`from "${module}"`), `No block before imports ${module}`);
      assert(!after.includes(`from "${module}"`), `A block after imports ${module}`);
    }
    assert(after.includes('from "@webstreams/sse/'), "No block after imports ours");
    const [first, second] = [expectedBy(before), expectedBy(after)];
    assert(first.length > 0);
    // Ours may show more behind it.
    assertEquals(second.slice(0, first.length), first);
  });
}

for (const page of PYTHON) {
  Deno.test(`docs/migrate/${page}.md has blocks that run, and says what was read`, async () => {
    const text = await read(page);
    assert(/^Read for this page: /m.test(text));
    assert(expectedBy(text.split("## After")[1]).length > 0);
  });
}

Deno.test("docs/migrate has a page for each, all of one shape, and the index leads to them", async () => {
  const files = await Array.fromAsync(Deno.readDir(PAGES), ({ name }) => name);
  assertEquals(files.sort(), [...ALL, "README"].map((page) => `${page}.md`).sort());
  const index = await read("README");
  for (const page of ALL) {
    assert(index.includes(`](${page}.md)`), `The index does not lead to ${page}`);
    const headings: string[] = (await read(page)).match(/^## .*$/gm) ?? [];
    assertEquals(headings[0], "## What changes", page);
    assert(headings.includes("## Right here, wrong there"), page);
    assert(headings.includes("## Only there"), page);
  }
});

Deno.test("The links and the files that docs/migrate names are there", async () => {
  for (const page of [...ALL, "README"]) {
    const text = await read(page);
    for (const [, target] of text.matchAll(/\]\((?!https:)([^)#]+)/g)) {
      await Deno.stat(new URL(target, PAGES));
    }
    for (const [, path] of text.matchAll(/`(tests\/[\w/.]+)`/g)) {
      await Deno.stat(new URL(path, ROOT));
    }
  }
});

Deno.test("What docs/migrate names of ours is public, and has the members that it says", async () => {
  const { exports } = JSON.parse(await Deno.readTextFile(new URL("deno.json", ROOT)));
  const root = fileURLToPath(ROOT).replaceAll("\\", "/");
  const files = Object.values(exports).map((path) => fileURLToPath(new URL(`${path}`, ROOT)));
  const { names, members, globals, platform } = publicNames(files, root);
  const ours = new Set([...names, ...globals, ...[...members.values()].flatMap((set) => [...set])]);
  const inCode = new Set([...ours, ...platform, ...PLACEHOLDERS, ...Object.keys(VALUES)]);
  const problems: string[] = [];
  for (const page of ALL) {
    const text = await read(page);
    const cells = rowsUnder(text, "theirs").map(([, cell]) => cell);
    const listed = text.split("\n\n").filter((paragraph) => paragraph.startsWith("Only in ours: "));
    for (const code of [...cells, ...listed].flatMap(codeOf)) {
      if (code.startsWith("@webstreams/")) continue;
      // A name that stands alone is not to be one that only the platform's types have.
      const known = /^\w+$/.test(code) ? ours : inCode;
      for (const name of identifiersOf(code)) {
        if (!known.has(name)) problems.push(`${page}: "${name}" of "${code}" is none of ours`);
      }
      for (const [, value, member] of code.matchAll(/\b([a-z]+)\.(\w+)/g)) {
        const type = VALUES[value];
        if (type === undefined || members.get(type)?.has(member)) continue;
        problems.push(`${page}: "${member}" of "${code}" is no member of ${type}`);
      }
    }
  }
  assertEquals(problems, []);
});

Deno.test("What docs/differences-from-eventsource.md says is shown by tests that are there", async () => {
  const page = await Deno.readTextFile(new URL("docs/differences-from-eventsource.md", ROOT));
  const shown = page.split("\n").filter((line) => line.startsWith("|"))
    .flatMap((line) => [...line.matchAll(/`(tests\/[\w/]+\.ts)`: ((?:"[^"]+"(?:, )?)+)/g)]);
  assert(shown.length > 30, `Only ${shown.length} were found`);
  const missing: string[] = [];
  for (const [, file, titles] of shown) {
    const source = await Deno.readTextFile(new URL(file, ROOT));
    for (const [, title] of titles.matchAll(/"([^"]+)"/g)) {
      if (!source.includes(title)) missing.push(`${file}: "${title}"`);
    }
  }
  assertEquals(missing, []);
});
