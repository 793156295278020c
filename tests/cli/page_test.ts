/**
 * The live page as its readers use it, in Chromium.
 *
 * @module
 */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { eventually } from "../examples/example.ts";
import { hasChromium } from "../chromium.ts";
import { LAN, LivePage } from "./page_browser.ts";

const ignore = !hasChromium;

/** The numbers of the events in the list, the newest first. */
async function listed(live: LivePage): Promise<number[]> {
  return (await live.texts("#body .seq")).map(Number);
}

/** Numbers in a row, the greatest first. */
function downFrom(last: number, length: number): number[] {
  return Array.from({ length }, (_, i) => last - i);
}

Deno.test("the live page loads without a complaint, and asks nobody but its server", {
  ignore,
}, async () => {
  await using live = await LivePage.start();
  const streams: string[] = [];
  live.page.on("request", (request) => {
    const { pathname } = new URL(request.url());
    if (/^\/(?:events|status)$/.test(pathname)) streams.push(pathname);
  });
  await live.page.goto(live.url);
  await live.reads("#state-text", "Connected");
  await live.publish("news", { n: 1 });
  await live.reads("#body .data", '{"n":1}');
  await live.reads("#figures dd", /^1\s*1 topic/);
  await live.reads("#rate-chart b", /\/s$/);
  await live.reads("#latency-chart b", /ms$/);
  assertEquals(await live.page.title(), "Live events");
  assertEquals(await live.text("#host"), new URL(live.url).host);
  // Six are all that a browser opens to a server that speaks HTTP/1.1.
  assertEquals(streams.sort(), ["/events", "/status"]);
  live.assertQuiet();
});

Deno.test("the live page shows events as they come, the newest first, and as text", {
  ignore,
}, async () => {
  await using live = await LivePage.open();
  const markup = '<img src=x onerror="document.title=1">';
  await live.publish("news", "first", markup);
  await live.service.hub.publish(`<b>${"x".repeat(9)}</b>`, { event: "<i>", data: "last" });
  await live.reads("#body .data", "last");
  assertEquals(await live.texts("#body .data"), ["last", markup, "first"]);
  assertEquals(await live.texts("#body .type"), ["<i>", "note", "note"]);
  assertEquals(await live.texts("#body .topic"), ["<b>xxxxxxxxx</b>", "news", "news"]);
  assertEquals(await listed(live), [1, 2, 1]);
  assertMatch((await live.texts("#body .time"))[0], /^\d\d:\d\d:\d\d\.\d{3}$/);
  assertEquals(await live.text("#received"), "3");
  live.assertQuiet();
});

Deno.test("the live page tells the topic of its first event among several", {
  ignore,
}, async () => {
  await using live = await LivePage.start();
  for (const topic of ["a", "b", "c"]) await live.publish(topic, "before");
  await live.page.goto(live.url);
  await live.reads("#figures dd", /^1\s*3 topics/);
  await live.publish("b", "first");
  await live.reads("#body .data", "first");
  assertEquals(await live.texts("#body .topic"), ["b"]);
  assertEquals(await listed(live), [2]);
});

Deno.test("the live page holds still while it is paused, and counts what waits", {
  ignore,
}, async () => {
  await using live = await LivePage.open();
  await live.publish("news", "1", "2");
  await live.reads("#body .data", "2");
  await live.page.click("#pause");
  await live.publish("news", "3", "4", "5");
  await live.reads("#shown", "3 waiting");
  assertEquals(await listed(live), [2, 1]);
  assertEquals(await live.text("#received"), "5");
  assertEquals(await live.page.getAttribute("#pause", "aria-pressed"), "true");
  await live.page.click("#pause");
  await live.reads("#shown", "5 of 5 kept");
  assertEquals(await listed(live), [5, 4, 3, 2, 1]);
  await live.reads("#announcement", "Going on, 3 events came meanwhile");
  await live.page.click("#clear");
  await live.reads("#shown", "0 of 0 kept");
  assertEquals(await listed(live), []);
});

