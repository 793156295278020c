/**
 * The live page for everybody: by keyboard, by screen reader, in the dark and on a phone.
 *
 * @module
 */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import axe from "axe-core";
import { hasChromium } from "../chromium.ts";
import { LivePage } from "./page_browser.ts";

const ignore = !hasChromium;

const DESK = { width: 1280, height: 800 };
const PHONE = { width: 360, height: 740 };

/** What axe finds on a page. */
interface Findings {
  violations: { id: string; nodes: { html: string; failureSummary: string }[] }[];
}

/** What is wrong with the page as it is, by the rules of WCAG 2.2 AA and of good practice. */
async function faults(live: LivePage): Promise<string[]> {
  // It is no script of the page, which its policy would refuse.
  await live.page.evaluate(axe.source);
  const { violations }: Findings = await live.page.evaluate("axe.run(document)");
  return violations.flatMap(({ id, nodes }) =>
    nodes.map(({ html, failureSummary }) => `${id}: ${html}: ${failureSummary}`)
  );
}

/** Brings all there is onto the page: events, an open one, a mark, a figure, a sentence of each kind. */
async function fill(live: LivePage): Promise<void> {
  await live.publish("orders/eu", { id: 7, city: "Zürich", paid: true, note: null }, "no JSON");
  await live.reads("#body .data", "no JSON");
  await live.page.fill("#search", "zürich");
  await live.page.click("#body .entry .data");
  await live.page.evaluate(
    "for (const one of document.querySelectorAll('details')) one.open = true",
  );
  await live.page.fill("#publish-topic", "");
  await live.page.fill("#publish-data", "{");
  await live.page.press("#publish-data", "Control+Enter");
  await live.reads("#publish-result", "Cannot publish");
  await live.reads("#latency-chart b", /ms$/);
}

for (
  const [colorScheme, where, viewport] of [
    ["light", "a desk", DESK],
    ["dark", "a desk", DESK],
    ["dark", "a phone", PHONE],
  ] as const
) {
  Deno.test(`axe finds no fault in the live page, ${colorScheme}, on ${where}`, {
    ignore,
  }, async () => {
    await using live = await LivePage.open({}, { colorScheme, viewport });
    await fill(live);
    assertEquals(await faults(live), []);
    await live.page.selectOption("#cut-for", "30000");
    await live.page.click("#cut");
    await live.reads("#state-text", /^Lost/);
    assertEquals(await faults(live), [], "while it is cut");
    await live.page.click("#help");
    assertEquals(await faults(live), [], "with the list of keys");
  });
}

Deno.test("axe finds no fault in the live page that asks for a token", { ignore }, async () => {
  await using live = await LivePage.start({ token: "s3cret" });
  await live.page.goto(live.url);
  await live.page.waitForSelector("#token-dialog[open]");
  assertEquals(await faults(live), []);
});

Deno.test("the live page fits a phone, with nothing beside it", { ignore }, async () => {
  await using live = await LivePage.open({}, { viewport: PHONE });
  await live.publish(`a/topic/with/${"a-long-name-".repeat(10)}`, "x".repeat(5_000));
  await fill(live);
  await live.page.click("#body .entry:last-child .data");
  assertEquals(await live.page.evaluate("document.documentElement.scrollWidth"), 360);
  const wide = await live.page.evaluate(
    "[...document.querySelectorAll('button, input, select, textarea')]" +
      ".filter((one) => one.getBoundingClientRect().right > 360).map((one) => one.outerHTML)",
  );
  assertEquals(wide, []);
  const cramped = await live.page.evaluate(
    "[...document.querySelectorAll('button')]" +
      ".filter((one) => one.scrollWidth > one.clientWidth).map((one) => one.outerHTML)",
  );
  assertEquals(cramped, [], "all text is in its button");
});

Deno.test("the live page shows no motion to who wants none", { ignore }, async () => {
  await using live = await LivePage.open({}, { reducedMotion: "reduce" });
  await live.page.selectOption("#cut-for", "30000");
  await live.page.click("#cut");
  await live.reads("#state-text", /^Lost/);
  assertEquals(await live.page.evaluate("document.getAnimations().length"), 0);
});

/** What has the focus: its id, or what it says; `""` for nothing at all. */
async function focused(live: LivePage): Promise<string> {
  return await live.page.evaluate(
    "[document.activeElement].map((one) => one === document.body ? '' : one.id || " +
      "(one.closest('label') ?? one).textContent.trim().slice(0, 20)).join()",
  );
}

Deno.test("the tab key leads through the live page in its order, and shows where it is", {
  ignore,
}, async () => {
  await using live = await LivePage.open();
  await live.publish("news", "1");
  await live.reads("#topic-list", "news");
  const order: string[] = [];
  for (;;) {
    await live.page.keyboard.press("Tab");
    const name = await focused(live);
    if (name === "" || order.length > 40) break;
    order.push(name);
    const outline = "getComputedStyle(document.activeElement).outlineStyle";
    const seen = await live.page.evaluate(outline);
    // The fields of a browser have a ring of their own.
    assert(seen !== "none", `${name} shows no focus`);
  }
  assertEquals(order, [
    "Skip to the events",
    "cut",
    "cut-for",
    "help",
    "pause",
    "search",
    "type-filter",
    "topic-filter",
    "clear",
    "rows",
    "Topics 1",
    "find",
    "Follow",
    "All topics",
    "news1 reader",
    "Publish",
    "publish-topic",
    "publish-type",
    "publish-data",
    "publish-json",
    "Publish",
  ]);
});

