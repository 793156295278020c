/** Names of topics and patterns: what is one, what matches, and at what cost. */

import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import {
  checkPattern,
  checkTopic,
  isPattern,
  matches,
  MAX_TOPIC_LENGTH,
  PatternIndex,
} from "../../server/patterns.ts";
import { property } from "../helpers.ts";

const TOPICS = [
  "a",
  "news",
  "news/7",
  "/news",
  "news/",
  "/",
  "//",
  "a//b",
  " a b ",
  "é/😀",
  "user:alice",
  "urn:isbn:1",
  "https://a.test/b?c=d&e=f,g#h",
  "a+b@c.test",
  "what?",
  "a:",
  "%2A",
  "[a-b]|$^~'\"<>`",
  "a".repeat(MAX_TOPIC_LENGTH),
  "😀".repeat(MAX_TOPIC_LENGTH / 2),
];

const PATTERNS = [
  "*",
  ":id",
  "news/*",
  "news/:id",
  "/:a/:b/*",
  "news/:id/title",
  ":$_x1",
  ":é",
  "user:x/:y",
  "/*",
  "//*",
];

// No topic and no pattern: the title says which text.
const NEITHER: [string, string][] = [
  ["nothing", ""],
  ["a text over the bound", "a".repeat(MAX_TOPIC_LENGTH + 1)],
  ["NUL", "a\0"],
  ["a line break", "a\nb"],
  ["a tab", "a\tb"],
  ["DEL", "a\x7f"],
  ["a control of C1", "a\x85"],
  ["half a surrogate pair", "a\ud83d"],
  ["the other half", "\ude00a"],
];

// What a URLPattern has and a pattern here has not, and what neither has.
const UNSUPPORTED = [
  "news/:id?",
  "news/:id+",
  "news/:id*",
  "news/:id.json",
  "news/:a-:b",
  "news/:id(\\d+)",
  "news/(\\d+)",
  "(.*)",
  "{news/}?:id",
  "{news}",
  "a}b",
  "f(x)",
  "news/*?",
  "news/**",
  "news*",
  "n*s",
  "*/news",
  "news/*/title",
  "*/*",
  "news/*/",
  "news/:",
  "news/:1",
  "::a",
  "a\\b",
  "news/\\*",
  "news/\\:id",
];

Deno.test("checkTopic lets names of topics pass, and checkPattern too", () => {
  for (const topic of TOPICS) {
    checkTopic(topic);
    checkPattern(topic);
    assert(!isPattern(topic), topic);
    assert(matches(topic, topic), topic);
  }
});

Deno.test("checkPattern lets patterns pass, and checkTopic does not", () => {
  for (const pattern of PATTERNS) {
    checkPattern(pattern);
    assert(isPattern(pattern), pattern);
    assertThrows(() => checkTopic(pattern), TypeError, JSON.stringify(pattern));
  }
});

for (const [what, text] of NEITHER) {
  Deno.test(`checkTopic and checkPattern refuse ${what}`, () => {
    assertThrows(() => checkTopic(text), TypeError, "Cannot use topic: it must");
    assertThrows(() => checkPattern(text), TypeError, "Cannot use pattern: it must");
  });
}

Deno.test("checkTopic refuses what is no string", () => {
  for (const [json, type] of [["null", "null"], ["7", "number"], ["[]", "object"]]) {
    const topic: string = JSON.parse(json);
    const { message } = assertThrows(() => checkTopic(topic), TypeError);
    assertEquals(
      message,
      `Cannot use topic: it must be a string of 1 to 256 UTF-16 units: received ${type}`,
    );
  }
});

Deno.test("checkTopic quotes a long topic up to a bound", () => {
  const { message } = assertThrows(() => checkTopic("a".repeat(1_000_000)), TypeError);
  assert(message.endsWith(`received "${"a".repeat(40)}…"`), message.slice(-100));
  const over = `*${"a".repeat(40)}`;
  assert(assertThrows(() => checkTopic(over), TypeError).message.endsWith('a…"'));
  const short = `*${"a".repeat(39)}`;
  assert(assertThrows(() => checkTopic(short), TypeError).message.endsWith(`received "${short}"`));
});

for (const pattern of UNSUPPORTED) {
  Deno.test(`checkPattern refuses ${pattern} and says what is supported`, () => {
    for (const use of [checkPattern, (text: string) => matches(text, "a")]) {
      assertThrows(
        () => use(pattern),
        TypeError,
        'Cannot use pattern: a segment must be ":name", "*" if it is the last, or',
      );
    }
    // It is none that anybody could take for a topic.
    assert(isPattern(pattern));
    assertThrows(() => checkTopic(pattern), TypeError, "are kept for patterns");
  });
}

Deno.test("checkPattern refuses a name that stands in a pattern twice", () => {
  assertThrows(() => checkPattern("a/:x/:y/:x"), TypeError, "a name must stand in it once");
});

