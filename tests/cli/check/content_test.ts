/** What `sse check` makes of lines, fields, ids and events, and of each header. */

import { assertEquals, assertStringIncludes } from "@std/assert";
import { judgeCaching } from "../../../cli/check/caching.ts";
import { judgeContentType } from "../../../cli/check/content_type.ts";
import { judgeCors } from "../../../cli/check/cors.ts";
import { judgeEvents } from "../../../cli/check/events.ts";
import { judgeFields } from "../../../cli/check/fields.ts";
import type { Finding } from "../../../cli/check/finding.ts";
import { judgeIds } from "../../../cli/check/ids.ts";
import { judgeLines } from "../../../cli/check/lines.ts";
import { judgeConnection, judgeFraming, judgeVersion } from "../../../cli/check/protocol.ts";
import { placeToResume } from "../../../cli/check/resume.ts";
import { judgeRetry } from "../../../cli/check/retry.ts";
import { judgeRedirects, judgeStatus } from "../../../cli/check/status.ts";
import { chunkings } from "../../chunkings.ts";
import { SEED, utf8 } from "../../helpers.ts";
import { head, heard, transcript } from "./heard.ts";

/** The findings of all that judge a body. */
function judgeBody(body: string | Uint8Array): Finding[] {
  const one = heard([[20, body]]);
  return [
    ...judgeFields(one.transcript),
    ...judgeLines(one.transcript),
    ...judgeIds(one),
    judgeRetry(one.transcript),
    ...judgeEvents(one.transcript),
  ];
}

/** What stands out, as `level check`. */
function notable(findings: readonly Finding[]): string[] {
  return findings.filter(({ level }) => level !== "ok").map(({ level, check }) =>
    `${level} ${check}`
  );
}

const START = "retry: 2000\n\n";

