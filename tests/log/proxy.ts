/**
 * A TCP proxy on loopback that stands between a client and its engine, and makes the network bad.
 *
 * @module
 */

import { delay, now } from "../fault/real_time.ts";

/** How many chunks of a direction wait for their time; beyond, the sender does. */
const MAX_CHUNKS = 4_096;

/** See the module. */
export class Proxy implements AsyncDisposable {
  /** How long each chunk takes in each direction, in ms. It may be changed at any time. */
  delay = 0;
  readonly #target: number;
  readonly #listener: Deno.TcpListener;
  readonly #accepting: Promise<void>;
  readonly #pipes = new Set<Promise<void>>();
  readonly #connections = new Set<Deno.TcpConn>();
  #refusing = false;
  #held: { promise: Promise<void>; resolve(): void } | undefined = undefined;

  /** @param target The port of the engine, on 127.0.0.1. */
  constructor(target: number) {
    this.#target = target;
    this.#listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    this.#accepting = this.#accept();
  }

  /** Where it listens. */
  get port(): number {
    return this.#listener.addr.port;
  }

  /** How many connections of clients are open. */
  get size(): number {
    return this.#connections.size / 2;
  }

  /** Cuts all connections that there are. New ones are taken. */
  cut(): void {
    for (const connection of this.#connections) close(connection);
    this.#connections.clear();
  }

  /** Closes each new connection at once, or takes them again. */
  refuse(refusing: boolean): void {
    this.#refusing = refusing;
  }

  /** Lets no byte through, in any direction, or all that have waited: a network that is silent. */
  hold(holding: boolean): void {
    if (holding) {
      this.#held ??= Promise.withResolvers<void>();
    } else {
      this.#held?.resolve();
      this.#held = undefined;
    }
  }

  /** Listens no longer, and cuts all. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    this.cut();
    this.hold(false);
    await this.#accepting;
    this.cut();
    await Promise.all(this.#pipes);
  }

  async #accept(): Promise<void> {
    for await (const client of this.#listener) {
      if (this.#refusing) {
        close(client);
        continue;
      }
      const pipe = this.#connect(client);
      this.#pipes.add(pipe);
      void pipe.finally(() => this.#pipes.delete(pipe));
    }
  }

  async #connect(client: Deno.TcpConn): Promise<void> {
    this.#connections.add(client);
    let engine: Deno.TcpConn;
    try {
      engine = await Deno.connect({ hostname: "127.0.0.1", port: this.#target });
    } catch {
      close(client);
      this.#connections.delete(client);
      return;
    }
    engine.setNoDelay(true);
    client.setNoDelay(true);
    // It was cut in the meantime.
    if (!this.#connections.has(client)) return close(engine);
    this.#connections.add(engine);
    await Promise.all([this.#pipe(client, engine), this.#pipe(engine, client)]);
    this.#connections.delete(client);
    this.#connections.delete(engine);
  }

  /** Carries bytes one way, each chunk after its delay, until one of both ends. */
  async #pipe(from: Deno.TcpConn, to: Deno.TcpConn): Promise<void> {
    const waiting: { bytes: Uint8Array; due: number }[] = [];
    let wake = () => {};
    let over = false;
    const write = async () => {
      for (;;) {
        const chunk = waiting.shift();
        if (chunk === undefined) {
          if (over) return;
          await new Promise<void>((resolve) => wake = resolve);
          continue;
        }
        const rest = chunk.due - now();
        if (rest > 0) await delay(rest);
        await this.#held?.promise;
        for (let at = 0; at < chunk.bytes.length;) at += await to.write(chunk.bytes.subarray(at));
      }
    };
    const read = async () => {
      const buffer = new Uint8Array(65_536);
      for (;;) {
        const length = await from.read(buffer);
        if (length === null) return;
        // Bytes that are held do not pile up.
        if (waiting.length > MAX_CHUNKS) await this.#held?.promise;
        waiting.push({ bytes: buffer.slice(0, length), due: now() + this.delay });
        wake();
      }
    };
    const writing = write().catch(() => {});
    await read().catch(() => {});
    over = true;
    wake();
    await writing;
    close(from);
    close(to);
  }
}

/** Closes what may be closed already. */
function close(connection: Deno.TcpConn): void {
  try {
    connection.close();
  } catch {
    // It is.
  }
}
