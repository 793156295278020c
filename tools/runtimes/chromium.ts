/**
 * The suites in Chromium.
 *
 * @module
 */

import { chromium } from "playwright-core";
import { browserRunner, type OpenBrowser } from "./browser_page.ts";
import type { Runner } from "./runner.ts";

/** Where Chromium may be. */
export const CHROMIUM: readonly string[] = [
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
];

/** How it is started: it asks nobody but loopback. */
export const CHROMIUM_ARGS: string[] = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  // No name but this one leads anywhere, so that nothing can leave the machine.
  "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1",
];

/** The runner of Chromium. */
export const runners: readonly Runner[] = [browserRunner({
  name: "Chromium",
  paths: CHROMIUM,
  remedy: "install it with apt-get install chromium",
  launch,
})];

async function launch(path: string, url: string, profile: string): Promise<OpenBrowser> {
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: path,
    headless: true,
    args: CHROMIUM_ARGS,
    // Other folders of the user are not its business.
    env: { ...Deno.env.toObject(), HOME: profile },
  });
  const lost = Promise.withResolvers<string>();
  context.on("close", () => lost.resolve("Chromium has left"));
  const [page = await context.newPage()] = context.pages();
  page.on("crash", () => lost.resolve("The page has crashed"));
  await page.goto(url, { waitUntil: "commit" });
  const version = context.browser()?.version() ?? "unknown";
  return { version, lost: lost.promise, close: () => context.close() };
}
