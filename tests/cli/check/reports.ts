/**
 * `sse check` run by a test, and its report read back.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import type { Finding, Level } from "../../../cli/check/finding.ts";
import { runCli } from "../helpers.ts";

/** The report as `--json` prints it. */
export interface FoundReport {
  readonly exitCode: number;
  readonly counts: Readonly<Record<Level, number>>;
  readonly findings: readonly Finding[];
  readonly measured: { readonly events: number; readonly ending: string; readonly bytes: number };
}

/** Checks a URL and gives the report. */
export async function check(url: string, ...args: string[]): Promise<FoundReport> {
  const { code, stdout, stderr } = await runCli(["check", url, "--json", ...args]);
  assert(stdout.endsWith("}\n"), stderr);
  const report: FoundReport = JSON.parse(stdout);
  assertEquals(report.exitCode, code);
  return report;
}

/** What a finding of this check and level says, or all findings if there is none. */
export function said({ findings }: FoundReport, check: string, level: string): string {
  const found = findings.filter((finding) => finding.check === check && finding.level === level);
  if (found.length === 0) return JSON.stringify(findings, null, 1);
  return found.map(({ seen }) => seen).join("\n");
}

/** How many checks run at once: each mostly waits, but all of them together would be slow. */
const AT_ONCE = 6;

/** Runs each of many checks, some at once, and gives their results in order. */
export async function several<Row, Result>(
  rows: readonly Row[],
  run: (row: Row) => Promise<Result>,
): Promise<(readonly [Row, Result])[]> {
  const results: (readonly [Row, Result])[] = [];
  for (let i = 0; i < rows.length; i += AT_ONCE) {
    const batch = rows.slice(i, i + AT_ONCE);
    results.push(...await Promise.all(batch.map(async (row) => [row, await run(row)] as const)));
  }
  return results;
}
