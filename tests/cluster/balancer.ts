/**
 * A load balancer for tests: each connection goes to the next server that takes it.
 *
 * @module
 */

/** Hands connections to servers, round robin. */
export class Balancer implements AsyncDisposable {
  readonly port: number;
  /** The ports of the servers that are in rotation. */
  readonly servers: Set<number>;
  readonly #listener: Deno.TcpListener;
  readonly #sockets = new Set<Deno.TcpConn>();
  readonly #accepting: Promise<void>;
  #turn = 0;

  /** Listens on a free port of loopback. */
  constructor(servers: Iterable<number>) {
    this.servers = new Set(servers);
    this.#listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    this.port = this.#listener.addr.port;
    this.#accepting = this.#accept();
  }

  /** Takes no more, and cuts all there are. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    await this.#accepting;
    for (const socket of this.#sockets) this.#close(socket);
  }

  async #accept(): Promise<void> {
    for await (const client of this.#listener) this.#serve(client);
  }

  async #serve(client: Deno.TcpConn): Promise<void> {
    this.#sockets.add(client);
    const server = await this.#connect();
    // Nobody is there: the client is told by the end of its connection.
    if (server === undefined) return this.#close(client);
    this.#sockets.add(server);
    // Whoever goes first, the other one is cut.
    const ends = [
      client.readable.pipeTo(server.writable).catch(() => {}),
      server.readable.pipeTo(client.writable).catch(() => {}),
    ];
    await Promise.race(ends);
    this.#close(client);
    this.#close(server);
  }

  async #connect(): Promise<Deno.TcpConn | undefined> {
    const ports = [...this.servers];
    for (let i = 0; i < ports.length; i++) {
      const port = ports[this.#turn++ % ports.length];
      try {
        return await Deno.connect({ hostname: "127.0.0.1", port });
      } catch {
        // The next one.
      }
    }
    return undefined;
  }

  #close(socket: Deno.TcpConn): void {
    this.#sockets.delete(socket);
    try {
      socket.close();
    } catch {
      // It was closed with its stream.
    }
  }
}
