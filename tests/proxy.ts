/**
 * A real proxy before a server, configured by the test.
 *
 * @module
 */

import { within } from "./fault/real_time.ts";
import type { Running } from "./listen.ts";

/** How long a proxy may take to start, and to end, in ms. */
const PATIENCE = 10_000;

/** What to start. */
export interface ProxyInit {
  /** The command. */
  readonly program: string;
  /** Its arguments, by the folder that it runs in. */
  readonly args: (folder: string) => string[];
  /** What is in that folder, by name: the configuration, and what it needs beside. */
  readonly files: Readonly<Record<string, string>>;
  /** Where it is to listen. */
  readonly port: number;
}

/** Starts a proxy in a folder of its own; both end with the block. */
export async function startProxy({ program, args, files, port }: ProxyInit): Promise<Running> {
  const folder = await Deno.makeTempDir({ prefix: "sse-proxy-" });
  const clean = () => Deno.remove(folder, { recursive: true });
  try {
    for (const [name, text] of Object.entries(files)) {
      await Deno.writeTextFile(`${folder}/${name}`, text);
    }
    // What a program keeps for its user is to stay in the folder.
    const env = { HOME: folder, XDG_CONFIG_HOME: folder, XDG_DATA_HOME: folder };
    const child = new Deno.Command(program, {
      args: args(folder),
      cwd: folder,
      env,
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    }).spawn();
    const stderr = new Response(child.stderr).text();
    let ended = false;
    const status = child.status.finally(() => ended = true);
    const end = async () => {
      if (!ended) child.kill("SIGTERM");
      // Some wait for what is open, which may be for ever.
      const timer = setTimeout(() => child.kill("SIGKILL"), PATIENCE);
      await status;
      clearTimeout(timer);
      await stderr;
    };
    try {
      await within(listening(port, () => ended), PATIENCE, () => `${program} does not listen`);
      // Where it has ended, what it said tells why.
      if (ended) throw new Error(`Cannot start ${program}: it ended: ${await stderr}`);
    } catch (error) {
      await end();
      throw error;
    }
    return {
      port,
      async [Symbol.asyncDispose]() {
        await end();
        await clean();
      },
    };
  } catch (error) {
    await clean();
    throw error;
  }
}

/** Waits until somebody listens on a port, or it is given up. */
async function listening(port: number, givenUp: () => boolean): Promise<void> {
  while (!givenUp()) {
    try {
      (await Deno.connect({ hostname: "127.0.0.1", port })).close();
      return;
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}
