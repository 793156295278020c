/** The `EventSource` of Chromium, and ours in a page of it. */

import { chromium, type Page } from "playwright-core";
import { isFile } from "../../../tools/runtimes/browser_page.ts";
import { CHROMIUM, CHROMIUM_ARGS } from "../../../tools/runtimes/chromium.ts";
import type { OpenReader, Reader, Unavailable } from "../peers.ts";
import { pageScript, readInPage, tell } from "./in_page.ts";
import { oursOn } from "./ours.ts";
import { Shared } from "./shared.ts";

/** One page for all reads, which is let into every origin: a sender is one by its port. */
interface Shown extends AsyncDisposable {
  readonly page: Page;
}

/** What the page is called, though nobody serves it. */
const PAGE = "http://127.0.0.1:8080/a-page";

const chromiums = new Shared<Shown>(start);

async function start(): Promise<Shown | Unavailable> {
  const executablePath = CHROMIUM.find(isFile);
  if (executablePath === undefined) {
    return { unavailable: "there is no Chromium: apt-get install chromium" };
  }
  const content = await pageScript();
  const browser = await chromium.launch({
    executablePath,
    headless: true,
    args: [...CHROMIUM_ARGS, "--disable-web-security"],
  });
  const page = await browser.newPage();
  await page.route(PAGE, (route) => route.fulfill({ contentType: "text/html", body: "" }));
  await page.goto(PAGE);
  await page.addScriptTag({ content });
  return { page, [Symbol.asyncDispose]: () => browser.close() };
}

function open(reader: string): Promise<OpenReader | Unavailable> {
  return chromiums.open(({ page }, url) => page.evaluate(readInPage, tell(url, reader)));
}

export const readers: readonly Reader[] = [
  {
    name: "Chromium",
    ours: false,
    feed: "hard",
    seesId: true,
    seesRetry: false,
    resumes: true,
    open: () => open(""),
  },
  ...oursOn("Chromium", open),
];
