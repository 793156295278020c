/**
 * Which topics there are, for those who ask by patterns.
 *
 * @module
 */

import type { EventLog } from "./log.ts";
import { anyOf, isTopic, PatternIndex } from "./patterns.ts";

/** How many topics are known before those are forgotten that are not needed. */
const MAX_KNOWN = 10_000;

/** Watches the topics of a log while somebody has a pattern. */
export class TopicWatch<T> {
  readonly #log: EventLog;
  readonly #onTopic: (watcher: T, topic: string, isNew: boolean) => void;
  readonly #index = new PatternIndex<T>();
  readonly #topics = new Set<string>();
  #most = MAX_KNOWN;
  #watchers = 0;
  #controller: AbortController | undefined;
  #listed: Promise<void> = Promise.resolve();

  /**
   * @param onTopic Called with each watcher that has a pattern for a topic: one that it begins with, or
   * one that is new. What is new may turn out to have been there.
   */
  constructor(log: EventLog, onTopic: (watcher: T, topic: string, isNew: boolean) => void) {
    this.#log = log;
    this.#onTopic = onTopic;
  }

  /** Tells of a topic that is used here: not every log knows which there are. */
  add(topic: string): void {
    if (this.#topics.has(topic)) return;
    // Nobody has a pattern: whoever is the first asks the log.
    if (this.#watchers === 0 && this.#log.topics !== undefined) return;
    this.#topics.add(topic);
    if (this.#topics.size > this.#most) this.#forget();
    for (const watcher of this.#index.match(topic)) this.#onTopic(watcher, topic, true);
  }

  /**
   * Watches for a watcher.
   *
   * @param others Topics that it knows of itself.
   * @returns When it has been told of all that it begins with.
   */
  async watch(
    watcher: T,
    patterns: readonly string[],
    others: Iterable<string> = [],
  ): Promise<void> {
    this.#watchers++;
    for (const pattern of patterns) this.#index.add(pattern, watcher);
    const matching = anyOf(patterns);
    for (const topic of [...others, ...this.#topics]) {
      if (matching.test(topic)) this.#onTopic(watcher, topic, false);
    }
    this.#controller ??= this.#start();
    await this.#listed;
  }

  /** Watches no longer for a watcher. */
  unwatch(watcher: T, patterns: readonly string[]): void {
    for (const pattern of patterns) this.#index.delete(pattern, watcher);
    if (--this.#watchers > 0) return;
    this.#controller?.abort();
    this.#controller = undefined;
    if (this.#log.topics !== undefined) this.#topics.clear();
  }

  #start(): AbortController {
    const controller = new AbortController();
    const { signal } = controller;
    const onTopic = (topic: string) => {
      if (!signal.aborted && isTopic(topic)) this.add(topic);
    };
    this.#listed = this.#list(signal, onTopic);
    return controller;
  }

  async #list(signal: AbortSignal, onTopic: (topic: string) => void): Promise<void> {
    const topics = await this.#log.topics?.({ signal, onTopic }) ?? [];
    if (signal.aborted) return;
    for (const topic of topics.filter(isTopic)) {
      this.#topics.add(topic);
      // At once: what is published in it from here on is not missed.
      for (const watcher of this.#index.match(topic)) this.#onTopic(watcher, topic, false);
    }
  }

  #forget(): void {
    if (this.#log.topics !== undefined) return void this.#forgetDropped();
    const [oldest] = this.#topics;
    this.#topics.delete(oldest);
  }

  /** Forgets the topics that the log has dropped, however many there are. */
  async #forgetDropped(): Promise<void> {
    const known = [...this.#topics];
    const controller = new AbortController();
    // One at a time.
    this.#most = Infinity;
    try {
      const { signal } = controller;
      const held = new Set(await this.#log.topics?.({ signal, onTopic() {} }));
      for (const topic of known) if (!held.has(topic)) this.#topics.delete(topic);
    } catch {
      // They are known for longer.
    } finally {
      controller.abort();
      this.#most = Math.max(MAX_KNOWN, 2 * this.#topics.size);
    }
  }
}
