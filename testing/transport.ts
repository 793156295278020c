/**
 * A network in memory: a `fetch` that asks a handler.
 *
 * @module
 */

import { lastEventIdHeader } from "../client/resume.ts";
import { isResponse } from "../parse/response.ts";
import { Connection, type ConnectionOwner, type TransportConnection } from "./connection.ts";
import { checkFault, type Fault } from "./fault.ts";
import { ReceivedRequest, type TransportRequest } from "./request.ts";

/** How many requests are kept to be looked at: a client that asks without a pause must not fill the memory. */
const MAX_REQUESTS = 10_000;

/**
 * What answers a request: `(request) => hub.fetch(request)`, or the `fetch` of an app of any
 * framework.
 *
 * @param request The request, with a `signal` that is aborted when the client has left.
 * @returns The response.
 */
export type TransportHandler = (request: Request) => Response | Promise<Response>;

/** What {@linkcode createTransport} can be told. */
export interface TransportOptions {
  /**
   * What goes wrong: with the first request, the second, and so on, `{}` or `undefined` for nothing;
   * or a function that is asked for each. Default: nothing.
   */
  faults?:
    | readonly (Fault | undefined)[]
    | ((request: TransportRequest) => Fault | undefined);
}

/** A network in memory, made by {@linkcode createTransport}. */
export interface Transport extends AsyncDisposable {
  /** As the global one: hand it to what is tested. It needs no `this`. */
  readonly fetch: typeof globalThis.fetch;
  /** All requests, in their order; of more than 10,000 the newest. */
  readonly requests: readonly TransportRequest[];
  /** The connections that are open: none, when all who asked have let go. */
  readonly connections: readonly TransportConnection[];
  /**
   * Waits until a request has come. Whether the handler has seen it by then is open.
   *
   * @param attempt Its number, from 1 up.
   * @returns The request.
   * @throws {RangeError} If `attempt` is none, or one that is no longer kept.
   * @throws {TypeError} If the transport is closed before it has come.
   */
  request(attempt: number): Promise<TransportRequest>;
  /**
   * Waits until a request has its answer: a channel that was asked has its reader then.
   *
   * @param attempt Its number, from 1 up.
   * @returns Its connection, which may be closed already.
   * @throws {unknown} If there never is an answer: what the client was told.
   * @throws {RangeError} If `attempt` is none, or one that is no longer kept.
   * @throws {TypeError} If the transport is closed before it has come.
   */
  connection(attempt: number): Promise<TransportConnection>;
  /**
   * Lets the next requests go wrong, one each, whatever `faults` says for them.
   *
   * @param faults What goes wrong.
   * @throws {TypeError} If one is none.
   * @throws {RangeError} If a number in one is out of its range.
   */
  inject(...faults: Fault[]): void;
  /**
   * Breaks off all connections that are open, now: their clients get a network error.
   *
   * @returns How many there were.
   */
  cut(): number;
  /**
   * Ends the bodies of all connections that are open, now, as if they were complete.
   *
   * @returns How many there were.
   */
  end(): number;
  /**
   * Stops the bytes of all connections that are open, until `resume`.
   *
   * @returns How many there are.
   */
  stall(): number;
  /**
   * Lets the bytes of all connections go on.
   *
   * @returns How many there are.
   */
  resume(): number;
  /**
   * Breaks off all connections; a request that comes later is refused.
   *
   * @returns When it is closed.
   * @throws {unknown} If the handler or the function of `faults` has thrown, which its client got as
   * status 500: that error, or an `AggregateError` of several.
   */
  close(): Promise<void>;
}

