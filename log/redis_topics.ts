/**
 * Which topics there are: a sorted set of their names by the time of their last registration, and a
 * channel for those that are new.
 *
 * @module
 */

import type { TopicsOptions } from "../server/log.ts";
import { callHook } from "../server/report.ts";
import type { Channels } from "./redis_channels.ts";
import { type Commands, Script } from "./redis_commands.ts";
import { decodeName, encodeName, type Place } from "./redis_places.ts";
import { RENEWALS, type ScriptOptions, scriptsOf } from "./redis_scripts.ts";

/** What is listed again has at most this age, in ms: registrations of the same time. */
const OVERLAP = 1_000;

/** Somebody who watches. */
interface Watcher {
  readonly options: TopicsOptions;
  /** What was told before its own list was there. */
  early: Set<string> | undefined;
}

/** See the module. */
export class Topics {
  readonly #commands: Commands;
  readonly #channels: Channels;
  readonly #key: string;
  readonly #channel: string;
  readonly #register: Script;
  readonly #list: Script;
  readonly #renewal: number;
  readonly #watchers = new Set<Watcher>();
  /** Those that somebody was told of, while somebody watches. */
  readonly #known = new Set<string>();
  #listening: Promise<void> | undefined = undefined;
  /** The time of the engine up to which topics were listed. */
  #listed = 0;

  /** @param prefix What all keys of the log begin with. */
  constructor(commands: Commands, channels: Channels, prefix: string, options: ScriptOptions) {
    const { register, list } = scriptsOf(options);
    this.#commands = commands;
    this.#channels = channels;
    this.#key = `${prefix}:topics`;
    this.#channel = options.keyPrefix + this.#key;
    this.#register = new Script(register);
    this.#list = new Script(list);
    this.#renewal = options.topicExpiry / RENEWALS;
  }

  /** Whether somebody watches. */
  get watched(): boolean {
    return this.#watchers.size > 0;
  }

  /** Whether a topic must be registered by whoever appends to it now. */
  isDue(place: Place, now: number): boolean {
    return now - place.registered >= this.#renewal;
  }

  /** Registers a topic. */
  async register(place: Place): Promise<void> {
    // At once: the appends that come in the meantime need not.
    place.registered = performance.now();
    try {
      const args = [encodeName(place.topic), this.#channel];
      await this.#commands.run("append event", this.#register, [this.#key], args);
    } catch (error) {
      place.registered = -Infinity;
      throw error;
    }
  }

  /** Watches; gives the topics that there are. */
  async watch(options: TopicsOptions): Promise<string[]> {
    const watcher: Watcher = { options, early: new Set() };
    this.#watchers.add(watcher);
    try {
      this.#listening ??= this.#channels.listen(this.#channel, (name) => this.#learn([name]));
      await this.#listening;
      const names = await this.#names(0);
      const { early = [] } = watcher;
      watcher.early = undefined;
      const held = new Set(names);
      for (const name of early) if (!held.has(name)) tell(watcher, name);
      return names.map(decodeName);
    } catch (error) {
      this.unwatch(options);
      throw error;
    }
  }

  /** Watches no longer. */
  unwatch(options: TopicsOptions): void {
    for (const watcher of this.#watchers) {
      if (watcher.options === options) this.#watchers.delete(watcher);
    }
    if (this.#watchers.size > 0) return;
    this.#known.clear();
    this.#listed = 0;
    if (this.#listening === undefined) return;
    this.#listening = undefined;
    this.#channels.leave(this.#channel);
  }

  /** Looks for topics that nobody was told of, for a message was lost. */
  async check(): Promise<void> {
    if (this.watched) await this.#names(Math.max(0, this.#listed - OVERLAP));
  }

  /** Lists the topics that were registered since a time of the engine, and tells of new ones. */
  async #names(since: number): Promise<string[]> {
    const args = [`${since}`];
    const reply = await this.#commands.run("list topics", this.#list, [this.#key], args);
    const [now, list] = Array.isArray(reply) ? reply : [];
    const names: string[] = Array.isArray(list) ? list.map(String) : [];
    this.#listed = Math.max(this.#listed, Number(now));
    this.#learn(names);
    return names;
  }

  #learn(names: readonly string[]): void {
    for (const name of names) {
      if (!this.watched || this.#known.has(name)) continue;
      this.#known.add(name);
      for (const watcher of this.#watchers) {
        if (watcher.early === undefined) tell(watcher, name);
        else watcher.early.add(name);
      }
    }
  }
}

function tell({ options }: Watcher, name: string): void {
  if (!options.signal.aborted) callHook(() => options.onTopic(decodeName(name)));
}
