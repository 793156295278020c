/**
 * A reader in a frame, which is there until the page around it takes the frame away.
 *
 * @module
 */

import type { Library } from "./harness.ts";
import { window } from "./window.ts";

/** Reads the URL that `stream` of the query is, as `with` says, and tells the page of each event. */
export async function runFrame({ connect, EventSource }: Library): Promise<void> {
  const { origin, searchParams } = new URL(window.location.href);
  const stream = `${searchParams.get("stream")}`;
  const tell = (data: string) => window.parent.postMessage({ stream, data }, origin);
  if (searchParams.get("with") === "EventSource") {
    new EventSource(stream).onmessage = ({ data }) => tell(data);
  } else {
    for await (const { data } of connect(stream)) tell(data);
  }
}
