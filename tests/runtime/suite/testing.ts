/**
 * What users test with: a network in memory and its faults, with no socket at all.
 *
 * @module
 */

import type { Harness, Library, Suite } from "../harness.ts";

const suite: Suite = { name: "testing", needs: [], register };
export default suite;

const URL = "http://sse.test/topics/news";

function register(library: Library, { test, assert, testing }: Harness): void {
  const { connect, EventSource, eventStreamResponse, Hub, readEvents } = library;
  const { collect, createTransport } = testing;
  const dataOf = (events: { data: string }[]) => events.map(({ data }) => data);

  const readBody = ({ body }: Response) => (body ?? new ReadableStream()).getReader().read();

  /** Two events, and then nothing until the reader leaves. */
  const held = (request: Request) =>
    eventStreamResponse(async (session) => {
      for (const data of ["a", "é"]) await session.send({ id: data, data });
      await session.closed;
    }, { request, keepAlive: false });

  test("createTransport brings a request to a handler, and its answer back", async () => {
    const transport = createTransport(async (request) => {
      const { method, headers } = request;
      const text = `${method} ${headers.get("x-key")} ${await request.text()}`;
      return new Response(text, { status: 201, headers: { "x-key": "8" } });
    });
    const init = { method: "POST", headers: { "x-key": "7" }, body: "é" };
    const response = await transport.fetch(URL, init);
    assert.deepEqual([response.status, response.headers.get("x-key")], [201, "8"]);
    assert.deepEqual([response.url, await response.text()], [URL, "POST 7 é"]);
    assert.deepEqual([await transport.requests[0].text(), transport.connections.length], ["é", 0]);
    await transport.close();
  });

  test("createTransport lets a connection resume, however its network cuts it", async () => {
    const hub = new Hub({ keepAlive: false });
    const transport = createTransport((request) => hub.fetch(request), {
      faults: [
        { chunks: 1, cut: { events: 1 } },
        { refuse: true },
        { status: 503 },
        { end: { bytes: 20 } },
        { lastEventId: "", headers: { "content-type": "text/html" } },
      ],
    });
    const { fetch } = transport;
    const connection = connect(URL, { fetch, retry: () => 0 });
    await connection.opened;
    for (const data of ["1", "2", "3"]) await hub.publish("news", { data });
    assert.deepEqual(dataOf(await collect(connection, { count: 3 })), ["1", "2", "3"]);
    assert.deepEqual([transport.requests.length, transport.connections.length], [6, 0]);
    await transport.close();
    await hub.close();
  });

  test("a client that leaves or is cut aborts the signal of its request", async () => {
    const signals: AbortSignal[] = [];
    const transport = createTransport((request) => {
      signals.push(request.signal);
      return held(request);
    });
    const reader = readEvents(await transport.fetch(URL));
    assert.equal((await reader.next()).value?.data, "a");
    await reader.return();
    const stop = new AbortController();
    const response = await transport.fetch(URL, { signal: stop.signal });
    stop.abort(new RangeError("enough"));
    // By its body: `text()` of browsers has errors of its own.
    await assert.rejects(readBody(response), { name: "RangeError", message: /^enough$/ });
    const cut = await transport.fetch(URL);
    transport.cut();
    await assert.rejects(readBody(cut), { name: "TypeError" });
    assert.deepEqual(signals.map(({ aborted }) => aborted), [true, true, true]);
    assert.equal(transport.connections.length, 0);
    await transport.close();
  });

  test("stall stops the bytes, and resume lets them go on", async () => {
    const transport = createTransport(held, { faults: [{ stall: { events: 1 } }] });
    const reader = readEvents(await transport.fetch(URL));
    const one = { count: 1, close: false };
    assert.deepEqual(dataOf(await collect(reader, one)), ["a"]);
    await assert.rejects(collect(reader, { ...one, timeout: 1 }), { name: "CollectError" });
    assert.equal(transport.resume(), 1);
    assert.deepEqual(dataOf(await collect(reader, { count: 1 })), ["é"]);
    assert.equal(transport.connections.length, 0);
    await transport.close();
  });

  test("collect reads responses, streams, readers and an EventSource, and closes them", async () => {
    const transport = createTransport(held);
    const { fetch } = transport;
    const two = { count: 2 };
    const answer = await fetch(URL);
    const { body } = await fetch(URL);
    assert.deepEqual(dataOf(await collect(answer, two)), ["a", "é"]);
    assert.deepEqual(dataOf(await collect(body ?? new ReadableStream(), two)), ["a", "é"]);
    assert.deepEqual(dataOf(await collect(readEvents(await fetch(URL)), two)), ["a", "é"]);
    assert.deepEqual(dataOf(await collect(new EventSource(URL, { fetch }), two)), ["a", "é"]);
    assert.equal(transport.connections.length, 0);
    await transport.close();
  });
}
