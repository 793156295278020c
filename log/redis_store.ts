/**
 * The topics of a log as they are kept in Redis: appending, and reading page by page.
 *
 * @module
 */

import type { ServerSentEventInit } from "../encode.ts";
import { LogGapError, LogUnavailableError } from "../errors.ts";
import {
  type AppendOptions,
  formatEventId,
  gapAfter,
  type LoggedEvent,
  parseEventId,
  type ReadLogOptions,
  readRange,
  type TopicPlace,
} from "../server/log.ts";
import { readRecord, writeRecord } from "./record.ts";
import { type Commands, Script } from "./redis_commands.ts";
import { Groups } from "./redis_groups.ts";
import { encodeName, type Place, Places } from "./redis_places.ts";
import { RENEWALS, type ScriptOptions, scriptsOf } from "./redis_scripts.ts";

/** How many events of a page are asked for: at first, at most. */
const [MIN_PAGE, MAX_PAGE] = [16, 256];

/** A page of more text than this, in UTF-16 code units, is followed by a shorter one. */
const MUCH = 262_144;

/** Where a topic stands, and events of it. */
interface Page extends TopicPlace {
  readonly events: LoggedEvent[];
  readonly length: number;
}

/** See the module. */
export class Store {
  readonly places: Places;
  readonly #commands: Commands;
  readonly #groups: Groups;
  readonly #append: Script;
  readonly #read: Script;
  readonly #renewal: number;
  /** Marks what this process writes; empty if its client sends nothing twice. */
  readonly #writer: string;
  readonly #random = randomText();
  #epochs = 0;
  #written = 0;

  /** @param prefix What all keys of the log begin with. */
  constructor(commands: Commands, prefix: string, options: ScriptOptions) {
    const { next, append, read } = scriptsOf(options);
    this.places = new Places(prefix, options.keyPrefix);
    this.#commands = commands;
    this.#groups = new Groups(commands, new Script(next));
    this.#append = new Script(append);
    this.#read = new Script(read);
    this.#renewal = Math.min(options.maxAge, options.topicExpiry) / RENEWALS;
    this.#writer = options.repeats ? `w${this.#random}` : "";
  }

