/** `sse get --raw`: bytes as they come, of which a stream is left over any number of connections. */

import { assertEquals } from "@std/assert";
import { BlockEnds } from "../../cli/get/raw.ts";
import { numberedEvents, numberedSource } from "../fault/numbered.ts";
import { faultServer } from "../fault/server.ts";
import { chunkings } from "../chunkings.ts";
import { concat, message, parse, raw, SEED, text, utf8 } from "../helpers.ts";
import { runCli } from "./helpers.ts";

/** What a stream can hold that no event shows. */
const STREAM = utf8(
  ": comment\r\n\r\nretry: 10\nunknown: x\nid: 1\rdata: a\r\rdata:b\r\n\r\n\n\n: alone\ndata: é\n\n",
);

Deno.test("get --raw prints the bytes of a stream as they are, with an unfinished end", async () => {
  const body = concat(STREAM, utf8("data: hal"));
  for (const { name, chunks } of chunkings(body, SEED)) {
    // An empty chunk would end the body.
    const pieces = chunks.filter(({ length }) => length > 0);
    await using server = await faultServer([{ body: pieces }]);
    const { code, bytes } = await runCli(["get", server.url, "--raw", "--retry", "no"]);
    assertEquals([code, text(bytes)], [1, text(body)], name);
  }
});

Deno.test("get --raw prints bytes that are no UTF-8, NUL and a BOM as they are", async () => {
  const body = raw("\xef\xbb\xbfdata: \xff\x00\xc3\n\n");
  await using server = await faultServer([{ body }]);
  assertEquals((await runCli(["get", server.url, "--raw", "--retry", "no"])).bytes, body);
});

Deno.test("get --raw leaves out the half of an event that a loss leaves, and the next BOM", async () => {
  await using server = await faultServer([
    { body: "\ufeffid: 1\ndata: a\n\nid: 2\ndata: ha", end: "cut" },
    { body: "\ufeffid: 2\ndata: b\n\n" },
    { body: "\ufeff" },
    { status: 204 },
  ]);
  const { code, bytes } = await runCli(["get", server.url, "--raw", "--retry-delay", "0"]);
  assertEquals(code, 0);
  assertEquals(text(bytes), "\ufeffid: 1\ndata: a\n\nid: 2\ndata: b\n\n");
});

Deno.test("get --raw is one stream with each event once, however often it is cut", async () => {
  const total = 200;
  await using server = await faultServer(numberedSource(total));
  const { bytes } = await runCli(["get", server.url, "--raw", "--retry-delay", "0"]);
  assertEquals(parse([bytes]).events, numberedEvents(total));
});

Deno.test("get --raw --count ends behind the blank line of the last event", async () => {
  for (const blank of ["\n\n", "\r\r", "\r\n\r\n"]) {
    const body = `: c\n\ndata: a${blank}data: b${blank}data: c${blank}`;
    await using server = await faultServer([{ body, end: "stall" }]);
    const { code, stdout } = await runCli(["get", server.url, "--raw", "--count", "2"]);
    assertEquals([code, stdout], [0, `: c\n\ndata: a${blank}data: b${blank}`]);
  }
});

Deno.test("get --raw prints what a comment that stands alone says, before there is an event", async () => {
  await using server = await faultServer([{ body: ":\n: b\n", end: "stall" }]);
  const { stdout } = await runCli(["get", server.url, "--raw", "--for", "1s"]);
  assertEquals(stdout, ":\n: b\n");
});

Deno.test("get --raw says of a refusal what get says", async () => {
  await using server = await faultServer([{ status: 401, body: "who?" }]);
  const { code, stdout } = await runCli(["get", server.url, "--raw"]);
  assertEquals([code, stdout], [3, ""]);
});

Deno.test("get --raw shows on a terminal where a CR ends a line", async () => {
  await using server = await faultServer([{ body: "data: a\r\rdata: b\r\n\r\n" }]);
  const options = { terminal: true };
  const { stdout } = await runCli(["get", server.url, "--raw", "--retry", "no"], options);
  assertEquals(stdout, "data: a\\r\n\\r\ndata: b\\r\n\\r\n");
});

Deno.test("BlockEnds finds the same ends in every chunking, and an event is never cut", () => {
  for (const { name, chunks } of chunkings(STREAM, SEED)) {
    const ends = new BlockEnds();
    let held: Uint8Array[] = [];
    const blocks: Uint8Array[] = [];
    for (const chunk of chunks) {
      let start = 0;
      for (const end of ends.find(chunk)) {
        blocks.push(concat(...held, chunk.subarray(start, end)));
        held = [];
        start = end;
      }
      held.push(chunk.subarray(start));
    }
    assertEquals(text(concat(...blocks, ...held)), text(STREAM), name);
    const events = blocks.flatMap((block) => parse([block]).events.map(({ data }) => data));
    assertEquals(events, ["a", "b", "é"], name);
  }
  assertEquals(parse([STREAM]).events[0], message("a", { id: "1", retry: 10 }));
});
