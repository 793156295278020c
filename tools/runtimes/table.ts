/**
 * What came of the suites on each runtime, as a table, and what of it is a failure.
 *
 * @module
 */

import type { RunResult, Unavailable } from "./runner.ts";

/** What came of a suite on a runtime. */
export interface Cell {
  /** How many tests it has there. */
  planned: number;
  /** How many of them have passed. */
  passed: number;
  /** Those that have not, with what they said. */
  failures: string[];
  /** Why it cannot run there. */
  absent?: string;
}

/** A runtime, and what came of its suites by their names. */
export interface Row {
  /** The name of the runtime. */
  readonly name: string;
  /** Its version; none if it cannot be had. */
  readonly version: string;
  /** The suites. */
  readonly cells: ReadonlyMap<string, Cell>;
  /** Why it cannot be had here. */
  readonly unavailable?: string;
  /** Why the run as a whole is a failure. */
  readonly problem?: string;
}

/** Counts what a runner has told. */
export function rowOf(name: string, result: RunResult | Unavailable): Row {
  if ("unavailable" in result) {
    return { name, version: "", cells: new Map(), unavailable: result.unavailable };
  }
  const cells = new Map<string, Cell>();
  const cellOf = (suite: string): Cell => {
    const cell = cells.get(suite) ?? { planned: 0, passed: 0, failures: [] };
    cells.set(suite, cell);
    return cell;
  };
  for (const report of result.reports) {
    const cell = cellOf(report.suite);
    if (report.kind === "absent") cell.absent = report.reason;
    else if (report.kind === "planned") cell.planned += report.tests;
    else if (report.error === undefined) cell.passed++;
    else cell.failures.push(`${report.title}: ${report.error}`);
  }
  for (const cell of cells.values()) {
    const missing = cell.planned - cell.passed - cell.failures.length;
    if (missing !== 0) cell.failures.push(`${missing} of ${cell.planned} tests told nothing`);
  }
  return { name, version: result.version, cells, problem: result.problem };
}

/** The table in Markdown: how many tests of each suite have passed on each runtime, of how many. */
export function renderTable(rows: readonly Row[]): string {
  const suites = [...new Set(rows.flatMap(({ cells }) => [...cells.keys()]))];
  const table = [
    ["runtime", "version", ...suites],
    ...rows.map(({ name, version, cells, unavailable }) => [
      name,
      unavailable === undefined ? version : "none",
      ...suites.map((suite) => showCell(cells.get(suite))),
    ]),
  ];
  const widths = table[0].map((_, column) => {
    return Math.max(...table.map((line) => line[column].length));
  });
  const lines = table.map((line) => {
    return `| ${line.map((text, column) => text.padEnd(widths[column])).join(" | ")} |`;
  });
  lines.splice(1, 0, `| ${widths.map((width) => "-".repeat(width)).join(" | ")} |`);
  return lines.join("\n");
}

function showCell(cell: Cell | undefined): string {
  if (cell === undefined) return "";
  if (cell.absent !== undefined) return "n/a";
  const { planned, passed, failures } = cell;
  return failures.length === 0 ? `${passed}` : `${passed} of ${planned}`;
}

/** Why suites are not there, each reason once. */
export function absences(rows: readonly Row[]): string[] {
  const reasons = rows.flatMap(({ name, cells }) =>
    [...cells].filter(([, { absent }]) => absent !== undefined)
      .map(([suite, { absent }]) => `n/a: ${suite} on ${name}: ${absent}`)
  );
  const none = rows.filter(({ unavailable }) => unavailable !== undefined)
    .map(({ name, unavailable }) => `none: ${name}: ${unavailable}`);
  return [...reasons, ...none];
}

/**
 * Whatever is a failure, one text each.
 *
 * @param rows What came of the runs.
 * @param ci Whether a runtime that cannot be had is one: in CI all must run.
 */
export function problemsOf(rows: readonly Row[], ci: boolean): string[] {
  if (rows.length === 0) return ["No runtime was asked for"];
  return rows.flatMap(({ name, cells, problem, unavailable }) => {
    if (unavailable !== undefined) return ci ? [`${name} cannot be had: ${unavailable}`] : [];
    const problems = [...cells].flatMap(([suite, { failures }]) =>
      failures.map((failure) => `${name}: ${suite}: ${failure}`)
    );
    if (problem !== undefined) problems.push(`${name}: ${problem}`);
    const ran = [...cells.values()].some(({ planned }) => planned > 0);
    if (!ran) problems.push(`${name}: no test was run`);
    return problems;
  });
}
