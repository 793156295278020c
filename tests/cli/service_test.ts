/** {@linkcode createService} as a function: its routes, who may use them, and how it ends. */

import { assert, assertEquals, assertMatch, assertStringIncludes, assertThrows } from "@std/assert";
import { PAGE_FILES } from "../../cli/page_files.ts";
import { createService, type Service, type ServiceOptions } from "../../cli/service.ts";
import { LogUnavailableError } from "../../errors.ts";
import { readEvents } from "../../parse.ts";
import { type EventLog, MemoryEventLog, OPEN_METRICS_TYPE } from "../../server.ts";
import { within } from "../fault/real_time.ts";

const ORIGIN = "http://127.0.0.1:8080";

interface AskOptions {
  method?: string;
  headers?: Record<string, string>;
  body?: BodyInit;
  origin?: string;
}

/** Asks a service, as a request that came over a socket does. */
function ask(service: Service, path: string, options: AskOptions = {}): Promise<Response> {
  const { origin = ORIGIN, ...init } = options;
  return service.fetch(new Request(`${origin}${path}`, init));
}

function post(service: Service, path: string, data: string, headers = {}): Promise<Response> {
  return ask(service, path, {
    method: "POST",
    headers: { "content-type": "text/plain", ...headers },
    body: data,
  });
}

/** Status and body of an answer that ends. */
async function answerOf(response: Promise<Response>): Promise<[number, string]> {
  const { status } = await response;
  return [status, await (await response).text()];
}

/** Runs a test with a service, and closes that. */
async function using(options: ServiceOptions, run: (service: Service) => Promise<void>) {
  const service = createService(options);
  try {
    await within(run(service), 10_000, () => "This takes longer than 10 s");
  } finally {
    await service.close();
  }
}

/** A log that answers when it is told to, or not at all. */
class StuckLog extends MemoryEventLog {
  fault: Error | undefined = undefined;
  reads = 0;

  override read(): ReturnType<EventLog["read"]> {
    this.reads++;
    const { fault } = this;
    return {
      [Symbol.asyncIterator]: () => ({
        next: () => fault === undefined ? new Promise(() => {}) : Promise.reject(fault),
        return: () => Promise.resolve({ done: true, value: undefined }),
      }),
    };
  }
}

Deno.test("createService serves a topic to read and to publish to", () =>
  using({}, async (service) => {
    const response = await ask(service, "/topics/news%2Fa");
    assertEquals(response.headers.get("content-type"), "text/event-stream");
    const reader = readEvents(response);
    const next = reader.next();
    const posted = await post(service, "/topics/news%2Fa", "hello");
    assertEquals(posted.status, 202);
    const { id } = await posted.json();
    assertEquals((await next).value, { event: "message", data: "hello", id });
    await reader.return();
  }));

Deno.test("createService reads several topics by names and patterns at /events", () =>
  using({}, async (service) => {
    const reader = readEvents(await ask(service, "/events?topic=a&topic=news/*"));
    const next = reader.next();
    await post(service, "/topics/other", "no");
    await post(service, "/topics/news%2F7", "yes");
    assertEquals((await next).value?.data, "yes");
    await reader.return();
  }));

Deno.test("createService reads every topic at /events without a topic", () =>
  using({}, async (service) => {
    const reader = readEvents(await ask(service, "/events"));
    const next = reader.next();
    await post(service, "/topics/whatever", "yes");
    assertEquals((await next).value?.data, "yes");
    await reader.return();
  }));

Deno.test("createService says what is wrong with a topic", () =>
  using({}, async (service) => {
    const [status, text] = await answerOf(ask(service, "/events?topic=a&topic=%24sse/x"));
    assertEquals(status, 400);
    assertMatch(text, /reserved/);
  }));

Deno.test("createService names its routes to who asks for another", () =>
  using({}, async (service) => {
    for (
      const path of ["/nothing", "/topics/a/b", "/topics/", "/topics/*", "/page/", "/x/topics/a"]
    ) {
      const [status, text] = await answerOf(ask(service, path));
      assertEquals(status, 404, path);
      assertStringIncludes(text, "GET  /events?topic=a&topic=b");
    }
  }));

Deno.test("createService allows each route its methods only", () =>
  using({}, async (service) => {
    for (const path of ["/", "/events", "/status", "/metrics", "/healthz", "/page/index.html"]) {
      const response = await ask(service, path, { method: "PUT" });
      assertEquals([response.status, response.headers.get("allow")], [405, "GET, HEAD"], path);
    }
    const response = await ask(service, "/status/ping");
    assertEquals([response.status, response.headers.get("allow")], [405, "POST"]);
  }));

