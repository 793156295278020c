/**
 * Who may use a service. One on loopback is within reach of every page that its user opens: a page
 * can post to it, and can read from it if its own name comes to mean 127.0.0.1.
 *
 * @module
 */

import { createHash, timingSafeEqual } from "node:crypto";
import type { CorsOptions } from "../../server.ts";
import { refusal } from "../../server/request.ts";

/** What {@linkcode AccessRules} are made of. */
export interface AccessOptions {
  /** What a request must bring. Default: nothing. */
  token?: string;
  /** The host names that a request may be sent to. Default: any. */
  hosts?: readonly string[];
  /** The origins of other pages that may ask. Default: none. */
  origin?: CorsOptions["origin"];
}

/** Says no to requests, with a sentence. */
export class AccessRules {
  readonly #digest: Uint8Array | undefined;
  readonly #hosts: ReadonlySet<string> | undefined;
  readonly #origin: CorsOptions["origin"] | undefined;

  constructor({ token, hosts, origin }: AccessOptions) {
    if (token === "") throw new TypeError('Cannot make a service: "token" must not be empty');
    this.#digest = token === undefined ? undefined : digestOf(token);
    this.#hosts = hosts && new Set(hosts);
    this.#origin = origin;
  }

  /** What refuses a request for where it was sent to, or for which page sent it. */
  checkSource(request: Request, url: URL): Response | undefined {
    if (!this.#isOurs(url.hostname)) {
      return refuse(
        request,
        421,
        `Misdirected: this server answers to ${this.#names()} only, not to ${
          JSON.stringify(url.hostname)
        }; --allow-host adds a name\n`,
      );
    }
    const origin = request.headers.get("origin");
    if (this.#origin === true || this.#origin === "*") return undefined;
    if (origin === null ? !isEmbedded(request) : this.#allows(origin, url)) return undefined;
    return refuse(
      request,
      403,
      `Forbidden: pages of ${
        JSON.stringify(origin ?? "other sites")
      } may not use this server; --cors allows an origin\n`,
    );
  }

  /** What refuses a request for its token. */
  checkToken(request: Request, { searchParams }: URL): Response | undefined {
    if (this.#digest === undefined) return undefined;
    const bearer = /^Bearer +(\S+)\s*$/i.exec(request.headers.get("authorization") ?? "")?.[1];
    // An EventSource has no headers. Whoever posts has.
    const given = bearer ?? (isReading(request) ? searchParams.get("token") : null);
    if (given !== null && timingSafeEqual(digestOf(given), this.#digest)) return undefined;
    const challenge = given === null ? "" : ', error="invalid_token"';
    return refuse(
      request,
      401,
      `Unauthorized: ${
        given === null ? "a token is needed" : "this is not the token"
      }, send it as "Authorization: Bearer ...", or with GET as "?token=..."\n`,
      { "www-authenticate": `Bearer realm="sse"${challenge}` },
    );
  }

  #isOurs(hostname: string): boolean {
    if (this.#hosts === undefined || this.#hosts.has(hostname)) return true;
    return hostname.endsWith(".localhost") && this.#hosts.has("localhost");
  }

  #names(): string {
    return [...this.#hosts ?? []].join(", ");
  }

  #allows(origin: string, url: URL): boolean {
    // Not its scheme: TLS may end before us, and a port has one of the two only.
    if (URL.canParse(origin) && new URL(origin).host === url.host) return true;
    const allowed = this.#origin;
    if (typeof allowed === "function") return allowed(origin) === true;
    return Array.isArray(allowed) ? allowed.includes(origin) : allowed === origin;
  }
}

/**
 * Whether another site has put it into a page, as an image for example: the page reads nothing, but
 * holds connections. A link may be followed.
 */
function isEmbedded({ headers }: Request): boolean {
  const site = headers.get("sec-fetch-site") ?? "none";
  return /^(?:cross|same)-site$/.test(site) && headers.get("sec-fetch-mode") !== "navigate";
}

function isReading({ method }: Request): boolean {
  return method === "GET" || method === "HEAD";
}

/** Of the same length whatever the token is, so that no comparison tells of it by its time. */
function digestOf(text: string): Uint8Array {
  return createHash("sha256").update(text).digest();
}

/** Nothing of a body is read. Nobody waits for its end: there may be none. */
function refuse(request: Request, status: number, text: string, headers?: HeadersInit): Response {
  request.body?.cancel().catch(() => {});
  return refusal(status, text, headers);
}
