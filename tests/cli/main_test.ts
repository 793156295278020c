/** `main`: finds the command, prints help, and makes an exit code and a sentence of whatever ends it. */

import {
  assert,
  assertEquals,
  assertMatch,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import { parseArgs } from "node:util";
import config from "../../deno.json" with { type: "json" };
import { type AnyCommand, defineCommand } from "../../cli/command.ts";
import { loadCommands } from "../../cli/commands.ts";
import { Interrupt } from "../../cli/context.ts";
import { Failure, UsageError } from "../../cli/failure.ts";
import { commandHelp } from "../../cli/help.ts";
import { finish } from "../../cli/main.ts";
import { Output } from "../../cli/output.ts";
import { VERSION } from "../../cli/version.ts";
import { runCli, spawnCli, TestStream } from "./helpers.ts";

const COMMANDS = await loadCommands();

Deno.test("VERSION is that of the package, and sse --version prints it", async () => {
  assertEquals(VERSION, config.version);
  for (const flag of ["--version", "-V"]) {
    assertEquals((await runCli([flag])).stdout, `${config.version}\n`);
  }
});

Deno.test("sse --help names all commands and the exit codes, on stdout", async () => {
  for (const args of [["--help"], ["-h"], ["help"]]) {
    const { code, stdout, stderr } = await runCli(args);
    assertEquals([code, stderr], [0, ""]);
    for (const { name, summary } of COMMANDS) {
      assertStringIncludes(stdout.replace(/\n {10,}/g, " "), `  ${name.padEnd(11)}  ${summary}`);
    }
    assertStringIncludes(stdout, "Exit codes:\n  0    Done");
  }
});

Deno.test("sse alone prints the same on stderr, and ends with 2", async () => {
  const { code, stdout, stderr } = await runCli([]);
  assertEquals([code, stdout], [2, ""]);
  assertEquals(stderr, (await runCli(["--help"])).stdout);
});

Deno.test("sse COMMAND --help prints its table, whatever stands beside it", async () => {
  const { stdout } = await runCli(["get", "--help"]);
  assertStringIncludes(stdout, "Usage: sse get URL [options]\n\nRead an event stream");
  assertMatch(stdout, /^ {2}-n, --count N {10,}End after so many printed events$/m);
  assertMatch(stdout, /^ {2}-h, --help {10,}Print this$/m);
  for (const args of [["get", "-h"], ["help", "get"], ["get", "a", "--nonsense", "--help"]]) {
    assertEquals((await runCli(args)).stdout, stdout);
  }
});

Deno.test("sse COMMAND -- --help has an argument of that name", async () => {
  const { code, stderr } = await runCli(["get", "--", "--help", "more"]);
  assertEquals(code, 2);
  assertStringIncludes(stderr, '"more" is one argument too many');
});

Deno.test("the help of a command fits the terminal", async () => {
  for (const columns of [80, 120]) {
    const { stdout } = await runCli(["get", "--help"], { terminal: true, columns });
    const [, options = ""] = /^Options:\n([^]*?)\n\n/m.exec(stdout) ?? [];
    const longest = Math.max(...options.split("\n").map((line) => line.length));
    assert(longest <= columns && longest > columns - 20, `${longest} of ${columns}`);
  }
});

const UNKNOWN: [args: string[], sentence: string, help: string][] = [
  [["gte"], 'Cannot run "gte": there is no such command, did you mean get?', "sse --help"],
  [["https://a/"], 'Cannot run "https://a/": there is no such command, did you mean get?', "sse"],
  [["toString"], 'Cannot run "toString": there is no such command, only get, ', "sse --help"],
  [["help", "gte"], 'Cannot run "gte": there is no such command', "sse --help"],
  [["get"], 'Cannot run "sse get": URL is missing', "sse get --help"],
  [["get", "a", "--for", "soon"], "Cannot read --for: ", "sse get --help"],
];

for (const [args, sentence, help] of UNKNOWN) {
  Deno.test(`sse ${args.join(" ")} says what is wrong and where help is`, async () => {
    const { code, stdout, stderr } = await runCli(args);
    assertEquals([code, stdout], [2, ""]);
    const [said, hint] = stderr.split("\n");
    assertStringIncludes(said, `sse: ${sentence}`);
    assertStringIncludes(hint, `Try: ${help}`);
  });
}

Deno.test("sse colours the word sse where it fails, on a terminal", async () => {
  const { stderr } = await runCli(["gte"], { terminal: true });
  assertStringIncludes(stderr, "\x1b[31msse:\x1b[39m Cannot run");
});

// Each command

for (const command of COMMANDS) {
  const { name, summary, options, examples, notes = [] } = command;

  Deno.test(`the table of ${name} is whole and in the manner of the others`, () => {
    for (const text of [summary, ...Object.values(options).map(({ help }) => help)]) {
      assertMatch(text, /^[A-Z][^]*[^.]$/);
    }
    const letters = ["h", ...Object.values(options).flatMap(({ short }) => short ?? [])];
    assertEquals(letters.length, new Set(letters).size, "two options of one letter");
    assertEquals(Object.keys(options).filter((name) => !/^[a-z][a-z-]*$/.test(name)), []);
    assert(examples.length > 0, "no examples");
    for (const line of notes) assert(line.length <= 100, line);
  });

  Deno.test(`the examples of ${name} are command lines that it takes`, () => {
    for (const { line } of examples) {
      const own = invocations(line).filter(([program, second]) => {
        return program === "sse" && second === name;
      });
      assert(own.length > 0, `${line} does not run ${name}`);
      for (const [, , ...args] of own) assertParses(command, args, line);
    }
  });
}

/** The commands of a line of shell, as words without quotes, and without what is set for them. */
function invocations(line: string): string[][] {
  const words = line.replaceAll("\\\n", " ").replace(/^[A-Z_]+=\S+ /, "").matchAll(
    /'([^']*)'|"([^"]*)"|(<\(|[|;&<>()]+)|([^\s|;&<>()'"]+)/g,
  );
  const found: string[][] = [[]];
  let redirects = false;
  for (const [, single, double, operator, bare] of words) {
    if (operator !== undefined) {
      redirects = /^[<>]+$/.test(operator);
      if (!redirects) found.push([]);
    } else if (redirects) redirects = false;
    else found.at(-1)?.push(single ?? double ?? bare);
  }
  return found;
}