Deno.test("createService gives its figures as OpenMetrics", () =>
  using({}, async (service) => {
    await post(service, "/topics/a", "x");
    const response = await ask(service, "/metrics");
    assertEquals(response.headers.get("content-type"), OPEN_METRICS_TYPE);
    const text = await response.text();
    assertStringIncludes(text, "sse_events_published_total 1\n");
    assert(text.endsWith("# EOF\n"));
  }));

Deno.test("createService is healthy while its log answers", () =>
  using({}, async (service) => {
    assertEquals(await answerOf(ask(service, "/healthz")), [200, "ok\n"]);
  }));

Deno.test("createService is not healthy while its log fails, and says of what", async () => {
  await using log = new StuckLog();
  log.fault = new LogUnavailableError("Cannot read events: the engine is away");
  await using({ log }, async (service) => {
    assertEquals(await answerOf(ask(service, "/healthz")), [
      503,
      "Cannot read events: the engine is away\n",
    ]);
  });
});

Deno.test("createService waits for its log only so long, and asks it once for all who ask", async () => {
  await using log = new StuckLog();
  await using({ log, healthTimeout: 20 }, async (service) => {
    const answers = await Promise.all(
      Array.from({ length: 5 }, () => answerOf(ask(service, "/healthz"))),
    );
    for (const [status, text] of answers) {
      assertEquals(status, 503);
      assertMatch(text, /no answer within 20 ms/);
    }
    assertEquals(log.reads, 1);
  });
});

Deno.test("createService refuses a host that is not its own, as a rebound name is", () =>
  using({ hosts: ["localhost", "127.0.0.1", "[::1]"] }, async (service) => {
    const own = [
      "http://127.0.0.1:1",
      "http://localhost:9",
      "http://[::1]:8",
      "http://a.localhost",
    ];
    for (const origin of own) {
      assertEquals((await ask(service, "/healthz", { origin })).status, 200, origin);
    }
    const others = ["http://evil.test:8080", "http://127.0.0.1.evil.test", "http://notlocalhost"];
    for (const origin of others) {
      for (const path of ["/", "/healthz", "/metrics", "/topics/a", "/status"]) {
        const response = await ask(service, path, { origin });
        assertEquals(response.status, 421, `${origin}${path}`);
        assertMatch(await response.text(), /--allow-host/);
      }
    }
  }));

Deno.test("createService refuses what a page of another origin sends, and publishes nothing", () =>
  using({}, async (service) => {
    for (const origin of ["http://evil.test", "null", "http://127.0.0.1:3000", "garbage"]) {
      const [status, text] = await answerOf(post(service, "/topics/a", "x", { origin }));
      assertEquals(status, 403, origin);
      assertMatch(text, /--cors/);
      assertEquals((await ask(service, "/events", { headers: { origin } })).status, 403);
    }
    assertEquals(service.hub.metrics.published, 0);
    assertEquals(service.hub.size, 0);
  }));

Deno.test("createService refuses to be put into a page of another site, but not a link to it", () =>
  using({}, async (service) => {
    const from = (site: string, mode: string) =>
      statusFor({ "sec-fetch-site": site, "sec-fetch-mode": mode });
    const statusFor = async (headers: Record<string, string>) =>
      (await answerOf(ask(service, "/metrics", { headers })))[0];
    assertEquals(await from("cross-site", "no-cors"), 403);
    assertEquals(await from("same-site", "no-cors"), 403);
    assertEquals(await from("cross-site", "navigate"), 200);
    assertEquals(await from("same-origin", "cors"), 200);
    assertEquals(await from("none", "navigate"), 200);
  }));

Deno.test("createService takes what its own page sends, also where TLS ends before it", () =>
  using({}, async (service) => {
    for (const origin of [ORIGIN, "https://127.0.0.1:8080"]) {
      const response = await post(service, "/topics/a", "x", { origin });
      assertEquals(response.status, 202);
      await response.body?.cancel();
    }
  }));

Deno.test("createService lets pages of the origins in cors read and publish", () =>
  using({ cors: ["https://app.example"], token: "t" }, async (service) => {
    const headers = { origin: "https://app.example" };
    const preflight = await ask(service, "/topics/a", {
      method: "OPTIONS",
      headers: { ...headers, "access-control-request-method": "POST" },
    });
    // A preflight carries no token.
    assertEquals(preflight.status, 204);
    assertEquals(preflight.headers.get("access-control-allow-origin"), "https://app.example");
    const posted = await post(service, "/topics/a", "x", { ...headers, authorization: "Bearer t" });
    assertEquals(posted.status, 202);
    assertEquals(posted.headers.get("access-control-allow-origin"), "https://app.example");
    await posted.body?.cancel();
    // So that the page sees why.
    const denied = await ask(service, "/metrics", { headers });
    assertEquals(denied.status, 401);
    assertEquals(denied.headers.get("access-control-allow-origin"), "https://app.example");
    await denied.body?.cancel();
    const other = await ask(service, "/metrics", { headers: { origin: "https://other.example" } });
    assertEquals(other.status, 403);
    assertEquals(other.headers.get("access-control-allow-origin"), null);
    await other.body?.cancel();
  }));

