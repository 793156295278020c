/**
 * Runs the suites on whatever has a `test` and an `assert`, and reports each test.
 *
 * @module
 */

import type { Harness, Library, Need, Report, Suite, Test } from "./harness.ts";
import { within } from "./waiting.ts";

/** How long a test may take, in ms: one that hangs is a failure, and the next ones still run. */
const PATIENCE = 15_000;

/** Why a runtime does not have what a suite may need. */
export type Absences = Partial<Record<Need, string>>;

/**
 * Registers the tests of suites.
 *
 * @param suites What to run.
 * @param library The public names.
 * @param harness What the tests are given. Its `test` is called for each of them.
 * @param absences What the runtime does not have, with the reason.
 * @param report Told of each suite at once, and of each test when it has run.
 */
export function runSuites(
  suites: readonly Suite[],
  library: Library,
  harness: Harness,
  absences: Absences,
  report: (report: Report) => void,
): void {
  for (const { name: suite, needs, register } of suites) {
    const reason = needs.map((need) => absences[need] ?? lackOf(need, harness))
      .find((reason) => reason !== undefined);
    if (reason !== undefined) {
      report({ kind: "absent", suite, reason });
      continue;
    }
    let tests = 0;
    const test: Test = (title, body) => {
      tests++;
      harness.test(`${suite}: ${title}`, async () => {
        try {
          const late = () => `Cannot finish "${title}": nothing happened within ${PATIENCE} ms`;
          await within((async () => await body())(), PATIENCE, late);
        } catch (error) {
          report({ kind: "ran", suite, title, error: describe(error) });
          throw error;
        }
        report({ kind: "ran", suite, title });
      });
    };
    register(library, { ...harness, test });
    report({ kind: "planned", suite, tests });
  }
}

/** What the harness does not have. */
function lackOf(need: Need, { node, serve, sqlite }: Harness): string | undefined {
  if (need === "node:http" && node === undefined) return "it has no node:http";
  if (need === "node:sqlite" && sqlite === undefined) return "it has no node:sqlite";
  if (need === "socket" && serve === undefined) return "it cannot listen";
  return undefined;
}

/** An error in words: the stack of most engines begins with the message, that of others has none. */
function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { name, message, stack = "" } = error;
  return stack.includes(message) ? stack : `${name}: ${message}\n${stack}`;
}