const BODIES: [title: string, body: string, expected: string[], seen?: string][] = [
  ["all that is right", `${START}: hi\n\nid: 1\ndata: a\n\nid: 2\ndata: b\n\n`, []],
  ["CRLF", `${START}id: 1\ndata: a\n\n`.replaceAll("\n", "\r\n"), []],
  [
    "CR alone",
    `${START}id: 1\ndata: a\n\n`.replaceAll("\n", "\r"),
    ["warning line-ends"],
    "All lines end with CR",
  ],
  ["LF and CRLF", `${START}id: 1\r\ndata: a\n\n`, ["note line-ends"], "4 LF, 1 CRLF"],
  [
    "a CR in the middle of a value",
    `${START}id: 1\ndata: a\rid: 9\n\n`,
    ["warning line-ends"],
    "5 LF, 1 CR",
  ],
  ["U+FFFD", `${START}id: 1\ndata: \ufffd\n\n`, ["note utf-8"], "line 4"],
  [
    "a field in capitals",
    `${START}id: 1\nDATA: a\ndata: b\n\n`,
    ["error fields"],
    'Line 4: "DATA: a"',
  ],
  ["a line of text", `${START}id: 1\ndata: a\nand b\n\n`, ["error injection"], 'Line 5: "and b"'],
  ["a line with an address", `${START}id: 1\ndata: see\nhttp://a\nhttp://b\n\n`, [
    "error injection",
  ], "2 lines"],
  ["JSON without data:", `${START}{"a":1}\n\n{"a":2}\n\n`, [
    "error injection",
    "unknown ids",
    "unknown events",
  ], "line 3"],
  ["a name that comes once", `${START}id: 1\ndata: a\nfoo: b\n\n`, ["error injection"], '"foo: b"'],
  [
    "a name that comes with each event",
    `${START}id: 1\nts: 1\ndata: a\n\nid: 2\nts: 2\ndata: b\n\n`,
    ["warning fields"],
    "2 lines, the first is line 4",
  ],
  ["an event without data", `${START}event: ping\n\n`, [
    "warning no-data",
    "unknown ids",
    "unknown events",
  ], 'line 3: "event: ping"'],
  ["an id without data", `${START}id: 1\ndata: a\n\nid: 2\n\n`, []],
  ["an id on some", `${START}id: 1\ndata: a\n\ndata: b\n\n`, ["note ids"], "1 event of 2 without"],
  ["an id that sticks", `${START}id: 1\ndata: a\n\nid: 1\ndata: b\n\n`, ["warning ids"], '"1"'],
  ["an empty id", `${START}id: 1\ndata: a\n\nid\ndata: b\n\n`, ["note ids", "warning ids"], "of 2"],
  ["an id with NUL", `${START}id: a\0b\ndata: a\n\n`, ["warning ids", "warning ids"], "None of 1"],
  ["an id with a blank at its end", `${START}id: a \ndata: a\n\n`, ["error ids"], '"a "'],
  ["an id of other letters", `${START}id: ä\ndata: a\n\n`, ["warning ids"], '"ä"'],
  [
    "an id without end",
    `${START}id: ${"x".repeat(2_000)}\ndata: a\n\n`,
    ["warning ids"],
    "more than 1024",
  ],
  ["no retry", "id: 1\ndata: a\n\n", ["note retry"], "no retry"],
  ["a short retry", "retry: 10\nid: 1\ndata: a\n\n", ["warning retry"], "retry is 10"],
  ["a long retry", "retry: 3600000\nid: 1\ndata: a\n\n", ["warning retry"], "60 min"],
  ["an endless retry", "retry: 99999999999\nid: 1\ndata: a\n\n", ["error retry"], "99999999999"],
  ["a retry with a unit", "retry: 3s\nid: 1\ndata: a\n\n", ["warning retry"], "Line 1"],
  ["a large event", `${START}id: 1\ndata: ${"x".repeat(70_000)}\n\n`, ["note event-size"], "70 kB"],
  [
    "a huge event",
    `${START}id: 1\ndata: ${"x".repeat(2_000_000)}\n\n`,
    ["warning event-size"],
    "2 MB",
  ],
  [
    "an event with a type",
    `${START}event: tick\nid: 1\ndata: a\n\n`,
    ["note event-types"],
    '"tick"',
  ],
  [
    "the type of EventSource",
    `${START}event: open\nid: 1\ndata: a\n\n`,
    ["warning event-types"],
    '"open"',
  ],
  [
    "a type with a blank",
    `${START}event:  tick\nid: 1\ndata: a\n\n`,
    ["warning event-types", "note event-types"],
    '" tick"',
  ],
  ["JSON in all", `${START}id: 1\ndata: {"a":1}\n\nid: 2\ndata: [2]\n\n`, []],
  ["JSON and [DONE]", `${START}id: 1\ndata: {"a":1}\n\nid: 2\ndata: [DONE]\n\n`, []],
  ["JSON on several lines", `${START}id: 1\ndata: {\ndata: "a":1}\n\n`, []],
  [
    "JSON in one",
    `${START}id: 1\ndata: {"a":1}\n\nid: 2\ndata: b\n\n`,
    ["note data"],
    "1 of 2 events",
  ],
  [
    "JSON that is cut",
    `${START}id: 1\ndata: {"a":1}\n\nid: 2\ndata: {"a"\n\n`,
    ["warning data"],
    '{\\"a\\"',
  ],
  ["comments alone", `${START}: hi\n\n`, ["unknown ids", "unknown events"], "No event came"],
];

Deno.test("sse check judges what a body is made of", async (t) => {
  for (const [title, body, expected, seen = ""] of BODIES) {
    await t.step(title, () => {
      const findings = judgeBody(body);
      assertEquals(notable(findings), expected);
      const [first] = findings.filter(({ level }) => level !== "ok");
      assertStringIncludes(first?.seen ?? "", seen);
    });
  }
});

Deno.test("Transcript is the same for every chunking", () => {
  const body =
    "\ufeffretry: 1\r\nid: 1\rdata: né\r\n\r\nData: b\nevent: x\n\n: hi\n\ndata: \ufffd\n\ndata";
  const bytes = utf8(body);
  const whole = JSON.stringify(told(transcript([5, bytes])));
  for (const { name, chunks } of chunkings(bytes, SEED)) {
    const all = transcript(...chunks.map((chunk) => {
      return [5, typeof chunk === "string" ? utf8(chunk) : chunk] as const;
    }));
    assertEquals(JSON.stringify(told(all)), whole, name);
  }
});

