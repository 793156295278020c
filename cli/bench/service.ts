/**
 * A service of its own for a bench, in another process: one that shared this one's event loop would
 * be measured together with its readers.
 *
 * @module
 */

import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { Usage } from "./load.ts";
// A package holds what is imported, be it for nothing but that.
import type {} from "./service_process.ts";
import { Failure } from "../failure.ts";

/** How long it may take to start, in ms. */
const PATIENCE = 20_000;

/** A service that runs. */
export interface BenchService extends AsyncDisposable {
  /** Where it listens. */
  readonly url: URL;
  /** What it has used so far. */
  usage(): Promise<Usage>;
}

/**
 * Starts one. It ends with this process, however that ends.
 *
 * @throws {Failure} If it does not start.
 */
export async function startService(signal: AbortSignal): Promise<BenchService> {
  // In a package the sources are JavaScript.
  const [extension] = /\.[a-z]+$/.exec(import.meta.url) ?? [".ts"];
  const url = new URL(`./service_process${extension}`, import.meta.url);
  // Deno runs a module from a registry, too, by its URL.
  const program = url.protocol === "file:" ? fileURLToPath(url) : url.href;
  // It answers to Ctrl-C by us: the terminal tells all processes of it, which would end it too soon.
  const child = fork(program, [], { stdio: ["ignore", "ignore", "pipe", "ipc"] });
  let said = "";
  child.stderr?.on("data", (chunk) => said = `${said}${chunk}`.slice(-2_000));
  const ended = once(child, "exit").catch((error) => said = String(error));
  const close = async () => {
    if (child.connected) child.disconnect();
    await ended;
  };
  try {
    const { port } = await answerOf(child, isListening, signal, () => said);
    return {
      url: new URL(`http://127.0.0.1:${port}/`),
      async usage() {
        const answer = answerOf(child, isUsage, signal, () => said);
        child.send("usage");
        return await answer;
      },
      [Symbol.asyncDispose]: close,
    };
  } catch (error) {
    child.kill("SIGKILL");
    await ended;
    throw error;
  }
}

/** What the process says next of this shape. */
function answerOf<T>(
  child: ChildProcess,
  is: (message: unknown) => message is T,
  signal: AbortSignal,
  said: () => string,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const settle = () => {
      clearTimeout(timer);
      child.off("message", onMessage);
      child.off("exit", onExit);
      child.off("error", onExit);
      signal.removeEventListener("abort", onAbort);
    };
    const fail = (found: string) => {
      settle();
      reject(
        new Failure(`Cannot bench a service: ${found}; start sse serve yourself and bench its URL`),
      );
    };
    const onMessage = (message: unknown) => {
      if (!is(message)) return;
      settle();
      resolve(message);
    };
    const onExit = () => fail(`its process has ended: ${said().trim().split("\n").at(-1) ?? ""}`);
    const onAbort = () => {
      settle();
      reject(signal.reason);
    };
    const timer = setTimeout(() => fail("its process does not answer"), PATIENCE);
    child.on("message", onMessage);
    child.on("exit", onExit);
    child.on("error", onExit);
    signal.addEventListener("abort", onAbort);
  });
}

function isListening(message: unknown): message is { port: number } {
  return typeof message === "object" && message !== null && "port" in message &&
    typeof message.port === "number";
}

function isUsage(message: unknown): message is Usage {
  return typeof message === "object" && message !== null && "cpu" in message && "memory" in message;
}
