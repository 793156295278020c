import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { chromium } from "playwright-core";
import { CHROMIUM, hasChromium } from "../chromium.ts";
import { Proxy } from "../log/proxy.ts";
import { Example, NO_SIGNALS, read, take } from "./example.ts";

/** No name leads anywhere, so that nothing can leave the machine. */
const ARGS = ["--no-sandbox", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"];

/** How far a job is, by its events. */
function steps(events: { data: string }[]): number[] {
  return events.map(({ data }) => JSON.parse(data).step);
}

Deno.test(
  "progress.ts tells each step of a job once, also after a cut, and where it is to who comes late",
  {
    ignore: NO_SIGNALS,
  },
  async () => {
    await using example = await Example.start("progress.ts");
    await using network = new Proxy(example.port);
    const response = await fetch(example.url("/jobs"), { method: "POST" });
    assertEquals(response.status, 202);
    const { url } = await response.json();

    await using early = read(`http://127.0.0.1:${network.port}${url}`);
    const events = await take(early, 2);
    const [first] = steps(events);
    network.refuse(true);
    network.cut();
    await using late = read(example.url(url));
    const [seen] = steps(await take(late, 1));
    network.refuse(false);
    // Each step once: the first one may have come to be told where it is.
    while (steps(events).at(-1) !== 40) events.push(...await take(early, 1));
    assertEquals(
      [...new Set(steps(events))],
      Array.from({ length: 41 - first }, (_, i) => first + i),
    );
    assert(events.length - new Set(steps(events)).size <= 1);
    assert(seen > first, "it is told where the job is by then");

    // A job that is done is shown as that.
    await using after = read(example.url(url));
    assertEquals(steps(await take(after, 1)), [40]);

    const missing = await fetch(example.url("/jobs/none"));
    assertEquals([missing.status, await missing.text()], [404, "No such job\n"]);
    await example.assertEnds();
  },
);

Deno.test("progress.ts serves a page, and ends while a job runs", {
  ignore: NO_SIGNALS,
}, async () => {
  await using example = await Example.start("progress.ts");
  const page = await fetch(example.url("/"));
  assertEquals(page.headers.get("content-type"), "text/html");
  assertStringIncludes(await page.text(), "new EventSource(url)");
  const { url } = await (await fetch(example.url("/jobs"), { method: "POST" })).json();
  const stream = await fetch(example.url(url));
  await example.assertEnds();
  assertStringIncludes(await stream.text(), "event: progress\n");
});

Deno.test("the page of progress.ts shows a job to its end in Chromium", {
  ignore: NO_SIGNALS || !hasChromium,
}, async () => {
  await using example = await Example.start("progress.ts");
  const browser = await chromium.launch({ executablePath: CHROMIUM, args: ARGS });
  try {
    const page = await browser.newPage();
    const errors: string[] = [];
    page.on("pageerror", (error) => errors.push(error.message));
    await page.goto(example.url("/"));
    assertEquals(await page.textContent("output"), "no job");
    await page.click("button");
    await page.waitForFunction("document.querySelector('output').value === '40 of 40'");
    assertEquals(await page.evaluate("document.querySelector('progress').value"), 40);
    assertEquals(errors, []);
  } finally {
    await browser.close();
  }
  await example.assertEnds();
});
