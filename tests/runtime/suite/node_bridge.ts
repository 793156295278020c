/**
 * From a fetch handler to bare `node:http`.
 *
 * @module
 */

import type { CloseReason } from "@webstreams/sse";
import type { Harness, Library, NodeModules, Served, Suite } from "../harness.ts";
import { serveOnNode } from "../serve.ts";
import { take } from "./client_helpers.ts";
import { assertHeldBack, endless } from "./server_helpers.ts";

const suite: Suite = { name: "node bridge", needs: ["fetch", "node:http"], register };
export default suite;

type Listener = Parameters<typeof serveOnNode>[1];

function register(library: Library, { test, assert, node }: Harness): void {
  const { Channel, connect, eventStreamResponse } = library;

  /** Runs a test with a server, which is ended in any case. */
  async function serving(
    listenerOf: (bridge: NodeModules["bridge"]) => Listener,
    body: (server: Served) => Promise<void>,
  ): Promise<void> {
    if (node === undefined) throw new Error("Cannot serve: the harness has no node:http");
    const server = await serveOnNode(node, listenerOf(node.bridge));
    try {
      await body(server);
    } finally {
      await server.close();
    }
  }

  test("toNodeHandler sends status, headers and body", async () => {
    const handler = () => {
      const headers = new Headers({ "x-own": "1" });
      headers.append("set-cookie", "a=1");
      headers.append("set-cookie", "b=2");
      return new Response("é", { status: 201, headers });
    };
    await serving(({ toNodeHandler }) => toNodeHandler(handler), async ({ origin }) => {
      const response = await fetch(origin);
      assert.deepEqual([response.status, await response.text()], [201, "é"]);
      assert.equal(response.headers.get("x-own"), "1");
      assert.deepEqual(response.headers.getSetCookie(), ["a=1", "b=2"]);
    });
  });

  test("toNodeHandler makes a Request of what came", async () => {
    const handler = async (request: Request) => {
      const { method, url, headers } = request;
      return Response.json([method, url, headers.get("x-own"), await request.text()]);
    };
    await serving(({ toNodeHandler }) => toNodeHandler(handler), async ({ origin }) => {
      const init = { method: "POST", body: "é", headers: { "x-own": "1" } };
      const told = await (await fetch(`${origin}/a?b=%C3%A9`, init)).json();
      assert.deepEqual(told, ["POST", `${origin}/a?b=%C3%A9`, "1", "é"]);
    });
  });

  test("toNodeHandler sends each event when it is there", async () => {
    const handler = (request: Request) =>
      eventStreamResponse(async (session) => {
        await session.send({ data: "at once" });
        await session.closed;
      }, { request });
    await serving(({ toNodeHandler }) => toNodeHandler(handler), async ({ origin }) => {
      const connection = connect(origin);
      assert.equal((await connection.next()).value?.data, "at once");
      await connection.return();
    });
  });

  test("toNodeHandler ends the session and aborts the request when the peer leaves", async () => {
    const left = Promise.withResolvers<CloseReason>();
    const aborted = Promise.withResolvers<boolean>();
    const handler = (request: Request) => {
      request.signal.addEventListener("abort", () => aborted.resolve(true));
      const onClose = left.resolve;
      return eventStreamResponse((session) => void session.send({ data: "a" }), {
        request,
        onClose,
      });
    };
    await serving(({ toNodeHandler }) => toNodeHandler(handler), async ({ origin }) => {
      const connection = connect(origin);
      await connection.next();
      await connection.return();
      assert.equal((await left.promise).reason, "peer-left");
      assert.equal(await aborted.promise, true);
    });
  });

  test("toNodeHandler cancels the body when the peer leaves", async () => {
    const cancelled = Promise.withResolvers<unknown>();
    const body = () =>
      new ReadableStream<Uint8Array>({
        start: (controller) => controller.enqueue(new TextEncoder().encode("data: a\n\n")),
        cancel: cancelled.resolve,
      });
    const headers = { "content-type": "text/event-stream" };
    const handler = () => new Response(body(), { headers });
    await serving(({ toNodeHandler }) => toNodeHandler(handler), async ({ origin }) => {
      const stop = new AbortController();
      const response = await fetch(origin, { signal: stop.signal });
      await response.body?.getReader().read();
      stop.abort();
      const reason = await cancelled.promise;
      assert.equal(reason instanceof Error && reason.name, "AbortError");
    });
  });

  test("toNodeHandler pulls no more than the peer takes", async () => {
    const { events, log } = endless(65_536);
    const handler = () => eventStreamResponse(events);
    await serving(({ toNodeHandler }) => toNodeHandler(handler), async ({ origin }) => {
      await assertHeldBack(connect(origin), log, assert);
    });
  });

  test("toNodeHandler answers 500 when its handler throws, and tells onError", async () => {
    const errors: unknown[] = [];
    const handler = () => {
      throw new RangeError("secret");
    };
    const onError = (error: unknown) => void errors.push(error);
    await serving(
      ({ toNodeHandler }) => toNodeHandler(handler, { onError }),
      async ({ origin }) => {
        const response = await fetch(origin);
        assert.equal(response.status, 500);
        assert.ok(!(await response.text()).includes("secret"));
        assert.ok(errors[0] instanceof RangeError);
      },
    );
  });

  test("toNodeHandler breaks the connection off when a body fails", async () => {
    const errors: unknown[] = [];
    const body = () =>
      new ReadableStream<Uint8Array>({
        start: (controller) => controller.enqueue(new TextEncoder().encode("half of i")),
        pull: (controller) => controller.error(new RangeError("broken")),
      }, { highWaterMark: 0 });
    const onError = (error: unknown) => void errors.push(error);
    const listener = (bridge: NodeModules["bridge"]) =>
      bridge.toNodeHandler(() => new Response(body()), { onError });
    await serving(listener, async ({ origin }) => {
      const text = await fetch(origin).then((response) => response.text()).catch(() => undefined);
      assert.equal(text, undefined, "the peer takes what it has for the whole");
      assert.ok(errors[0] instanceof RangeError);
    });
  });

  test("toNodeHandler answers HEAD and 204 without a body", async () => {
    const ended: string[] = [];
    const handler = (request: Request) =>
      request.method === "HEAD"
        ? eventStreamResponse(() => {}, { onClose: ({ reason }) => ended.push(reason) })
        : new Response(null, { status: 204 });
    await serving(({ toNodeHandler }) => toNodeHandler(handler), async ({ origin }) => {
      const head = await fetch(origin, { method: "HEAD" });
      assert.equal(head.headers.get("content-type"), "text/event-stream");
      assert.equal(await head.text(), "");
      assert.equal((await fetch(origin)).status, 204);
      assert.equal(ended.length, 1);
    });
  });

  test("toNodeHandler answers one request after the other on a connection", async () => {
    const handler = () => eventStreamResponse([{ data: "a" }]);
    await serving(({ toNodeHandler }) => toNodeHandler(handler), async ({ origin }) => {
      for (let i = 0; i < 15; i++) {
        assert.equal(await (await fetch(origin)).text(), ": \n\ndata: a\n\n");
      }
    });
  });

  test("sendResponse sends a response from a handler of Node, with its headers", async () => {
    const listener = ({ sendResponse }: NodeModules["bridge"]): Listener => (_, res) => {
      res.setHeader("x-own", "1");
      return sendResponse(res, eventStreamResponse([{ data: "a" }]));
    };
    await serving(listener, async ({ origin }) => {
      const response = await fetch(origin);
      assert.equal(response.headers.get("x-own"), "1");
      assert.equal(response.headers.get("content-type"), "text/event-stream");
      assert.equal(await response.text(), ": \n\ndata: a\n\n");
    });
  });

  test("Channel behind toNodeHandler gives a client that comes back what it missed", async () => {
    const channel = new Channel();
    const handler = (request: Request) => channel.subscribe(request);
    await serving(({ toNodeHandler }) => toNodeHandler(handler), async ({ origin }) => {
      const connection = connect(origin, { retry: { initialDelay: 1, jitter: false } });
      await connection.opened;
      for (let i = 1; i <= 30; i++) {
        await channel.publish({ data: `${i}` });
        if (i % 10 === 0) { for (const session of channel.sessions()) session.close(); }
      }
      const expected = Array.from({ length: 30 }, (_, i) => `${i + 1}`);
      assert.deepEqual(await take(connection, 30), expected);
      await connection.return();
      await channel.close();
    });
  });
}