Deno.test("Transcript keeps a bounded number of events, and the times of what comes after", () => {
  const all = transcript([5, "data\n\n".repeat(5_000)], [900, "data"], [2_000, "\n\n"]);
  assertEquals([all.events.length, all.full, all.incomplete], [2_000, true, false]);
  assertEquals(all.bursts.map(({ at, cut }) => [at, cut]), [[5, false], [900, false], [
    2_000,
    false,
  ]]);
  assertEquals(all.bytes, 30_006);
});

Deno.test("placeToResume is behind the last event that has the id, with three to miss", () => {
  const ids = ["1", "2", "2", "3", "4", "5"];
  const place = placeToResume(transcript(ids.map((id) => `id: ${id}\ndata\n\n`).join("")));
  assertEquals([place?.id, place?.before.length], ["2", 3]);
  assertEquals(place?.missed.map(({ id }) => id), ["3", "4", "5"]);
  assertEquals(placeToResume(transcript("data: a\n\n")), undefined);
  assertEquals(placeToResume(transcript("id: 1\ndata: a\n\ndata: b\n\n"))?.missed.length, 1);
});

function told(all: ReturnType<typeof transcript>): unknown {
  const { events, ignored, dataless, retries, lineEnds, bom, replaced, comments, incomplete } = all;
  return { events, ignored, dataless, retries, lineEnds, bom, replaced, comments, incomplete };
}

const CACHING: [headers: Record<string, string>, expected: string[]][] = [
  [{ "cache-control": "no-cache, no-transform" }, []],
  [{ "cache-control": "no-store, no-transform" }, []],
  [{ "cache-control": "private, no-transform" }, []],
  [{ "cache-control": "No-Cache" }, ["note caching"]],
  [{ "cache-control": "max-age=0, no-transform" }, []],
  [{}, ["warning caching"]],
  [{ "cache-control": "no-transform" }, ["warning caching"]],
  [{ "cache-control": "public, max-age=60" }, ["error caching"]],
  [{ "cache-control": "s-maxage=60" }, ["error caching"]],
  [{ "cache-control": "public, no-cache, no-transform" }, []],
  [{ "cache-control": "no-cache, no-transform", age: "0" }, []],
  [{ "cache-control": "no-cache, no-transform", age: "9" }, ["error caching"]],
  [{ "cache-control": "no-cache, no-transform", "cf-cache-status": "HIT" }, ["error caching"]],
  [{ "cache-control": "no-cache, no-transform", "x-cache": "MISS from a" }, []],
  [{ "cache-control": "no-cache, no-transform", etag: '"1"' }, ["note caching"]],
  [{ "cache-control": "no-cache, no-transform", via: "1.1 varnish" }, ["note proxies"]],
  [{ "cache-control": "no-cache, no-transform", "cf-ray": "1-FRA" }, ["note proxies"]],
];

Deno.test("judgeCaching tells what a cache may do, and who has stored or passed the answer", () => {
  for (const [headers, expected] of CACHING) {
    assertEquals(notable(judgeCaching(new Headers(headers))), expected, JSON.stringify(headers));
  }
});

const TYPES: [type: string, level: string][] = [
  ["text/event-stream", "ok"],
  ["text/event-stream; charset=utf-8", "ok"],
  ["Text/Event-Stream;charset=UTF-8", "ok"],
  ['text/event-stream; charset="utf-8"', "ok"],
  ["text/event-stream; charset=iso-8859-1", "warning"],
  ["text/event-stream; version=1", "note"],
  ["text/event-stream, text/event-stream", "warning"],
  ["text/event-stream-2", "error"],
  ["application/json", "error"],
  ["", "error"],
];

Deno.test("judgeContentType takes text/event-stream, and utf-8 as its charset", () => {
  for (const [type, level] of TYPES) {
    const headers = new Headers(type === "" ? {} : { "content-type": type });
    assertEquals(judgeContentType(headers).level, level, type);
  }
});

