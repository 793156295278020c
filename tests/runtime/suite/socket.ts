/**
 * Our server on the runtime's own, and our client, with a socket between.
 *
 * @module
 */

import type { CloseReason, Session } from "@webstreams/sse";
import type { Handler, Harness, Library, Served, Suite } from "../harness.ts";
import { take } from "./client_helpers.ts";
import { assertHeldBack, endless } from "./server_helpers.ts";

const suite: Suite = { name: "socket", needs: ["fetch", "socket"], register };
export default suite;

/** Waits that a test can afford. */
const retry = { initialDelay: 1, jitter: false } as const;

function register(library: Library, { test, assert, serve }: Harness): void {
  const { Channel, connect, EventSource, eventStreamResponse, Hub } = library;

  /** Runs a test with a server, which is ended in any case. */
  async function serving(handler: Handler, body: (server: Served) => Promise<void>): Promise<void> {
    if (serve === undefined) throw new Error("Cannot serve: the harness has no server");
    const server = await serve(handler);
    try {
      await body(server);
    } finally {
      await server.close();
    }
  }

  test("eventStreamResponse reaches a client over a socket", async () => {
    const events = [{ data: "é\n1", id: "1" }, { data: "x".repeat(300_000), id: "2" }];
    await serving(() => eventStreamResponse(events), async ({ origin }) => {
      const data = await take(connect(origin, { retry: { onEnd: "close" } }));
      assert.deepEqual(data.map(({ length }) => length), [3, 300_000]);
    });
  });

  test("eventStreamResponse sends each event when it is there", async () => {
    const sessions: Session[] = [];
    const handler = (request: Request) =>
      eventStreamResponse((session) => void sessions.push(session), { request });
    await serving(handler, async ({ origin }) => {
      const connection = connect(origin);
      await connection.opened;
      for (const data of ["1", "2", "3"]) {
        const next = connection.next();
        await sessions[0].send({ data });
        assert.equal((await next).value?.data, data);
      }
      await connection.return();
    });
  });

  test("Session ends as peer-left when its client has left", async () => {
    const left = Promise.withResolvers<CloseReason>();
    const handler = (request: Request) =>
      eventStreamResponse((session) => void session.send({ data: "a" }), {
        request,
        keepAlive: 50,
        onClose: left.resolve,
      });
    await serving(handler, async ({ origin }) => {
      const connection = connect(origin);
      await connection.next();
      await connection.return();
      assert.equal((await left.promise).reason, "peer-left");
    });
  });

  test("eventStreamResponse pulls no more than a client takes", async () => {
    const { events, log } = endless(65_536);
    await serving(() => eventStreamResponse(events), async ({ origin }) => {
      await assertHeldBack(connect(origin), log, assert);
    });
  });

  test("eventStreamResponse breaks off where its source throws, and the client resumes", async () => {
    async function* broken(from: number) {
      yield { id: `${from + 1}`, data: `${from + 1}` };
      await Promise.resolve();
      throw new Error("broken on purpose");
    }
    const handler = (request: Request) =>
      eventStreamResponse(broken(Number(request.headers.get("last-event-id") ?? 0)));
    await serving(handler, async ({ origin }) => {
      const connection = connect(origin, { retry });
      assert.deepEqual(await take(connection, 3), ["1", "2", "3"]);
      await connection.return();
    });
  });

  test("Channel and connect lose nothing while their connection is cut", async () => {
    const channel = new Channel();
    await serving((request) => channel.subscribe(request), async ({ origin }) => {
      const connection = connect(origin, { retry });
      await connection.opened;
      for (let i = 1; i <= 60; i++) {
        await channel.publish({ data: `${i}` });
        if (i % 20 === 0) { for (const session of channel.sessions()) session.close(); }
      }
      const expected = Array.from({ length: 60 }, (_, i) => `${i + 1}`);
      assert.deepEqual(await take(connection, 60), expected);
      assert.ok(connection.stats.attempts >= 2);
      await connection.return();
      await channel.close();
    });
  });

  test("Channel and EventSource agree on events and ids", async () => {
    const channel = new Channel();
    await serving((request) => channel.subscribe(request), async ({ origin }) => {
      const source = new EventSource(origin);
      await new Promise((resolve) => source.onopen = resolve);
      const message = new Promise<MessageEvent<string>>((resolve) => source.onmessage = resolve);
      const id = await channel.publish({ data: "hello" });
      const { data, lastEventId } = await message;
      source.close();
      assert.deepEqual([data, lastEventId], ["hello", id]);
      await channel.close();
    });
  });

  test("Channel drains its clients, which come back to a 503", async () => {
    const channel = new Channel();
    await serving((request) => channel.subscribe(request), async ({ origin }) => {
      const connection = connect(origin, { retry: { ...retry, maxDelay: 1 } });
      await connection.opened;
      const next = connection.next();
      next.catch(() => {});
      await channel.close({ drain: 10 });
      await assert.rejects(next, { name: "ResponseError", message: /503/ });
    });
  });

  test("Hub.fetch is a server as it is", async () => {
    const hub = new Hub();
    await serving((request) => hub.fetch(request), async ({ origin }) => {
      const url = `${origin}/topics/news`;
      const connection = connect(url);
      await connection.opened;
      const next = connection.next();
      const body = JSON.stringify({ data: "é" });
      const headers = { "content-type": "application/json" };
      const posted = await fetch(url, { method: "POST", body, headers });
      const { id } = await posted.json();
      const { value } = await next;
      assert.deepEqual([value?.data, value?.id], ["é", id]);
      await connection.return();
      await hub.close();
    });
  });

  test("keep-alive comments hold off the idle timeout of a client", async () => {
    const handler = () =>
      eventStreamResponse(async (session) => {
        await new Promise((resolve) => setTimeout(resolve, 600));
        await session.send({ data: "late" });
      }, { keepAlive: 50 });
    await serving(handler, async ({ origin }) => {
      const connection = connect(origin, { idleTimeout: 400, retry: false });
      assert.equal((await connection.next()).value?.data, "late");
      await connection.return();
    });
  });
}
