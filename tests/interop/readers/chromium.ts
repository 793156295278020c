/** The `EventSource` of Chromium. */

import { type Browser, chromium, type Page } from "playwright-core";
import type { ServerSentEvent } from "../../../parse.ts";
import { isFile } from "../../../tools/runtimes/browser_page.ts";
import { CHROMIUM, CHROMIUM_ARGS } from "../../../tools/runtimes/chromium.ts";
import type { OpenReader, Reader, Unavailable } from "../peers.ts";
import { readInPage, tell } from "./in_page.ts";

async function readOn(page: Page, url: string, seen: ServerSentEvent[]): Promise<void> {
  // A page of the same origin, though no sender serves one.
  const here = new URL("/a-page", url).href;
  await page.route(here, (route) => route.fulfill({ contentType: "text/html", body: "" }));
  await page.goto(here);
  seen.push(...await page.evaluate(readInPage, tell(url)));
}

async function open(): Promise<OpenReader | Unavailable> {
  const executablePath = CHROMIUM.find(isFile);
  if (executablePath === undefined) {
    return { unavailable: "there is no Chromium: apt-get install chromium" };
  }
  const browser: Browser = await chromium.launch({
    executablePath,
    headless: true,
    args: CHROMIUM_ARGS,
  });
  return {
    async read(url, seen, signal) {
      const page = await browser.newPage();
      const close = () => void page.close();
      signal.addEventListener("abort", close);
      try {
        await readOn(page, url, seen);
      } finally {
        signal.removeEventListener("abort", close);
        await page.close();
      }
    },
    [Symbol.asyncDispose]: () => browser.close(),
  };
}

export const readers: readonly Reader[] = [{
  name: "Chromium",
  ours: false,
  feed: "hard",
  seesId: true,
  seesRetry: false,
  resumes: true,
  open,
}];
