/**
 * One reader of a bench: a connection that comes back when it is lost.
 *
 * @module
 */

import type { IncomingMessage } from "node:http";
import { sleep } from "../../log/patience.ts";
import { type ServerSentEvent, ServerSentEventParser } from "../../parse.ts";
import { ask, refused, type Target, unreachable } from "./request.ts";

/** The wait before a lost connection is opened again, in ms, if the server names none. */
const RETRY = 500;
/** A server may ask for more than a bench has time for. */
const MAX_RETRY = 5_000;

/** What a {@linkcode Reader} tells. */
export interface ReaderEvents {
  /** A chunk has come: its events, and how many bytes it had. */
  onChunk(reader: Reader, events: readonly ServerSentEvent[], bytes: number): void;
  /** The connection is lost, and will be opened again. */
  onLost(reader: Reader): void;
  /** It is open again. */
  onReopened(reader: Reader): void;
}

/** Reads one event stream, for as long as its signal is not aborted. */
export class Reader {
  /** Settles when it reads no more, which is after its signal. */
  readonly done: Promise<void>;
  readonly #target: Target;
  readonly #events: ReaderEvents;
  readonly #signal: AbortSignal;
  readonly #parser = new ServerSentEventParser();

  /** Use {@linkcode Reader.open}. */
  private constructor(
    target: Target,
    response: IncomingMessage,
    events: ReaderEvents,
    signal: AbortSignal,
  ) {
    this.#target = target;
    this.#events = events;
    this.#signal = signal;
    this.done = this.#hold(response);
  }

  /**
   * Opens one.
   *
   * @throws {Failure} If it cannot be opened.
   */
  static async open(target: Target, events: ReaderEvents, signal: AbortSignal): Promise<Reader> {
    return new Reader(target, await openStream(target, "", signal), events, signal);
  }

  async #hold(first: IncomingMessage): Promise<void> {
    let response: IncomingMessage | undefined = first;
    while (!this.#signal.aborted) {
      if (response !== undefined) {
        await this.#read(response);
        if (this.#signal.aborted) return;
        this.#events.onLost(this);
      }
      this.#parser.reset();
      await sleep(Math.min(this.#parser.retry ?? RETRY, MAX_RETRY), this.#signal);
      response = await openStream(this.#target, this.#parser.lastEventId, this.#signal)
        .catch(() => undefined);
      if (response !== undefined && !this.#signal.aborted) this.#events.onReopened(this);
    }
    response?.destroy();
  }

  /** Reads to the end, whatever that is. */
  #read(response: IncomingMessage): Promise<void> {
    return new Promise((resolve) => {
      // Not `for await`, which waits a turn for each chunk.
      response.on("data", (chunk: Uint8Array) => {
        if (this.#signal.aborted) return;
        this.#events.onChunk(this, this.#parser.feed(chunk), chunk.length);
      });
      response.on("error", () => {});
      response.on("close", resolve);
    });
  }
}

async function openStream(
  target: Target,
  lastEventId: string,
  signal: AbortSignal,
): Promise<IncomingMessage> {
  let response: IncomingMessage;
  try {
    response = await ask(target, {
      agent: false,
      headers: {
        accept: "text/event-stream",
        ...(lastEventId === "" ? {} : { "last-event-id": lastEventId }),
      },
      signal,
    });
  } catch (error) {
    throw signal.aborted ? signal.reason : unreachable("read", target, error);
  }
  const type = response.headers["content-type"] ?? "";
  if (response.statusCode === 200 && /^text\/event-stream\b/i.test(type)) return response;
  throw await refused("read", target, response);
}
