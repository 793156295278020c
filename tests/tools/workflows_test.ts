import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { checkWorkflows } from "../../tools/workflows.ts";
import { withTree } from "./tree.ts";

const GOOD = `name: Good
on: push
permissions:
  contents: read
jobs:
  all:
    runs-on: ubuntu-latest
    timeout-minutes: 5
    steps:
      - uses: actions/checkout@v4
        with:
          fetch-depth: 1
      - run: deno task check
        if: github.ref_name == 'main'
`;

async function check(text: string): Promise<string[]> {
  const tree = {
    "deno.json": JSON.stringify({ tasks: { check: "deno check" } }),
    ".github/workflows/good.yml": text,
  };
  return await withTree(tree, checkWorkflows);
}

Deno.test("checkWorkflows accepts a workflow that is right", async () => {
  assertEquals(await check(GOOD), []);
});

const BAD: [title: string, from: string, to: string, problem: string][] = [
  ["a key that there is not", "runs-on:", "run-on:", "run-on"],
  ["a runner that there is not", "ubuntu-latest", "ubuntu-newest", "ubuntu-newest"],
  ["a context that there is not", "github.ref_name", "github.reff", "reff"],
  ["an input that an action does not have", "fetch-depth", "depth", "depth"],
  ["what is no YAML", "jobs:", "jobs: [", "could not parse"],
  ["rights that are not named", "permissions:\n  contents: read\n", "", "all rights of its token"],
  ["all rights", "permissions:\n  contents: read", "permissions: write-all", "all rights"],
  ["a job without a bound", "    timeout-minutes: 5\n", "", "job all may run for six hours"],
  ["an action of a branch", "actions/checkout@v4", "actions/checkout@main", "name a major version"],
  [
    "a task that there is not",
    "deno task check",
    "deno task chekc",
    "deno task chekc: there is none",
  ],
];

for (const [title, from, to, problem] of BAD) {
  Deno.test(`checkWorkflows names ${title}`, async () => {
    assertStringIncludes(GOOD, from);
    const problems = await check(GOOD.replace(from, to));
    assertStringIncludes(problems.join("\n"), problem);
    assertMatch(problems[0], /^\.github\/workflows\/good\.yml/);
  });
}
