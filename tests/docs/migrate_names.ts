/**
 * What a module lets its users name, by its types; and what a page names.
 *
 * @module
 */

import ts from "typescript";

const OPTIONS: ts.CompilerOptions = {
  allowImportingTsExtensions: true,
  lib: ["lib.esnext.d.ts", "lib.dom.d.ts", "lib.dom.iterable.d.ts", "lib.dom.asynciterable.d.ts"],
  module: ts.ModuleKind.ESNext,
  moduleResolution: ts.ModuleResolutionKind.Bundler,
  noEmit: true,
  skipLibCheck: true,
  target: ts.ScriptTarget.ESNext,
  types: [],
};

/** Names of modules, and of all that their types lead to. */
export interface PublicNames {
  /** What each module exports, and each member of it: of options, of results, of what is inherited. */
  readonly names: Set<string>;
  /** The members of each type that is exported, those of the platform's types that it extends too. */
  readonly members: Map<string, Set<string>>;
  /** What the platform declares. */
  readonly globals: Set<string>;
  /** The members of what the platform declares. */
  readonly platform: Set<string>;
}

/**
 * Reads what modules export.
 *
 * @param files The paths of the modules, or of their types.
 * @param within Types are looked into that are declared in this folder. Of others only those members
 * are taken that something in it inherits.
 * @param paths Where the types of packages are that they import.
 */
export function publicNames(
  files: readonly string[],
  within: string,
  paths: ts.CompilerOptions["paths"] = {},
): PublicNames {
  const program = ts.createProgram([...files], { ...OPTIONS, paths });
  const checker = program.getTypeChecker();
  const names = new Set<string>();
  const members = new Map<string, Set<string>>();
  const seen = new Set<ts.Type>();

  const isPlatform = ({ declarations = [] }: ts.Symbol) =>
    declarations.some((node) => program.isSourceFileDefaultLibrary(node.getSourceFile()));
  const isInside = ({ declarations = [] }: ts.Symbol) =>
    declarations.some((node) => node.getSourceFile().fileName.startsWith(within));

  function visit(type: ts.Type): void {
    if (seen.has(type)) return;
    seen.add(type);
    if (type.isUnionOrIntersection()) return type.types.forEach(visit);
    const symbol = type.aliasSymbol ?? type.symbol;
    if (symbol === undefined || !isInside(symbol)) {
      // What a type of the platform is made of may be theirs: a promise of it, an array of it.
      if (isReference(type)) checker.getTypeArguments(type).forEach(visit);
      return;
    }
    for (const member of checker.getPropertiesOfType(type)) {
      if (isPlatform(member) || isPrivate(member)) continue;
      names.add(nameOf(member));
      visit(checker.getTypeOfSymbol(member));
    }
    for (const signature of [...type.getCallSignatures(), ...type.getConstructSignatures()]) {
      signature.parameters.forEach((parameter) => visit(checker.getTypeOfSymbol(parameter)));
      visit(signature.getReturnType());
    }
  }

  for (const file of files) {
    const source = program.getSourceFile(file);
    const module = source && checker.getSymbolAtLocation(source);
    if (module === undefined) throw new TypeError(`Cannot read ${file}: it is no module`);
    for (const exported of checker.getExportsOfModule(module)) {
      names.add(exported.name);
      const symbol = exported.flags & ts.SymbolFlags.Alias
        ? checker.getAliasedSymbol(exported)
        : exported;
      if (symbol.flags & ts.SymbolFlags.Type) {
        const type = checker.getDeclaredTypeOfSymbol(symbol);
        if (type.isUnion()) type.types.filter(isText).forEach(({ value }) => names.add(value));
        const parts = type.isUnion() ? type.types : [type];
        members.set(exported.name, new Set(parts.flatMap(propertiesOf).map(nameOf)));
        visit(type);
      }
      if (symbol.flags & ts.SymbolFlags.Value) visit(checker.getTypeOfSymbol(symbol));
    }
  }
  return { names, members, ...platformNames(program) };

  function propertiesOf(type: ts.Type): ts.Symbol[] {
    return type.isStringLiteral() ? [] : checker.getPropertiesOfType(type);
  }
}

