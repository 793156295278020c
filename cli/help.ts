/**
 * The help of `sse` and of each command, made of their tables.
 *
 * @module
 */

import { type AnyCommand, HELP, type Option } from "./command.ts";

/** The help of one command, for a terminal of so many columns. */
export function commandHelp(command: AnyCommand, columns: number): string {
  const { name, summary, examples, notes = [] } = command;
  const names = command.arguments.map(({ name, optional }) => optional ? `[${name}]` : name);
  const options = Object.entries({ ...command.options, help: HELP });
  const blocks = [
    `Usage: ${["sse", name, ...names, "[options]"].join(" ")}`,
    summary,
    `Options:\n${
      table(options.map(([name, option]) => [spell(name, option), option.help]), columns)
    }`,
    ...(examples.length > 0
      ? [`Examples:\n${examples.map(({ line, what }) => `  ${line}\n      ${what}`).join("\n")}`]
      : []),
    ...(notes.length > 0 ? [notes.join("\n")] : []),
    ...units(command),
  ];
  return `${blocks.join("\n\n")}\n`;
}

/** The help of `sse` itself, for a terminal of so many columns. */
export function programHelp(
  commands: readonly AnyCommand[],
  version: string,
  columns: number,
): string {
  const rows = commands.map(({ name, summary }): Row => [name, summary]);
  return `sse ${version}: server-sent events on the command line

Usage: sse COMMAND [arguments] [options]

Commands:
${table(rows, columns)}

sse COMMAND --help tells of one, with examples; sse --version prints the version.

Exit codes:
${
    table([
      ["0", "Done, also if who reads the output has closed it"],
      ["1", "It failed: the network, a file, a stream that was cut; check found what hurts"],
      ["2", "The command line is wrong"],
      ["3", "The server refused: its status, or no event stream"],
      ["4", "A time that was set has run out"],
      ["130", "Ctrl-C; 143 after SIGTERM"],
    ], columns)
  }
`;
}

/** How the values are written that need a unit, if the command takes such. */
function units({ options }: AnyCommand): string[] {
  const taken = Object.values(options).map(({ value }) => value);
  const lines = [
    ...(taken.includes("TIME")
      ? ["A TIME is 500ms, 10s, 2m or 1h; without a unit it is in seconds."]
      : []),
    ...(taken.includes("SIZE") ? ["A SIZE is 64k, 1m or 1g; without a unit it is in bytes."] : []),
  ];
  return lines.length > 0 ? [lines.join("\n")] : [];
}

type Row = readonly [left: string, right: string];

function spell(name: string, { short, value, type }: Option): string {
  const long = type === "string" ? `--${name} ${value ?? "VALUE"}` : `--${name}`;
  return short === undefined ? `    ${long}` : `-${short}, ${long}`;
}

/** The least that the right column has: narrower terminals break lines themselves. */
const LEAST = 40;

function table(rows: readonly Row[], columns: number): string {
  const width = Math.max(...rows.map(([left]) => left.length));
  const room = Math.max(LEAST, columns - width - 4);
  const indent = " ".repeat(width + 4);
  return rows.map(([left, right]) => {
    return `  ${left.padEnd(width)}  ${wrap(right, room).join(`\n${indent}`)}`;
  }).join("\n");
}

function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(" ")) {
    const last = lines.at(-1);
    if (last === undefined || last.length + 1 + word.length > width) lines.push(word);
    else lines[lines.length - 1] = `${last} ${word}`;
  }
  return lines;
}
