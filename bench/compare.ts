/**
 * Runs `figures.ts` in Deno, Node 24 and Bun, one after the other: the same code, bundled.
 *
 * @module
 */

const parts = Deno.args.length > 0 ? Deno.args : ["feed", "read", "encode"];
const script = new URL("./figures.ts", import.meta.url).pathname;
const bundle = await Deno.makeTempFile({ suffix: ".mjs" });

/** Runs a command that prints to ours; whether it succeeded. */
async function run(command: string, args: string[]): Promise<boolean> {
  try {
    const { success } = await new Deno.Command(command, { args, stdin: "null" }).spawn().status;
    return success;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** The npm packages that carry the other runtimes, and their commands. */
const OTHERS = [
  { name: "Node 24", package: "node@24", command: "node" },
  { name: "Bun", package: "bun@1.4.5", command: "bun" },
];

/** Each part in a process of its own: what was compiled for one is not in the way of the next. */
async function runParts(command: string, ...args: string[]): Promise<boolean> {
  let success = true;
  for (const part of parts) success = await run(command, [...args, part]) && success;
  return success;
}

let failed = !await runParts(Deno.execPath(), "run", "-A", script);
try {
  const bundling = ["bundle", "--quiet", "--platform", "deno", "-o", bundle, script];
  if (!await run(Deno.execPath(), bundling)) throw new Error(`Cannot bundle ${script}`);
  for (const { name, package: from, command } of OTHERS) {
    console.log("");
    if (!await runParts("npx", "--yes", `--package=${from}`, "--", command, bundle)) {
      console.log(`${name}: failed, see above; it needs npx on PATH and the npm registry`);
      failed = true;
    }
  }
} finally {
  await Deno.remove(bundle);
}
if (failed) Deno.exit(1);
