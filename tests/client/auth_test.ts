/** `onUnauthorized`: a token that is renewed once for each 401, and asked with at once. */

import { assert, assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import {
  connect,
  type ConnectionState,
  type ConnectOptions,
  type UnauthorizedContext,
} from "../../client.ts";
import { ResponseError, SseError } from "../../errors.ts";
import { settle, text, unhandled } from "../helpers.ts";
import { endless } from "../fault/hostile.ts";
import { faultServer } from "../fault/server.ts";

/** Connects again at once, but not for ever. */
const AT_ONCE: ConnectOptions = { retry: { initialDelay: 0, maxAttempts: 50 } };

const DENIED = { status: 401, headers: { "www-authenticate": "Bearer" }, body: "no" };

/** A token that has to be renewed, and how often it was. */
function tokens() {
  const renewals: UnauthorizedContext[] = [];
  let token = 0;
  return {
    renewals,
    headers: () => ({ authorization: `Bearer ${token}` }),
    onUnauthorized: async (context: UnauthorizedContext) => {
      renewals.push(context);
      await settle();
      token++;
    },
  };
}

/** A renewal that ends when the test says so. */
function slowRenewal() {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const begun = Promise.withResolvers<void>();
  let calls = 0;
  let token = "old";
  return {
    calls: () => calls,
    begun: begun.promise,
    done: () => {
      token = "new";
      resolve();
    },
    fail: reject,
    headers: () => ({ authorization: token }),
    onUnauthorized: () => {
      calls++;
      begun.resolve();
      return promise;
    },
  };
}

Deno.test("connect calls onUnauthorized at a 401, and asks once more with headers made afresh", async () => {
  await using server = await faultServer([
    DENIED,
    { body: "id: 8\ndata: a\n\n", end: "stall" },
  ]);
  const states: ConnectionState[] = [];
  const { renewals, ...auth } = tokens();
  const connection = connect(server.url, {
    ...auth,
    lastEventId: "7",
    body: ({ attempt }) => `body ${attempt}`,
    // A wait would never end.
    retry: { initialDelay: 1e9, jitter: 0 },
    onState: (state) => states.push(state),
  });
  assertEquals((await connection.next()).value?.data, "a");
  assertEquals(
    server.requests.map((request) => [
      request.header("authorization"),
      request.lastEventId,
      request.method,
      text(request.body),
    ]),
    [["Bearer 0", "7", "POST", "body 1"], ["Bearer 1", "7", "POST", "body 2"]],
  );
  const [{ response, ...context }] = renewals;
  assertEquals(renewals.length, 1);
  assertEquals(context, { attempt: 1, lastEventId: "7" });
  assertEquals([response.status, response.headers.get("www-authenticate")], [401, "Bearer"]);
  assertEquals(states.map(({ state }) => state), ["connecting", "connecting", "open"]);
  assertEquals(
    states.slice(0, 2),
    [1, 2].map((attempt) => ({
      state: "connecting",
      attempt,
      lastEventId: "7",
      lastEventIdSent: true,
    })),
  );
  assertEquals(connection.stats.attempts, 2);
  assertEquals((await connection.opened).status, 200);
  connection.close();
});

Deno.test("connect waits for onUnauthorized before it asks again", async () => {
  await using server = await faultServer([DENIED, { status: 204 }]);
  const { calls, begun, done, ...auth } = slowRenewal();
  const connection = connect(server.url, auth);
  await begun;
  await server.closed(0);
  await settle();
  assertEquals([server.requests.length, connection.readyState], [1, "connecting"]);
  done();
  assertEquals(await connection.next(), { done: true, value: undefined });
  assertEquals(server.requests[1].header("authorization"), "new");
  assertEquals(calls(), 1);
});

Deno.test("connect takes an onUnauthorized that is not async", async () => {
  await using server = await faultServer([DENIED, { status: 204 }]);
  let token = "old";
  await connect(server.url, {
    headers: () => ({ authorization: token }),
    onUnauthorized: () => void (token = "new"),
  }).next();
  assertEquals(server.requests.map((request) => request.header("authorization")), ["old", "new"]);
});

Deno.test("connect cancels the body of a 401, and frees its socket", async () => {
  await using server = await faultServer([
    { ...DENIED, body: endless() },
    { body: "data: a\n\n" },
    { ...DENIED, body: "x", end: "stall" },
    { status: 204 },
  ]);
  const { renewals, ...auth } = tokens();
  await Array.fromAsync(connect(server.url, { ...AT_ONCE, ...auth }));
  assertEquals([await server.closed(0), await server.closed(2)], ["client", "client"]);
  assertEquals(renewals.length, 2);
});

Deno.test("connect fails at the second 401 in a row", async () => {
  await using server = await faultServer([DENIED, { ...DENIED, body: "still no" }]);
  const { renewals, ...auth } = tokens();
  const connection = connect(server.url, { ...AT_ONCE, ...auth });
  const error = await assertRejects(() => connection.next(), ResponseError);
  assertEquals([error.code, error.status, error.body], ["ERR_SSE_STATUS", 401, "still no"]);
  assertStrictEquals(await assertRejects(() => connection.opened), error);
  assertEquals(await connection.closed, { reason: "failed", cause: error });
  assertEquals([renewals.length, server.requests.length], [1, 2]);
});

Deno.test("connect calls onUnauthorized again after it was open, with the last event ID", async () => {
  await using server = await faultServer([
    DENIED,
    { body: "id: 1\ndata: a\n\n" },
    DENIED,
    { body: "id: 2\ndata: b\n\n" },
    { status: 204 },
  ]);
  const { renewals, ...auth } = tokens();
  const connection = connect(server.url, { ...AT_ONCE, ...auth });
  assertEquals((await Array.fromAsync(connection)).map(({ data }) => data), ["a", "b"]);
  assertEquals(renewals.map(({ attempt, lastEventId }) => [attempt, lastEventId]), [
    [1, ""],
    [3, "1"],
  ]);
  assertEquals(
    server.requests.map((request) => [request.header("authorization"), request.lastEventId]),
    [
      ["Bearer 0", undefined],
      ["Bearer 1", undefined],
      ["Bearer 1", "1"],
      ["Bearer 2", "1"],
      ["Bearer 2", "2"],
    ],
  );
});

Deno.test("connect calls onUnauthorized again where the 401 before was not the last answer", async () => {
  await using server = await faultServer([
    DENIED,
    { status: 503 },
    DENIED,
    { status: 204 },
  ]);
  const { renewals, ...auth } = tokens();
  const connection = connect(server.url, {
    retry: { initialDelay: 0, statuses: [503] },
    ...auth,
  });
  assertEquals(await connection.next(), { done: true, value: undefined });
  assertEquals(renewals.length, 2);
});

Deno.test("connect asks with the new token where the request after the 401 is lost", async () => {
  await using server = await faultServer([DENIED, { raw: "", end: "reset" }, { status: 204 }]);
  const { renewals, ...auth } = tokens();
  const delays: number[] = [];
  const connection = connect(server.url, {
    retry: { initialDelay: 0, maxAttempts: 2 },
    ...auth,
    onState: (state) => state.state === "retry" && delays.push(state.attempt),
  });
  assertEquals(await connection.next(), { done: true, value: undefined });
  assertEquals(
    server.requests.map((request) => request.header("authorization")),
    ["Bearer 0", "Bearer 1", "Bearer 1"],
  );
  // The 401 is no loss, so that one is left.
  assertEquals([renewals.length, delays], [1, [1]]);
});

for (
  const [how, throws] of [
    ["throws", () => {
      throw new Error("no refresh token");
    }],
    ["rejects", () => Promise.reject(new Error("no refresh token"))],
  ] as [string, () => Promise<void>][]
) {
  Deno.test(`connect fails with the error where onUnauthorized ${how}, and asks no more`, async () => {
    await using server = await faultServer([DENIED]);
    const connection = connect(server.url, { ...AT_ONCE, onUnauthorized: throws });
    const error = await assertRejects(() => connection.next(), Error, "no refresh token");
    assertStrictEquals(await assertRejects(() => connection.opened), error);
    assertEquals(await connection.closed, { reason: "failed", cause: error });
    await server.closed(0);
    assertEquals(server.requests.length, 1);
  });
}

Deno.test("connect without onUnauthorized fails at the first 401", async () => {
  await using server = await faultServer([DENIED]);
  const connection = connect(server.url, AT_ONCE);
  const error = await assertRejects(() => connection.next(), ResponseError);
  assertEquals([error.status, error.body, server.requests.length], [401, "no", 1]);
});

Deno.test("connect calls onUnauthorized at no other status", async () => {
  for (const status of [400, 403, 407, 511]) {
    await using server = await faultServer([{ status }]);
    const { renewals, ...auth } = tokens();
    await assertRejects(() => connect(server.url, auth).next(), ResponseError);
    assertEquals(renewals.length, 0);
  }
});

Deno.test("connect does not call onUnauthorized twice where it is told to reconnect meanwhile", async () => {
  await using server = await faultServer([DENIED, { body: "data: a\n\n", end: "stall" }]);
  const { calls, begun, done, ...auth } = slowRenewal();
  const connection = connect(server.url, auth);
  const next = connection.next();
  await begun;
  connection.reconnect();
  connection.reconnect();
  await settle();
  // The renewal is for the attempts after it, too.
  assertEquals(server.requests.length, 1);
  done();
  assertEquals((await next).value?.data, "a");
  assertEquals([calls(), server.requests.length], [1, 2]);
  assertEquals(server.requests[1].header("authorization"), "new");
  connection.close();
});

Deno.test("connect fails with the error of onUnauthorized where it is told to reconnect meanwhile", async () => {
  await using server = await faultServer([DENIED]);
  const { begun, fail, ...auth } = slowRenewal();
  const connection = connect(server.url, { ...AT_ONCE, ...auth });
  await begun;
  connection.reconnect();
  const error = new Error("no refresh token");
  fail(error);
  assertStrictEquals(await assertRejects(() => connection.next()), error);
  assertEquals([auth.calls(), server.requests.length], [1, 1]);
});

Deno.test("connect refuses to ask again after a 401 to a stream, and says so", async () => {
  await using server = await faultServer([DENIED]);
  const { renewals, ...auth } = tokens();
  const body = ReadableStream.from([new Uint8Array(1)]);
  const connection = connect(server.url, { ...AT_ONCE, ...auth, body });
  const error = await assertRejects(() => connection.next(), SseError);
  assertEquals([error.code, renewals.length], ["ERR_SSE_BODY_USED", 1]);
});

for (
  const [how, leave, reason] of [
    ["close", (connection) => connection.close(), "closed"],
    ["the signal", (_, controller) => controller.abort("enough"), "aborted"],
  ] as [string, (c: ReturnType<typeof connect>, a: AbortController) => void, string][]
) {
  Deno.test(`connect ends by ${how} while onUnauthorized is pending, and asks no more`, async () => {
    await using server = await faultServer([DENIED]);
    const { begun, done, ...auth } = slowRenewal();
    const controller = new AbortController();
    const connection = connect(server.url, { ...auth, signal: controller.signal });
    const next = connection.next().catch((error) => error);
    await begun;
    leave(connection, controller);
    const result = await next;
    assertEquals(result, reason === "closed" ? { done: true, value: undefined } : "enough");
    assertEquals((await connection.closed).reason, reason);
    done();
    await settle();
    await server.closed(0);
    assertEquals(server.requests.length, 1);
  });
}

Deno.test("connect leaves no rejection unhandled where onUnauthorized fails after the close", async () => {
  const reasons = await unhandled(async () => {
    await using server = await faultServer([DENIED]);
    const { begun, fail, ...auth } = slowRenewal();
    const connection = connect(server.url, auth);
    await begun;
    connection.close();
    await connection.closed;
    fail(new Error("late"));
    await server.closed(0);
  });
  assertEquals(reasons, []);
});

Deno.test("connect renews for each of two connections at once", async () => {
  await using server = await faultServer(({ headers }) =>
    headers.some(({ value }) => value === "Bearer 0") ? DENIED : { status: 204 }
  );
  const [first, second] = [tokens(), tokens()];
  await Promise.all([first, second].map(({ renewals: _, ...auth }) => {
    return connect(server.url, auth).next();
  }));
  assertEquals([first.renewals.length, second.renewals.length], [1, 1]);
  assert(server.requests.length === 4);
});