Deno.test("the live page shows what is asked for, by type, topic and text, and marks it", {
  ignore,
}, async () => {
  await using live = await LivePage.open();
  await live.publish("orders", { city: "Bern" }, { city: "Zürich" });
  await live.service.hub.publish("orders", { event: "paid", data: '{"city":"Zürich"}' });
  await live.publish("news", "Nothing from zürich");
  await live.reads("#shown", "4 of 4 kept");

  await live.page.fill("#search", "ZÜRICH");
  await live.reads("#shown", "3 of 4 kept");
  assertEquals(await live.texts("#body mark"), ["zürich", "Zürich", "Zürich"]);
  await live.page.selectOption("#topic-filter", "orders");
  assertEquals(await listed(live), [3, 2]);
  await live.page.selectOption("#type-filter", "paid");
  assertEquals(await listed(live), [3]);
  // What comes is asked the same.
  await live.publish("orders", { city: "Zürich" });
  await live.service.hub.publish("orders", { event: "paid", data: "Zürich once more" });
  await live.reads("#shown", "2 of 6 kept");
  assertEquals(await listed(live), [5, 3]);
  // And nothing was lost by it.
  await live.page.selectOption("#type-filter", "");
  await live.page.selectOption("#topic-filter", "");
  await live.page.fill("#search", "");
  await live.reads("#shown", "6 of 6 kept");
  await live.page.fill("#search", "nowhere");
  await live.reads("#empty", "None of the events that are kept is of this kind.");
});

Deno.test("the live page lays the JSON of an event out, digit by digit", {
  ignore,
}, async () => {
  await using live = await LivePage.open();
  await live.publish("news", '{"id":9007199254740993,"tags":["a","b"],"none":{}}', "no JSON");
  await live.reads("#body .data", "no JSON");
  await live.page.click("#body .entry:nth-child(2) .data");
  assertEquals(
    await live.text(".detail pre"),
    '{\n  "id": 9007199254740993,\n  "tags": [\n    "a",\n    "b"\n  ],\n  "none": {}\n}',
  );
  const facts = await live.text(".detail .facts");
  assertMatch(facts, /ID\s+\w+\.1\s+Last event ID\s+news=\w+\.1\s+Topic\s+news\s+Type\s+note/);
  // Whoever reads is not to lose the place.
  await live.publish("news", "later");
  await live.reads("#shown", "1 waiting");
  await live.page.fill("#search", "9007");
  assertEquals(await live.texts(".detail mark"), ["9007"], "it stays open");
  await live.page.fill("#search", "");
  await live.page.click("#body .entry:nth-child(2) .open");
  assertEquals(await live.page.locator(".detail").count(), 0);
  await live.page.click("#body .entry:nth-child(1) .open");
  assertEquals(await live.text(".detail pre"), "no JSON");
  live.assertQuiet();
});

Deno.test("the live page follows the topics that are chosen, and its address keeps them", {
  ignore,
}, async () => {
  await using live = await LivePage.open();
  await live.publish("orders/eu", "a");
  await live.publish("orders/us", "b");
  await live.publish("news", "c");
  await live.reads("#topic-list", "orders/us");
  await live.reads("#topic-list li", /^news\s*1 reader$/);

  await live.page.check("#topic-list li:has-text('news') input");
  assertEquals(await live.page.isChecked("#topic-list li:has-text('All topics') input"), false);
  await live.reads("#state-text", "Connected");
  await eventually(() => live.service.hub.size === 1, () => "the reader before does not leave");
  await live.publish("orders/eu", "not followed");
  await live.publish("news", "followed");
  await live.reads("#body .data", /^followed$/);
  assertEquals((await live.texts("#body .data"))[0], "followed");
  assertEquals((await live.texts("#body .topic"))[0], "news");
  assertStringIncludes(live.page.url(), "#topic=news");
  await live.reads("#story", /^Live from now on/);

  await live.page.fill("#find", "orders/*");
  await live.page.press("#find", "Enter");
  await live.page.uncheck("#topic-list li:has-text('news') input");
  await live.reads("#state-text", "Connected");
  await eventually(() => live.service.hub.size === 1, () => "the reader before does not leave");
  await live.publish("news", "not followed");
  await live.publish("orders/asia", "a topic that is new");
  await live.reads("#body .data", "a topic that is new");
  assertEquals((await live.texts("#body .data")).includes("not followed"), false);
  assertStringIncludes(live.page.url(), "#topic=orders%2F*");

  await live.page.reload();
  await live.reads("#state-text", "Connected");
  assertEquals(await live.page.isChecked("#topic-list li:has-text('orders/*') input"), true);
  await live.page.check("#topic-list li:has-text('All topics') input");
  assertEquals(await live.page.locator("#topic-list li:has-text('orders/*')").count(), 0);
  await live.reads("#state-text", "Connected");
  await live.publish("news", "all");
  await live.reads("#body .data", /^all$/);
  live.assertQuiet();
});

