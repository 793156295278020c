/**
 * The channels that a process listens to, over a connection of their own that is opened for the
 * first of them, and opened again if it ends.
 *
 * @module
 */

import { answerOf } from "./patience.ts";
import type { Link, Subscriber } from "./redis_client.ts";

/** A channel that is listened to. */
interface Channel {
  onMessage(message: string): void;
  /** Settles when it is subscribed, or cannot be. */
  ready: Promise<void>;
  failed: boolean;
}

/** See the module. */
export class Channels {
  readonly #link: Link;
  readonly #timeout: number;
  readonly #onMissed: () => void;
  readonly #channels = new Map<string, Channel>();
  /** Unsubscriptions on their way: whoever subscribes again comes after. */
  readonly #leaving = new Map<string, Promise<void>>();
  /** Rejects when the log is closed. */
  readonly #closed = Promise.withResolvers<never>();
  #subscriber: Subscriber | undefined = undefined;

  /** @param onMissed Called when messages may have been missed. */
  constructor(link: Link, timeout: number, onMissed: () => void) {
    this.#link = link;
    this.#timeout = timeout;
    this.#onMissed = onMissed;
    this.#closed.promise.catch(() => {});
  }

  /** Listens to a channel, which nobody does; resolves when messages come. */
  async listen(name: string, onMessage: (message: string) => void): Promise<void> {
    const channel: Channel = { onMessage, ready: Promise.resolve(), failed: false };
    this.revive();
    this.#channels.set(name, channel);
    this.#subscribe(name, channel);
    const answer = Promise.race([channel.ready, this.#closed.promise]);
    await answerOf(answer, { action: "follow topic", timeout: this.#timeout });
  }

  /** Listens no longer. */
  leave(name: string): void {
    const channel = this.#channels.get(name);
    const subscriber = this.#subscriber;
    this.#channels.delete(name);
    if (channel === undefined || subscriber === undefined || subscriber.ended) return;
    const leaving = this.#unsubscribe(name, channel, subscriber);
    this.#leaving.set(name, leaving);
    void leaving.then(() => {
      if (this.#leaving.get(name) === leaving) this.#leaving.delete(name);
    });
  }

  /** Subscribes again to what could not be, on another connection if there is none to come back. */
  revive(): void {
    const ended = this.#subscriber?.ended === true;
    if (ended) void this.#drop();
    for (const [name, channel] of this.#channels) {
      if (!ended && !channel.failed) continue;
      this.#subscribe(name, channel);
      channel.ready.then(this.#onMissed, () => {});
    }
  }

  /** Closes the connection. */
  close(): Promise<void> {
    this.#closed.reject(new TypeError("Cannot follow topic: the log is closed"));
    this.#channels.clear();
    return this.#drop();
  }

  #drop(): Promise<void> {
    const subscriber = this.#subscriber;
    this.#subscriber = undefined;
    this.#leaving.clear();
    return subscriber?.close() ?? Promise.resolve();
  }

  #subscribe(name: string, channel: Channel): void {
    channel.failed = false;
    channel.ready = this.#enter(name);
    channel.ready.catch(() => channel.failed = true);
  }

  async #enter(name: string): Promise<void> {
    this.#subscriber ??= this.#link.open({
      onMessage: (name, message) => this.#channels.get(name)?.onMessage(message),
      onReady: this.#onMissed,
    });
    const subscriber = this.#subscriber;
    await this.#leaving.get(name);
    await subscriber.subscribe(name);
  }

  async #unsubscribe(name: string, { ready }: Channel, subscriber: Subscriber): Promise<void> {
    try {
      await ready;
      await subscriber.unsubscribe(name);
    } catch {
      // Without a connection there is no subscription.
    }
  }
}
