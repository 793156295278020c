/** Redirects of {@linkcode connect}: what goes along, what does not, and where it ends. */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { connect, type ConnectOptions } from "../../client.ts";
import { RedirectError, ResponseError } from "../../errors.ts";
import { text, utf8 } from "../helpers.ts";
import type { Answer } from "../fault/answer.ts";
import { endless } from "../fault/hostile.ts";
import type { ReceivedRequest } from "../fault/request.ts";
import { type FaultServer, faultServer, type Step } from "../fault/server.ts";

/** Connects again at once, but not for ever. */
const AT_ONCE: ConnectOptions = { retry: { initialDelay: 0, maxAttempts: 50 } };

/** All that a caller may hold dear. */
const PRIVATE = {
  "X-Api-Key": "k",
  "Authorization": "Bearer t",
  "Cookie": "c=1",
  "Accept": "text/event-stream, a/b",
  "Cache-Control": "max-age=5",
  "Content-Language": "de",
};

function to(location: string, status = 302): Answer {
  return { status, headers: { location } };
}

/** Names and values of the headers, without those of every request. */
function headersOf({ headers }: ReceivedRequest): Record<string, string> {
  const plain = ["host", "connection", "user-agent", "accept-encoding", "accept-language"];
  const entries = headers.map(({ name, value }) => [name.toLowerCase(), value]);
  return Object.fromEntries(entries.filter(([name]) => !plain.includes(name)));
}

/** The one request that failed, why, and that nothing else was sent. */
async function refused(
  answer: Answer,
  options: ConnectOptions = {},
): Promise<{ error: RedirectError; server: FaultServer }> {
  await using server = await faultServer([answer]);
  const connection = connect(server.url, { ...AT_ONCE, ...options });
  const error = await assertRejects(() => connection.next(), RedirectError);
  assertEquals(await connection.closed, { reason: "failed", cause: error });
  assertEquals([error.code, error.name, error.from], [
    "ERR_SSE_REDIRECT",
    "RedirectError",
    server.url,
  ]);
  if (answer.end === "stall") assertEquals(await server.closed(0), "client");
  assertEquals(server.requests.length, 1);
  return { error, server };
}

// The same origin

for (
  const [status, method, then] of [
    [301, "GET", "GET"],
    [302, "GET", "GET"],
    [303, "GET", "GET"],
    [307, "GET", "GET"],
    [308, "GET", "GET"],
    [301, "POST", "GET"],
    [302, "POST", "GET"],
    [303, "POST", "GET"],
    [307, "POST", "POST"],
    [308, "POST", "POST"],
    [301, "PUT", "PUT"],
    [302, "PUT", "PUT"],
    [303, "PUT", "GET"],
    [307, "PUT", "PUT"],
    [308, "PATCH", "PATCH"],
    [303, "DELETE", "GET"],
    [302, "post", "GET"],
    [307, "post", "POST"],
    [303, "HEAD", "HEAD"],
    [303, "head", "HEAD"],
  ] as const
) {
  Deno.test(`connect follows a ${status} to the same origin, from ${method} to ${then}`, async () => {
    await using server = await faultServer([to("/b", status), { status: 204 }]);
    const body = ["GET", "HEAD"].includes(method.toUpperCase()) ? undefined : "é";
    const headers = { ...PRIVATE, "Content-Type": "a/b" };
    await connect(server.url, { method, body, headers, lastEventId: "7" }).next();
    const [first, second] = server.requests;
    assertEquals([first.method, second.method], [method.toUpperCase(), then]);
    assertEquals([first.path, second.path], ["/events", "/b"]);
    assertEquals(second.lastEventId, "7");
    const kept = then === method.toUpperCase();
    assertEquals(text(second.body), kept ? body ?? "" : "");
    const sent = headersOf(first);
    // What describes a body goes with it.
    for (const name of ["content-type", "content-language", "content-length"]) {
      if (!kept) delete sent[name];
    }
    assertEquals(headersOf(second), sent);
  });
}

