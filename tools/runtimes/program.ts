/**
 * A program that runs the suites and tells of them by lines on standard output.
 *
 * @module
 */

import type { Report } from "../../tests/runtime/harness.ts";
import type { RunContext, RunResult, Unavailable } from "./runner.ts";

/** How long the suites may take on one runtime, in ms. */
const PATIENCE = 120_000;

const MARK = "REPORT ";

/** What to start. */
export interface Program {
  /** The path of the runtime. */
  readonly command: string;
  /** Its arguments. */
  readonly args: readonly string[];
  /** Where it is run. */
  readonly cwd: string;
}

/** Whatever a finished program left behind. */
export interface Finished {
  /** The exit status; `undefined` if there is no such program. */
  readonly code: number | undefined;
  /** Standard output. */
  readonly stdout: string;
  /** Standard error. */
  readonly stderr: string;
}

/** Runs a program to its end, which `signal` or the bound brings about otherwise. */
export async function finish(
  { command, args, cwd }: Program,
  signal: AbortSignal,
  env: Record<string, string> = {},
): Promise<Finished> {
  const bounded = AbortSignal.any([signal, AbortSignal.timeout(PATIENCE)]);
  try {
    const { code, stdout, stderr } = await new Deno.Command(command, {
      args: [...args],
      cwd,
      env: { NO_COLOR: "1", ...env },
      stdin: "null",
      signal: bounded,
    }).output();
    const text = new TextDecoder();
    return { code, stdout: text.decode(stdout), stderr: text.decode(stderr) };
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    return { code: undefined, stdout: "", stderr: "" };
  }
}

/** The reports in the output of a program, and what is wrong with the run as a whole. */
export function readReports({ code, stdout, stderr }: Finished): Omit<RunResult, "version"> {
  const reports: Report[] = [];
  for (const line of stdout.split("\n")) {
    // A test runner may put something before it.
    const at = line.indexOf(MARK);
    if (at >= 0) reports.push(JSON.parse(line.slice(at + MARK.length)));
  }
  const failed = reports.some((report) => report.kind === "ran" && report.error !== undefined);
  if (code === 0 || failed && code !== undefined && code < 128) return { reports };
  const end = `${stdout}\n${stderr}`.trim().split("\n").filter((line) => !line.includes(MARK));
  return { reports, problem: `it ended with ${code}: ${end.slice(-30).join("\n")}` };
}

/** Runs `main.ts`, or a bundle of it, under a runtime that is there. */
export async function runProgram(
  program: Program,
  version: string,
  { origin, otherOrigin, signal }: RunContext,
): Promise<RunResult> {
  const env = {
    SSE_TEST_ORIGIN: origin,
    SSE_TEST_OTHER_ORIGIN: otherOrigin,
    // Some would ask a proxy that the environment names for loopback too.
    NO_PROXY: "127.0.0.1",
  };
  const finished = await finish(program, signal, env);
  return { version, ...readReports(finished) };
}

/**
 * Where a runtime is that comes as a package of npm, and its version.
 *
 * @param specifier The package: `node@24`.
 * @param name The command in it.
 * @param context What to do it in.
 */
export async function findRuntime(
  specifier: string,
  name: string,
  { folder, signal }: RunContext,
): Promise<{ command: string; version: string } | Unavailable> {
  const script = "console.log(process.execPath + ' ' + process.versions." + name + ")";
  // `npx` finds it, but the runtime itself is started: what is started is what is ended.
  const args = ["--yes", `--package=${specifier}`, "--", name, "-e", script];
  const { code, stdout, stderr } = await finish({ command: "npx", args, cwd: folder }, signal);
  if (code === undefined) return { unavailable: "there is no npx: install Node and npm" };
  if (code !== 0) return { unavailable: `npx cannot get ${specifier}: ${firstLine(stderr)}` };
  const [command, version] = stdout.trim().split(" ");
  return { command, version };
}

function firstLine(text: string): string {
  return text.trim().split("\n")[0];
}
