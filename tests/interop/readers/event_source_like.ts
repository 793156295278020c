/**
 * What all have in common that are an `EventSource`.
 *
 * @module
 */

import type { ServerSentEvent } from "../../../parse.ts";
import { isEnd, TYPES } from "../feeds.ts";

/** The part of an `EventSource` that is used here, whoever made it. */
export interface EventSourceLike {
  addEventListener(
    type: string,
    listener: (event: { type: string; data?: unknown; lastEventId?: unknown }) => void,
  ): void;
  close(): void;
}

/** Reads up to the end of a feed, and closes. */
export function readEventSource(
  source: EventSourceLike,
  seen: ServerSentEvent[],
  signal: AbortSignal,
): Promise<void> {
  return new Promise((resolve) => {
    const leave = () => {
      source.close();
      signal.removeEventListener("abort", leave);
      resolve();
    };
    signal.addEventListener("abort", leave);
    for (const type of TYPES) {
      source.addEventListener(type, ({ type, data, lastEventId }) => {
        // The source has errors to tell, too, and that it is open.
        if (typeof data !== "string" || typeof lastEventId !== "string") return;
        const event = { event: type, data, id: lastEventId };
        if (isEnd(event)) leave();
        else seen.push(event);
      });
    }
  });
}
