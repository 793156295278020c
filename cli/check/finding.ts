/**
 * What `sse check` has to say: one thing that was looked at, and how it stands.
 *
 * @module
 */

/** How bad it is; `"unknown"` is what could not be judged. */
export type Level = "error" | "warning" | "note" | "ok" | "unknown";

/** All levels, the worst first. */
export const LEVELS: readonly Level[] = ["error", "warning", "note", "ok", "unknown"];

/** One thing that was looked at. */
export interface Finding {
  /** What was looked at: `"content-type"`. It does not change between versions. */
  readonly check: string;
  /** How bad it is. */
  readonly level: Level;
  /** What was seen. */
  readonly seen: string;
  /** Why it hurts. */
  readonly why?: string;
  /** What to do, in a sentence. */
  readonly fix?: string;
  /** The very lines, by the name of the server that they are for. */
  readonly config?: Remedy;
}

/** Lines of configuration, by the name of the server that they are for. */
export type Remedy = Readonly<Record<string, string>>;

/** How many findings there are of a level. */
export function countOf(findings: readonly Finding[], level: Level): number {
  return findings.filter((finding) => finding.level === level).length;
}
