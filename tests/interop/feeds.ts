/**
 * What a server sends at each path, whoever is the sender; and what must come of it.
 *
 * After each hard event comes a mark, so that a difference is that of one event, and a reader that
 * has lost its place finds it again.
 *
 * @module
 */

import type { ServerSentEventInit } from "../../encode.ts";
import type { ServerSentEvent } from "../../parse.ts";
import { HARD_EVENTS, TEXTS } from "./events.ts";

/** What a sender may let one choose beside the data. */
export type Choice = "event" | "id" | "retry" | "comment" | "no data";

/** All that a sender may let one choose. */
export const ALL: readonly Choice[] = ["event", "id", "retry", "comment", "no data"];

/** A hard event as it is sent and expected, with its mark. */
export interface Block {
  readonly name: string;
  /** What a sender must let one choose to send it. */
  readonly needs: ReadonlySet<Choice>;
  readonly sent: readonly ServerSentEventInit[];
  readonly expected: readonly ServerSentEvent[];
}

/** The paths. Those of the APIs of models are answered by POST. */
export const PATHS = {
  hard: "/hard",
  resume: "/resume",
  openai: "/openai/chat/completions",
  anthropic: "/anthropic/v1/messages",
  mcp: "/mcp",
} as const;

/** What can be asked for. */
export type FeedName = keyof typeof PATHS;

/** Ends each feed. */
export const END = "end";

/** All types that are sent, and the one that nobody may see. */
export const TYPES: readonly string[] = [
  ...new Set([
    "message",
    END,
    "injected",
    "greeting",
    ...HARD_EVENTS.flatMap(({ sent, expected }) => [...sent, ...expected])
      .map(({ event }) => event ?? "message"),
  ]),
];

/** The data of the mark after a block. */
export function mark(index: number): string {
  return `=== ${index} ===`;
}

/** The number of the block that this mark ends; `undefined` for data that is no mark. */
export function markedBy(data: string): number | undefined {
  const number = /^=== (\d+) ===$/.exec(data)?.[1];
  return number === undefined ? undefined : Number(number);
}

function needsOf(sent: readonly ServerSentEventInit[]): Set<Choice> {
  const needs = new Set<Choice>();
  for (const { event, id, retry, comment, data } of sent) {
    if (event !== undefined) needs.add("event");
    if (id !== undefined) needs.add("id");
    if (retry !== undefined) needs.add("retry");
    if (comment !== undefined) needs.add("comment");
    else if (data === undefined) needs.add("no data");
  }
  return needs;
}

/** The blocks of the feed `hard`. Each begins with an id that tells it from the others. */
const HARD: readonly Block[] = HARD_EVENTS.map(({ name, sent, expected }, index) => {
  const needs = needsOf(sent);
  const id = `${index}`;
  const end: ServerSentEvent = { event: "message", data: mark(index), id };
  if (needs.has("id")) {
    return { name, needs, sent: [...sent, { data: end.data, id }], expected: [...expected, end] };
  }
  return {
    name,
    needs,
    sent: [...sent.map((one) => one.data === undefined ? one : { ...one, id }), {
      data: end.data,
      id,
    }],
    expected: [...expected.map((one) => ({ ...one, id })), end],
  };
});

/** The texts, in events of JSON; an id or a type would be the business of the API. */
function texts(wrap: (text: string, index: number) => ServerSentEventInit): Block[] {
  return TEXTS.map(({ name, text }, index) => ({
    name,
    needs: needsOf([]),
    sent: [wrap(text, index)],
    expected: [
      { event: "message", data: text, id: "" },
      { event: "message", data: mark(index), id: "" },
    ],
  }));
}

function json(value: unknown, event?: string): ServerSentEventInit {
  const data = JSON.stringify(value);
  return event === undefined ? { data } : { event, data };
}

const OPENAI: readonly Block[] = texts((content, index) =>
  json({
    id: `${index}`,
    object: "chat.completion.chunk",
    created: 0,
    model: "stand-in",
    choices: [{ index: 0, delta: { content }, finish_reason: null }],
  })
);

