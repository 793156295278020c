/**
 * `sse`: finds the command, runs it, and makes an exit code of how it ended.
 *
 * @module
 */

import { closest } from "./closest.ts";
import type { AnyCommand } from "./command.ts";
import { loadCommand, loadCommands } from "./commands.ts";
import { type Context, Interrupt } from "./context.ts";
import { EXIT, explain, Failure, UsageError } from "./failure.ts";
import { commandHelp, programHelp } from "./help.ts";
import { VERSION } from "./version.ts";
import { visible } from "./visible.ts";

/**
 * Runs a command line to its end.
 *
 * @param args What follows `sse`.
 * @returns The exit code. What goes wrong is told on `stderr` in a sentence.
 */
export async function main(args: readonly string[], context: Context): Promise<number> {
  return await finish(() => dispatch(args, context), context);
}

/** Does the work, and makes an exit code of how it ends, and a sentence if that is not well. */
export async function finish(
  work: () => Promise<number>,
  { signal, stderr }: Pick<Context, "signal" | "stderr">,
): Promise<number> {
  const { code, failure } = await outcome(work, signal);
  if (failure === undefined) return code;
  await stderr.line(`${stderr.style("red", "sse:")} ${visible(failure.sentence)}`);
  if (failure.help !== undefined) await stderr.line(`Try: ${failure.help}`);
  return code;
}

/** How work has ended; what has failed, if it is to be told. */
interface Outcome {
  readonly code: number;
  readonly failure?: { readonly sentence: string; readonly help?: string };
}

async function outcome(work: () => Promise<number>, signal: AbortSignal): Promise<Outcome> {
  try {
    const code = await work();
    const { reason } = signal;
    // What could not be written is not done, whatever a command knows of it.
    return reason instanceof Interrupt && reason.exitCode === EXIT.failed
      ? endOf(reason)
      : { code };
  } catch (error) {
    const { reason } = signal;
    // What breaks off because of an interrupt has not failed.
    if (reason instanceof Interrupt && isOf(error, reason)) return endOf(reason);
    const found = explain(error);
    if (found === undefined) throw error;
    const { sentence, exitCode: code } = found;
    if (!(error instanceof UsageError)) return { code, failure: { sentence } };
    const help = ["sse", ...(error.command === undefined ? [] : [error.command]), "--help"];
    return { code, failure: { sentence, help: help.join(" ") } };
  }
}

/** Who interrupts knows why; what has interrupted by a failure is to be told. */
function endOf({ exitCode: code, message: sentence }: Interrupt): Outcome {
  return code === EXIT.failed ? { code, failure: { sentence } } : { code };
}

/**
 * Whether an error is what an interrupt looks like from where it was thrown: itself, or what a socket
 * says that was closed by it. A command that says itself what has failed then is believed.
 */
function isOf(error: unknown, interrupt: Interrupt): boolean {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if (cause === interrupt) return true;
  }
  return !(error instanceof Failure);
}

async function dispatch([name, ...args]: readonly string[], context: Context): Promise<number> {
  const { stdout, stderr } = context;
  if (name === undefined) {
    await stderr.write(programHelp(await loadCommands(), VERSION, stderr.columns));
    return EXIT.usage;
  }
  if (name === "--version" || name === "-V") return await print(context, `${VERSION}\n`);
  if (name === "--help" || name === "-h" || (name === "help" && args.length === 0)) {
    return await print(context, programHelp(await loadCommands(), VERSION, stdout.columns));
  }
  const wanted = name === "help" ? args[0] : name;
  const command = await loadCommand(wanted);
  if (command === undefined) throw await unknown(wanted);
  const rest = args.slice(0, endOfOptions(args));
  if (name === "help" || rest.includes("--help") || rest.includes("-h")) {
    return await print(context, commandHelp(command, stdout.columns));
  }
  return await run(command, args, context);
}

async function run(
  command: AnyCommand,
  args: readonly string[],
  context: Context,
): Promise<number> {
  try {
    return await command.start(args, context);
  } catch (error) {
    // A value that makes no sense is told by who reads it, which does not know for which command.
    if (!(error instanceof UsageError) || error.command !== undefined) throw error;
    throw new UsageError(error.message, command.name);
  }
}

async function unknown(name: string): Promise<UsageError> {
  const names = (await loadCommands()).map(({ name }) => name);
  const meant = /^https?:/.test(name) ? "get" : closest(name, names);
  const others = meant === undefined ? `only ${names.join(", ")}` : `did you mean ${meant}?`;
  return new UsageError(`Cannot run ${JSON.stringify(name)}: there is no such command, ${others}`);
}

async function print({ stdout }: Context, text: string): Promise<number> {
  await stdout.write(text);
  return EXIT.ok;
}

function endOfOptions(args: readonly string[]): number {
  const index = args.indexOf("--");
  return index < 0 ? args.length : index;
}