for (const status of [307, 308]) {
  for (
    const [what, body] of [
      ["bytes", utf8("é")],
      ["URLSearchParams", new URLSearchParams({ a: "é" })],
      ["a Blob", new Blob(["é"])],
      ["of a function", () => "é"],
    ] as [string, ConnectOptions["body"]][]
  ) {
    Deno.test(`connect sends a body that is ${what} again after a ${status}`, async () => {
      await using server = await faultServer([to("/b", status), to("/c", status), { status: 204 }]);
      await connect(server.url, { body }).next();
      const [first, ...others] = server.requests.map(({ body }) => text(body));
      assert(first.length > 0);
      assertEquals(others, [first, first]);
    });
  }

  for (
    const [what, make] of [
      ["a ReadableStream", () => ReadableStream.from([utf8("a")])],
      ["an async iterable", async function* () {
        yield utf8("a");
      }],
    ] as [string, () => ReadableStream<Uint8Array>][]
  ) {
    Deno.test(`connect refuses to follow a ${status} with a body that is ${what}`, async () => {
      for (const body of [make, make()]) {
        const { error, server } = await refused(to("/b", status), { body });
        assert(error.message.endsWith("its body is a stream and was sent"), error.message);
        assertEquals(text(server.requests[0].body), "a");
      }
    });
  }
}

Deno.test("connect follows a 303 after a stream was sent, without a body", async () => {
  await using server = await faultServer([to("/b", 303), { status: 204 }]);
  await connect(server.url, { body: ReadableStream.from([utf8("a")]) }).next();
  assertEquals(server.requests.map(({ method, body }) => [method, text(body)]), [
    ["POST", "a"],
    ["GET", ""],
  ]);
});

for (
  const [location, target] of [
    ["/b?c=d", "/b?c=d"],
    ["b", "/a/b"],
    ["./b/", "/a/b/"],
    ["../b", "/b"],
    ["../../../b", "/b"],
    ["?b", "/a/events?b"],
    ["#b", "/a/events?x=1"],
    ["/%C3%A9%20", "/%C3%A9%20"],
    ["/a b", "/a%20b"],
    ["http:/b", "/b"],
  ]
) {
  Deno.test(`connect resolves the Location "${location}" against the URL that redirects`, async () => {
    await using server = await faultServer([to(location), { status: 204 }]);
    await connect(`${server.origin}/a/events?x=1`).next();
    assertEquals(server.requests[1].target, target);
  });
}

Deno.test("connect resolves a Location against the hop before, and takes an absolute one", async () => {
  await using server = await faultServer([
    to("/a/b"),
    to("c"),
    (request) => to(`//${request.header("host")}/d`),
    (request) => to(`http://${request.header("host")}/e`),
    { status: 204 },
  ]);
  await connect(server.url).next();
  assertEquals(server.requests.map(({ path }) => path), ["/events", "/a/b", "/a/c", "/d", "/e"]);
});

Deno.test("connect follows 20 redirects in a row, and counts anew at each attempt", async () => {
  const hops = Array.from({ length: 20 }, (_, i) => to(`/${i}`));
  await using server = await faultServer([
    ...hops,
    { body: "data: a\n\n" },
    ...hops,
    { status: 204 },
  ]);
  const connection = connect(server.url, AT_ONCE);
  assertEquals((await Array.fromAsync(connection)).length, 1);
  assertEquals([server.requests.length, connection.stats.attempts], [42, 2]);
});

Deno.test("connect refuses the 21st redirect in a row", async () => {
  await using server = await faultServer(({ query }) => to(`?${[...query.keys()].length}`), {});
  const connection = connect(server.url, AT_ONCE);
  const error = await assertRejects(() => connection.next(), RedirectError, "21st in a row");
  assertEquals([error.from, error.to], [`${server.url}?1`, "?1"]);
  assertEquals(server.requests.length, 21);
});

Deno.test("connect frees the socket of each hop, whatever its body", async () => {
  await using server = await faultServer([
    { ...to("/b"), body: "x", end: "stall" },
    { ...to("/c"), body: endless() },
    { body: "data: a\n\n", end: "stall" },
  ]);
  const connection = connect(server.url);
  assertEquals((await connection.next()).value?.data, "a");
  assertEquals([await server.closed(0), await server.closed(1)], ["client", "client"]);
  assertEquals(server.open, 1);
  connection.close();
  assertEquals(await server.closed(2), "client");
});

Deno.test("connect can be closed while a redirect is followed", async () => {
  await using server = await faultServer([to("/b"), "hold"]);
  const connection = connect(server.url);
  const next = connection.next();
  await server.request(1);
  connection.close();
  assertEquals(await next, { done: true, value: undefined });
  assertEquals(await server.closed(1), "client");
});

Deno.test("EventStreamConnection.opened tells the final URL, and url the one that is asked for", async () => {
  await using server = await faultServer([to("/b"), to("/c"), { body: "", end: "stall" }]);
  await using connection = connect(server.url);
  assertEquals((await connection.opened).url, `${server.origin}/c`);
  assertEquals(connection.url, server.url);
});

