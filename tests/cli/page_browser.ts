/**
 * The live page in Chromium, served by the service that it is for.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { type Browser, type BrowserContextOptions, chromium, type Page } from "playwright-core";
import { createService, type Service, type ServiceOptions } from "../../cli/service.ts";
import { CHROMIUM } from "../chromium.ts";
import { listenDeno } from "../listen.ts";

/** This machine by a name: pages that come from it over HTTP may do less than those of loopback. */
export const LAN = "events.lan.example";

/** No other name leads anywhere, so that nothing can leave the machine. */
const ARGS = [
  "--no-sandbox",
  `--host-resolver-rules=MAP ${LAN} 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1`,
  // A collection that a test asks for frees all that can be.
  "--js-flags=--expose-gc",
];

/** A service, and its page. It is gone with the block that holds it. */
export class LivePage implements AsyncDisposable {
  readonly service: Service;
  readonly url: string;
  readonly page: Page;
  /** What the page has complained of, and what it has asked of others than its server. */
  readonly complaints: string[] = [];
  readonly #browser: Browser;
  readonly #listener: AsyncDisposable;

  private constructor(
    service: Service,
    listener: AsyncDisposable & { port: number },
    browser: Browser,
    page: Page,
  ) {
    this.service = service;
    this.#listener = listener;
    this.#browser = browser;
    this.page = page;
    this.url = `http://127.0.0.1:${listener.port}/`;
    page.on("pageerror", (error) => this.complaints.push(`${error.stack}`));
    page.on("console", (message) => {
      if (message.type() === "error" || message.type() === "warning") {
        this.complaints.push(message.text());
      }
    });
    page.on("request", (request) => {
      const url = request.url();
      if (!url.startsWith(this.url)) this.complaints.push(`a request to ${url}`);
    });
  }

  /** Starts a service and opens a browser; the page is not loaded yet. */
  static async start(
    options: ServiceOptions = {},
    look: BrowserContextOptions = {},
  ): Promise<LivePage> {
    const service = createService(options);
    const listener = listenDeno((request) => service.fetch(request));
    const browser = await chromium.launch({ executablePath: CHROMIUM, args: ARGS });
    const context = await browser.newContext({
      viewport: { width: 1280, height: 800 },
      locale: "en-GB",
      ...look,
    });
    const page = await context.newPage();
    page.setDefaultTimeout(10_000);
    return new LivePage(service, listener, browser, page);
  }

  /** Starts one, and waits until it shows that it is connected. */
  static async open(
    options: ServiceOptions = {},
    look: BrowserContextOptions = {},
    hash = "",
  ): Promise<LivePage> {
    const live = await LivePage.start(options, look);
    await live.page.goto(`${live.url}${hash}`);
    await live.reads("#state-text", "Connected");
    return live;
  }

  /** The text of an element. */
  async text(selector: string): Promise<string> {
    return (await this.page.locator(selector).innerText()).trim();
  }

  /** The texts of all elements of a kind, also of those that are scrolled out of sight. */
  async texts(selector: string): Promise<string[]> {
    // At one point in time: a locator finds the elements first, and reads them a little later.
    const found = `document.querySelectorAll(${JSON.stringify(selector)})`;
    return await this.page.evaluate(`Array.from(${found}, ({ textContent }) => textContent)`);
  }

  /** Waits until an element reads as it should. */
  async reads(selector: string, text: string | RegExp): Promise<void> {
    const found = this.page.locator(selector).filter({ hasText: text });
    await found.first().waitFor({ state: "attached" });
  }

  /** Publishes events, one after the other. */
  async publish(topic: string, ...data: unknown[]): Promise<void> {
    for (const each of data) {
      const text = typeof each === "string" ? each : JSON.stringify(each);
      await this.service.hub.publish(topic, { event: "note", data: text });
    }
  }

  /** Asserts that the page has not complained. */
  assertQuiet(): void {
    assertEquals(this.complaints, []);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#browser.close();
    await this.service.close();
    await this.#listener[Symbol.asyncDispose]();
  }
}
