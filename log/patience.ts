/**
 * Waiting for an engine, but not for ever.
 *
 * @module
 */

import { LogUnavailableError, SseError } from "../errors.ts";

/** Timers of more ms fire at once. Nobody waits that long. */
const MAX_TIMER = 2_147_483_647;

/** How {@linkcode answerOf} waits. */
export interface Patience {
  /** What is tried, for the message: `append event`. */
  action: string;
  /** How long to wait, in ms; `Infinity` for as long as it takes. */
  timeout: number;
  /** Ends the waiting: it rejects with `signal.reason`. Default: none. */
  signal?: AbortSignal;
}

/**
 * What an engine answers. It rejects with `LogUnavailableError` if that takes longer than `timeout`
 * ms, or if it is an error: a client that is not connected, an engine that refuses. `TypeError` and
 * `SseError` stay as they are.
 *
 * @param answer The answer, or what asks for it, which may throw then.
 */
export async function answerOf<T>(
  answer: Promise<T> | (() => Promise<T>),
  { action, timeout, signal }: Patience,
): Promise<T> {
  if (typeof answer === "function") signal?.throwIfAborted();
  const { promise: end, reject } = Promise.withResolvers<never>();
  // It must be an end that nobody waits for, too.
  end.catch(() => {});
  const abort = () => reject(signal?.reason);
  const late = () => {
    const found = `the engine of the log gave no answer within ${timeout} ms`;
    reject(new LogUnavailableError(`Cannot ${action}: ${found}, try again later`));
  };
  const timer = timeout > MAX_TIMER ? undefined : setTimeout(late, timeout);
  signal?.addEventListener("abort", abort);
  try {
    // An answer that comes when nobody waits any more may be an error: the race has taken it.
    if (signal?.aborted) abort();
    return await Promise.race([end, typeof answer === "function" ? answer() : answer]);
  } catch (cause) {
    if (signal?.aborted && cause === signal.reason) throw cause;
    if (cause instanceof SseError || cause instanceof TypeError) throw cause;
    const found = cause instanceof Error ? cause.message || cause.name : String(cause);
    throw new LogUnavailableError(`Cannot ${action}: ${found}`, { cause });
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", abort);
  }
}

/** Resolves after so many ms, or when the signal is aborted. */
export function sleep(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const end = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal.addEventListener("abort", end);
  });
}
