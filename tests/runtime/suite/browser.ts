/**
 * What only browsers have: other origins that they ask before they let a page in, cookies, redirects
 * that they hide, pages that go away, and an `EventSource` of their own.
 *
 * @module
 */

import type { Harness, Library, Suite } from "../harness.ts";
import { within } from "../waiting.ts";
import { window } from "../window.ts";
import { registerEventSource } from "./browser_event_source.ts";

/** How long what a test waits for may take, in ms. */
const PATIENCE = 5_000;

/** What `/echo` tells of the request it was asked with. */
interface Echo {
  readonly url: string;
  readonly headers: Record<string, string>;
}

/**
 * The suite.
 *
 * @param hubs The base URL of `hubs.ts`, with no slash at the end.
 */
export function browserSuite(hubs: string): Suite {
  return {
    name: "browser",
    needs: ["fetch"],
    register(library, harness) {
      registerOrigins(library, harness, hubs);
      registerCookies(library, harness, hubs);
      registerRedirects(library, harness, hubs);
      registerUnload(harness);
      registerEventSource(library, harness, hubs);
    },
  };
}

/** `localhost` is another site than `127.0.0.1`, and the same server. */
function otherSite(url: string): string {
  return url.replace("127.0.0.1", "localhost");
}

function publish(url: string, data: string, init?: RequestInit): Promise<Response> {
  return fetch(url, { method: "POST", body: data, ...init });
}

function registerOrigins({ connect }: Library, { test, assert, ...at }: Harness, hubs: string) {
  test("connect reads a hub of another origin that lets any page in", async () => {
    await using feed = connect(`${hubs}/any/topics/${crypto.randomUUID()}`);
    await feed.opened;
    assert.equal((await publish(feed.url, "hello")).status, 202);
    assert.equal((await feed.next()).value?.data, "hello");
  });

  test("connect reads a stream of another site", async () => {
    await using feed = connect(otherSite(`${at.origin}/numbers?to=1`));
    assert.equal((await feed.next()).value?.data, "1");
  });

  test("connect fails where a hub lets other pages in only", async () => {
    const url = `${hubs}/stranger/topics/${crypto.randomUUID()}`;
    await using feed = connect(url, { retry: false });
    await assert.rejects(feed.next(), { code: "ERR_SSE_NETWORK" });
  });

  test("connect asks for no preflight before there is a last event ID", async () => {
    const path = `/any/topics/${crypto.randomUUID()}`;
    const preflights = async () => await (await fetch(`${hubs}/preflights?path=${path}`)).json();
    await using feed = connect(hubs + path);
    await feed.opened;
    assert.equal(await preflights(), 0);
    await publish(feed.url, "a");
    await feed.next();
    const next = feed.next();
    feed.reconnect();
    await publish(feed.url, "b");
    assert.equal((await next).value?.data, "b");
    assert.equal(await preflights(), 1);
  });

  test("connect resumes at a hub of another origin, which allows Last-Event-ID", async () => {
    const url = `${hubs}/any/topics/${crypto.randomUUID()}`;
    const first = connect(url);
    await first.opened;
    await publish(url, "a");
    await first.next();
    first.next().catch(() => {});
    const { lastEventId } = first;
    first.close();
    await publish(url, "b");
    await publish(url, "c");
    await using second = connect(url, { lastEventId });
    assert.equal((await second.next()).value?.data, "b");
    assert.equal((await second.next()).value?.data, "c");
  });

  test("a page of another origin publishes JSON with an idempotency key", async () => {
    const url = `${hubs}/any/topics/${crypto.randomUUID()}`;
    const headers = { "content-type": "application/json", "idempotency-key": "once" };
    const ids = [];
    for (let i = 0; i < 2; i++) {
      const response = await publish(url, '{"event":"greeting","data":"hello"}', { headers });
      assert.equal(response.status, 202);
      ids.push((await response.json()).id);
    }
    assert.equal(ids[0], ids[1]);
  });
}

function registerCookies(
  { connect }: Library,
  { test, assert, otherOrigin }: Harness,
  hubs: string,
) {
  const cookie = `runtime-user=${crypto.randomUUID()}`;
  const topic = () => `${hubs}/named/topics/${crypto.randomUUID()}?cookie=${cookie}`;
  const echo = async (url: string, credentials?: RequestCredentials): Promise<Echo> => {
    await using feed = connect(url, { retry: false, credentials });
    return JSON.parse(`${(await feed.next()).value?.data}`);
  };

  test('connect sends cookies to another origin with credentials: "include"', async () => {
    window.document.cookie = `${cookie}; path=/; SameSite=Lax`;
    const told = await echo(`${otherOrigin}/echo`, "include");
    assert.ok(told.headers.cookie?.includes(cookie), `cookies: ${told.headers.cookie}`);
  });

  test("connect sends no cookies to another origin without", async () => {
    const told = await echo(`${otherOrigin}/echo`);
    assert.equal(told.headers.cookie, undefined);
  });

  test("connect keeps a cookie that an event stream of another origin sets", async () => {
    const kept = `runtime-kept=${crypto.randomUUID()}`;
    await echo(`${otherOrigin}/echo?cookie=${kept}`, "include");
    const told = await echo(`${otherOrigin}/echo`, "include");
    assert.ok(told.headers.cookie?.includes(kept), `cookies: ${told.headers.cookie}`);
  });

  test("a hub that names the page lets it in with its cookie", async () => {
    await using feed = connect(topic(), { credentials: "include" });
    await feed.opened;
    assert.equal((await publish(feed.url, "hello", { credentials: "include" })).status, 202);
    assert.equal((await feed.next()).value?.data, "hello");
  });

  test("a hub that names the page shows it why it is not let in", async () => {
    await using feed = connect(topic(), { retry: false });
    await assert.rejects(feed.next(), { code: "ERR_SSE_STATUS", message: /403/ });
  });

  test("a hub that lets any page in is closed to credentials", async () => {
    const url = `${hubs}/any/topics/${crypto.randomUUID()}`;
    await using feed = connect(url, { retry: false, credentials: "include" });
    await assert.rejects(feed.next(), { code: "ERR_SSE_NETWORK" });
  });
}

