/**
 * The epochs of topics that hold no events: whoever follows such a topic and whoever appends its first
 * event must speak of the same one, and no two may ever begin with it.
 *
 * A topic has one message in the stream of epochs: `open` and an epoch that nobody has used, `taken` and
 * one that somebody is about to use, or `spent` when events have it. All change it by compare and swap.
 * A topic that has lost its message begins with an epoch that nobody has heard of.
 *
 * @module
 */

import type { AskOptions } from "./nats_client.ts";
import { randomName } from "./nats_group.ts";
import { isConflict, type NatsStreams } from "./nats_stream.ts";

/** How long somebody else is waited for who is about to begin a topic, in ms. */
const MAX_WAIT = 1_000;

interface Mark {
  readonly seq: number;
  readonly state: string;
  readonly epoch: string;
  readonly time: number;
}

/** An epoch that somebody was given. */
export interface TakenEpoch {
  readonly epoch: string;
  /** The message that says so. */
  readonly mark: number;
}

/** See the module. */
export class NatsEpochs {
  readonly #streams: NatsStreams;

  constructor(streams: NatsStreams) {
    this.#streams = streams;
  }

  /** The epoch that the next event of a topic without events will have. */
  async peek(topic: string, options: AskOptions): Promise<string> {
    for (;;) {
      const mark = await this.#get(topic, options);
      if (mark?.state === "open") return mark.epoch;
      // Somebody is about to use it: all that it tries is over after a while.
      const young = Date.now() - 2 * this.#streams.client.timeout;
      if (mark?.state === "taken" && mark.time > young) return mark.epoch;
      const epoch = randomName();
      if (await this.#put(topic, `open ${epoch}`, mark?.seq, options) !== undefined) return epoch;
    }
  }

  /**
   * An epoch for the first event of a topic. Nobody else is given it. `undefined` if somebody else has
   * begun the topic meanwhile.
   */
  async take(topic: string, options: AskOptions): Promise<TakenEpoch | undefined> {
    const { client } = this.#streams;
    const end = performance.now() + Math.min(MAX_WAIT, client.timeout / 4);
    for (;;) {
      const found = await this.#get(topic, options);
      // Those that follow know of its epoch. Whoever has taken it may have crashed, too.
      if (found?.state === "taken" && performance.now() < end) {
        await client.pause(10);
        if (await this.#streams.last(topic, options) !== undefined) return undefined;
        continue;
      }
      const epoch = found?.state === "open" ? found.epoch : randomName();
      const mark = await this.#put(topic, `taken ${epoch}`, found?.seq, options);
      if (mark !== undefined) return { epoch, mark };
    }
  }

  /** Says that events have the epoch. It is enough to try: whoever does not know waits for a while. */
  async spend(topic: string, { epoch, mark }: TakenEpoch): Promise<void> {
    try {
      await this.#put(topic, `spent ${epoch}`, mark, { action: "append event" });
    } catch {
      // See above.
    }
  }

  async #get(topic: string, options: AskOptions): Promise<Mark | undefined> {
    const streams = this.#streams;
    const query = { last_by_subj: streams.epochSubjectOf(topic) };
    const message = await streams.get(streams.epochs, query, options);
    if (message === undefined) return undefined;
    const [state, epoch] = new TextDecoder().decode(message.data).split(" ");
    const { seq, time } = message;
    return { seq, time, epoch, state };
  }

  /** Changes the message of a topic; `undefined` if somebody else was first. */
  async #put(
    topic: string,
    payload: string,
    after: number = 0,
    options: AskOptions,
  ): Promise<number | undefined> {
    const subject = this.#streams.epochSubjectOf(topic);
    try {
      const message = { ...options, msgID: randomName(), after };
      return (await this.#streams.publish(subject, payload, message)).seq;
    } catch (error) {
      if (isConflict(error)) return undefined;
      throw error;
    }
  }
}
