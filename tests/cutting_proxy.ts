/**
 * A network that breaks: a proxy that cuts a response behind a text, where the message goes on.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import type { Running } from "./listen.ts";

/** A proxy that has been used. */
export interface CuttingProxy extends Running {
  /** The texts that no response held. */
  readonly left: readonly string[];
}

const hostname = "127.0.0.1";

/** Stands before a port. The first response that holds one of the texts is cut behind it. */
export function cuttingProxy(port: number, texts: readonly string[]): CuttingProxy {
  const listener = Deno.listen({ hostname, port: 0 });
  const left = [...texts];
  const stop = new AbortController();
  const relays: Promise<unknown>[] = [];

  async function relay(client: Deno.Conn): Promise<void> {
    const server = await Deno.connect({ hostname, port });
    const end = new AbortController();
    const signal = AbortSignal.any([end.signal, stop.signal]);
    let seen = "";
    const cutter = new TransformStream<Uint8Array, Uint8Array>({
      transform(chunk, controller) {
        // One character a byte, so that lengths are those of the bytes.
        const before = seen.length;
        seen += Buffer.from(chunk).toString("latin1");
        const text = left.find((text) => seen.includes(text));
        if (text === undefined) return controller.enqueue(chunk);
        left.splice(left.indexOf(text), 1);
        controller.enqueue(chunk.subarray(0, seen.indexOf(text) + text.length - before));
        controller.terminate();
      },
    });
    await Promise.allSettled([
      client.readable.pipeTo(server.writable, { signal }).finally(() => end.abort()),
      server.readable.pipeThrough(cutter, { signal }).pipeTo(client.writable, { signal })
        .finally(() => end.abort()),
    ]);
  }

  const accepting = (async () => {
    for await (const client of listener) relays.push(relay(client));
  })();
  return {
    port: listener.addr.port,
    left,
    async [Symbol.asyncDispose]() {
      listener.close();
      await accepting;
      stop.abort();
      await Promise.all(relays);
    },
  };
}