Deno.test("the live page says that a pattern is none, and that topics are too many", {
  ignore,
}, async () => {
  await using live = await LivePage.open();
  await live.page.fill("#find", "a*");
  await live.page.press("#find", "Enter");
  await live.reads("#story.bad", "Closed: the server refused with 400: Cannot use pattern");
  await live.page.click("#topic-list li:has-text('a*') input");
  await live.reads("#state-text", "Connected");
  for (let n = 1; n <= 101; n++) await live.publish(`topic ${n}`, "x");
  await live.reads("#story.warn", "It has 101 topics, more than one connection carries: choose");
  await live.page.check("#topic-list li:has-text('topic 7') input");
  await live.reads("#state-text", "Connected");
});

Deno.test("the live page publishes what is typed, or says why not", { ignore }, async () => {
  await using live = await LivePage.open({ maxBodySize: 1_000 });
  const submit = "#publish-form button[type=submit]";
  await live.page.fill("#publish-topic", "orders/7");
  await live.page.fill("#publish-type", "created");
  await live.page.fill("#publish-data", '{"id":9007199254740993}');
  await live.page.click(submit);
  await live.reads("#publish-result", /^Published as \w+\.1$/);
  await live.reads("#body .data", '{"id":9007199254740993}');
  assertEquals(await live.texts("#body .type"), ["created"]);
  assertEquals(await live.texts("#body .topic"), ["orders/7"]);

  await live.page.fill("#publish-data", '{"id":');
  await live.reads("#publish-check.bad", "JSON");
  await live.page.click(submit);
  await live.reads(
    "#publish-result.failure",
    /^Cannot publish: the data is no JSON: .+: correct it/,
  );
  assertEquals(await live.page.getAttribute("#publish-data", "aria-invalid"), "true");
  await live.page.uncheck("#publish-json");
  await live.page.press("#publish-data", "Control+Enter");
  await live.reads("#publish-result", /^Published as \w+\.2$/);
  assertEquals(await live.page.getAttribute("#publish-data", "aria-invalid"), "false");

  live.assertQuiet();
  await live.page.fill("#publish-data", "x".repeat(2_000));
  await live.page.click(submit);
  await live.reads("#publish-result.failure", "413: Cannot publish: the body must be at most 1000");
  await live.page.fill("#publish-topic", "");
  await live.page.click(submit);
  await live.reads("#publish-result.failure", "Cannot publish: a topic is needed");
  assertEquals(live.service.hub.metrics.published, 2);
});

Deno.test("the live page resumes a connection that it cuts, and shows that nothing is lost", {
  ignore,
}, async () => {
  let left = 0;
  await using live = await LivePage.open({
    onSession: (_session, change) => void (left += change === "leave" ? 1 : 0),
  });
  let n = 0;
  const publishing = setInterval(() => live.publish("clock", { n: ++n }), 5);
  try {
    await eventually(async () => (await listed(live)).length > 20, () => "no events");
    // Long enough for attempts to fail, and for much to be missed.
    await live.page.selectOption("#cut-for", "3000");
    await live.page.click("#cut");
    await live.reads("#state-text", /^Lost, attempt \d in \d\.\d s$/);
    await live.reads("#story", /^Lost: the \w+ .+: it (?:is|was) cut on this page$/);
    await eventually(() => left === 1, () => "the server does not notice the cut");
    assertEquals(await live.text("#cut"), "Connect now");
    const [before] = await listed(live);
    await live.reads("#asked", /^clock=\w+\.\d+$/);
    assertEquals(Number((await live.text("#asked")).split(".")[1]), before);
    await live.reads("#state-text", "Connected");
    await live.reads("#story.good", /^Resumed after \d\.\d s: [\d,]+ events since, 0 lost, 0 rep/);
    const numbers = await listed(live);
    assert(numbers[0] > before + 100, `much came meanwhile: ${before} to ${numbers[0]}`);
    assertEquals(numbers, downFrom(numbers[0], numbers.length), "each is there once");

    // At once, by the key.
    await live.page.selectOption("#cut-for", "0");
    await live.page.locator("#cut-for").blur();
    await live.page.keyboard.press("c");
    await eventually(() => left === 2, () => "the server does not notice the second cut");
    await live.reads("#state-text", "Connected");
    await live.reads("#story", /^Resumed after [\d.]+ m?s: .+, 0 lost, 0 repeated$/);
  } finally {
    clearInterval(publishing);
  }
  await eventually(
    async () => Number((await live.text("#received")).replace(",", "")) === n,
    () => `not all ${n} events came`,
  );
  assertEquals([await live.text("#lost"), await live.text("#repeated")], ["0", "0"]);
  live.assertQuiet();
});

