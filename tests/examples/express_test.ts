import { assertEquals, assertMatch } from "@std/assert";
import { Proxy } from "../log/proxy.ts";
import { Example, NO_SIGNALS, read, take, takeAll } from "./example.ts";

Deno.test("express.ts sends what is posted to all who read, also after a cut", {
  ignore: NO_SIGNALS,
}, async () => {
  await using app = await Example.start("express.ts");
  const post = (body: BodyInit) => fetch(app.url("/news"), { method: "POST", body });
  await using network = new Proxy(app.port);
  await using far = read(`http://127.0.0.1:${network.port}/news`);
  await using near = read(app.url("/news"));
  await Promise.all([far.opened, near.opened]);

  const response = await post(new URLSearchParams({ text: "hello\nworld" }));
  const { id } = await response.json();
  assertEquals(response.status, 202);
  const hello = { event: "news", data: "hello\nworld", id };
  assertEquals(await Promise.all([take(far, 1), take(near, 1)]), [[hello], [hello]]);

  network.refuse(true);
  network.cut();
  for (const text of ["a", "b"]) await (await post(new URLSearchParams({ text }))).body?.cancel();
  network.refuse(false);
  assertEquals((await take(far, 2)).map(({ data }) => data), ["a", "b"]);

  const refused = await post("no form");
  assertEquals([refused.status, await refused.text()], [400, 'Post "text"\n']);
  const other = await fetch(app.url("/news"), { headers: { accept: "text/html" } });
  assertMatch(`${other.status} ${await other.text()}`, /^406 /);

  await app.assertEnds();
  assertEquals((await takeAll(near)).map(({ data }) => data), ["a", "b"]);
});
