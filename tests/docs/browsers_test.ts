import { Hub } from "@webstreams/sse/server";
import { assertEquals } from "@std/assert";
import { build, stop } from "esbuild";
import { chromium, type Page } from "playwright-core";
import { ROOT } from "../../tools/_deno.ts";
import { CHROMIUM_ARGS } from "../../tools/runtimes/chromium.ts";
import { CHROMIUM, hasChromium } from "../chromium.ts";
import { listenDeno } from "../listen.ts";
import { blockOf } from "./blocks.ts";

/** The block for browsers as a script that keeps in `seen` what a tab is told. */
async function script(): Promise<string> {
  const block = await blockOf("docs/browsers.md", "ts ignore");
  const { outputFiles } = await build({
    stdin: {
      contents: `${block}
Object.assign(globalThis, { seen: [] });
share("/topics/news", ({ data }) => Reflect.get(globalThis, "seen").push(data));`,
      loader: "ts",
    },
    alias: { "@webstreams/sse/client": `${ROOT}client.ts` },
    bundle: true,
    format: "esm",
    write: false,
  });
  await stop();
  return outputFiles[0].text;
}

async function sees(tab: Page, expected: string[]): Promise<void> {
  await tab.waitForFunction(
    (count) => Reflect.get(globalThis, "seen")?.length >= count,
    expected.length,
  );
  assertEquals(await tab.evaluate(() => Reflect.get(globalThis, "seen")), expected);
}

Deno.test(
  "docs/browsers.md shares one connection among tabs, and loses nothing when its tab is closed",
  {
    ignore: !hasChromium,
  },
  async () => {
    await using hub = new Hub();
    const code = await script();
    await using server = listenDeno((request) => {
      const { pathname } = new URL(request.url);
      if (pathname.startsWith("/topics/")) return hub.fetch(request);
      const page = pathname === "/";
      const type = page ? "text/html" : "text/javascript";
      return new Response(page ? '<script type="module" src="/share.js"></script>' : code, {
        headers: { "content-type": type },
      });
    });
    const browser = await chromium.launch({ executablePath: CHROMIUM, args: CHROMIUM_ARGS });
    try {
      const context = await browser.newContext();
      const [first, second] = [await context.newPage(), await context.newPage()];
      await first.goto(`http://127.0.0.1:${server.port}/`);
      await first.waitForFunction(() => Reflect.has(globalThis, "seen"));
      while (hub.size === 0) await first.evaluate(() => {}); // A round trip each.
      await second.goto(`http://127.0.0.1:${server.port}/`);
      await second.waitForFunction(() => Reflect.has(globalThis, "seen"));

      await hub.publish("news", { data: "a" });
      await sees(first, ["a"]);
      await sees(second, ["a"]);
      assertEquals(hub.size, 1);

      await first.close();
      await hub.publish("news", { data: "b" });
      await sees(second, ["a", "b"]);
      assertEquals(hub.size, 1);
    } finally {
      await browser.close();
    }
  },
);
