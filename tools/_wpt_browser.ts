/**
 * What a browser adds to `fetch` and the tests of `eventsource/` rely on: a base URL, names for
 * hosts, origins, cookies and a stop button. Preflights and caches are not here.
 *
 * Nothing leaves the machine: every name of the tests is the one server on loopback.
 *
 * @module
 */

import { HOST, PORT } from "./_wpt_server.ts";

/** The network of one page. */
export interface Browser {
  /** `fetch` as the page sees it. */
  fetch: typeof fetch;
  /** `window.stop()`: every fetch fails with an `AbortError`. */
  stop(): void;
}

/** The network of the page at `page`, over the server at `port`. */
export function browse(page: URL, port: number): Browser {
  const native = globalThis.fetch;
  const jars = new Map<string, Map<string, string>>();
  const stopped = new AbortController();

  function real(url: URL): string {
    const ours = url.hostname === HOST || url.hostname.endsWith(`.${HOST}`);
    if (url.protocol !== "http:" || url.port !== PORT || !ours) throw refused(url);
    return `http://127.0.0.1:${port}${url.pathname}${url.search}`;
  }

  async function visit(input: Request | URL | string, init?: RequestInit): Promise<Response> {
    const target = input instanceof Request ? input : new URL(String(input), page);
    const request = new Request(target, init);
    let url = new URL(request.url);
    let foreign = false;
    for (let hops = 0; hops <= 20; hops++) {
      // Once abroad, always a stranger: a way back over another origin is checked as well.
      foreign ||= url.origin !== page.origin;
      if (foreign && request.mode === "same-origin") throw refused(url);
      const include = request.credentials === "include";
      const credentials = include || (request.credentials === "same-origin" && !foreign);
      const headers = new Headers(request.headers);
      if (foreign) headers.set("origin", page.origin);
      // The cache mode is seen on the wire, unless the caller has spoken.
      if (/^(?:no-store|reload)$/.test(request.cache) && !headers.has("cache-control")) {
        headers.set("cache-control", "no-cache");
      }
      const jar = jars.get(url.hostname) ?? new Map<string, string>();
      jars.set(url.hostname, jar);
      if (credentials && jar.size > 0) {
        headers.set("cookie", Array.from(jar, ([name, value]) => `${name}=${value}`).join("; "));
      }

      const response = await native(real(url), {
        method: request.method,
        headers,
        body: request.body,
        redirect: "manual",
        signal: AbortSignal.any([request.signal, stopped.signal]),
      });
      if (credentials) response.headers.getSetCookie().forEach((line) => keep(jar, line));
      if (foreign && !allowed(response.headers, page.origin, include)) {
        await response.body?.cancel();
        throw refused(url);
      }
      const location = response.headers.get("location");
      if (![301, 302, 303, 307, 308].includes(response.status) || location === null) {
        return seenAs(response, url, hops > 0);
      }
      if (request.redirect === "manual") return seenAs(response, url, false);
      await response.body?.cancel();
      if (request.redirect === "error") throw refused(url);
      url = new URL(location, url);
    }
    throw refused(url);
  }

  return {
    fetch: visit,
    stop: () => stopped.abort(new DOMException("The page was stopped", "AbortError")),
  };
}

function refused(url: URL): TypeError {
  return new TypeError(`Failed to fetch: ${url.href}`);
}

function allowed(headers: Headers, origin: string, credentials: boolean): boolean {
  const allow = headers.get("access-control-allow-origin");
  if (!credentials) return allow === "*" || allow === origin;
  return allow === origin && headers.get("access-control-allow-credentials") === "true";
}

function keep(jar: Map<string, string>, line: string): void {
  const [pair, ...attributes] = line.split("; ");
  const [name, value] = pair.split("=");
  if (attributes.includes("Max-Age=0")) jar.delete(name);
  else jar.set(name, value);
}

function seenAs(response: Response, url: URL, redirected: boolean): Response {
  return Object.defineProperties(response, {
    url: { value: url.href },
    redirected: { value: redirected },
  });
}
