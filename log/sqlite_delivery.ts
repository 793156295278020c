/**
 * Brings what is committed to those who follow: at once what this log commits, and what others do when
 * it has looked for it.
 *
 * @module
 */

import type { SqliteLive } from "./sqlite_live.ts";
import type { KeptEvent, SqliteTables } from "./sqlite_tables.ts";

/** How long to wait at most before a file is looked at again that could not be read, in ms. */
const MAX_PAUSE = 1_000;

/** See the module. */
export class SqliteDelivery {
  readonly #tables: SqliteTables;
  readonly #live: SqliteLive;
  readonly #interval: number;
  readonly #nextTurn: () => Promise<void>;
  /** The number of the last event that was delivered, of all topics. */
  #delivered = 0;
  #catching = false;
  #timer: ReturnType<typeof setTimeout> | undefined = undefined;
  #pause: number;

  /**
   * @param interval How often to look, in ms.
   * @param nextTurn Lets others have the thread.
   */
  constructor(
    tables: SqliteTables,
    live: SqliteLive,
    { interval, nextTurn }: { interval: number; nextTurn: () => Promise<void> },
  ) {
    this.#tables = tables;
    this.#live = live;
    this.#nextTurn = nextTurn;
    this.#pause = this.#interval = interval;
  }

  /** Lets somebody join those who follow or watch. */
  start<T>(join: () => T): T {
    // First: what another process commits meanwhile is delivered, and left out by who has it.
    const delivered = this.#live.idle ? this.#tables.last : this.#delivered;
    const result = join();
    this.#delivered = delivered;
    this.#poll();
    return result;
  }

  /** Looks no longer. */
  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  /**
   * Takes what the log has just committed.
   *
   * @param events What it was.
   * @param before The number of the last event of all before them.
   * @param last The number of the last one of them.
   */
  deliver(events: () => Iterable<KeptEvent>, before: number, last: number): void {
    if (this.#live.idle) return;
    // What another process has committed comes before.
    if (this.#delivered !== before) return void this.#catchUp();
    this.#delivered = last;
    for (const event of events()) this.#live.deliver(event);
  }

  #poll(): void {
    if (this.#timer !== undefined || this.#live.idle) return;
    this.#timer = setTimeout(async () => {
      this.#timer = undefined;
      await this.#catchUp();
      this.#poll();
    }, this.#pause);
  }

  /** Delivers what is there and was not, some of it each turn. */
  async #catchUp(): Promise<void> {
    if (this.#catching) return;
    this.#catching = true;
    try {
      while (!this.#live.idle && this.#tables.last !== this.#delivered) {
        const { events, last } = this.#tables.after(this.#delivered);
        // There is none: whoever has deleted the newest events has them numbered again.
        this.#delivered = events.length === 0 ? this.#tables.last : last;
        for (const event of events) this.#live.deliver(event);
        await this.#nextTurn();
      }
      this.#pause = this.#interval;
    } catch {
      // The file is held by another process, or cannot be read. Whoever follows is kept until it can.
      this.#pause = Math.min(2 * this.#pause, Math.max(MAX_PAUSE, this.#interval));
    } finally {
      this.#catching = false;
    }
  }
}
