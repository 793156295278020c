/**
 * Known faults of peers. Each must show, or the run fails.
 *
 * @module
 */

/** A fault of one peer. */
export interface Known {
  /** The sender whose fault it is, or */
  readonly sender?: string;
  /** the reader. */
  readonly reader?: string;
  /** The hard events that show it. */
  readonly events: readonly string[];
  /** What is wrong, by the standard. */
  readonly why: string;
}

/** All that are known. */
export const KNOWN: readonly Known[] = [
  {
    sender: "better-sse",
    events: [
      "one line break",
      "LF in data",
      "CRLF in data",
      "CR in data",
      "all line ends in data",
      "line breaks at both ends",
      "a blank line in data",
      "trailing spaces",
      "data that begins with a colon",
      "data that looks like fields",
      "a BOM inside data",
      "10,000 lines",
      "a cut",
    ],
    why:
      "data is one field, whatever its lines: those behind the first are lost, or are fields (W2). Its own serializer, which makes JSON, hides it",
  },
  {
    sender: "better-sse",
    events: [
      "leading spaces",
      "a space alone",
      "a type with spaces at both ends",
      "an id with spaces at both ends",
    ],
    why: "no space behind the colon: a value loses its first one (W5, T7)",
  },
  {
    sender: "better-sse",
    events: ["comments"],
    why: "a line break in a comment lets it dispatch events (W3)",
  },
  {
    sender: "better-sse",
    events: ["a line break in a type or an id, to refuse"],
    why: "a line break in a type or an id injects fields (W1)",
  },
  ...nul("better-sse", "hono streamSSE", "@fastify/sse", "h3", "deno-std", "eventsource-encoder"),
  {
    sender: "@fastify/sse",
    events: ["CR in data", "all line ends in data"],
    why: "data is not split at CR: what is behind it is a field (W2)",
  },
  {
    sender: "@fastify/sse",
    events: ["an empty id, which resets it"],
    why: "an empty id is not sent, so that the last event ID stays (T15)",
  },
  {
    sender: "@fastify/sse",
    events: ["a line break in a type or an id, to refuse"],
    why: "a line break in a type or an id injects fields (W1)",
  },
  {
    sender: "h3",
    events: ["a line break in a type or an id, to refuse"],
    why:
      "line breaks are taken out of a type and an id: another one is sent, and nobody is told (W1)",
  },
  {
    sender: "deno-std",
    events: [
      "leading spaces",
      "a space alone",
      "a type with spaces at both ends",
      "an id with spaces at both ends",
    ],
    why: "no space behind the colon: a value loses its first one (W5, T7)",
  },
  {
    reader: "eventsource-client",
    events: ["an id in UTF-8, which sticks", "an id without data"],
    why: "it gives the id of the block in place of the last event ID (T14, T15)",
  },
  {
    reader: "eventsource-client",
    events: ["a cut behind an id in UTF-8"],
    why: "an id that is not Latin-1 makes its fetch throw, and it never comes back (T22)",
  },
  {
    reader: "Firefox",
    events: ["NUL in data"],
    why: "NUL is dropped from data, where only an id may not hold it (T13)",
  },
  {
    reader: "Firefox",
    events: ["an id without data"],
    why: "a block without data does not commit its id (T11, T14)",
  },
  {
    reader: "undici, in Node",
    events: ["a cut behind an id in UTF-8"],
    why: "an id that is not Latin-1 makes its fetch fail, and it never comes back (T22)",
  },
  ...lateCr("eventsource-client", "MCP client"),
  {
    reader: "fetch-event-source",
    events: [
      "data that is empty",
      "an id without data",
      "a reconnection time without data",
      "comments",
    ],
    why: "every blank line dispatches an event, with or without data (T11)",
  },
  {
    reader: "fetch-event-source",
    events: ["one line break", "line breaks at both ends"],
    why: "a first line of data that is empty is lost (T10)",
  },
  {
    reader: "fetch-event-source",
    events: ["a BOM first in data", "a BOM inside data"],
    why: "a BOM is removed at the start of each value (T2)",
  },
  {
    reader: "fetch-event-source",
    events: ["an id in UTF-8, which sticks"],
    why: "it gives the id of the block in place of the last event ID (T15)",
  },
  {
    reader: "fetch-event-source",
    events: ["a cut"],
    why: "an id counts before its event is whole: the event that a cut falls into is lost (T14)",
  },
  {
    reader: "fetch-event-source",
    events: ["a cut behind an id in UTF-8"],
    why: "an id that is not Latin-1 makes its fetch throw, and it never comes back (T22)",
  },
];

function nul(...senders: string[]): Known[] {
  const why = "an id with NUL is sent, though every reader ignores it (W1, T13)";
  return senders.map((sender) => ({ sender, events: ["NUL in an id, to refuse"], why }));
}

function lateCr(...readers: string[]): Known[] {
  const why = "a CR as the last byte ends no line until there is more: the last event is lost (T6)";
  return readers.map((reader) => ({ reader, events: ["the end"], why }));
}
