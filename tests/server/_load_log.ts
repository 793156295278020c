/**
 * An event log that tells who holds it.
 *
 * @module
 */

import { type EventLog, MemoryEventLog } from "../../server.ts";

/** A log in memory that counts who follows and who reads it. */
export class CountedLog implements EventLog {
  /** How many follow it. */
  followers = 0;
  /** How many are reading it. */
  readings = 0;
  /** How many readings were left before their end. */
  leftReadings = 0;
  readonly #log = new MemoryEventLog({ maxEvents: 10_000 });

  append(...args: Parameters<EventLog["append"]>): Promise<string> {
    return this.#log.append(...args);
  }

  follow(...[topic, options]: Parameters<EventLog["follow"]>): Promise<string> {
    this.followers++;
    options.signal.addEventListener("abort", () => this.followers--);
    return this.#log.follow(topic, options);
  }

  async *read(...[topic, options]: Parameters<EventLog["read"]>): ReturnType<EventLog["read"]> {
    this.readings++;
    let whole = false;
    try {
      yield* this.#log.read(topic, options);
      whole = true;
    } finally {
      this.readings--;
      if (!whole) this.leftReadings++;
    }
  }

  close(): Promise<void> {
    return this.#log.close();
  }
}
