/**
 * When a lost connection is tried again, and how long to wait: pure functions.
 *
 * @module
 */

import { RedirectError, ResponseError, RetriesExhaustedError, TruncatedError } from "../errors.ts";

/** How a lost connection is tried again. */
export interface RetryPolicy {
  /**
   * What the first wait grows from, in milliseconds, from 0 up. A reconnection time that the server
   * sent (`retry`, T17) takes its place, clamped to 100 ms to 1 h.
   *
   * @default {1000}
   */
  initialDelay?: number;
  /**
   * What a wait grows to, in milliseconds, from 0 up.
   *
   * @default {30000}
   */
  maxDelay?: number;
  /**
   * What each wait in a row is multiplied by, from 1 up.
   *
   * @default {2}
   */
  multiplier?: number;
  /**
   * How much of a wait is left to chance, from 0 to 1, so that many clients do not come back at
   * once: 1 waits anything up to the whole ("full jitter"), 0 or `false` always the whole. A wait is
   * never shorter than 100 ms, unless `initialDelay` asks for less.
   *
   * @default {1}
   */
  jitter?: number | false;
  /**
   * How many attempts in a row may be lost before {@linkcode RetriesExhaustedError}; from 1 up.
   *
   * @default {Infinity}
   */
  maxAttempts?: number;
  /**
   * After how long a connection counts as healthy, in milliseconds from 0 up: the next wait is a
   * first one again.
   *
   * @default {10000}
   */
  resetAfter?: number;
  /**
   * The refused statuses that are tried again, `[429, 502, 503, 504]` for example, or a function that
   * knows. `Retry-After` lengthens the wait then. The standard has every refusal final (T19).
   *
   * @default {[]}
   */
  statuses?: readonly number[] | ((status: number) => boolean);
  /**
   * What the clean end of a body means: that the stream goes on with the next request (T20), or that
   * it is complete, as answers of language models are.
   *
   * @default {"reconnect"}
   */
  onEnd?: "reconnect" | "close";
}

/** What is known when a connection was lost or an attempt failed. */
export interface RetryContext {
  /** How many attempts in a row have been lost, this one included: from 1 up. */
  attempt: number;
  /** What it failed of; `undefined` if the body ended cleanly. */
  cause: unknown;
  /** The last event ID that the next attempt sends. */
  lastEventId: string;
  /** The reconnection time that the server sent last, in milliseconds as it came (T17). */
  retry: number | undefined;
  /** What `Retry-After` of a refused response asks for, in milliseconds. */
  retryAfter: number | undefined;
}

/**
 * Decides for itself, in place of a {@linkcode RetryPolicy}.
 *
 * @param context What is known.
 * @returns How long to wait, in milliseconds from 0 up, or `false` to give up: `cause` is thrown
 * then, or the iteration ends if there is none.
 */
export type RetryFunction = (context: RetryContext) => number | false;

const MIN_RETRY = 100;
const MAX_RETRY = 3_600_000;

/** A timer over this fires at once, on every runtime (T17). */
export const MAX_TIMER = 2_147_483_647;

/** A policy with its defaults. */
export type CompletePolicy = Required<RetryPolicy>;

/** Fills in the defaults. Throws `TypeError` or `RangeError` at a policy that makes no sense. */
export function completePolicy(policy: RetryPolicy): CompletePolicy {
  const {
    initialDelay = 1_000,
    maxDelay = 30_000,
    multiplier = 2,
    jitter = 1,
    maxAttempts = Infinity,
    resetAfter = 10_000,
    statuses = [],
    onEnd = "reconnect",
  } = policy;
  checkNumber(initialDelay, "initialDelay", 0);
  checkNumber(maxDelay, "maxDelay", 0);
  checkNumber(multiplier, "multiplier", 1);
  checkNumber(maxAttempts, "maxAttempts", 1);
  checkNumber(resetAfter, "resetAfter", 0);
  if (jitter !== false) {
    checkNumber(jitter, "jitter", 0);
    if (jitter > 1) throw outOfRange("jitter", "from 0 to 1", jitter);
  }
  if (typeof statuses !== "function" && !Array.isArray(statuses)) {
    throw new TypeError(
      `Cannot connect: "statuses" must be an array of statuses or a function: received ${statuses}`,
    );
  }
  if (onEnd !== "reconnect" && onEnd !== "close") {
    throw new TypeError(
      `Cannot connect: "onEnd" must be "reconnect" or "close": received ${onEnd}`,
    );
  }
  return {
    initialDelay,
    maxDelay,
    multiplier,
    jitter,
    maxAttempts,
    resetAfter,
    statuses,
    onEnd,
  };
}

