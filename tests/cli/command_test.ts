/** `defineCommand`: a command line by its table. */

import { assertEquals, assertRejects } from "@std/assert";
import { defineCommand, type Input } from "../../cli/command.ts";
import type { Context } from "../../cli/context.ts";
import { UsageError } from "../../cli/failure.ts";
import { Output } from "../../cli/output.ts";
import { TestStream } from "./helpers.ts";

const OPTIONS = {
  all: { type: "boolean", short: "a", help: "All" },
  count: { type: "string", short: "n", value: "N", help: "Count" },
  header: { type: "string", short: "H", multiple: true, help: "Header" },
} as const;

const CONTEXT: Context = {
  stdin: new Blob().stream(),
  stdout: new Output(new TestStream(false)),
  stderr: new Output(new TestStream(false)),
  signal: new AbortController().signal,
  env: {},
};

/** What a command is given of these words. */
async function given(...args: string[]): Promise<Input<typeof OPTIONS>> {
  let input: Input<typeof OPTIONS> | undefined;
  const command = defineCommand({
    name: "try",
    summary: "Try",
    arguments: [{ name: "URL" }, { name: "FILE", optional: true }],
    options: OPTIONS,
    examples: [],
    run(given) {
      input = given;
      return Promise.resolve(0);
    },
  });
  await command.start(args, CONTEXT);
  if (input === undefined) throw new Error("It did not run");
  return input;
}

const GIVEN: [args: string[], positionals: string[], options: Input<typeof OPTIONS>["options"]][] =
  [
    [["a"], ["a"], {}],
    [["a", "b"], ["a", "b"], {}],
    [["--all", "a", "-n", "5"], ["a"], { all: true, count: "5" }],
    [["-an5", "a"], ["a"], { all: true, count: "5" }],
    [["--count=5", "a", "--count=6"], ["a"], { count: "6" }],
    [["-H", "b: c", "a", "--header=d:"], ["a"], { header: ["b: c", "d:"] }],
    [["--count=-5", "a"], ["a"], { count: "-5" }],
    [["--", "-a", "--all"], ["-a", "--all"], {}],
    [["-"], ["-"], {}],
  ];

for (const [args, positionals, options] of GIVEN) {
  Deno.test(`a command takes ${args.join(" ")}`, async () => {
    const input = await given(...args);
    assertEquals([...input.arguments], positionals);
    assertEquals({ ...input.options }, options);
  });
}

const REFUSED: [args: string[], problem: string][] = [
  [[], "URL is missing"],
  [["a", "b", "c"], '"c" is one argument too many'],
  [["a", "--al"], "there is no option --al, did you mean --all?"],
  [["a", "--verbose"], "there is no option --verbose"],
  [["a", "-z"], "there is no option -z"],
  [["a", "--no-all"], "there is no option --no-all"],
  [["a", "-n"], "the value of --count is missing"],
  [["a", "--header"], "the value of --header is missing"],
  [["a", "-n", "-5"], "a value of --count that begins with a dash is written --count=VALUE"],
  [["a", "--all=yes"], "--all takes no value"],
];

for (const [args, problem] of REFUSED) {
  Deno.test(`a command refuses ${args.join(" ") || "nothing"}: ${problem}`, async () => {
    const error = await assertRejects(() => given(...args), UsageError);
    assertEquals(error.message, `Cannot run "sse try": ${problem}`);
    assertEquals([error.command, error.exitCode], ["try", 2]);
  });
}
