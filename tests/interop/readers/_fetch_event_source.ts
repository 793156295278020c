/**
 * `@microsoft/fetch-event-source` in a process of its own: it wants a page, and is given what it
 * takes of one.
 *
 * @module
 */

import { fetchEventSource } from "@microsoft/fetch-event-source";
import { isEnd } from "../feeds.ts";
import { serve } from "./_answer.ts";

Object.assign(globalThis, {
  window: globalThis,
  document: { hidden: false, addEventListener() {}, removeEventListener() {} },
});

serve({
  async "fetch-event-source"(url, seen, signal) {
    const end = new AbortController();
    await fetchEventSource(url, {
      signal: AbortSignal.any([end.signal, signal]),
      openWhenHidden: true,
      onmessage({ event, data, id, retry }) {
        // It has no default type.
        const message = { event: event || "message", data, id };
        if (isEnd(message)) end.abort();
        else if (!end.signal.aborted) {
          seen.push(retry === undefined ? message : { ...message, retry });
        }
      },
    });
  },
});
