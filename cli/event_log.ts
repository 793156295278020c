/**
 * The event log that `--log` names: in memory, in a file, or on an engine.
 *
 * The clients of the engines are packages that whoever wants one installs: the command line depends
 * on neither.
 *
 * @module
 */

import { MemoryEventLog } from "../server.ts";
import type { OpenedLog, OpenLogOptions } from "./event_log/opened.ts";
import { UsageError } from "./failure.ts";

/** What `--log` takes, for the help and for messages. */
export const LOG_FORMS = "memory, sqlite:FILE, redis:URL or nats:URL";

/**
 * Opens the log that a text names.
 *
 * @param text `memory`, `sqlite:FILE`, `redis:URL` or `nats:URL`: the URL may leave out its scheme, and
 * its own schemes (`redis://`, `rediss://`, `nats://`, `tls://`) say it all.
 * @param options How much it holds.
 * @returns The log; `close` it.
 * @throws {UsageError} If the text names none.
 * @throws {Failure} If a package is missing, or an engine cannot be reached.
 */
export async function openEventLog(text: string, options: OpenLogOptions = {}): Promise<OpenedLog> {
  const { maxEvents } = options;
  const [, kind = "", rest = ""] = /^([a-z]+)(?::(.*))?$/s.exec(text) ?? [];
  switch (kind) {
    case "memory": {
      if (rest !== "") break;
      const log = new MemoryEventLog({ maxEvents });
      return { log, name: "memory", close: () => log.close() };
    }
    case "sqlite": {
      if (rest === "") break;
      const { openSqlite } = await import("./event_log/sqlite.ts");
      return await openSqlite(rest, options);
    }
    case "redis":
    case "rediss": {
      const { openRedis } = await import("./event_log/redis.ts");
      return await openRedis(engineUrl(kind, rest, ["redis", "rediss"], 6379), options);
    }
    case "nats":
    case "tls": {
      const { openNats } = await import("./event_log/nats.ts");
      return await openNats(engineUrl(kind, rest, ["nats", "tls"], 4222), options);
    }
  }
  throw new UsageError(
    `Cannot read --log: it must be ${LOG_FORMS}: received ${JSON.stringify(text)}`,
  );
}

/** The URL of an engine, from what stands behind the first colon: `//host`, `host`, or a URL whole. */
function engineUrl(kind: string, rest: string, schemes: readonly string[], port: number): URL {
  const whole = schemes.some((scheme) => rest.startsWith(`${scheme}://`));
  const text = whole ? rest : `${kind}://${rest.replace(/^\/\//, "") || "127.0.0.1"}`;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || url.hostname === "") {
    throw new UsageError(
      `Cannot read --log: it must name a URL such as ${kind}://127.0.0.1:${port}`,
    );
  }
  if (url.port === "") url.port = `${port}`;
  return url;
}
