/**
 * What the live page is told: the figures once a second, and its own pings, through a channel of
 * their own, so that nothing of it is in the log of the user.
 *
 * @module
 */

import {
  Channel,
  type ChannelMetrics,
  type LoggedEvent,
  MemoryEventLog,
  type Session,
} from "../../server.ts";
import { refusal } from "../../server/request.ts";
import type { TopicList } from "./topics.ts";

/** The data of a `status` event. */
export interface Status extends TopicList {
  /** When, in ms since 1970. */
  readonly at: number;
  /** The figures of the hub. */
  readonly metrics: ChannelMetrics;
  /** Which log it is: `memory`, `redis://127.0.0.1:6379`. */
  readonly log: string;
}

/** The body of a ping, and the data of the `pong` that comes of it. */
export interface Ping {
  /** Which page: 1 to 64 letters, digits, `-` and `_`. */
  readonly page: string;
  /** Which ping of it. */
  readonly n: number;
  /** When it was sent, by the clock of the page. */
  readonly at: number;
}

/** What a {@linkcode StatusFeed} is made of. */
export interface StatusFeedOptions {
  /** How often readers are told, in ms. */
  interval: number;
  /** What they are told. */
  report(): Status;
  /** Called when the first reader comes; resolves when there is more to report. */
  onFirst(): Promise<void>;
  /** Called when the last reader has gone. */
  onLast(): void;
}

/** How many bytes a ping may have. */
const MAX_PING = 1_024;

/** Tells pages. Its timer runs only while there are some. */
export class StatusFeed {
  readonly #options: StatusFeedOptions;
  readonly #log = new MemoryEventLog({ maxEvents: 1 });
  readonly #channel: Channel<string | undefined>;
  #timer: ReturnType<typeof setInterval> | undefined = undefined;

  constructor(options: StatusFeedOptions) {
    const { interval } = options;
    if (!(interval >= 1)) {
      throw new RangeError(
        `Cannot make a service: "statusInterval" must be a number from 1 up: received ${interval}`,
      );
    }
    this.#options = options;
    this.#channel = new Channel<string | undefined>({
      topic: "status",
      log: this.#log,
      retry: 1_000,
      // A page that was away wants to know how it is now, and not how it was.
      onGap: () => [],
      slowConsumer: "latest-by-key",
      key: ({ event }) => event,
      filter: isFor,
      onSession: (session, change) => this.#onSession(session, change),
    });
  }

  /** Answers with the feed. A page that names itself by `?page=` gets its own pongs only. */
  subscribe(request: Request, { searchParams }: URL): Response {
    return this.#channel.subscribe(request, { state: searchParams.get("page") ?? undefined });
  }

  /** Publishes what a page has sent. */
  async ping(request: Request): Promise<Response> {
    const text = await readText(request, MAX_PING);
    if (text === undefined) {
      return refusal(413, `Cannot ping: the body must be at most ${MAX_PING} bytes`);
    }
    const ping = parsePing(text);
    if (ping === undefined) {
      return refusal(400, 'Cannot ping: the body must be JSON such as {"page":"a","n":1,"at":0}');
    }
    await this.#channel.publish({ event: "pong", data: JSON.stringify(ping) });
    return new Response(null, { status: 204, headers: { "cache-control": "no-store" } });
  }

  /** Ends all readers. */
  async close(): Promise<void> {
    await this.#channel.close();
    clearInterval(this.#timer);
    await this.#log.close();
  }

  #onSession(session: Session<string | undefined>, change: "join" | "leave"): void {
    const { interval, onFirst, onLast } = this.#options;
    if (change === "leave") {
      if (this.#channel.size > 0) return;
      clearInterval(this.#timer);
      this.#timer = undefined;
      return onLast();
    }
    // A page has something to show at once.
    session.send(this.#event());
    if (this.#timer !== undefined) return;
    this.#timer = setInterval(() => this.#publish(), interval);
    onFirst().then(() => this.#publish());
  }

  #publish(): void {
    // The log is in memory, and refuses only once all is closed.
    this.#channel.publish(this.#event()).catch(() => {});
  }

  #event(): { event: string; data: string } {
    return { event: "status", data: JSON.stringify(this.#options.report()) };
  }
}

/** Whether a page gets an event: of pongs, those of its own pings. */
function isFor({ event, data = "" }: LoggedEvent, { state: page }: Session<string | undefined>) {
  return event !== "pong" || page === undefined || parsePing(data)?.page === page;
}

/** A ping, and nothing else that was in the text; `undefined` if it is none. */
function parsePing(text: string): Ping | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof value !== "object" || value === null) return undefined;
  if (!("page" in value && "n" in value && "at" in value)) return undefined;
  const { page, n, at } = value;
  if (typeof page !== "string" || !/^[\w-]{1,64}$/.test(page)) return undefined;
  if (typeof n !== "number" || typeof at !== "number") return undefined;
  return { page, n, at };
}

/** The body; `undefined` if it is too large, or broke off. */
async function readText({ body }: Request, most: number): Promise<string | undefined> {
  if (body === null) return "";
  const decoder = new TextDecoder();
  const reader = body.getReader();
  let text = "";
  let left = most;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return text + decoder.decode();
      left -= value.length;
      if (left < 0) {
        reader.cancel().catch(() => {});
        return undefined;
      }
      text += decoder.decode(value, { stream: true });
    }
  } catch {
    return undefined;
  }
}
