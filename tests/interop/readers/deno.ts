/** The `EventSource` of Deno itself. */

import { openReader, type Reader } from "../peers.ts";
import { readEventSource } from "./event_source_like.ts";

export const readers: readonly Reader[] = [{
  name: "Deno's EventSource",
  ours: false,
  feed: "hard",
  seesId: true,
  seesRetry: false,
  resumes: true,
  open: () =>
    Promise.resolve(
      openReader((url, seen, signal) => readEventSource(new EventSource(url), seen, signal)),
    ),
}];
