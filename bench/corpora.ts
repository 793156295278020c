/**
 * The event streams that are timed: seeded, with the events that must come out of each.
 *
 * @module
 */

import type { ServerSentEvent } from "../parse.ts";
import { mulberry32 } from "../tests/chunkings.ts";

/** One event stream. */
export interface Corpus {
  name: string;
  bytes: Uint8Array;
  /** What a parser must make of `bytes`. */
  events: ServerSentEvent[];
  /** Where each event ends in `bytes`, for chunks of one event each. */
  ends: number[];
  /** The line ends, the lines of each block, and whether all is ASCII: what the limit relies on. */
  shape: {
    lineEnd: "\n" | "\r\n" | "\r";
    lines: (typeof KINDS[number] | "comment")[];
    ascii: boolean;
  };
}

const KINDS = ["event", "id", "data"] as const;

/** Makes one block: its other lines and its data. */
type Block = (random: () => number, index: number) => {
  comments?: string[];
  event?: string;
  id?: string;
  data: string;
};

const WORDS = "the quick brown fox jumps over a lazy dog while streams flow on and on".split(" ");
const CJK = "春眠不觉晓处处闻啼鸟夜来风雨声花落知多少日本語のテキストをここに書く한국어문장";
const EMOJI = ["😀", "🚀", "👩‍💻", "🇺🇳", "✨"];

const pick = <T>(random: () => number, from: ArrayLike<T>): T =>
  from[Math.floor(random() * from.length)];
const words = (random: () => number, count: number) =>
  Array.from({ length: count }, () => pick(random, WORDS)).join(" ");
const cjk = (random: () => number, count: number) =>
  Array.from({ length: count }, () => pick(random, CJK)).join("");

/** About 200 bytes of JSON, as a chat completion chunk has it. */
const openAi: Block = (random, index) => ({
  data: JSON.stringify({
    id: "chatcmpl-9kQ2xYvT8bR4",
    object: "chat.completion.chunk",
    created: 1_700_000_000 + index,
    model: "gpt-4o-mini",
    choices: [{ index: 0, delta: { content: ` ${words(random, 2)}` }, finish_reason: null }],
  }),
});

/** A named event with JSON, as a messages stream has it. */
const anthropic: Block = (random) => ({
  event: "content_block_delta",
  data: JSON.stringify({
    type: "content_block_delta",
    index: 0,
    delta: { type: "text_delta", text: ` ${words(random, 2)}` },
  }),
});

/** An id that is itself JSON, and 1.2 KB of data that is not ASCII, as recent changes have it. */
const wikimedia: Block = (random, index) => ({
  id: JSON.stringify([{ topic: "eqiad.mediawiki.recentchange", partition: 0, offset: index }]),
  data: JSON.stringify({
    title: cjk(random, 12),
    comment: `${cjk(random, 150)} é ü ñ — ${words(random, 20)}`,
    user: `Üser ${index}`,
    server_url: "https://zh.wikipedia.org",
    parsedcomment: cjk(random, 130),
  }),
});

const make: [name: string, lineEnd: "\n" | "\r\n" | "\r", count: number, block: Block][] = [
  ["OpenAI-like", "\n", 2_500, openAi],
  ["Anthropic-like", "\n", 3_000, anthropic],
  ["tiny", "\n", 20_000, () => ({ data: "x" })],
  ["Wikimedia-like", "\n", 400, wikimedia],
  ["20-line data", "\n", 600, (random) => ({
    data: Array.from({ length: 20 }, () => words(random, 6)).join("\n"),
  })],
  ["one 1 MB line", "\n", 1, () => ({ data: "0123456789abcdef".repeat(65_536) })],
  ["CRLF", "\r\n", 2_500, openAi],
  ["CR", "\r", 2_500, openAi],
  ["comment-heavy", "\n", 2_500, (random, index) => ({
    comments: [" OPENROUTER PROCESSING", ` keep-alive ${index}`, ""],
    data: words(random, 8),
  })],
  ["CJK and emoji", "\n", 1_500, (random) => ({
    data: `{"delta":"${cjk(random, 40)}${pick(random, EMOJI)}${cjk(random, 20)}"}`,
  })],
];

/** The names of all streams, in order. */
export const CORPORA: readonly string[] = make.map(([name]) => name);

/**
 * Makes a stream, afresh from one seed. Make one at a time: what is alive, the garbage collector
 * goes over again and again, and that would be timed and not the parsers.
 *
 * @param name Which.
 * @param scale How long it is. Chunks of a few bytes want a short one, for the same reason.
 */
export function makeCorpus(name: string, scale = 1): Corpus {
  const spec = make.find((spec) => spec[0] === name);
  if (spec === undefined) throw new Error(`Cannot make a stream: there is none called "${name}"`);
  const [, lineEnd, whole, block] = spec;
  const random = mulberry32(42);
  const encoder = new TextEncoder();
  const events: ServerSentEvent[] = [];
  const ends: number[] = [];
  const blocks: string[] = [];
  let lines: string[] = [];
  let id = "";
  let end = 0;
  for (let i = 0; i < Math.ceil(whole * scale); i++) {
    const { comments = [], event, id: ownId, data } = block(random, i);
    id = ownId ?? id;
    events.push({ event: event ?? "message", data, id });
    lines = [
      ...comments.map((comment) => `:${comment}`),
      ...(event === undefined ? [] : [`event: ${event}`]),
      ...(ownId === undefined ? [] : [`id: ${id}`]),
      ...data.split("\n").map((line) => `data: ${line}`),
    ];
    blocks.push(lines.join(lineEnd) + lineEnd + lineEnd);
    end += encoder.encode(blocks[i]).length;
    ends.push(end);
  }
  const text = blocks.join("");
  const shape = {
    lineEnd,
    lines: lines.map((line) => KINDS.find((kind) => line.startsWith(kind)) ?? "comment"),
    ascii: text.length === end,
  };
  return { name, bytes: encoder.encode(text), events, ends, shape };
}

/** How a stream is cut: a number of bytes a chunk, or one event a chunk. */
export type ChunkSize = number | "event";

/** Cuts a stream; each chunk has a buffer of its own, as from a socket. */
export function cut({ bytes, ends }: Corpus, size: ChunkSize): Uint8Array[] {
  const cuts = size === "event"
    ? ends
    : Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) => (i + 1) * size);
  return cuts.map((end, i) => bytes.slice(i === 0 ? 0 : cuts[i - 1], end));
}
