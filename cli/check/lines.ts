/**
 * Line ends, the BOM and the bytes that are no text.
 *
 * @module
 */

import { showCount } from "../progress_line.ts";
import type { Finding } from "./finding.ts";
import type { Transcript } from "./transcript.ts";

/** Judges what the lines are made of. */
export function judgeLines(transcript: Transcript): Finding[] {
  const { bom, invalid, replaced } = transcript;
  const found: Finding[] = [judgeLineEnds(transcript)];
  if (bom) {
    found.push({
      check: "bom",
      level: "warning",
      seen: "The body starts with a byte order mark",
      why: "The standard removes it, but simple clients take it for a part of the first field name",
      fix: "Write UTF-8 without a byte order mark",
    });
  }
  if (invalid.count > 0) {
    found.push({
      check: "utf-8",
      level: "error",
      seen: `${showCount(invalid.count, "line")} with bytes that are no UTF-8, the first is line ${
        invalid.first[0]
      }`,
      why: "Readers put U+FFFD in their place: the text is lost",
      fix: "Encode as UTF-8, and never cut a text by bytes",
    });
  } else if (replaced.count > 0) {
    found.push({
      check: "utf-8",
      level: "note",
      seen: `${showCount(replaced.count, "line")} with U+FFFD, the first is line ${
        replaced.first[0]
      }`,
      why:
        "Something before the stream has met bytes that are no UTF-8, and the text was lost there",
      fix:
        "Look where the text comes from: chunks may be decoded one by one without { stream: true }",
    });
  } else found.push({ check: "utf-8", level: "ok", seen: "All of it is UTF-8" });
  return found;
}

function judgeLineEnds({ lineEnds: { lf, crlf, cr } }: Transcript): Finding {
  const check = "line-ends";
  const seen = [[lf, "LF"], [crlf, "CRLF"], [cr, "CR"]] as const;
  const kinds = seen.filter(([number]) => number > 0)
    .map(([number, name]) => `${number} ${name}`).join(", ");
  if (cr > 0 && lf + crlf > 0) {
    return {
      check,
      level: "warning",
      seen: `Lines end differently: ${kinds}`,
      why:
        "A CR alone ends a line: one in a value makes a new field of what follows, which may be another's words",
      fix: "Split data at CR, LF and CRLF, and send a data line for each part",
    };
  }
  if (cr > 0) {
    return {
      check,
      level: "warning",
      seen: `All lines end with CR`,
      why: "The standard has it, but many clients wait for an LF that never comes",
      fix: "End lines with LF",
    };
  }
  if (lf > 0 && crlf > 0) {
    return {
      check,
      level: "note",
      seen: `Lines end differently: ${kinds}`,
      why: "The standard has it, but it may show text that was put in unsplit",
      fix: "End all lines with LF",
    };
  }
  return { check, level: kinds === "" ? "unknown" : "ok", seen: kinds || "No line came" };
}