/** Throws unless `value` is a number from `least` up. */
export function checkNumber(value: number, name: string, least: number): void {
  if (typeof value !== "number" || !(value >= least)) {
    throw outOfRange(name, `a number from ${least} up`, value);
  }
}

function outOfRange(name: string, range: string, value: unknown): RangeError {
  return new RangeError(`Cannot connect: "${name}" must be ${range}: received ${value}`);
}

/** How long the policy waits, in ms. `random` gives numbers from 0 to 1, as `Math.random` does. */
export function retryDelay(
  policy: CompletePolicy,
  context: Pick<RetryContext, "attempt" | "retry" | "retryAfter">,
  random: () => number,
): number {
  const { attempt, retry, retryAfter = 0 } = context;
  const base = retry === undefined
    ? policy.initialDelay
    : Math.min(Math.max(retry, MIN_RETRY), MAX_RETRY);
  // Bounded, for nothing times infinity is no number.
  const growth = Math.min(policy.multiplier ** (attempt - 1), Number.MAX_VALUE);
  const longest = Math.min(
    base * growth,
    // A server may ask for more than the policy would wait.
    retry === undefined ? policy.maxDelay : Math.max(base, policy.maxDelay),
  );
  const delay = longest * (1 - Number(policy.jitter) * random());
  return Math.min(
    Math.max(delay, Math.min(longest, MIN_RETRY), Math.min(retryAfter, MAX_RETRY)),
    MAX_TIMER,
  );
}

/**
 * What follows a loss: how long to wait in ms, or the error to end with, `undefined` for a clean end.
 *
 * @param retry What the caller said; `policy` is it with its defaults, if it is a policy.
 */
export function decideRetry(
  retry: RetryPolicy | RetryFunction | false | undefined,
  policy: CompletePolicy,
  context: RetryContext,
  random: () => number,
): number | { error: unknown } {
  const { attempt, cause } = context;
  if (typeof retry === "function") {
    const delay = retry(context);
    if (delay === false) return { error: cause };
    if (!(delay >= 0)) {
      throw new RangeError(
        `Cannot connect again: "retry" must return milliseconds from 0 up, or false: received ${delay}`,
      );
    }
    return Math.min(delay, MAX_TIMER);
  }
  const final = retry === false ||
    cause instanceof RedirectError ||
    (cause instanceof ResponseError && !retriesStatus(policy, cause.status)) ||
    ((cause === undefined || cause instanceof TruncatedError) && policy.onEnd === "close");
  if (final) return { error: cause };
  if (attempt >= policy.maxAttempts) {
    return { error: new RetriesExhaustedError(attempt, { cause }) };
  }
  return retryDelay(policy, context, random);
}

function retriesStatus({ statuses }: CompletePolicy, status: number): boolean {
  return typeof statuses === "function" ? statuses(status) : statuses.includes(status);
}

/** The wait that a `Retry-After` header asks for: seconds, or a date to compare with `now`, in ms. */
export function parseRetryAfter(value: string | null, now: number): number | undefined {
  if (value === null) return undefined;
  if (/^\s*\d+\s*$/.test(value)) return Number(value) * 1_000;
  // V8 makes a date of nearly anything; each form that HTTP has begins with a day and holds a time.
  if (!/^[a-z]+,? .+:\d\d:\d\d/i.test(value)) return undefined;
  // The form of C's asctime names no zone and means GMT too.
  const date = Date.parse(/gmt\s*$/i.test(value) ? value : `${value} GMT`);
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}
