/**
 * The EventSource of the standard, over loopback.
 *
 * @module
 */

import type { Harness, Library, Suite } from "../harness.ts";
import { type Echo, keyFor } from "./client_helpers.ts";

const suite: Suite = { name: "EventSource", needs: ["fetch"], register };
export default suite;

type Source = InstanceType<Library["EventSource"]>;

/** The next event of a type. */
function next<E extends Event = MessageEvent<string>>(source: EventTarget, type = "message") {
  return new Promise<E>((resolve) => {
    // Each type has an event class of its own, which the caller knows.
    source.addEventListener(type, (event) => resolve(event as E), { once: true });
  });
}

/** The data of all messages until the source is closed. */
function untilClosed(source: Source): Promise<string[]> {
  const data: string[] = [];
  source.onmessage = (event) => data.push(event.data);
  return new Promise((resolve) => {
    source.addEventListener("error", () => {
      if (source.readyState === source.CLOSED) resolve(data);
    });
  });
}

function register(library: Library, harness: Harness): void {
  const { test, assert, origin, otherOrigin, page = false } = harness;
  const { EventSource } = library;
  const told = (event: MessageEvent<string>): Echo => JSON.parse(event.data);
  type Failure = InstanceType<Library["EventSourceErrorEvent"]>;

  test("EventSource has the constants of the standard", () => {
    const { CONNECTING, OPEN, CLOSED, prototype } = EventSource;
    assert.deepEqual([CONNECTING, OPEN, CLOSED], [0, 1, 2]);
    assert.deepEqual([prototype.CONNECTING, prototype.OPEN, prototype.CLOSED], [0, 1, 2]);
    assert.equal(Object.prototype.toString.call(prototype), "[object EventSource]");
  });

  test("EventSource throws a SyntaxError at what is no URL", () => {
    assert.throws(() => new EventSource("http://[/"), { name: "SyntaxError" });
  });

  test("EventSource dispatches messages with data, last event ID and origin", async () => {
    const source = new EventSource(`${origin}/numbers?to=1`);
    assert.equal(source.readyState, EventSource.CONNECTING);
    const event = await next(source);
    assert.ok(event instanceof MessageEvent);
    assert.deepEqual([event.type, event.data, event.lastEventId, event.origin], [
      "message",
      "1",
      "1",
      origin,
    ]);
    source.close();
  });

  test("EventSource is open before its first message", async () => {
    const source = new EventSource(`${origin}/hold?key=${keyFor("open")}`);
    const order: string[] = [];
    source.onopen = () => order.push(`open ${source.readyState}`);
    source.onmessage = () => order.push("message");
    await next(source);
    source.close();
    assert.deepEqual(order, ["open 1", "message"]);
  });

  test("EventSource dispatches types of the server's own", async () => {
    const query = new URLSearchParams({ chunk: "event: price\ndata: 12\n\n", open: "" });
    const source = new EventSource(`${origin}/chunks?${query}`);
    source.onmessage = () => assert.ok(false, "it is no message");
    assert.equal((await next(source, "price")).data, "12");
    source.close();
  });

  test("EventSource comes back after each loss, from where it was, until 204", async () => {
    const source = new EventSource(`${origin}/numbers?to=5&cut=2&retry=100`);
    assert.deepEqual(await untilClosed(source), ["1", "2", "3", "4", "5"]);
    assert.deepEqual([source.lastEventId, source.reconnectionTime], ["5", 100]);
  });

  test("EventSource comes back after a body that breaks off", async () => {
    const source = new EventSource(`${origin}/numbers?to=3&cut=1&retry=100&torn`);
    assert.deepEqual(await untilClosed(source), ["1", "2", "3"]);
  });

  test("EventSource tells of a loss, and that it connects again", async () => {
    const source = new EventSource(`${origin}/numbers?to=2&cut=1&retry=100`);
    await next(source, "error");
    assert.equal(source.readyState, EventSource.CONNECTING);
    assert.equal((await next(source)).data, "2");
    source.close();
  });

  test("EventSource closes for good when it is refused (T19)", async () => {
    const query = new URLSearchParams({ key: keyFor("refused"), answer: "500" });
    const source = new EventSource(`${origin}/answers?${query}`);
    const event = await next<Failure>(source, "error");
    assert.deepEqual([event.code, source.readyState], ["ERR_SSE_STATUS", EventSource.CLOSED]);
    assert.match(event.message, /500/);
  });

  test("EventSource closes for good at another content type (T19)", async () => {
    const query = { key: keyFor("type"), answer: "200", type: "text/plain" };
    const source = new EventSource(`${origin}/answers?${new URLSearchParams(query)}`);
    const event = await next<Failure>(source, "error");
    assert.deepEqual([event.code, source.readyState], ["ERR_SSE_CONTENT_TYPE", 2]);
  });

  test("EventSource dispatches nothing after close, not even what was read (T23)", async () => {
    const query = new URLSearchParams({ chunk: "data: 1\n\ndata: 2\n\n", open: "" });
    const source = new EventSource(`${origin}/chunks?${query}`);
    const data: string[] = [];
    const first = new Promise<void>((resolve) => {
      source.onmessage = (event) => {
        data.push(event.data);
        source.close();
        resolve();
      };
    });
    await first;
    await new Promise((resolve) => setTimeout(resolve, 50));
    assert.deepEqual([data, source.readyState], [["1"], EventSource.CLOSED]);
  });

  test("EventSource lets go of the response when it is closed", async () => {
    const key = keyFor("left");
    const source = new EventSource(`${origin}/hold?key=${key}`);
    await next(source);
    source.close();
    assert.equal(await (await fetch(`${origin}/left?key=${key}`)).json(), true);
  });

  test("EventSource sends headers of the caller's", async () => {
    const source = new EventSource(`${origin}/echo`, { headers: { "x-key": "1" } });
    const { headers } = told(await next(source));
    source.close();
    assert.deepEqual([headers["x-key"], headers.accept], ["1", "text/event-stream"]);
  });

  test("EventSource uses a fetch of the caller's", async () => {
    const headers = { "content-type": "text/event-stream" };
    const fetch = () => Promise.resolve(new Response("id: 7\ndata: hello\n\n", { headers }));
    const source = new EventSource("https://feed.example/", { fetch });
    const { data, lastEventId, origin } = await next(source);
    source.close();
    assert.deepEqual([data, lastEventId, origin], ["hello", "7", "https://feed.example"]);
  });

  test("EventSource follows a redirect to another origin, and names that one", async () => {
    const query = new URLSearchParams({ to: `${otherOrigin}/echo` });
    const source = new EventSource(`${origin}/redirect?${query}`);
    const event = await next(source);
    source.close();
    assert.equal(event.origin, otherOrigin);
    assert.equal(source.url, `${origin}/redirect?${query}`);
  });

  test("EventSource calls handler objects and drops a handler that is null", async () => {
    const source = new EventSource(`${origin}/numbers?to=2`);
    const heard: string[] = [];
    source.onmessage = () => heard.push("dropped");
    source.onmessage = null;
    const both = new Promise<void>((resolve) => {
      source.addEventListener("message", {
        handleEvent: (event: Event) => {
          heard.push(event instanceof MessageEvent ? event.data : "no message");
          if (heard.length === 2) resolve();
        },
      });
    });
    await both;
    source.close();
    assert.deepEqual([heard, source.onmessage], [["1", "2"], null]);
  });

  test("EventSource.fromReadableStream dispatches what a body holds, then closes", async () => {
    const { body } = new Response("id: 8\ndata: yes\n\n");
    const source = EventSource.fromReadableStream(body ?? new ReadableStream(), {
      lastEventId: "7",
    });
    const event = await next(source);
    assert.deepEqual([event.data, event.lastEventId], ["yes", "8"]);
    await next(source, "error");
    assert.equal(source.readyState, EventSource.CLOSED);
  });

  if (!page) return;

  test("EventSource resolves a URL relative to the page", async () => {
    const source = new EventSource("/numbers?to=1");
    assert.equal(source.url, `${origin}/numbers?to=1`);
    assert.equal((await next(source)).data, "1");
    source.close();
  });
}
