/**
 * What the client tests share.
 *
 * @module
 */

import type { Library } from "../harness.ts";

type Connection = ReturnType<Library["connect"]>;

/** What `/echo` tells of a request. */
export interface Echo {
  /** The method. */
  method: string;
  /** The URL, as the server has it. */
  url: string;
  /** The headers; bytes as code units. */
  headers: Record<string, string>;
  /** The body. */
  body: string;
}

/** The data of the next events, until the end or so many. */
export async function take(connection: Connection, most = 100): Promise<string[]> {
  const data: string[] = [];
  while (data.length < most) {
    const { done, value } = await connection.next();
    if (done) break;
    data.push(value.data);
  }
  return data;
}

/** What the server tells of the request of a connection, which is closed. */
export async function echoOf(connection: Connection): Promise<Echo> {
  const { value } = await connection.next();
  await connection.return();
  return JSON.parse(value?.data ?? "null");
}

/** A key for what a server remembers: several runtimes may ask it at once. */
export function keyFor(name: string): string {
  return `${name}-${crypto.randomUUID()}`;
}
