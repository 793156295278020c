/**
 * Many topics on one connection, and the HTTP edge of a hub, with no socket between.
 *
 * @module
 */

import type { Harness, Library } from "../harness.ts";
import { askFor, takeFrom } from "./server_helpers.ts";

/** Registers the tests. */
export function hubs(library: Library, { test, assert }: Harness): void {
  const { Hub, readEvents } = library;

  test("Hub carries topics and patterns on one connection", async () => {
    const hub = new Hub();
    const reader = readEvents(hub.subscribe(askFor(), { topics: ["news", "scores/*"] }));
    const next = takeFrom(reader, 2);
    await hub.publish("other", { data: "nobody's" });
    await hub.publish("news", { data: "a" });
    await hub.publish("scores/final", { data: "3:1" });
    assert.deepEqual(await next, ["a", "3:1"]);
    await reader.return();
    await hub.close();
  });

  test("Hub resumes all topics of a connection from one last event ID", async () => {
    const hub = new Hub();
    const topics = ["a", "b"];
    const reader = readEvents(hub.subscribe(askFor(), { topics }));
    const next = takeFrom(reader, 2);
    await hub.publish("a", { data: "a1" });
    await hub.publish("b", { data: "b1" });
    await next;
    const pending = reader.next();
    const { lastEventId } = reader;
    await reader.return();
    await pending;
    await hub.publish("b", { data: "b2" });
    await hub.publish("a", { data: "a2" });
    const again = readEvents(hub.subscribe(askFor(lastEventId), { topics }));
    assert.deepEqual((await takeFrom(again, 2)).sort(), ["a2", "b2"]);
    await again.return();
    await hub.close();
  });

  test("Hub gives a channel for one of its topics", async () => {
    const hub = new Hub();
    const reader = readEvents(hub.channel("news").subscribe(askFor()));
    const next = reader.next();
    const id = await hub.publish("news", { data: "a" });
    assert.equal((await next).value?.id, id);
    assert.equal(hub.channel("news").size, 1);
    await reader.return();
    await hub.close();
  });

  test("Hub.fetch takes what is posted to a topic, and gives what is asked for", async () => {
    const hub = new Hub();
    const asked = await hub.fetch(askFor("", {}, "topics/news"));
    assert.equal(asked.status, 200);
    const reader = readEvents(asked);
    const next = reader.next();
    const body = JSON.stringify({ data: "é", event: "greeting" });
    const headers = { "content-type": "application/json" };
    const posted = await hub.fetch(askFor("", { method: "POST", body, headers }, "topics/news"));
    assert.equal(posted.status, 202);
    const { id } = await posted.json();
    assert.deepEqual((await next).value, { event: "greeting", data: "é", id });
    await reader.return();
    await hub.close();
  });

  test("Hub.fetch refuses what is none of its business", async () => {
    const hub = new Hub({ maxBodySize: 10 });
    const headers = { "content-type": "application/json" };
    const status = async (path: string, init: RequestInit = {}) => {
      const response = await hub.fetch(askFor("", init, path));
      await response.body?.cancel();
      return response.status;
    };
    assert.equal(await status("elsewhere"), 404);
    assert.equal(await status("topics/news", { method: "DELETE" }), 405);
    const body = JSON.stringify({ data: "x".repeat(100) });
    assert.equal(await status("topics/news", { method: "POST", body, headers }), 413);
    assert.equal(await status("topics/news", { method: "POST", body: "{", headers }), 400);
    await hub.close();
  });

  test("Hub.fetch lets the pages of an origin in, with credentials", async () => {
    const origin = "https://app.example";
    const hub = new Hub({ cors: { origin, credentials: true } });
    // A browser lets no page set these headers on a request: a server gets them as they are.
    const headers = new Headers({ "x-probe": "1" });
    headers.set("origin", origin);
    const response = await hub.fetch(askFor("", { headers }, "topics/news"));
    await response.body?.cancel();
    const allowed = new Request("http://sse.example/", { headers }).headers.has("origin");
    const expected = allowed ? [origin, "true"] : [null, null];
    const names = ["access-control-allow-origin", "access-control-allow-credentials"];
    assert.deepEqual(names.map((name) => response.headers.get(name)), expected);
    assert.match(response.headers.get("vary") ?? "", /origin/i);
    await hub.close();
  });

  test("Hub ends all its sessions when it is closed", async () => {
    const hub = new Hub();
    const texts = ["a", "b"].map((topic) => hub.channel(topic).subscribe(askFor()).text());
    assert.equal(hub.size, 2);
    await hub.close();
    await Promise.all(texts);
    assert.equal(hub.size, 0);
  });
}
