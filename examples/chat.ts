/**
 * A chat: rooms with a history that is replayed to who joins, messages that are posted once however
 * often they are sent, and who is here.
 *
 * ```sh
 * deno run --allow-net=127.0.0.1 --allow-env=PORT examples/chat.ts
 * curl -N 'http://127.0.0.1:8000/topics/lobby?name=ann'
 * curl -H 'content-type: text/plain' -H 'Idempotency-Key: 1' -d 'ann: hi' http://127.0.0.1:8000/topics/lobby
 * ```
 *
 * @module
 */

import { type EventLog, Hub, MemoryEventLog } from "@webstreams/sse/server";
import { run } from "./run.ts";

const USAGE = `Usage: deno run --allow-net=127.0.0.1 --allow-env=PORT examples/chat.ts

A chat with two rooms, lobby and garden:
  curl -N 'http://127.0.0.1:8000/topics/lobby?name=ann'
  curl -H 'content-type: text/plain' -H 'Idempotency-Key: 1' -d 'ann: hi' \\
    http://127.0.0.1:8000/topics/lobby`;

interface Guest {
  name: string;
  room: string;
}

// With a log on Redis or NATS the rooms, and how many are in them, are those of all processes.
async function openChat(rooms: string[], log: EventLog) {
  const hub = new Hub<Guest>({
    log,
    presence: true,
    retry: 500,
    maxBodySize: 4_096,
    onSession: ({ state }) => queueMicrotask(() => tellWhoIsHere(state.room)),
  });

  /** Each room with the id of its first event: the place before all messages. */
  const starts = new Map<string, string>();
  for (const room of rooms) {
    const opened = { event: "opened", data: room };
    starts.set(room, await hub.publish(room, opened, { idempotencyKey: "opened" }));
  }

  /** Sent to those who are here now, and kept for nobody: a history has no use for it. */
  function tellWhoIsHere(room: string): void {
    const guests = Array.from(hub.sessions()).filter(({ state }) => state.room === room);
    const names = [...new Set(guests.map(({ state }) => state.name))].sort();
    const data = JSON.stringify({ count: hub.presence(room), names });
    for (const guest of guests) guest.send({ event: "here", data });
  }

  async function handler(request: Request): Promise<Response> {
    const { pathname, searchParams } = new URL(request.url);
    const room = pathname.replace("/topics/", "");
    const start = starts.get(room);
    if (start === undefined) return new Response("No such room\n", { status: 404 });
    // If no answer came a message is sent once more: its `Idempotency-Key` tells.
    if (request.method !== "GET") return await hub.fetch(request);
    const name = searchParams.get("name")?.slice(0, 40) || "somebody";
    // Without a last event ID one begins with what comes next. Who joins begins with the history, or
    // with an event of type `gap` if the log holds it no longer from the start.
    const headers = new Headers(request.headers);
    if (!headers.has("last-event-id")) headers.set("last-event-id", start);
    const joining = new Request(request.url, { headers });
    return hub.subscribe(joining, { topics: [room], state: { name, room } });
  }

  return { handler, close: () => hub.close() };
}

await run(USAGE, async (listen) => {
  const log = new MemoryEventLog({ maxEvents: 200 });
  const { handler, close } = await openChat(["lobby", "garden"], log);
  const server = Deno.serve(listen, handler);
  return { port: server.addr.port, finished: server.finished, close };
});
