/**
 * The completions for zsh.
 *
 * @module
 */

import type { AnyCommand } from "../command.ts";
import { argumentValues, type OptionWord, optionWords, quoteWord, type Values } from "./words.ts";

/** The script, which is sourced, or put as `_sse` where `fpath` has it. */
export function zshScript(commands: readonly AnyCommand[]): string {
  const described = commands.map(({ name, summary }) => quoteWord(`${name}:${escape(summary)}`));
  return `#compdef sse
# Completions of sse for zsh. In ~/.zshrc, after compinit: source <(sse completions zsh)
_sse() {
  local curcontext=$curcontext state line
  _arguments -C '(- *)'{-h,--help}'[Print the help]' '(- *)'{-V,--version}'[Print the version]' \\
    '1:command:->command' '*::argument:->argument'
  case $state in
    command)
      local -a commands=(
        ${described.join("\n        ")}
      )
      _describe command commands
      ;;
    argument)
      case $words[1] in
${commands.map(commandCase).join("\n")}
      esac
      ;;
  esac
}
if [[ $funcstack[1] == _sse ]]; then
  _sse "$@"
else
  compdef _sse sse
fi
`;
}

function commandCase(command: AnyCommand): string {
  const specs = [
    ...optionWords(command).map(optionSpec),
    ...command.arguments.map((argument, i) => {
      const optional = argument.optional ? ":" : "";
      const message = escape(argument.name);
      return quoteWord(`${i + 1}:${optional}${message}:${action(argumentValues(argument))}`);
    }),
  ];
  return `        ${command.name})
          _arguments -s -S \\
            ${specs.join(" \\\n            ")}
          ;;`;
}

function optionSpec({ long, short, help, value, values, multiple }: OptionWord): string {
  const more = value === undefined ? "" : `:${escape(value)}:${action(values)}`;
  const text = `[${escape(help)}]${more}`;
  const equals = value === undefined ? "" : "=";
  if (short === undefined) return quoteWord(`${multiple ? "*" : ""}${long}${equals}${text}`);
  const attached = value === undefined ? "" : "+";
  const before = multiple ? "'*'" : quoteWord(`(${short} ${long})`);
  return `${before}{${short}${attached},${long}${equals}}${quoteWord(text)}`;
}

function action(values: Values): string {
  switch (values.kind) {
    case "none":
      // A list of none. What only says what is wanted would keep options from being offered.
      return "()";
    case "files":
      return "_files";
    case "choices":
      return `(${values.choices.map(escape).join(" ")})`;
  }
}

/** What ends a part of a description there. */
function escape(text: string): string {
  return text.replace(/[\\:[\]]/g, "\\$&");
}
