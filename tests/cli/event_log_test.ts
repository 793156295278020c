/** {@linkcode openEventLog}: every kind of log, and what is said where one is not to be had. */

import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { createServer, type Socket } from "node:net";
import { createClient } from "redis";
import { openEventLog } from "../../cli/event_log.ts";
import { importPackage } from "../../cli/event_log/package.ts";
import { EXIT, Failure, UsageError } from "../../cli/failure.ts";
import { createService } from "../../cli/service.ts";
import { readEvents } from "../../parse.ts";
import { type Engine, hasNats, hasRedis, startNats, startRedis } from "../engines.ts";
import { within } from "../fault/real_time.ts";
import { freePort } from "../listen.ts";
import { spawnCli } from "./helpers.ts";

/** How long an engine may take for anything, in ms. */
const PATIENCE = 20_000;

/** Publishes by one service and reads by another one, each with a client of its own. */
async function share(name: string): Promise<string> {
  const logs = await Promise.all([openEventLog(name, { maxEvents: 10 }), openEventLog(name)]);
  const [here, there] = logs.map(({ log }) => createService({ log }));
  try {
    const response = await there.fetch(new Request("http://localhost/topics/news"));
    const joined = Promise.withResolvers<string>();
    const reader = readEvents(response, { onId: joined.resolve });
    const next = reader.next();
    // It is told where it is once it follows.
    await joined.promise;
    const healthy = await here.fetch(new Request("http://localhost/healthz"));
    assertEquals([healthy.status, await healthy.text()], [200, "ok\n"]);
    const posted = await here.fetch(
      new Request("http://localhost/topics/news", {
        method: "POST",
        headers: { "content-type": "text/plain" },
        body: "hello",
      }),
    );
    const { id } = await posted.json();
    assertEquals((await next).value, { event: "message", data: "hello", id });
    await reader.return();
    return logs[0].name;
  } finally {
    await Promise.all([here.close(), there.close()]);
    await Promise.all(logs.map((opened) => opened.close()));
  }
}

/** What some work fails of. */
async function failureOf(work: Promise<unknown>): Promise<Failure> {
  return await assertRejects(() => patiently(work), Failure);
}

function patiently<T>(work: Promise<T>): Promise<T> {
  return within(work, PATIENCE, () => "This takes longer than 20 s");
}

Deno.test("openEventLog memory is a log of this process", async () => {
  const { log, name, close } = await openEventLog("memory", { maxEvents: 1 });
  for (const data of ["a", "b"]) await log.append("t", { data });
  const reading = Array.fromAsync(log.read("t", { after: "" }));
  await assertRejects(() => reading, Error, "trimmed");
  assertEquals(name, "memory");
  await close();
});

