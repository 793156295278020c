/**
 * Server-sent events on Web Streams: everything portable in one import.
 *
 * ```ts
 * import { readEvents, stringifyEvent } from "@webstreams/sse";
 * import { assertEquals } from "@std/assert";
 *
 * const events = await Array.fromAsync(readEvents(stringifyEvent({ data: "hello", id: "1" })));
 * assertEquals(events, [{ event: "message", data: "hello", id: "1" }]);
 * ```
 *
 * @module
 */

export {
  type AttemptContext,
  type CloseInfo,
  connect,
  type ConnectionState,
  type ConnectionStats,
  type ConnectOptions,
  type EventStreamConnection,
  type LastEventIdStore,
  type PerAttempt,
  type RedirectMode,
  type RequestOptions,
  type RetryContext,
  type RetryFunction,
  type RetryPolicy,
  type UnauthorizedContext,
} from "./client.ts";
export {
  encodeComment,
  type EncodedBytes,
  encodeEvent,
  ServerSentEventEncoderStream,
  type ServerSentEventInit,
  stringifyEvent,
} from "./encode.ts";
export {
  EventTooLargeError,
  InvalidDataError,
  type InvalidDataIssue,
  type InvalidEvent,
  type LogGap,
  LogGapError,
  type LogGapReason,
  LogUnavailableError,
  ParseError,
  RedirectError,
  ResponseError,
  type ResponseErrorInit,
  RetriesExhaustedError,
  SessionClosedError,
  SlowConsumerError,
  SseError,
  type SseErrorCode,
  TimeoutError,
  type TimeoutPhase,
  TruncatedError,
} from "./errors.ts";
export {
  EventSource,
  EventSourceErrorEvent,
  type EventSourceEventMap,
  type EventSourceHandler,
  type EventSourceInit,
  type EventSourceMessageEvent,
  type EventStreamInit,
} from "./event_source.ts";
export {
  type ChunkInput,
  EventAssemblerStream,
  type EventReader,
  type EventSchemas,
  type JsonOptions,
  type JsonReadable,
  LineDecoderStream,
  type ParserOptions,
  readEvents,
  type ReadOptions,
  type ServerSentEvent,
  ServerSentEventDecoderStream,
  ServerSentEventParser,
  type StandardSchemaResult,
  type StandardSchemaV1,
  type TypedEvent,
  type TypedEventOf,
} from "./parse.ts";
export {
  type AppendOptions,
  type Authorization,
  type AuthorizeContext,
  type AuthorizeResult,
  Channel,
  type ChannelMetrics,
  type ChannelOptions,
  type CloseOptions,
  type CloseReason,
  type CorsOptions,
  type EventLog,
  type EventStreamOptions,
  eventStreamResponse,
  type EventStreamSource,
  type FollowOptions,
  type GapContext,
  Hub,
  type HubOptions,
  type HubSubscribeOptions,
  type LabelledMetrics,
  type LoggedEvent,
  MemoryEventLog,
  type MemoryEventLogOptions,
  OPEN_METRICS_TYPE,
  type OpenMetricsOptions,
  type PresenceOptions,
  type PublishOptions,
  type ReadLogOptions,
  renderOpenMetrics,
  type Session,
  type SlowConsumerPolicy,
  type SlowInfo,
  type StreamOptions,
  type SubscribeOptions,
  type SubscribeResult,
  type TopicsOptions,
} from "./server.ts";
