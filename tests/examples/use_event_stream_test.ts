import { assert, assertEquals } from "@std/assert";
import { Window } from "happy-dom";
// @ts-types="@types/react"
import { Activity, createElement, StrictMode } from "react";
// @ts-types="@types/react-dom/server"
import { renderToString } from "react-dom/server";
import { useEventStream } from "../../examples/use_event_stream.ts";
import { Channel } from "../../server.ts";
import { eventually } from "./example.ts";

/** What was shown, one after the other. */
const shown: string[] = [];

/** Shows all that the hook gives. */
function View({ url, keep }: { url: string; keep?: number }) {
  const { state, events, error } = useEventStream(url, keep);
  const texts = events.map(({ data }) => data).join(" ");
  const text = `${state}: ${texts}${error ? ` (${error})` : ""}`;
  shown.push(text);
  return createElement("output", null, text);
}

/** A page, as far as React needs one. */
async function page() {
  const window = new Window();
  // `react-dom` looks for them when it loads.
  const { document } = window;
  Object.assign(globalThis, { window, document });
  // @ts-types="@types/react-dom/client"
  const { createRoot } = await import("react-dom/client");
  const container = document.createElement("div");
  const root = createRoot(container);
  return {
    root,
    text: () => container.textContent,
    async shows(text: string) {
      await eventually(() => container.textContent === text, () => `${container.textContent}`);
    },
    async [Symbol.asyncDispose]() {
      root.unmount();
      await eventually(() => container.textContent === "", () => "it is not unmounted");
      await window.happyDOM.close();
      for (const name of ["window", "document"]) Reflect.deleteProperty(globalThis, name);
    },
  };
}

Deno.test("useEventStream shows events as they come, through a cut, until it is unmounted", async () => {
  await using channel = new Channel({ retry: 100 });
  const options = { hostname: "127.0.0.1", port: 0, onListen() {} };
  await using server = Deno.serve(options, (request) => channel.subscribe(request));
  const url = `http://127.0.0.1:${server.addr.port}/`;
  {
    await using view = await page();
    view.root.render(createElement(View, { url, keep: 3 }));
    await view.shows("open: ");
    await channel.publish({ data: "a" });
    await view.shows("open: a");

    for (const session of channel.sessions()) session.close();
    await channel.publish({ data: "b" });
    await channel.publish({ data: "c" });
    await view.shows("open: a b c");
    assert(shown.includes("connecting: a"), `${shown}`);
    await channel.publish({ data: "d" });
    await view.shows("open: b c d");
    assertEquals(channel.size, 1);
  }
  await eventually(() => channel.size === 0, () => "its reader has not left");
});

Deno.test("useEventStream resumes when it is mounted again, and leaves a URL for another", async () => {
  await using channel = new Channel({ retry: 100 });
  const asked: string[] = [];
  const options = { hostname: "127.0.0.1", port: 0, onListen() {} };
  await using server = Deno.serve(options, (request) => {
    asked.push(new URL(request.url).pathname);
    return channel.subscribe(request);
  });
  {
    await using view = await page();
    const show = (path: string, mode: "visible" | "hidden") => {
      const url = `http://127.0.0.1:${server.addr.port}${path}`;
      const children = createElement(View, { url });
      view.root.render(
        createElement(StrictMode, null, createElement(Activity, { mode, children })),
      );
    };
    const readers = (count: number) =>
      eventually(() => channel.size === count, () => `it has ${channel.size} readers`);
    show("/a", "visible");
    await view.shows("open: ");
    await readers(1);
    await channel.publish({ data: "a" });
    await view.shows("open: a");
    show("/a", "hidden");
    await readers(0);
    await channel.publish({ data: "b" });
    show("/a", "visible");
    await view.shows("open: a b");

    show("/b", "visible");
    await view.shows("open: ");
    await readers(1);
    await channel.publish({ data: "c" });
    await view.shows("open: c");
    assertEquals([...new Set(asked)], ["/a", "/b"]);
  }
  await eventually(() => channel.size === 0, () => "its reader has not left");
});

Deno.test("useEventStream tells of a refusal", async () => {
  const options = { hostname: "127.0.0.1", port: 0, onListen() {} };
  await using server = Deno.serve(options, () => new Response("no", { status: 403 }));
  await using view = await page();
  view.root.render(createElement(View, { url: `http://127.0.0.1:${server.addr.port}/` }));
  await eventually(() => view.text().startsWith("closed:  (ResponseError"), view.text);
});

Deno.test("useEventStream connects nowhere when it is rendered on a server", () => {
  const html = renderToString(createElement(View, { url: "http://127.0.0.1:1/" }));
  assertEquals(html, "<output>connecting: </output>");
});
