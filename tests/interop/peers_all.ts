/**
 * All senders and all readers.
 *
 * @module
 */

import type { Reader, Sender } from "./peers.ts";
import { readers as chromium } from "./readers/chromium.ts";
import { readers as curl } from "./readers/curl.ts";
import { readers as deno } from "./readers/deno.ts";
import { readers as eventsource } from "./readers/eventsource.ts";
import { readers as eventsourceClient } from "./readers/eventsource_client.ts";
import { readers as fetchEventSource } from "./readers/fetch_event_source.ts";
import { readers as firefox } from "./readers/firefox.ts";
import { readers as mcpClient } from "./readers/mcp.ts";
import { readers as models } from "./readers/models.ts";
import { readers as node } from "./readers/node.ts";
import { readers as ours } from "./readers/ours.ts";
import { readers as oursInWorkerd } from "./readers/workerd.ts";
import { senders as betterSse } from "./senders/better_sse.ts";
import { senders as bytes } from "./senders/bytes.ts";
import { senders as channel } from "./senders/channel.ts";
import { senders as encoder } from "./senders/eventsource_encoder.ts";
import { senders as fastifySse } from "./senders/fastify_sse.ts";
import { senders as h3 } from "./senders/h3.ts";
import { senders as hono } from "./senders/hono.ts";
import { senders as mcpServer } from "./senders/mcp.ts";
import { senders as nginx } from "./senders/nginx.ts";
import { senders as oursOnDeno } from "./senders/ours.ts";
import { senders as oursElsewhere } from "./senders/runtimes.ts";
import { senders as std } from "./senders/std.ts";
import { senders as workerd } from "./senders/workerd.ts";

/** The rows. */
export const SENDERS: readonly Sender[] = [
  ...oursOnDeno,
  ...oursElsewhere,
  ...workerd,
  ...channel,
  ...nginx,
  ...bytes,
  ...betterSse,
  ...hono,
  ...fastifySse,
  ...h3,
  ...std,
  ...encoder,
  ...mcpServer,
];

/** The columns. */
export const READERS: readonly Reader[] = [
  ...ours,
  ...oursInWorkerd,
  ...eventsource,
  ...eventsourceClient,
  ...fetchEventSource,
  ...deno,
  ...node,
  ...chromium,
  ...firefox,
  ...curl,
  ...models,
  ...mcpClient,
];
