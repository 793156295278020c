/**
 * A real nginx before a server, for `sse check` to look through.
 *
 * @module
 */

import { nginxBefore as before } from "../../nginx.ts";

/** Starts an nginx before `upstream`, with these directives; it ends with the block. */
export async function nginxBefore(
  upstream: number,
  location = "",
): Promise<AsyncDisposable & { readonly origin: string }> {
  const nginx = await before(upstream, { location: `proxy_http_version 1.1; ${location}` });
  return {
    origin: `http://127.0.0.1:${nginx.port}`,
    [Symbol.asyncDispose]: () => nginx[Symbol.asyncDispose](),
  };
}
