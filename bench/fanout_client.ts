/**
 * Many readers of a server of `fanout.ts` in one process: bare TCP, for what they take of the machine
 * the server does not get.
 *
 * @module
 */

import { answer } from "./fanout_answer.ts";

const REQUEST = new TextEncoder().encode(
  "GET / HTTP/1.1\r\nhost: 127.0.0.1\r\naccept: text/event-stream\r\n\r\n",
);
const HEAD = new TextEncoder().encode("HTTP/1.1 200 ");
/** How many connect at a time: a server has a backlog of so many. */
const AT_ONCE = 50;

/**
 * Events have one `}` each, their last byte, and nothing else that a server sends has any: not its
 * head, not what it says at first, no keep-alive. To look for blank lines would count those too.
 */
const END = 0x7d;

/** How many events each connection has had. */
const counts: number[] = [];
let total = 0;
let target = Infinity;
let reached: () => void = () => {};
/** Connections that have ended, which none should. */
let lost = 0;

/** Holds a connection from its response on. */
async function hold(port: number): Promise<void> {
  const connection = await Deno.connect({ hostname: "127.0.0.1", port });
  await connection.write(REQUEST);
  const buffer = new Uint8Array(16_384);
  const length = await connection.read(buffer);
  if (length === null || !HEAD.every((byte, i) => byte === buffer[i])) {
    throw new Error("Cannot measure: the server did not answer with 200");
  }
  read(connection, buffer, counts.push(0) - 1).catch(() => {}).finally(() => {
    lost++;
    reached();
  });
}

async function read(connection: Deno.Conn, buffer: Uint8Array, number: number): Promise<void> {
  for (;;) {
    const length = await connection.read(buffer);
    if (length === null) return;
    let events = 0;
    for (let i = 0; i < length; i++) if (buffer[i] === END) events++;
    counts[number] += events;
    total += events;
    if (total >= target) reached();
  }
}

answer({
  /** Adds connections; answers when all have a response. */
  async open(port, count) {
    for (let left = count; left > 0; left -= AT_ONCE) {
      const some = Array.from({ length: Math.min(left, AT_ONCE) }, () => hold(port));
      await Promise.all(some);
    }
    return [];
  },
  /** Counts from 0 again. */
  reset() {
    counts.fill(0);
    total = 0;
    return [];
  },
  /**
   * Waits until each connection has had so many events. Answers the time of day when that was, how
   * many connections are lost, and how many have had another number of events.
   */
  async wait(events) {
    target = events * counts.length;
    if (total < target && lost === 0) await new Promise<void>((resolve) => reached = resolve);
    const now = Date.now();
    target = Infinity;
    return [now, lost, counts.filter((count) => count !== events).length];
  },
});
