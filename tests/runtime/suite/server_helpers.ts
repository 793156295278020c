/**
 * What the server tests share.
 *
 * @module
 */

import type { EventStreamConnection } from "@webstreams/sse";
import type { Harness } from "../harness.ts";

/** A request by a reader that has this last event ID, `""` for none; as UTF-8, as clients send it. */
export function askFor(lastEventId = "", init: RequestInit = {}, path = ""): Request {
  const headers = new Headers(init.headers);
  if (lastEventId !== "") headers.set("last-event-id", asHeader(lastEventId));
  return new Request(`http://sse.example/${path}`, { ...init, headers });
}

/** One character a byte, except where `Headers` take any text and make UTF-8 of it, as in workerd. */
function asHeader(text: string): string {
  try {
    new Headers({ "x-text": "\u0100" });
    return text;
  } catch {
    return String.fromCharCode(...new TextEncoder().encode(text));
  }
}

/** Events without an end, and what became of them. */
export function endless(size = 100): {
  events: AsyncGenerator<{ data: string }>;
  log: { pulled: number; ended: boolean };
} {
  const log = { pulled: 0, ended: false };
  async function* generate() {
    try {
      for (;;) {
        log.pulled++;
        yield { data: "x".repeat(size) };
        // A task of its own now and then: others are to run.
        if (log.pulled % 50 === 0) await new Promise((resolve) => setTimeout(resolve, 0));
      }
    } finally {
      log.ended = true;
    }
  }
  return { events: generate(), log };
}

/** Asserts that a reader that takes one event of 64 KiB, and no more, has little pulled. */
export async function assertHeldBack(
  connection: EventStreamConnection,
  log: { pulled: number; ended: boolean },
  assert: Harness["assert"],
): Promise<void> {
  await connection.next();
  // What the system and the engine hold fills up, and then it stands still.
  let before = -1;
  for (let i = 0; i < 50 && log.pulled !== before; i++) {
    before = log.pulled;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  const still = log.pulled;
  await connection.return();
  assert.ok(still === before && still < 1_000, `${still} events of 64 KiB were pulled`);
  for (let i = 0; i < 50 && !log.ended; i++) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  assert.ok(log.ended, "the generator was not ended");
}

/** The data of the next events of a reader. */
export async function takeFrom(
  reader: AsyncIterator<{ data: string }, undefined>,
  count: number,
): Promise<string[]> {
  const data: string[] = [];
  while (data.length < count) {
    const { done, value } = await reader.next();
    if (done) break;
    data.push(value.data);
  }
  return data;
}
