/**
 * One TCP connection, from the server's side: which requests come on it, and who ends it.
 *
 * @module
 */

import type { Socket } from "node:net";
import { concat } from "../helpers.ts";
import { type RawRequest, takeRequest } from "./http.ts";

/** What a write rejects with once the connection has ended, mostly because the client left. */
export class ClientLeft extends Error {
  override name = "ClientLeft";
}

/** The side that ended a connection first. */
export type Side = "client" | "server";

/** A connection that was accepted. */
export class Connection {
  /** Its place in the order of acceptance. */
  readonly index: number;
  /** Whether the client still holds it: a FIN of the server alone leaves it open. */
  open = true;
  /** Resolves when the client has closed it, or a reset has. */
  readonly closed: Promise<Side>;
  /** Resolves when nothing is left of it on the server either. */
  readonly gone: Promise<void>;

  #socket: Socket;
  #received: Uint8Array = new Uint8Array(0);
  #endedBy: Side | undefined;
  #wake: () => void = () => {};

  constructor(socket: Socket, index: number) {
    const closed = Promise.withResolvers<Side>();
    const gone = Promise.withResolvers<void>();
    this.#socket = socket;
    this.index = index;
    this.closed = closed.promise;
    this.gone = gone.promise;
    const end = () => {
      this.open = false;
      this.#endedBy ??= "client";
      closed.resolve(this.#endedBy);
      this.#wake();
      socket.destroy();
    };
    socket.setNoDelay(true);
    // Data must flow, wanted or not: the end is seen behind it only.
    socket.on("data", (bytes) => {
      // Never text: no encoding is set.
      if (typeof bytes !== "string") this.#received = concat(this.#received, bytes);
      this.#wake();
    });
    socket.on("end", end);
    socket.on("error", end);
    socket.on("close", () => {
      end();
      gone.resolve();
    });
  }

  /** The requests on this connection, each read when the last has been dealt with. */
  async *requests(): AsyncGenerator<RawRequest> {
    for (;;) {
      const taken = takeRequest(this.#received);
      if (taken !== undefined) {
        this.#received = this.#received.subarray(taken.length);
        yield taken.request;
      } else if (this.#endedBy !== undefined) return;
      else await new Promise<void>((resolve) => this.#wake = resolve);
    }
  }

  /** Resolves when the kernel has taken all the bytes. */
  write(bytes: Uint8Array): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#endedBy !== undefined) throw new ClientLeft(`The ${this.#endedBy} has ended`);
      this.#socket.write(bytes, (cause) => {
        if (!cause) return resolve();
        // A write may fail before the end is told.
        this.#endedBy ??= "client";
        reject(new ClientLeft("The client has left", { cause }));
      });
    });
  }

  /** Ends the server's side (FIN) after what was written. */
  end(): void {
    this.#endedBy ??= "server";
    this.#socket.end();
    this.#wake();
  }

  /** Ends both sides (RST). */
  reset(): void {
    this.#endedBy ??= "server";
    this.#socket.resetAndDestroy();
  }

  /** Frees all, without a word more. */
  destroy(): void {
    this.#endedBy ??= "server";
    this.#socket.destroy();
  }
}
