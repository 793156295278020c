/**
 * No code block of the documentation is there unproven: `deno test --doc` runs the TypeScript, what it
 * leaves out is run here or by the test that is named, or is no code.
 */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { ROOT } from "../../tools/_deno.ts";
import { hasNats, hasRedis, startNats, startRedis } from "../engines.ts";
import { type Block, blocksOf, markdownFiles } from "./blocks.ts";

/** Which blocks a test runs, by the beginnings of `file: info: first line`. */
const RUN_BY: readonly (readonly [start: string, test: string])[] = [
  ["README.md: sh: deno add jsr:", "tests/package/install.ts"],
  ["README.md: sh: npx @webstreams/sse get", "tests/package/program.ts"],
  ["docs/browsers.md: ts ignore:", "tests/docs/browsers_test.ts"],
  ["docs/cli.md: sh", "tests/docs/shell_test.ts"],
  ["docs/proxies.md:", "tests/docs/proxies_test.ts"],
  ["docs/scale.md: sh: deno eval", "tests/docs/blocks_test.ts"],
  ["docs/scale.md: sh: deno task storm", "tests/docs/blocks_test.ts"],
  ["docs/scale.md: nginx:", "tests/docs/proxies_test.ts"],
  ["docs/serve.md: ts ignore:", "tests/docs/blocks_test.ts"],
  ["bench/RESULTS.md: sh: deno task bench:report", "tests/bench/report_test.ts"],
];

/** What is no code: formulas, listings. */
const TEXT = ["text", "http"];

function titleOf(file: string, { info, code }: Block): string {
  return `${file}: ${info}: ${code.split("\n")[0]}`;
}

Deno.test("each code block of the documentation is run by a test", async () => {
  const unproven: string[] = [];
  const proven = new Set<string>();
  for (const file of await markdownFiles()) {
    for (const block of await blocksOf(file)) {
      if (block.info === "ts" || TEXT.includes(block.info)) continue;
      const title = titleOf(file, block);
      const entry = RUN_BY.find(([start]) => title.startsWith(start));
      if (entry === undefined) unproven.push(title);
      else proven.add(entry[0]);
    }
  }
  assertEquals(unproven, []);
  assertEquals([...proven].sort(), RUN_BY.map(([start]) => start).sort());
  for (const [, test] of RUN_BY) assert((await Deno.stat(ROOT + test)).isFile, test);
});

/** Runs a command in the root; what it prints. */
async function run(command: string, args: string[]): Promise<string> {
  const { code, stdout, stderr } = await new Deno.Command(command, {
    args,
    cwd: ROOT,
    env: { NO_COLOR: "1" },
    stdin: "null",
  }).output();
  assertEquals(code, 0, new TextDecoder().decode(stderr));
  return new TextDecoder().decode(stdout);
}

Deno.test("docs/scale.md names storms that can be played", async () => {
  const blocks = await blocksOf("docs/scale.md");
  const storms = blocks.flatMap(({ code }) => code.match(/^deno task storm .*$/gm) ?? []);
  assert(storms.length > 0);
  for (const storm of storms) {
    // As few as show that the flags are right.
    const args = storm.replace(/--readers \d+/, "").split(/ +/).slice(3);
    const few = ["run", "tools/storm.ts", ...args, "--readers", "2000"];
    assertStringIncludes(await run(Deno.execPath(), few), "2000 readers");
  }
});

Deno.test("docs/scale.md shows how to measure the memory of a reader", {
  ignore: Deno.build.os !== "linux",
}, async () => {
  const [block] = (await blocksOf("docs/scale.md")).filter(({ code }) =>
    code.startsWith("deno eval")
  );
  const code = /'([^]*)'/.exec(block.code)?.[1] ?? "";
  const few = code.replace("5000", "20");
  assert(code !== few);
  assert(Number(await run(Deno.execPath(), ["eval", few])) > 0);
});

/** Runs a block of `docs/serve.md` on an engine, of which `at` tells it, and publishes by its hub. */
async function publishWith(start: string, from: string, at: string): Promise<void> {
  const blocks = (await blocksOf("docs/serve.md")).filter(({ info }) => info === "ts ignore");
  const [block] = blocks.filter(({ code }) => code.startsWith(start));
  const code = block.code.replace(from, at)
    .replace("Deno.serve(", "Deno.serve({ port: 0, onListen() {} }, ");
  assert(code !== block.code);
  const publish = 'console.log(await hub.publish("news", { data: "a" })); Deno.exit();';
  // Its ids are `epoch.seq`.
  assertStringIncludes(await run(Deno.execPath(), ["eval", `${code}\n${publish}`]), ".1");
}

Deno.test("docs/serve.md shows a hub on Redis", { ignore: !await hasRedis }, async () => {
  await using redis = await startRedis();
  const at = `createClient({ url: "redis://127.0.0.1:${redis.port}" })`;
  await publishWith("import { createClient }", "createClient()", at);
});

Deno.test("docs/serve.md shows a hub on NATS", { ignore: !await hasNats }, async () => {
  await using nats = await startNats();
  await publishWith("import { connect }", "connect({", `connect({ port: ${nats.port},`);
});
