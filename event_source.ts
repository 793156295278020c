/**
 * The `EventSource` of the standard, for wherever `fetch` is: over the connection behind `connect`,
 * with headers, a `fetch` of your own, and the reason of each error.
 *
 * ```ts
 * import { EventSource } from "@webstreams/sse/event-source";
 * import { assertEquals } from "@std/assert";
 *
 * const headers = { "content-type": "text/event-stream" };
 * const fetch = () => Promise.resolve(new Response("id: 7\ndata: hello\n\n", { headers }));
 * const source = new EventSource("https://feed.example/", { fetch });
 * const event = await new Promise<MessageEvent>((resolve) => source.onmessage = resolve);
 * assertEquals([event.data, event.lastEventId, event.origin], ["hello", "7", "https://feed.example"]);
 * source.close();
 * ```
 *
 * @module
 */

import { Connection } from "./client/connection.ts";
import type { ConnectionState, ConnectOptions } from "./client/options.ts";
import type { RetryContext } from "./client/retry.ts";
import { ResponseError, SseError, type SseErrorCode, TruncatedError } from "./errors.ts";
import type { ServerSentEvent } from "./parse/events.ts";
import { ServerSentEventParser } from "./parse/parser.ts";
import { type ChunkSource, openSource } from "./parse/source.ts";

const CONNECTING = 0;
const OPEN = 1;
const CLOSED = 2;

/** The standard leaves it to us: "a few seconds". */
const RECONNECTION_TIME = 3_000;

/** The standard lets us "wait some more" (T21); `retry: 0` would have us ask without a pause. */
const MIN_WAIT = 100;

/** As in the proposal: its origin is opaque, so that of the events is "null". */
const STREAM_URL = "about:event-stream";

// Where there is one. Of before a test puts a fake clock in its place: no event waits for that. And
// before `MessageChannel`, whose messages may come as a microtask on Deno 2.9.
const { setImmediate } = globalThis as { setImmediate?(callback: () => void): unknown };

/** What an {@linkcode EventSource} can be told; only `withCredentials` is of the standard. */
export interface EventSourceInit {
  /**
   * Send credentials to other origins too: `credentials` of `fetch` is `"include"` then, and
   * `"same-origin"` otherwise. Of use where the platform keeps cookies, as browsers do.
   *
   * @default {false}
   */
  withCredentials?: boolean;
  /**
   * Headers of every request; a function is called for each, to refresh a token for example. They
   * do not go along with a redirect to another origin, except in browsers. Default: none.
   */
  headers?: ConnectOptions["headers"];
  /** What sends the requests. Default: the global `fetch`, looked up for each request. */
  fetch?: typeof globalThis.fetch;
}

/** Where {@linkcode EventSource.fromReadableStream} goes on from. */
export interface EventStreamInit {
  /**
   * The last event ID before the first event (T16).
   *
   * @default {""}
   */
  lastEventId?: string;
  /**
   * What `reconnectionTime` is until the stream names one, in milliseconds from 0 up.
   *
   * @default {3000}
   */
  reconnectionTime?: number;
}

/**
 * The events of an {@linkcode EventSource} that are not the server's. Every other type is that of a
 * `MessageEvent`; so are these if a server names its events so (T12).
 */
export interface EventSourceEventMap {
  /** The connection is open: at first and after each reconnect. */
  open: Event;
  /** An event without a type of its own. */
  message: EventSourceMessageEvent;
  /** The connection is lost, and `readyState` tells whether it is for good. */
  error: EventSourceErrorEvent;
}

/** An event of the server: a `MessageEvent` whose data is text, also where its type is not generic. */
export interface EventSourceMessageEvent extends MessageEvent {
  /** The data. */
  readonly data: string;
}

/** What a property such as `onopen` holds. */
export type EventSourceHandler<Type extends keyof EventSourceEventMap> =
  | ((this: EventSource, event: EventSourceEventMap[Type]) => unknown)
  | null;