function isText(type: ts.Type): type is ts.StringLiteralType {
  return type.isStringLiteral();
}

function isReference(type: ts.Type): type is ts.TypeReference {
  return "objectFlags" in type && (Number(type.objectFlags) & ts.ObjectFlags.Reference) !== 0;
}

function isPrivate({ declarations = [], name }: ts.Symbol): boolean {
  return name === "prototype" || name.startsWith("__#") ||
    declarations.some((node) =>
      ts.canHaveModifiers(node) &&
      ts.getModifiers(node)?.some(({ kind }) => kind === ts.SyntaxKind.PrivateKeyword) === true
    );
}

/** `asyncIterator` of `[Symbol.asyncIterator]`. */
function nameOf({ name }: ts.Symbol): string {
  return /^__@(\w+)@/.exec(name)?.[1] ?? name;
}

/** All that the libraries of TypeScript declare: by their texts, which is fast. */
function platformNames(program: ts.Program): Pick<PublicNames, "globals" | "platform"> {
  const globals = new Set<string>();
  const platform = new Set<string>();
  for (const source of program.getSourceFiles()) {
    if (!program.isSourceFileDefaultLibrary(source)) continue;
    source.statements.forEach(function walk(node: ts.Node): void {
      const isMember = ts.isMethodSignature(node) || ts.isPropertySignature(node) ||
        ts.isGetAccessor(node);
      const isGlobal = ts.isInterfaceDeclaration(node) || ts.isVariableDeclaration(node) ||
        ts.isFunctionDeclaration(node) || ts.isTypeAliasDeclaration(node);
      if ((isMember || isGlobal) && node.name !== undefined && ts.isIdentifier(node.name)) {
        (isMember ? platform : globals).add(node.name.text);
      }
      ts.forEachChild(node, walk);
    });
  }
  return { globals, platform };
}

/** A row of a table: the texts of its cells. */
export type Row = readonly string[];

/** The rows of all tables of a page whose first column is headed by this text. */
export function rowsUnder(page: string, heading: string): Row[] {
  const rows: Row[] = [];
  let inside = false;
  for (const line of page.split("\n")) {
    const cells = cellsOf(line);
    if (cells === undefined) inside = false;
    else if (cells[0] === heading) inside = true;
    else if (inside && !/^[-:]+$/.test(cells[0])) rows.push(cells);
  }
  return rows;
}

function cellsOf(line: string): Row | undefined {
  if (!line.startsWith("|")) return undefined;
  return line.split(/(?<!\\)\|/).slice(1, -1).map((cell) => cell.trim().replaceAll("\\|", "|"));
}

/** The texts of code within a text. */
export function codeOf(text: string): string[] {
  return [...text.matchAll(/`([^`]+)`/g)].map(([, code]) => code);
}

/** The names in a piece of code. Texts in it are none, and words of the language are not. */
export function identifiersOf(code: string): string[] {
  const scanner = ts.createScanner(ts.ScriptTarget.ESNext, true, undefined, code);
  const found: string[] = [];
  for (let kind = scanner.scan(); kind !== ts.SyntaxKind.EndOfFileToken; kind = scanner.scan()) {
    if (kind === ts.SyntaxKind.Identifier) found.push(scanner.getTokenText());
  }
  return found;
}

/** What the blocks of a text expect: the second argument of each `assertEquals`, in one line. */
export function expectedBy(text: string): string[] {
  const expected: string[] = [];
  for (const [, code] of text.matchAll(/^```ts\n(.*?)^```/gms)) {
    const source = ts.createSourceFile("block.ts", code, ts.ScriptTarget.ESNext, true);
    ts.forEachChild(source, function walk(node: ts.Node): void {
      if (ts.isCallExpression(node) && node.expression.getText() === "assertEquals") {
        expected.push(node.arguments[1].getText().replace(/\s+/g, " "));
      }
      ts.forEachChild(node, walk);
    });
  }
  return expected;
}
