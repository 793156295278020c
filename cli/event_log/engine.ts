/**
 * Reaching an engine, but not for ever, and telling of it without its password.
 *
 * @module
 */

import { answerOf } from "../../log/patience.ts";
import { Failure } from "../failure.ts";

/** How long it may take to reach an engine, in ms. */
const TIMEOUT = 8_000;

/**
 * Waits for a connection.
 *
 * @param engine Its name, for people.
 * @throws {Failure} If it fails, or takes too long.
 */
export async function reach<T>(
  engine: string,
  url: URL,
  connecting: Promise<T>,
  signal: AbortSignal | undefined,
): Promise<T> {
  const action = `reach ${engine} at ${withoutSecrets(url)}`;
  try {
    // What a client throws may be a `TypeError`, too.
    const connected = connecting.catch((cause) => {
      throw new Failure(`Cannot ${action}: ${reasonOf(cause)}: start it, or correct --log`, {
        cause,
      });
    });
    return await answerOf(connected, { action, timeout: TIMEOUT, signal });
  } catch (error) {
    if (signal?.aborted) throw signal.reason;
    const { cause } = error instanceof Error ? error : {};
    if (cause instanceof Failure) throw cause;
    throw new Failure(`Cannot ${action}: it gave no answer: start it, or correct --log`);
  }
}

/** A URL, for people to read. */
export function withoutSecrets(url: URL): string {
  const shown = new URL(url);
  shown.username = shown.password = shown.search = "";
  return shown.href.replace(/\/$/, "");
}

/** Where a name has several addresses, what failed is in a list. */
function reasonOf(error: unknown): string {
  const first = error instanceof AggregateError ? error.errors[0] : error;
  if (!(first instanceof Error)) return String(first);
  return first.message || first.name;
}
