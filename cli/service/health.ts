/**
 * Whether the event log of a service answers.
 *
 * @module
 */

import { answerOf } from "../../log/patience.ts";
import type { EventLog } from "../../server.ts";

/** A topic that no user has, for it is reserved: it has no events, and costs nothing to read. */
const TOPIC = "$sse/health";

/** Asks the log, once at a time however many ask. */
export class Health {
  readonly #log: EventLog;
  readonly #timeout: number;
  #checking: Promise<string | undefined> | undefined = undefined;

  /**
   * @param log The log.
   * @param timeout How long it may take to answer, in ms.
   */
  constructor(log: EventLog, timeout: number) {
    if (!(timeout >= 1)) {
      throw new RangeError(
        `Cannot make a service: "healthTimeout" must be a number from 1 up: received ${timeout}`,
      );
    }
    this.#log = log;
    this.#timeout = timeout;
  }

  /** What is wrong, in a sentence; `undefined` if nothing is. */
  check(): Promise<string | undefined> {
    this.#checking ??= this.#ask().finally(() => this.#checking = undefined);
    return this.#checking;
  }

  async #ask(): Promise<string | undefined> {
    const reading = new AbortController();
    const { signal } = reading;
    const patience = { action: "read the event log", timeout: this.#timeout };
    try {
      await answerOf(() => readOne(this.#log, signal), patience);
      return undefined;
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    } finally {
      reading.abort();
    }
  }
}

async function readOne(log: EventLog, signal: AbortSignal): Promise<void> {
  const events = log.read(TOPIC, { after: "", signal })[Symbol.asyncIterator]();
  await events.next();
  await events.return?.();
}