/**
 * The `error` event of an {@linkcode EventSource}: beyond the standard it tells what happened.
 *
 * @example Tell a refusal from a loss
 * ```ts
 * import { EventSource, type EventSourceErrorEvent } from "@webstreams/sse/event-source";
 * import { ResponseError } from "@webstreams/sse/errors";
 * import { assert, assertEquals } from "@std/assert";
 *
 * const fetch = () => Promise.resolve(new Response("who are you?", { status: 401 }));
 * const source = new EventSource("https://feed.example/", { fetch });
 * const event = await new Promise<EventSourceErrorEvent>((resolve) => source.onerror = resolve);
 * assertEquals([event.code, source.readyState], ["ERR_SSE_STATUS", EventSource.CLOSED]);
 * assert(event.error instanceof ResponseError && event.error.status === 401);
 * ```
 */
export class EventSourceErrorEvent extends Event {
  /** What happened: most often an {@linkcode SseError}; `undefined` if the stream ended cleanly. */
  readonly error: unknown;
  /** The stable code of the error, if it has one. */
  readonly code: SseErrorCode | undefined;
  /** What happened, in a sentence for people. */
  readonly message: string;

  /**
   * Makes an event.
   *
   * @param type The type, `"error"`.
   * @param error What happened; nothing for the clean end of a stream.
   */
  constructor(type: string, error?: unknown) {
    super(type);
    this.error = error;
    this.code = error instanceof SseError ? error.code : undefined;
    if (error === undefined) this.message = "The event stream ended";
    else this.message = error instanceof Error ? error.message : String(error);
  }
}

/** Where the events come from. */
interface Feed {
  /** As the last blank line that was read has it. */
  readonly lastEventId: string;
  /** The reconnection time that was read last. */
  readonly retry: number | undefined;
  batches(): AsyncIterable<ServerSentEvent[]>;
  close(): void;
  reset?(): void;
}

/** A listener that holds the value of `onopen`, `onmessage` or `onerror`. */
interface HandlerSlot {
  value: object;
  // Whatever `Event` is here: the types of Node bring another one along.
  listener: NonNullable<Parameters<EventTarget["addEventListener"]>[1]>;
}

/**
 * Follows an event stream and dispatches what comes as DOM events, by the HTML standard, section
 * 9.2, to the letter: a refused response (T19) closes it, everything else that ends a connection is
 * followed by another after a fixed time (T21).
 *
 * It goes on while a listener that is async still works, and loses what that one throws: for
 * consumers that slow a server down, wait longer from loss to loss, or send more than a GET there is
 * `connect` of `@webstreams/sse/client`. To wait for the next attempt keeps no process alive, where
 * the platform leaves that to us; an open connection does.
 *
 * @example Listen to events by their type
 * ```ts
 * import { EventSource } from "@webstreams/sse/event-source";
 * import { assertEquals } from "@std/assert";
 *
 * const headers = { "content-type": "text/event-stream" };
 * const fetch = () => Promise.resolve(new Response("event: price\ndata: 12\n\n", { headers }));
 * const source = new EventSource("https://feed.example/", { fetch });
 * const data = await new Promise<string>((resolve) =>
 *   source.addEventListener("price", (event) => resolve(event.data))
 * );
 * assertEquals(data, "12");
 * source.close();
 * ```
 */
export class EventSource extends EventTarget {
  /** 0: it connects, or waits to connect again. */
  declare static readonly CONNECTING: 0;
  /** 1: events come. */
  declare static readonly OPEN: 1;
  /** 2: nothing more will come. */
  declare static readonly CLOSED: 2;
  /** 0: it connects, or waits to connect again. */
  declare readonly CONNECTING: 0;
  /** 1: events come. */
  declare readonly OPEN: 1;
  /** 2: nothing more will come. */
  declare readonly CLOSED: 2;
  /** `"EventSource"`. */
  declare readonly [Symbol.toStringTag]: string;

