/**
 * Code of a user in a browser, for the type checker alone: `EventSource`, and the barrel.
 *
 * @module
 */

import { connect, EventSource, type EventSourceErrorEvent } from "@webstreams/sse";
import type { EventSource as Same } from "@webstreams/sse/event-source";

/** The class of the standard. */
export function subscribe(): Same {
  const source = new EventSource("https://feed.example/", { headers: { a: "b" } });
  const listener = (event: MessageEvent) => console.log(event.data);
  source.addEventListener("price", listener, { once: true });
  source.removeEventListener("price", listener);
  source.addEventListener("message", ({ data, lastEventId }) => console.log(data, lastEventId));
  source.onerror = ({ error, code }: EventSourceErrorEvent) => console.log(error, code);
  console.log(connect(source.url).readyState);
  return source;
}