Deno.test("createService lets all pages in with cors *", () =>
  using({ cors: "*" }, async (service) => {
    const response = await post(service, "/topics/a", "x", { origin: "null" });
    assertEquals(response.status, 202);
    assertEquals(response.headers.get("access-control-allow-origin"), "*");
    await response.body?.cancel();
  }));

Deno.test("createService with a token asks for it on all routes but health and the page", () =>
  using({ token: "secret" }, async (service) => {
    for (const path of ["/topics/a", "/events", "/status", "/metrics", "/nothing"]) {
      const response = await ask(service, path);
      assertEquals(response.status, 401, path);
      assertEquals(response.headers.get("www-authenticate"), 'Bearer realm="sse"');
      await response.body?.cancel();
    }
    for (const path of ["/topics/a", "/status/ping"]) {
      assertEquals((await answerOf(post(service, path, "x")))[0], 401, path);
    }
    for (const path of ["/healthz", "/", "/page/page.css"]) {
      assertEquals((await answerOf(ask(service, path)))[0], 200, path);
    }
  }));

Deno.test("createService takes its token as a bearer, and of who reads in the query", () =>
  using({ token: "secret" }, async (service) => {
    const bearer = { authorization: "bearer secret" };
    assertEquals((await answerOf(ask(service, "/metrics", { headers: bearer })))[0], 200);
    assertEquals((await answerOf(ask(service, "/metrics?token=secret")))[0], 200);
    assertEquals((await answerOf(post(service, "/topics/a", "x", bearer)))[0], 202);
    // What is posted by a form or a link brings no header.
    assertEquals((await answerOf(post(service, "/topics/a?token=secret", "x")))[0], 401);
    for (const token of ["", "secre", "secret2", "Secret"]) {
      const response = await ask(service, `/metrics?token=${token}`);
      assertEquals(response.status, 401, token);
      assertMatch(response.headers.get("www-authenticate") ?? "", /error="invalid_token"/);
      await response.body?.cancel();
    }
  }));

Deno.test("createService refuses options that make no sense", () => {
  assertThrows(() => createService({ token: "" }), TypeError, "token");
  assertThrows(() => createService({ cors: "https://app.example/" }), TypeError, "origin");
  assertThrows(() => createService({ healthTimeout: 0 }), RangeError, "healthTimeout");
  assertThrows(() => createService({ statusInterval: NaN }), RangeError, "statusInterval");
  assertThrows(() => createService({ keepAlive: 0 }), RangeError, "keepAlive");
});

Deno.test("createService tells the readers of /status how it is, at once and once in a while", () =>
  using({ statusInterval: 5, logName: "a log" }, async (service) => {
    await post(service, "/topics/b", "x");
    const topic = readEvents(await ask(service, "/topics/a"));
    const status = readEvents(await ask(service, "/status"));
    const before = Date.now();
    for (let i = 0; i < 3; i++) {
      const { value } = await status.next();
      assertEquals(value?.event, "status");
      const { at, metrics, topics, topicCount, log } = JSON.parse(value?.data ?? "");
      assert(Math.abs(at - before) < 10_000);
      assertEquals([metrics.published, metrics.sessions, log], [1, 1, "a log"]);
      if (i === 0) continue;
      assertEquals(topics, [{ topic: "a", readers: 1 }, { topic: "b", readers: 0 }]);
      assertEquals(topicCount, 2);
    }
    await status.return();
    await topic.return();
    // What pages are told is no reader and no event of the user.
    assertEquals(service.hub.metrics.published, 1);
  }));

Deno.test("createService lists 200 topics, by their names, and counts all", () =>
  using({ statusInterval: 5 }, async (service) => {
    for (let i = 0; i < 250; i++) await service.hub.publish(`t${1_000 + i}`, { data: "x" });
    const status = readEvents(await ask(service, "/status"));
    await status.next();
    const { topics, topicCount } = JSON.parse((await status.next()).value?.data ?? "");
    assertEquals([topics.length, topicCount], [200, 250]);
    assertEquals([topics[0].topic, topics[199].topic], ["t1000", "t1199"]);
    await status.return();
  }));

