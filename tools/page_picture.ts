/**
 * The picture of the live page in the documentation: the page as it is, in Chromium, after two minutes
 * of events and a cut.
 *
 * ```sh
 * deno task page:picture [FILE]
 * ```
 *
 * @module
 */

import { setTimeout as delay } from "node:timers/promises";
import { hasChromium } from "../tests/chromium.ts";
import { LivePage } from "../tests/cli/page_browser.ts";
import { ROOT } from "./_deno.ts";

/** As long as the charts reach back, and a little more, in seconds. */
const SECONDS = 125;

/** When the connection is cut, which takes three seconds. */
const CUT_AT = 75;

/** How many events a second there are. */
const RATE = 20;

const CITIES = ["Zürich", "Porto", "Kyoto", "Tromsø"];

/** The event of one moment. */
async function publish({ service: { hub } }: LivePage, n: number): Promise<void> {
  if (n % 4 === 0) {
    await hub.publish("clock", { event: "tick", data: JSON.stringify({ n: n / 4 }) });
  } else if (Math.cos((n - SECONDS * RATE) / 160) > 0.6 - n % 4 * 0.3) {
    // At a rate that goes up and down.
    const order = { id: 1_000 + n, city: CITIES[n % CITIES.length], total: n % 97 + 0.5 };
    const event = n % 3 === 0 ? "paid" : "created";
    await hub.publish(`orders/${n % 5 === 0 ? "us" : "eu"}`, {
      event,
      data: JSON.stringify(order),
    });
  }
}

async function take(file: string): Promise<void> {
  await using live = await LivePage.open({}, { viewport: { width: 1120, height: 720 } });
  const { page } = live;
  const last = SECONDS * RATE;
  for (let n = 1; n <= last; n++) {
    await publish(live, n);
    await delay(1_000 / RATE);
    if (n === CUT_AT * RATE) await page.click("#cut");
    // Some wait by then.
    if (n === last - RATE) await page.click("#body .entry:has(.topic:text('orders')) .data");
    if (n % (10 * RATE) === 0) console.log(`${n / RATE} of ${SECONDS} seconds`);
  }
  await page.mouse.move(0, 0);
  await page.screenshot({ path: file });
}

if (import.meta.main) {
  if (!hasChromium) Deno.exit(1);
  const file = Deno.args[0] ?? `${ROOT}docs/live-page.png`;
  await take(file);
  const { size } = await Deno.stat(file);
  console.log(`${file}: ${(size / 1000).toFixed(1)} kB`);
}
