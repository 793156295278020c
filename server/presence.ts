/**
 * How many sessions topics have in the other processes on the same log.
 *
 * Each process, a node, tells what has changed, all it has when somebody needs that, and again and
 * again that it is there. Counts are told as they are, not as sums to add up, and each state has a
 * version: who has not heard one asks. So whatever is lost, by whomever, is put right with the next
 * heartbeat. All times are of this process: clocks of machines differ.
 *
 * @module
 */

import type { PresenceOptions } from "./channel_options.ts";
import {
  type Control,
  type ControlListener,
  type ControlMessage,
  type Counts,
  MAX_ASKED,
  partCounts,
  type PresenceMessage,
} from "./control.ts";
import { MAX_TIMER } from "./deadlines.ts";
import { within } from "./drain.ts";
import { checkNumber } from "./stream_options.ts";

/**
 * How long what is to be told is gathered, in ms, and up to half as long again: if all have missed the
 * same, one of them asks, and the others hear it.
 */
const GATHER = 1_000;

/** How long a farewell may take, in ms. */
const LINGER = 1_000;

/** How many other nodes are known. Who comes then is not counted until one of them is gone. */
export const MAX_NODES = 1_000;

/** How many topics of another node are known. */
export const MAX_TOPICS = 100_000;

/** With how many changes all is told in place of them. */
const MAX_CHANGES = 10_000;

/** The sessions that there are here. */
export interface LocalSessions {
  /** How many a topic has. */
  count(topic: string): number;
  /** The topics that have some, with how many. */
  counts(): Iterable<[topic: string, sessions: number]>;
}

/** Another process. */
interface Node {
  /** When it was heard of last. */
  heard: number;
  /** Of which state the counts are; the newest one that was heard of, if they are not `known`. */
  version: number;
  /** The counts are those of the version. */
  known: boolean;
  counts: Map<string, number>;
  /** Its whole state, as far as it has come. */
  coming: Coming | undefined;
}

interface Coming {
  readonly version: number;
  readonly parts: number;
  next: number;
  readonly counts: Map<string, number>;
}

type Told<Kind> = Extract<PresenceMessage, { kind: Kind }>;

/** The times of presence, with their defaults; `undefined` if it is off. */
export function checkPresence(
  options: boolean | PresenceOptions | undefined,
): Required<PresenceOptions> | undefined {
  if (options === undefined || options === false) return undefined;
  const { interval = 10_000, expiry = 3 * interval } = options === true ? {} : options;
  checkNumber("presence.interval", interval, 1);
  checkNumber("presence.expiry", expiry, interval);
  return { interval, expiry };
}

/** See the module. */
export class Presence implements ControlListener {
  readonly #name: string = crypto.randomUUID();
  readonly #control: Control;
  readonly #local: LocalSessions;
  readonly #expiry: number;
  /** From the one on that was not heard of for the longest. */
  readonly #nodes = new Map<string, Node>();
  #version = 0;
  /** What has changed since it was told, with what was told. */
  readonly #changed = new Map<string, number>();
  /** All is to be told. */
  #whole = true;
  /** Whom to ask for all they have. */
  readonly #missed = new Set<string>();
  /** All others are to be asked. */
  #askAll = true;
  #beats = false;
  readonly #heart: ReturnType<typeof setInterval>;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #telling: Promise<void> | undefined;
  /** Somebody may have heard of this node. */
  #spoke = false;
  #closed = false;

  constructor(control: Control, options: Required<PresenceOptions>, local: LocalSessions) {
    this.#control = control;
    this.#local = local;
    this.#expiry = options.expiry;
    control.listeners.add(this);
    this.#heart = setInterval(this.#beat, Math.min(options.interval, MAX_TIMER));
    this.#tell();
  }

