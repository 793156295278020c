/** The `EventSource` of Chromium, and ours in a page of it. */

import { type Browser, chromium, type Page } from "playwright-core";
import type { ServerSentEvent } from "../../../parse.ts";
import { isFile } from "../../../tools/runtimes/browser_page.ts";
import { CHROMIUM, CHROMIUM_ARGS } from "../../../tools/runtimes/chromium.ts";
import { isUnavailable, type OpenReader, type Reader, type Unavailable } from "../peers.ts";
import { pageScript, readInPage, tell, type Told } from "./in_page.ts";
import { factsOf, PORTABLE } from "./ours.ts";
import { Shared } from "./shared.ts";

/** The browser, and what adds our readers to a page of it. */
interface Shown extends AsyncDisposable {
  readonly browser: Browser;
  readonly script: string;
}

const chromiums = new Shared<Shown>(start);

async function start(): Promise<Shown | Unavailable> {
  const executablePath = CHROMIUM.find(isFile);
  if (executablePath === undefined) {
    return { unavailable: "there is no Chromium: apt-get install chromium" };
  }
  const script = await pageScript();
  const browser = await chromium.launch({ executablePath, headless: true, args: CHROMIUM_ARGS });
  return { browser, script, [Symbol.asyncDispose]: () => browser.close() };
}

async function readOn(
  page: Page,
  script: string,
  told: Told,
  seen: ServerSentEvent[],
): Promise<void> {
  // A page of the same origin, though no sender serves one.
  const here = new URL("/a-page", told.url).href;
  await page.route(here, (route) => route.fulfill({ contentType: "text/html", body: "" }));
  await page.goto(here);
  if (told.reader !== "") await page.addScriptTag({ content: script });
  seen.push(...await page.evaluate(readInPage, told));
}

async function open(reader: string): Promise<OpenReader | Unavailable> {
  const shown = await chromiums.open();
  if (isUnavailable(shown)) return shown;
  return {
    async read(url, seen, signal) {
      const page = await shown.browser.newPage();
      const close = () => void page.close();
      signal.addEventListener("abort", close);
      try {
        await readOn(page, shown.script, tell(url, reader), seen);
      } finally {
        signal.removeEventListener("abort", close);
        await page.close();
      }
    },
    [Symbol.asyncDispose]: () => chromiums.close(),
  };
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
  ...PORTABLE.map((name) => ({
    name: `our ${name}, Chromium`,
    ...factsOf(name),
    open: () => open(name),
  })),
];
