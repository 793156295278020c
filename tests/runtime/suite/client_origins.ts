/**
 * What a client does with redirects and other origins. A browser rules some of it by itself.
 *
 * @module
 */

import type { Harness, Library } from "../harness.ts";
import { echoOf, take } from "./client_helpers.ts";

/** Registers the tests. */
export function crossOrigin(library: Library, harness: Harness): void {
  const { test, assert, origin, otherOrigin, page = false } = harness;
  const { connect } = library;
  const redirect = (to: string, status = 307) =>
    `${origin}/redirect?${new URLSearchParams({ to, status: `${status}` })}`;

  test("connect follows a redirect in its origin, with its headers", async () => {
    const connection = connect(redirect("/echo"), { headers: { "x-key": "1" }, lastEventId: "7" });
    const { headers } = await echoOf(connection);
    assert.deepEqual([headers["x-key"], headers["last-event-id"]], ["1", "7"]);
    assert.equal(connection.url, redirect("/echo"));
  });

  test("connect asks the original URL again after a redirect (T21)", async () => {
    const retry = { initialDelay: 1, jitter: false } as const;
    const connection = connect(redirect("/numbers?to=3&cut=1"), { retry });
    assert.deepEqual(await take(connection), ["1", "2", "3"]);
  });

  test("connect refuses a redirect to another origin", async () => {
    const connection = connect(redirect(`${otherOrigin}/echo`));
    connection.opened.catch(() => {});
    const shape = { name: "RedirectError", code: "ERR_SSE_REDIRECT" };
    await assert.rejects(() => connection.next(), shape);
    assert.equal(connection.stats.attempts, 1);
  });

  test("connect follows no redirect at all if told so", async () => {
    const connection = connect(redirect("/echo"), { redirect: "error" });
    connection.opened.catch(() => {});
    await assert.rejects(() => connection.next(), { name: "RedirectError" });
  });

  test("connect follows to another origin if told so, and brings no secrets there", async () => {
    // A browser follows by itself, with all headers: it shows neither where a redirect leads nor
    // lets headers pass without asking.
    const headers: HeadersInit = page ? {} : { "x-key": "secret", authorization: "Bearer secret" };
    const connection = connect(redirect(`${otherOrigin}/echo`), { headers, redirect: "follow" });
    const told = await echoOf(connection);
    assert.equal(new URL(told.url).origin, otherOrigin);
    assert.deepEqual([told.headers["x-key"], told.headers.authorization], [undefined, undefined]);
  });

  test("connect ends a circle of redirects", async () => {
    // To follow it, a circle needs its own URL in itself: the server knows `loop`.
    const connection = connect(`${origin}/redirect?loop`, { retry: false });
    connection.opened.catch(() => {});
    const error = await connection.next().then(() => undefined, (error) => error);
    assert.ok(error instanceof Error);
  });

  test("connect reads from another origin, and resumes there", async () => {
    const retry = { initialDelay: 1, jitter: false } as const;
    // The last event ID is a header that a browser asks permission for.
    const connection = connect(`${otherOrigin}/numbers?to=4&cut=2`, { retry });
    assert.deepEqual(await take(connection), ["1", "2", "3", "4"]);
  });
}
