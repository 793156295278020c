/** The `EventSource` of Node, which is that of undici, in a process for Node. */

import { serve } from "./_answer.ts";
import { readEventSource } from "./event_source_like.ts";

serve({
  "EventSource": (url, seen, signal) => readEventSource(new EventSource(url), seen, signal),
});
