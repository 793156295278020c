/**
 * What a command of `sse` is: its arguments and options as one table, from which the parsing, the
 * help and the completions come.
 *
 * @module
 */

import { parseArgs } from "node:util";
import { closest } from "./closest.ts";
import type { Context } from "./context.ts";
import { UsageError } from "./failure.ts";

/** One option of a command. */
export interface Option {
  /** `"boolean"` for a flag; `"string"` takes a value, which the command converts itself. */
  readonly type: "string" | "boolean";
  /** The letter for `-x`. */
  readonly short?: string;
  /** Whether it may be given more than once; its value is then an array. */
  readonly multiple?: boolean;
  /** What stands for the value in the help: `MS`, `FILE`. */
  readonly value?: string;
  /** What it does, in a phrase that begins with a capital and has no full stop. */
  readonly help: string;
  /** The values there are, if they are few: for the completions. */
  readonly choices?: readonly string[];
}

/** The options of a command, by their long names. */
export type Options = Readonly<Record<string, Option>>;

/** One argument that is no option. */
export interface Argument {
  /** What stands for it in the help: `URL`, `FILE`. A shell completes paths for `FILE`. */
  readonly name: string;
  /** Whether it may be missing: then all that follow may be, too. */
  readonly optional?: boolean;
  /** The values there are, if they are few: for the completions. */
  readonly choices?: readonly string[];
}

type Value<O extends Option> = O["type"] extends "boolean" ? boolean
  : O["multiple"] extends true ? readonly string[]
  : string;

/** What a command line gave. */
export interface Input<O extends Options = Options> {
  /** The arguments that are no options, in their order. */
  readonly arguments: readonly string[];
  /** The options that were given, by their long names. */
  readonly options: { readonly [Name in keyof O]?: Value<O[Name]> };
}

/** One command. */
export interface Command<O extends Options = Options> {
  /** Its name: `get`. */
  readonly name: string;
  /** What it does, in a phrase that begins with a verb as `Read` and has no full stop. */
  readonly summary: string;
  /** What it takes besides options. */
  readonly arguments: readonly Argument[];
  /** Its options, in the order of the help. */
  readonly options: O;
  /** Command lines to learn from, and what each does. */
  readonly examples: readonly { readonly line: string; readonly what: string }[];
  /** What else there is to know, as lines of text. */
  readonly notes?: readonly string[];
  /**
   * Does it.
   *
   * @returns The exit code.
   * @throws {UsageError} If a value makes no sense.
   */
  run(input: Input<O>, context: Context): Promise<number>;
}

/** A command as the table holds it, whatever its options. */
export type AnyCommand = Omit<Command, "run"> & {
  /** Does it with what follows its name on the command line. */
  start(args: readonly string[], context: Context): Promise<number>;
};

/** The option that every command has. */
export const HELP: Option = { type: "boolean", short: "h", help: "Print this" };

/** Makes a command of its table, with the types of its options. */
export function defineCommand<const O extends Options>(command: Command<O>): AnyCommand {
  return {
    ...command,
    start: (args, context) => command.run(parseInput(command, args), context),
  };
}

function parseInput<O extends Options>(command: Command<O>, args: readonly string[]): Input<O> {
  const given = parse(command, args);
  const { arguments: expected, name } = command;
  const least = expected.filter(({ optional }) => !optional).length;
  if (given.positionals.length < least) {
    throw new UsageError(
      `Cannot run "sse ${name}": ${expected[given.positionals.length].name} is missing`,
      name,
    );
  }
  if (given.positionals.length > expected.length) {
    const extra = given.positionals[expected.length];
    throw new UsageError(
      `Cannot run "sse ${name}": ${JSON.stringify(extra)} is one argument too many`,
      name,
    );
  }
  // parseArgs has checked each value against the same table.
  return { arguments: given.positionals, options: given.values as Input<O>["options"] };
}

function parse({ name, options }: Pick<Command, "name" | "options">, args: readonly string[]) {
  const config = Object.fromEntries(
    Object.entries(options).map(([name, { type, short, multiple }]) => {
      // parseArgs takes no `undefined` for what is not there.
      return [name, { type, ...(short && { short }), ...(multiple && { multiple }) }];
    }),
  );
  try {
    return parseArgs({ args: [...args], options: config, allowPositionals: true });
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    throw new UsageError(`Cannot run "sse ${name}": ${reasonOf(error, options)}`, name);
  }
}

/** What `parseArgs` says, in our words: its own name what a program should do. */
function reasonOf({ message }: TypeError, options: Options): string {
  const [, named, complaint] = /^[A-Z]\w+ (?:option )?'([^']*)' ?(.*)/.exec(message) ?? [];
  if (named === undefined) return message;
  const option = longOf(named, options);
  if (/^Unknown/.test(message)) {
    const names = Object.keys({ ...options, help: HELP }).map((name) => `--${name}`);
    const meant = closest(option, names);
    return `there is no option ${option}${meant === undefined ? "" : `, did you mean ${meant}?`}`;
  }
  if (/^argument is ambiguous/.test(complaint)) {
    return `a value of ${option} that begins with a dash is written ${option}=VALUE`;
  }
  if (/^argument missing/.test(complaint)) return `the value of ${option} is missing`;
  if (/^does not take/.test(complaint)) return `${option} takes no value`;
  return message;
}

/** `--count` of `-n, --count <value>` or of `-n`. */
function longOf(named: string, options: Options): string {
  const long = /--[^\s,]+/.exec(named)?.[0];
  if (long !== undefined) return long;
  const name = Object.keys(options).find((name) => `-${options[name].short}` === named);
  return name === undefined ? named : `--${name}`;
}
