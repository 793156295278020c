/**
 * A server of `cluster.ts` in a process of its own: one topic on a log that others share.
 *
 * Arguments: the engine and its port.
 *
 * @module
 */

import process from "node:process";
import { Channel } from "../server.ts";
import { engineName, openLog } from "../tests/cluster/logs.ts";
import { answer } from "./fanout_answer.ts";
import { cpuTime } from "./measure.ts";

const [engine, port] = process.argv.slice(2);
const { log } = await openLog(engineName(engine), Number(port));
const channel = new Channel({ log });

answer({
  listen() {
    const handler = (request: Request) => channel.subscribe(request);
    const { addr } = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, handler);
    return [addr.port];
  },
  size: () => [channel.size],
  cpu: () => [cpuTime()],
});
