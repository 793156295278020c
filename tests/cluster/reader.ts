/**
 * A client of the cluster test: it reads numbered events of its topics, and notes whatever is not
 * exactly the next one.
 *
 * @module
 */

import { connect, type EventStreamConnection } from "../../client.ts";
import type { LogGap } from "../../errors.ts";
import { parseEventId } from "../../server/log.ts";

/** What a reader was told that it has missed. */
export interface ToldGap extends LogGap {
  readonly topic: string;
}

/** See the module. */
export class Reader {
  readonly topics: readonly string[];
  /** What went wrong, in sentences: the first few. */
  readonly faults: string[] = [];
  readonly gaps: ToldGap[] = [];
  /** How many events it has had. */
  deliveries = 0;
  /** The number of the last event, by topic. */
  readonly #last: Map<string, number>;
  readonly #url: URL;
  readonly #events: number;
  #connection: EventStreamConnection | undefined = undefined;
  #lastEventId = "";
  #earlier = 0;

  /**
   * Makes one that is not connected.
   *
   * @param port Where to connect.
   * @param topics What to read.
   * @param events The number of the last event of each topic.
   */
  constructor(port: number, topics: readonly string[], events: number) {
    this.topics = topics;
    this.#events = events;
    this.#last = new Map(topics.map((topic) => [topic, 0]));
    this.#url = new URL(`http://127.0.0.1:${port}/`);
    for (const topic of topics) this.#url.searchParams.append("topic", topic);
  }

  /** It knows where it is, so that it misses nothing from here on. */
  get placed(): boolean {
    return this.#connection !== undefined && this.#connection.lastEventId !== "";
  }

  /** How many times it had to connect. */
  get attempts(): number {
    return this.#earlier + (this.#connection?.stats.attempts ?? 0);
  }

  /** It has the last event of each topic. */
  get complete(): boolean {
    return [...this.#last.values()].every((n) => n === this.#events);
  }

  /** What it still waits for, in a sentence. */
  get state(): string {
    const last = [...this.#last].map(([topic, n]) => `${n} of ${topic}`).join(", ");
    const { readyState } = this.#connection ?? {};
    return `has come to ${last} (${readyState}, ${this.attempts} attempts): ${
      this.faults.join("; ")
    }`;
  }

  /** Connects, from where it was, and reads until it has all or is stopped. */
  async run(): Promise<void> {
    this.#earlier = this.attempts;
    this.#connection = connect(this.#url, {
      lastEventId: this.#lastEventId,
      retry: { initialDelay: 50, maxDelay: 1_000, statuses: [503] },
      connectTimeout: 2_000,
      idleTimeout: 1_500,
    });
    try {
      for await (const { event, data } of this.#connection) {
        if (event === "gap") this.#skip(data);
        else this.#take(data);
        if (this.complete) break;
      }
    } catch (error) {
      this.#fault(`Its connection failed: ${error}`);
    }
  }

  /** Ends its connection; it can go on where it was by another `run`. */
  stop(): void {
    this.#lastEventId = this.#connection?.lastEventId ?? "";
    this.#connection?.close();
  }

  #take(data: string): void {
    this.deliveries++;
    const [topic, number] = data.split(" ");
    const last = this.#last.get(topic);
    const n = Number(number);
    if (n !== (last ?? NaN) + 1) this.#fault(`Event ${n} of ${topic} came after ${last}`);
    if (last !== undefined) this.#last.set(topic, Math.max(last, n));
  }

  #skip(data: string): void {
    const { topic = this.topics[0], asked, first, reason } = JSON.parse(data);
    this.gaps.push({ topic, asked, first, reason });
    const place = parseEventId(first);
    const from = parseEventId(asked)?.seq;
    // The numbers of this test are those of the log: each event is appended once, in order.
    if (from !== this.#last.get(topic)) {
      this.#fault(`The gap ${data} came after ${this.#last.get(topic)}`);
    }
    if (place !== undefined) this.#last.set(topic, place.seq - 1);
  }

  #fault(sentence: string): void {
    if (this.faults.length < 3) this.faults.push(sentence);
  }
}
