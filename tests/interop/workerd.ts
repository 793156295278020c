/**
 * A program in workerd, which runs Workers.
 *
 * @module
 */

import { bundle } from "../../tools/_bundle.ts";
import { ROOT } from "../../tools/_deno.ts";
import { within } from "../fault/real_time.ts";
import { freePort, type Running } from "../listen.ts";
import type { Unavailable } from "./peers.ts";
import { listening } from "./senders/child.ts";

/** The version of the package of npm. */
const SPECIFIER = "workerd@1.20261117.1";

/** It speaks HTTP to loopback only, in both directions. */
const config = (port: number) =>
  `using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [
    (name = "main", worker = .worker),
    (name = "internet", network = (allow = ["127.0.0.0/8"])),
  ],
  sockets = [(name = "http", address = "127.0.0.1:${port}", http = (), service = "main")],
);

const worker :Workerd.Worker = (
  modules = [(name = "worker.js", esModule = embed "worker.js")],
  compatibilityDate = "2026-01-01",
);
`;

/** Where the program itself is: what is started is what is ended. */
async function find(): Promise<string | undefined> {
  const args = ["--yes", `--package=${SPECIFIER}`, "-c", "command -v workerd"];
  try {
    const output = new Deno.Command("npx", { args, stderr: "null" }).output();
    const { stdout } = await within(output, 120_000, () => "npx does not end");
    const path = new TextDecoder().decode(stdout).trim();
    return path === "" ? undefined : await Deno.realPath(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

/**
 * Starts it.
 *
 * @param script The Worker, by its path in this folder.
 */
export async function startWorkerd(script: string): Promise<Running | Unavailable> {
  const program = await find();
  if (program === undefined) {
    return { unavailable: `npx cannot get ${SPECIFIER}: install Node and npm` };
  }
  const { code, problem } = await bundle(ROOT, `tests/interop/${script}`, "browser");
  if (problem !== undefined) throw new Error(problem);
  const folder = await Deno.makeTempDir();
  const port = freePort();
  await Deno.writeTextFile(`${folder}/worker.js`, code);
  await Deno.writeTextFile(`${folder}/config.capnp`, config(port));
  const args = ["serve", `${folder}/config.capnp`];
  const workerd = new Deno.Command(program, { args, stdin: "null" }).spawn();
  const end = async () => {
    workerd.kill("SIGKILL");
    await workerd.status;
    await Deno.remove(folder, { recursive: true });
  };
  try {
    await listening(port);
  } catch (error) {
    await end();
    throw error;
  }
  return { port, [Symbol.asyncDispose]: end };
}
