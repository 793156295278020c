/**
 * What processes that share a log tell each other: a topic of the log that is kept for it.
 *
 * The log carries it as it carries events, so that no engine needs a second way between processes, and
 * what was told while a follower was away is given to it when it is back. Who can write to the log can
 * write here: what comes is checked as something foreign, and what makes no sense is passed over.
 *
 * @module
 */

import type { ServerSentEventInit } from "../encode.ts";
import type { EventLog } from "./log.ts";
import { MAX_TOPIC_LENGTH, RESERVED } from "./patterns.ts";

/** The topic. Nobody can read or publish it through a hub. */
export const CONTROL_TOPIC = `${RESERVED}/control`;

/** How many UTF-16 code units the name of a user may have. */
export const MAX_USER_LENGTH = 1_024;

/** How many nodes one message may ask; beyond, it asks all. */
export const MAX_ASKED = 100;

/** How many topics one message may count, and how many UTF-16 code units they may take there. */
export const MAX_COUNTS = 500;
const MAX_COUNTS_LENGTH = 65_536;

/** In how many parts the state of a node may come. */
const MAX_PARTS = 100_000;
/** How many UTF-16 code units of a message are looked at. */
const MAX_LENGTH = 2 * MAX_COUNTS_LENGTH;
/** More sessions of one topic are in no process. */
const MAX_SESSIONS = 1_000_000_000;

const NODE = /^[\w-]{1,64}$/;

/** How many sessions topics have; a topic that has none any more has 0. */
export type Counts = readonly (readonly [topic: string, sessions: number])[];

/** The sessions of a user are to end: those of one topic, or all. */
export interface RevokeMessage {
  readonly kind: "revoke";
  readonly user: string;
  readonly topic?: string;
}

/** What a node tells of its sessions. A version stands for one state of its counts. */
export type PresenceMessage =
  & { readonly node: string }
  & (
    /** It wants to be told the whole state of these nodes, or of all. */
    | { readonly kind: "ask"; readonly of?: readonly string[] }
    /** It is there, and this is its state. */
    | { readonly kind: "beat"; readonly version: number }
    /** What has changed since the version before. */
    | { readonly kind: "counts"; readonly version: number; readonly counts: Counts }
    /** All it has, in parts from 0 up. */
    | {
      readonly kind: "state";
      readonly version: number;
      readonly part: number;
      readonly parts: number;
      readonly counts: Counts;
    }
    /** It is closed. */
    | { readonly kind: "bye" }
  );

/** See the module. */
export type ControlMessage = RevokeMessage | PresenceMessage;

/** Who is told what comes. */
export interface ControlListener {
  onMessage(message: ControlMessage): void;
  /** Messages are gone that nobody was told. */
  onGap(): void;
}

/** See the module. */
export class Control {
  readonly listeners = new Set<ControlListener>();
  readonly #log: EventLog;
  #ready: Promise<void> | undefined;
  #attempt = new AbortController();
  #following = false;
  #closed = false;

  constructor(log: EventLog) {
    this.#log = log;
  }

  /** Whatever is told from now on, the listeners are told. */
  get following(): boolean {
    return this.#following;
  }

  /** Resolves when the topic is followed, which goes on until the close. If the log fails, ask again. */
  follow(): Promise<void> {
    if (this.#ready === undefined) {
      this.#ready = this.#follow();
      // Whoever waits for it is told; nobody may be left.
      this.#ready.catch(() => this.#ready = undefined);
    }
    return this.#ready;
  }

  /** Tells all, also this process; resolves when the log has it. */
  async send({ kind, ...content }: ControlMessage): Promise<void> {
    await this.#log.append(CONTROL_TOPIC, { event: kind, data: JSON.stringify(content) });
  }

  /** Follows no longer. */
  close(): void {
    this.#closed = true;
    this.#following = false;
    this.#attempt.abort();
  }

  async #follow(): Promise<void> {
    if (this.#closed) return;
    const attempt = this.#attempt = new AbortController();
    const { signal } = attempt;
    const onEvent = (event: ServerSentEventInit) => {
      const message = parseMessage(event);
      if (message === undefined || signal.aborted) return;
      for (const listener of this.listeners) listener.onMessage(message);
    };
    const onGap = () => {
      if (signal.aborted) return;
      for (const listener of this.listeners) listener.onGap();
    };
    try {
      await this.#log.follow(CONTROL_TOPIC, { signal, onEvent, onGap });
      this.#following = !this.#closed;
    } catch (error) {
      // What the log holds of a following that failed, or still tries, goes with it.
      attempt.abort();
      throw error;
    }
  }
}

/** Parts counts so that each part fits into a message: one part at least. */
export function partCounts(counts: Iterable<readonly [string, number]>): Counts[] {
  const parts: [string, number][][] = [[]];
  let length = 0;
  for (const [topic, sessions] of counts) {
    const own = JSON.stringify([topic, sessions]).length + 1;
    if (length + own > MAX_COUNTS_LENGTH || parts[parts.length - 1].length === MAX_COUNTS) {
      parts.push([]);
      length = 0;
    }
    parts[parts.length - 1].push([topic, sessions]);
    length += own;
  }
  return parts;
}

/** What an event says; `undefined` if it says nothing that is known here. */
export function parseMessage({ event, data }: ServerSentEventInit): ControlMessage | undefined {
  if (!isText(data, MAX_LENGTH)) return undefined;
  let content: unknown;
  try {
    content = JSON.parse(data);
  } catch {
    return undefined;
  }
  if (!isObject(content)) return undefined;
  return event === "revoke" ? revokeOf(content) : presenceOf(event, content);
}

type Content = Readonly<Record<string, unknown>>;

function revokeOf({ user, topic }: Content): RevokeMessage | undefined {
  if (!isText(user, MAX_USER_LENGTH)) return undefined;
  if (topic === undefined) return { kind: "revoke", user };
  return isText(topic, MAX_TOPIC_LENGTH) ? { kind: "revoke", user, topic } : undefined;
}

/** Member by member, from the kinds that have few of them to the one that has all. */
function presenceOf(kind: unknown, content: Content): PresenceMessage | undefined {
  const { node, of, version, counts, part, parts } = content;
  if (!isNode(node)) return undefined;
  if (kind === "bye") return { kind, node };
  if (kind === "ask") {
    if (of === undefined) return { kind, node };
    return Array.isArray(of) && of.length <= MAX_ASKED && of.every(isNode)
      ? { kind, node, of }
      : undefined;
  }
  if (!isCount(version)) return undefined;
  if (kind === "beat") return { kind, node, version };
  if (!isCounts(counts)) return undefined;
  if (kind === "counts") return { kind, node, version, counts };
  if (kind !== "state" || !isCount(part) || !isCount(parts)) return undefined;
  if (part >= parts || parts > MAX_PARTS) return undefined;
  return { kind, node, version, part, parts, counts };
}

function isObject(value: unknown): value is Content {
  return typeof value === "object" && value !== null;
}

function isText(value: unknown, most: number): value is string {
  return typeof value === "string" && value !== "" && value.length <= most;
}

function isNode(value: unknown): value is string {
  return typeof value === "string" && NODE.test(value);
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}

function isCounts(value: unknown): value is Counts {
  return Array.isArray(value) && value.length <= MAX_COUNTS && value.every(isEntry);
}

function isEntry(value: unknown): boolean {
  if (!Array.isArray(value) || value.length !== 2) return false;
  const [topic, sessions] = value;
  return isText(topic, MAX_TOPIC_LENGTH) && isCount(sessions) && sessions <= MAX_SESSIONS;
}
