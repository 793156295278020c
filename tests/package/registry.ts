/**
 * A registry of npm on loopback that has one package.
 *
 * @module
 */

import type { Package } from "../../tools/pack.ts";

/** The base URL of a registry that serves `packed` until it is disposed of. */
export interface Registry extends AsyncDisposable {
  /** With a slash at the end. */
  readonly url: string;
}

/** Starts one. */
export async function serveRegistry({ file, manifest }: Package): Promise<Registry> {
  const tarball = await Deno.readFile(file);
  const digest = await crypto.subtle.digest("SHA-512", tarball);
  const integrity = `sha512-${new Uint8Array(digest).toBase64()}`;
  const { name, version } = manifest;
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, ({ url }) => {
    const { origin, pathname } = new URL(url);
    if (pathname === "/tarball.tgz") return new Response(tarball);
    if (decodeURIComponent(pathname) !== `/${name}`) return new Response(null, { status: 404 });
    const dist = { tarball: `${origin}/tarball.tgz`, integrity };
    const versions = { [version]: { ...manifest, dist } };
    return Response.json({ name, "dist-tags": { latest: version }, versions });
  });
  return {
    url: `http://127.0.0.1:${server.addr.port}/`,
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}