  static {
    // As Web IDL has them, which a class does not: constants, and members that can be enumerated.
    const constants = {
      CONNECTING: { value: CONNECTING, enumerable: true },
      OPEN: { value: OPEN, enumerable: true },
      CLOSED: { value: CLOSED, enumerable: true },
    };
    const enumerable = { enumerable: true };
    Object.defineProperties(this, { ...constants, fromReadableStream: enumerable });
    Object.defineProperties(this.prototype, {
      ...constants,
      url: enumerable,
      withCredentials: enumerable,
      readyState: enumerable,
      lastEventId: enumerable,
      reconnectionTime: enumerable,
      onopen: enumerable,
      onmessage: enumerable,
      onerror: enumerable,
      close: enumerable,
      reset: enumerable,
      [Symbol.toStringTag]: { value: "EventSource", configurable: true },
    });
  }

  readonly #url: string;
  readonly #withCredentials: boolean = false;
  readonly #feed: Feed | undefined;
  readonly #handlers: Map<string, HandlerSlot> = new Map();
  #readyState: 0 | 1 | 2 = CONNECTING;
  #origin = "null";
  // That of the event in hand; what is behind it may be read already.
  #lastEventId: string | undefined;

  /**
   * Connects to an event stream, and again whenever it is lost.
   *
   * A scheme other than `http` and `https` closes it at once, with an `error` event.
   *
   * @param url Where to; relative to `location`, where there is one.
   * @param init Whether credentials are sent; headers, and a `fetch` of your own.
   * @throws {DOMException} If the URL is none: a `SyntaxError`.
   * @throws {TypeError} If the URL holds a user name or a password, or an option is of another type.
   *
   * @example Send a token, made afresh for each request
   * ```ts
   * import { EventSource } from "@webstreams/sse/event-source";
   * import { assertEquals } from "@std/assert";
   *
   * const sent = Promise.withResolvers<string | null>();
   * const fetch = (_: unknown, init?: RequestInit) => {
   *   sent.resolve(new Headers(init?.headers).get("authorization"));
   *   return Promise.resolve(new Response(null, { status: 204 }));
   * };
   * const headers = () => ({ authorization: "Bearer fresh" });
   * const source = new EventSource("https://feed.example/", { fetch, headers });
   * assertEquals(await sent.promise, "Bearer fresh");
   * source.close();
   * ```
   */
  constructor(url: string | URL, init?: EventSourceInit);
  constructor(url: string | URL, init: EventSourceInit | StreamFeed | null = {}) {
    super();
    if (arguments.length === 0) {
      throw new TypeError("Cannot construct EventSource: a URL is needed: received no argument");
    }
    if (init instanceof StreamFeed) {
      this.#url = STREAM_URL;
      this.#feed = init;
      this.#readyState = OPEN;
      nextTask().then(() => this.#announce()).then(() => this.#dispatchAll(init));
      return;
    }
    if (init !== null && typeof init !== "object" && typeof init !== "function") {
      throw new TypeError(
        `Cannot construct EventSource: "init" must be an object: received ${init}`,
      );
    }
    const { href, protocol } = parseUrl(`${url}`);
    this.#url = href;
    this.#withCredentials = Boolean(init?.withCredentials);
    if (protocol === "http:" || protocol === "https:") {
      const connection = this.#feed = new Connection(href, this.#options(init ?? {}), true);
      this.#dispatchAll(connection);
    } else {
      nextTask().then(() => this.#fail(futile(href)));
    }
  }

  /**
   * Dispatches the events of a stream that you have already: of a `fetch` of your own, a file, a
   * socket. This is the proposal whatwg/html#12272, which may change yet.
   *
   * It is open from the start, and its `url` is `about:event-stream`. When the stream ends or breaks,
   * there is nothing to connect to: an `error` event closes it. `close` cancels the stream.
   *
   * @param stream The bytes; locked from here on.
   * @param init Where it goes on from.
   * @returns The source.
   * @throws {TypeError} If the stream is none or is locked, or `lastEventId` is none that can be.
   * @throws {RangeError} If `reconnectionTime` is not a number from 0 up.
   *
   * @example Read what a POST answers
   * ```ts
   * import { EventSource } from "@webstreams/sse/event-source";
   * import { assertEquals } from "@std/assert";
   *
   * const response = new Response("id: 8\ndata: yes\n\n"); // await fetch(url, { method: "POST" })
   * const source = EventSource.fromReadableStream(response.body!, { lastEventId: "7" });
   * const event = await new Promise<MessageEvent>((resolve) => source.onmessage = resolve);
   * assertEquals([event.data, source.lastEventId, source.reconnectionTime], ["yes", "8", 3000]);
   * source.close();
   * ```
   */
  static fromReadableStream(
    stream: ReadableStream<Uint8Array>,
    init: EventStreamInit = {},
  ): EventSource {
    return new EventSource(STREAM_URL, new StreamFeed(stream, init) as EventSourceInit);
  }

  /** The URL that is asked for, as it was resolved; never that of a redirect. */
  get url(): string {
    return this.#url;
  }

  /** Whether credentials are sent to other origins too. */
  get withCredentials(): boolean {
    return this.#withCredentials;
  }

  /** `CONNECTING`, `OPEN` or `CLOSED`. */
  get readyState(): 0 | 1 | 2 {
    return this.#readyState;
  }

  /** The last event ID of what was dispatched: what the next request asks for. Of the proposal. */
  get lastEventId(): string {
    return this.#lastEventId ?? this.#feed?.lastEventId ?? "";
  }

  /**
   * The reconnection time, in milliseconds, that the server named last (T17). A wait is never shorter
   * than 100 ms nor longer than a timer can be. Of the proposal.
   */
  get reconnectionTime(): number {
    return this.#feed?.retry ?? RECONNECTION_TIME;
  }

  /** A listener for `open`, or `null`. */
  get onopen(): EventSourceHandler<"open"> {
    return this.#handler("open");
  }

  /** Takes the place of the listener that was set before; `null` removes it. */
  set onopen(value: EventSourceHandler<"open">) {
    this.#setHandler("open", value);
  }

  /** A listener for `message`, or `null`. */
  get onmessage(): EventSourceHandler<"message"> {
    return this.#handler("message");
  }

  /** Takes the place of the listener that was set before; `null` removes it. */
  set onmessage(value: EventSourceHandler<"message">) {
    this.#setHandler("message", value);
  }

  /** A listener for `error`, or `null`. */
  get onerror(): EventSourceHandler<"error"> {
    return this.#handler("error");
  }

  /** Takes the place of the listener that was set before; `null` removes it. */
  set onerror(value: EventSourceHandler<"error">) {
    this.#setHandler("error", value);
  }

  /** Closes the connection, the wait or the stream: nothing is dispatched any more (T23). */
  close(): void {
    this.#readyState = CLOSED;
    this.#feed?.close();
  }

  /**
   * Drops the unfinished event of a stream, before the bytes of another connection are piped into it;
   * the last event ID stays. Of the proposal. Nothing to do after the constructor, which connects
   * again by itself.
   */
  reset(): void {
    this.#feed?.reset?.();
  }

  #options({ fetch, headers }: EventSourceInit): ConnectOptions {
    return {
      fetch,
      headers,
      credentials: this.#withCredentials ? "include" : "same-origin",
      redirect: "follow",
      // The standard knows none of it: what a server sends again comes again.
      dedupe: false,
      retry: (context) => isFinal(context) ? false : Math.max(this.reconnectionTime, MIN_WAIT),
      onState: (state) => this.#onState(state),
    };
  }

  #onState(state: ConnectionState): void {
    if (state.state === "open") {
      // T21: that of the final URL, which a `Response` that was made by hand does not tell.
      this.#origin = new URL(state.response.url || this.#url).origin;
      this.#announce();
    } else if (state.state === "retry") {
      this.#readyState = CONNECTING;
      this.#dispatch(new EventSourceErrorEvent("error", state.cause));
    }
  }

