/**
 * One contestant of `fanout.ts` in a process of its own, in Deno or, bundled, in Node.
 *
 * @module
 */

import { createServer } from "node:http";
import process from "node:process";
import { answer } from "./fanout_answer.ts";
import {
  type Contestant,
  type NodeHttpHandler,
  onDeno,
  onNode,
  type WebHandler,
} from "./fanout_contestants.ts";
import { cpuTime } from "./measure.ts";

declare const gc: ((options: { type: "major"; flavor: "last-resort" }) => void) | undefined;

/** A contestant that is yet to listen. */
interface Server extends Pick<Contestant<unknown>, "publish" | "size"> {
  /** Listens on loopback; the port. */
  listen(): Promise<number>;
}

function denoServer({ handler, ...rest }: Contestant<WebHandler>): Server {
  const listen = () => {
    const { addr } = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, handler);
    return Promise.resolve(addr.port);
  };
  return { listen, ...rest };
}

function nodeServer({ handler, ...rest }: Contestant<NodeHttpHandler>): Server {
  const server = createServer(handler);
  const listen = async () => {
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const address = server.address();
    return typeof address === "object" && address !== null ? address.port : 0;
  };
  return { listen, ...rest };
}

function find(runtime: string, name: string): Server {
  const [, makeDeno] = Object.entries(onDeno).find(([key]) => key === name) ?? [];
  const [, makeNode] = Object.entries(onNode).find(([key]) => key === name) ?? [];
  if (runtime === "deno" && makeDeno !== undefined) return denoServer(makeDeno());
  if (runtime === "node" && makeNode !== undefined) return nodeServer(makeNode());
  throw new RangeError(`Cannot serve: there is no "${name}" for "${runtime}"`);
}

const [runtime, name] = process.argv.slice(2);
const server = find(runtime, name);
let published = 0;

answer({
  listen: async () => [await server.listen()],
  size: () => [server.size()],
  cpu: () => [cpuTime()],
  /**
   * Publishes some events a turn, and a turn each `interval` ms or, if that is 0, in each macrotask.
   * What it answers: its CPU time before, the time of day when it began, and how many turns began late
   * by half an interval and more.
   */
  async publish(turns, events, interval) {
    const before = cpuTime();
    const start = Date.now();
    let due = performance.now();
    let late = 0;
    for (let turn = 0; turn < turns; turn++) {
      if (interval > 0 && performance.now() - due > interval / 2) late++;
      for (let i = 0; i < events; i++) server.publish(published++);
      due += interval;
      await new Promise((resolve) => setTimeout(resolve, Math.max(0, due - performance.now())));
    }
    return [before, start, late];
  },
  /** Collects all garbage, and gives back what pages it can. */
  collect() {
    if (typeof gc === "undefined") throw new Error("Run with --expose-gc");
    gc({ type: "major", flavor: "last-resort" });
    return [];
  },
});