Deno.test("connect asks for the original URL after a loss (T21)", async () => {
  await using server = await faultServer([
    to("/b", 308),
    { body: "id: 1\ndata: a\n\n", end: "reset" },
    to("/c"),
    { body: "id: 2\ndata: b\n\n" },
    { status: 204 },
  ]);
  await Array.fromAsync(connect(server.url, AT_ONCE));
  assertEquals(
    server.requests.map(({ path, lastEventId }) => [path, lastEventId]),
    [["/events", undefined], ["/b", undefined], ["/events", "1"], ["/c", "1"], ["/events", "2"]],
  );
});

// Another origin

for (const status of [301, 302, 303, 307, 308]) {
  Deno.test(`connect refuses a ${status} to another origin, once, and frees the socket`, async () => {
    await using other = await faultServer([]);
    const { error } = await refused({ ...to(`${other.url}?a#b`, status), body: "x", end: "stall" });
    assertEquals(error.to, `${other.url}?a#b`);
    assertEquals(
      error.message,
      `Cannot follow redirect from "${error.from}": "${other.origin}" is another origin, ` +
        'connect to it or set "redirect" to "follow"',
    );
    assertEquals(other.connections.length, 0);
  });
}

Deno.test("connect takes another host, port or scheme for another origin", async () => {
  await using server = await faultServer((request) => {
    const { hostname, port } = new URL(`http://${request.header("host")}`);
    return to(
      [
        `http://localhost:${port}/`,
        `https://${hostname}:${port}/`,
        `http://${hostname}/`,
        `//127.0.0.2:${port}/`,
      ][Number(request.query.get("n"))],
    );
  });
  for (const n of [0, 1, 2, 3]) {
    const connection = connect(`${server.url}?n=${n}`, AT_ONCE);
    await assertRejects(() => connection.next(), RedirectError, "is another origin");
  }
  assertEquals(server.requests.length, 4);
});

Deno.test("connect refuses another origin at a later hop, or at a later attempt", async () => {
  await using other = await faultServer([]);
  await using server = await faultServer([
    to("/b"),
    { body: "id: 1\ndata: a\n\n" },
    to("/c"),
    to(other.url),
  ]);
  const connection = connect(server.url, AT_ONCE);
  await connection.next();
  const error = await assertRejects(() => connection.next(), RedirectError);
  assertEquals([error.from, error.to], [`${server.origin}/c`, other.url]);
  assertEquals([server.requests.length, other.connections.length], [4, 0]);
});

for (
  const [what, options] of [
    ["an object", { headers: PRIVATE }],
    ["a function", { headers: () => Promise.resolve(PRIVATE) }],
  ] as [string, ConnectOptions][]
) {
  Deno.test(`connect with "follow" sends nothing of the caller's to another origin, headers of ${what}`, async () => {
    await using other = await faultServer([{ body: "id: 9\ndata: a\n\n", end: "stall" }]);
    await using server = await faultServer([to(other.url)]);
    const connection = connect(server.url, {
      ...options,
      redirect: "follow",
      lastEventId: "7",
      lastEventIdParam: "id",
      credentials: "include",
    });
    assertEquals((await connection.next()).value?.id, "9");
    assertEquals(headersOf(server.requests[0]), {
      "x-api-key": "k",
      "authorization": "Bearer t",
      "cookie": "c=1",
      "accept": "text/event-stream, a/b",
      "cache-control": "max-age=5",
      "content-language": "de",
      "last-event-id": "7",
    });
    assertEquals(headersOf(other.requests[0]), {
      "accept": "text/event-stream",
      "cache-control": "no-cache",
    });
    assertEquals([other.requests[0].target, other.requests[0].method], ["/events", "GET"]);
    assertEquals((await connection.opened).url, other.url);
    connection.close();
    assertEquals(await other.closed(0), "client");
  });
}

Deno.test('connect with "follow" sends nothing of the caller\'s back on the first origin either', async () => {
  const script: Step[] = [];
  await using server = await faultServer(script);
  await using other = await faultServer([to(`${server.origin}/b`), { status: 204 }]);
  script.push(to(other.url), to("/c"), to(other.url));
  const options = { headers: PRIVATE, lastEventId: "7", redirect: "follow" } as const;
  await connect(server.url, options).next();
  assertEquals(server.requests.map(({ path }) => path), ["/events", "/b", "/c"]);
  for (const request of [...server.requests.slice(1), ...other.requests]) {
    assertEquals(headersOf(request), {
      "accept": "text/event-stream",
      "cache-control": "no-cache",
    });
  }
});