  /**
   * Appends an event; gives its id.
   *
   * @param now The time of `performance.now()`.
   */
  async append(
    place: Place,
    event: ServerSentEventInit,
    { idempotencyKey, sender }: AppendOptions,
    now: number,
  ): Promise<string> {
    const record = writeRecord(event, sender);
    // Most are like that, and nothing more is done for them.
    if (
      idempotencyKey === undefined && place.seq > 0 && this.#writer === "" &&
      !this.#isDue(place, now)
    ) {
      const id = await this.#groups.append(place, record, now);
      if (id !== undefined) return id;
    }
    // In their order.
    this.#groups.flush(place);
    const args = this.#argsOf(place);
    const key = idempotencyKey === undefined ? "" : `k${encodeName(idempotencyKey)}`;
    args.push(place.channel, record, key);
    if (this.#writer !== "") args.push(this.#writer, `${++this.#written}`);
    const id = await this.#run("append event", this.#append, place, args);
    if (typeof id === "string") {
      place.seeId(id);
      return id;
    }
    const found = "the connection was lost, and the event may have been appended before";
    throw new LogUnavailableError(`Cannot append event: ${found}, try again`);
  }

  /** Reads the events of a topic, a page when the one before is taken. */
  async *read(topic: string, options: ReadLogOptions): AsyncGenerator<LoggedEvent, void> {
    const { signal } = options;
    const place = this.places.get(topic);
    const from = parseEventId(options.after);
    let asked = options.after;
    let count = MIN_PAGE;
    let next = options.after === "" ? 1 : (from?.seq ?? -1) + 1;
    let page = await this.#page(place, from?.epoch ?? "", next, count, signal);
    const { epoch } = page;
    const range = readRange(options, page);
    next = range.next;
    for (;;) {
      for (const event of page.events) {
        if (next > range.last) return;
        // Somebody has taken an event out of the stream.
        if (parseEventId(event.id)?.seq !== next) break;
        yield event;
        signal?.throwIfAborted();
        asked = event.id;
        next++;
      }
      if (next > range.last) return;
      count = page.length > MUCH ? Math.max(1, count >> 1) : Math.min(MAX_PAGE, 2 * count);
      page = await this.#page(place, epoch, next, count, signal);
      const [first] = page.events;
      if (page.epoch === epoch && parseEventId(first?.id ?? "")?.seq === next) continue;
      const gap = gapAfter(asked, page);
      throw new LogGapError(gap ?? { asked, first: idOf(page, page.first), reason: "trimmed" });
    }
  }

  /** Where a topic stands now; its id is the last that was given. */
  async head(topic: string): Promise<string> {
    const page = await this.#page(this.places.get(topic), "", 0, 0);
    return idOf(page, page.head);
  }

  /** As `head`, but made for many topics at a time. */
  async check(place: Place): Promise<string> {
    if (!this.#isDue(place)) {
      const [key] = place.keys;
      const reply = await this.#commands.send("check topic", key, ["HMGET", key, "e", place.epoch]);
      const [epoch, text] = Array.isArray(reply) ? reply : [];
      const seq = Number(text);
      // If it is not as it was, the script decides.
      if (epoch === place.epoch && seq >= place.seq) return idOf({ epoch: place.epoch }, seq);
    }
    return await this.head(place.topic);
  }

  /** Where a topic stands, and what is held of it from a number on. */
  async #page(
    place: Place,
    epoch: string,
    from: number,
    count: number,
    signal?: AbortSignal,
  ): Promise<Page> {
    signal?.throwIfAborted();
    const args = this.#argsOf(place);
    args.push(epoch, `${from}`, `${count}`);
    const answer = this.#run("read events", this.#read, place, args);
    const page = pageOf(await (signal === undefined ? answer : unlessAborted(answer, signal)));
    place.see(page.epoch, page.head);
    return page;
  }

  /** The arguments that all scripts of a topic begin with. */
  #argsOf(place: Place): string[] {
    // Another epoch for each call: one that is sent already may be the first after a loss, too.
    const epoch = `${this.#random}-${(this.#epochs++).toString(36)}`;
    return [epoch, place.epoch, `${place.seq}`, this.#isDue(place) ? "1" : ""];
  }

  #isDue(place: Place, now: number = performance.now()): boolean {
    return now - place.renewed >= this.#renewal;
  }

  async #run(action: string, script: Script, place: Place, args: string[]): Promise<unknown> {
    const isRenewal = args[3] !== "";
    const now = isRenewal ? performance.now() : 0;
    const reply = await this.#commands.run(action, script, place.keys, args);
    if (isRenewal) place.renewed = now;
    return reply;
  }
}

function idOf({ epoch }: { epoch: string }, seq: number): string {
  return formatEventId({ epoch, seq });
}

/** What the script has answered, whatever types the client makes of it. */
function pageOf(reply: unknown): Page {
  if (!Array.isArray(reply) || !Array.isArray(reply[3])) {
    throw new LogUnavailableError("Cannot read events: the answer of Redis is none of our script");
  }
  const epoch = String(reply[0]);
  const [head, first] = [Number(reply[1]), Number(reply[2])];
  let length = 0;
  const events = reply[3].map(([id, fields]) => {
    const record = String(fields[1]);
    length += record.length;
    return readRecord(record, idOf({ epoch }, Number.parseInt(String(id))));
  });
  return { epoch, head, first, events, length };
}

/** A promise, but no longer than until the signal is aborted. */
async function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const abort = () => reject(signal.reason);
  signal.addEventListener("abort", abort);
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}

function randomText(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(12));
  return Array.from(bytes, (byte) => (byte % 32).toString(32)).join("");
}
