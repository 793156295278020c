/** `sse get` over losses, restarts, interrupts and slow readers: nothing is lost. */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { join } from "node:path";
import { numberedEvents, numberedSource } from "../fault/numbered.ts";
import { delay } from "../fault/real_time.ts";
import { faultServer } from "../fault/server.ts";
import { utf8 } from "../helpers.ts";
import { runCli, startCli } from "./helpers.ts";

/** Gives a folder that is removed again. */
async function withFolder(use: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "get-" });
  try {
    await use(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function names(folder: string): Promise<string[]> {
  return (await Array.fromAsync(Deno.readDir(folder))).map(({ name }) => name).sort();
}

const QUICK = ["--data", "--retry-delay", "0"];

// Losses

Deno.test("get prints each event once and in order, however often the connection is cut", async () => {
  const total = 300;
  await using server = await faultServer(numberedSource(total));
  const { code, stdout } = await runCli(["get", server.url, "--json", "--retry-delay", "0"]);
  assertEquals(code, 0);
  const events = stdout.trimEnd().split("\n").map((line) => JSON.parse(line));
  assertEquals(events, numberedEvents(total));
  assert(server.requests.length > 10);
});

// --resume

Deno.test("get --resume goes on where the run before has stopped, event by event", async () => {
  await withFolder(async (folder) => {
    const total = 50;
    await using server = await faultServer(numberedSource(total));
    const args = ["get", server.url, ...QUICK, "--resume", join(folder, "id"), "--count"];
    let printed = "";
    for (const count of [1, 2, 17, 30]) {
      const { code, stdout } = await runCli([...args, `${count}`]);
      assertEquals(code, 0);
      printed += stdout;
      const taken = server.requests.length;
      assert(taken > 0);
    }
    const expected = numberedEvents(total).map(({ data }) => `${data}\n`).join("");
    assertEquals(printed, expected);
    assertEquals(await Deno.readTextFile(join(folder, "id")), "50\n");
    assertEquals(await names(folder), ["id"]);
  });
});

Deno.test("get --resume takes the id of the last that is printed, though more came with it", async () => {
  await withFolder(async (folder) => {
    const file = join(folder, "id");
    const body = "id: 1\ndata: a\n\nid: 2\ndata: b\n\nid: 3\ndata: c\n\n";
    await using server = await faultServer([{ body, end: "stall" }]);
    await runCli(["get", server.url, ...QUICK, "--count", "2", "--resume", file]);
    assertEquals(await Deno.readTextFile(file), "2\n");
  });
});

Deno.test("get --resume has taken what --filter leaves out, too", async () => {
  await withFolder(async (folder) => {
    const file = join(folder, "id");
    const body = "id: 1\ndata: a\n\nid: 2\ndata: b\n\nid: 3\ndata: c\n\n";
    await using server = await faultServer([{ body }]);
    const args = ["get", server.url, ...QUICK, "--retry", "no", "--filter", "a", "--resume", file];
    assertEquals((await runCli(args)).stdout, "a\n");
    assertEquals(await Deno.readTextFile(file), "3\n");
  });
});

Deno.test("get --resume counts before --last-event-id, which begins where there is no file", async () => {
  await withFolder(async (folder) => {
    const file = join(folder, "id");
    const answer = { body: "id: 8\ndata: a\n\n" };
    await using server = await faultServer([answer, answer]);
    const args = ["get", server.url, "--retry", "no", "--resume", file, "--last-event-id", "5"];
    await runCli(args);
    await runCli(args);
    assertEquals(server.requests.map(({ lastEventId }) => lastEventId), ["5", "8"]);
  });
});

Deno.test("get --resume writes no file where the server names no id", async () => {
  await withFolder(async (folder) => {
    await using server = await faultServer([{ body: "data: a\n\n" }]);
    await runCli(["get", server.url, "--retry", "no", "--resume", join(folder, "id")]);
    assertEquals(await names(folder), []);
  });
});

Deno.test("get --resume keeps an id of any characters that an id may have", async () => {
  await withFolder(async (folder) => {
    const file = join(folder, "id");
    const answer = { body: "id:  é 日 \ndata: a\n\n" };
    await using server = await faultServer([answer, answer]);
    const args = ["get", server.url, "--retry", "no", "--resume", file];
    await runCli(args);
    await runCli([...args, "--last-event-id-param", "after"]);
    assertEquals(await Deno.readTextFile(file), " é 日 \n");
    assertEquals(server.requests[1].query.get("after"), " é 日 ");
  });
});

Deno.test("get --resume says at once that a file cannot be kept, and asks nobody", async () => {
  await withFolder(async (folder) => {
    await using server = await faultServer([]);
    await Deno.writeTextFile(join(folder, "many"), "1\n2\n");
    for (
      const [file, problem] of [
        [join(folder, "none", "id"), "ENOENT"],
        [folder, "EISDIR"],
        [join(folder, "many"), "it has many lines"],
      ]
    ) {
      const { code, stderr } = await runCli(["get", server.url, "--resume", file]);
      assertEquals(code, 1);
      assertStringIncludes(stderr, `sse: Cannot read --resume ${JSON.stringify(file)}: `);
      assertStringIncludes(stderr, problem);
    }
    assertEquals(server.requests.length, 0);
  });
});

Deno.test("get --resume fails when the file can no longer be written", async () => {
  await withFolder(async (folder) => {
    const home = join(folder, "home");
    await Deno.mkdir(home);
    await using server = await faultServer(["hold"]);
    const running = startCli(["get", server.url, ...QUICK, "--resume", join(home, "id")]);
    const { reply } = await server.request(0);
    await Deno.remove(home);
    await reply.write("id: 1\ndata: a\n\n");
    const { code, stdout, stderr } = await running.result;
    assertEquals([code, stdout], [1, "a\n"]);
    assertStringIncludes(stderr, "sse: Cannot write --resume ");
  });
});

// Interrupts

Deno.test("get ends at once and cleanly when it is interrupted: closed, and the id kept", async () => {
  await withFolder(async (folder) => {
    const file = join(folder, "id");
    await using server = await faultServer([{ body: "id: 1\ndata: a\n\n", end: "stall" }]);
    const running = startCli(["get", server.url, ...QUICK, "--resume", file]);
    await running.printed("a\n");
    running.interrupt();
    const { code, stderr } = await running.result;
    assertEquals(code, 130);
    assertEquals(await server.closed(0), "client");
    assertEquals(await Deno.readTextFile(file), "1\n");
    assertStringIncludes(stderr, "sse: closed: interrupted, 1 event printed\n");
  });
});

Deno.test("get is interrupted while it waits for headers, for an attempt, and for a body on stdin", async () => {
  await using server = await faultServer(["hold", { raw: "" }]);
  const waiting = startCli(["get", server.url]);
  await server.request(0);
  waiting.interrupt(143);
  assertEquals((await waiting.result).code, 143);
  const between = startCli(["get", server.url, "--retry-delay", "1h"]);
  await between.said("next attempt in 3600.0 s");
  between.interrupt();
  assertEquals((await between.result).code, 130);
  const stdin = { [Symbol.asyncIterator]: () => ({ next: () => new Promise<never>(() => {}) }) };
  const reading = startCli(["get", server.url, "-d", "@-"], { stdin });
  reading.interrupt();
  assertEquals((await reading.result).code, 130);
});

// Readers

Deno.test("get ends with 0, and says nothing more, when nobody reads its output", async () => {
  await withFolder(async (folder) => {
    const file = join(folder, "id");
    await using server = await faultServer(["hold"]);
    const running = startCli(["get", server.url, ...QUICK, "--resume", file]);
    const { reply } = await server.request(0);
    await reply.write("id: 1\ndata: a\n\n");
    await running.printed("a\n");
    running.stdout.close();
    await reply.write("id: 2\ndata: b\n\n");
    const { code, stdout, stderr } = await running.result;
    assertEquals([code, stdout], [0, "a\n"]);
    assertEquals(stderr.includes("closed"), false);
    assertEquals(await server.closed(0), "client");
    // What nobody has read is not taken.
    assertEquals(await Deno.readTextFile(file), "1\n");
  });
});

Deno.test("get fails when its output cannot be written, and does not take what is lost", async () => {
  await withFolder(async (folder) => {
    const file = join(folder, "id");
    await using server = await faultServer(["hold"]);
    const running = startCli(["get", server.url, ...QUICK, "--resume", file]);
    const { reply } = await server.request(0);
    await reply.write("id: 1\ndata: a\n\n");
    await running.printed("a\n");
    running.stdout.close("ENOSPC");
    await reply.write("id: 2\ndata: b\n\n");
    const { code, stderr } = await running.result;
    assertEquals(code, 1);
    assertStringIncludes(stderr, "sse: Cannot write the output: write ENOSPC\n");
    assertEquals(await Deno.readTextFile(file), "1\n");
  });
});

for (const format of ["--data", "--raw"]) {
  Deno.test(`get ${format} stops the server when its output stands still, and loses nothing`, async () => {
    const piece = utf8(`data: ${"x".repeat(9_993)}\n\n`.repeat(10));
    const most = 3_000;
    await using server = await faultServer(async (_request, reply) => {
      for (let i = 0; i < most; i++) await reply.write(piece);
    });
    const running = startCli(["get", server.url, format, "--retry", "no", "--quiet"]);
    const { reply } = await server.request(0);
    running.stdout.pause();
    const written = await reply.blocked();
    assert(written < most * piece.length / 2, `${written} bytes were read ahead`);
    const { length } = running.stdout.bytes;
    await delay(0);
    assertEquals(running.stdout.bytes.length, length);
    running.interrupt();
    assertEquals((await running.result).code, 130);
  });
}

Deno.test("get does not take what a reader that stands still has not got", async () => {
  await withFolder(async (folder) => {
    const file = join(folder, "id");
    await using server = await faultServer(["hold"]);
    const running = startCli(["get", server.url, ...QUICK, "--resume", file]);
    const { reply } = await server.request(0);
    await reply.write("id: 1\ndata: a\n\n");
    await running.printed("a\n");
    running.stdout.pause();
    await reply.write("id: 2\ndata: b\n\n");
    await running.stdout.pending();
    running.interrupt();
    assertEquals((await running.result).code, 130);
    assertEquals(await Deno.readTextFile(file), "1\n");
  });
});
