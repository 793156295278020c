/**
 * Tells the figures of a channel, while they change.
 *
 * @module
 */

import type { ChannelMetrics } from "./metrics.ts";
import { callHook } from "./report.ts";

/** How often they are told, in ms. */
const INTERVAL = 1_000;

/** Counts, and calls a hook once in a while. */
export class MetricsReporter {
  /** What is counted; sessions and queued bytes are looked up when they are asked for. */
  readonly counts: ChannelMetrics = {
    published: 0,
    delivered: 0,
    dropped: 0,
    queuedBytes: 0,
    sessions: 0,
    replayed: 0,
    bytes: 0,
    slow: 0,
  };
  readonly #current: () => ChannelMetrics;
  readonly #hook: ((metrics: ChannelMetrics) => void) | undefined;
  #told = "";
  #timer: ReturnType<typeof setTimeout> | undefined;
  #stopped = false;

  constructor(
    current: () => ChannelMetrics,
    hook: ((metrics: ChannelMetrics) => void) | undefined,
  ) {
    this.#current = current;
    this.#hook = hook;
  }

  /** Something may have changed. */
  touch(): void {
    if (this.#hook === undefined || this.#timer !== undefined || this.#stopped) return;
    this.#timer = setTimeout(this.#tell, INTERVAL);
  }

  /** Tells the last figures, and no more. */
  stop(): void {
    if (this.#hook === undefined || this.#stopped) return;
    clearTimeout(this.#timer);
    this.#tell();
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  readonly #tell = (): void => {
    this.#timer = undefined;
    const metrics = this.#current();
    const text = JSON.stringify(metrics);
    const changed = text !== this.#told;
    this.#told = text;
    if (changed) callHook(() => this.#hook?.(metrics));
    // Queues empty by themselves, and who is replayed to goes on.
    if (changed || metrics.queuedBytes > 0) this.touch();
  };
}
