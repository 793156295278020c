import { assertEquals, assertStringIncludes } from "@std/assert";
import { checkDocs } from "../../tools/docs.ts";
import { config, withTree } from "./tree.ts";

const EXAMPLE = "@example Use it\n * ```ts\n * const a = 1;\n * ```";

const MODULE = "/**\n * What this is for.\n *\n * @module\n */\n\n";

/** Everything as it should be. */
const GOOD = `
/** How to read. */
export interface ReadOptions {
  /**
   * Most bytes.
   *
   * @default {1024}
   */
  limit?: number;
  /** Stops the reading. By default nothing does. */
  signal?: AbortSignal;
  /** Called with each comment. */
  onComment?: (text: string) => void;
  /**
   * Called with each id.
   *
   * @param id The id.
   */
  onId?(id: string): void;
}

/** An event. */
export interface Event {
  /** Its time to wait, if it has one. */
  retry?: number;
}

/**
 * What only its maker can make.
 *
 * ${EXAMPLE}
 */
export class Made {
  private constructor(secret: number) {}
}

/**
 * Reads lines.
 *
 * ${EXAMPLE}
 */
export class Reader {
  /** How many. */
  size = 0;
  private hidden = 1;
  /**
   * Makes one.
   *
   * @param options How to read.
   */
  constructor({ limit = this.hidden }: ReadOptions = {}) {
    this.size = limit;
  }
  /** The last one. */
  get last(): string {
    return "";
  }
  /**
   * Feeds text.
   *
   * @param chunk The text.
   * @returns Its length.
   * @throws {TypeError} If it is no text.
   */
  feed(chunk: string): number;
  /**
   * Feeds bytes.
   *
   * @param chunk The bytes.
   * @returns Its length.
   */
  feed(chunk: Uint8Array): number;
  feed(chunk: string | Uint8Array): number {
    return chunk.length;
  }
  /** Ends. */
  async close(): Promise<void> {}
}

/**
 * Reads.
 *
 * ${EXAMPLE}
 *
 * @param sources What to read.
 * @returns How many.
 */
export function read(...sources: string[]): number {
  return sources.length;
}
`;

async function check(source: string): Promise<string[]> {
  const tree = {
    "deno.json": config("mod.ts", "parse.ts"),
    "mod.ts": `${MODULE}export * from "./parse/read.ts";`,
    "parse.ts": `${MODULE}export { read } from "./parse/read.ts";`,
    "parse/read.ts": source,
  };
  return await withTree(tree, checkDocs);
}

Deno.test("checkDocs accepts documentation that is whole", async () => {
  assertEquals(await check(GOOD), []);
});

const GAPS: [title: string, from: string, to: string, problem: string][] = [
  ["a symbol without summary", "/** An event. */", "", "Event has no summary"],
  ["a member without summary", "/** How many. */", "", "Reader.size has no summary"],
  ["an option without summary", "Stops the reading. By default nothing does.", "", "signal has no"],
  ["an option without default", "@default {1024}", "", "ReadOptions.limit states no default"],
  ["a default nobody states", " By default nothing does.", "", "ReadOptions.signal states no def"],
  [
    "a class without example",
    ` * ${EXAMPLE}\n */\nexport class`,
    " */\nexport class",
    "no @example",
  ],
  ["an example without title", "@example Use it", "@example", "is not a title and then a ```ts"],
  ["an example that is not run", "```ts\n", "```ts ignore\n", "is not a title and then a ```ts"],
  ["an example in no language", "```ts\n", "```\n", "is not a title and then a ```ts"],
  ["a parameter without tag", "@param sources What to read.", "", "read has no @param sources"],
  [
    "a parameter without words",
    "@param chunk The text.",
    "@param chunk",
    "feed has no @param chunk",
  ],
  ["a destructured parameter", "@param options How to read.", "", "Reader has no @param number 1"],
  [
    "a parameter that is gone",
    "@param sources",
    "@param source A.\n * @param sources",
    "no parameter",
  ],
  ["a callback's parameter", "@param id The id.", "", "ReadOptions.onId has no @param id"],
  ["a result without tag", "@returns How many.", "", "read has no @returns"],
  ["a throws without class", "{TypeError} If", "If", "@throws that is not of the form {Class} If"],
  ["a throws without condition", "} If it is no", "} when no", "@throws that is not of the form"],
  ["a private type in public", "limit?: number", "limit?: Hidden", "references private type"],
];

for (const [title, from, to, problem] of GAPS) {
  Deno.test(`checkDocs names ${title}`, async () => {
    assertStringIncludes(GOOD, from);
    const source = GOOD.replace(from, to) + "/** Not exported. */\ninterface Hidden {}\n";
    assertStringIncludes((await check(source)).join("\n"), problem);
  });
}

Deno.test("checkDocs says where, and each gap once", async () => {
  const source = GOOD.replace("/** How many. */", "");
  const line = source.split("\n").findIndex((text) => text.includes("size = 0")) + 1;
  const gaps = (await check(source)).filter((text) => text.startsWith("parse/"));
  assertEquals(gaps, [`parse/read.ts:${line} Reader.size has no summary`]);
});

Deno.test("checkDocs names an entry point without module doc", async () => {
  const tree = { "deno.json": config("parse.ts"), "parse.ts": "/** A. */\nexport const a = 1;" };
  assertEquals(await withTree(tree, checkDocs), [
    "parse.ts:1 needs a module doc: a comment that says what it is for, with @module",
  ]);
});
