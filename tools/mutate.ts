/**
 * Mutation testing: break the parser and the encoder at one place at a time and see that a test
 * goes red. A mutant that survives is a line that no test holds in place, or a line that is not
 * needed; a person decides which, so survivors are reported and do not fail the run.
 *
 * ```sh
 * deno task mutate                          # parse/*.ts and encode/*.ts
 * deno task mutate parse/lines.ts           # these files
 * deno task mutate --list parse/lines.ts    # only say what would be broken
 * deno task mutate --only parse/lines.ts:42 # only the mutants of one line
 * deno task mutate --tests tests/parse      # with these tests (comma separated)
 * ```
 *
 * `SSE_TEST_RUNS` is how many inputs a property test tries; 20 unless it is set.
 *
 * @module
 */

import { join } from "node:path";
import { parseArgs } from "node:util";
import { count, ROOT } from "./_deno.ts";
import { apply, describe, type Mutant, mutantsOf } from "./_mutants.ts";

/** What {@linkcode mutate} is asked to do. */
export interface MutateOptions {
  /** The tree to break, copied and never written to. */
  root: string;
  /** The mutants to try. */
  mutants: Mutant[];
  /** Test files and folders, relative to the root. */
  tests: string[];
  /**
   * Mutants that are tried at the same time.
   *
   * @default {2}
   */
  workers?: number;
  /**
   * The least time in milliseconds that a mutant gets before it counts as hung, and so as killed; it
   * gets more when the tests need more unbroken.
   *
   * @default {10000}
   */
  patience?: number;
  /** Called after each mutant. */
  onResult?: (done: number, survived: number) => void;
  /** Called with each mutant that no test noticed, at once: a long run may be cut short. */
  onSurvivor?: (mutant: Mutant) => void;
}

/** Tries every mutant against the tests and returns those that no test noticed. */
export async function mutate(options: MutateOptions): Promise<Mutant[]> {
  const { root, mutants, tests, workers = 2, patience = 10_000, onResult, onSurvivor } = options;
  const queue = [...mutants];
  const survivors = new Set<Mutant>();
  let done = 0;
  async function work(): Promise<void> {
    const folder = await Deno.makeTempDir({ prefix: "mutate-" });
    try {
      await copyTree(root, folder);
      const baseline = await runTests(folder, tests, Infinity);
      if (!baseline.passed) {
        throw new Error(`Cannot mutate: the tests fail already:\n${baseline.output}`);
      }
      const limit = Math.max(patience, 5 * baseline.time);
      for (let mutant = queue.shift(); mutant !== undefined; mutant = queue.shift()) {
        const path = join(folder, mutant.file);
        const source = await Deno.readTextFile(path);
        await Deno.writeTextFile(path, apply(source, mutant));
        const { passed } = await runTests(folder, tests, limit);
        await Deno.writeTextFile(path, source);
        if (passed) {
          survivors.add(mutant);
          onSurvivor?.(mutant);
        }
        onResult?.(++done, survivors.size);
      }
    } finally {
      queue.length = 0; // A failure here ends the other worker too.
      await Deno.remove(folder, { recursive: true });
    }
  }
  const results = await Promise.allSettled(Array.from({ length: workers }, work));
  for (const result of results) if (result.status === "rejected") throw result.reason;
  return mutants.filter((mutant) => survivors.has(mutant));
}

interface TestRun {
  passed: boolean;
  output: string;
  time: number;
}

