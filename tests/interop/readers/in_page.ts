/**
 * What a page does, which has nothing but this function, and our readers if it was given them.
 *
 * @module
 */

import type { ServerSentEvent } from "../../../parse.ts";
import { bundle } from "../../../tools/_bundle.ts";
import { ROOT } from "../../../tools/_deno.ts";
import { END, TYPES } from "../feeds.ts";

/** What a page is told to read. */
export interface Told {
  readonly url: string;
  /** Which of ours is to read; `""` for the page's own `EventSource`. */
  readonly reader: string;
  readonly types: readonly string[];
  readonly end: string;
  readonly ms: number;
}

/** How long a page may read, in ms: less than all that waits for it. */
const PATIENCE = 9_000;

/** What to tell a page. */
export function tell(url: string, reader = ""): Told {
  return { url, reader, types: TYPES, end: END, ms: PATIENCE };
}

/** What gives a page our readers: a module. */
export async function pageScript(): Promise<string> {
  const { code, problem } = await bundle(ROOT, "tests/interop/readers/_page.ts", "browser");
  if (problem !== undefined) throw new Error(problem);
  return code;
}

/** Reads up to the end of a feed, or until the time is over. */
export function readInPage(told: Told): Promise<ServerSentEvent[]> {
  const { url, reader, types, end, ms } = told;
  // What `_page.ts` has added.
  if (reader !== "") return Reflect.get(globalThis, "readTold")(told);
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
