/**
 * What the log asks of a client of Redis, whichever it is.
 *
 * @module
 */

import type {
  AnyRedisClient,
  IORedisClient,
  IORedisSubscriberClient,
  RedisClient,
  RedisClusterClient,
  RedisSubscriberClient,
} from "./redis_shapes.ts";

/** What the log is told by its second connection. */
export interface SubscriberEvents {
  /** A message has come. */
  onMessage(channel: string, message: string): void;
  /** There is a new connection: what was sent in between has not come. */
  onReady(): void;
}

/** The second connection. */
export interface Subscriber {
  /** It is over and does not come back by itself. */
  readonly ended: boolean;
  subscribe(channel: string): Promise<unknown>;
  unsubscribe(channel: string): Promise<unknown>;
  /** Closes it; resolves when it is closed, or should be by now. */
  close(): Promise<void>;
}

/** What the log asks of a client. */
export interface Link {
  /** Sends a command that concerns a key. */
  send(key: string, args: string[]): Promise<unknown>;
  /** It has no connection now, and waits for one: it would hold what it is given until then. */
  readonly away: boolean;
  /** It may send a command again by itself whose answer it did not get. */
  readonly repeats: boolean;
  /** What the client puts before all keys by itself. Channels get it here: clients do not agree. */
  readonly keyPrefix: string;
  /** Opens the second connection. */
  open(events: SubscriberEvents): Subscriber;
}

/** What `ioredis` says of a connection that it is about to make. */
const CONNECTING: readonly string[] = ["connecting", "connect", "reconnecting", "close"];

/** How long the end of a connection is waited for, in ms: it has an end of its own. */
const MAX_CLOSING = 3_000;

/** Emitted when there are new connections: by the clients of a server, and of clusters. */
const READY: readonly string[] = ["ready", "node-ready", "+node", "+subscriber"];

/**
 * Finds out which client it is, by what it can do.
 *
 * @throws {TypeError} If it is none that is known.
 */
export function linkOf(client: AnyRedisClient, sharded: boolean): Link {
  // The client of ioredis has a `sendCommand`, too, but of another kind.
  if (has(client, "call", "duplicate")) return ioredisLink(client, sharded);
  if (has(client, "sendCommand", "duplicate", "getRandomNode")) return clusterLink(client, sharded);
  if (has(client, "sendCommand", "duplicate") && "isReady" in client) {
    return redisLink(client, sharded);
  }
  throw new TypeError(
    'Cannot make event log: the client must be one of "redis" or "ioredis", or of their clusters: ' +
      `received ${typeof client}`,
  );
}

function has<K extends string>(
  client: AnyRedisClient,
  ...names: K[]
): client is Extract<AnyRedisClient, Record<K, unknown>> {
  return typeof client === "object" && client !== null &&
    names.every((name) => typeof Reflect.get(client, name) === "function");
}

function redisLink(client: RedisClient, sharded: boolean): Link {
  return {
    send: (_, args) => client.sendCommand(args),
    get away() {
      return client.isOpen && !client.isReady;
    },
    repeats: false,
    // Not before those of commands that are sent as they are.
    keyPrefix: "",
    open: (events) => subscriberOf(client.duplicate(), sharded, events),
  };
}

function clusterLink(client: RedisClusterClient, sharded: boolean): Link {
  return {
    send: (key, args) => client.sendCommand(key, false, args),
    // Of its nodes some may be, and it knows which.
    away: false,
    repeats: false,
    // Not before those of commands that are sent as they are.
    keyPrefix: "",
    open: (events) => subscriberOf(client.duplicate(), sharded, events),
  };
}

function subscriberOf(
  client: RedisSubscriberClient,
  sharded: boolean,
  { onMessage, onReady }: SubscriberEvents,
): Subscriber {
  let ended = false;
  listen(client, onReady);
  // A cluster takes no subscription before.
  const connected = client.connect();
  connected.catch(() => ended = true);
  const listener = (message: string, channel: string) => onMessage(channel, message);
  return {
    get ended() {
      return ended || !client.isOpen;
    },
    async subscribe(channel) {
      await connected;
      if (sharded) await client.sSubscribe(channel, listener);
      else await client.subscribe(channel, listener);
    },
    async unsubscribe(channel) {
      if (sharded) await client.sUnsubscribe(channel);
      else await client.unsubscribe(channel);
    },
    // One that was never open refuses to be closed.
    close: () => Promise.resolve(attempt(() => client.destroy())),
  };
}

function ioredisLink(client: IORedisClient, sharded: boolean): Link {
  return {
    send: (_, [command, ...args]) => client.call(command, ...args),
    get away() {
      return CONNECTING.includes(client.status);
    },
    repeats: client.isCluster || optionOf(client, "autoResendUnfulfilledCommands") !== false,
    keyPrefix: `${optionOf(client, "keyPrefix") ?? ""}`,
    open({ onMessage, onReady }) {
      const second = duplicateOf(client, sharded);
      listen(second, onReady);
      const { promise: end, resolve } = Promise.withResolvers<void>();
      second.on("end", () => resolve());
      second.on(sharded ? "smessage" : "message", (channel, message) => {
        onMessage(String(channel), String(message));
      });
      return {
        get ended() {
          return second.status === "end";
        },
        subscribe: (channel) => sharded ? second.ssubscribe(channel) : second.subscribe(channel),
        unsubscribe: (channel) =>
          sharded ? second.sunsubscribe(channel) : second.unsubscribe(channel),
        close() {
          const { status } = second;
          attempt(() => second.disconnect());
          // Where it only waits to connect, it does not tell of its end.
          return status === "ready" ? orLater(end) : Promise.resolve();
        },
      };
    },
  };
}

/** An option that a client was made with. */
function optionOf(client: IORedisClient, name: string): unknown {
  const options: unknown = Reflect.get(client, "options");
  return typeof options === "object" && options !== null ? Reflect.get(options, name) : undefined;
}

function duplicateOf(client: IORedisClient, sharded: boolean): IORedisSubscriberClient {
  // A subscription waits for as long as it takes, and is made again on a new connection.
  const options = { autoResubscribe: true, maxRetriesPerRequest: null, keyPrefix: "" };
  return client.isCluster
    ? client.duplicate([], { shardedSubscribers: sharded, keyPrefix: "", redisOptions: options })
    : client.duplicate(options);
}

function listen(
  client: RedisSubscriberClient | IORedisSubscriberClient,
  onReady: () => void,
): void {
  // Nobody else listens, and an error without a listener ends the process. What is asked of it
  // tells.
  client.on("error", () => {});
  for (const event of READY) client.on(event, () => onReady());
}

async function orLater(end: Promise<void>): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<void>((resolve) => timer = setTimeout(resolve, MAX_CLOSING));
  await Promise.race([end, late]);
  clearTimeout(timer);
}

function attempt(action: () => void): void {
  try {
    action();
  } catch {
    // It is closed.
  }
}
