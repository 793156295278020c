/**
 * What a client makes of answers that are no event stream, and of none.
 *
 * @module
 */

import type { Harness, Library } from "../harness.ts";
import { keyFor, take } from "./client_helpers.ts";

/** Registers the tests. */
export function failures(library: Library, { test, assert, origin }: Harness): void {
  const { connect } = library;
  const answers = (name: string, ...all: number[]) => {
    const query = new URLSearchParams({ key: keyFor(name) });
    for (const answer of all) query.append("answer", `${answer}`);
    return `${origin}/answers?${query}`;
  };
  const retry = { initialDelay: 1, jitter: false } as const;

  test("connect takes a 204 for the end", async () => {
    const connection = connect(answers("no-content", 204));
    assert.deepEqual(await connection.next(), { done: true, value: undefined });
    assert.equal((await connection.closed).reason, "no-content");
  });

  test("connect rejects at a status that is not 200, once and for all (T19)", async () => {
    const connection = connect(answers("refused", 500, 200));
    const opened = connection.opened.catch((error) => error);
    const shape = { name: "ResponseError", code: "ERR_SSE_STATUS", message: /500/ };
    await assert.rejects(() => connection.next(), shape);
    const error = await opened;
    assert.ok(error instanceof library.ResponseError);
    assert.equal(error.status, 500);
    assert.equal((await connection.closed).reason, "failed");
  });

  test("connect rejects at a content type that is no event stream (T19)", async () => {
    const connection = connect(`${answers("type", 200)}&type=text/html`);
    connection.opened.catch(() => {});
    const shape = { name: "ResponseError", code: "ERR_SSE_CONTENT_TYPE", message: /text\/html/ };
    await assert.rejects(() => connection.next(), shape);
  });

  test("connect tries the statuses again that its policy names", async () => {
    const connection = connect(answers("busy", 503, 429, 200, 204), {
      retry: { ...retry, statuses: [429, 503] },
    });
    assert.deepEqual(await take(connection), ["3"]);
    assert.equal(connection.stats.attempts, 4);
  });

  test("connect gives up after maxAttempts in a row", async () => {
    const connection = connect(answers("down", 503), {
      retry: { ...retry, statuses: [503], maxAttempts: 3 },
    });
    connection.opened.catch(() => {});
    const shape = { name: "RetriesExhaustedError", code: "ERR_SSE_RETRIES_EXHAUSTED" };
    await assert.rejects(() => connection.next(), shape);
    assert.equal(connection.stats.attempts, 3);
  });

  test("connect leaves the waits to a function of the caller's", async () => {
    const told: [number, string][] = [];
    const connection = connect(`${origin}/numbers?to=9&cut=1`, {
      retry: ({ attempt, lastEventId }) => {
        told.push([attempt, lastEventId]);
        return told.length < 3 ? 0 : false;
      },
    });
    assert.deepEqual(await take(connection), ["1", "2", "3"]);
    assert.deepEqual(told.map(([, id]) => id), ["1", "2", "3"]);
  });

  test("connect rejects when nobody listens, after one attempt if told so", async () => {
    // The port is taken from the server that is there, where nobody listens under TLS.
    const connection = connect(`${origin.replace("http:", "https:")}/numbers`, { retry: false });
    connection.opened.catch(() => {});
    const error = await connection.next().then(() => undefined, (error) => error);
    assert.ok(error instanceof Error);
    assert.equal((await connection.closed).reason, "failed");
  });

  test("connect renews a token once after a 401", async () => {
    const attempts: number[] = [];
    const connection = connect(answers("token", 401, 200), {
      onUnauthorized: ({ attempt }) => void attempts.push(attempt),
      retry,
    });
    assert.equal((await connection.next()).value?.data, "2");
    assert.deepEqual(attempts, [1]);
    await connection.return();
  });

  test("connect gives up waiting for headers after connectTimeout", async () => {
    const key = keyFor("silent");
    const url = `${origin}/silent?key=${key}`;
    const connection = connect(url, { connectTimeout: 150, retry: false });
    connection.opened.catch(() => {});
    const shape = { name: "TimeoutError", code: "ERR_SSE_TIMEOUT" };
    await assert.rejects(() => connection.next(), shape);
    assert.equal(await (await fetch(`${origin}/left?key=${key}`)).json(), true);
  });

  test("connect gives up on a silent connection after idleTimeout", async () => {
    const url = `${origin}/hold?key=${keyFor("idle")}`;
    const connection = connect(url, { idleTimeout: 150, retry: false });
    await connection.next();
    const shape = { name: "TimeoutError", code: "ERR_SSE_TIMEOUT", message: /nothing/ };
    await assert.rejects(() => connection.next(), shape);
  });

  test("connect tells an answer that was cut from one that is complete (T18)", async () => {
    const query = new URLSearchParams({ chunk: "data: a\n\ndata: b" });
    const connection = connect(`${origin}/chunks?${query}`, { retry: { onEnd: "close" } });
    assert.equal((await connection.next()).value?.data, "a");
    const shape = { name: "TruncatedError", code: "ERR_SSE_TRUNCATED" };
    await assert.rejects(() => connection.next(), shape);
  });

  test("connect fails at an event over maxEventSize, and does not ask again", async () => {
    const query = new URLSearchParams({ chunk: `data: ${"x".repeat(200)}`, open: "" });
    const connection = connect(`${origin}/chunks?${query}`, { maxEventSize: 100 });
    const shape = { name: "EventTooLargeError", code: "ERR_SSE_EVENT_TOO_LARGE" };
    await assert.rejects(() => connection.next(), shape);
    assert.equal(connection.stats.attempts, 1);
  });

  test("connect throws at options that make no sense", () => {
    assert.throws(() => connect(origin, { idleTimeout: -1 }), { name: "RangeError" });
    assert.throws(() => connect(origin, { body: "a", json: {} }), { name: "TypeError" });
  });
}
