/**
 * The lines that every reader ignores: names that are no field, and text that has become a line.
 *
 * @module
 */

import { showCount } from "../progress_line.ts";
import type { Finding } from "./finding.ts";
import { quote } from "./text.ts";
import type { Line, Transcript } from "./transcript.ts";

const FIELDS = ["data", "event", "id", "retry"];

/** Judges the lines that the standard ignores. */
export function judgeFields({ ignored, dataless }: Transcript): Finding[] {
  const { first } = ignored;
  const found: Finding[] = [];
  // A field with a value that is refused is for those who judge that field.
  const unknown = first.filter(({ text }) => !FIELDS.includes(nameOf(text)));
  const misspelt = unknown.filter(({ text }) => FIELDS.includes(nameOf(text).trim().toLowerCase()));
  const others = unknown.filter((line) => !misspelt.includes(line));
  const custom = customFields(others);
  const rest = others.filter((line) => !custom.includes(line));
  if (misspelt.length > 0) {
    found.push({
      check: "fields",
      level: "error",
      seen: `${places(misspelt)}: ${shown(misspelt)}`,
      why:
        "Field names are exact, in lower case and without blanks: the value is lost for every reader",
      fix: 'Write "data:", "event:", "id:" and "retry:" at the start of the line',
    });
  }
  if (rest.length > 0) {
    found.push({
      check: "injection",
      level: "error",
      seen: `${places(rest)}: ${shown(rest)}, which is no field but looks like text`,
      why:
        "A value with a line break in it was sent as it is: what follows is lost, and who writes the value can write fields and events of their own",
      fix:
        "Split data at every line break and send a data line for each part; refuse line breaks in event and id",
    });
  }
  if (custom.length > 0) {
    found.push({
      check: "fields",
      level: "warning",
      seen: `${places(custom)}: ${shown(custom)}`,
      why: "The standard knows data, event, id and retry only: no reader gets the others",
      fix: "Put it into the data, or into a comment",
    });
  }
  if (dataless.count > 0) {
    found.push({
      check: "no-data",
      level: "warning",
      seen: `${showCount(dataless.count, "event")} without data, the first at line ${
        dataless.first[0].line
      }: ${quote(dataless.first[0].text)}`,
      why: "A block without a data line is never dispatched: no reader sees this event",
      fix: 'Add a data line, be it empty: "data:"',
    });
  }
  if (found.length === 0) {
    found.push({ check: "fields", level: "ok", seen: "Every line is a field" });
  }
  return found;
}

/** Lines with a name of their own that comes again: somebody meant a field. */
function customFields(lines: readonly Line[]): Line[] {
  const names = lines.map(({ text }) => nameOf(text));
  return lines.filter(({ text }) => {
    const name = nameOf(text);
    return text.includes(":") && /^[A-Za-z][\w-]*$/.test(name) && !/^\w+:\/\//.test(text) &&
      names.indexOf(name) !== names.lastIndexOf(name);
  });
}

/** The first line that is this field and was refused for its value. */
export function refusedField({ ignored }: Transcript, name: string): Line | undefined {
  return ignored.first.find(({ text }) => nameOf(text) === name);
}

function nameOf(text: string): string {
  const colon = text.indexOf(":");
  return colon < 0 ? text : text.slice(0, colon);
}

function places(lines: readonly Line[]): string {
  const [{ line }] = lines;
  return lines.length === 1 ? `Line ${line}` : `${lines.length} lines, the first is line ${line}`;
}

function shown(lines: readonly Line[]): string {
  return quote(lines[0].text);
}
