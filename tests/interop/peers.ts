/**
 * What a sender and a reader are.
 *
 * @module
 */

import type { Running } from "../listen.ts";
import type { ServerSentEvent } from "../../parse.ts";
import type { Choice, FeedName } from "./feeds.ts";

/** A peer cannot be had on this machine. */
export interface Unavailable {
  /** Why, and how to get it. */
  readonly unavailable: string;
}

/** A server that sends what `feed` says. */
export interface Sender {
  readonly name: string;
  /** It is ours: no fault of it is known. */
  readonly ours: boolean;
  /** What it lets one choose beside the data. */
  readonly chooses: readonly Choice[];
  /** What it can be asked for. */
  readonly feeds: readonly FeedName[];
  /** It compresses for readers that take it; then no one can see where to cut. */
  readonly gzip?: boolean;
  /** Takes the text out of what it wraps it into. */
  unwrap?(data: string): string;
  /** Starts it. */
  start(): Promise<Running | Unavailable>;
}

/** A reader that runs. */
export interface OpenReader extends AsyncDisposable {
  /**
   * Reads a URL up to the end of its feed, and leaves.
   *
   * @param url What to read.
   * @param seen Gets the events.
   * @param signal Ends it before, without an error.
   */
  read(url: string, seen: ServerSentEvent[], signal: AbortSignal): Promise<void>;
}

/** A client. */
export interface Reader {
  readonly name: string;
  /** It is ours: no fault of it is known. */
  readonly ours: boolean;
  /** What it reads. */
  readonly feed: FeedName;
  /** It shows the last event ID of each event. */
  readonly seesId: boolean;
  /** It shows the reconnection time of each event. */
  readonly seesRetry: boolean;
  /** It comes back by itself. */
  readonly resumes: boolean;
  /** Starts it. */
  open(): Promise<OpenReader | Unavailable>;
}

/** Whether it cannot be had. */
export function isUnavailable(peer: object): peer is Unavailable {
  return "unavailable" in peer;
}

/** What a reader that needs no start has in place of an end. */
export function openReader(read: OpenReader["read"]): OpenReader {
  return { read, [Symbol.asyncDispose]: () => Promise.resolve() };
}
