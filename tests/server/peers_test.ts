/** {@linkcode Channel} read by clients that nobody here wrote, and by ours: all resume, none loses. */

import { assertEquals } from "@std/assert";
import { EventSource } from "eventsource";
import { Agent, EventSource as UndiciEventSource } from "undici";
import { connect } from "../../client.ts";
import { EventSource as OurEventSource } from "../../event_source.ts";
import { readEvents } from "../../parse.ts";
import { Channel } from "../../server.ts";
import { within } from "../fault/real_time.ts";
import { requireProgram } from "../programs.ts";

/** What a client has seen of an event. */
interface Seen {
  event: string;
  data: string;
  id: string;
}

/** Reads events until it is told to stop, and comes back after each end, where it was. */
type Client = (url: string, onEvent: (event: Seen) => void) => () => void | Promise<void>;

/** The part of an EventSource that is used here, whoever made it. */
interface EventSourceLike {
  addEventListener(
    type: string,
    listener: (event: { type: string; data: string; lastEventId: string }) => void,
  ): void;
  close(): void;
}

function eventSource(make: (url: string) => EventSourceLike, stop?: () => Promise<void>): Client {
  return (url, onEvent) => {
    const source = make(url);
    for (const type of ["message", "tick"]) {
      source.addEventListener(type, ({ type, data, lastEventId }) => {
        onEvent({ event: type, data, id: lastEventId });
      });
    }
    return async () => {
      source.close();
      await stop?.();
    };
  };
}

/** Its sockets would outlive the test. */
const agent = new Agent();

/** For those that read one response: asks again with the last id. */
function again(read: (url: string, id: string, onEvent: (event: Seen) => void) => Reading): Client {
  return (url, onEvent) => {
    let stopped = false;
    let reading: Reading | undefined;
    let id = "";
    const loop = async () => {
      while (!stopped) {
        reading = read(url, id, (event) => {
          id = event.id;
          onEvent(event);
        });
        await reading.ended;
      }
    };
    const ended = loop();
    return async () => {
      stopped = true;
      reading?.stop();
      await ended;
    };
  };
}

interface Reading {
  ended: Promise<unknown>;
  stop(): void;
}

async function readAll(
  body: ReadableStream<Uint8Array>,
  lastEventId: string,
  onEvent: (event: Seen) => void,
): Promise<void> {
  for await (const event of readEvents(body, { lastEventId })) onEvent(event);
}

const clients: Record<string, Client> = {
  "eventsource": eventSource((url) => new EventSource(url)),
  "our EventSource": eventSource((url) => new OurEventSource(url)),
  "connect": (url, onEvent) => {
    const connection = connect(url, { retry: { initialDelay: 10 } });
    const loop = (async () => {
      for await (const event of connection) onEvent(event);
    })();
    return async () => {
      connection.close();
      await loop;
    };
  },
  "a bare fetch": again((url, id, onEvent) => {
    const controller = new AbortController();
    const headers = id === "" ? undefined : { "last-event-id": id };
    const ended = fetch(url, { headers, signal: controller.signal })
      .then((response) => readAll(response.body!, id, onEvent))
      .catch(() => {});
    return { ended, stop: () => controller.abort() };
  }),
};

if (await requireProgram("curl", ["--version"], "apt-get install curl")) {
  clients["curl -N"] = again((url, id, onEvent) => {
    const args = ["-sN", "--noproxy", "*", "-H", `Last-Event-ID: ${id}`, url];
    const curl = new Deno.Command("curl", { args, stdin: "null", stdout: "piped" }).spawn();
    const ended = Promise.all([readAll(curl.stdout, id, onEvent), curl.status]);
    return {
      ended,
      stop: () => {
        try {
          curl.kill();
        } catch {
          // It has ended by itself.
        }
      },
    };
  });
}

// The last one: it leaves a timer running, by which it measures all its times.
const LEAKY = "undici's EventSource";
clients[LEAKY] = eventSource(
  (url) => new UndiciEventSource(url, { node: { dispatcher: agent } }),
  () => agent.destroy(),
);

for (const [name, client] of Object.entries(clients)) {
  const title = `Channel is read by ${name}, which resumes where it was`;
  const sanitized = name !== LEAKY;
  Deno.test(title, { sanitizeOps: sanitized, sanitizeResources: sanitized }, async () => {
    await using channel = new Channel({ retry: 20, keepAlive: 5_000 });
    const server = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen() {} },
      (request) => channel.subscribe(request),
    );
    const seen: Seen[] = [];
    const expected: Seen[] = [];
    let check = () => {};
    const all = (count: number) => {
      const { promise, resolve } = Promise.withResolvers<void>();
      check = () => seen.length >= count && resolve();
      check();
      return within(promise, 10_000, () => `${seen.length} of ${count} events came`);
    };
    const publish = async (event: string, data: string) => {
      const id = await channel.publish({ event, data });
      expected.push({ event, data, id });
    };
    const joined = async () => {
      while (channel.size === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    };
    const stop = client(`http://127.0.0.1:${server.addr.port}/`, (event) => {
      seen.push(event);
      check();
    });
    try {
      await within(joined(), 10_000, () => "nobody connected");
      await publish("message", "a é 日本 😀");
      await publish("tick", "two\nlines");
      await all(2);
      for (let cut = 0; cut < 3; cut++) {
        for (const session of channel.sessions()) session.close();
        await publish("message", ` ${cut}: while away`);
        await publish("tick", `${cut}: also`);
        await all(expected.length);
      }
    } finally {
      await stop();
      await channel.close();
      await server.shutdown();
    }
    assertEquals(seen, expected);
  });
}
