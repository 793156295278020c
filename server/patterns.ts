/**
 * Names of topics, and patterns that name many of them.
 *
 * A topic is any text of 1 to 256 UTF-16 units; it is compared as it is, with upper and lower case.
 * Slashes part it into segments, which may be empty: `news/7`, `/news`, `https://a.test/b` and
 * `user:7` are topics. A pattern is written as for the path of a `URLPattern`, and matches as there:
 *
 * - `:name` is one whole segment, not an empty one: `news/:id` matches `news/7`, but neither `news/`
 *   nor `news/7/title`. A name is an identifier and stands once in a pattern.
 * - `*` is the last segment and matches all that is left, one segment or more, empty ones too: `news/*`
 *   matches `news/7`, `news/7/title` and `news/`, but not `news`. A `*` alone matches every topic.
 * - Every other segment matches itself, so that the name of a topic is a pattern too.
 *
 * It differs in two points. A `:` within a segment is itself, for names such as `user:alice` are
 * common. And there is no more than the above: the groups `{}` and `()`, what follows a group (`?`,
 * `+`, `*`, a suffix), a `*` elsewhere and the escape `\` are refused. A topic holds none of what makes
 * a pattern, so that {@linkcode isPattern} tells them apart.
 *
 * Names that begin with the segment `$sse` are ours: what processes tell each other stands in a log
 * beside the topics of its users, who must neither read nor write it.
 *
 * @module
 */

import { show } from "../encode/show.ts";

/** How many UTF-16 units a topic or a pattern may have. */
export const MAX_TOPIC_LENGTH = 256;

/** The first segment of topics that are not for users. */
export const RESERVED = "$sse";

const UNPRINTABLE = /\p{Cc}/u;
const SYNTAX = /[*(){}\\]|(?:^|\/):/;
const NAMED = /^:[\p{ID_Start}$_][\p{ID_Continue}$\u200c\u200d]*$/u;

// Edges of the trie for groups. A segment holds no slash, so none is taken for one of these.
const ONE = "/:";
const REST = "/*";

/**
 * Throws unless a text names a topic.
 *
 * @throws {TypeError} If it is empty or longer than 256, holds a control character or a lone
 * surrogate, or something that makes it a pattern, or is reserved.
 */
export function checkTopic(topic: string): void {
  checkText(topic, "topic");
  if (isPattern(topic)) {
    throw fault(
      "topic",
      '"*", "(", ")", "{", "}", "\\" and a ":" that begins a segment are kept for patterns, replace them',
      topic,
    );
  }
}

/** Whether a text names a topic. A log may hold others: of users with other names, and reserved ones. */
export function isTopic(text: string): boolean {
  try {
    checkTopic(text);
    return true;
  } catch {
    return false;
  }
}

/** Whether a text is written as a pattern and not as a topic; it may be one that is refused. */
export function isPattern(text: string): boolean {
  return SYNTAX.test(text);
}

/**
 * Throws unless a text is a pattern. The name of a topic is one.
 *
 * @throws {TypeError} If it has characters that no topic has, or a group that is not supported, or can
 * match only topics that are reserved.
 */
export function checkPattern(pattern: string): void {
  parsePattern(pattern);
}

/**
 * Whether a pattern matches a topic.
 *
 * @throws {TypeError} If it is no pattern.
 */
export function matches(pattern: string, topic: string): boolean {
  checkPattern(pattern);
  return anyOf([pattern]).test(topic);
}

/** Patterns as one expression: ten thousand topics are looked through for each reader that comes. */
export function anyOf(patterns: readonly string[]): RegExp {
  const sources = patterns.map((pattern) => pattern.split("/").map(sourceOf).join("/"));
  return new RegExp(`^(?:${sources.join("|")})$`, "s");
}

function sourceOf(segment: string): string {
  if (segment === "*") return ".*";
  return isPattern(segment) ? "[^/]+" : segment.replace(/[$()*+.?[\\\]^{|}]/g, "\\$&");
}

interface Node<T> {
  readonly parent: Node<T> | undefined;
  /** What leads here from the parent. */
  readonly edge: string;
  readonly children: Map<string, Node<T>>;
  /** The values of the patterns that end here: such patterns differ in the names of their groups. */
  readonly ends: Map<string, Set<T>>;
}

/**
 * Values by pattern, found by topic. It is a trie by segments: each segment of a topic is itself or a
 * `:name`, so that a topic of `d` segments leads to at most `2 ** d` nodes, however many patterns
 * there are.
 */
export class PatternIndex<T> {
  readonly #root: Node<T> = makeNode<T>(undefined, "");

