/**
 * Why a session has ended.
 *
 * @module
 */

import { SessionClosedError } from "../errors.ts";

/** Why a session has ended: one of these, told once. */
export interface CloseReason {
  /**
   * - `"peer-left"`: the reader closed its connection.
   * - `"closed"`: by `close` of the session, the channel or the hub.
   * - `"ended"`: what gave the events has no more.
   * - `"timeout"`: somebody gave up waiting: `close` or the transport named a `TimeoutError`.
   * - `"max-age"`: the connection was as old as `maxAge` allows.
   * - `"slow"`: more than `maxQueueBytes` waited for the reader; `cause` is a `SlowConsumerError`.
   * - `"revoked"`: by `revoke` or `revokeUser`, or because `authorize` no longer allows it.
   * - `"drained"`: the channel or the hub is closing down.
   * - `"error"`: what gave the events, or the event log, failed; `cause` is the error.
   */
  readonly reason:
    | "peer-left"
    | "closed"
    | "ended"
    | "timeout"
    | "max-age"
    | "slow"
    | "revoked"
    | "drained"
    | "error";
  /** What was thrown, or what `close` or the transport was given. */
  readonly cause?: unknown;
}

/** The reason of an end that somebody else asked for: a `TimeoutError` says that it waited in vain. */
export function askedFor(reason: "peer-left" | "closed", cause: unknown): CloseReason {
  const late = typeof cause === "object" && cause !== null && "name" in cause &&
    cause.name === "TimeoutError";
  return { reason: late ? "timeout" : reason, cause };
}

/** What those are told who work for a session that has ended. */
export function closedError(cause: CloseReason): SessionClosedError {
  return new SessionClosedError(
    `Cannot send: the session has ended (${cause.reason}), stop when its "signal" is aborted`,
    { cause },
  );
}
