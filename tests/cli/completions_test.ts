/** `sse completions`: in the real shells, what they offer for the beginning of a command line. */

import { assertEquals, assertStringIncludes } from "@std/assert";
import { join } from "node:path";
import { optionWords } from "../../cli/completions/words.ts";
import { loadCommands } from "../../cli/commands.ts";
import { requireProgram } from "../programs.ts";
import { runCli } from "./helpers.ts";

const SHELLS = {
  bash: await requireProgram("bash", ["--version"], "apt-get install bash"),
  zsh: await requireProgram("zsh", ["--version"], "apt-get install zsh"),
  fish: await requireProgram("fish", ["--version"], "apt-get install fish"),
};

const COMMANDS = await loadCommands();
const NAMES = COMMANDS.map(({ name }) => name);

/** Beginnings of a line, and what its last word can become; `FILE` stands for a file that is there. */
const CASES: [line: string, offered: string[]][] = [
  ["sse ", NAMES],
  ["sse comp", ["completions"]],
  ["sse completions ", ["bash", "zsh", "fish"]],
  ["sse completions z", ["zsh"]],
  ["sse get --retry", ["--retry", "--retry-delay"]],
  ["sse get --retry ", ["no", "forever"]],
  ["sse get --retry f", ["forever"]],
  ["sse get --json --cou", ["--count"]],
  ["sse get http://a --last-event-id-", ["--last-event-id-param"]],
  ["sse get --count ", []],
  ["sse get ", []],
  ["sse get --resume FILE_", ["FILE_ONE", "FILE_TWO"]],
  ["sse get -H FILE_", []],
  ["sse replay FILE_", ["FILE_ONE", "FILE_TWO"]],
];

/** Runs a script in a shell, in a folder with the completions and two files, and gives its lines. */
async function inShell(shell: string, script: string, lines: readonly string[]): Promise<string[]> {
  const folder = await Deno.makeTempDir({ prefix: "completions-" });
  try {
    const { code, stdout: completions } = await runCli(["completions", shell]);
    assertEquals(code, 0);
    await Deno.writeTextFile(join(folder, "completions"), completions);
    await Deno.writeTextFile(join(folder, "script"), script);
    for (const name of ["FILE_ONE", "FILE_TWO"]) await Deno.writeTextFile(join(folder, name), "");
    const { success, stdout, stderr } = await new Deno.Command(shell, {
      args: ["script", ...lines],
      cwd: folder,
      env: { HOME: folder, ZDOTDIR: folder, XDG_CONFIG_HOME: folder, TERM: "dumb" },
      stdin: "null",
    }).output();
    const text = new TextDecoder();
    assertEquals([success, text.decode(stderr)], [true, ""], text.decode(stdout));
    return text.decode(stdout).split("\n").slice(0, -1);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** What each shell prints of a line: its offers behind a bar. */
function sorted(lines: string[]): string[][] {
  return lines.map((line) => line.split("|").slice(1).filter((word) => word !== "").sort());
}

const EXPECTED = CASES.map(([, offered]) => [...offered].sort());
const LINES = CASES.map(([line]) => line);

Deno.test({
  name: "the completions of bash offer commands, options, choices and files",
  ignore: !SHELLS.bash,
  async fn() {
    const script = `
      source ./completions
      for line in "$@"; do
        COMP_WORDS=($line)
        [[ $line == *' ' ]] && COMP_WORDS+=('')
        COMP_CWORD=$((\${#COMP_WORDS[@]} - 1))
        COMPREPLY=()
        _sse
        printf '%s' "$line"; printf '|%s' "\${COMPREPLY[@]}"; echo
      done`;
    const offered = sorted(await inShell("bash", script, LINES));
    assertEquals(offered, [[...NAMES, "--help", "--version"].sort(), ...EXPECTED.slice(1)]);
  },
});

Deno.test({
  name: "the completions of bash know --name=value, of which bash makes three words",
  ignore: !SHELLS.bash,
  async fn() {
    const script = `
      source ./completions
      try() { COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _sse; echo "$# \${COMPREPLY[*]}"; }
      try sse get --retry =
      try sse get --retry = n`;
    assertEquals(await inShell("bash", script, []), [
      "4 no forever",
      "5 no",
    ]);
  },
});

Deno.test({
  name: "the completions of fish offer commands, options, choices and files",
  ignore: !SHELLS.fish,
  async fn() {
    const script = `
      source ./completions
      for line in $argv
        set -l offers (complete -C "$line" | string replace -r '\\t.*' '')
        echo "$line|"(string join -- '|' $offers)
      end`;
    assertEquals(sorted(await inShell("fish", script, LINES)), EXPECTED);
  },
});

/**
 * Types each line in an interactive shell, presses Tab, and prints the line: that of one offer is
 * complete then.
 */
const TYPE_IN_ZSH = `
  zmodload zsh/zpty || exit 3
  wait_for() {
    local seen= chunk
    repeat 500; do
      if zpty -rt shell chunk; then
        seen+=$chunk
        [[ $seen == *$1* ]] && return
      fi
      sleep 0.02
    done
    print -r -- "There is no $1 in $seen"
    exit 4
  }
  zpty -b shell zsh -f -i
  zpty -w shell "autoload -Uz compinit; compinit -u -D; source ./completions
    report() { print -r -- \\$BUFFER >> ./printed; BUFFER=; }; zle -N report
    bindkey '^O' report; bindkey '^I' complete-word; setopt nobeep; echo rea''dy"
  wait_for ready
  for line in "$@"; do zpty -w -n shell "$line"$'\\t\\x0f'; done
  zpty -w shell "echo do''ne"
  wait_for done
  zpty -d shell
  cat ./printed`;

Deno.test({
  name: "the completions of zsh complete commands, options, choices and files",
  ignore: !SHELLS.zsh,
  async fn() {
    const cases = [
      ["sse comp", "sse completions "],
      ["sse --vers", "sse --version "],
      ["sse completions z", "sse completions zsh "],
      // Behind a command there are its own options only.
      ["sse get --vers", "sse get --vers"],
      ["sse get --cou", "sse get --count="],
      ["sse get --js", "sse get --json"],
      ["sse get --retry f", "sse get --retry forever "],
      ["sse get --retry=f", "sse get --retry=forever "],
      ["sse get http://a --last-event-id-", "sse get http://a --last-event-id-param="],
      ["sse get --resume FILE_O", "sse get --resume FILE_ONE "],
      ["sse get -H FILE_O", "sse get -H FILE_O"],
      ["sse replay FILE_O", "sse replay FILE_ONE "],
    ];
    const printed = await inShell("zsh", TYPE_IN_ZSH, cases.map(([typed]) => typed));
    assertEquals(printed, cases.map(([, complete]) => complete));
  },
});

Deno.test("completions refuses a shell that it does not know", async () => {
  const { code, stderr } = await runCli(["completions", "tcsh"]);
  assertEquals(code, 2);
  assertStringIncludes(stderr, 'Cannot complete in "tcsh": the shells are bash, zsh, fish');
});

Deno.test("completions of each shell name each option of each command", async () => {
  for (const shell of Object.keys(SHELLS)) {
    const { stdout } = await runCli(["completions", shell]);
    for (const command of COMMANDS) {
      for (const { long } of optionWords(command)) {
        const spelled = shell === "fish" ? `-l ${long.slice(2)}` : long;
        assertStringIncludes(stdout, spelled, `${shell}: ${command.name}`);
      }
    }
  }
});
