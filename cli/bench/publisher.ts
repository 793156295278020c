/**
 * Publishes numbered events at a rate.
 *
 * @module
 */

import type { Agent } from "node:http";
import { sleep } from "../../log/patience.ts";
import type { Messages } from "./message.ts";
import { ask, keepConnections, refused, type Target, unreachable } from "./request.ts";

/** How many requests may be under way at once: far fewer than a `WINDOW` of numbers. */
const MOST_UNDER_WAY = 64;
/** How many failures are remembered; more of them are a failure of the bench. */
const MAX_FAILURES = 10_000;

/** What is published, and how. */
export interface PublisherOptions {
  readonly target: Target;
  readonly messages: Messages;
  /** Events a second. */
  readonly rate: number;
  /** How long the server may take to answer, in ms. Default: 10 s. */
  readonly timeout?: number;
  /** Ends it at once. */
  readonly signal: AbortSignal;
}

/** Publishes to one topic. */
export class Publisher {
  /** How many events the server has taken. */
  taken = 0;
  /** How many numbers were given out. */
  next = 0;
  readonly #options: PublisherOptions;
  readonly #agent: Agent;
  readonly #underWay = new Set<Promise<void>>();
  readonly #failed = new Set<number>();
  #lastFailure: unknown = undefined;

  constructor(options: PublisherOptions) {
    this.#options = options;
    this.#agent = keepConnections(options.target.url, MOST_UNDER_WAY);
  }

  /** How many events the server has not taken. */
  get failures(): number {
    return this.#failed.size;
  }

  /** What the last one has failed of. */
  get lastFailure(): unknown {
    return this.#lastFailure;
  }

  /** Whether the server has not taken this one. */
  readonly isFailed = (number: number): boolean => this.#failed.has(number);

  /**
   * Publishes one event.
   *
   * @throws {Failure} If the server does not take it.
   */
  async probe(): Promise<void> {
    await this.#post(this.next++, performance.now());
  }

  /**
   * Publishes for this long, in ms. An event is due when its turn comes, and says so, also if it is
   * sent later: what waits here has waited, too.
   */
  async run(duration: number): Promise<void> {
    const { rate, signal } = this.#options;
    const begin = performance.now();
    const count = Math.max(1, Math.round(rate * duration / 1_000));
    for (let i = 0; i < count && !signal.aborted; i++) {
      const due = begin + i * 1_000 / rate;
      const wait = due - performance.now();
      // A timer of less is as late as it is long: what is due then goes out together.
      if (wait >= 1) await sleep(wait, signal);
      while (this.#underWay.size >= MOST_UNDER_WAY) await Promise.race(this.#underWay);
      // Who cannot keep up ends in time all the same.
      if (signal.aborted || performance.now() - begin >= duration) break;
      if (this.failures >= MAX_FAILURES) throw this.#lastFailure;
      const number = this.next++;
      const sent: Promise<void> = this.#try(number, due).finally(() => this.#underWay.delete(sent));
      this.#underWay.add(sent);
    }
    const left = duration - (performance.now() - begin);
    if (left > 0) await sleep(left, signal);
    await Promise.all(this.#underWay);
  }

  /** Lets go of its connections. */
  close(): void {
    this.#agent.destroy();
  }

  async #try(number: number, due: number): Promise<void> {
    try {
      await this.#post(number, due);
    } catch (error) {
      if (this.#options.signal.aborted) return;
      this.#failed.add(number);
      this.#lastFailure = error;
    }
  }

  async #post(number: number, due: number): Promise<void> {
    const { target, messages, timeout, signal } = this.#options;
    let response;
    try {
      response = await ask(target, {
        agent: this.#agent,
        method: "POST",
        headers: { "content-type": "text/plain" },
        body: messages.write(number, due),
        timeout,
        signal,
      });
    } catch (error) {
      throw signal.aborted ? signal.reason : unreachable("publish to", target, error);
    }
    const { statusCode = 0 } = response;
    if (statusCode < 200 || statusCode > 299) throw await refused("publish to", target, response);
    this.taken++;
    // With its body the connection is free for the next one. Whether that fails is nobody's concern.
    response.on("error", () => {});
    response.resume();
  }
}
