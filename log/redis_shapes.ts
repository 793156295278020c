/**
 * The clients of Redis that people have, by their shapes: the log imports none of them.
 *
 * @module
 */

/** A client that subscribes, as `duplicate` of the clients of `redis` gives it. */
export interface RedisSubscriberClient {
  /** Whether it was connected and was not closed since. */
  readonly isOpen: boolean;
  /**
   * Opens its connections.
   *
   * @returns When they are open.
   */
  connect(): Promise<unknown>;
  /**
   * Subscribes to a channel.
   *
   * @param channel The channel.
   * @param listener Called with each message.
   * @returns When messages come.
   */
  subscribe(channel: string, listener: (message: string, channel: string) => void): Promise<void>;
  /**
   * Unsubscribes from a channel.
   *
   * @param channel The channel.
   * @returns When no message comes.
   */
  unsubscribe(channel: string): Promise<void>;
  /**
   * Subscribes to a channel of a shard.
   *
   * @param channel The channel.
   * @param listener Called with each message.
   * @returns When messages come.
   */
  sSubscribe(channel: string, listener: (message: string, channel: string) => void): Promise<void>;
  /**
   * Unsubscribes from a channel of a shard.
   *
   * @param channel The channel.
   * @returns When no message comes.
   */
  sUnsubscribe(channel: string): Promise<void>;
  /**
   * Adds a listener.
   *
   * @param event What it listens to: `error`, `ready`, `node-ready`.
   * @param listener The listener.
   * @returns Anything.
   */
  on(event: string, listener: (...args: unknown[]) => void): unknown;
  /** Closes its connections at once. */
  destroy(): void;
}

/**
 * The client of a server, of `redis` or `@redis/client` from version 5 on: what the log uses of
 * what
 * `createClient` gives.
 */
export interface RedisClient {
  /** Whether it was connected and was not closed since. */
  readonly isOpen: boolean;
  /** Whether it can send a command now. */
  readonly isReady: boolean;
  /**
   * Sends a command.
   *
   * @param args The command and its arguments.
   * @returns The answer.
   */
  sendCommand(args: string[]): Promise<unknown>;
  /**
   * Makes a client with the same options.
   *
   * @returns The client, not connected.
   */
  duplicate(): RedisSubscriberClient;
}

/**
 * The client of a cluster, of `redis` or `@redis/client` from version 5 on: what the log uses of
 * what
 * `createCluster` gives.
 */
export interface RedisClusterClient {
  /**
   * Sends a command to the node that holds a key.
   *
   * @param key The key.
   * @param isReadonly Whether a replica may answer.
   * @param args The command and its arguments.
   * @returns The answer.
   */
  sendCommand(key: string | undefined, isReadonly: boolean, args: string[]): Promise<unknown>;
  /**
   * Makes a client with the same options.
   *
   * @returns The client, not connected.
   */
  duplicate(): RedisSubscriberClient;
  /**
   * Gives any node: what only the client of a cluster can.
   *
   * @returns The node.
   */
  getRandomNode(): unknown;
}

/** A client that subscribes, as `duplicate` of the clients of `ioredis` gives it. */
export interface IORedisSubscriberClient {
  /** Where its connection stands: `ready`, `end`, ... */
  readonly status: string;
  /**
   * Subscribes to a channel.
   *
   * @param channel The channel.
   * @returns When messages come.
   */
  subscribe(channel: string): Promise<unknown>;
  /**
   * Unsubscribes from a channel.
   *
   * @param channel The channel.
   * @returns When no message comes.
   */
  unsubscribe(channel: string): Promise<unknown>;
  /**
   * Subscribes to a channel of a shard.
   *
   * @param channel The channel.
   * @returns When messages come.
   */
  ssubscribe(channel: string): Promise<unknown>;
  /**
   * Unsubscribes from a channel of a shard.
   *
   * @param channel The channel.
   * @returns When no message comes.
   */
  sunsubscribe(channel: string): Promise<unknown>;
  /**
   * Adds a listener.
   *
   * @param event What it listens to: `error`, `ready`, `end`, `message`, `smessage`.
   * @param listener The listener.
   * @returns Anything.
   */
  on(event: string, listener: (...args: unknown[]) => void): unknown;
  /** Closes its connections at once. */
  disconnect(): void;
}

/**
 * The client of `ioredis` from version 5 on: what the log uses of what `new Redis()` and
 * `new Cluster()` give.
 */
export interface IORedisClient {
  /** Whether it is the client of a cluster. */
  readonly isCluster: boolean;
  /** Where its connection stands: `ready`, `end`, ... */
  readonly status: string;
  /**
   * Sends a command.
   *
   * @param command The command.
   * @param args Its arguments.
   * @returns The answer.
   */
  call(command: string, ...args: string[]): Promise<unknown>;
  /**
   * Makes a client with the same options, but for those that are given.
   *
   * @param options The options; of a cluster the nodes before them.
   * @returns The client, which connects itself.
   */
  duplicate(...options: unknown[]): IORedisSubscriberClient;
}

/** Any client that the log takes. */
export type AnyRedisClient = RedisClient | RedisClusterClient | IORedisClient;