const ANTHROPIC: readonly Block[] = texts((text, index) =>
  json(
    { type: "content_block_delta", index, delta: { type: "text_delta", text } },
    "content_block_delta",
  )
);

const MCP: readonly Block[] = texts((data, index) =>
  json({
    jsonrpc: "2.0",
    method: "notifications/message",
    params: { level: "info", logger: `${index}`, data },
  })
);

/** The blocks of a feed that a sender with these choices can send. */
export function blocksOf(feed: FeedName, chooses: readonly Choice[]): readonly Block[] {
  const blocks = { hard: HARD, resume: [], openai: OPENAI, anthropic: ANTHROPIC, mcp: MCP }[feed];
  return blocks.map((block) =>
    [...block.needs].every((need) => chooses.includes(need))
      ? block
      // The mark alone, so that the numbers are the same for all.
      : { ...block, sent: block.sent.slice(-1), expected: block.expected.slice(-1) }
  );
}

/** What is sent to a reader that comes back. */
export const RESUME: readonly ServerSentEvent[] = [
  { event: "message", id: "0", retry: 20, data: "first" },
  { event: "greeting", id: "1", data: "two\nlines, Grüße 👋" },
  { event: "message", id: "2", data: "" },
  { event: "message", id: "3", data: "cut here, behind an id in ASCII" },
  { event: "message", id: "4/é/日本", data: "unhurt" },
  { event: "message", id: "5", data: `${"x".repeat(70_000)} cut here, behind one in UTF-8` },
  { event: END, id: "6", data: END },
];

/** Behind these texts the connection is cut, each once. */
export const CUTS: readonly string[] = ["behind an id", "behind one"];

/** As many events come in front of the place of the second cut. */
export const BEFORE_SECOND_CUT = 5;

/** The last event ID of a request, of which `Headers` and `node:http` give a character a byte (T22). */
export function decodeId(header: string | string[] | null | undefined): string {
  const bytes = Uint8Array.from(`${header ?? ""}`, (char) => char.charCodeAt(0));
  return new TextDecoder().decode(bytes);
}

/**
 * What to send.
 *
 * @param url The URL of the request, or its path.
 * @param lastEventId That of the reader, `""` for none.
 * @param chooses What the sender lets one choose: it is asked for nothing else.
 */
export function feed(
  url: string,
  lastEventId: string,
  chooses: readonly Choice[],
): ServerSentEventInit[] {
  const { pathname } = new URL(url, "http://127.0.0.1");
  const allowed = contentOf(pathname, lastEventId, chooses);
  return allowed.map((sent) => {
    const { event, id, ...rest } = sent;
    return {
      ...rest,
      ...event !== undefined && event !== "message" && chooses.includes("event") && { event },
      ...id !== undefined && chooses.includes("id") && { id },
    };
  });
}

function contentOf(
  path: string,
  lastEventId: string,
  chooses: readonly Choice[],
): readonly ServerSentEventInit[] {
  switch (path) {
    case PATHS.hard:
      // Who comes back has missed the end.
      if (lastEventId !== "") return [{ event: END, data: END }];
      return [
        ...sentOf("hard", chooses),
        chooses.includes("event") ? { event: END, data: END } : { data: END },
      ];
    case PATHS.resume:
      return RESUME.slice(RESUME.findIndex(({ id }) => id === lastEventId) + 1);
    case PATHS.openai:
      return [...sentOf("openai", chooses), { data: "[DONE]" }];
    case PATHS.anthropic:
      return [
        json({ type: "ping" }, "ping"),
        ...sentOf("anthropic", chooses),
        json({ type: "message_stop" }, "message_stop"),
      ];
    case PATHS.mcp:
      return [...sentOf("mcp", chooses), json({ jsonrpc: "2.0", id: 1, result: {} })];
    default:
      return [];
  }
}

function sentOf(feed: FeedName, chooses: readonly Choice[]): ServerSentEventInit[] {
  return blocksOf(feed, chooses).flatMap(({ sent }) => sent);
}

/** Whether this is the last event of the feeds `hard` and `resume`, be it in JSON. */
export function isEnd({ event, data }: { event: string; data: string }): boolean {
  return event === END || event === "message" && (data === END || data.includes(`"data":"${END}"`));
}