  #announce(): void {
    if (this.#readyState === CLOSED) return;
    this.#readyState = OPEN;
    this.#dispatch(new Event("open"));
  }

  async #dispatchAll(feed: Feed): Promise<void> {
    let error: unknown;
    try {
      for await (const events of feed.batches()) {
        await this.#dispatchBatch(events);
        if (this.#readyState === CLOSED) return;
        this.#lastEventId = undefined;
      }
      if (feed instanceof Connection) error = noContent();
    } catch (thrown) {
      error = thrown;
    }
    this.#fail(error);
  }

  async #dispatchBatch(events: ServerSentEvent[]): Promise<void> {
    for (const [index, { event, data, id }] of events.entries()) {
      // A task for each: what its listeners left to microtasks is done before the next one.
      if (index > 0) await nextTask();
      if (this.#readyState === CLOSED) return;
      this.#lastEventId = id;
      this.#dispatch(new MessageEvent(event, { data, lastEventId: id, origin: this.#origin }));
    }
  }

  #fail(error: unknown): void {
    if (this.#readyState === CLOSED) return;
    this.#readyState = CLOSED;
    this.#dispatch(new EventSourceErrorEvent("error", error));
  }

  #dispatch(event: Event): void {
    // As of every event that no script made, where the platform lets us: Deno and Node do.
    Reflect.defineProperty(event, "isTrusted", { value: true, enumerable: true });
    super.dispatchEvent(event);
  }

  #handler<Type extends keyof EventSourceEventMap>(type: Type): EventSourceHandler<Type> {
    return (this.#handlers.get(type)?.value ?? null) as EventSourceHandler<Type>;
  }

  /** One listener, which keeps its place in their order until the value is `null`. */
  #setHandler(type: string, value: unknown): void {
    const slot = this.#handlers.get(type);
    if ((typeof value !== "object" && typeof value !== "function") || value === null) {
      if (slot !== undefined) super.removeEventListener(type, slot.listener);
      this.#handlers.delete(type);
    } else if (slot !== undefined) {
      slot.value = value;
    } else {
      const slot: HandlerSlot = {
        value,
        // Web IDL keeps an object that is no function, too, and does nothing with it.
        listener: (event: unknown) =>
          typeof slot.value === "function" && slot.value.call(this, event),
      };
      this.#handlers.set(type, slot);
      if (!platformCallsHandlers()) super.addEventListener(type, slot.listener);
    }
  }
}

