/**
 * What all examples do alike: their commands and usage, ports and signals.
 *
 * @module
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { join } from "node:path";
import { commands, Example, NO_SIGNALS, ROOT, run } from "./example.ts";

/** What other examples import; no examples of their own. */
const PARTS = ["llm_stand_in.ts", "recording.ts", "run.ts"];

Deno.test("examples/README.md lists each example, and each says how to run it", async () => {
  const listed = await commands();
  const files = (await Array.fromAsync(Deno.readDir(join(ROOT, "examples"))))
    .map(({ name }) => name)
    .filter((name) => name.endsWith(".ts") && !PARTS.includes(name));
  assertEquals([...listed.keys()].toSorted(), files.toSorted());
  for (const [name, command] of listed) {
    const source = await Deno.readTextFile(join(ROOT, "examples", name));
    const [header] = source.split("*/");
    assertMatch(header, /^\/\*\*\n \* .+/, `${name} begins with what it shows`);
    if (!command.startsWith("import")) assert(header.includes(command), `${name}: ${command}`);
  }
});

const serving = ["clock.ts", "hono.ts", "express.ts", "fastify.ts", "llm_proxy.ts"].concat(
  ["progress.ts", "chat.ts", "redis_fanout.ts"],
);
for (const name of serving) {
  Deno.test(`${name} prints its usage when asked for it`, async () => {
    const command = (await commands()).get(name);
    const { code, stdout, stderr } = await run(name, { args: ["--help"] });
    assertEquals([code, stderr], [0, ""]);
    assertEquals(stdout.split("\n", 2), [`Usage: ${command}`, ""]);
    assertMatch(stdout, /\nThe port is 8000, [^]+ Ctrl-C ends it\.\n$/);
  });
}

Deno.test("an example answers an unknown flag with its usage and status 2", async () => {
  const { code, stdout, stderr } = await run("clock.ts", { args: ["--serve"] });
  assertEquals([code, stdout], [2, ""]);
  assertMatch(stderr, /^Unknown option '--serve'\n\nUsage: deno run .+ examples\/clock\.ts\n\n/);
});

for (const port of ["abc", "70000", "-1", "80.5"]) {
  Deno.test(`an example refuses PORT=${port} with a sentence and status 1`, async () => {
    const stderr = `Cannot listen: PORT must be a number from 0 to 65535: received "${port}"\n`;
    assertEquals(await run("clock.ts", { env: { PORT: port } }), { code: 1, stdout: "", stderr });
  });
}

Deno.test("an example says that the PORT it was given is in use, and its status is 1", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  assertEquals(await run("clock.ts", { env: { PORT: `${port}` } }), {
    code: 1,
    stdout: "",
    stderr: `Cannot listen on 127.0.0.1:${port}: the port is in use, ` +
      "set PORT to another, or to 0 for a free one\n",
  });
});

Deno.test("an example takes a free port when 8000 is in use and no other is asked for", {
  ignore: NO_SIGNALS,
}, async () => {
  let listener: Deno.Listener | undefined;
  try {
    listener = Deno.listen({ hostname: "127.0.0.1", port: 8000 });
  } catch (error) {
    assert(error instanceof Deno.errors.AddrInUse); // Somebody else holds it, which is as good.
  }
  try {
    await using example = await Example.start("clock.ts", { env: { PORT: "" } });
    assert(example.port !== 8000);
    await example.assertEnds();
  } finally {
    listener?.close();
  }
});

Deno.test("a visitor who does not read cannot keep an example from ending", {
  ignore: NO_SIGNALS,
}, async () => {
  await using example = await Example.start("chat.ts");
  using visitor = await Deno.connect({ hostname: "127.0.0.1", port: example.port });
  const request = "GET /topics/lobby HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";
  await visitor.write(new TextEncoder().encode(request));
  await visitor.read(new Uint8Array(1));
  // More than the system takes for it.
  const text = "x".repeat(4_000);
  for (let i = 0; i < 2_000; i++) {
    const headers = { "content-type": "text/plain" };
    const response = await fetch(example.url("/topics/lobby"), {
      method: "POST",
      headers,
      body: text,
    });
    assertEquals(response.status, 202);
    await response.body?.cancel();
  }
  // `Deno.serve` tells of it.
  await example.assertEnds("SIGINT", /^$|^SlowConsumerError: Cannot queue event: /);
});
