/**
 * Hubs of the package for pages of other origins, which a browser asks before it lets a page in.
 *
 * Each is at a path of its own, with `/topics/NAME` after it: `/any` for any page, `/named` for ours,
 * with the cookie that `cookie` of the query says, and `/stranger` for another page. `/cut` ends the
 * sessions of all, and `/preflights` says how many there were for a path.
 *
 * @module
 */

import { Hub } from "../../server.ts";
import type { Served } from "./harness.ts";

/**
 * Starts them on loopback.
 *
 * @param page The origin of the page.
 */
export function startHubs(page: string): Served {
  const hubs = new Map([
    ["/any", new Hub({ cors: { origin: true }, retry: 20 })],
    [
      "/named",
      new Hub({
        cors: { origin: [page], credentials: true },
        authorize: hasCookie,
      }),
    ],
    ["/stranger", new Hub({ cors: { origin: "https://elsewhere.example" } })],
  ]);
  const preflights = new Map<string, number>();
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, async (request) => {
    const { pathname, searchParams } = new URL(request.url);
    const headers = { "access-control-allow-origin": "*" };
    if (pathname === "/cut") {
      for (const hub of hubs.values()) hub.revoke(() => true);
      return new Response(null, { status: 204, headers });
    }
    if (pathname === "/preflights") {
      return Response.json(preflights.get(searchParams.get("path") ?? "") ?? 0, { headers });
    }
    if (request.method === "OPTIONS") {
      preflights.set(pathname, (preflights.get(pathname) ?? 0) + 1);
    }
    const hub = hubs.get(pathname.replace(/\/topics\/.*/, ""));
    return await hub?.fetch(request) ?? new Response("No such hub", { status: 404 });
  });
  const close = async () => {
    for (const hub of hubs.values()) await hub.close();
    await server.shutdown();
  };
  return { origin: `http://127.0.0.1:${server.addr.port}`, close };
}

function hasCookie({ url, headers }: Request): boolean {
  const cookies = (headers.get("cookie") ?? "").split("; ");
  return cookies.includes(new URL(url).searchParams.get("cookie") ?? "");
}
