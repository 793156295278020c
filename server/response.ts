/**
 * A response that is an event stream: from events, or from a function that sends them.
 *
 * @module
 */

import type { CloseReason } from "./close_reason.ts";
import { type EventStreamSource, leave, openEvents, pump } from "./pump.ts";
import { callHook } from "./report.ts";
import { checkRequest, eventStreamHeaders } from "./request.ts";
import { openSession, outboxOf, type Session } from "./session.ts";
import { checkStreamOptions, firstBytes, type StreamOptions } from "./stream_options.ts";

/** What {@linkcode eventStreamResponse} can be told. */
export interface EventStreamOptions<State = unknown> extends StreamOptions {
  /**
   * What is answered: `HEAD` gets no body, `Accept` that excludes event streams a 406, a last event ID
   * that nobody can have sent a 400. Default: none, and nothing is checked.
   */
  request?: Request;
  /**
   * The status, from 200 to 299. 204 has no body and tells readers to stop for good.
   *
   * @default {200}
   */
  status?: number;
  /** What `session.state` is at first. Default: `undefined`. */
  state?: State;
  /**
   * Told why it has ended, once. Default: nobody is told.
   *
   * @param reason Why.
   * @param session The session.
   */
  onClose?(reason: CloseReason, session: Session<State>): void;
}

/**
 * Makes a response that is an event stream. Its first bytes leave at once.
 *
 * @param source What gives the events; or a function that is called at once with the session and sends
 * them. The session ends with the source, when the promise of the function is fulfilled, or, if the
 * function returns nothing, when somebody closes it. What is thrown ends it too, and is told to
 * `onClose` and to nobody else. A function may also return a source, such as a generator that it
 * makes with `session.signal`. When the session ends first, the source is left: an iterator by
 * `return`, a stream by `cancel`.
 * @param options The request, and what keeps the stream open.
 * @returns The response. A refused request has one too, and then the source is left unread.
 * @throws {TypeError} If the source gives no events, or a header is one that no stream may have.
 * @throws {RangeError} If an option is out of its range.
 *
 * @example Events of an iterable
 * ```ts
 * import { eventStreamResponse } from "@webstreams/sse/server";
 * import { assertEquals } from "@std/assert";
 *
 * const response = eventStreamResponse([{ data: "a" }, { data: "b", id: "2" }], { retry: 500 });
 * assertEquals(await response.text(), ": \nretry: 500\n\ndata: a\n\nid: 2\ndata: b\n\n");
 * ```
 *
 * @example A generator that is released when the reader leaves
 * ```ts
 * import { eventStreamResponse } from "@webstreams/sse/server";
 * import { assertEquals } from "@std/assert";
 *
 * const response = eventStreamResponse(async function* ({ signal }) {
 *   const left = new Promise((resolve) => signal.addEventListener("abort", resolve));
 *   yield { data: "a" };
 *   await left;
 * });
 * const reader = response.body!.getReader();
 * assertEquals(new TextDecoder().decode((await reader.read()).value), ": \n\n");
 * await reader.cancel();
 * ```
 */
export function eventStreamResponse<State = undefined>(
  source:
    | EventStreamSource
    | ((session: Session<State>) => EventStreamSource | void | Promise<void>),
  options: EventStreamOptions<State> = {},
): Response {
  const { request, status = 200, state, onClose } = options;
  if (!Number.isInteger(status) || status < 200 || status > 299) {
    throw new RangeError(
      `Cannot respond: "status" must be an integer from 200 to 299: received ${status}`,
    );
  }
  const headers = eventStreamHeaders(options.headers);
  const limits = checkStreamOptions(options);
  const first = firstBytes(options);
  const events = typeof source === "function" ? undefined : openEvents(source);
  const asked = askedOf(request, status, headers);
  if (asked instanceof Response) {
    if (events !== undefined) leave(events);
    return asked;
  }
  const session = openSession<State>({
    settings: { ...limits, slowConsumer: "disconnect" },
    request,
    lastEventId: asked.lastEventId,
    state: state as State,
    ids: true,
    onEnd: (session, reason) => callHook(() => onClose?.(reason, session)),
  });
  outboxOf(session).push({ bytes: first });
  if (events !== undefined) pump(session, events);
  else if (typeof source === "function") handle(session, source);
  return new Response(outboxOf(session).body, { status, headers });
}

/** What the request asks for, or the answer to one that gets no stream. */
function askedOf(
  request: Request | undefined,
  status: number,
  headers: Headers,
): { lastEventId: string } | Response {
  const checked = request === undefined ? { lastEventId: "" } : checkRequest(request, headers);
  if (checked instanceof Response) return checked;
  // Statuses that have no body.
  const empty = status === 204 || status === 205 || request?.method === "HEAD";
  return empty ? new Response(null, { status, headers }) : checked;
}

/** Calls a handler, and sees to what it returns or throws. */
async function handle<State>(
  session: Session<State>,
  handler: (session: Session<State>) => EventStreamSource | void | Promise<void>,
): Promise<void> {
  const outbox = outboxOf(session);
  try {
    const result = handler(session);
    if (result === undefined) return;
    if (typeof result !== "object" || result === null || !("then" in result)) {
      return await pump(session, openEvents(result));
    }
    await result;
    outbox.end({ reason: "ended" });
  } catch (cause) {
    outbox.end({ reason: "error", cause });
  }
}
