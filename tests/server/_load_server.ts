/**
 * The server of `load_test.ts` in a process of its own, so that what it takes can be seen, and that it
 * ends by itself. It is asked by lines, `["name", ...numbers]`, and answers each with a line of JSON.
 *
 * Run it with `--expose-gc`. Its argument is a {@linkcode LoadOptions} as JSON.
 *
 * @module
 */

import { TextLineStream } from "@std/streams";
import { Channel, type Session } from "../../server.ts";
import { CountedLog } from "./_load_log.ts";
import {
  type Broadcast,
  keyOf,
  type LoadOptions,
  type LoadState,
  LONG,
  PATHS,
} from "./_load_terms.ts";

/** Longer than a peer on loopback takes to leave, in ms. */
const LATE = 10;

/** How many events are published in a turn. */
const TURN = 100;

/** After how many turns the garbage is collected. */
const COLLECT = 20;

declare const gc: () => void;

const options: LoadOptions = JSON.parse(Deno.args[0]);
const log = new CountedLog();
const counts: Pick<LoadState, "authorizing" | "joined" | "left" | "slow" | "dropped" | "errors"> = {
  authorizing: 0,
  joined: 0,
  left: {},
  slow: 0,
  dropped: 0,
  errors: [],
};

async function authorizeLate(): Promise<boolean> {
  counts.authorizing++;
  await new Promise((resolve) => setTimeout(resolve, LATE));
  counts.authorizing--;
  return true;
}

const channel = new Channel<string, boolean | Promise<boolean>>({
  ...options,
  log,
  key: ({ data }) => data?.split(" ", 1)[0],
  authorize: ({ url }) => !url.endsWith(PATHS.late) || authorizeLate(),
  onSession(session, change) {
    if (change === "leave") return;
    counts.joined++;
    session.closed.then(({ reason }) => counts.left[reason] = (counts.left[reason] ?? 0) + 1);
    if (session.state === PATHS.long) session.send({ data: "x".repeat(LONG) });
  },
  onSlow(_, { dropped }) {
    counts.slow++;
    counts.dropped += dropped;
  },
});

const stop = new AbortController();
const server = Deno.serve({
  hostname: "127.0.0.1",
  port: 0,
  signal: stop.signal,
  onListen() {},
  onError(error) {
    counts.errors.push(error instanceof Error ? error.name : String(error));
    return new Response(null, { status: 500 });
  },
}, (request) => channel.subscribe(request, { state: new URL(request.url).pathname }));

/** One turn of the event loop. */
function turn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve));
}

function sessionOf(path: string): Session<string> {
  for (const session of channel.sessions()) if (session.state === path) return session;
  throw new Error(`There is no reader of ${path}`);
}

/** How many connections have not been closed here, by the list of the kernel. */
function connections(): number {
  if (Deno.build.os !== "linux") return 0;
  const port = server.addr.port.toString(16).toUpperCase().padStart(4, "0");
  // Address, port and state: ESTABLISHED or CLOSE_WAIT.
  const open = new RegExp(`: \\w+:${port} \\w+:\\w+ 0[18] `, "g");
  return [...Deno.readTextFileSync("/proc/self/net/tcp").matchAll(open)].length;
}

let ticking: ReturnType<typeof setInterval> | undefined;

const answers: Record<string, (...args: number[]) => unknown> = {
  port: () => server.addr.port,
  state(): LoadState {
    const { followers, readings, leftReadings } = log;
    const { size } = channel;
    return { ...counts, size, followers, readings, leftReadings, connections: connections() };
  },
  /** The bytes of the heap and outside of it, once the garbage is collected. */
  async heap() {
    for (let i = 0; i < 3; i++) {
      gc();
      await turn();
    }
    const { heapUsed, external } = Deno.memoryUsage();
    return heapUsed + external;
  },
  /** Publishes some events of some bytes, and answers the id of the last one. */
  async publish(count, bytes) {
    let id = "";
    for (let i = 0; i < count; i++) id = await channel.publish({ data: "x".repeat(bytes) });
    return id;
  },
  /** Publishes a small event every few ms from now on. */
  tick() {
    ticking = setInterval(() => channel.publish({ data: "tick" }), 20);
  },
  /**
   * Publishes so many bytes in events of 1 KB, as fast as those take them who read. The garbage is
   * collected all the time: V8 leaves tens of MB of it, however little is held.
   */
  async broadcast(bytes): Promise<Broadcast> {
    const before = Deno.memoryUsage().rss;
    const text = "x".repeat(1_000);
    let growth = 0;
    let events = 0;
    for (let turns = 1; events * text.length < bytes; turns++) {
      for (let i = 0; i < TURN; i++, events++) {
        channel.publish({ data: `${keyOf(events)} ${events} ${text}` });
      }
      await turn();
      for (const session of channel.sessions()) {
        if (session.state === PATHS.stalled) continue;
        while (session.queuedBytes > 0) await turn();
      }
      if (turns % COLLECT === 0) gc();
      growth = Math.max(growth, Deno.memoryUsage().rss - before);
    }
    return { events, growth };
  },
  /** Sends to the reader that does not read until nobody takes it. */
  async stall() {
    const session = sessionOf(PATHS.stalled);
    const data = "x".repeat(65_536);
    for (let idle = 0; idle < 20; idle++) {
      if (session.queuedBytes === 0) {
        session.send({ data });
        idle = 0;
      }
      await turn();
    }
  },
  /** Closes the channel, and answers how many ms that took. */
  async close(drain) {
    clearInterval(ticking);
    const start = performance.now();
    await channel.close({ drain });
    return performance.now() - start;
  },
  /** Closes the channel, and ends the process at once. */
  async exit() {
    await channel.close({ drain: 0 });
    Deno.exit();
  },
  /** Ends the server when all connections have ended. */
  shutdown() {
    server.shutdown();
  },
  /** Ends the server and all its connections. */
  abort() {
    stop.abort();
  },
};

const lines = Deno.stdin.readable.pipeThrough(new TextDecoderStream())
  .pipeThrough<string>(new TextLineStream());
for await (const line of lines) {
  const [name, ...args]: [string, ...number[]] = JSON.parse(line);
  console.log(JSON.stringify(await answers[name](...args) ?? null));
}
