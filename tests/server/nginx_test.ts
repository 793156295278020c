/** Our responses behind a real nginx with its defaults, which buffer: every event is on time. */

import { assert, assertEquals } from "@std/assert";
import { connect } from "../../client.ts";
import { Channel, eventStreamResponse, type Session } from "../../server.ts";
import { within } from "../fault/real_time.ts";
import { listenDeno } from "../listen.ts";
import { nginxBefore } from "../nginx.ts";
import { requireProgram } from "../programs.ts";

const installed = await requireProgram("nginx", ["-v"], "apt-get install nginx-light");

/** A server of ours and an nginx before it; both end with the block. */
async function behindNginx(handler: (request: Request) => Response) {
  await using stack = new AsyncDisposableStack();
  const server = stack.use(listenDeno(handler));
  const { port } = stack.use(await nginxBefore(server.port));
  const both = stack.move();
  return {
    origin: `http://127.0.0.1:${port}`,
    [Symbol.asyncDispose]: () => both.disposeAsync(),
  };
}

Deno.test({
  name: "Channel behind nginx delivers each event before the next one is published, and resumes",
  ignore: !installed,
  async fn() {
    const left = Promise.withResolvers<void>();
    await using channel = new Channel({
      onSession: (_, change) => change === "leave" && left.resolve(),
    });
    await using site = await behindNginx((request) => channel.subscribe(request));
    const connection = connect(site.origin, { retry: { initialDelay: 10, jitter: 0 } });
    // The headers come before any event.
    await within(connection.opened, 10_000, () => "nginx withholds the headers");
    const ids: string[] = [];
    for (let i = 0; i < 20; i++) {
      if (i === 10) [...channel.sessions()][0].close();
      const id = await channel.publish({ data: `${i}` });
      const { value } = await within(connection.next(), 10_000, () => `event ${i} is withheld`);
      assertEquals([value?.data, value?.id], [`${i}`, id]);
      ids.push(id);
    }
    assertEquals(new Set(ids).size, 20);
    connection.close();
    await within(left.promise, 10_000, () => "nginx does not tell that the reader has left");
  },
});

Deno.test({
  name: "nginx withholds what has no X-Accel-Buffering, so the test of it can fail",
  ignore: !installed,
  async fn() {
    const sessions: Session[] = [];
    const headers = { "x-accel-buffering": "yes" };
    const handler = (request: Request) =>
      request.url.endsWith("/fence")
        ? new Response("fence")
        : eventStreamResponse((session) => void sessions.push(session), { headers });
    await using site = await behindNginx(handler);
    let opened = false;
    const response = fetch(site.origin).then((response) => {
      opened = true;
      return response.text();
    });
    while (sessions.length === 0) await (await fetch(`${site.origin}/fence`)).text();
    await sessions[0].send({ data: "late" });
    for (let i = 0; i < 5; i++) await (await fetch(`${site.origin}/fence`)).text();
    assertEquals(opened, false);
    sessions[0].close();
    assert((await response).includes("data: late"));
  },
});
