/**
 * What a connection can be told, and what it tells.
 *
 * @module
 */

import type { ServerSentEvent } from "../parse/events.ts";
import type { RedirectMode } from "./redirect.ts";
import type { RequestOptions } from "./request.ts";
import { checkNumber, type RetryFunction, type RetryPolicy } from "./retry.ts";
import type { LastEventIdStore } from "./store.ts";

/** What `connect` can be told: all that `fetch` takes, and how to hold the connection. */
export interface ConnectOptions extends RequestOptions {
  /**
   * Closes the connection: what is pending rejects with `signal.reason` (T24). Default: that of a
   * `Request`, or none.
   */
  signal?: AbortSignal | null;
  /** What sends the requests. Default: the global `fetch`, looked up for each request. */
  fetch?: typeof globalThis.fetch;
  /**
   * The last event ID to start after (T16).
   *
   * @default {""}
   */
  lastEventId?: string;
  /** Keeps the last event ID for the next process; what it loads counts before `lastEventId`. Default: none. */
  store?: LastEventIdStore;
  /**
   * What happens when an attempt fails or a body ends: a policy, a function in its place, or `false`
   * to leave it at one attempt.
   *
   * @default {{}}
   */
  retry?: RetryPolicy | RetryFunction | false;
  /** How long an attempt may wait for its headers, in milliseconds from 0 up. Default: for ever. */
  connectTimeout?: number | false;
  /**
   * How long a response may leave its first event to be waited for, in milliseconds from 0 up. Only
   * the time in which somebody waits counts. Default: for ever.
   */
  firstEventTimeout?: number | false;
  /**
   * How long any byte, that of a comment too, may be waited for, in milliseconds from 0 up. Set it
   * to two or three times the server's keep-alive: a peer that vanishes is not noticed otherwise.
   * Default: for ever.
   */
  idleTimeout?: number | false;
  /**
   * How much an unfinished event may hold, in UTF-16 code units: past it the connection fails with
   * {@linkcode EventTooLargeError}. From 0 up; `Infinity` lifts the bound.
   *
   * @default {67_108_864}
   */
  maxEventSize?: number;
  /**
   * Whether this event ends the stream, as `[DONE]` does. It is not given out: the iteration ends
   * before it. A body that ends without it was cut. Default: a stream ends with its body.
   *
   * @param event The event.
   * @returns Whether the stream is complete.
   */
  until?(event: ServerSentEvent): boolean;
  /**
   * Drop events that a server sends again after a reconnect although they were taken: those with the
   * ids of the last 1,024, until the first new id. Data is never compared.
   *
   * @default {true}
   */
  dedupe?: boolean;
  /**
   * Called with the text of each comment. Default: comments are dropped.
   *
   * @param text The comment, without the colon and one space after it.
   */
  onComment?(text: string): void;
  /**
   * Whether redirects are followed, see {@linkcode RedirectMode}. Browsers hide where a redirect
   * leads: there `"same-origin"` follows it and then looks at the origin, and `"follow"` is the
   * browser's own.
   *
   * @default {"same-origin"}
   */
  redirect?: RedirectMode;
  /**
   * Called with each 401, before the request is made once more, at once and with its headers made
   * afresh: the place to renew a token. A second 401 in a row is final. Default: the first one is.
   *
   * @param context The response, its attempt, and the last event ID.
   * @returns Nothing, once there is a new token.
   */
  onUnauthorized?(context: UnauthorizedContext): void | Promise<void>;
  /**
   * Called with each change of state and each comment. What it throws fails the connection, and it
   * is not called again.
   *
   * @param state What happened.
   */
  onState?(state: ConnectionState): void;
}

/** What `onUnauthorized` is told. */
export interface UnauthorizedContext {
  /** The 401, its body cancelled. */
  response: Response;
  /** The number of the attempt, from 1 up. */
  attempt: number;
  /** The last event ID that is kept. */
  lastEventId: string;
}

/** What `onState` is told, by its `state`. */
export type ConnectionState =
  | {
    /** A request is made. */
    state: "connecting";
    /** Its number over the life of the connection, from 1 up. */
    attempt: number;
    /** The last event ID that it asks for. */
    lastEventId: string;
    /** `false` if the id is one that no request can carry, so that the server does not get it (T22). */
    lastEventIdSent: boolean;
  }
  | {
    /** A response is an event stream. */
    state: "open";
    /** Its status, headers and final URL; its body is ours. */
    response: Response;
  }
  | {
    /** A comment came. */
    state: "comment";
    /** Its text. */
    text: string;
  }
  | {
    /** The connection was lost and will be tried again. */
    state: "retry";
    /** In how many milliseconds. */
    delay: number;
    /** Of what it was lost; `undefined` if its body ended cleanly. */
    cause: unknown;
    /** How many attempts in a row were lost, from 1 up. */
    attempt: number;
  }
  | ({
    /** Nothing more will come. */
    state: "closed";
  } & CloseInfo);

/** Why a connection is closed. */
export interface CloseInfo {
  /**
   * `"ended"`: the stream is complete. `"no-content"`: the server answered 204. `"closed"`: by
   * `close`, or its loop was left. `"aborted"`: by the signal. `"failed"`: by an error.
   */
  reason: "ended" | "no-content" | "closed" | "aborted" | "failed";
  /** The error, the `signal.reason`, or what `close` was given. */
  cause?: unknown;
}

/** Counts of a connection, as they are now. */
export interface ConnectionStats {
  /** Bytes of bodies that were read. */
  bytes: number;
  /** Events that were read, without those that came twice. */
  events: number;
  /** Requests that were made, those after a 401 included, redirects not. */
  attempts: number;
  /** When the last byte came, in milliseconds since 1970; `undefined` before the first. */
  lastByteAt: number | undefined;
}

/** Throws at options that make no sense, at once. */
export function checkOptions(options: ConnectOptions): void {
  for (const name of ["connectTimeout", "firstEventTimeout", "idleTimeout"] as const) {
    const value = options[name];
    if (value !== undefined && value !== false) checkNumber(value, name, 0);
  }
  for (const name of ["until", "onComment", "onUnauthorized", "onState", "fetch"] as const) {
    const value: unknown = options[name];
    if (value !== undefined && typeof value !== "function") {
      throw new TypeError(`Cannot connect: "${name}" must be a function: received ${value}`);
    }
  }
  const { redirect = "same-origin" } = options;
  if (redirect !== "same-origin" && redirect !== "follow" && redirect !== "error") {
    throw new TypeError(
      `Cannot connect: "redirect" must be "same-origin", "follow" or "error": received ${redirect}`,
    );
  }
}

/** The options that are not of the request: a caller's `fetch` may know others by the same names. */
const OURS: readonly string[] = [
  "connectTimeout",
  "dedupe",
  "fetch",
  "firstEventTimeout",
  "idleTimeout",
  "lastEventId",
  "maxEventSize",
  "onComment",
  "onState",
  "onUnauthorized",
  "redirect",
  "retry",
  "signal",
  "store",
  "until",
] satisfies (keyof ConnectOptions)[];

/** What is for the request, and for whatever the caller's `fetch` knows besides. */
export function requestOptions(options: ConnectOptions): RequestOptions {
  return Object.fromEntries(Object.entries(options).filter(([name]) => !OURS.includes(name)));
}