Deno.test("the live page says what the log no longer has", { ignore }, async () => {
  await using live = await LivePage.open();
  await live.publish("news", "1");
  await live.reads("#received", "1");
  await live.page.selectOption("#cut-for", "30000");
  await live.page.click("#cut");
  await live.reads("#state-text", /^Lost/);
  // More than a log in memory holds.
  for (let n = 2; n <= 1_501; n++) live.service.hub.publish("news", { data: `${n}` });
  await live.page.click("#cut");
  await live.reads("#story", "1,000 events since, 0 lost, 0 repeated, 500 no longer in the log");
  assertEquals(await live.page.locator("#body .gap").count(), 0, "it has left the list");
});

Deno.test("the live page asks for the token of a server, and keeps it for the tab", {
  ignore,
}, async () => {
  await using live = await LivePage.start({ token: "s3cret" });
  await live.page.goto(live.url);
  await live.page.waitForSelector("#token-dialog[open]");
  await live.reads("#token-reason", "This server asks for one.");
  await live.reads("#story.bad", "Closed: the server refused with 401: Unauthorized");
  await live.page.fill("#token", "guess");
  await live.page.press("#token", "Enter");
  await live.reads("#token-reason", "The server has refused the one it got.");
  await live.page.waitForSelector("#token-dialog[open]");
  await live.page.fill("#token", "s3cret");
  await live.page.click("#token-form button[type=submit]");
  await live.reads("#state-text", "Connected");
  await live.publish("news", "hello");
  await live.reads("#body .data", "hello");
  await live.page.fill("#publish-topic", "news");
  await live.page.press("#publish-topic", "Enter");
  await live.reads("#publish-result", /^Published as/);
  await live.page.reload();
  await live.reads("#state-text", "Connected");
  // The browser itself complains of each 401.
  assertEquals(live.complaints.filter((text) => !text.includes("status of 401")), []);
});

Deno.test("the live page takes a token from its address, and does not leave it there", {
  ignore,
}, async () => {
  await using live = await LivePage.open({ token: "a&b" }, {}, "#token=a%26b&topic=news");
  assertEquals(live.page.url(), `${live.url}#topic=news`);
  await live.publish("news", "hello");
  await live.reads("#body .data", "hello");
  live.assertQuiet();
});

Deno.test("the live page does all it does where it comes from another machine over HTTP", {
  ignore,
}, async () => {
  await using live = await LivePage.start();
  await live.page.goto(live.url.replace("127.0.0.1", LAN));
  assertEquals(await live.page.evaluate("isSecureContext"), false);
  await live.reads("#state-text", "Connected");
  await live.page.fill("#publish-topic", "news");
  await live.page.press("#publish-topic", "Enter");
  await live.reads("#publish-result", /^Published as/);
  await live.reads("#latency-chart b", /ms$/);
  await live.page.click("#body .entry .data");
  await live.page.click(".copy");
  await live.reads(".copy", "Cannot copy here");
  assertEquals(
    live.complaints.filter((text) => !text.startsWith("a request to http://events.")),
    [],
  );
});

Deno.test("the live page says that its server has gone, and is there when it comes back", {
  ignore,
}, async () => {
  await using live = await LivePage.open();
  await live.publish("news", "1");
  await live.reads("#received", "1");
  await live.page.context().setOffline(true);
  live.service.hub.revoke(() => true);
  await live.reads("#story.warn", /^Lost: /);
  await live.page.context().setOffline(false);
  await live.publish("news", "2");
  await live.reads("#story.good", /^Resumed after .+: 1 event since, 0 lost, 0 repeated$/);
});