Deno.test('connect with "follow" sends all that is the caller\'s to the first origin at the next attempt', async () => {
  await using other = await faultServer([{ body: "id: 9\ndata: a\n\n" }, { status: 204 }]);
  await using server = await faultServer([to(other.url), to(other.url)]);
  const headers = { "X-Api-Key": "k" };
  await Array.fromAsync(connect(server.url, { ...AT_ONCE, headers, redirect: "follow" }));
  assertEquals(server.requests.map((r) => [r.header("x-api-key"), r.lastEventId]), [
    ["k", undefined],
    ["k", "9"],
  ]);
  assertEquals(other.requests.map((r) => [r.header("x-api-key"), r.lastEventId]), [
    [undefined, undefined],
    [undefined, undefined],
  ]);
});

for (const status of [301, 302, 303]) {
  Deno.test(`connect with "follow" goes on with GET and no body after a POST and a ${status}`, async () => {
    await using other = await faultServer([{ status: 204 }]);
    await using server = await faultServer([to(other.url, status)]);
    await connect(server.url, { json: { secret: 1 }, redirect: "follow" }).next();
    const [request] = other.requests;
    assertEquals([request.method, request.body.length], ["GET", 0]);
    assertEquals(request.header("content-type"), undefined);
  });
}

for (const status of [307, 308]) {
  Deno.test(`connect with "follow" refuses to send a body to another origin by a ${status}`, async () => {
    await using other = await faultServer([]);
    for (const body of ["secret", ReadableStream.from([utf8("secret")])]) {
      const { error } = await refused(to(other.url, status), { body, redirect: "follow" });
      assert(error.message.endsWith("its body must not go to another origin"), error.message);
    }
    assertEquals(other.connections.length, 0);
  });
}

Deno.test("connect asks a fetch of the caller for no credentials on another origin", async () => {
  const calls: [string, RequestCredentials | undefined][] = [];
  const locations = ["https://b.example/", "https://a.example/"];
  const fetch = (url: unknown, init: RequestInit = {}) => {
    calls.push([String(url), init.credentials]);
    const location = locations.shift();
    return Promise.resolve(
      new Response(null, location ? { status: 307, headers: { location } } : { status: 204 }),
    );
  };
  await connect("https://a.example/", { fetch, credentials: "include", redirect: "follow" }).next();
  assertEquals(calls, [
    ["https://a.example/", "include"],
    ["https://b.example/", "omit"],
    ["https://a.example/", "omit"],
  ]);
});

// Refused in any mode

Deno.test('connect with "error" follows no redirect', async () => {
  for (const location of ["/b", "http://other.example/", "http://"]) {
    const { error } = await refused(to(location), { redirect: "error" });
    assertEquals(error.to, location);
    assert(error.message.endsWith('"redirect" is "error"'), error.message);
  }
});

for (
  const [what, location] of [
    ["is no URL", "http://"],
    ["is no URL", "http://a b/"],
    ["is no URL", "http://h:99999/"],
    ["is neither http nor https", "ftp://h/"],
    ["is neither http nor https", "data:text/event-stream,data:a"],
    ["is neither http nor https", "file:///etc/passwd"],
    ["is neither http nor https", "javascript:0"],
    ["is neither http nor https", "ws://h/"],
  ]
) {
  for (const redirect of ["same-origin", "follow"] as const) {
    Deno.test(`connect with "${redirect}" refuses the Location "${location}"`, async () => {
      const { error } = await refused(to(location), { redirect });
      assertEquals(error.to, location);
      assert(error.message.endsWith(what), error.message);
    });
  }
}

Deno.test("connect refuses a Location with a user name or password, as it refuses such a URL", async () => {
  await using server = await faultServer((request) => to(`http://u:p@${request.header("host")}/`));
  const connection = connect(server.url, AT_ONCE);
  await assertRejects(() => connection.next(), RedirectError);
  assertEquals(server.requests.length, 1);
});