// pattern, topics that match, topics that do not
const MATCHES: [string, string[], string[]][] = [
  ["news", ["news"], ["New", "News", "news/", "/news", "news/7", "new"]],
  ["/news", ["/news"], ["news", "//news"]],
  [":id", ["7", "é", "a b", "a:b"], ["", "/7", "7/", "7/8"]],
  ["news/:id", ["news/7", "news/ "], ["news", "news/", "news/7/", "news/7/title", "blog/7"]],
  [":a/title", ["7/title"], ["/title", "title", "7/8/title"]],
  [":a/:b", ["x/y"], ["x", "x/", "/y", "x/y/z"]],
  ["news/*", ["news/7", "news/7/title", "news/", "news//"], ["news", "newsletter", "blog/7"]],
  ["*", ["a", "a/b", "/", "é"], []],
  ["/*", ["/", "/a", "//"], ["a", "a/"]],
  [":a/*", ["a/", "a/b/c"], ["a", "/b"]],
  ["user:x", ["user:x"], ["user7", "user:y"]],
  ["é", ["é"], ["e\u0301", "%C3%A9"]],
];

for (const [pattern, yes, no] of MATCHES) {
  Deno.test(`matches says which topics ${pattern} matches, and PatternIndex.match finds it`, () => {
    const index = new PatternIndex<string>();
    index.add(pattern, "value");
    for (const topic of yes) {
      assert(matches(pattern, topic), topic);
      assertEquals(index.match(topic), ["value"], topic);
    }
    for (const topic of no) {
      assert(!matches(pattern, topic), topic);
      assertEquals(index.match(topic), [], topic);
    }
  });
}

const segment = fc.constantFrom("", "a", "b", "ab");
const topics = fc.array(segment, { minLength: 1, maxLength: 5 }).map((parts) => parts.join("/"))
  .filter((topic) => topic !== "");
const patterns = fc.tuple(
  fc.array(fc.oneof(segment, fc.constant(":")), { maxLength: 4 }),
  fc.oneof(segment, fc.constantFrom(":", "*")),
).map(([parts, last]) =>
  [...parts, last].map((part, i) => part === ":" ? `:n${i}` : part).join("/")
).filter((pattern) => pattern !== "");

Deno.test("matches agrees with URLPattern on paths", () => {
  fc.assert(
    fc.property(patterns, topics, (pattern, topic) => {
      const oracle = new URLPattern({ pathname: `/${pattern}` });
      assertEquals(matches(pattern, topic), oracle.test({ pathname: `/${topic}` }));
    }),
    property(),
  );
});

Deno.test("PatternIndex.match gives the values of all patterns that match, whatever was deleted", () => {
  const entry = fc.tuple(patterns, fc.nat({ max: 5 }), fc.boolean());
  fc.assert(
    fc.property(fc.array(entry, { maxLength: 40 }), topics, (entries, topic) => {
      const index = new PatternIndex<number>();
      const held = new Set<string>();
      for (const [pattern, value, kept] of entries) {
        const key = JSON.stringify([pattern, value]);
        if (kept) index.add(pattern, value);
        else assertEquals(index.delete(pattern, value), held.has(key));
        if (kept) held.add(key);
        else held.delete(key);
      }
      const pairs: [string, number][] = [...held].map((key) => JSON.parse(key));
      const expected = pairs.filter(([pattern]) => matches(pattern, topic)).map(([, value]) =>
        value
      );
      assertEquals(index.match(topic).sort(), [...new Set(expected)].sort());
      for (const [pattern, value] of pairs) assert(index.delete(pattern, value));
      assertEquals(index.countNodes(), 0);
    }),
    property(),
  );
});

Deno.test("PatternIndex.match gives a value once that several patterns lead to", () => {
  const index = new PatternIndex<string>();
  for (const pattern of ["a/b", "a/:x", "a/:y", ":x/b", "a/*", "*"]) index.add(pattern, "value");
  assertEquals(index.match("a/b"), ["value"]);
});

Deno.test("PatternIndex.add under a pattern a second time changes nothing", () => {
  const index = new PatternIndex<string>();
  index.add("a/*", "value");
  index.add("a/*", "value");
  assert(index.delete("a/*", "value"));
  assertEquals(index.match("a/b"), []);
  assertEquals(index.countNodes(), 0);
});

Deno.test("PatternIndex.delete tells patterns apart by the names of their groups", () => {
  const index = new PatternIndex<string>();
  index.add("a/:x", "value");
  index.add("a/:y", "value");
  assert(!index.delete("a/:z", "value"));
  assert(index.delete("a/:x", "value"));
  assertEquals(index.match("a/b"), ["value"]);
  assert(index.delete("a/:y", "value"));
  assertEquals(index.match("a/b"), []);
});

Deno.test("PatternIndex.delete is false for what is not there, and changes nothing", () => {
  const index = new PatternIndex<string>();
  index.add("a/b/:x", "value");
  for (const pattern of ["a", "a/b", "a/:x/:y", "a/b/c", "a/b/*", "a/b/:x/c", "*", "b"]) {
    assert(!index.delete(pattern, "value"), pattern);
  }
  assert(!index.delete("a/b/:x", "other"));
  assertEquals([index.match("a/b/c"), index.countNodes()], [["value"], 3]);
  assertThrows(() => index.delete("a/:", "value"), TypeError);
});

