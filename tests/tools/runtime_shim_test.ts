import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import strict from "node:assert/strict";
import type { Assert } from "../runtime/harness.ts";
import { assert, TestQueue } from "../runtime/shim.ts";

Deno.test("TestQueue runs its tests one after the other, in their order", async () => {
  const seen: string[] = [];
  const queue = new TestQueue();
  queue.test("slow", async () => {
    await Promise.resolve();
    await Promise.resolve();
    seen.push("slow");
  });
  queue.test("quick", () => void seen.push("quick"));
  await queue.run();
  assertEquals(seen, ["slow", "quick"]);
});

Deno.test("TestQueue runs on after a test that fails", async () => {
  const seen: string[] = [];
  const queue = new TestQueue();
  queue.test("throws", () => {
    throw new Error("At once");
  });
  queue.test("rejects", () => Promise.reject(new Error("Later")));
  queue.test("passes", () => void seen.push("passes"));
  await queue.run();
  assertEquals(seen, ["passes"]);
});

Deno.test("TestQueue runs a test once", async () => {
  let runs = 0;
  const queue = new TestQueue();
  queue.test("counted", () => void runs++);
  await queue.run();
  await queue.run();
  assertEquals(runs, 1);
});

class Coded extends Error {
  override name = "Coded";
  code = "E_CODED";
}
const coded = new Coded('Cannot do: "a" is none');
const doThrow = () => {
  throw coded;
};

/** What must pass, and what must not: by this shim and by `node:assert/strict` alike. */
const CASES: [title: string, passes: boolean, check: (assert: Assert) => void | Promise<void>][] = [
  ["equal is Object.is for NaN", true, (assert) => assert.equal(NaN, NaN)],
  ["equal tells 0 from -0", false, (assert) => assert.equal(0, -0)],
  ["equal does not convert", false, (assert) => assert.equal(1, "1")],
  ["equal tells objects apart", false, (assert) => assert.equal({}, {})],
  ["deepEqual looks into objects", true, (assert) => assert.deepEqual({ a: [1] }, { a: [1] })],
  ["deepEqual ignores the order of keys", true, (assert) => {
    assert.deepEqual({ a: 1, b: 2 }, { b: 2, a: 1 });
  }],
  ["deepEqual sees what differs deeply", false, (assert) => {
    assert.deepEqual({ a: [{ b: 1 }] }, { a: [{ b: 2 }] });
  }],
  ["deepEqual sees a missing key", false, (assert) => assert.deepEqual({}, { a: undefined })],
  ["deepEqual sees a key too many", false, (assert) => assert.deepEqual({ a: undefined }, {})],
  ["deepEqual sees another key", false, (assert) => {
    assert.deepEqual({ a: undefined }, { b: undefined });
  }],
  ["deepEqual sees an item too many", false, (assert) => assert.deepEqual([1, 2], [1])],
  ["deepEqual tells an array from an object", false, (assert) => assert.deepEqual([1], { 0: 1 })],
  ["deepEqual tells null from an object", false, (assert) => assert.deepEqual(null, {})],
  ["deepEqual tells undefined from null", false, (assert) => assert.deepEqual([undefined], [null])],
  ["deepEqual tells dates apart", false, (assert) => {
    assert.deepEqual(new Date(0), new Date(1));
  }],
  ["ok takes what is truthy", true, (assert) => assert.ok("a")],
  ["ok refuses an empty text", false, (assert) => assert.ok("")],
  ["match finds a pattern", true, (assert) => assert.match("abc", /b/)],
  ["match refuses a text without it", false, (assert) => assert.match("abc", /d/)],
  ["throws takes an error of the shape", true, (assert) => {
    assert.throws(doThrow, { name: "Coded", code: "E_CODED", message: /^Cannot do: / });
  }],
  ["throws refuses another name", false, (assert) => assert.throws(doThrow, { name: "Error" })],
  ["throws refuses another code", false, (assert) => assert.throws(doThrow, { code: "E" })],
  ["throws refuses another message", false, (assert) => {
    assert.throws(doThrow, { message: /^do/ });
  }],
  ["throws wants an error", false, (assert) => assert.throws(() => {}, { name: "Error" })],
  ["rejects takes a promise", true, (assert) => {
    return assert.rejects(Promise.reject(coded), { code: "E_CODED" });
  }],
  ["rejects takes a function", true, (assert) => {
    return assert.rejects(() => Promise.reject(coded), { code: "E_CODED" });
  }],
  ["rejects refuses another error", false, (assert) => {
    return assert.rejects(Promise.reject(coded), { code: "E" });
  }],
  ["rejects wants an error", false, (assert) => {
    return assert.rejects(Promise.resolve(1), { name: "Error" });
  }],
];

for (const [title, passes, check] of CASES) {
  for (const [where, assert_] of [["the shim", assert], ["node:assert/strict", strict]] as const) {
    Deno.test(`${title}, in ${where}`, async () => {
      const run = async () => await check(assert_);
      if (passes) await run();
      else await assertRejects(run, Error);
    });
  }
}

Deno.test("assert.deepEqual says where values differ", () => {
  assertThrows(
    () => assert.deepEqual({ a: [1, 2] }, { a: [1, 3] }, "After all"),
    Error,
    'After all: Expected {"a":[1,3]}: received {"a":[1,2]}, which differs at .a.1',
  );
});
