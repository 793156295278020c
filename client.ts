/**
 * The client that resumes: connects to an event stream by `fetch`, and connects again after a loss,
 * from where its consumer was.
 *
 * ```ts
 * import { connect } from "@webstreams/sse/client";
 * import { assertEquals } from "@std/assert";
 *
 * const fetch = () =>
 *   Promise.resolve(
 *     new Response("data: hello\n\n", { headers: { "content-type": "text/event-stream" } }),
 *   );
 * for await (const { data } of connect("https://feed.example/", { fetch })) {
 *   assertEquals(data, "hello");
 *   break;
 * }
 * ```
 *
 * @module
 */

export { connect } from "./client/connect.ts";
export type { EventStreamConnection } from "./client/interface.ts";
export type {
  CloseInfo,
  ConnectionState,
  ConnectionStats,
  ConnectOptions,
  UnauthorizedContext,
} from "./client/options.ts";
export type { RedirectMode } from "./client/redirect.ts";
export type { AttemptContext, PerAttempt, RequestOptions } from "./client/request.ts";
export type { RetryContext, RetryFunction, RetryPolicy } from "./client/retry.ts";
export type { LastEventIdStore } from "./client/store.ts";
