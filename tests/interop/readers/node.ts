/** The `EventSource` of Node itself, which is that of undici. */

import { isUnavailable, type Reader } from "../peers.ts";
import { node } from "../runtimes.ts";
import { openChild } from "./child.ts";

export const readers: readonly Reader[] = [{
  name: "undici, in Node",
  ours: false,
  feed: "hard",
  seesId: true,
  seesRetry: false,
  resumes: true,
  async open() {
    const found = await node();
    if (isUnavailable(found)) return found;
    const args = ["--experimental-eventsource", "--no-warnings"];
    return await openChild(Promise.resolve({ ...found, args }), "_node.ts", "EventSource");
  },
}];
