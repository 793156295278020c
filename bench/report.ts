/**
 * Runs the benches, and writes what they have shown: `bench/RESULTS.md` and the plots beside it.
 *
 * ```sh
 * deno task bench:report
 * ```
 *
 * `--scale 0.01` shows in a few minutes that all runs, into a folder that `--out` names; names of
 * benches run these alone, and keep what the others have left the last time.
 *
 * @module
 */

import { arch, cpus, totalmem, type } from "node:os";
import { parseArgs } from "node:util";
import { type Conditions, makeReport, type Result } from "./report_page.ts";
import { RESULTS_FILE } from "./results.ts";

/** The benches, by the names in their results; whether their arguments have a scale. */
const BENCHES: Readonly<Record<string, { file: string; scaled: boolean; needs?: string[] }>> = {
  "parse and encode": { file: "compare.ts", scaled: false },
  "growth": { file: "growth.ts", scaled: true },
  "memory": { file: "memory.ts", scaled: false },
  "client": { file: "connect.ts", scaled: true },
  "fan-out": { file: "fanout.ts", scaled: true },
  "cluster": { file: "cluster.ts", scaled: true, needs: ["redis-server", "nats-server"] },
};

/** Whose versions are told. */
const PEERS = [
  "eventsource-parser",
  "eventsource-encoder",
  "eventsource-client",
  "eventsource",
  "@microsoft/fetch-event-source",
  "better-sse",
  "hono",
  "redis",
  "ioredis",
  "@nats-io/jetstream",
];

/** Runs a bench, and gives what it has left; why it was not run, if so. */
async function run(name: string, scale: number): Promise<Result[] | string> {
  const { file, scaled, needs = [] } = BENCHES[name];
  for (const program of needs) {
    if (!await versionOf(program)) return `${name} was not run: ${program} is not installed.`;
  }
  const left = await Deno.makeTempFile({ suffix: ".jsonl" });
  try {
    const script = new URL(file, import.meta.url).pathname;
    const args = ["run", "-A", script, ...(scaled && scale !== 1 ? [`${scale}`] : [])];
    const env = { [RESULTS_FILE]: left };
    const { code } = await new Deno.Command(Deno.execPath(), { args, env, stdin: "null" }).spawn()
      .status;
    if (code !== 0) throw new Error(`Cannot report: the bench of ${name} failed, see above`);
    return readResults(await Deno.readTextFile(left));
  } finally {
    await Deno.remove(left);
  }
}

function readResults(text: string): Result[] {
  return text.split("\n").filter((line) => line !== "").map((line) => JSON.parse(line));
}

/** The version that a program tells, or `undefined` where there is none. */
async function versionOf(program: string): Promise<string | undefined> {
  try {
    const { stdout } = await new Deno.Command(program, { args: ["--version"] }).output();
    return /\d+\.\d+\.\d+/.exec(new TextDecoder().decode(stdout))?.[0];
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

async function conditions(missing: string[]): Promise<Conditions> {
  const config = JSON.parse(await Deno.readTextFile(new URL("../deno.json", import.meta.url)));
  const peers = PEERS.map((name) => {
    const specifier: string = config.imports[name];
    return `${name} ${specifier.slice(specifier.lastIndexOf("@") + 1)}`;
  });
  const engines = [];
  for (const program of BENCHES.cluster.needs ?? []) {
    const version = await versionOf(program);
    if (version !== undefined) engines.push(`${program} ${version}`);
  }
  const [{ model }] = cpus();
  const gigabytes = Math.round(totalmem() / 2 ** 30);
  const machine =
    `${type()} ${arch()}, ${cpus().length} cores (${model.trim()}), ${gigabytes} GB of memory`;
  return { machine, versions: [`Deno ${Deno.version.deno}`, ...peers, ...engines], missing };
}

const { values, positionals } = parseArgs({
  args: Deno.args,
  options: { scale: { type: "string", default: "1" }, out: { type: "string" } },
  allowPositionals: true,
});
const scale = Number(values.scale);
const names = positionals.length > 0 ? positionals : Object.keys(BENCHES);
const unknown = names.find((name) => !Object.hasOwn(BENCHES, name));
if (unknown !== undefined || !(scale > 0)) {
  console.error(
    unknown === undefined
      ? `Cannot report: --scale must be a number above 0: received ${values.scale}`
      : `Cannot report: there is no bench "${unknown}", only ${Object.keys(BENCHES).join(", ")}`,
  );
  Deno.exit(2);
}

const folder = (values.out ?? new URL(".", import.meta.url).pathname).replace(/\/$/, "");
const kept = `${folder}/results.jsonl`;
await Deno.mkdir(`${folder}/plots`, { recursive: true });
let results = await Deno.readTextFile(kept).then(readResults, () => []);
const missing: string[] = [];
for (const [i, name] of names.entries()) {
  console.error(`\n== ${name} (${i + 1} of ${names.length})`);
  const found = await run(name, scale);
  if (typeof found === "string") {
    missing.push(found);
    console.error(found);
    continue;
  }
  results = [...results.filter(({ bench }) => bench !== name), ...found];
  // Each at once: a bench that fails does not cost what the others have taken their time for.
  await Deno.writeTextFile(kept, results.map((result) => `${JSON.stringify(result)}\n`).join(""));
}
const { page, plots } = makeReport(results, await conditions(missing));
await Deno.writeTextFile(`${folder}/RESULTS.md`, page);
for (const [name, svg] of plots) await Deno.writeTextFile(`${folder}/plots/${name}`, svg);
// Aligned, as the check of formatting wants it.
await new Deno.Command(Deno.execPath(), { args: ["fmt", "--quiet", `${folder}/RESULTS.md`] })
  .output();
console.error(`\nWrote ${folder}/RESULTS.md and ${plots.size} plots`);
