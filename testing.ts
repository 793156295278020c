/**
 * For the tests of those who build on this library: the contract of event logs as a suite, which any
 * test runner takes.
 *
 * ```ts
 * import { MemoryEventLog } from "@webstreams/sse/server";
 * import { eventLogContract } from "@webstreams/sse/testing";
 *
 * for (const { name, run } of eventLogContract((options) => new MemoryEventLog(options))) {
 *   Deno.test(name, run);
 * }
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