/** The methods of `EventTarget`, with the events that there are. */
export interface EventSource {
  /**
   * Adds a listener.
   *
   * @param type The type of event.
   * @param listener What is called with it.
   * @param options Those of every `EventTarget`.
   */
  addEventListener<Type extends keyof EventSourceEventMap>(
    type: Type,
    listener: (this: EventSource, event: EventSourceEventMap[Type]) => unknown,
    options?: Parameters<EventTarget["addEventListener"]>[2],
  ): void;
  /**
   * Adds a listener for events that the server named.
   *
   * @param type The type of event.
   * @param listener What is called with it.
   * @param options Those of every `EventTarget`.
   */
  addEventListener(
    type: string,
    listener: (this: EventSource, event: EventSourceMessageEvent) => unknown,
    options?: Parameters<EventTarget["addEventListener"]>[2],
  ): void;
  /**
   * Adds a listener that may be an object, or `null`.
   *
   * @param type The type of event.
   * @param listener What is called with it.
   * @param options Those of every `EventTarget`.
   */
  addEventListener(
    type: string,
    listener: Parameters<EventTarget["addEventListener"]>[1] | null,
    options?: Parameters<EventTarget["addEventListener"]>[2],
  ): void;
  /**
   * Removes a listener.
   *
   * @param type The type of event.
   * @param listener What was called with it.
   * @param options Those of every `EventTarget`.
   */
  removeEventListener<Type extends keyof EventSourceEventMap>(
    type: Type,
    listener: (this: EventSource, event: EventSourceEventMap[Type]) => unknown,
    options?: Parameters<EventTarget["removeEventListener"]>[2],
  ): void;
  /**
   * Removes a listener for events that the server named.
   *
   * @param type The type of event.
   * @param listener What was called with it.
   * @param options Those of every `EventTarget`.
   */
  removeEventListener(
    type: string,
    listener: (this: EventSource, event: EventSourceMessageEvent) => unknown,
    options?: Parameters<EventTarget["removeEventListener"]>[2],
  ): void;
  /**
   * Removes a listener that may be an object, or `null`.
   *
   * @param type The type of event.
   * @param listener What was called with it.
   * @param options Those of every `EventTarget`.
   */
  removeEventListener(
    type: string,
    listener: Parameters<EventTarget["addEventListener"]>[1] | null,
    options?: Parameters<EventTarget["removeEventListener"]>[2],
  ): void;
}

