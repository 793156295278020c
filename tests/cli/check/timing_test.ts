/** What `sse check` makes of when the bytes came: no clock runs here. */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { judgeBuffering, judgeNoHeaders } from "../../../cli/check/buffering.ts";
import { deservesComparison, judgeCompression } from "../../../cli/check/compression.ts";
import { judgeEnding } from "../../../cli/check/ending.ts";
import { judgeKeepAlive, LIMITS } from "../../../cli/check/keep_alive.ts";
import type { Heard } from "../../../cli/check/listen.ts";
import { type Chunk, HEADERS, heard, type HeardInit } from "./heard.ts";

function event(id: number): string {
  return `id: ${id}\ndata: ${id}\n\n`;
}

/** An event every so many ms. */
function ticks(count: number, every: number): Chunk[] {
  return Array.from({ length: count }, (_, i) => [20 + i * every, event(i + 1)]);
}

const BUFFERING: [title: string, chunks: Chunk[], init: HeardInit, level: string, seen: string][] =
  [
    ["events that come one by one", ticks(5, 500), {}, "ok", "5 events in 5 portions"],
    ["a replay at the start", [[20, event(1) + event(2)], [900, event(3)]], {}, "ok", "2 portions"],
    [
      "an answer that is short and quick",
      [[20, event(1) + event(2)]],
      { ending: "ended" },
      "ok",
      "",
    ],
    [
      "an answer that comes whole at its end",
      [[3_000, event(1) + event(2)]],
      { ending: "ended", head: { at: 2_990 } },
      "error",
      "All 2 events came at once after 3 s",
    ],
    [
      "one event at the end of a long wait",
      [[3_000, event(1)]],
      { ending: "ended", head: { at: 10 } },
      "ok",
      "",
    ],
    [
      "two stops in the middle of an event",
      [[20, "id: 1\nda"], [1_000, "ta: a\n\nid"], [2_000, ": 2\ndata: b\n\n"]],
      {},
      "error",
      "in the middle of an event 2 times",
    ],
    [
      "one stop in the middle of an event",
      [[20, "id: 1\nda"], [1_000, "ta: a\n\n"]],
      {},
      "warning",
      "in the middle of an event",
    ],
    [
      "a stop in the middle of an event at the end of the listening",
      [[20, "id: 1\nda"]],
      { endedAt: 1_000 },
      "warning",
      "in the middle of an event",
    ],
    ["an event in two packets", [[20, "id: 1\nda"], [120, "ta: a\n\n"]], {}, "ok", ""],
    [
      "blocks of one size",
      [[20, event(1) + "data"], [1_000, ": a\n\ndata: abcdefgh"], [2_000, "\n\n"]],
      {},
      "error",
      "each time after 19 bytes",
    ],
    [
      "comments of many seconds in one moment",
      [[20, ": hi\n\n"], [9_000, ": alive\n\n: alive\n\n: alive\n\n"]],
      {},
      "error",
      '"alive" came more than once',
    ],
    [
      "pings of many seconds in one moment",
      [[20, event(1)], [9_000, "event: ping\ndata:\n\n".repeat(3)]],
      {},
      "error",
      '"ping" came more than once',
    ],
    ["padding at the start", [[20, ":\n:\n:\n\n"], [9_000, ": alive\n\n"]], {}, "ok", ""],
    [
      "headers that come with the first event",
      [[2_000, event(1)], [3_000, event(2)]],
      { head: { at: 1_990 } },
      "warning",
      "The headers came after 2 s",
    ],
    ["a first byte that comes late", [[5_000, event(1)]], {}, "note", "first bytes after 5 s"],
    ["no byte at all", [], { endedAt: 15_000 }, "unknown", "Nothing came within 15 s"],
  ];

Deno.test("judgeBuffering tells what holds bytes back from what has none to send", async (t) => {
  for (const [title, chunks, init, level, seen] of BUFFERING) {
    await t.step(title, () => {
      const all = judgeBuffering(heard(chunks, init)).filter(({ check }) => check === "buffering");
      assertEquals(all.map((finding) => finding.level), [level]);
      assertStringIncludes(all[0].seen, seen);
      if (level === "error" || level === "warning") assert(all[0].fix && all[0].config?.nginx);
    });
  }
});

Deno.test("judgeBuffering misses X-Accel-Buffering where no nginx has taken it", () => {
  const without = (server?: string) => {
    const { "x-accel-buffering": _, ...headers } = HEADERS;
    return judgeBuffering(heard(ticks(3, 500), {
      head: { headers: new Headers({ ...headers, ...(server && { server }) }) },
    })).filter(({ check }) => check === "x-accel-buffering").map(({ level }) => level);
  };
  assertEquals([without(), without("nginx/1.22.1"), without("Caddy")], [["note"], [], ["note"]]);
});

Deno.test("judgeNoHeaders names the time, and what to do about each cause", () => {
  const { level, seen, fix, config } = judgeNoHeaders(15_000);
  assertEquals([level, seen], ["error", "No headers came within 15 s"]);
  assertStringIncludes(fix ?? "", "--for");
  assertEquals(config?.nginx, "proxy_buffering off;");
});

