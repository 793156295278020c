/**
 * A server that answers by script, well or badly, down to the byte: for the tests of a client.
 *
 * It speaks HTTP/1.1 on a socket of 127.0.0.1 and keeps all that it received. A test waits for facts
 * (`request(n)`, `closed(n)`), also under a fake clock, if that leaves `process.nextTick` alone.
 *
 * @module
 */

import { createServer, type Server } from "node:net";
import { type Answer, sendAnswer } from "./answer.ts";
import { ClientLeft, Connection, type Side } from "./connection.ts";
import { assertSocketsRun, within } from "./real_time.ts";
import { Reply } from "./reply.ts";
import { ReceivedRequest } from "./request.ts";

/**
 * What answers a request by code: with `reply`, or with an answer that it returns. A reply that
 * neither has ended stays open, and the test may go on with `request.reply`.
 */
export type Responder = (
  request: ReceivedRequest,
  reply: Reply,
) => Answer | void | Promise<Answer | void>;

/** One step of a script; "hold" sends nothing and leaves the reply to the test. */
export type Step = Answer | Responder | "hold";

/** Options of {@linkcode faultServer}. */
export interface FaultServerOptions {
  /** What answers the requests past the script; without it such a request is a failure. */
  rest?: Step;
  /** Whether a connection may carry a further request. @default {false} */
  keepAlive?: boolean;
  /** Real milliseconds after which a wait for a fact fails. @default {5000} */
  patience?: number;
}

/**
 * Starts a server on a free port.
 *
 * @param script One step for each request, in the order in which they come; or one for all.
 */
export async function faultServer(
  script: Step[] | Responder,
  options: FaultServerOptions = {},
): Promise<FaultServer> {
  assertSocketsRun();
  const listener = createServer();
  await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve));
  return typeof script === "function"
    ? new FaultServer(listener, [], { ...options, rest: script })
    : new FaultServer(listener, script, options);
}

/** A running server, made by {@linkcode faultServer}. */
export class FaultServer implements AsyncDisposable {
  /** Its address, without a slash at the end. */
  readonly origin: string;
  /** A URL on it. Any other path is answered as well. */
  readonly url: string;
  /** All requests so far. */
  readonly requests: ReceivedRequest[] = [];
  /** All connections so far. */
  readonly connections: Connection[] = [];
  /** What went wrong in the script or in a request, which {@linkcode close} throws. */
  readonly failures: unknown[] = [];

  #listener: Server;
  #script: Step[];
  #rest: Step | undefined;
  #keepAlive: boolean;
  #patience: number;
  #waiting = new Set<() => void>();

  /** Use {@linkcode faultServer}. */
  constructor(listener: Server, script: Step[], options: FaultServerOptions) {
    const address = listener.address();
    if (address === null || typeof address === "string") throw new TypeError("Not listening");
    this.origin = `http://127.0.0.1:${address.port}`;
    this.url = `${this.origin}/events`;
    this.#listener = listener;
    this.#script = script;
    this.#rest = options.rest;
    this.#keepAlive = options.keepAlive ?? false;
    this.#patience = options.patience ?? 5_000;
    listener.on("connection", (socket) => {
      const connection = new Connection(socket, this.connections.length);
      this.connections.push(connection);
      this.#serve(connection).catch((error) => {
        this.failures.push(error);
        connection.destroy();
      });
    });
  }

  /** How many connections the client holds. */
  get open(): number {
    return this.connections.filter((connection) => connection.open).length;
  }

  /**
   * Resolves when `requests[n]` has arrived.
   *
   * @throws {Error} If it did not in time.
   */
  async request(n: number): Promise<ReceivedRequest> {
    assertSocketsRun();
    const arrived = Promise.withResolvers<void>();
    const check = () => n < this.requests.length && arrived.resolve();
    this.#waiting.add(check);
    check();
    try {
      await within(arrived.promise, this.#patience, () => {
        const came = this.requests.map(({ method, target }, i) => `${i}: ${method} ${target}`);
        return `Cannot give request ${n}: after ${this.#patience} ms there were ${
          came.join(", ") || "none"
        }`;
      });
    } finally {
      this.#waiting.delete(check);
    }
    return this.requests[n];
  }

  /**
   * Resolves when the client has closed the connection of `requests[n]`, or a reset has.
   *
   * @returns The side that ended it first.
   * @throws {Error} If the request or the end did not come in time.
   */
  async closed(n: number): Promise<Side> {
    const { connection } = await this.request(n);
    return await within(
      connection.closed,
      this.#patience,
      () => `Cannot see request ${n} closed: after ${this.#patience} ms the client still holds it`,
    );
  }

  /**
   * Closes the listener and all connections. A second call does nothing.
   *
   * @throws What went wrong in the script, if anything did.
   */
  async close(): Promise<void> {
    if (!this.#listener.listening) return;
    const closed = new Promise((resolve) => this.#listener.close(resolve));
    for (const connection of this.connections) connection.destroy();
    await Promise.all(this.connections.map((connection) => connection.gone));
    await closed;
    await within(
      Promise.all(this.requests.map((request) => request.answered)),
      this.#patience,
      () => `Cannot close: a responder has not returned after ${this.#patience} ms`,
    );
    if (this.failures.length === 1) throw this.failures[0];
    if (this.failures.length > 1) throw new AggregateError(this.failures, "The script failed");
  }

  /** Is {@linkcode close}. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #serve(connection: Connection): Promise<void> {
    for await (const raw of connection.requests()) {
      const reply = new Reply(connection, this.#keepAlive);
      const request = new ReceivedRequest(raw, connection, reply);
      const step = this.#script[this.requests.length] ?? this.#rest;
      this.requests.push(request);
      request.answered = this.#answer(request, step).catch((error) => {
        if (error instanceof ClientLeft) return;
        this.failures.push(error);
        connection.destroy();
      });
      for (const check of this.#waiting) check();
      await Promise.race([reply.ended, connection.closed]);
    }
  }

  async #answer(request: ReceivedRequest, step: Step | undefined): Promise<void> {
    if (step === undefined) {
      const steps = this.#script.length;
      throw new Error(
        `Cannot answer ${request.method} ${request.target}: the script has no step past ${steps}`,
      );
    }
    if (step === "hold") return;
    const answer = typeof step === "function" ? await step(request, request.reply) : step;
    if (answer !== undefined) await sendAnswer(request.reply, answer);
  }
}
