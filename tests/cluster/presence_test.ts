/** What processes tell each other over an engine: who is thrown out, and how many there are. */

import { assertEquals } from "@std/assert";
import { connect } from "../../client.ts";
import { Hub } from "../../server.ts";
import { type Engine, hasNats, hasRedis, startNats, startRedis } from "../engines.ts";
import { delay, now, within } from "../fault/real_time.ts";
import { type EngineName, openLog } from "./logs.ts";
import { Server } from "./processes.ts";
import { LOG, PRESENCE } from "./terms.ts";

async function until(fact: () => boolean, late: () => unknown): Promise<void> {
  const end = now() + 10_000;
  while (!fact()) {
    if (now() > end) throw new Error(`It does not come to it: ${late()}`);
    await delay(10);
  }
}

/** Two servers on an engine, and a hub here that has no readers. */
async function run(name: EngineName, start: () => Promise<Engine>): Promise<void> {
  await using engine = await start();
  await using killed = new Server(name, engine.port, 0);
  await using other = new Server(name, engine.port, 0);
  await Promise.all([killed.start(), other.start()]);
  await using opened = await openLog(name, engine.port, LOG);
  await using hub = new Hub({ log: opened.log, presence: PRESENCE });
  const join = (server: Server, user: string) => {
    const url = `http://127.0.0.1:${server.port}/?topic=news&user=${user}`;
    const connection = connect(url, { retry: false });
    // Whoever does not read does not notice its end either.
    const end = Array.fromAsync(connection).then(() => "end", () => "cut");
    return { connection, end: within(end, 10_000, () => `${user} is not sent away`) };
  };
  const count = () => hub.presence("news");

  const [ann, bob, ben] = [join(killed, "ann"), join(other, "bob"), join(other, "ben")];
  await Promise.all([ann, bob, ben].map(({ connection }) => connection.opened));
  await until(() => count() === 3, count);

  await hub.revokeUser("bob");
  assertEquals(await bob.end, "end");
  await until(() => count() === 2, count);
  assertEquals(ben.connection.readyState, "open", "nobody else is thrown out");

  await killed.end("SIGKILL");
  assertEquals(await ann.end, "cut");
  await until(() => count() === 1, count);

  // What is paused is forgotten, and heard again in full.
  other.signal("SIGSTOP");
  await until(() => count() === 0, count);
  other.signal("SIGCONT");
  await until(() => count() === 1, count);
  ben.connection.close();
  await ben.end;
  await until(() => count() === 0, count);
}

Deno.test({
  name: "Hub counts the readers of all processes on Redis, and revokes them, whatever is killed",
  ignore: !(await hasRedis),
  fn: () => run("redis", startRedis),
});

Deno.test({
  name: "Hub counts the readers of all processes on NATS, and revokes them, whatever is killed",
  ignore: !(await hasNats),
  fn: () => run("nats", startNats),
});