  /**
   * Adds a value under a pattern, or under the name of a topic. A second time changes nothing.
   *
   * @throws {TypeError} If it is no pattern; nothing is added then.
   */
  add(pattern: string, value: T): void {
    let node = this.#root;
    for (const edge of parsePattern(pattern)) node = childOf(node, edge);
    const values = node.ends.get(pattern);
    if (values === undefined) node.ends.set(pattern, new Set([value]));
    else values.add(value);
  }

  /**
   * Takes a value from a pattern, and all that only it needed. `false` if it is not there: the names
   * of groups are those that it was added with.
   *
   * @throws {TypeError} If it is no pattern.
   */
  delete(pattern: string, value: T): boolean {
    let node = this.#root;
    for (const edge of parsePattern(pattern)) {
      const child = node.children.get(edge);
      if (child === undefined) return false;
      node = child;
    }
    const values = node.ends.get(pattern);
    if (!values?.delete(value)) return false;
    if (values.size === 0) node.ends.delete(pattern);
    prune(node);
    return true;
  }

  /** The values of all patterns that match a topic, each once, in no particular order. */
  match(topic: string): T[] {
    const found = new Set<T>();
    let nodes = [this.#root];
    for (const segment of topic.split("/")) {
      const next: Node<T>[] = [];
      for (const { children } of nodes) {
        collect(children.get(REST), found);
        const same = children.get(segment);
        if (same !== undefined) next.push(same);
        const one = segment === "" ? undefined : children.get(ONE);
        if (one !== undefined) next.push(one);
      }
      nodes = next;
      if (nodes.length === 0) break;
    }
    for (const node of nodes) collect(node, found);
    return [...found];
  }

  /** Counts the nodes beneath the root: a test sees by it that nothing is left. */
  countNodes(): number {
    return countBeneath(this.#root);
  }
}

/** The edges that a pattern takes through the trie. */
function parsePattern(pattern: string): string[] {
  checkText(pattern, "pattern");
  const segments = pattern.split("/");
  const names = new Set<string>();
  return segments.map((segment, i) => {
    if (!isPattern(segment)) return segment;
    if (segment === "*" && i === segments.length - 1) return REST;
    if (!NAMED.test(segment)) {
      throw fault(
        "pattern",
        'a segment must be ":name", "*" if it is the last, or without ":" at its start and "*(){}\\"',
        pattern,
      );
    }
    if (names.has(segment)) {
      throw fault("pattern", "a name must stand in it once, give each group its own", pattern);
    }
    names.add(segment);
    return ONE;
  });
}

function checkText(text: string, what: "topic" | "pattern"): void {
  if (typeof text !== "string" || text === "" || text.length > MAX_TOPIC_LENGTH) {
    throw fault(what, `it must be a string of 1 to ${MAX_TOPIC_LENGTH} UTF-16 units`, text);
  }
  if (UNPRINTABLE.test(text) || !text.isWellFormed()) {
    throw fault(what, "it must not contain a control character or a lone surrogate", text);
  }
  if (text.split("/", 1)[0] === RESERVED) {
    throw fault(
      what,
      `names that begin with "${RESERVED}/" are reserved, take another one`,
      text,
    );
  }
}

/** The error for a text that is refused. */
function fault(what: "topic" | "pattern", rule: string, text: unknown): TypeError {
  const received = typeof text === "string" ? show(text) : text === null ? "null" : typeof text;
  return new TypeError(`Cannot use ${what}: ${rule}: received ${received}`);
}

function makeNode<T>(parent: Node<T> | undefined, edge: string): Node<T> {
  return { parent, edge, children: new Map(), ends: new Map() };
}

/** The child behind an edge, made if there is none. */
function childOf<T>(node: Node<T>, edge: string): Node<T> {
  let child = node.children.get(edge);
  if (child === undefined) {
    child = makeNode(node, edge);
    node.children.set(edge, child);
  }
  return child;
}

/** Removes a node, and those above it, as far as they hold nothing any more. */
function prune<T>(node: Node<T>): void {
  const { parent, edge, children, ends } = node;
  if (parent === undefined || children.size > 0 || ends.size > 0) return;
  parent.children.delete(edge);
  prune(parent);
}

function collect<T>(node: Node<T> | undefined, found: Set<T>): void {
  if (node === undefined) return;
  for (const values of node.ends.values()) {
    for (const value of values) found.add(value);
  }
}

function countBeneath<T>({ children }: Node<T>): number {
  let count = children.size;
  for (const child of children.values()) count += countBeneath(child);
  return count;
}
