/**
 * What a fan-out can be told, checked once.
 *
 * @module
 */

import type { Authorization, ChannelOptions, PresenceOptions } from "./channel_options.ts";
import type { OutboxSettings } from "./outbox.ts";
import { checkPresence } from "./presence.ts";
import type { SlowConsumerPolicy } from "./queue.ts";
import { checkNumber, checkStreamOptions } from "./stream_options.ts";

const POLICIES: readonly SlowConsumerPolicy[] = ["disconnect", "drop-oldest", "latest-by-key"];

/** What only a hub can be told. */
export interface FanoutOptions<State, A extends Authorization> extends ChannelOptions<State, A> {
  /** How many topics one connection may carry. */
  maxTopics?: number;
}

/** What a fan-out goes by. */
export interface FanoutSettings {
  readonly outbox: OutboxSettings;
  readonly slowConsumer: SlowConsumerPolicy;
  readonly maxSessions: number;
  readonly maxTopics: number;
  readonly presence: Required<PresenceOptions> | undefined;
}

/**
 * The options with their defaults.
 *
 * @throws {TypeError} If an option that another one needs is missing.
 * @throws {RangeError} If an option is out of its range.
 */
export function checkFanoutOptions<State, A extends Authorization>(
  options: FanoutOptions<State, A>,
): FanoutSettings {
  const { slowConsumer = "disconnect", key, maxSessions = Infinity, maxTopics = 100 } = options;
  const limits = checkStreamOptions(options);
  checkNumber("maxSessions", maxSessions, 0);
  checkNumber("maxTopics", maxTopics, 1);
  if (!POLICIES.includes(slowConsumer)) {
    throw new TypeError(
      `Cannot treat slow consumers: "slowConsumer" must be ${
        POLICIES.map((policy) => `"${policy}"`).join(", ")
      }: received ${JSON.stringify(slowConsumer)}`,
    );
  }
  if (slowConsumer === "latest-by-key" && key === undefined) {
    throw new TypeError('Cannot keep the latest by key: "key" is missing, give the function');
  }
  const presence = checkPresence(options.presence);
  const outbox = { ...limits, slowConsumer };
  return { outbox, slowConsumer, maxSessions, maxTopics, presence };
}
