/**
 * For the tests of those who build on this library, with any test runner: a network in memory whose
 * faults are told by script, events collected into an array, and the contract of event logs as a suite.
 *
 * ```ts
 * import { connect } from "@webstreams/sse/client";
 * import { eventStreamResponse } from "@webstreams/sse/server";
 * import { collect, createTransport } from "@webstreams/sse/testing";
 * import { assertEquals } from "@std/assert";
 *
 * await using transport = createTransport(() => eventStreamResponse([{ data: "a" }, { data: "b" }]));
 * const connection = connect("http://sse.test/", { fetch: transport.fetch });
 * const events = await collect(connection, { count: 2 });
 * assertEquals(events.map(({ data }) => data), ["a", "b"]);
 * ```
 *
 * @module
 */

export { eventLogContract } from "./server/log_contract.ts";
export type {
  EventLogContractCase,
  EventLogContractOptions,
  EventLogCreateOptions,
} from "./server/log_contract.ts";
export { collect, type CollectOptions } from "./testing/collect.ts";
export { CollectError } from "./testing/collect_error.ts";
export type { TransportConnection, TransportEnd } from "./testing/connection.ts";
export type { Fault, FaultPoint, RandomChunks } from "./testing/fault.ts";
export type { TransportRequest } from "./testing/request.ts";
export type { EventSourceLike } from "./testing/source.ts";
export {
  createTransport,
  type Transport,
  type TransportHandler,
  type TransportOptions,
} from "./testing/transport.ts";