Deno.test("createService sends a ping back as a pong, to the page that sent it", () =>
  using({ statusInterval: 60_000 }, async (service) => {
    const pages = await Promise.all(["a", "b"].map((page) => ask(service, `/status?page=${page}`)));
    const [a, b] = pages.map((response) => readEvents(response));
    const all = readEvents(await ask(service, "/status"));
    const pongOf = async (events: typeof a) => {
      for await (const { event, data } of events) if (event === "pong") return JSON.parse(data);
    };
    const pongs = Promise.all([a, b, all].map(pongOf));
    const pings = [{ page: "a", n: 1, at: 5.5 }, { page: "b", n: 7, at: 6 }];
    for (const ping of pings) {
      const body = JSON.stringify({ ...ping, more: "is left out" });
      assertEquals((await post(service, "/status/ping", body)).status, 204);
    }
    assertEquals(await pongs, [pings[0], pings[1], pings[0]]);
  }));

Deno.test("createService refuses pings that are none", () =>
  using({}, async (service) => {
    for (
      const body of ["", "x", "null", "{}", '{"page":"a b","n":1,"at":1}', '{"page":"a","n":"1"}']
    ) {
      assertEquals((await answerOf(post(service, "/status/ping", body)))[0], 400, body);
    }
    const large = JSON.stringify({ page: "a", n: 1, at: 1, more: "x".repeat(2_000) });
    assertEquals((await answerOf(post(service, "/status/ping", large)))[0], 413);
  }));

Deno.test("createService asks its log for topics only while somebody reads /status", async () => {
  let watching = 0;
  const log = new class extends MemoryEventLog {
    override topics(options: Parameters<MemoryEventLog["topics"]>[0]) {
      watching++;
      options.signal.addEventListener("abort", () => watching--);
      return super.topics(options);
    }
  }();
  await using({ log }, async (service) => {
    const status = readEvents(await ask(service, "/status"));
    await status.next();
    assertEquals(watching, 1);
    await status.return();
    assertEquals(watching, 0);
  });
  await log.close();
});

Deno.test("createService serves each file of the live page, with a policy that lets nothing else in", () =>
  using({}, async (service) => {
    const page = await ask(service, "/");
    assertEquals(page.headers.get("content-type"), "text/html; charset=utf-8");
    const policy = page.headers.get("content-security-policy") ?? "";
    assertMatch(policy, /^default-src 'none'; script-src 'self'; /);
    assertMatch(policy, /frame-ancestors 'none'/);
    assertEquals(page.headers.get("x-content-type-options"), "nosniff");
    assertEquals(page.headers.get("referrer-policy"), "no-referrer");
    assertMatch(await page.text(), /<html/);
    for (const name of PAGE_FILES) {
      const response = await ask(service, `/page/${name}`);
      assertEquals(response.status, 200, name);
      await response.body?.cancel();
    }
  }));

Deno.test("createService does not send a file of the live page again that is known", () =>
  using({}, async (service) => {
    const first = await ask(service, "/page/page.css");
    await first.body?.cancel();
    const etag = first.headers.get("etag") ?? "";
    const again = await ask(service, "/page/page.css", {
      headers: { "if-none-match": `"x", ${etag}` },
    });
    assertEquals([again.status, await again.text()], [304, ""]);
  }));

Deno.test("createService serves no file but those of the live page", () =>
  using({}, async (service) => {
    const paths = [
      "..%2fserve.ts",
      "..%2F..%2Fdeno.json",
      "..%5cserve.ts",
      "sse_entry.ts",
      "constructor",
    ];
    for (const path of paths) {
      assertEquals((await answerOf(ask(service, `/page/${path}`)))[0], 404, path);
    }
  }));

Deno.test("PAGE_FILES names every file of the folder that is for browsers", async () => {
  const names: string[] = [];
  for await (const { name } of Deno.readDir(new URL("../../cli/page", import.meta.url))) {
    if (!name.endsWith(".ts")) names.push(name);
  }
  assertEquals([...PAGE_FILES].sort(), names.sort());
});

Deno.test("Service.close sends readers away, takes nobody else, and closes its own log only", async () => {
  await using log = new MemoryEventLog();
  const service = createService({ log, retry: 500 });
  const response = await ask(service, "/topics/a");
  const text = response.text();
  const closed = service.close({ drain: 50 });
  assertEquals(await answerOf(ask(service, "/healthz")), [503, "Closing\n"]);
  const refused = await post(service, "/topics/a", "x");
  assertEquals([refused.status, refused.headers.get("retry-after")], [503, "1"]);
  await refused.body?.cancel();
  // No reader is to take a refusal for the last word.
  for (const path of ["/topics/a", "/events"]) {
    const [status, told] = await answerOf(ask(service, path));
    const [, retry] = /^: \nretry: (\d+)\n\n$/.exec(told) ?? [];
    assertEquals(status, 200);
    assert(Number(retry) >= 500 && Number(retry) <= 1_000, told);
  }
  await within(closed, 5_000, () => "It does not close");
  assertMatch(await text, /retry: \d+\n\n$/);
  await log.append("a", { data: "open" });
});
