/**
 * Code of a user of Node, for the type checker alone.
 *
 * @module
 */

import { SqliteEventLog } from "@webstreams/sse/log/sqlite";
import { sendResponse, toNodeHandler } from "@webstreams/sse/node";
import { Channel, eventStreamResponse } from "@webstreams/sse/server";
import { createServer } from "node:http";
import { createServer as createHttp2Server } from "node:http2";
import { DatabaseSync } from "node:sqlite";

const channel = new Channel({ log: new SqliteEventLog(new DatabaseSync(":memory:")) });
const handler = toNodeHandler((request) => channel.subscribe(request));
createServer(handler);
createHttp2Server(handler);
createServer(async (_req, res) => await sendResponse(res, eventStreamResponse([{ data: "a" }])));
