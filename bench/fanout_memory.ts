/**
 * What a reader costs to whom nothing is said: by how much the server grows for each.
 *
 * @module
 */

import { delay } from "../tests/fault/real_time.ts";
import { Clients, contenderOnDeno, Server } from "./fanout_setup.ts";

/** The readers that a server has before it is measured: what only the first ones take is left out. */
const FIRST = 500;

/** Why it cannot be measured here with so many readers; `undefined` if it can. */
export async function whyNot(readers: number): Promise<string | undefined> {
  let limits: string;
  try {
    limits = await Deno.readTextFile("/proc/self/limits");
  } catch {
    return "there is no /proc to look it up in";
  }
  const files = Number(/Max open files\s+(\d+)/.exec(limits)?.[1]);
  // And some that are no connections.
  const needed = readers + FIRST + 100;
  if (!(files < needed)) return undefined;
  return `a process may open ${files} files: "ulimit -n ${needed}" lets it open as many as it takes`;
}

/** By how many bytes a contestant on Deno grows for each reader. */
export async function idleMemory(name: string, readers: number): Promise<number> {
  await using clients = new Clients();
  await using server = await Server.start(contenderOnDeno(name));
  await clients.open(FIRST, server);
  const before = await settledMemory(server);
  await clients.open(readers, server);
  return (await settledMemory(server) - before) / readers;
}

/** The resident memory once the garbage is collected, in bytes. */
async function settledMemory(server: Server): Promise<number> {
  // What was collected once may let go of more.
  for (let i = 0; i < 5; i++) {
    await server.ask("collect");
    await delay(200);
  }
  const status = await Deno.readTextFile(`/proc/${server.pid}/status`);
  const kilobytes = Number(/VmRSS:\s*(\d+)/.exec(status)?.[1]);
  if (!(kilobytes > 0)) throw new Error(`Cannot measure: no memory in ${JSON.stringify(status)}`);
  return kilobytes * 1_024;
}
