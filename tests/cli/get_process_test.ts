/** `sse get` as a process: signals, pipes and what is left behind. */

import { assertEquals, assertStringIncludes } from "@std/assert";
import { requireProgram } from "../programs.ts";
import { faultServer } from "../fault/server.ts";
import { utf8 } from "../helpers.ts";
import { CLI_COMMAND, spawnCli } from "./helpers.ts";

const hasBash = await requireProgram("bash", ["--version"], "install bash");

const ENDLESS = utf8(`data: ${"x".repeat(9_993)}\n\n`.repeat(10));

Deno.test("sse get prints to a pipe and says the rest on stderr", async () => {
  await using server = await faultServer([{ body: "data: a\n\ndata: é\n\n" }]);
  await using sse = spawnCli(["get", server.url, "--data", "--retry", "no"]);
  const { code, stdout, stderr } = await sse.end();
  assertEquals([code, stdout], [0, "a\né\n"]);
  assertStringIncludes(stderr, "sse: closed: the stream has ended, 2 events printed\n");
});

for (const [signal, code] of [["SIGINT", 130], ["SIGTERM", 143]] as const) {
  Deno.test(`sse get ends cleanly at ${signal}, with ${code}, and keeps the id`, async () => {
    const file = await Deno.makeTempFile();
    try {
      await using server = await faultServer([{ body: "id: 1\ndata: a\n\n", end: "stall" }]);
      await using sse = spawnCli(["get", server.url, "--data", "--resume", file]);
      await sse.printed("a\n");
      sse.kill(signal);
      const result = await sse.end();
      assertEquals([result.code, result.stdout], [code, "a\n"]);
      assertStringIncludes(result.stderr, "sse: closed: interrupted, 1 event printed\n");
      assertEquals(await server.closed(0), "client");
      assertEquals(await Deno.readTextFile(file), "1\n");
    } finally {
      await Deno.remove(file);
    }
  });
}

Deno.test("sse get ends at SIGINT though it waits for stdin, which stays open", async () => {
  const stdin = "x".repeat(1_000_000);
  await using sse = spawnCli(["get", "127.0.0.1:9", "-d", "@-"], { stdin, stdinOpen: true });
  await sse.fed;
  sse.kill("SIGINT");
  assertEquals((await sse.end()).code, 130);
});

Deno.test("sse get stops the server when its pipe is full, and still hears SIGINT", async () => {
  await using server = await faultServer(async (_request, reply) => {
    for (;;) await reply.write(ENDLESS);
  });
  await using sse = spawnCli(["get", server.url, "--data"], { unread: true });
  const { reply } = await server.request(0);
  await reply.blocked();
  sse.kill("SIGINT");
  const { code, stderr } = await sse.end();
  assertEquals(code, 130);
  assertStringIncludes(stderr, "sse: closed: interrupted");
  assertEquals(await server.closed(0), "client");
});

Deno.test({
  name: "sse get | head ends both with 0",
  ignore: !hasBash,
  async fn() {
    await using server = await faultServer(async (_request, reply) => {
      for (;;) await reply.write(ENDLESS);
    });
    const script = '"$@" | head -c 3; echo " ${PIPESTATUS[*]}"';
    const command = [...CLI_COMMAND, "get", server.url, "--data", "--quiet"];
    const { stdout, stderr } = await new Deno.Command("bash", {
      args: ["-c", script, "bash", ...command],
      stdin: "null",
    }).output();
    const text = new TextDecoder();
    assertEquals([text.decode(stdout), text.decode(stderr)], ["xxx 0 0\n", ""]);
    assertEquals(await server.closed(0), "client");
  },
});
