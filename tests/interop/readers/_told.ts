/**
 * Our readers where there is no process to ask: in a page, and in a Worker.
 *
 * @module
 */

import type { ServerSentEvent } from "../../../parse.ts";
import type { Told } from "./in_page.ts";
import { READS } from "./reads.ts";

/** Reads up to the end of a feed, or until the time is over. */
export async function readTold({ reader, url, ms }: Told): Promise<ServerSentEvent[]> {
  const seen: ServerSentEvent[] = [];
  await READS[reader](new URL(url, globalThis.location?.href).href, seen, AbortSignal.timeout(ms));
  return seen;
}
