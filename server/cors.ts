/**
 * Pages of other origins: what they may read and send (the CORS protocol of the Fetch Standard).
 *
 * @module
 */

/** Which pages of other origins may read what a server answers. */
export interface CorsOptions {
  /**
   * The origins, as browsers send them (`"https://app.example"`, without a slash at the end): one,
   * several, or a function that knows. `true` and `"*"` stand for any.
   */
  origin: true | string | readonly string[] | ((origin: string) => boolean);
  /**
   * Whether they may send cookies. Not together with any origin: name those that may.
   *
   * @default {false}
   */
  credentials?: boolean;
  /**
   * For how long a browser may keep the answer to a preflight, in ms from 0 up; what is no whole second
   * is cut off. Browsers keep it for 2 to 24 hours at most.
   *
   * @default {7200000}
   */
  maxAge?: number;
}

/** What a client and a publisher send, and what a browser asks for before it lets that pass. */
const ALLOW_HEADERS = "Last-Event-ID, Content-Type, Authorization, Idempotency-Key, Cache-Control";

/** Says by headers which origins may read an answer. */
export class Cors {
  /** Whether an origin may; `undefined` if any may. */
  readonly #allows: ((origin: string) => boolean) | undefined;
  readonly #credentials: boolean;
  readonly #maxAge: string;

  /** Throws `TypeError` or `RangeError` at options that make no sense. */
  constructor({ origin, credentials = false, maxAge = 7_200_000 }: CorsOptions) {
    this.#allows = allowedBy(origin);
    if (credentials && this.#allows === undefined) {
      throw new TypeError(
        'Cannot allow other origins: "credentials" must not go with any origin, name those that may send them in "origin"',
      );
    }
    if (!Number.isFinite(maxAge) || maxAge < 0) {
      throw new RangeError(
        `Cannot allow other origins: "maxAge" must be a number of ms from 0 up: received ${maxAge}`,
      );
    }
    this.#credentials = credentials;
    this.#maxAge = String(Math.floor(maxAge / 1_000));
  }

  /** The answer to a preflight; `undefined` if the request is none. */
  preflight(request: Request): Response | undefined {
    if (request.method !== "OPTIONS" || !request.headers.has("access-control-request-method")) {
      return undefined;
    }
    const headers = new Headers();
    const origin = this.#originFor(request);
    this.#write(headers, origin);
    if (origin !== undefined) {
      headers.set("access-control-allow-methods", "GET, HEAD, POST");
      headers.set("access-control-allow-headers", ALLOW_HEADERS);
      headers.set("access-control-max-age", this.#maxAge);
    }
    return new Response(null, { status: 204, headers });
  }

  /**
   * Adds the headers to an answer, in place of what it said itself. The same answer comes
   * back, or one with the same body stream where headers cannot be changed, as those of `fetch`.
   */
  apply(request: Request, response: Response): Response {
    const origin = this.#originFor(request);
    const answer = changeable(response);
    this.#write(answer.headers, origin);
    if (origin !== undefined) {
      addToList(answer.headers, "access-control-expose-headers", "Retry-After");
    }
    return answer;
  }

  /** The origin that may read the answer; `undefined` for none. */
  #originFor(request: Request): string | undefined {
    if (this.#allows === undefined) return "*";
    const origin = request.headers.get("origin");
    return origin !== null && this.#allows(origin) ? origin : undefined;
  }

  #write(headers: Headers, origin: string | undefined): void {
    // Also where there is no origin: a cache must not give that answer to a page.
    if (this.#allows !== undefined) addToList(headers, "vary", "Origin");
    headers.delete("access-control-allow-credentials");
    headers.delete("access-control-allow-origin");
    if (origin === undefined) return;
    headers.set("access-control-allow-origin", origin);
    if (this.#credentials) headers.set("access-control-allow-credentials", "true");
  }
}

function allowedBy(origin: CorsOptions["origin"]): ((origin: string) => boolean) | undefined {
  if (origin === true || origin === "*") return undefined;
  // What is only truthy, such as the promise of an async function, allows nothing.
  if (typeof origin === "function") return (asked) => origin(asked) === true;
  const origins = typeof origin === "string" ? [origin] : origin;
  if (!Array.isArray(origins)) {
    throw new TypeError(
      `Cannot allow other origins: "origin" must be true, a string, an array or a function: received ${origin}`,
    );
  }
  for (const text of origins) {
    if (isOrigin(text)) continue;
    throw new TypeError(
      `Cannot allow other origins: "origin" must be as browsers send it, such as "https://app.example": received "${text}"`,
    );
  }
  const allowed = new Set(origins);
  return (asked) => allowed.has(asked);
}

/** Whether a browser can send it; anything else would never match, and nobody would know why. */
function isOrigin(text: string): boolean {
  if (!/^[a-z][a-z\d+.-]*:\/\/[^\s/?#@*]+$/.test(text)) return false;
  // Apps and extensions have schemes of their own, where `URL` knows no origin.
  if (!/^https?:/.test(text)) return true;
  return URL.canParse(text) && new URL(text).origin === text;
}

function changeable(response: Response): Response {
  try {
    // It is written anew; headers that cannot be changed throw here already.
    response.headers.delete("access-control-allow-origin");
    return response;
  } catch {
    return new Response(response.body, response);
  }
}

function addToList(headers: Headers, name: string, value: string): void {
  const list = (headers.get(name) ?? "").toLowerCase().split(",").map((text) => text.trim());
  if (!list.includes(value.toLowerCase())) headers.append(name, value);
}
