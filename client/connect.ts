/**
 * How a connection is made.
 *
 * @module
 */

import { Connection } from "./connection.ts";
import type { EventStreamConnection } from "./interface.ts";
import type { ConnectOptions } from "./options.ts";
import type { PerAttempt } from "./request.ts";

/**
 * Connects to an event stream, and again whenever it is lost, until it is complete or closed.
 *
 * @param url Where to; a function is called for each attempt. A `Request` gives its method, headers,
 * body and signal too.
 * @param options All that `fetch` takes, and how to hold the connection.
 * @returns The connection: read it with `for await`.
 * @throws {TypeError} If the URL, the headers, the body or an option is none that can be sent.
 * @throws {RangeError} If a number is out of its range.
 *
 * @example Read an answer of a language model
 * ```ts
 * import { connect } from "@webstreams/sse/client";
 * import { assertEquals } from "@std/assert";
 *
 * const fetch = () =>
 *   Promise.resolve(
 *     new Response('data: {"text":"Hi"}\n\ndata: [DONE]\n\n', {
 *       headers: { "content-type": "text/event-stream" },
 *     }),
 *   );
 * const answer = connect("https://api.example/v1/chat", {
 *   fetch,
 *   json: { prompt: "Say hi", stream: true },
 *   until: ({ data }) => data === "[DONE]",
 *   retry: { onEnd: "close" },
 * });
 * for await (const { data } of answer.json<{ text: string }>()) assertEquals(data.text, "Hi");
 * ```
 *
 * @example Follow a feed, with a token that may expire
 * ```ts
 * import { connect } from "@webstreams/sse/client";
 * import { assertEquals } from "@std/assert";
 *
 * let token = "old";
 * const fetch = (_url: unknown, init?: RequestInit) => {
 *   const ok = new Headers(init?.headers).get("authorization") === "Bearer new";
 *   return Promise.resolve(
 *     new Response(ok ? "id: 1\ndata: a\n\n" : "", {
 *       status: ok ? 200 : 401,
 *       headers: { "content-type": "text/event-stream" },
 *     }),
 *   );
 * };
 * await using feed = connect("https://feed.example/", {
 *   fetch,
 *   headers: () => ({ authorization: `Bearer ${token}` }),
 *   onUnauthorized: () => {
 *     token = "new";
 *   },
 * });
 * assertEquals((await feed.next()).value?.data, "a");
 * ```
 */
export function connect(
  url: PerAttempt<string | URL> | Request,
  options: ConnectOptions = {},
): EventStreamConnection {
  return new Connection(url, options);
}
