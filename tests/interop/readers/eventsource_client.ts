/** The npm package `eventsource-client`. */

import { createEventSource } from "eventsource-client";
import { isEnd } from "../feeds.ts";
import { openReader, type Reader } from "../peers.ts";

export const readers: readonly Reader[] = [{
  name: "eventsource-client",
  ours: false,
  feed: "hard",
  seesId: true,
  seesRetry: false,
  resumes: true,
  open: () =>
    Promise.resolve(openReader((url, seen, signal) =>
      new Promise((resolve) => {
        const source = createEventSource({
          url,
          onMessage({ event = "message", data, id = "" }) {
            if (isEnd({ event, data })) leave();
            else seen.push({ event, data, id });
          },
        });
        function leave(): void {
          source.close();
          signal.removeEventListener("abort", leave);
          resolve();
        }
        signal.addEventListener("abort", leave);
      })
    )),
}];
