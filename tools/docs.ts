/**
 * The documentation is whole: every exported symbol, member and option says what it is, every
 * function and class shows a titled example that runs, every parameter and result is described,
 * every `@throws` names its class, every option its default, every entry point its purpose.
 *
 * `deno doc --lint` runs first; it finds private types in the public surface. The examples
 * themselves are run by `deno test --doc`.
 *
 * @module
 */

import { count, deno, entryPoints, report, ROOT, rootUrl } from "./_deno.ts";

/** What is missing from the documentation of the entry points of the tree at `root`. */
export async function checkDocs(root: string): Promise<string[]> {
  const files = (await entryPoints(root)).map(({ file }) => file);
  const lint = await deno(root, ["doc", "--lint", ...files]);
  const problems = lint.success ? [] : [lint.stderr.trim()];
  const base = await rootUrl(root);
  for (const found of await Promise.all(files.map((file) => fileProblems(root, file)))) {
    problems.push(...found.map((problem) => problem.replace(base, "")));
  }
  return [...new Set(problems)]; // The barrel names every symbol once more.
}

/**
 * What `deno doc` knows of an entry point of the tree at `root`.
 *
 * One file a process: given several, deno doc leaves a re-export as a bare reference.
 *
 * @throws {Error} If it cannot be documented.
 */
export async function readPages(root: string, file: string): Promise<Page[]> {
  const { success, stdout, stderr } = await deno(root, ["doc", "--json", file]);
  if (!success) throw new Error(`Cannot document ${file}: ${stderr.trim()}`);
  const { nodes }: { nodes: Record<string, Page> } = JSON.parse(stdout);
  return Object.values(nodes);
}

async function fileProblems(root: string, file: string): Promise<string[]> {
  return (await readPages(root, file)).flatMap(({ module_doc, symbols }) => {
    const problems = symbols.flatMap(symbolProblems);
    if (hasTag(module_doc, "module") && module_doc?.doc?.trim()) return problems;
    return [
      `${file}:1 needs a module doc: a comment that says what it is for, with @module`,
      ...problems,
    ];
  });
}

// What follows is the part of `deno doc --json` that is read here.

/** What is documented of a module. */
export interface Page {
  /** The comment of the module. */
  module_doc?: JsDoc;
  /** What it exports. */
  symbols: { name: string; declarations: Declaration[] }[];
}

/** A documentation comment. */
export interface JsDoc {
  /** Its text, without tags. */
  doc?: string;
  /** Its tags, in their order. */
  tags?: Tag[];
}

interface Tag {
  kind: string;
  name?: string;
  doc?: string;
  tsType?: unknown;
}

interface Documented {
  jsDoc?: JsDoc;
  location: { filename: string; line: number };
}

/** One declaration of a symbol. */
export interface Declaration extends Documented {
  /** `function`, `class`, `interface`, ... */
  kind: string;
  /** What it says. */
  def?: Signature & Members & { tsType?: Type };
}

interface Signature {
  params?: Param[];
  returnType?: Type;
  hasBody?: boolean;
}

interface Members {
  constructors?: (Documented & Signature & { accessibility?: string })[];
  properties?: (Documented & { name: string; optional?: boolean; accessibility?: string })[];
  methods?: Method[];
  callSignatures?: (Documented & Signature)[];
}

// A class keeps the signature of a method in `functionDef`, an interface in the method itself.
interface Method extends Documented, Signature {
  name: string;
  kind: string;
  accessibility?: string;
  functionDef?: Signature;
}

interface Param {
  kind: string;
  name?: string;
  left?: Param;
  arg?: Param;
}

interface Type {
  kind: string;
  repr?: string;
  value?: unknown;
}

function symbolProblems({ name, declarations }: Page["symbols"][number]): string[] {
  const problems = signatures(declarations, (declaration) => declaration.def).flatMap(
    (declaration) => declarationProblems(name, declaration),
  );
  const first = declarations[0];
  const callable = declarations.some(({ kind }) => kind === "function" || kind === "class");
  if (callable && !declarations.some(({ jsDoc }) => hasTag(jsDoc, "example"))) {
    problems.push(says(first, name, "has no @example"));
  }
  return problems;
}

function declarationProblems(name: string, declaration: Declaration): string[] {
  const { kind, def = {} } = declaration;
  const problems = common(name, declaration);
  if (kind === "function") problems.push(...signatureProblems(name, declaration, def));
  const options = kind === "interface" || kind === "typeAlias" ? /(?:Options|Policy)$/ : /^$/;
  const members = kind === "typeAlias" ? literals(def.tsType) : [def];
  for (const part of members) problems.push(...memberProblems(name, part, options.test(name)));
  return problems;
}

