/**
 * What `sse check` has found, for people and for programs.
 *
 * @module
 */

import type { Output, Style } from "../output.ts";
import { showBytes, showCount } from "../progress_line.ts";
import { visible, visibleJson } from "../visible.ts";
import { countOf, type Finding, type Level, LEVELS } from "./finding.ts";
import { firstTextAt, type Heard } from "./listen.ts";
import { silences } from "./keep_alive.ts";
import { time } from "./text.ts";

/** All that was found at a URL. */
export interface Report {
  /** What was asked: method and URL. */
  readonly question: string;
  /** What was heard; `undefined` if no headers came. */
  readonly heard: Heard | undefined;
  /** The findings, in the order in which things were looked at. */
  readonly findings: readonly Finding[];
}

const LOOKS: Readonly<Record<Level, { title: string; mark: string; color: Style }>> = {
  error: { title: "Errors", mark: "✗", color: "red" },
  warning: { title: "Warnings", mark: "!", color: "yellow" },
  note: { title: "Notes", mark: "·", color: "cyan" },
  ok: { title: "In order", mark: "✓", color: "green" },
  unknown: { title: "Not judged", mark: "?", color: "dim" },
};

/** Prints the report for people. */
export async function printReport(
  { question, heard, findings }: Report,
  out: Output,
): Promise<void> {
  const lines = [out.style("bold", visible(question))];
  if (heard !== undefined) lines.push(visible(measured(heard)));
  for (const level of LEVELS) {
    const { title, mark, color } = LOOKS[level];
    const group = findings.filter((finding) => finding.level === level);
    if (group.length === 0) continue;
    lines.push("", out.style([color, "bold"], title));
    for (const finding of group) lines.push(...describe(finding, out.style(color, mark), out));
  }
  lines.push("", summary(findings));
  await out.write(`${lines.join("\n")}\n`);
}

/** The report for programs. */
export function reportAsJson({ question, heard, findings }: Report, exitCode: number): string {
  const counts = Object.fromEntries(LEVELS.map((level) => [level, countOf(findings, level)]));
  return visibleJson({ question, exitCode, counts, ...(heard && figures(heard)), findings });
}

/** How many findings there are of each kind, in a line. */
export function summary(findings: readonly Finding[]): string {
  const { error, warning, note, unknown } = Object.fromEntries(
    LEVELS.map((level) => [level, countOf(findings, level)]),
  );
  const open = unknown > 0 ? `; ${showCount(unknown, "thing")} could not be judged` : "";
  return `${showCount(error, "error")}, ${showCount(warning, "warning")}, ${
    showCount(note, "note")
  }${open}`;
}

/** What was sent, and when, in a line. */
function measured(heard: Heard): string {
  const { head, transcript, endedAt } = heard;
  const { events, comments, bytes } = transcript;
  const first = events[0];
  return [
    `HTTP/${head.version} ${head.status}`,
    `headers after ${time(head.at)}`,
    ...(first === undefined ? [] : [`first event after ${time(first.at)}`]),
    `${showCount(events.length, "event")}, ${showCount(comments, "comment")} and ${
      showBytes(bytes)
    } in ${time(endedAt)}`,
  ].join(", ");
}

/** The same as figures, times in ms. */
function figures(heard: Heard): Record<string, unknown> {
  const { head, transcript, endedAt, ending } = heard;
  return {
    url: head.url.href,
    status: head.status,
    httpVersion: head.version,
    measured: {
      headers: Math.round(head.at),
      firstByte: rounded(heard.firstByteAt),
      firstText: rounded(firstTextAt(heard)),
      firstEvent: rounded(transcript.events[0]?.at),
      listened: Math.round(endedAt),
      longestSilence: Math.round(silences(heard).longest),
      ending,
      events: transcript.events.length,
      comments: transcript.comments,
      bytes: transcript.bytes,
    },
  };
}

function rounded(ms: number | undefined): number | null {
  return ms === undefined ? null : Math.round(ms);
}

function describe({ check, seen, why, fix, config, level }: Finding, mark: string, out: Output) {
  const lines = [`  ${mark} ${out.style("bold", check)}: ${visible(seen)}`];
  if (why !== undefined) lines.push(`      ${visible(why)}.`);
  if (fix !== undefined) lines.push(`      ${out.style("bold", "Fix:")} ${visible(fix)}.`);
  // A note is read by the way: its directives are in the JSON.
  if (config === undefined || level === "note") return lines;
  const width = Math.max(...Object.keys(config).map((server) => server.length));
  for (const [server, text] of Object.entries(config)) {
    const [line, ...rest] = text.split("\n");
    lines.push(`        ${out.style("dim", `${server}:`.padEnd(width + 1))} ${line}`);
    lines.push(...rest.map((line) => `        ${" ".repeat(width + 1)} ${line}`));
  }
  return lines;
}