Deno.test("judgeCompression finds the compressor at fault only if it is", () => {
  const headers = new Headers({ ...HEADERS, "content-encoding": "gzip" });
  const zipped = (chunks: Chunk[], init: HeardInit = {}) =>
    heard(chunks, { ...init, head: { headers } });
  const late = zipped([[4_000, event(1)]]);
  const prompt = heard([[15, event(1)]]);
  const cases: [Heard, Heard | undefined, string][] = [
    [prompt, undefined, "ok"],
    [zipped(ticks(3, 500)), undefined, "note"],
    // It is late, and as late without.
    [late, heard([[3_900, event(1)]]), "note"],
    [late, prompt, "error"],
    [zipped([], { endedAt: 5_000 }), prompt, "error"],
    // The head of the compressed data came at once, and its text much later.
    [zipped([[4_000, event(1)]], { firstByteAt: 20 }), undefined, "error"],
    // It was not to be had without.
    [late, zipped([[15, event(1)]]), "note"],
  ];
  assertEquals(
    cases.map(([heard, plain]) => judgeCompression(heard, plain).level),
    cases.map(([, , level]) => level),
  );
});

Deno.test("deservesComparison asks again only where compressed bytes came late", () => {
  const headers = new Headers({ ...HEADERS, "content-encoding": "br" });
  assertEquals(deservesComparison(heard([[4_000, event(1)]])), false);
  assertEquals(deservesComparison(heard([[4_000, event(1)]], { head: { headers } })), true);
  assertEquals(deservesComparison(heard([], { head: { headers } })), true);
  assertEquals(deservesComparison(heard(ticks(3, 100), { head: { headers } })), false);
});

const KEEP_ALIVE: [title: string, chunks: Chunk[], init: HeardInit, level: string, seen: string][] =
  [
    ["a comment each 9 s", [[20, ":\n\n"], [9_020, ":\n\n"]], {}, "ok", "after 9 s of silence"],
    ["a ping each 9 s", [[20, event(1)], [9_020, "event: ping\ndata:\n\n"]], {}, "ok", "after 9 s"],
    [
      "a comment with an event",
      [[20, event(1)], [9_020, `:\n\n${event(2)}`]],
      {},
      "unknown",
      "9 s",
    ],
    ["events all the time", ticks(20, 200), {}, "unknown", "Bytes came all the time"],
    ["silence that is too short to tell", ticks(1, 1), { endedAt: 15_000 }, "unknown", "15 s"],
    ["an event after a silence", ticks(2, 20_000), {}, "unknown", "20 s"],
    ["a comment after 45 s", [[20, event(1)], [45_020, ":\n\n"]], {}, "warning", "45 s"],
    ["no byte for 65 s", ticks(1, 1), { endedAt: 65_020 }, "warning", "65 s"],
    ["no byte at all for 65 s", [], { endedAt: 65_010 }, "warning", "65 s"],
    ["a stream that ended", ticks(1, 1), { ending: "ended", endedAt: 90_000 }, "unknown", "ended"],
  ];

Deno.test("judgeKeepAlive holds the longest silence against the limits of proxies", async (t) => {
  for (const [title, chunks, init, level, seen] of KEEP_ALIVE) {
    await t.step(title, () => {
      const finding = judgeKeepAlive(heard(chunks, init));
      assertEquals(finding.level, level);
      assertStringIncludes(finding.seen, seen);
    });
  }
  const { why = "" } = judgeKeepAlive(heard(ticks(2, 57_000)));
  const named = LIMITS.filter(({ product }) => why.includes(product)).map(({ ms }) => ms);
  // Also those that it comes too near to.
  assertEquals(named, [30_000, 50_000, 55_000, 60_000, 60_000]);
});

Deno.test("LIMITS are in the order of their times", () => {
  assertEquals(LIMITS.map(({ ms }) => ms), LIMITS.map(({ ms }) => ms).sort((a, b) => a - b));
});

const ENDINGS: [
  title: string,
  chunks: Chunk[],
  init: HeardInit,
  level: string | undefined,
  seen: string,
][] = [
  ["a stream that stays open", ticks(1, 1), {}, undefined, ""],
  ["one that ends", ticks(1, 1), { ending: "ended" }, "note", "ended the stream"],
  ["one that ends with [DONE]", [[20, "data: [DONE]\n\n"]], { ending: "ended" }, "note", "[DONE]"],
  ["one that ends inside an event", [[20, "data: a"]], { ending: "ended" }, "error", "middle"],
  [
    "one that breaks off after a minute",
    ticks(1, 1),
    { ending: "broken", endedAt: 60_100, fault: "it was closed" },
    "error",
    "default of nginx (proxy_read_timeout)",
  ],
  [
    "one that ends after half a minute",
    ticks(20, 1_000),
    { ending: "ended", endedAt: 30_050 },
    "note",
    "Google Cloud",
  ],
];

Deno.test("judgeEnding tells how a stream ended, and whose limit that may have been", async (t) => {
  for (const [title, chunks, init, level, seen] of ENDINGS) {
    await t.step(title, () => {
      const finding = judgeEnding(heard(chunks, init));
      assertEquals(finding?.level, level);
      assertStringIncludes(finding?.seen ?? "", seen);
    });
  }
});
