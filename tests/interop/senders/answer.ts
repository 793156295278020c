/**
 * Our answer to a request, on whatever runs this.
 *
 * @module
 */

import { eventStreamResponse } from "../../../server.ts";
import { ALL, feed } from "../feeds.ts";

/** The feed that a request asks for. What is illegal is refused, and the next event is sent. */
export function answer(request: Request): Response {
  const { url, method } = request;
  // The SDK of OpenAI asks for JSON and expects an event stream.
  const options = method === "POST" ? {} : { request };
  return eventStreamResponse(async (session) => {
    for (const sent of feed(url, session.lastEventId, ALL)) {
      try {
        await session.send(sent);
      } catch (error) {
        if (!(error instanceof TypeError)) throw error;
      }
    }
  }, options);
}
