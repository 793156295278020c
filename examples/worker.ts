/**
 * A Worker in front of an event stream: it passes on the events of the types that `?only=` names, and
 * no others. The last event ID goes through in both directions, so that readers resume at the origin.
 * When a reader leaves, the origin is left; workerd finds out with the next event or keep-alive.
 *
 * ```sh
 * deno run --allow-net=127.0.0.1 --allow-env=PORT examples/clock.ts &
 * npx wrangler dev examples/worker.ts --var ORIGIN:http://127.0.0.1:8000/
 * curl -N 'http://127.0.0.1:8787/?only=tick'
 * ```
 *
 * @module
 */

import type { ServerSentEventInit } from "@webstreams/sse/encode";
import { readEvents } from "@webstreams/sse/parse";
import { eventStreamResponse } from "@webstreams/sse/server";

/** What the Worker is configured with. */
export interface Env {
  /** The URL of the event stream. */
  ORIGIN: string;
}

async function* pass(
  origin: Response,
  only: readonly string[],
  signal: AbortSignal,
): AsyncGenerator<ServerSentEventInit> {
  for await (const event of readEvents(origin, { signal })) {
    if (only.length === 0 || only.includes(event.event)) yield event;
  }
}

/** The module form: `fetch` is called with each request. */
export default {
  async fetch(request: Request, env: Env): Promise<Response> {
    const headers = new Headers({ accept: "text/event-stream" });
    const lastEventId = request.headers.get("last-event-id");
    if (lastEventId !== null) headers.set("last-event-id", lastEventId);
    const origin = await fetch(env.ORIGIN, { headers });
    // A refusal is for the reader to see, and so is the 204 that tells it to stop.
    if (origin.status !== 200) return new Response(origin.body, { status: origin.status });
    const only = new URL(request.url).searchParams.getAll("only");
    return eventStreamResponse(({ signal }) => pass(origin, only, signal), { request });
  },
};
