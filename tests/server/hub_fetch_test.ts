/** {@linkcode Hub.fetch} over sockets: read by `connect` and `fetch`, published to with `fetch`. */

import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { connect } from "../../client.ts";
import { ResponseError } from "../../errors.ts";
import { readEvents } from "../../parse.ts";
import {
  type Authorization,
  Hub,
  type HubOptions,
  type HubSubscribeOptions,
  MemoryEventLog,
} from "../../server.ts";
import { mulberry32 } from "../chunkings.ts";
import { delay, within } from "../fault/real_time.ts";
import { SEED } from "../helpers.ts";

type Handler = (request: Request) => Response | Promise<Response>;

/** A server on loopback. */
class Server implements AsyncDisposable {
  /** What the handler has thrown. */
  readonly errors: unknown[] = [];
  readonly #server: Deno.HttpServer<Deno.NetAddr>;

  constructor(handler: Handler) {
    this.#server = Deno.serve({
      hostname: "127.0.0.1",
      port: 0,
      onListen() {},
      onError: (error) => {
        this.errors.push(error);
        return new Response(null, { status: 500 });
      },
    }, (request) => handler(request));
  }

  get port(): number {
    return this.#server.addr.port;
  }

  url(path: string): string {
    return `http://127.0.0.1:${this.port}${path}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.shutdown();
  }
}

/** Runs a test with a hub behind a server. */
async function serve<A extends Authorization>(
  options: HubOptions<unknown, A>,
  run: (server: Server, hub: Hub<unknown, A>) => Promise<void>,
): Promise<void> {
  const hub = new Hub(options);
  await using server = new Server((request) => hub.fetch(request));
  try {
    await within(run(server, hub), 10_000, () => "This takes longer than 10 s");
  } finally {
    await hub.close();
  }
}

interface PostOptions {
  headers?: HeadersInit;
  type?: string;
}

function post(url: string, body: BodyInit | null, options: PostOptions = {}): Promise<Response> {
  const headers = new Headers(options.headers);
  headers.set("content-type", options.type ?? "application/json");
  return fetch(url, { method: "POST", headers, body });
}

/** The status of an answer, once its body is read. */
async function statusOf(response: Response | Promise<Response>): Promise<number> {
  const { status, body } = await response;
  for await (const _ of body ?? []);
  return status;
}

/** What comes back for a request, written as it is. */
async function raw(port: number, text: string): Promise<string> {
  using connection = await Deno.connect({ hostname: "127.0.0.1", port });
  await connection.write(new TextEncoder().encode(text));
  return await new Response(connection.readable).text();
}

const JSON_TYPE = { "content-type": "application/json" };

// Reading and publishing

Deno.test("Hub.fetch gives what is posted to a topic to who reads it", async () => {
  await serve({}, async (server, hub) => {
    const url = server.url("/topics/news");
    await using reader = connect(url);
    const { status, headers } = await reader.opened;
    assertEquals([status, headers.get("content-type")], [200, "text/event-stream"]);
    const response = await post(url, JSON.stringify({ event: "flash", data: { n: 1 }, retry: 5 }));
    assertEquals(response.status, 202);
    assertEquals(response.headers.get("content-type"), "application/json");
    assertEquals(response.headers.get("cache-control"), "no-store");
    const { id, ...others } = await response.json();
    assertEquals(others, {});
    assertEquals((await reader.next()).value, { event: "flash", data: '{"n":1}', retry: 5, id });
    const text = await post(url, "é\n☃", { type: "text/plain" });
    const second = (await text.json()).id;
    assertEquals((await reader.next()).value, { event: "message", data: "é\n☃", id: second });
    assertEquals([hub.size, hub.metrics.published], [1, 2]);
  });
});

Deno.test("Hub.fetch gives a plain fetch the stream of a topic, and ends with it", async () => {
  await serve({}, async (server, hub) => {
    const response = await fetch(server.url("/topics/news"));
    const reader = readEvents(response);
    const id = await hub.publish("news", { data: "1" });
    assertEquals((await reader.next()).value, { event: "message", data: "1", id });
    const [session] = hub.sessions();
    assertEquals(session.request?.url, server.url("/topics/news"));
    await reader.return();
    assertEquals((await session.closed).reason, "peer-left");
    assertEquals(hub.size, 0);
  });
});

for (
  const [path, topic] of [
    ["/topics/news", "news"],
    ["/api/v1/topics/news", "news"],
    ["//topics/news", "news"],
    ["/topics/news/topics/sport", "sport"],
    ["/topics/topics", "topics"],
    ["/topics/news?a=b/topics/c", "news"],
    ["/topics/news%2F7", "news/7"],
    ["/topics/%2Fnews%2F", "/news/"],
    ["/topics/a%20b", "a b"],
    ["/topics/a+b", "a+b"],
    ["/topics/user:7", "user:7"],
    ["/topics/%C3%A9%E2%98%83", "é☃"],
    ["/topics/é", "é"],
    ["/topics/a%3Fb%23c", "a?b#c"],
    ["/topics/100%25", "100%"],
    ["/topics/%2541", "%41"],
    ["/topics/__proto__", "__proto__"],
    [`/topics/${"a".repeat(256)}`, "a".repeat(256)],
  ]
) {
  Deno.test(`Hub.fetch names by ${path.slice(0, 40)} a topic`, async () => {
    await serve({}, async (server, hub) => {
      const reader = readEvents(await fetch(server.url(path)));
      const { id } = await (await post(server.url(path), "1", { type: "text/plain" })).json();
      assertEquals((await reader.next()).value, { event: "message", data: "1", id });
      await hub.publish(topic, { data: "2" });
      assertEquals((await reader.next()).value?.data, "2");
      await reader.return();
    });
  });
}

for (
  const path of [
    "/",
    "/topics",
    "/topics/",
    "/topics/news/",
    "/topics/news/7",
    "/topic/news",
    "/mytopics/news",
    "/Topics/news",
    "/?/topics/news",
    "/#/topics/news",
    "/topics/%",
    "/topics/%zz",
    "/topics/%FF",
    "/topics/%00",
    "/topics/%0A",
    "/topics/*",
    "/topics/:id",
    "/topics/news%2F*",
    "/topics/news%2F:id",
    "/topics/a%28b%29",
    "/topics/..",
    "/topics/%2E%2E",
    `/topics/${"a".repeat(257)}`,
  ]
) {
  Deno.test(`Hub.fetch answers 404 to ${path.slice(0, 40)}, whoever asks for what`, async () => {
    await serve({ authorize: () => false }, async (server, hub) => {
      const url = server.url(path);
      const response = await fetch(url);
      assertEquals(response.status, 404);
      assertEquals(await response.text(), "Not found, ask for /topics/:topic");
      assertEquals(response.headers.get("cache-control"), "no-store");
      assertEquals(await statusOf(post(url, '{"data":"1"}')), 404);
      assertEquals(await statusOf(fetch(url, { method: "DELETE" })), 404);
      assertEquals([hub.size, hub.metrics.published, server.errors], [0, 0, []]);
    });
  });
}

for (const host of ["a b", "[::", "%", ""]) {
  Deno.test(`Hub.fetch answers a request whose host is "${host}", and does not throw`, async () => {
    await serve({}, async (server) => {
      const text = await raw(
        server.port,
        `HEAD /topics/news HTTP/1.1\r\nhost: ${host}\r\nconnection: close\r\n\r\n`,
      );
      assertMatch(text, /^HTTP\/1\.1 (200|400|404) /);
      assertEquals(server.errors, []);
    });
  });
}

Deno.test("Hub.fetch answers HEAD as GET, without a session", async () => {
  await serve({ headers: { "x-a": "b" } }, async (server, hub) => {
    const response = await fetch(server.url("/topics/news"), { method: "HEAD" });
    assertEquals([response.status, await response.text(), hub.size], [200, "", 0]);
    assertEquals(response.headers.get("content-type"), "text/event-stream");
    assertEquals(response.headers.get("x-a"), "b");
  });
});

for (const method of ["PUT", "DELETE", "PATCH", "OPTIONS"]) {
  Deno.test(`Hub.fetch answers 405 to ${method}, and says what is allowed`, async () => {
    await serve({ authorize: () => false }, async (server) => {
      const response = await fetch(server.url("/topics/news"), { method });
      assertEquals([response.status, response.headers.get("allow")], [405, "GET, HEAD, POST"]);
      await response.body?.cancel();
    });
  });
}

Deno.test("Hub.fetch answers 406 to who does not take event streams", async () => {
  await serve({}, async (server, hub) => {
    const headers = { accept: "text/html" };
    assertEquals(await statusOf(fetch(server.url("/topics/news"), { headers })), 406);
    assertEquals(hub.size, 0);
  });
});

Deno.test("Hub.fetch answers 503 to who is one too many, and later not", async () => {
  await serve({ maxSessions: 1 }, async (server, hub) => {
    const first = await fetch(server.url("/topics/a"));
    const second = await fetch(server.url("/topics/b"));
    assertEquals([second.status, second.headers.get("retry-after")], [503, "5"]);
    assertMatch(await second.text(), /^Too many readers/);
    const [session] = hub.sessions();
    await first.body?.cancel();
    await session.closed;
    const third = await fetch(server.url("/topics/b"));
    assertEquals(third.status, 200);
    await third.body?.cancel();
  });
});

// What cannot be published

for (
  const [what, status, body, options] of [
    ["no JSON", 400, "{", {}],
    ["no data", 400, '{"event":"a"}', {}],
    ["an id", 400, '{"data":"a","id":"1"}', {}],
    ["a line break in the type", 400, '{"data":"a","event":"a\\nb"}', {}],
    ["a bad retry", 400, '{"data":"a","retry":-1}', {}],
    ["bytes that are no UTF-8", 400, Uint8Array.of(0xff), { type: "text/plain" }],
    ["a bad key", 400, '{"data":"a"}', { headers: { "idempotency-key": "a b" } }],
    ["another type", 415, "data=a", { type: "application/x-www-form-urlencoded" }],
    ["an event stream", 415, "data: a\n\n", { type: "text/event-stream" }],
    ["another charset", 415, "a", { type: "text/plain; charset=latin1" }],
    ["a large body", 413, `{"data":"${"a".repeat(90)}"}`, {}],
  ] as [string, number, BodyInit, PostOptions][]
) {
  Deno.test(`Hub.fetch answers ${status} to ${what}, and publishes nothing`, async () => {
    await serve({ maxBodySize: 99 }, async (server, hub) => {
      const response = await post(server.url("/topics/news"), body, options);
      assertEquals(response.status, status);
      assertMatch(await response.text(), /^Cannot (publish|encode event): /);
      assertEquals(response.headers.get("content-type"), "text/plain; charset=utf-8");
      assertEquals([hub.metrics.published, server.errors], [0, []]);
    });
  });
}

Deno.test("Hub.fetch takes a body of maxBodySize, and reads no more of a larger one", async () => {
  await serve({ maxBodySize: 100 }, async (server, hub) => {
    const url = server.url("/topics/news");
    const body = (size: number) => "é".repeat(size / 2);
    assertEquals(await statusOf(post(url, body(100), { type: "text/plain" })), 202);
    assertEquals(await statusOf(post(url, body(102), { type: "text/plain" })), 413);
    // Of no known length.
    let pulls = 0;
    const endless = new ReadableStream({
      pull: (controller) => {
        pulls++;
        controller.enqueue(new Uint8Array(60));
      },
    }, { highWaterMark: 0 });
    const response = await hub.fetch(
      new Request(url, {
        method: "POST",
        headers: { "content-type": "text/plain" },
        body: endless,
      }),
    );
    assertEquals([response.status, pulls], [413, 2]);
    assertEquals(hub.metrics.published, 1);
  });
});

Deno.test("Hub.fetch takes 64 KB by default", async () => {
  await using hub = new Hub();
  const send = async (size: number) => {
    const headers = { "content-type": "text/plain" };
    const body = "a".repeat(size);
    const request = new Request("http://sse.example/topics/a", { method: "POST", headers, body });
    return (await hub.fetch(request)).status;
  };
  assertEquals([await send(65_536), await send(65_537)], [202, 413]);
});

Deno.test("Hub.fetch publishes nothing with a maxBodySize of 0 but what is empty", async () => {
  await serve({ maxBodySize: 0 }, async (server) => {
    const url = server.url("/topics/news");
    assertEquals(await statusOf(post(url, "a", { type: "text/plain" })), 413);
    assertEquals(await statusOf(post(url, "", { type: "text/plain" })), 202);
  });
});

Deno.test("Hub.fetch publishes once for an Idempotency-Key, in each topic", async () => {
  await serve({}, async (server, hub) => {
    const send = async (topic: string, key: string, data: string) => {
      const headers = { "idempotency-key": key };
      const response = await post(server.url(`/topics/${topic}`), JSON.stringify({ data }), {
        headers,
      });
      assertEquals(response.status, 202);
      return (await response.json()).id;
    };
    const id = await send("a", "order-7", "first");
    assertEquals(await send("a", '"order-7"', "again"), id);
    const others = [await send("a", "order-8", "x"), await send("b", "order-7", "x")];
    assertEquals([...others.map((id) => id.split(".")[1])], ["2", "1"]);
    const reader = readEvents(
      await hub.subscribe(
        new Request("http://sse.example/", { headers: { "last-event-id": `a=${id}` } }),
        {
          topics: ["a", "b"],
        },
      ),
    );
    assertEquals((await reader.next()).value?.data, "x");
    await reader.return();
  });
});

// Who may

const GOOD = { headers: { authorization: "Bearer good" } };

for (
  const [kind, authorize] of [
    ["at once", (request) => request.headers.get("authorization") === "Bearer good"],
    [
      "later",
      async (request) => {
        await Promise.resolve();
        return request.headers.get("authorization") === "Bearer good";
      },
    ],
    [
      "by a response",
      (request) =>
        request.headers.get("authorization") === "Bearer good" ||
        new Response("who?", { status: 401, headers: { "www-authenticate": "Bearer" } }),
    ],
    [
      "by a response later",
      (request) =>
        Promise.resolve(
          request.headers.get("authorization") === "Bearer good" ||
            new Response("who?", { status: 401, headers: { "www-authenticate": "Bearer" } }),
        ),
    ],
  ] as [string, (request: Request) => Authorization][]
) {
  Deno.test(`Hub.fetch heeds an authorize that answers ${kind}, for reading and publishing`, async () => {
    const asked: string[] = [];
    const options: HubOptions<unknown, Authorization> = {
      maxBodySize: 20,
      authorize(request, { topics }) {
        asked.push(`${request.method} ${topics}`);
        return authorize(request);
      },
    };
    await serve(options, async (server, hub) => {
      const url = server.url("/topics/a%2Fb");
      const refused = kind.startsWith("by") ? 401 : 403;
      assertEquals(await statusOf(fetch(url)), refused);
      assertEquals(await statusOf(fetch(url, { method: "HEAD" })), refused);
      // It is asked before the body is looked at.
      assertEquals(await statusOf(post(url, "x".repeat(100))), refused);
      const response = await post(url, '{"data":"1"}');
      assertEquals([response.status, await response.text()], [
        refused,
        refused === 401 ? "who?" : "Forbidden",
      ]);
      assertEquals(response.headers.get("www-authenticate"), refused === 401 ? "Bearer" : null);
      assertEquals([hub.size, hub.metrics.published], [0, 0]);
      const reader = readEvents(await fetch(url, GOOD));
      assertEquals(await statusOf(post(url, '{"data":"1"}', GOOD)), 202);
      assertEquals((await reader.next()).value?.data, "1");
      await reader.return();
      assertEquals(await statusOf(post(url, "x".repeat(100), GOOD)), 413);
      assertEquals(
        asked.join(),
        [
          "GET a/b",
          "HEAD a/b",
          "POST a/b",
          "POST a/b",
          "GET a/b",
          "POST a/b",
          "POST a/b",
        ].join(),
      );
    });
  });
}

for (const answer of [undefined, null, 0, "", "yes", 1, {}]) {
  for (const later of [false, true]) {
    const when = later ? "later" : "at once";
    Deno.test(`Hub.fetch answers 403 if authorize gives ${JSON.stringify(answer)} ${when}`, async () => {
      const hub: Hub = Reflect.construct(Hub, [
        { authorize: () => later ? Promise.resolve(answer) : answer },
      ]);
      for (const method of ["GET", "HEAD", "POST"]) {
        const body = method === "POST" ? '{"data":"1"}' : null;
        const init = { method, headers: JSON_TYPE, body };
        const response = await hub.fetch(new Request("http://sse.example/topics/a", init));
        assertEquals([method, response.status], [method, 403]);
      }
      assertEquals([hub.size, hub.metrics.published], [0, 0]);
      await hub.close();
    });
  }
}

for (
  const [how, authorize] of [
    ["throws", () => {
      throw new Error("no database");
    }],
    ["rejects", () => Promise.reject(new Error("no database"))],
  ] as [string, () => Authorization][]
) {
  Deno.test(`Hub.fetch rejects with what authorize ${how}, and publishes nothing`, async () => {
    await using hub = new Hub<unknown, Authorization>({ authorize });
    for (const method of ["GET", "POST"]) {
      const body = method === "GET" ? null : '{"data":"1"}';
      const request = new Request("http://sse.example/topics/a", {
        method,
        headers: JSON_TYPE,
        body,
      });
      await assertRejects(() => hub.fetch(request), Error, "no database");
    }
    assertEquals([hub.size, hub.metrics.published], [0, 0]);
  });
}

Deno.test("Hub.fetch rejects when the log does not take the event", async () => {
  const log = new MemoryEventLog();
  await using hub = new Hub({ log });
  await log.close();
  const init = { method: "POST", headers: JSON_TYPE, body: '{"data":"1"}' };
  await assertRejects(() => hub.fetch(new Request("http://sse.example/topics/a", init)), TypeError);
  assertEquals(hub.metrics.published, 0);
});

// Other origins

const ORIGIN = "https://app.example";

Deno.test("Hub.fetch says nothing of other origins by default", async () => {
  await serve({}, async (server) => {
    const headers = { origin: ORIGIN, "access-control-request-method": "POST" };
    for (const method of ["HEAD", "OPTIONS"]) {
      const response = await fetch(server.url("/topics/a"), { method, headers });
      assertEquals(response.status, method === "HEAD" ? 200 : 405);
      const names = [...response.headers.keys()].filter((name) =>
        name.startsWith("access-control")
      );
      assertEquals(names, []);
      await response.body?.cancel();
    }
  });
});

Deno.test("Hub.fetch answers a preflight without asking authorize, also of a closed hub", async () => {
  const asked: string[] = [];
  const options: HubOptions = {
    cors: { origin: ORIGIN, credentials: true },
    authorize: (request) => asked.push(request.method) < 0,
  };
  await serve(options, async (server, hub) => {
    const preflight = async (origin: string) => {
      const headers = { origin, "access-control-request-method": "POST" };
      const response = await fetch(server.url("/topics/a"), { method: "OPTIONS", headers });
      assertEquals([response.status, await response.text()], [204, ""]);
      return response.headers;
    };
    const headers = await preflight(ORIGIN);
    assertEquals(headers.get("access-control-allow-origin"), ORIGIN);
    assertEquals(headers.get("access-control-allow-credentials"), "true");
    assertEquals(headers.get("access-control-allow-methods"), "GET, HEAD, POST");
    assertMatch(
      headers.get("access-control-allow-headers") ?? "",
      /Last-Event-ID.*Idempotency-Key/,
    );
    const other = await preflight("https://evil.example");
    assertEquals(other.get("access-control-allow-origin"), null);
    assertEquals(other.get("vary"), "Origin");
    await hub.close();
    assertEquals((await preflight(ORIGIN)).get("access-control-allow-origin"), ORIGIN);
    assertEquals(asked, []);
  });
});

Deno.test("Hub.fetch lets pages of other origins read whatever it answers, refusals too", async () => {
  const options: HubOptions = {
    cors: { origin: true },
    maxBodySize: 20,
    authorize: ({ url }) =>
      !url.endsWith("/no") && (!url.endsWith("/gone") || Response.redirect(url)),
  };
  await serve(options, async (server, hub) => {
    const headers = { origin: ORIGIN };
    const assertAllowed = async (response: Response, status: number) => {
      assertEquals(response.status, status);
      assertEquals(response.headers.get("access-control-allow-origin"), "*");
      assertMatch(response.headers.get("access-control-expose-headers") ?? "", /Retry-After/);
      await response.body?.cancel();
    };
    const get = (path: string, init: RequestInit = {}) =>
      fetch(server.url(path), { headers, redirect: "manual", ...init });
    await assertAllowed(await get("/topics/a"), 200);
    await assertAllowed(await get("/topics/a", { method: "HEAD" }), 200);
    await assertAllowed(await get("/elsewhere"), 404);
    await assertAllowed(await get("/topics/no"), 403);
    await assertAllowed(await get("/topics/gone"), 302);
    await assertAllowed(await get("/topics/a", { method: "DELETE" }), 405);
    await assertAllowed(await get("/topics/a", { method: "OPTIONS" }), 405);
    await assertAllowed(await get("/topics/a", { headers: { ...headers, accept: "a/b" } }), 406);
    const url = server.url("/topics/a");
    await assertAllowed(await post(url, '{"data":"1"}', { headers }), 202);
    await assertAllowed(await post(url, "{", { headers }), 400);
    await assertAllowed(await post(url, "x".repeat(21), { headers }), 413);
    await assertAllowed(await post(url, "", { headers, type: "a/b" }), 415);
    await hub.close();
    await assertAllowed(await get("/topics/a"), 503);
    await assertAllowed(await post(url, '{"data":"1"}', { headers }), 503);
  });
});

// The end

Deno.test("Hub.fetch answers 503 with Retry-After once the hub is closed", async () => {
  await serve({}, async (server, hub) => {
    const url = server.url("/topics/news");
    await hub.close();
    for (const response of [await fetch(url), await post(url, '{"data":"1"}')]) {
      assertEquals([response.status, response.headers.get("retry-after")], [503, "5"]);
      assertMatch(await response.text(), /^Clos(ing|ed), try again later$/);
    }
    assertEquals(await statusOf(fetch(server.url("/"))), 404);
    assertEquals(await statusOf(post(url, "{")), 400);
  });
});

Deno.test("Hub.close drains readers over HTTP: each is told when to come back, and the server can stop", async () => {
  const hub = new Hub({ retry: 10 });
  const server = new Server((request) => hub.fetch(request));
  const readers = await Promise.all(
    Array.from({ length: 5 }, (_, n) => fetch(server.url(`/topics/${n % 2}`))),
  );
  const closed = hub.close({ drain: 50 });
  const texts = await Promise.all(readers.map((response) => response.text()));
  for (const text of texts) {
    const retries = Array.from(text.matchAll(/^retry: (\d+)$/gm), ([, ms]) => Number(ms));
    assertEquals([retries.length, retries[0]], [2, 10]);
    assert(retries[1] >= 10 && retries[1] <= 20, text);
  }
  await closed;
  assertEquals(hub.size, 0);
  await within(server[Symbol.asyncDispose](), 5_000, () => "The server does not stop");
});

// Coming back over HTTP

Deno.test("connect resumes from Hub.fetch where it was, however often the session is ended", async () => {
  console.log(`SSE_TEST_SEED=${SEED}`);
  const random = mulberry32(SEED);
  await serve({ retry: 0 }, async (server, hub) => {
    const total = 300;
    await using reader = connect(server.url("/topics/news"), { retry: () => 0 });
    await reader.opened;
    // From here on it has an id.
    await hub.publish("news", { data: "0" });
    assertEquals((await reader.next()).value?.data, "0");
    const publishing = (async () => {
      for (let n = 1; n < total; n++) {
        assertEquals(
          await statusOf(post(server.url("/topics/news"), `${n}`, { type: "text/plain" })),
          202,
        );
        if (random() < 0.1) hub.revoke(() => true);
      }
    })();
    for (let n = 1; n < total; n++) {
      assertEquals((await reader.next()).value?.data, `${n}`);
      if (random() < 0.05) reader.reconnect();
    }
    await publishing;
    assert(reader.stats.attempts > 3);
  });
});

Deno.test("connect resumes several topics of a hub, with a vector, where it was in each", async () => {
  console.log(`SSE_TEST_SEED=${SEED}`);
  const random = mulberry32(SEED);
  const hub = new Hub();
  const options: HubSubscribeOptions = { topics: ["a b", "c,d=&%", "n/*"] };
  await using server = new Server((request) => hub.subscribe(request, options));
  const names = ["a b", "c,d=&%", "n/1", "n/é", "n/2/3"];
  const total = 400;
  const next = new Map(names.map((name) => [name, 0]));
  const connection = connect(server.url("/"), { retry: () => 0 });
  await connection.opened;
  await hub.publish(names[0], { data: JSON.stringify([names[0], 0]) });
  const publish = async () => {
    const heads = new Map([[names[0], 1]]);
    for (let i = 1; i < total; i++) {
      const name = names[Math.floor(random() * names.length)];
      const n = heads.get(name) ?? 0;
      heads.set(name, n + 1);
      await hub.publish(name, { data: JSON.stringify([name, n]) });
      if (random() < 0.1) hub.revoke(() => true);
      // Lets the sockets work.
      if (random() < 0.3) await delay(0);
    }
  };
  const read = async () => {
    for (let i = 0; i < total; i++) {
      const { value } = await within(connection.next(), 5_000, () => `${i} of ${total} events`);
      const [name, n] = JSON.parse(value?.data ?? "[]");
      assertEquals([name, n], [name, next.get(name)]);
      next.set(name, n + 1);
    }
  };
  try {
    await Promise.all([publish(), read()]);
    assert(connection.stats.attempts > 3);
  } finally {
    connection.close();
    await hub.close();
  }
});

Deno.test("connect gives up where Hub.fetch refuses it", async () => {
  await serve({ authorize: () => false }, async (server) => {
    const connection = connect(server.url("/topics/news"));
    const error = await assertRejects(() => connection.next(), ResponseError);
    assertEquals([error.status, error.body], [403, "Forbidden"]);
  });
});
