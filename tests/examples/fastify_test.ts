import { assertEquals, assertStringIncludes } from "@std/assert";
import { Proxy } from "../log/proxy.ts";
import { Example, NO_SIGNALS, read, take, takeAll } from "./example.ts";

Deno.test("fastify.ts serves a channel by its plugin, which ends the streams with the app", {
  ignore: NO_SIGNALS,
}, async () => {
  await using app = await Example.start("fastify.ts");
  const post = (body: unknown) =>
    fetch(app.url("/prices"), {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    });
  await using network = new Proxy(app.port);
  await using far = read(`http://127.0.0.1:${network.port}/prices`);
  await using near = read(app.url("/prices"));
  await Promise.all([far.opened, near.opened]);

  const response = await post({ amount: 12 });
  const { id } = await response.json();
  assertEquals(response.status, 202);
  const price = { event: "price", data: '{"amount":12}', id };
  assertEquals(await Promise.all([take(far, 1), take(near, 1)]), [[price], [price]]);

  network.refuse(true);
  network.cut();
  for (const amount of [13, 14]) await (await post({ amount })).body?.cancel();
  network.refuse(false);
  assertEquals((await take(far, 2)).map(({ data }) => data), ['{"amount":13}', '{"amount":14}']);

  const refused = await post({ amount: "much" });
  assertEquals(refused.status, 400);
  assertStringIncludes(await refused.text(), "body/amount must be number");

  await app.assertEnds();
  assertEquals((await takeAll(near)).length, 2);
});
