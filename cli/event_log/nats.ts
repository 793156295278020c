/**
 * The log on NATS JetStream, with the clients of the packages `@nats-io/transport-node` and
 * `@nats-io/jetstream`.
 *
 * @module
 */

import { type NatsConnection, NatsEventLog, type NatsJetStream } from "../../log/nats.ts";
import { reach, withoutSecrets } from "./engine.ts";
import { importPackage } from "./package.ts";
import type { OpenedLog, OpenLogOptions } from "./opened.ts";

/** What is used of a connection beyond what the log uses. */
interface Connection extends NatsConnection {
  close(): Promise<void>;
}

/** What is used of `@nats-io/transport-node`. */
interface TransportPackage {
  connect(options: {
    servers: string;
    user?: string;
    pass?: string;
    token?: string;
    tls?: object;
    timeout: number;
    maxReconnectAttempts: number;
  }): Promise<Connection>;
}

/** What is used of `@nats-io/jetstream`. */
interface JetStreamPackage {
  jetstream(connection: Connection): NatsJetStream;
}

const REMEDY = "npm install @nats-io/transport-node@3 @nats-io/jetstream@3";

/** How long one attempt to connect may take, in ms. */
const CONNECT_TIMEOUT = 5_000;

/**
 * Connects.
 *
 * @throws {Failure} If a package is missing, or the engine cannot be reached.
 */
export async function openNats(
  url: URL,
  { maxEvents, signal, onLost }: OpenLogOptions,
): Promise<OpenedLog> {
  const { connect } = await importPackage("@nats-io/transport-node", 3, isTransport, REMEDY);
  const { jetstream } = await importPackage("@nats-io/jetstream", 3, isJetStream, REMEDY);
  const connecting = connect({
    servers: url.host,
    ...credentialsOf(url),
    ...(url.protocol === "tls:" && { tls: {} }),
    timeout: CONNECT_TIMEOUT,
    maxReconnectAttempts: -1,
  });
  let connection: Connection;
  try {
    connection = await reach("NATS", url, connecting, signal);
  } catch (error) {
    // It may come after all, when nobody waits for it any more.
    connecting.then((connection) => connection.close(), () => {});
    throw error;
  }
  watch(connection, onLost);
  const log = new NatsEventLog(connection, { jetstream: jetstream(connection), maxEvents });
  return {
    log,
    name: withoutSecrets(url),
    async close() {
      await log.close();
      await connection.close();
    },
  };
}

/** `user:password@` of a URL, or a token alone. */
function credentialsOf(
  { username, password }: URL,
): { user?: string; pass?: string; token?: string } {
  if (username === "") return {};
  const name = decode(username);
  return password === "" ? { token: name } : { user: name, pass: decode(password) };
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    // A percent sign that stands for itself.
    return text;
  }
}

/** Ends with the connection. */
async function watch(connection: Connection, onLost: OpenLogOptions["onLost"]): Promise<void> {
  for await (const { type } of connection.status()) {
    if (type === "disconnect") onLost?.("the connection to NATS is lost");
  }
}

function isTransport(module: object): module is TransportPackage {
  return "connect" in module && typeof module.connect === "function";
}

function isJetStream(module: object): module is JetStreamPackage {
  return "jetstream" in module && typeof module.jetstream === "function";
}
