/**
 * The completions for bash.
 *
 * @module
 */

import type { AnyCommand } from "../command.ts";
import { argumentValues, optionWords, quoteWord, type Values } from "./words.ts";

/** The script, which is sourced. */
export function bashScript(commands: readonly AnyCommand[]): string {
  const names = [...commands.map(({ name }) => name), "--help", "--version"];
  return `# Completions of sse for bash. In ~/.bashrc: source <(sse completions bash)
_sse() {
  local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD-1]}
  local IFS=$'\\n'
  COMPREPLY=()
  if ((COMP_CWORD == 1)); then
    COMPREPLY=($(compgen -W ${words(names)} -- "$cur"))
    return
  fi
  # bash makes three words of --name=value.
  if [[ $cur == = ]]; then
    cur=
  elif [[ $prev == = ]]; then
    prev=\${COMP_WORDS[COMP_CWORD-2]}
  fi
  case \${COMP_WORDS[1]} in
${commands.map(commandCase).join("\n")}
  esac
}
complete -F _sse sse
`;
}

function commandCase(command: AnyCommand): string {
  const options = optionWords(command);
  const spelled = options.map(({ long }) => long);
  const valued = Map.groupBy(
    options.filter(({ value }) => value !== undefined),
    ({ values }) => reply(values),
  );
  const cases = [...valued].map(([reply, options]) => {
    const patterns = options.flatMap(({ long, short }) =>
      short === undefined ? long : [short, long]
    );
    return `        ${patterns.join(" | ")})\n          ${reply}\n          return\n          ;;`;
  });
  // Which argument it is cannot be told without reading the options: any of them is offered.
  const replies = command.arguments.map((argument) => reply(argumentValues(argument)));
  return `    ${command.name})
      case $prev in
${cases.join("\n")}
      esac
      if [[ $cur == -* ]]; then
        COMPREPLY=($(compgen -W ${words(spelled)} -- "$cur"))
      else
        ${[...new Set([":", ...replies])].join("\n        ")}
      fi
      ;;`;
}

/** Appends what fits the word before the cursor. */
function reply(values: Values): string {
  switch (values.kind) {
    case "none":
      return ":";
    case "files":
      return `compopt -o filenames 2>/dev/null; COMPREPLY+=($(compgen -f -- "$cur"))`;
    case "choices":
      return `COMPREPLY+=($(compgen -W ${words(values.choices)} -- "$cur"))`;
  }
}

/** A list for compgen, which splits it at the IFS of the script. */
function words(list: readonly string[]): string {
  return `$${quoteWord(list.join("\\n"))}`;
}
