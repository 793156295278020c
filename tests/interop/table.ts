/**
 * The matrix as text.
 *
 * @module
 */

import { excerpts } from "./check.ts";
import { HARD_EVENTS } from "./events.ts";
import type { Known } from "./known.ts";
import type { Cell, Matrix } from "./matrix.ts";

function textOf(cell: Cell | undefined, notes: readonly Known[]): string {
  if (cell === undefined) return "-";
  if (cell.failures.length > 0) return "FAIL";
  const numbers = new Set(cell.faults.map(({ known }) => notes.indexOf(known) + 1));
  if (numbers.size > 0) return ranges([...numbers].sort((a, b) => a - b));
  return cell.resumed ? "ok+" : "ok";
}

/** Numbers that rise, where those in a row become one word: `1,4-7`. */
function ranges(numbers: readonly number[]): string {
  const starts = numbers.filter((number) => !numbers.includes(number - 1));
  return starts.map((start) => {
    let end = start;
    while (numbers.includes(end + 1)) end++;
    return end === start ? `${start}` : `${start}-${end}`;
  }).join(",");
}

/** Rows of words, in columns. */
function columns(rows: readonly (readonly string[])[]): string[] {
  const widths = rows[0].map((_, i) => Math.max(...rows.map((row) => row[i].length)));
  return rows.map((row) => row.map((word, i) => word.padEnd(widths[i])).join("  ").trimEnd());
}

/** The known faults in the order in which the table meets them. */
function notesOf(cells: readonly Cell[]): Known[] {
  return [...new Set(cells.flatMap(({ faults }) => faults.map(({ known }) => known)))];
}

/** The table, what its signs mean, and all that is wrong. */
export function render({ senders, readers, cells, missing, gone }: Matrix): string {
  const notes = notesOf(cells);
  const head = ["", ...readers.map((_, i) => String.fromCharCode(65 + i))];
  const rows = senders.map((sender) => [
    sender.name,
    ...readers.map((reader) =>
      textOf(cells.find((cell) => cell.sender === sender && cell.reader === reader), notes)
    ),
  ]);
  const resumed = cells.filter(({ resumed }) => resumed).length;
  return [
    `${cells.length} cells of ${HARD_EVENTS.length} hard events; ${resumed} were cut and resumed, too.`,
    "",
    ...columns([head, ...rows]),
    "",
    ...readers.map(({ name }, i) => `${head[i + 1]}  ${name}`),
    "",
    "ok: as the standard has it. ok+: behind two cuts, too. -: they have no feed in common.",
    "FAIL: below. Numbers: a fault of the peer, and ours is right:",
    ...notes.map(({ sender, reader, events, why }, i) =>
      `${i + 1}. ${sender ?? reader}: ${why}\n   (${events.join("; ")})`
    ),
    ...missing.map(({ name, unavailable }) => `Not available: ${name}: ${unavailable}`),
    ...gone.map(({ known: { sender, reader, why }, event }) =>
      `No longer so: ${sender ?? reader}, ${event}: ${why}`
    ),
    ...cells.flatMap((cell) =>
      cell.failures.map((difference) => {
        const { expected, seen } = excerpts(difference);
        return `FAIL: ${cell.sender.name} read by ${cell.reader.name}: ${difference.event}\n` +
          `   expected ${expected}\n   seen     ${seen}`;
      })
    ),
  ].join("\n");
}

/** What makes a run fail; empty if nothing does. */
export function problems({ cells, missing, gone }: Matrix, ci: boolean): string[] {
  const failed = cells.filter(({ failures }) => failures.length > 0);
  return [
    ...failed.map(({ sender, reader }) => `${sender.name} read by ${reader.name} is wrong`),
    ...gone.map(({ known, event }) =>
      `known.ts: ${known.sender ?? known.reader}: ${event}: no longer so`
    ),
    ...ci ? missing.map(({ name, unavailable }) => `${name}: ${unavailable}`) : [],
  ];
}
