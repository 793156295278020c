/** Bytes by hand, to the letter of the standard: each line end, and cut where it hurts. */

import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { ServerSentEventInit } from "../../../encode.ts";
import { ALL, decodeId, feed, type FeedName } from "../feeds.ts";
import type { Sender } from "../peers.ts";
import { listenNode, type Running } from "../../listen.ts";

const FEEDS: readonly FeedName[] = ["hard", "resume", "openai", "anthropic", "mcp"];

/** The lines of an event, with the blank one; none for what must not be sent. */
function lines({ event, id, retry, comment, data }: ServerSentEventInit): string[] {
  if (/[\r\n]/.test(event ?? "") || /[\r\n\0]/.test(id ?? "")) return [];
  const split = (text: string) => text.split(/\r\n|\r|\n/);
  return [
    ...comment === undefined ? [] : split(comment).map((text) => `:${text}`),
    ...id === undefined ? [] : [`id: ${id}`],
    ...event === undefined ? [] : [`event: ${event}`],
    ...retry === undefined ? [] : [`retry: ${retry}`],
    ...data === undefined ? [] : split(data).map((text) => `data: ${text}`),
    "",
  ];
}

/** Joins lines with ends that take turns; an LF behind a CR would be the same line end. */
function join(lines: string[], ends: readonly string[]): string {
  return lines.map((line, i) => line + ends[i % ends.length]).join("");
}

/** Cuts bytes: small, in the middle of characters and of CRLF, then in sizes that divide nothing. */
function* cut(bytes: Uint8Array): Generator<Uint8Array> {
  for (let at = 0, size = 1; at < bytes.length; at += size) {
    size = at < 4_096 ? at % 3 + 1 : 65_521;
    yield bytes.subarray(at, at + size);
  }
}

function* chunks(
  sent: readonly ServerSentEventInit[],
  ends: readonly string[],
  pieces: (bytes: Uint8Array) => Iterable<Uint8Array>,
): Generator<Uint8Array> {
  for (const event of sent) yield* pieces(new TextEncoder().encode(join(lines(event), ends)));
}

function sender(name: string, ends: readonly string[], bom = false): Sender {
  return {
    name: `bytes, ${name}`,
    ours: false,
    chooses: ALL,
    // In small pieces no one finds the place of a cut.
    feeds: bom ? FEEDS.filter((feed) => feed !== "resume") : FEEDS,
    start: (): Promise<Running> =>
      listenNode(async (request, response) => {
        response.writeHead(200, { "content-type": "text/event-stream" });
        if (bom) response.write("\ufeff");
        const lastEventId = decodeId(request.headers["last-event-id"]);
        const sent = feed(request.url ?? "", lastEventId, ALL);
        const body = chunks(sent, ends, bom ? cut : (bytes) => [bytes]);
        // The reader may leave at any time.
        await pipeline(Readable.from(body), response).catch(() => {});
      }),
  };
}

export const senders: readonly Sender[] = [
  sender("LF", ["\n"]),
  sender("CRLF", ["\r\n"]),
  sender("CR", ["\r"]),
  sender("BOM, all line ends, cut", ["\r\n", "\n", "\r"], true),
];
