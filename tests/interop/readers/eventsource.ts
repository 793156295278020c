/** The npm package `eventsource`. */

import { EventSource } from "eventsource";
import { openReader, type Reader } from "../peers.ts";
import { readEventSource } from "./event_source_like.ts";

export const readers: readonly Reader[] = [{
  name: "eventsource",
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