function assertParses(command: AnyCommand, args: string[], line: string): void {
  const config = Object.fromEntries(
    Object.entries(command.options).map(([name, { type, short, multiple = false }]) => {
      return [name, short === undefined ? { type, multiple } : { type, short, multiple }];
    }),
  );
  const { positionals } = parseArgs({ args, options: config, allowPositionals: true });
  const least = command.arguments.filter(({ optional }) => !optional).length;
  assert(positionals.length >= least && positionals.length <= command.arguments.length, line);
}

// Ends

/** Runs work as `main` does, and gives the code and what was said. */
async function ended(work: () => Promise<number>, interrupt?: Interrupt) {
  const said = new TestStream(false);
  const stopping = new AbortController();
  if (interrupt !== undefined) stopping.abort(interrupt);
  const stderr = new Output(said);
  const code = await finish(work, { stderr, signal: stopping.signal });
  return { code, said: said.text };
}

const INTERRUPT = new Interrupt("Interrupted", 130);

Deno.test("finish ends with the code of an interrupt, whatever broke off because of it", async () => {
  for (
    const error of [
      INTERRUPT,
      new DOMException("The operation was aborted", "AbortError"),
      new Failure("Cannot go on", { cause: INTERRUPT }),
      new TypeError("terminated"),
    ]
  ) {
    const result = await ended(() => Promise.reject(error), INTERRUPT);
    assertEquals(result, { code: 130, said: "" }, error.message);
  }
});

Deno.test("finish tells of what a command says has failed, also after an interrupt", async () => {
  const failure = new Failure("Cannot write the file: no space");
  assertEquals(await ended(() => Promise.reject(failure), INTERRUPT), {
    code: 1,
    said: "sse: Cannot write the file: no space\n",
  });
});

Deno.test("finish shows control characters of a failure and does not hand them on", async () => {
  const { said } = await ended(() => Promise.reject(new Failure("Cannot: \x1b[2J\u202e")));
  assertEquals(said, "sse: Cannot: \\x1b[2J\\u202e\n");
});

Deno.test("finish fails if the output could not be written, though the command does not know", async () => {
  const lost = new Interrupt("Cannot write the output: no space", 1);
  const expected = { code: 1, said: "sse: Cannot write the output: no space\n" };
  assertEquals(await ended(() => Promise.resolve(0), lost), expected);
  assertEquals(await ended(() => Promise.reject(lost), lost), expected);
});

Deno.test("finish names the command of a usage error", async () => {
  const { code, said } = await ended(() => Promise.reject(new UsageError("Cannot a: b", "get")));
  assertEquals([code, said], [2, "sse: Cannot a: b\nTry: sse get --help\n"]);
});

Deno.test("finish throws what is a fault of ours, with its stack", async () => {
  const fault = new TypeError("Cannot read properties of undefined (reading 'a')");
  await assertRejects(() => ended(() => Promise.reject(fault)), TypeError, "reading 'a'");
});

// The program

Deno.test("sse is a program whose exit code is that of main", async () => {
  await using sse = spawnCli(["gte"]);
  const { code, stdout, stderr } = await sse.end();
  assertEquals([code, stdout], [2, ""]);
  assertStringIncludes(stderr, "sse: Cannot run");
});

Deno.test("commandHelp puts an option that has no value name as VALUE", () => {
  const command = defineCommand({
    name: "a",
    summary: "Does it",
    arguments: [{ name: "ONE" }, { name: "TWO", optional: true }],
    options: { b: { type: "string", help: "It" } },
    examples: [],
    run: () => Promise.resolve(0),
  });
  const help = commandHelp(command, 80);
  assertStringIncludes(help, "Usage: sse a ONE [TWO] [options]\n");
  assertStringIncludes(help, "      --b VALUE  It\n");
  assertEquals(help.includes("Examples"), false);
});
