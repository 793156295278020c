/**
 * `sse completions`: what a shell completes, made of the tables of the commands.
 *
 * @module
 */

import { type AnyCommand, defineCommand } from "./command.ts";
import { bashScript } from "./completions/bash.ts";
import { fishScript } from "./completions/fish.ts";
import { zshScript } from "./completions/zsh.ts";
import { EXIT, UsageError } from "./failure.ts";

/** Makes the script of each shell. */
const SHELLS: Readonly<Record<string, (commands: readonly AnyCommand[]) => string>> = {
  bash: bashScript,
  zsh: zshScript,
  fish: fishScript,
};

/**
 * The command.
 *
 * @param loadCommands Gives all commands, this one too: the table of them knows this module, and not
 * the other way.
 */
export function completionsOf(loadCommands: () => Promise<readonly AnyCommand[]>): AnyCommand {
  return defineCommand({
    name: "completions",
    summary: "Print the completions for a shell",
    arguments: [{ name: "SHELL", choices: Object.keys(SHELLS) }],
    options: {},
    examples: [
      { line: "source <(sse completions bash)", what: "For bash, in ~/.bashrc" },
      { line: "source <(sse completions zsh)", what: "For zsh, in ~/.zshrc after compinit" },
      {
        line: "sse completions fish > ~/.config/fish/completions/sse.fish",
        what: "For fish, once",
      },
    ],
    async run({ arguments: [shell] }, { stdout }) {
      if (!Object.hasOwn(SHELLS, shell)) {
        const names = Object.keys(SHELLS).join(", ");
        throw new UsageError(
          `Cannot complete in ${JSON.stringify(shell)}: the shells are ${names}`,
        );
      }
      await stdout.write(SHELLS[shell](await loadCommands()));
      return EXIT.ok;
    },
  });
}
