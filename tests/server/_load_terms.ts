/**
 * What `load_test.ts` and its server have agreed on.
 *
 * @module
 */

import type { ChannelOptions, CloseReason } from "../../server.ts";

/** What the channel is told. */
export type LoadOptions = Pick<ChannelOptions, "maxQueueBytes" | "slowConsumer">;

/** What there is, and what there was. */
export interface LoadState {
  /** The sessions that there are, and the requests whose authorization is being waited for. */
  size: number;
  authorizing: number;
  /** Who follows the log, who reads it, and how many have read it and left. */
  followers: number;
  readings: number;
  leftReadings: number;
  /** The connections that it has; 0 where it cannot tell. */
  connections: number;
  /** The sessions that there were, and why they have left. */
  joined: number;
  left: Partial<Record<CloseReason["reason"], number>>;
  /** How often `onSlow` was called, and the sum of what it was told. */
  slow: number;
  dropped: number;
  /** The names of the errors that `Deno.serve` was told of. */
  errors: string[];
}

/** What a broadcast was. */
export interface Broadcast {
  /** How many events there were. The data of each begins with its key and its number. */
  events: number;
  /** By how many bytes the process grew, at its largest. */
  growth: number;
}

/** The readers that are not like the others, by what they ask for. */
export const PATHS = {
  /** It is sent one event of {@linkcode LONG} bytes. */
  long: "/long",
  /** It is authorized late. */
  late: "/late",
  /** It does not read, and no publisher waits for it. */
  stalled: "/stalled",
} as const;

/** More than a peer reads at a time, and less than `maxQueueBytes`. */
export const LONG = 800_000;

/**
 * The key of an event of a broadcast, by its number: mostly the same, and now and then one of 400, so
 * that a queue by age would have few of them.
 */
export function keyOf(number: number): string {
  return number % 10 === 0 ? `${number / 10 % 400}` : "hot";
}
