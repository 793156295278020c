import { assertEquals } from "@std/assert";
import { checkLayers } from "../../tools/layers.ts";
import { type Tree, withTree } from "./tree.ts";

/** One file in each room, each importing what lies right beneath it. */
const HOUSE: Tree = {
  "errors.ts": `export class SseError extends Error {}`,
  "parse/lines.ts":
    `export { SseError } from "../errors.ts"; /** Unlike Deno.serve. */ export const l = 1;`,
  "parse/events.ts": `export { l } from "./lines.ts";`,
  "parse.ts": `export * from "./parse/events.ts";`,
  "encode.ts": `export { SseError } from "./errors.ts"; export const e = 1;`,
  "client/retry.ts": `export { l } from "../parse.ts";`,
  "client.ts": `export * from "./client/retry.ts";`,
  "event_source.ts": `export * from "./client.ts";`,
  "server/log.ts": `export { e } from "../encode.ts"; export interface EventLog { x: number }`,
  "server/session.ts": `export type { EventLog } from "./log.ts";`,
  "server.ts": `export * from "./server/session.ts";`,
  "node.ts": `import "node:http"; export * from "./server.ts";`,
  "log/redis.ts": `import type { EventLog } from "../server.ts"; export type R = EventLog;`,
  "log/sqlite.ts": `import "node:sqlite"; export { e } from "../server/log.ts";`,
  "testing.ts": `export * from "./client.ts";`,
  "mod.ts": `export * from "./event_source.ts"; export * from "./log/redis.ts";`,
  "cli/main.ts": `import "node:process"; import "../server/session.ts"; export const m = 1;`,
  "cli.ts": `import "./mod.ts"; import "./node.ts"; import "./cli/main.ts"; import "node:fs";`,
  "bench/a.ts": `import "node:os"; Deno.args;`,
};

async function check(change: Tree): Promise<string[]> {
  return await withTree({ ...HOUSE, ...change }, checkLayers);
}

Deno.test("checkLayers accepts a house in which every import points down", async () => {
  assertEquals(await check({}), []);
});

const BREACHES: [title: string, file: string, source: string, problem: string][] = [
  [
    "a file of parse/ that imports the face",
    "parse/lines.ts",
    `\nimport "../parse.ts";`,
    "parse/lines.ts:2 imports parse.ts: imports point down, and below parse/ there is errors.ts",
  ],
  [
    "a type taken from above",
    "parse.ts",
    `import type { x } from "./client.ts";`,
    "parse.ts:1 imports client.ts: imports point down, and below parse.ts there is errors.ts, parse/",
  ],
  [
    "a client that knows the server",
    "client/retry.ts",
    `import "../server/log.ts";`,
    "client/retry.ts:1 imports server/log.ts: imports point down, and below client/ there is errors.ts, parse/, parse.ts",
  ],
  [
    "a floor that imports anything",
    "errors.ts",
    `import "./encode.ts";`,
    "errors.ts:1 imports encode.ts: imports point down, and below errors.ts there is nothing",
  ],
  [
    "a log adapter that imports the server as code",
    "log/redis.ts",
    `import "../server.ts";`,
    `log/redis.ts:1 imports server.ts: log/ may take types only from there, use "import type"`,
  ],
  [
    "a built-in module of Node outside of its rooms",
    "server/session.ts",
    `import type { Server } from "node:http";`,
    "server/session.ts:1 imports node:http: only node.ts, log/sqlite.ts, cli/ and cli.ts may import node:*",
  ],
  [
    "a library file that imports a test",
    "client/retry.ts",
    `import "../bench/a.ts";`,
    "client/retry.ts:1 imports bench/a.ts: the library never imports what is only for its development",
  ],
  [
    "a use of the Deno global",
    "server/session.ts",
    `// Deno.serve\nexport const d = Deno.version;`,
    "server/session.ts:2 uses the Deno global: what ships runs on Node and Bun, too",
  ],
  [
    "the Deno global by its name",
    "server/session.ts",
    `export const d = Reflect.get(globalThis, "Deno");`,
    "server/session.ts:1 uses the Deno global: what ships runs on Node and Bun, too",
  ],
  [
    "a library that knows its command line",
    "errors.ts",
    `import "./cli/main.ts";`,
    "errors.ts:1 imports cli/main.ts: imports point down, and below errors.ts there is nothing",
  ],
  [
    "a file in no room",
    "extras/new.ts",
    ``,
    "extras/new.ts is in no room: name the room in tools/layers.ts",
  ],
  [
    "an import cycle within a room",
    "parse/lines.ts",
    `import type { l } from "./events.ts"; export type L = typeof l;`,
    "parse/events.ts -> parse/lines.ts -> parse/events.ts is an import cycle: move what both need to a file beneath them",
  ],
];

for (const [title, file, source, problem] of BREACHES) {
  Deno.test(`checkLayers names ${title}`, async () => {
    const problems = await check({ [file]: source });
    assertEquals(problems.filter((text) => !text.includes(" -> ") || text === problem), [problem]);
  });
}
