/**
 * A request as the server received it.
 *
 * @module
 */

import { text } from "../helpers.ts";
import type { Connection } from "./connection.ts";
import { findHeader, type RawHeader, type RawRequest } from "./http.ts";
import { now } from "./real_time.ts";
import type { Reply } from "./reply.ts";

/** A request, and the reply to it. */
export class ReceivedRequest implements RawRequest {
  readonly method: string;
  readonly target: string;
  readonly headers: RawHeader[];
  readonly body: Uint8Array;
  /** The target before its query. */
  readonly path: string;
  readonly query: URLSearchParams;
  /** When all of it had come, as the real `performance.now()` has it. */
  readonly at: number = now();
  readonly connection: Connection;
  readonly reply: Reply;
  /** Resolves when all that the script says of it has been done. Never rejects. */
  answered: Promise<void> = Promise.resolve();

  constructor(request: RawRequest, connection: Connection, reply: Reply) {
    this.method = request.method;
    this.target = request.target;
    this.headers = request.headers;
    this.body = request.body;
    const query = `${this.target}?`.indexOf("?");
    this.path = this.target.slice(0, query);
    this.query = new URLSearchParams(this.target.slice(query));
    this.connection = connection;
    this.reply = reply;
  }

  /** Body bytes of the reply that the kernel has taken. */
  get written(): number {
    return this.reply.written;
  }

  /** A header by its lower-case name, each byte as one Latin-1 character. */
  header(name: string): string | undefined {
    return findHeader(this.headers, name);
  }

  /** The `Last-Event-ID` header, decoded as UTF-8. */
  get lastEventId(): string | undefined {
    const header = this.headers.find(({ name }) => name.toLowerCase() === "last-event-id");
    return header && text(header.bytes);
  }
}
