/**
 * What a client has asked a transport for, kept to be looked at.
 *
 * @module
 */

import { lastEventIdOf } from "../server/request.ts";

/** A request that a client has made. */
export interface TransportRequest {
  /** Its number among all that the transport has had, from 1 up. */
  readonly attempt: number;
  /** Its method, in upper case. */
  readonly method: string;
  /** Its URL. */
  readonly url: string;
  /** Its headers, as the client sent them. */
  readonly headers: Headers;
  /** The last event ID that it asks for, in its header or its query; `""` for none. */
  readonly lastEventId: string;
  /**
   * Its body, also when the handler has read it, or never will.
   *
   * @returns The body as text, `""` if there is none.
   */
  text(): Promise<string>;
  /**
   * Its body, as {@linkcode TransportRequest.text}, parsed.
   *
   * @returns The value.
   * @throws {SyntaxError} If the body is no JSON.
   */
  json(): Promise<unknown>;
}

/** See {@linkcode TransportRequest}. */
export class ReceivedRequest implements TransportRequest {
  readonly attempt: number;
  readonly method: string;
  readonly url: string;
  readonly headers: Headers;
  readonly lastEventId: string;
  /** A copy of it, while nobody has read the body. */
  readonly #copy: Request | undefined;
  #text: Promise<string> | undefined = undefined;

  /** @param request The request, which nobody has read. */
  constructor(request: Request, attempt: number) {
    this.attempt = attempt;
    this.method = request.method;
    this.url = request.url;
    this.headers = new Headers(request.headers);
    this.lastEventId = lastEventIdOf(request) ?? "";
    const empty = request.method === "GET" || request.method === "HEAD";
    this.#copy = empty ? undefined : request.clone();
  }

  text(): Promise<string> {
    return this.#text ??= this.#copy?.text() ?? Promise.resolve("");
  }

  async json(): Promise<unknown> {
    return JSON.parse(await this.text());
  }
}
