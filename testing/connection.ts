/**
 * One request and its answer, as the network has them that is between a client and its server.
 *
 * @module
 */

import { orAbort } from "../client/opening.ts";
import { startTimer } from "../client/timers.ts";
import { type Fault, POINTS } from "./fault.ts";
import type { TransportRequest } from "./request.ts";
import { Meter, Shaper } from "./shaper.ts";

/**
 * What has ended a connection: the client gave it up, the server ended its body (or broke off), or a
 * fault did, `cut` and `end` included.
 */
export type TransportEnd = "client" | "server" | "fault";

/** One request and its answer, while they are under way and after. */
export interface TransportConnection {
  /** What was asked. */
  readonly request: TransportRequest;
  /** How many bytes of the body the client has got. */
  readonly bytes: number;
  /** How many events of an event stream the client has got whole. */
  readonly events: number;
  /** What has ended it, once something has; it never rejects. */
  readonly closed: Promise<TransportEnd>;
  /** Breaks it off now: the client gets a network error, and the server's side is cancelled. */
  cut(): void;
  /** Ends the body now, as if it were complete. Before there is an answer it is a `cut`. */
  end(): void;
  /** Stops the bytes, and an answer that is yet to come, until `resume`. */
  stall(): void;
  /** Lets the bytes go on. */
  resume(): void;
}

/** Who has a connection. */
export interface ConnectionOwner {
  /** Told of the end, once. */
  onClosed(connection: Connection): void;
  /** Told of what a server did that none may do. */
  onFailure(error: unknown): void;
}

/** See {@linkcode TransportConnection}. */
export class Connection implements TransportConnection {
  readonly request: TransportRequest;
  readonly #fault: Fault;
  readonly #clientSignal: AbortSignal | undefined;
  readonly #owner: ConnectionOwner;
  readonly #shaper: Shaper;
  readonly #meter: Meter;
  readonly #closed = Promise.withResolvers<TransportEnd>();
  readonly closed: Promise<TransportEnd> = this.#closed.promise;
  /** Aborted when the server's work is of no use any more. */
  readonly #server = new AbortController();
  /** Aborted when nothing more comes to the client, with what it is told. */
  readonly #client = new AbortController();
  #over = false;
  #stalled: PromiseWithResolvers<void> | undefined = undefined;
  /** Stalled where the fault says so, which happens once. */
  #hasStalled = false;
  #source: ReadableStreamDefaultReader<unknown> | undefined = undefined;
  #body: ReadableStreamDefaultController<Uint8Array> | undefined = undefined;

