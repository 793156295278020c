/**
 * Makes a release of what CHANGELOG.md has under "Unreleased": the section gets the version and the
 * day, and deno.json and cli/version.ts the version. What is committed and tagged then, `publish.yml`
 * publishes.
 *
 * ```sh
 * deno task release [VERSION]
 * deno task release --check TAG
 * ```
 *
 * The version follows from the section, as Semantic Versioning says: something "Removed", or an entry
 * that begins with "**Breaking**", makes a major version; something "Added", "Changed" or
 * "Deprecated" a minor one, all else a patch. Before 1.0.0 a break makes a minor version, too. The
 * first release is of the version that deno.json has.
 *
 * `--check` says whether a tag, deno.json and CHANGELOG.md agree: before anything is published.
 *
 * @module
 */

import { format, greaterThan, increment, parse, tryParse } from "@std/semver";
import { join } from "node:path";
import { report, ROOT } from "./_deno.ts";

/** What a release writes. */
export interface Release {
  /** Its version. */
  version: string;
  /** deno.json with that version. */
  config: string;
  /** CHANGELOG.md with a section of that version. */
  changelog: string;
}

const UNRELEASED = "## [Unreleased]";

/** The heading of a version: `## [1.2.3] - 2026-01-31`. */
const HEADING = /^## \[(.+)\] - \d{4}-\d{2}-\d{2}$/gm;

/** Where the command line has its version from: it cannot read deno.json wherever it is installed. */
const MODULE = "cli/version.ts";

const VERSION = /^( *"version": ")([^"]*)(",?)$/m;

/**
 * What a release on `day` writes.
 *
 * @param config The text of deno.json.
 * @param changelog The text of CHANGELOG.md.
 * @param day As in `2026-01-31`.
 * @param wanted The version, if it is not to follow from the section.
 * @throws {Error} If there is nothing to release, or the versions do not fit.
 */
export function prepare(config: string, changelog: string, day: string, wanted?: string): Release {
  const section = unreleased(changelog);
  if (section.trim() === "") {
    throw new Error(
      "Cannot release: CHANGELOG.md has nothing under Unreleased: say there what changes for users",
    );
  }
  const now = versionOf(config);
  const [last] = released(changelog);
  const version = wanted ?? (last === undefined ? now : next(now, section));
  if (last !== undefined && last !== now) {
    throw new Error(
      `Cannot release: deno.json has ${now}, and the last version of CHANGELOG.md is ${last}: make them agree`,
    );
  }
  checkVersion(version, last);
  return {
    version,
    config: config.replace(VERSION, (_, before, _version, after) => before + version + after),
    changelog: changelog.replace(UNRELEASED, () => `${UNRELEASED}\n\n## [${version}] - ${day}`),
  };
}

/** In what a tag, deno.json and CHANGELOG.md do not agree, one sentence each. */
export function checkRelease(config: string, changelog: string, tag: string): string[] {
  const version = versionOf(config);
  const problems: string[] = [];
  if (tag !== `v${version}`) {
    problems.push(`The tag is "${tag}", and deno.json has version "${version}"`);
  }
  const [last] = released(changelog);
  if (last !== version) {
    problems.push(
      `The last version of CHANGELOG.md is ${
        last ?? "none"
      }, and deno.json has version "${version}"`,
    );
  }
  if (unreleased(changelog).trim() !== "") {
    problems.push("CHANGELOG.md has something under Unreleased: it would be in no release");
  }
  return problems;
}

/** What stands under "Unreleased". */
function unreleased(changelog: string): string {
  const start = changelog.indexOf(`${UNRELEASED}\n`);
  if (start < 0) throw new Error(`Cannot release: CHANGELOG.md has no heading "${UNRELEASED}"`);
  const section = changelog.slice(start + UNRELEASED.length);
  const end = section.search(/^## /m);
  return end < 0 ? section : section.slice(0, end);
}

/** The versions of CHANGELOG.md, from the top. */
function released(changelog: string): string[] {
  return [...changelog.matchAll(HEADING)].map(([, version]) => version);
}

function versionOf(config: string): string {
  const version = VERSION.exec(config)?.[2];
  if (version === undefined) throw new Error('Cannot release: deno.json has no "version"');
  return version;
}

/** The version after `now`, by what has changed. */
function next(now: string, section: string): string {
  const version = parse(now);
  const breaks = /^### Removed$/m.test(section) || /^- \*\*Breaking\*\*/m.test(section);
  const grows = /^### (?:Added|Changed|Deprecated)$/m.test(section);
  if (breaks) return format(increment(version, version.major === 0 ? "minor" : "major"));
  return format(increment(version, grows ? "minor" : "patch"));
}

function checkVersion(version: string, last: string | undefined): void {
  const parsed = tryParse(version);
  if (parsed === undefined || format(parsed) !== version) {
    throw new Error(`Cannot release "${version}": it is no version such as 1.2.3`);
  }
  if (last !== undefined && !greaterThan(parsed, parse(last))) {
    throw new Error(`Cannot release ${version}: ${last} is released already: choose a later one`);
  }
}

/** Writes a release into the tree at `root`, with the version of the command line, and gives it. */
export async function release(root: string, day: string, wanted?: string): Promise<string> {
  const dirty = await git(root, "status", "--porcelain");
  if (dirty !== "") {
    const [first, ...more] = dirty.split("\n");
    const others = more.length > 0 ? ` and ${more.length} more` : "";
    throw new Error(
      `Cannot release: the tree has changes (${first.trim()}${others}): commit them first, so that a release is one commit`,
    );
  }
  const { version, config, changelog } = prepare(...await read(root), day, wanted);
  const module = await Deno.readTextFile(join(root, MODULE));
  await Deno.writeTextFile(join(root, "deno.json"), config);
  await Deno.writeTextFile(join(root, "CHANGELOG.md"), changelog);
  await Deno.writeTextFile(join(root, MODULE), moduleOf(module, version));
  return version;
}

/** The module that tells the version to the command line, with this one. */
function moduleOf(text: string, version: string): string {
  return text.replace(/(VERSION = ")[^"]*(")/, (_, before, after) => before + version + after);
}

/** deno.json and CHANGELOG.md. */
async function read(root: string): Promise<[config: string, changelog: string]> {
  return [
    await Deno.readTextFile(join(root, "deno.json")),
    await Deno.readTextFile(join(root, "CHANGELOG.md")),
  ];
}

async function git(root: string, ...args: string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command("git", { args, cwd: root }).output();
  const text = new TextDecoder();
  if (!success) throw new Error(`Cannot release: git says: ${text.decode(stderr).trim()}`);
  return text.decode(stdout).trimEnd();
}

if (import.meta.main) {
  const [first, tag = ""] = Deno.args;
  try {
    if (first === "--check") {
      const problems = checkRelease(...await read(ROOT), tag);
      report("release", problems, `${tag}, deno.json and CHANGELOG.md agree`);
    } else {
      const day = new Date().toISOString().slice(0, 10);
      const version = await release(ROOT, day, first);
      console.log(
        `deno.json, ${MODULE} and CHANGELOG.md have version ${version} now. Read them, then:`,
      );
      console.log(`  git commit -am "release: ${version}"`);
      console.log(`  git tag v${version} && git push origin HEAD v${version}`);
    }
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    Deno.exit(1);
  }
}