/**
 * Makes a network in memory: its `fetch` asks a handler, with no socket and no time of its own.
 *
 * What is tested can tell it from a network by its speed only. A body flows as fast as its reader
 * takes it, and nothing is held between. When the client aborts, or cancels the body, that of the
 * handler is cancelled and the `signal` of its request aborted. What a handler throws is a status 500,
 * which `close` tells of. Redirects are handed on as they are: `connect` and `EventSource` follow them.
 *
 * @param handler What answers.
 * @param options What goes wrong.
 * @returns The network.
 * @throws {TypeError} If the handler is none, or a fault.
 * @throws {RangeError} If a number in a fault is out of its range.
 *
 * @example A client and a server, and a connection that is cut between them
 * ```ts
 * import { connect } from "@webstreams/sse/client";
 * import { Hub } from "@webstreams/sse/server";
 * import { collect, createTransport } from "@webstreams/sse/testing";
 * import { assertEquals } from "@std/assert";
 *
 * await using hub = new Hub();
 * const faults = [{ cut: { events: 1 } }]; // Of the first connection.
 * await using transport = createTransport((request) => hub.fetch(request), { faults });
 *
 * const { fetch } = transport;
 * const connection = connect("http://sse.test/topics/news", { fetch, retry: { initialDelay: 0 } });
 * await connection.opened;
 * const first = await hub.publish("news", { data: "a" });
 * await hub.publish("news", { data: "b" });
 *
 * const events = await collect(connection, { count: 2 });
 * assertEquals(events.map(({ data }) => data), ["a", "b"]);
 * assertEquals(transport.requests.map(({ lastEventId }) => lastEventId), ["", first]);
 * ```
 */
export function createTransport(
  handler: TransportHandler,
  options: TransportOptions = {},
): Transport {
  return new MemoryTransport(handler, options);
}

class MemoryTransport implements Transport, ConnectionOwner {
  readonly fetch: typeof globalThis.fetch = (input, init) => this.#fetch(input, init);
  readonly requests: TransportRequest[] = [];
  readonly #handler: TransportHandler;
  readonly #faults: NonNullable<TransportOptions["faults"]>;
  /** Of `inject`. */
  readonly #next: Fault[] = [];
  readonly #open = new Set<Connection>();
  readonly #failures: unknown[] = [];
  /** Those who wait for requests. */
  readonly #waiting = new Map<number, PromiseWithResolvers<TransportRequest>>();
  readonly #answered = new WeakMap<TransportRequest, Promise<TransportConnection>>();
  #attempts = 0;
  #closed = false;

  constructor(handler: TransportHandler, { faults = [] }: TransportOptions) {
    if (typeof handler !== "function") {
      throw new TypeError(
        `Cannot create transport: the handler must be a function from a Request to a Response: received ${typeof handler}`,
      );
    }
    if (typeof faults !== "function") {
      for (const fault of faults) if (fault !== undefined) checkFault(fault);
    }
    this.#handler = handler;
    this.#faults = typeof faults === "function" ? faults : [...faults];
  }

