/**
 * A server of numbers that resumes, for the tests of what is between it and a client.
 *
 * @module
 */

import { eventStreamResponse } from "../../server.ts";
import type { TransportHandler } from "../../testing.ts";

/** Where it is asked for. Nobody resolves the name. */
export const URL = "http://sse.test/numbers";

/** Gives the numbers from 1 to `total` that the request lacks, and then 204. */
export function numbers(total: number): TransportHandler {
  return (request) => {
    const after = Number(request.headers.get("last-event-id") ?? 0);
    if (after >= total) return new Response(null, { status: 204 });
    const ids = Array.from({ length: total - after }, (_, i) => `${after + i + 1}`);
    return eventStreamResponse(ids.map((id) => ({ id, data: id })), { request });
  };
}

/** Gives the numbers from 1 to `total`, and then nothing, until its reader leaves. */
export function held(total: number): TransportHandler {
  return (request) =>
    eventStreamResponse(async (session) => {
      for (let n = 1; n <= total; n++) await session.send({ id: `${n}`, data: `${n}` });
      await session.closed;
    }, { request, keepAlive: false });
}

/** The data of events. */
export function dataOf(events: readonly { data: string }[]): string {
  return events.map(({ data }) => data).join(" ");
}
