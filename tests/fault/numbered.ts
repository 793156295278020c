/**
 * A source of numbered events that is cut again and again, and resumes where it is asked to: what
 * a client makes of it shows whether it loses or repeats any.
 *
 * @module
 */

import type { ServerSentEvent } from "../../parse.ts";
import { mulberry32 } from "../chunkings.ts";
import { message, utf8 } from "../helpers.ts";
import type { Answer } from "./answer.ts";
import type { Responder } from "./server.ts";

/** How one response is spoilt: where it ends, how, and in which framing. */
export type Cut = Pick<Answer, "cutAt" | "end" | "framing">;

/** Options of {@linkcode numberedSource}. */
export interface NumberedOptions {
  /** The seed of the data and of the cuts. @default {1} */
  seed?: number;
  /**
   * Says how response `attempt`, the first being 0, is cut; `undefined` leaves it whole.
   *
   * @default {randomCut} For the first 20 attempts.
   */
  cut?: (body: Uint8Array, attempt: number, random: () => number) => Cut | undefined;
}

/** Where a body can be cut, as bytes before the cut. */
export interface Places {
  /** Between two events, before the first, and after the last. */
  between: number[];
  /** Inside an event, at the edge of a character. */
  inEvent: number[];
  /** Inside the UTF-8 sequence of a character. */
  inCharacter: number[];
}

const WORDS = ["a", "b c", "é", "日本", "😀", "\n", ": ", ""];

/** All events of a source, as a client must have them in the end: each once, in order. */
export function numberedEvents(total: number, seed = 1): ServerSentEvent[] {
  return Array.from({ length: total }, (_, i) => {
    const random = mulberry32(seed + i);
    const words = Array.from({ length: 1 + random() * 6 }, () => pick(WORDS, random));
    return message(`${i + 1} é${words.join("")}`, { id: `${i + 1}` });
  });
}

/**
 * Serves events 1 to `total`, of which each request gets those after its `Last-Event-ID`, in a
 * response that may be cut; to a request that has them all it answers 204.
 *
 * It refuses an ID that it never sent whole, so that `FaultServer.close` throws.
 */
export function numberedSource(total: number, options: NumberedOptions = {}): Responder {
  const { seed = 1 } = options;
  const cut = options.cut ??
    ((body, attempt, random) => attempt < 20 ? randomCut(body, random) : undefined);
  const blocks = numberedEvents(total, seed).map(({ id, data }) =>
    `id: ${id}\n${data.replace(/^/gm, "data: ")}\n\n`
  );
  const random = mulberry32(seed);
  let attempt = 0;
  let sent = 0;
  return ({ lastEventId = "0" }) => {
    const after = /^\d+$/.test(lastEventId) ? Number(lastEventId) : NaN;
    if (!(after <= sent)) {
      throw new Error(
        `Cannot resume: ids up to ${sent} were sent: received ${JSON.stringify(lastEventId)}`,
      );
    }
    if (after === total) return { status: 204, headers: {} };
    const body = utf8(blocks.slice(after).join(""));
    const how = cut(body, attempt++, random);
    let whole = after;
    for (let end = 0; whole < total; whole++) {
      end += utf8(blocks[whole]).length;
      if (end > (how?.cutAt ?? Infinity)) break;
    }
    sent = Math.max(sent, whole);
    return { body, ...how };
  };
}

/** Any way to end, in any framing, at a place of any kind, and more often an early one. */
export function randomCut(body: Uint8Array, random: () => number): Cut {
  const kinds = Object.values(places(body)).filter((kind) => kind.length > 0);
  return {
    cutAt: pick(pick(kinds, random), () => random() ** 3),
    end: pick(["finish", "cut", "reset"], random),
    framing: pick(["chunked", "length", "close"], random),
  };
}

/** Sorts all places at which the body of a numbered source can be cut. */
export function places(body: Uint8Array): Places {
  const found: Places = { between: [], inEvent: [], inCharacter: [] };
  for (let at = 0; at <= body.length; at++) {
    const blank = body[at - 1] === 0x0a && body[at - 2] === 0x0a;
    if (at === 0 || blank) found.between.push(at);
    else if ((body[at] & 0xc0) === 0x80) found.inCharacter.push(at);
    else found.inEvent.push(at);
  }
  return found;
}

function pick<T>(items: readonly T[], random: () => number): T {
  return items[Math.floor(random() * items.length)];
}
