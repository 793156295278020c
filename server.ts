/**
 * The server: event-stream responses, one by one or fanned out to many readers, that resume from an
 * event log. Responses are those of the Web, for `Deno.serve`, Bun, Workers, and Node through
 * `@webstreams/sse/node`.
 *
 * ```ts
 * import { eventStreamResponse } from "@webstreams/sse/server";
 * import { assertEquals } from "@std/assert";
 *
 * const response = eventStreamResponse([{ data: "a" }, { data: "b" }]);
 * assertEquals(await response.text(), ": \n\ndata: a\n\ndata: b\n\n");
 * ```
 *
 * @module
 */

export { Channel } from "./server/channel.ts";
export type {
  Authorization,
  AuthorizeContext,
  AuthorizeResult,
  ChannelOptions,
  CloseOptions,
  GapContext,
  PresenceOptions,
  PublishOptions,
  SlowInfo,
  SubscribeOptions,
  SubscribeResult,
} from "./server/channel_options.ts";
export type { CloseReason } from "./server/close_reason.ts";
export type { CorsOptions } from "./server/cors.ts";
export { Hub, type HubOptions, type HubSubscribeOptions } from "./server/hub.ts";
export type {
  AppendOptions,
  EventLog,
  FollowOptions,
  LoggedEvent,
  ReadLogOptions,
  TopicsOptions,
} from "./server/log.ts";
export { MemoryEventLog, type MemoryEventLogOptions } from "./server/memory_log.ts";
export {
  type ChannelMetrics,
  type LabelledMetrics,
  OPEN_METRICS_TYPE,
  type OpenMetricsOptions,
  renderOpenMetrics,
} from "./server/metrics.ts";
export type { EventStreamSource } from "./server/pump.ts";
export type { SlowConsumerPolicy } from "./server/queue.ts";
export { type EventStreamOptions, eventStreamResponse } from "./server/response.ts";
export type { Session } from "./server/session.ts";
export type { StreamOptions } from "./server/stream_options.ts";
