import { assertEquals, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import { checkRelease, prepare, release } from "../../tools/release.ts";
import { withTree } from "./tree.ts";

const DAY = "2026-01-31";

function config(version: string): string {
  return `{\n  "name": "@example/tree",\n  "version": "${version}",\n  "exports": "./mod.ts"\n}\n`;
}

function changelog(unreleased: string, ...released: string[]): string {
  const sections = released.map((version) => `## [${version}] - 2025-12-31\n\n### Added\n\n- B.\n`);
  const parts = ["# Changelog\n", "## [Unreleased]\n"];
  if (unreleased !== "") parts.push(`${unreleased}\n`);
  return [...parts, ...sections].join("\n");
}

const ADDED = "### Added\n\n- Something, for a reason.";

Deno.test("prepare gives the unreleased section a version and a day", () => {
  const text = changelog(ADDED, "1.2.3");
  const { version, ...files } = prepare(config("1.2.3"), text, DAY);
  assertEquals(version, "1.3.0");
  assertEquals(files.config, config("1.3.0"));
  assertEquals(
    files.changelog,
    text.replace("## [Unreleased]\n", "## [Unreleased]\n\n## [1.3.0] - 2026-01-31\n"),
  );
});

Deno.test("prepare takes the version of deno.json for the first release", () => {
  const files = prepare(config("0.1.0"), changelog(ADDED), DAY);
  assertEquals([files.version, files.config], ["0.1.0", config("0.1.0")]);
});

const VERSIONS: [section: string, from: string, to: string][] = [
  ["### Fixed\n\n- A.", "1.2.3", "1.2.4"],
  ["### Security\n\n- A.", "1.2.3", "1.2.4"],
  ["### Added\n\n- A.\n\n### Fixed\n\n- B.", "1.2.3", "1.3.0"],
  ["### Changed\n\n- A.", "1.2.3", "1.3.0"],
  ["### Deprecated\n\n- A.", "1.2.3", "1.3.0"],
  ["### Removed\n\n- A.", "1.2.3", "2.0.0"],
  ["### Changed\n\n- **Breaking**: A.", "1.2.3", "2.0.0"],
  ["### Fixed\n\n- A.", "0.2.3", "0.2.4"],
  ["### Added\n\n- A.", "0.2.3", "0.3.0"],
  ["### Removed\n\n- A.", "0.2.3", "0.3.0"],
];

for (const [section, from, to] of VERSIONS) {
  Deno.test(`prepare makes ${to} of ${from} by ${JSON.stringify(section)}`, () => {
    assertEquals(prepare(config(from), changelog(section, from), DAY).version, to);
  });
}

Deno.test("prepare takes a version that is asked for, if it is a later one", () => {
  const text = changelog(ADDED, "0.9.0");
  assertEquals(prepare(config("0.9.0"), text, DAY, "1.0.0").version, "1.0.0");
  for (const wanted of ["0.9.0", "0.8.9", "v1.0.0", "1.0", "next"]) {
    assertThrows(
      () => prepare(config("0.9.0"), text, DAY, wanted),
      Error,
      `"${wanted}"`.slice(1, -1),
    );
  }
});

const REFUSED: [title: string, config: string, changelog: string, message: string][] = [
  [
    "nothing unreleased",
    config("1.0.0"),
    changelog("", "1.0.0"),
    "Cannot release: CHANGELOG.md has nothing under Unreleased: say there what changes for users",
  ],
  ["no section", config("1.0.0"), "# Changelog\n", 'has no heading "## [Unreleased]"'],
  ["no version", "{}", changelog(ADDED), 'deno.json has no "version"'],
  [
    "two versions that differ",
    config("1.1.0"),
    changelog(ADDED, "1.0.0"),
    "deno.json has 1.1.0, and the last version of CHANGELOG.md is 1.0.0",
  ],
];

for (const [title, ...[json, text, message]] of REFUSED) {
  Deno.test(`prepare refuses ${title}`, () => {
    assertStringIncludes(assertThrows(() => prepare(json, text, DAY), Error).message, message);
  });
}

Deno.test("checkRelease accepts a tag that deno.json and CHANGELOG.md agree with", () => {
  assertEquals(checkRelease(config("1.0.0"), changelog("", "1.0.0", "0.9.0"), "v1.0.0"), []);
});

Deno.test("checkRelease accepts what prepare has made", () => {
  const files = prepare(config("0.1.0"), changelog(ADDED), DAY);
  assertEquals(checkRelease(files.config, files.changelog, `v${files.version}`), []);
});

Deno.test("checkRelease names each that does not agree", () => {
  const check = (json: string, text: string, tag: string) =>
    checkRelease(json, text, tag).join("\n");
  const text = changelog("", "1.0.0");
  assertStringIncludes(check(config("1.0.0"), text, "1.0.0"), 'The tag is "1.0.0"');
  assertStringIncludes(check(config("1.0.0"), text, "v1.0.1"), 'The tag is "v1.0.1"');
  assertStringIncludes(check(config("1.0.1"), text, "v1.0.1"), "CHANGELOG.md is 1.0.0");
  assertStringIncludes(check(config("1.0.0"), changelog(""), "v1.0.0"), "CHANGELOG.md is none");
  const more = changelog(ADDED, "1.0.0");
  assertStringIncludes(check(config("1.0.0"), more, "v1.0.0"), "something under Unreleased");
});

/** Makes a repository of `tree`, with all of it committed. */
async function withRepository(use: (root: string) => Promise<void>): Promise<void> {
  const tree = {
    "deno.json": config("0.1.0"),
    "CHANGELOG.md": changelog(ADDED),
    "cli/version.ts": 'export const VERSION = "0.1.0";\n',
  };
  await withTree(tree, async (root) => {
    const user = ["-c", "user.name=a", "-c", "user.email=a@example.com"];
    for (const args of [["init", "-q"], ["add", "."], [...user, "commit", "-qm", "a"]]) {
      const { success, stderr } = await new Deno.Command("git", { args, cwd: root }).output();
      if (!success) throw new Error(new TextDecoder().decode(stderr));
    }
    await use(root);
  });
}

Deno.test("release writes deno.json, CHANGELOG.md and the version of the command line", async () => {
  await withRepository(async (root) => {
    assertEquals(await release(root, DAY, "0.2.0"), "0.2.0");
    assertEquals(await Deno.readTextFile(`${root}/deno.json`), config("0.2.0"));
    assertEquals(
      await Deno.readTextFile(`${root}/cli/version.ts`),
      'export const VERSION = "0.2.0";\n',
    );
    const text = await Deno.readTextFile(`${root}/CHANGELOG.md`);
    assertStringIncludes(text, "## [Unreleased]\n\n## [0.2.0] - 2026-01-31\n\n### Added\n");
  });
});

Deno.test("release refuses a tree with changes, and leaves it as it is", async () => {
  await withRepository(async (root) => {
    await Deno.writeTextFile(`${root}/new.ts`, "");
    const { message } = await assertRejects(() => release(root, DAY), Error);
    assertEquals(
      message,
      "Cannot release: the tree has changes (?? new.ts): commit them first, so that a release is one commit",
    );
    assertEquals(await Deno.readTextFile(`${root}/CHANGELOG.md`), changelog(ADDED));
  });
});
