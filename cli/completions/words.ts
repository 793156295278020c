/**
 * What can be completed: the tables of the commands, as any shell wants them.
 *
 * @module
 */

import { type AnyCommand, type Argument, HELP, type Option } from "../command.ts";

/** What a value is completed with. */
export type Values =
  | { readonly kind: "none" }
  | { readonly kind: "files" }
  | { readonly kind: "choices"; readonly choices: readonly string[] };

/** An option of a command. */
export interface OptionWord {
  /** `--count`. */
  readonly long: string;
  /** `-n`, if it has a letter. */
  readonly short: string | undefined;
  /** What it does. */
  readonly help: string;
  /** What its value is called; `undefined` if it takes none. */
  readonly value: string | undefined;
  /** What its value is completed with. */
  readonly values: Values;
  /** Whether it may be given again. */
  readonly multiple: boolean;
}

/** The options of a command, `--help` too. */
export function optionWords({ options }: AnyCommand): OptionWord[] {
  return Object.entries({ ...options, help: HELP }).map(([name, option]: [string, Option]) => ({
    long: `--${name}`,
    short: option.short === undefined ? undefined : `-${option.short}`,
    help: option.help,
    value: option.type === "boolean" ? undefined : option.value ?? "VALUE",
    values: valuesOf(option.value, option.choices),
    multiple: option.multiple === true,
  }));
}

/** What an argument is completed with. */
export function argumentValues({ name, choices }: Argument): Values {
  return valuesOf(name, choices);
}

function valuesOf(name: string | undefined, choices: readonly string[] | undefined): Values {
  if (choices !== undefined) return { kind: "choices", choices };
  return { kind: name === "FILE" ? "files" : "none" };
}

/** A word for any of the shells, whatever is in it. */
export function quoteWord(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
