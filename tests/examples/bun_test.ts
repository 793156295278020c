import { assertEquals } from "@std/assert";
import { Proxy } from "../log/proxy.ts";
import { Example, findProgram, read, run, take, takeAll } from "./example.ts";

const program = await findProgram("bun", "bun@1.4.5");

Deno.test("bun.ts serves topics on Bun.serve, to read, to publish and to resume", {
  ignore: program === undefined,
}, async () => {
  await using server = await Example.start("bun.ts", { program });
  const post = (body: string) => {
    const headers = { "content-type": "text/plain", "idempotency-key": body };
    return fetch(server.url("/topics/news"), { method: "POST", headers, body });
  };
  await using network = new Proxy(server.port);
  await using far = read(`http://127.0.0.1:${network.port}/topics/news`);
  await using near = read(server.url("/topics/news"));
  await Promise.all([far.opened, near.opened]);

  const { id } = await (await post("hello")).json();
  assertEquals(await (await post("hello")).json(), { id });
  const hello = { event: "message", data: "hello", id };
  assertEquals(await Promise.all([take(far, 1), take(near, 1)]), [[hello], [hello]]);

  network.refuse(true);
  network.cut();
  for (const text of ["a", "b"]) await (await post(text)).body?.cancel();
  network.refuse(false);
  assertEquals((await take(far, 2)).map(({ data }) => data), ["a", "b"]);

  await server.assertEnds();
  assertEquals((await takeAll(near)).length, 2);
});

Deno.test(
  "bun.ts prints its usage when asked for it",
  { ignore: program === undefined },
  async () => {
    const { code, stdout, stderr } = await run("bun.ts", { program, args: ["--help"] });
    assertEquals([code, stderr], [0, ""]);
    assertEquals(stdout.split("\n", 1), ["Usage: bun examples/bun.ts"]);
  },
);