  /** How many sessions a topic has in the other processes. */
  count(topic: string): number {
    this.#expire();
    let count = 0;
    for (const { counts } of this.#nodes.values()) count += counts.get(topic) ?? 0;
    return count;
  }

  /** A session is about to come to a topic, or to leave it. */
  touch(topic: string): void {
    if (this.#closed) return;
    if (!this.#whole && !this.#changed.has(topic)) {
      this.#changed.set(topic, this.#local.count(topic));
    }
    if (this.#changed.size > MAX_CHANGES) this.#tellWhole();
    this.#soon();
  }

  onMessage(message: ControlMessage): void {
    // What it says itself comes back to it.
    if (message.kind === "revoke" || message.node === this.#name) return;
    if (message.kind === "bye") return void this.#nodes.delete(message.node);
    const node = this.#hear(message.node);
    if (node === undefined) return;
    switch (message.kind) {
      case "ask":
        return this.#onAsk(message);
      case "beat":
        return this.#onBeat(node, message);
      case "counts":
        return this.#onCounts(node, message);
      case "state":
        return this.#onState(node, message);
    }
  }

  onGap(): void {
    this.#askAll = true;
    this.#soon();
  }

  /** Says farewell, and no more. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    clearInterval(this.#heart);
    clearTimeout(this.#timer);
    this.#control.listeners.delete(this);
    this.#nodes.clear();
    if (!this.#spoke) return;
    const farewell = async () => {
      // What is on its way must not come after it.
      await this.#telling;
      await this.#control.send({ kind: "bye", node: this.#name });
      return true;
    };
    // While the log is away the others forget it by themselves.
    await within(farewell().catch(() => false), LINGER);
  }

  /** The node that a message is from, made if there is room. */
  #hear(name: string): Node | undefined {
    this.#expire();
    let node = this.#nodes.get(name);
    if (node === undefined) {
      if (this.#nodes.size >= MAX_NODES) return undefined;
      node = { heard: 0, version: 0, known: false, counts: new Map(), coming: undefined };
    }
    node.heard = performance.now();
    this.#nodes.delete(name);
    this.#nodes.set(name, node);
    return node;
  }

  #expire(): void {
    const oldest = performance.now() - this.#expiry;
    for (const [name, { heard }] of this.#nodes) {
      if (heard >= oldest) return;
      this.#nodes.delete(name);
    }
  }

  #onAsk({ of }: Told<"ask">): void {
    // Whoever is asked tells all, not only who asks.
    if (of === undefined) {
      this.#missed.clear();
      this.#askAll = false;
    }
    for (const name of of ?? []) this.#missed.delete(name);
    if (of !== undefined && !of.includes(this.#name)) return;
    this.#tellWhole();
    this.#soon();
  }

  #onBeat(node: Node, { node: name, version }: Told<"beat">): void {
    if (!node.known || version > node.version) this.#miss(name, node);
  }

  #onCounts(node: Node, { node: name, version, counts }: Told<"counts">): void {
    // An engine may do late what was given up: who told it has told all since.
    if (version <= node.version) return;
    if (!node.known || version !== node.version + 1) return this.#miss(name, node);
    node.version = version;
    addCounts(node.counts, counts);
  }

  #onState(node: Node, { node: name, version, part, parts, counts }: Told<"state">): void {
    if (version <= node.version) return;
    if (part === 0) node.coming = { version, parts, next: 0, counts: new Map() };
    const { coming } = node;
    if (coming?.version !== version || coming.parts !== parts || coming.next !== part) {
      return this.#miss(name, node);
    }
    addCounts(coming.counts, counts);
    if (++coming.next < parts) return;
    node.counts = coming.counts;
    node.version = version;
    node.known = true;
    node.coming = undefined;
    this.#missed.delete(name);
  }

  /** Its counts are not what it has: they stay until it has told all. */
  #miss(name: string, node: Node): void {
    node.known = false;
    if (this.#askAll) return;
    this.#missed.add(name);
    if (this.#missed.size > MAX_ASKED) this.#askAll = true;
    this.#soon();
  }

  #tellWhole(): void {
    this.#whole = true;
    this.#changed.clear();
  }

  #soon(): void {
    if (this.#closed || this.#timer !== undefined) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#tell();
    }, GATHER * (1 + Math.random() / 2));
  }

  readonly #beat = (): void => {
    this.#expire();
    this.#beats = true;
    this.#tell();
  };

  /** Tells what there is to tell. One thing at a time: while the log is away, nothing piles up. */
  #tell(): void {
    this.#telling ??= this.#tellDue().then(
      () => {
        this.#telling = undefined;
        const due = this.#whole || this.#changed.size > 0 || this.#missed.size > 0;
        if (due || this.#askAll) this.#soon();
      },
      () => {
        // What of it was heard is not known. The next change or heartbeat tries again.
        this.#telling = undefined;
        this.#tellWhole();
        this.#askAll = true;
      },
    );
  }

  async #tellDue(): Promise<void> {
    await this.#control.follow();
    await this.#ask();
    const state = this.#takeState();
    const parts = state.length;
    if (parts > 0) this.#version++;
    for (const [part, counts] of state.entries()) {
      await this.#send({
        kind: "state",
        node: this.#name,
        version: this.#version,
        part,
        parts,
        counts,
      });
    }
    for (const counts of this.#takeChanges()) {
      this.#version++;
      await this.#send({ kind: "counts", node: this.#name, version: this.#version, counts });
    }
    if (!this.#beats) return;
    this.#beats = false;
    await this.#send({ kind: "beat", node: this.#name, version: this.#version });
  }

  async #ask(): Promise<void> {
    if (!this.#askAll && this.#missed.size === 0) return;
    const of = this.#askAll ? undefined : [...this.#missed];
    this.#askAll = false;
    this.#missed.clear();
    await this.#send({ kind: "ask", node: this.#name, of });
  }

  /** All there is, if it is to be told. */
  #takeState(): Counts[] {
    if (!this.#whole) return [];
    this.#whole = false;
    return partCounts(this.#local.counts());
  }

  /** What has changed. Who has come and left again has changed nothing. */
  #takeChanges(): Counts[] {
    const changes: [string, number][] = [];
    for (const [topic, before] of this.#changed) {
      const size = this.#local.count(topic);
      if (size !== before) changes.push([topic, size]);
    }
    this.#changed.clear();
    return changes.length === 0 ? [] : partCounts(changes);
  }

  async #send(message: PresenceMessage): Promise<void> {
    if (this.#closed) return;
    this.#spoke = true;
    await this.#control.send(message);
  }
}

function addCounts(to: Map<string, number>, counts: Counts): void {
  for (const [topic, sessions] of counts) {
    if (sessions === 0) to.delete(topic);
    else if (to.has(topic) || to.size < MAX_TOPICS) to.set(topic, sessions);
  }
}
