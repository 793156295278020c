/**
 * Many readers in one process that say how old events are when they come: bare TCP, for what they take
 * of the machine the server does not get. An event begins with the time at which it was published.
 *
 * @module
 */

import { ServerSentEventParser } from "../parse.ts";
import { answer } from "./fanout_answer.ts";
import { Child } from "./fanout_child.ts";

/** The time, by a clock that runs evenly and is the same in all processes. */
export function now(): number {
  return performance.timeOrigin + performance.now();
}

/** Starts such a process. */
export function startAges(title: string): Child {
  const flags = "--v8-flags=--max-semi-space-size=1";
  return new Child(title, Deno.execPath(), ["run", "-A", flags, new URL(import.meta.url).pathname]);
}

/** Connects and asks; in HTTP/1.0 the body comes as it is. */
export async function openReader(port: number, path: string): Promise<Deno.Conn> {
  const connection = await Deno.connect({ hostname: "127.0.0.1", port });
  const request = `GET ${path} HTTP/1.0\r\nhost: 127.0.0.1\r\n\r\n`;
  await connection.write(new TextEncoder().encode(request));
  return connection;
}

function read(): void {
  /** How old the events were when they came, in ms. */
  const ages: number[] = [];
  let expected = Infinity;
  let all: () => void = () => {};

  /** Reads as long as the process runs. */
  async function hold(connection: Deno.Conn): Promise<void> {
    const buffer = new Uint8Array(65_536);
    const parser = new ServerSentEventParser();
    for (;;) {
      const length = await connection.read(buffer);
      if (length === null) throw new Error("Cannot measure: a reader was sent away");
      // What is broadcast is not looked at.
      if (expected === Infinity) continue;
      const time = now();
      for (const { data } of parser.feed(buffer.subarray(0, length))) {
        ages.push(time - parseFloat(data));
      }
      if (ages.length >= expected) all();
    }
  }

  async function wait(): Promise<void> {
    if (expected === Infinity) return;
    if (ages.length < expected) await new Promise<void>((resolve) => all = resolve);
    expected = Infinity;
  }

  answer({
    /** Adds readers; answers when each was told where it is: it misses nothing from there on. */
    async open(port, count) {
      for (let i = 0; i < count; i++) {
        const connection = await openReader(port, "/");
        for (let head = ""; !head.includes("\nid: ");) {
          const chunk = new Uint8Array(1_024);
          const length = await connection.read(chunk);
          if (length === null) throw new Error("Cannot measure: a reader was not let in");
          head += new TextDecoder().decode(chunk.subarray(0, length));
        }
        hold(connection);
      }
      return [];
    },
    /** From now on so many events are counted. */
    expect(events) {
      ages.length = 0;
      expected = events;
      return [];
    },
    /** Waits for them; how many have come, and when the last one did. */
    async wait() {
      await wait();
      return [ages.length, now()];
    },
    /** Waits for them; their ages. */
    async ages() {
      await wait();
      return ages.map((age) => Math.round(age * 1_000) / 1_000);
    },
  });
}

if (import.meta.main) read();