for (
  const answer of [
    { status: 302, headers: {} },
    { status: 307, headers: { "content-type": "text/event-stream" } },
    to("/b", 300),
    to("/b", 304),
    to("/b", 305),
    to("/b", 201),
  ]
) {
  const { status, headers } = answer;
  Deno.test(`connect does not follow a ${status} with ${Object.keys(headers ?? {})}`, async () => {
    await using server = await faultServer([answer]);
    const connection = connect(server.url, AT_ONCE);
    const error = await assertRejects(() => connection.next(), ResponseError);
    assertEquals([error.code, error.status], ["ERR_SSE_STATUS", status]);
    assertEquals(server.requests.length, 1);
  });
}

Deno.test("connect does not follow the Location of an event stream", async () => {
  await using server = await faultServer([
    { headers: { "content-type": "text/event-stream", location: "/b" }, body: "data: a\n\n" },
    { status: 204 },
  ]);
  assertEquals((await Array.fromAsync(connect(server.url, AT_ONCE))).length, 1);
  assertEquals(server.requests[1].path, "/events");
});

// Where the platform hides the Location

/** A fetch as that of a browser: what it was asked, and what it answers when it follows. */
function browserFetch(final: string, follow: () => Response) {
  const calls: [string, RequestInit][] = [];
  const fetch = (url: unknown, init: RequestInit = {}) => {
    calls.push([String(url), init]);
    if (init.redirect === "manual") {
      const hidden = { type: "opaqueredirect", status: 0, headers: new Headers(), body: null };
      return Promise.resolve(hidden as unknown as Response);
    }
    const response = follow();
    Object.defineProperty(response, "url", { value: final });
    return Promise.resolve(response);
  };
  return { fetch, calls };
}

const EVENT_STREAM = { headers: { "content-type": "text/event-stream" } };

for (
  const [redirect, final] of [
    ["same-origin", "https://a.example/b"],
    ["follow", "https://a.example/b"],
    ["follow", "https://b.example/"],
  ] as const
) {
  Deno.test(`connect with "${redirect}" follows a hidden Location to ${final}`, async () => {
    const { fetch, calls } = browserFetch(final, () => new Response("data: a\n\n", EVENT_STREAM));
    const headers = { x: "y" };
    const connection = connect("https://a.example/", { fetch, redirect, headers, body: "b" });
    assertEquals((await connection.next()).value?.data, "a");
    assertEquals((await connection.opened).url, final);
    assertEquals(calls.map(([url]) => url), ["https://a.example/", "https://a.example/"]);
    assertEquals(calls.map(([, init]) => init.redirect), ["manual", "follow"]);
    const [, { signal, body, headers: sent }] = calls[1];
    assertEquals([signal, body], [calls[0][1].signal, "b"]);
    assertEquals(new Headers(sent).get("x"), "y");
    connection.close();
  });
}

Deno.test("connect refuses a hidden Location on another origin, and cancels what came", async () => {
  let cancelled = 0;
  const { fetch, calls } = browserFetch("https://b.example/", () => {
    const body = new ReadableStream({ cancel: () => void cancelled++ });
    return new Response(body, EVENT_STREAM);
  });
  const connection = connect("https://a.example/", { ...AT_ONCE, fetch });
  const error = await assertRejects(() => connection.next(), RedirectError, "another origin");
  assertEquals([error.from, error.to], ["https://a.example/", "https://b.example/"]);
  assertEquals([calls.length, cancelled], [2, 1]);
});

Deno.test("connect refuses a hidden Location whose final URL is not told", async () => {
  let cancelled = 0;
  const { fetch, calls } = browserFetch("", () => {
    const body = new ReadableStream({ cancel: () => void cancelled++ });
    return new Response(body, EVENT_STREAM);
  });
  const connection = connect("https://a.example/", { retry: { maxAttempts: 1 }, fetch });
  await assertRejects(() => connection.next(), RedirectError);
  assertEquals([calls.length, cancelled], [2, 1]);
});

Deno.test('connect with "error" refuses a hidden Location', async () => {
  const { fetch, calls } = browserFetch("", () => new Response());
  const connection = connect("https://a.example/", { ...AT_ONCE, fetch, redirect: "error" });
  const error = await assertRejects(() => connection.next(), RedirectError);
  assertEquals([error.from, error.to, calls.length], ["https://a.example/", "", 1]);
});

Deno.test("connect refuses a hidden Location after a stream was sent", async () => {
  const { fetch, calls } = browserFetch("https://a.example/b", () => new Response());
  const body = ReadableStream.from([utf8("a")]);
  const connection = connect("https://a.example/", { ...AT_ONCE, fetch, body });
  await assertRejects(() => connection.next(), RedirectError, "its body is a stream and was sent");
  assertEquals(calls.length, 1);
});
