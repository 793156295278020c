/**
 * Addresses to listen on, and the names that others have for them.
 *
 * @module
 */

import { isIPv6 } from "node:net";

/** Whether only this machine can reach an address. */
export function isLoopback(host: string): boolean {
  const name = nameInUrl(host);
  return /(?:^|\.)localhost$/.test(name) || /^127(?:\.\d+){3}$/.test(name) || name === "[::1]";
}

/**
 * Which names a request may be sent to: on loopback those of loopback, and otherwise any, unless some
 * are given.
 */
export function hostsFor(host: string, more: readonly string[]): readonly string[] | undefined {
  if (!isLoopback(host) && more.length === 0) return undefined;
  const own = isLoopback(host) ? ["localhost", "127.0.0.1", "[::1]"] : [];
  return [...new Set([...own, ...[host, ...more].map(nameInUrl)])];
}

/** An address or a name as `URL` has it, without a port. */
export function nameInUrl(host: string): string {
  const url = `http://${isIPv6(host) ? `[${host}]` : host}`;
  return URL.canParse(url) ? new URL(url).hostname : host.toLowerCase();
}

/** What listens on every network is reached on its own machine by loopback. */
export function reachableName(host: string): string {
  const name = nameInUrl(host);
  if (name === "0.0.0.0") return "127.0.0.1";
  return name === "[::]" ? "[::1]" : name;
}