function registerRedirects(
  { connect, RedirectError }: Library,
  { test, assert, origin, otherOrigin }: Harness,
  hubs: string,
) {
  const redirect = (to: string, from = origin) => `${from}/redirect?to=${encodeURIComponent(to)}`;

  test("a browser hides where a redirect leads", async () => {
    const response = await fetch(redirect(`${otherOrigin}/echo`), { redirect: "manual" });
    assert.deepEqual(
      [response.type, response.status, response.headers.get("location")],
      ["opaqueredirect", 0, null],
    );
  });

  test("connect follows a redirect within the origin", async () => {
    await using feed = connect(redirect("/numbers?to=1"));
    assert.equal((await feed.next()).value?.data, "1");
    assert.equal((await feed.opened).url, `${origin}/numbers?to=1`);
  });

  test("connect refuses a redirect to another origin", async () => {
    await using feed = connect(redirect(`${otherOrigin}/numbers?to=1`));
    const error: unknown = await feed.next().catch((error) => error);
    if (!(error instanceof RedirectError)) throw error;
    assert.deepEqual([error.code, error.to], ["ERR_SSE_REDIRECT", `${otherOrigin}/numbers?to=1`]);
  });

  test('connect refuses any redirect with redirect: "error", and cannot say whereto', async () => {
    await using feed = connect(redirect("/numbers?to=1"), { redirect: "error" });
    const error: unknown = await feed.next().catch((error) => error);
    if (!(error instanceof RedirectError)) throw error;
    assert.deepEqual([error.code, error.to], ["ERR_SSE_REDIRECT", ""]);
  });

  test('connect follows to another origin with redirect: "follow"', async () => {
    await using feed = connect(redirect(`${otherOrigin}/numbers?to=1`), { redirect: "follow" });
    assert.equal((await feed.next()).value?.data, "1");
    assert.equal((await feed.opened).url, `${otherOrigin}/numbers?to=1`);
  });

  test('connect follows to another site with redirect: "follow", without its token', async () => {
    const url = redirect(otherSite(`${origin}/echo`));
    await using feed = connect(url, {
      redirect: "follow",
      credentials: "include",
      headers: { authorization: "Bearer secret" },
    });
    const told: Echo = JSON.parse(`${(await feed.next()).value?.data}`);
    assert.equal(told.url, otherSite(`${origin}/echo`));
    assert.deepEqual([told.headers.authorization, told.headers.cookie], [undefined, undefined]);
  });

  test("connect follows from one other origin to the next, where the page is nobody", async () => {
    const url = redirect(`${hubs}/any/topics/${crypto.randomUUID()}`, otherOrigin);
    await using feed = connect(url, { redirect: "follow" });
    assert.equal((await feed.opened).status, 200);
    // The origin is "null" then, which that hub does not name.
    const named = redirect(`${hubs}/named/topics/${crypto.randomUUID()}`, otherOrigin);
    await using refused = connect(named, { redirect: "follow", retry: false });
    await assert.rejects(refused.next(), { code: "ERR_SSE_NETWORK" });
  });
}

function registerUnload({ test, assert, origin }: Harness) {
  for (const reader of ["connect", "EventSource"]) {
    for (const end of ["removed", "led elsewhere"] as const) {
      test(`${reader} lets go of the server when its frame is ${end}`, async () => {
        const key = crypto.randomUUID();
        const stream = `${origin}/hold?key=${key}`;
        const frame = window.document.createElement("iframe");
        const stop = new AbortController();
        try {
          const held = new Promise<unknown>((resolve) => {
            window.addEventListener("message", ({ data }) => resolve(data), stop);
          });
          frame.src = `/frame.html?with=${reader}&stream=${encodeURIComponent(stream)}`;
          window.document.body.append(frame);
          const told = await within(held, PATIENCE, () => "The frame has read no event");
          assert.deepEqual(told, { stream, data: "held" });
          if (end === "removed") frame.remove();
          else frame.src = "about:blank";
          assert.equal(await (await fetch(`/left?key=${key}`)).json(), true);
        } finally {
          stop.abort();
          frame.remove();
        }
      });
    }
  }
}
