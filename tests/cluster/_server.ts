/**
 * A server of the cluster tests, in a process of its own: a hub on a log that others share. `SIGTERM`
 * drains it.
 *
 * Arguments: the engine and its port, the port to listen on, over how many ms to drain.
 *
 * @module
 */

import { Hub } from "../../server.ts";
import { engineName, openLog } from "./logs.ts";
import { LOG, PRESENCE } from "./terms.ts";

const [engine, enginePort, port, drain] = Deno.args;
const { log } = await openLog(engineName(engine), Number(enginePort), LOG);
const hub = new Hub({ log, keepAlive: 500, retry: 100, presence: PRESENCE });

Deno.serve({ hostname: "127.0.0.1", port: Number(port), onListen() {} }, (request) => {
  const { searchParams } = new URL(request.url);
  const user = searchParams.get("user") ?? undefined;
  return hub.subscribe(request, { topics: searchParams.getAll("topic"), user });
});

Deno.addSignalListener("SIGTERM", async () => {
  await hub.close({ drain: Number(drain) });
  Deno.exit();
});
console.log("ready");