Deno.test("openEventLog sqlite is a file, and the part behind the first colon is its path", async () => {
  const folder = await Deno.makeTempDir({ prefix: "sse-" });
  try {
    const file = `${folder}/a:b.db`;
    const { log, name, close } = await openEventLog(`sqlite:${file}`);
    await log.append("t", { data: "a" });
    await close();
    assertEquals(name, `sqlite:${file}`);
    assert((await Deno.stat(file)).size > 0);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("openEventLog names the file that it cannot open", async () => {
  const error = await failureOf(openEventLog("sqlite:/no/such/folder/x.db"));
  assertMatch(error.message, /^Cannot open the log "\/no\/such\/folder\/x\.db": .*unable to open/);
});

Deno.test("openEventLog redis is shared by all who open it", async () => {
  if (!await hasRedis) return;
  await using engine = await patiently(startRedis());
  const { port } = engine;
  for (const text of [`redis:redis://127.0.0.1:${port}`, `redis://127.0.0.1:${port}`]) {
    assertEquals(await patiently(share(text)), `redis://127.0.0.1:${port}`);
  }
});

Deno.test("openEventLog tells of a Redis that is lost, and of its health", async () => {
  if (!await hasRedis) return;
  await using engine: Engine = await patiently(startRedis());
  const lost = Promise.withResolvers<string>();
  const opened = await openEventLog(`redis:127.0.0.1:${engine.port}`, { onLost: lost.resolve });
  const service = createService({ log: opened.log, healthTimeout: 500 });
  const health = async () => {
    const response = await service.fetch(new Request("http://localhost/healthz"));
    await response.body?.cancel();
    return response.status;
  };
  try {
    assertEquals(await health(), 200);
    await engine.end("SIGKILL");
    assertMatch(await patiently(lost.promise), /./);
    assertEquals(await patiently(health()), 503);
    await engine.start();
    const back = async () => {
      while (await health() !== 200);
    };
    await patiently(back());
  } finally {
    await service.close();
    await opened.close();
  }
});

Deno.test("openEventLog redis sends the password of its URL, and tells it to nobody", async () => {
  if (!await hasRedis) return;
  await using engine = await patiently(startRedis());
  const { port } = engine;
  const admin = await createClient({ url: `redis://127.0.0.1:${port}` }).connect();
  await admin.configSet("requirepass", "open sesame");
  admin.destroy();
  const url = (secret: string) => `redis://:${secret}@127.0.0.1:${port}/0?x=${secret}`;
  const { log, name, close } = await openEventLog(url("open%20sesame"));
  await log.append("t", { data: "a" });
  await close();
  assertEquals(name, `redis://127.0.0.1:${port}/0`);
  const error = await failureOf(openEventLog(url("topsecret")));
  assertMatch(error.message, /^Cannot reach Redis at redis:\/\/127\.0\.0\.1:\d+\/0: .*: start it/);
  assert(!error.message.includes("topsecret"));
});

Deno.test("openEventLog nats is shared by all who open it", async () => {
  if (!await hasNats) return;
  await using engine = await patiently(startNats());
  const { port } = engine;
  for (const text of [`nats:nats://127.0.0.1:${port}`, `nats://127.0.0.1:${port}`]) {
    assertEquals(await patiently(share(text)), `nats://127.0.0.1:${port}`);
  }
});

Deno.test("openEventLog nats sends user and password, or the token, of its URL", async () => {
  if (!await hasNats) return;
  const cases: [string, string[]][] = [
    ["ann:p%25", ["--user", "ann", "--pass", "p%"]],
    ["tok", ["--auth", "tok"]],
  ];
  for (const [user, auth] of cases) {
    await using engine = await patiently(startNats({ args: auth }));
    const at = `127.0.0.1:${engine.port}`;
    const { name, close } = await patiently(openEventLog(`nats://${user}@${at}`));
    assertEquals(name, `nats://${at}`);
    await close();
    // As a process: what this client leaves behind once it is refused may fail in Deno.
    const args = ["serve", "--port", "0", "--log", `nats://x:topsecret@${at}`];
    await using refused = spawnCli(args);
    const { code, stderr } = await refused.end(PATIENCE);
    assertEquals(code, EXIT.failed);
    // Where the client is new, Deno tells of its downloads before.
    assertMatch(stderr, /^sse: Cannot reach NATS at nats:\/\/127\.0\.0\.1:\d+: .*: start it/m);
    assert(!stderr.includes("topsecret"));
  }
});

Deno.test("openEventLog says which engine it cannot reach, and does not try for ever", async () => {
  const port = freePort();
  for (const [text, name] of [["redis", "Redis"], ["nats", "NATS"]]) {
    const error = await failureOf(openEventLog(`${text}://ann:topsecret@127.0.0.1:${port}`));
    assertMatch(
      error.message,
      new RegExp(
        `^Cannot reach ${name} at ${text}://127\\.0\\.0\\.1:${port}: .+: start it, or correct --log$`,
      ),
    );
    assertEquals(error.exitCode, 1);
    assert(!error.message.includes("topsecret"));
  }
});

Deno.test("openEventLog gives up on an engine that does not speak when it is told to stop", async () => {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {}).resume();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  const port = typeof address === "object" ? address?.port : undefined;
  for (const text of ["redis", "nats"]) {
    const stopping = new AbortController();
    const opening = openEventLog(`${text}://127.0.0.1:${port}`, { signal: stopping.signal });
    opening.catch(() => {});
    stopping.abort(new Error("stop"));
    await patiently(assertRejects(() => opening, Error, "stop"));
  }
  for (const socket of sockets) socket.destroy();
  await new Promise((resolve) => server.close(resolve));
});

Deno.test("openEventLog refuses what names no log", async () => {
  for (
    const text of ["", "mem", "sqlite:", "sqlite", "memory:1", "redis:// ", "http://x", "nats://[x"]
  ) {
    await assertRejects(() => openEventLog(text), UsageError, "--log", text);
  }
});

Deno.test("importPackage looks beside the program, in its folder, and where the runtime looks", async () => {
  const tried: string[] = [];
  const load = (specifier: string) => {
    tried.push(specifier.replace(/^file:.*/, "file"));
    return specifier.startsWith("npm:")
      ? Promise.resolve({ here: 1 })
      : Promise.reject(new Error());
  };
  const fits = (module: object): module is { here: number } => "here" in module;
  assertEquals(await importPackage("redis", 6, fits, undefined, load), { here: 1 });
  assertEquals(tried.filter((specifier) => specifier !== "file"), ["redis", "npm:redis@6"]);
});

Deno.test("importPackage says what to install if it is nowhere, or another one", async () => {
  const fits = (module: object): module is { here: number } => "here" in module;
  for (const load of [() => Promise.reject(new Error("none")), () => Promise.resolve({})]) {
    const error = await failureOf(importPackage("redis", 6, fits, undefined, load));
    assertEquals(
      error.message,
      'Cannot open the log: the package "redis" is missing or too old: npm install redis@6',
    );
  }
});