Deno.test("judgeContentType knows a body that is an event stream under another name", () => {
  const headers = new Headers({ "content-type": "text/plain" });
  const why = (body: string) => judgeContentType(headers, transcript(body)).why ?? "";
  assertStringIncludes(why("data: a\n\n"), "as this one seems to be");
  assertEquals(why("<html>\n").includes("seems"), false);
});

const ORIGIN = "https://app.example";

const CORS: [origin: string | undefined, headers: Record<string, string>, level: string][] = [
  [undefined, {}, "unknown"],
  [undefined, { origin: "*", credentials: "true" }, "error"],
  [ORIGIN, {}, "error"],
  [ORIGIN, { origin: "*" }, "ok"],
  [ORIGIN, { origin: "https://other.example" }, "error"],
  [ORIGIN, { origin: ORIGIN }, "warning"],
  [ORIGIN, { origin: ORIGIN, vary: "Accept, Origin" }, "ok"],
  [ORIGIN, { origin: ORIGIN, vary: "X-Origin" }, "warning"],
  [ORIGIN, { origin: ORIGIN, vary: "Origin", credentials: "true" }, "ok"],
  [ORIGIN, { origin: ORIGIN, vary: "Origin", credentials: "TRUE" }, "warning"],
];

Deno.test("judgeCors holds the headers against the origin that asks", () => {
  for (const [origin, { vary, origin: allowed, credentials }, level] of CORS) {
    const headers = new Headers({
      ...(vary && { vary }),
      ...(allowed && { "access-control-allow-origin": allowed }),
      ...(credentials && { "access-control-allow-credentials": credentials }),
    });
    assertEquals(judgeCors(headers, origin).level, level, JSON.stringify([...headers]));
  }
});

Deno.test("judgeStatus says what to do about each status but 200", () => {
  assertEquals(judgeStatus(head()).level, "ok");
  for (const status of [204, 206, 301, 304, 400, 401, 403, 404, 405, 406, 429, 500, 502, 503]) {
    const { level, why, fix } = judgeStatus(head({ status }));
    assertEquals([level, typeof why, typeof fix], ["error", "string", "string"], `${status}`);
  }
  const headers = new Headers({ "retry-after": "30" });
  assertStringIncludes(judgeStatus(head({ status: 503, headers })).fix ?? "", '"30"');
});

Deno.test("judgeRedirects tells origins apart, and https from http", () => {
  const hop = (from: string, to: string) => ({ from: new URL(from), status: 302, to: new URL(to) });
  const hops = [
    hop("https://a.example/", "https://a.example/b"),
    hop("https://a.example/", "https://b.example/"),
    hop("https://a.example/", "http://a.example/"),
  ];
  assertEquals(judgeRedirects(hops).map(({ level }) => level), ["note", "warning", "error"]);
});

Deno.test("judgeVersion notes the six connections of HTTP/1.1 where there is no HTTP/2", () => {
  const level = (version: string, http2: boolean | undefined, url = "https://a.example/") =>
    judgeVersion(head({ version, url: new URL(url) }), http2).map(({ level }) => level);
  assertEquals(level("1.1", true), ["ok"]);
  assertEquals(level("1.1", false), ["note"]);
  assertEquals(level("1.1", undefined), ["unknown"]);
  assertEquals(level("1.1", false, "http://a.example/"), ["note"]);
  assertEquals(level("1.0", false), ["warning"]);
});

Deno.test("judgeFraming tells a body that is chunked from one of a length and one of neither", () => {
  const level = (headers: Record<string, string>) =>
    judgeFraming(head({ headers: new Headers(headers) })).level;
  assertEquals(level({ "transfer-encoding": "chunked" }), "ok");
  assertEquals(level({ "content-length": "12" }), "error");
  assertEquals(level({}), "note");
});

Deno.test("judgeConnection notes a connection that is closed though it could be kept", () => {
  const count = (connection: string, version = "1.1") =>
    judgeConnection(head({ version, headers: new Headers({ connection }) })).length;
  assertEquals([count("close"), count("keep-alive"), count("close", "1.0")], [1, 0, 0]);
});
