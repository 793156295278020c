import { assert, assertEquals } from "@std/assert";
import * as fc from "fast-check";
import { Filter } from "../../cli/page/filter.js";
import {
  bytes,
  count,
  decimal,
  duration,
  plural,
  seconds,
  short,
  timeOfDay,
} from "../../cli/page/format.js";
import { layOut } from "../../cli/page/json.js";
import { Ring } from "../../cli/page/ring.js";
import { axisEnd, Rate, Samples, WINDOW } from "../../cli/page/samples.js";
import { property } from "../helpers.ts";

Deno.test("Ring holds the last so many", () => {
  const ring = new Ring<{ size: number; n: number }>(3, Infinity);
  const seen: number[][] = [];
  for (let n = 1; n <= 5; n++) {
    ring.push({ size: 1, n });
    seen.push(ring.toArray().map(({ n }) => n));
  }
  assertEquals(seen, [[1], [1, 2], [1, 2, 3], [2, 3, 4], [3, 4, 5]]);
  assertEquals(ring.length, 3);
  ring.clear();
  assertEquals([ring.length, ring.toArray()], [0, []]);
});

Deno.test("Ring holds no more than its size, and the newest however large it is", () => {
  const ring = new Ring<{ size: number }>(100, 10);
  const sizes = (): number[] => ring.toArray().map(({ size }) => size);
  for (const size of [4, 4]) ring.push({ size });
  assertEquals(sizes(), [4, 4]);
  ring.push({ size: 4 });
  assertEquals(sizes(), [4, 4]);
  ring.push({ size: 50 });
  assertEquals(sizes(), [50]);
  ring.push({ size: 1 });
  assertEquals(sizes(), [1]);
});

Deno.test("Ring goes on for ever", () => {
  const ring = new Ring<{ size: number; n: number }>(10, 500);
  for (let n = 0; n < 10_000; n++) {
    ring.push({ size: n % 100, n });
    const held = ring.toArray();
    assertEquals([held.length, held.at(-1)?.n], [ring.length, n]);
    assert(held.length <= 10 && held.reduce((sum, { size }) => sum + size, 0) <= 500);
  }
});

Deno.test("Filter asks for a type, a topic and a part of the data, and for all if for nothing", () => {
  const event = { type: "paid", topic: "orders/eu", data: '{"city":"Zürich"}' };
  const asked = (query: Partial<{ search: string; type: string; topic: string }>): boolean =>
    new Filter({ search: "", type: "", topic: "", ...query }).matches(event);
  assert(new Filter().matches(event));
  assert(asked({ type: "paid" }) && !asked({ type: "pai" }));
  assert(asked({ topic: "orders/eu" }) && !asked({ topic: "orders" }));
  assert(asked({ search: "zÜRICH" }) && !asked({ search: "bern" }));
  assert(!asked({ search: "zürich", type: "created" }));
});

Deno.test("Filter takes what is searched for as text", () => {
  for (const search of [".*", "[DONE]", "a|b", "c:\\d", "(", "^$", "{1}", "a/b", "-", "😀"]) {
    const filter = new Filter({ search, type: "", topic: "" });
    assert(filter.matches({ type: "", topic: "", data: `before ${search} after` }), search);
    assert(!filter.matches({ type: "", topic: "", data: "xyz" }), search);
  }
});

Deno.test("Filter finds each place, and its parts are the whole text", () => {
  const filter = new Filter({ search: "ab", type: "", topic: "" });
  assertEquals(filter.parts("xAByab"), [
    { text: "x", found: false },
    { text: "AB", found: true },
    { text: "y", found: false },
    { text: "ab", found: true },
  ]);
  assertEquals(new Filter().parts("x"), [{ text: "x", found: false }]);
  fc.assert(
    fc.property(fc.string({ unit: "grapheme" }), fc.string({ maxLength: 3 }), (text, search) => {
      const parts = new Filter({ search, type: "", topic: "" }).parts(text);
      assertEquals(parts.map((part) => part.text).join(""), text);
    }),
    property(),
  );
});

