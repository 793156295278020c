/**
 * All suites, in the order of the table.
 *
 * @module
 */

import client from "./suite/client.ts";
import encode from "./suite/encode.ts";
import eventSource from "./suite/event_source.ts";
import memoryLog from "./suite/memory_log.ts";
import nodeBridge from "./suite/node_bridge.ts";
import parse from "./suite/parse.ts";
import server from "./suite/server.ts";
import sqliteLog from "./suite/sqlite_log.ts";
import socket from "./suite/socket.ts";
import testing from "./suite/testing.ts";
import type { Suite } from "./harness.ts";

/** All suites. */
export const suites: readonly Suite[] = [
  parse,
  encode,
  client,
  eventSource,
  server,
  socket,
  nodeBridge,
  memoryLog,
  sqliteLog,
  testing,
];