function memberProblems(owner: string, members: Members, areOptions: boolean): string[] {
  const { constructors = [], properties = [], methods = [], callSignatures = [] } = members;
  const problems: string[] = [];
  for (const made of signatures(constructors, (made) => made)) {
    if (made.accessibility === "private") continue;
    const name = `new ${owner}`;
    problems.push(...common(name, made), ...paramProblems(name, made, made));
  }
  for (const property of properties) {
    if (property.accessibility === "private") continue;
    const name = `${owner}.${property.name}`;
    problems.push(...common(name, property));
    // A handler that is left out is simply not called: there is no default to state.
    const needsDefault = areOptions && property.optional && !/^on[A-Z]/.test(property.name);
    if (needsDefault && !statesDefault(property.jsDoc)) {
      problems.push(says(property, name, "states no default: add @default"));
    }
  }
  for (const method of overloads(methods)) {
    if (method.accessibility === "private") continue;
    const name = `${owner}.${method.name}`;
    problems.push(...common(name, method));
    if (method.kind === "method") {
      problems.push(...signatureProblems(name, method, method.functionDef ?? method));
    }
  }
  for (const call of callSignatures) {
    problems.push(...common(owner, call), ...signatureProblems(owner, call, call));
  }
  return problems;
}

/** What every documented thing owes: a summary, examples and `@throws` in their form. */
function common(name: string, documented: Documented): string[] {
  const { jsDoc } = documented;
  const problems: string[] = [];
  if (!jsDoc?.doc?.trim()) problems.push(says(documented, name, "has no summary"));
  for (const { kind, doc = "", tsType } of jsDoc?.tags ?? []) {
    if (kind === "example" && !/^[^`\s].*\n\s*```ts\n[^]*```/.test(doc)) {
      problems.push(
        says(documented, name, "has an @example that is not a title and then a ```ts block"),
      );
    }
    if (kind === "throws" && (tsType === undefined || !/^If \S/.test(doc))) {
      problems.push(says(documented, name, "has a @throws that is not of the form {Class} If ..."));
    }
  }
  return problems;
}

function signatureProblems(name: string, documented: Documented, signature: Signature): string[] {
  const problems = paramProblems(name, documented, signature);
  const tag = documented.jsDoc?.tags?.find(({ kind }) => kind === "return");
  if (!isVoid(signature.returnType) && !tag?.doc?.trim()) {
    problems.push(says(documented, name, "has no @returns"));
  }
  return problems;
}

function paramProblems(name: string, documented: Documented, signature: Signature): string[] {
  const tags = (documented.jsDoc?.tags ?? []).filter(({ kind }) => kind === "param");
  const problems: string[] = [];
  const names = (signature.params ?? []).map(nameOf);
  for (const [index, param] of names.entries()) {
    // A destructured parameter has no name of its own: its tag is the one in its place.
    const tag = param === undefined ? tags[index] : tags.find((tag) => tag.name === param);
    if (!tag?.doc?.trim()) {
      problems.push(says(documented, name, `has no @param ${param ?? `number ${index + 1}`}`));
    }
  }
  for (const tag of names.includes(undefined) ? [] : tags) {
    if (!names.includes(tag.name?.split(".")[0])) {
      problems.push(
        says(documented, name, `describes @param ${tag.name}, which is no parameter of it`),
      );
    }
  }
  return problems;
}

function nameOf(param: Param): string | undefined {
  return param.name ?? (param.left ? nameOf(param.left) : param.arg && nameOf(param.arg));
}

/** Without the implementations of overloads, which nobody sees. */
function signatures<T>(declarations: T[], signature: (of: T) => Signature | undefined): T[] {
  if (declarations.length === 1) return declarations;
  const bodiless = declarations.filter((one) => !signature(one)?.hasBody);
  return bodiless.length > 0 ? bodiless : declarations;
}

function overloads(methods: Method[]): Method[] {
  const byName = Map.groupBy(methods, ({ name, kind }) => `${kind} ${name}`);
  return [...byName.values()].flatMap((same) => signatures(same, (one) => one.functionDef ?? one));
}

/** The object literals of a type alias, through unions and intersections. */
function literals(type: Type | undefined): Members[] {
  if (type?.kind === "typeLiteral") return [type.value as Members];
  if (type?.kind === "union" || type?.kind === "intersection") {
    return (type.value as Type[]).flatMap(literals);
  }
  return [];
}

function isVoid(type: Type | undefined): boolean {
  if (type?.kind === "keyword") return /^(?:void|never|undefined)$/.test(type.repr ?? "");
  if (type?.kind !== "typeRef" || type.repr !== "Promise") return false;
  const { typeParams } = type.value as { typeParams?: Type[] };
  return isVoid(typeParams?.[0]);
}

function hasTag(jsDoc: JsDoc | undefined, kind: string): boolean {
  return jsDoc?.tags?.some((tag) => tag.kind === kind) ?? false;
}

function statesDefault(jsDoc: JsDoc | undefined): boolean {
  return hasTag(jsDoc, "default") || /\bdefault/i.test(jsDoc?.doc ?? "");
}

function says({ location }: Documented, name: string, problem: string): string {
  return `${location.filename}:${location.line + 1} ${name} ${problem}`;
}

if (import.meta.main) {
  const entries = await entryPoints(ROOT);
  report("docs", await checkDocs(ROOT), `${count(entries.length, "entry point")} documented`);
}
