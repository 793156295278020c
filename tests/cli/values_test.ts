/** The values of a command line: times, sizes, numbers, URLs, headers. */

import { assertEquals, assertThrows } from "@std/assert";
import { UsageError } from "../../cli/failure.ts";
import { requestHeaders, requestTo } from "../../cli/request_options.ts";
import {
  parseFactor,
  parseHeaders,
  parseInteger,
  parseSize,
  parseTime,
  parseUrl,
} from "../../cli/values.ts";

type Table<T> = readonly (readonly [text: string, value: T | undefined])[];

/** Registers a test for each row; one without a value is refused. */
function testValues<T>(name: string, parse: (text: string) => T, table: Table<T>): void {
  for (const [text, value] of table) {
    if (value === undefined) {
      Deno.test(`${name} refuses ${JSON.stringify(text)}, and quotes it`, () => {
        const { message } = assertThrows(() => parse(text), UsageError);
        assertEquals(message.includes(`received ${JSON.stringify(text)}`), true, message);
      });
    } else {
      Deno.test(`${name} reads ${JSON.stringify(text)}`, () => assertEquals(parse(text), value));
    }
  }
}

const NONE = ["", " ", "-1", "1e3", "0x10", "1,5", ".5", "Infinity", "NaN", "1 ", "５"] as const;
const refused = NONE.map((text) => [text, undefined] as const);

testValues("parseTime", (text) => parseTime("for", text), [
  ["0", 0],
  ["2", 2_000],
  ["1.5s", 1_500],
  ["500ms", 500],
  ["2m", 120_000],
  ["1h", 3_600_000],
  ["0.4ms", 0],
  ["1d", undefined],
  ["1 s", undefined],
  ["1S", undefined],
  ...refused,
]);

testValues("parseSize", (text) => parseSize("max", text), [
  ["0", 0],
  ["4096", 4_096],
  ["64k", 65_536],
  ["64KB", 65_536],
  ["1.5m", 1_572_864],
  ["2G", 2_147_483_648],
  ["10b", 10],
  ["1t", undefined],
  ...refused,
]);

testValues("parseInteger", (text) => parseInteger("port", text, 1, 65_535), [
  ["1", 1],
  ["65535", 65_535],
  ["007", 7],
  ["0", undefined],
  ["65536", undefined],
  ["1.0", undefined],
  ["9007199254740993", undefined],
  ...refused,
]);

testValues("parseFactor", (text) => parseFactor("speed", text), [
  ["1", 1],
  ["0.25", 0.25],
  ["10", 10],
  ["0", undefined],
  ["0.0", undefined],
  ["10x", undefined],
  ...refused,
]);

testValues("parseUrl", (text) => parseUrl(text).href, [
  ["http://a", "http://a/"],
  ["HTTPS://a/b?c=d#e", "https://a/b?c=d#e"],
  ["localhost:8000/events", "http://localhost:8000/events"],
  ["127.0.0.1", "http://127.0.0.1/"],
  ["[::1]:8000/é", "http://[::1]:8000/%C3%A9"],
  ["stream.example/a:b", "http://stream.example/a:b"],
  ["ftp://a", undefined],
  ["file:///etc/hosts", undefined],
  ["http://", undefined],
  ["http://a b", undefined],
  ["", undefined],
]);

testValues("parseHeaders", (text) => [...parseHeaders([text])], [
  ["a: b", [["a", "b"]]],
  ["A:b:c ", [["a", "b:c"]]],
  ["x-empty:", [["x-empty", ""]]],
  ["no colon", undefined],
  [": b", undefined],
  ["a b: c", undefined],
  ["a: b\nc: d", undefined],
  ["a: 日", undefined],
]);

Deno.test("parseHeaders keeps all values of one name", () => {
  assertEquals(parseHeaders(["a: 1", "A: 2"]).get("a"), "1, 2");
});

Deno.test("requestHeaders takes the token of the option before that of the environment", () => {
  const env = { SSE_TOKEN: "outer" };
  const value = (input: Parameters<typeof requestHeaders>[0]) =>
    requestHeaders(input, env).get("authorization");
  assertEquals(value({}), "Bearer outer");
  assertEquals(value({ token: "inner" }), "Bearer inner");
  assertEquals(value({ header: ["Authorization: mine"] }), "mine");
  assertEquals(requestHeaders({}, { SSE_TOKEN: "" }).get("authorization"), null);
});

Deno.test("requestTo makes a header of the user, percent signs and all, and refuses two", () => {
  const { url, headers } = requestTo("http://a%3Ab:100%@c/d", {}, { SSE_TOKEN: "outer" });
  assertEquals([url.href, headers.get("authorization")], [
    "http://c/d",
    `Basic ${btoa("a:b:100%")}`,
  ]);
  assertThrows(() => requestTo("a:b@c", { token: "d" }, {}), UsageError, "the user of the URL");
});
