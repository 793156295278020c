/**
 * The parser against two others: the standard's algorithm (`tests/oracle.ts`) on any stream, and npm
 * `eventsource-parser` on any text.
 *
 * Where `eventsource-parser@4.1` differs from the standard, which the comparison makes up for:
 * - It takes text: bytes are decoded for it, and it removes a BOM of decoded text and also the three
 *   bytes of one that were decoded as Latin-1 (`ï»¿`); it holds a first `ï` or `ï»` back.
 * - `id` is that of the block, `undefined` where the block has none: it does not stick (T15).
 * - `event` is `undefined` where the block names none (T12).
 * - `retry` is called back only and part of no event; `parseInt` gives more than
 *   `Number.MAX_SAFE_INTEGER`, and `Infinity` from 309 digits on (T17).
 * - It holds nothing back otherwise: a CR that ends a chunk dispatches at once, as ours does (T6).
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { createParser } from "eventsource-parser";
import fc from "fast-check";
import { type ServerSentEvent, ServerSentEventParser } from "../../parse.ts";
import { chunkings, cutAtRandom, mulberry32 } from "../chunkings.ts";
import { eventStream, textStream } from "../generators.ts";
import { assertEarliest, assertSame, message, parse, property, utf8 } from "../helpers.ts";
import { oracle } from "../oracle.ts";

Deno.test("The parser is the oracle, for any stream in any chunking", () => {
  fc.assert(
    fc.property(eventStream, fc.integer(), (bytes, seed) => {
      const truth = oracle(bytes);
      const random = mulberry32(seed);
      const runs = [
        ["whole", [bytes]],
        ["by 2", cutAtRandom(bytes, 2, random)],
        ["by 20", cutAtRandom(bytes, 20, random)],
        ["by 300", cutAtRandom(bytes, 300, random)],
        ["in two", cutAtRandom(bytes, Math.max(1, bytes.length / 2), random)],
      ] as const;
      for (const [name, chunks] of runs) {
        assertSame(parse(chunks), truth, name);
        const quiet = parse(chunks, { onComment: undefined, onId: undefined, onRetry: undefined });
        assertSame(quiet, { ...truth, comments: [], ids: [], retries: [] }, `${name}, quiet`);
      }
    }),
    property(),
  );
});

Deno.test("The parser is the oracle, for any short stream in every chunking and at every byte", () => {
  fc.assert(
    fc.property(eventStream, fc.integer(), (bytes, seed) => {
      const short = bytes.subarray(0, 60);
      const truth = oracle(short);
      for (const { name, chunks } of chunkings(short, seed)) assertSame(parse(chunks), truth, name);
      assertEarliest(short);
    }),
    property(0.5),
  );
});

Deno.test("The parser is the oracle, for any bytes", () => {
  const byte = fc.oneof(
    fc.constantFrom(...utf8("\n\r: daeivntry\0\ufeff0é")),
    fc.integer({ min: 0, max: 255 }),
  );
  fc.assert(
    fc.property(fc.array(byte, { maxLength: 40 }), (array) => {
      const bytes = Uint8Array.from(array);
      const truth = oracle(bytes);
      assertSame(parse([bytes]), truth, "whole");
      assertSame(parse(array.map((one) => Uint8Array.of(one))), truth, "byte by byte");
    }),
    property(),
  );
});

Deno.test("The parser starts from any last event ID as the oracle does", () => {
  fc.assert(
    fc.property(textStream, fc.constantFrom("", "7", "é\ufeff"), (stream, lastEventId) => {
      const truth = oracle(utf8(stream), lastEventId);
      assertSame(parse([stream], { lastEventId }), truth, "a string");
    }),
    property(0.3),
  );
});

Deno.test("The parser is eventsource-parser where that follows the standard, chunk by chunk", () => {
  fc.assert(
    fc.property(textStream, fc.integer(), (stream, seed) => {
      fc.pre(!stream.startsWith("ï"));
      const random = mulberry32(seed);
      for (const mean of [1, 4, 40, 1e6]) {
        const chunks = cutText(stream, mean, random);
        const [ours, theirs] = [ourRun(), peerRun()];
        for (const [i, chunk] of chunks.entries()) {
          ours.feed(chunk);
          theirs.feed(chunk);
          assertSame(ours.log, theirs.log, `after chunk ${i + 1} of ${JSON.stringify(chunks)}`);
        }
      }
    }),
    property(0.5),
  );
});

Deno.test("The known differences of eventsource-parser are still there", () => {
  const [ours, theirs] = [ourRun(), peerRun()];
  for (const { feed } of [ours, theirs]) feed("ï»¿data: a\n\n");
  assertEquals([ours.log.events, theirs.log.events], [[], [message("a")]]);

  const seen: unknown[] = [];
  const peer = createParser({
    onEvent: ({ event, id }) => seen.push([event, id]),
    onRetry: (ms) => seen.push(ms),
  });
  peer.feed(`id: 1\ndata: a\n\ndata: b\nretry: ${"9".repeat(400)}\n\n`);
  assertEquals(seen, [[undefined, "1"], Infinity, [undefined, undefined]]);
});

interface Log {
  events: ServerSentEvent[];
  comments: string[];
  ids: string[];
  retries: number[];
}

function emptyLog(): Log {
  return { events: [], comments: [], ids: [], retries: [] };
}

function ourRun() {
  const log = emptyLog();
  const parser = new ServerSentEventParser({
    onComment: (comment) => log.comments.push(comment),
    onId: (id) => log.ids.push(id),
    onRetry: (ms) => log.retries.push(ms),
  });
  const feed = (chunk: string) => {
    for (const { event, data, id } of parser.feed(chunk)) log.events.push({ event, data, id });
  };
  return { log, feed };
}

/** `eventsource-parser`, with the differences above made up for. */
function peerRun() {
  const log = emptyLog();
  const parser = createParser({
    onEvent: ({ event = "message", data }) =>
      log.events.push({ event, data, id: log.ids.at(-1) ?? "" }),
    onComment: (comment) => log.comments.push(comment),
    onId: (id) => log.ids.push(id),
    onRetry: (ms) => log.retries.push(Math.min(ms, Number.MAX_SAFE_INTEGER)),
  });
  return { log, feed: (chunk: string) => parser.feed(chunk) };
}

/** Texts of random lengths from none up, also cut inside a surrogate pair. */
function cutText(text: string, mean: number, random: () => number): string[] {
  const chunks: string[] = [];
  for (let at = 0; at < text.length;) {
    const length = Math.round(2 * mean * random());
    chunks.push(text.slice(at, at + length));
    at += length;
  }
  return chunks;
}
