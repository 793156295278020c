import { assertEquals } from "@std/assert";
import { apply, describe, mutantsOf } from "../../tools/_mutants.ts";

const TABLE: [title: string, source: string, mutants: string[]][] = [
  ["negates a condition", "if (ok) f;", ["if (!(ok)) f;"]],
  ["negates the condition of a loop", "while (ok) f;", ["while (!(ok)) f;"]],
  ["negates the condition of a for", "for (; ok;) f;", ["for (; !(ok);) f;"]],
  ["negates the condition of a ternary", "v = ok ? a : b", [";", "v = !(ok) ? a : b"]],
  ["flips an equality once", "if (a === b) f;", ["if (a !== b) f;"]],
  ["flips a literal condition once", "while (true) f;", ["while (false) f;"]],
  ["moves a bound", "const v = a < b;", ["const v = a <= b;"]],
  ["takes one side of a logical operator", "const v = a && b;", ["const v = a;", "const v = b;"]],
  ["takes one side of a default", "const v = a ?? b;", ["const v = a;", "const v = b;"]],
  ["turns an offset round", "const v = a + 1;", ["const v = a - 1;", "const v = a + 2;"]],
  ["leaves a sum of names alone", "const v = a + b;", []],
  ["leaves text alone", 'const v = "a" + 1;', ['const v = "a" + 2;']],
  ["moves an index", "const v = a[0];", ["const v = a[1];"]],
  ["leaves a size alone", "const v = 64 * 1024;", []],
  ["flips a boolean", "const v = true;", ["const v = false;"]],
  ["removes a call", "f();", [";"]],
  ["removes an awaited call", "await f();", [";"]],
  ["removes an assignment", "a += b;", [";"]],
  ["removes a step", "a++;", [";"]],
  ["keeps a call of super", "class A extends B { constructor() { super(); } }", []],
  ["leaves types alone", "interface A { a: true }\nlet a: 1 | false;", []],
];

for (const [title, source, expected] of TABLE) {
  Deno.test(`mutantsOf ${title}`, () => {
    const mutants = mutantsOf("a.ts", source);
    assertEquals(mutants.map((mutant) => apply(source, mutant)), expected);
  });
}

Deno.test("describe says where and what", () => {
  const [mutant] = mutantsOf("a.ts", "\n  const v = a < b;");
  assertEquals(describe(mutant), "a.ts:2:15  < → <=  (const v = a < b;)");
});
