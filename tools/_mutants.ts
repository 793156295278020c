/**
 * Where a source file can be broken, and how: each mutant is one small edit that keeps the syntax
 * whole and should change what the code does.
 *
 * @module
 */

import ts from "typescript";

/** One way to break one place of a file. */
export interface Mutant {
  /** The file, relative to the root. */
  file: string;
  /** One-based line. */
  line: number;
  /** One-based column. */
  column: number;
  /** Offset of the first code unit that is replaced. */
  start: number;
  /** The text that is replaced. */
  original: string;
  /** The text that takes its place. */
  mutated: string;
  /** The whole source line, trimmed. */
  source: string;
}

const SWAPPED = new Map<ts.SyntaxKind, string>([
  [ts.SyntaxKind.LessThanToken, "<="],
  [ts.SyntaxKind.LessThanEqualsToken, "<"],
  [ts.SyntaxKind.GreaterThanToken, ">="],
  [ts.SyntaxKind.GreaterThanEqualsToken, ">"],
  [ts.SyntaxKind.EqualsEqualsEqualsToken, "!=="],
  [ts.SyntaxKind.ExclamationEqualsEqualsToken, "==="],
  [ts.SyntaxKind.EqualsEqualsToken, "!="],
  [ts.SyntaxKind.ExclamationEqualsToken, "=="],
]);

/** The mutants of a file, in the order of the source. */
export function mutantsOf(file: string, source: string): Mutant[] {
  const tree = ts.createSourceFile(file, source, ts.ScriptTarget.Latest, true);
  const mutants: Mutant[] = [];

  function replace(node: ts.Node, mutated: string): void {
    const start = node.getStart(tree);
    const { line, character } = tree.getLineAndCharacterOfPosition(start);
    const original = source.slice(start, node.end);
    const text = source.split("\n")[line].trim();
    mutants.push({
      file,
      line: line + 1,
      column: character + 1,
      start,
      original,
      mutated,
      source: text,
    });
  }

  function visit(node: ts.Node): void {
    // Types, overloads and imports do nothing at run time.
    if (ts.isTypeNode(node) || ts.isInterfaceDeclaration(node) || ts.isImportDeclaration(node)) {
      return;
    }
    const condition = conditionOf(node);
    if (condition !== undefined && !isEquality(condition) && !isBoolean(condition)) {
      replace(condition, `!(${condition.getText(tree)})`);
    }
    if (ts.isBinaryExpression(node)) breakBinary(node);
    if (ts.isNumericLiteral(node) && isIndexArithmetic(node)) {
      replace(node, String(Number(node.text) + 1));
    }
    if (isBoolean(node)) replace(node, node.kind === ts.SyntaxKind.TrueKeyword ? "false" : "true");
    if (ts.isExpressionStatement(node) && hasEffect(node.expression)) replace(node, ";");
    ts.forEachChild(node, visit);
  }

  function breakBinary({ left, operatorToken, right }: ts.BinaryExpression): void {
    const swapped = SWAPPED.get(operatorToken.kind);
    if (swapped !== undefined) replace(operatorToken, swapped);
    if (isLogical(operatorToken)) {
      replace(left.parent, left.getText(tree));
      replace(left.parent, right.getText(tree));
    }
    const plus = operatorToken.kind === ts.SyntaxKind.PlusToken;
    const minus = operatorToken.kind === ts.SyntaxKind.MinusToken;
    const sides = [left, right];
    if ((plus || minus) && sides.some(ts.isNumericLiteral) && !sides.some(isText)) {
      replace(operatorToken, plus ? "-" : "+");
    }
  }

  visit(tree);
  return mutants.sort((a, b) => a.start - b.start);
}

/** The source with the mutant in it. */
export function apply(source: string, { start, original, mutated }: Mutant): string {
  return source.slice(0, start) + mutated + source.slice(start + original.length);
}

/** `parse/lines.ts:4:9  a < b → a <= b  (if (a < b) {)`. */
export function describe({ file, line, column, original, mutated, source }: Mutant): string {
  return `${file}:${line}:${column}  ${short(original)} → ${short(mutated)}  (${source})`;
}

function short(text: string): string {
  const flat = text.replace(/\s+/g, " ");
  return flat.length > 70 ? `${flat.slice(0, 67)}...` : flat === ";" ? "nothing" : flat;
}

function conditionOf(node: ts.Node): ts.Expression | undefined {
  if (ts.isIfStatement(node) || ts.isWhileStatement(node) || ts.isDoStatement(node)) {
    return node.expression;
  }
  return ts.isConditionalExpression(node) || ts.isForStatement(node) ? node.condition : undefined;
}

// Of an equality the operator is swapped and a literal is flipped already: the same mutants.
function isBoolean({ kind }: ts.Node): boolean {
  return kind === ts.SyntaxKind.TrueKeyword || kind === ts.SyntaxKind.FalseKeyword;
}

function isEquality(node: ts.Expression): boolean {
  return ts.isBinaryExpression(node) && /^[!=]==?$/.test(node.operatorToken.getText());
}

function isLogical({ kind }: ts.Node): boolean {
  return kind === ts.SyntaxKind.AmpersandAmpersandToken || kind === ts.SyntaxKind.BarBarToken ||
    kind === ts.SyntaxKind.QuestionQuestionToken;
}

function isText(node: ts.Node): boolean {
  return ts.isStringLiteralLike(node) || ts.isTemplateExpression(node);
}

// Not the factors of a size such as 64 * 1024 * 1024: one more or less of those is no mistake.
function isIndexArithmetic({ parent }: ts.NumericLiteral): boolean {
  if (ts.isBinaryExpression(parent)) {
    const { kind } = parent.operatorToken;
    return SWAPPED.has(kind) || [
      ts.SyntaxKind.PlusToken,
      ts.SyntaxKind.MinusToken,
      ts.SyntaxKind.EqualsToken,
      ts.SyntaxKind.PlusEqualsToken,
      ts.SyntaxKind.MinusEqualsToken,
    ].includes(kind);
  }
  return ts.isElementAccessExpression(parent) || ts.isCallExpression(parent) ||
    ts.isVariableDeclaration(parent) || ts.isPropertyDeclaration(parent) ||
    ts.isConditionalExpression(parent) || ts.isReturnStatement(parent);
}

function hasEffect(node: ts.Expression): boolean {
  if (ts.isAwaitExpression(node) || ts.isParenthesizedExpression(node)) {
    return hasEffect(node.expression);
  }
  if (ts.isCallExpression(node)) return node.expression.kind !== ts.SyntaxKind.SuperKeyword;
  if (ts.isBinaryExpression(node)) {
    const { kind } = node.operatorToken;
    return kind >= ts.SyntaxKind.FirstAssignment && kind <= ts.SyntaxKind.LastAssignment;
  }
  return (ts.isPostfixUnaryExpression(node) || ts.isPrefixUnaryExpression(node)) &&
    (node.operator === ts.SyntaxKind.PlusPlusToken ||
      node.operator === ts.SyntaxKind.MinusMinusToken);
}
