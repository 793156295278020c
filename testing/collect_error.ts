/**
 * What `collect` throws of its own.
 *
 * @module
 */

/** How much of the data of an event is told. */
const MAX_TEXT = 40;
/** How many events are told: the last ones. */
const MAX_TOLD = 5;

/**
 * `collect` did not get what it was asked for. What the source itself throws is no such error: it is
 * passed on as it is.
 *
 * @example See what came
 * ```ts
 * import { collect, CollectError } from "@webstreams/sse/testing";
 * import { assertEquals, assertRejects } from "@std/assert";
 *
 * const body = new Response("data: a\n\n").body!;
 * const error = await assertRejects(() => collect(body, { count: 2 }), CollectError);
 * assertEquals(error.reason, "ended");
 * assertEquals(error.events, [{ event: "message", data: "a", id: "" }]);
 * assertEquals(
 *   error.message,
 *   'Cannot collect 2 events: 1 came before the source ended: message "a"',
 * );
 * ```
 */
export class CollectError extends Error {
  /** The class name, also where a bundler has renamed the class. */
  override readonly name: string = "CollectError";
  /**
   * Why: the `"timeout"` has passed, the signal is `"aborted"` (`cause` is its reason), the source has
   * `"ended"` before, or it gave `"too-many"`.
   */
  readonly reason: "timeout" | "aborted" | "ended" | "too-many";
  /** What came until then. */
  readonly events: readonly unknown[];

  /**
   * Makes an error that holds what came.
   *
   * @param message The sentence for people.
   * @param reason Why.
   * @param events What came.
   * @param options Takes the `cause`.
   */
  constructor(
    message: string,
    reason: CollectError["reason"],
    events: readonly unknown[],
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.reason = reason;
    this.events = events;
  }
}

/** The last events in words, for the end of a sentence: `: message "a", price "12" (id "7")`. */
export function told(events: readonly unknown[]): string {
  if (events.length === 0) return "";
  const last = events.slice(-MAX_TOLD).map(describe).join(", ");
  return events.length > MAX_TOLD ? `: …, ${last}` : `: ${last}`;
}

/** An event in words: `price "12" (id "7")`. */
function describe(item: unknown): string {
  if (typeof item !== "object" || item === null || !("event" in item && "data" in item)) {
    return quote(item);
  }
  const id = "id" in item && item.id !== "" ? ` (id ${quote(item.id)})` : "";
  return `${String(item.event)} ${quote(item.data)}${id}`;
}

/** A value as JSON, bounded. */
function quote(value: unknown): string {
  let text: string | undefined;
  try {
    text = JSON.stringify(value);
  } catch {
    // It holds itself, or a BigInt.
  }
  text ??= String(value);
  return text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT)}…` : text;
}