async function runTests(folder: string, tests: string[], limit: number): Promise<TestRun> {
  const started = performance.now();
  const child = new Deno.Command(Deno.execPath(), {
    // A broken loop may also grow without end; the heap limit turns that into a failure.
    args: [
      "test",
      "--no-check",
      "-A",
      "--fail-fast",
      "--v8-flags=--max-old-space-size=2048",
      ...tests,
    ],
    cwd: folder,
    env: { NO_COLOR: "1", SSE_TEST_RUNS: Deno.env.get("SSE_TEST_RUNS") ?? "20" },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  let hung = false;
  const timer = limit === Infinity ? undefined : setTimeout(() => {
    hung = true;
    child.kill("SIGKILL");
  }, limit);
  const { success, stdout, stderr } = await child.output();
  clearTimeout(timer);
  const text = new TextDecoder();
  return {
    passed: success && !hung,
    output: text.decode(stdout) + text.decode(stderr),
    time: performance.now() - started,
  };
}

async function copyTree(from: string, to: string): Promise<void> {
  for await (const { name, isDirectory, isFile } of Deno.readDir(from)) {
    if (name.startsWith(".") || /^(?:node_modules|coverage|dist)$/.test(name)) continue;
    if (isFile) await Deno.copyFile(join(from, name), join(to, name));
    if (!isDirectory) continue;
    await Deno.mkdir(join(to, name));
    await copyTree(join(from, name), join(to, name));
  }
}

async function defaultFiles(root: string): Promise<string[]> {
  const files: string[] = [];
  for (const folder of ["parse", "encode"]) {
    for await (const { name } of Deno.readDir(join(root, folder))) {
      if (name.endsWith(".ts")) files.push(`${folder}/${name}`);
    }
  }
  return files.sort();
}

async function defaultTests(root: string): Promise<string[]> {
  const tests = [];
  for (const path of ["tests/parse", "tests/encode_test.ts", "tests/spec"]) {
    if (await exists(join(root, path))) tests.push(path);
  }
  if (tests.length === 0) throw new Error("There are no tests to run: name some with --tests");
  return tests;
}

async function existing(root: string, paths: string[]): Promise<string[]> {
  for (const path of paths) {
    if (!await exists(join(root, path))) throw new Error(`There is no ${path}\n${USAGE}`);
  }
  return paths;
}

async function exists(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}

const USAGE = "usage: deno task mutate [--list] [--only file:line] [--tests a,b] [files...]";

/** The command line; returns the exit status. */
export async function main(args: string[], root: string): Promise<number> {
  try {
    return await run(args, root);
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    return 1;
  }
}

async function run(args: string[], root: string): Promise<number> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      list: { type: "boolean" },
      only: { type: "string" },
      tests: { type: "string" },
    },
  });
  const only = values.only?.match(/^(.+):(\d+)$/);
  if (values.only !== undefined && !only) throw new Error(USAGE);
  const named = only ? [only[1]] : positionals;
  const files = named.length > 0 ? await existing(root, named) : await defaultFiles(root);

  let mutants: Mutant[] = [];
  for (const file of files) {
    mutants.push(...mutantsOf(file, await Deno.readTextFile(join(root, file))));
  }
  if (only) mutants = mutants.filter(({ line }) => line === Number(only[2]));
  if (values.list) {
    for (const mutant of mutants) console.log(describe(mutant));
    console.log(count(mutants.length, "mutant"));
    return 0;
  }

  const tests = values.tests === undefined
    ? await defaultTests(root)
    : await existing(root, values.tests.split(","));
  const survivors = await mutate({
    root,
    mutants,
    tests,
    onResult: progress(mutants.length),
    onSurvivor: (mutant) => console.log(describe(mutant)),
  });
  const killed = mutants.length - survivors.length;
  console.log(`${count(mutants.length, "mutant")}, ${killed} killed, ${survivors.length} survived`);
  return 0;
}

function progress(total: number): (done: number, survived: number) => void {
  const terminal = Deno.stderr.isTerminal();
  const write = (text: string) => Deno.stderr.writeSync(new TextEncoder().encode(text));
  return (done, survived) => {
    const line = `${done} of ${total}, ${survived} survived`;
    if (terminal) write(`\r${line}${done === total ? "\n" : ""}`);
    else if (done % 25 === 0 || done === total) write(`${line}\n`);
  };
}

if (import.meta.main) Deno.exit(await main(Deno.args, ROOT));
