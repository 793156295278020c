/**
 * Processes that share a log: a hub for each, with a line of its own to the log, which can be cut, held
 * up and told to lose.
 *
 * @module
 */

import type { ServerSentEventInit } from "../../encode.ts";
import { LogUnavailableError } from "../../errors.ts";
import type {
  AppendOptions,
  Authorization,
  CloseReason,
  EventLog,
  FollowOptions,
  Hub,
  LoggedEvent,
  MemoryEventLog,
  ReadLogOptions,
  SubscribeOptions,
  TopicsOptions,
} from "../../server.ts";
import { CONTROL_TOPIC } from "../../server/control.ts";
import { requestAfter } from "../helpers.ts";

/** A line to a log that others use, too. */
export class Line implements EventLog {
  /** What was appended to the control topic: the type of each event, and its data. */
  readonly told: { kind: string; content: Record<string, unknown> }[] = [];
  /** The topics that are followed. */
  readonly follows: string[] = [];
  /** The log cannot be reached. */
  away = false;
  /** What comes is lost. */
  deaf = false;
  /** Appends that have not resolved. */
  pending = 0;
  readonly #log: MemoryEventLog;
  readonly #gaps = new Map<string, Set<FollowOptions>>();
  readonly #ends = new AbortController();
  /** What waits while it is held up. */
  #held: (() => void)[] | undefined = undefined;

  constructor(log: MemoryEventLog) {
    this.#log = log;
  }

  /** The kinds of what was told, since it was looked at. */
  takeTold(): string[] {
    return this.told.splice(0).map(({ kind }) => kind);
  }

  /** Nothing goes through, in either direction, until `resume`. */
  pause(): void {
    this.#held ??= [];
  }

  /** What was held up goes through. */
  resume(): void {
    const held = this.#held ?? [];
    this.#held = undefined;
    for (const go of held) go();
  }

  /** The process is killed: nobody hears of it again, nor it of anybody. */
  kill(): void {
    this.#ends.abort();
    this.pause();
  }

  /** Tells the followers of the control topic that they have missed something. */
  gap(): void {
    const place = { asked: "x.1", first: "x.2", reason: "trimmed" } as const;
    for (const { onGap } of this.#gaps.get(CONTROL_TOPIC) ?? []) onGap?.(place);
  }

  async append(
    topic: string,
    event: ServerSentEventInit,
    options?: AppendOptions,
  ): Promise<string> {
    this.pending++;
    try {
      await this.#through();
      if (topic === CONTROL_TOPIC) {
        this.told.push({ kind: event.event ?? "", content: JSON.parse(event.data ?? "") });
      }
      return await this.#log.append(topic, event, options);
    } finally {
      this.pending--;
    }
  }

  async follow(topic: string, { signal, onEvent, onGap }: FollowOptions): Promise<string> {
    await this.#through();
    signal.throwIfAborted();
    const options: FollowOptions = {
      signal: AbortSignal.any([signal, this.#ends.signal]),
      onEvent: (event) => {
        if (this.deaf) return;
        if (this.#held === undefined) onEvent(event);
        else this.#held.push(() => !signal.aborted && onEvent(event));
      },
      onGap,
    };
    this.follows.push(topic);
    const followers = this.#gaps.get(topic) ?? new Set();
    this.#gaps.set(topic, followers.add(options));
    signal.addEventListener("abort", () => {
      this.follows.splice(this.follows.indexOf(topic), 1);
      followers.delete(options);
    });
    return await this.#log.follow(topic, options);
  }

  read(topic: string, options: ReadLogOptions): AsyncIterable<LoggedEvent> {
    return this.#log.read(topic, options);
  }

  topics(options: TopicsOptions): Promise<string[]> {
    return this.#log.topics(options);
  }

  async close(): Promise<void> {}

  async #through(): Promise<void> {
    if (this.#held !== undefined) {
      await new Promise<void>((resolve) => void this.#held?.push(resolve));
    }
    if (this.away) throw new LogUnavailableError("Cannot reach the log: the line is cut");
  }
}

/** A session of a hub, and why it has ended. */
export class Visitor {
  ended: CloseReason | undefined = undefined;
  readonly response: Promise<Response>;

  constructor(
    hub: Pick<Hub<unknown, Authorization>, "subscribe">,
    topics: readonly string[],
    options: SubscribeOptions = {},
  ) {
    const onClose = (reason: CloseReason) => this.ended = reason;
    this.response = Promise.resolve(
      hub.subscribe(requestAfter(), { ...options, topics, onClose }),
    );
  }

  /** Why it has ended, in a word; `"open"` if it has not. */
  get state(): string {
    return this.ended?.reason ?? "open";
  }

  async leave(): Promise<void> {
    const { body } = await this.response;
    await body?.cancel();
  }
}