Deno.test("arrow keys lead through the events, Enter opens one and Escape leads back", {
  ignore,
}, async () => {
  await using live = await LivePage.open();
  await live.publish("news", "1", "2", "3");
  await live.reads("#shown", "3 of 3 kept");
  await live.page.focus("#rows");
  const seq = () =>
    live.page.evaluate(
      "document.activeElement.closest('.entry')?.querySelector('.seq').textContent",
    );
  const found: unknown[] = [];
  for (
    const key of ["ArrowDown", "ArrowDown", "ArrowDown", "ArrowDown", "Home", "End", "ArrowUp"]
  ) {
    await live.page.keyboard.press(key);
    found.push(await seq());
  }
  assertEquals(found, ["3", "2", "1", "1", "3", "1", "2"]);
  await live.reads("#shown", "0 waiting");
  await live.page.keyboard.press("Enter");
  assertEquals(await live.texts(".detail pre"), ["2"]);
  await live.page.keyboard.press("Escape");
  assertEquals(await live.texts(".detail pre"), []);
  assertEquals(await seq(), "2");
  await live.page.keyboard.press("Escape");
  assertEquals(await focused(live), "rows");
  // Not the button of a row, which it would open.
  await live.page.keyboard.press(" ");
  await live.reads("#shown", "3 of 3 kept");
});

Deno.test("single keys act on the live page, but not in its fields, nor when they are off", {
  ignore,
}, async () => {
  await using live = await LivePage.open();
  const paused = () => live.page.getAttribute("#pause", "aria-pressed");
  await live.page.keyboard.press(" ");
  assertEquals(await paused(), "true");
  await live.page.keyboard.press(" ");
  assertEquals(await paused(), "false");
  await live.page.keyboard.press("/");
  assertEquals(await focused(live), "search");
  await live.page.keyboard.type("c /?p");
  assertEquals(await live.page.inputValue("#search"), "c /?p");
  assertEquals(await paused(), "false");
  await live.page.focus("#rows");
  await live.page.keyboard.press("p");
  assertEquals(await focused(live), "publish-topic");
  await live.page.focus("#rows");
  await live.page.keyboard.press("?");
  assertEquals(await live.page.isVisible("#keys-dialog"), true);
  await live.page.keyboard.press("c");
  await live.page.uncheck("#keys-on");
  await live.page.keyboard.press("Escape");
  await live.page.focus("#rows");
  for (const key of ["c", " ", "?", "/"]) await live.page.keyboard.press(key);
  assertEquals([await paused(), await live.page.isVisible("#keys-dialog")], ["false", false]);
  assertEquals(await focused(live), "rows");
  assertEquals(await live.text("#state-text"), "Connected");
  await live.page.reload();
  await live.page.keyboard.press(" ");
  assertEquals(await paused(), "false", "it is kept");
});

Deno.test("the live page tells screen readers of states, and not of events", {
  ignore,
}, async () => {
  await using live = await LivePage.open();
  await live.page.evaluate(`
    globalThis.said = [];
    new MutationObserver(() => said.push(announcement.textContent))
      .observe(announcement, { childList: true, characterData: true, subtree: true });
  `);
  await live.publish("news", ...downTo(50));
  await live.reads("#received", "50");
  await live.page.selectOption("#cut-for", "0");
  await live.page.click("#cut");
  await live.reads("#story", "Resumed");
  await live.publish("news", ...downTo(50));
  await live.reads("#received", "100");
  await live.page.click("#pause");
  const said: string[] = await live.page.evaluate("said");
  assertEquals([said.length, said[0], said[2]], [
    3,
    "Lost: the body broke off: it was cut on this page",
    "Paused",
  ]);
  assertMatch(said[1], /^Resumed after [\d.]+ m?s: \d+ events since, 0 lost, 0 repeated$/);
  const regions = await live.page.locator("[role=status], [aria-live]").count();
  assertEquals(regions, 2, "the page, and what was published");
});

Deno.test("the charts of the live page say in words what they show", { ignore }, async () => {
  await using live = await LivePage.open();
  await live.publish("news", "1", "2", "3");
  await live.reads("#rate-chart b", /\/s$/);
  await live.reads("#latency-chart b", /ms$/);
  const label = await live.page.getAttribute("#rate-chart svg[role=img]", "aria-label") ?? "";
  assertStringIncludes(label, "Rate, the last two minutes. received: now ");
  assertMatch(label, /published: (?:now .+, )?between .+\/s and .+\/s\.$/);
  const other = await live.page.getAttribute("#latency-chart svg[role=img]", "aria-label") ?? "";
  assertMatch(other, /^Latency, the last two minutes\. .+ between .+ m?s and .+ m?s\.$/);
});

/** `"50"`, `"49"` and so on to `"1"`. */
function downTo(from: number): string[] {
  return Array.from({ length: from }, (_, i) => `${from - i}`);
}
