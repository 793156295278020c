/** What {@linkcode connect} sends: method, headers, body, and where to, byte for byte. */

import { assert, assertEquals, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import { type AttemptContext, connect, type ConnectOptions } from "../../client.ts";
import { SseError } from "../../errors.ts";
import { raw, settle, text, utf8 } from "../helpers.ts";
import { within } from "../fault/real_time.ts";
import type { ReceivedRequest } from "../fault/request.ts";
import { faultServer } from "../fault/server.ts";

/** Connects again at once, but not for ever. */
const AT_ONCE: ConnectOptions = { retry: { initialDelay: 0, maxAttempts: 50 } };

/** A function that gives one value after the other. */
function each<T>(...values: T[]): () => T {
  return () => values.shift()!;
}

/** The first request. */
async function sent(options: ConnectOptions = {}, path = "/events"): Promise<ReceivedRequest> {
  await using server = await faultServer([{ status: 204 }]);
  const connection = connect(server.origin + path, options);
  assertEquals(await connection.next(), { done: true, value: undefined });
  return server.requests[0];
}

/** The requests of a connection that is lost before each. */
async function sentAgain(
  times: number,
  make: (url: string) => [Parameters<typeof connect>[0], ConnectOptions?],
): Promise<ReceivedRequest[]> {
  await using server = await faultServer([
    ...Array.from({ length: times - 1 }, (_, i) => ({ body: `id: ${i + 1}\ndata: a\n\n` })),
    { status: 204 },
  ]);
  const [url, options] = make(server.url);
  await Array.fromAsync(connect(url, { ...AT_ONCE, ...options }));
  return server.requests;
}

// Method and headers

for (
  const [options, method] of [
    [{}, "GET"],
    [{ method: "GET" }, "GET"],
    [{ method: "PUT", body: "a" }, "PUT"],
    [{ method: "DELETE" }, "DELETE"],
    [{ method: "PATCH", json: 1 }, "PATCH"],
    [{ method: "post" }, "POST"],
    [{ body: "a" }, "POST"],
    [{ body: "" }, "POST"],
    [{ body: () => "a" }, "POST"],
    [{ json: null }, "POST"],
    [{ body: null }, "GET"],
    [{ body: () => undefined }, "GET"],
  ] satisfies [ConnectOptions, string][]
) {
  Deno.test(`connect with ${Deno.inspect(options)} sends ${method}`, async () => {
    assertEquals((await sent(options)).method, method);
  });
}

const PAIRS: [string, string][] = [
  ["x-latin-1", "\xe9\xff\x80"],
  ["x-tab", "a\tb"],
  ["x-list", "a"],
  ["x-list", "b"],
  ["x-empty", ""],
  ["authorization", "Bearer a.b-c"],
  ["cookie", "a=1; b=2"],
];

for (
  const [what, headers] of [
    ["an array", PAIRS],
    ["a Headers", new Headers(PAIRS)],
    ["a function", () => PAIRS],
    ["an async function", () => Promise.resolve(new Headers(PAIRS))],
  ] satisfies [string, ConnectOptions["headers"]][]
) {
  Deno.test(`connect sends headers given as ${what}, byte for byte`, async () => {
    const request = await sent({ headers });
    const values = ["x-latin-1", "x-tab", "x-list", "x-empty", "authorization", "cookie"];
    assertEquals(values.map((name) => request.header(name)), [
      "\xe9\xff\x80",
      "a\tb",
      "a, b",
      "",
      "Bearer a.b-c",
      "a=1; b=2",
    ]);
  });
}

Deno.test("connect sends headers given as an iterator at each attempt", async () => {
  const headers = new Map([["x", "y"]]).entries();
  const requests = await sentAgain(2, (url) => [url, { headers }]);
  assertEquals(requests.map((request) => request.header("x")), ["y", "y"]);
});

Deno.test("connect sends headers given as an object", async () => {
  const request = await sent({ headers: { "X-Api-Key": "k", "X-Other": "\xfc" } });
  assertEquals([request.header("x-api-key"), request.header("x-other")], ["k", "\xfc"]);
});

Deno.test("connect accepts only an event stream, past caches, unless headers say otherwise", async () => {
  const plain = await sent();
  assertEquals(plain.header("accept"), "text/event-stream");
  assertEquals(plain.header("cache-control"), "no-cache");
  assertEquals(plain.header("last-event-id"), undefined);
  assertEquals(plain.header("content-type"), undefined);
  const other = await sent({ headers: { Accept: "a/b, text/event-stream", "Cache-Control": "x" } });
  assertEquals(other.header("accept"), "a/b, text/event-stream");
  assertEquals(other.header("cache-control"), "x");
});

Deno.test("connect calls headers, url and body afresh with attempt, last event ID and cause", async () => {
  const contexts: Record<string, AttemptContext[]> = { url: [], headers: [], body: [] };
  await using server = await faultServer([
    { body: "id: 7\ndata: a\n\n" },
    { end: "reset", raw: "" },
    { status: 204 },
  ]);
  const note = (name: string, context: AttemptContext) => contexts[name].push(context);
  const connection = connect((context) => `${server.origin}/${note("url", context)}`, {
    ...AT_ONCE,
    headers: async (context) => ({ x: `${await note("headers", context)}` }),
    body: (context) => Promise.resolve(`b${note("body", context)}`),
  });
  assertEquals(connection.url, "");
  await Array.fromAsync(connection);
  assertEquals(
    server.requests.map((request) => [request.path, request.header("x"), text(request.body)]),
    [["/1", "1", "b1"], ["/2", "2", "b2"], ["/3", "3", "b3"]],
  );
  assertEquals(connection.url, `${server.origin}/3`);
  const cause = contexts.url[2].cause;
  assert(cause instanceof SseError && cause.code === "ERR_SSE_NETWORK", `${cause}`);
  const expected = [
    { attempt: 1, lastEventId: "", cause: undefined },
    { attempt: 2, lastEventId: "7", cause: undefined },
    { attempt: 3, lastEventId: "7", cause },
  ];
  assertEquals(contexts, { url: expected, headers: expected, body: expected });
});

Deno.test("connect sends no Last-Event-ID of the caller's once it has one", async () => {
  const [first, second] = await sentAgain(2, (url) => [url, { headers: { "last-event-id": "c" } }]);
  assertEquals([first.lastEventId, second.lastEventId], ["c", "1"]);
});

// Body

const FORM = "application/x-www-form-urlencoded;charset=UTF-8";

for (
  const [what, body, bytes, type] of [
    ["a string", "é\r\n\0\ud83d\ude00", utf8("é\r\n\0😀"), "text/plain;charset=UTF-8"],
    ["a Uint8Array", raw("\x00\xff\r\n\x80"), raw("\x00\xff\r\n\x80"), undefined],
    ["a part of a buffer", raw("abcdef").subarray(2, 4), raw("cd"), undefined],
    ["an ArrayBuffer", Uint8Array.of(1, 0, 2).buffer, raw("\x01\x00\x02"), undefined],
    ["URLSearchParams", new URLSearchParams({ a: "1", b: "é &" }), utf8("a=1&b=%C3%A9+%26"), FORM],
    ["a Blob", new Blob(["a\xff"], { type: "a/b" }), utf8("a\xff"), "a/b"],
    ["a function", () => "f", utf8("f"), "text/plain;charset=UTF-8"],
    ["an async function", () => Promise.resolve(raw("\xfe")), raw("\xfe"), undefined],
    ["a long string", "é".repeat(200_000), utf8("é".repeat(200_000)), "text/plain;charset=UTF-8"],
  ] as [string, ConnectOptions["body"], Uint8Array, string | undefined][]
) {
  Deno.test(`connect sends a body that is ${what}, byte for byte, at each attempt`, async () => {
    for (const request of await sentAgain(2, (url) => [url, { body }])) {
      assertEquals(text(request.body), text(bytes));
      assertEquals(request.body.length, bytes.length);
      assertEquals(request.header("content-type"), type);
      assertEquals(request.header("content-length"), `${bytes.length}`);
    }
  });
}

Deno.test("connect sends a body that is FormData, at each attempt", async () => {
  const body = new FormData();
  body.append("a", "é\n");
  body.append("file", new Blob([raw("\x00\xff").slice()], { type: "x/y" }), "n.bin");
  for (const request of await sentAgain(2, (url) => [url, { body }])) {
    const type = request.header("content-type") ?? "";
    assert(type.startsWith("multipart/form-data; boundary="), type);
    const form = await new Response(request.body.slice(), { headers: { "content-type": type } })
      .formData();
    assertEquals(form.get("a"), "é\r\n");
    const file = form.get("file") as File;
    assertEquals([file.name, file.type, await file.bytes()], ["n.bin", "x/y", raw("\x00\xff")]);
  }
});

for (
  const [value, json] of [
    [{ a: [1, null, "é\u2028"] }, '{"a":[1,null,"é\u2028"]}'],
    ["", '""'],
    [null, "null"],
    [false, "false"],
    [0, "0"],
    [new Date(0), '"1970-01-01T00:00:00.000Z"'],
  ]
) {
  Deno.test(`connect sends the json ${json} with its content type`, async () => {
    const request = await sent({ json: value });
    assertEquals(text(request.body), json);
    assertEquals(request.header("content-type"), "application/json");
  });
}

Deno.test("connect sends json under a content type that the headers name", async () => {
  const request = await sent({ json: [], headers: { "Content-Type": "application/x+json" } });
  assertEquals(request.header("content-type"), "application/x+json");
});

Deno.test("connect calls json for each attempt", async () => {
  const requests = await sentAgain(2, (url) => [url, {
    json: ({ attempt, lastEventId }: AttemptContext) => Promise.resolve({ attempt, lastEventId }),
  }]);
  assertEquals(requests.map(({ body }) => text(body)), [
    '{"attempt":1,"lastEventId":""}',
    '{"attempt":2,"lastEventId":"1"}',
  ]);
});

Deno.test("connect refuses a json function that gives no JSON value", async () => {
  const connection = connect("http://127.0.0.1:1/", { retry: false, json: () => Symbol("s") });
  await assertRejects(
    () => connection.next(),
    TypeError,
    'Cannot connect: "json" must be a JSON value: received symbol',
  );
});

Deno.test("connect sends no body where a json function gives undefined", async () => {
  const request = await sent({ json: () => undefined });
  assertEquals([request.method, request.body.length], ["GET", 0]);
  assertEquals(request.header("content-type"), undefined);
});

// A stream as the body

for (
  const [what, make] of [
    ["a ReadableStream", () => ReadableStream.from([utf8("a"), utf8("é")])],
    // What Deno and Node take too.
    ["an async iterable", async function* () {
      yield utf8("a");
      yield utf8("é");
    }],
  ] as [string, () => ReadableStream<Uint8Array>][]
) {
  Deno.test(`connect sends a body that is ${what} once and refuses a second attempt`, async () => {
    await using server = await faultServer([{ body: "id: 1\ndata: a\n\n", end: "reset" }]);
    const connection = connect(server.url, { ...AT_ONCE, body: make() });
    assertEquals((await connection.next()).value?.data, "a");
    const error = await assertRejects(
      () => connection.next(),
      SseError,
      'Cannot connect again: "body" is a stream and was sent, give a function that makes one for each attempt',
    );
    assertEquals(error.code, "ERR_SSE_BODY_USED");
    assert(error.cause instanceof SseError && error.cause.code === "ERR_SSE_NETWORK");
    assertEquals(await connection.closed, { reason: "failed", cause: error });
    assertEquals(server.requests.map(({ body }) => text(body)), ["aé"]);
  });

  Deno.test(`connect sends a body that a function makes as ${what}, at each attempt`, async () => {
    const requests = await sentAgain(3, (url) => [url, { body: make }]);
    assertEquals(requests.map(({ body }) => text(body)), ["aé", "aé", "aé"]);
    assertEquals(requests.map(({ method }) => method), ["POST", "POST", "POST"]);
  });
}

// Where to

Deno.test("connect takes a URL, and reads it once", async () => {
  const url = new URL("http://localhost/");
  const requests = await sentAgain(2, (server) => {
    url.href = `${server}?a=%20é#f`;
    return [url];
  });
  assertEquals(requests.map(({ target }) => target), Array(2).fill("/events?a=%20%C3%A9"));
});

Deno.test("connect takes a function that gives a URL or a string, or a promise of one", async () => {
  await using server = await faultServer([{}, {}, { status: 204 }]);
  const url = each<URL | Promise<URL> | Promise<string>>(
    new URL(`${server.origin}/a`),
    Promise.resolve(new URL(`${server.origin}/b`)),
    Promise.resolve(`${server.origin}/c`),
  );
  await Array.fromAsync(connect(url as () => URL, AT_ONCE));
  assertEquals(server.requests.map(({ path }) => path), ["/a", "/b", "/c"]);
});

Deno.test("connect replays method, headers and body of a Request at each attempt", async () => {
  const requests = await sentAgain(3, (url) => [
    new Request(url, { method: "PUT", headers: { "x": "y" }, body: "é" }),
  ]);
  assertEquals(
    requests.map((request) => [
      request.method,
      request.header("x"),
      request.header("content-type"),
      text(request.body),
      request.lastEventId,
    ]),
    [
      ["PUT", "y", "text/plain;charset=UTF-8", "é", undefined],
      ["PUT", "y", "text/plain;charset=UTF-8", "é", "1"],
      ["PUT", "y", "text/plain;charset=UTF-8", "é", "2"],
    ],
  );
});

Deno.test("connect takes options before what a Request names", async () => {
  const [request] = await sentAgain(1, (url) => [
    new Request(url, { method: "PUT", headers: { x: "1", y: "1" }, body: "a" }),
    { method: "PATCH", headers: { x: "2" }, body: "b" },
  ]);
  assertEquals([request.method, text(request.body)], ["PATCH", "b"]);
  assertEquals([request.header("x"), request.header("y")], ["2", undefined]);
});

Deno.test("connect obeys the signal of a Request", async () => {
  await using server = await faultServer(["hold"]);
  const controller = new AbortController();
  const connection = connect(new Request(server.url, { signal: controller.signal }));
  const pending = connection.next();
  await server.request(0);
  controller.abort(new Error("enough"));
  await assertRejects(() => pending, Error, "enough");
  assertEquals((await connection.closed).reason, "aborted");
  assertEquals(await server.closed(0), "client");
});

Deno.test("connect does not obey the signal of a Request where its own is null, as fetch", async () => {
  await using server = await faultServer([{ status: 204 }]);
  const request = new Request(server.url, { signal: AbortSignal.abort() });
  const connection = connect(request, { signal: null });
  assertEquals(await connection.next(), { done: true, value: undefined });
});

Deno.test("connect puts the last event ID into the query too, where lastEventIdParam names it", async () => {
  await using server = await faultServer([
    { body: "id: é &=\t\ndata: a\n\n" },
    { body: "id\ndata: b\n\n" },
    { status: 204 },
  ]);
  const sent: boolean[] = [];
  const connection = connect(`${server.url}?topic=a&lastEventID=0`, {
    ...AT_ONCE,
    lastEventIdParam: "lastEventID",
    onState: (state) => state.state === "connecting" && sent.push(state.lastEventIdSent),
  });
  await Array.fromAsync(connection);
  assertEquals(server.requests.map(({ query }) => [...query]), [
    [["topic", "a"], ["lastEventID", "0"]],
    // No header can carry it, but a query can.
    [["topic", "a"], ["lastEventID", "é &=\t"]],
    [["topic", "a"], ["lastEventID", "0"]],
  ]);
  assertEquals(server.requests.map(({ lastEventId }) => lastEventId), Array(3).fill(undefined));
  assertEquals(sent, [true, true, true]);
});

// A fetch of the caller's

Deno.test("connect calls the fetch of the caller with the URL and what fetch takes", async () => {
  const calls: [unknown, RequestInit][] = [];
  const fetch = (url: unknown, init: RequestInit = {}) => {
    calls.push([url, init]);
    return Promise.resolve(new Response(null, { status: 204 }));
  };
  const dispatcher = {};
  const connection = connect("https://feed.example/a?b#c", {
    fetch,
    body: "x",
    headers: { x: "y" },
    credentials: "include",
    mode: "cors",
    referrerPolicy: "no-referrer",
    keepalive: true,
    // Ours are no business of `fetch`, which may have some of the same name; those of others are.
    retry: false,
    store: { load: () => "1", save: () => {} },
    connectTimeout: false,
    lastEventIdParam: "p",
    dedupe: false,
    onState: () => {},
    until: () => false,
    ...{ dispatcher },
  });
  await connection.next();
  assertEquals(calls.length, 1);
  const [url, { signal, headers, ...init }] = calls[0];
  assertEquals(url, "https://feed.example/a?b&p=1#c".replace("b&", "b=&"));
  assert(signal instanceof AbortSignal);
  assertEquals(Object.fromEntries(headers as Headers), {
    "accept": "text/event-stream",
    "cache-control": "no-cache",
    "last-event-id": "1",
    "x": "y",
  });
  assertEquals(init as unknown, {
    method: "POST",
    body: "x",
    credentials: "include",
    mode: "cors",
    referrerPolicy: "no-referrer",
    keepalive: true,
    redirect: "manual",
    dispatcher,
  });
});

Deno.test("connect hands what a Request names to the fetch of the caller", async () => {
  const inits: RequestInit[] = [];
  const fetch = (_url: unknown, init: RequestInit = {}) => {
    inits.push(init);
    return Promise.resolve(new Response(null, { status: 204 }));
  };
  // Not every platform has all of these on its Request.
  const request = Object.assign(new Request("https://feed.example/"), {});
  for (const [name, value] of Object.entries({ credentials: "omit", mode: "no-cors" })) {
    Object.defineProperty(request, name, { value });
  }
  await connect(request, { fetch }).next();
  await connect(request, { fetch, credentials: "include" }).next();
  assertEquals(inits.map(({ credentials, mode, method }) => [credentials, mode, method]), [
    ["omit", "no-cors", undefined],
    ["include", "no-cors", undefined],
  ]);
});

Deno.test("connect lets the fetch of the caller have schemes of its own", async () => {
  const urls: unknown[] = [];
  const fetch = (url: unknown) => {
    urls.push(url);
    return Promise.resolve(new Response(null, { status: 204 }));
  };
  await connect("app://feed/events", { fetch }).next();
  assertEquals(urls, ["app://feed/events"]);
});

Deno.test("connect looks up the global fetch for each request", async () => {
  await using server = await faultServer([{}, { status: 204 }]);
  const { fetch } = globalThis;
  let calls = 0;
  const connection = connect(server.url, AT_ONCE);
  try {
    globalThis.fetch = (...args) => {
      calls++;
      globalThis.fetch = fetch;
      return fetch(...args);
    };
    await connection.next();
  } finally {
    globalThis.fetch = fetch;
  }
  assertEquals([calls, server.requests.length], [1, 2]);
});

Deno.test("connect calls fetch without a receiver, as a platform wants it", async () => {
  const receivers: unknown[] = [];
  function fetch(this: unknown) {
    receivers.push(this);
    return Promise.resolve(new Response(null, { status: 204 }));
  }
  await connect("https://feed.example/", { fetch }).next();
  assertEquals(receivers, [undefined]);
});

// Mistakes of the caller

const SECRET = "s3cr3t";

for (
  const [url, message] of [
    ["/events", 'the URL must be absolute: received "/events"'],
    ["", 'the URL must be absolute: received ""'],
    ["http://", 'the URL must be absolute: received "http://"'],
    [`http://u:${SECRET}@h/`, "the URL must not hold a user name or password"],
    [`http://:${SECRET}@h/`, "the URL must not hold a user name or password"],
    ["http://u@h/", "the URL must not hold a user name or password"],
    ["ftp://h/", 'the URL must be http or https: received "ftp://h/"'],
    ["data:text/event-stream,data:a", "the URL must be http or https"],
  ]
) {
  Deno.test(`connect throws at the URL "${url}", at once or when a function gives it`, async () => {
    const error = assertThrows(() => connect(url), TypeError, `Cannot connect: ${message}`);
    assert(!error.message.includes(SECRET));
    const connection = connect(() => url, { retry: false });
    assertEquals((await assertRejects(() => connection.next(), TypeError)).message, error.message);
    assertEquals(connection.stats.attempts, 1);
  });
}

const cyclic: { self?: unknown } = {};
cyclic.self = cyclic;

for (
  const [what, options, type, message] of [
    [
      "body and json together",
      { body: "", json: 1 },
      TypeError,
      '"body" and "json" are both given',
    ],
    ["a body of null and json", { body: null, json: 1 }, TypeError, '"body" and "json" are both'],
    ["a header with a line break", { headers: { x: "a\r\nb: c" } }, TypeError, ""],
    ["a header name with a space", { headers: [["a b", "c"]] }, TypeError, ""],
    ["a header past Latin-1", { headers: { x: "\u0100" } }, TypeError, ""],
    ["json that is a symbol", { json: Symbol("s") }, TypeError, "received symbol"],
    ["json that is cyclic", { json: cyclic }, TypeError, ""],
    ["json with a bigint", { json: [1n] }, TypeError, ""],
    ["redirect manual", { redirect: "manual" }, TypeError, '"redirect" must be "same-origin"'],
    ["onState no function", { onState: {} }, TypeError, '"onState" must be a function'],
    ["onComment no function", { onComment: "x" }, TypeError, '"onComment" must be a function'],
    ["until no function", { until: "[DONE]" }, TypeError, '"until" must be a function'],
    ["onUnauthorized no function", { onUnauthorized: 1 }, TypeError, '"onUnauthorized" must be'],
    ["fetch no function", { fetch: null }, TypeError, '"fetch" must be a function: received null'],
    ["lastEventId with NUL", { lastEventId: "a\0" }, TypeError, ""],
    ["maxEventSize below 0", { maxEventSize: -1 }, RangeError, ""],
    ...["connectTimeout", "firstEventTimeout", "idleTimeout"].flatMap((name) =>
      [-1, NaN, "1", null, true].map((value) =>
        [
          `${name} ${JSON.stringify(value) ?? value} (${typeof value})`,
          { [name]: value },
          RangeError,
          `Cannot connect: "${name}" must be a number from 0 up: received ${value}`,
        ] as const
      )
    ),
  ] as [string, ConnectOptions, typeof TypeError | typeof RangeError, string][]
) {
  Deno.test(`connect throws at ${what} at once, and sends nothing`, () => {
    let calls = 0;
    const fetch = () => {
      calls++;
      return Promise.resolve(new Response(null, { status: 204 }));
    };
    assertThrows(() => connect("http://h/", { fetch, ...options }), type, message);
    assertEquals(calls, 0);
  });
}

// A function of the caller's that fails

for (const name of ["headers", "body", "json", "url"] as const) {
  const failing = (times: number, value: unknown, error: Error) => {
    let call = 0;
    return () => call++ === times ? Promise.reject(error) : value;
  };

  Deno.test(`connect fails with what ${name} throws at the first attempt`, async () => {
    const error = new Error("no token");
    const fail = failing(0, undefined, error) as () => Promise<never>;
    const connection = name === "url"
      ? connect(fail, AT_ONCE)
      : connect("http://127.0.0.1:1/", { ...AT_ONCE, [name]: fail });
    assertStrictEquals(await assertRejects(() => connection.next()), error);
    assertStrictEquals(await assertRejects(() => connection.opened), error);
    assertEquals(await connection.closed, { reason: "failed", cause: error });
    assertEquals(connection.stats.attempts, 1);
  });

  for (
    const [when, first] of [
      ["after it was open", { body: "id: 1\ndata: a\n\n" }],
      ["before it was ever open, but after the function has worked", { raw: "", end: "reset" }],
    ] as const
  ) {
    Deno.test(`connect counts what ${name} throws ${when} as a failed attempt`, async () => {
      await using server = await faultServer([first, { status: 204 }]);
      const error = new Error("token server is down");
      const value = name === "url" ? server.url : name === "headers" ? { x: "y" } : "b";
      const fail = failing(1, value, error) as () => Promise<never>;
      const causes: unknown[] = [];
      const options: ConnectOptions = {
        ...AT_ONCE,
        onState: (state) => state.state === "retry" && causes.push(state.cause),
      };
      const connection = name === "url"
        ? connect(fail, options)
        : connect(server.url, { ...options, [name]: fail });
      await Array.fromAsync(connection);
      assertEquals((await connection.closed).reason, "no-content");
      assertStrictEquals(causes[1], error);
      assertEquals([causes.length, connection.stats.attempts], [2, 3]);
    });
  }

  Deno.test(`connect can be closed and connected again while ${name} is pending`, async () => {
    await using server = await faultServer([{ status: 204 }]);
    const value = name === "url" ? server.url : name === "headers" ? {} : "b";
    const hang = each<unknown>(new Promise(() => {}), value, new Promise(() => {})) as () => string;
    const open = () => name === "url" ? connect(hang) : connect(server.url, { [name]: hang });
    const again = open();
    const pending = again.next();
    await settle();
    again.reconnect();
    assertEquals(await within(pending, 1_000, () => "the call hangs"), {
      done: true,
      value: undefined,
    });
    const closed = open();
    const forever = closed.next();
    await settle();
    closed.close();
    assertEquals(await within(forever, 1_000, () => "the call hangs"), {
      done: true,
      value: undefined,
    });
  });
}
