/**
 * Text of others on a terminal: what would move the cursor, change colours or turn the text around is
 * shown and not obeyed.
 *
 * @module
 */

/** C0 without tab and LF, DEL, C1, and what breaks lines or turns their direction unseen. */
const CONTROL =
  // deno-lint-ignore no-control-regex
  /[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g;

/** The text with its control characters as escapes, `\x1b` for example; LF and tab stay. */
export function visible(text: string): string {
  return text.replace(CONTROL, (char) => {
    const code = char.charCodeAt(0);
    if (char === "\r") return "\\r";
    return code < 0x100 ? `\\x${hex(code, 2)}` : `\\u${hex(code, 4)}`;
  });
}

/** The value as JSON on one line, without control characters: those that JSON leaves are escaped. */
export function visibleJson(value: unknown): string {
  return JSON.stringify(value).replace(CONTROL, (char) => `\\u${hex(char.charCodeAt(0), 4)}`);
}

function hex(code: number, length: number): string {
  return code.toString(16).padStart(length, "0");
}
