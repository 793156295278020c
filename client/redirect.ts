/**
 * Redirects, one hop at a time: nothing of the caller's goes to another origin.
 *
 * `fetch` on Node, Deno and Bun drops `Authorization` and `Cookie` there but forwards every other
 * header, an API key or the last event ID for example.
 *
 * @module
 */

import { RedirectError } from "../errors.ts";
import { isStream, type Outgoing } from "./request.ts";

/**
 * What becomes of a redirect. `"same-origin"` follows it while the origin stays the same and is a
 * {@linkcode RedirectError} otherwise; `"follow"` also goes to other origins, without any header of
 * the caller's, credentials, body or last event ID; `"error"` follows none.
 */
export type RedirectMode = "same-origin" | "follow" | "error";

const STATUSES = [301, 302, 303, 307, 308];

/** As many as `fetch` follows. */
const MAX_REDIRECTS = 20;

/** Fetches, and follows redirects as far as `mode` lets it. */
export async function fetchFollowing(
  fetch: typeof globalThis.fetch,
  { url, init }: Pick<Outgoing, "url" | "init">,
  signal: AbortSignal,
  mode: RedirectMode,
): Promise<Response> {
  for (let redirects = 0;; redirects++) {
    const response = await fetch(url.href, { ...init, signal, redirect: "manual" });
    if (signal.aborted) {
      response.body?.cancel().catch(() => {});
      throw signal.reason;
    }
    // Where the platform hides `Location`, as browsers do, only `fetch` itself can follow.
    if (response.type === "opaqueredirect") {
      return await followBlindly(fetch, { url, init }, signal, mode);
    }
    const location = response.headers.get("location");
    if (!STATUSES.includes(response.status) || location === null) return response;
    response.body?.cancel().catch(() => {});
    const refuse = (reason: string) => refusal(url, reason, location);
    if (mode === "error") throw refuse('"redirect" is "error"');
    if (redirects === MAX_REDIRECTS) throw refuse(`it is the ${MAX_REDIRECTS + 1}st in a row`);
    if (!URL.canParse(location, url.href)) throw refuse(`"${location}" is no URL`);
    const next = new URL(location, url.href);
    if (next.protocol !== "http:" && next.protocol !== "https:") {
      throw refuse(`"${next.href}" is neither http nor https`);
    }
    if (next.username !== "" || next.password !== "") {
      throw refuse("it holds a user name or password");
    }
    const { status } = response;
    // `fetch` takes these in any case.
    const method = (init.method ?? "GET").toUpperCase();
    // As `fetch` has it: the answer to a POST is looked for with GET.
    const get = status === 303
      ? method !== "GET" && method !== "HEAD"
      : status < 303 && method === "POST";
    if (get) init = withoutBody(init);
    if (next.origin !== url.origin) {
      if (mode === "same-origin") {
        throw refuse(
          `"${next.origin}" is another origin, connect to it or set "redirect" to "follow"`,
        );
      }
      if (init.body !== undefined) throw refuse("its body must not go to another origin");
      init = forOtherOrigin(init);
    } else if (isStream(init.body)) {
      throw refuse("its body is a stream and was sent");
    }
    url = next;
  }
}

function withoutBody({ body: _, method: __, ...init }: Outgoing["init"]): Outgoing["init"] {
  const headers = new Headers(init.headers);
  for (const name of [...headers.keys()]) {
    if (name.startsWith("content-")) headers.delete(name);
  }
  return { ...init, headers };
}

/** Only what every request of ours has. */
function forOtherOrigin(init: Outgoing["init"]): Outgoing["init"] {
  const headers = new Headers({ accept: "text/event-stream" });
  if (init.headers.has("cache-control")) headers.set("cache-control", "no-cache");
  return { ...init, headers, credentials: "omit" };
}

async function followBlindly(
  fetch: typeof globalThis.fetch,
  { url, init }: Pick<Outgoing, "url" | "init">,
  signal: AbortSignal,
  mode: RedirectMode,
): Promise<Response> {
  const refuse = (reason: string, to = "") => refusal(url, reason, to);
  if (mode === "error") throw refuse('"redirect" is "error"');
  if (isStream(init.body)) throw refuse("its body is a stream and was sent");
  const response = await fetch(url.href, { ...init, signal, redirect: "follow" });
  const same = URL.canParse(response.url) && new URL(response.url).origin === url.origin;
  if (mode === "same-origin" && !same) {
    response.body?.cancel().catch(() => {});
    throw refuse("it leads to another origin", response.url);
  }
  return response;
}

function refusal({ href }: URL, reason: string, to: string): RedirectError {
  return new RedirectError(`Cannot follow redirect from "${href}": ${reason}`, href, to);
}
