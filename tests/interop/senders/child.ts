/**
 * Servers in a process of their own.
 *
 * @module
 */

import { fileURLToPath } from "node:url";
import { within } from "../../fault/real_time.ts";
import type { Running } from "../../listen.ts";
import { isUnavailable, type Unavailable } from "../peers.ts";
import type { Command } from "../runtimes.ts";

const PATIENCE = 20_000;

/** Starts a server that prints its port first. */
export async function startChild(
  command: Promise<Command | Unavailable>,
  script: string,
): Promise<Running | Unavailable> {
  const found = await command;
  if (isUnavailable(found)) return found;
  const args = [...found.args, fileURLToPath(new URL(script, import.meta.url))];
  const child = new Deno.Command(found.program, { args, stdin: "null", stdout: "piped" }).spawn();
  const lines = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  const end = async () => {
    child.kill("SIGKILL");
    await child.status;
    await lines.cancel();
  };
  try {
    const { value } = await within(lines.read(), PATIENCE, () => `${script} does not serve`);
    const port = Number(value);
    if (!(port > 0)) throw new Error(`Cannot start ${script}: it printed no port: ${value}`);
    return { port, [Symbol.asyncDispose]: end };
  } catch (error) {
    await end();
    throw error;
  }
}

/** Waits until somebody listens on a port. */
export async function listening(port: number): Promise<void> {
  const connected = async () => {
    for (;;) {
      try {
        (await Deno.connect({ hostname: "127.0.0.1", port })).close();
        return;
      } catch {
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    }
  };
  await within(connected(), PATIENCE, () => `Nobody listens on ${port}`);
}
