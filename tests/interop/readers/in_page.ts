/**
 * What a page does, which has nothing but this function.
 *
 * @module
 */

import type { ServerSentEvent } from "../../../parse.ts";
import { END, TYPES } from "../feeds.ts";

/** What a page is told to read. */
export interface Told {
  readonly url: string;
  readonly types: readonly string[];
  readonly end: string;
  readonly ms: number;
}

/** How long a page may read, in ms: less than all that waits for it. */
const PATIENCE = 9_000;

/** What to tell a page. */
export function tell(url: string): Told {
  return { url, types: TYPES, end: END, ms: PATIENCE };
}

/** Reads up to the end of a feed, or until the time is over. */
export function readInPage({ url, types, end, ms }: Told): Promise<ServerSentEvent[]> {
  return new Promise((resolve) => {
    const seen: ServerSentEvent[] = [];
    const source = new EventSource(url);
    const leave = () => {
      source.close();
      resolve(seen);
    };
    setTimeout(leave, ms);
    for (const type of types) {
      source.addEventListener(type, (event) => {
        if (!(event instanceof MessageEvent)) return;
        const { data, lastEventId } = event;
        const last = type === end || data === end || data.includes(`"data":"${end}"`);
        if (last) leave();
        else seen.push({ event: type, data, id: lastEventId });
      });
    }
  });
}
