/**
 * What is posted for a line.
 *
 * @module
 */

/** How a line is taken. */
export interface BodyOptions {
  /** The type of an event whose line names none. Default: none. */
  event?: string;
  /** Whether each line is data, also if it is an event as JSON. */
  text: boolean;
}

/** What makes a JSON object an event. */
const MEMBERS: readonly string[] = ["data", "event", "id", "retry"];

/** A JSON object with `data`, and perhaps `event` and `retry`. */
export function bodyOf(line: string, { event, text }: BodyOptions): string {
  const given = text ? undefined : parseEvent(line);
  if (given === undefined) return JSON.stringify({ event, data: line });
  // Not written anew if it can be helped: numbers of more than 53 bits would be rounded.
  if (!("id" in given)) {
    if (event === undefined || "event" in given) return line.trim();
    return `{"event":${JSON.stringify(event)},${line.trim().slice(1)}`;
  }
  const { id: _, ...rest } = given;
  return JSON.stringify({ event, ...rest });
}

/** The event that a line is; `undefined` if it is none. */
function parseEvent(line: string): Record<string, unknown> | undefined {
  if (!/^\s*\{/.test(line)) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return undefined;
  }
  if (!isRecord(value) || !("data" in value)) return undefined;
  return Object.keys(value).every((name) => MEMBERS.includes(name)) ? value : undefined;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
