/**
 * The completions for fish.
 *
 * @module
 */

import type { AnyCommand } from "../command.ts";
import { argumentValues, optionWords, quoteWord, type Values } from "./words.ts";

/** The script, which is put where fish looks for it. */
export function fishScript(commands: readonly AnyCommand[]): string {
  const lines = commands.map(({ name, summary }) =>
    `complete -c sse -n __fish_use_subcommand -a ${name} -d ${quote(summary)}`
  );
  return [
    "# Completions of sse for fish. Once: sse completions fish > ~/.config/fish/completions/sse.fish",
    "complete -c sse -f",
    "complete -c sse -n __fish_use_subcommand -s h -l help -d 'Print the help'",
    "complete -c sse -n __fish_use_subcommand -s V -l version -d 'Print the version'",
    ...lines,
    ...commands.flatMap(commandLines),
    "",
  ].join("\n");
}

function commandLines(command: AnyCommand): string[] {
  const begin = `complete -c sse -n '__fish_seen_subcommand_from ${command.name}'`;
  const options = optionWords(command).map(({ long, short, help, value, values }) => {
    const letter = short === undefined ? "" : ` -s ${short.slice(1)}`;
    const more = value === undefined ? "" : ` -r ${offer(values)}`;
    return `${begin} -l ${long.slice(2)}${letter}${more} -d ${quote(help)}`;
  });
  const values = command.arguments.map(argumentValues).filter(({ kind }) => kind !== "none");
  return [...options, ...values.map((value) => `${begin} ${offer(value)}`)];
}

function offer(values: Values): string {
  switch (values.kind) {
    case "none":
      return "-f";
    case "files":
      return "-F";
    case "choices":
      return `-f -a ${quote(values.choices.join(" "))}`;
  }
}

/** In fish a backslash counts between quotes, too. */
function quote(text: string): string {
  return quoteWord(text.replaceAll("\\", "\\\\"));
}
