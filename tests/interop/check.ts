/**
 * What a reader has seen of what a sender has sent, beside what the standard expects.
 *
 * @module
 */

import type { ServerSentEventInit } from "../../encode.ts";
import type { ServerSentEvent } from "../../parse.ts";
import { BEFORE_SECOND_CUT, type Block, blocksOf, markedBy, RESUME } from "./feeds.ts";
import type { Reader, Sender } from "./peers.ts";

/** A hard event that came in another way than it should. */
export interface Difference {
  /** The name of the hard event, one of `RESUMING`, or `REST`. */
  readonly event: string;
  readonly expected: string;
  readonly seen: string;
}

/** The differences of a stream that was cut, by the last event ID in front of it. */
export const RESUMING = { ascii: "a cut", utf8: "a cut behind an id in UTF-8" } as const;

/** What came behind the last mark, or the error in place of it. */
export const REST = "the end";

/** The part of an event that the sender lets one choose, and the reader shows. */
function project(event: ServerSentEvent, sender: Sender, reader: Reader): Partial<ServerSentEvent> {
  const { data, id, retry } = event;
  return {
    event: event.event,
    data,
    ...sender.chooses.includes("id") && reader.seesId && { id },
    ...sender.chooses.includes("retry") && reader.seesRetry && retry !== undefined && { retry },
  };
}

/** Divides what was seen by the marks; the last part is behind all of them. */
function divide(
  blocks: readonly Block[],
  seen: readonly ServerSentEvent[],
): { parts: readonly ServerSentEvent[][]; rest: ServerSentEvent[] } {
  const parts: ServerSentEvent[][] = blocks.map(() => []);
  let rest: ServerSentEvent[] = [];
  for (const event of seen) {
    rest.push(event);
    const index = markedBy(event.data);
    if (index === undefined || parts[index] === undefined) continue;
    parts[index].push(...rest);
    rest = [];
  }
  return { parts, rest };
}

/** What is wrapped comes as it was sent, line breaks and all. */
function unchanged({ data = "" }: ServerSentEventInit): ServerSentEvent {
  return { event: "message", data, id: "" };
}

/** What differs in a feed of marked events. */
export function differences(
  sender: Sender,
  reader: Reader,
  seen: readonly ServerSentEvent[],
): Difference[] {
  const { unwrap } = sender;
  const blocks = blocksOf(reader.feed, sender.chooses)
    .map((block) =>
      unwrap === undefined ? block : { ...block, expected: block.sent.map(unchanged) }
    );
  const unwrapped = unwrap === undefined
    ? seen
    : seen.map((event) => ({ ...event, data: unwrap(event.data) }));
  const { parts, rest } = divide(blocks, unwrapped);
  return [...blocks, { name: REST, expected: [] }].flatMap(({ name, expected }, i) =>
    difference(name, expected, parts[i] ?? rest, sender, reader)
  );
}

/** None, or the one there is. */
function difference(
  event: string,
  expected: readonly ServerSentEvent[],
  seen: readonly ServerSentEvent[],
  sender: Sender,
  reader: Reader,
): Difference[] {
  const seenOf = (event: ServerSentEvent) => project(event, sender, reader);
  const [should, is] = [expected.map(seenOf), seen.map(seenOf)];
  if (should.length === is.length && should.every((one, i) => isSame(one, is[i]))) return [];
  return [{ event, expected: JSON.stringify(should), seen: JSON.stringify(is) }];
}

type Projected = Partial<ServerSentEvent>;

function isSame(a: Projected, b: Projected): boolean {
  return a.event === b.event && a.data === b.data && a.id === b.id && a.retry === b.retry;
}

/** What differs in the feed that was cut twice. */
export function resumeDifferences(
  sender: Sender,
  reader: Reader,
  seen: readonly ServerSentEvent[],
): Difference[] {
  const [should, is] = [RESUME, seen].map((events) => events.slice(0, BEFORE_SECOND_CUT));
  const first = difference(RESUMING.ascii, should, is, sender, reader);
  if (first.length > 0) return first;
  return difference(RESUMING.utf8, RESUME.slice(0, -1), seen, sender, reader);
}

/** Two texts at the place where they begin to differ. */
export function excerpts({ expected, seen }: Difference): { expected: string; seen: string } {
  let at = 0;
  while (at < expected.length && expected[at] === seen[at]) at++;
  const from = Math.max(0, at - 60);
  const cut = (text: string) => `${from > 0 ? "..." : ""}${text.slice(from, from + 160)}`;
  return { expected: cut(expected), seen: cut(seen) };
}