Deno.test("PatternIndex.delete keeps what other patterns need", () => {
  const index = new PatternIndex<string>();
  index.add("a/b/c", "deep");
  index.add("a/b", "upper");
  index.add("a/b", "second");
  assert(index.delete("a/b", "upper"));
  assertEquals([index.match("a/b"), index.match("a/b/c")], [["second"], ["deep"]]);
  assert(index.delete("a/b/c", "deep"));
  assertEquals([index.match("a/b"), index.countNodes()], [["second"], 2]);
});

Deno.test("PatternIndex.add of what is no pattern adds nothing", () => {
  const index = new PatternIndex<string>();
  for (const pattern of ["", "a/b/:", "a/*/b", "a/:x/:x", "a\n"]) {
    assertThrows(() => index.add(pattern, "value"), TypeError);
  }
  assertEquals(index.countNodes(), 0);
});

Deno.test("PatternIndex.match takes no text for a group", () => {
  const index = new PatternIndex<string>();
  index.add("a/:x", "one");
  index.add("a/*", "rest");
  index.add(":x", "alone");
  for (const text of [":", "*", ":x", "a", "__proto__", "constructor"]) {
    assertEquals(index.match(text), ["alone"], text);
  }
  assertEquals(index.match(""), []);
  assertEquals(index.match("a/").sort(), ["rest"]);
});

/** How often `work` looks into a map or a set; to go through one is a look at each of its entries. */
function countSteps(work: () => unknown): number {
  let steps = 0;
  const restores: (() => void)[] = [];
  for (const prototype of [Map.prototype, Set.prototype]) {
    for (const name of ["get", "has", "values", "keys", "entries", "forEach", Symbol.iterator]) {
      const method: unknown = Reflect.get(prototype, name);
      if (typeof method !== "function") continue;
      Reflect.set(prototype, name, function (this: { size: number }, ...args: unknown[]): unknown {
        steps += name === "get" || name === "has" ? 1 : this.size;
        return Reflect.apply(method, this, args);
      });
      restores.push(() => Reflect.set(prototype, name, method));
    }
  }
  try {
    work();
  } finally {
    for (const restore of restores) restore();
  }
  return steps;
}

/** The patterns, each with a value of its own. */
function indexOf(patterns: Iterable<string>): PatternIndex<string> {
  const index = new PatternIndex<string>();
  for (const pattern of patterns) index.add(pattern, pattern);
  return index;
}

Deno.test("PatternIndex.match takes as many steps among 10,000 patterns as among 10", () => {
  const make = (count: number) => {
    const numbers = Array.from({ length: count }, (_, i) => i);
    const several = numbers.flatMap((i) => [
      `${i}/:x/z`,
      `a/${i}/*`,
      `a/:x/${i}`,
      `:x/b/${i}`,
      `a/b/c/${i}`,
    ]);
    return indexOf(several.concat("a/:x/c", ":x/b/c"));
  };
  const [few, many] = [make(2), make(2_000)];
  assertEquals(many.match("a/b/c").sort(), [":x/b/c", "a/:x/c"]);
  const steps = countSteps(() => many.match("a/b/c"));
  assertEquals(steps, countSteps(() => few.match("a/b/c")));
  // Three look-ups at each of 2 ** 3 - 1 nodes, and what was found.
  assert(steps <= 3 * 7 + 8, `${steps} steps`);
  // The steps are counted: a walk over all patterns would show.
  assert(countSteps(() => many.countNodes()) > 10_000);
});

Deno.test("PatternIndex.match takes at most 2 ** depth nodes, whatever the patterns", () => {
  // Each mixture of a group and the name itself for twelve segments, and none that matches.
  const depth = 12;
  const all = Array.from({ length: 2 ** depth }, (_, bits) => {
    const parts = Array.from({ length: depth }, (_, i) => bits >> i & 1 ? "a" : `:n${i}`);
    return `${parts.join("/")}/z`;
  });
  const index = indexOf(all);
  for (const length of [1, 2, 4, 8]) {
    const topic = Array(length).fill("a").join("/");
    const steps = countSteps(() => index.match(topic));
    assert(steps <= 3 * 2 ** length, `${steps} steps for ${topic}`);
  }
  // A topic that leaves the patterns early costs no more for what is behind.
  assert(countSteps(() => index.match(`/${"a/".repeat(100)}`)) <= 3);
});

Deno.test("PatternIndex keeps no node of 10,000 patterns that are deleted", () => {
  const patterns = Array.from({ length: 10_000 }, (_, i) => `a/${i % 100}/:x/${i}/*`);
  const index = indexOf(patterns);
  assertEquals(index.countNodes(), 1 + 100 + 100 + 10_000 + 10_000);
  for (const pattern of patterns) assert(index.delete(pattern, pattern));
  assertEquals(index.countNodes(), 0);
});
