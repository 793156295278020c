/** The npm package `@microsoft/fetch-event-source`. */

import type { Reader } from "../peers.ts";
import { deno } from "../runtimes.ts";
import { openChild } from "./child.ts";

export const readers: readonly Reader[] = [{
  name: "fetch-event-source",
  ours: false,
  feed: "hard",
  seesId: true,
  seesRetry: true,
  resumes: true,
  open: () => openChild(deno(), "_fetch_event_source.ts", "fetch-event-source"),
}];