  /**
   * @param request What is asked.
   * @param fault What goes wrong.
   * @param clientSignal The signal of the client, if it has one; not aborted yet.
   * @param owner Who has it.
   */
  constructor(
    request: TransportRequest,
    fault: Fault,
    clientSignal: AbortSignal | undefined,
    owner: ConnectionOwner,
  ) {
    this.request = request;
    this.#fault = fault;
    this.#clientSignal = clientSignal;
    this.#owner = owner;
    this.#shaper = new Shaper(fault);
    this.#meter = new Meter(POINTS.flatMap((name) => fault[name] ?? []));
    clientSignal?.addEventListener("abort", this.#onAbort);
  }

  get bytes(): number {
    return this.#meter.bytes;
  }

  get events(): number {
    return this.#meter.events;
  }

  /** Aborted when the client has left, or the connection has broken off. */
  get signal(): AbortSignal {
    return this.#server.signal;
  }

  cut(): void {
    this.#breakOff("fault", new TypeError("Cannot go on: the connection was cut by its transport"));
  }

  end(): void {
    if (this.#body === undefined) return this.cut();
    if (this.#finish("fault")) this.#body.close();
  }

  stall(): void {
    if (!this.#over) this.#stalled ??= Promise.withResolvers();
  }

  resume(): void {
    this.#stalled?.resolve();
    this.#stalled = undefined;
  }

  /**
   * Brings the request to a server and its answer back.
   *
   * @param answer Asks the server.
   * @returns What the client gets.
   */
  async carry(answer: () => Promise<Response>): Promise<Response> {
    const { delay = 0, refuse, headers } = this.#fault;
    let answered: Promise<Response> | undefined;
    try {
      if (delay > 0) await this.#wait(delay);
      await this.#flow();
      if (refuse) {
        throw new TypeError("Cannot connect: the connection was refused by its transport");
      }
      answered = answer();
      const response = await orAbort(answered, this.#client.signal);
      await this.#flow();
      return this.#respond(response, headers);
    } catch (error) {
      this.#breakOff("fault", error);
      // Nobody waits for it any more, whenever it comes.
      answered?.then(({ body }) => body?.cancel()).catch(() => {});
      throw error;
    }
  }

  #respond(response: Response, added: Fault["headers"]): Response {
    // It may have been cut in the turns since it was looked at last.
    this.#client.signal.throwIfAborted();
    // `Response.error()`.
    if (response.type === "error") throw new TypeError("Cannot go on: the server broke off");
    const { status, statusText } = response;
    const headers = new Headers(response.headers);
    new Headers(added).forEach((value, name) => headers.set(name, value));
    const body = response.body === null ? null : this.#open(response.body);
    if (body === null) this.#finish("server");
    const received = new Response(body, { status, statusText, headers });
    // As that of `fetch`, which no constructor can give it.
    Object.defineProperty(received, "url", { value: this.request.url.split("#")[0] });
    return received;
  }

  #open(source: ReadableStream<unknown>): ReadableStream<Uint8Array> {
    this.#source = source.getReader();
    return new ReadableStream<Uint8Array>({
      start: (controller) => {
        this.#body = controller;
        this.#look();
      },
      pull: () => this.#pull(),
      cancel: () => void this.#finish("client"),
      // A client that does not read stops the server: nothing is held between them.
    }, { highWaterMark: 0 });
  }

  async #pull(): Promise<void> {
    for (;;) {
      await this.#resumed();
      if (this.#over) return;
      const piece = this.#shaper.take();
      if (piece !== undefined) return this.#send(piece);
      try {
        const { done, value } = await this.#source!.read();
        await this.#resumed();
        if (this.#over) return;
        if (done) return this.#close();
        this.#shaper.push(this.#bytesOf(value));
      } catch (cause) {
        const broken = new TypeError("Cannot go on: the server broke off", { cause });
        return this.#breakOff("server", broken);
      }
    }
  }

  #send(piece: Uint8Array): void {
    const length = this.#meter.count(piece);
    this.#shaper.putBack(piece.subarray(length));
    this.#body?.enqueue(piece.subarray(0, length));
    this.#look();
  }

  /** Whether a fault happens here. What was sent is with the client by then: it had asked for it. */
  #look(): void {
    const { cut, end, stall } = this.#fault;
    if (cut !== undefined && this.#meter.passed(cut)) return this.cut();
    if (end !== undefined && this.#meter.passed(end)) return this.end();
    if (stall === undefined || this.#hasStalled || !this.#meter.passed(stall)) return;
    this.#hasStalled = true;
    this.stall();
  }

  #close(): void {
    if (this.#finish("server")) this.#body?.close();
  }

  readonly #onAbort = (): void => {
    this.#breakOff("client", this.#clientSignal?.reason);
  };

  #breakOff(by: TransportEnd, error: unknown): void {
    if (!this.#finish(by)) return;
    this.#client.abort(error);
    this.#body?.error(error);
  }

  /** Whether it was the first end. */
  #finish(by: TransportEnd): boolean {
    if (this.#over) return false;
    this.#over = true;
    this.#clientSignal?.removeEventListener("abort", this.#onAbort);
    this.resume();
    const gone = new DOMException("The client has left", "AbortError");
    // Nothing happens to one that has ended.
    this.#source?.cancel(gone).catch(() => {});
    if (by !== "server") this.#server.abort(gone);
    this.#owner.onClosed(this);
    this.#closed.resolve(by);
    return true;
  }

  /** Waits, unless it is over before. */
  async #wait(ms: number): Promise<void> {
    const waited = Promise.withResolvers<void>();
    const stop = ms === Infinity ? () => {} : startTimer(waited.resolve, ms);
    try {
      await orAbort(waited.promise, this.#client.signal);
    } finally {
      stop();
    }
  }

  async #flow(): Promise<void> {
    await this.#resumed();
    this.#client.signal.throwIfAborted();
  }

  /** Waits while it is stalled, also again by the time that this is known. */
  async #resumed(): Promise<void> {
    while (this.#stalled !== undefined) await this.#stalled.promise;
  }

  /** By shape: a platform may have arrays of its own, as jsdom does. */
  #bytesOf(chunk: unknown): Uint8Array {
    if (ArrayBuffer.isView(chunk)) {
      return new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    }
    const error = new TypeError(
      `Cannot send chunk: the body of a response must be of bytes: received ${typeof chunk}`,
    );
    this.#owner.onFailure(error);
    throw error;
  }
}