  get connections(): readonly TransportConnection[] {
    return [...this.#open];
  }

  request(attempt: number): Promise<TransportRequest> {
    const [first] = this.requests;
    const gone = first === undefined ? 0 : first.attempt - 1;
    if (!Number.isInteger(attempt) || attempt <= gone) {
      return Promise.reject(
        new RangeError(
          `Cannot give request: its number must be an integer from ${
            gone + 1
          } up: received ${attempt}`,
        ),
      );
    }
    const request = this.requests[attempt - 1 - gone];
    if (request !== undefined) return Promise.resolve(request);
    if (this.#closed) return Promise.reject(this.#never(attempt));
    const waiting = this.#waiting.get(attempt) ?? Promise.withResolvers<TransportRequest>();
    this.#waiting.set(attempt, waiting);
    return waiting.promise;
  }

  async connection(attempt: number): Promise<TransportConnection> {
    return await this.#answered.get(await this.request(attempt))!;
  }

  inject(...faults: Fault[]): void {
    for (const fault of faults) checkFault(fault);
    this.#next.push(...faults);
  }

  cut(): number {
    return this.#each((connection) => connection.cut());
  }

  end(): number {
    return this.#each((connection) => connection.end());
  }

  stall(): number {
    return this.#each((connection) => connection.stall());
  }

  resume(): number {
    return this.#each((connection) => connection.resume());
  }

  close(): Promise<void> {
    this.#closed = true;
    this.cut();
    for (const [attempt, { reject }] of this.#waiting) reject(this.#never(attempt));
    this.#waiting.clear();
    const failures = this.#failures.splice(0);
    if (failures.length === 0) return Promise.resolve();
    return Promise.reject(
      failures.length === 1 ? failures[0] : new AggregateError(
        failures,
        `Cannot close transport quietly: its handler has thrown ${failures.length} times, see "errors"`,
      ),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  onClosed(connection: Connection): void {
    this.#open.delete(connection);
  }

  onFailure(error: unknown): void {
    if (this.#failures.length < MAX_REQUESTS) this.#failures.push(error);
  }

  async #fetch(input: RequestInfo | URL, init: RequestInit = {}): Promise<Response> {
    // Of a `Request` that is taken over, as `fetch` does it.
    const given = init.signal === undefined && typeof input === "object" && "signal" in input
      ? input.signal
      : init.signal;
    const signal = given ?? undefined;
    signal?.throwIfAborted();
    if (this.#closed) throw new TypeError("Cannot connect: the transport is closed");
    // With a signal of nobody's: it is given one when it is known what goes wrong.
    const asked = new Request(input, { ...init, signal: null });
    const received = new ReceivedRequest(asked, ++this.#attempts);
    const answered = Promise.withResolvers<TransportConnection>();
    this.#answered.set(received, answered.promise);
    this.#keep(received);
    // Whoever waits for it is told.
    answered.promise.catch(() => {});

    let fault: Fault = {};
    let failure: { error: unknown } | undefined;
    try {
      fault = this.#faultOf(received);
    } catch (error) {
      failure = { error };
    }
    const connection = new Connection(received, fault, signal, this);
    this.#open.add(connection);
    try {
      const response = await connection.carry(async () => {
        try {
          if (failure !== undefined) throw failure.error;
          return await this.#answer(asked, fault, connection.signal);
        } catch (error) {
          // One that was at work for a client that has left may well fail of that.
          if (!connection.signal.aborted) this.onFailure(error);
          return new Response("The handler has thrown", { status: 500 });
        }
      });
      answered.resolve(connection);
      return response;
    } catch (error) {
      answered.reject(error);
      throw error;
    }
  }

  async #answer(asked: Request, fault: Fault, signal: AbortSignal): Promise<Response> {
    const { status, body, lastEventId } = fault;
    if (status !== undefined || body !== undefined) {
      return new Response(body ?? null, { status: status ?? 200 });
    }
    const request = new Request(asked, { signal });
    if (lastEventId === "") request.headers.delete("last-event-id");
    else if (lastEventId !== undefined) {
      request.headers.set("last-event-id", lastEventIdHeader(lastEventId) ?? lastEventId);
    }
    const response: unknown = await this.#handler(request);
    if (typeof response !== "object" || response === null || !isResponse(response)) {
      throw new TypeError(
        `Cannot answer: the handler must return a Response: received ${typeof response}`,
      );
    }
    if (response.bodyUsed || response.body?.locked) {
      throw new TypeError(
        "Cannot answer: the body of the response was read already, make a response for each request",
      );
    }
    return response;
  }

  #faultOf(received: TransportRequest): Fault {
    const injected = this.#next.shift();
    if (injected !== undefined) return injected;
    if (typeof this.#faults !== "function") return this.#faults[received.attempt - 1] ?? {};
    const fault = this.#faults(received) ?? {};
    checkFault(fault);
    return fault;
  }

  #keep(received: TransportRequest): void {
    this.requests.push(received);
    if (this.requests.length > MAX_REQUESTS) this.requests.shift();
    this.#waiting.get(received.attempt)?.resolve(received);
    this.#waiting.delete(received.attempt);
  }

  #each(act: (connection: Connection) => void): number {
    const open = [...this.#open];
    for (const connection of open) act(connection);
    return open.length;
  }

  #never(attempt: number): TypeError {
    return new TypeError(
      `Cannot give request ${attempt}: the transport was closed after ${this.#attempts}`,
    );
  }
}
