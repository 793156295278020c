/**
 * The client that resumes, over loopback.
 *
 * @module
 */

import type { Harness, Library, Suite } from "../harness.ts";
import { crossOrigin } from "./client_origins.ts";
import { failures } from "./client_failures.ts";
import { echoOf, keyFor, take } from "./client_helpers.ts";

const suite: Suite = { name: "client", needs: ["fetch"], register };
export default suite;

/** Waits that a test can afford. */
const QUICK = { initialDelay: 1, jitter: false } as const;

function register(library: Library, harness: Harness): void {
  const { test, assert, origin, page = false } = harness;
  const { connect } = library;

  test("connect gives the events of a server, and then its end", async () => {
    const connection = connect(`${origin}/numbers?to=3`, { retry: { onEnd: "close" } });
    const { status } = await connection.opened;
    assert.equal(status, 200);
    assert.deepEqual(await take(connection), ["1", "2", "3"]);
    assert.equal((await connection.closed).reason, "ended");
    assert.deepEqual([connection.stats.events, connection.stats.attempts], [3, 1]);
  });

  test("connect resumes after bodies that end, until 204 (T20, T21)", async () => {
    const connection = connect(`${origin}/numbers?to=10&cut=3`, { retry: QUICK });
    assert.deepEqual(await take(connection), ["1", "2", "3", "4", "5", "6", "7", "8", "9", "10"]);
    assert.equal((await connection.closed).reason, "no-content");
    assert.deepEqual([connection.lastEventId, connection.stats.attempts], ["10", 5]);
  });

  test("connect resumes after a body that breaks off inside an event (T18)", async () => {
    const connection = connect(`${origin}/numbers?to=5&cut=2&torn`, { retry: QUICK });
    assert.deepEqual(await take(connection), ["1", "2", "3", "4", "5"]);
    assert.equal(connection.stats.attempts, 4);
  });

  test("connect waits for the reconnection time that the server names (T17, T21)", async () => {
    const delays: number[] = [];
    const connection = connect(`${origin}/numbers?to=2&cut=1&retry=120`, {
      retry: { jitter: false, multiplier: 1 },
      onState: (state) => void (state.state === "retry" && delays.push(state.delay)),
    });
    assert.deepEqual(await take(connection), ["1", "2"]);
    assert.deepEqual(delays, [120, 120]);
  });

  test("reconnect asks for what was not taken, and gives nothing twice", async () => {
    const connection = connect(`${origin}/numbers?to=4`, { retry: QUICK });
    assert.deepEqual(await take(connection, 2), ["1", "2"]);
    // Event 2 is in hand: it is taken when the next one is asked for.
    assert.equal(connection.lastEventId, "1");
    connection.reconnect();
    assert.deepEqual(await take(connection, 2), ["3", "4"]);
    assert.equal(connection.stats.attempts, 2);
    await connection.return();
  });

  test("connect starts after the last event ID that it is given (T16)", async () => {
    const connection = connect(`${origin}/numbers?to=4`, { lastEventId: "2", retry: QUICK });
    assert.deepEqual(await take(connection), ["3", "4"]);
  });

  test("connect sends the last event ID as UTF-8, and in the query if told so (T22)", async () => {
    const lastEventId = "é✓ 1";
    const options = { lastEventId, lastEventIdParam: "after" };
    const { headers } = await echoOf(connect(`${origin}/echo`, options));
    const sent = Uint8Array.from(headers["last-event-id"], (char) => char.charCodeAt(0));
    assert.equal(new TextDecoder().decode(sent), lastEventId);
    const { url } = await echoOf(connect(`${origin}/echo`, options));
    assert.equal(new URL(url).searchParams.get("after"), lastEventId);
  });

  test("connect accepts event streams and goes past caches (T25)", async () => {
    const { method, headers } = await echoOf(connect(`${origin}/echo`));
    assert.deepEqual([method, headers.accept], ["GET", "text/event-stream"]);
    assert.match(headers["cache-control"], /^no-cache$/);
  });

  test("connect posts JSON, with headers that are made for each attempt", async () => {
    const attempts: number[] = [];
    const connection = connect(`${origin}/echo`, {
      json: { ask: "é" },
      headers: ({ attempt }) => {
        attempts.push(attempt);
        return { "x-attempt": `${attempt}` };
      },
      retry: QUICK,
    });
    const told = [];
    for await (const { data } of connection.json<{ body: string }>()) {
      told.push(data);
      if (told.length === 2) break;
    }
    assert.deepEqual(attempts, [1, 2]);
    assert.deepEqual(told.map(({ body }) => body), ['{"ask":"é"}', '{"ask":"é"}']);
  });

  test("connect gives an event before its response has ended", async () => {
    const connection = connect(`${origin}/hold?key=${keyFor("early")}`);
    const { value } = await connection.next();
    assert.deepEqual([value?.data, connection.readyState], ["held", "open"]);
    await connection.return();
  });

  test("connect reads CRLF, a BOM and a character that are cut between chunks (T2, T5)", async () => {
    const query = new URLSearchParams({ open: "" });
    const parts = ["ef", "bbbf646174613a2061c3", "a90d", "0a646174613a20620d", "0a0d", "0a"];
    for (const part of parts) query.append("hex", part);
    const connection = connect(`${origin}/chunks?${query}`);
    const { value } = await connection.next();
    assert.deepEqual(value, { event: "message", data: "aé\nb", id: "" });
    await connection.return();
  });

  test("connect ends before the event that until names", async () => {
    const query = new URLSearchParams({
      chunk: "data: a\n\ndata: [DONE]\n\ndata: b\n\n",
      open: "",
    });
    const until = ({ data }: { data: string }) => data === "[DONE]";
    const connection = connect(`${origin}/chunks?${query}`, { until });
    assert.deepEqual(await take(connection), ["a"]);
    assert.equal((await connection.closed).reason, "ended");
  });

  test("connect lets go of the response when its loop is left", async () => {
    const key = keyFor("break");
    for await (const { data } of connect(`${origin}/hold?key=${key}`)) {
      assert.equal(data, "held");
      break;
    }
    assert.equal(await (await fetch(`${origin}/left?key=${key}`)).json(), true);
  });

  test("connect rejects with the reason of its signal, and lets go of the response (T24)", async () => {
    const key = keyFor("abort");
    const stop = new AbortController();
    const connection = connect(`${origin}/hold?key=${key}`, { signal: stop.signal });
    await connection.next();
    const next = connection.next();
    stop.abort(new RangeError("enough"));
    await assert.rejects(next, { name: "RangeError", message: /^enough$/ });
    assert.equal((await connection.closed).reason, "aborted");
    assert.equal(await (await fetch(`${origin}/left?key=${key}`)).json(), true);
  });

  test("close ends a read that waits, without an error", async () => {
    const connection = connect(`${origin}/hold?key=${keyFor("close")}`);
    await connection.next();
    const next = connection.next();
    connection.close("bye");
    assert.deepEqual(await next, { done: true, value: undefined });
    assert.deepEqual(await connection.closed, { reason: "closed", cause: "bye" });
  });

  test("connect reads no more than its consumer takes", async () => {
    const key = keyFor("pressure");
    const connection = connect(`${origin}/flood?key=${key}`);
    await connection.next();
    const flooded = async (): Promise<number> => {
      return await (await fetch(`${origin}/flooded?key=${key}`)).json();
    };
    // The system and the engine hold some megabytes: it stands still when they are full.
    let before = -1;
    let now = await flooded();
    for (let i = 0; i < (page ? 5 : 50) && now !== before; i++) {
      await new Promise((resolve) => setTimeout(resolve, 100));
      [before, now] = [now, await flooded()];
    }
    const { bytes } = connection.stats;
    await connection.return();
    assert.ok(bytes < 1_000_000, `${bytes} bytes were taken from the body for one event`);
    // The `fetch` of Firefox itself reads ahead without an end: more cannot be said of a page.
    if (page) return;
    assert.ok(now === before && now < 1_000, `${now} events of 64 KiB were sent to a still reader`);
  });

  test("connect gives its events as a stream and as batches", async () => {
    const query = new URLSearchParams({ chunk: "data: 1\n\ndata: 2\n\n" });
    const batches = connect(`${origin}/chunks?${query}`).batches();
    const { value } = await batches.next();
    assert.deepEqual(value?.map(({ data }: { data: string }) => data), ["1", "2"]);
    await batches.return?.();
    const reader = connect(`${origin}/numbers?to=1`).readable.getReader();
    assert.equal((await reader.read()).value?.data, "1");
    await reader.cancel();
  });

  test("connect tells of its states in order", async () => {
    const states: string[] = [];
    const onState = ({ state }: { state: string }) => void states.push(state);
    await take(connect(`${origin}/numbers?to=2&cut=1`, { retry: QUICK, onState }));
    assert.deepEqual(states, [
      ...["connecting", "open", "retry", "connecting", "open", "retry", "connecting"],
      "closed",
    ]);
  });

  failures(library, harness);
  crossOrigin(library, harness);
}
