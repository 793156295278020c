import { assert, assertEquals, assertRejects } from "@std/assert";
import { connect } from "../../client.ts";
import { Proxy } from "../log/proxy.ts";
import { Example, NO_SIGNALS, take } from "./example.ts";

Deno.test("hono.ts counts down, goes on after a cut, and stops who comes back after the end", {
  ignore: NO_SIGNALS,
}, async () => {
  await using app = await Example.start("hono.ts");
  await using network = new Proxy(app.port);
  const url = `http://127.0.0.1:${network.port}/countdown/6`;
  await using visitor = connect(url, { dedupe: false, retry: { initialDelay: 10 } });
  const events = await take(visitor, 2);
  network.cut();
  for await (const event of visitor) events.push(event);
  assertEquals(events.map(({ data }) => data), ["6", "5", "4", "3", "2", "1", ""]);
  assertEquals(events.at(-1), { event: "liftoff", data: "", id: "0" });
  assertEquals(await visitor.closed, { reason: "no-content" });
  assert(visitor.stats.attempts > 1);

  const missing = await fetch(app.url("/countdown/soon"));
  assertEquals([missing.status, await missing.text()], [404, "404 Not Found"]);

  const open = await fetch(app.url("/countdown/1000"));
  await app.assertEnds("SIGTERM");
  await assertRejects(() => open.text(), TypeError); // Cut: it would come back.
});
