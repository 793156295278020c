/**
 * JSON to be read by people. It is the text that is laid out anew, not its value: an id of 64 bits
 * stays digit by digit, and a name that stands twice stands twice.
 *
 * @module
 */

/** @typedef {"name" | "string" | "number" | "word" | "mark" | "space"} Kind */

/** @typedef {{ text: string, kind: Kind }} Token */

const TOKENS = /"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+/g;

/**
 * The tokens of a JSON text, laid out with two spaces a level.
 *
 * @param {string} text
 * @returns {Token[] | undefined} `undefined` if it is no JSON.
 */
export function layOut(text) {
  try {
    JSON.parse(text);
  } catch {
    return undefined;
  }
  /** @type {Token[]} */
  const tokens = [];
  const found = text.match(TOKENS) ?? [];
  let depth = 0;
  for (const [i, token] of found.entries()) {
    const next = found[i + 1];
    switch (token) {
      case "{":
      case "[": {
        const empty = next === "}" || next === "]";
        tokens.push({ text: token, kind: "mark" });
        depth++;
        if (!empty) tokens.push(lineBreak(depth));
        break;
      }
      case "}":
      case "]": {
        const empty = found[i - 1] === "{" || found[i - 1] === "[";
        depth--;
        if (!empty) tokens.push(lineBreak(depth));
        tokens.push({ text: token, kind: "mark" });
        break;
      }
      case ",":
        tokens.push({ text: ",", kind: "mark" }, lineBreak(depth));
        break;
      case ":":
        tokens.push({ text: ": ", kind: "mark" });
        break;
      default:
        tokens.push({ text: token, kind: kindOf(token, next) });
    }
  }
  return tokens;
}

/**
 * @param {number} depth
 * @returns {Token}
 */
function lineBreak(depth) {
  return { text: `\n${"  ".repeat(depth)}`, kind: "space" };
}

/**
 * @param {string} token
 * @param {string | undefined} next
 * @returns {Kind}
 */
function kindOf(token, next) {
  if (token.startsWith('"')) return next === ":" ? "name" : "string";
  return /^[-\d]/.test(token) ? "number" : "word";
}
