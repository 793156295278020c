import { assertEquals, assertMatch } from "@std/assert";
import { Proxy } from "../log/proxy.ts";
import { Example, NO_SIGNALS, numbers, read, take, takeAll } from "./example.ts";

Deno.test("clock.ts ticks for all, and gives who was cut off what it missed", {
  ignore: NO_SIGNALS,
}, async () => {
  await using clock = await Example.start("clock.ts");
  await using network = new Proxy(clock.port);
  await using far = read(`http://127.0.0.1:${network.port}/`);
  await using near = read(clock.url("/"));
  const [[tick], same] = await Promise.all([take(far, 1), take(near, 1)]);
  assertEquals([[tick], tick.event], [same, "tick"]);
  assertMatch(tick.data, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);

  network.refuse(true);
  network.cut();
  const missed = await take(near, 2);
  network.refuse(false);
  assertEquals(await take(far, 2), missed);
  const [first, ...rest] = numbers([tick, ...missed]);
  assertEquals(rest, [first + 1, first + 2]);

  await clock.assertEnds();
  // Its streams end as a whole, so that nobody takes them for cut.
  await takeAll(near);
  assertEquals(await near.closed, { reason: "ended" });
});