/** The events of a stream, without a connection. */
class StreamFeed implements Feed {
  readonly #source: ChunkSource;
  readonly #parser: ServerSentEventParser;
  readonly #reconnectionTime: number;

  constructor(stream: ReadableStream<Uint8Array>, init: EventStreamInit) {
    const { lastEventId, reconnectionTime = RECONNECTION_TIME } = init;
    if (typeof reconnectionTime !== "number" || !(reconnectionTime >= 0)) {
      throw new RangeError(
        `Cannot read events: "reconnectionTime" must be a number from 0 up: received ${reconnectionTime}`,
      );
    }
    this.#parser = new ServerSentEventParser({ lastEventId });
    this.#reconnectionTime = reconnectionTime;
    this.#source = openSource(stream);
  }

  get lastEventId(): string {
    return this.#parser.lastEventId;
  }

  get retry(): number {
    return this.#parser.retry ?? this.#reconnectionTime;
  }

  async *batches(): AsyncGenerator<ServerSentEvent[], void> {
    try {
      for (;;) {
        const { done, value } = await this.#source.read();
        if (done) break;
        const events: ServerSentEvent[] = [];
        try {
          this.#parser.feed(value, events);
        } finally {
          // What came before a fault is given out first.
          yield events;
        }
      }
    } finally {
      this.close();
    }
    if (this.#parser.incomplete) {
      throw new TruncatedError("Cannot finish event: the stream ended inside of it");
    }
  }

  close(): void {
    this.#source.cancel(undefined).catch(() => {});
  }

  reset(): void {
    this.#parser.reset();
  }
}

let callsHandlers: boolean | undefined;

/** Whether `EventTarget` calls what `onmessage` and the like hold by itself, as that of workerd does. */
function platformCallsHandlers(): boolean {
  if (callsHandlers === undefined) {
    let asked = false;
    class Probe extends EventTarget {
      get onprobe(): null {
        asked = true;
        return null;
      }
    }
    new Probe().dispatchEvent(new Event("probe"));
    callsHandlers = asked;
  }
  return callsHandlers;
}

/** Ends this task of the event loop. By no timer where that can be: browsers slow nested ones down. */
function nextTask(): Promise<void> {
  return new Promise((resolve) => {
    if (setImmediate !== undefined) return void setImmediate(resolve);
    if (typeof MessageChannel === "undefined") return void setTimeout(resolve);
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(undefined);
  });
}

function parseUrl(url: string): URL {
  const { location } = globalThis as { location?: { href: string } };
  try {
    return new URL(url, location?.href);
  } catch {
    throw new DOMException(
      `Cannot construct EventSource: the URL must be absolute: received "${url}"`,
      "SyntaxError",
    );
  }
}

/** T19: a refusal is final; so is an abort that is not ours, `window.stop()` for example. */
function isFinal({ cause }: RetryContext): boolean {
  if (!(cause instanceof SseError)) return false;
  return cause instanceof ResponseError ||
    (cause.cause instanceof Error && cause.cause.name === "AbortError");
}

function futile(url: string): SseError {
  return new SseError(
    "ERR_SSE_NETWORK",
    `Cannot connect: the URL must be http or https: received "${url}"`,
  );
}

/** T19: for `EventSource` it is a refusal as well. Its headers are not kept. */
function noContent(): ResponseError {
  return new ResponseError(
    "ERR_SSE_STATUS",
    "Cannot read events: the status must be 200: received 204",
    { status: 204, headers: new Headers(), body: "" },
  );
}
