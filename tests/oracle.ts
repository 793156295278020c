/**
 * The event stream of the HTML Standard (section 9.2.6), transliterated: all the bytes in, slow and
 * obvious, one step of the standard after the other. It shares nothing with our sources, so the two
 * can be compared.
 *
 * @module
 */

/** An event, as our parser has it. */
export interface OracleEvent {
  event: string;
  data: string;
  id: string;
  retry?: number;
}

/** All that a stream says. */
export interface OracleResult {
  events: OracleEvent[];
  /** The last event ID at the end. */
  lastEventId: string;
  /** The reconnection time at the end. */
  retry: number | undefined;
  comments: string[];
  /** Each id that a blank line committed. */
  ids: string[];
  /** Each reconnection time, as it came. */
  retries: number[];
  /** The stream ends inside a line or a block. */
  incomplete: boolean;
}

/** Interprets a whole event stream that starts with `lastEventId` (T16). */
export function oracle(bytes: Uint8Array, lastEventId = ""): OracleResult {
  const { lines, rest } = splitLines(removeBom(decodeUtf8(bytes)));
  const result: OracleResult = {
    events: [],
    lastEventId,
    retry: undefined,
    comments: [],
    ids: [],
    retries: [],
    incomplete: false,
  };
  let data = "";
  let eventType = "";
  let idBuffer = lastEventId;
  // Not of the standard: what our events and callbacks tell of the block.
  let blockId = false;
  let blockRetry: number | undefined;
  let blockOpen = false;

  for (const line of lines) {
    if (line === "") {
      dispatch();
    } else if (line.startsWith(":")) {
      result.comments.push(withoutOneSpace(line.slice(1)));
    } else if (line.includes(":")) {
      const colon = line.indexOf(":");
      processField(line.slice(0, colon), withoutOneSpace(line.slice(colon + 1)));
    } else {
      processField(line, "");
    }
  }
  result.incomplete = rest !== "" || blockOpen;
  return result;

  function processField(field: string, value: string): void {
    if (field === "event") {
      eventType = value;
      blockOpen = true;
    } else if (field === "data") {
      data += value;
      data += "\n";
      blockOpen = true;
    } else if (field === "id") {
      if (value.includes("\0")) return;
      idBuffer = value;
      blockId = blockOpen = true;
    } else if (field === "retry") {
      if (value === "" || [...value].some((digit) => !"0123456789".includes(digit))) return;
      const exact = BigInt(value);
      const bound = BigInt(Number.MAX_SAFE_INTEGER);
      blockRetry = result.retry = Number(exact < bound ? exact : bound);
      result.retries.push(blockRetry);
      blockOpen = true;
    }
  }

  function dispatch(): void {
    result.lastEventId = idBuffer;
    if (blockId) result.ids.push(idBuffer);
    if (data !== "") {
      const event: OracleEvent = {
        event: eventType === "" ? "message" : eventType,
        data: data.slice(0, -1),
        id: result.lastEventId,
      };
      if (blockRetry !== undefined) event.retry = blockRetry;
      result.events.push(event);
    }
    data = "";
    eventType = "";
    blockId = blockOpen = false;
    blockRetry = undefined;
  }
}

function decodeUtf8(bytes: Uint8Array): string {
  return new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
}

function removeBom(text: string): string {
  return text.startsWith("\uFEFF") ? text.slice(1) : text;
}

/** `end-of-line = ( cr lf / cr / lf )`; what follows the last one is no line. */
function splitLines(text: string): { lines: string[]; rest: string } {
  const lines: string[] = [];
  let rest = "";
  for (let i = 0; i < text.length; i++) {
    if (text[i] === "\r" && text[i + 1] === "\n") i++;
    if (text[i] === "\r" || text[i] === "\n") {
      lines.push(rest);
      rest = "";
    } else {
      rest += text[i];
    }
  }
  return { lines, rest };
}

function withoutOneSpace(value: string): string {
  return value.startsWith(" ") ? value.slice(1) : value;
}
