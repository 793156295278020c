/**
 * A server of `fanout.ts` and its readers: started, and asserted correct before anything is timed.
 *
 * @module
 */

import { readEvents } from "../parse.ts";
import { delay, within } from "../tests/fault/real_time.ts";
import { Child } from "./fanout_child.ts";
import { dataOf } from "./fanout_contestants.ts";

/** The processes that hold the readers. */
export const CLIENTS = 2;

/** How long the last reader may take to come, in ms. */
const PATIENCE = 10_000;

/** Who serves, and what starts it. */
export interface Contender {
  /** The runtime, and the library. */
  name: string;
  /** The program. */
  command: string;
  /** Its arguments. */
  args: string[];
}

function script(name: string): string {
  return new URL(name, import.meta.url).pathname;
}

async function output(command: string, args: string[]): Promise<string> {
  const { success, stdout } = await new Deno.Command(command, {
    args,
    stdin: "null",
    stderr: "inherit",
  }).output();
  if (!success) throw new Error(`Cannot measure: ${command} ${args.join(" ")} failed, see above`);
  return new TextDecoder().decode(stdout).trim();
}

/** A contestant on Deno. */
export function contenderOnDeno(name: string): Contender {
  const args = ["run", "-A", "--v8-flags=--expose-gc", script("fanout_server.ts"), "deno", name];
  return { name: `${name} on Deno`, command: Deno.execPath(), args };
}

/** Where Node 24 is. It and not `npx` is started, so that what is started is what is ended. */
export function findNode(): Promise<string> {
  return output("npx", ["--yes", "--package=node@24", "--", "node", "-p", "process.execPath"]);
}

/** Makes one file of the server, for Node. */
export async function bundleServer(bundle: string): Promise<void> {
  const args = ["bundle", "--quiet", "--platform", "deno", "-o", bundle];
  await output(Deno.execPath(), [...args, script("fanout_server.ts")]);
}

/** A contestant on Node. */
export function contenderOnNode(name: string, node: string, bundle: string): Contender {
  return { name: `${name} on Node`, command: node, args: [bundle, "node", name] };
}

/** A server that listens. */
export class Server implements AsyncDisposable {
  readonly #child: Child;
  readonly port: number;

  private constructor(child: Child, port: number) {
    this.#child = child;
    this.port = port;
  }

  /** Starts one. */
  static async start({ name, command, args }: Contender): Promise<Server> {
    const child = new Child(name, command, args);
    const [port] = await child.ask("listen");
    return new Server(child, port);
  }

  /** The number of its process. */
  get pid(): number {
    return this.#child.pid;
  }

  /** Asks it something. */
  ask(question: string): Promise<number[]> {
    return this.#child.ask(question);
  }

  /** Waits until it has so many readers. */
  async waitForReaders(count: number): Promise<void> {
    const end = performance.now() + PATIENCE;
    for (;;) {
      const [size] = await this.ask("size");
      if (size === count) return;
      if (performance.now() > end) {
        throw new Error(`Cannot measure: ${size} of ${count} readers have come to the server`);
      }
      await delay(20);
    }
  }

  /** Ends it. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#child[Symbol.asyncDispose]();
  }
}

/** The readers, in processes of their own. */
export class Clients implements AsyncDisposable {
  readonly #children = Array.from({ length: CLIENTS }, (_, i) => {
    return new Child(`client ${i}`, Deno.execPath(), ["run", "-A", script("fanout_client.ts")]);
  });
  #size = 0;

  /** Asks all processes the same. */
  ask(question: string): Promise<number[][]> {
    return Promise.all(this.#children.map((child) => child.ask(question)));
  }

  /** Connects some more, and waits until the server has them. */
  async open(count: number, server: Server): Promise<void> {
    await this.ask(`open ${server.port} ${count / CLIENTS}`);
    this.#size += count;
    await server.waitForReaders(this.#size);
  }

  /** Ends them. Their server first: when a reader leaves, better-sse ends the process on Deno. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const child of this.#children) await child[Symbol.asyncDispose]();
  }
}

/** Fails unless all readers of a contestant get all events: nothing is timed that is not right. */
export async function assertEvents(contender: Contender): Promise<void> {
  await using server = await Server.start(contender);
  const requests = Array.from({ length: 3 }, () => fetch(`http://127.0.0.1:${server.port}/`));
  const responses = await Promise.all(requests);
  await server.waitForReaders(responses.length);
  await server.ask("publish 2 1 0");
  await server.ask("publish 2 10 0");
  for (const response of responses) {
    const reader = readEvents(response);
    for (let n = 0; n < 22; n++) {
      const late = () => `Cannot time ${contender.name}: its event ${n} did not come`;
      const { value } = await within(reader.next(), PATIENCE, late);
      if (value?.data === dataOf(n)) continue;
      throw new Error(
        `Cannot time ${contender.name}: its event ${n} is wrong: ${JSON.stringify(value)}`,
      );
    }
  }
}