Deno.test("Filter.line is short, on one line, and has what was searched for at its front", () => {
  const filter = new Filter({ search: "needle", type: "", topic: "" });
  assertEquals(filter.line("a\nb\t\tc"), "a b c");
  assertEquals(filter.line("a needle"), "a needle");
  const line = filter.line(`${"x".repeat(10_000)} needle ${"y".repeat(10_000)}`);
  assert(line.length < 500 && line.startsWith("…") && line.endsWith("…"), line);
  assert(line.indexOf("needle") < 40, line);
});

/** JSON as it is laid out. */
function laidOut(text: string): string | undefined {
  return layOut(text)?.map(({ text }) => text).join("");
}

Deno.test("layOut lays JSON out as JSON.stringify does", () => {
  fc.assert(
    fc.property(fc.json(), (text) => {
      const value = JSON.parse(text);
      assertEquals(laidOut(JSON.stringify(value)), JSON.stringify(value, null, 2));
      assertEquals(laidOut(JSON.stringify(value, null, 7)), JSON.stringify(value, null, 2));
    }),
    property(),
  );
});

Deno.test("layOut keeps digits, names that stand twice and escapes as they are", () => {
  assertEquals(
    laidOut('{"id":9007199254740993,"a":1.0e+2,"a":"\\u00e9\\"}{,:"}'),
    '{\n  "id": 9007199254740993,\n  "a": 1.0e+2,\n  "a": "\\u00e9\\"}{,:"\n}',
  );
});

Deno.test("layOut says which token is what", () => {
  const kinds = layOut('{"a":["b",-1,true,null]}')?.filter(({ kind }) => kind !== "space")
    .filter(({ kind }) => kind !== "mark").map(({ text, kind }) => `${kind} ${text}`);
  assertEquals(kinds, ['name "a"', 'string "b"', "number -1", "word true", "word null"]);
});

Deno.test("layOut has nothing for what is no JSON", () => {
  for (const text of ["", "[DONE]", "{", "{'a':1}", "hello"]) assertEquals(layOut(text), undefined);
});

Deno.test("Samples keeps those of the last two minutes", () => {
  const samples = new Samples();
  for (let at = 0; at <= 500_000; at += 1_000) samples.add(at, at);
  assertEquals(samples.within(500_000).length, WINDOW / 1_000 + 1);
  assertEquals(samples.within(500_000 + WINDOW).length, 1);
  assertEquals(samples.within(501_000 + WINDOW), []);
});

Deno.test("Rate is how much a counter grows in a second", () => {
  const rate = new Rate();
  const given = [
    ...[[0, 10], [1_000, 15], [3_000, 15], [3_000, 99], [3_500, 20]],
    // Both begin anew: the counter, and the clock.
    ...[[4_000, 0], [5_000, 7], [100, 8], [1_100, 9]],
  ];
  assertEquals(
    given.map(([at, total]) => rate.next(at, total)),
    [undefined, 5, 0, undefined, 10, undefined, 7, undefined, 1],
  );
});

Deno.test("axisEnd has room for a value, and is round", () => {
  const ends = [0, 0.03, 1, 1.1, 14, 20, 51, 99_999].map(axisEnd);
  assertEquals(ends, [1, 0.05, 1, 2, 20, 20, 100, 100_000]);
});

Deno.test("figures are written in few digits", () => {
  assertEquals([count(1234567), plural(1, "event"), plural(2, "event")], [
    "1,234,567",
    "1 event",
    "2 events",
  ]);
  assertEquals([9_999_999, 12_345_678, 250_000_000].map(short), ["9,999,999", "12.3 M", "250 M"]);
  assertEquals([0, 9.54, 9.96, 14, 14.04, 123.4].map(decimal), [
    "0",
    "9.5",
    "10",
    "14",
    "14",
    "123",
  ]);
  assertEquals([0, 12, 999, 1_000, 24_240, 999_600, 1e12].map(bytes), [
    "0 B",
    "12 B",
    "999 B",
    "1 kB",
    "24.2 kB",
    "1 MB",
    "1 TB",
  ]);
  assertEquals([0.4, 12.2, 999, 3_249].map(duration), ["0.4 ms", "12 ms", "999 ms", "3.2 s"]);
  assertEquals([0, 640].map(seconds), ["0.0 s", "0.6 s"]);
  assertEquals(timeOfDay(new Date(2026, 0, 2, 3, 4, 5, 6).getTime()), "03:04:05.006");
});
